//! Bytes that can be erased: one value an account, beside the records and outside of the hash chain. A
//! record that brings a value holds a digest of it and stays true when the value is gone.
//!
//! A value that was deleted or replaced still stands in RocksDB's files: in the write-ahead log, and in
//! tables under a newer entry. `erase` has everything in memory written to tables, so that the write-ahead
//! log goes, and rewrites the tables of this family, so that only what counts is left. Until it has been
//! done a mark stands in the log, set in the same write as the change: a crash in between is made up for
//! when the log is opened.

use std::fs;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rocksdb::{BottommostLevelCompaction, CompactOptions, FlushOptions, WriteBatch, WriteOptions};

use super::store::EventLog;
use super::{ReadError, Sequence, keys};
use crate::identity::AccountId;

/// How long RocksDB may take to remove files that it no longer needs, and how often that is looked at.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(10);
const REMOVAL_LOOK: Duration = Duration::from_millis(5);

/// A change of an account's value.
#[derive(Clone, PartialEq, Eq)]
pub enum Erasable {
    /// The account's first value.
    New(Bytes),
    /// Another value; the one before is to be erased.
    Replace(Bytes),
    /// The value is to be erased.
    Delete,
}

/// Values are kept out of everything that is printed.
impl std::fmt::Debug for Erasable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::New(_) => "New(..)",
            Self::Replace(_) => "Replace(..)",
            Self::Delete => "Delete",
        })
    }
}

/// Why deleted values may still be in a file. It is tried again when the log is opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EraseError {
    /// RocksDB cannot write.
    #[error("cannot erase: {0}")]
    Store(String),
    /// RocksDB still keeps a file that it had before.
    #[error("cannot erase: `{}` is still there", .0.display())]
    Kept(PathBuf),
    /// The folder cannot be looked through.
    #[error("cannot erase: {0}")]
    Folder(String),
}

impl From<rocksdb::Error> for EraseError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Store(error.into_string())
    }
}

impl EventLog {
    /// The account's value.
    ///
    /// # Errors
    /// RocksDB cannot read.
    pub fn erasable(&self, account: AccountId) -> Result<Option<Bytes>, ReadError> {
        let store = |what| ReadError::Store { after: Sequence::default(), what };
        let family = self.family(keys::ERASABLE).map_err(store)?;
        let found = self.db.get_cf(family, keys::erasable(account));
        Ok(found.map_err(|error| store(error.into_string()))?.map(Bytes::from))
    }

    /// Adds a change to the write that brings record `sequence`.
    pub(super) fn change(
        &self,
        batch: &mut WriteBatch,
        sequence: Sequence,
        account: AccountId,
        change: &Erasable,
    ) -> Result<(), String> {
        let family = self.family(keys::ERASABLE)?;
        let key = keys::erasable(account);
        match change {
            Erasable::New(value) => {
                batch.put_cf(family, key, value);
                return Ok(());
            }
            Erasable::Replace(value) => batch.put_cf(family, key, value),
            Erasable::Delete => batch.delete_cf(family, key),
        }
        let meta = self.family(keys::META)?;
        batch.put_cf(meta, keys::META_ERASE, sequence.0.to_be_bytes());
        Ok(())
    }

    fn mark(&self) -> Result<Option<Vec<u8>>, EraseError> {
        let meta = self.family(keys::META).map_err(EraseError::Store)?;
        Ok(self.db.get_cf(meta, keys::META_ERASE)?)
    }

    /// The tables of the family.
    fn tables(&self) -> Result<Vec<PathBuf>, EraseError> {
        let files = self.db.live_files()?.into_iter();
        let ours = files.filter(|file| file.column_family_name == keys::ERASABLE);
        Ok(ours.map(|file| self.db.path().join(file.name.trim_start_matches('/'))).collect())
    }

    /// The files of the write-ahead log.
    fn write_ahead_logs(&self) -> Result<Vec<PathBuf>, EraseError> {
        let folder = |error: std::io::Error| EraseError::Folder(error.to_string());
        let entries = fs::read_dir(self.db.path()).map_err(folder)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(folder));
        let is_log = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "log");
        Ok(paths.collect::<Result<Vec<_>, _>>()?.into_iter().filter(is_log).collect())
    }

    /// Removes from all files what was deleted or replaced; nothing to do if nothing was. Appends go on
    /// meanwhile.
    ///
    /// # Errors
    /// A file cannot be written; what was to be erased may still be there.
    pub fn erase(&self) -> Result<(), EraseError> {
        let _alone = self.erasing.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever erased before may have done this too.
        let Some(mark) = self.mark()? else { return Ok(()) };
        let family = |name| self.family(name).map_err(EraseError::Store);
        let all = [keys::RECORDS, keys::BY_ACCOUNT, keys::META, keys::ERASABLE];
        let all = all.into_iter().map(family).collect::<Result<Vec<_>, _>>()?;
        let mut old = self.write_ahead_logs()?;
        // Something to write, so that the write-ahead log is begun anew.
        self.db.put_cf(family(keys::META)?, keys::META_ERASE, &mark)?;
        let mut flush = FlushOptions::default();
        flush.set_wait(true);
        self.db.flush_cfs_opt(&all, &flush)?;
        old.extend(self.tables()?);
        let mut compact = CompactOptions::default();
        compact.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        compact.set_exclusive_manual_compaction(true);
        let everything = None::<&[u8]>;
        let erasable = family(keys::ERASABLE)?;
        self.db.compact_range_cf_opt(erasable, everything, everything, &compact);
        await_removal(&old)?;
        // No change comes in between while the end is held; one that came before stays marked.
        let _end = self.lock_end();
        if self.mark()? == Some(mark) {
            let mut options = WriteOptions::default();
            options.set_sync(true);
            self.db.delete_cf_opt(family(keys::META)?, keys::META_ERASE, &options)?;
        }
        Ok(())
    }
}

/// RocksDB removes its files in the background.
fn await_removal(files: &[PathBuf]) -> Result<(), EraseError> {
    let began = Instant::now();
    loop {
        let Some(left) = files.iter().find(|file| file.exists()) else { return Ok(()) };
        if began.elapsed() > REMOVAL_PATIENCE {
            return Err(EraseError::Kept(left.clone()));
        }
        sleep(REMOVAL_LOOK);
    }
}
