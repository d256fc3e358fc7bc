//! How often accounts and strangers may ask: token buckets as the generic cell rate algorithm keeps them (ITU-T I.371),
//! one moment for each caller. Whoever proved who they are is held to their account's quota; whoever did not, to
//! that of their address, so that nobody uses up another account's by asking in its name.
//!
//! The buckets stand in a table of fixed size: a caller has one of a few places, and the one that is nearest to being
//! full again gives way, which is as if it had not been there. A step costs the same whatever the number of callers.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Service, ServiceError};
use crate::domain::access::Caller;
use crate::domain::quotas::Quota;
use crate::identity::AccountId;

/// Sets of places in a table, and places of a set: a megabyte.
const SETS: usize = 8192;
const WAYS: usize = 8;
/// Nanoseconds of a second; a bucket holds as many tokens as come in in one.
const SECOND: u64 = 1_000_000_000;
/// Bits of an IPv6 address that one customer commonly has all of.
const IPV6_PREFIX_BITS: u32 = 64;
/// What strangers may ask of one address in a second where nothing else is set.
const STRANGERS_PER_SECOND: u32 = 1000;

/// A caller asks more often than they may; nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Rate exceeded")]
pub struct Throttled {
    /// The quota, or `RequestsPerAddress`.
    pub quota: &'static str,
    /// When the next attempt can succeed.
    pub retry_after: Duration,
}

/// Moments at which buckets are full again, by caller.
struct Buckets {
    hasher: RandomState,
    sets: Vec<Mutex<[Bucket; WAYS]>>,
}

/// A caller's hash, and when the bucket is full, in nanoseconds; zero where there is none.
#[derive(Clone, Copy, Default)]
struct Bucket {
    caller: u64,
    full_at: u64,
}

impl Buckets {
    fn new() -> Self {
        let sets = (0..SETS).map(|_| Mutex::new([Bucket::default(); WAYS])).collect();
        Self { hasher: RandomState::new(), sets }
    }

    /// Takes a token of `caller`, who has `rate` a second; how long until there is one otherwise.
    fn take(&self, caller: impl Hash, rate: u32, now: Duration) -> Result<(), Duration> {
        let Some(interval) = SECOND.checked_div(u64::from(rate)) else { return Ok(()) };
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let hash = self.hasher.hash_one(caller);
        let index = usize::try_from(hash).unwrap_or_default().checked_rem(SETS);
        let Some(set) = index.and_then(|index| self.sets.get(index)) else { return Ok(()) };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let at = set.iter().position(|bucket| bucket.caller == hash);
        let nearest = || set.iter().enumerate().min_by_key(|(_, bucket)| bucket.full_at);
        let at = at.or_else(|| nearest().map(|(at, _)| at)).unwrap_or_default();
        let Some(bucket) = set.get_mut(at) else { return Ok(()) };
        let full_at = if bucket.caller == hash { bucket.full_at.max(now) } else { now };
        let after = full_at.saturating_add(interval);
        if after > now.saturating_add(SECOND) {
            return Err(Duration::from_nanos(after - now - SECOND));
        }
        *bucket = Bucket { caller: hash, full_at: after };
        Ok(())
    }
}

/// What is counted, and what holds where no quota is set; zero is no bound.
pub(super) struct Rates {
    requests: Buckets,
    sessions: Buckets,
    strangers: Buckets,
    requests_default: AtomicU32,
    sessions_default: AtomicU32,
    strangers_default: AtomicU32,
}

impl Rates {
    pub(super) fn new() -> Self {
        Self {
            requests: Buckets::new(),
            sessions: Buckets::new(),
            strangers: Buckets::new(),
            requests_default: AtomicU32::new(0),
            sessions_default: AtomicU32::new(0),
            strangers_default: AtomicU32::new(STRANGERS_PER_SECOND),
        }
    }
}

impl Service {
    /// Sets what holds for accounts without a quota of their own, and for addresses; zero is no bound.
    pub fn set_default_rates(&self, requests: u32, sessions: u32, strangers: u32) {
        self.rates.requests_default.store(requests, Ordering::Relaxed);
        self.rates.sessions_default.store(sessions, Ordering::Relaxed);
        self.rates.strangers_default.store(strangers, Ordering::Relaxed);
    }

