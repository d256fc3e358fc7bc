//! Requests by edge and operation. The tables are made once, from the descriptors of gRPC and the list of AWS
//! operations, so that a request costs one search by its path or action and callers cannot make up labels.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;
use std::time::Duration;

use prost::Message as _;

use super::accounts::Accounts;
use super::groups::LATENCY;
use super::instrument::{Counter, Histogram};
use super::labels::{Edge, Outcome};
use super::{Sink, codes, names};

/// The field that requests which change something have.
const TOKEN_FIELD: &str = "idempotency_token";
/// How names of AWS operations begin that change nothing.
const READS: [&str; 6] = ["Get", "List", "Describe", "Simulate", "Decode", "Generate"];
/// Names of AWS operations that begin like these and yet issue something.
const ISSUES: [&str; 2] = ["GetSessionToken", "GetFederationToken"];

/// An operation of an edge, with what was counted of it.
#[derive(Debug)]
pub struct Operation {
    /// Where it is called.
    pub edge: Edge,
    /// `sts`, `iam`, `instance`, ...; empty where that is not known.
    pub service: &'static str,
    /// Its name in the API.
    pub name: &'static str,
    /// Whether it changes or issues something.
    pub changes: bool,
    duration: Histogram,
    outcomes: [Counter; Outcome::ALL.len()],
}

impl Operation {
    const fn new(edge: Edge, service: &'static str, name: &'static str, changes: bool) -> Self {
        let outcomes = [const { Counter::new() }; Outcome::ALL.len()];
        let duration = Histogram::of_time(LATENCY);
        Self { edge, service, name, changes, duration, outcomes }
    }

    /// Counts a request by its error code; none if it was done.
    pub fn answered(&self, code: Option<&str>, took: Duration) -> Outcome {
        let outcome = code.map_or(Outcome::Ok, codes::outcome_of);
        if let Some(code) = code {
            codes::count(self.edge, code);
        }
        self.came_to(outcome, took);
        outcome
    }

    /// Counts a request where there are no codes.
    pub fn came_to(&self, outcome: Outcome, took: Duration) {
        self.duration.observe_time(took);
        if let Some(counter) = self.outcomes.get(outcome as usize) {
            counter.increment();
        }
    }
}

/// Hashes by CRC: keys are ours, and what strangers ask for is searched and never kept.
#[derive(Default)]
struct Crc(u32);

impl Hasher for Crc {
    fn finish(&self) -> u64 {
        // The map takes its slots from the lower bits and its tags from the upper ones.
        u64::from(self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }
}

/// All operations of an edge.
pub struct Operations {
    known: HashMap<&'static str, Operation, BuildHasherDefault<Crc>>,
    /// What nobody offers.
    other: Operation,
}

impl Operations {
    fn new(edge: Edge, known: impl Iterator<Item = (&'static str, Operation)>) -> Self {
        Self { known: known.collect(), other: Operation::new(edge, "", "other", false) }
    }

    /// The operation of a path (gRPC) or action (AWS); `other` if there is none.
    #[must_use]
    pub fn find(&self, key: &str) -> &Operation {
        self.known.get(key).unwrap_or(&self.other)
    }

    /// In the order of their names.
    fn all(&self) -> Vec<&Operation> {
        let mut all: Vec<_> = self.known.values().chain([&self.other]).collect();
        all.sort_by_key(|operation| (operation.service, operation.name));
        all
    }
}

static GRPC: OnceLock<Operations> = OnceLock::new();
static AWS: OnceLock<Operations> = OnceLock::new();
static METADATA: [Operation; 4] = [
    Operation::new(Edge::Metadata, "imds", "token", false),
    Operation::new(Edge::Metadata, "imds", "credentials", false),
    Operation::new(Edge::Metadata, "imds", "container_credentials", false),
    Operation::new(Edge::Metadata, "imds", "other", false),
];
static ACCOUNTS: Accounts = Accounts::new();

/// The operations of gRPC, by path.
#[must_use]
pub fn grpc() -> &'static Operations {
    GRPC.get_or_init(|| Operations::new(Edge::Grpc, described().into_iter()))
}

/// The operations of the AWS edge, by action; `services` lists them and is read the first time.
pub fn aws(services: &[(&'static str, &[&'static str])]) -> &'static Operations {
    AWS.get_or_init(|| {
        let listed = services.iter().flat_map(|(service, actions)| {
            actions.iter().map(move |action| {
                let reads = READS.iter().any(|read| action.starts_with(read));
                let changes = !reads || ISSUES.contains(action);
                (*action, Operation::new(Edge::Aws, service, action, changes))
            })
        });
        Operations::new(Edge::Aws, listed)
    })
}

