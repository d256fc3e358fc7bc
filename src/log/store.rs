//! The log in RocksDB: opening, appending, reading.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Direction,
    IteratorMode, Options, WriteBatch, WriteOptions,
};

use super::lock::FolderLock;
use super::wal::{self, Place};
use super::{
    APPEND_BYTES_MAX, APPEND_ENTRIES_MAX, AppendError, Entry, Head, OpenError, ReadError, Record,
    Recovery, Sequence, SnapshotPace, keys, record, snapshot,
};
use crate::clock::Timestamp;
use crate::identity::AccountId;

/// Files that RocksDB keeps open.
const OPEN_FILES_MAX: i32 = 512;
/// Bytes of write-ahead log after which RocksDB flushes.
const WAL_BYTES_MAX: u64 = 256 << 20;
/// Bytes of one of RocksDB's own info logs, and how many are kept.
const INFO_LOG_BYTES_MAX: usize = 4 << 20;
const INFO_LOGS_KEPT: usize = 3;
/// Bytes of RocksDB's tables that are written before they are synced: synced whole, they make the log's small writes
/// wait.
const TABLE_BYTES_UNSYNCED: u64 = 1 << 20;
/// Tables in memory of one family, of 64 MiB each. All families are flushed one after another when the write-ahead log
/// has reached its size, and one whose tables have all to be flushed takes no write until the first is: with RocksDB's
/// own two, the log then stood still for a second. The size of the write-ahead log bounds what they hold together.
const MEMTABLES_MAX: i32 = 8;
/// Bytes of a table in memory of the index by account. Its keys come in no order: a table as large as the others' does
/// not fit the processor's caches, and an entry in it took 15% of the CPU of a session.
const INDEX_TABLE_BYTES: usize = 8 << 20;
/// Its files are as much smaller: so many are compacted at once, and so many make writes slow and stop them.
const INDEX_FILES_COMPACTED: i32 = 16;
const INDEX_FILES_SLOW: i32 = 64;
const INDEX_FILES_MAX: i32 = 96;
/// The leader's term; one node has none.
const TERM: u64 = 0;

/// The log of a data folder. One per folder and machine.
pub struct EventLog {
    pub(super) db: DB,
    folder: PathBuf,
    end: Mutex<End>,
    /// Held by whoever erases: of two at once, one can keep files that the other waits for.
    pub(super) erasing: Mutex<()>,
    _lock: Option<FolderLock>,
}

pub(super) struct End {
    head: Head,
    stopped: Option<String>,
}

fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    // A write cut off by a crash is dropped; damage anywhere else is an error.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_max_open_files(OPEN_FILES_MAX);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_bytes_per_sync(TABLE_BYTES_UNSYNCED);
    options.set_max_log_file_size(INFO_LOG_BYTES_MAX);
    options.set_keep_log_file_num(INFO_LOGS_KEPT);
    options
}

fn families() -> Vec<ColumnFamilyDescriptor> {
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_max_write_buffer_number(MEMTABLES_MAX);
    let named = |name| ColumnFamilyDescriptor::new(name, options.clone());
    let mut families: Vec<_> = [keys::RECORDS, keys::META].into_iter().map(named).collect();
    let mut index = options.clone();
    index.set_write_buffer_size(INDEX_TABLE_BYTES);
    index.set_level_zero_file_num_compaction_trigger(INDEX_FILES_COMPACTED);
    index.set_level_zero_slowdown_writes_trigger(INDEX_FILES_SLOW);
    index.set_level_zero_stop_writes_trigger(INDEX_FILES_MAX);
    families.push(ColumnFamilyDescriptor::new(keys::BY_ACCOUNT, index));
    // Sealed bytes do not compress.
    options.set_compression_type(DBCompressionType::None);
    families.push(ColumnFamilyDescriptor::new(keys::ERASABLE, options));
    families
}

/// Fails with the place where the write-ahead log is damaged; answers where it is torn.
fn check_wal(folder: &Path) -> Result<Option<Place>, OpenError> {
    let condition =
        wal::inspect(folder).map_err(|source| OpenError::Io { path: folder.to_owned(), source })?;
    match condition.corrupt {
        Some(place) => Err(OpenError::Corrupt(place)),
        None => Ok(condition.torn),
    }
}

