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
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tonic::body::Body;
use tonic::transport::server::TlsConnectInfo;
use tonic::{Code, Status};
use tower::{Layer, Service as TowerService};
use tracing::Instrument as _;

use super::calls::Calls;
use super::incoming::Connection;
use super::status;
use crate::client::first_message;
use crate::domain::access::Caller;
use crate::metrics::{self, Outcome};
use crate::service::{Asked, RequestInfo, Service};
use crate::signing::grpc::{Call, UNSIGNED_CALLS};
use crate::telemetry::UnderWay;

/// Bytes of a request message with its frame.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Calls that stream requests: signed over the first message, which is read before the others come.
const STREAMS: [&str; 1] = ["/locum.v1.AuthorizationService/StreamAuthorizeSignedRequests"];
/// Bytes of a user agent that are kept.
const USER_AGENT_MAX: usize = 256;
/// The header in which a refused call's id is told, whatever else is.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts Locum's own calls, which have to be signed, before the services that are open.
#[derive(Clone)]
pub(super) struct AuthLayer {
    service: Arc<Service>,
    calls: Arc<Calls>,
}

impl AuthLayer {
    pub(super) fn new(service: Arc<Service>, calls: Calls) -> Self {
        Self { service, calls: Arc::new(calls) }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticated { inner, service: self.service.clone(), calls: self.calls.clone() }
    }
}

/// See `AuthLayer`.
#[derive(Clone)]
pub(super) struct Authenticated<S> {
    inner: S,
    service: Arc<Service>,
    calls: Arc<Calls>,
}

impl<S> TowerService<Request<Body>> for Authenticated<S>
where
    S: TowerService<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !request.uri().path().starts_with("/locum.v1.") {
            return Box::pin(self.inner.call(request));
        }
        let (service, calls) = (self.service.clone(), self.calls.clone());
        let connection = connection(request.extensions());
        let source = connection.and_then(Connection::peer_ip);
        let unanswered = connection.map(Connection::call);
        Box::pin(async move {
            let _unanswered = unanswered;
            let mut under_way = match begin(&service, &request) {
                Ok(under_way) => under_way,
                Err(status) => return Ok(status.into_http()),
            };
            let span = under_way.span.clone();
            let answer = async {
                match authenticate(&service, request, source, &mut under_way).await {
                    Ok(request) => calls.call(request).await,
                    Err(status) => Ok(status.into_http()),
                }
            };
            let answer = answer.instrument(span).await;
            answer.map(|answer| end(under_way, answer))
        })
    }
}

/// A call that begins.
fn begin(service: &Service, request: &Request<Body>) -> Result<UnderWay, Status> {
    let operation = metrics::grpc().find(request.uri().path());
    let drawn = service.draw_request_id();
    let request_id = drawn.map_err(|error| Status::internal(error.to_string()))?;
    let span = tracing::debug_span!(
        "call",
        otel.name = request.uri().path(),
        otel.kind = "server",
        rpc.system = "grpc",
        rpc.service = operation.service,
        rpc.method = operation.name,
        request_id = %request_id,
        enduser.id = tracing::field::Empty,
        code = tracing::field::Empty,
    );
    let headers = request.headers();
    Ok(UnderWay::begin(operation, request_id, span, headers, status::CANCELLED))
}

