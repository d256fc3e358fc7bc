//! A stream of WatchInstances: tells a watcher its instances, and then what becomes of them, in messages of several
//! changes. Who does not read is cut off, and comes back with the record up to which it was told.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use prost::Message as _;
use tokio::sync::mpsc::{self, error::SendTimeoutError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::Stream;
use tonic::Status;

use super::metadata::{instance_metadata, signed};
use super::status;
use super::watchers::{Due, Scope, Watcher};
use crate::domain::fleet::Record;
use crate::identity::{AccessKeyId, AccountId, InstanceId};
use crate::metrics::{self, StreamKind};
use crate::proto::v1::instance_change::Change as Batched;
use crate::proto::v1::watch_instances_response::Change;
use crate::proto::v1::{InstanceChange, WatchInstancesResponse, WatchSynced};
use crate::service::{Service, ServiceError};

/// Bytes of the changes in one message, but for a single larger one, and how many they are.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
const MESSAGE_CHANGES_MAX: usize = 256;
/// Messages that wait for the connection to take them.
const MESSAGES_MAX: usize = 1;
/// How long the connection may take none.
pub(super) const STALL_MAX: Duration = Duration::from_secs(10);
/// How often a watcher without news is told how far everything is told.
const TELL_POSITION_EVERY: Duration = Duration::from_secs(60);
/// How long a new watcher waits for a place, and when who got none may try again.
const PLACE_PATIENCE: Duration = Duration::from_secs(2);
const PLACE_RETRY: Duration = Duration::from_secs(5);

/// A place among those who watch or are told everything; refused with the moment to try again.
pub(super) async fn place(
    places: &Arc<Semaphore>,
    patience: Option<Duration>,
) -> Result<OwnedSemaphorePermit, Status> {
    let taken = match patience {
        Some(patience) => {
            let waited = tokio::time::timeout(patience, places.clone().acquire_owned()).await;
            waited.ok().and_then(Result::ok)
        }
        None => places.clone().try_acquire_owned().ok(),
    };
    taken.ok_or_else(|| {
        let message = "too many agents watch this node or begin to; try again, or another node";
        status::busy("TooManyWatchers", message, PLACE_RETRY)
    })
}

/// A place among those who are told everything, after a short wait.
pub(super) async fn sync_place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Status> {
    place(places, Some(PLACE_PATIENCE)).await
}

/// What the connection reads from; its end is told after everything that was sent.
pub(super) struct Watching {
    messages: mpsc::Receiver<WatchInstancesResponse>,
    end: Arc<OnceLock<Status>>,
    ended: bool,
}

impl Stream for Watching {
    type Item = Result<WatchInstancesResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(None);
        }
        Poll::Ready(self.end.get().cloned().map(Err))
    }
}

/// Who watches, and how they want to be told.
pub(super) struct Asked {
    pub(super) account: AccountId,
    pub(super) scope: Scope,
    /// The key of the identity that watches.
    pub(super) key: Option<AccessKeyId>,
    /// Several changes in one message.
    pub(super) batched: bool,
    /// How long the connection may take nothing.
    pub(super) stall: Duration,
    pub(super) request_id: Arc<str>,
}

/// Starts telling; ends when the watcher is gone, may not watch any longer, or does not read. `stream` is held until
/// then, `sync` until the watcher is up to date.
pub(super) fn start(
    service: Arc<Service>,
    watcher: Watcher,
    asked: Asked,
    stream: OwnedSemaphorePermit,
    sync: Option<OwnedSemaphorePermit>,
) -> Watching {
    let (sender, messages) = mpsc::channel(MESSAGES_MAX);
    let end = Arc::new(OnceLock::new());
    let telling = Telling {
        service,
        asked,
        sender,
        end: end.clone(),
        hasher: RandomState::new(),
        told: HashMap::new(),
        resumed: false,
        position: 0,
    };
    tokio::spawn(async move {
        let open = metrics::streams().opened(StreamKind::Instances);
        telling.run(watcher, sync).await;
        drop((open, stream));
    });
    Watching { messages, end, ended: false }
}

