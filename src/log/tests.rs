//! What the log promises: what was acknowledged is there, in order and unchanged, or the damage is told.

use std::fs;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn entry(text: &str) -> Entry {
    Entry {
        time: Timestamp::from_millis(1_764_000_000_000),
        accounts: vec!["111111111111".parse().unwrap()],
        payload: Bytes::copy_from_slice(text.as_bytes()),
        erasable: Vec::new(),
    }
}

fn payloads(log: &EventLog) -> Vec<String> {
    let records = log.read(Sequence(1), 100).unwrap().into_iter();
    let text = |r: Record| match r.payload() {
        Some(payload) => String::from_utf8(payload.to_vec()).unwrap(),
        None => "expired".to_owned(),
    };
    records.map(text).collect()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    found.sort();
    found
}

/// Protects durability: what was appended is there after opening anew, in order, under its account.
#[test]
fn appended_records_are_read_back_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let head = {
        let (log, recovery) = EventLog::open(folder.path()).unwrap();
        assert!(recovery.clean);
        log.append(&[entry("a"), entry("b")]).unwrap();
        log.append(&[entry("c")]).unwrap()
    };
    let (log, recovery) = EventLog::open(folder.path()).unwrap();
    assert_eq!(recovery, Recovery { head, clean: false, torn: None });
    assert_eq!(payloads(&log), ["a", "b", "c"]);
    let account = "111111111111".parse().unwrap();
    assert_eq!(log.of_account(account, Sequence(2), 10).unwrap(), [Sequence(2), Sequence(3)]);
    let other = "111111111112".parse().unwrap();
    assert!(log.of_account(other, Sequence(1), 10).unwrap().is_empty());
}

/// Protects the format on disk: another version must not write other bytes under the same version.
#[test]
fn a_record_has_these_bytes() {
    let (bytes, _) = record::encode(
        &[0; 32],
        Sequence(1),
        0,
        Timestamp::from_millis(1_764_000_000_000),
        b"fact",
    );
    let head = "4c5202000000000000000000000100000000000000000000019ab697e800";
    assert_eq!(hex::encode(&bytes[..30]), head);
    assert_eq!(&bytes[66..], b"fact");
    let mut chained = vec![0; 32];
    chained.extend_from_slice(&bytes[..30]);
    let digest = ring::digest::digest(&ring::digest::SHA256, b"fact");
    chained.extend_from_slice(digest.as_ref());
    let hash = ring::digest::digest(&ring::digest::SHA256, &chained);
    assert_eq!(&bytes[30..62], hash.as_ref());
}

/// Protects a served folder from a second server.
#[test]
fn a_second_opening_is_refused_and_names_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let (_log, _) = EventLog::open(folder.path()).unwrap();
    let error = EventLog::open(folder.path()).err().unwrap();
    let expected = format!("is in use by process {}", std::process::id());
    assert!(error.to_string().contains(&expected), "{error}");
}

/// Protects auditors: any changed byte in a table file is found, with the place.
#[test]
fn a_flipped_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (log, _) = EventLog::open(folder.path()).unwrap();
        for number in 0..20 {
            log.append(&[entry(&format!("fact {number}"))]).unwrap();
        }
    }
    // Opening once more moves the write-ahead log into a table file.
    drop(EventLog::open(folder.path()).unwrap());
    assert_eq!(verify(folder.path()).unwrap().damage, None);
    let mut flipped = 0;
    for table in files(folder.path(), ".sst") {
        let mut bytes = fs::read(&table).unwrap();
        let Some(at) = bytes.windows(4).position(|window| window == b"fact") else { continue };
        bytes[at + 1] ^= 1;
        fs::write(&table, bytes).unwrap();
        flipped += 1;
    }
    assert_eq!(flipped, 1);
    let told = match verify(folder.path()) {
        Ok(report) => report.damage.unwrap().to_string(),
        Err(error) => error.to_string(),
    };
    assert!(told.contains("offset") && told.contains(".sst"), "{told}");
}

/// Protects start-up: a write that a crash cut off is dropped, everything before it stays.
#[test]
fn a_torn_tail_is_cut_and_damage_before_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (log, _) = EventLog::open(folder.path()).unwrap();
        for number in 0..5 {
            log.append(&[entry(&format!("fact {number}"))]).unwrap();
        }
    }
    let wal = files(folder.path(), ".log").pop().unwrap();
    let whole = fs::read(&wal).unwrap();
    fs::write(&wal, &whole[..whole.len() - 10]).unwrap();
    {
        let (log, recovery) = EventLog::open(folder.path()).unwrap();
        assert_eq!(recovery.head.sequence, Sequence(4));
        assert!(!recovery.clean);
        assert_eq!(log.append(&[entry("next")]).unwrap().sequence, Sequence(5));
    }
}

