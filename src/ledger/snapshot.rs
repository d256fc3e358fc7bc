//! A snapshot's contents: the state's shortest history (`domain::history`) as length-prefixed stored facts, so that
//! there is one codec and one `apply` for snapshots and log.
//!
//! ```text
//! sequence u64 BE | length u32 BE | fact, `length` bytes
//! ```

use std::io::{self, Read, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::codec;
use crate::domain::event::Fact;
use crate::domain::history::{Numbered, divide};
use crate::domain::state::State;

/// The longest stored fact that is read, in bytes; a longer length in a snapshot is damage.
const FACT_BYTES_MAX: u32 = 16 << 20;
/// Longer facts, in bytes, are divided, if they hold more than one thing: far below what is read, and so that those
/// that wait to be applied stay small.
const UNDIVIDED_BYTES_MAX: usize = 4 << 20;
/// Decoded facts that wait to be applied.
const FACTS_AHEAD_MAX: usize = 16;

/// Writes `state`.
///
/// # Errors
/// The writer's, or a fact is longer than what `read` takes, whatever it is divided into.
pub fn write(state: &State, writer: &mut dyn Write) -> io::Result<()> {
    let bounds = Bounds { undivided: UNDIVIDED_BYTES_MAX, written: FACT_BYTES_MAX };
    write_within(bounds, state, writer)
}

/// The longest stored facts, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Longer ones are divided, if they can be.
    pub(super) undivided: usize,
    /// Longer ones fail the snapshot.
    pub(super) written: u32,
}

pub(super) fn write_within(
    bounds: Bounds,
    state: &State,
    writer: &mut dyn Write,
) -> io::Result<()> {
    state.retell(&mut |(sequence, fact): Numbered| write_fact(bounds, sequence, &fact, writer))
}

/// Almost every fact is short and encoded once; only what must be divided is encoded again, in its parts.
fn write_fact(
    bounds: Bounds,
    sequence: u64,
    fact: &Fact,
    writer: &mut dyn Write,
) -> io::Result<()> {
    let bytes = codec::encode(fact);
    let size = bytes.len();
    if size > bounds.undivided {
        let parts = divide(fact, size.div_ceil(bounds.undivided));
        if parts.len() > 1 {
            drop(bytes);
            return parts.iter().try_for_each(|part| write_fact(bounds, sequence, part, writer));
        }
    }
    let length = u32::try_from(size).ok().filter(|length| *length <= bounds.written);
    let length = length.ok_or_else(|| too_long(fact, size, bounds.written))?;
    writer.write_all(&sequence.to_be_bytes())?;
    writer.write_all(&length.to_be_bytes())?;
    writer.write_all(&bytes)
}

fn too_long(fact: &Fact, size: usize, max: u32) -> io::Error {
    let first = fact.events.first();
    let first = first.map(|event| format!("{} of account {}", event.kind.name(), event.account));
    let what = first.unwrap_or_else(|| "one without events".to_owned());
    let rule = format!("a fact of a snapshot must have at most {max} bytes");
    io::Error::other(format!("{rule}, and {what} has {size}"))
}

/// Reads a state. Facts are decoded by a thread beside the one that applies them.
///
/// # Errors
/// The reader's, or what is read is no state that `write` wrote.
pub fn read(reader: &mut (dyn Read + Send)) -> io::Result<State> {
    thread::scope(|scope| {
        let (decoded, facts) = sync_channel(FACTS_AHEAD_MAX);
        let decoding = scope.spawn(move || decode(reader, &decoded));
        let mut state = State::default();
        for (sequence, fact) in facts {
            state.apply(sequence, &fact).map_err(io::Error::other)?;
        }
        // What could not be decoded ended the facts early.
        decoding.join().unwrap_or_else(|_| Err(io::Error::other("decoding panicked")))?;
        state.index_instances();
        Ok(state)
    })
}

/// Decodes facts until they end, or nobody takes them.
fn decode(reader: &mut dyn Read, decoded: &SyncSender<(u64, Fact)>) -> io::Result<()> {
    loop {
        let mut head = [0; 12];
        match reader.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let [s0, s1, s2, s3, s4, s5, s6, s7, l0, l1, l2, l3] = head;
        let sequence = u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if length > FACT_BYTES_MAX {
            return Err(io::Error::other("a fact is longer than any can be"));
        }
        let mut bytes = Vec::new();
        reader.take(u64::from(length)).read_to_end(&mut bytes)?;
        let fact = codec::decode(&bytes).map_err(io::Error::other)?;
        if decoded.send((sequence, fact)).is_err() {
            return Ok(());
        }
    }
}
