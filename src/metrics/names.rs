//! Every metric by name, in one place: dashboards, alert rules and `docs/observability.md` are checked against it.
//! Names and units as Prometheus advises (Prometheus documentation, Metric and label naming).

/// What the values of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counted by bounds.
    Histogram,
}

/// A metric with all its labels' values.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// With the unit; counters end in `_total`.
    pub name: &'static str,
    /// What it tells, for people.
    pub help: &'static str,
    /// What its values are.
    pub kind: Kind,
}

impl Family {
    /// The unit in the words of UCUM, which OTLP uses.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        let name = self.name.trim_end_matches("_total");
        match name.rsplit('_').next() {
            Some("seconds") => "s",
            Some("bytes") => "By",
            _ => "1",
        }
    }
}

macro_rules! families {
    ($($name:ident: $kind:ident $text:literal, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub static $name: Family = Family { name: $text, help: $help, kind: Kind::$kind };
        )*

        /// All families.
        pub static FAMILIES: &[&Family] = &[$(&$name),*];
    };
}

families! {
    BUILD_INFO: Gauge "locum_build_info", "1, with the version of the program.";

    PROCESS_CPU: Counter "process_cpu_seconds_total", "Processor time of the process, user and system.";
    PROCESS_MEMORY: Gauge "process_resident_memory_bytes", "Memory that the process holds.";
    PROCESS_FILES: Gauge "process_open_fds", "Files and sockets that the process has open.";
    PROCESS_FILES_MAX: Gauge "process_max_fds", "Files and sockets that it may have open.";
    PROCESS_THREADS: Gauge "process_threads", "Threads of the process.";
    PROCESS_START: Gauge "process_start_time_seconds", "When the process began, in seconds since 1970.";

    REQUEST_DURATION: Histogram "locum_request_duration_seconds", "From a request to its answer, or to the first message of a stream, by edge, service and operation.";
    REQUESTS: Counter "locum_requests_total", "Requests by edge, service, operation and outcome.";
    ERRORS: Counter "locum_errors_total", "Requests that were not done, by edge and error code.";
    DENIALS: Counter "locum_denials_total", "Refusals by reason: the kind of policy that denied, or what was wrong with the caller.";
    ACCOUNT_REQUESTS: Counter "locum_account_requests_total", "Authenticated requests by account, of the busiest accounts; the rest as `other`.";
    ACCOUNT_REFUSED: Counter "locum_account_refused_total", "Of these, requests that were denied or invalid.";
    ACCOUNT_THROTTLED: Counter "locum_account_throttled_total", "Of these, requests that were throttled.";
    SIGNER_CACHE: Counter "locum_signer_cache_lookups_total", "Signers and session tokens that were known already (hit) or had to be derived and opened (miss).";

    QUEUE: Gauge "locum_queue_commands", "Commands that wait for the writer.";
    QUEUE_MAX: Gauge "locum_queue_commands_max", "Commands that may wait for the writer.";
    QUEUE_WAIT: Histogram "locum_queue_wait_seconds", "How long commands waited for the writer.";
    COMMANDS: Counter "locum_commands_total", "Commands by what they came to.";
    BATCH_COMMANDS: Histogram "locum_batch_commands", "Commands of a batch.";
    BATCH_BYTES: Histogram "locum_batch_bytes", "Bytes of the facts of a batch.";
    LOG_APPEND: Histogram "locum_log_append_duration_seconds", "One synced write of a batch to the log (fsync).";
    LOG_APPENDED: Counter "locum_log_appended_bytes_total", "Bytes of facts that were appended to the log.";
    LOG_EXPIRED: Counter "locum_log_expired_records_total", "Records that expired by an account's quota of events.";
    LOG_SEQUENCE: Gauge "locum_log_sequence", "The newest applied record of the log.";
    LOG_BYTES: Gauge "locum_log_bytes", "Bytes of the log on disk.";
    LOG_WRITABLE: Gauge "locum_log_writable", "Whether the log takes writes.";
    SNAPSHOT_DURATION: Histogram "locum_snapshot_duration_seconds", "How long snapshots took to write.";
    SNAPSHOT_FAILURES: Counter "locum_snapshot_failures_total", "Snapshots that could not be written.";
    SNAPSHOT_SEQUENCE: Gauge "locum_snapshot_sequence", "The record that the newest snapshot reaches to.";
    SNAPSHOT_AGE: Gauge "locum_snapshot_age_seconds", "Time since the newest snapshot was written, or since the start.";
    REPLAY_DURATION: Gauge "locum_replay_duration_seconds", "How long the start took to rebuild the state.";
    REPLAY_RECORDS: Gauge "locum_replay_records", "Records that the start applied after the snapshot.";

    ACCOUNTS: Gauge "locum_accounts", "Accounts.";
    INSTANCES: Gauge "locum_instances", "Instances, terminated ones included.";

    ROTATIONS: Counter "locum_rotations_total", "Rotations by what they came to.";
    ROTATION_LATENESS: Histogram "locum_rotation_lateness_seconds", "How long after they were due credentials were renewed.";
    ROTATION_LAG: Gauge "locum_rotation_lag_seconds", "For how long the credentials that wait longest have been due.";
    ROTATIONS_SCHEDULED: Gauge "locum_rotations_scheduled", "Entries of the calendar of renewals: one for each association with a due time, and stale ones.";
    SERVED_LIFE: Histogram "locum_served_credentials_life_seconds", "What was left of the life of instances' credentials when they were handed out.";

    METADATA_REQUESTS: Counter "locum_metadata_requests_total", "Requests for metadata by what became of them.";
    WATCH_STREAMS: Gauge "locum_watch_streams", "Streams that are open, by what they tell.";
    WATCH_CUT_OFF: Counter "locum_watch_streams_cut_off_total", "Streams that were ended because their reader was too slow, or because too much changed to tell it one by one.";
    ACCESS_LINES_DROPPED: Counter "locum_access_lines_dropped_total", "Lines of the access log that were left out because there were too many.";

    AGENT_INSTANCES: Gauge "locum_agent_instances", "Instances that the agent knows.";
    AGENT_IN_TOUCH: Gauge "locum_agent_in_touch", "Whether the service can be reached.";
    AGENT_STALE: Gauge "locum_agent_stale_seconds", "For how long instances are served without the service.";
    AGENT_STREAMS_ENDED: Counter "locum_agent_streams_ended_total", "How often the stream from the service ended.";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects those who write queries: names keep to Prometheus's rules, and none stands twice.
    #[test]
    fn names_are_legal_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for family in FAMILIES {
            assert!(seen.insert(family.name), "{} stands twice", family.name);
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(family.name.chars().all(legal), "{}", family.name);
            let counter = family.kind == Kind::Counter;
            assert_eq!(family.name.ends_with("_total"), counter, "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
    }
}
