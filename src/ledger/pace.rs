//! How much of a batch one account may have while others wait: what takes little time beside the durable write,
//! which everybody waits for anyway. Measured by the writer, so that a slow disk has large batches and a fast one
//! small ones.

use std::time::Duration;

use super::queue::BATCH_WEIGHT_MAX;

/// The part of a durable write's time that an account may add to a batch, as its divisor.
const WRITE_PART: u64 = 8;
/// The least share: smaller ones would waste writes.
const SHARE_MIN: u32 = 16;
/// How slowly the averages move, as a divisor.
const SMOOTHING: u64 = 16;

/// Averages over the newest batches, in nanoseconds; zero before the first.
#[derive(Debug, Default)]
pub(super) struct Pace {
    write: u64,
    /// To decide and answer one command.
    each: u64,
}

impl Pace {
    /// Takes a batch into account: how long its write took, and everything else for its `count` commands.
    pub(super) fn observe(&mut self, write: Duration, rest: Duration, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let Some(each) = nanos(rest).checked_div(count) else { return };
        self.each = smoothed(self.each, each);
        if !write.is_zero() {
            self.write = smoothed(self.write, nanos(write));
        }
    }

    /// The most of the next batch that is one account's, in commands.
    pub(super) fn share(&self) -> u32 {
        let share = (self.write / WRITE_PART).checked_div(self.each).unwrap_or(0);
        u32::try_from(share).unwrap_or(u32::MAX).clamp(SHARE_MIN, BATCH_WEIGHT_MAX)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn smoothed(average: u64, newest: u64) -> u64 {
    if average == 0 {
        return newest;
    }
    let kept = average.saturating_sub(average / SMOOTHING);
    kept.saturating_add(newest / SMOOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the balance of latency and throughput: a slow disk has large shares, a fast one small ones, within
    /// the bounds.
    #[test]
    fn the_share_follows_the_disk() {
        let share = |write_us, each_us: u64| {
            let mut pace = Pace::default();
            for _ in 0..100 {
                let rest = Duration::from_micros(each_us * 10);
                pace.observe(Duration::from_micros(write_us), rest, 10);
            }
            pace.share()
        };
        assert_eq!(Pace::default().share(), SHARE_MIN);
        assert_eq!(share(300, 5), SHARE_MIN);
        assert!((240..=260).contains(&share(10_000, 5)), "{}", share(10_000, 5));
        assert_eq!(share(1_000_000, 5), BATCH_WEIGHT_MAX);
    }
}
