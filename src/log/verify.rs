//! Checking a whole log: every record, the chain between them, and the index by account.

use std::path::Path;

use super::{EventLog, Head, OpenError, ReadError, Record, Sequence};

/// Records read at once.
const CHUNK: usize = 4096;

/// What a log holds and whether it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Records that could be read in order.
    pub records: u64,
    /// Those of them whose payloads are no longer retained.
    pub expired: u64,
    /// Their bytes as stored, without keys and compression.
    pub bytes: u64,
    /// The last good record.
    pub head: Head,
    /// The first thing that is wrong.
    pub damage: Option<ReadError>,
}

impl Report {
    fn count(&mut self, record: &Record) {
        self.records += 1;
        self.expired += u64::from(record.payload().is_none());
        self.bytes += record.stored_bytes() as u64;
        self.head = Head { sequence: record.sequence, hash: record.hash };
    }
}

/// Reads the log of `folder` from its first record to its last.
///
/// # Errors
/// The log cannot be opened at all. Damage inside it is part of the report.
pub fn verify(folder: &Path) -> Result<Report, OpenError> {
    let log = EventLog::open_to_read(folder)?;
    let mut report =
        Report { records: 0, expired: 0, bytes: 0, head: Head::default(), damage: None };
    loop {
        // One at a time past the last good chunk finds the very record that is damaged.
        match log.read(report.head.sequence.next(), CHUNK) {
            Ok(records) if records.is_empty() => return Ok(report),
            Ok(records) => {
                records.iter().for_each(|record| report.count(record));
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
        report.count(&record);
    }
}
