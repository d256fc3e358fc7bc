//! Generated from `proto/`.

/// The services.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::too_many_lines,
    reason = "generated; documented in proto/locum/v1"
)]
pub mod v1 {
    tonic::include_proto!("locum.v1");
}

/// Stored records.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::use_self,
    clippy::too_many_lines,
    reason = "generated; documented in proto/locum/stored/v1"
)]
pub mod stored {
    tonic::include_proto!("locum.stored.v1");
}

/// All messages and services, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
