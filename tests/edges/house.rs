//! A server with accounts that are alike, and use cases played in them over one edge or the other.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic_types::StatusExt as _;

use super::api::estate::{Estate, OWNERS};
use super::api::operation::{Edge, Operation, of_grpc, of_query};
use super::api::references::Kind;
use super::api::scrub::scrubbed;
use super::api::wire::{Grpc, Query, leave_asked_for, method};
use super::pairs::{Bad, GRPC_ALONE, LONG, PAIRS, QUERY_ALONE, SAME};
use super::substance::{Element, Substance, of_document, of_message};
use super::support::Server;

pub(crate) struct House {
    pub(crate) server: Server,
    _folder: TempDir,
    operator: Value,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &[]);
        let operator = server.json("operator.json");
        Self { server, _folder: folder, operator }
    }

    fn address(&self, edge: &str) -> &str {
        self.server.dev[edge].as_str().unwrap()
    }

    pub(crate) async fn account(&self, number: &str) -> Account {
        let estate =
            Estate::furnish(self.address("endpoint"), &self.operator, number, OWNERS).await;
        let root = self.grpc(&estate.root);
        Account { estate, root, told: 0 }
    }

    pub(crate) fn grpc(&self, key: &Value) -> Grpc {
        Grpc::new(self.address("endpoint"), key)
    }

    pub(crate) fn query(&self, key: &Value) -> Query {
        Query::new(self.address("aws"), key)
    }
}

/// An account with one of everything.
pub(crate) struct Account {
    pub(crate) estate: Estate,
    pub(crate) root: Grpc,
    /// The next record that was not asked for yet.
    told: u64,
}

impl Account {
    /// A user with one policy, and a key of theirs.
    pub(crate) async fn user(&self, name: &str, policy: &Value) -> Value {
        let owner = json!({"userName": name});
        self.root.made("CreateUser", owner.clone()).await;
        let request = json!({"owner": owner, "policyName": "own", "policy": policy.to_string()});
        self.root.made("PutInlinePolicy", request).await;
        self.root.made("CreateAccessKey", owner).await["accessKey"].clone()
    }

    /// What was recorded since it was last asked for, but for what the service does by itself.
    pub(crate) async fn events(&mut self) -> Vec<String> {
        let request = json!({"fromSequence": self.told, "limit": 1000});
        let mut read = self.root.made("ReadEvents", request).await;
        self.told = read["nextSequence"].as_str().unwrap().parse().unwrap();
        let mut events = read["events"].take();
        leave_asked_for(&mut events);
        let Value::Array(events) = events else { return Vec::new() };
        let told = events.iter().map(|event| {
            let part = |name: &str| event[name].as_str().unwrap_or_default();
            let told = format!("{} by {}: {}", part("kind"), part("actor"), part("detail"));
            self.scrubbed(&told)
        });
        told.collect()
    }

    pub(crate) fn scrubbed(&self, text: &str) -> String {
        scrubbed(text, "", &self.estate.account)
    }
}

/// What came back, in words that both edges share.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) substance: Substance,
}

impl Reply {
    pub(crate) fn is_ok(&self) -> bool {
        self.code == "OK"
    }
}

/// What both edges do.
pub(crate) struct UseCase {
    pub(crate) grpc: Operation,
    pub(crate) query: Operation,
    chosen: Option<&'static str>,
}

/// All that both edges do, and what stands in no table.
pub(crate) fn use_cases() -> (Vec<UseCase>, Vec<String>) {
    let ((calls, mut unknown), (operations, more)) = (of_grpc(), of_query());
    unknown.extend(more);
    let mut calls: BTreeMap<String, Operation> =
        calls.into_iter().map(|call| (call.name.clone(), call)).collect();
    let (mut found, mut used) = (Vec::new(), Vec::new());
    for query in operations {
        let pair = PAIRS.iter().find(|pair| pair.query == query.name);
        let like = |name: &&String| name.eq_ignore_ascii_case(&query.name);
        let name = pair.map(|pair| pair.grpc.to_owned());
        let name = name.or_else(|| calls.keys().find(like).cloned());
        let alone = QUERY_ALONE.iter().any(|(name, _)| *name == query.name);
        match name.and_then(|name| calls.get(&name)) {
            Some(grpc) if !alone => {
                used.push(grpc.name.clone());
                let chosen = pair.and_then(|pair| pair.chosen);
                found.push(UseCase { grpc: grpc.clone(), query, chosen });
            }
            None if alone => {}
            _ => unknown.push(format!("{} has no pair, or two places", query.name)),
        }
    }
    calls.retain(|name, _| !used.contains(name));
    for (name, call) in &calls {
        let Edge::Grpc(method) = &call.edge else { continue };
        let service = method.parent_service().name().to_owned();
        if !GRPC_ALONE.iter().any(|(alone, _)| alone == name || *alone == service) {
            unknown.push(format!("{name} has no pair"));
        }
    }
    (found, unknown)
}

