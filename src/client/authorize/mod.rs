//! Makes a service take requests signed with Locum's credentials: a tower layer for `http` requests, so for
//! axum, hyper and whatever else speaks tower.
//!
//! ```no_run
//! # async fn example(app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
//! use locum::client::authorize::{Asked, Authorizer, Settings};
//! use locum::client::{Credentials, connect};
//!
//! let locum = connect("http://127.0.0.1:7400", "us-east-1", Credentials::from_env()?)?;
//! let guard = Authorizer::local(locum, Settings::new("s3", "us-east-1")).await?;
//! let app = app.layer(guard.layer(|request| {
//!     Ok(Asked::new("s3:GetObject", format!("arn:aws:s3:::photos{}", request.uri.path())))
//! }));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `Authorizer::remote` asks Locum about each request. `Authorizer::local` asks once for each signer and
//! then verifies and judges by itself, with a grant: the signer's SigV4 signing key of one day, region and
//! service, the signer's condition keys, and the policies that bear on them. A request reaches the inner
//! service only if it is allowed, with its body as the signer sent it, and with `Authorized` among its
//! extensions.
//!
//! # What a grant is worth
//!
//! The service learns nothing until a signer has made a request to it: a grant is given for a request that
//! Locum has verified. Whoever takes over the service, with all the grants that it holds,
//!
//! - can forge requests of those signers to services of the same SigV4 name in the same region, until the
//!   end of the day that each key is for (some 15 minutes later, or when a presigned URL of that day would
//!   end). To the service itself it needs no forging. So services that must not trust each other need
//!   different names: which names a service may verify for is a permission of its own
//!   (`locum:GrantVerification` on `arn:aws:locum::ACCOUNT:service/NAME`);
//! - can read the policies of those signers;
//! - cannot call Locum in their names (keys for `locum`, `sts`, `iam` and `ec2` are never given), cannot sign
//!   for other services, regions or days (a signing key is the end of a chain of HMACs, from which neither
//!   the secret nor another day's key follows), and cannot learn or use their session tokens elsewhere but
//!   with the signature of a request that carries them;
//! - gets no grant for signers of other accounts: those are asked about one by one, unless it is the
//!   operator's service.
//!
//! # How long a grant is good
//!
//! At most five minutes, never beyond the session, and only while the stream of invalidations is alive:
//! a change of policy, a key or account that is switched off, a revoked session void the grants of the
//! account at once. When nothing was heard for `SILENCE_MAX` no grant is used: every request is asked about,
//! and refused with 503 if Locum cannot be reached. When the stream comes back all grants are dropped, since
//! what happened between is not known.

mod body;
mod checksum;
mod follower;
mod grant;
mod layer;
mod local;
mod remote;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use tonic::Status;

use super::SignedChannel;
use crate::clock::Timestamp;
use crate::identity::AccountId;
use crate::policy::Policy;
use crate::proto::v1::GetCallerIdentityRequest;
use crate::proto::v1::sts_service_client::StsServiceClient;
use crate::signing::sigv4::SignatureError;

pub use layer::{AuthorizeLayer, AuthorizeService};

use body::Shown;
use local::Local;
use remote::Remote;

/// How long the stream of invalidations may be silent before grants are no longer used.
pub const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's body, unless said otherwise: it is read whole before it is judged.
const BODY_BYTES_MAX: usize = 8 << 20;

/// What a service is to those who sign requests to it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The service's name in signatures, such as `s3`.
    pub service: String,
    /// The regions that it answers for.
    pub regions: Vec<String>,
    /// The hosts that it goes by, as clients write them; any if empty.
    pub hosts: Vec<String>,
    /// The longest body, in bytes.
    pub body_bytes_max: usize,
    /// Whether bodies are taken that no signature covers (`UNSIGNED-PAYLOAD`, unsigned chunks), as S3
    /// takes them. Over plain HTTP anyone on the way can change them.
    pub unsigned_bodies: bool,
    /// Whether requests come over TLS.
    pub secure_transport: bool,
    /// How a refusal is told.
    pub refuse: fn(&Refusal) -> Response<String>,
}

impl Settings {
    /// A service of this name and region, with the errors of S3.
    #[must_use]
    pub fn new(service: &str, region: &str) -> Self {
        Self {
            service: service.to_owned(),
            regions: vec![region.to_owned()],
            hosts: Vec::new(),
            body_bytes_max: BODY_BYTES_MAX,
            unsigned_bodies: false,
            secure_transport: false,
            refuse: Refusal::xml,
        }
    }
}

/// What a request wants to do, as the service understands it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `service:Action`
    pub action: String,
    /// Further actions, all of which have to be allowed too.
    pub further_actions: Vec<String>,
    /// The resource's ARN.
    pub resource: String,
    /// The resource's own policy.
    pub resource_policy: Option<Policy>,
    /// Further condition keys, such as `s3:prefix`; several values make a multi-valued key.
    pub context: HashMap<String, Vec<String>>,
    /// Further multi-valued condition keys, such as `dynamodb:Attributes`, which need a set operator with one
    /// value too.
    pub lists: HashMap<String, Vec<String>>,
}

