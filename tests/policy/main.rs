//! The policy language against the documentation it comes from: cases that name their page, properties that
//! hold for every policy, and an evaluator that is right by being read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cases;
mod generate;
mod naive;
mod properties;
