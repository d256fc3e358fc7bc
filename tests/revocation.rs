//! Revocation with real processes: a leaked session is refused at once, instances go on with new
//! credentials, and what was issued can be seen before it is voided.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use locum::client::{Credentials, SignedChannel, connect};
use locum::proto::v1::authorization_service_client::AuthorizationServiceClient;
use locum::proto::v1::event_service_client::EventServiceClient;
use locum::proto::v1::sts_service_client::StsServiceClient;
use locum::proto::v1::{FollowEventsRequest, FollowInvalidationsRequest, GetCallerIdentityRequest};
use locum::signing::Secret;
use serde_json::Value;
use support::{Server, locum};
use tokio::runtime::Runtime;

const TRUST_EC2: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const TRUST_ALL: &str =
    r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}"#;
const ASSUME: &str = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;
/// How soon a revocation works everywhere.
const EFFECTIVE: Duration = Duration::from_secs(1);

fn role(server: &Server, admin: &Value, name: &str, trust: &str) {
    let create = ["iam", "create-role", "--role-name", name, "--trust-policy", trust];
    server.call(admin, &create).unwrap();
    let policy = ["iam", "put-inline-policy", "--owner-role-name", name, "--policy-name", "p"];
    server.call(admin, &[&policy[..], &["--policy", ASSUME]].concat()).unwrap();
}

fn assume(server: &Server, by: &Value, arn: &str) -> Value {
    let words = ["sts", "assume-role", "--role-arn", arn, "--role-session-name", "one"];
    server.call(by, &words).unwrap()["credentials"].clone()
}

fn whoami(server: &Server, credentials: &Value) -> Result<Value, String> {
    server.call(credentials, &["sts", "get-caller-identity"])
}

fn connected(server: &Server, credentials: &Value) -> SignedChannel {
    let text = |name: &str| credentials[name].as_str().unwrap_or_default();
    let token = Some(text("sessionToken")).filter(|token| !token.is_empty());
    let credentials = Credentials {
        access_key_id: text("accessKeyId").to_owned(),
        secret_access_key: Secret::new(text("secretAccessKey")),
        session_token: token.map(Secret::new),
    };
    connect(server.dev["endpoint"].as_str().unwrap(), "us-east-1", credentials).unwrap()
}

/// Holders of sessions over connections that stand, so that what is measured is how soon a revocation works and
/// not how long a process takes to start.
struct Holders(Runtime, Vec<StsServiceClient<SignedChannel>>);

impl Holders {
    /// All of whom are let in.
    fn of(server: &Server, sessions: &[&Value]) -> Self {
        let runtime = Runtime::new().unwrap();
        let clients = runtime.block_on(async {
            let mut clients = Vec::new();
            for session in sessions {
                let mut client = StsServiceClient::new(connected(server, session));
                client.get_caller_identity(GetCallerIdentityRequest {}).await.unwrap();
                clients.push(client);
            }
            clients
        });
        Self(runtime, clients)
    }

    /// Each of them is refused at the next request.
    fn have_ended(mut self) {
        let began = Instant::now();
        for client in &mut self.1 {
            let called = client.get_caller_identity(GetCallerIdentityRequest {});
            let refused = self.0.block_on(called).unwrap_err();
            assert!(refused.message().contains("is expired"), "{refused:?}");
        }
        assert!(began.elapsed() < EFFECTIVE, "{:?}", began.elapsed());
    }
}

fn key(credentials: &Value) -> &str {
    credentials["accessKeyId"].as_str().unwrap()
}

/// Runs `locum revoke ...` as the holder of a file with credentials.
fn revoke(server: &Server, file: &str, words: &[&str]) -> Result<String, String> {
    let endpoint = server.dev["endpoint"].as_str().unwrap();
    locum(&[&["revoke"], words, &["--endpoint", endpoint, "--credentials", file]].concat())
}

