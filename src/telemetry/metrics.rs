//! Metrics to an OTLP collector: the same values as in Prometheus's text, cumulative since the start, sent at an
//! interval. Source: OpenTelemetry Protocol 1.x and Metrics Data Model.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tonic::Request;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint};

use super::TelemetryError;
use crate::clock::{Clock, Timestamp};
use crate::metrics::{self, Distribution, Family, Kind, Labels, Sink};

/// How long the collector may take for an export.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends metrics to a collector.
pub struct MetricsExport {
    client: MetricsServiceClient<Channel>,
    headers: MetadataMap,
    resource: Resource,
}

impl MetricsExport {
    /// To the collector at `endpoint`, which is reached with the first export.
    ///
    /// # Errors
    /// The address is none, or `OTEL_EXPORTER_OTLP_HEADERS` cannot be sent.
    pub fn new(endpoint: &str) -> Result<Self, TelemetryError> {
        let endpoint = Endpoint::from_shared(endpoint.to_owned())?;
        let channel =
            endpoint.connect_timeout(EXPORT_TIMEOUT).timeout(EXPORT_TIMEOUT).connect_lazy();
        let given = std::env::var("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
        let attributes = super::resource();
        let attributes =
            attributes.iter().map(|(key, value)| text(key.as_str(), value.as_str().into_owned()));
        Ok(Self {
            client: MetricsServiceClient::new(channel),
            headers: headers(&given).ok_or(TelemetryError::Headers)?,
            resource: Resource { attributes: attributes.collect(), ..Resource::default() },
        })
    }

    /// Sends what `gather` tells every `interval`, for ever.
    pub async fn run(&self, interval: Duration, gather: impl Fn(&mut dyn Sink)) {
        loop {
            tokio::time::sleep(interval).await;
            self.send(&gather).await;
        }
    }

    /// Sends what `gather` tells once. What cannot be sent is in the next export: values are cumulative.
    pub async fn send(&self, gather: &impl Fn(&mut dyn Sink)) {
        let mut points = Points { metrics: Vec::new(), now: nanos(Clock::System.now()) };
        gather(&mut points);
        let scope = InstrumentationScope {
            name: "locum".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let of_scope =
            ScopeMetrics { scope: Some(scope), metrics: points.metrics, ..Default::default() };
        let of_resource = ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![of_scope],
            ..Default::default()
        };
        let message = ExportMetricsServiceRequest { resource_metrics: vec![of_resource] };
        let mut request = Request::new(message);
        *request.metadata_mut() = self.headers.clone();
        if let Err(status) = self.client.clone().export(request).await {
            tracing::warn!(code = ?status.code(), "metrics were not sent to the collector");
        }
    }
}

/// `name=value` pairs, separated by commas, values percent-encoded.
fn headers(given: &str) -> Option<MetadataMap> {
    let mut headers = MetadataMap::new();
    for pair in given.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8().ok()?;
        let name: MetadataKey<_> = name.trim().to_ascii_lowercase().parse().ok()?;
        headers.insert(name, MetadataValue::try_from(&*value).ok()?);
    }
    Some(headers)
}

fn text(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or_default().saturating_mul(1_000_000)
}

/// What is gathered for one export.
struct Points {
    metrics: Vec<Metric>,
    now: u64,
}

impl Points {
    /// The data of a family: that of the one before if it is the same.
    fn data(&mut self, family: &'static Family) -> Option<&mut Data> {
        if self.metrics.last().is_none_or(|metric| metric.name != family.name) {
            let temporality = AggregationTemporality::Cumulative.into();
            let data = match family.kind {
                Kind::Counter => Data::Sum(Sum {
                    aggregation_temporality: temporality,
                    is_monotonic: true,
                    ..Sum::default()
                }),
                Kind::Gauge => Data::Gauge(Gauge::default()),
                Kind::Histogram => Data::Histogram(Histogram {
                    aggregation_temporality: temporality,
                    ..Histogram::default()
                }),
            };
            self.metrics.push(Metric {
                name: family.name.to_owned(),
                description: family.help.to_owned(),
                unit: family.unit().to_owned(),
                data: Some(data),
                ..Metric::default()
            });
        }
        self.metrics.last_mut()?.data.as_mut()
    }
}

fn attributes(labels: &Labels<'_>) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| text(name, (*value).to_owned())).collect()
}

impl Sink for Points {
    fn number(&mut self, family: &'static Family, labels: &Labels<'_>, value: f64) {
        let point = NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: nanos(metrics::started()),
            time_unix_nano: self.now,
            value: Some(Number::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        match self.data(family) {
            Some(Data::Sum(sum)) => sum.data_points.push(point),
            Some(Data::Gauge(gauge)) => gauge.data_points.push(point),
            _ => {}
        }
    }

    fn histogram(&mut self, family: &'static Family, labels: &Labels<'_>, values: &Distribution) {
        let point = HistogramDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: nanos(metrics::started()),
            time_unix_nano: self.now,
            count: values.count(),
            sum: Some(values.sum),
            bucket_counts: values.counts.clone(),
            explicit_bounds: values.bounds.clone(),
            ..HistogramDataPoint::default()
        };
        if let Some(Data::Histogram(histogram)) = self.data(family) {
            histogram.data_points.push(point);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects collectors behind a gate: what is to be sent with exports is read as other exporters do, and
    /// what cannot be sent is said at the start.
    #[test]
    fn headers_are_pairs_with_encoded_values() {
        let read = headers("api-key=a%20b, X-Tenant = one").unwrap();
        assert_eq!(read.get("api-key").unwrap(), "a b");
        assert_eq!(read.get("x-tenant").unwrap(), "one");
        assert!(headers("").unwrap().is_empty());
        for bad in ["key", "a b=c", "key=%0a"] {
            assert!(headers(bad).is_none(), "{bad}");
        }
    }
}
