//! Who watches which instances, and what each has still to be told.
//!
//! One task follows the facts and marks what they touch with those who watch it: a change of an instance costs a lookup
//! however many watch, one of a whole account a walk over those who watch in it. A watcher has no queue: what it has to
//! be told is a set of instances, told as they are when it can take more. However slow it is and however often they
//! change, it holds no more than that, and when they are many it is told everything anew. The newest changes of all are
//! remembered for those who come back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{Notify, Semaphore};

use super::touches::{Touches, touches};
use crate::domain::event::Event;
use crate::domain::fleet::Record;
use crate::domain::state::State;
use crate::identity::{AccountId, InstanceId, PackedKeyId, UniqueId};
use crate::ledger::{Batch, Ledger, Recorded};

/// Streams of a node.
pub(super) const STREAMS_MAX: usize = 20_000;
/// Agents who are told everything at once, at first or again: it takes a look at all instances of their account.
pub(super) const SYNCS_MAX: usize = 64;
/// Instances that a watcher has still to be told of one by one.
const DUE_MAX: usize = 1024;
/// Changes that are remembered for those who come back, of all accounts: some 5 MB.
const RECENT_MAX: usize = 65_536;

/// Whose instances a caller sees.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Itself.
    One(InstanceId),
    /// Those of a host, by the unique id of its agent: a successor of the same name gets nothing of its predecessor's.
    Agent(UniqueId),
}

impl Scope {
    pub(super) fn holds(&self, instance: &Record) -> bool {
        match self {
            Self::One(id) => instance.id == id.into(),
            Self::Agent(id) => instance.facts.agent_id.as_ref() == Some(id),
        }
    }
}

/// What a watcher has still to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Everything; the instances say nothing then.
    pub(super) all: bool,
    /// These.
    pub(super) instances: BTreeSet<InstanceId>,
    /// Whether the watcher may still watch is to be looked at.
    pub(super) standing: bool,
}

impl Due {
    fn add(&mut self, id: &InstanceId) {
        if !self.all {
            self.instances.insert(id.clone());
        }
        if self.instances.len() > DUE_MAX {
            self.add_all();
        }
    }

    fn add_all(&mut self) {
        self.all = true;
        self.instances = BTreeSet::new();
    }

    fn is_empty(&self) -> bool {
        !self.all && !self.standing && self.instances.is_empty()
    }
}

/// A watcher; out of the table when it is dropped, for which it takes the lock of the table.
pub(super) struct Watcher {
    watchers: Arc<Watchers>,
    account: AccountId,
    scope: Scope,
    marks: Arc<Marks>,
}

/// What a watcher has still to be told. The table holds these and never a watcher: they are dropped without a lock, so
/// that nothing which happens under the table's lock can ask for it again.
#[derive(Default)]
struct Marks {
    /// Added to under the lock of the table; locked after it where both are.
    due: Mutex<Due>,
    woken: Notify,
}

impl Marks {
    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, mark: impl Fn(&mut Due)) {
        mark(&mut self.due());
        self.woken.notify_one();
    }
}

/// See the module.
pub(super) struct Watchers {
    table: Mutex<Table>,
    /// A permit for each stream.
    pub(super) streams: Arc<Semaphore>,
    /// A permit for each agent who is told everything.
    pub(super) syncs: Arc<Semaphore>,
}

#[derive(Default)]
struct Table {
    /// The record up to which all is marked.
    position: u64,
    by_account: BTreeMap<AccountId, BTreeMap<Scope, Vec<Arc<Marks>>>>,
    /// The newest changes: record, account and instance; none is every instance.
    recent: VecDeque<(u64, AccountId, Option<InstanceId>)>,
    /// Changes up to this record are no longer among the recent ones.
    forgotten: u64,
}

impl Watchers {
    /// Follows the facts for as long as they are published, in a task of its own.
    pub(super) fn start(ledger: &Ledger) -> (Arc<Self>, tokio::task::JoinHandle<()>) {
        // Followed before the position is read, so that nothing falls in between.
        let batches = ledger.follow();
        let watchers = Self::new(ledger.view().sequence);
        let task = tokio::spawn(watchers.clone().follow(ledger.clone(), batches));
        (watchers, task)
    }

