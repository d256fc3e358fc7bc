//! What leading the log back to the state costs: opening a ledger over 100 000 launches without a snapshot,
//! and over its snapshot; beside a bare scan of the same records.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/facts.rs"]
mod facts;

use std::sync::Arc;
use std::time::Instant;

use facts::{entry, first_entry};
use locum::domain::event::{EventKind, InstanceEvent, InstanceFacts};
use locum::domain::metadata::MetadataOptions;
use locum::identity::{AccountId, InstanceId, hex_id};
use locum::ledger::Ledger;
use locum::log::{EventLog, Sequence};

const INSTANCES: u64 = 100_000;
/// Records of one append.
const BATCH: usize = 1000;

fn launched(number: u64) -> EventKind {
    let mut random = [0; 9];
    random[..8].copy_from_slice(&number.to_be_bytes());
    let id: InstanceId = hex_id("i-", random).parse().expect("an id");
    let facts = InstanceFacts {
        image_id: Arc::from("ami-1"),
        instance_type: Arc::from("m1.small"),
        region: Arc::from("us-east-1"),
        zone: Arc::from("us-east-1a"),
        agent: None,
        agent_id: None,
        tags: std::collections::BTreeMap::new(),
        metadata: MetadataOptions::default(),
    };
    EventKind::Instance(InstanceEvent::Launched { id, facts, private_ip: None })
}

fn report(what: &str, began: Instant, bare: Option<f64>) -> f64 {
    let rate = INSTANCES as f64 / began.elapsed().as_secs_f64();
    let ratio = bare.map(|bare| format!("{:.2} of the bare scan", rate / bare));
    println!("{what:<28} {rate:>10.0} records/s  {}", ratio.unwrap_or_default());
    rate
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let account: AccountId = "111111111111".parse().expect("an account");
    {
        let (log, _) = EventLog::open(folder.path()).expect("a log");
        log.append(&[first_entry(account)]).expect("a write");
        for first in (0..INSTANCES).step_by(BATCH) {
            let entries: Vec<_> =
                (first..first + BATCH as u64).map(|n| entry(account, vec![launched(n)])).collect();
            log.append(&entries).expect("a write");
        }
    }
    let began = Instant::now();
    let bare = {
        let log = EventLog::open_to_read(folder.path()).expect("a log");
        let mut next = Sequence(1);
        while let Some(last) = log.read(next, BATCH).expect("records").last() {
            next = last.sequence.next();
        }
        report("bare scan, chain checked", began, None)
    };
    for what in ["replay of the log", "from a snapshot"] {
        let (log, _) = EventLog::open(folder.path()).expect("a log");
        let began = Instant::now();
        let (ledger, writer, opened) = Ledger::open(log).expect("a ledger");
        report(what, began, Some(bare));
        assert_eq!(opened.sequence, INSTANCES + 1);
        // Writes the snapshot that the next round starts from.
        drop(writer);
        drop(ledger);
    }
}
