//! Time as values. `Clock` is the only caller of `SystemTime::now`; everything else is handed a
//! `Timestamp`, so that decisions, replay and tests see the time they are told.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time rounded down to a whole second, the resolution of AWS documents.
    #[must_use]
    pub const fn floor_to_second(self) -> Self {
        Self::from_unix_seconds(self.as_unix_seconds())
    }

    /// Later by `duration`, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// Earlier by `duration`, saturating.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2026-11-24T04:08:00Z`: whole seconds, as AWS SDKs parse it literally. The last second of the year
    /// 9999 for what no such text can name.
    #[must_use]
    pub fn iso8601(self) -> String {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] =
            self.digits().unwrap_or(*b"99991231235959");
        let text = [a, b, c, d, b'-', e, f, b'-', g, h, b'T', i, j, b':', k, l, b':', m, n, b'Z'];
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The digits of year, month, day, hour, minute and second; none outside of the years 0 to 9999. By hand:
    /// every request needs some of them.
    #[must_use]
    pub fn digits(self) -> Option<[u8; 14]> {
        let time = OffsetDateTime::from_unix_timestamp(self.as_unix_seconds()).ok()?;
        let (date, clock) = (time.date(), time.time());
        let year = u16::try_from(date.year()).ok()?;
        let parts =
            [u8::from(date.month()), date.day(), clock.hour(), clock.minute(), clock.second()];
        let pairs = [year / 100, year % 100].into_iter().chain(parts.map(u16::from));
        let mut digits = [b'0'; 14];
        let (places, _) = digits.as_chunks_mut::<2>();
        for ([tens, ones], pair) in places.iter_mut().zip(pairs) {
            *tens = digit(pair / 10);
            *ones = digit(pair % 10);
        }
        Some(digits)
    }
}

fn digit(value: u16) -> u8 {
    u8::try_from(value).map_or(b'9', |value| b'0'.saturating_add(value))
}

/// RFC 3339, such as `2026-11-24T04:08:00Z`; fractions are kept to the millisecond.
impl FromStr for Timestamp {
    type Err = time::error::Parse;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = OffsetDateTime::parse(text, &Rfc3339)?;
        let millis = read.unix_timestamp_nanos().div_euclid(1_000_000);
        Ok(Self(i64::try_from(millis).unwrap_or(i64::MAX)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.iso8601().trim_end_matches('Z'), self.0.rem_euclid(1000))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

/// Where the time comes from: the machine, or a test that sets it by hand.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Milliseconds since the epoch, moved by the holder.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `start` until `set`.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.as_millis())))
    }

    /// The current time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::EPOCH.plus(since)
            }
            Self::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Time that runs on evenly, from any beginning: for rates, which a correction of the machine's clock must not
    /// change.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        match self {
            Self::System => BEGAN.get_or_init(Instant::now).elapsed(),
            Self::Manual(_) => self.now().since(Timestamp::EPOCH),
        }
    }

    /// Sets a manual clock; the system clock ignores it.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(millis) = self {
            millis.store(now.as_millis(), Ordering::SeqCst);
        }
    }
}
