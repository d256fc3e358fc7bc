//! Health and metrics over HTTP: `/livez`, `/readyz` with the reason when not ready, and `/metrics` in the
//! text format of Prometheus.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::sts::Service;

/// Connections open at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send its request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// What is asked how it is.
pub trait Probe: Send + Sync + 'static {
    /// Why it cannot serve; none while it can.
    fn trouble(&self) -> Option<String>;
    /// Its metrics, in the text format of Prometheus.
    fn metrics(&self) -> String;
}

/// Answers on `listener` until `stop` resolves.
pub async fn serve(listener: TcpListener, probe: Arc<dyn Probe>, stop: impl Future<Output = ()>) {
    let open = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::pin!(stop);
    loop {
        let Ok(permit) = open.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let probe = probe.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<hyper::body::Incoming>| {
                let response = respond(&*probe, request.uri().path());
                async move { Ok::<_, Infallible>(response) }
            });
            // A broken connection is its client's matter.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            drop(permit);
        });
    }
}

fn respond(probe: &dyn Probe, path: &str) -> Response<Full<Bytes>> {
    let (status, body) = match path {
        "/livez" => (StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => match probe.trouble() {
            None => (StatusCode::OK, "ok\n".to_owned()),
            Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
        },
        "/metrics" => (StatusCode::OK, probe.metrics()),
        _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// Why the ledger takes no writes; none while it does.
#[must_use]
pub fn trouble(service: &Service) -> Option<String> {
    service.ledger().stopped().borrow().as_deref().map(str::to_owned)
}

/// The metrics of the service's state.
#[must_use]
pub fn metrics(service: &Service) -> String {
    let view = service.view();
    let (mut accounts, mut instances) = (0_usize, 0_usize);
    for account in view.state.accounts() {
        accounts += 1;
        instances += account.instances.len();
    }
    let writes = u64::from(service.ledger().stopped().borrow().is_none());
    let gauges = [
        ("locum_log_sequence", "The newest applied record of the log.", view.sequence),
        ("locum_accounts", "Accounts.", accounts as u64),
        ("locum_instances", "Instances, terminated ones included.", instances as u64),
        ("locum_log_writable", "Whether the log takes writes.", writes),
    ];
    let mut text = String::new();
    for (name, help, value) in gauges {
        gauge(&mut text, name, help, value);
    }
    text
}

/// Writes a gauge.
pub fn gauge(text: &mut String, name: &str, help: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
}
