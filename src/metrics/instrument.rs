//! Counters, gauges and histograms as atomics. Readings are not of one instant: a histogram's sum may be ahead of
//! its buckets by what is being counted just then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets of a histogram, that for whatever is over the last bound included.
const BUCKETS_MAX: usize = 20;

/// What only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Nothing counted yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// `count` more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What goes up and down, as a number of 64 bits.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Sets it.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// What values of a histogram are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Nanoseconds, told as seconds.
    Nanoseconds,
    /// As they are.
    One,
}

/// How often which values occurred, by bounds that never change.
#[derive(Debug)]
pub struct Histogram {
    /// Ascending; a value is counted under the first bound that is not less.
    bounds: &'static [u64],
    unit: Unit,
    counts: [AtomicU64; BUCKETS_MAX],
    sum: AtomicU64,
}

impl Histogram {
    const fn new(bounds: &'static [u64], unit: Unit) -> Self {
        assert!(bounds.len() < BUCKETS_MAX, "a histogram has too many bounds");
        let counts = [const { AtomicU64::new(0) }; BUCKETS_MAX];
        Self { bounds, unit, counts, sum: AtomicU64::new(0) }
    }

    /// Of lengths of time, with bounds in nanoseconds.
    #[must_use]
    pub const fn of_time(bounds: &'static [u64]) -> Self {
        Self::new(bounds, Unit::Nanoseconds)
    }

    /// Of numbers.
    #[must_use]
    pub const fn of_numbers(bounds: &'static [u64]) -> Self {
        Self::new(bounds, Unit::One)
    }

    /// Counts a value, in the histogram's unit.
    pub fn observe(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts a length of time.
    pub fn observe_time(&self, time: Duration) {
        self.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Its values now.
    #[must_use]
    pub fn read(&self) -> Distribution {
        let told = |value: u64| match self.unit {
            Unit::Nanoseconds => value as f64 / 1e9,
            Unit::One => value as f64,
        };
        let counts = self.counts.iter().take(self.bounds.len() + 1);
        Distribution {
            bounds: self.bounds.iter().map(|bound| told(*bound)).collect(),
            counts: counts.map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: told(self.sum.load(Ordering::Relaxed)),
        }
    }
}

/// A reading of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Upper bounds, inclusive and ascending.
    pub bounds: Vec<f64>,
    /// Values under each bound and over the one before; one more for those over the last bound.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: f64,
}

impl Distribution {
    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects every rate and quantile: a value on a bound is under it, and nothing is lost over the last.
    #[test]
    fn values_are_counted_under_the_first_bound_that_is_not_less() {
        let histogram = Histogram::of_numbers(&[1, 10]);
        for value in [0, 1, 2, 10, 11, u64::from(u32::MAX)] {
            histogram.observe(value);
        }
        let read = histogram.read();
        assert_eq!(read.bounds, [1.0, 10.0]);
        assert_eq!(read.counts, [2, 2, 2]);
        assert_eq!(read.sum, 24.0 + f64::from(u32::MAX));
        let times = Histogram::of_time(&[1_000_000, 1_000_000_000]);
        times.observe_time(Duration::from_millis(250));
        let read = times.read();
        assert_eq!((read.bounds[0], read.counts[1], read.sum), (0.001, 1, 0.25));
    }
}
