//! The two edges are one service: what is done over gRPC and over the AWS Query API is decided alike, answered alike
//! and recorded alike. Run with `--nocapture` for what was compared.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/api/mod.rs"]
mod api;
mod forms;
mod house;
mod pairs;
mod policies;
mod same;
mod spelling;
mod substance;
#[path = "../support/mod.rs"]
mod support;
