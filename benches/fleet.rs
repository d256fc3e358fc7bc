//! What many instances cost: the calendar of rotations, memory, a start from a snapshot, the steady rotation of a
//! million associations an hour, and renewing every set at once while metadata is read. Sizes are powers of ten up to
//! `FLEET_MAX` (10^6 if not set); renewing all is measured on `FLEET_ROTATED` associations (10^6) of 1000 accounts, in a
//! data folder of its own.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/facts.rs"]
mod facts;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/instances.rs"]
mod instances;
#[path = "support/setup.rs"]
mod setup;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use facts::START;
use figures::{bytes, cpu_seconds, quantile, resident, setting};
use locum::clock::Timestamp;
use locum::domain::command::{Action, Launch};
use locum::domain::event::{EventKind, InstanceEvent, InstanceFacts};
use locum::domain::fleet::{CarriedProfile, Record};
use locum::domain::rotation::{IssuingRole, RotationAction};
use locum::domain::state::State;
use locum::identity::{AccountId, AssociationId, InstanceId, PackedKeyId, Path, hex_id};
use locum::ledger::snapshot;
use locum::pace::Pace;
use locum::rotation;
use locum::rotation::calendar::{Calendar, Window};
use locum::rotation::schedule::Schedule;
use locum::serve::open;
use locum::service::Service;
use setup::{account, make_account};

const TRUST_EC2: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const PACE: Pace =
    Pace { interval: Duration::from_secs(3600), lifetime: Duration::from_secs(6 * 3600) };
const ACCOUNTS: u64 = 1000;
/// A million associations that are renewed each hour make as many renewals a second as these each minute.
const STEADY: u64 = 16_700;
const STEADY_INTERVAL: Duration = Duration::from_secs(60);
/// How long the steady rotation is watched, once the first interval is over.
const WATCHED: Duration = Duration::from_secs(30);
/// Says that this process measures a state of so many associations.
const STATE_OF: &str = "LOCUM_BENCH_STATE_OF";

fn instance(number: u64, shared: &Shared) -> Record {
    let issued_at = Timestamp::from_unix_seconds(START - i64::try_from(number % 3600).unwrap_or(0));
    let address = std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(0));
    let id: InstanceId = hex_id("i-", bytes(number)).parse().expect("an id");
    let association: AssociationId = hex_id("iip-assoc-", bytes(number)).parse().expect("an id");
    Record {
        identity_key: PackedKeyId::long_term(bytes(number)),
        generation: 1,
        association: (&association).into(),
        profile: Some(shared.profile.clone()),
        since: issued_at,
        epoch: 1,
        key: PackedKeyId::temporary(bytes(number)),
        role: Some(shared.role.clone()),
        issued_at,
        lifetime_seconds: u32::try_from(PACE.lifetime.as_secs()).expect("a lifetime"),
        ..Record::new((&id).into(), shared.facts.clone(), Some(address.into()), issued_at)
    }
}

/// What all instances have in common.
struct Shared {
    facts: Arc<InstanceFacts>,
    profile: Arc<CarriedProfile>,
    role: Arc<IssuingRole>,
}

impl Shared {
    fn new() -> Self {
        let profile = CarriedProfile {
            name: "app".parse().expect("a name"),
            id: "AIPAAAAAAAAAAAAAAAAA".parse().expect("an id"),
        };
        let role = IssuingRole {
            name: "app".parse().expect("a name"),
            path: Path::default(),
            id: "AROAAAAAAAAAAAAAAAAA".parse().expect("an id"),
        };
        let facts = Arc::new(instances::facts());
        Self { facts, profile: Arc::new(profile), role: Arc::new(role) }
    }
}

/// A state of so many instances, as a snapshot leads to it.
fn state_of(count: u64) -> State {
    let (mut state, shared) = (State::default(), Shared::new());
    for number in 0..ACCOUNTS.min(count) {
        let created = facts::fact(account(number), vec![facts::account_created()]);
        state.apply(1, &created).expect("an account");
        let own = (number..count).step_by(usize::try_from(ACCOUNTS).unwrap_or(1));
        let mut instances: Vec<_> = own.map(|number| instance(number, &shared)).collect();
        instances.sort_by_key(|record| record.id);
        let retold = EventKind::Instance(InstanceEvent::Restored { instances });
        state.apply(1, &facts::fact(account(number), vec![retold])).expect("instances");
    }
    state.index_instances();
    state
}

