//! What a host agent knows: every instance of its identity, kept fresh by one stream from any node of the
//! service. While the service is away it goes on with what it has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use tonic_types::StatusExt as _;

use super::{Found, InstanceSource, Prepared, Serves, UsageBook};
use crate::client::SignedChannel;
use crate::proto::v1::instance_change::Change as Told;
use crate::proto::v1::metadata_service_client::MetadataServiceClient;
use crate::proto::v1::watch_instances_response::Change;
use crate::proto::v1::{MetadataUsage, ReportMetadataUsageRequest, WatchInstancesRequest};

/// How long to wait before the stream is opened again: doubled from the first to the last, and then a random
/// share of it, so that agents do not come back all at once.
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_LAST: Duration = Duration::from_secs(10);
/// Over which time agents come back that were in touch for long: when a node fails, all of its agents at once. They
/// go on with what they know meanwhile.
const RECONNECT_SPREAD: Duration = Duration::from_secs(3);
/// From when on an agent was in touch for long.
const LONG: Duration = Duration::from_secs(60);
/// How long a report may take.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The nodes of the service, and which of them is used now.
pub struct Nodes {
    channels: Vec<SignedChannel>,
    current: AtomicUsize,
    random: SystemRandom,
}

impl Nodes {
    /// Begins with any of them, so that agents spread over the nodes.
    #[must_use]
    pub fn new(channels: Vec<SignedChannel>) -> Arc<Self> {
        let random = SystemRandom::new();
        let nodes = Self { channels, current: AtomicUsize::new(0), random };
        nodes.current.store(usize::from(nodes.draw()), Ordering::Relaxed);
        Arc::new(nodes)
    }

    /// Zero where the system gives no random bytes: that only makes agents alike.
    fn draw(&self) -> u16 {
        let mut bytes = [0; 2];
        let _ = self.random.fill(&mut bytes);
        u16::from_be_bytes(bytes)
    }

    fn channel(&self) -> Option<SignedChannel> {
        let at = self.current.load(Ordering::Relaxed).checked_rem(self.channels.len())?;
        self.channels.get(at).cloned()
    }

    fn next(&self) {
        self.current.fetch_add(1, Ordering::Relaxed);
    }

    /// Any part of `spread`.
    fn spread(&self, spread: Duration) -> Duration {
        spread * u32::from(self.draw()) / u32::from(u16::MAX)
    }

    /// Between half of `wait` and all of it.
    fn jittered(&self, wait: Duration) -> Duration {
        wait / 2 + wait / 2 * u32::from(self.draw()) / u32::from(u16::MAX)
    }
}

/// The instances an agent knows.
pub struct Watched {
    book: Arc<UsageBook>,
    known: RwLock<Known>,
    began: Instant,
    /// Milliseconds from `began` to when the service went out of touch; 0 while it is in touch.
    lost_at: AtomicU64,
    reconnects: AtomicUsize,
    /// The record up to which everything has been told.
    sequence: AtomicU64,
}

#[derive(Default)]
struct Known {
    /// Whether everything there was has been told once.
    synced: bool,
    by_id: HashMap<String, Arc<Prepared>>,
    /// The ids of an address; of two it is nobody's.
    by_address: HashMap<IpAddr, Vec<String>>,
}

impl Known {
    fn insert(&mut self, instance: Arc<Prepared>) {
        let id = instance.id().to_owned();
        self.remove(&id);
        if let Some(address) = instance.address() {
            self.by_address.entry(address).or_default().push(id.clone());
        }
        self.by_id.insert(id, instance);
    }

    fn remove(&mut self, id: &str) {
        let Some(before) = self.by_id.remove(id) else { return };
        let Some(address) = before.address() else { return };
        if let Some(ids) = self.by_address.get_mut(&address) {
            ids.retain(|known| known != id);
            if ids.is_empty() {
                self.by_address.remove(&address);
            }
        }
    }

    fn get(&self, id: &str) -> Found {
        match self.by_id.get(id) {
            _ if !self.synced => Found::NotReady,
            Some(instance) => Found::Instance(instance.clone()),
            None => Found::Nobody,
        }
    }
}

impl Watched {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(book: Arc<UsageBook>) -> Arc<Self> {
        Arc::new(Self {
            book,
            known: RwLock::default(),
            began: Instant::now(),
            lost_at: AtomicU64::new(0),
            reconnects: AtomicUsize::new(0),
            sequence: AtomicU64::new(0),
        })
    }

