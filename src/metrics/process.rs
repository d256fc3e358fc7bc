//! What the system tells of this process: from `/proc` and getrusage(2). What cannot be read is left out.
//! Names as of Prometheus's client libraries (Writing client libraries, Process metrics).

use std::sync::OnceLock;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

use super::{Sink, names};
use crate::clock::Clock;

pub(super) fn gather(sink: &mut dyn Sink) {
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let seconds =
            |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        let total = seconds(usage.user_time()) + seconds(usage.system_time());
        sink.number(&names::PROCESS_CPU, &[], total);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    if let Some(kilobytes) = field("VmRSS:") {
        sink.number(&names::PROCESS_MEMORY, &[], kilobytes * 1024.0);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        sink.number(&names::PROCESS_FILES, &[], open.count() as f64);
    }
    if let Ok((max, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        sink.number(&names::PROCESS_FILES_MAX, &[], max as f64);
    }
    if let Some(threads) = field("Threads:") {
        sink.number(&names::PROCESS_THREADS, &[], threads);
    }
    sink.number(&names::PROCESS_START, &[], started().as_millis() as f64 / 1e3);
}

/// When this was called first.
pub(super) fn started() -> crate::clock::Timestamp {
    static STARTED: OnceLock<crate::clock::Timestamp> = OnceLock::new();
    *STARTED.get_or_init(|| Clock::System.now())
}