/// Protects acknowledged records: if fewer are there than an orderly stop left, nothing is served.
#[test]
fn lost_records_are_told() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (log, _) = EventLog::open(folder.path()).unwrap();
        log.append(&[entry("a")]).unwrap();
        log.append(&[entry("b")]).unwrap();
        log.mark_clean().unwrap();
    }
    let wal = files(folder.path(), ".log").pop().unwrap();
    let whole = fs::read(&wal).unwrap();
    fs::write(&wal, &whole[..whole.len() - 10]).unwrap();
    let error = EventLog::open(folder.path()).err().unwrap();
    assert_eq!(error.to_string(), "the log ends at record 1, but record 2 was acknowledged");
}

/// Protects the chain: a record that is rewritten with a good checksum still shows.
#[test]
fn a_rewritten_record_breaks_the_chain() {
    let first = record::encode(&[0; 32], Sequence(1), 0, Timestamp::from_millis(0), b"a").1;
    let (bytes, _) = record::encode(&first, Sequence(2), 0, Timestamp::from_millis(0), b"b");
    let second = record::decode(Sequence(2), &bytes).unwrap();
    assert!(record::follows(&first, &second));
    let rewritten = record::encode(&[0; 32], Sequence(1), 0, Timestamp::from_millis(0), b"x").1;
    assert!(!record::follows(&rewritten, &second));
}

/// Protects restart: a damaged snapshot is passed over for the one before.
#[test]
fn a_damaged_snapshot_falls_back_to_the_older() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = EventLog::open(folder.path()).unwrap();
    for number in 1..=3 {
        log.append(&[entry("x")]).unwrap();
        log.write_snapshot(Sequence(number), &SnapshotPace::full(), &mut |out| {
            write!(out, "state {number}")
        })
        .unwrap();
    }
    let newest = folder.path().join("snapshots").join(format!("{:020}.snap", 3));
    let mut bytes = fs::read(&newest).unwrap();
    bytes[50] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let (sequence, mut body) = log.snapshots().next().unwrap();
    let mut text = String::new();
    body.read_to_string(&mut text).unwrap();
    assert_eq!((sequence, text.as_str()), (Sequence(2), "state 2"));
    let kept = fs::read_dir(folder.path().join("snapshots")).unwrap().count();
    assert_eq!(kept, 2);
}

/// Protects the writer: a limit is told before anything is written.
#[test]
fn an_append_over_the_limit_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = EventLog::open(folder.path()).unwrap();
    let many = vec![entry("x"); APPEND_ENTRIES_MAX + 1];
    assert_eq!(log.append(&many), Err(AppendError::TooLarge));
    assert_eq!(log.head(), Head::default());
    assert!(log.append(&[entry("x")]).is_ok());
}

proptest! {
    /// Protects readers from any bytes on disk.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(record::decode(Sequence(1), &bytes).is_err());
    }

    /// Protects the checksum: no single flipped bit goes unnoticed.
    #[test]
    fn no_flipped_bit_goes_unnoticed(bit in 0..8u32, at in 0..70usize) {
        let (mut bytes, _) =
            record::encode(&[7; 32], Sequence(9), 0, Timestamp::from_millis(5), b"fact");
        bytes[at] ^= 1 << bit;
        prop_assert!(record::decode(Sequence(9), &bytes).is_err());
    }
}

/// Whether any file of the folder holds the bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    let files = fs::read_dir(folder.join("log")).unwrap();
    files.into_iter().any(|entry| {
        let read = fs::read(entry.unwrap().path()).unwrap();
        read.windows(bytes.len()).any(|window| window == bytes)
    })
}

fn changing(change: Erasable) -> Entry {
    let account = "111111111111".parse().unwrap();
    Entry { erasable: vec![(account, change)], ..entry("changed") }
}

/// Protects what was to be forgotten: a value that was deleted or replaced is in no file any more, others
/// and the records stay; what a crash left to erase is erased when the log is opened.
#[test]
fn what_is_erased_is_in_no_file() {
    let account = "111111111111".parse().unwrap();
    let value = |byte: u8| Bytes::from(vec![byte; 40]);
    for crash in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = EventLog::open(folder.path()).unwrap();
        log.append(&[entry("a"), changing(Erasable::New(value(0xa1)))]).unwrap();
        let other = "222222222222".parse().unwrap();
        let kept = Entry { erasable: vec![(other, Erasable::New(value(0xb1)))], ..entry("b") };
        log.append(&[kept]).unwrap();
        assert!(holds(folder.path(), &value(0xa1)));
        log.append(&[changing(Erasable::Replace(value(0xa2)))]).unwrap();
        log.erase().unwrap();
        assert!(!holds(folder.path(), &value(0xa1)));
        assert_eq!(log.erasable(account).unwrap(), Some(value(0xa2)));
        let head = log.append(&[changing(Erasable::Delete)]).unwrap();
        let log = if crash {
            assert!(holds(folder.path(), &value(0xa2)), "a crash leaves it");
            drop(log);
            EventLog::open(folder.path()).unwrap().0
        } else {
            log.erase().unwrap();
            log
        };
        assert!(!holds(folder.path(), &value(0xa2)));
        assert_eq!(log.erasable(account).unwrap(), None);
        assert_eq!(log.erasable(other).unwrap(), Some(value(0xb1)));
        assert_eq!(payloads(&log), ["a", "changed", "b", "changed", "changed"]);
        assert_eq!(log.head(), head);
        assert_eq!(verify(folder.path()).unwrap().damage, None);
        log.erase().unwrap();
    }
}

