//! Room for connections. When all of it is taken, the connection that has been idle longest gives way to the
//! next client: idle clients keep nobody out, and nobody loses what is under way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections that may be open, and those of them that wait for a request.
pub(super) struct Slots {
    free: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

/// Idle connections, longest first.
#[derive(Default)]
struct Idle {
    next: u64,
    connections: BTreeMap<u64, CancellationToken>,
}

/// The place of one connection; free again when dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    /// Cancelled when the connection has to give way.
    pub(super) evicted: CancellationToken,
    place: Mutex<Option<u64>>,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(max)), idle: Mutex::default() })
    }

    /// A place for another connection, taken from an idle one if need be; waits while all are busy.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Slot> {
        let free = self.free.clone();
        let permit = match free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let longest = self.lock().connections.pop_first();
                if let Some((_, evicted)) = longest {
                    evicted.cancel();
                }
                free.acquire_owned().await.ok()?
            }
        };
        let slot = Slot {
            slots: self.clone(),
            evicted: CancellationToken::new(),
            place: Mutex::new(None),
            _permit: permit,
        };
        slot.rest();
        Some(slot)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// A request has begun: the connection is not to be taken away.
    pub(super) fn work(&self) {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(place) = place {
            self.slots.lock().connections.remove(&place);
        }
    }

    /// The connection waits for a request, from now on.
    pub(super) fn rest(&self) {
        let mut idle = self.slots.lock();
        idle.next = idle.next.saturating_add(1);
        let next = idle.next;
        idle.connections.insert(next, self.evicted.clone());
        drop(idle);
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects clients from those that only hold connections: the longest idle gives way, the busy stay.
    #[tokio::test]
    async fn the_longest_idle_connection_gives_way() {
        let slots = Slots::new(3);
        let busy = slots.take().await.unwrap();
        busy.work();
        let (older, newer) = (slots.take().await.unwrap(), slots.take().await.unwrap());
        older.work();
        older.rest();
        let waiting = tokio::spawn({
            let slots = slots.clone();
            async move { slots.take().await.is_some() }
        });
        newer.evicted.cancelled().await;
        assert!(!older.evicted.is_cancelled() && !busy.evicted.is_cancelled());
        drop(newer);
        assert!(waiting.await.unwrap());
    }
}
