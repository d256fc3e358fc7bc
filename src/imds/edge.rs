//! What is answered: who asks, with which token, and what may be asked.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use http_body_util::Full;

use super::hops::Hops;
use super::prepared::{Answer, Prepared};
use super::sources::Admitted;
use super::token::{Audience, TOKEN_TTL_MAX, TokenKey};
use super::usage::UsageBook;
use super::{Found, InstanceSource, Serves, container};
use crate::clock::Clock;
use crate::metrics::{self, Outcome};
use crate::proto::v1::MetadataUse;
use crate::telemetry;

const TOKEN_PATH: &str = "/latest/api/token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// For how many seconds the service has been away, on answers that are given without it.
const STALE: &str = "x-locum-stale-seconds";
/// Seconds after which a client that is refused for now may try again.
const RETRY_SECONDS: u16 = 1;

/// What answers.
pub(super) struct Edge {
    pub(super) source: Arc<dyn InstanceSource>,
    pub(super) key: Arc<TokenKey>,
    pub(super) clock: Clock,
    pub(super) book: Arc<UsageBook>,
}

/// The connection that a request comes over.
pub(super) struct Asker {
    pub(super) serves: Arc<Serves>,
    pub(super) peer: IpAddr,
    pub(super) admitted: Option<Arc<Admitted>>,
    pub(super) hops: Hops,
}

pub(super) type Reply = Response<Full<Bytes>>;

/// What the headers of a request say.
#[derive(Default)]
pub(super) struct Head<'a> {
    token: Option<&'a HeaderValue>,
    ttl: Option<&'a HeaderValue>,
    user_agent: &'a [u8],
    pub(super) authorization: Option<&'a HeaderValue>,
    /// Through a proxy.
    pub(super) forwarded: bool,
    /// As a browser or a deceived server asks.
    suspicious: bool,
    /// The request brings a body, or says one of the headers above twice: nothing after it is trusted.
    last: bool,
    twice: bool,
}

impl<'a> Head<'a> {
    fn read(uri: &Uri, headers: &'a HeaderMap) -> Self {
        // A whole URL is what proxies are sent.
        let mut head = Self { suspicious: uri.authority().is_some(), ..Self::default() };
        for (name, value) in headers {
            match name.as_str() {
                "x-aws-ec2-metadata-token" => head.twice |= head.token.replace(value).is_some(),
                TOKEN_TTL => head.twice |= head.ttl.replace(value).is_some(),
                "authorization" => head.twice |= head.authorization.replace(value).is_some(),
                "user-agent" => {
                    head.user_agent = value.as_bytes();
                    head.suspicious |= value.as_bytes().starts_with(b"Mozilla/");
                }
                "host" => head.suspicious |= !is_own_name(value.as_bytes()),
                "x-forwarded-for" => head.forwarded = true,
                "origin" | "referer" | "cookie" | "via" | "forwarded" | "x-real-ip"
                | "x-forwarded-host" | "x-forwarded-proto" => head.suspicious = true,
                "transfer-encoding" => head.last = true,
                "content-length" => head.last |= value.as_bytes() != b"0",
                _ => {}
            }
        }
        head.suspicious |= head.forwarded;
        head.last |= head.twice;
        head
    }

    fn user_agent(&self) -> &'a str {
        std::str::from_utf8(self.user_agent).unwrap_or("(not text)")
    }
}

/// The address that nearly all clients ask, which needs no parsing.
const USUAL_HOST: &[u8] = b"169.254.169.254";

/// Metadata is asked for by its address, or by the name that EC2 gives it; another name led here by a deceit
/// (DNS rebinding).
fn is_own_name(host: &[u8]) -> bool {
    if host == USUAL_HOST {
        return true;
    }
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().is_ok()
        || matches!(name, "localhost" | "instance-data" | "instance-data.ec2.internal")
}

