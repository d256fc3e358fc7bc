//! Logs, traces, and metrics on their way out. Logs go to standard error, as text or JSON (`LOCUM_LOG_FORMAT`),
//! filtered by `LOCUM_LOG` (default `info`); traces and metrics go to an OTLP collector if one is named.
//!
//! Spans are of level `debug` and made for collectors: without one they are switched off where they stand, which
//! costs a comparison each. Lines that say what became of a request (`access`) carry its id instead.

mod access;
mod metrics;
mod under_way;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

pub use access::{ACCESS_LINES_PER_SECOND_MAX, Access, AccessLog, access_log};
pub use metrics::{EXPORT_TIMEOUT, MetricsExport};
pub use under_way::UnderWay;

/// Sends what is left when dropped.
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Why there are no logs or traces.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("`LOCUM_LOG`: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The collector's address cannot be used.
    #[error("`otlp_endpoint`: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The collector's address is none.
    #[error("`otlp_endpoint`: {0}")]
    Endpoint(#[from] tonic::transport::Error),
    /// What is to be sent with every export cannot be.
    #[error("`OTEL_EXPORTER_OTLP_HEADERS` holds what is no header")]
    Headers,
}

/// Starts logs and traces. To be called within a runtime if there is an endpoint.
///
/// # Errors
/// The filter or the endpoint cannot be used.
pub fn start(
    otlp_endpoint: Option<&str>,
    access_log: AccessLog,
) -> Result<Telemetry, TelemetryError> {
    crate::metrics::begin();
    access::set(access_log);
    let filter = match std::env::var("LOCUM_LOG") {
        Ok(filter) => EnvFilter::try_new(filter)?,
        Err(_) => EnvFilter::new("info"),
    };
    let json = std::env::var("LOCUM_LOG_FORMAT").is_ok_and(|format| format == "json");
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if json { lines.json().boxed() } else { lines.compact().boxed() };
    let provider = otlp_endpoint.map(provider).transpose()?;
    // Spans are of level `debug`: without a collector they cost nothing, whatever the lines' filter.
    let spans = provider.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("locum"))
            .with_location(false)
            .with_threads(false);
        layer.with_filter(Targets::new().with_target("locum", tracing::Level::DEBUG))
    });
    let registry = Registry::default().with(lines.with_filter(filter)).with(spans);
    // In one process the first one stays.
    let _ = registry.try_init();
    Ok(Telemetry { provider })
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build())
}

/// What everything that is sent is of; `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` add to it.
fn resource() -> Resource {
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let mut resource = Resource::builder().with_attribute(version);
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("locum");
    }
    resource.build()
}

/// Makes `span` a child of the caller's span, which a W3C `traceparent` among `headers` names.
pub fn continue_trace(span: &tracing::Span, headers: &http::HeaderMap) {
    if span.is_disabled() || !headers.contains_key("traceparent") {
        return;
    }
    let parent = TraceContextPropagator::new().extract(&Headers(headers));
    if let Err(error) = span.set_parent(parent) {
        tracing::debug!(%error, "the caller's trace is not continued");
    }
}

/// Lets whoever reads `headers` continue the trace of `span`: puts a W3C `traceparent` among them, and a `tracestate`
/// if the trace has one. A parent that is named there already stays.
pub fn pass_trace_on(span: &tracing::Span, headers: &mut http::HeaderMap) {
    if span.is_disabled() || headers.contains_key("traceparent") {
        return;
    }
    // A trace that is not sampled is told too: that nobody keeps it is for the callee to know. Without a collector
    // the context is empty, of which nothing is put.
    TraceContextPropagator::new().inject_context(&span.context(), &mut Sent(headers));
}

/// Names a span that was begun before it was known what is asked.
pub fn rename(span: &tracing::Span, name: &'static str) {
    if !span.is_disabled() {
        span.context().span().update_name(name);
    }
}

/// The id of the trace that a request belongs to: that of the caller's W3C `traceparent`, or of `span` if the
/// trace begins here; none if nobody traces.
#[must_use]
pub fn trace_id_of(span: &tracing::Span, headers: &http::HeaderMap) -> Option<String> {
    if let Some(id) = trace_id(headers) {
        return Some(id.to_owned());
    }
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    (context.is_valid() && context.is_sampled()).then(|| context.trace_id().to_string())
}

/// The caller's trace id: that of a W3C `traceparent`, `00-<32 hex>-<16 hex>-<2 hex>`.
#[must_use]
pub fn trace_id(headers: &http::HeaderMap) -> Option<&str> {
    let id = headers.get("traceparent")?.to_str().ok()?.split('-').nth(1)?;
    let legal = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    legal.then_some(id)
}

struct Headers<'a>(&'a http::HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct Sent<'a>(&'a mut http::HeaderMap);

impl Injector for Sent<'_> {
    fn set(&mut self, key: &str, value: String) {
        // The propagator sets a `tracestate` whether there is one or not.
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) = (key.parse::<http::HeaderName>(), value.parse()) {
            self.0.insert(name, value);
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
