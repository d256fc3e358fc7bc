//! What the log costs as it grows, and how long a service takes to start over it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use locum::clock::Timestamp;
use locum::domain::event::{EventKind, InstanceEvent};
use locum::domain::rotation::{IssuingRole, RenewedSet, RotationEvent};
use locum::identity::{AssociationId, InstanceId, PackedKeyId, hex_id};
use locum::ledger::{Ledger, SNAPSHOT_EVERY_FACTS};
use locum::log::{Entry, EventLog, Sequence};

use super::facts::{START, entry, first_entry};
use super::figures::{bytes, median, scattered};
use super::instances;
use super::setup::account;

/// Instances of the state that the log leads to, at most.
const INSTANCES_MAX: u64 = 100_000;
/// Records of one append while the log is filled.
const BATCH: u64 = 1000;
/// Records of a write that is measured, and how many are.
const MEASURED_BATCH: u64 = 64;
const WRITES: usize = 200;
const READS: u64 = 5000;
/// RocksDB sorts what it was filled with for a while; no log is filled as fast in use.
const SETTLING: Duration = Duration::from_secs(15);
const PAGE: usize = 100;

/// What the record of this number says: the first make instances, of ten accounts, whose sets all others renew.
fn told(number: u64, instances: u64) -> Entry {
    let owner = account(number % 10);
    let instance: InstanceId = hex_id("i-", bytes(number % instances)).parse().expect("an id");
    let association: AssociationId =
        hex_id("iip-assoc-", bytes(number % instances)).parse().expect("an id");
    if number < instances {
        let launched = EventKind::Instance(InstanceEvent::Launched {
            id: instance.clone(),
            facts: instances::facts(),
            private_ip: None,
        });
        let associated = EventKind::Instance(InstanceEvent::ProfileAssociated {
            association,
            instance,
            profile: "app".parse().expect("a name"),
            profile_id: "AIPAAAAAAAAAAAAAAAAA".parse().expect("an id"),
            generation: 1,
        });
        return entry(owner, vec![launched, associated]);
    }
    let role = IssuingRole {
        name: "app".parse().expect("a name"),
        path: locum::identity::Path::default(),
        id: "AROAAAAAAAAAAAAAAAAA".parse().expect("an id"),
    };
    let set = RenewedSet {
        instance: (&instance).into(),
        association: (&association).into(),
        epoch: number / instances,
        key: PackedKeyId::temporary([7; 10]),
    };
    let issued_at = Timestamp::from_unix_seconds(START);
    let renewed = RotationEvent::Renewed {
        role: Arc::new(role),
        issued_at,
        expires_at: issued_at.plus(Duration::from_secs(6 * 3600)),
        sets: [set].into(),
    };
    entry(owner, vec![EventKind::Rotation(renewed)])
}

/// A log with the accounts, and nothing else yet.
fn begin(log: &EventLog) {
    let first: Vec<_> = (0..10).map(|number| first_entry(account(number))).collect();
    log.append(&first).expect("a write");
}

/// Where the log stands while it grows.
struct Growing {
    instances: u64,
    written: u64,
}

impl Growing {
    fn next(&mut self, count: u64) -> Vec<Entry> {
        let from = self.written;
        self.written += count;
        (from..self.written).map(|number| told(number, self.instances)).collect()
    }

    fn fill(&mut self, log: &EventLog, until: u64) {
        while self.written < until {
            let entries = self.next(BATCH.min(until - self.written));
            log.append(&entries).expect("a write");
        }
    }
}

/// Microseconds that `work` takes.
fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1e6
}

/// Microseconds of a durable write, of a read of one record and of one page of an account, in the middle.
fn costs(log: &EventLog, growing: &mut Growing) -> [f64; 3] {
    let writes = (0..WRITES).map(|_| {
        let entries = growing.next(MEASURED_BATCH);
        timed(|| {
            log.append(&entries).expect("a write");
        })
    });
    let writes = writes.collect();
    let anywhere = |number| Sequence(1 + scattered(number) % growing.written);
    let reads = (0..READS).map(|number| {
        timed(|| drop(log.read_one(anywhere(number)).expect("a read").expect("a record")))
    });
    let pages = (0..READS / 10).map(|number| {
        let owner = account(number % 10);
        timed(|| drop(log.of_account(owner, anywhere(number), PAGE).expect("a page")))
    });
    [median(writes), median(reads.collect()), median(pages.collect())]
}

/// Opens the folder as a service does; closing it then writes a snapshot.
fn start(folder: &Path) -> (Duration, u64) {
    let began = Instant::now();
    let (log, _) = EventLog::open(folder).expect("a log");
    let (ledger, writer, opened) = Ledger::open(log).expect("a ledger");
    let took = began.elapsed();
    drop((writer, ledger));
    (took, opened.sequence - opened.snapshot_sequence)
}

/// Measures at powers of ten up to `largest` records, and prints.
pub(super) async fn measure(largest: u64) {
    tokio::task::spawn_blocking(move || grow(largest)).await.expect("a log that grows");
}

fn grow(largest: u64) {
    let mut seen = BTreeMap::new();
    for size in (4..).map(|power| 10_u64.pow(power)).take_while(|size| *size <= largest) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut growing = Growing { instances: INSTANCES_MAX.min(size / 10), written: 0 };
        let (log, _) = EventLog::open(folder.path()).expect("a log");
        begin(&log);
        // As long before the end as a snapshot can be.
        growing.fill(&log, size.saturating_sub(SNAPSHOT_EVERY_FACTS).max(size / 2));
        drop(log);
        let (whole, replayed) = start(folder.path());
        let (log, _) = EventLog::open(folder.path()).expect("a log");
        growing.fill(&log, size);
        std::thread::sleep(SETTLING);
        let [write, read, page] = costs(&log, &mut growing);
        let megabytes = log.bytes_on_disk() >> 20;
        drop(log);
        let (recent, after) = start(folder.path());
        println!(
            "log       {size:>9} records, {megabytes} MiB: write of {MEASURED_BATCH} {write:.0} us, read of one \
             {read:.1} us, page of an account {page:.0} us; start {recent:.2?} from a snapshot {after} records old, \
             {whole:.2?} from none ({replayed} records)"
        );
        seen.insert(size, [write, read, page, recent.as_secs_f64(), whole.as_secs_f64()]);
    }
    foretell(&seen);
}

/// Prints what ten times the largest size would cost, if that step costs as the last one did. Nothing gets cheaper as
/// a log grows: a last step that says so was noise.
fn foretell(seen: &BTreeMap<u64, [f64; 5]>) {
    let mut newest = seen.iter().rev();
    let (Some((size, last)), Some((_, before))) = (newest.next(), newest.next()) else { return };
    let mut next = *last;
    for (next, before) in next.iter_mut().zip(before) {
        *next *= (*next / before).max(1.0);
    }
    let [write, read, page, recent, whole] = next;
    println!(
        "log       {:>9} records, if the next step costs as the last one did and no less: write {write:.0} us, \
         read of one {read:.1} us, page {page:.0} us; start {recent:.2} s from a snapshot, {whole:.2} s from none",
        size * 10
    );
}
