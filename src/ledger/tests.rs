//! What the ledger promises: an acknowledged command is in the log, and the log leads back to the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::clock::Timestamp;
use crate::domain::access::Caller;
use crate::domain::command::{AccountAction, Action, RoleAction};
use crate::domain::event::{
    AccountEvent, Event, EventKind, Idempotency, InstanceEvent, InstanceFacts, SessionEvent,
};
use crate::domain::fleet::Record;
use crate::domain::testing::{A, B, World, account, allow, of_role, trust};
use crate::domain::tests::busy_world;
use crate::identity::{InstanceId, hex_id};
use crate::log::Entry;

fn open(folder: &std::path::Path) -> (Ledger, WriterHandle, Opened) {
    Ledger::open(EventLog::open(folder).unwrap().0).unwrap()
}

/// Account A with the role Open, which anyone in it may assume.
async fn with_open_role(ledger: &Ledger) -> World {
    let mut world = World::default();
    world.create_account(A);
    world.create_role(A, "Open", &trust(r#"{"AWS":"*"}"#));
    world.put_policy(A, of_role("Open"), allow(&["*"], "*"));
    let create = |world: &mut World, action| world.command(A, Caller::service(), action);
    let key = crate::domain::account_key::WrappedAccountKey::new(1, &[7; 60]);
    let root_key = "AKIAAAAAAAAAAAAAAAAA".parse().unwrap();
    let action = Action::Account(AccountAction::Create { name: Arc::from("test"), key, root_key });
    let command = create(&mut world, action);
    ledger.submit(command).await.unwrap();
    let role =
        world.state.account(account(A)).unwrap().role(&"Open".parse().unwrap()).unwrap().clone();
    let action = Action::Role(RoleAction::Create {
        name: role.name.clone(),
        path: role.path.clone(),
        id: role.id.clone(),
        description: Arc::from(""),
        max_session: role.max_session,
        trust: role.trust.policy.clone(),
        tags: role.tags.clone(),
        boundary: None,
    });
    let command = create(&mut world, action);
    ledger.submit(command).await.unwrap();
    world
}

/// Protects the stored format: every kind of event is read back as it was, and a state that is rebuilt
/// through it is the same.
#[test]
fn every_fact_survives_its_stored_form() {
    for fact in busy_world().facts {
        assert_eq!(codec::decode(&codec::encode(&fact)).unwrap(), fact);
    }
}

/// Protects snapshots: what they hold of a state is read back as it was.
#[test]
fn what_snapshots_hold_survives_its_stored_form() {
    let mut instances = 0;
    let mut take = |(_, fact): (u64, Fact)| -> Result<(), std::convert::Infallible> {
        let kinds = fact.events.iter().map(|event| &event.kind);
        instances += kinds
            .filter(|k| matches!(k, EventKind::Instance(InstanceEvent::Restored { .. })))
            .count();
        let mut again = codec::decode(&codec::encode(&fact)).unwrap();
        // The bytes of wrapped keys stand elsewhere.
        if let (Some(kind), Some(told)) = (again.events.first_mut(), fact.events.first())
            && matches!(told.kind, EventKind::Account(AccountEvent::Created { .. }))
        {
            *kind = told.clone();
        }
        assert_eq!(again, fact);
        Ok(())
    };
    let Ok(()) = busy_world().state.retell(&mut take);
    assert!(instances > 0);
}

/// An account with instances that each have the most and the longest tags, no two the same.
fn with_tagged_instances(count: u64) -> State {
    let texts = |chars: usize| {
        let rest = "\u{10348}".repeat(chars - 2);
        (10..60).map(move |number| Arc::<str>::from(format!("{number}{rest}")))
    };
    let tags: BTreeMap<_, _> = texts(128).zip(texts(256)).collect();
    let instance = |number: u64| {
        let mut bytes = [0; 9];
        bytes[1..].copy_from_slice(&number.to_be_bytes());
        let id: InstanceId = hex_id("i-", bytes).parse().unwrap();
        let facts = InstanceFacts {
            image_id: Arc::from(format!("ami-{number}")),
            instance_type: Arc::from("m1.small"),
            region: Arc::from("us-east-1"),
            zone: Arc::from("us-east-1a"),
            agent: None,
            agent_id: None,
            tags: tags.clone(),
            metadata: Default::default(),
        };
        Record::new((&id).into(), Arc::new(facts), None, Timestamp::from_millis(1))
    };
    let mut world = World::default();
    world.create_account(A);
    let mut fact = world.facts.remove(0);
    let kind = EventKind::Instance(InstanceEvent::Restored {
        instances: (0..count).map(instance).collect(),
    });
    fact.events = vec![Event { account: account(A), kind }];
    world.state.apply(2, &fact).unwrap();
    world.state.index_instances();
    world.state
}

/// The longest retold fact of a state, in bytes.
fn longest_retold(state: &State) -> usize {
    let mut longest = 0;
    let mut take = |(_, fact): (u64, Fact)| -> Result<(), std::convert::Infallible> {
        longest = longest.max(codec::encode(&fact).len());
        Ok(())
    };
    let Ok(()) = state.retell(&mut take);
    longest
}

/// Protects tenants from one with large instances: a snapshot of them can be read.
#[test]
fn a_snapshot_of_large_instances_is_read_back() {
    const READ_BYTES_MAX: usize = 16 << 20;
    let state = with_tagged_instances(230);
    assert!(longest_retold(&state) > READ_BYTES_MAX, "the test needs more of them");
    let mut stored = Vec::new();
    snapshot::write(&state, &mut stored).unwrap();
    assert_eq!(snapshot::read(&mut stored.as_slice()).unwrap(), state);
}

/// Protects snapshots of whatever grows with a tenant's data: a state in the smallest parts is the same state.
#[test]
fn divided_facts_lead_to_the_same_state() {
    let state = busy_world().state;
    let [mut whole, mut divided] = [Vec::new(), Vec::new()];
    snapshot::write(&state, &mut whole).unwrap();
    let bounds = snapshot::Bounds { undivided: 1, written: 1 << 20 };
    snapshot::write_within(bounds, &state, &mut divided).unwrap();
    assert!(divided.len() > whole.len());
    assert_eq!(snapshot::read(&mut divided.as_slice()).unwrap(), state);
}

/// Protects the snapshots that there are: one that could not be read is not written, and the older one stays.
#[test]
fn a_snapshot_that_could_not_be_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = EventLog::open(folder.path()).unwrap();
    let fact = busy_world().facts.remove(0);
    let entry = || Entry {
        time: fact.time,
        accounts: writer::accounts_of(&fact),
        payload: codec::encode(&fact).into(),
        erasable: Vec::new(),
    };
    log.append(&[entry(), entry()]).unwrap();
    let state = with_tagged_instances(1);
    let write = |sequence, written| {
        let bounds = snapshot::Bounds { undivided: 1024, written };
        let pace = crate::log::SnapshotPace::full();
        log.write_snapshot(Sequence(sequence), &pace, &mut |out| {
            snapshot::write_within(bounds, &state, out)
        })
    };
    write(1, 1 << 20).unwrap();
    let refused = write(2, 64 << 10).unwrap_err().to_string();
    assert!(refused.contains("must have at most 65536 bytes"), "{refused}");
    assert!(refused.contains("InstancesRetold of account 111111111111"), "{refused}");
    let left: Vec<_> = log.snapshots().map(|(sequence, _)| sequence).collect();
    assert_eq!(left, [Sequence(1)]);
}

/// Protects the size of what is written most: an issued session.
#[test]
fn an_issued_session_is_small() {
    let world = busy_world();
    let issued = |fact: &&Fact| {
        matches!(fact.events[0].kind, EventKind::Session(SessionEvent::Issued { .. }))
    };
    let fact = world.facts.iter().find(issued).unwrap();
    let bytes = codec::encode(fact);
    assert!(bytes.len() < 250, "{} bytes", bytes.len());
}

/// Protects durability: after a stop without ceremony, replay leads to the same state; after an orderly
/// one, the snapshot does.
#[tokio::test]
async fn the_log_leads_back_to_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, writer, _) = open(folder.path());
    let mut world = with_open_role(&ledger).await;
    let caller = world.session(A, "Open", "one");
    for _ in 0..20 {
        let action = world.assume(A, "Open", 3600);
        let command = world.command(A, caller.clone(), action);
        ledger.submit(command).await.unwrap();
    }
    let before = ledger.view();
    assert_eq!(before.sequence, 22);
    tokio::task::spawn_blocking(|| drop(writer)).await.unwrap();
    drop(ledger);
    let (ledger, writer, opened) = open(folder.path());
    assert_eq!((opened.sequence, opened.snapshot_sequence), (22, 22));
    assert_eq!(ledger.view().state, before.state);
    tokio::task::spawn_blocking(|| drop(writer)).await.unwrap();
    drop(ledger);
    std::fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    let (ledger, _writer, opened) = open(folder.path());
    assert_eq!(opened.snapshot_sequence, 0);
    assert_eq!(ledger.view().state, before.state);
}