/// Tells what became of a call, and a refused one's id to its caller.
fn end(mut under_way: UnderWay, mut answer: Response<Body>) -> Response<Body> {
    let status = answer.extensions().get::<Status>();
    let code = status.filter(|status| status.code() != Code::Ok).map(status::reason);
    if under_way.tell(code.as_deref()) == Outcome::Ok {
        return answer;
    }
    let id = &under_way.request_id;
    let status = answer.extensions().get::<Status>();
    if let Some(status) = status.filter(|status| status.code() != Code::Ok) {
        answer = status::with_request_id(status, id).into_http();
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    answer
}

async fn authenticate(
    service: &Service,
    request: Request<Body>,
    source: Option<IpAddr>,
    under_way: &mut UnderWay,
) -> Result<Request<Body>, Status> {
    let (mut parts, body) = request.into_parts();
    let (bytes, body) = if STREAMS.contains(&parts.uri.path()) {
        first_message(body, REQUEST_BYTES_MAX).await?
    } else {
        let bytes = collect(body).await?;
        (bytes.clone(), Body::new(Full::new(bytes)))
    };
    let message = message_of(&bytes)?;
    let headers = parts.headers.iter();
    let metadata = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let authority = parts
        .uri
        .authority()
        .map(http::uri::Authority::as_str)
        .or_else(|| parts.headers.get(http::header::HOST)?.to_str().ok())
        .unwrap_or_default();
    let request_id = under_way.request_id.clone();
    let path = parts.uri.path();
    let call = Call::new(authority, path, metadata, message);
    let throttled = |throttled| status::of_throttled(&throttled);
    let authenticated = match UNSIGNED_CALLS.contains(&path) {
        true => Ok(Caller::anonymous()),
        false => service.authenticate_call(&call),
    };
    let proved = authenticated.as_ref().ok().filter(|c| c.principal.account().is_some());
    // Known before it may be refused for asking too often, so that this is counted as its own.
    under_way.account = proved.and_then(|caller| caller.principal.account());
    // Who proved nothing is held to their address, whatever account they name.
    match proved {
        Some(caller) => service.admit_request(caller).map_err(throttled)?,
        None => service.admit_stranger(source).map_err(throttled)?,
    }
    let caller = authenticated?;
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let user_agent = header("user-agent").unwrap_or_default();
    // Headers that read as text are ASCII.
    let user_agent = user_agent.get(..USER_AGENT_MAX).unwrap_or(user_agent);
    let caller = Caller {
        source_ip: source,
        user_agent: Arc::from(user_agent),
        secure_transport: parts.extensions.get::<OverTls>().is_some(),
        ..caller
    };
    under_way.recognized(&caller.principal);
    let trace_id = under_way.trace_id.clone();
    let asked = Asked { operation: under_way.operation, parameters: bytes };
    let info = RequestInfo { caller, request_id, trace_id, asked };
    parts.extensions.insert(info);
    Ok(Request::from_parts(parts, body))
}

async fn collect(body: Body) -> Result<Bytes, Status> {
    let collected = Limited::new(body, REQUEST_BYTES_MAX).collect().await;
    let collected = collected.map_err(|error| match error.is::<LengthLimitError>() {
        true => {
            let rule = format!("a request has at most {REQUEST_BYTES_MAX} bytes");
            Status::resource_exhausted(rule)
        }
        // The client's or the connection's doing, with the code that tonic gives it.
        false => Status::from_error(error),
    })?;
    Ok(collected.to_bytes())
}

/// What the transport tells of a connection with TLS.
type OverTls = TlsConnectInfo<Connection>;

fn connection(extensions: &http::Extensions) -> Option<&Connection> {
    let inside_tls = || extensions.get::<OverTls>().map(TlsConnectInfo::get_ref);
    extensions.get::<Connection>().or_else(inside_tls)
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

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    fn body(frames: &'static [&'static [u8]]) -> Body {
        let frames =
            frames.iter().map(|bytes| Ok::<_, Status>(Frame::data(Bytes::from_static(bytes))));
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    /// Protects signatures: what is verified is the whole body, however it was cut, and no more than is allowed.
    #[tokio::test]
    async fn a_body_is_put_together_from_its_frames() {
        const CUT: &[&[u8]] = &[b"", b"one", b"", b"two", b"three"];
        assert_eq!(collect(body(&[])).await.unwrap(), b""[..]);
        assert_eq!(collect(body(&[b"one"])).await.unwrap(), b"one"[..]);
        assert_eq!(collect(body(CUT)).await.unwrap(), b"onetwothree"[..]);
        const HALF: &[u8] = &[7; REQUEST_BYTES_MAX / 2];
        assert_eq!(collect(body(&[HALF, HALF])).await.unwrap().len(), REQUEST_BYTES_MAX);
        for frames in [&[HALF, HALF, b"x"][..], &[&[7; REQUEST_BYTES_MAX + 1]]] {
            let refused = collect(body(frames)).await.unwrap_err();
            assert_eq!(refused.code(), Code::ResourceExhausted);
        }
    }

    /// Protects what is told of a call that its client gave up: it was not too large.
    #[tokio::test]
    async fn a_body_that_breaks_off_is_not_called_too_large() {
        for code in [Code::Cancelled, Code::Unknown] {
            let frames = [Ok(Frame::data(Bytes::from_static(b"one"))), Err(Status::new(code, ""))];
            let body = Body::new(StreamBody::new(stream::iter(frames)));
            assert_eq!(collect(body).await.unwrap_err().code(), code);
        }
    }
}
