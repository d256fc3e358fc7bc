//! What is measured. Every metric is named once, in `names`; its values are atomics in statics, so that to measure
//! takes no lock, no allocation and no lookup but that of a request's operation. One function, [`gather`], tells all
//! of them to a [`Sink`]: the text formats of Prometheus (`text`) and OTLP (`telemetry`) are two sinks of one source.
//!
//! Label values come from closed lists (`labels`, `codes`, the operations there are); only accounts are without
//! number, and of those the busiest have a label (`accounts`).

mod accounts;
mod codes;
mod groups;
mod instrument;
mod labels;
pub mod names;
mod operations;
mod process;
pub mod text;

pub use accounts::{ACCOUNTS_MAX, Accounts};
pub use codes::outcome_of;
pub use groups::{
    Authentication, Credentials, Ledger, Lines, Rotation, Streams, WatchGuard, authentication,
    credentials, ledger, lines, rotation, streams,
};
pub use instrument::{Counter, Distribution, Gauge, Histogram};
pub use labels::{Commanded, Denial, Edge, Lookup, Outcome, Rotated, StreamKind};
pub use names::{Family, Kind};
pub use operations::{Operation, Operations, accounts, aws, grpc, metadata};

/// Labels of one value, by name.
pub type Labels<'a> = [(&'static str, &'a str)];

/// Is told every value there is, all those of a family in a row.
pub trait Sink {
    /// The value of a counter or gauge.
    fn number(&mut self, family: &'static Family, labels: &Labels<'_>, value: f64);
    /// The values of a histogram.
    fn histogram(&mut self, family: &'static Family, labels: &Labels<'_>, values: &Distribution);
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// A node of the service.
    Server,
    /// An agent on a host.
    Agent,
}

/// Tells `sink` what is measured in this process. Series in which nothing was counted yet are told too, but for
/// those of operations, codes and accounts, which come with their first request.
pub fn gather(process: Process, sink: &mut dyn Sink) {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    sink.number(&names::BUILD_INFO, &version, 1.0);
    process::gather(sink);
    match process {
        Process::Server => {
            operations::gather_server(sink);
            groups::gather_server(sink);
        }
        Process::Agent => operations::gather_agent(sink),
    }
    groups::gather_both(sink);
}

/// Notes when this process began, unless that was noted before.
pub fn begin() {
    process::started();
}

/// When this process began.
#[must_use]
pub fn started() -> crate::clock::Timestamp {
    process::started()
}
