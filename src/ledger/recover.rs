//! The way back: the newest good snapshot, then the log after it.

use std::io;
use std::time::{Duration, Instant};

use super::{View, codec, snapshot};
use crate::clock::Timestamp;
use crate::domain::Nonsense;
use crate::domain::state::State;
use crate::identity::AccountId;
use crate::log::{EventLog, Sequence};

/// Records read at once during replay.
const REPLAY_RECORDS: usize = 4096;

/// What was found on the way back.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The newest record.
    pub sequence: u64,
    /// The record that the snapshot reached to; 0 without one.
    pub snapshot_sequence: u64,
    /// How long it took.
    pub took: Duration,
}

/// Why the ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log cannot be read.
    #[error("cannot read the log: {0}")]
    Log(String),
    /// A record's payload is no fact.
    #[error("record {sequence}: {what}")]
    Codec {
        /// The record.
        sequence: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A record is no longer retained, and no snapshot tells what it did.
    #[error("record {sequence} is no longer retained, and no good snapshot reaches to it")]
    Expired {
        /// The record.
        sequence: u64,
    },
    /// A record makes no sense in its history.
    #[error("record {sequence}: {nonsense}")]
    Nonsense {
        /// The record.
        sequence: u64,
        /// What it contradicts.
        nonsense: Nonsense,
    },
    /// The wrapped key of an account is not the one that the log tells of.
    #[error("the wrapped key of account {0} is missing or damaged")]
    AccountKey(AccountId),
    /// The writer's thread cannot be started.
    #[error("cannot start the writer: {0}")]
    Thread(#[from] io::Error),
}

pub(super) fn recover(log: &EventLog) -> Result<(View, Opened), OpenError> {
    let began = Instant::now();
    let mut view = read_snapshot(log).unwrap_or_default();
    let snapshot_sequence = view.sequence;
    view.time = time_of(log, snapshot_sequence)?;
    replay(log, &mut view)?;
    attach_keys(log, &mut view.state)?;
    let opened = Opened { sequence: view.sequence, snapshot_sequence, took: began.elapsed() };
    Ok((view, opened))
}

/// The state that a log leads to, without the accounts' keys: for going through what it holds.
///
/// # Errors
/// A record cannot be read, decoded or applied; the error names it.
pub fn read_state(log: &EventLog) -> Result<State, OpenError> {
    let mut view = read_snapshot(log).unwrap_or_default();
    replay(log, &mut view)?;
    Ok(view.state)
}

/// When a record was written, which stays in the log when what it tells has expired; the epoch if there is none.
fn time_of(log: &EventLog, sequence: u64) -> Result<Timestamp, OpenError> {
    let record = log.read_one(Sequence(sequence));
    let record = record.map_err(|error| OpenError::Log(error.to_string()))?;
    Ok(record.map(|record| record.time).unwrap_or_default())
}

/// Puts the wrapped keys to the accounts, which records and snapshots do not hold.
fn attach_keys(log: &EventLog, state: &mut State) -> Result<(), OpenError> {
    let accounts: Vec<_> = state.accounts().cloned().collect();
    for account in accounts {
        let bytes = log.erasable(account.id).map_err(|error| OpenError::Log(error.to_string()))?;
        let bytes = bytes.filter(|bytes| account.key.commits_to(bytes));
        let bytes = bytes.ok_or(OpenError::AccountKey(account.id))?;
        state.attach_key(account.id, &bytes);
    }
    Ok(())
}

/// Applies every record after `view` to it.
///
/// # Errors
/// A record cannot be read, decoded or applied; the error names it.
pub(super) fn replay(log: &EventLog, view: &mut View) -> Result<(), OpenError> {
    loop {
        let from = Sequence(view.sequence.saturating_add(1));
        let records =
            log.read(from, REPLAY_RECORDS).map_err(|error| OpenError::Log(error.to_string()))?;
        if records.is_empty() {
            return Ok(());
        }
        for record in records {
            let sequence = record.sequence.0;
            let payload = record.payload().ok_or(OpenError::Expired { sequence })?;
            let fact = codec::decode(payload)
                .map_err(|error| OpenError::Codec { sequence, what: error.to_string() })?;
            view.state
                .apply(sequence, &fact)
                .map_err(|nonsense| OpenError::Nonsense { sequence, nonsense })?;
            view.sequence = sequence;
            view.time = view.time.max(fact.time);
        }
    }
}

/// The newest snapshot that can be read whole; the log retells what is missing.
fn read_snapshot(log: &EventLog) -> Option<View> {
    for (sequence, mut reader) in log.snapshots() {
        match snapshot::read(&mut reader) {
            Ok(state) => return Some(View { sequence: sequence.0, state, ..View::default() }),
            Err(error) => {
                tracing::warn!(sequence = sequence.0, %error, "a snapshot is damaged; skipping it");
            }
        }
    }
    None
}
