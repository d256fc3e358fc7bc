//! What appending to the log costs for 1, 64 and 1024 records of 300 bytes in one durable write, beside a
//! bare synced RocksDB write of the same bytes and a bare fdatasync, measured in the same run.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/fixed.rs"]
mod fixed;

use std::fs::File;
use std::io::Write as _;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group};
use locum::clock::Timestamp;
use locum::identity::AccountId;
use locum::log::{Entry, EventLog};
use rocksdb::{DB, WriteBatch, WriteOptions};

/// Bytes of a payload: a little more than an issued session takes.
const PAYLOAD: usize = 300;
/// Bytes of a record around its payload, and of its keys.
const OVERHEAD: usize = 66 + 10 + 18;
/// Records in a write, and writes where a fixed amount of work is asked for, times its factor.
const SIZES: [(usize, u32); 3] = [(1, 100), (64, 50), (1024, 10)];

fn entries(size: usize) -> Vec<Entry> {
    let entry = Entry {
        time: Timestamp::from_unix_seconds(1_780_000_000),
        accounts: vec![AccountId::OPERATOR],
        payload: Bytes::from(vec![7; PAYLOAD]),
        erasable: Vec::new(),
    };
    vec![entry; size]
}

fn append(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, _) = EventLog::open(&folder.path().join("log")).expect("a log");
    let bare = DB::open_default(folder.path().join("bare")).expect("a database");
    let mut group = c.benchmark_group("append");
    group.sample_size(30);
    for (size, _) in SIZES {
        let entries = entries(size);
        group.bench_function(BenchmarkId::new("log", size), |b| {
            b.iter(|| log.append(&entries).expect("a write"));
        });
        let mut number = 0_u64;
        group.bench_function(BenchmarkId::new("bare RocksDB", size), |b| {
            b.iter(|| {
                let mut batch = WriteBatch::default();
                for _ in 0..size {
                    number += 1;
                    batch.put(number.to_be_bytes(), [7; PAYLOAD + OVERHEAD]);
                }
                let mut options = WriteOptions::default();
                options.set_sync(true);
                bare.write_opt(batch, &options).expect("a write");
            });
        });
    }
    let mut file = File::create(folder.path().join("file")).expect("a file");
    group.bench_function("bare fdatasync of 4 KiB", |b| {
        b.iter(|| {
            file.write_all(&[7; 4096]).expect("a write");
            file.sync_data().expect("a sync");
        });
    });
    group.finish();
}

criterion_group!(benches, append);

fn main() {
    if fixed::factor().is_none() {
        benches();
        Criterion::default().configure_from_args().final_summary();
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (log, _) = EventLog::open(folder.path()).expect("a log");
    for (size, writes) in SIZES {
        let entries = entries(size);
        fixed::part(&format!("log {size}"), writes, || {
            log.append(&entries).expect("a write");
        });
    }
}
