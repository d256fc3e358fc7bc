//! Instances by the address they call from, out of the service's own state.
//!
//! What is prepared follows the facts: a change takes out its instance, a revocation those whose sets it voids, and a
//! change of a role, profile or account the prepared instances of its account. The index has the state that it reflects,
//! and whoever asks has both brought up to the newest batch first: a batch is told before its commands are answered, so
//! that a request sees every change that was answered before it, and waits for none that is still on its way. Falling too
//! far behind costs what was prepared.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::domain::event::Event;
use crate::domain::state::{Instance, State};
use crate::grpc::{self, Touches};
use crate::identity::{AccessKeyId, AccountId, InstanceId, PackedInstanceId, UniqueId};
use crate::imds::{Found, InstanceSource, Prepared, Serves, UsageBook};
use crate::ledger::{Batch, View};
use crate::service::Service;

/// Instances that are kept prepared; when there are more, all are prepared anew as they ask.
const PREPARED_MAX: usize = 20_000;

type Key = (AccountId, PackedInstanceId);

/// See the module.
pub struct ByAddress {
    service: Arc<Service>,
    book: Arc<UsageBook>,
    index: RwLock<Index>,
    batches: Mutex<Receiver<Arc<Batch>>>,
}

struct Index {
    /// The state that it reflects.
    view: Arc<View>,
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
        let index = RwLock::new(Index::new(service.view()));
        Arc::new(Self { service, book, index, batches })
    }

    /// Keeps the index near the newest state while nobody asks, for ever.
    pub(super) async fn keep_up(self: Arc<Self>) {
        let mut applied = self.service.ledger().applied();
        while applied.changed().await.is_ok() {
            self.catch_up();
        }
    }

    /// Brings the index up to the newest batch that is told.
    fn catch_up(&self) {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match batches.try_recv() {
                Ok(batch) => self.index_to_change().follow(&batch),
                Err(TryRecvError::Lagged(_)) => {
                    *self.index_to_change() = Index::new(self.service.view());
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_to_change(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The prepared instance, if `find` knows which.
    fn prepared(&self, find: impl FnOnce(&State) -> Option<Key>) -> Found {
        let newest = self.service.view().sequence;
        let mut index = self.index();
        if index.view.sequence < newest {
            drop(index);
            self.catch_up();
            index = self.index();
        }
        let Some(key) = find(&index.view.state) else { return Found::Nobody };
        if let Some(kept) = index.prepared.get(&key) {
            return Found::Instance(kept.prepared.clone());
        }
        let view = index.view.clone();
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
        let mut index = self.index_to_change();
        // Kept only if nothing happened since: what happens later takes it out again.
        if index.view.sequence <= view.sequence {
            if index.prepared.len() >= PREPARED_MAX {
                index.prepared.clear();
            }
            index.prepared.insert(key, Kept::new(prepared.clone(), &instance));
        }
        Found::Instance(prepared)
    }
}

impl Index {
    /// With nothing prepared.
    fn new(view: Arc<View>) -> Self {
        Self { view, prepared: HashMap::new() }
    }

    fn follow(&mut self, batch: &Batch) {
        // What was told before the state that this began with.
        if batch.view.sequence <= self.view.sequence {
            return;
        }
        for event in batch.facts.iter().flat_map(|recorded| &recorded.fact.events) {
            self.follow_event(event);
        }
        self.view = batch.view.clone();
    }

    fn follow_event(&mut self, event: &Event) {
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
        let index = self.index();
        index.prepared.values().map(|kept| kept.prepared.clone()).collect()
    }

    fn stale(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
