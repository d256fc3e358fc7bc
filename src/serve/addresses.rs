//! Instances by the address they call from, out of the service's own state.
//!
//! The index follows the facts: a change touches the entries of its instance, and a role, profile or account the
//! prepared instances of its account. Whoever asks brings the index up to the newest state first, so that a
//! request sees every change that was answered before it. Falling too far behind costs one look at everything.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::domain::event::{Event, EventKind};
use crate::domain::state::State;
use crate::grpc::{self, Touches};
use crate::identity::{AccountId, InstanceId};
use crate::imds::{Found, InstanceSource, Prepared, Serves, UsageBook};
use crate::ledger::{Recorded, View};
use crate::sts::Service;

/// Instances that are kept prepared; when there are more, all are prepared anew as they ask.
const PREPARED_MAX: usize = 20_000;

/// How often the processor is given away while a batch is on its way from the writer.
const PATIENCE_YIELDS: u32 = 10_000;

type Key = (AccountId, InstanceId);

/// See the module.
pub(super) struct ByAddress {
    service: Arc<Service>,
    book: Arc<UsageBook>,
    /// The newest record that the index reflects.
    sequence: AtomicU64,
    index: RwLock<Index>,
    batches: Mutex<Receiver<Arc<[Recorded]>>>,
}

#[derive(Default)]
struct Index {
    /// More than one for an address that is nobody's.
    by_address: HashMap<IpAddr, Vec<Key>>,
    by_id: HashMap<InstanceId, (AccountId, Option<IpAddr>)>,
    prepared: HashMap<Key, Arc<Prepared>>,
}

impl ByAddress {
    pub(super) fn new(service: Arc<Service>, book: Arc<UsageBook>) -> Arc<Self> {
        // Followed before the state is read, so that nothing falls in between.
        let batches = Mutex::new(service.ledger().follow());
        let view = service.view();
        let index = RwLock::new(Index::of(&view.state));
        let sequence = AtomicU64::new(view.sequence);
        Arc::new(Self { service, book, sequence, index, batches })
    }

    /// Keeps the index near the newest state while nobody asks, for ever.
    pub(super) async fn keep_up(self: Arc<Self>) {
        let mut applied = self.service.ledger().applied();
        while applied.changed().await.is_ok() {
            let newest = *applied.borrow_and_update();
            self.catch_up(newest);
        }
    }

    /// Brings the index up to record `wanted`.
    fn catch_up(&self, wanted: u64) {
        if self.sequence.load(Ordering::Acquire) >= wanted {
            return;
        }
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut patience = PATIENCE_YIELDS;
        while self.sequence.load(Ordering::Acquire) < wanted {
            match batches.try_recv() {
                Ok(batch) => self.follow(&batch),
                // Published to readers a moment before it is told to followers.
                Err(TryRecvError::Empty) if patience > 0 => {
                    patience -= 1;
                    std::thread::yield_now();
                }
                Err(TryRecvError::Lagged(_) | TryRecvError::Empty) => self.look_again(&batches),
                Err(TryRecvError::Closed) => return,
            }
        }
    }

    fn follow(&self, batch: &[Recorded]) {
        let known = self.sequence.load(Ordering::Acquire);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let mut newest = known;
        for recorded in batch.iter().filter(|recorded| recorded.sequence > known) {
            for event in &recorded.fact.events {
                index.follow(event);
            }
            newest = recorded.sequence;
        }
        self.sequence.store(newest, Ordering::Release);
    }

    /// `_batches` is locked, so that nobody else follows meanwhile.
    fn look_again(&self, _batches: &MutexGuard<'_, Receiver<Arc<[Recorded]>>>) {
        let view = self.service.view();
        let anew = Index::of(&view.state);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        *index = anew;
        self.sequence.store(view.sequence, Ordering::Release);
    }

    /// The prepared instance, if `find` knows which.
    fn prepared(&self, find: impl FnOnce(&Index) -> Option<Key>) -> Found {
        let view = self.service.view();
        self.catch_up(view.sequence);
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = find(&index) else { return Found::Nobody };
        if let Some(prepared) = index.prepared.get(&key) {
            return Found::Instance(prepared.clone());
        }
        drop(index);
        self.prepare(&view, key)
    }

    fn prepare(&self, view: &View, key: Key) -> Found {
        let account = view.state.account(key.0);
        let found = account.and_then(|account| Some((account, account.instances.get(&key.1)?)));
        let Some((account, instance)) = found.filter(|(_, instance)| instance.running) else {
            return Found::Nobody;
        };
        let metadata = grpc::instance_metadata(&self.service, account, instance)
            .and_then(|metadata| grpc::signed(&self.service, metadata));
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => {
                tracing::error!(instance = %key.1, %error, "an instance cannot be served");
                return Found::NotReady;
            }
        };
        let prepared = Prepared::new(&metadata, &self.book);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        // Kept only if nothing happened since: what happens later takes it out again.
        if self.sequence.load(Ordering::Acquire) <= view.sequence {
            if index.prepared.len() >= PREPARED_MAX {
                index.prepared.clear();
            }
            index.prepared.insert(key, prepared.clone());
        }
        Found::Instance(prepared)
    }
}

