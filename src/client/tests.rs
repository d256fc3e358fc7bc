//! Tests of what travels with a call, against a server that keeps the heads of calls and carries out none.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Mutex;

use http::HeaderMap;
use http::request::Parts;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::instrument::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use super::*;
use crate::proto::v1::GetCallerIdentityRequest;
use crate::proto::v1::sts_service_client::StsServiceClient;
use crate::signing::grpc::{Call, SERVICE};
use crate::signing::sigv4::{self, Expectations};

const REGION: &str = "us-east-1";
const SECRET: &str = "secret";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The heads of the calls so far.
#[derive(Clone, Default)]
struct Heads(Arc<Mutex<Vec<Parts>>>);

impl NamedService for Heads {
    const NAME: &'static str = "locum.v1.StsService";
}

impl Service<Request<Body>> for Heads {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.lock().unwrap().push(request.into_parts().0);
        ready(Ok(Status::unimplemented("it was heard").into_http()))
    }
}

/// A client, and what its server hears.
struct Heard {
    channel: SignedChannel,
    heads: Heads,
}

impl Heard {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let heads = Heads::default();
        let server = Server::builder().add_service(heads.clone());
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        let credentials = Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new(SECRET),
            session_token: None,
        };
        Self { channel: connect(&endpoint, REGION, credentials).unwrap(), heads }
    }

    /// The headers that a call with these comes with, once its signature was found right.
    async fn call(&self, added: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut request = tonic::Request::new(GetCallerIdentityRequest {});
        for (name, value) in added {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        let mut sts = StsServiceClient::new(self.channel.clone());
        let refused = sts.get_caller_identity(request).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unimplemented, "{refused}");
        let head = self.heads.0.lock().unwrap().pop().unwrap();
        verify(&head);
        head.headers
    }
}

/// Checks the signature of a call with an empty message, as the server does.
fn verify(head: &Parts) {
    let metadata =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let authority = head.uri.authority().unwrap().as_str();
    let call = Call::new(authority, head.uri.path(), metadata, b"");
    let credential = call.credential().unwrap();
    let regions = [REGION.to_owned()];
    let expectations = Expectations::new(SERVICE, &regions);
    let verified = call.with_signable(|request, message| {
        message?;
        let now = Clock::System.now();
        sigv4::verify(&Secret::new(SECRET), &credential, request, now, &expectations)
    });
    assert_eq!(verified, Ok(()));
}

/// Traces Locum's spans in this thread, as with a collector.
fn traced() -> tracing::subscriber::DefaultGuard {
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let spans = tracing_opentelemetry::layer().with_tracer(tracer);
    let spans = spans.with_filter(Targets::new().with_target("locum", tracing::Level::DEBUG));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(spans))
}

/// Protects whoever follows a request through Locum: a call names the span that it was made in as its parent.
#[tokio::test]
async fn a_call_within_a_traced_span_carries_its_trace() {
    let _traced = traced();
    let heard = Heard::start().await;
    let span = tracing::debug_span!("asking");
    let headers = heard.call(&[]).instrument(span.clone()).await;
    let context = span.context();
    let context = context.span().span_context().clone();
    assert!(context.is_valid());
    let expected = format!("00-{}-{}-01", context.trace_id(), context.span_id());
    assert_eq!(headers["traceparent"], expected.as_str());
    assert!(!headers.contains_key("tracestate"), "the trace has none");
}

/// Protects traces that began elsewhere: id and state of the whole trace go on through a client.
#[tokio::test]
async fn a_trace_that_was_continued_goes_on_with_its_state() {
    let _traced = traced();
    let heard = Heard::start().await;
    let span = tracing::debug_span!("asking");
    let came = [("traceparent", PARENT), ("tracestate", "vendor=value")];
    let came = came.map(|(name, value)| {
        (http::HeaderName::from_static(name), HeaderValue::from_static(value))
    });
    telemetry::continue_trace(&span, &came.into_iter().collect());
    let headers = heard.call(&[]).instrument(span).await;
    assert_eq!(telemetry::trace_id(&headers), PARENT.split('-').nth(1));
    assert_ne!(headers["traceparent"], PARENT, "the parent is the span between");
    assert_eq!(headers["tracestate"], "vendor=value");
}

/// Protects calls that nobody traces: nothing is added without a span, with one that is switched off, or where
/// the caller named a parent.
#[tokio::test]
async fn a_call_that_is_not_traced_carries_no_trace() {
    let heard = Heard::start().await;
    let switched_off = heard.call(&[]).instrument(tracing::debug_span!("asking")).await;
    assert!(!switched_off.contains_key("traceparent"));
    let _traced = traced();
    let without = heard.call(&[]).await;
    assert!(!without.contains_key("traceparent") && !without.contains_key("tracestate"));
    let named = heard.call(&[("traceparent", PARENT)]);
    let named = named.instrument(tracing::debug_span!("asking")).await;
    assert_eq!(named["traceparent"], PARENT);
}
