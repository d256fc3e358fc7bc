//! How long credentials of instances live, and how long before their end they are renewed.

use std::time::Duration;

use crate::identity::Invalid;

/// What is left of credentials when they are handed out, at least: SDKs renew theirs 15 minutes ahead of the end,
/// and do so at each call where they cannot get better ones.
pub const SERVED_LIFE_MIN: Duration = Duration::from_secs(20 * 60);

/// The lives that an account may choose; sessions of roles end after 12 hours.
const LIFETIME_MIN: Duration = Duration::from_secs(3600);
const LIFETIME_MAX: Duration = Duration::from_secs(12 * 3600);
/// The shortest interval that an account may choose.
const INTERVAL_MIN: Duration = Duration::from_secs(60);

/// When credentials are renewed and when they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The age at which a set is renewed, at the latest.
    pub interval: Duration,
    /// The age at which a set ends.
    pub lifetime: Duration,
}

impl Pace {
    /// What an account or association may choose: renewed at half of its life or earlier, so that at least half an
    /// hour is left of whatever is handed out.
    ///
    /// # Errors
    /// The field and the rule that it breaks.
    pub fn chosen(interval: Duration, lifetime: Duration) -> Result<Self, Invalid> {
        if !(LIFETIME_MIN..=LIFETIME_MAX).contains(&lifetime) {
            return Err(Invalid::new("lifetime", "must be from 1 to 12 hours"));
        }
        if interval < INTERVAL_MIN || interval > lifetime / 2 {
            return Err(Invalid::new("interval", "must be from 1 minute to half of the lifetime"));
        }
        if interval.subsec_nanos() > 0 || lifetime.subsec_nanos() > 0 {
            return Err(Invalid::new("interval", "and the lifetime must be whole seconds"));
        }
        Ok(Self { interval, lifetime })
    }

    /// Whether credentials have `SERVED_LIFE_MIN` to live whenever they are handed out, while rotation is in time.
    #[must_use]
    pub fn serves_long_lives(self) -> bool {
        self.lifetime.saturating_sub(self.interval) >= SERVED_LIFE_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects clients: no choice leaves less to live than SDKs need.
    #[test]
    fn no_choice_breaks_the_promise() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        for (interval, lifetime) in [(0, 60), (31, 60), (60, 59), (10, 721), (0, 0)] {
            let refused = Pace::chosen(minutes(interval), minutes(lifetime));
            assert!(refused.is_err(), "{interval} {lifetime}");
        }
        for (interval, lifetime) in [(1, 60), (30, 60), (360, 720)] {
            let pace = Pace::chosen(minutes(interval), minutes(lifetime)).unwrap();
            assert!(pace.serves_long_lives());
        }
    }
}
