//! What a host agent knows: every instance of its identity, kept fresh by one stream from the service. While
//! the service is away it goes on with what it has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::InstanceSource;
use crate::client::SignedChannel;
use crate::proto::v1::metadata_service_client::MetadataServiceClient;
use crate::proto::v1::watch_instances_response::Change;
use crate::proto::v1::{InstanceMetadata, WatchInstancesRequest};

/// How long to wait before the stream is opened again: doubled from the first to the last.
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_LAST: Duration = Duration::from_secs(10);

/// How an agent tells which instance asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It serves one instance: whoever reaches it is that instance.
    One,
    /// By the source address, which is the instance's private address.
    BySourceAddress,
}

/// The instances an agent knows.
pub struct Watched {
    mode: Mode,
    instances: RwLock<HashMap<String, Arc<InstanceMetadata>>>,
    synced: tokio::sync::watch::Sender<bool>,
}

impl Watched {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(mode: Mode) -> Arc<Self> {
        let synced = tokio::sync::watch::Sender::new(false);
        Arc::new(Self { mode, instances: RwLock::default(), synced })
    }

    /// Resolves once everything there was has been heard of.
    pub async fn synced(&self) {
        let mut synced = self.synced.subscribe();
        // The sender lives as long as `self`.
        let _ = synced.wait_for(|synced| *synced).await;
    }

    /// Keeps up with the service for ever.
    pub async fn run(&self, channel: SignedChannel) {
        let mut wait = RECONNECT_FIRST;
        loop {
            match self.watch(channel.clone()).await {
                Ok(()) => wait = RECONNECT_FIRST,
                Err(status) => {
                    let (code, message) = (status.code(), status.message());
                    tracing::warn!(?code, message, ?wait, "the service cannot be reached");
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RECONNECT_LAST);
        }
    }

    /// One stream, from its beginning to its end.
    async fn watch(&self, channel: SignedChannel) -> Result<(), tonic::Status> {
        let mut client = MetadataServiceClient::new(channel);
        let mut stream = client.watch_instances(WatchInstancesRequest {}).await?.into_inner();
        // What is not told before `synced` is gone.
        let mut told = Some(HashMap::new());
        while let Some(response) = stream.message().await? {
            match response.change {
                Some(Change::Metadata(metadata)) => {
                    let id = metadata.instance.as_ref().map(|i| i.instance_id.clone());
                    let (id, metadata) = (id.unwrap_or_default(), Arc::new(metadata));
                    if let Some(told) = &mut told {
                        told.insert(id.clone(), metadata.clone());
                    }
                    self.write(|instances| {
                        instances.insert(id, metadata);
                    });
                }
                Some(Change::TerminatedInstanceId(id)) => self.write(|instances| {
                    instances.remove(&id);
                }),
                Some(Change::Synced(_)) => {
                    if let Some(told) = told.take() {
                        self.write(|instances| *instances = told);
                    }
                    self.synced.send_replace(true);
                }
                None => {}
            }
        }
        Ok(())
    }

    fn write(&self, change: impl FnOnce(&mut HashMap<String, Arc<InstanceMetadata>>)) {
        change(&mut self.instances.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl InstanceSource for Watched {
    fn find(&self, peer: IpAddr) -> Option<Arc<InstanceMetadata>> {
        let instances = self.instances.read().unwrap_or_else(PoisonError::into_inner);
        match self.mode {
            Mode::One => instances.values().next().cloned(),
            Mode::BySourceAddress => {
                let peer = peer.to_canonical().to_string();
                let is_peer = |metadata: &&Arc<InstanceMetadata>| {
                    metadata.instance.as_ref().is_some_and(|i| i.private_ip == peer)
                };
                let mut found = instances.values().filter(is_peer);
                // An address of two instances is nobody's.
                let first = found.next();
                first.filter(|_| found.next().is_none()).cloned()
            }
        }
    }
}
