//! The gRPC edge: decodes requests, hands them to `service`, and shows what came of it. Callers sign their
//! calls (`signing::grpc`); health and reflection are open.

// Before the modules, which use its macro.
#[macro_use]
mod dispatch;
mod account;
mod auth;
mod authorization;
mod calls;
mod convert;
mod event;
mod guardrail;
mod iam;
mod iam_entities;
mod iam_groups;
mod iam_mfa;
mod iam_oidc;
mod iam_policies;
mod iam_profiles;
mod iam_roles;
mod iam_users;
pub mod incoming;
mod instance;
mod keyring;
mod last_use;
mod metadata;
mod policy;
mod quota;
mod revocation;
mod rotation;
mod status;
mod sts;
mod tls;
mod touches;
mod usage;
mod watch;
mod watchers;

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::{Request, Status};

use crate::identity::{AccountId, Invalid};
use crate::service::{RequestInfo, Service, ServiceError};

use watchers::Watchers;

pub use auth::REQUEST_BYTES_MAX;
pub use metadata::{instance_metadata, signed};
pub use status::ENCODED_MESSAGE;
pub use tls::{Tls, TlsError};
pub use touches::{Touches, touches};
pub use usage::read_usage;

/// Calls that one connection has under way at once.
const STREAMS_PER_CONNECTION_MAX: u32 = 256;
/// How long a unary call may take, whatever its own deadline says.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How often an idle connection is asked whether it lives, and how long it may take to answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Entries of a page.
const PAGE_SIZE_MAX: usize = 1000;
const PAGE_SIZE_DEFAULT: usize = 100;

/// All services, over one `Service`.
#[derive(Clone)]
struct Front {
    service: Arc<Service>,
    watchers: Arc<Watchers>,
}

/// Serves gRPC on `listener`, with TLS if there is a certificate, until `stop` resolves, then lets calls under way finish.
///
/// # Errors
/// The transport fails.
pub async fn serve(
    service: Arc<Service>,
    listener: TcpListener,
    tls: Option<Tls>,
    stop: impl Future<Output = ()>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(crate::proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection = described().build_v1()?;
    // What clients in the field still ask for.
    let reflection_alpha = described().build_v1alpha()?;
    let (watchers, following) = Watchers::start(service.ledger());
    let front = Front { service: service.clone(), watchers };
    let incoming = incoming::incoming(listener, tls.is_none());
    let server = match tls {
        Some(tls) => tls.apply(Server::builder())?,
        None => Server::builder(),
    };
    let served = server
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .timeout(CALL_TIMEOUT)
        .layer(auth::AuthLayer::new(service, calls::Calls::new(front)))
        .add_service(health)
        .add_service(reflection)
        .add_service(reflection_alpha)
        .serve_with_incoming_shutdown(incoming, stop)
        .await;
    following.abort();
    Ok(served?)
}

impl Front {
    /// The circumstances that the authenticating layer left with the request.
    fn info<T>(request: &Request<T>) -> Result<RequestInfo, Status> {
        let info = request.extensions().get::<RequestInfo>().cloned();
        info.ok_or_else(|| Status::unauthenticated("the call is not signed"))
    }

    /// The account of the caller.
    fn account_of(info: &RequestInfo) -> Result<AccountId, ServiceError> {
        Service::account_of(info)
    }
}

/// Reads a field of a request as its type.
fn field<T: FromStr<Err = Invalid>>(name: &'static str, text: &str) -> Result<T, Invalid> {
    text.parse().map_err(|invalid: Invalid| Invalid { field: name, rule: invalid.rule })
}

/// As `field`; empty means absent.
fn optional<T: FromStr<Err = Invalid>>(
    name: &'static str,
    text: &str,
) -> Result<Option<T>, Invalid> {
    if text.is_empty() { Ok(None) } else { field(name, text).map(Some) }
}

/// A sorted list cut to the page that is asked for, and the token of the next one. `key` is what the list
/// is sorted by; a token is the key of the last entry before the page, so that pages stay right while
/// entries come and go.
fn page<'a, T: 'a>(
    entries: impl Iterator<Item = T>,
    key: impl Fn(&T) -> String,
    size: u32,
    token: &str,
) -> Result<(Vec<T>, String), Invalid> {
    let size = match usize::try_from(size).unwrap_or(usize::MAX) {
        0 => PAGE_SIZE_DEFAULT,
        size if size <= PAGE_SIZE_MAX => size,
        _ => {
            let rule = format!("must be at most {PAGE_SIZE_MAX}");
            return Err(Invalid::new("page_size", rule));
        }
    };
    let mut rest = entries.skip_while(|entry| !token.is_empty() && key(entry).as_str() <= token);
    let page: Vec<T> = rest.by_ref().take(size).collect();
    let next = match (rest.next(), page.last()) {
        (Some(_), Some(last)) => key(last),
        _ => String::new(),
    };
    Ok((page, next))
}
