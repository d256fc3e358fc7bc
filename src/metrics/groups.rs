//! The values that parts of the service keep, a group for each part: what is counted where stands here in one view.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::instrument::{Counter, Gauge, Histogram};
use super::labels::{Commanded, Denial, Lookup, Rotated, StreamKind};
use super::{Sink, names};

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// From what memory answers to what no client waits for any more.
pub(super) const LATENCY: &[u64] = &[
    10 * MICROSECOND,
    25 * MICROSECOND,
    50 * MICROSECOND,
    100 * MICROSECOND,
    250 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2_500 * MICROSECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    SECOND,
    5 * SECOND,
    30 * SECOND,
];
/// From a rotation that is in time to one that endangers what is served.
const LATENESS: &[u64] = &[
    100 * MILLISECOND,
    SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
];
/// Around 15 minutes, when SDKs renew, and 20, which the service promises.
const LIFE: &[u64] = &[
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    4 * HOUR,
    5 * HOUR,
    6 * HOUR,
    12 * HOUR,
];
/// Writing a snapshot.
const SNAPSHOTS: &[u64] = &[
    10 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
];
const COUNTS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
const SIZES: &[u64] =
    &[256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20];

/// One counter for each value of a label.
struct Counters<const N: usize>([Counter; N]);

impl<const N: usize> Counters<N> {
    const fn new() -> Self {
        Self([const { Counter::new() }; N])
    }

    fn add(&self, index: usize, count: u64) {
        if let Some(counter) = self.0.get(index) {
            counter.add(count);
        }
    }
}

/// The writer, its queue, the log and its snapshots.
pub struct Ledger {
    commands: Counters<{ Commanded::ALL.len() }>,
    queue_wait: Histogram,
    batch_commands: Histogram,
    batch_bytes: Histogram,
    append: Histogram,
    appended: Counter,
    expired: Counter,
    snapshots: Histogram,
    snapshot_failures: Counter,
    snapshot_sequence: Gauge,
    /// Milliseconds from the first use of this to the newest snapshot.
    snapshot_at: AtomicU64,
    replay_duration: Gauge,
    replay_records: Gauge,
}

static LEDGER: Ledger = Ledger {
    commands: Counters::new(),
    queue_wait: Histogram::of_time(LATENCY),
    batch_commands: Histogram::of_numbers(COUNTS),
    batch_bytes: Histogram::of_numbers(SIZES),
    append: Histogram::of_time(LATENCY),
    appended: Counter::new(),
    expired: Counter::new(),
    snapshots: Histogram::of_time(SNAPSHOTS),
    snapshot_failures: Counter::new(),
    snapshot_sequence: Gauge::new(),
    snapshot_at: AtomicU64::new(0),
    replay_duration: Gauge::new(),
    replay_records: Gauge::new(),
};

/// The writer, its queue, the log and its snapshots.
#[must_use]
pub fn ledger() -> &'static Ledger {
    &LEDGER
}

impl Ledger {
    /// Counts a command by what it came to.
    pub fn command(&self, came_to: Commanded) {
        self.commands.add(came_to as usize, 1);
    }

    /// Counts how long a command waited for the writer.
    pub fn waited(&self, time: Duration) {
        self.queue_wait.observe_time(time);
    }

    /// Counts a batch that was written: its commands and the bytes of its facts, and how long the synced write
    /// took.
    pub fn batch(&self, commands: usize, bytes: usize, append: Duration) {
        self.batch_commands.observe(commands as u64);
        self.batch_bytes.observe(bytes as u64);
        self.append.observe_time(append);
        self.appended.add(bytes as u64);
    }

    /// Counts records that an account no longer retains.
    pub fn expired(&self, records: usize) {
        self.expired.add(records as u64);
    }

    /// Counts a snapshot that was written: the record it reaches to, and how long it took.
    pub fn snapshot(&self, sequence: u64, took: Duration) {
        self.snapshots.observe_time(took);
        self.snapshot_sequence.set(sequence as f64);
        self.snapshot_at.store(millis_since_start(), Ordering::Relaxed);
    }

