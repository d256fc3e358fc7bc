//! Checking a whole log: every record, the chain between them, and the index by account.

use std::path::Path;

use super::{EventLog, Head, OpenError, ReadError, Sequence, record};

/// Records read at once.
const CHUNK: usize = 4096;

/// What a log holds and whether it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Records that could be read in order.
    pub records: u64,
    /// Their bytes as stored, without keys and compression.
    pub bytes: u64,
    /// The last good record.
    pub head: Head,
    /// The first thing that is wrong.
    pub damage: Option<ReadError>,
}

/// Reads the log of `folder` from its first record to its last.
///
/// # Errors
/// The log cannot be opened at all. Damage inside it is part of the report.
pub fn verify(folder: &Path) -> Result<Report, OpenError> {
    let log = EventLog::open_to_read(folder)?;
    let mut report = Report { records: 0, bytes: 0, head: Head::default(), damage: None };
    loop {
        // One at a time past the last good chunk finds the very record that is damaged.
        match log.read(report.head.sequence.next(), CHUNK) {
            Ok(records) if records.is_empty() => return Ok(report),
            Ok(records) => {
                for record in records {
                    report.records += 1;
                    report.bytes += (record::OVERHEAD + record.payload.len()) as u64;
                    report.head = Head { sequence: record.sequence, hash: record.hash };
                }
            }
            Err(damage) => {
                good_before(&log, &mut report);
                report.damage = Some(damage);
                return Ok(report);
            }
        }
    }
}

/// Counts the good records between the last good chunk and the damage.
fn good_before(log: &EventLog, report: &mut Report) {
    loop {
        let next: Sequence = report.head.sequence.next();
        let Ok(records) = log.read(next, 1) else { return };
        let Some(record) = records.into_iter().next() else { return };
        report.records += 1;
        report.bytes += (record::OVERHEAD + record.payload.len()) as u64;
        report.head = Head { sequence: record.sequence, hash: record.hash };
    }
}
