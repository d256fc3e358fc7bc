//! A collector that keeps what it is sent: the OTLP services for traces and metrics.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// How long something may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Default)]
struct Received {
    traces: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
}

#[tonic::async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.traces.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Received {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// A running collector.
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    received: Received,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let received = Received::default();
        let server = Server::builder()
            .add_service(TraceServiceServer::new(received.clone()))
            .add_service(MetricsServiceServer::new(received.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        Self { endpoint, received }
    }

    fn spans(&self) -> Vec<Span> {
        let traces = self.received.traces.lock().unwrap();
        let resources = traces.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| &scope.spans).cloned().collect()
    }

    /// The spans of a trace, once there are so many.
    pub(crate) async fn spans_of(&self, trace: &str, count: usize) -> Vec<Span> {
        wait(&format!("{count} spans of {trace}"), || {
            let mut spans = self.spans();
            spans.retain(|span| hex::encode(&span.trace_id) == trace);
            (spans.len() >= count).then_some(spans)
        })
        .await
    }

    /// The span of another trace that is linked to this one.
    pub(crate) async fn linked_to(&self, span_id: &[u8]) -> Span {
        wait("a linked span", || {
            let mut spans = self.spans().into_iter();
            spans.find(|span| span.links.iter().any(|link| link.span_id == span_id))
        })
        .await
    }

    /// Waits for a point of a metric with these labels and something counted in it.
    pub(crate) async fn metric(&self, name: &str, labels: &[(&str, &str)]) {
        wait(name, || {
            let received = self.received.metrics.lock().unwrap();
            let resources = received.iter().flat_map(|request| &request.resource_metrics);
            let scopes = resources.flat_map(|resource| &resource.scope_metrics);
            let mut metrics = scopes.flat_map(|scope| &scope.metrics);
            metrics.find(|metric| {
                metric.name == name
                    && match metric.data.as_ref().unwrap() {
                        Data::Sum(sum) => {
                            sum.is_monotonic
                                && sum.data_points.iter().any(|p| has(&p.attributes, labels))
                        }
                        Data::Histogram(histogram) => {
                            let mut points = histogram.data_points.iter();
                            points.any(|p| p.count > 0 && has(&p.attributes, labels))
                        }
                        _ => false,
                    }
            })?;
            Some(())
        })
        .await;
    }

    /// All that was received, as text.
    pub(crate) fn everything(&self) -> String {
        let Received { traces, metrics } = &self.received;
        format!("{:?} {:?}", traces.lock().unwrap(), metrics.lock().unwrap())
    }
}

fn has(attributes: &[KeyValue], labels: &[(&str, &str)]) -> bool {
    labels.iter().all(|(name, wanted)| {
        attributes.iter().any(|attribute| {
            let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            attribute.key == *name && matches!(value, Some(Value::StringValue(v)) if v == wanted)
        })
    })
}

async fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not arrive");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