/// Protects whoever leaked a session: what was issued is shown, one command voids it and everything that
/// came from it, in another account too, within a second; other sessions go on.
#[test]
fn a_leaked_session_and_all_below_it_end_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let admin = folder.path().join("dev.json");
    let admin = admin.to_str().unwrap();
    let operator = server.json("operator.json");
    let create = ["account", "create-account", "--account-id", "222222222222", "--name", "b"];
    let other = server.call(&operator, &create).unwrap()["rootKey"].clone();
    server.admin(&["iam", "create-user", "--user-name", "ana"]).unwrap();
    let put = ["iam", "put-inline-policy", "--owner-user-name", "ana", "--policy-name", "p"];
    server.admin(&[&put[..], &["--policy", ASSUME]].concat()).unwrap();
    let ana = server.admin(&["iam", "create-access-key", "--user-name", "ana"]).unwrap();
    role(&server, &server.dev, "first", TRUST_ALL);
    role(&server, &other, "second", TRUST_ALL);
    let (first, second) =
        ("arn:aws:iam::111111111111:role/first", "arn:aws:iam::222222222222:role/second");
    let leaked = assume(&server, &ana["accessKey"], first);
    let kept = assume(&server, &ana["accessKey"], first);
    let below = assume(&server, &leaked, second);
    let beside = assume(&server, &kept, second);
    let all = [&leaked, &kept, &below, &beside];
    assert!(all.iter().all(|session| whoami(&server, session).is_ok()));

    let shown = revoke(&server, admin, &["role", "first"]).unwrap();
    assert!(shown.contains(key(&leaked)) && shown.contains(key(&kept)), "{shown}");
    assert!(shown.contains("user/ana") && shown.contains("nothing was voided"), "{shown}");
    assert!(whoami(&server, &leaked).is_ok(), "showing voids nothing");

    let refused = revoke(&server, admin, &["chain", "AKIAAAAAAAAAAAAAAAAA", "--yes"]);
    assert!(refused.unwrap_err().contains("ValidationError"));
    let holders = Holders::of(&server, &[&leaked, &below]);
    let told = revoke(&server, admin, &["chain", key(&leaked), "--yes"]).unwrap();
    holders.have_ended();
    assert!(told.contains("voided, as record"), "{told}");
    assert!(whoami(&server, &below).unwrap_err().contains("ExpiredToken"));
    assert!(whoami(&server, &kept).is_ok() && whoami(&server, &beside).is_ok());

    let told = revoke(&server, admin, &["role", "first", "--chained", "--yes"]).unwrap();
    assert!(told.contains("void already"), "{told}");
    for session in [&kept, &beside] {
        assert!(whoami(&server, session).unwrap_err().contains("ExpiredToken"));
    }
    let again = assume(&server, &ana["accessKey"], first);
    assert!(whoami(&server, &again).is_ok(), "the role itself goes on");
    server.stop();
    let server = Server::start(folder.path(), &[]);
    assert!(whoami(&server, &below).unwrap_err().contains("ExpiredToken"), "after a restart too");
    assert!(whoami(&server, &again).is_ok());
}

