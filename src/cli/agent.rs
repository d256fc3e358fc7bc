//! `agent`: metadata on a host. It listens at once and answers 503 until it has heard of its instances, so that
//! SDKs try again; it binds as root where ports ask for that, and serves as somebody who may nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::run::{credentials, stop_signal};
use super::{Failure, say};
use crate::client::{Trust, connect_trusting};
use crate::clock::Clock;
use crate::config::Span;
use crate::health::{self, Probe as _};
use crate::identity::{InstanceId, Invalid};
use crate::imds::agent::{Nodes, Watched, deliver};
use crate::imds::{
    self, Front, InstanceSource, Limits, Serves, TokenFiles, TokenKey, UsageBook, token_files,
};
use crate::metrics::{self, Process, Sink, names};
use crate::telemetry::{self, AccessLog, MetricsExport};

/// `locum agent`
#[derive(clap::Args)]
pub(super) struct AgentArgs {
    /// The service: one node or, separated by commas, several, any of which is used while it can be reached.
    #[arg(
        long,
        env = "LOCUM_ENDPOINT",
        default_value = "http://127.0.0.1:7400",
        value_delimiter = ','
    )]
    endpoint: Vec<String>,
    /// The service's region.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
    /// A JSON file with the agent's or instance's accessKeyId and secretAccessKey; the environment's
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY if not given.
    #[arg(long, env = "LOCUM_CREDENTIALS")]
    credentials: Option<PathBuf>,
    /// A PEM file with the certificates that may sign those of https endpoints; those that the system trusts if
    /// not given.
    #[arg(long, env = "LOCUM_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Where metadata is served; ADDRESS=INSTANCE serves this instance there, whoever asks. Containers that
    /// fetch credentials by AWS_CONTAINER_CREDENTIALS_FULL_URI need 169.254.170.23:80 besides.
    #[arg(long, default_value = "169.254.169.254:80", value_delimiter = ',')]
    listen: Vec<Listen>,
    /// Tells instances apart by their source address, for the identity of a host agent.
    #[arg(long)]
    by_source_address: bool,
    /// Where health and metrics are served; nowhere if not given.
    #[arg(long, env = "LOCUM_HEALTH")]
    health: Option<SocketAddr>,
    /// How many requests a second one address may send; 0 sets no bound.
    #[arg(long, default_value_t = 1000)]
    requests_per_second: u32,
    /// How many connections one address may have open.
    #[arg(long, default_value_t = 1024)]
    connections: usize,
    /// A folder to write tokens for containers to, as INSTANCE/token; nowhere if not given.
    #[arg(long)]
    container_tokens: Option<PathBuf>,
    /// How often the use of metadata is reported, for the doctor.
    #[arg(long, default_value = "1m")]
    report_interval: Span,
    /// Where traces and metrics are sent by OTLP over gRPC; nowhere if not given.
    #[arg(long, env = "LOCUM_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// How often metrics are sent there.
    #[arg(long, env = "LOCUM_OTLP_INTERVAL", default_value = "15s")]
    otlp_interval: Span,
    /// The user to become once ports are bound and files are read; its group as well.
    #[arg(long)]
    user: Option<String>,
}

/// An address, and the instance that is served there; by the mode of the agent if none is named.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listen {
    address: SocketAddr,
    instance: Option<InstanceId>,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, instance) = match text.split_once('=') {
            Some((address, instance)) => (address, Some(instance)),
            None => (text, None),
        };
        let address = address.parse().map_err(|_| "is no IP address with a port".to_owned())?;
        let instance = instance.map(str::parse).transpose();
        let instance = instance.map_err(|invalid: Invalid| invalid.to_string())?;
        Ok(Self { address, instance })
    }
}

impl AgentArgs {
    fn serves(&self, listen: &Listen) -> Serves {
        match &listen.instance {
            Some(instance) => Serves::Instance(instance.clone()),
            None if self.by_source_address => Serves::BySourceAddress,
            None => Serves::Only,
        }
    }

