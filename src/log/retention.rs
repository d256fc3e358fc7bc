//! What of an account's history is no longer retained.
//!
//! A record that no account retains loses its payload and keeps its place in the hash chain, for which the payload's
//! digest is enough. An account's oldest records expire first, so that one number says what is retained of it. Records
//! are needed to replay what no snapshot tells: whoever has records expire stays behind `expirable_before`.

use rocksdb::{Direction, IteratorMode, WriteBatch};

use super::{EventLog, ReadError, Record, Sequence, keys, record, snapshot};
use crate::identity::AccountId;

impl EventLog {
    /// The first record that may be needed to come back to the state, should the newest snapshot be damaged. Everything
    /// before it may expire.
    #[must_use]
    pub fn expirable_before(&self) -> Sequence {
        let snapshots = snapshot::list(&self.snapshot_folder());
        match snapshots.get(snapshot::KEPT - 1) {
            Some((oldest, _)) => oldest.next(),
            None => Sequence::default(),
        }
    }

    /// The first record of an account's history that is retained, whether there is such a record or not; 0 if nothing
    /// has expired.
    ///
    /// # Errors
    /// RocksDB cannot read.
    pub fn retained_from(&self, account: AccountId) -> Result<Sequence, ReadError> {
        let store = |what| ReadError::Store { after: Sequence::default(), what };
        let meta = self.family(keys::META).map_err(store)?;
        let found = self.db.get_pinned_cf(meta, keys::retained(account));
        let found = found.map_err(|error| store(error.into_string()))?;
        Ok(found.as_deref().and_then(keys::sequence_of).unwrap_or_default())
    }

    /// The oldest of the newest `count` records of an account; none if it has no more than so many.
    ///
    /// # Errors
    /// RocksDB cannot read.
    pub fn oldest_of_newest(
        &self,
        account: AccountId,
        count: usize,
    ) -> Result<Option<Sequence>, ReadError> {
        let store = |what| ReadError::Store { after: Sequence::default(), what };
        let family = self.family(keys::BY_ACCOUNT).map_err(store)?;
        let end = keys::by_account(account, Sequence(u64::MAX));
        let mut oldest = self.head().sequence.next();
        let newest_first = IteratorMode::From(&end, Direction::Reverse);
        for (seen, item) in self.db.iterator_cf(family, newest_first).enumerate() {
            let (key, _) = item.map_err(|error| store(error.into_string()))?;
            let Some(sequence) = keys::sequence_of(&key).filter(|_| keys::is_of(account, &key))
            else {
                return Ok(None);
            };
            if seen == count {
                return Ok(Some(oldest));
            }
            oldest = sequence;
        }
        Ok(None)
    }

    /// Has the account's records before `from` leave its history; `gone` are those of them that nobody retains now, whose
    /// payloads go. What a crash leaves undone is found again.
    ///
    /// # Errors
    /// RocksDB cannot read or write; nothing has expired then.
    pub fn expire(
        &self,
        account: AccountId,
        gone: &[Record],
        from: Sequence,
    ) -> Result<(), ExpireError> {
        let family = |name| self.family(name).map_err(ExpireError::Store);
        let (records, by_account) = (family(keys::RECORDS)?, family(keys::BY_ACCOUNT)?);
        let mut batch = WriteBatch::default();
        for record in gone {
            if let Some(bytes) = record::expired(record) {
                batch.put_cf(records, keys::record(record.sequence), bytes);
            }
        }
        let begin = keys::by_account(account, self.retained_from(account)?);
        batch.delete_range_cf(by_account, begin, keys::by_account(account, from));
        batch.put_cf(family(keys::META)?, keys::retained(account), from.0.to_be_bytes());
        self.db.write(batch).map_err(|error| ExpireError::Store(error.into_string()))
    }
}

/// Why records were not made to expire.
#[derive(Debug, thiserror::Error)]
pub enum ExpireError {
    /// What is retained cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// RocksDB cannot write.
    #[error("records cannot expire: {0}")]
    Store(String),
}