/// What one entry of the calendar costs, with so many in it.
fn calendar(count: u64) {
    let mut calendar = Calendar::new(0);
    let window = Window { first: 360, liked: 3240, last: 3600 };
    let full = u32::try_from(count * 115 / 360_000).unwrap_or(u32::MAX).max(1);
    for number in 0..count {
        let second = calendar.room(window, full);
        calendar.insert(second, (number, 0_u64, 0_u64));
    }
    let rounds = count / 2;
    let began = Instant::now();
    for number in 0..rounds {
        let second = calendar.room(window, full.saturating_mul(2));
        calendar.insert(second, (number, 0, 0));
    }
    let insert = began.elapsed().as_nanos() as f64 / rounds as f64;
    let planned = calendar.planned() as f64;
    let (began, mut taken) = (Instant::now(), 0_u64);
    calendar.take(3600, |_, _| taken += 1);
    let pop = began.elapsed().as_nanos() as f64 / planned;
    println!(
        "calendar  {count:>9} planned  insert {insert:>6.1} ns  take {pop:>6.1} ns  cancel 0 (checked when taken)"
    );
}

/// Measures a state in a process of its own: memory that was freed before is used again, and would not be counted.
fn states_apart(count: u64) {
    let program = std::env::current_exe().expect("a program");
    let ended = Command::new(program).env(STATE_OF, count.to_string()).status();
    assert!(ended.expect("a process").success(), "a state of {count} was not measured");
}

fn states(count: u64) {
    // What the first use of code and allocator takes belongs to no size.
    drop(state_of(1));
    let before = resident();
    let state = state_of(count);
    let memory = resident().saturating_sub(before) as f64 / count as f64;
    let (now, began) = (Timestamp::from_unix_seconds(START), Instant::now());
    let mut schedule = Schedule::new(PACE, now);
    schedule.fill(&state, now);
    let fill = began.elapsed();
    let planned = resident().saturating_sub(before) as f64 / count as f64;
    let (mut stored, began) = (Vec::new(), Instant::now());
    snapshot::write(&state, &mut stored).expect("memory");
    let write = began.elapsed();
    drop((state, schedule));
    let began = Instant::now();
    drop(snapshot::read(&mut stored.as_slice()).expect("a state"));
    let read = began.elapsed();
    println!(
        "state     {count:>9} associations  {memory:>5.0} bytes each, {planned:.0} with the calendar; plan {fill:.2?}; \
         snapshot {:.0} bytes each, written in {write:.2?}, read in {read:.2?}",
        stored.len() as f64 / count as f64
    );
}

/// Accounts with a role in a profile, and instances that carry it.
async fn launch(service: &Arc<Service>, count: u64) {
    for number in 0..ACCOUNTS {
        let id = account(number);
        make_account(service, id).await;
        let own = (number..count).step_by(usize::try_from(ACCOUNTS).unwrap_or(1));
        let launches = own.map(|number| launch_of(service, number)).collect();
        instances::launch(service, id, TRUST_EC2, launches).await;
    }
}

fn launch_of(service: &Service, number: u64) -> Launch {
    let address = std::net::Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(0));
    let id = hex_id("i-", bytes(number)).parse().expect("an id");
    Launch { id, ..instances::at(service, address) }
}

/// Reads the credentials of instances one after the other until told to stop; how long each read took.
fn read_metadata(service: &Service, count: u64, stop: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number = (number + 7919) % count;
        let id: InstanceId = hex_id("i-", bytes(number)).parse().expect("an id");
        let began = Instant::now();
        let view = service.view();
        let own = view.state.account(account(number % ACCOUNTS)).expect("an account");
        let instance = own.instances.get(&id).expect("an instance");
        let set = instance.association.as_ref().and_then(|found| found.credentials.clone());
        let set = set.expect("credentials");
        let delivery = locum::identity::RoleDelivery::Version2;
        service.role_credentials(own, &instance, &set, delivery).expect("credentials");
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_micros(200));
    }
    times
}