    async fn bind(&self) -> Result<Vec<(TcpListener, Serves)>, Failure> {
        let mut listeners = Vec::new();
        for listen in &self.listen {
            listeners.push((bind(listen.address).await?, self.serves(listen)));
        }
        Ok(listeners)
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    Ok(bound.map_err(|error| format!("cannot listen on {address}: {error}"))?)
}

pub(super) async fn run(args: AgentArgs) -> Result<(), Failure> {
    let _telemetry = telemetry::start(args.otlp_endpoint.as_deref(), AccessLog::Off)?;
    let credentials = credentials(args.credentials.as_deref())?;
    let trust = Trust::of_file(args.ca_file.as_deref())?;
    let channels = args
        .endpoint
        .iter()
        .map(|endpoint| connect_trusting(endpoint, &args.region, credentials.clone(), &trust));
    let nodes = Nodes::new(channels.collect::<Result<_, _>>()?);
    let listeners = args.bind().await?;
    let health_listener = match args.health {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    if let Some(user) = &args.user {
        become_user(user)?;
    }
    let book = Arc::new(UsageBook::default());
    let watched = Watched::new(book.clone());
    let key = TokenKey::generate().map_err(|_| "the system gives no random bytes")?;
    let key = Arc::new(key);
    let stopping = CancellationToken::new();
    let mut background = JoinSet::new();
    background.spawn(follow(watched.clone(), nodes.clone()));
    background.spawn(report(book.clone(), args.report_interval, nodes));
    let source: Arc<dyn InstanceSource> = watched.clone();
    if let Some(folder) = args.container_tokens.clone() {
        let files = TokenFiles { folder, key: key.clone(), clock: Clock::System };
        background.spawn(write_tokens(files, source.clone()));
    }
    let probe = Arc::new(AgentProbe { watched, book: book.clone() });
    if let Some(endpoint) = &args.otlp_endpoint {
        let (export, probe) = (MetricsExport::new(endpoint)?, probe.clone());
        let interval = args.otlp_interval.0;
        background.spawn(async move { export.run(interval, |sink| probe.gather(sink)).await });
    }
    if let Some(listener) = health_listener {
        say(format_args!("health on http://{}", listener.local_addr()?))?;
        background.spawn(health::serve(listener, probe, stopping.clone().cancelled_owned()));
    }
    let limits =
        Limits { requests_per_second: args.requests_per_second, connections: args.connections };
    let front = Front::new(source, key, Clock::System, book, limits);
    let mut edges = JoinSet::new();
    for (listener, serves) in listeners {
        say(format_args!("metadata on http://{}", listener.local_addr()?))?;
        let stop = stopping.clone().cancelled_owned();
        edges.spawn(imds::serve(front.clone(), listener, serves, stop));
    }
    stop_signal()?.await;
    stopping.cancel();
    edges.join_all().await;
    background.abort_all();
    Ok(())
}

async fn follow(watched: Arc<Watched>, nodes: Arc<Nodes>) {
    watched.run(&nodes).await;
}

async fn report(book: Arc<UsageBook>, interval: Span, nodes: Arc<Nodes>) {
    imds::report(&book, interval.0, |_, usage| deliver(&nodes, usage)).await;
}

async fn write_tokens(files: TokenFiles, source: Arc<dyn InstanceSource>) {
    let folder = files.folder.clone();
    let Err(error) = token_files(files, source).await;
    tracing::error!(folder = %folder.display(), %error, "no tokens are written for containers");
}

/// Gives up every right but those of `name`: supplementary groups first, then the group, then the user.
fn become_user(name: &str) -> Result<(), Failure> {
    use nix::unistd::{User, setgid, setgroups, setuid};
    let user = User::from_name(name)?.ok_or_else(|| format!("there is no user `{name}`"))?;
    let dropped =
        setgroups(&[user.gid]).and_then(|()| setgid(user.gid)).and_then(|()| setuid(user.uid));
    Ok(dropped.map_err(|error| format!("cannot become the user `{name}`: {error}"))?)
}

/// How the agent is.
struct AgentProbe {
    watched: Arc<Watched>,
    book: Arc<UsageBook>,
}

impl health::Probe for AgentProbe {
    fn trouble(&self) -> Option<String> {
        let waiting = || "nothing has been heard of the service yet".to_owned();
        (!self.watched.is_synced()).then(waiting)
    }

    fn gather(&self, sink: &mut dyn Sink) {
        metrics::gather(Process::Agent, sink);
        let (instances, streams_ended) = self.watched.counts();
        let stale = self.watched.stale();
        let in_touch = u8::from(stale.is_none() && self.watched.is_synced());
        let stale = stale.map_or(0.0, |stale| stale.as_secs_f64());
        for (family, value) in [
            (&names::AGENT_INSTANCES, instances as f64),
            (&names::AGENT_IN_TOUCH, f64::from(in_touch)),
            (&names::AGENT_STALE, stale),
            (&names::AGENT_STREAMS_ENDED, streams_ended as f64),
        ] {
            sink.number(family, &[], value);
        }
        self.book.gather(sink);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    const UNIT: &str = include_str!("../../deploy/locum-agent.service");
    const DAEMON_SET: &str = include_str!("../../deploy/agent-daemonset.yaml");

    fn parses(words: &[&str]) {
        let parsed = crate::cli::Cli::try_parse_from(words);
        let parsed = parsed.unwrap_or_else(|error| panic!("{words:?}: {error}"));
        assert!(matches!(parsed.command, crate::cli::Command::Agent(_)));
    }

    /// Protects hosts: the unit calls the agent by flags that it has.
    #[test]
    fn the_unit_calls_the_agent_as_it_is() {
        let sections = UNIT.lines().filter(|line| line.starts_with('[')).collect::<Vec<_>>();
        assert_eq!(sections, ["[Unit]", "[Service]", "[Install]"]);
        for line in UNIT.lines().filter(|line| !line.is_empty()) {
            assert!(line.starts_with(['#', '[']) || line.contains('='), "{line}");
        }
        let command = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        parses(&command.split(' ').collect::<Vec<_>>());
    }

    /// Protects clusters: the manifest is YAML, its parts go together, and it calls the agent by its flags.
    #[test]
    fn the_daemon_set_calls_the_agent_as_it_is() {
        let manifest: serde_json::Value = serde_saphyr::from_str(DAEMON_SET).unwrap();
        assert_eq!(manifest["kind"], "DaemonSet");
        let spec = &manifest["spec"];
        let labels = &spec["template"]["metadata"]["labels"];
        assert_eq!(&spec["selector"]["matchLabels"], labels);
        let pod = &spec["template"]["spec"];
        let agent = &pod["containers"][0];
        let texts = |list: &serde_json::Value| -> Vec<String> {
            let list = list.as_array().unwrap().iter();
            list.map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let words = [texts(&agent["command"]), texts(&agent["args"])].concat();
        parses(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let volumes = pod["volumes"].as_array().unwrap();
        for container in [agent, &pod["initContainers"][0]] {
            for mount in container["volumeMounts"].as_array().unwrap() {
                assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]));
            }
        }
    }

    /// Protects hosts from serving somebody else: a listener is for whom its flag says.
    #[test]
    fn listeners_are_for_an_instance_or_for_all() {
        let listen = |text: &str| text.parse::<Listen>();
        let one = listen("10.0.0.1:80=i-0123456789abcdef0").unwrap();
        assert_eq!(one.instance.unwrap().as_str(), "i-0123456789abcdef0");
        assert_eq!(listen("[::1]:80").unwrap().instance, None);
        for bad in ["", "10.0.0.1", "10.0.0.1:80=", "10.0.0.1:80=web", "=i-0123456789abcdef0"] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }
}
