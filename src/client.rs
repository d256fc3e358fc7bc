//! A gRPC client that signs its calls: a channel for the generated clients of `proto::v1`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use locum::client::{Credentials, connect};
//! use locum::proto::v1::sts_service_client::StsServiceClient;
//! use locum::proto::v1::GetCallerIdentityRequest;
//!
//! let credentials = Credentials::from_env()?;
//! let mut sts = StsServiceClient::new(connect("http://127.0.0.1:7400", "us-east-1", credentials)?);
//! let identity = sts.get_caller_identity(GetCallerIdentityRequest {}).await?.into_inner();
//! println!("{}", identity.arn);
//! # Ok(())
//! # }
//! ```

pub mod authorize;
mod bytes_codec;
mod first_message;
mod form;
#[cfg(test)]
mod tests;
mod trust;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tower::Service;

use crate::clock::Clock;
use crate::signing::Secret;
use crate::signing::grpc::{CallSigner, sign_call};
use crate::telemetry;

pub use bytes_codec::BytesCodec;
pub use first_message::first_message;
pub use form::sign_form;
pub use trust::Trust;

/// Bytes of a request message with its frame; the server takes no larger ones.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a connection with calls under way is asked whether it lives, and how long it may take to answer:
/// a stream notices that its node is gone.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What calls are signed with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `AKIA...` or `ASIA...`
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Secret,
    /// For temporary credentials.
    pub session_token: Option<Secret>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The endpoint is no URL.
    #[error("`{endpoint}` is no endpoint: {reason}")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificates to trust cannot be read.
    #[error("cannot read the certificates in `{}`: {source}", .path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A variable is not set.
    #[error("the environment variable `{0}` is not set")]
    NoCredentials(&'static str),
}

impl Credentials {
    /// From `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if set, `AWS_SESSION_TOKEN`.
    ///
    /// # Errors
    /// One of the first two is not set.
    pub fn from_env() -> Result<Self, ClientError> {
        // Empty is as good as not set, as it is for the AWS SDKs.
        let read = |name| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.ok_or(ClientError::NoCredentials(name))
        };
        Ok(Self {
            access_key_id: read("AWS_ACCESS_KEY_ID")?,
            secret_access_key: Secret::new(read("AWS_SECRET_ACCESS_KEY")?),
            session_token: read("AWS_SESSION_TOKEN").ok().map(Secret::new),
        })
    }
}

/// A channel whose calls are signed.
#[derive(Clone)]
pub struct SignedChannel {
    channel: Channel,
    signer: Arc<Signer>,
}

struct Signer {
    authority: String,
    region: String,
    /// None for calls that are not signed.
    credentials: Option<Credentials>,
}

/// A channel to `endpoint`, such as `http://127.0.0.1:7400` or `https://locum.example.com:7400`, that connects
/// when it is first used. The certificate of the latter is checked against those that the system trusts.
///
/// # Errors
/// The endpoint is no URL with a host.
pub fn connect(
    endpoint: &str,
    region: &str,
    credentials: Credentials,
) -> Result<SignedChannel, ClientError> {
    connect_trusting(endpoint, region, credentials, &Trust::System)
}

/// As `connect`, with a choice of whose certificates are trusted.
///
/// # Errors
/// The endpoint is no URL with a host, or what is to be trusted is no certificate.
pub fn connect_trusting(
    endpoint: &str,
    region: &str,
    credentials: Credentials,
    trust: &Trust,
) -> Result<SignedChannel, ClientError> {
    channel(endpoint, region, Some(credentials), trust)
}

/// A channel as `connect` makes it for the calls that need no signature, such as AssumeRoleWithWebIdentity.
///
/// # Errors
/// The endpoint is no URL with a host.
pub fn connect_unsigned(endpoint: &str, trust: &Trust) -> Result<SignedChannel, ClientError> {
    channel(endpoint, "", None, trust)
}

fn channel(
    endpoint: &str,
    region: &str,
    credentials: Option<Credentials>,
    trust: &Trust,
) -> Result<SignedChannel, ClientError> {
    let invalid = |reason: String| ClientError::Endpoint { endpoint: endpoint.to_owned(), reason };
    let unusable = |error: tonic::transport::Error| invalid(chain_of(&error));
    let mut transport = Endpoint::from_shared(endpoint.to_owned()).map_err(unusable)?;
    if transport.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
        transport = transport.tls_config(trust.config()).map_err(unusable)?;
    }
    let authority = transport.uri().authority().map(ToString::to_string);
    let authority = authority.ok_or_else(|| invalid("it has no host".to_owned()))?;
    let channel = transport
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .connect_lazy();
    let signer = Arc::new(Signer { authority, region: region.to_owned(), credentials });
    Ok(SignedChannel { channel, signer })
}

impl SignedChannel {
    /// The same connection, for calls of someone else.
    #[must_use]
    pub fn signed_by(&self, credentials: Credentials) -> Self {
        let (authority, region) = (self.signer.authority.clone(), self.signer.region.clone());
        let signer = Signer { authority, region, credentials: Some(credentials) };
        Self { channel: self.channel.clone(), signer: Arc::new(signer) }
    }
}

impl Service<Request<Body>> for SignedChannel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.channel.poll_ready(cx).map_err(unreachable)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The caller's span is the one that is entered here; the signature does not cover what it adds.
        telemetry::pass_trace_on(&tracing::Span::current(), request.headers_mut());
        let fresh = self.channel.clone();
        let mut channel = std::mem::replace(&mut self.channel, fresh);
        let signer = self.signer.clone();
        Box::pin(async move {
            let request = signer.sign(request).await?;
            channel.call(request).await.map_err(unreachable)
        })
    }
}

fn unreachable(error: tonic::transport::Error) -> Status {
    Status::unavailable(chain_of(&error))
}

/// The error and what it comes from.
fn chain_of(error: &tonic::transport::Error) -> String {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    reason
}

impl Signer {
    async fn sign(&self, request: Request<Body>) -> Result<Request<Body>, Status> {
        let Some(credentials) = &self.credentials else { return Ok(request) };
        let (mut parts, body) = request.into_parts();
        let (frame, body) = first_message(body, REQUEST_BYTES_MAX).await?;
        // What is signed is the message behind the five bytes of its frame.
        let message = frame.get(5..).unwrap_or_default();
        let signer = CallSigner {
            access_key: &credentials.access_key_id,
            secret: &credentials.secret_access_key,
            session_token: credentials.session_token.as_ref().map(Secret::expose),
            region: &self.region,
        };
        let path = parts.uri.path().to_owned();
        let now = Clock::System.now();
        for (name, value) in sign_call(&signer, &self.authority, &path, message, now) {
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| Status::invalid_argument("the credentials hold odd characters"))?;
            value.set_sensitive(true);
            parts.headers.insert(name, value);
        }
        Ok(Request::from_parts(parts, body))
    }
}