    /// Counts a snapshot that could not be written.
    pub fn snapshot_failed(&self) {
        self.snapshot_failures.increment();
    }

    /// Tells how the start went: how long it took, the record that the snapshot reached to, and how many were
    /// applied after it.
    pub fn replayed(&self, took: Duration, snapshot: u64, records: u64) {
        self.replay_duration.set(took.as_secs_f64());
        self.replay_records.set(records as f64);
        self.snapshot_sequence.set(snapshot as f64);
        self.snapshot_at.store(millis_since_start(), Ordering::Relaxed);
    }

    fn gather(&self, sink: &mut dyn Sink) {
        for came_to in Commanded::ALL {
            let labels = [("result", came_to.text())];
            number(sink, &names::COMMANDS, &labels, self.commands.0.get(came_to as usize));
        }
        sink.histogram(&names::QUEUE_WAIT, &[], &self.queue_wait.read());
        sink.histogram(&names::BATCH_COMMANDS, &[], &self.batch_commands.read());
        sink.histogram(&names::BATCH_BYTES, &[], &self.batch_bytes.read());
        sink.histogram(&names::LOG_APPEND, &[], &self.append.read());
        number(sink, &names::LOG_APPENDED, &[], Some(&self.appended));
        number(sink, &names::LOG_EXPIRED, &[], Some(&self.expired));
        sink.histogram(&names::SNAPSHOT_DURATION, &[], &self.snapshots.read());
        number(sink, &names::SNAPSHOT_FAILURES, &[], Some(&self.snapshot_failures));
        sink.number(&names::SNAPSHOT_SEQUENCE, &[], self.snapshot_sequence.get());
        let age = millis_since_start().saturating_sub(self.snapshot_at.load(Ordering::Relaxed));
        sink.number(&names::SNAPSHOT_AGE, &[], age as f64 / 1e3);
        sink.number(&names::REPLAY_DURATION, &[], self.replay_duration.get());
        sink.number(&names::REPLAY_RECORDS, &[], self.replay_records.get());
    }
}

/// The scheduler.
pub struct Rotation {
    rotations: Counters<{ Rotated::ALL.len() }>,
    lateness: Histogram,
    lag: Gauge,
    scheduled: Gauge,
}

static ROTATION: Rotation = Rotation {
    rotations: Counters::new(),
    lateness: Histogram::of_time(LATENESS),
    lag: Gauge::new(),
    scheduled: Gauge::new(),
};

/// The scheduler.
#[must_use]
pub fn rotation() -> &'static Rotation {
    &ROTATION
}

impl Rotation {
    /// Counts `count` rotations by what they came to.
    pub fn done(&self, came_to: Rotated, count: u64) {
        self.rotations.add(came_to as usize, count);
    }

    /// Counts how long after it was due a set was renewed; zero for one that was in time.
    pub fn late(&self, time: Duration) {
        self.lateness.observe_time(time);
    }

    /// Tells for how long what waits longest has been due; zero if nothing is.
    pub fn lag(&self, time: Duration) {
        self.lag.set(time.as_secs_f64());
    }

    /// Tells how many associations have a due time.
    pub fn scheduled(&self, count: usize) {
        self.scheduled.set(count as f64);
    }

    fn gather(&self, sink: &mut dyn Sink) {
        for came_to in Rotated::ALL {
            let labels = [("result", came_to.text())];
            number(sink, &names::ROTATIONS, &labels, self.rotations.0.get(came_to as usize));
        }
        sink.histogram(&names::ROTATION_LATENESS, &[], &self.lateness.read());
        sink.number(&names::ROTATION_LAG, &[], self.lag.get());
        sink.number(&names::ROTATIONS_SCHEDULED, &[], self.scheduled.get());
    }
}

/// Credentials of instances on their way out.
pub struct Credentials {
    life: Histogram,
}

static CREDENTIALS: Credentials = Credentials { life: Histogram::of_time(LIFE) };

/// Credentials of instances on their way out.
#[must_use]
pub fn credentials() -> &'static Credentials {
    &CREDENTIALS
}

impl Credentials {
    /// Counts what is left of the life of credentials that are handed out.
    pub fn served(&self, left: Duration) {
        self.life.observe_time(left);
    }
}

