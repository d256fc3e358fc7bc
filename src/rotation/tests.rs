//! What the schedule promises: a level load, nothing late while rotation is in time, a paced way back after a stop,
//! and nothing forgotten or renewed twice whatever the clock does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::schedule::{Due, Schedule};
use crate::clock::Timestamp;
use crate::domain::command::{Action, ProfileAction, RoleAction};
use crate::domain::event::{Event, EventKind, Fact, InstanceEvent, InstanceFacts};
use crate::domain::fleet::{CarriedProfile, Record};
use crate::domain::rotation::{IssuingRole, RenewedSet, RotationEvent};
use crate::domain::state::State;
use crate::domain::tags::Tags;
use crate::domain::testing::{A, TRUST_EC2, World, account};
use crate::identity::{
    AssociationId, InstanceId, PackedInstanceId, PackedKeyId, Path, ProfileName, hex_id,
};
use crate::ledger::Recorded;
use crate::pace::{Pace, SERVED_LIFE_MIN};
use crate::policy::{Policy, PolicyKind};
use crate::service::tests::{Desk, desk};

const HOUR: i64 = 3600;
const START: i64 = 1_764_000_000;
const PACE: Pace =
    Pace { interval: Duration::from_secs(3600), lifetime: Duration::from_secs(6 * 3600) };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// A state and a schedule that follows it, second by second.
struct Clockwork {
    state: State,
    schedule: Schedule,
    sequence: u64,
}

fn instance(number: u64, issued_at: i64) -> Record {
    let mut bytes = [0; 9];
    bytes[1..].copy_from_slice(&number.to_be_bytes());
    let facts = InstanceFacts {
        image_id: Arc::from("ami-1"),
        instance_type: Arc::from("m1.small"),
        region: Arc::from("us-east-1"),
        zone: Arc::from("us-east-1a"),
        agent: None,
        agent_id: None,
        tags: BTreeMap::new(),
        metadata: Default::default(),
    };
    let role = IssuingRole {
        name: "r".parse().unwrap(),
        path: Path::default(),
        id: "AROAAAAAAAAAAAAAAAAA".parse().unwrap(),
    };
    let profile =
        CarriedProfile { name: "p".parse().unwrap(), id: "AIPAAAAAAAAAAAAAAAAA".parse().unwrap() };
    let id: InstanceId = hex_id("i-", bytes).parse().unwrap();
    let association: AssociationId = hex_id("iip-assoc-", bytes).parse().unwrap();
    Record {
        generation: 1,
        association: (&association).into(),
        profile: Some(Arc::new(profile)),
        since: at(issued_at),
        epoch: 1,
        key: PackedKeyId::temporary([0; 10]),
        role: Some(Arc::new(role)),
        issued_at: at(issued_at),
        lifetime_seconds: u32::try_from(PACE.lifetime.as_secs()).unwrap(),
        ..Record::new((&id).into(), Arc::new(facts), None, at(issued_at))
    }
}

impl Clockwork {
    /// Instances whose sets were issued at these times; the schedule starts at `now`.
    fn new(issued: impl Iterator<Item = i64>, now: i64) -> Self {
        let mut world = World::default();
        world.create_account(A);
        let mut clockwork =
            Self { state: world.state, schedule: Schedule::new(PACE, at(now)), sequence: 1 };
        let instances: Vec<_> = (0..).zip(issued).map(|(n, time)| instance(n, time)).collect();
        clockwork.happens(now, EventKind::Instance(InstanceEvent::Restored { instances }));
        clockwork.state.index_instances();
        clockwork.schedule.fill(&clockwork.state, at(now));
        clockwork
    }

    fn happens(&mut self, now: i64, kind: EventKind) {
        let fact = Fact {
            time: at(now),
            actor: Arc::from(""),
            request_id: Arc::from(""),
            trace_id: Arc::from(""),
            idempotency: None,
            events: vec![Event { account: account(A), kind }],
        };
        self.state.apply(self.sequence, &fact).unwrap();
        self.sequence += 1;
        let batch = [Recorded { sequence: self.sequence, fact: Arc::new(fact) }];
        self.schedule.follow(&self.state, &batch, at(now));
    }

    /// What is due until `now` and still holds.
    fn due(&mut self, now: i64) -> Vec<Due> {
        let mut due = Vec::new();
        self.schedule.look(&self.state, at(now), |_, entry| due.push(entry));
        due.retain(|entry| self.schedule.current(&self.state, entry).is_some());
        due
    }

