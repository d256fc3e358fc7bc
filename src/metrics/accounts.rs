//! Requests by account, for the busiest accounts only: a label for each account would be as many series as there
//! are customers. A table of fixed size holds who is busy; whoever is not in it is counted as `other`.
//!
//! Each account has one row of slots where it can stand. A request of an account that has none takes weight from
//! the lightest of its row and gets the slot once nothing is left of that weight, so that the busy stay and the
//! seldom never displace them (as in HeavyKeeper, Gong et al., USENIX ATC 2018, without the random part). A request
//! is counted in one series when it occurs and never moved, so that rates are right whoever comes and goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::labels::Outcome;
use super::{Sink, names};
use crate::identity::AccountId;

const ROWS: usize = 32;
const SLOTS_PER_ROW: usize = 8;
/// Accounts that have a label at once.
pub const ACCOUNTS_MAX: usize = ROWS * SLOTS_PER_ROW;
/// How often weights are halved, so that who was busy once makes room.
const HALVED_EVERY: Duration = Duration::from_secs(60);
/// No account's number: accounts have 12 digits.
const EMPTY: u64 = u64::MAX;

struct Counts {
    requests: AtomicU64,
    refused: AtomicU64,
    throttled: AtomicU64,
}

struct Row {
    /// Together, so that a search reads one line of the cache.
    accounts: [AtomicU64; SLOTS_PER_ROW],
    weights: [AtomicU64; SLOTS_PER_ROW],
    counts: [Counts; SLOTS_PER_ROW],
}

/// See the module.
pub struct Accounts {
    rows: [Row; ROWS],
    other: Counts,
    /// Whole minutes of which the weights were halved.
    halved: AtomicU64,
}

impl Counts {
    const fn new() -> Self {
        let (requests, refused, throttled) =
            (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { requests, refused, throttled }
    }

    fn count(&self, outcome: Outcome) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match outcome {
            Outcome::Denied | Outcome::Invalid => self.refused.fetch_add(1, Ordering::Relaxed),
            Outcome::Throttled => self.throttled.fetch_add(1, Ordering::Relaxed),
            Outcome::Ok | Outcome::Failed => return,
        };
    }

    fn clear(&self) {
        for count in [&self.requests, &self.refused, &self.throttled] {
            count.store(0, Ordering::Relaxed);
        }
    }
}

impl Row {
    const fn new() -> Self {
        Self {
            accounts: [const { AtomicU64::new(EMPTY) }; SLOTS_PER_ROW],
            weights: [const { AtomicU64::new(0) }; SLOTS_PER_ROW],
            counts: [const { Counts::new() }; SLOTS_PER_ROW],
        }
    }

