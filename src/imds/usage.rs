//! Counts what becomes of requests: per instance, for the doctor, until it is reported; and in all, for
//! metrics. Counting is two atomic additions; only who asks without a token takes a lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::metrics::{Sink, names};
use crate::proto::v1::{self, MetadataUse};

/// Kinds are numbered from 1.
const KINDS: usize = 11;
/// Instances that are counted apart; those beyond are counted in all only.
const INSTANCES_MAX: usize = 100_000;
/// Clients without a token that are remembered of an instance between two reports.
const CLIENTS_MAX: usize = 16;
/// Characters of a client's name for itself.
const USER_AGENT_CHARS_MAX: usize = 128;
/// How soon after a token was issued a request without one looks like that of a client that never got it:
/// SDKs wait for it one second, a few times.
const FALL_BACK_MS: i64 = 10_000;

/// How often, and when last in milliseconds since 1970.
#[derive(Default)]
struct Counter {
    count: AtomicU64,
    last: AtomicI64,
}

/// What is not reported yet of an instance.
#[derive(Default)]
pub(super) struct Usage {
    counters: [Counter; KINDS],
    clients: Mutex<BTreeMap<Box<str>, (u64, Timestamp)>>,
    /// When a token was issued last whose client has not been heard of since; 0 for never.
    token_issued: AtomicI64,
}

type InstanceKey = (Box<str>, Box<str>);

/// All counters of a server or agent.
#[derive(Default)]
pub struct UsageBook {
    totals: [AtomicU64; KINDS],
    strangers: AtomicU64,
    /// By account and id.
    instances: Mutex<HashMap<InstanceKey, Arc<Usage>>>,
}

impl Usage {
    fn count(&self, kind: MetadataUse, now: Timestamp) {
        if let Some(counter) = self.counters.get(kind as usize) {
            counter.count.fetch_add(1, Ordering::Relaxed);
            counter.last.store(now.as_millis(), Ordering::Relaxed);
        }
    }

    /// Whether a token was issued so shortly before that its client may not have got it; told once a token.
    fn fell_back(&self, now: Timestamp) -> bool {
        let issued = self.token_issued.swap(0, Ordering::Relaxed);
        issued > 0 && now.as_millis().saturating_sub(issued) < FALL_BACK_MS
    }

    fn take(&self, instance: &str) -> Option<v1::MetadataUsage> {
        let mut seen = Vec::new();
        for (kind, counter) in self.counters.iter().enumerate() {
            let count = counter.count.swap(0, Ordering::Relaxed);
            if count > 0 {
                let last = Timestamp::from_millis(counter.last.load(Ordering::Relaxed));
                let kind = i32::try_from(kind).unwrap_or_default();
                seen.push(v1::MetadataSeen { r#use: kind, count, last_seen: time(last) });
            }
        }
        let clients = std::mem::take(&mut *lock(&self.clients));
        let clients = clients.into_iter().map(|(client, (count, last))| v1::MetadataClient {
            user_agent: client.into_string(),
            count,
            last_seen: time(last),
        });
        (!seen.is_empty()).then(|| v1::MetadataUsage {
            instance_id: instance.to_owned(),
            seen,
            version_1_clients: clients.collect(),
        })
    }

    fn put_back(&self, usage: &v1::MetadataUsage) {
        for seen in &usage.seen {
            let counter = usize::try_from(seen.r#use).ok().and_then(|kind| self.counters.get(kind));
            let Some(counter) = counter else { continue };
            counter.count.fetch_add(seen.count, Ordering::Relaxed);
            let last = seen.last_seen.as_ref().map_or(0, |last| last.seconds.saturating_mul(1000));
            counter.last.fetch_max(last, Ordering::Relaxed);
        }
        for client in &usage.version_1_clients {
            let last = client.last_seen.as_ref().map_or(0, |last| last.seconds);
            let last = Timestamp::from_unix_seconds(last);
            self.note_client(&client.user_agent, client.count, last);
        }
    }

    fn note_client(&self, user_agent: &str, count: u64, last: Timestamp) {
        let name: String = user_agent.chars().take(USER_AGENT_CHARS_MAX).collect();
        let mut clients = lock(&self.clients);
        if let Some(known) = clients.get_mut(name.as_str()) {
            known.0 = known.0.saturating_add(count);
            known.1 = known.1.max(last);
        } else if clients.len() < CLIENTS_MAX {
            clients.insert(name.into_boxed_str(), (count, last));
        }
    }
}

impl UsageBook {
    /// The counters of an instance.
    pub(super) fn of(&self, account: &str, instance: &str) -> Arc<Usage> {
        let mut instances = lock(&self.instances);
        let key = (Box::from(account), Box::from(instance));
        if let Some(known) = instances.get(&key) {
            return known.clone();
        }
        let usage = Arc::new(Usage::default());
        if instances.len() < INSTANCES_MAX {
            instances.insert(key, usage.clone());
        }
        usage
    }

    pub(super) fn count(&self, usage: &Usage, kind: MetadataUse, now: Timestamp) {
        usage.count(kind, now);
        if let Some(total) = self.totals.get(kind as usize) {
            total.fetch_add(1, Ordering::Relaxed);
        }
        match kind {
            MetadataUse::TokenIssued => {
                usage.token_issued.store(now.as_millis(), Ordering::Relaxed);
            }
            // Its client got it.
            MetadataUse::Version2 if usage.token_issued.load(Ordering::Relaxed) > 0 => {
                usage.token_issued.store(0, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// Counts a request that was answered without a token.
    pub(super) fn version_1(&self, usage: &Usage, user_agent: &str, now: Timestamp) {
        self.count(usage, MetadataUse::Version1, now);
        if usage.fell_back(now) {
            self.count(usage, MetadataUse::FellBack, now);
        }
        usage.note_client(user_agent, 1, now);
    }

    /// Counts a request of an address without an instance.
    pub(super) fn stranger(&self) {
        self.strangers.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes out what is not reported yet, with each instance's account.
    pub fn take(&self) -> Vec<(String, v1::MetadataUsage)> {
        let mut taken = Vec::new();
        lock(&self.instances).retain(|(account, instance), usage| {
            let told = usage.take(instance);
            let some = told.is_some();
            taken.extend(told.map(|told| (account.to_string(), told)));
            // Nobody serves it any more.
            some || Arc::strong_count(usage) > 1
        });
        taken
    }

    /// Takes back what could not be reported.
    pub fn put_back(&self, account: &str, usage: &v1::MetadataUsage) {
        self.of(account, &usage.instance_id).put_back(usage);
    }

    /// Tells the metrics.
    pub fn gather(&self, sink: &mut dyn Sink) {
        let mut tell = |label: &str, count: &AtomicU64| {
            let count = count.load(Ordering::Relaxed) as f64;
            sink.number(&names::METADATA_REQUESTS, &[("use", label)], count);
        };
        for (number, total) in self.totals.iter().enumerate().skip(1) {
            let kind = i32::try_from(number).ok().and_then(|n| MetadataUse::try_from(n).ok());
            let Some(kind) = kind else { continue };
            let label = kind.as_str_name().trim_start_matches("METADATA_USE_").to_ascii_lowercase();
            tell(&label, total);
        }
        tell("stranger", &self.strangers);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn time(time: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: time.as_unix_seconds(), nanos: 0 })
}
