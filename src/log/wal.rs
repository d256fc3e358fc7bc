//! Where RocksDB's write-ahead log is damaged. RocksDB itself only says that it is; an operator wants the
//! file and the offset, and to be told of a torn end, which is what a crash leaves and no damage.
//!
//! The format is RocksDB's `log_format.h`: blocks of 32 KiB of fragments, each with a masked CRC-32C, a
//! length and a type; a fragment never crosses a block, and a block's last bytes are zeros where no header
//! fits.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const BLOCK: usize = 32 * 1024;
/// CRC, length, type.
const HEADER: usize = 7;
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
/// What RocksDB adds to a rotated CRC, so that a CRC of CRCs is no CRC.
const MASK_DELTA: u32 = 0xa282_ead8;

/// A place in a file where the log cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Bytes from its start.
    pub offset: u64,
}

/// What the write-ahead log is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// A write at the end that was never finished, and so never acknowledged.
    pub(super) torn: Option<Place>,
    /// Bytes that are not what was written.
    pub(super) corrupt: Option<Place>,
}

/// Looks through the write-ahead log in `folder`.
pub(super) fn inspect(folder: &Path) -> io::Result<Condition> {
    let mut files = Vec::new();
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Condition::default()),
        listing => listing?,
    };
    for entry in listing {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            files.push(path);
        }
    }
    files.sort();
    let mut condition = Condition::default();
    for file in files {
        let bytes = match fs::read(&file) {
            // A server that has the log removes what it no longer needs.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            bytes => bytes?,
        };
        let place = |offset: usize| Some(Place { file: file.clone(), offset: offset as u64 });
        match walk(&bytes) {
            End::Whole => {}
            End::Torn(offset) => condition.torn = place(offset),
            End::Corrupt(offset) => {
                condition.corrupt = place(offset);
                break;
            }
        }
    }
    Ok(condition)
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Whole,
    Torn(usize),
    Corrupt(usize),
}

fn walk(bytes: &[u8]) -> End {
    let mut at = 0;
    // Where the record began whose fragments are being read.
    let mut begun = None;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let room = BLOCK - at % BLOCK;
        if room < HEADER {
            at += room;
            continue;
        }
        let Some((header, data)) = rest.split_first_chunk::<HEADER>() else {
            let torn = if rest.is_empty() { begun } else { Some(begun.unwrap_or(at)) };
            return torn.map_or(End::Whole, End::Torn);
        };
        let [c0, c1, c2, c3, l0, l1, kind] = *header;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        if kind == 0 && length == 0 && rest.iter().all(|byte| *byte == 0) {
            // Room that was set aside and never written.
            return begun.map_or(End::Whole, End::Torn);
        }
        if HEADER + length > room {
            return End::Corrupt(at);
        }
        let Some(payload) = data.get(..length) else { return End::Torn(begun.unwrap_or(at)) };
        let crc = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
        let masked = crc.rotate_right(15).wrapping_add(MASK_DELTA);
        if masked != u32::from_le_bytes([c0, c1, c2, c3]) {
            return End::Corrupt(at);
        }
        begun = match kind {
            FIRST => Some(at),
            MIDDLE => begun,
            FULL | LAST => None,
            // Notes of RocksDB about the file itself.
            _ => begun,
        };
        at += HEADER + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(kind: u8, payload: &[u8]) -> Vec<u8> {
        let crc = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
        let mut bytes = crc.rotate_right(15).wrapping_add(MASK_DELTA).to_le_bytes().to_vec();
        bytes.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
        bytes.push(kind);
        bytes.extend(payload);
        bytes
    }

    /// Protects operators: the offset told is that of the damage, and a torn end is no damage.
    #[test]
    fn flaws_are_found_where_they_are() {
        let first = fragment(FULL, b"one record");
        let second = [fragment(FIRST, b"a record"), fragment(LAST, b" in two")].concat();
        let whole = [first.clone(), second].concat();
        assert_eq!(walk(&whole), End::Whole);
        for cut in first.len() + 1..whole.len() {
            assert_eq!(walk(&whole[..cut]), End::Torn(first.len()), "cut at {cut}");
        }
        let mut flipped = whole.clone();
        flipped[first.len() + 9] ^= 1;
        assert_eq!(walk(&flipped), End::Corrupt(first.len()));
        assert_eq!(walk(&[whole, vec![0; 100]].concat()), End::Whole);
    }
}
