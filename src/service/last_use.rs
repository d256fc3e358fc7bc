//! Gathers when credentials are used, without a write per use: a touch of a map in memory at each request,
//! one event for many keys every few minutes. What is gathered is lost by a crash, which makes a last use a
//! few minutes too early, and never too late.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Service;
use crate::clock::Timestamp;
use crate::domain::access::Caller;
use crate::domain::command::{AccessKeyAction, Action};
use crate::domain::last_use::{CredentialUse, LastUse, USES_PER_EVENT_MAX};
use crate::identity::{AccessKeyId, AccountId, Principal, RoleName, UniqueId};

/// How often uses are recorded: a key is in one event of this time at most.
pub const RECORD_EVERY: Duration = Duration::from_secs(300);
/// Parts of the map, each behind a lock of its own.
const SHARDS: usize = 16;
/// Keys that one part holds; the uses of more are not kept until some were recorded.
const KEYS_PER_SHARD_MAX: usize = 8192;

type Shard = HashMap<AccessKeyId, Entry, RandomState>;

/// Uses since they were recorded last, and those of sessions until they end.
pub(super) struct Uses {
    hasher: RandomState,
    /// Held for a look-up and two stores; a queue to one owner would cost more than the lock.
    shards: [Mutex<Shard>; SHARDS],
    /// Uses that found no room.
    left_out: AtomicU64,
}

struct Entry {
    account: AccountId,
    role: Option<(RoleName, UniqueId)>,
    /// When the session ends; none for long-term keys.
    ends: Option<Timestamp>,
    last: LastUse,
    recorded: bool,
}

impl Uses {
    pub(super) fn new() -> Self {
        let hasher = RandomState::new();
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(hasher.clone())));
        Self { hasher, shards, left_out: AtomicU64::new(0) }
    }

    fn shard(&self, key: &AccessKeyId) -> &Mutex<Shard> {
        let at = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default() % SHARDS;
        let [first, ..] = &self.shards;
        self.shards.get(at).unwrap_or(first)
    }

    /// Notes a use. Allocates for a key's first use, and when its service or region changes.
    pub(super) fn touch(&self, caller: &Caller, service: &str, region: &str, now: Timestamp) {
        let Some(key) = &caller.key else { return };
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shard.get_mut(key) {
            entry.recorded = false;
            entry.last.time = now;
            if *entry.last.service != *service {
                entry.last.service = Arc::from(service);
            }
            if *entry.last.region != *region {
                entry.last.region = Arc::from(region);
            }
            return;
        }
        let Some(account) = caller.principal.account() else { return };
        if shard.len() >= KEYS_PER_SHARD_MAX {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let role = match &caller.principal {
            Principal::AssumedRole { role, role_id, .. } => Some((role.clone(), role_id.clone())),
            _ => None,
        };
        let ends = caller.session.as_ref().map(|session| session.expires_at);
        let (service, region) = (Arc::from(service), Arc::from(region));
        let last = LastUse { time: now, service, region };
        shard.insert(key.clone(), Entry { account, role, ends, last, recorded: false });
    }

    fn last(&self, key: &AccessKeyId) -> Option<LastUse> {
        let shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        shard.get(key).map(|entry| entry.last.clone())
    }

    /// What is to be recorded, by account. Long-term keys are dropped with it, sessions once they ended.
    fn take(&self, now: Timestamp) -> BTreeMap<AccountId, Vec<CredentialUse>> {
        let mut taken = BTreeMap::<_, Vec<_>>::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|key, entry| {
                if !entry.recorded {
                    entry.recorded = true;
                    taken.entry(entry.account).or_default().push(CredentialUse {
                        key: Some(key.clone()),
                        role: entry.role.clone(),
                        last: Arc::new(entry.last.clone()),
                    });
                }
                entry.ends.is_some_and(|ends| ends > now)
            });
        }
        taken
    }
}

impl Service {
    /// The last use of a key of `account`, as far as it is known.
    #[must_use]
    pub fn last_use(&self, account: AccountId, key: &AccessKeyId) -> Option<LastUse> {
        let view = self.view();
        let held = view.state.key(key).filter(|held| held.account.id == account);
        let recorded = held.and_then(|held| held.last_use.as_deref().cloned());
        self.uses.last(key).or(recorded)
    }

    /// Records the uses that were gathered.
    pub async fn record_uses(&self) {
        let left_out = self.uses.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tracing::warn!(left_out, "uses of credentials were not kept: too many keys at once");
        }
        let info = self.own_request("last-use");
        for (account, uses) in self.uses.take(self.now()) {
            for uses in uses.chunks(USES_PER_EVENT_MAX) {
                let action = Action::AccessKey(AccessKeyAction::RecordUses { uses: uses.to_vec() });
                if let Err(error) = self.perform(&info, "", account, action).await {
                    tracing::warn!(%account, %error, "uses of credentials were not recorded");
                }
            }
        }
    }

    /// Records uses every `RECORD_EVERY`, for ever.
    pub async fn keep_recording_uses(&self) {
        let mut ticks = tokio::time::interval(RECORD_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.record_uses().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(key: &str) -> Caller {
        let principal = Principal::Root { account: "111111111111".parse().unwrap() };
        Caller { principal, key: Some(key.parse().unwrap()), ..Caller::service() }
    }

    /// Protects the log from a record per use, and memory: many uses are one, what is recorded is dropped,
    /// and a full map leaves out what is new.
    #[test]
    fn uses_are_gathered_and_bounded() {
        let uses = Uses::new();
        let at = Timestamp::from_unix_seconds;
        for seconds in 1..=100 {
            uses.touch(&caller("AKIAAAAAAAAAAAAAAAAA"), "sts", "us-east-1", at(seconds));
        }
        uses.touch(&caller("AKIAAAAAAAAAAAAAAAAA"), "s3", "eu-west-1", at(101));
        let taken = uses.take(at(102));
        let taken: Vec<_> = taken.into_values().flatten().collect();
        assert_eq!(taken.len(), 1);
        let last = &taken[0].last;
        assert_eq!((last.time, &*last.service, &*last.region), (at(101), "s3", "eu-west-1"));
        assert!(uses.take(at(103)).is_empty());
        for number in 0..SHARDS * KEYS_PER_SHARD_MAX * 2 {
            uses.touch(&caller(&format!("AKIA{number:016}")), "sts", "us-east-1", at(1));
        }
        let kept: usize = uses.take(at(2)).into_values().map(|uses| uses.len()).sum();
        assert_eq!(kept, SHARDS * KEYS_PER_SHARD_MAX);
        assert!(uses.left_out.load(Ordering::Relaxed) > 0);
    }
}