/// Protects a user whose laptop was lost: all sessions that the user asked for end within a second, at the next
/// request, and after a restart; the user's key and another user's sessions go on.
#[test]
fn a_users_own_sessions_end_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let admin = folder.path().join("dev.json");
    let admin = admin.to_str().unwrap();
    let [ana, bob] = ["ana", "bob"].map(|name| {
        server.admin(&["iam", "create-user", "--user-name", name]).unwrap();
        let put = ["iam", "put-inline-policy", "--owner-user-name", name, "--policy-name", "p"];
        let policy = r#"{"Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}"#;
        server.admin(&[&put[..], &["--policy", policy]].concat()).unwrap();
        let key = server.admin(&["iam", "create-access-key", "--user-name", name]).unwrap();
        key["accessKey"].clone()
    });
    let session =
        |by: &Value| server.call(by, &["sts", "get-session-token"]).unwrap()["credentials"].clone();
    let federated = ["sts", "get-federation-token", "--name", "guest"];
    let guest = server.call(&ana, &federated).unwrap()["credentials"].clone();
    let (first, second, others) = (session(&ana), session(&ana), session(&bob));
    let shown = revoke(&server, admin, &["user", "ana"]).unwrap();
    for leaked in [&first, &second, &guest] {
        assert!(shown.contains(key(leaked)), "{shown}");
        assert!(whoami(&server, leaked).is_ok());
    }
    assert!(!shown.contains(key(&others)) && shown.contains("nothing was voided"), "{shown}");
    let holders = Holders::of(&server, &[&first, &second, &guest]);
    let told = revoke(&server, admin, &["user", "ana", "--yes"]).unwrap();
    holders.have_ended();
    assert!(told.contains("voided, as record"), "{told}");
    let next = session(&ana);
    assert!([&others, &ana, &next].into_iter().all(|goes_on| whoami(&server, goes_on).is_ok()));
    let listed = server.admin(&["revocation", "list-revocations"]).unwrap();
    assert!(listed["revocations"][0]["scope"].as_str().unwrap().starts_with("user/AIDA"));
    server.stop();
    let server = Server::start(folder.path(), &[]);
    assert!(whoami(&server, &guest).unwrap_err().contains("ExpiredToken"));
    assert!(whoami(&server, &next).is_ok());
    server.stop();
}

/// Protects whoever switches a leaked key off: streams that the key holds open end within a second, as does
/// everything else it could do.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_switched_off_ends_its_streams() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.admin(&["iam", "create-user", "--user-name", "ana"]).unwrap();
    let put = ["iam", "put-inline-policy", "--owner-user-name", "ana", "--policy-name", "p"];
    let all = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    server.admin(&[&put[..], &["--policy", all]].concat()).unwrap();
    let made = server.admin(&["iam", "create-access-key", "--user-name", "ana"]).unwrap();
    let ana = &made["accessKey"];
    let mut events = EventServiceClient::new(connected(&server, ana));
    let request = FollowEventsRequest::default();
    let mut events = events.follow_events(request).await.unwrap().into_inner();
    server.admin(&["iam", "create-user", "--user-name", "bob"]).unwrap();
    let told = events.message().await.unwrap().unwrap();
    assert_eq!(told.event.unwrap().kind, "UserCreated");
    let off = ["iam", "update-access-key", "--user-name", "ana", "--access-key-id", key(ana)];
    server.admin(&[&off[..], &["--active", "false"]].concat()).unwrap();
    let ended = async {
        loop {
            match events.message().await {
                Ok(Some(_)) => {}
                other => break other,
            }
        }
    };
    let ended = tokio::time::timeout(EFFECTIVE, ended).await.unwrap().unwrap_err();
    assert_eq!(ended.code(), tonic::Code::Unauthenticated);
    assert!(whoami(&server, ana).unwrap_err().contains("InvalidClientTokenId"));
    server.stop();
}

/// Protects workloads: a revoked instance, and every instance of a revoked role, has new credentials within
/// a second; the old ones are refused.
#[test]
fn instances_go_on_with_new_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let admin = folder.path().join("dev.json");
    let admin = admin.to_str().unwrap();
    role(&server, &server.dev, "app", TRUST_EC2);
    server.admin(&["iam", "create-instance-profile", "--instance-profile-name", "app"]).unwrap();
    let add = ["iam", "add-role-to-instance-profile", "--instance-profile-name", "app"];
    server.admin(&[&add[..], &["--role-name", "app"]].concat()).unwrap();
    let launch = ["instance", "launch-instance", "--instance-profile-name", "app"];
    let launched: Vec<_> = (0..2).map(|_| server.admin(&launch).unwrap()).collect();
    let credentials = |launched: &Value| {
        let answer = server.call(&launched["identityKey"], &["metadata", "get-instance-metadata"]);
        answer.unwrap()["metadata"]["credentials"].clone()
    };
    let first: Vec<_> = launched.iter().map(&credentials).collect();
    let id = launched[0]["instance"]["instanceId"].as_str().unwrap();
    revoke(&server, admin, &["instance", id, "--yes"]).unwrap();
    let renewed = credentials(&launched[0]);
    assert_ne!(key(&renewed), key(&first[0]));
    assert!(whoami(&server, &first[0]).unwrap_err().contains("ExpiredToken"));
    assert!(whoami(&server, &renewed).is_ok());
    assert!(whoami(&server, &first[1]).is_ok(), "the other instance is not touched");

    revoke(&server, admin, &["role", "app", "--yes"]).unwrap();
    let voided = Instant::now();
    for (launched, old) in launched.iter().zip([&renewed, &first[1]]) {
        let new = loop {
            let new = credentials(launched);
            if !new.is_null() && key(&new) != key(old) {
                break new;
            }
            assert!(voided.elapsed() < EFFECTIVE, "no new set after {:?}", voided.elapsed());
        };
        assert!(whoami(&server, old).unwrap_err().contains("ExpiredToken"));
        assert!(whoami(&server, &new).is_ok());
    }
    server.stop();
}