/// Protects retries: the same token gives the first answer and does nothing twice, also after a restart;
/// for another request it is refused.
#[tokio::test]
async fn a_retry_is_answered_and_not_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, writer, _) = open(folder.path());
    let mut world = with_open_role(&ledger).await;
    let caller = world.session(A, "Open", "one");
    let action = world.assume(A, "Open", 3600);
    let mut command = world.command(A, caller, action);
    let token =
        |fingerprint| Some(Idempotency { account: account(A), token: Arc::from("t"), fingerprint });
    command.idempotency = token([1; 16]);
    let first = ledger.submit(command.clone()).await.unwrap();
    let retry = ledger.submit(command.clone()).await.unwrap();
    assert_eq!(first.sequence, retry.sequence);
    assert_eq!(first.fact, retry.fact);
    let mut other = command.clone();
    other.idempotency = token([2; 16]);
    let refused = ledger.submit(other).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Rejected(Rejection::IdempotencyMismatch)));
    tokio::task::spawn_blocking(|| drop(writer)).await.unwrap();
    drop(ledger);
    let (ledger, _writer, _) = open(folder.path());
    let retry = ledger.submit(command).await.unwrap();
    assert_eq!(first.fact, retry.fact);
}

/// Protects callers: a refused command changes nothing and takes no place in the log.
#[tokio::test]
async fn a_refused_command_leaves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _writer, _) = open(folder.path());
    let mut world = with_open_role(&ledger).await;
    let before = ledger.view();
    let stranger = Caller { principal: crate::identity::Principal::Anonymous, ..Caller::service() };
    let action = world.assume(A, "Open", 60);
    let command = world.command(A, stranger, action);
    assert!(matches!(ledger.submit(command).await, Err(SubmitError::Rejected(_))));
    assert_eq!(ledger.view().sequence, before.sequence);
    assert_eq!(ledger.log().head().sequence.0, before.sequence);
}

