//! Connections: how many there are, how long one may be silent at first, and how they write many small answers at
//! once.
//!
//! Each holds a place until it ends. While none is free, further ones wait in the listener's queue, unaccepted; a
//! connection that is idle keeps its place, since it may carry a stream that only has nothing to tell at present.
//! HTTP/2 asks idle clients whether they live, but not before they have greeted; until then there is a deadline.
//!
//! Over a socket that takes several buffers in a call, h2 hands each payload of 256 bytes and more to the kernel by
//! itself, which is a call of the kernel and a packet for every answer. Over one that says it does not, it copies
//! payloads of less than 1024 bytes beside each other first, and one write carries the answers that are ready. Most
//! of ours have between those sizes. A larger one takes one write more than it would.
//!
//! The runtime lets a connection run as soon as its first answer is ready. So while other calls of the connection
//! wait for theirs, a small write waits for one turn of the runtime's queue, in which those that can go on do, and
//! their answers go with it. An answer that is alone waits for nothing.
//!
//! With TLS neither can be done from here, below it: h2 asks the TLS stream, which takes several buffers whatever is
//! below, makes records of them at once, and goes on while these wait to be written. Such connections do not gather,
//! and hand all records that are ready to the kernel in one call.

use std::convert::Infallible;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tonic::transport::server::Connected;

use crate::slots::accepted;

/// Connections open at once; more wait to be accepted. A node carries 10 000 streams that each have a connection of
/// their own, and other calls beside them.
pub const CONNECTIONS_MAX: usize = 16_384;
/// How long a client may take to send its first bytes, once its connection is accepted.
const FIRST_BYTES_TIMEOUT: Duration = Duration::from_secs(10);
/// First bytes of a connection: as many as the greeting of HTTP/2 has. A client's part of TLS has more.
const FIRST_BYTES: usize = 24;
/// Bytes of a write that waits for no others.
const ENOUGH_BYTES: usize = 8 << 10;

/// What its calls know of a connection; each has it among its extensions. Clones are one.
#[derive(Clone, Debug)]
pub struct Connection {
    peer: Option<SocketAddr>,
    unanswered: Arc<AtomicUsize>,
}

/// A call that has no answer yet, until it is dropped.
#[derive(Debug)]
pub struct Unanswered(Connection);

