//! Fetching a small JSON document over HTTPS: one request, no redirects, no proxies, with limits on time and
//! size. The address that is judged is the one that is connected to, so that a name cannot be resolved twice
//! with two outcomes.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tokio_util::task::AbortOnDropHandle;

use super::endpoint::{Endpoint, EndpointError, Reach, in_reach};

/// How long one document may take, from the name to its last byte.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a document.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;
/// Addresses of a host that are tried.
const ADDRESSES_TRIED_MAX: usize = 3;

/// Why a document cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("no answer within {} seconds", FETCH_TIMEOUT.as_secs())]
    Timeout,
    #[error("no connection to the host")]
    Connection,
    #[error("no TLS with the host: its certificate is not trusted, or not its own")]
    Tls,
    #[error("the answer is not HTTP, or is longer than {DOCUMENT_BYTES_MAX} bytes")]
    Answer,
    #[error("the answer has status {0}")]
    Status(u16),
    #[error("the answer {0}")]
    Document(&'static str),
}

/// Fetches documents within a reach.
pub(super) struct Fetcher {
    reach: Reach,
    /// Made at the first use, as the roots of the system are read for it.
    tls: OnceLock<Option<TlsConnector>>,
}

impl Fetcher {
    pub(super) fn new(reach: Reach) -> Self {
        Self { reach, tls: OnceLock::new() }
    }

    /// The document at a URL.
    pub(super) async fn get(&self, url: &str) -> Result<Bytes, FetchError> {
        let endpoint = Endpoint::parse(url, self.reach)?;
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.get_from(&endpoint)).await;
        fetched.unwrap_or(Err(FetchError::Timeout))
    }

    async fn get_from(&self, endpoint: &Endpoint) -> Result<Bytes, FetchError> {
        let stream = self.connect(endpoint).await?;
        if !endpoint.tls() {
            return request(stream, endpoint).await;
        }
        let connector = self.tls.get_or_init(connector).clone().ok_or(FetchError::Tls)?;
        let name = ServerName::try_from(endpoint.host().to_owned()).map_err(|_| FetchError::Tls)?;
        let stream = connector.connect(name, stream).await.map_err(|_| FetchError::Tls)?;
        request(stream, endpoint).await
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<TcpStream, FetchError> {
        let found = tokio::net::lookup_host((endpoint.host(), endpoint.port())).await;
        let addresses: Vec<SocketAddr> = found.map_err(|_| FetchError::Connection)?.collect();
        // One address out of reach is enough to doubt the name.
        if addresses.iter().any(|address| !in_reach(address.ip(), self.reach)) {
            return Err(EndpointError::Address.into());
        }
        for address in addresses.into_iter().take(ADDRESSES_TRIED_MAX) {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(FetchError::Connection)
    }
}

/// TLS with the roots that the system trusts; none if they cannot be read.
fn connector() -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.ok()?.with_root_certificates(roots).with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
}

async fn request(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    endpoint: &Endpoint,
) -> Result<Bytes, FetchError> {
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|_| FetchError::Answer)?;
    let _driven = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get(endpoint.target())
        .header(http::header::HOST, endpoint.authority())
        .header(http::header::ACCEPT, "application/json")
        .header(http::header::USER_AGENT, concat!("locum/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|_| FetchError::Endpoint(EndpointError::Url))?;
    let response = sender.send_request(request).await.map_err(|_| FetchError::Answer)?;
    if response.status() != http::StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let body = Limited::new(response.into_body(), DOCUMENT_BYTES_MAX).collect().await;
    Ok(body.map_err(|_| FetchError::Answer)?.to_bytes())
}