    fn expires_at(&self, id: PackedInstanceId) -> Timestamp {
        let account = self.state.account(account(A)).unwrap();
        account.instances.record(id).unwrap().newest_set().unwrap().1
    }

    /// Renews what is due until `now`, and gives how much that was.
    fn renew(&mut self, now: i64) -> usize {
        let due = self.due(now);
        let own = self.state.account(account(A)).unwrap().clone();
        let set = |due: &Due| {
            let record = own.instances.record(due.instance).unwrap();
            RenewedSet {
                instance: due.instance,
                association: record.association,
                epoch: record.epoch + 1,
                key: PackedKeyId::temporary([1; 10]),
            }
        };
        let sets: Arc<[RenewedSet]> = due.iter().map(set).collect();
        let role = IssuingRole {
            name: "r".parse().unwrap(),
            path: Path::default(),
            id: "AROAAAAAAAAAAAAAAAAA".parse().unwrap(),
        };
        let (issued_at, expires_at) = (at(now), at(now).plus(PACE.lifetime));
        let renewed = RotationEvent::Renewed { role: Arc::new(role), issued_at, expires_at, sets };
        self.happens(now, EventKind::Rotation(renewed));
        due.len()
    }

    /// Renews for `seconds`, second by second; the counts of each.
    fn run(&mut self, from: i64, seconds: i64) -> Vec<usize> {
        (from..from + seconds).map(|now| self.renew(now)).collect()
    }
}

/// Protects the service from waves: from a launch of everything in one second on, no second has more than a fifth
/// above the mean, and the mean is what the interval makes.
#[test]
fn a_mass_launch_becomes_a_level_load() {
    let count: usize = 36_000;
    let mut clockwork = Clockwork::new((0..count).map(|_| START), START);
    let first = clockwork.run(START + 1, HOUR);
    assert_eq!(first.iter().sum::<usize>(), count, "each once within the first interval");
    let later = clockwork.run(START + 1 + HOUR, 2 * HOUR);
    let renewed: usize = later.iter().sum();
    let mean = renewed as f64 / later.len() as f64;
    assert!((10.0..12.0).contains(&mean), "{mean} a second");
    let worst = first.iter().chain(&later).max().copied().unwrap();
    assert!(worst as f64 <= mean * 1.2, "{worst} in the worst second, {mean} on average");
}

/// Protects clients and the service after a stop of an hour: nothing that is handed out comes near its end, and the
/// catch-up is spread over a part of the interval.
#[test]
fn the_way_back_after_a_stop_is_paced() {
    let count: i64 = 3600;
    let stopped_at = START + HOUR;
    let issued = (0..count).map(|n| stopped_at - n);
    let mut clockwork = Clockwork::new(issued, stopped_at + HOUR);
    caught_up_at_a_pace(&mut clockwork, stopped_at + HOUR);
}

/// Of 3600 sets that became due within an hour before `now`, those that are overdue are renewed within ten minutes, and
/// not at once.
fn caught_up_at_a_pace(clockwork: &mut Clockwork, now: i64) {
    let renewed = clockwork.run(now, 600);
    let total: usize = renewed.iter().sum();
    assert!(total >= 3500, "{total} were overdue and are renewed");
    let worst = renewed.iter().max().copied().unwrap();
    assert!(worst <= 12, "{worst} in the worst second, {} on average", total / 600);
}

/// Protects clients after a longer stop: what has less than the promised time left is due at once, what ended too.
#[test]
fn what_is_about_to_end_is_not_paced() {
    let promised = i64::try_from(SERVED_LIFE_MIN.as_secs()).unwrap();
    let now = START + 6 * HOUR;
    let issued = [START, START + promised / 2, START + 3 * HOUR];
    let mut clockwork = Clockwork::new(issued.into_iter(), now);
    let due: BTreeSet<_> = clockwork.due(now).iter().map(|due| due.instance).collect();
    assert!(due.len() >= 2, "{due:?}");
    let soon: Vec<_> = due.iter().map(|id| clockwork.expires_at(*id)).collect();
    assert!(soon.contains(&at(now)) && soon.contains(&at(now + promised / 2)), "{soon:?}");
}

