//! The server: puts the parts together, runs them, and stops them in order.

mod addresses;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::command::{Action, InstanceAction};
use crate::identity::AccessKeyId;
use crate::imds::{self, InstanceSource, Limits, Serves, TokenKey, UsageBook};
use crate::ledger::{Ledger, WriterHandle};
use crate::log::EventLog;
use crate::metrics::{self, Process, Sink};
use crate::proto::v1::MetadataUsage;
use crate::service::{Service, Settings};
use crate::signing::{KeyringError, KeyringSource};
use crate::telemetry::{MetricsExport, TelemetryError};
use crate::{aws, grpc, health, retention, rewrap, rotation};
use health::Probe as _;

pub use addresses::ByAddress;

/// How long a read waits for the record it asks for.
const READ_PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder cannot be used.
    #[error(transparent)]
    Log(#[from] crate::log::OpenError),
    /// The log does not lead to a state.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::OpenError),
    /// There is no keyring.
    #[error("{0}; `locum init` makes one")]
    NoKeyring(KeyringError),
    /// The keyring is another installation's.
    #[error("the keyring `{}` did not wrap the keys in this log: {source}", .path.display())]
    WrongKeyring {
        /// The keyring's file.
        path: PathBuf,
        /// What did not fit.
        source: KeyringError,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// TLS cannot be served.
    #[error(transparent)]
    Tls(#[from] aws::TlsError),
    /// Metrics cannot be sent.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// TLS cannot be served for gRPC.
    #[error(transparent)]
    GrpcTls(#[from] grpc::TlsError),
    /// The operator's account cannot be made.
    #[error("cannot make the operator's account: {0}")]
    Operator(#[from] crate::service::ServiceError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// Something is not as the server needs it.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// An opened data folder with the service over it.
pub struct Opened {
    /// The service.
    pub service: Arc<Service>,
    /// The key of the operator's root, if the account was made just now.
    pub operator_key: Option<AccessKeyId>,
    writer: WriterHandle,
}

/// Opens the data folder and makes the operator's account if there is none.
///
/// # Errors
/// The folder, the log or the keyring cannot be used.
pub async fn open(config: &Config) -> Result<Opened, ServeError> {
    let source = KeyringSource::of(&config.keyring);
    let keyring = source.read().map_err(ServeError::NoKeyring)?;
    let folder = config.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || -> Result<_, ServeError> {
        let (log, recovery) = EventLog::open(&folder)?;
        let (ledger, writer, opened) = Ledger::open(log)?;
        Ok((ledger, writer, opened, recovery))
    });
    let opened = opened.await.map_err(std::io::Error::other)??;
    let (ledger, writer, opened, recovery) = opened;
    let (sequence, snapshot) = (opened.sequence, opened.snapshot_sequence);
    metrics::ledger().replayed(opened.took, snapshot, sequence.saturating_sub(snapshot));
    tracing::info!(sequence, snapshot, clean = recovery.clean, took = ?opened.took, "log opened");
    if let Some(torn) = recovery.torn {
        let (file, offset) = (torn.file.display(), torn.offset);
        tracing::warn!(%file, offset, "a write that was never acknowledged was cut off");
    }
    let settings = Settings {
        region: config.region.clone(),
        regions: vec![config.region.clone()],
        pace: config.pace(),
        read_patience: READ_PATIENCE,
        keyring: source,
        oidc_reach: config.oidc_reach,
    };
    let service = Service::new(ledger, Arc::new(keyring), Clock::System, settings);
    let service = service
        .map_err(|source| ServeError::WrongKeyring { path: config.keyring.clone(), source })?;
    let service = Arc::new(service);
    service.set_default_rates(
        config.account_requests_per_second,
        config.account_sessions_per_second,
        config.stranger_requests_per_second,
    );
    let operator_key = service.ensure_operator().await?;
    service.ensure_document_key().await?;
    Ok(Opened { service, operator_key, writer })
}

impl Opened {
    /// Writes what is queued and a snapshot, and marks the folder as left in order.
    pub async fn close(self) {
        let Self { service, writer, .. } = self;
        let closed = tokio::task::spawn_blocking(move || {
            drop(writer);
            if let Err(error) = service.ledger().log().mark_clean() {
                tracing::warn!(%error, "the orderly stop could not be marked");
            }
        });
        if closed.await.is_err() {
            tracing::error!("closing the log failed");
        }
    }
}

/// The addresses that are listened on.
pub struct Listeners {
    grpc: TcpListener,
    aws: TcpListener,
    metadata: TcpListener,
    health: TcpListener,
}

/// Where each edge is; ports that were 0 are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the edges' own names")]
pub struct Addresses {
    pub grpc: SocketAddr,
    pub aws: SocketAddr,
    pub metadata: SocketAddr,
    pub health: SocketAddr,
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ServeError::Listen { address, source })
}

impl Listeners {
    /// Listens on the configured addresses.
    ///
    /// # Errors
    /// One of them is taken.
    pub async fn bind(config: &Config) -> Result<Self, ServeError> {
        Ok(Self {
            grpc: listen(config.grpc).await?,
            aws: listen(config.aws).await?,
            metadata: listen(config.metadata).await?,
            health: listen(config.health).await?,
        })
    }

    /// Where they are.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn addresses(&self) -> std::io::Result<Addresses> {
        Ok(Addresses {
            grpc: self.grpc.local_addr()?,
            aws: self.aws.local_addr()?,
            metadata: self.metadata.local_addr()?,
            health: self.health.local_addr()?,
        })
    }
}

/// Serves until `stop` resolves, then ends what is under way within the configured time, and closes.
///
/// # Errors
/// The system gives no random bytes, or the files for TLS cannot be used.
pub async fn run(
    config: &Config,
    opened: Opened,
    listeners: Listeners,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let service = opened.service.clone();
    let tls = config.aws_tls.as_ref().map(|(chain, key)| aws::Tls::load(chain, key)).transpose()?;
    let grpc_tls = config.grpc_tls.as_ref();
    let grpc_tls = grpc_tls.map(|(chain, key)| grpc::Tls::load(chain, key)).transpose()?;
    let stopping = CancellationToken::new();
    let token_key = TokenKey::generate().map_err(|_| ServeError::NoRandomness)?;
    let book = Arc::new(UsageBook::default());
    let source = ByAddress::new(service.clone(), book.clone());
    let mut background = JoinSet::new();
    background.spawn(rotation::run(service.clone()));
    background.spawn(rewrap::run(service.clone()));
    background.spawn(retention::run(service.clone()));
    background.spawn({
        let service = service.clone();
        async move { service.keep_recording_uses().await }
    });
    background.spawn({
        let service = service.clone();
        async move { service.keep_forgetting_accounts().await }
    });
    background.spawn(source.clone().keep_up());
    background.spawn(report(service.clone(), book.clone(), config.metadata_report_interval));
    let limits =
        Limits { requests_per_second: config.metadata_requests_per_second, ..Limits::default() };
    let source: Arc<dyn InstanceSource> = source;
    let front = imds::Front::new(source, Arc::new(token_key), Clock::System, book.clone(), limits);
    let metadata = imds::serve(
        front,
        listeners.metadata,
        Serves::BySourceAddress,
        stopping.clone().cancelled_owned(),
    );
    let probe = Arc::new(ServerProbe { service: service.clone(), book });
    let export = export(config, &probe, &mut background)?;
    let health = health::serve(listeners.health, probe.clone(), stopping.clone().cancelled_owned());
    let queries =
        aws::serve(listeners.aws, service.clone(), tls, stopping.clone().cancelled_owned());
    let stopped = stopping.clone().cancelled_owned();
    let calls = grpc::serve(service, listeners.grpc, grpc_tls, stopped);
    let edges = async { tokio::join!(metadata, health, queries, calls) };
    tokio::pin!(edges, stop);
    tokio::select! {
        (_, _, _, calls) = &mut edges => {
            if let Err(error) = calls {
                tracing::error!(%error, "gRPC ended");
            }
        }
        () = &mut stop => {
            tracing::info!("stopping");
            background.abort_all();
            stopping.cancel();
            if tokio::time::timeout(config.drain_timeout, edges).await.is_err() {
                tracing::warn!("calls under way were cut off");
            }
        }
    }
    if let Some(export) = export {
        export.send(&|sink: &mut dyn Sink| probe.gather(sink)).await;
    }
    opened.service.record_uses().await;
    opened.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Sends metrics to the collector from now on, if there is one.
fn export(
    config: &Config,
    probe: &Arc<ServerProbe>,
    background: &mut JoinSet<()>,
) -> Result<Option<Arc<MetricsExport>>, TelemetryError> {
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
    let export = Arc::new(MetricsExport::new(endpoint)?);
    let (sender, probe, interval) = (export.clone(), probe.clone(), config.otlp_interval);
    background.spawn(async move { sender.run(interval, |sink| probe.gather(sink)).await });
    Ok(Some(export))
}

/// Records what use is made of metadata here, for ever.
async fn report(service: Arc<Service>, book: Arc<UsageBook>, interval: std::time::Duration) {
    imds::report(&book, interval, |account, usage| record(&service, account, usage)).await;
}

/// False where the same usage may be recorded later.
async fn record(service: &Service, account: String, usage: Vec<MetadataUsage>) -> bool {
    let Ok(account) = account.parse() else { return true };
    let Ok(usage) = usage.iter().map(grpc::read_usage).collect() else { return true };
    let info = service.own_request("metadata-usage");
    let recorded = service
        .perform(
            &info,
            "",
            account,
            Action::Instance(InstanceAction::RecordMetadataUsage { usage }),
        )
        .await;
    if let Err(error) = &recorded {
        tracing::warn!(%account, %error, "the use of metadata was not recorded; it is tried again");
    }
    recorded.is_ok()
}

/// How the server is.
struct ServerProbe {
    service: Arc<Service>,
    book: Arc<UsageBook>,
}

impl health::Probe for ServerProbe {
    fn trouble(&self) -> Option<String> {
        health::trouble(&self.service)
    }

    fn gather(&self, sink: &mut dyn Sink) {
        metrics::gather(Process::Server, sink);
        health::gather(&self.service, sink);
        self.book.gather(sink);
    }
}
