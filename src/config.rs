//! What an installation sets: flags win over environment variables, those over the file, those over the
//! defaults. A mistake is told with the setting's name and the rule.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::oidc::Reach;
use crate::pace::Pace;
use crate::telemetry::AccessLog;

/// A length of time as people write it: `90s`, `15m`, `6h`, `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let invalid = || ConfigError::Span(text.to_owned());
        let unit = text.chars().last().ok_or_else(invalid)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(invalid()),
        };
        let count: u64 = text.trim_end_matches(unit).parse().map_err(|_| invalid())?;
        count.checked_mul(seconds).map(|total| Self(Duration::from_secs(total))).ok_or_else(invalid)
    }
}

impl TryFrom<String> for Span {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs())
    }
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No length of time.
    #[error("`{0}` is no length of time such as `90s`, `15m`, `6h` or `1d`")]
    Span(String),
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not what it should be; the message has the line.
    #[error("`{}`: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// Two settings that do not go together, or one out of its bounds.
    #[error("`{setting}` {rule}")]
    Rule {
        /// The setting.
        setting: &'static str,
        /// What it has to keep to.
        rule: String,
    },
}

/// One source of settings; whatever is not set is left to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// The folder with the log and snapshots.
    #[arg(long, env = "LOCUM_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// The file with the root keys, `-` for standard input, or `env:NAME` for an environment variable;
    /// `keyring.json` in the data folder if not set.
    #[arg(long, env = "LOCUM_KEYRING")]
    pub keyring: Option<PathBuf>,
    /// Where gRPC is served [default: 127.0.0.1:7400].
    #[arg(long, env = "LOCUM_GRPC")]
    pub grpc: Option<SocketAddr>,
    /// A PEM file with the certificate chain that gRPC is served with; without TLS if not set.
    #[arg(long, env = "LOCUM_GRPC_TLS_CERTIFICATE")]
    pub grpc_tls_certificate: Option<PathBuf>,
    /// A PEM file with the key of that certificate.
    #[arg(long, env = "LOCUM_GRPC_TLS_KEY")]
    pub grpc_tls_key: Option<PathBuf>,
    /// Where the AWS APIs (STS, IAM, EC2) are served [default: 127.0.0.1:7401].
    #[arg(long, env = "LOCUM_AWS")]
    pub aws: Option<SocketAddr>,
    /// A PEM file with the certificate chain that the AWS APIs are served with; plain HTTP if not set.
    #[arg(long, env = "LOCUM_AWS_TLS_CERTIFICATE")]
    pub aws_tls_certificate: Option<PathBuf>,
    /// A PEM file with the key of that certificate.
    #[arg(long, env = "LOCUM_AWS_TLS_KEY")]
    pub aws_tls_key: Option<PathBuf>,
    /// Where metadata is served [default: 127.0.0.1:7402].
    #[arg(long, env = "LOCUM_METADATA")]
    pub metadata: Option<SocketAddr>,
    /// Where health and metrics are served [default: 127.0.0.1:7403].
    #[arg(long, env = "LOCUM_HEALTH")]
    pub health: Option<SocketAddr>,
    /// The region of instances that name none, and of signatures [default: us-east-1].
    #[arg(long, env = "LOCUM_REGION")]
    pub region: Option<String>,
    /// How long credentials of instances live [default: 6h].
    #[arg(long, env = "LOCUM_CREDENTIALS_LIFETIME")]
    pub credentials_lifetime: Option<Span>,
    /// At which age credentials of instances are renewed [default: 1h].
    #[arg(long, env = "LOCUM_ROTATION_INTERVAL")]
    pub rotation_interval: Option<Span>,
    /// How many requests a second one address may send to metadata; 0 sets no bound [default: 1000].
    #[arg(long, env = "LOCUM_METADATA_REQUESTS_PER_SECOND")]
    pub metadata_requests_per_second: Option<u32>,
    /// How many requests a second an account without a quota of its own may send to gRPC and the AWS APIs; 0 sets no
    /// bound [default: 0].
    #[arg(long, env = "LOCUM_ACCOUNT_REQUESTS_PER_SECOND")]
    pub account_requests_per_second: Option<u32>,
    /// How many sessions a second an account without a quota of its own may ask for; 0 sets no bound [default: 0].
    #[arg(long, env = "LOCUM_ACCOUNT_SESSIONS_PER_SECOND")]
    pub account_sessions_per_second: Option<u32>,
    /// How many requests a second one address may send to gRPC and the AWS APIs without a good signature; 0 sets no
    /// bound [default: 1000].
    #[arg(long, env = "LOCUM_STRANGER_REQUESTS_PER_SECOND")]
    pub stranger_requests_per_second: Option<u32>,
    /// How often the use of metadata is recorded, for the doctor [default: 1m].
    #[arg(long, env = "LOCUM_METADATA_REPORT_INTERVAL")]
    pub metadata_report_interval: Option<Span>,
    /// Where keys of identity providers are fetched from [default: public]: `public` addresses; those of
    /// `private` networks as well; on `loopback` as well, without TLS too, for tests.
    #[arg(long, env = "LOCUM_OIDC_REACH", value_enum)]
    pub oidc_reach: Option<Reach>,
    /// How long calls under way may take to end when the server stops [default: 10s].
    #[arg(long, env = "LOCUM_DRAIN_TIMEOUT")]
    pub drain_timeout: Option<Span>,
    /// Where traces and metrics are sent by OTLP over gRPC, such as `http://127.0.0.1:4317`; nowhere if not set.
    #[arg(long, env = "LOCUM_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// How often metrics are sent there [default: 15s].
    #[arg(long, env = "LOCUM_OTLP_INTERVAL")]
    pub otlp_interval: Option<Span>,
    /// Which requests have a line in the log [default: refusals]: none (`off`), those that were not done
    /// (`refusals`), those that change or issue something as well (`changes`), or `all`.
    #[arg(long, env = "LOCUM_ACCESS_LOG", value_enum)]
    pub access_log: Option<AccessLog>,
}