/// Protects from jumps of the clock: a day ahead everything is due at once, an hour back everything is planned
/// anew; each association once.
#[test]
fn jumps_of_the_clock_lose_and_double_nothing() {
    let count: usize = 500;
    let mut clockwork = Clockwork::new((0..count).map(|_| START), START);
    assert_eq!(clockwork.renew(START + 24 * HOUR), count);
    let back = START + 23 * HOUR;
    assert_eq!(clockwork.due(back), [], "sets from a later time are not overdue");
    let renewed = clockwork.run(back + 1, 2 * HOUR + 1);
    assert_eq!(renewed.iter().sum::<usize>() / count, 1);
}

/// Protects the service when the machine slept for an hour: what is overdue is caught up as after a stop, not at once.
#[test]
fn a_jump_ahead_is_paced() {
    let count: i64 = 3600;
    let mut clockwork = Clockwork::new((0..count).map(|n| START - n), START);
    caught_up_at_a_pace(&mut clockwork, START + 2 * HOUR);
}

/// Protects the node's memory: an account that changes its settings again and again leaves no more entries than twice
/// what is true and a little.
#[test]
fn settings_that_change_do_not_fill_the_calendar() {
    let mut clockwork = Clockwork::new((0..100).map(|_| START), START);
    for round in 0..1000 {
        let interval = Duration::from_secs(1800 + round % 2);
        let pace = Some(Pace { interval, ..PACE });
        let configured = RotationEvent::Configured { association: None, pace };
        clockwork.happens(START, EventKind::Rotation(configured.clone()));
        clockwork.happens(START, EventKind::Rotation(configured));
        let before = clockwork.schedule.planned();
        clockwork.due(START);
        assert!(clockwork.schedule.planned() <= before + 100, "once a look");
    }
    let planned = clockwork.schedule.planned();
    assert!(planned <= 2 * 100 + 4096 + 100, "{planned} entries for 100 instances");
}

/// Protects whoever watches rotation: what is renewed late is known to be late, also after a stop and after a try that
/// failed, for which it was planned again.
#[test]
fn lateness_counts_from_when_a_set_should_have_been_renewed() {
    let back = START + 3 * HOUR;
    let Clockwork { state, mut schedule, .. } = Clockwork::new([START].into_iter(), back);
    let mut first_due = |from: i64| {
        let mut due = None;
        let seconds = (from..from + HOUR).take_while(|now| {
            schedule.look(&state, at(*now), |second, entry| due = Some((second, entry)));
            due.is_none()
        });
        let now = from + seconds.count() as i64;
        let (second, entry) = due.unwrap();
        let waiting = schedule.waiting(&state, second, entry).unwrap();
        schedule.retry(entry, at(now));
        (now, waiting)
    };
    let (now, waiting) = first_due(back);
    assert_eq!((waiting.since, waiting.ends), (START + HOUR, at(START).plus(PACE.lifetime)));
    let (again, waiting) = first_due(now + 1);
    assert!(again > now && waiting.since == START + HOUR, "{waiting:?}");
}

/// Protects from renewals for what ended or changed: an entry that was planned for something else comes to nothing.
#[test]
fn entries_that_no_longer_hold_come_to_nothing() {
    let mut clockwork = Clockwork::new([START, START, START].into_iter(), START);
    let ids: Vec<_> = {
        let own = clockwork.state.account(account(A)).unwrap();
        own.instances.iter().collect()
    };
    clockwork
        .happens(START, EventKind::Instance(InstanceEvent::Terminated { id: ids[0].id.clone() }));
    let association = ids[1].association.as_ref().unwrap().id.clone();
    let gone = EventKind::Instance(InstanceEvent::ProfileDisassociated {
        association,
        instance: ids[1].id.clone(),
        generation: 2,
    });
    clockwork.happens(START, gone);
    let association = Some(ids[2].association.as_ref().unwrap().id.clone());
    let slower = Pace { interval: Duration::from_secs(2 * 3600), ..PACE };
    let configured = RotationEvent::Configured { association, pace: Some(slower) };
    clockwork.happens(START, EventKind::Rotation(configured));
    let renewed = clockwork.run(START + 1, HOUR);
    assert!(renewed.iter().sum::<usize>() <= 1, "the slower pace alone");
    let renewed = clockwork.run(START + 1 + HOUR, HOUR);
    assert!(renewed.iter().sum::<usize>() <= 1);
}

