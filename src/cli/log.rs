//! `locum log`: the log of a data folder, read as it lies on disk.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Failure, say};
use crate::ledger::codec;
use crate::log::{EventLog, Sequence, verify};

/// Records read at once.
const CHUNK: usize = 1024;

#[derive(Subcommand)]
pub(super) enum LogCommand {
    /// Reads every record, its checksum and the hash chain; fails at the first damage, with its place.
    Verify {
        /// The data folder.
        data_dir: PathBuf,
    },
    /// Prints every record: number, time, actor, kinds of events, size.
    Dump {
        /// The data folder.
        data_dir: PathBuf,
        /// The first record.
        #[arg(long, default_value_t = 1)]
        from: u64,
    },
    /// Prints how much of what the log holds.
    Stats {
        /// The data folder.
        data_dir: PathBuf,
    },
}

pub(super) fn run(command: &LogCommand) -> Result<(), Failure> {
    match command {
        LogCommand::Verify { data_dir } => {
            let report = verify(data_dir)?;
            let head = report.head;
            say(format_args!(
                "records {}  expired {}  bytes {}  head {}",
                report.records, report.expired, report.bytes, head.sequence
            ))?;
            say(format_args!("hash {}", hex::encode(head.hash)))?;
            match report.damage {
                None => {
                    say(format_args!("whole"))?;
                    Ok(())
                }
                Some(damage) => Err(damage.into()),
            }
        }
        LogCommand::Dump { data_dir, from } => dump(&EventLog::open_to_read(data_dir)?, *from),
        LogCommand::Stats { data_dir } => stats(&EventLog::open_to_read(data_dir)?),
    }
}

fn each(
    log: &EventLog,
    from: u64,
    mut take: impl FnMut(&crate::log::Record) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut next = Sequence(from.max(1));
    loop {
        let records = log.read(next, CHUNK)?;
        let Some(last) = records.last() else { return Ok(()) };
        next = last.sequence.next();
        records.iter().try_for_each(&mut take)?;
    }
}

fn dump(log: &EventLog, from: u64) -> Result<(), Failure> {
    each(log, from, |record| {
        let (sequence, time) = (record.sequence, record.time.iso8601());
        let Some(payload) = record.payload() else {
            say(format_args!("{sequence} {time} expired"))?;
            return Ok(());
        };
        let fact = codec::decode(payload)
            .map_err(|error| format!("record {}: {error}", record.sequence))?;
        let kinds: Vec<_> = fact.events.iter().map(|event| event.kind.name()).collect();
        let (kinds, size) = (kinds.join(","), payload.len());
        say(format_args!("{sequence} {time} {} {kinds} {size}B", fact.actor))?;
        Ok(())
    })
}

fn stats(log: &EventLog) -> Result<(), Failure> {
    let mut kinds = std::collections::BTreeMap::<&str, (u64, u64)>::new();
    let (mut records, mut expired, mut bytes) = (0_u64, 0_u64, 0_u64);
    each(log, 1, |record| {
        records += 1;
        let Some(payload) = record.payload() else {
            expired += 1;
            return Ok(());
        };
        let fact = codec::decode(payload)
            .map_err(|error| format!("record {}: {error}", record.sequence))?;
        let size = payload.len() as u64;
        bytes += size;
        for event in &fact.events {
            let (count, total) = kinds.entry(event.kind.name()).or_default();
            *count += 1;
            *total += size / fact.events.len() as u64;
        }
        Ok(())
    })?;
    let head = log.head().sequence;
    say(format_args!("records {records}  expired {expired}  payload bytes {bytes}  head {head}"))?;
    for (kind, (count, bytes)) in kinds {
        say(format_args!("{kind:<24} {count:>10} events  {:>6} bytes each", bytes / count))?;
    }
    Ok(())
}
