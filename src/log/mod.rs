//! The event log: an append-only, hash-chained sequence of records in RocksDB, and snapshots beside it.
//!
//! The log knows no event: payloads are bytes. One writer appends; anyone reads. A record is acknowledged
//! when the write batch that holds it is synced. Every record carries the SHA-256 of its predecessor's
//! hash and its own content, so that a changed history shows, whoever changed it; the CRC finds a damaged
//! record without reading its predecessor.
//!
//! Beside the records stands one value an account that can be erased (`erasable`). Of an account whose history is
//! bounded, what is too old expires: its records stay in the chain without their payloads (`retention`).
//!
//! A data folder holds `LOCK` (the process that serves it), `log/` (RocksDB), `snapshots/` and `CLEAN`
//! (where the last orderly stop left the log).

mod erasable;
mod keys;
mod lock;
mod record;
mod retention;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod verify;
mod wal;

use std::fmt;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::identity::AccountId;

pub use erasable::{Erasable, EraseError};
pub use record::{Content, Record};
pub use retention::ExpireError;
pub use snapshot::SnapshotPace;
pub use store::EventLog;
pub use verify::{Report, verify};
pub use wal::Place;

/// Entries of one append.
pub const APPEND_ENTRIES_MAX: usize = 4096;
/// Bytes of all payloads of one append.
pub const APPEND_BYTES_MAX: usize = 64 << 20;

/// A record's number, from 1; 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The next number.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to become a record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was decided.
    pub time: Timestamp,
    /// The accounts under which it is found.
    pub accounts: Vec<AccountId>,
    /// The stored form of what happened.
    pub payload: Bytes,
    /// What changes beside it, in the same write.
    pub erasable: Vec<(AccountId, Erasable)>,
}

/// The end of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The newest record.
    pub sequence: Sequence,
    /// Its hash; zeros before the first.
    pub hash: [u8; 32],
}

/// What opening the log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The newest record.
    pub head: Head,
    /// Whether the last server stopped in order. If not, RocksDB has replayed its write-ahead log, and a
    /// write that had not finished is cut off.
    pub clean: bool,
    /// Where a write that had not finished was cut off.
    pub torn: Option<Place>,
}

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process serves it.
    #[error("the data folder `{}` is in use by process {holder}", .folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The process id, as the other process wrote it.
        holder: String,
    },
    /// The folder cannot be used.
    #[error("cannot use `{}`: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// RocksDB cannot open it; its message names file and offset where it knows them.
    #[error("cannot open the log: {0}")]
    Store(String),
    /// The write-ahead log is not what was written.
    #[error("the log is corrupt in `{}` at byte {}", .0.file.display(), .0.offset)]
    Corrupt(Place),
    /// Written by another version.
    #[error("the log has format {found}; this version reads format {known}")]
    Format {
        /// The folder's format.
        found: u8,
        /// The one that is read here.
        known: u8,
    },
    /// Records that were acknowledged are gone.
    #[error("the log ends at record {found}, but record {expected} was acknowledged")]
    Lost {
        /// The newest record known of.
        expected: Sequence,
        /// The newest record there is.
        found: Sequence,
    },
    /// The last record is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What a crash left to erase cannot be erased.
    #[error(transparent)]
    Erase(#[from] EraseError),
}

/// Why nothing was appended.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The append is over a limit; nothing was written.
    #[error("an append holds at most {APPEND_ENTRIES_MAX} entries and {APPEND_BYTES_MAX} bytes")]
    TooLarge,
    /// A write failed. What it left behind is unknown, so the log takes no more until it is opened anew.
    #[error("writing to the log failed: {0}")]
    Stopped(String),
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The record is not what was written.
    #[error("record {sequence} is corrupt: {what}")]
    Corrupt {
        /// The record.
        sequence: Sequence,
        /// What does not fit.
        what: String,
    },
    /// RocksDB cannot read on; its message names file and offset where it knows them.
    #[error("cannot read the log after record {after}: {what}")]
    Store {
        /// The last record that could be read.
        after: Sequence,
        /// RocksDB's message.
        what: String,
    },
}
