//! The HTTP server: who asks, with which token, and what may be asked.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::token::{TOKEN_TTL_MAX, TokenKey};
use super::{InstanceSource, tree};
use crate::clock::Clock;
use crate::proto::v1::InstanceMetadata;

/// Connections open at once; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 4096;
/// How long a client may take to send its request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a request head.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// How long open connections may take to end once the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait when a connection cannot be accepted, as when files run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// Answers metadata on `listener` until `stop` resolves.
pub async fn serve(
    listener: TcpListener,
    source: Arc<dyn InstanceSource>,
    key: TokenKey,
    clock: Clock,
    stop: impl Future<Output = ()>,
) {
    let edge = Arc::new(Edge { source, key, clock });
    let open = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let tasks = TaskTracker::new();
    let stopping = CancellationToken::new();
    tokio::pin!(stop);
    loop {
        let Ok(permit) = open.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (edge, stopping) = (edge.clone(), stopping.clone());
        tasks.spawn(async move {
            connection(edge, stream, peer.ip(), stopping).await;
            drop(permit);
        });
    }
    stopping.cancel();
    tasks.close();
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, tasks.wait()).await;
}

async fn connection(edge: Arc<Edge>, stream: TcpStream, peer: IpAddr, stopping: CancellationToken) {
    let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
        let path = request.uri().path();
        let response = edge.respond(peer, request.method(), path, request.headers());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    tokio::select! {
        // A broken connection is its client's matter.
        _ = connection.as_mut() => {}
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// What answers.
pub(super) struct Edge {
    pub(super) source: Arc<dyn InstanceSource>,
    pub(super) key: TokenKey,
    pub(super) clock: Clock,
}

impl Edge {
    pub(super) fn respond(
        &self,
        peer: IpAddr,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        // An address without an instance learns nothing, not even what there would be.
        let Some(metadata) = self.source.find(peer) else {
            return plain(StatusCode::NOT_FOUND, "");
        };
        let path_alone = path.trim_end_matches('/');
        let token_path = path_alone == "/latest/api/token";
        match *method {
            Method::PUT if token_path => self.issue_token(&metadata, headers),
            Method::PUT if path_alone.ends_with("/api/token") => plain(StatusCode::FORBIDDEN, ""),
            Method::GET | Method::HEAD if !token_path => self.read(&metadata, path, headers),
            _ => {
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "");
                let allow = if token_path { "PUT" } else { "GET, HEAD" };
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
                response
            }
        }
    }

    fn issue_token(
        &self,
        metadata: &InstanceMetadata,
        headers: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        // A request that a proxy passed on came from someone else than the instance.
        if headers.contains_key("x-forwarded-for") {
            return plain(StatusCode::FORBIDDEN, "");
        }
        let ttl = headers.get(TOKEN_TTL).and_then(|value| value.to_str().ok());
        let ttl = ttl.and_then(|text| text.trim().parse::<u32>().ok());
        let Some(ttl) = ttl.filter(|ttl| (1..=TOKEN_TTL_MAX).contains(ttl)) else {
            return plain(StatusCode::BAD_REQUEST, "");
        };
        let end = self.clock.now().plus(Duration::from_secs(u64::from(ttl)));
        let Ok(token) = self.key.issue(instance_id(metadata), end) else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "");
        };
        let mut response = plain(StatusCode::OK, &token);
        response.headers_mut().insert(TOKEN_TTL, HeaderValue::from(ttl));
        response
    }

    fn read(
        &self,
        metadata: &InstanceMetadata,
        path: &str,
        headers: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        let now = self.clock.now();
        let optional = metadata.instance.as_ref().is_some_and(|i| i.http_tokens_optional);
        let admitted = match headers.get(TOKEN) {
            // A wrong token is refused also where none would be needed.
            Some(token) => token
                .to_str()
                .is_ok_and(|token| self.key.is_valid(token, instance_id(metadata), now)),
            None => optional,
        };
        if !admitted {
            return plain(StatusCode::UNAUTHORIZED, "");
        }
        match tree::answer(metadata, now, path) {
            Some(body) => plain(StatusCode::OK, &body),
            None => plain(StatusCode::NOT_FOUND, ""),
        }
    }
}

fn instance_id(metadata: &InstanceMetadata) -> &str {
    metadata.instance.as_ref().map_or("", |instance| &instance.instance_id)
}

fn plain(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let body = match body {
        "" => status.canonical_reason().unwrap_or_default().to_owned(),
        body => body.to_owned(),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
