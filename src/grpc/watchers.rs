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

use super::metadata::{Touches, touches};
use crate::domain::event::{Event, EventKind};
use crate::domain::fleet::Record;
use crate::domain::state::State;
use crate::identity::{AccountId, AgentName, InstanceId};
use crate::ledger::{Ledger, Recorded};

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
        if !self.by_account.contains_key(&account) {
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
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::domain::command::{Action, InstanceAction};
    use crate::domain::testing::{A, B, World};

    /// How long a walk over the table gives a watcher to go.
    const WALK: Duration = Duration::from_millis(100);
    /// A walk that takes longer never ends.
    const STILL: Duration = Duration::from_secs(1);

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
        world.root(account, Action::Instance(InstanceAction::Terminate { ids: vec![id.clone()] }));
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
        assert_eq!(watchers.lock().by_account.len(), 1);
        drop(watcher);
        assert_eq!(watchers.lock().by_account.len(), 0);
    }

    /// Protects every call from a node that stands still: a watcher may go while the table is walked, and whoever walks
    /// it is not the one who takes the watcher out.
    #[test]
    fn a_watcher_may_go_while_the_table_is_walked() {
        let (_, [ours, _]) = launched();
        let watchers = Watchers::new(1);
        let watcher = watchers.watch(account(A), Scope::One(ours), 1);
        let (reached, walking) = mpsc::channel();
        let (gone, going) = mpsc::channel();
        let (finished, walked) = mpsc::channel();
        let stream = thread::spawn(move || {
            walking.recv().unwrap();
            drop(watcher);
            // Nobody waits any longer if the drop took until after the walk.
            let _ = gone.send(());
        });
        let table = watchers.clone();
        thread::spawn(move || {
            table.lock().wake_account(account(A), |_| {
                reached.send(()).unwrap();
                let _ = going.recv_timeout(WALK);
            });
            finished.send(()).unwrap();
        });
        assert_eq!(walked.recv_timeout(STILL), Ok(()), "the walk waits for its own lock");
        stream.join().unwrap();
        assert!(watchers.lock().by_account.is_empty());
    }
}
