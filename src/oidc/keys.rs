//! The keys of providers, kept as long as they are good and fetched when they are not.
//!
//! Strangers cause the fetches, so that what they send must not become traffic: a set is fetched at most once
//! in `INTERVAL_MIN` however many unknown keys tokens name, after failures more and more seldom, by one caller
//! at a time while the others wait for the outcome, and by few at once over all providers. A set that could
//! not be renewed goes on being used for a day: an issuer that is down stops nobody whose token is good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Semaphore;

use super::endpoint::Reach;
use super::error::IdentityError;
use super::fetch::{FetchError, Fetcher};
use super::jwk::KeySet;
use crate::clock::{Clock, Timestamp};

/// How long a set is used before it is fetched anew.
const FRESH: Duration = Duration::from_secs(3600);
/// How long a set is used that cannot be fetched anew.
const STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The least time between two fetches of a set.
const INTERVAL_MIN: Duration = Duration::from_secs(10);
/// The time after a first failure; it doubles with each further one.
const BACK_OFF_MIN: Duration = Duration::from_secs(5);
/// The longest time after a failure.
const BACK_OFF_MAX: Duration = Duration::from_secs(300);
/// How long a caller waits for a fetch, its own or another's.
const WAIT_MAX: Duration = Duration::from_secs(12);
/// Fetches at once.
const FETCHES_MAX: usize = 16;
/// Sets that are kept; those that were used longest ago go first.
const SETS_MAX: usize = 1000;

/// Where a set comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The `jwks_uri` of an issuer's discovery document.
    Discovery(String),
    /// A URL.
    Url(String),
}

/// The sets that were fetched.
pub struct KeyCache {
    fetcher: Fetcher,
    clock: Clock,
    sets: Mutex<HashMap<Source, Arc<Entry>>>,
    fetches: Semaphore,
}

#[derive(Default)]
struct Entry {
    known: Mutex<Known>,
    /// Held by the caller who fetches.
    fetching: tokio::sync::Mutex<()>,
}

/// What is known of a set.
#[derive(Clone, Default)]
struct Known {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    tried_at: Option<Timestamp>,
    failures: u32,
    why: Option<FetchError>,
    used_at: Timestamp,
}

impl Known {
    /// The set, if it is good for a token with this key without a fetch.
    fn good(&self, key_id: Option<&str>, now: Timestamp) -> Option<Arc<KeySet>> {
        let (keys, fetched_at) = self.keys.as_ref()?;
        let fresh = now.since(*fetched_at) < FRESH && keys.knows(key_id);
        let usable = now.since(*fetched_at) < STALE_MAX;
        (fresh || (usable && !self.may_fetch(now))).then(|| keys.clone())
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        let back_off = match self.failures {
            0 => INTERVAL_MIN,
            failures => {
                let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
                BACK_OFF_MIN.saturating_mul(doubled).min(BACK_OFF_MAX)
            }
        };
        self.tried_at.is_none_or(|tried_at| now.since(tried_at) >= back_off)
    }

    /// The set after a fetch, or why there is none.
    fn outcome(&self, now: Timestamp) -> Result<Arc<KeySet>, IdentityError> {
        match &self.keys {
            Some((keys, fetched_at)) if now.since(*fetched_at) < STALE_MAX => Ok(keys.clone()),
            _ => {
                let why = self.why.as_ref().map(ToString::to_string);
                Err(IdentityError::Unreachable(why.unwrap_or_else(|| "try again later".to_owned())))
            }
        }
    }
}

impl Entry {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyCache {
    /// An empty cache that fetches within a reach.
    #[must_use]
    pub fn new(reach: Reach, clock: Clock) -> Self {
        let fetches = Semaphore::new(FETCHES_MAX);
        Self { fetcher: Fetcher::new(reach), clock, sets: Mutex::default(), fetches }
    }

    /// The set of a source for a token that names this key, fetched if it has to be. The set may not hold
    /// the key.
    ///
    /// # Errors
    /// The set cannot be had now.
    pub async fn keys(
        &self,
        source: &Source,
        key_id: Option<&str>,
    ) -> Result<Arc<KeySet>, IdentityError> {
        let entry = self.entry(source);
        if let Some(keys) = entry.known().good(key_id, self.clock.now()) {
            return Ok(keys);
        }
        let busy = || IdentityError::Unreachable("too many fetches are under way".to_owned());
        let fetched = async {
            let _fetching = entry.fetching.lock().await;
            let now = self.clock.now();
            // Another caller may have fetched it meanwhile.
            let good = entry.known().good(key_id, now);
            if let Some(keys) = good {
                return Ok(keys);
            }
            if !entry.known().may_fetch(now) {
                return entry.known().outcome(now);
            }
            let _permit = self.fetches.try_acquire().map_err(|_| busy())?;
            // Now, as a caller who goes away must not start one fetch after another.
            entry.known().tried_at = Some(now);
            let fetched = self.fetch(source).await;
            let mut known = entry.known();
            known.learn(fetched, self.clock.now());
            known.outcome(now)
        };
        tokio::time::timeout(WAIT_MAX, fetched).await.unwrap_or_else(|_| Err(busy()))
    }

    fn entry(&self, source: &Source) -> Arc<Entry> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if !sets.contains_key(source) && sets.len() >= SETS_MAX {
            let oldest = sets.iter().min_by_key(|(_, entry)| entry.known().used_at);
            if let Some(oldest) = oldest.map(|(source, _)| source.clone()) {
                sets.remove(&oldest);
            }
        }
        let entry = sets.entry(source.clone()).or_default().clone();
        entry.known().used_at = self.clock.now();
        entry
    }

    async fn fetch(&self, source: &Source) -> Result<KeySet, FetchError> {
        let discovered;
        let url = match source {
            Source::Url(url) => url,
            Source::Discovery(issuer) => {
                discovered = self.discover(issuer).await?;
                &discovered
            }
        };
        KeySet::parse(&self.fetcher.get(url).await?).map_err(FetchError::Document)
    }

    /// The `jwks_uri` of an issuer (OpenID Connect Discovery 1.0, section 4).
    async fn discover(&self, issuer: &str) -> Result<String, FetchError> {
        #[derive(Deserialize)]
        struct Configuration {
            issuer: String,
            jwks_uri: String,
        }
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = self.fetcher.get(&url).await?;
        let configuration: Configuration = serde_json::from_slice(&document)
            .map_err(|_| FetchError::Document("has no `issuer` and `jwks_uri`"))?;
        if configuration.issuer != issuer {
            return Err(FetchError::Document("is of another issuer"));
        }
        Ok(configuration.jwks_uri)
    }
}

impl Known {
    fn learn(&mut self, fetched: Result<KeySet, FetchError>, now: Timestamp) {
        self.tried_at = Some(now);
        match fetched {
            Ok(keys) => {
                self.keys = Some((Arc::new(keys), now));
                self.failures = 0;
                self.why = None;
            }
            Err(why) => {
                self.failures = self.failures.saturating_add(1);
                self.why = Some(why);
            }
        }
    }
}