/// Protects those who delete at the same time: each deletion waits for its own files and no other holds them.
#[test]
fn several_erase_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = EventLog::open(folder.path()).unwrap();
    log.append(&[changing(Erasable::New(Bytes::from(vec![0xc1; 40])))]).unwrap();
    std::thread::scope(|scope| {
        for byte in 0..4 {
            let log = &log;
            scope.spawn(move || {
                let value = Bytes::from(vec![0xc2 + byte; 40]);
                log.append(&[changing(Erasable::Replace(value))]).unwrap();
                log.erase().unwrap();
            });
        }
    });
    assert!(!holds(folder.path(), &[0xc1; 40]));
}

/// Protects auditors of a bounded history: what expired is gone from the account's history and its payload from the
/// record, unless another account retains it; the chain is still whole, also when the log is opened anew, and a
/// record that was changed still shows.
#[test]
fn expired_records_stay_in_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = EventLog::open(folder.path()).unwrap();
    let account: AccountId = "111111111111".parse().unwrap();
    let texts = ["a", "b", "c", "d", "e"];
    let head = log.append(&texts.map(entry)).unwrap();
    assert_eq!(log.oldest_of_newest(account, 5).unwrap(), None);
    assert_eq!(log.oldest_of_newest(account, 2).unwrap(), Some(Sequence(4)));
    assert_eq!(log.oldest_of_newest(account, 0).unwrap(), Some(Sequence(6)));
    let gone = [1, 3].map(|number| log.read_one(Sequence(number)).unwrap().unwrap());
    log.expire(account, &gone, Sequence(4)).unwrap();
    for log in [log, { EventLog::open_to_read(folder.path()).unwrap() }] {
        assert_eq!(log.of_account(account, Sequence(1), 10).unwrap(), [Sequence(4), Sequence(5)]);
        assert_eq!(log.retained_from(account).unwrap(), Sequence(4));
        assert_eq!(payloads(&log), ["expired", "b", "expired", "d", "e"]);
        assert_eq!(log.head(), head);
    }
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.records, report.expired, report.damage), (5, 2, None));
    let stub = |payload: &[u8]| {
        let time = Timestamp::from_millis(0);
        let (bytes, hash) = record::encode(&[0; 32], Sequence(1), 0, time, payload);
        let whole = record::decode(Sequence(1), &bytes).unwrap();
        let stub = record::decode(Sequence(1), &record::expired(&whole).unwrap()).unwrap();
        assert_eq!(stub.hash, hash);
        stub
    };
    assert!(record::follows(&[0; 32], &stub(b"a")));
    let changed = Record { content: stub(b"x").content, ..stub(b"a") };
    assert!(!record::follows(&[0; 32], &changed), "another digest than was written");
}

/// Protects an orderly stop: a snapshot that is hurried while it is written with rests is whole.
#[test]
fn a_snapshot_can_be_hurried() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = EventLog::open(folder.path()).unwrap();
    log.append(&[entry("a")]).unwrap();
    let (pace, part) = (SnapshotPace::gentle(), vec![7; 1 << 20]);
    let write = &mut |out: &mut dyn Write| {
        out.write_all(&part)?;
        pace.hurry();
        out.write_all(&part)
    };
    log.write_snapshot(Sequence(1), &pace, write).unwrap();
    let (sequence, mut body) = log.snapshots().next().unwrap();
    let mut read = Vec::new();
    body.read_to_end(&mut read).unwrap();
    assert_eq!((sequence, read), (Sequence(1), part.repeat(2)));
}

/// Protects the way back: nothing may expire that replay from the older of two snapshots needs.
#[test]
fn what_replay_needs_does_not_expire() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = EventLog::open(folder.path()).unwrap();
    log.append(&["a", "b", "c", "d"].map(entry)).unwrap();
    assert_eq!(log.expirable_before(), Sequence(0));
    log.write_snapshot(Sequence(2), &SnapshotPace::gentle(), &mut |out| write!(out, "state"))
        .unwrap();
    assert_eq!(log.expirable_before(), Sequence(0), "one snapshot may be damaged");
    log.write_snapshot(Sequence(4), &SnapshotPace::full(), &mut |out| write!(out, "state"))
        .unwrap();
    assert_eq!(log.expirable_before(), Sequence(3));
}