    fn new(position: u64) -> Arc<Self> {
        let table = Table { position, forgotten: position, ..Table::default() };
        Arc::new(Self {
            table: Mutex::new(table),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            syncs: Arc::new(Semaphore::new(SYNCS_MAX)),
        })
    }

    async fn follow(self: Arc<Self>, ledger: Ledger, mut batches: Receiver<Arc<Batch>>) {
        loop {
            match batches.recv().await {
                Ok(batch) => self.note(&batch.view.state, &batch.facts),
                Err(RecvError::Lagged(_)) => self.lose_track(ledger.view().sequence),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Marks what the facts of a batch touch; `state` is that after them.
    fn note(&self, state: &State, batch: &[Recorded]) {
        let mut table = self.lock();
        let known = table.position;
        for recorded in batch.iter().filter(|recorded| recorded.sequence > known) {
            for event in &recorded.fact.events {
                table.note(state, recorded.sequence, event);
            }
        }
        if let Some(last) = batch.last() {
            table.position = table.position.max(last.sequence);
        }
    }

    /// Too far behind to know what changed: everyone is told everything, as of record `position` at least.
    fn lose_track(&self, position: u64) {
        let mut table = self.lock();
        table.position = table.position.max(position);
        table.forgotten = table.position;
        table.recent.clear();
        for marks in table.by_account.values().flat_map(BTreeMap::values).flatten() {
            marks.wake(|due| {
                due.add_all();
                due.standing = true;
            });
        }
    }

    /// Adds a watcher who knows everything up to record `known`: what changed since is due, or everything.
    pub(super) fn watch(self: &Arc<Self>, account: AccountId, scope: Scope, known: u64) -> Watcher {
        let mut table = self.lock();
        let mut due = Due::default();
        let since = table.recent.iter().rev().take_while(|(sequence, ..)| *sequence > known);
        let known_here = known >= table.forgotten && known <= table.position && known > 0;
        match known_here {
            true => since.filter(|(_, of, _)| *of == account).for_each(|(.., id)| match id {
                Some(id) => due.add(id),
                None => due.add_all(),
            }),
            false => due.add_all(),
        }
        let marks = Arc::new(Marks { due: Mutex::new(due), ..Marks::default() });
        let scopes = table.by_account.entry(account).or_default();
        scopes.entry(scope.clone()).or_default().push(marks.clone());
        drop(table);
        Watcher { watchers: self.clone(), account, scope, marks }
    }

    /// The record up to which all is marked.
    #[cfg(test)]
    pub(super) fn position(&self) -> u64 {
        self.lock().position
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn note(&mut self, state: &State, sequence: u64, event: &Event) {
        let account = event.account;
        match touches(event) {
            Touches::Nothing => {}
            Touches::Standing => self.wake_account(account, |due| due.standing = true),
            Touches::Everything => self.note_all(sequence, account),
            Touches::Instance(id) => self.note_instance(state, sequence, account, id, false),
            Touches::Ended(id) => self.note_instance(state, sequence, account, id, true),
            Touches::Instances(sets) => {
                for id in sets.iter().filter_map(|set| set.instance.id()) {
                    self.note_instance(state, sequence, account, &id, false);
                }
            }
            Touches::Set(key) => {
                if let Some(key) = PackedKeyId::pack(key) {
                    self.note_sets(state, sequence, account, |record| record.key == key);
                }
            }
            Touches::Role(id) => self.note_sets(state, sequence, account, |record| {
                record.role.as_ref().is_some_and(|role| role.id == *id)
            }),
        }
    }

    /// Every instance of an account.
    fn note_all(&mut self, sequence: u64, account: AccountId) {
        self.remember(sequence, account, None);
        self.wake_account(account, |due| {
            due.add_all();
            due.standing = true;
        });
    }

    /// The instances whose newest set is concerned; all of the account if they are many. One that has a newer set by
    /// `state` has a change of its own to come.
    fn note_sets(
        &mut self,
        state: &State,
        sequence: u64,
        account: AccountId,
        concerned: impl Fn(&Record) -> bool,
    ) {
        let Some(found) = state.account(account) else { return };
        let concerned =
            found.instances.records().filter(|record| record.running && concerned(record));
        let ids: Vec<_> = concerned.filter_map(|record| record.id.id()).take(DUE_MAX + 1).collect();
        if ids.len() > DUE_MAX {
            return self.note_all(sequence, account);
        }
        for id in &ids {
            self.note_instance(state, sequence, account, id, false);
        }
    }

    /// `ends` for an instance that may not watch any longer.
    fn note_instance(
        &mut self,
        state: &State,
        sequence: u64,
        account: AccountId,
        id: &InstanceId,
        ends: bool,
    ) {
        self.remember(sequence, account, Some(id.clone()));
        if !self.by_account.contains_key(&account) {
            return;
        }
        let found = state.account(account).and_then(|found| found.instances.get(id));
        // Gone meanwhile: whoever had it knows.
        let Some(instance) = found else {
            return self.wake_account(account, |due| due.add(id));
        };
        let agent = instance.facts.agent_id.clone();
        let scopes = [Some(Scope::One(id.clone())), agent.map(Scope::Agent)];
        for scope in scopes.into_iter().flatten() {
            self.wake(account, &scope, |due| {
                due.add(id);
                due.standing |= ends;
            });
        }
    }

    fn remember(&mut self, sequence: u64, account: AccountId, instance: Option<InstanceId>) {
        self.recent.push_back((sequence, account, instance));
        if self.recent.len() > RECENT_MAX
            && let Some((sequence, ..)) = self.recent.pop_front()
        {
            self.forgotten = self.forgotten.max(sequence);
        }
    }

    fn wake(&self, account: AccountId, scope: &Scope, mark: impl Fn(&mut Due)) {
        let found = self.by_account.get(&account).and_then(|scopes| scopes.get(scope));
        for marks in found.into_iter().flatten() {
            marks.wake(&mark);
        }
    }

    fn wake_account(&self, account: AccountId, mark: impl Fn(&mut Due)) {
        let scopes = self.by_account.get(&account).into_iter().flat_map(BTreeMap::values);
        for marks in scopes.flatten() {
            marks.wake(&mark);
        }
    }
}

impl Watcher {
    /// What is due now, and the record up to which everything is told once that is told. Waits for something.
    pub(super) async fn take(&self) -> (Due, u64) {
        loop {
            if let Some(taken) = self.take_now() {
                return taken;
            }
            self.marks.woken.notified().await;
        }
    }

    /// Waits until it is to be looked at whether the watcher may still watch; everything else stays due.
    pub(super) async fn standing(&self) {
        while !std::mem::take(&mut self.marks.due().standing) {
            self.marks.woken.notified().await;
        }
    }

    /// The places of those who are told everything.
    pub(super) fn syncs(&self) -> &Arc<Semaphore> {
        &self.watchers.syncs
    }

    /// Whether everything is due.
    pub(super) fn is_all_due(&self) -> bool {
        self.marks.due().all
    }

    /// As `take`, if something is due.
    pub(super) fn take_now(&self) -> Option<(Due, u64)> {
        let table = self.watchers.lock();
        let mut due = self.marks.due();
        (!due.is_empty()).then(|| (std::mem::take(&mut *due), table.position))
    }

    /// The record up to which everything is told, if nothing is due.
    pub(super) fn position(&self) -> Option<u64> {
        let table = self.watchers.lock();
        self.marks.due().is_empty().then_some(table.position)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut table = self.watchers.lock();
        let Some(scopes) = table.by_account.get_mut(&self.account) else { return };
        if let Some(all) = scopes.get_mut(&self.scope) {
            all.retain(|marks| !Arc::ptr_eq(marks, &self.marks));
            if all.is_empty() {
                scopes.remove(&self.scope);
            }
        }
        if scopes.is_empty() {
            table.by_account.remove(&self.account);
        }
    }
}

#[cfg(test)]
#[path = "watchers_tests.rs"]
mod tests;