impl Connection {
    /// Where it comes from.
    #[must_use]
    pub fn peer_ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }

    /// A call of it begins.
    #[must_use]
    pub fn call(&self) -> Unanswered {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        Unanswered(self.clone())
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.unanswered.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What connections are held to.
#[derive(Clone, Copy)]
struct Bounds {
    connections_max: usize,
    first_bytes_timeout: Duration,
}

/// The stream of a connection, see the module.
pub struct Gathered {
    stream: TcpStream,
    connection: Connection,
    gathers: bool,
    /// Whether what is to be flushed had its turn of waiting, or was found to need none.
    is_flushing: bool,
    /// None once the first bytes are there.
    greeting: Option<Greeting>,
    /// Its place among the connections, free again when it is dropped.
    _place: OwnedSemaphorePermit,
}

/// First bytes that a client has yet to send.
struct Greeting {
    missing: usize,
    deadline: Pin<Box<Sleep>>,
}

/// What comes in at `listener`, at most `CONNECTIONS_MAX` at once. `gathers` says whether they gather small answers,
/// which connections with TLS cannot.
pub fn incoming(
    listener: TcpListener,
    gathers: bool,
) -> impl Stream<Item = Result<Gathered, Infallible>> {
    let bounds =
        Bounds { connections_max: CONNECTIONS_MAX, first_bytes_timeout: FIRST_BYTES_TIMEOUT };
    bounded(listener, gathers, bounds)
}

/// As `incoming`, within `bounds`.
fn bounded(
    listener: TcpListener,
    gathers: bool,
    bounds: Bounds,
) -> impl Stream<Item = Result<Gathered, Infallible>> {
    let places = Arc::new(Semaphore::new(bounds.connections_max));
    stream::unfold(listener, move |listener| {
        let places = places.clone();
        async move {
            let place = places.acquire_owned().await.ok()?;
            // No error is handed on, since tonic would try again at once, without end.
            let (stream, _) = accepted(&listener).await;
            // Answers are whole: to wait for more of them is done here, if at all.
            let _ = stream.set_nodelay(true);
            let gathered = Gathered::new(stream, gathers, place, bounds.first_bytes_timeout);
            Some((Ok(gathered), listener))
        }
    })
}

impl Gathered {
    fn new(
        stream: TcpStream,
        gathers: bool,
        place: OwnedSemaphorePermit,
        first_bytes_timeout: Duration,
    ) -> Self {
        let peer = stream.peer_addr().ok();
        let deadline = Box::pin(tokio::time::sleep(first_bytes_timeout));
        Self {
            stream,
            connection: Connection { peer, unanswered: Arc::default() },
            gathers,
            is_flushing: false,
            greeting: Some(Greeting { missing: FIRST_BYTES, deadline }),
            _place: place,
        }
    }

    /// Whether a write of so many bytes is to wait for a turn now. Only the first one of a flush does: h2 writes a
    /// frame that it holds apart in several, and takes no more frames meanwhile.
    fn waits(&mut self, bytes: usize) -> bool {
        let is_first = !std::mem::replace(&mut self.is_flushing, true);
        let others = self.connection.unanswered.load(Ordering::Relaxed) > 0;
        self.gathers && is_first && others && bytes < ENOUGH_BYTES
    }

    /// Whether the client, of whom so many bytes have come just now, is too late with its first ones.
    fn is_late(&mut self, cx: &mut Context<'_>, bytes: usize) -> bool {
        let Some(greeting) = &mut self.greeting else { return false };
        greeting.missing = greeting.missing.saturating_sub(bytes);
        if greeting.missing == 0 {
            self.greeting = None;
            return false;
        }
        greeting.deadline.as_mut().poll(cx).is_ready()
    }
}

impl Connected for Gathered {
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        self.connection.clone()
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        if self.is_late(cx, bytes) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

/// Takes one buffer in a call, or says so, if it gathers.
impl AsyncWrite for Gathered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waits(buffer.len()) {
            // Woken while it runs, a task goes to the end of the queue.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        !self.gathers && self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // h2 flushes only once all that it had is written.
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.is_flushing = false;
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use futures_util::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;

    /// Longer than a client takes that says something at once, on a machine that is busy.
    const SOON: Duration = Duration::from_millis(600);
    const LONG: Duration = Duration::from_secs(60);

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A connection and its client.
    async fn pair(gathers: bool, first_bytes_timeout: Duration) -> (Gathered, TcpStream) {
        let (listener, address) = listening().await;
        let client = TcpStream::connect(address).await.unwrap();
        let bounds = Bounds { connections_max: 1, first_bytes_timeout };
        let mut incoming = std::pin::pin!(bounded(listener, gathers, bounds));
        let Ok(gathered) = incoming.next().await.unwrap();
        (gathered, client)
    }

    /// Protects a node's files and memory: over the limit, a connection is taken once another one has ended.
    #[tokio::test]
    async fn no_more_connections_than_there_are_places() {
        let (listener, address) = listening().await;
        let bounds = Bounds { connections_max: 2, first_bytes_timeout: LONG };
        let mut incoming = std::pin::pin!(bounded(listener, true, bounds));
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let first = incoming.next().await.unwrap();
        let _second = incoming.next().await.unwrap();
        assert!(timeout(SOON, incoming.next()).await.is_err());
        drop(first);
        assert!(timeout(LONG, incoming.next()).await.unwrap().is_some());
    }

    /// Protects places from clients that say nothing, or stop in the middle of their greeting.
    #[tokio::test]
    async fn a_silent_connection_ends() {
        for said in [0, 1, FIRST_BYTES - 1] {
            let (mut gathered, mut client) = pair(true, SOON).await;
            client.write_all(&vec![b'x'; said]).await.unwrap();
            let ended = timeout(LONG, gathered.read_to_end(&mut Vec::new())).await.unwrap();
            assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
    }

    /// Protects idle clients: the deadline is for the first bytes alone.
    #[tokio::test]
    async fn who_has_greeted_may_be_silent() {
        let (mut gathered, mut client) = pair(true, SOON).await;
        client.write_all(&[b'x'; FIRST_BYTES]).await.unwrap();
        gathered.read_exact(&mut [0; FIRST_BYTES]).await.unwrap();
        assert!(timeout(2 * SOON, gathered.read_u8()).await.is_err());
        client.write_all(b"y").await.unwrap();
        assert_eq!(gathered.read_u8().await.unwrap(), b'y');
    }

    /// Protects answers from waiting twice: the first write of a flush may wait for others, and no further one.
    #[tokio::test]
    async fn a_flush_waits_once() {
        let write = |gathered: &mut Gathered, bytes: &[u8]| {
            let mut cx = Context::from_waker(Waker::noop());
            Pin::new(gathered).poll_write(&mut cx, bytes).is_ready()
        };
        let (mut gathered, _client) = pair(true, LONG).await;
        gathered.stream.writable().await.unwrap();
        assert!(write(&mut gathered, b"alone"));
        gathered.flush().await.unwrap();
        let _other = gathered.connection.call();
        for _ in 0..2 {
            assert!(!write(&mut gathered, b"waits"));
            assert!(write(&mut gathered, b"waited") && write(&mut gathered, b"the rest"));
            gathered.flush().await.unwrap();
        }
        assert!(write(&mut gathered, &[0; ENOUGH_BYTES]) && write(&mut gathered, b"the rest"));
        gathered.flush().await.unwrap();
        gathered.gathers = false;
        assert!(write(&mut gathered, b"over TLS"));
        assert!(gathered.is_write_vectored());
    }
}
