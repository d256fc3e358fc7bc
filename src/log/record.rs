//! A record's bytes:
//!
//! ```text
//! magic "LR" | version u8 | reserved u8 | shard u16 | sequence u64 | term u64 | time i64 (ms)
//! | hash [32] | crc32c u32 | payload
//! ```
//!
//! The hash is SHA-256 of the predecessor's hash, the head up to the time, and the payload. It is stored
//! although it could be computed, so that one record can be checked against a head known from elsewhere
//! and a break of the chain is found where it is. The CRC is over everything else.

use bytes::Bytes;
use ring::digest::{Context, SHA256};

use super::keys::SHARD;
use super::{ReadError, Sequence};
use crate::clock::Timestamp;

const MAGIC: [u8; 2] = *b"LR";
const VERSION: u8 = 1;
/// Bytes before the hash.
const HEAD: usize = 30;
const HASH: usize = 32;
/// Bytes before the payload.
pub(super) const OVERHEAD: usize = HEAD + HASH + 4;

/// A record as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub sequence: Sequence,
    /// The leader's term it was written in; 0 on a single node.
    pub term: u64,
    /// When it was decided.
    pub time: Timestamp,
    /// Its link of the hash chain.
    pub hash: [u8; 32],
    /// What happened, in stored form.
    pub payload: Bytes,
}

/// The link after `previous`.
fn link(previous: &[u8; 32], head: &[u8], payload: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(head);
    context.update(payload);
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

/// Writes a record and returns it with its hash.
pub(super) fn encode(
    previous: &[u8; 32],
    sequence: Sequence,
    term: u64,
    time: Timestamp,
    payload: &[u8],
) -> (Vec<u8>, [u8; 32]) {
    let mut bytes = Vec::with_capacity(OVERHEAD + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[VERSION, 0]);
    bytes.extend_from_slice(&SHARD.to_be_bytes());
    bytes.extend_from_slice(&sequence.0.to_be_bytes());
    bytes.extend_from_slice(&term.to_be_bytes());
    bytes.extend_from_slice(&time.as_millis().to_be_bytes());
    let hash = link(previous, &bytes, payload);
    bytes.extend_from_slice(&hash);
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), payload);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes.extend_from_slice(payload);
    (bytes, hash)
}

/// Reads the record that is stored as `sequence`. Checks its own bytes, not the chain.
pub(super) fn decode(sequence: Sequence, bytes: &[u8]) -> Result<Record, ReadError> {
    let corrupt = |what: &str| ReadError::Corrupt { sequence, what: what.to_owned() };
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or_else(|| corrupt("too short"))?;
    let (hash, rest) = rest.split_first_chunk::<HASH>().ok_or_else(|| corrupt("too short"))?;
    let (crc, payload) = rest.split_first_chunk::<4>().ok_or_else(|| corrupt("too short"))?;
    let expected = crc32c::crc32c_append(crc32c::crc32c(head), hash);
    let expected = crc32c::crc32c_append(expected, payload);
    if u32::from_be_bytes(*crc) != expected {
        return Err(corrupt("its checksum does not match"));
    }
    let (magic, fields) = head.split_first_chunk::<4>().ok_or_else(|| corrupt("too short"))?;
    if *magic != [b'L', b'R', VERSION, 0] {
        return Err(corrupt("unknown magic or version"));
    }
    let (shard, fields) = fields.split_first_chunk::<2>().ok_or_else(|| corrupt("too short"))?;
    let (number, fields) = fields.split_first_chunk::<8>().ok_or_else(|| corrupt("too short"))?;
    let (term, fields) = fields.split_first_chunk::<8>().ok_or_else(|| corrupt("too short"))?;
    let time = fields.first_chunk::<8>().ok_or_else(|| corrupt("too short"))?;
    if u16::from_be_bytes(*shard) != SHARD || u64::from_be_bytes(*number) != sequence.0 {
        return Err(corrupt("it is another record's"));
    }
    Ok(Record {
        sequence,
        term: u64::from_be_bytes(*term),
        time: Timestamp::from_millis(i64::from_be_bytes(*time)),
        hash: *hash,
        payload: Bytes::copy_from_slice(payload),
    })
}

/// Whether `record` follows the record whose hash is `previous`.
pub(super) fn follows(previous: &[u8; 32], record: &Record) -> bool {
    let (bytes, hash) =
        encode(previous, record.sequence, record.term, record.time, &record.payload);
    drop(bytes);
    hash == record.hash
}
