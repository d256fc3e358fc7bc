//! Who sends how much: a bound on the connections and on the requests of each source address, so that one
//! noisy workload starves no other. The table of sources is bounded itself.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::slots::{Slot, Slots};

/// Sources that are remembered; those without a connection go first.
const SOURCES_MAX: usize = 65_536;

/// What one source address may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests a second in the long run; 0 sets no bound.
    pub requests_per_second: u32,
    /// Connections open at once; then the longest idle gives way to the next.
    pub connections: usize,
}

impl Default for Limits {
    /// The 1024 packets a second of EC2 (EC2 User Guide, instancedata-data-retrieval, "Query throttling")
    /// are about as many requests here.
    fn default() -> Self {
        Self { requests_per_second: 1000, connections: 1024 }
    }
}

impl Limits {
    /// How far a source may be ahead of its share: two seconds of it.
    fn tolerance(self) -> Duration {
        Duration::from_secs(2)
    }

    fn interval(self) -> Duration {
        Duration::from_secs(1).checked_div(self.requests_per_second).unwrap_or_default()
    }
}

/// Every source that was seen of late.
pub(super) struct Sources {
    limits: Limits,
    began: Instant,
    known: Mutex<HashMap<IpAddr, Arc<Source>>>,
}

/// One source address.
struct Source {
    slots: Arc<Slots>,
    /// Nanoseconds from the beginning to when its bucket is full again.
    full_at: AtomicU64,
}

/// A connection of a source; counted until it is dropped.
pub(super) struct Admitted {
    sources: Arc<Sources>,
    source: Arc<Source>,
    /// Its place among those of its source.
    pub(super) slot: Slot,
}

impl Sources {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, began: Instant::now(), known: Mutex::default() })
    }

    /// Counts a connection in; none if the source has as many as it may have and all of them are busy.
    pub(super) async fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Admitted> {
        let source = self.source(peer);
        let slot = source.slots.try_take().await?;
        Some(Admitted { sources: self.clone(), source, slot })
    }

    fn source(&self, peer: IpAddr) -> Arc<Source> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SOURCES_MAX && !known.contains_key(&peer) {
            let now = self.elapsed();
            let owes = |source: &Source| source.full_at.load(Ordering::Relaxed) > now;
            known.retain(|_, source| source.slots.taken() > 0 || owes(source));
            if known.len() >= SOURCES_MAX {
                known.retain(|_, source| source.slots.taken() > 0);
            }
        }
        let anew = || {
            let slots = Slots::new(self.limits.connections);
            Arc::new(Source { slots, full_at: AtomicU64::new(0) })
        };
        known.entry(peer).or_insert_with(anew).clone()
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Admitted {
    /// Counts a request; false if the source is too far ahead of its share. A leaky bucket as a meter: a
    /// request moves the time at which the bucket is full again by its share.
    pub(super) fn may_ask(&self) -> bool {
        let limits = self.sources.limits;
        limits.requests_per_second == 0 || self.take(self.sources.elapsed(), limits)
    }

    fn take(&self, now: u64, limits: Limits) -> bool {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let (interval, tolerance) = (nanos(limits.interval()), nanos(limits.tolerance()));
        let next = |full_at: u64| {
            let next = full_at.max(now).saturating_add(interval);
            (next - now <= tolerance).then_some(next)
        };
        self.source.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Protects quiet workloads: a noisy one is bounded in the long run, and gets its share again.
    #[tokio::test]
    async fn a_source_gets_its_share_and_no_more() {
        let limits = Limits { requests_per_second: 100, connections: 1 };
        let sources = Sources::new(limits);
        let noisy = sources.admit([10, 0, 0, 1].into()).await.unwrap();
        let burst = (0..1000).filter(|_| noisy.take(0, limits)).count();
        assert_eq!(burst, 200);
        let later = (0..1000).filter(|_| noisy.take(SECOND, limits)).count();
        assert_eq!(later, 100);
        let quiet = sources.admit([10, 0, 0, 2].into()).await.unwrap();
        assert!(quiet.take(SECOND, limits));
    }

    /// Protects others: connections of one source are bounded, and given back when they end.
    #[tokio::test]
    async fn connections_of_a_source_are_bounded() {
        let sources = Sources::new(Limits { requests_per_second: 0, connections: 2 });
        let admit = |last| sources.admit([10, 0, 0, last].into());
        let (first, second) = (admit(1).await.unwrap(), admit(1).await.unwrap());
        first.slot.work();
        second.slot.work();
        assert!(admit(1).await.is_none());
        assert!(admit(2).await.is_some());
        drop(first);
        assert!(admit(1).await.is_some());
    }
}