struct Telling {
    service: Arc<Service>,
    asked: Asked,
    sender: mpsc::Sender<WatchInstancesResponse>,
    end: Arc<OnceLock<Status>>,
    hasher: RandomState,
    /// The instances that were told, each with a hash of what was told.
    told: HashMap<InstanceId, u64>,
    /// Whether the watcher has more from before than `told` knows of.
    resumed: bool,
    /// The record up to which everything was told.
    position: u64,
}

/// Telling is over; why stands in `end` if the watcher is to know.
struct Over;

impl Telling {
    async fn run(mut self, watcher: Watcher, sync: Option<OwnedSemaphorePermit>) {
        if self.begin(&watcher, sync).await.is_err() {
            return;
        }
        loop {
            let taken = tokio::select! {
                taken = watcher.take() => Some(taken),
                () = tokio::time::sleep(TELL_POSITION_EVERY) => None,
                () = self.sender.closed() => return,
            };
            let told = match taken {
                Some((due, position)) => self.tell_due(&watcher, due, position, None).await,
                None => self.tell_position(&watcher).await,
            };
            if told.is_err() {
                return;
            }
        }
    }

    /// Everything, or what the watcher missed; and that this was it.
    async fn begin(
        &mut self,
        watcher: &Watcher,
        sync: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Over> {
        // The key may have ended after it was looked at and before there was a watcher to be marked.
        self.check_key()?;
        let taken = watcher.take_now();
        self.resumed = !taken.as_ref().is_some_and(|(due, _)| due.all);
        match taken {
            Some((due, position)) => self.tell_due(watcher, due, position, sync).await?,
            None => self.position = watcher.position().unwrap_or_default(),
        }
        let synced = Change::Synced(WatchSynced { resumed: self.resumed });
        let position = self.position;
        self.send(Some(synced), Vec::new(), position).await
    }

    /// Over if the watcher's key may no longer be used. A disabled account's goes on, to be told of that.
    fn check_key(&self) -> Result<(), Over> {
        let view = self.service.view();
        let known = self.asked.key.as_ref().and_then(|key| view.state.key(key));
        match known.is_some_and(|held| held.active) {
            true => Ok(()),
            false => Err(Over),
        }
    }

    /// Tells what is due, unless the watcher may not watch any longer or has to begin anew. `place` is its place among
    /// those who are told everything, if it has one yet.
    async fn tell_due(
        &mut self,
        watcher: &Watcher,
        due: Due,
        position: u64,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Over> {
        if due.standing {
            self.check_key()?;
        }
        if due.all && self.resumed {
            let message = "too much changed to tell it one by one; begin anew";
            self.cut_off("TooMuchChanged", message);
            return Err(Over);
        }
        if !due.all {
            return self.tell(due, position).await;
        }
        let place = match place {
            Some(place) => Some(place),
            None => self.wait_for_place(watcher).await?,
        };
        // What came up meanwhile is part of everything.
        let (newer, position) = watcher.take_now().unwrap_or((Due::default(), position));
        if newer.standing {
            self.check_key()?;
        }
        let told = self.tell(due, position).await;
        drop(place);
        told
    }

    /// A place among those who are told everything; none for an instance, for which nothing is searched. Waits for as
    /// long as somebody reads who may watch.
    async fn wait_for_place(
        &self,
        watcher: &Watcher,
    ) -> Result<Option<OwnedSemaphorePermit>, Over> {
        if matches!(self.asked.scope, Scope::One(_)) {
            return Ok(None);
        }
        let mut turn = pin!(watcher.syncs().clone().acquire_owned());
        loop {
            tokio::select! {
                place = &mut turn => return place.map(Some).map_err(|_| Over),
                () = watcher.standing() => self.check_key()?,
                () = self.sender.closed() => return Err(Over),
            }
        }
    }

    async fn tell_position(&mut self, watcher: &Watcher) -> Result<(), Over> {
        match watcher.position().filter(|position| *position > self.position) {
            Some(position) => {
                self.position = position;
                self.send(None, Vec::new(), position).await
            }
            None => Ok(()),
        }
    }

    /// Tells what is due, after which everything up to `position` is told: not before the last message.
    async fn tell(&mut self, due: Due, position: u64) -> Result<(), Over> {
        let ids: Vec<InstanceId> = match due.all {
            true => self.all(),
            false => due.instances.into_iter().collect(),
        };
        let (mut changes, mut bytes) = (Vec::new(), 0_usize);
        for id in ids {
            let Some(change) = self.change(&id)? else { continue };
            let size = change.encoded_len();
            let full = bytes.saturating_add(size) > MESSAGE_BYTES_MAX;
            if !changes.is_empty() && (full || changes.len() >= MESSAGE_CHANGES_MAX) {
                self.send_changes(std::mem::take(&mut changes), self.position).await?;
                bytes = 0;
            }
            bytes = bytes.saturating_add(size);
            changes.push(change);
        }
        if !changes.is_empty() {
            self.send_changes(changes, position).await?;
        }
        self.position = position;
        Ok(())
    }

    /// The watcher's instances, and those it was told of.
    fn all(&self) -> Vec<InstanceId> {
        let view = self.service.view();
        let account = view.state.account(self.asked.account);
        let told = self.told.keys().cloned();
        let mut ids: Vec<InstanceId> = match (&self.asked.scope, account) {
            (Scope::One(id), _) => vec![id.clone()],
            (scope @ Scope::Agent(_), Some(account)) => {
                let records = account.instances.records();
                let own = records.filter(|record| record.running && scope.holds(record));
                own.filter_map(|record| record.id.id()).collect()
            }
            (Scope::Agent(_), None) => Vec::new(),
        };
        ids.extend(told);
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// What the watcher is to be told of an instance now, if it does not know that already.
    fn change(&mut self, id: &InstanceId) -> Result<Option<InstanceChange>, Over> {
        let view = self.service.view();
        let account = view.state.account(self.asked.account);
        let record = account.and_then(|account| account.instances.record(id.into()));
        if record.is_some_and(|record| !self.asked.scope.holds(record)) {
            return Ok(None);
        }
        let is_gone = record.is_none();
        let running = record.filter(|record| record.running).and_then(Record::instance);
        let (Some(account), Some(instance)) = (account, running) else {
            // Who comes back may have it from before; nobody else hears of what is gone and was not theirs.
            if self.told.remove(id).is_none() && is_gone && !self.resumed {
                return Ok(None);
            }
            let change = Some(Batched::TerminatedInstanceId(id.to_string()));
            return Ok(Some(InstanceChange { change }));
        };
        let metadata = instance_metadata(&self.service, account, &instance);
        let metadata = metadata.map_err(|error| self.fail(&error))?;
        let hash = self.hasher.hash_one(metadata.encode_to_vec());
        if self.told.insert(id.clone(), hash) == Some(hash) {
            return Ok(None);
        }
        let metadata = signed(&self.service, metadata).map_err(|error| self.fail(&error))?;
        Ok(Some(InstanceChange { change: Some(Batched::Metadata(metadata)) }))
    }

    fn fail(&self, error: &ServiceError) -> Over {
        self.end(&status::of_service_error(error));
        Over
    }

    /// After these everything up to `position` is told.
    async fn send_changes(
        &self,
        mut changes: Vec<InstanceChange>,
        position: u64,
    ) -> Result<(), Over> {
        if self.asked.batched {
            return self.send(None, changes, position).await;
        }
        let last = changes.pop();
        let one_by_one = changes.into_iter().map(|change| (change, self.position));
        for (change, position) in one_by_one.chain(last.map(|change| (change, position))) {
            let change = change.change.map(|change| match change {
                Batched::Metadata(metadata) => Change::Metadata(metadata),
                Batched::TerminatedInstanceId(id) => Change::TerminatedInstanceId(id),
            });
            self.send(change, Vec::new(), position).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        change: Option<Change>,
        changes: Vec<InstanceChange>,
        sequence: u64,
    ) -> Result<(), Over> {
        let message = WatchInstancesResponse { change, changes, sequence };
        match self.sender.send_timeout(message, self.asked.stall).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Closed(_)) => Err(Over),
            Err(SendTimeoutError::Timeout(_)) => {
                let message = "the stream was not read and is cut off; go on with `after_sequence`";
                self.cut_off("SlowReader", message);
                Err(Over)
            }
        }
    }

    fn end(&self, status: &Status) {
        let _ = self.end.set(status::with_request_id(status, &self.asked.request_id));
    }

    fn cut_off(&self, reason: &str, message: &str) {
        metrics::streams().cut_off(StreamKind::Instances);
        self.end(&status::busy(reason, message, Duration::ZERO));
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
