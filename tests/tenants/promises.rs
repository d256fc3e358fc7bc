//! Promises of THREAT_MODEL.md that are about all operations at once: what the operator cannot have, that every act is
//! a record, and what the health port keeps to itself.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use prost_reflect::{Kind as Form, MessageDescriptor, MethodDescriptor};
use serde_json::{Value, json};

use super::World;
use super::api::estate::THEIRS;
use super::api::operation::{Edge, Operation, of_grpc};
use super::api::references::Kind;

const FIRST: &str = "333333333337";
/// The operator's account, in the form of its root.
const OPERATOR: &str = "000000000000";

fn method_of(operation: &Operation) -> &MethodDescriptor {
    match &operation.edge {
        Edge::Grpc(method) => method,
        Edge::Query(_) => panic!("{} is no call of gRPC", operation.name),
    }
}

/// Whether a message can hold credentials of any kind.
fn holds_keys(message: &MessageDescriptor) -> bool {
    let own = ["Credentials", "AccessKey"].contains(&message.name());
    own || message.fields().any(|field| match field.kind() {
        Form::Message(inner) => inner.full_name().starts_with("locum.v1.") && holds_keys(&inner),
        _ => false,
    })
}

/// Every key with a secret in an answer.
fn keys_in(answer: &Value, found: &mut Vec<Value>) {
    if answer.get("secretAccessKey").is_some() {
        found.push(answer.clone());
    }
    match answer {
        Value::Object(fields) => fields.values().for_each(|field| keys_in(field, found)),
        Value::Array(items) => items.iter().for_each(|item| keys_in(item, found)),
        _ => {}
    }
}

/// Protects accounts from their operator: of all calls that answer with credentials, none gives the operator's
/// people any that count in another account, but the first key of an account that they make.
#[tokio::test(flavor = "multi_thread")]
async fn the_operator_gets_no_session_in_another_account() {
    let world = World::new().await;
    let root = world.grpc(&world.operator);
    let owner = json!({"userName": "ops"});
    root.made("CreateUser", owner.clone()).await;
    let all = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "*", "Resource": "*",
    }});
    let request = json!({"owner": owner, "policyName": "all", "policy": all.to_string()});
    root.made("PutInlinePolicy", request).await;
    let user = root.made("CreateAccessKey", owner).await["accessKey"].clone();
    let (operations, _) = of_grpc();
    let giving = operations.iter().filter(|operation| holds_keys(&method_of(operation).output()));
    let (mut tried, mut given) = (0, 0);
    for operation in giving.filter(|operation| operation.name != "CreateAccount") {
        for caller in [&world.operator, &user] {
            let named = |_: usize, kind: Kind| world.theirs.name(kind).to_owned();
            let request = operation.message(&operation.values(None, named, &Value::Null));
            tried += 1;
            let grpc = world.grpc(caller);
            let Ok((_, answers, _)) = grpc.messages(method_of(operation), &request).await else {
                continue;
            };
            let mut keys = Vec::new();
            keys_in(&Value::Array(answers), &mut keys);
            for key in keys {
                given += 1;
                let identity = world.grpc(&key).made("GetCallerIdentity", json!({})).await;
                assert_eq!(identity["accountId"], OPERATOR, "{}: {identity}", operation.name);
            }
        }
    }
    assert!(tried >= 20 && given >= 3, "{tried} tried, {given} gave keys");
}

/// Protects whoever looks back: each call that changes something leaves its record with who and when, those of
/// the operator too.
#[tokio::test(flavor = "multi_thread")]
async fn every_act_is_a_record() {
    const OPERATORS: [&str; 4] =
        ["AccountService", "GuardrailService", "KeyringService", "QuotaService"];
    const MADE: &str = "333333333399";
    let world = World::new().await;
    let own = world.estate(FIRST).await;
    let (mut operations, _) = of_grpc();
    operations.retain(|operation| {
        operation.places.iter().any(|place| place.kind() == Some(Kind::Token))
            && !super::sweep::is_metadata(operation)
    });
    operations.sort_by_key(super::sweep::rank);
    let reader = world.grpc(&world.operator);
    let (mut recorded, mut unrecorded) = (0, Vec::new());
    for (number, operation) in operations.iter().enumerate() {
        let method = method_of(operation);
        let of_operator = OPERATORS.contains(&method.parent_service().name());
        let caller = if of_operator { &world.operator } else { &own.admin };
        let named = |_: usize, kind: Kind| match kind {
            Kind::New => format!("unique-{number:04}"),
            Kind::ProviderUrl => format!("https://unique-{number:04}.example.com"),
            Kind::Account if operation.name == "CreateAccount" => MADE.to_owned(),
            // The operator acts on the other account, and may end it.
            Kind::Account => world.theirs.account.clone(),
            kind => own.name(kind).to_owned(),
        };
        let request = operation.message(&operation.values(None, named, &Value::Null));
        let Ok((_, answers, _)) = world.grpc(caller).messages(method, &request).await else {
            continue;
        };
        let sequence = &answers[0]["sequence"];
        let mut actors = Vec::new();
        for account in [&own.account, &world.theirs.account, OPERATOR, MADE] {
            let request = json!({"accountId": account, "fromSequence": sequence, "limit": 1});
            let Ok((_, read, _)) =
                reader.messages(&super::api::wire::method("ReadEvents"), &request).await
            else {
                continue;
            };
            for event in read[0]["events"].as_array().into_iter().flatten() {
                if event["sequence"] == *sequence && event["time"].is_string() {
                    actors.push(event["actor"].as_str().unwrap().to_owned());
                }
            }
        }
        let who = if of_operator {
            format!("arn:aws:iam::{OPERATOR}:root")
        } else {
            format!("arn:aws:iam::{}:user/{}-admin", own.account, own.stem)
        };
        if actors.contains(&who) {
            recorded += 1;
        } else {
            unrecorded.push(operation.name.as_str());
        }
    }
    assert!(unrecorded.is_empty(), "{unrecorded:?} leave no record");
    assert!(recorded >= 50, "{recorded} calls are recorded");
}

/// Protects tenants from whoever reaches the health port: it tells numbers and nobody's names, ids or ARNs, after
/// all of them were used and refused.
#[tokio::test(flavor = "multi_thread")]
async fn the_health_port_tells_no_names() {
    let world = World::new().await;
    for key in [&world.theirs.admin, &world.theirs.session, &world.theirs.agent] {
        let grpc = world.grpc(key);
        let absent = json!({"userName": format!("{THEIRS}-absent")});
        grpc.refused("GetUser", absent).await;
    }
    let address = world.server.dev["health"].as_str().unwrap().trim_start_matches("http://");
    let mut told = String::new();
    for path in ["/livez", "/readyz", "/metrics", "/", "/theirs"] {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        stream.read_to_string(&mut told).unwrap();
    }
    assert!(told.contains("locum_accounts 3"), "{told}");
    let private = world.theirs.private.iter().map(String::as_str);
    for name in private.chain([THEIRS, "arn:aws", "dev.json"]) {
        assert!(!told.contains(name), "{name} in {told}");
    }
}