    /// What holds for accounts without a quota of their own; none is no bound, and so for what is no rate.
    #[must_use]
    pub fn default_rate(&self, quota: Quota) -> Option<u32> {
        let rate = match quota {
            Quota::RequestsPerSecond => self.rates.requests_default.load(Ordering::Relaxed),
            Quota::SessionsPerSecond => self.rates.sessions_default.load(Ordering::Relaxed),
            _ => 0,
        };
        (rate > 0).then_some(rate)
    }

    /// Counts a request of a caller who proved who they are.
    ///
    /// # Errors
    /// The caller's account asks too often.
    pub fn admit_request(&self, caller: &Caller) -> Result<(), Throttled> {
        match caller.principal.account() {
            Some(account) => self.admit(&self.rates.requests, Quota::RequestsPerSecond, account),
            None => Ok(()),
        }
    }

    /// Counts a request of someone who did not prove who they are, by their address.
    ///
    /// # Errors
    /// Too many of them come from there.
    pub fn admit_stranger(&self, source: Option<IpAddr>) -> Result<(), Throttled> {
        let rate = self.rates.strangers_default.load(Ordering::Relaxed);
        let taken = self.rates.strangers.take(source.map(network), rate, self.clock.monotonic());
        taken.map_err(|retry_after| Throttled { quota: "RequestsPerAddress", retry_after })
    }

    /// Counts a session that `account` asks for, and refuses one that the writer would not take in, before work is
    /// done for it: what is refused must cost little, or a flood slows down all others by its refusals alone.
    pub(super) fn admit_session(&self, account: AccountId) -> Result<(), ServiceError> {
        self.admit(&self.rates.sessions, Quota::SessionsPerSecond, account)?;
        Ok(self.ledger.expect_room(account)?)
    }

    fn admit(&self, buckets: &Buckets, quota: Quota, account: AccountId) -> Result<(), Throttled> {
        let view = self.view();
        let set = view.state.account(account).and_then(|account| account.quota(quota));
        let set = set.map(|max| u32::try_from(max).unwrap_or(u32::MAX));
        let Some(rate) = set.or_else(|| self.default_rate(quota)) else { return Ok(()) };
        let taken = buckets.take(account, rate, self.clock.monotonic());
        taken.map_err(|retry_after| Throttled { quota: quota.name(), retry_after })
    }
}

/// The part of an address that one customer holds.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let kept = u128::MAX.checked_shl(128 - IPV6_PREFIX_BITS).unwrap_or(u128::MAX);
            IpAddr::from((u128::from(v6) & kept).to_be_bytes())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Protects those who are throttled: a second's worth at once, then the rate, and the hint is the moment from
    /// which it goes on.
    #[test]
    fn the_hint_is_when_it_goes_on() {
        let buckets = Buckets::new();
        let mut now = Duration::from_secs(100);
        for _ in 0..10 {
            assert_eq!(buckets.take("a", 10, now), Ok(()));
        }
        let wait = buckets.take("a", 10, now).unwrap_err();
        assert_eq!(wait, 100 * MILLI);
        assert_eq!(buckets.take("b", 10, now), Ok(()), "another is not concerned");
        now += wait - Duration::from_nanos(1);
        assert!(buckets.take("a", 10, now).is_err());
        now += Duration::from_nanos(1);
        assert_eq!(buckets.take("a", 10, now), Ok(()));
        assert!(buckets.take("a", 10, now).is_err());
        now += Duration::from_secs(3600);
        let taken = (0..100).take_while(|_| buckets.take("a", 10, now).is_ok()).count();
        assert_eq!(taken, 10, "time off is not saved up");
    }

    /// Protects memory and the limit of those who ask a lot: whoever else comes by, the table stays as large as it
    /// is, and nobody gets a fresh bucket while theirs is the emptier one.
    #[test]
    fn other_callers_do_not_refill_a_bucket() {
        let buckets = Buckets::new();
        let now = Duration::from_secs(1);
        while buckets.take("a", 10, now).is_ok() {}
        for other in 0..1_000_000_u32 {
            let _ = buckets.take(other, 1000, now);
        }
        assert!(buckets.take("a", 10, now).is_err());
    }

    /// Protects against callers with as many addresses as they like: an IPv6 network counts as one.
    #[test]
    fn an_ipv6_network_is_one_source() {
        let address = |text: &str| network(text.parse().unwrap());
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
        assert_ne!(address("10.0.0.1"), address("10.0.0.2"));
    }
}
