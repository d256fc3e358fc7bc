//! The server: puts the parts together, runs them, and stops them in order.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::identity::{AccessKeyId, AccountId, InstanceId};
use crate::imds::{self, InstanceSource, TokenKey};
use crate::ledger::{Ledger, WriterHandle};
use crate::log::EventLog;
use crate::proto::v1::InstanceMetadata;
use crate::signing::{Keyring, KeyringError};
use crate::sts::{Service, Settings};
use crate::{aws, grpc, health, rotation};

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
    /// The operator's account cannot be made.
    #[error("cannot make the operator's account: {0}")]
    Operator(#[from] crate::sts::ServiceError),
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
    let keyring = Keyring::load(&config.keyring).map_err(ServeError::NoKeyring)?;
    let folder = config.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || -> Result<_, ServeError> {
        let (log, recovery) = EventLog::open(&folder)?;
        let (ledger, writer, opened) = Ledger::open(log)?;
        Ok((ledger, writer, opened, recovery))
    });
    let opened = opened.await.map_err(std::io::Error::other)??;
    let (ledger, writer, opened, recovery) = opened;
    let (sequence, snapshot) = (opened.sequence, opened.snapshot_sequence);
    tracing::info!(sequence, snapshot, clean = recovery.clean, took = ?opened.took, "log opened");
    if let Some(torn) = recovery.torn {
        let (file, offset) = (torn.file.display(), torn.offset);
        tracing::warn!(%file, offset, "a write that was never acknowledged was cut off");
    }
    let settings = Settings {
        region: config.region.clone(),
        regions: vec![config.region.clone()],
        credentials_lifetime: config.credentials_lifetime,
        read_patience: READ_PATIENCE,
    };
    let service = Service::new(ledger, Arc::new(keyring), Clock::System, settings);
    let service = service
        .map_err(|source| ServeError::WrongKeyring { path: config.keyring.clone(), source })?;
    let service = Arc::new(service);
    let operator_key = service.ensure_operator().await?;
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
    let stopping = CancellationToken::new();
    let token_key = TokenKey::generate().map_err(|_| ServeError::NoRandomness)?;
    let source: Arc<dyn InstanceSource> = Arc::new(ByAddress::new(service.clone()));
    let rotating = tokio::spawn(rotation::run(service.clone(), config.rotation_interval));
    let metadata = imds::serve(
        listeners.metadata,
        source,
        token_key,
        Clock::System,
        stopping.clone().cancelled_owned(),
    );
    let health =
        health::serve(listeners.health, service.clone(), stopping.clone().cancelled_owned());
    let queries =
        aws::serve(listeners.aws, service.clone(), tls, stopping.clone().cancelled_owned());
    let calls = grpc::serve(service, listeners.grpc, stopping.clone().cancelled_owned());
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
            rotating.abort();
            stopping.cancel();
            if tokio::time::timeout(config.drain_timeout, edges).await.is_err() {
                tracing::warn!("calls under way were cut off");
            }
        }
    }
    opened.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Instances by the address they call from, out of the service's own state: for one machine and small
/// installations; large ones run agents. The index is made anew when the state has moved.
struct ByAddress {
    service: Arc<Service>,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    sequence: u64,
    /// None for an address of two instances: it is nobody's.
    instances: HashMap<IpAddr, Option<(AccountId, InstanceId)>>,
}

impl ByAddress {
    fn new(service: Arc<Service>) -> Self {
        Self { service, index: Mutex::default() }
    }
}

impl InstanceSource for ByAddress {
    fn find(&self, peer: IpAddr) -> Option<Arc<InstanceMetadata>> {
        let view = self.service.view();
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if index.sequence != view.sequence {
            index.sequence = view.sequence;
            index.instances.clear();
            for account in view.state.accounts() {
                for instance in account.instances.values().filter(|i| i.running) {
                    let Some(address) = instance.facts.private_ip else { continue };
                    let found = (account.id, instance.id.clone());
                    index
                        .instances
                        .entry(address)
                        .and_modify(|known| *known = None)
                        .or_insert(Some(found));
                }
            }
        }
        let (account, instance) = index.instances.get(&peer.to_canonical())?.clone()?;
        drop(index);
        let account = view.state.account(account)?;
        let instance = account.instances.get(&instance)?;
        grpc::instance_metadata(&self.service, account, instance).ok().map(Arc::new)
    }
}
