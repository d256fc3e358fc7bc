//! A record's bytes:
//!
//! ```text
//! magic "LR" | version u8 | content u8 | shard u16 | sequence u64 | term u64 | time i64 (ms)
//! | hash [32] | crc32c u32 | payload, or SHA-256 of a payload that is no longer retained [32]
//! ```
//!
//! The hash is SHA-256 of the predecessor's hash, the head up to the time as it was written first, and the SHA-256
//! of the payload, so that the chain can still be checked when payloads are no longer retained (`retention.rs`). It is
//! stored although it could be computed, so that one record can be checked against a head known from elsewhere
//! and a break of the chain is found where it is. The CRC is over everything else.

use bytes::Bytes;
use ring::digest::{Context, SHA256, digest};

use super::keys::SHARD;
use super::{ReadError, Sequence};
use crate::clock::Timestamp;

const MAGIC: [u8; 2] = *b"LR";
const VERSION: u8 = 2;
/// What stands after the version: whether the payload is there, or its digest.
const WHOLE: u8 = 0;
const EXPIRED: u8 = 1;
/// Bytes before the hash.
const HEAD: usize = 30;
const HASH: usize = 32;
/// Bytes before the payload.
const OVERHEAD: usize = HEAD + HASH + 4;

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
    /// What it holds.
    pub content: Content,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// What happened, in stored form.
    Payload(Bytes),
    /// It is no longer retained; its SHA-256.
    Expired([u8; HASH]),
}

impl Record {
    /// What happened, in stored form, if it is still retained.
    #[must_use]
    pub fn payload(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Payload(payload) => Some(payload),
            Content::Expired(_) => None,
        }
    }

    /// Bytes of it as stored, without its key.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        OVERHEAD + self.payload().map_or(HASH, Bytes::len)
    }
}

fn sha256(bytes: &[u8]) -> [u8; HASH] {
    array_of(digest(&SHA256, bytes).as_ref())
}

fn array_of(digest: &[u8]) -> [u8; HASH] {
    let mut array = [0; HASH];
    array.copy_from_slice(digest);
    array
}

/// The link after `previous`.
fn link(previous: &[u8; HASH], head: &[u8; HEAD], payload_digest: &[u8; HASH]) -> [u8; HASH] {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(head);
    context.update(payload_digest);
    array_of(context.finish().as_ref())
}

fn head(content: u8, sequence: Sequence, term: u64, time: Timestamp) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let fields: [&[u8]; 6] = [
        &MAGIC,
        &[VERSION, content],
        &SHARD.to_be_bytes(),
        &sequence.0.to_be_bytes(),
        &term.to_be_bytes(),
        &time.as_millis().to_be_bytes(),
    ];
    for (to, from) in head.iter_mut().zip(fields.into_iter().flatten()) {
        *to = *from;
    }
    head
}

fn assemble(head: &[u8; HEAD], hash: &[u8; HASH], content: &[u8]) -> Vec<u8> {
    let crc = crc32c::crc32c_append(crc32c::crc32c(head), hash);
    let crc = crc32c::crc32c_append(crc, content);
    let mut bytes = Vec::with_capacity(OVERHEAD + content.len());
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(hash);
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// Writes a record and returns it with its hash.
pub(super) fn encode(
    previous: &[u8; 32],
    sequence: Sequence,
    term: u64,
    time: Timestamp,
    payload: &[u8],
) -> (Vec<u8>, [u8; 32]) {
    let head = head(WHOLE, sequence, term, time);
    let hash = link(previous, &head, &sha256(payload));
    (assemble(&head, &hash, payload), hash)
}

/// The record without its payload, if it has one.
pub(super) fn expired(record: &Record) -> Option<Vec<u8>> {
    let head = head(EXPIRED, record.sequence, record.term, record.time);
    Some(assemble(&head, &record.hash, &sha256(record.payload()?)))
}

/// Reads the record that is stored as `sequence`. Checks its own bytes, not the chain.
pub(super) fn decode(sequence: Sequence, bytes: &[u8]) -> Result<Record, ReadError> {
    let corrupt = |what: &str| ReadError::Corrupt { sequence, what: what.to_owned() };
    let (head, rest) = bytes.split_first_chunk::<HEAD>().ok_or_else(|| corrupt("too short"))?;
    let (hash, rest) = rest.split_first_chunk::<HASH>().ok_or_else(|| corrupt("too short"))?;
    let (crc, content) = rest.split_first_chunk::<4>().ok_or_else(|| corrupt("too short"))?;
    let expected = crc32c::crc32c_append(crc32c::crc32c(head), hash);
    let expected = crc32c::crc32c_append(expected, content);
    if u32::from_be_bytes(*crc) != expected {
        return Err(corrupt("its checksum does not match"));
    }
    let (magic, fields) = head.split_first_chunk::<4>().ok_or_else(|| corrupt("too short"))?;
    let content = match *magic {
        [b'L', b'R', VERSION, WHOLE] => Content::Payload(Bytes::copy_from_slice(content)),
        [b'L', b'R', VERSION, EXPIRED] => {
            let digest = content.try_into();
            Content::Expired(digest.map_err(|_| corrupt("a digest of another length"))?)
        }
        _ => return Err(corrupt("unknown magic or version")),
    };
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
        content,
    })
}

/// Whether `record` follows the record whose hash is `previous`.
pub(super) fn follows(previous: &[u8; 32], record: &Record) -> bool {
    let digest = match &record.content {
        Content::Payload(payload) => sha256(payload),
        Content::Expired(digest) => *digest,
    };
    let head = head(WHOLE, record.sequence, record.term, record.time);
    link(previous, &head, &digest) == record.hash
}
