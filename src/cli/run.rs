//! `init`, `serve` and `dev`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, ServeArgs, say};
use crate::client::Credentials;
use crate::config::{Config, Layer, Span};
use crate::domain::event::{AccessKeyEvent, EventKind};
use crate::identity::{AccessKeyId, AccountId};
use crate::oidc::Reach;
use crate::pace::SERVED_LIFE_MIN;
use crate::serve::{Addresses, Listeners, Opened, open, run};
use crate::service::Service;
use crate::signing::{Keyring, KeyringSource, Secret};
use crate::telemetry::{self, AccessLog};

/// `locum dev`
#[derive(clap::Args)]
pub(super) struct DevArgs {
    /// Where to keep everything; a new temporary folder with --ephemeral.
    #[arg(long, env = "LOCUM_DATA_DIR", required_unless_present = "ephemeral")]
    data_dir: Option<PathBuf>,
    /// Keeps nothing: the data folder is removed at the end.
    #[arg(long)]
    ephemeral: bool,
    /// The account to make.
    #[arg(long, default_value = "111111111111")]
    account: AccountId,
    /// Where gRPC is served; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:7400")]
    grpc: SocketAddr,
    /// Where the AWS APIs (STS, IAM, EC2) are served.
    #[arg(long, default_value = "127.0.0.1:7401")]
    aws: SocketAddr,
    /// Where metadata is served.
    #[arg(long, default_value = "127.0.0.1:7402")]
    metadata: SocketAddr,
    /// Where health and metrics are served.
    #[arg(long, default_value = "127.0.0.1:7403")]
    health: SocketAddr,
    /// How long credentials of instances live.
    #[arg(long, default_value = "6h")]
    credentials_lifetime: Span,
    /// At which age they are renewed.
    #[arg(long, default_value = "1h")]
    rotation_interval: Span,
    /// How many requests a second one address may send to metadata; 0 sets no bound.
    #[arg(long, default_value_t = 1000)]
    metadata_requests_per_second: u32,
    /// How often the use of metadata is recorded, for the doctor.
    #[arg(long, default_value = "1m")]
    metadata_report_interval: Span,
    /// Where keys of identity providers are fetched from; here on loopback addresses too.
    #[arg(long, value_enum, default_value = "loopback")]
    oidc_reach: Reach,
    /// Where traces and metrics are sent by OTLP over gRPC; nowhere if not given.
    #[arg(long, env = "LOCUM_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// How often metrics are sent there.
    #[arg(long, default_value = "15s")]
    otlp_interval: Span,
    /// Which requests have a line in the log.
    #[arg(long, value_enum, default_value = "refusals")]
    access_log: AccessLog,
}

impl ServeArgs {
    fn config(self) -> Result<Config, Failure> {
        let file = self.config.as_deref().map(Layer::from_file).transpose()?;
        Ok(self.layer.over(file.unwrap_or_default()).finish()?)
    }
}

pub(super) async fn init(args: ServeArgs) -> Result<(), Failure> {
    let config = args.config()?;
    let _telemetry = telemetry::start(None, AccessLog::Off)?;
    std::fs::create_dir_all(&config.data_dir)?;
    // A keyring from elsewhere is made there: `locum keyring new`.
    if let KeyringSource::File(path) = KeyringSource::of(&config.keyring) {
        let keyring = Keyring::create(&path)?;
        say(format_args!("keyring {} in {}", keyring.id(), path.display()))?;
    }
    let opened = open(&config).await?;
    let key = opened.operator_key.clone().ok_or("the data folder has an operator already")?;
    let path = config.data_dir.join("operator.json");
    write_key(&path, &opened, AccountId::OPERATOR, &key, json!({}))?;
    say(format_args!("operator's key in {}", path.display()))?;
    opened.close().await;
    Ok(())
}

pub(super) async fn serve(args: ServeArgs) -> Result<(), Failure> {
    let config = args.config()?;
    let _telemetry = telemetry::start(config.otlp_endpoint.as_deref(), config.access_log)?;
    let listeners = Listeners::bind(&config).await?;
    let opened = open(&config).await?;
    let Addresses { grpc, aws, metadata, health } = listeners.addresses()?;
    tracing::info!(%grpc, %aws, %metadata, %health, "serving");
    if !config.pace().serves_long_lives() {
        tracing::warn!(
            "credentials are handed out with less than {} minutes to live, which makes SDKs renew theirs at \
             every call: `credentials_lifetime` is too short or `rotation_interval` too long",
            SERVED_LIFE_MIN.as_secs() / 60
        );
    }
    reload_on_hangup(opened.service.clone())?;
    run(&config, opened, listeners, stop_signal()?).await?;
    Ok(())
}

