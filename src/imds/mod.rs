//! The metadata edge: the HTTP service that instances know at 169.254.169.254, versions 1 and 2.
//! Statuses, paths and documents as in the EC2 User Guide, instancedata-data-retrieval,
//! configuring-instance-metadata-service and instance-metadata-security-credentials.
//!
//! It answers from memory: an `InstanceSource` is the service's own state, or what a host agent last heard
//! of it, which goes on being served while the service is away, until the credentials end.

pub mod agent;
mod server;
#[cfg(test)]
mod tests;
mod token;
mod tree;

use std::net::IpAddr;
use std::sync::Arc;

pub use server::{CONNECTIONS_MAX, serve};
pub use token::{TOKEN_TTL_MAX, TokenKey};

use crate::proto::v1::InstanceMetadata;

/// Knows which instance asks.
pub trait InstanceSource: Send + Sync + 'static {
    /// The instance behind an address, as it is now; none if nobody is known there.
    fn find(&self, peer: IpAddr) -> Option<Arc<InstanceMetadata>>;
}
