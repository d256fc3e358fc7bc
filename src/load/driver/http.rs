//! HTTP/1.1 for the Query protocol and for metadata: connections that are kept for the next request of the same
//! address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

use super::super::LoadError;
use super::super::book::Outcome;

/// Connections that are kept while nobody needs them.
const IDLE_MAX: usize = 4096;
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Where requests go.
#[derive(Clone, Debug)]
pub(in crate::load) struct Place {
    pub(super) address: SocketAddr,
    /// As the endpoint names it, for the `host` header.
    pub(super) host: String,
}

impl Place {
    /// Looks an endpoint up, such as `http://127.0.0.1:7401`.
    pub(in crate::load) async fn find(endpoint: &str) -> Result<Self, LoadError> {
        let failed = |reason: String| LoadError::Endpoint {
            what: "looking up the address".to_owned(),
            endpoint: endpoint.to_owned(),
            reason,
        };
        let uri: Uri = endpoint.parse().map_err(|_| failed("it is no URL".to_owned()))?;
        if uri.scheme_str() != Some("http") {
            return Err(failed("only `http://` is driven here".to_owned()));
        }
        let authority = uri.authority().ok_or_else(|| failed("it has no host".to_owned()))?;
        let port = authority.port_u16().unwrap_or(80);
        let name = authority.host().trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((name, port)).await;
        let mut found = found.map_err(|error| failed(error.to_string()))?;
        let address = found.next().ok_or_else(|| failed("the name has no address".to_owned()))?;
        Ok(Self { address, host: authority.to_string() })
    }
}

type Connection = SendRequest<Full<Bytes>>;
type From = Option<IpAddr>;

/// Connections that wait for their next request, by where they go and come from.
#[derive(Default)]
pub(in crate::load) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    count: usize,
    by_ends: HashMap<(SocketAddr, From), Vec<Connection>>,
}

impl Pool {
    /// Sends a request and reads the whole answer.
    pub(super) async fn send(
        &self,
        to: SocketAddr,
        from: From,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, Outcome> {
        let mut connection = loop {
            let Some(mut kept) = self.kept(to, from) else {
                break connect(to, from).await.map_err(broken)?;
            };
            // Otherwise it was closed by the other end in the meantime.
            if kept.ready().await.is_ok() {
                break kept;
            }
        };
        let answer = connection.send_request(request).await.map_err(|_| lost())?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|_| lost())?;
        self.keep(to, from, connection);
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    fn kept(&self, to: SocketAddr, from: From) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.by_ends.get_mut(&(to, from))?.pop()?;
        idle.count = idle.count.saturating_sub(1);
        Some(found)
    }

    fn keep(&self, to: SocketAddr, from: From, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.count < IDLE_MAX && !connection.is_closed() {
            idle.count += 1;
            idle.by_ends.entry((to, from)).or_default().push(connection);
        }
    }
}

async fn connect(to: SocketAddr, from: From) -> std::io::Result<Connection> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    // Ends when the sender is dropped or the other end closes.
    tokio::spawn(connection);
    Ok(sender)
}

fn broken(error: std::io::Error) -> Outcome {
    Outcome::Failed(format!("(no connection: {:?})", error.kind()))
}

fn lost() -> Outcome {
    Outcome::Failed("(the connection broke)".to_owned())
}

/// What a status that is no success stands for, where nothing more exact is told.
pub(super) fn outcome(answer: &Response<Bytes>) -> Outcome {
    let status = answer.status();
    let code = status.as_str().to_owned();
    let later = answer.headers().contains_key(RETRY_AFTER);
    match status {
        StatusCode::TOO_MANY_REQUESTS => Outcome::Throttled(code),
        StatusCode::SERVICE_UNAVAILABLE if later => Outcome::Throttled(code),
        _ => Outcome::Failed(code),
    }
}
