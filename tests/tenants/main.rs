//! Accounts on one server cannot see each other. Every operation of both edges is tried by one account on
//! everything of another: for each field that names something, the name of what another account has and a name of
//! what nobody has are asked for with the same request, and what comes back (status, code, message, details,
//! headers, body) must be alike but for the name. Run with `--nocapture` for what was tried.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod admitted;
#[path = "../support/api/mod.rs"]
mod api;
mod limits;
mod promises;
#[path = "../support/mod.rs"]
mod support;
mod sweep;

use std::sync::Arc;

use api::estate::{Estate, OWNERS, THEIRS};
use api::operation::{Edge, Operation};
use api::wire::{Grpc, Query};
use api::{operation, scrub, wire};
use serde_json::{Value, json};
use support::Server;
use sweep::{Report, Sweep};
use tempfile::TempDir;

/// Whose things are not to be seen.
const THEIR_ACCOUNT: &str = "222222222222";

/// A server with an account that has one of everything.
pub(crate) struct World {
    pub(crate) server: Server,
    _folder: TempDir,
    pub(crate) operator: Value,
    pub(crate) theirs: Estate,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &[]);
        let operator = server.json("operator.json");
        let endpoint = server.dev["endpoint"].as_str().unwrap();
        let theirs = Estate::furnish(endpoint, &operator, THEIR_ACCOUNT, THEIRS).await;
        Self { server, _folder: folder, operator, theirs }
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.server.dev["endpoint"].as_str().unwrap()
    }

    pub(crate) async fn estate(&self, account: &str) -> Estate {
        Estate::furnish(self.endpoint(), &self.operator, account, OWNERS).await
    }

    pub(crate) fn grpc(&self, key: &Value) -> Grpc {
        Grpc::new(self.endpoint(), key)
    }

    fn query(&self, key: &Value) -> Query {
        Query::new(self.server.dev["aws"].as_str().unwrap(), key)
    }

    /// All that the account shows to its root, and its part of the log, but for what the service does by itself.
    async fn state(&self, operations: &[Operation]) -> Vec<String> {
        let root = &self.theirs.root;
        let (grpc, mut query) = (self.grpc(root), self.query(root));
        let mut events = grpc.made("ReadEvents", json!({"limit": 1000})).await["events"].take();
        wire::leave_asked_for(&mut events);
        let mut shown = vec![events.to_string()];
        for operation in operations.iter().filter(|operation| sweep::lists(operation)) {
            let values = operation.values(None, |_, _| String::new(), &Value::Null);
            let answer = match &operation.edge {
                Edge::Grpc(method) => grpc.call(method, &operation.message(&values)).await,
                Edge::Query(service) => query.call(service, &operation.form(&values)),
            };
            let text = scrub::scrubbed(&answer.asked_for, "", &self.theirs.account);
            // Maps come in any order.
            let mut lines: Vec<_> = text.lines().map(|line| line.trim_end_matches(',')).collect();
            lines.sort_unstable();
            shown.push(lines.join("\n"));
        }
        shown
    }
}

/// Protects every account: nobody else learns of its things, nor whether they are there, and nobody changes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn nothing_crosses_between_accounts() {
    let ((grpc, mut unknown), (query, more)) = (operation::of_grpc(), operation::of_query());
    unknown.extend(more);
    assert!(
        unknown.is_empty(),
        "say in references.rs what these stand for:\n{}",
        unknown.join("\n")
    );
    let world = Arc::new(World::new().await);
    let all: Vec<_> = grpc.iter().chain(&query).cloned().collect();
    let before = world.state(&all).await;
    let metadata: Vec<_> =
        grpc.iter().filter(|operation| sweep::is_metadata(operation)).cloned().collect();
    // One account for each, so that they can go on side by side; the administrator ends what they are.
    let plans = [
        (
            "333333333331",
            vec![
                ("agent", metadata.clone()),
                ("instance", metadata),
                ("administrator", grpc.clone()),
            ],
        ),
        ("333333333332", vec![("session", grpc)]),
        ("333333333333", vec![("administrator", query.clone())]),
        ("333333333334", vec![("session", query)]),
    ];
    let sweeps = plans.map(|(account, callers)| {
        let world = world.clone();
        tokio::spawn(async move {
            let own = world.estate(account).await;
            let mut report = Report::default();
            for (caller, operations) in callers {
                let key = match caller {
                    "administrator" => &own.admin,
                    "session" => &own.session,
                    "agent" => &own.agent,
                    _ => &own.instance,
                };
                let (grpc, query) = (world.grpc(key), world.query(key));
                let mut sweep = Sweep::new(&world.theirs, &own, key, (grpc, query), &operations);
                sweep.try_all().await;
                sweep.prove_requests().await;
                report.add(caller, sweep.report);
            }
            report
        })
    });
    let mut report = Report::default();
    for sweep in sweeps {
        report.add("", sweep.await.unwrap());
    }
    report.print();
    assert!(report.wrong.is_empty(), "{}", report.wrong.join("\n\n"));
    assert_eq!(before, world.state(&all).await, "the account is as it was");
}
