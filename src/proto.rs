//! Generated from `proto/`.

/// Stored records.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated; documented in proto/locum/stored/v1"
)]
pub mod stored {
    tonic::include_proto!("locum.stored.v1");
}