/// A request for metadata: of a token, of credentials, of a container's credentials, or of anything else.
#[must_use]
pub fn metadata(path: &str) -> &'static Operation {
    let [token, credentials, container, other] = &METADATA;
    let (version, rest) = path.trim_matches('/').split_once('/').unwrap_or_default();
    match (version, rest) {
        ("latest", "api/token") => token,
        ("v1", "credentials") => container,
        ("v2", rest) if rest.starts_with("credentials") => container,
        (_, rest) if rest.starts_with("meta-data/iam/security-credentials/") => credentials,
        _ => other,
    }
}

/// Requests by account.
#[must_use]
pub fn accounts() -> &'static Accounts {
    &ACCOUNTS
}

/// Every method of our services.
fn described() -> Vec<(&'static str, Operation)> {
    let set = prost_types::FileDescriptorSet::decode(crate::proto::DESCRIPTORS).unwrap_or_default();
    let files = || set.file.iter().filter(|file| file.package() == "locum.v1");
    let changes = |input: &str| {
        let name = input.rsplit('.').next().unwrap_or_default();
        let mut messages = files().flat_map(|file| &file.message_type);
        let message = messages.find(|message| message.name() == name);
        message.is_some_and(|m| m.field.iter().any(|field| field.name() == TOKEN_FIELD))
    };
    let mut found = Vec::new();
    for service in files().flat_map(|file| &file.service) {
        // Once for the process.
        let label: &'static str =
            service.name().trim_end_matches("Service").to_ascii_lowercase().leak();
        for method in &service.method {
            let path: &'static str =
                format!("/locum.v1.{}/{}", service.name(), method.name()).leak();
            let name = path.rsplit('/').next().unwrap_or_default();
            let operation = Operation::new(Edge::Grpc, label, name, changes(method.input_type()));
            found.push((path, operation));
        }
    }
    found
}

fn gather_operations(sink: &mut dyn Sink, operations: &[&Operation]) {
    let used = |operation: &&&Operation| operation.duration.read().count() > 0;
    let labels = |operation: &Operation| {
        [
            ("edge", operation.edge.text()),
            ("service", operation.service),
            ("operation", operation.name),
        ]
    };
    for operation in operations.iter().filter(used) {
        sink.histogram(&names::REQUEST_DURATION, &labels(operation), &operation.duration.read());
    }
    for operation in operations.iter().filter(used) {
        let [edge, service, name] = labels(operation);
        for (outcome, count) in Outcome::ALL.iter().zip(&operation.outcomes) {
            let labels = [edge, service, name, ("outcome", outcome.text())];
            sink.number(&names::REQUESTS, &labels, count.get() as f64);
        }
    }
}

/// Requests of all edges.
pub(super) fn gather_server(sink: &mut dyn Sink) {
    let tables = [GRPC.get(), AWS.get()];
    let mut all: Vec<_> = tables.into_iter().flatten().flat_map(Operations::all).collect();
    all.extend(&METADATA);
    gather_operations(sink, &all);
    codes::gather(sink);
    ACCOUNTS.gather(sink);
}

/// Requests for metadata alone.
pub(super) fn gather_agent(sink: &mut dyn Sink) {
    gather_operations(sink, &METADATA.iter().collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the labels: they come from the API's own lists, and say whether something changes.
    #[test]
    fn operations_are_those_of_the_api() {
        let assume = grpc().find("/locum.v1.StsService/AssumeRole");
        assert_eq!((assume.service, assume.name, assume.changes), ("sts", "AssumeRole", true));
        let read = grpc().find("/locum.v1.MetadataService/GetInstanceMetadata");
        assert_eq!((read.service, read.changes), ("metadata", false));
        assert_eq!(grpc().find("/locum.v1.StsService/Invented").name, "other");
        assert_eq!(metadata("/latest/api/token").name, "token");
        let role = metadata("/latest/meta-data/iam/security-credentials/app");
        assert_eq!(role.name, "credentials");
        assert_eq!(metadata("/").name, "other");
    }

    /// Protects the path of every request: to measure one allocates nothing.
    #[test]
    fn measuring_allocates_nothing() {
        let account = crate::identity::AccountId::new(111_111_111_111).unwrap();
        let measure = |code| {
            let operation = grpc().find("/locum.v1.StsService/AssumeRole");
            let outcome = operation.answered(code, Duration::from_micros(70));
            accounts().request(account, outcome);
        };
        measure(None);
        let allocated = allocation_counter::measure(|| {
            measure(None);
            measure(Some("AccessDenied"));
        });
        assert_eq!(allocated.count_total, 0);
    }
}