    /// The slot of `account`, now or from now on.
    fn slot(&self, account: u64) -> Option<usize> {
        let held = |slot: &AtomicU64| slot.load(Ordering::Relaxed) == account;
        if let Some(found) = self.accounts.iter().position(held) {
            self.weights.get(found)?.fetch_add(1, Ordering::Relaxed);
            return Some(found);
        }
        let weigh = |(index, weight): (usize, &AtomicU64)| (weight.load(Ordering::Relaxed), index);
        let (weight, lightest) = self.weights.iter().enumerate().map(weigh).min()?;
        if weight > 0 {
            // Lost to another thread, that one has taken the weight.
            let _ = self.weights.get(lightest)?.compare_exchange(
                weight,
                weight - 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            return None;
        }
        let slot = self.accounts.get(lightest)?;
        let before = slot.load(Ordering::Relaxed);
        slot.compare_exchange(before, account, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        self.counts.get(lightest)?.clear();
        self.weights.get(lightest)?.store(1, Ordering::Relaxed);
        Some(lightest)
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self::new()
    }
}

impl Accounts {
    /// Knows nobody yet.
    #[must_use]
    pub const fn new() -> Self {
        let rows = [const { Row::new() }; ROWS];
        Self { rows, other: Counts::new(), halved: AtomicU64::new(0) }
    }

    /// Counts an authenticated request of an account by what it came to.
    pub fn request(&self, account: AccountId, outcome: Outcome) {
        let number = account.get();
        // Fibonacci hashing: accounts are numbered in a row or at random.
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59;
        let row = usize::try_from(hash).ok().and_then(|index| self.rows.get(index));
        let counts = row.and_then(|row| row.counts.get(row.slot(number)?));
        counts.unwrap_or(&self.other).count(outcome);
    }

    /// Tells the accounts that have a slot, and the rest.
    pub(super) fn gather(&self, sink: &mut dyn Sink) {
        self.age(since_start());
        type Read = fn(&Counts) -> &AtomicU64;
        let families: [(&'static names::Family, Read); 3] = [
            (&names::ACCOUNT_REQUESTS, |counts| &counts.requests),
            (&names::ACCOUNT_REFUSED, |counts| &counts.refused),
            (&names::ACCOUNT_THROTTLED, |counts| &counts.throttled),
        ];
        for (family, read) in families {
            let told = |counts: &Counts| read(counts).load(Ordering::Relaxed) as f64;
            for row in &self.rows {
                for (account, counts) in row.accounts.iter().zip(&row.counts) {
                    let Some(account) = AccountId::new(account.load(Ordering::Relaxed)) else {
                        continue;
                    };
                    sink.number(family, &[("account", &account.to_string())], told(counts));
                }
            }
            sink.number(family, &[("account", "other")], told(&self.other));
        }
    }

    /// Halves all weights if that is due.
    fn age(&self, now: Duration) {
        let minutes = now.as_secs() / HALVED_EVERY.as_secs();
        if self.halved.swap(minutes, Ordering::Relaxed) >= minutes {
            return;
        }
        for weight in self.rows.iter().flat_map(|row| &row.weights) {
            let before = weight.load(Ordering::Relaxed);
            weight.fetch_sub(before / 2, Ordering::Relaxed);
        }
    }
}

fn since_start() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Distribution, Family, Labels};
    use super::*;

    #[derive(Default)]
    struct Read(BTreeMap<(&'static str, String), f64>);

    impl Sink for Read {
        fn number(&mut self, family: &'static Family, labels: &Labels<'_>, value: f64) {
            let account = labels.first().map(|(_, account)| (*account).to_owned());
            self.0.insert((family.name, account.unwrap_or_default()), value);
        }

        fn histogram(&mut self, _: &'static Family, _: &Labels<'_>, _: &Distribution) {}
    }

    fn account(number: u64) -> AccountId {
        AccountId::new(100_000_000_000 + number).unwrap()
    }

    /// Protects whoever stores the series: however many accounts there are, so many have a label; the busiest
    /// have one, every request is counted once, and none is attributed to somebody else.
    #[test]
    fn series_are_bounded_and_the_busy_are_among_them() {
        const MANY: u64 = 10_000;
        let accounts = Accounts::new();
        let (mut total, mut busy) = (0_u64, 0);
        for round in 0..40 {
            for number in 0..MANY {
                // The first fifty ask in every round, the others in every tenth.
                let asks = if number < 50 { 20 } else { u64::from(round % 10 == number % 10) };
                for _ in 0..asks {
                    accounts.request(account(number), Outcome::Ok);
                    total += 1;
                }
            }
            busy += 20;
        }
        accounts.request(account(7), Outcome::Throttled);
        let mut read = Read::default();
        accounts.gather(&mut read);
        let requests = |account: &str| {
            read.0.get(&("locum_account_requests_total", account.to_owned())).copied()
        };
        assert!(read.0.len() <= 3 * (ACCOUNTS_MAX + 1), "{} series", read.0.len());
        for number in 0..50 {
            let counted = requests(&account(number).to_string()).unwrap_or_default();
            let asked = busy as f64 + f64::from(u8::from(number == 7));
            assert!(counted <= asked, "{number}: {counted} of {asked}");
            assert!(counted > asked * 0.9, "{number}: {counted} of {asked}");
        }
        let throttled = ("locum_account_throttled_total", account(7).to_string());
        assert_eq!(read.0.get(&throttled), Some(&1.0));
        let counted: f64 = read
            .0
            .iter()
            .filter(|((name, _), _)| *name == "locum_account_requests_total")
            .map(|(_, value)| value)
            .sum();
        // What was counted of accounts that lost their slot is told no more.
        assert!(counted <= total as f64 + 1.0);
        assert!(requests("other").unwrap() > 0.0);
    }

    /// Protects newly busy accounts: those that were busy long ago give way.
    #[test]
    fn who_was_busy_once_makes_room() {
        let accounts = Accounts::new();
        for number in 0..1000 {
            (0..1000).for_each(|_| accounts.request(account(number), Outcome::Ok));
        }
        for minute in 1..=12 {
            accounts.age(HALVED_EVERY * minute);
        }
        let newcomer = account(5_000);
        (0..50).for_each(|_| accounts.request(newcomer, Outcome::Ok));
        let mut read = Read::default();
        accounts.gather(&mut read);
        assert!(read.0.contains_key(&("locum_account_requests_total", newcomer.to_string())));
    }
}