    /// Keeps up with the service for ever.
    pub async fn run(&self, nodes: &Nodes) {
        let mut wait = RECONNECT_FIRST;
        loop {
            let Some(channel) = nodes.channel() else { return };
            let began = Instant::now();
            let ended = self.watch(channel).await;
            self.lose_touch();
            self.reconnects.fetch_add(1, Ordering::Relaxed);
            if began.elapsed() > RECONNECT_LAST {
                wait = RECONNECT_FIRST;
            }
            let mut pause = nodes.jittered(wait);
            if began.elapsed() > LONG {
                pause = pause.max(nodes.spread(RECONNECT_SPREAD));
            }
            if let Err(status) = ended {
                // The service says when it has room again; not all come at that very moment.
                let hint =
                    status.get_error_details().retry_info().and_then(|info| info.retry_delay);
                let hint = hint.unwrap_or_default();
                pause = pause.max(hint.saturating_add(nodes.spread(hint)));
                let (code, message) = (status.code(), status.message());
                tracing::warn!(?code, message, ?pause, "the service cannot be reached");
            }
            nodes.next();
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(RECONNECT_LAST);
        }
    }

    /// One stream, from its beginning to its end.
    async fn watch(&self, channel: SignedChannel) -> Result<(), tonic::Status> {
        let mut client = MetadataServiceClient::new(channel);
        let after_sequence = self.sequence.load(Ordering::Relaxed);
        let request = WatchInstancesRequest { after_sequence, batched: true };
        let mut stream = client.watch_instances(request).await?.into_inner();
        // What is not told before `synced` is gone, unless only what was missed is told.
        let mut told = Some(Known { synced: true, ..Known::default() });
        while let Some(response) = stream.message().await? {
            let changes = response.changes.into_iter().filter_map(|change| change.change);
            for change in changes {
                match change {
                    Told::Metadata(metadata) => {
                        let instance = Prepared::new(&metadata, &self.book);
                        if let Some(told) = &mut told {
                            told.insert(instance.clone());
                        }
                        self.write(|known| known.insert(instance));
                    }
                    Told::TerminatedInstanceId(id) => {
                        if let Some(told) = &mut told {
                            told.remove(&id);
                        }
                        self.write(|known| known.remove(&id));
                    }
                }
            }
            if told.is_none() {
                self.sequence.store(response.sequence, Ordering::Relaxed);
            }
            match response.change {
                Some(Change::Synced(synced)) => {
                    if let Some(told) = told.take().filter(|_| !synced.resumed) {
                        self.write(|known| *known = told);
                    }
                    self.sequence.store(response.sequence, Ordering::Relaxed);
                    self.lost_at.store(0, Ordering::Relaxed);
                    tracing::info!("in touch with the service");
                }
                Some(Change::Metadata(_) | Change::TerminatedInstanceId(_)) | None => {}
            }
        }
        Ok(())
    }

    fn write(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lose_touch(&self) {
        let now = self.elapsed_ms().max(1);
        let _ = self.lost_at.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether everything there was has been heard of.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.read().synced
    }

    /// Instances that are known, and how often the stream was opened again.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.read().by_id.len(), self.reconnects.load(Ordering::Relaxed))
    }
}

impl InstanceSource for Watched {
    fn find(&self, serves: &Serves, peer: IpAddr) -> Found {
        let known = self.read();
        if !known.synced {
            return Found::NotReady;
        }
        let id = match serves {
            Serves::Instance(id) => Some(id.as_str()),
            Serves::Only => {
                known.by_id.keys().next().filter(|_| known.by_id.len() == 1).map(|s| &**s)
            }
            Serves::BySourceAddress => match known.by_address.get(&peer).map(Vec::as_slice) {
                Some([id]) => Some(id.as_str()),
                _ => None,
            },
        };
        id.map_or(Found::Nobody, |id| known.get(id))
    }

    fn by_id(&self, id: &str) -> Found {
        self.read().get(id)
    }

    fn all(&self) -> Vec<Arc<Prepared>> {
        self.read().by_id.values().cloned().collect()
    }

    fn stale(&self) -> Option<Duration> {
        match self.lost_at.load(Ordering::Relaxed) {
            0 => None,
            lost_at => Some(Duration::from_millis(self.elapsed_ms().saturating_sub(lost_at))),
        }
    }
}

/// Delivers a report to the service.
pub async fn deliver(nodes: &Nodes, usage: Vec<MetadataUsage>) -> bool {
    let Some(channel) = nodes.channel() else { return false };
    let mut client = MetadataServiceClient::new(channel);
    let mut token = [0; 16];
    if nodes.random.fill(&mut token).is_err() {
        return false;
    }
    let idempotency_token = hex::encode(token);
    let call =
        client.report_metadata_usage(ReportMetadataUsageRequest { usage, idempotency_token });
    match tokio::time::timeout(REPORT_TIMEOUT, call).await {
        Ok(Ok(_)) => true,
        Ok(Err(status)) => {
            let (code, message) = (status.code(), status.message());
            tracing::warn!(
                ?code,
                message,
                "the use of metadata was not reported; it is tried again"
            );
            false
        }
        Err(_) => false,
    }
}