impl EventLog {
    /// Opens the log of `folder` for writing, making it if there is none.
    ///
    /// # Errors
    /// Another process has it, it is damaged, or it is of a newer format.
    pub fn open(folder: &Path) -> Result<(Self, Recovery), OpenError> {
        fs::create_dir_all(folder)
            .map_err(|source| OpenError::Io { path: folder.to_owned(), source })?;
        let lock = FolderLock::acquire(folder)?;
        let torn = check_wal(&folder.join("log"))?;
        let db = DB::open_cf_descriptors(&options(), folder.join("log"), families())
            .map_err(|error| OpenError::Store(error.into_string()))?;
        let log = Self::with(db, folder, Some(lock))?;
        log.check_format(true)?;
        log.erase()?;
        let head = log.head();
        let marker = folder.join("CLEAN");
        let clean = read_marker(&marker);
        let known =
            snapshot::list(&log.snapshot_folder()).into_iter().map(|(sequence, _)| sequence);
        let expected = known.chain(clean).max().unwrap_or_default();
        if head.sequence < expected {
            return Err(OpenError::Lost { expected, found: head.sequence });
        }
        // From here on the log grows past the marker.
        if clean.is_some() {
            fs::remove_file(&marker).map_err(|source| OpenError::Io { path: marker, source })?;
        }
        let clean = clean.is_some() || head.sequence.0 == 0;
        Ok((log, Recovery { head, clean, torn }))
    }

    /// Opens the log of `folder` to read what is there now, also while a server has it.
    ///
    /// # Errors
    /// There is no log, or it is damaged.
    pub fn open_to_read(folder: &Path) -> Result<Self, OpenError> {
        let mut options = options();
        options.create_if_missing(false);
        check_wal(&folder.join("log"))?;
        let db = DB::open_cf_descriptors_read_only(&options, folder.join("log"), families(), false)
            .map_err(|error| OpenError::Store(error.into_string()))?;
        let log = Self::with(db, folder, None)?;
        log.check_format(false)?;
        Ok(log)
    }

    fn with(db: DB, folder: &Path, lock: Option<FolderLock>) -> Result<Self, OpenError> {
        let end = Mutex::new(End { head: Head::default(), stopped: None });
        let erasing = Mutex::new(());
        let log = Self { db, folder: folder.to_owned(), end, erasing, _lock: lock };
        if let Some(last) = log.last()? {
            let head = Head { sequence: last.sequence, hash: last.hash };
            log.lock_end().head = head;
        }
        Ok(log)
    }

    fn check_format(&self, write: bool) -> Result<(), OpenError> {
        let store = |error: rocksdb::Error| OpenError::Store(error.into_string());
        let meta = self.family(keys::META).map_err(OpenError::Store)?;
        match self.db.get_cf(meta, keys::META_FORMAT).map_err(store)?.as_deref() {
            Some([keys::FORMAT]) => Ok(()),
            Some(other) => {
                let found = other.first().copied().unwrap_or_default();
                Err(OpenError::Format { found, known: keys::FORMAT })
            }
            None if write => self.db.put_cf(meta, keys::META_FORMAT, [keys::FORMAT]).map_err(store),
            None => Ok(()),
        }
    }

    pub(super) fn family(&self, name: &str) -> Result<&ColumnFamily, String> {
        self.db.cf_handle(name).ok_or_else(|| format!("the column family `{name}` is missing"))
    }

    /// Keeps appends away while it is held.
    pub(super) fn lock_end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> Result<Option<Record>, ReadError> {
        let store = |what: String| ReadError::Store { after: Sequence::default(), what };
        let records = self.family(keys::RECORDS).map_err(store)?;
        let Some(item) = self.db.iterator_cf(records, IteratorMode::End).next() else {
            return Ok(None);
        };
        let (key, value) = item.map_err(|error| store(error.into_string()))?;
        let sequence =
            keys::sequence_of(&key).ok_or_else(|| store("a key is too short".to_owned()))?;
        record::decode(sequence, &value).map(Some)
    }

