//! Which records of an account's history expire: all but the newest so many, though none that is younger than
//! `RETAINED_AT_LEAST` or that replay may need.

use std::time::Duration;

use super::writer::accounts_of;
use super::{Ledger, codec};
use crate::clock::Timestamp;
use crate::domain::revocation::SESSION_LIFE_MAX;
use crate::domain::state::IDEMPOTENCY_WINDOW;
use crate::identity::AccountId;
use crate::log::{ExpireError, ReadError, Record, Sequence};
use crate::metrics;

/// Records that expire in one step.
const STEP_RECORDS: usize = 1024;
/// A record is retained for so long whatever the quota is: retries are answered from it, and sessions that are to be
/// revoked are found by it.
pub const RETAINED_AT_LEAST: Duration = if IDEMPOTENCY_WINDOW.as_secs() > SESSION_LIFE_MAX.as_secs()
{
    IDEMPOTENCY_WINDOW
} else {
    SESSION_LIFE_MAX
};

/// Why records of an account do not expire.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] ExpireError),
    /// A record holds no fact.
    #[error("record {0}: {1}")]
    Codec(Sequence, codec::CodecError),
}

impl From<ReadError> for RetentionError {
    fn from(error: ReadError) -> Self {
        Self::Log(error.into())
    }
}

impl Ledger {
    /// The first record of an account that has to stay if it retains the newest `keep`.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn retention_bound(
        &self,
        account: AccountId,
        keep: usize,
        now: Timestamp,
    ) -> Result<Sequence, RetentionError> {
        let log = self.log();
        let Some(kept) = log.oldest_of_newest(account, keep)? else {
            return Ok(Sequence::default());
        };
        let young = log.first_since(now.minus(RETAINED_AT_LEAST))?;
        Ok(kept.min(young).min(log.expirable_before()))
    }

    /// Has the oldest records of an account before `bound` expire, up to a limit; how many, 0 when all have. A payload
    /// goes with the last account that retained it.
    ///
    /// # Errors
    /// The log cannot be read or written; nothing has expired then.
    pub fn expire_some(
        &self,
        account: AccountId,
        bound: Sequence,
    ) -> Result<usize, RetentionError> {
        let log = self.log();
        let mut oldest = log.of_account(account, Sequence::default(), STEP_RECORDS)?;
        let all = oldest.len() < STEP_RECORDS || oldest.last().is_some_and(|last| *last >= bound);
        oldest.retain(|sequence| *sequence < bound);
        let Some(last) = oldest.last().copied() else { return Ok(0) };
        let mut gone = Vec::new();
        for sequence in &oldest {
            if let Some(record) = log.read_one(*sequence)?
                && !self.retained_by_others(&record, account)?
            {
                gone.push(record);
            }
        }
        log.expire(account, &gone, if all { bound } else { last.next() })?;
        metrics::ledger().expired(oldest.len());
        Ok(oldest.len())
    }

    fn retained_by_others(
        &self,
        record: &Record,
        account: AccountId,
    ) -> Result<bool, RetentionError> {
        let Some(payload) = record.payload() else { return Ok(false) };
        let sequence = record.sequence;
        let fact = codec::decode(payload).map_err(|e| RetentionError::Codec(sequence, e))?;
        for other in accounts_of(&fact).into_iter().filter(|other| *other != account) {
            if self.log().retained_from(other)? <= sequence {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
