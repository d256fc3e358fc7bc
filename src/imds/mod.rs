//! The metadata edge: the HTTP service that instances know at 169.254.169.254, versions 1 and 2, and the
//! credentials that containers fetch. Statuses, paths and documents as in the EC2 User Guide,
//! instancedata-data-retrieval, configuring-instance-metadata-service and instance-metadata-security-credentials.
//!
//! It answers from memory: an `InstanceSource` is the service's own state, or what a host agent last heard
//! of it, which goes on being served while the service is away, until the credentials end. Pages are rendered
//! once for each change of an instance (`prepared.rs`); a request costs a lookup and an HMAC.

pub mod agent;
mod container;
mod edge;
mod hops;
mod prepared;
mod report;
mod server;
mod sources;
#[cfg(test)]
mod tests;
mod token;
mod tree;
mod usage;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use container::{TokenFiles, token_files};
pub use prepared::Prepared;
pub use report::report;
pub use server::{CONNECTIONS_MAX, Front, serve};
pub use sources::Limits;
pub use token::{TOKEN_TTL_MAX, TokenKey};
pub use usage::UsageBook;

/// Whom a listener serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Instances by their source address, which is the instance's private address.
    BySourceAddress,
    /// The one instance that the source knows; nobody where it knows several.
    Only,
    /// This instance.
    Instance(crate::identity::InstanceId),
}

/// Who asks, as far as the source knows.
#[derive(Clone)]
pub enum Found {
    /// This instance.
    Instance(Arc<Prepared>),
    /// No instance, or an address of two, which is nobody's.
    Nobody,
    /// Nothing is known yet.
    NotReady,
}

/// Knows which instance asks.
pub trait InstanceSource: Send + Sync + 'static {
    /// The instance behind an address at a listener, as it is now.
    fn find(&self, serves: &Serves, peer: IpAddr) -> Found;
    /// The instance of an id, for the bearer of a token.
    fn by_id(&self, id: &str) -> Found;
    /// Every instance that is known now.
    fn all(&self) -> Vec<Arc<Prepared>>;
    /// For how long nothing has been heard of the service; none while it is in touch.
    fn stale(&self) -> Option<Duration>;
}
