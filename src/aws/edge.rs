//! From a whole request to a reply: its parameters, who signed it, which service it is for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, USER_AGENT};
use http::request::Parts;
use http::{Method, StatusCode};
use tracing::Instrument as _;

use super::api::Api;
use super::call::{Answer, Call};
use super::fault::Fault;
use super::form::{FormError, Node, decode};
use crate::domain::access::Caller;
use crate::identity::{AccountId, Principal};
use crate::metrics::{self, Operation, Operations};
use crate::service::{Asked, AuthError, RequestInfo, Service};
use crate::signing::NoRandomness;
use crate::signing::sigv4::{self, PathStyle, Signable, SignatureError, body_sha256};
use crate::telemetry::{self, UnderWay};

/// Characters of a user agent that are kept.
const USER_AGENT_CHARS_MAX: usize = 256;
/// The code of a request whose caller went away, or that took longer than it may.
const GIVEN_UP: &str = "RequestTimeout";
/// How the parameters of a presigned URL begin, which are the signature's and no operation's.
const SIGNATURE_PARAMETERS: &str = "X-Amz-";

/// A request with its whole body.
pub(super) struct Whole<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: &'a Bytes,
    pub(super) peer: IpAddr,
}

/// What is sent back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) request_id: Arc<str>,
    pub(super) body: String,
    /// When another attempt makes sense, where that is known.
    pub(super) retry_after: Option<Duration>,
}

/// The service behind the server.
pub(super) struct Edge {
    service: Arc<Service>,
    secure_transport: bool,
    operations: &'static Operations,
}

impl Edge {
    pub(super) fn new(service: Arc<Service>, secure_transport: bool) -> Self {
        let operations = metrics::aws(&Api::operations());
        Self { service, secure_transport, operations }
    }

    /// The answer to a request.
    pub(super) async fn reply(&self, whole: &Whole<'_>) -> Reply {
        let headers = &whole.parts.headers;
        let Ok(mut under_way) = self.begin(headers) else {
            return refusal(Api::Sts, headers, "", &Fault::internal(&"no random bytes"));
        };
        let (span, mut api) = (under_way.span.clone(), Api::Sts);
        match self.answer(whole, &mut api, &mut under_way).instrument(span).await {
            Ok(Answer { body, content_type }) => {
                under_way.tell(None);
                let request_id = under_way.request_id.clone();
                Reply { status: StatusCode::OK, content_type, request_id, body, retry_after: None }
            }
            Err(fault) => refused(api, under_way, headers, &fault),
        }
    }

    /// The reply to a request that is not even read.
    pub(super) fn refusal(&self, headers: &HeaderMap, fault: &Fault) -> Reply {
        let Ok(under_way) = self.begin(headers) else {
            return refusal(Api::Sts, headers, "", fault);
        };
        let api = claimed_api(&headers_of(headers), "").unwrap_or(Api::Sts);
        refused(api, under_way, headers, fault)
    }

    fn begin(&self, headers: &HeaderMap) -> Result<UnderWay, NoRandomness> {
        let request_id = self.service.draw_request_id()?;
        let span = tracing::debug_span!(
            "call",
            otel.kind = "server",
            rpc.system = "aws-api",
            rpc.service = tracing::field::Empty,
            rpc.method = tracing::field::Empty,
            request_id = %request_id,
            enduser.id = tracing::field::Empty,
            code = tracing::field::Empty,
        );
        let operation = self.operations.find("");
        Ok(UnderWay::begin(operation, request_id, span, headers, GIVEN_UP))
    }