impl UseCase {
    pub(crate) fn name(&self) -> &str {
        &self.query.name
    }

    pub(crate) fn service(&self) -> &'static str {
        match self.query.edge {
            Edge::Query(service) => service,
            Edge::Grpc(_) => panic!("{} is no operation of the Query protocol", self.name()),
        }
    }

    /// What requests of both edges always name.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let mut named = |_: usize, kind: Kind| {
            kinds.push(kind);
            String::new()
        };
        self.grpc.values(self.chosen(), &mut named, &Value::Null);
        self.query.values(None, &mut named, &Value::Null);
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The place of the field that says what the operation's name says.
    fn chosen(&self) -> Option<usize> {
        let chosen = self.chosen?;
        let at = self.grpc.places.iter().position(|place| place.name() == chosen);
        Some(at.unwrap_or_else(|| panic!("{} has no {chosen}", self.grpc.name)))
    }

    /// The call of gRPC, with what `named` gives for each kind.
    pub(crate) fn message(&self, named: impl Fn(Kind) -> String) -> Value {
        let values = self.grpc.values(self.chosen(), |_, kind| named(kind), &Value::Null);
        let mut message = self.grpc.message(&values);
        if let Some(same) = SAME.iter().find(|same| same.query == self.query.name) {
            let more: Value = serde_json::from_str(same.message).unwrap();
            for (field, value) in more.as_object().unwrap() {
                message[field] = value.clone();
            }
        }
        message
    }

    /// The same as a form.
    pub(crate) fn form(&self, named: impl Fn(Kind) -> String) -> String {
        let values = self.query.values(None, |_, kind| named(kind), &Value::Null);
        let mut form = self.query.form(&values);
        if let Some(same) = SAME.iter().find(|same| same.query == self.query.name) {
            for (name, text) in same.form {
                form = with(&form, name, text);
            }
        }
        form
    }

    /// Whether both edges have a place for it.
    pub(crate) fn takes(&self, bad: &Bad) -> bool {
        let is_owner = bad.field.starts_with("owner.");
        let has = |operation: &Operation, wanted: &str| {
            let places = operation.places.iter().map(|place| place.name());
            let mut names = places.filter(|name| wanted.starts_with(name.as_str()));
            names.any(|name| [None, Some('.')].contains(&wanted[name.len()..].chars().next()))
        };
        (!is_owner || self.chosen == Some(bad.field))
            && has(&self.query, bad.parameter)
            && self.grpc.places.iter().any(|place| place.name() == bad.field)
    }

    /// Both requests with a value that has to be refused.
    pub(crate) fn spoilt(&self, bad: &Bad, named: impl Fn(Kind) -> String) -> (Value, String) {
        let (mut message, form) = (self.message(&named), self.form(&named));
        let text = if bad.text == LONG { "x".repeat(1001) } else { bad.text.to_owned() };
        let value = bad.value.map(|text| serde_json::from_str(text).unwrap());
        let mut value: Value = value.unwrap_or_else(|| json!(text));
        let mut node = &mut message;
        for name in bad.field.split('.') {
            node = &mut node[name];
        }
        if node.is_array() && value.is_object() {
            let (key, text) = value.as_object().unwrap().iter().next().unwrap();
            value = json!([{"key": key, "value": text}]);
        }
        *node = value;
        (message, with(&form, bad.parameter, &text))
    }
}

/// A form with a value in the place of the one that it may have.
pub(crate) fn with(form: &str, name: &str, text: &str) -> String {
    let begins = format!("{name}=");
    let kept: Vec<&str> = form.split('&').filter(|part| !part.starts_with(&begins)).collect();
    format!("{}&{name}={}", kept.join("&"), utf8_percent_encode(text, NON_ALPHANUMERIC))
}

pub(crate) async fn by_grpc(grpc: &Grpc, use_case: &UseCase, message: &Value) -> Reply {
    match grpc.messages(&method(&use_case.grpc.name), message).await {
        Ok((_, messages, _)) => Reply {
            code: "OK".to_owned(),
            message: String::new(),
            substance: of_message(use_case.name(), &messages[0]),
        },
        Err(status) => Reply {
            code: status.get_details_error_info().unwrap().reason,
            message: status.message().to_owned(),
            substance: Substance::new(),
        },
    }
}

pub(crate) fn by_query(query: &mut Query, use_case: &UseCase, form: &str) -> Reply {
    let answer = query.call(use_case.service(), form);
    let (_, body) = answer.text.split_once('\n').unwrap();
    let document = Element::parse(body);
    let message = document.find("Message").unwrap_or_default();
    // What EC2 says besides.
    let (message, _) =
        message.split_once(" Encoded authorization failure message").unwrap_or((message, ""));
    let message = message.trim_start_matches("You are not authorized to perform this operation. ");
    let substance =
        if answer.is_ok() { of_document(use_case.name(), &document) } else { Substance::new() };
    Reply { code: answer.code.clone(), message: message.to_owned(), substance }
}
