//! The HTTP server of the AWS edge: connections, TLS, and how large and slow a request may be. Nothing is kept
//! of a request before its size is known; chunked bodies, which no AWS client sends here and which proxies
//! and servers have read differently, are not taken.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
    TRANSFER_ENCODING,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::edge::{Edge, Reply, Whole};
use super::fault::Fault;
use super::tls::Tls;
use crate::service::Service;
use crate::slots::{Slot, Slots, accepted};

/// Connections open at once; then the longest idle gives way to the next.
pub const CONNECTIONS_MAX: usize = 4096;
/// How long a client may take to send its request head, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take for the TLS handshake, and to send its body.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an operation may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a request head: the query of a presigned URL holds a session token.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Headers of a request.
const HEADERS_MAX: usize = 64;
/// Bytes of a body: a policy of 131072 characters, escaped, and as much again.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Bodies up to this size are taken at once; larger ones share the room below.
const SMALL_BODY_BYTES_MAX: usize = 16 << 10;
/// Bytes of all larger bodies at once.
const LARGE_BODIES_BYTES_MAX: usize = 64 << 20;
/// How long open connections may take to end once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers AWS clients on `listener` until `stop` resolves.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    tls: Option<Tls>,
    stop: impl Future<Output = ()>,
) {
    let front = Arc::new(Front {
        edge: Edge::new(service, tls.is_some()),
        tls,
        large_bodies: Semaphore::new(LARGE_BODIES_BYTES_MAX),
    });
    let slots = Slots::new(CONNECTIONS_MAX);
    let tasks = TaskTracker::new();
    let stopping = CancellationToken::new();
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accepted(&listener) => accepted,
            () = &mut stop => break,
        };
        let slot = tokio::select! {
            slot = slots.take() => slot,
            () = &mut stop => break,
        };
        let Some(slot) = slot else { break };
        tasks.spawn(front.clone().connection(stream, peer, slot, stopping.clone()));
    }
    stopping.cancel();
    tasks.close();
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, tasks.wait()).await;
}

struct Front {
    edge: Edge,
    tls: Option<Tls>,
    large_bodies: Semaphore,
}

impl Front {
    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        slot: Slot,
        stopping: CancellationToken,
    ) {
        // Answers are small and whole: to wait for more of them would only cost time.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.tls.clone() else {
            return self.requests(stream, peer, slot, stopping).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.0.accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = slot.evicted() => return,
        };
        if let Ok(Ok(stream)) = shaken {
            self.requests(stream, peer, slot, stopping).await;
        }
    }

    async fn requests(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        slot: Slot,
        stopping: CancellationToken,
    ) {
        let answer = service_fn(|request: Request<Incoming>| {
            let (front, slot) = (&self, &slot);
            async move {
                slot.work();
                let response = front.respond(request, peer).await;
                slot.rest();
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::pin!(connection);
        tokio::select! {
            // A broken connection is its client's matter.
            _ = connection.as_mut() => {}
            // Only what waits for a request has to give way: at once, also in the middle of a head.
            () = slot.evicted() => {}
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
        }
    }

    async fn respond(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = match check(&parts.method, &parts.headers) {
            Ok(()) => self.body(&parts.headers, body).await,
            Err(fault) => Err(fault),
        };
        match body {
            Ok(body) => {
                let whole = Whole { parts: &parts, body: &body, peer: peer.ip() };
                match tokio::time::timeout(CALL_TIMEOUT, self.edge.reply(&whole)).await {
                    Ok(reply) => written(reply),
                    Err(_) => written(self.edge.refusal(&parts.headers, &Fault::timed_out())),
                }
            }
            Err(fault) => {
                let mut response = written(self.edge.refusal(&parts.headers, &fault));
                // What is left of the body is not read.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
        }
    }

    /// The whole body, within its limits of size and time.
    async fn body(&self, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Fault> {
        let too_large = || {
            let message = format!("A request body has at most {BODY_BYTES_MAX} bytes.");
            Fault::own("RequestEntityTooLarge", StatusCode::PAYLOAD_TOO_LARGE, message)
        };
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = length.and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
        if length > BODY_BYTES_MAX {
            return Err(too_large());
        }
        let read = async {
            let room = match u32::try_from(length) {
                Ok(room) if length > SMALL_BODY_BYTES_MAX => {
                    Some(self.large_bodies.acquire_many(room).await)
                }
                _ => None,
            };
            let collected = Limited::new(body, BODY_BYTES_MAX).collect().await;
            drop(room);
            collected
        };
        match tokio::time::timeout(BODY_TIMEOUT, read).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(_)) => Err(too_large()),
            Err(_) => {
                let message = "The body did not arrive in time.";
                Err(Fault::own("RequestTimeout", StatusCode::REQUEST_TIMEOUT, message))
            }
        }
    }
}

/// What can be refused by the head alone.
fn check(method: &Method, headers: &HeaderMap) -> Result<(), Fault> {
    if headers.contains_key(TRANSFER_ENCODING) {
        let message = "Bodies are taken with a Content-Length, not in chunks.";
        return Err(Fault::own("MissingContentLength", StatusCode::LENGTH_REQUIRED, message));
    }
    if method != Method::GET && method != Method::POST {
        let message = "Requests are made with GET or POST.";
        return Err(Fault::own("MethodNotAllowed", StatusCode::METHOD_NOT_ALLOWED, message));
    }
    let media = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let media = media.map(|media| media.split(';').next().unwrap_or_default().trim());
    let is_form =
        media.is_some_and(|m| m.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    if !is_form && !is_empty {
        let message = "A body must be of type application/x-www-form-urlencoded.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Fault::own("UnsupportedMediaType", status, message));
    }
    Ok(())
}

fn written(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if let Ok(id) = HeaderValue::from_str(&reply.request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(wait) = reply.retry_after {
        // Whole seconds (RFC 9110, 10.2.3), and never too early.
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}
