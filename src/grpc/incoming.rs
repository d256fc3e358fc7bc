//! Connections that write many small answers at once.
//!
//! Over a socket that takes several buffers in a call, h2 hands each payload of 256 bytes and more to the kernel by
//! itself, which is a call of the kernel and a packet for every answer. Over one that says it does not, it copies
//! payloads of less than 1024 bytes beside each other first, and one write carries the answers that are ready. Most
//! of ours have between those sizes. A larger one takes one write more than it would.
//!
//! The runtime lets a connection run as soon as its first answer is ready. So while other calls of the connection
//! wait for theirs, a small write waits for one turn of the runtime's queue, in which those that can go on do, and
//! their answers go with it. An answer that is alone waits for nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::server::{Connected, TcpIncoming};

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

/// The stream of a connection, see the module.
pub struct Gathered {
    stream: TcpStream,
    connection: Connection,
    /// Whether what is to be written had its turn of waiting.
    has_waited: bool,
}

/// What comes in at `listener`.
pub fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<Gathered>> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    incoming.map(|stream| stream.map(Gathered::new))
}

impl Gathered {
    fn new(stream: TcpStream) -> Self {
        let peer = stream.peer_addr().ok();
        let connection = Connection { peer, unanswered: Arc::default() };
        Self { stream, connection, has_waited: false }
    }

    /// Whether a write of so many bytes is to wait for a turn now.
    fn waits(&mut self, bytes: usize) -> bool {
        let others = self.connection.unanswered.load(Ordering::Relaxed) > 0;
        bytes < ENOUGH_BYTES && others && !std::mem::replace(&mut self.has_waited, true)
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
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

/// Takes one buffer in a call, as `is_write_vectored` says by not being there.
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
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buffer));
        self.has_waited = false;
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
