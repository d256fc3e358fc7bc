//! Instances by the address they call from, out of the service's own state.
//!
//! What is prepared follows the facts: a change takes out its instance, a revocation those whose sets it voids, and a
//! change of a role, profile or account the prepared instances of its account. Whoever asks has it brought up to the newest state first, so that a
//! request sees every change that was answered before it. Falling too far behind costs what was prepared.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::domain::event::Event;
use crate::domain::state::{Instance, State};
use crate::grpc::{self, Touches};
use crate::identity::{AccessKeyId, AccountId, InstanceId, PackedInstanceId, UniqueId};
use crate::imds::{Found, InstanceSource, Prepared, Serves, UsageBook};
use crate::ledger::{Recorded, View};
use crate::service::Service;

/// Instances that are kept prepared; when there are more, all are prepared anew as they ask.
const PREPARED_MAX: usize = 20_000;

/// How often the processor is given away while a batch is on its way from the writer.
const PATIENCE_YIELDS: u32 = 10_000;

type Key = (AccountId, PackedInstanceId);

/// See the module.
pub struct ByAddress {
    service: Arc<Service>,
    book: Arc<UsageBook>,
    /// The newest record that the index reflects.
    sequence: AtomicU64,
    index: RwLock<Index>,
    batches: Mutex<Receiver<Arc<[Recorded]>>>,
}

#[derive(Default)]
struct Index {
    prepared: HashMap<Key, Kept>,
}

/// A prepared instance, with the key and the role of its newest set.
struct Kept {
    prepared: Arc<Prepared>,
    set: Option<(AccessKeyId, UniqueId)>,
}

impl Kept {
    fn new(prepared: Arc<Prepared>, instance: &Instance) -> Self {
        let set = instance.association.as_ref().and_then(|found| found.credentials.as_ref());
        Self { prepared, set: set.map(|set| (set.key.clone(), set.role_id.clone())) }
    }
}

impl ByAddress {
    /// Of all instances that there are now, and then as they change; `book` counts their use.
    #[must_use]
    pub fn new(service: Arc<Service>, book: Arc<UsageBook>) -> Arc<Self> {
        // Followed before the state is read, so that nothing falls in between.
        let batches = Mutex::new(service.ledger().follow());
        let index = RwLock::default();
        let sequence = AtomicU64::new(service.view().sequence);
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
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        *index = Index::default();
        self.sequence.store(self.service.view().sequence, Ordering::Release);
    }

    /// The prepared instance, if `find` knows which.
    fn prepared(&self, find: impl FnOnce(&State) -> Option<Key>) -> Found {
        let view = self.service.view();
        self.catch_up(view.sequence);
        let Some(key) = find(&view.state) else { return Found::Nobody };
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = index.prepared.get(&key) {
            return Found::Instance(kept.prepared.clone());
        }
        drop(index);
        self.prepare(&view, key)
    }

    fn prepare(&self, view: &View, key: Key) -> Found {
        let account = view.state.account(key.0);
        let found = account.and_then(|account| {
            let record = account.instances.record(key.1).filter(|record| record.running)?;
            Some((account, record.instance()?))
        });
        let Some((account, instance)) = found else { return Found::Nobody };
        let metadata = grpc::instance_metadata(&self.service, account, &instance)
            .and_then(|metadata| grpc::signed(&self.service, metadata));
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => {
                tracing::error!(instance = %instance.id, %error, "an instance cannot be served");
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
            index.prepared.insert(key, Kept::new(prepared.clone(), &instance));
        }
        Found::Instance(prepared)
    }
}

impl Index {
    fn follow(&mut self, event: &Event) {
        match grpc::touches(event) {
            Touches::Nothing | Touches::Standing => {}
            Touches::Instance(id) | Touches::Ended(id) => {
                self.prepared.remove(&(event.account, id.into()));
            }
            // Often none is prepared at all.
            Touches::Instances(_) if self.prepared.is_empty() => {}
            Touches::Instances(sets) => {
                for set in sets.iter() {
                    self.prepared.remove(&(event.account, set.instance));
                }
            }
            Touches::Set(revoked) => self.take_out(event.account, |(key, _)| key == revoked),
            Touches::Role(revoked) => self.take_out(event.account, |(_, role)| role == revoked),
            Touches::Everything => self.prepared.retain(|key, _| key.0 != event.account),
        }
    }

    /// Takes out the instances of an account whose newest set is concerned.
    fn take_out(
        &mut self,
        account: AccountId,
        concerned: impl Fn(&(AccessKeyId, UniqueId)) -> bool,
    ) {
        self.prepared
            .retain(|key, kept| key.0 != account || !kept.set.as_ref().is_some_and(&concerned));
    }
}

impl InstanceSource for ByAddress {
    fn find(&self, serves: &Serves, peer: IpAddr) -> Found {
        self.prepared(|state| match serves {
            Serves::Instance(id) => Some((state.home_of(id)?, id.into())),
            Serves::Only => None,
            Serves::BySourceAddress => state.instance_at(peer),
        })
    }

    fn by_id(&self, id: &str) -> Found {
        let Ok(id) = id.parse::<InstanceId>() else { return Found::Nobody };
        self.prepared(|state| Some((state.home_of(&id)?, (&id).into())))
    }

    fn all(&self) -> Vec<Arc<Prepared>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.prepared.values().map(|kept| kept.prepared.clone()).collect()
    }

    fn stale(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
