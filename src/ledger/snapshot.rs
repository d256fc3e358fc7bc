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
use crate::domain::history::Numbered;
use crate::domain::state::State;

/// The longest stored fact, in bytes; a longer length in a snapshot is damage.
const FACT_BYTES_MAX: u32 = 16 << 20;
/// Decoded facts that wait to be applied.
const FACTS_AHEAD_MAX: usize = 16;

/// Writes `state`.
///
/// # Errors
/// The writer's.
pub fn write(state: &State, writer: &mut dyn Write) -> io::Result<()> {
    state.retell(&mut |(sequence, fact): Numbered| {
        let bytes = codec::encode(&fact);
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        writer.write_all(&sequence.to_be_bytes())?;
        writer.write_all(&length.to_be_bytes())?;
        writer.write_all(&bytes)
    })
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