/// Protects revocations, ends and limits from clocks: whatever time a command brings, it is decided no earlier than what is
/// recorded already, also after a restart, with a snapshot and without.
#[tokio::test]
async fn no_command_is_decided_before_the_newest_record() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, mut writer, _) = open(folder.path());
    let mut world = with_open_role(&ledger).await;
    let caller = world.session(A, "Open", "one");
    let mut newest = ledger.time();
    assert!(newest > Timestamp::EPOCH);
    for with_snapshot in [true, false] {
        for (shift, moves) in [(Duration::from_secs(3600), true), (Duration::ZERO, false)] {
            let action = world.assume(A, "Open", 3600);
            let mut command = world.command(A, caller.clone(), action);
            command.time = if moves { newest.plus(shift) } else { Timestamp::EPOCH };
            let fact = ledger.submit(command).await.unwrap().fact.unwrap();
            newest = newest.plus(shift);
            assert_eq!((fact.time, ledger.time(), ledger.view().time), (newest, newest, newest));
        }
        tokio::task::spawn_blocking(|| drop(writer)).await.unwrap();
        drop(ledger);
        if !with_snapshot {
            std::fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
        }
        (ledger, writer, _) = open(folder.path());
        assert_eq!((ledger.time(), ledger.view().time), (newest, newest));
    }
    drop(writer);
}

