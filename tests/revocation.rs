//! Revocation with real processes: a leaked session is refused at once, instances go on with new
//! credentials, and what was issued can be seen before it is voided.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Server, locum};

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
    let told = revoke(&server, admin, &["chain", key(&leaked), "--yes"]).unwrap();
    let voided = Instant::now();
    assert!(told.contains("voided, as record"), "{told}");
    for session in [&leaked, &below] {
        assert!(whoami(&server, session).unwrap_err().contains("ExpiredToken"));
    }
    assert!(voided.elapsed() < EFFECTIVE, "{:?}", voided.elapsed());
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