/// All settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Layer`")]
pub struct Config {
    pub data_dir: PathBuf,
    pub keyring: PathBuf,
    pub grpc: SocketAddr,
    /// The certificate chain and its key.
    pub grpc_tls: Option<(PathBuf, PathBuf)>,
    pub aws: SocketAddr,
    /// The certificate chain and its key.
    pub aws_tls: Option<(PathBuf, PathBuf)>,
    pub metadata: SocketAddr,
    pub health: SocketAddr,
    pub region: String,
    pub credentials_lifetime: Duration,
    pub rotation_interval: Duration,
    pub metadata_requests_per_second: u32,
    pub account_requests_per_second: u32,
    pub account_sessions_per_second: u32,
    pub stranger_requests_per_second: u32,
    pub metadata_report_interval: Duration,
    pub oidc_reach: Reach,
    pub drain_timeout: Duration,
    pub otlp_endpoint: Option<String>,
    pub otlp_interval: Duration,
    pub access_log: AccessLog,
}

/// The shortest life of credentials.
const LIFETIME_MIN: Duration = Duration::from_secs(10);
/// The longest life of credentials: sessions of roles end after 12 hours.
const LIFETIME_MAX: Duration = Duration::from_secs(43_200);

impl Config {
    /// When instances' credentials are renewed and when they end.
    #[must_use]
    pub fn pace(&self) -> Pace {
        Pace { interval: self.rotation_interval, lifetime: self.credentials_lifetime }
    }
}