/// Protects operators whose keys leaked: after a demand everything that was issued before it is due at once, and
/// what was issued after it is not.
#[test]
fn a_demand_makes_everything_due_at_once() {
    let count: usize = 200;
    for everywhere in [false, true] {
        let mut clockwork = Clockwork::new((0..count).map(|_| START), START + 10);
        let before = at(START + 11);
        let demanded = RotationEvent::Demanded { everywhere, before };
        clockwork.happens(START + 10, EventKind::Rotation(demanded));
        assert_eq!(clockwork.renew(START + 11), count);
        assert_eq!(clockwork.renew(START + 12), 0);
    }
}

/// Protects instances and the log from needless sets: putting a role into a profile makes those due that have no set of
/// that role, and not those that were launched before anybody looked.
#[tokio::test]
async fn a_role_that_is_served_already_is_not_renewed() {
    let desk = desk();
    let (account, _) = desk.account(A).await;
    desk.instance_credentials(account).await;
    let other = Action::Role(RoleAction::Create {
        name: "Other".parse().unwrap(),
        path: Path::default(),
        id: desk.service.draw_id("AROA").unwrap(),
        description: Arc::from(""),
        max_session: Duration::from_secs(3600),
        trust: Policy::parse(TRUST_EC2, PolicyKind::Trust).unwrap(),
        tags: Tags::default(),
        boundary: None,
    });
    let profile: ProfileName = "Get-pics".parse().unwrap();
    let put = |role: &str| {
        Action::Profile(ProfileAction::AddRole {
            profile: profile.clone(),
            role: role.parse().unwrap(),
        })
    };
    let (profile, role) = (profile.clone(), "Get-pics".parse().unwrap());
    let remove = Action::Profile(ProfileAction::RemoveRole { profile, role });
    let mut batches = desk.service.ledger().follow();
    let mut schedule = Schedule::new(PACE, desk.service.now());
    for (action, expected) in
        [(remove.clone(), 0), (put("Get-pics"), 0), (remove, 0), (other, 0), (put("Other"), 1)]
    {
        let info = desk.service.own_request("test");
        desk.service.perform(&info, "", account, action).await.unwrap();
        // What is due at once comes out in the second that begins next.
        desk.advance(1);
        let (view, now) = (desk.service.view(), desk.service.now());
        schedule.follow(&view.state, &batches.recv().await.unwrap().facts, now);
        let mut due = 0;
        schedule.look(&view.state, now, |_, _| due += 1);
        assert_eq!(due, expected);
    }
}

/// The number of the set that the only instance has.
fn set_of(desk: &Desk) -> u64 {
    let view = desk.service.view();
    let own = view.state.account(account(A)).unwrap();
    own.instances.records().next().unwrap().epoch
}

/// Lets time pass, in steps that are no jumps even if the scheduler misses some, until the instance has this set.
async fn set_after_a_while(desk: &Desk, wanted: u64) -> u64 {
    const STEPS_MAX: usize = 60;
    for _ in 0..STEPS_MAX {
        if set_of(desk) >= wanted {
            break;
        }
        desk.advance(10);
        tokio::time::sleep(super::LOOK * 3 / 2).await;
    }
    set_of(desk)
}

/// Protects clients and the service from the machine's clock: the running scheduler renews in time, renews what ended
/// when the clock goes a day ahead, renews nothing twice when it goes an hour back, and goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn the_clock_may_jump_while_it_rotates() {
    const DAY: i64 = 24 * HOUR;
    // The desk renews after half an hour.
    const NEARLY: i64 = HOUR / 2 - 30;
    let desk = desk();
    let (account, _) = desk.account(A).await;
    desk.instance_credentials(account).await;
    let task = tokio::spawn(super::run(desk.service.clone()));
    assert_eq!(set_of(&desk), 1);
    desk.advance(NEARLY);
    assert_eq!(set_after_a_while(&desk, 2).await, 2);
    desk.advance(DAY);
    assert_eq!(set_after_a_while(&desk, 3).await, 3);
    desk.advance(-HOUR);
    tokio::time::sleep(4 * super::LOOK).await;
    assert_eq!(set_of(&desk), 3, "a set from a later time is not overdue");
    desk.advance(HOUR + NEARLY);
    assert_eq!(set_after_a_while(&desk, 4).await, 4);
    task.abort();
}
