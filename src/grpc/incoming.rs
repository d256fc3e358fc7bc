//! Connections that write many small answers at once.
//!
//! Over a socket that takes several buffers in a call, h2 hands each payload of 256 bytes and more to the kernel by
//! itself, which is a call of the kernel and a packet for every answer. Over one that says it does not, it copies
//! payloads of less than 1024 bytes beside each other first, and one write carries the answers that are ready. Most
//! of ours have between those sizes. A larger one takes one write more than it would.
//!
//! The runtime lets a connection run as soon as its first answer is ready. So a small write waits for a turn of the
//! runtime's queue, in which the other calls that can go on do, and their answers go with it. On an idle node nothing
//! else is in the queue, and the turn is over at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::server::{Connected, TcpConnectInfo, TcpIncoming};

/// Bytes of a write that waits for no others.
const ENOUGH_BYTES: usize = 8 << 10;

/// A connection, see the module.
pub(super) struct Gathered {
    stream: TcpStream,
    /// Whether what is to be written had its turn of waiting.
    has_waited: bool,
}

/// What comes in at `listener`.
pub(super) fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<Gathered>> {
    let gathered = |stream| Gathered { stream, has_waited: false };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    incoming.map(move |stream| stream.map(gathered))
}

impl Connected for Gathered {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
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
        if buffer.len() < ENOUGH_BYTES && !std::mem::replace(&mut self.has_waited, true) {
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
