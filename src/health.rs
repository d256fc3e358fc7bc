//! Health and metrics over HTTP: `/livez`, `/readyz` with the reason when not ready, and `/metrics` in the
//! text format that the scraper prefers.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, VARY};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::ledger::QUEUE_COMMANDS_MAX;
use crate::metrics::text::Format;
use crate::metrics::{Sink, names};
use crate::service::Service;
use crate::slots::accepted;

/// Connections open at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send its request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// What is asked how it is.
pub trait Probe: Send + Sync + 'static {
    /// Why it cannot serve; none while it can.
    fn trouble(&self) -> Option<String>;
    /// Tells its metrics, all of them.
    fn gather(&self, sink: &mut dyn Sink);
}

/// Answers on `listener` until `stop` resolves.
pub async fn serve(listener: TcpListener, probe: Arc<dyn Probe>, stop: impl Future<Output = ()>) {
    let open = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::pin!(stop);
    loop {
        let Ok(permit) = open.clone().acquire_owned().await else { return };
        let (stream, _) = tokio::select! {
            accepted = accepted(&listener) => accepted,
            () = &mut stop => return,
        };
        let probe = probe.clone();
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<hyper::body::Incoming>| {
                let response = respond(&*probe, &request);
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

fn respond<B>(probe: &dyn Probe, request: &Request<B>) -> Response<Full<Bytes>> {
    let plain = "text/plain; charset=utf-8";
    let (status, content_type, body) = match request.uri().path() {
        "/livez" => (StatusCode::OK, plain, "ok\n".to_owned()),
        "/readyz" => match probe.trouble() {
            None => (StatusCode::OK, plain, "ok\n".to_owned()),
            Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, plain, format!("{reason}\n")),
        },
        "/metrics" => {
            let accept = request.headers().get_all(ACCEPT).iter();
            let accept: Vec<_> = accept.filter_map(|value| value.to_str().ok()).collect();
            let format = Format::accepted(&accept.join(","));
            let text = format.write(|sink| probe.gather(sink));
            (StatusCode::OK, format.content_type(), text)
        }
        _ => (StatusCode::NOT_FOUND, plain, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// Why the ledger takes no writes; none while it does.
#[must_use]
pub fn trouble(service: &Service) -> Option<String> {
    service.ledger().stopped().borrow().as_deref().map(str::to_owned)
}

/// Tells the metrics of the service's state.
pub fn gather(service: &Service, sink: &mut dyn Sink) {
    let view = service.view();
    let (mut accounts, mut instances) = (0_usize, 0_usize);
    for account in view.state.accounts() {
        accounts += 1;
        instances += account.instances.len();
    }
    let ledger = service.ledger();
    let writes = u8::from(ledger.stopped().borrow().is_none());
    for (family, value) in [
        (&names::LOG_SEQUENCE, view.sequence as f64),
        (&names::LOG_BYTES, ledger.log().bytes_on_disk() as f64),
        (&names::LOG_WRITABLE, f64::from(writes)),
        (&names::QUEUE, ledger.waiting() as f64),
        (&names::QUEUE_MAX, QUEUE_COMMANDS_MAX as f64),
        (&names::ACCOUNTS, accounts as f64),
        (&names::INSTANCES, instances as f64),
    ] {
        sink.number(family, &[], value);
    }
}
