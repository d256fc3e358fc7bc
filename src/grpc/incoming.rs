//! Connections that write many small answers at once.
//!
//! Over a socket that takes several buffers in a call, h2 hands each payload of 256 bytes and more to the kernel by
//! itself, which is a call of the kernel and a packet for every answer. Over one that says it does not, it copies
//! payloads of less than 1024 bytes beside each other first, and one write carries the answers that are ready. Most
//! of ours have between those sizes. A larger one takes one write more than it would.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::server::{Connected, TcpConnectInfo, TcpIncoming};

/// A connection, see the module.
pub(super) struct Gathered(TcpStream);

/// What comes in at `listener`.
pub(super) fn incoming(listener: TcpListener) -> impl Stream<Item = io::Result<Gathered>> {
    TcpIncoming::from(listener).with_nodelay(Some(true)).map(|stream| stream.map(Gathered))
}

impl Connected for Gathered {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.0.connect_info()
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

/// Takes one buffer in a call, as `is_write_vectored` says by not being there.
impl AsyncWrite for Gathered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