impl Layer {
    /// The settings of a TOML file.
    ///
    /// # Errors
    /// It cannot be read, or holds what is no setting.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|error| ConfigError::File { path: path.to_owned(), reason: error.to_string() })
    }

    /// These settings, and those of `other` where these say nothing.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            keyring: self.keyring.or(other.keyring),
            grpc: self.grpc.or(other.grpc),
            grpc_tls_certificate: self.grpc_tls_certificate.or(other.grpc_tls_certificate),
            grpc_tls_key: self.grpc_tls_key.or(other.grpc_tls_key),
            aws: self.aws.or(other.aws),
            aws_tls_certificate: self.aws_tls_certificate.or(other.aws_tls_certificate),
            aws_tls_key: self.aws_tls_key.or(other.aws_tls_key),
            metadata: self.metadata.or(other.metadata),
            health: self.health.or(other.health),
            region: self.region.or(other.region),
            credentials_lifetime: self.credentials_lifetime.or(other.credentials_lifetime),
            rotation_interval: self.rotation_interval.or(other.rotation_interval),
            metadata_requests_per_second: self
                .metadata_requests_per_second
                .or(other.metadata_requests_per_second),
            account_requests_per_second: self
                .account_requests_per_second
                .or(other.account_requests_per_second),
            account_sessions_per_second: self
                .account_sessions_per_second
                .or(other.account_sessions_per_second),
            stranger_requests_per_second: self
                .stranger_requests_per_second
                .or(other.stranger_requests_per_second),
            metadata_report_interval: self
                .metadata_report_interval
                .or(other.metadata_report_interval),
            oidc_reach: self.oidc_reach.or(other.oidc_reach),
            drain_timeout: self.drain_timeout.or(other.drain_timeout),
            otlp_endpoint: self.otlp_endpoint.or(other.otlp_endpoint),
            otlp_interval: self.otlp_interval.or(other.otlp_interval),
            access_log: self.access_log.or(other.access_log),
        }
    }

    /// All settings, with the defaults for what is not set.
    ///
    /// # Errors
    /// A setting is missing, out of its bounds, or does not go with another.
    pub fn finish(self) -> Result<Config, ConfigError> {
        let rule = |setting, rule: String| ConfigError::Rule { setting, rule };
        let data_dir = self.data_dir.ok_or_else(|| rule("data_dir", "must be set".to_owned()))?;
        let pair = |certificate: Option<PathBuf>, key: Option<PathBuf>, setting, other| match (
            certificate,
            key,
        ) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            _ => Err(rule(setting, format!("must be set if and only if `{other}` is"))),
        };
        let (certificate, key) = (self.grpc_tls_certificate, self.grpc_tls_key);
        let grpc_tls = pair(certificate, key, "grpc_tls_certificate", "grpc_tls_key")?;
        let (certificate, key) = (self.aws_tls_certificate, self.aws_tls_key);
        let aws_tls = pair(certificate, key, "aws_tls_certificate", "aws_tls_key")?;
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let span = |span: Option<Span>, default| span.map_or(Duration::from_secs(default), |s| s.0);
        let config = Config {
            keyring: self.keyring.unwrap_or_else(|| data_dir.join("keyring.json")),
            data_dir,
            grpc: self.grpc.unwrap_or_else(|| local(7400)),
            grpc_tls,
            aws: self.aws.unwrap_or_else(|| local(7401)),
            aws_tls,
            metadata: self.metadata.unwrap_or_else(|| local(7402)),
            health: self.health.unwrap_or_else(|| local(7403)),
            region: self.region.unwrap_or_else(|| "us-east-1".to_owned()),
            credentials_lifetime: span(self.credentials_lifetime, 6 * 3600),
            rotation_interval: span(self.rotation_interval, 3600),
            metadata_requests_per_second: self.metadata_requests_per_second.unwrap_or(1000),
            account_requests_per_second: self.account_requests_per_second.unwrap_or(0),
            account_sessions_per_second: self.account_sessions_per_second.unwrap_or(0),
            stranger_requests_per_second: self.stranger_requests_per_second.unwrap_or(1000),
            metadata_report_interval: span(self.metadata_report_interval, 60),
            oidc_reach: self.oidc_reach.unwrap_or_default(),
            drain_timeout: span(self.drain_timeout, 10),
            otlp_endpoint: self.otlp_endpoint,
            otlp_interval: span(self.otlp_interval, 15),
            access_log: self.access_log.unwrap_or_default(),
        };
        if !(LIFETIME_MIN..=LIFETIME_MAX).contains(&config.credentials_lifetime) {
            let bounds =
                format!("must be between {} and {}", Span(LIFETIME_MIN), Span(LIFETIME_MAX));
            return Err(rule("credentials_lifetime", bounds));
        }
        // The old and the new set both work for the time in between.
        if config.rotation_interval.is_zero()
            || config.rotation_interval * 2 > config.credentials_lifetime
        {
            let half = "must be more than 0 and at most half of `credentials_lifetime`";
            return Err(rule("rotation_interval", half.to_owned()));
        }
        if config.metadata_report_interval.is_zero() {
            return Err(rule("metadata_report_interval", "must be more than 0".to_owned()));
        }
        if config.otlp_interval.is_zero() {
            return Err(rule("otlp_interval", "must be more than 0".to_owned()));
        }
        if config.region.is_empty() {
            return Err(rule("region", "must not be empty".to_owned()));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(toml: &str) -> Layer {
        toml::from_str(toml).unwrap()
    }

    /// Protects operators: what they say nearer wins, the rest has the documented defaults.
    #[test]
    fn nearer_settings_win() {
        let flags = layer("grpc = '127.0.0.1:1'");
        let file = layer("grpc = '127.0.0.1:2'\ndata_dir = '/d'\ncredentials_lifetime = '2h'");
        let config = flags.over(file).finish().unwrap();
        assert_eq!(config.grpc.port(), 1);
        assert_eq!(config.metadata.to_string(), "127.0.0.1:7402");
        assert_eq!(config.keyring, PathBuf::from("/d/keyring.json"));
        assert_eq!(config.credentials_lifetime, Duration::from_secs(7200));
    }

    /// Protects operators from settings that are not taken, silently.
    #[test]
    fn mistakes_name_the_setting_and_the_rule() {
        let told = |toml: &str| layer(toml).finish().unwrap_err().to_string();
        assert_eq!(told(""), "`data_dir` must be set");
        assert!(told("data_dir = '/d'\nrotation_interval = '4h'").contains("at most half"));
        assert!(told("data_dir = '/d'\naws_tls_key = '/k'").contains("only if `aws_tls_key` is"));
        let half = "data_dir = '/d'\ngrpc_tls_certificate = '/c'";
        assert!(told(half).contains("only if `grpc_tls_key` is"));
        assert!(told("data_dir = '/d'\ncredentials_lifetime = '1s'").contains("between 10s"));
        let unknown = toml::from_str::<Layer>("grcp = '127.0.0.1:1'").unwrap_err().to_string();
        assert!(unknown.contains("grcp"), "{unknown}");
        let span = toml::from_str::<Layer>("drain_timeout = '10'").unwrap_err().to_string();
        assert!(span.contains("`10` is no length of time"), "{span}");
    }
}