/// Protects readers of their own writes: a read waits for its record, and not for ever.
#[tokio::test]
async fn a_read_waits_for_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _writer, _) = open(folder.path());
    let patience = Duration::from_millis(20);
    assert_eq!(ledger.view_at(2, patience).await.unwrap_err(), Behind { wanted: 2, newest: 0 });
    let waiting = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.view_at(2, Duration::from_secs(30)).await.map(|view| view.sequence) }
    });
    with_open_role(&ledger).await;
    assert_eq!(waiting.await.unwrap().unwrap(), 2);
}

/// Protects what a quota of events may not take: the newest records, young ones, and what replay from the older
/// snapshot needs; the state comes back after a restart.
#[tokio::test]
async fn what_a_quota_leaves_leads_back_to_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::default();
    let mut sequences = Vec::new();
    for round in 0..3 {
        let (ledger, writer, _) = open(folder.path());
        if round == 0 {
            world = with_open_role(&ledger).await;
        }
        let caller = world.session(A, "Open", "one");
        for _ in 0..8 {
            let action = world.assume(A, "Open", 3600);
            let command = world.command(A, caller.clone(), action);
            ledger.submit(command).await.unwrap();
        }
        sequences.push(ledger.view().sequence);
        tokio::task::spawn_blocking(|| drop(writer)).await.unwrap();
    }
    assert_eq!(sequences, [10, 18, 26]);
    let (ledger, writer, _) = open(folder.path());
    let before = ledger.view();
    let newest = ledger.log().read_one(Sequence(26)).unwrap().unwrap().time;
    let (young, old) = (newest, newest.plus(RETAINED_AT_LEAST * 2));
    let bound = |keep, now| ledger.retention_bound(account(A), keep, now).unwrap();
    assert_eq!(bound(2, young), Sequence(1), "all are young");
    assert_eq!(bound(100, old), Sequence(0), "no more than the quota");
    assert_eq!(bound(10, old), Sequence(17), "all but the newest ten");
    assert_eq!(bound(2, old), Sequence(19), "the older snapshot reaches to 18");
    assert_eq!(ledger.expire_some(account(A), Sequence(19)).unwrap(), 18);
    assert_eq!(ledger.expire_some(account(A), Sequence(19)).unwrap(), 0);
    assert_eq!(ledger.log().retained_from(account(A)).unwrap(), Sequence(19));
    tokio::task::spawn_blocking(|| drop(writer)).await.unwrap();
    drop(ledger);
    let (ledger, writer, _) = open(folder.path());
    assert_eq!(ledger.view().state, before.state);
    tokio::task::spawn_blocking(|| drop(writer)).await.unwrap();
    drop(ledger);
    std::fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    let lost = Ledger::open(EventLog::open(folder.path()).unwrap().0).err().unwrap();
    assert!(matches!(lost, OpenError::Expired { sequence: 1 }), "{lost}");
}

/// Protects tenants from each other's quotas: a record of two accounts is retained until neither retains it.
#[tokio::test]
async fn a_shared_record_expires_with_its_last_account() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _writer, _) = open(folder.path());
    let mut fact = busy_world().facts.remove(0);
    let mut others = fact.events.clone();
    others.iter_mut().for_each(|event| event.account = account(B));
    fact.events.extend(others);
    let entry = Entry {
        time: fact.time,
        accounts: writer::accounts_of(&fact),
        payload: codec::encode(&fact).into(),
        erasable: Vec::new(),
    };
    ledger.log().append(&[entry]).unwrap();
    let there = || ledger.log().read_one(Sequence(1)).unwrap().unwrap().payload().is_some();
    let [first, second] = [A, B].map(account);
    assert_eq!(ledger.expire_some(first, Sequence(2)).unwrap(), 1);
    assert_eq!((there(), ledger.log().of_account(first, Sequence(1), 9).unwrap().len()), (true, 0));
    assert_eq!(ledger.log().of_account(second, Sequence(1), 9).unwrap(), [Sequence(1)]);
    assert_eq!(ledger.expire_some(second, Sequence(2)).unwrap(), 1);
    assert!(!there());
}
