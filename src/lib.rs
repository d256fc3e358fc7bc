//! Locum: temporary credentials as a service.
//!
//! Layers, each of which may use only those below it:
//!
//! ```text
//! identity  clock      who, and when: pure values
//! ```

pub mod client;
pub mod clock;
pub mod domain;
pub mod grpc;
pub mod identity;
pub mod imds;
pub mod ledger;
pub mod log;
pub mod policy;
pub mod proto;
pub mod rotation;
pub mod signing;
pub mod sts;
