//! Every column family and key in one place. All numbers are big-endian, so that keys sort as numbers do.
//!
//! ```text
//! records     shard u16 | sequence u64                 -> record (`record.rs`)
//! by_account  account u64 | shard u16 | sequence u64   -> nothing
//! erasable    account u64                              -> what may be erased (`erasable.rs`)
//! meta        "format"                                 -> format version u8
//!             "erase"                                  -> sequence u64: there is something to erase
//!             "retained" | account u64                 -> sequence u64: what is before it has expired
//! ```

use super::Sequence;
use crate::identity::AccountId;

/// The log's format; another one is refused.
pub(super) const FORMAT: u8 = 3;
/// The one shard there is so far.
pub(super) const SHARD: u16 = 0;

pub(super) const RECORDS: &str = "records";
pub(super) const BY_ACCOUNT: &str = "by_account";
pub(super) const ERASABLE: &str = "erasable";
pub(super) const META: &str = "meta";
pub(super) const META_FORMAT: &[u8] = b"format";
pub(super) const META_ERASE: &[u8] = b"erase";
const META_RETAINED: &[u8] = b"retained";

/// Bytes of a key of `records`.
const RECORD_KEY: usize = 10;
/// Bytes of a key of `by_account`.
const ACCOUNT_KEY: usize = 18;

pub(super) fn record(sequence: Sequence) -> [u8; RECORD_KEY] {
    let [s0, s1] = SHARD.to_be_bytes();
    let [n0, n1, n2, n3, n4, n5, n6, n7] = sequence.0.to_be_bytes();
    [s0, s1, n0, n1, n2, n3, n4, n5, n6, n7]
}

pub(super) fn by_account(account: AccountId, sequence: Sequence) -> Vec<u8> {
    let mut key = Vec::with_capacity(ACCOUNT_KEY);
    key.extend_from_slice(&account.get().to_be_bytes());
    key.extend_from_slice(&record(sequence));
    key
}

pub(super) fn erasable(account: AccountId) -> [u8; 8] {
    account.get().to_be_bytes()
}

/// Where in `meta` it stands from which record on an account's history is retained.
pub(super) fn retained(account: AccountId) -> Vec<u8> {
    [META_RETAINED, &account.get().to_be_bytes()].concat()
}

/// The sequence at the end of a key of `records` or `by_account`.
pub(super) fn sequence_of(key: &[u8]) -> Option<Sequence> {
    key.last_chunk::<8>().map(|bytes| Sequence(u64::from_be_bytes(*bytes)))
}

/// Whether a key of `by_account` is of this account.
pub(super) fn is_of(account: AccountId, key: &[u8]) -> bool {
    key.starts_with(&account.get().to_be_bytes())
}