/// Protects who looks for unused credentials: last uses are known at once, survive a stop, and take no
/// record each.
#[test]
fn last_uses_are_gathered_and_survive_a_stop() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.admin(&["iam", "create-user", "--user-name", "ana"]).unwrap();
    let made = server.admin(&["iam", "create-access-key", "--user-name", "ana"]).unwrap();
    let ana = made["accessKey"].clone();
    let last = |server: &Server| {
        let words = ["iam", "get-access-key-last-used", "--access-key-id", key(&ana)];
        server.admin(&words).unwrap()
    };
    assert_eq!(last(&server)["lastUse"], Value::Null);
    role(&server, &server.dev, "first", TRUST_ALL);
    let session = assume(&server, &ana, "arn:aws:iam::111111111111:role/first");
    let head = |server: &Server| server.admin(&["iam", "list-roles"]).unwrap()["sequence"].clone();
    let before = head(&server);
    for _ in 0..3 {
        assert!(whoami(&server, &session).is_ok() && whoami(&server, &ana).is_ok());
    }
    assert_eq!(head(&server), before, "a use is no record");
    let told = last(&server);
    assert_eq!(told["userName"], "ana");
    assert_eq!(told["lastUse"]["service"], "locum");
    assert_eq!(told["lastUse"]["region"], "us-east-1");
    server.stop();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(last(&server)["lastUse"]["time"], told["lastUse"]["time"]);
    let role = server.admin(&["iam", "get-role", "--role-name", "first"]).unwrap();
    assert_eq!(role["role"]["lastUse"]["service"], "locum");
    let listed = server.admin(&["revocation", "list-sessions", "--role-name", "first"]).unwrap();
    assert_eq!(listed["sessions"][0]["lastUse"]["service"], "locum");
    server.stop();
}

/// Protects services from asking for more than they need: who may have grants for one name follows what voids those, and
/// those of no other name.
#[test]
fn a_service_follows_invalidations_by_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.admin(&["iam", "create-user", "--user-name", "store"]).unwrap();
    let name = format!("arn:aws:locum::{}:service/s3", server.dev["account"].as_str().unwrap());
    let allow = serde_json::json!({"Statement": {
        "Effect": "Allow", "Action": "locum:GrantVerification", "Resource": name,
    }});
    let put = ["iam", "put-inline-policy", "--owner-user-name", "store", "--policy-name", "p"];
    server.admin(&[&put[..], &["--policy", &allow.to_string()]].concat()).unwrap();
    let made = server.admin(&["iam", "create-access-key", "--user-name", "store"]).unwrap();
    let runtime = Runtime::new().unwrap();
    let follow = |service: &str| {
        runtime.block_on(async {
            let mut client =
                AuthorizationServiceClient::new(connected(&server, &made["accessKey"]));
            let request = FollowInvalidationsRequest { service: service.to_owned() };
            let mut told = client.follow_invalidations(request).await?.into_inner();
            told.message().await.map(drop)
        })
    };
    assert!(follow("s3").is_ok());
    for other in ["", "sqs"] {
        assert_eq!(follow(other).unwrap_err().code(), tonic::Code::PermissionDenied, "{other}");
    }
}
