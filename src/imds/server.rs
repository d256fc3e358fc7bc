//! The HTTP server: listeners, connections and their bounds.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::edge::{Asker, Edge};
use super::hops::{HopStream, Hops};
use super::sources::{Admitted, Limits, Sources};
use super::{InstanceSource, Serves, TokenKey, UsageBook};
use crate::clock::Clock;
use crate::slots::{Slot, Slots, accepted};

/// Connections open at once; then the longest idle gives way to the next.
pub const CONNECTIONS_MAX: usize = 4096;
/// How often connections are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// For how many looks a connection may go without a whole request. Bounds clients that send slowly, do not read
/// their answer, or say nothing.
const QUIET_LOOKS_MAX: u32 = 5;
/// Bytes of a request head, and of what is read ahead of it.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long open connections may take to end once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything that listeners share.
pub struct Front {
    edge: Edge,
    sources: Arc<Sources>,
    slots: Arc<Slots>,
}

impl Front {
    /// Answers from `source`.
    #[must_use]
    pub fn new(
        source: Arc<dyn InstanceSource>,
        key: Arc<TokenKey>,
        clock: Clock,
        book: Arc<UsageBook>,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            edge: Edge { source, key, clock, book },
            sources: Sources::new(limits),
            slots: Slots::new(CONNECTIONS_MAX),
        })
    }

    /// Answers a request without a connection, and so without the bounds of one.
    #[must_use]
    pub fn respond(
        &self,
        serves: Arc<Serves>,
        peer: IpAddr,
        request: &Request<()>,
    ) -> Response<Full<Bytes>> {
        let asker = Asker { serves, peer, admitted: None, hops: Hops::default() };
        self.edge.respond(&asker, request.method(), request.uri(), request.headers())
    }
}

/// Answers on a listener until `stop` resolves.
pub async fn serve(
    front: Arc<Front>,
    listener: TcpListener,
    serves: Serves,
    stop: impl Future<Output = ()>,
) {
    let serves = Arc::new(serves);
    let tasks = TaskTracker::new();
    let stopping = CancellationToken::new();
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accepted(&listener) => accepted,
            () = &mut stop => break,
        };
        // Whose connections are all busy is told at once, by the end of one more.
        let admitted = tokio::select! {
            admitted = front.sources.admit(peer.ip().to_canonical()) => admitted,
            () = &mut stop => break,
        };
        let Some(admitted) = admitted.map(Arc::new) else { continue };
        let slot = tokio::select! {
            slot = front.slots.take() => slot,
            () = &mut stop => break,
        };
        let Some(slot) = slot else { break };
        let (front, serves, stopping) = (front.clone(), serves.clone(), stopping.clone());
        tasks.spawn(async move {
            let evicted = admitted.clone();
            tokio::select! {
                () = connection(&front, serves, stream, peer, (admitted, &slot), stopping) => {}
                // Answers take no time here: what has to give way waits for a request, or for its client to
                // read.
                () = slot.evicted() => {}
                () = evicted.slot.evicted() => {}
            }
        });
    }
    stopping.cancel();
    tasks.close();
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, tasks.wait()).await;
}

async fn connection(
    front: &Front,
    serves: Arc<Serves>,
    stream: TcpStream,
    peer: SocketAddr,
    (admitted, slot): (Arc<Admitted>, &Slot),
    stopping: CancellationToken,
) {
    // Nothing is kept for a client that has not said anything yet.
    let patience = LOOK * QUIET_LOOKS_MAX;
    if !matches!(tokio::time::timeout(patience, stream.readable()).await, Ok(Ok(()))) {
        return;
    }
    // Answers are small and whole: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let hops = Hops::default();
    let stream = HopStream::new(stream, peer, hops.clone());
    let peer = peer.ip().to_canonical();
    let asker = Asker { serves, peer, admitted: Some(admitted.clone()), hops };
    let (answered, rests) = (AtomicU64::new(0), admitted);
    let answer = service_fn(|request: Request<hyper::body::Incoming>| {
        answered.fetch_add(1, Ordering::Relaxed);
        slot.rest();
        rests.slot.rest();
        let response =
            front.edge.respond(&asker, request.method(), request.uri(), request.headers());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    // One timer a connection, not one a request.
    let mut looks = tokio::time::interval(LOOK);
    looks.tick().await;
    let (mut answered_before, mut quiet) = (0, 0);
    loop {
        tokio::select! {
            // A broken connection is its client's matter.
            _ = connection.as_mut() => return,
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
                return;
            }
            _ = looks.tick() => {
                let now = answered.load(Ordering::Relaxed);
                quiet = if now == answered_before { quiet + 1 } else { 0 };
                answered_before = now;
                if quiet >= QUIET_LOOKS_MAX {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imds::tests::{edge, metadata};

    /// Protects restarts: a server that waits for one of its connections to end stops when it is told to.
    #[tokio::test]
    async fn a_full_server_stops() {
        let slots = Slots::new(1);
        let busy = slots.take().await.unwrap();
        busy.work();
        let sources = Sources::new(Limits::default());
        let front = Arc::new(Front { edge: edge(metadata()), sources, slots });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let served = tokio::spawn(serve(front, listener, Serves::BySourceAddress, stopped));
        let _client = TcpStream::connect(address).await.unwrap();
        // Until the client waits for a place.
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.cancel();
        tokio::time::timeout(DRAIN_TIMEOUT * 2, served).await.unwrap().unwrap();
    }
}
