//! Room for connections. When all of it is taken, the connection that has been idle longest gives way to the
//! next client: idle clients keep nobody out, and nobody loses what is under way. A connection costs two atomic
//! operations a request; only who finds no room looks at all of them, once for several that have to go.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long to wait when a connection cannot be accepted, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// Connections that one look finds to give way, one after another.
const CANDIDATES_MAX: usize = 64;
/// In place of the turn since which a connection is idle: a request is under way, or it gives way already.
const BUSY: u64 = u64::MAX;

/// The next connection. One that cannot be accepted is tried again after a pause: at once, it would take a processor.
pub(crate) async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Connections that may be open.
pub(crate) struct Slots {
    max: usize,
    free: Arc<Semaphore>,
    /// Goes on with each rest of a connection.
    turn: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
    /// Found idle longest, with the turn since which they were.
    candidates: VecDeque<(u64, Arc<Connection>)>,
}

struct Connection {
    idle_since: AtomicU64,
    evicted: CancellationToken,
}

/// The place of one connection; free again when dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    connection: Arc<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Slots {
    /// Room for `max` connections.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            free: Arc::new(Semaphore::new(max)),
            turn: AtomicU64::new(0),
            open: Mutex::default(),
        })
    }

    /// How many connections there are.
    pub(crate) fn taken(&self) -> usize {
        self.max.saturating_sub(self.free.available_permits())
    }

    /// A place for another connection, taken from an idle one if need be; waits while all are busy.
    pub(crate) async fn take(self: &Arc<Self>) -> Option<Slot> {
        let free = self.free.clone();
        let permit = match free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.evict();
                free.acquire_owned().await.ok()?
            }
        };
        Some(self.place(permit))
    }

    /// As `take`, and none while all are busy.
    pub(crate) async fn try_take(self: &Arc<Self>) -> Option<Slot> {
        let free = self.free.clone();
        let permit = match free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.evict() => free.acquire_owned().await.ok()?,
            Err(_) => return None,
        };
        Some(self.place(permit))
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Slot {
        let (idle_since, evicted) = (AtomicU64::new(BUSY), CancellationToken::new());
        let connection = Arc::new(Connection { idle_since, evicted });
        let mut open = self.lock();
        open.next = open.next.wrapping_add(1);
        let number = open.next;
        open.connections.insert(number, connection.clone());
        drop(open);
        let slot = Slot { slots: self.clone(), number, connection, _permit: permit };
        slot.rest();
        slot
    }

    /// Has the connection go that has been idle longest; false if none is idle.
    fn evict(&self) -> bool {
        let mut open = self.lock();
        loop {
            if open.candidates.is_empty() {
                open.look();
            }
            let Some((since, connection)) = open.candidates.pop_front() else { return false };
            let (relaxed, idle) = (Ordering::Relaxed, &connection.idle_since);
            // Not if it has had a request since it was found.
            if idle.compare_exchange(since, BUSY, relaxed, relaxed).is_ok() {
                connection.evicted.cancel();
                return true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Finds who has been idle longest.
    fn look(&mut self) {
        let idle = self.connections.values().filter_map(|connection| {
            let since = connection.idle_since.load(Ordering::Relaxed);
            (since != BUSY).then(|| (since, connection.clone()))
        });
        let mut idle: Vec<_> = idle.collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        idle.truncate(CANDIDATES_MAX);
        self.candidates = idle.into();
    }
}

impl Slot {
    /// A request has begun: the connection is not to be taken away.
    pub(crate) fn work(&self) {
        self.connection.idle_since.store(BUSY, Ordering::Relaxed);
    }

    /// The connection waits for a request, from now on.
    pub(crate) fn rest(&self) {
        let turn = self.slots.turn.fetch_add(1, Ordering::Relaxed);
        self.connection.idle_since.store(turn, Ordering::Relaxed);
    }

    /// Resolves when the connection has to give way.
    pub(crate) async fn evicted(&self) {
        self.connection.evicted.cancelled().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(slot: &Slot) -> bool {
        slot.connection.evicted.is_cancelled()
    }

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
        newer.evicted().await;
        assert!(!goes(&older) && !goes(&busy));
        drop(newer);
        assert!(waiting.await.unwrap());
    }

    /// Protects a connection that was found idle and has a request since: another one gives way.
    #[tokio::test]
    async fn a_candidate_that_works_again_stays() {
        let slots = Slots::new(3);
        let (first, second) = (slots.take().await.unwrap(), slots.take().await.unwrap());
        let third = slots.take().await.unwrap();
        assert!(slots.evict());
        assert!(goes(&first));
        second.work();
        second.rest();
        assert!(slots.evict());
        assert!(goes(&third) && !goes(&second));
    }

    /// Protects a source's neighbours: where all of its connections are busy, one more is refused at once.
    #[tokio::test]
    async fn who_is_busy_all_over_gets_no_more() {
        let slots = Slots::new(1);
        let busy = slots.try_take().await.unwrap();
        busy.work();
        assert!(slots.try_take().await.is_none());
        assert_eq!(slots.taken(), 1);
        drop(busy);
        assert!(slots.try_take().await.is_some());
    }
}
