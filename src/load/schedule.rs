//! When requests are due at a constant rate: computed for each from the start, so that nothing drifts.

use std::time::Duration;

/// Arrivals at a constant rate for some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Requests a second; more than 0.
    rate: f64,
    total: u64,
}

impl Schedule {
    pub(super) fn new(rate: f64, duration: Duration) -> Self {
        Self { rate, total: (rate * duration.as_secs_f64()).round() as u64 }
    }

    /// How many there are.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// When number `index`, from 0, is due, since the start.
    pub(super) fn due(&self, index: u64) -> Duration {
        Duration::from_nanos((index as f64 * 1e9 / self.rate) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the rate over a long run: the millionth request is due when it should be, to the microsecond.
    #[test]
    fn arrivals_are_even_and_do_not_drift() {
        let schedule = Schedule::new(3000.0, Duration::from_secs(600));
        assert_eq!(schedule.total(), 1_800_000);
        assert_eq!(schedule.due(0), Duration::ZERO);
        let third = Duration::from_nanos(333_333);
        for index in [0, 1, 1000, 1_799_998] {
            let gap = schedule.due(index + 1) - schedule.due(index);
            assert!(gap.abs_diff(third) < Duration::from_micros(1), "{index}: {gap:?}");
        }
        let last = schedule.due(schedule.total());
        assert!(last.abs_diff(Duration::from_secs(600)) < Duration::from_micros(1));
    }

    /// Protects slow scenarios: less than one request a second is a rate too.
    #[test]
    fn rates_below_one_are_kept() {
        let schedule = Schedule::new(0.5, Duration::from_secs(10));
        assert_eq!((schedule.total(), schedule.due(4)), (5, Duration::from_secs(8)));
    }
}
