//! Locum: temporary credentials as a service.
//!
//! Layers, each of which may use only those above it in this list:
//!
//! ```text
//! identity  clock  proto                       who and when, as pure values; generated messages
//! policy  signing  oidc  log  pace  metrics    the IAM language | keys, tokens, SigV4 | others' tokens | RocksDB |
//! slots                                        lives of credentials | what is measured | room for connections
//! telemetry                                    logs, traces and the export of metrics
//! domain                                       commands, events, state and the rules between them, pure
//! ledger  config                               the one path from a command to a recorded fact | settings
//! service                                      use cases: authenticate, require, read, issue, change
//! client  grpc  aws  imds  rotation            edges, which only rename; background tasks
//! rewrap  retention  health
//! load                                         a client that measures
//! serve  cli                                   puts it together
//! ```

pub mod aws;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod domain;
pub mod grpc;
pub mod health;
pub mod identity;
pub mod imds;
pub mod ledger;
pub mod load;
pub mod log;
pub mod metrics;
pub mod oidc;
pub mod pace;
pub mod policy;
pub mod proto;
pub mod retention;
pub mod rewrap;
pub mod rotation;
pub mod serve;
pub mod service;
pub mod signing;
mod slots;
pub mod telemetry;