/// Associations whose set was issued before the demand.
fn outstanding(service: &Service) -> usize {
    let view = service.view();
    let of = |own: &Arc<locum::domain::state::Account>| {
        let before = view.state.renew_before(own);
        let old = own
            .instances
            .records()
            .filter(|record| record.newest_set().is_some_and(|(issued_at, _)| issued_at < before));
        old.count()
    };
    view.state.accounts().map(of).sum()
}

/// Metadata reads for as long as `meanwhile` takes.
async fn reads_during(
    service: &Arc<Service>,
    count: u64,
    meanwhile: impl Future<Output = ()>,
) -> Vec<Duration> {
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (service, stop) = (service.clone(), stop.clone());
        move || read_metadata(&service, count, &stop)
    });
    meanwhile.await;
    stop.store(true, Ordering::Relaxed);
    reader.join().expect("a reader")
}

/// Sets that were issued so far, whatever became of them.
fn issued(service: &Service) -> u64 {
    let view = service.view();
    view.state.accounts().flat_map(|own| own.instances.records()).map(|record| record.epoch).sum()
}

/// What rotation takes when nothing else happens.
async fn rotate_steadily() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = setup::config(setup::layer(folder.path()));
    config.rotation_interval = STEADY_INTERVAL;
    let opened = open(&config).await.expect("a data folder");
    let service = opened.service.clone();
    launch(&service, STEADY).await;
    let rotating = tokio::spawn(rotation::run(service.clone()));
    tokio::time::sleep(2 * STEADY_INTERVAL).await;
    let (began, before, cpu) = (Instant::now(), issued(&service), cpu_seconds());
    tokio::time::sleep(WATCHED).await;
    let (renewed, cpu, took) =
        (issued(&service) - before, cpu_seconds() - cpu, began.elapsed().as_secs_f64());
    println!(
        "steady    {STEADY:>9} each {STEADY_INTERVAL:?}: {:.0} renewals/s, {:.1}% of a core, {:.0} us CPU each",
        renewed as f64 / took,
        100.0 * cpu / took,
        cpu * 1e6 / renewed as f64
    );
    rotating.abort();
    let _ = rotating.await;
    drop(service);
    opened.close().await;
}

async fn rotate_all(count: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = setup::config(setup::layer(folder.path()));
    let opened = open(&config).await.expect("a data folder");
    let service = opened.service.clone();
    let began = Instant::now();
    launch(&service, count).await;
    println!("launched  {count:>9} in {:.2?}", began.elapsed());
    let rotating = tokio::spawn(rotation::run(service.clone()));
    let mut quiet = reads_during(&service, count, tokio::time::sleep(Duration::from_secs(4))).await;
    let (info, before) = (service.own_request("bench"), service.view().sequence);
    let began = Instant::now();
    let mut busy = reads_during(&service, count, async {
        let demand = Action::Rotation(RotationAction::RenewAll);
        service.perform(&info, "", AccountId::OPERATOR, demand).await.expect("a demand");
        while outstanding(&service) > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let took = began.elapsed();
    println!(
        "renewed   {count:>9} in {took:.2?}, durable and visible, {} records; metadata reads p99 {:.1} us before, \
         {:.1} us meanwhile",
        service.view().sequence - before,
        quantile(&mut quiet, 0.99),
        quantile(&mut busy, 0.99),
    );
    rotating.abort();
    let _ = rotating.await;
    drop((service, opened));
    let began = Instant::now();
    let opened = open(&config).await.expect("a data folder");
    println!("restart   {count:>9} in {:.2?}, from a snapshot", began.elapsed());
    drop(opened);
}

fn main() {
    if let Ok(count) = std::env::var(STATE_OF) {
        return states(count.parse().expect("a size"));
    }
    let largest = setting("FLEET_MAX", 1_000_000);
    let sizes = (4..).map(|power| 10_u64.pow(power)).take_while(|size| *size <= largest);
    for size in sizes.clone() {
        calendar(size);
    }
    for size in sizes {
        states_apart(size);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(rotate_steadily());
    runtime.block_on(rotate_all(setting("FLEET_ROTATED", 1_000_000)));
}