impl Index {
    fn of(state: &State) -> Self {
        let mut index = Self::default();
        for account in state.accounts() {
            for instance in account.instances.values().filter(|instance| instance.running) {
                let key = (account.id, instance.id.clone());
                index.launch(key, instance.facts.private_ip);
            }
        }
        index
    }

    fn launch(&mut self, key: Key, address: Option<IpAddr>) {
        let address = address.map(|address| address.to_canonical());
        self.by_id.insert(key.1.clone(), (key.0, address));
        if let Some(address) = address {
            self.by_address.entry(address).or_default().push(key);
        }
    }

    fn forget(&mut self, account: AccountId) {
        self.by_id.retain(|_, (of, _)| *of != account);
        self.by_address.retain(|_, keys| {
            keys.retain(|key| key.0 != account);
            !keys.is_empty()
        });
    }

    fn follow(&mut self, event: &Event) {
        match grpc::touches(event) {
            Touches::Nothing => {}
            Touches::Instance(id) => {
                self.prepared.remove(&(event.account, id.clone()));
            }
            Touches::Everything => self.prepared.retain(|key, _| key.0 != event.account),
        }
        match &event.kind {
            EventKind::InstanceLaunched { id, facts } => {
                self.launch((event.account, id.clone()), facts.private_ip);
            }
            EventKind::AccountDeleted => self.forget(event.account),
            EventKind::InstanceTerminated { id } => {
                if let Some((_, Some(address))) = self.by_id.remove(id)
                    && let Some(keys) = self.by_address.get_mut(&address)
                {
                    keys.retain(|key| key.1 != *id);
                    if keys.is_empty() {
                        self.by_address.remove(&address);
                    }
                }
            }
            _ => {}
        }
    }
}

impl InstanceSource for ByAddress {
    fn find(&self, serves: &Serves, peer: IpAddr) -> Found {
        self.prepared(|index| match serves {
            Serves::Instance(id) => Some((index.by_id.get(id)?.0, id.clone())),
            Serves::Only => None,
            Serves::BySourceAddress => match index.by_address.get(&peer.to_canonical())?.as_slice()
            {
                [key] => Some(key.clone()),
                _ => None,
            },
        })
    }

    fn by_id(&self, id: &str) -> Found {
        let Ok(id) = id.parse::<InstanceId>() else { return Found::Nobody };
        self.prepared(|index| Some((index.by_id.get(&id)?.0, id)))
    }

    fn all(&self) -> Vec<Arc<Prepared>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.prepared.values().cloned().collect()
    }

    fn stale(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::Action;
    use crate::domain::testing::{A, B, World};

    /// Launches an instance at an address that ends in `last`.
    fn launch(world: &mut World, account: &str, last: u8) -> InstanceId {
        let (id, mut launch) = world.launch(None);
        if let Action::LaunchInstance { facts, .. } = &mut launch {
            facts.private_ip = Some([10, 0, 0, last].into());
        }
        world.root(account, launch);
        id
    }

    /// Protects instances from each other: the index that followed the facts is the one of the state, an address
    /// of two is nobody's, and it is the other's again when one of them ends.
    #[test]
    fn the_index_follows_the_facts() {
        let mut world = World::default();
        world.create_account(A);
        world.create_account(B);
        let first = launch(&mut world, A, 1);
        launch(&mut world, A, 2);
        let same = launch(&mut world, B, 1);
        launch(&mut world, B, 3);
        world.root(A, Action::TerminateInstance { id: first });
        let mut index = Index::default();
        let mut shared = false;
        for fact in &world.facts {
            fact.events.iter().for_each(|event| index.follow(event));
            shared |= index.by_address.values().any(|keys| keys.len() > 1);
        }
        let anew = Index::of(&world.state);
        assert!(shared, "two instances had one address for a while");
        assert_eq!(index.by_address, anew.by_address);
        assert_eq!(index.by_id, anew.by_id);
        let account: AccountId = B.parse().unwrap();
        assert_eq!(index.by_address[&IpAddr::from([10, 0, 0, 1])], [(account, same)]);
        index.follow(&Event { account, kind: EventKind::AccountDeleted });
        assert_eq!(index.by_id.len(), 1);
        assert_eq!(index.by_address.len(), 1);
    }
}