impl Asked {
    /// One action on a resource of the service's account.
    #[must_use]
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            further_actions: Vec::new(),
            resource: resource.into(),
            resource_policy: None,
            context: HashMap::new(),
            lists: HashMap::new(),
        }
    }
}

/// Who made a request that was allowed; among the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorized {
    /// 12 digits.
    pub account_id: String,
    /// The principal.
    pub arn: String,
    /// As GetCallerIdentity shows it.
    pub user_id: String,
    /// The key.
    pub access_key_id: String,
    /// When the credentials end; none for long-term keys.
    pub expires_at: Option<Timestamp>,
}

/// Why a request goes no further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// AWS's code.
    pub code: String,
    /// The sentence.
    pub message: String,
    /// The reasons, sealed for the signer's account (DecodeAuthorizationMessage); empty if there are none.
    pub encoded_message: String,
}

impl Refusal {
    /// A refusal without sealed reasons.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, message: &str) -> Self {
        let (code, message) = (code.to_owned(), message.to_owned());
        Self { status, code, message, encoded_message: String::new() }
    }

    fn of_signature(error: &SignatureError) -> Self {
        Self::of_signer(error.code(), &error.to_string())
    }

    /// By AWS's code: what cannot be read is 400, the rest 403.
    fn of_signer(code: &str, message: &str) -> Self {
        let status = match code {
            "IncompleteSignature" => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        };
        Self::new(status, code, message)
    }

    /// Locum gives no answer, for a reason that is no business of the signer's.
    fn unavailable(status: &Status) -> Self {
        tracing::error!(code = ?status.code(), error = status.message(), "Locum gives no answer");
        let message = "Whether the request is allowed cannot be told now. Please try again.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    }

    /// As S3 tells errors.
    #[must_use]
    pub fn xml(&self) -> Response<String> {
        let escape =
            |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (code, message) = (escape(&self.code), escape(&self.message));
        let encoded = match self.encoded_message.as_str() {
            "" => String::new(),
            text => format!("<EncodedMessage>{text}</EncodedMessage>"),
        };
        let body =
            format!("<Error><Code>{code}</Code><Message>{message}</Message>{encoded}</Error>");
        self.response("application/xml", body)
    }

    /// As JSON: `code`, `message` and, if there is one, `encodedMessage`.
    #[must_use]
    pub fn json(&self) -> Response<String> {
        let mut body = serde_json::json!({ "code": self.code, "message": self.message });
        if let Some(body) = body.as_object_mut().filter(|_| !self.encoded_message.is_empty()) {
            body.insert("encodedMessage".to_owned(), self.encoded_message.clone().into());
        }
        self.response("application/json", body.to_string())
    }

    fn response(&self, content_type: &'static str, body: String) -> Response<String> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let content_type = http::HeaderValue::from_static(content_type);
        response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
        response
    }
}

/// Says who made a request and whether they may. Clones share what they know.
#[derive(Clone)]
pub struct Authorizer {
    settings: Arc<Settings>,
    mode: Mode,
}

#[derive(Clone)]
enum Mode {
    Remote(Arc<Remote>),
    Local(Arc<Local>),
}

impl Authorizer {
    /// Asks Locum about each request, over one stream.
    ///
    /// # Errors
    /// Locum does not know the service's own credentials, or cannot be reached.
    pub async fn remote(locum: SignedChannel, settings: Settings) -> Result<Self, Status> {
        let account = own_account(&locum).await?;
        let remote = Arc::new(Remote::new(locum, account));
        Ok(Self { settings: Arc::new(settings), mode: Mode::Remote(remote) })
    }

    /// Asks Locum once for each signer, and follows what voids the answer. To be called in a runtime.
    ///
    /// # Errors
    /// Locum does not know the service's own credentials, or cannot be reached.
    pub async fn local(locum: SignedChannel, settings: Settings) -> Result<Self, Status> {
        let account = own_account(&locum).await?;
        let local = Arc::new(Local::new(locum, account, &settings.service));
        Ok(Self { settings: Arc::new(settings), mode: Mode::Local(local) })
    }

    /// The account whose service this is: that of its credentials.
    #[must_use]
    pub fn account(&self) -> AccountId {
        match &self.mode {
            Mode::Remote(remote) => remote.account(),
            Mode::Local(local) => local.account(),
        }
    }

    /// Puts this before a service. `asked` says what a request wants to do, or refuses it.
    pub fn layer<F>(&self, asked: F) -> AuthorizeLayer<F>
    where
        F: Fn(&http::request::Parts) -> Result<Asked, Refusal>,
    {
        AuthorizeLayer::new(self.clone(), asked)
    }

    async fn authorize(&self, shown: Shown, asked: &Asked) -> Result<Authorized, Refusal> {
        match &self.mode {
            Mode::Remote(remote) => remote.authorize(&self.settings, &shown, asked).await,
            Mode::Local(local) => local.authorize(&self.settings, &shown, asked).await,
        }
    }
}

async fn own_account(locum: &SignedChannel) -> Result<AccountId, Status> {
    let mut sts = StsServiceClient::new(locum.clone());
    let identity = sts.get_caller_identity(GetCallerIdentityRequest {}).await?.into_inner();
    identity.account_id.parse().map_err(|_| Status::internal("Locum names no account"))
}
