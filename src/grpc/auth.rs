//! Authenticates calls before they reach a service: reads the one request message, verifies the signature
//! over its bytes, and leaves `RequestInfo` with the request. Nothing unsigned gets past it but the calls of
//! `UNSIGNED_CALLS`, as an anonymous caller's.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use ring::digest::{Context as Digest, SHA256};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::{Layer, Service as TowerService};
use tracing::Instrument as _;

use super::status;
use crate::client::first_message;
use crate::domain::access::Caller;
use crate::signing::grpc::{Call, UNSIGNED_CALLS};
use crate::sts::{RequestInfo, Service};
use crate::telemetry;

/// Bytes of a request message with its frame.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Calls that stream requests: signed over the first message, which is read before the others come.
const STREAMS: [&str; 1] = ["/locum.v1.AuthorizationService/StreamAuthorizeSignedRequests"];
/// Bytes of a user agent that are kept.
const USER_AGENT_MAX: usize = 256;

/// Wraps the services whose calls have to be signed.
#[derive(Clone)]
pub(super) struct AuthLayer {
    service: Arc<Service>,
}

impl AuthLayer {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { service }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticated { inner, service: self.service.clone() }
    }
}

/// See `AuthLayer`.
#[derive(Clone)]
pub(super) struct Authenticated<S> {
    inner: S,
    service: Arc<Service>,
}

impl<S> TowerService<Request<Body>> for Authenticated<S>
where
    S: TowerService<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone may not be ready; the one that is goes with this call.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let service = self.service.clone();
        Box::pin(async move {
            if !request.uri().path().starts_with("/locum.v1.") {
                return inner.call(request).await;
            }
            let span = tracing::debug_span!(
                "call",
                otel.name = request.uri().path(),
                otel.kind = "server",
                request_id = tracing::field::Empty,
            );
            telemetry::continue_trace(&span, request.headers());
            let answer = async {
                match authenticate(&service, request).await {
                    Ok(request) => inner.call(request).await,
                    Err(status) => Ok(status.into_http()),
                }
            };
            answer.instrument(span).await
        })
    }
}

async fn authenticate(service: &Service, request: Request<Body>) -> Result<Request<Body>, Status> {
    let (mut parts, body) = request.into_parts();
    let (bytes, body) = if STREAMS.contains(&parts.uri.path()) {
        first_message(body, REQUEST_BYTES_MAX).await?
    } else {
        let bytes = collect(body).await?;
        (bytes.clone(), Body::new(Full::new(bytes)))
    };
    let message = message_of(&bytes)?;
    let metadata: Vec<(&str, &str)> = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let authority = parts
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| parts.headers.get(http::header::HOST)?.to_str().ok())
        .unwrap_or_default();
    let request_id =
        service.draw_request_id().map_err(|error| Status::internal(error.to_string()))?;
    tracing::Span::current().record("request_id", request_id.as_ref());
    let path = parts.uri.path();
    let call = Call { authority, path, metadata: &metadata, message };
    let caller = match UNSIGNED_CALLS.contains(&path) {
        true => Caller::anonymous(),
        false => service
            .authenticate_call(&call)
            .map_err(|error| status::of_auth_error(&error, &request_id))?,
    };
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let user_agent: String =
        header("user-agent").unwrap_or_default().chars().take(USER_AGENT_MAX).collect();
    let trace_id = telemetry::trace_id(&parts.headers).unwrap_or_default();
    let caller = Caller {
        source_ip: source_ip(&parts.extensions),
        user_agent: Arc::from(user_agent),
        ..caller
    };
    let fingerprint = fingerprint(path, &caller.principal.arn(), message);
    let info = RequestInfo { caller, request_id, trace_id: Arc::from(trace_id), fingerprint };
    parts.extensions.insert(info);
    Ok(Request::from_parts(parts, body))
}

async fn collect(body: Body) -> Result<Bytes, Status> {
    let collected = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
    let collected = collected.map_err(|_| {
        Status::resource_exhausted(format!("a request has at most {REQUEST_BYTES_MAX} bytes"))
    })?;
    Ok(collected.to_bytes())
}

fn source_ip(extensions: &http::Extensions) -> Option<IpAddr> {
    extensions.get::<TcpConnectInfo>()?.remote_addr().map(|address| address.ip())
}

/// The message in a frame: a flag, four bytes of length, the bytes; exactly one, not compressed.
fn message_of(bytes: &Bytes) -> Result<&[u8], Status> {
    let invalid = || Status::invalid_argument("a call has exactly one request message");
    let (head, message) = bytes.split_first_chunk::<5>().ok_or_else(invalid)?;
    let [flag, length @ ..] = head;
    if *flag != 0 {
        return Err(Status::unimplemented("request messages must not be compressed"));
    }
    if usize::try_from(u32::from_be_bytes(*length)) != Ok(message.len()) {
        return Err(invalid());
    }
    Ok(message)
}

/// What an idempotency token is bound to: the method, the caller and every byte of the message.
fn fingerprint(path: &str, principal: &str, message: &[u8]) -> [u8; 16] {
    let mut digest = Digest::new(&SHA256);
    for part in [path.as_bytes(), principal.as_bytes(), message] {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut fingerprint = [0; 16];
    for (to, from) in fingerprint.iter_mut().zip(digest.finish().as_ref()) {
        *to = *from;
    }
    fingerprint
}