pub(super) async fn dev(args: DevArgs) -> Result<(), Failure> {
    let _telemetry = telemetry::start(args.otlp_endpoint.as_deref(), args.access_log)?;
    let temporary = std::env::temp_dir().join(format!("locum-dev-{}", std::process::id()));
    let data_dir = args.data_dir.clone().filter(|_| !args.ephemeral).unwrap_or(temporary);
    let layer = Layer {
        data_dir: Some(data_dir.clone()),
        grpc: Some(args.grpc),
        aws: Some(args.aws),
        metadata: Some(args.metadata),
        health: Some(args.health),
        credentials_lifetime: Some(args.credentials_lifetime),
        rotation_interval: Some(args.rotation_interval),
        metadata_requests_per_second: Some(args.metadata_requests_per_second),
        metadata_report_interval: Some(args.metadata_report_interval),
        oidc_reach: Some(args.oidc_reach),
        otlp_endpoint: args.otlp_endpoint.clone(),
        otlp_interval: Some(args.otlp_interval),
        access_log: Some(args.access_log),
        ..Layer::default()
    };
    let config = layer.finish()?;
    std::fs::create_dir_all(&data_dir)?;
    if !config.keyring.exists() {
        Keyring::create(&config.keyring)?;
    }
    let listeners = Listeners::bind(&config).await?;
    let opened = open(&config).await?;
    prepare_dev(&args, &config, &opened, &listeners).await?;
    reload_on_hangup(opened.service.clone())?;
    let served = run(&config, opened, listeners, stop_signal()?).await;
    if args.ephemeral {
        std::fs::remove_dir_all(&data_dir)?;
    }
    Ok(served?)
}

/// Makes the account, and writes `dev.json` and the operator's key.
async fn prepare_dev(
    args: &DevArgs,
    config: &Config,
    opened: &Opened,
    listeners: &Listeners,
) -> Result<(), Failure> {
    if let Some(key) = &opened.operator_key {
        let path = config.data_dir.join("operator.json");
        write_key(&path, opened, AccountId::OPERATOR, key, json!({}))?;
    }
    let service = &opened.service;
    let root = crate::domain::event::KeyOwner::Root;
    let known = service
        .view()
        .state
        .account(args.account)
        .map(|account| account.keys_of(&root).next().map(|(key, _)| key.clone()));
    let key = match known {
        Some(key) => key.ok_or("the account's root has no key any more")?,
        None => {
            let action = service.draw_account(args.account, "dev")?;
            let info = service.own_request("dev");
            let receipt = service.perform(&info, "", args.account, action).await?;
            let key = receipt.events().find_map(|event| {
                let EventKind::AccessKey(AccessKeyEvent::Created { key, .. }) = &event.kind else {
                    return None;
                };
                Some(key.clone())
            });
            key.ok_or("the account was made without a key")?
        }
    };
    let Addresses { grpc, aws, metadata, health } = listeners.addresses()?;
    let scheme = |with_tls: bool| if with_tls { "https" } else { "http" };
    let grpc = format!("{}://{grpc}", scheme(config.grpc_tls.is_some()));
    let aws = format!("{}://{aws}", scheme(config.aws_tls.is_some()));
    let endpoints = json!({
        "account": args.account.to_string(),
        "region": config.region,
        "endpoint": grpc,
        "aws": aws,
        "metadata": format!("http://{metadata}"),
        "health": format!("http://{health}"),
    });
    let path = config.data_dir.join("dev.json");
    let secret = write_key(&path, opened, args.account, &key, endpoints)?;
    say(format_args!("# account {} is ready; the same as JSON: {}", args.account, path.display()))?;
    say(format_args!("export LOCUM_ENDPOINT={grpc}"))?;
    say(format_args!("export AWS_ENDPOINT_URL={aws}"))?;
    say(format_args!("export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://{metadata}"))?;
    say(format_args!("export AWS_REGION={} AWS_ACCESS_KEY_ID={key}", config.region))?;
    say(format_args!("export AWS_SECRET_ACCESS_KEY={}", secret.expose()))?;
    Ok(())
}

/// Writes a key with its secret, readable by its owner alone, beside `more`.
fn write_key(
    path: &Path,
    opened: &Opened,
    account: AccountId,
    key: &AccessKeyId,
    mut more: serde_json::Value,
) -> Result<Secret, Failure> {
    let view = opened.service.view();
    let found = view.state.account(account).ok_or("the account is not there")?;
    let secret = opened.service.secret_of(found, key)?;
    if let Some(fields) = more.as_object_mut() {
        fields.insert("accessKeyId".to_owned(), json!(key.as_str()));
        fields.insert("secretAccessKey".to_owned(), json!(secret.expose()));
    }
    // Written beside and renamed, so that who waits for the file finds it whole.
    let partial = path.with_extension("partial");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&partial)?;
    writeln!(file, "{more:#}")?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    Ok(secret)
}

/// Reads credentials from a file as `write_key` writes it, or from the environment.
pub(super) fn credentials(file: Option<&Path>) -> Result<Credentials, Failure> {
    let Some(path) = file else { return Ok(Credentials::from_env()?) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| format!("`{}` is no JSON: {error}", path.display()))?;
    let field = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    let missing = |name: &str| format!("`{}` has no `{name}`", path.display());
    let id = field("accessKeyId").ok_or_else(|| missing("accessKeyId"))?;
    let secret = field("secretAccessKey").ok_or_else(|| missing("secretAccessKey"))?;
    Ok(Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new(secret),
        session_token: field("sessionToken").map(Secret::new),
    })
}

/// Reads the keyring's file again whenever the process gets SIGHUP; one that cannot be used changes nothing.
fn reload_on_hangup(service: Arc<Service>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    // Ends with the runtime.
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match service.reload_keyring().await {
                Ok(()) => tracing::info!("the keyring was read again"),
                Err(error) => tracing::error!(%error, "the keyring stays as it was"),
            }
        }
    });
    Ok(())
}

/// Resolves when the process is told to end.
pub(super) fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
