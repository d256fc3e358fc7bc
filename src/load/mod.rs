//! Load for a running deployment, and what came of it: `locum load`.
//!
//! A client like any other: it knows the API and nothing of the server's inside.
//!
//! ```text
//! scenario   what is asked, by whom and how often, from TOML
//! setup      makes accounts, roles, profiles and instances, and takes them away again
//! population whom requests are made for: accounts by Zipf's law, their keys, roles and instances
//! driver     one request over gRPC, the Query protocol or metadata HTTP, and its outcome
//! engine     the open loop with its pacer, the closed loop, and the ramp to the knee
//! book       outcomes and latencies as they come in
//! report     what is kept of a run: JSON, HTML with plots, comparison
//! ```
//!
//! *Coordinated omission.* A client that waits for an answer before it asks again asks a stalled server little, and
//! so measures the stall once instead of for everyone who would have come. The open loop therefore measures from the
//! moment at which a request was due, whether or not it could be sent then; the closed loop has no such moment, and
//! adds for each long answer those that would have been waiting (`Histogram::record_correct`). Beside it stands the
//! time from sending to answer.
//!
//! *Not lying.* Requests come at their time or not at all: those that find the backlog full are counted as dropped.
//! How late the generator itself was is a histogram of its own, and a run in which it was too late says so.

mod book;
mod compare;
mod driver;
mod engine;
mod html;
mod payload;
mod plot;
mod population;
mod process;
mod random;
mod report;
mod run;
mod scenario;
mod schedule;
mod setup;
mod zipf;

pub use compare::{Comparison, Verdict, compare};
pub use html::page;
pub use payload::{Payload, PayloadFile, Tool};
pub use report::Report;
pub use run::{Options, run};
pub use scenario::Scenario;
pub use setup::{Endpoints, cleanup};

use crate::client::ClientError;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The scenario is no TOML, or lacks a field, or has one that is not known.
    #[error("the scenario cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A field of the scenario breaks a rule.
    #[error("the scenario's `{field}` {rule}")]
    Field {
        /// Its path, such as `mix[1].weight`.
        field: String,
        /// What it must be.
        rule: String,
    },
    /// The endpoint is no URL.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The deployment does not answer, or not as it should.
    #[error("{what} at {endpoint} failed: {reason}")]
    Endpoint {
        /// What was tried.
        what: String,
        /// Where.
        endpoint: String,
        /// What came of it.
        reason: String,
    },
    /// Set-up or cleaning up was refused.
    #[error("{what} was refused: {reason}")]
    Setup {
        /// What was asked for.
        what: String,
        /// The answer.
        reason: String,
    },
    /// The process of `--server-pid` cannot be read.
    #[error("process {0} cannot be read in /proc: it is not on this machine, or has ended")]
    NoProcess(u32),
    /// The machine does not play along.
    #[error("the load generator cannot start: {0}")]
    Generator(#[from] std::io::Error),
    /// A report is none.
    #[error("`{path}` is no report: {reason}")]
    NoReport {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

impl LoadError {
    fn field(field: impl Into<String>, rule: impl Into<String>) -> Self {
        Self::Field { field: field.into(), rule: rule.into() }
    }
}