/// Who was recognized and who was refused.
pub struct Authentication {
    denials: Counters<{ Denial::ALL.len() }>,
    lookups: Counters<{ Lookup::ALL.len() }>,
}

static AUTHENTICATION: Authentication =
    Authentication { denials: Counters::new(), lookups: Counters::new() };

/// Who was recognized and who was refused.
#[must_use]
pub fn authentication() -> &'static Authentication {
    &AUTHENTICATION
}

impl Authentication {
    /// Counts a refusal.
    pub fn denied(&self, reason: Denial) {
        self.denials.add(reason as usize, 1);
    }

    /// Counts whether a signer was remembered.
    pub fn looked_up(&self, found: Lookup) {
        self.lookups.add(found as usize, 1);
    }

    fn gather(&self, sink: &mut dyn Sink) {
        for reason in Denial::ALL {
            let labels = [("reason", reason.text())];
            number(sink, &names::DENIALS, &labels, self.denials.0.get(reason as usize));
        }
        for found in Lookup::ALL {
            let labels = [("result", found.text())];
            number(sink, &names::SIGNER_CACHE, &labels, self.lookups.0.get(found as usize));
        }
    }
}

/// Streams that stay open.
pub struct Streams {
    open: [AtomicU64; StreamKind::ALL.len()],
    cut_off: Counters<{ StreamKind::ALL.len() }>,
}

static STREAMS: Streams = Streams {
    open: [const { AtomicU64::new(0) }; StreamKind::ALL.len()],
    cut_off: Counters::new(),
};

/// Streams that stay open.
#[must_use]
pub fn streams() -> &'static Streams {
    &STREAMS
}

/// A stream that is counted as open until this is dropped.
pub struct WatchGuard(StreamKind);

impl Streams {
    /// Counts a stream as open while the answer is kept.
    #[must_use]
    pub fn opened(&self, kind: StreamKind) -> WatchGuard {
        if let Some(open) = self.open.get(kind as usize) {
            open.fetch_add(1, Ordering::Relaxed);
        }
        WatchGuard(kind)
    }

    /// Counts a stream that was ended because its reader was too slow, or had missed too much to be told of it.
    pub fn cut_off(&self, kind: StreamKind) {
        self.cut_off.add(kind as usize, 1);
    }

    fn gather(&self, sink: &mut dyn Sink) {
        for (kind, open) in StreamKind::ALL.iter().zip(&self.open) {
            let open = open.load(Ordering::Relaxed) as f64;
            sink.number(&names::WATCH_STREAMS, &[("kind", kind.text())], open);
        }
        for kind in StreamKind::ALL {
            let labels = [("kind", kind.text())];
            number(sink, &names::WATCH_CUT_OFF, &labels, self.cut_off.0.get(kind as usize));
        }
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        if let Some(open) = STREAMS.open.get(self.0 as usize) {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The access log.
pub struct Lines {
    dropped: Counter,
}

static LINES: Lines = Lines { dropped: Counter::new() };

/// The access log.
#[must_use]
pub fn lines() -> &'static Lines {
    &LINES
}

impl Lines {
    /// Counts a line that was left out.
    pub fn dropped(&self) {
        self.dropped.increment();
    }
}

fn number(
    sink: &mut dyn Sink,
    family: &'static names::Family,
    labels: &super::Labels<'_>,
    counter: Option<&Counter>,
) {
    sink.number(family, labels, counter.map_or(0.0, |counter| counter.get() as f64));
}

fn millis_since_start() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What a server measures beside requests.
pub(super) fn gather_server(sink: &mut dyn Sink) {
    AUTHENTICATION.gather(sink);
    LEDGER.gather(sink);
    ROTATION.gather(sink);
    STREAMS.gather(sink);
    number(sink, &names::ACCESS_LINES_DROPPED, &[], Some(&LINES.dropped));
}

/// What servers and agents measure.
pub(super) fn gather_both(sink: &mut dyn Sink) {
    sink.histogram(&names::SERVED_LIFE, &[], &CREDENTIALS.life.read());
}
