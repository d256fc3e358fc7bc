//! Who watches which instances, and what each has still to be told.
//!
//! One task follows the facts and marks what they touch with those who watch it: a change costs a lookup, however many
//! watch. A watcher has no queue: what it has to be told is a set of instances, told as they are when it can take
//! more. However slow it is and however often they change, it holds no more than that, and when they are many it is
//! told everything anew. The newest changes of all are remembered for those who come back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{Notify, Semaphore};

use super::metadata::{Touches, touches};
use crate::domain::event::{Event, EventKind};
use crate::domain::fleet::Record;
use crate::domain::state::State;
use crate::identity::{AccountId, AgentName, InstanceId};
use crate::ledger::{Ledger, Recorded};

/// Streams of a node.
pub(super) const STREAMS_MAX: usize = 20_000;
/// Watchers who are told everything at once: it takes a look at all instances of their account.
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
    /// Those of a host.
    Agent(AgentName),
}

impl Scope {
    pub(super) fn holds(&self, instance: &Record) -> bool {
        match self {
            Self::One(id) => instance.id == id.into(),
            Self::Agent(name) => instance.facts.agent.as_ref() == Some(name),
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

/// A watcher; out of the table when it is dropped.
pub(super) struct Watcher {
    watchers: Arc<Watchers>,
    place: (AccountId, Scope),
    /// Changed under the lock of the table.
    due: Mutex<Due>,
    woken: Notify,
}

/// See the module.
pub(super) struct Watchers {
    table: Mutex<Table>,
    /// A permit for each stream.
    pub(super) streams: Arc<Semaphore>,
    /// A permit for each watcher who is told everything.
    pub(super) syncs: Arc<Semaphore>,
}

#[derive(Default)]
struct Table {
    /// The record up to which all is marked.
    position: u64,
    by_scope: BTreeMap<(AccountId, Scope), Vec<std::sync::Weak<Watcher>>>,
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

    async fn follow(self: Arc<Self>, ledger: Ledger, mut batches: Receiver<Arc<[Recorded]>>) {
        loop {
            match batches.recv().await {
                Ok(batch) => self.note(&ledger.view().state, &batch),
                Err(RecvError::Lagged(_)) => self.lose_track(ledger.view().sequence),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Marks what a batch touches; `state` is that after it or a later one.
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
        for watcher in table.by_scope.values().flatten() {
            wake(watcher, |due| {
                due.add_all();
                due.standing = true;
            });
        }
    }

    /// Adds a watcher who knows everything up to record `known`: what changed since is due, or everything.
    pub(super) fn watch(
        self: &Arc<Self>,
        account: AccountId,
        scope: Scope,
        known: u64,
    ) -> Arc<Watcher> {
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
        let place = (account, scope);
        let watchers = self.clone();
        let watcher = Arc::new(Watcher {
            watchers,
            place: place.clone(),
            due: Mutex::new(due),
            woken: Notify::new(),
        });
        table.by_scope.entry(place).or_default().push(Arc::downgrade(&watcher));
        watcher
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
            Touches::Nothing => {
                if ends_watchers(&event.kind) {
                    self.wake_account(account, |due| due.standing = true);
                }
            }
            Touches::Everything => {
                self.remember(sequence, account, None);
                self.wake_account(account, |due| {
                    due.add_all();
                    due.standing = true;
                });
            }
            Touches::Instance(id) => {
                let ends = matches!(event.kind, EventKind::InstanceTerminated { .. });
                self.note_instance(state, sequence, account, id, ends);
            }
            Touches::Instances(sets) => {
                for id in sets.iter().filter_map(|set| set.instance.id()) {
                    self.note_instance(state, sequence, account, &id, false);
                }
            }
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
        if self.by_scope.is_empty() {
            return;
        }
        let found = state.account(account).and_then(|found| found.instances.get(id));
        // Gone meanwhile: whoever had it knows.
        let Some(instance) = found else {
            return self.wake_account(account, |due| due.add(id));
        };
        let agent = instance.facts.agent.clone();
        let scopes = [Some(Scope::One(id.clone())), agent.map(Scope::Agent)];
        for scope in scopes.into_iter().flatten() {
            self.wake(&(account, scope), |due| {
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

    fn wake(&self, place: &(AccountId, Scope), mark: impl Fn(&mut Due)) {
        for watcher in self.by_scope.get(place).into_iter().flatten() {
            wake(watcher, &mark);
        }
    }

    fn wake_account(&self, account: AccountId, mark: impl Fn(&mut Due)) {
        let of_account = self.by_scope.iter().filter(|((of, _), _)| *of == account);
        for watcher in of_account.flat_map(|(_, watchers)| watchers) {
            wake(watcher, &mark);
        }
    }
}

fn wake(watcher: &std::sync::Weak<Watcher>, mark: impl Fn(&mut Due)) {
    if let Some(watcher) = watcher.upgrade() {
        mark(&mut watcher.due.lock().unwrap_or_else(PoisonError::into_inner));
        watcher.woken.notify_one();
    }
}

/// Whether somebody may not watch any longer.
fn ends_watchers(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::AccessKeyStatusChanged { .. }
            | EventKind::AccessKeyDeleted { .. }
            | EventKind::AgentDeleted { .. }
    )
}

impl Watcher {
    /// What is due now, and the record up to which everything is told once that is told. Waits for something.
    pub(super) async fn take(&self) -> (Due, u64) {
        loop {
            if let Some(taken) = self.take_now() {
                return taken;
            }
            self.woken.notified().await;
        }
    }

    /// Whether everything is due.
    pub(super) fn is_all_due(&self) -> bool {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// As `take`, if something is due.
    pub(super) fn take_now(&self) -> Option<(Due, u64)> {
        let table = self.watchers.lock();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        (!due.is_empty()).then(|| (std::mem::take(&mut *due), table.position))
    }

    /// The record up to which everything is told, if nothing is due.
    pub(super) fn position(&self) -> Option<u64> {
        let table = self.watchers.lock();
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.is_empty().then_some(table.position)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut table = self.watchers.lock();
        if let Some(watchers) = table.by_scope.get_mut(&self.place) {
            watchers.retain(|watcher| watcher.strong_count() > 0);
            if watchers.is_empty() {
                table.by_scope.remove(&self.place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::Action;
    use crate::domain::testing::{A, B, World};

    /// A world with an instance in each of two accounts, and its newest facts as a batch.
    fn launched() -> (World, [InstanceId; 2]) {
        let mut world = World::default();
        let ids = [A, B].map(|account| {
            world.create_account(account);
            let (id, launch) = world.launch(None);
            world.root(account, launch);
            id
        });
        (world, ids)
    }

    /// The facts from `from` on as the ledger tells them.
    fn batch(world: &World, from: usize) -> Vec<Recorded> {
        let facts = world.facts.iter().enumerate().skip(from);
        facts
            .map(|(at, fact)| Recorded { sequence: at as u64 + 1, fact: Arc::new(fact.clone()) })
            .collect()
    }

    fn end(world: &mut World, account: &str, id: &InstanceId) -> Vec<Recorded> {
        let from = world.facts.len();
        world.root(account, Action::TerminateInstance { id: id.clone() });
        batch(world, from)
    }

    fn account(text: &str) -> AccountId {
        text.parse().unwrap()
    }

    /// Protects watchers from each other and from work that is not theirs: only who watches an instance is woken.
    #[test]
    fn a_change_wakes_who_watches_it() {
        let (mut world, [ours, theirs]) = launched();
        let now = world.facts.len() as u64;
        let watchers = Watchers::new(now);
        let watch = |name: &str, id: &InstanceId| {
            watchers.watch(account(name), Scope::One(id.clone()), now)
        };
        let (first, other) = (watch(A, &ours), watch(B, &theirs));
        let ended = end(&mut world, A, &ours);
        watchers.note(&world.state, &ended);
        let (due, position) = first.take_now().unwrap();
        assert_eq!(due.instances, BTreeSet::from([ours]));
        assert_eq!(position, now + 1);
        assert_eq!(first.take_now(), None);
        assert_eq!((other.take_now(), other.position()), (None, Some(now + 1)));
    }

    /// Protects those who come back from missing a change: what happened after what they know is due, whether they
    /// were away or not; who was away for longer than is remembered is told everything.
    #[test]
    fn who_comes_back_is_told_what_was_missed() {
        let (mut world, [ours, _]) = launched();
        let known = world.facts.len() as u64;
        let watchers = Watchers::new(known - 1);
        watchers.note(&world.state, &batch(&world, world.facts.len() - 1));
        let ended = end(&mut world, A, &ours);
        watchers.note(&world.state, &ended);
        let come_back = |known| {
            let watcher = watchers.watch(account(A), Scope::One(ours.clone()), known);
            watcher.take_now().map(|(due, _)| (due.all, due.instances.len()))
        };
        assert_eq!(come_back(known), Some((false, 1)));
        assert_eq!(come_back(known + 1), None);
        assert_eq!(come_back(0), Some((true, 0)), "who knows nothing");
        assert_eq!(come_back(known - 2), Some((true, 0)), "before what is remembered");
        assert_eq!(come_back(known + 2), Some((true, 0)), "a record that is not here");
        watchers.lose_track(known + 1);
        assert_eq!(come_back(known), Some((true, 0)));
    }

    /// Protects memory: a watcher that takes nothing holds a bounded set whatever changes, and all that is left of one
    /// that is gone is nothing.
    #[test]
    fn a_slow_watcher_holds_no_more_than_is_agreed() {
        let mut due = Due::default();
        for number in 0..10_000_u32 {
            due.add(&format!("i-{number:017x}").parse().unwrap());
            assert!(due.instances.len() <= DUE_MAX);
        }
        assert!(due.all);
        let (_, [ours, _]) = launched();
        let watchers = Watchers::new(1);
        let watcher = watchers.watch(account(A), Scope::One(ours), 1);
        assert_eq!(watchers.lock().by_scope.len(), 1);
        drop(watcher);
        assert_eq!(watchers.lock().by_scope.len(), 0);
    }
}
