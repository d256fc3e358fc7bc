//! A connection whose answers travel so many hops: IP_TTL, or the hop limit of IPv6, set on the socket before
//! an answer with a token is written (EC2 User Guide, configuring-instance-metadata-service).
//!
//! Once set it stays for the life of the connection. A client that is too far away never gets past its token
//! there, and a pipelined second answer cannot carry the first one along. What a bridge or proxy in between
//! opens anew, this cannot reach.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The hops that answers may travel from now on; 0 is as many as the system gives.
#[derive(Clone, Default)]
pub(super) struct Hops(Arc<AtomicU8>);

impl Hops {
    /// Takes effect with the next answer; never more than was set before.
    pub(super) fn limit(&self, hops: u8) {
        let lower = |now: u8| (now == 0 || hops < now).then_some(hops);
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower);
    }

    #[cfg(test)]
    pub(super) fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// See the module.
pub(super) struct HopStream {
    stream: TcpStream,
    version_6: bool,
    hops: Hops,
    set: u8,
}

impl HopStream {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, hops: Hops) -> Self {
        // An IPv4 peer of an IPv6 socket travels by IPv4.
        let version_6 = peer.ip().to_canonical().is_ipv6();
        Self { stream, version_6, hops, set: 0 }
    }

    /// A limit that cannot be set ends the connection: the token must not get further.
    fn apply(&mut self) -> io::Result<()> {
        let wanted = self.hops.0.load(Ordering::Relaxed);
        if wanted != self.set {
            let socket = SockRef::from(&self.stream);
            if self.version_6 {
                socket.set_unicast_hops_v6(wanted.into())?;
            } else {
                socket.set_ttl_v4(wanted.into())?;
            }
            self.set = wanted;
        }
        Ok(())
    }
}

impl AsyncRead for HopStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for HopStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.apply()?;
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.apply()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
