//! The access log: one line for a request, with its id, which the caller has too. Which requests have one is a
//! setting; refusals always have one unless it is `off`, since callers ask about those. The events of the log say
//! more of what was done.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::identity::Principal;
use crate::metrics::{self, Operation, Outcome};

/// Lines a second; those beyond are left out and counted, so that a flood of bad requests is none of lines.
pub const ACCESS_LINES_PER_SECOND_MAX: u64 = 1000;

/// Which requests have a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum AccessLog {
    /// None.
    Off,
    /// Those that were not done.
    #[default]
    Refusals,
    /// These, and those that change or issue something.
    Changes,
    /// All.
    All,
}

/// As for logs, there is one setting for a process.
static SETTING: AtomicU8 = AtomicU8::new(AccessLog::Refusals as u8);

/// Sets which requests have a line.
pub(super) fn set(log: AccessLog) {
    SETTING.store(log as u8, Ordering::Relaxed);
}

/// Which requests have a line.
#[must_use]
pub fn access_log() -> AccessLog {
    use AccessLog::{All, Changes, Off, Refusals};
    let setting = SETTING.load(Ordering::Relaxed);
    let known = [Off, Refusals, Changes, All].into_iter().find(|log| *log as u8 == setting);
    known.unwrap_or_default()
}

/// What is told of a request.
pub struct Access<'a> {
    /// What was asked for.
    pub operation: &'a Operation,
    /// Its id.
    pub request_id: &'a str,
    /// The caller; none where nobody was recognized.
    pub principal: Option<&'a Principal>,
    /// The error code; none if it was done.
    pub code: Option<&'a str>,
    /// What it came to.
    pub outcome: Outcome,
    /// From the request to the answer.
    pub took: Duration,
    /// The trace that it belongs to; empty for none.
    pub trace_id: &'a str,
}

impl AccessLog {
    /// Whether a request has a line.
    #[must_use]
    pub fn has(self, operation: &Operation, outcome: Outcome) -> bool {
        match self {
            Self::Off => false,
            Self::Refusals => outcome != Outcome::Ok,
            Self::Changes => outcome != Outcome::Ok || operation.changes,
            Self::All => true,
        }
    }

    /// Writes the line of a request that has one, unless there are too many of them now.
    pub fn write(self, access: &Access<'_>) {
        if !self.has(access.operation, access.outcome) {
            return;
        }
        if !ROOM.take(since_start().as_secs()) {
            metrics::lines().dropped();
            return;
        }
        let Access { operation, request_id, principal, code, outcome, took, trace_id } = access;
        let (edge, service, name) = (operation.edge.text(), operation.service, operation.name);
        let (outcome, code) = (outcome.text(), code.unwrap_or("OK"));
        let principal = principal.map(Principal::arn).unwrap_or_default();
        let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            target: "locum::access",
            request_id, edge, service, operation = name, principal = &*principal, outcome, code, duration_us, trace_id,
            "request"
        );
    }
}

/// Lines of the second that is now.
struct Room {
    second: AtomicU64,
    lines: AtomicU64,
}

static ROOM: Room = Room { second: AtomicU64::new(0), lines: AtomicU64::new(0) };

impl Room {
    /// Whether there is room for one more line in this second.
    fn take(&self, second: u64) -> bool {
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        self.lines.fetch_add(1, Ordering::Relaxed) < ACCESS_LINES_PER_SECOND_MAX
    }
}

fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects disks: a flood of refusals is no flood of lines, and the next second has room again.
    #[test]
    fn lines_of_a_second_are_bounded() {
        let room = Room { second: AtomicU64::new(0), lines: AtomicU64::new(0) };
        let taken = (0..5000).filter(|_| room.take(7)).count();
        assert_eq!(taken as u64, ACCESS_LINES_PER_SECOND_MAX);
        assert!(room.take(8));
    }

    /// Protects those who look for a refused request: it has a line under every setting but `off`.
    #[test]
    fn refusals_have_a_line() {
        let read = metrics::grpc().find("/locum.v1.StsService/GetCallerIdentity");
        let change = metrics::grpc().find("/locum.v1.IamService/CreateUser");
        let told = |log: AccessLog| {
            [
                log.has(read, Outcome::Denied),
                log.has(change, Outcome::Ok),
                log.has(read, Outcome::Ok),
            ]
        };
        assert_eq!(told(AccessLog::Off), [false, false, false]);
        assert_eq!(told(AccessLog::Refusals), [true, false, false]);
        assert_eq!(told(AccessLog::Changes), [true, true, false]);
        assert_eq!(told(AccessLog::All), [true, true, true]);
    }
}
