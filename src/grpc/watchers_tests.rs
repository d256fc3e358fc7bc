//! Tests of who is woken by what, and of watchers that come and go.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::domain::command::{Action, InstanceAction, RevocationTarget, SessionAction};
use crate::domain::testing::{A, B, TRUST_EC2, World};
use crate::policy::{Policy, PolicyKind};

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
    let watch =
        |name: &str, id: &InstanceId| watchers.watch(account(name), Scope::One(id.clone()), now);
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

/// Protects accounts from agents that go on serving what was revoked: who watches an instance whose set a revocation
/// of a role or a session voids is told at once, and nobody else is.
#[test]
fn a_revocation_wakes_whose_set_it_voids() {
    let mut world = World::default();
    world.create_account(A);
    world.create_user(A, "ana");
    let trust = Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap();
    let ids = ["app", "other"].map(|role| {
        world.create_role(A, role, &trust);
        world.create_profile(A, role);
        let (id, launch) = world.launch(Some(role));
        world.root(A, launch);
        id
    });
    let now = world.facts.len() as u64;
    let watchers = Watchers::new(now);
    let [app, other] = ids.clone().map(|id| watchers.watch(account(A), Scope::One(id), now));
    let carried = world.state.account(account(A)).unwrap().instances.get(&ids[1]).unwrap();
    let key = carried.association.unwrap().credentials.unwrap().key;
    let mut revoke = |target| {
        let (from, minting) = (world.facts.len(), world.minting());
        world.root(
            A,
            Action::Session(SessionAction::Revoke {
                target,
                before: None,
                chained: false,
                minting,
            }),
        );
        watchers.note(&world.state, &batch(&world, from));
    };
    let told = |watcher: &Watcher| watcher.take_now().map(|(due, _)| due.instances);
    revoke(RevocationTarget::User("ana".parse().unwrap()));
    assert_eq!((told(&app), told(&other)), (None, None));
    revoke(RevocationTarget::Role("app".parse().unwrap()));
    assert_eq!((told(&app), told(&other)), (Some(BTreeSet::from([ids[0].clone()])), None));
    revoke(RevocationTarget::Session(key));
    assert_eq!((told(&app), told(&other)), (None, Some(BTreeSet::from([ids[1].clone()]))));
}
