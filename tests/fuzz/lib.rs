//! The parts of Locum that are fuzzed: the pure modules, by their path, under the crate's own name. Without
//! RocksDB, tokio and tonic the fuzzers build in minutes, and what is instrumented is what is looked at.

#![allow(dead_code, reason = "the modules that use the rest are not here")]

#[path = "../../src/clock.rs"]
pub mod clock;
#[path = "../../src/identity/mod.rs"]
pub mod identity;
pub mod oidc;
#[path = "../../src/policy/mod.rs"]
pub mod policy;
#[path = "../../src/signing/mod.rs"]
pub mod signing;