    /// The answer; `told` is the service in whose form a refusal is told, as soon as it is known.
    async fn answer(
        &self,
        whole: &Whole<'_>,
        told: &mut Api,
        under_way: &mut UnderWay,
    ) -> Result<Answer, Fault> {
        let Parts { method, uri, headers, .. } = whole.parts;
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        let listed = headers_of(headers);
        let claimed = claimed_api(&listed, query);
        let api = claimed.unwrap_or(Api::Sts);
        *told = api;
        if path != "/" {
            return Err(Fault::own("NotFound", StatusCode::NOT_FOUND, "Requests are for path /."));
        }
        let mut parameters = BTreeMap::new();
        decode(query, &mut parameters)?;
        if *method == Method::POST {
            let body = std::str::from_utf8(whole.body).map_err(|_| FormError::Encoding)?;
            decode(body, &mut parameters)?;
        }
        parameters.retain(|name, _| !name.starts_with(SIGNATURE_PARAMETERS));
        let action = parameters.remove("Action").ok_or_else(Fault::no_action)?;
        let version = parameters.remove("Version");
        under_way.operation = self.operations.find(&action);
        let Operation { service, name, .. } = under_way.operation;
        telemetry::rename(&under_way.span, name);
        under_way.span.record("rpc.service", *service);
        under_way.span.record("rpc.method", *name);
        let signable = Signable {
            method: method.as_str(),
            path,
            query,
            headers: &listed,
            body_sha256: &body_sha256(whole.body),
            path_style: PathStyle::Normalized,
        };
        let caller =
            self.caller(&signable, claimed, &action, whole.peer, &mut under_way.account)?;
        if version.as_deref() != Some(api.version()) {
            return Err(Fault::version(api, &action, version.as_deref()));
        }
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let user_agent = header(USER_AGENT).unwrap_or_default();
        let user_agent: String = user_agent.chars().take(USER_AGENT_CHARS_MAX).collect();
        under_way.recognized(&caller.principal);
        let info = RequestInfo {
            asked: asked(under_way.operation, &parameters),
            caller: Caller {
                source_ip: Some(whole.peer),
                user_agent: Arc::from(user_agent),
                secure_transport: self.secure_transport,
                ..caller
            },
            request_id: under_way.request_id.clone(),
            trace_id: under_way.trace_id.clone(),
        };
        let call = Call {
            service: &self.service,
            info: &info,
            action: &action,
            api,
            parameters: &Node::tree(parameters)?,
            as_json: asks_for_json(api, headers),
        };
        api.answer(&call).await
    }

    /// Who made the request; nobody where AWS takes no signature and there is none.
    fn caller(
        &self,
        request: &Signable<'_>,
        claimed: Option<Api>,
        action: &str,
        peer: IpAddr,
        account: &mut Option<AccountId>,
    ) -> Result<Caller, Fault> {
        if UNSIGNED_ACTIONS.contains(&action) && claimed.is_none_or(|api| api == Api::Sts) {
            self.service.admit_stranger(Some(peer))?;
            return Ok(Caller { principal: Principal::Anonymous, ..Caller::service() });
        }
        let scope = claimed.unwrap_or(Api::Sts).scope();
        // Who proved nothing is held to their address, whatever account they name.
        match self.service.authenticate_request(request, scope) {
            Ok(signed) => {
                // Known before it may be refused, so that this is counted as its own.
                *account = signed.caller.principal.account();
                self.service.admit_request(&signed.caller)?;
                Ok(signed.caller)
            }
            Err(error) => {
                self.service.admit_stranger(Some(peer))?;
                Err(error.into())
            }
        }
    }
}

/// The actions that AWS takes without a signature; what proves the caller is a parameter.
const UNSIGNED_ACTIONS: [&str; 1] = ["AssumeRoleWithWebIdentity"];

/// The service that a request's signature is scoped to, whether or not the signature is right.
fn claimed_api(headers: &[(&str, &str)], query: &str) -> Option<Api> {
    Api::of_scope(sigv4::parse(headers, query).ok()?.service())
}

fn headers_of(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let readable = headers.iter().filter_map(|(name, value)| {
        // A header that is no text cannot be signed; one that is signed is then missed.
        Some((name.as_str(), value.to_str().ok()?))
    });
    readable.collect()
}

fn asks_for_json(api: Api, headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut media = accept.split(',').map(|media| media.split(';').next().unwrap_or_default());
    api == Api::Sts && media.any(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn refused(api: Api, mut under_way: UnderWay, headers: &HeaderMap, fault: &Fault) -> Reply {
    let request_id = under_way.request_id.clone();
    if let Some(error) = fault.cause() {
        tracing::error!(%request_id, error, "a request failed inside");
    }
    under_way.tell(Some(fault.code(api)));
    refusal(api, headers, &request_id, fault)
}

fn refusal(api: Api, headers: &HeaderMap, request_id: &str, fault: &Fault) -> Reply {
    let as_json = asks_for_json(api, headers);
    let content_type = if as_json { "application/json" } else { "text/xml" };
    let body = fault.body(api, as_json, request_id);
    let request_id = Arc::from(request_id);
    let (status, retry_after) = (fault.status(api), fault.retry_after());
    Reply { status, content_type, request_id, body, retry_after }
}

/// Every parameter with its length before it.
fn asked(operation: &'static Operation, parameters: &BTreeMap<String, String>) -> Asked {
    let mut bytes = Vec::new();
    for part in parameters.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    Asked { operation, parameters: bytes.into() }
}

impl From<SignatureError> for Fault {
    fn from(error: SignatureError) -> Self {
        AuthError::from(error).into()
    }
}