    /// The end of the log.
    #[must_use]
    pub fn head(&self) -> Head {
        self.lock_end().head
    }

    /// Appends all entries in one synced write, each as the next record.
    ///
    /// # Errors
    /// Nothing was written for `TooLarge`. After a failed write the log is stopped for good.
    pub fn append(&self, entries: &[Entry]) -> Result<Head, AppendError> {
        let bytes: usize = entries.iter().map(|entry| entry.payload.len()).sum();
        if entries.len() > APPEND_ENTRIES_MAX || bytes > APPEND_BYTES_MAX {
            return Err(AppendError::TooLarge);
        }
        let mut end = self.lock_end();
        if let Some(reason) = &end.stopped {
            return Err(AppendError::Stopped(reason.clone()));
        }
        match self.write(end.head, entries) {
            Ok(head) => {
                end.head = head;
                Ok(head)
            }
            Err(reason) => {
                end.stopped = Some(reason.clone());
                Err(AppendError::Stopped(reason))
            }
        }
    }

    fn write(&self, mut head: Head, entries: &[Entry]) -> Result<Head, String> {
        let records = self.family(keys::RECORDS)?;
        let by_account = self.family(keys::BY_ACCOUNT)?;
        let mut batch = WriteBatch::default();
        let mut index = Vec::with_capacity(entries.len());
        for entry in entries {
            let sequence = head.sequence.next();
            let (bytes, hash) =
                record::encode(&head.hash, sequence, TERM, entry.time, &entry.payload);
            batch.put_cf(records, keys::record(sequence), bytes);
            index.extend(entry.accounts.iter().map(|account| (*account, sequence)));
            for (account, change) in &entry.erasable {
                self.change(&mut batch, sequence, *account, change)?;
            }
            head = Head { sequence, hash };
        }
        // In order: neighbours are found in the same lines of the caches.
        index.sort_unstable();
        for (account, sequence) in index {
            batch.put_cf(by_account, keys::by_account(account, sequence), b"");
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db.write_opt(batch, &options).map_err(rocksdb::Error::into_string)?;
        Ok(head)
    }

    /// Up to `limit` records from `from` on, each checked, and the chain between them and before them.
    ///
    /// # Errors
    /// A record is damaged or missing; the error names it.
    pub fn read(&self, from: Sequence, limit: usize) -> Result<Vec<Record>, ReadError> {
        let from = from.max(Sequence(1));
        let before = Sequence(from.0.saturating_sub(1));
        let mut previous = match self.read_one(before)? {
            Some(record) => record.hash,
            None => [0; 32],
        };
        let mut after = before;
        let store = |after, what: String| ReadError::Store { after, what };
        let family = self.family(keys::RECORDS).map_err(|what| store(after, what))?;
        let mut records = Vec::new();
        let key = keys::record(from);
        for item in self.db.iterator_cf(family, IteratorMode::From(&key, Direction::Forward)) {
            if records.len() == limit {
                break;
            }
            let (key, value) = item.map_err(|error| store(after, error.into_string()))?;
            let expected = after.next();
            if keys::sequence_of(&key) != Some(expected) {
                let what = "it is missing".to_owned();
                return Err(ReadError::Corrupt { sequence: expected, what });
            }
            let record = record::decode(expected, &value)?;
            if !record::follows(&previous, &record) {
                let what = "it does not follow its predecessor in the hash chain".to_owned();
                return Err(ReadError::Corrupt { sequence: expected, what });
            }
            previous = record.hash;
            after = expected;
            records.push(record);
        }
        Ok(records)
    }

    /// One record, if it is there.
    ///
    /// # Errors
    /// It is damaged.
    pub fn read_one(&self, sequence: Sequence) -> Result<Option<Record>, ReadError> {
        if sequence.0 == 0 {
            return Ok(None);
        }
        let store = |what| ReadError::Store { after: Sequence(sequence.0.saturating_sub(1)), what };
        let family = self.family(keys::RECORDS).map_err(store)?;
        let found = self.db.get_pinned_cf(family, keys::record(sequence));
        match found.map_err(|error| store(error.into_string()))? {
            Some(bytes) => record::decode(sequence, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The numbers of up to `limit` records of an account that are retained, from `from` on.
    ///
    /// # Errors
    /// RocksDB cannot read.
    pub fn of_account(
        &self,
        account: AccountId,
        from: Sequence,
        limit: usize,
    ) -> Result<Vec<Sequence>, ReadError> {
        let store = |what| ReadError::Store { after: from, what };
        let family = self.family(keys::BY_ACCOUNT).map_err(store)?;
        let key = keys::by_account(account, from.max(self.retained_from(account)?));
        let mut found = Vec::new();
        for item in self.db.iterator_cf(family, IteratorMode::From(&key, Direction::Forward)) {
            let (key, _) = item.map_err(|error| store(error.into_string()))?;
            if found.len() == limit || !keys::is_of(account, &key) {
                break;
            }
            found.extend(keys::sequence_of(&key));
        }
        Ok(found)
    }

    /// The first record decided at `time` or later, by halving: records are in the order of their times but
    /// for jumps of the clock, which move the answer by no more than the jump.
    ///
    /// # Errors
    /// A record on the way is damaged.
    pub fn first_since(&self, time: Timestamp) -> Result<Sequence, ReadError> {
        let (mut low, mut high) = (1, self.head().sequence.0.saturating_add(1));
        while low < high {
            let middle = low.midpoint(high);
            let earlier = self.read_one(Sequence(middle))?.is_none_or(|record| record.time < time);
            if earlier {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(Sequence(low))
    }

    pub(super) fn snapshot_folder(&self) -> PathBuf {
        self.folder.join("snapshots")
    }

    /// Writes a snapshot of what the log made true up to `sequence`.
    ///
    /// # Errors
    /// The file cannot be written, or there is no such record.
    pub fn write_snapshot(
        &self,
        sequence: Sequence,
        pace: &SnapshotPace,
        body: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let record = self.read_one(sequence).map_err(io::Error::other)?;
        let record = record.ok_or_else(|| io::Error::other("no record for the snapshot"))?;
        let head = Head { sequence, hash: record.hash };
        snapshot::write(&self.snapshot_folder(), head, pace, body)
    }

    /// Every whole snapshot that belongs to this log, newest first. A damaged one is left out and said.
    pub fn snapshots(&self) -> impl Iterator<Item = (Sequence, Box<dyn Read + Send>)> + '_ {
        snapshot::list(&self.snapshot_folder()).into_iter().filter_map(|(sequence, path)| {
            let opened = snapshot::open(&path).and_then(|(head, body)| {
                let record = self.read_one(head.sequence).map_err(io::Error::other)?;
                if record.is_none_or(|record| record.hash != head.hash) {
                    return Err(io::Error::other("it is of another history"));
                }
                Ok((head.sequence, Box::new(body) as Box<dyn Read + Send>))
            });
            match opened {
                Ok(snapshot) => Some(snapshot),
                Err(error) => {
                    tracing::warn!(%sequence, %error, "a snapshot cannot be used");
                    None
                }
            }
        })
    }

    /// Bytes of the log's files, the write-ahead log among them; 0 where the folder cannot be read.
    #[must_use]
    pub fn bytes_on_disk(&self) -> u64 {
        let entries = fs::read_dir(self.folder.join("log")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
    }

    /// Marks an orderly stop: everything is on disk, and the next opening knows where the log ended.
    ///
    /// # Errors
    /// The marker cannot be written.
    pub fn mark_clean(&self) -> io::Result<()> {
        let head = self.head();
        let path = self.folder.join("CLEAN");
        let mut file = fs::File::create(path)?;
        writeln!(file, "{}", head.sequence)?;
        file.sync_all()
    }
}

fn read_marker(path: &Path) -> Option<Sequence> {
    let text = fs::read_to_string(path).ok()?;
    text.trim().parse().ok().map(Sequence)
}