impl Edge {
    pub(super) fn respond(
        &self,
        asker: &Asker,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Reply {
        let began = Instant::now();
        let operation = metrics::metadata(uri.path());
        let span = tracing::debug_span!(
            "metadata",
            otel.name = operation.name,
            otel.kind = "server",
            http.response.status_code = tracing::field::Empty,
        );
        telemetry::continue_trace(&span, headers);
        let head = Head::read(uri, headers);
        let mut reply = span.in_scope(|| self.answer(asker, method, uri.path(), &head));
        operation.came_to(outcome_of(&reply), began.elapsed());
        span.record("http.response.status_code", reply.status().as_u16());
        if head.last {
            // What follows such a request on its connection may be somebody else's.
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(age) = self.source.stale() {
            reply.headers_mut().insert(STALE, HeaderValue::from(age.as_secs()));
        }
        reply
    }

    fn answer(&self, asker: &Asker, method: &Method, path: &str, head: &Head<'_>) -> Reply {
        let may_ask = asker.admitted.as_ref().is_none_or(|admitted| admitted.may_ask());
        if container::is_path(path) {
            return if may_ask {
                self.container(method, head)
            } else {
                throttled(container::refuse(StatusCode::SERVICE_UNAVAILABLE, "Throttled"))
            };
        }
        let instance = match self.source.find(&asker.serves, asker.peer) {
            Found::Instance(instance) => instance,
            // An address without an instance learns nothing, not even what there would be.
            Found::Nobody => {
                self.book.stranger();
                return refuse(StatusCode::NOT_FOUND);
            }
            Found::NotReady => return refuse(StatusCode::SERVICE_UNAVAILABLE),
        };
        if !may_ask {
            self.count(&instance, MetadataUse::Throttled);
            return throttled(refuse(StatusCode::SERVICE_UNAVAILABLE));
        }
        if head.suspicious {
            self.count(&instance, MetadataUse::Suspicious);
        }
        if instance.options().http_endpoint_disabled {
            return refuse(StatusCode::FORBIDDEN);
        }
        let path_alone = path.trim_end_matches('/');
        let token_path = path_alone == TOKEN_PATH;
        match *method {
            Method::PUT if token_path => self.issue_token(asker, &instance, head),
            Method::PUT if path_alone.ends_with("/api/token") => refuse(StatusCode::FORBIDDEN),
            Method::GET | Method::HEAD if !token_path => self.read(&instance, path, head),
            _ => {
                let mut reply = refuse(StatusCode::METHOD_NOT_ALLOWED);
                let allow = if token_path { "PUT" } else { "GET, HEAD" };
                reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
                reply
            }
        }
    }

    pub(super) fn count(&self, instance: &Prepared, kind: MetadataUse) {
        self.book.count(instance.usage(), kind, self.clock.now());
    }

    fn issue_token(&self, asker: &Asker, instance: &Prepared, head: &Head<'_>) -> Reply {
        // A request that a proxy passed on came from someone else than the instance.
        if head.forwarded {
            self.count(instance, MetadataUse::Forwarded);
            return refuse(StatusCode::FORBIDDEN);
        }
        let ttl = head.ttl.filter(|_| !head.twice).and_then(|value| value.to_str().ok());
        let ttl = ttl.and_then(|text| text.trim().parse::<u32>().ok());
        let Some(ttl) = ttl.filter(|ttl| (1..=TOKEN_TTL_MAX).contains(ttl)) else {
            return refuse(StatusCode::BAD_REQUEST);
        };
        let end = self.clock.now().plus(Duration::from_secs(u64::from(ttl)));
        let Ok(token) = self.key.issue(Audience::Metadata, instance.id(), end) else {
            return refuse(StatusCode::SERVICE_UNAVAILABLE);
        };
        let hops = instance.options().http_put_response_hop_limit;
        asker.hops.limit(u8::try_from(hops.max(1)).unwrap_or(u8::MAX));
        self.count(instance, MetadataUse::TokenIssued);
        let mut reply = success(Bytes::from(token));
        reply.headers_mut().insert(TOKEN_TTL, HeaderValue::from(ttl));
        reply
    }

    fn read(&self, instance: &Prepared, path: &str, head: &Head<'_>) -> Reply {
        let now = self.clock.now();
        let usage = instance.usage();
        let with_token = match head.token {
            // A wrong token is refused also where none would be needed.
            Some(token) => {
                let (token, id, last) = (token.as_bytes(), instance.id(), instance.last_token());
                if head.twice || !self.key.is_valid_again(last, token, id, now) {
                    self.book.count(usage, MetadataUse::BadToken, now);
                    return refuse(StatusCode::UNAUTHORIZED);
                }
                self.book.count(usage, MetadataUse::Version2, now);
                true
            }
            None if instance.options().http_tokens_optional => {
                self.book.version_1(usage, head.user_agent(), now);
                false
            }
            None => {
                self.book.count(usage, MetadataUse::NoToken, now);
                return refuse(StatusCode::UNAUTHORIZED);
            }
        };
        match instance.at(path, with_token, now) {
            Answer::Body(body) => success(body),
            Answer::Missing => {
                if path.contains("/iam/security-credentials/") {
                    self.book.count(usage, MetadataUse::WrongRole, now);
                }
                refuse(StatusCode::NOT_FOUND)
            }
            Answer::Unavailable => refuse(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// A refusal that is for want of patience, which its status does not tell.
fn throttled(mut reply: Reply) -> Reply {
    reply.extensions_mut().insert(Outcome::Throttled);
    reply
}

fn outcome_of(reply: &Reply) -> Outcome {
    if let Some(outcome) = reply.extensions().get::<Outcome>() {
        return *outcome;
    }
    match reply.status() {
        status if status.is_success() => Outcome::Ok,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Denied,
        status if status.is_server_error() => Outcome::Failed,
        _ => Outcome::Invalid,
    }
}

pub(super) fn success(body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    reply
}

/// A refusal, in the page that EC2 answers.
fn refuse(status: StatusCode) -> Reply {
    let title = format!("{} - {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let page = format!(
        r#"<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{title}</title>
 </head>
 <body>
  <h1>{title}</h1>
 </body>
</html>
"#
    );
    let mut reply = Response::new(Full::new(Bytes::from(page)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    }
    reply
}
