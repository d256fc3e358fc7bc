//! Logs and traces. Logs go to standard error, as text or JSON, filtered by `LOCUM_LOG` (default `info`);
//! traces go to an OTLP collector if one is named.

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry};

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
}

/// Starts logs and traces. To be called within a runtime if there is an endpoint.
///
/// # Errors
/// The filter or the endpoint cannot be used.
pub fn start(otlp_endpoint: Option<&str>) -> Result<Telemetry, TelemetryError> {
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
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("locum"));
        layer.with_filter(Targets::new().with_target("locum", tracing::Level::DEBUG))
    });
    let registry = Registry::default().with(lines.with_filter(filter)).with(spans);
    // In one process the first one stays.
    let _ = registry.try_init();
    Ok(Telemetry { provider })
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let resource = Resource::builder().with_service_name("locum").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
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

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
