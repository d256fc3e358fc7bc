//! What goes wrong is told clearly, changes nothing and loses nothing. Run with `--nocapture` to read what
//! an operator and a caller see.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod bad_clients;
mod support;

use std::time::Duration;

use serde_json::Value;
use support::{Server, locum};

const TRUST_EC2: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const TRUST_ANA: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/ana"},"Action":"sts:AssumeRole"}}"#;

/// What was refused, shown and checked.
#[track_caller]
fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, String>, expected: &[&str]) {
    let told = result.expect_err(what);
    println!("{what}\n    {told}");
    for part in expected {
        assert!(told.contains(part), "{what}: `{part}` is not in `{told}`");
    }
}

fn head(server: &Server) -> u64 {
    let identity = server.admin(&["iam", "list-roles"]).unwrap();
    identity["sequence"].as_str().unwrap().parse().unwrap()
}

/// Protects callers: a bad request names its field and rule, and leaves no trace in the log.
#[test]
fn bad_requests_are_told_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for role in ["one", "two"] {
        server
            .admin(&["iam", "create-role", "--role-name", role, "--trust-policy", TRUST_EC2])
            .unwrap();
    }
    server.admin(&["iam", "create-instance-profile", "--instance-profile-name", "web"]).unwrap();
    let add = |role| {
        let words = [
            "iam",
            "add-role-to-instance-profile",
            "--instance-profile-name",
            "web",
            "--role-name",
            role,
        ];
        server.admin(&words)
    };
    add("one").unwrap();
    let before = head(&server);
    let create = |name, trust| {
        server.admin(&["iam", "create-role", "--role-name", name, "--trust-policy", trust])
    };
    let bad = create("three", "{\"Statement\": [}");
    refused("bad JSON policy", bad, &["MalformedPolicyDocument", "line 1"]);
    let misspelt = create("three", r#"{"Statment": []}"#);
    refused("misspelt policy", misspelt, &["did you mean `Statement`"]);
    refused("two roles in one profile", add("two"), &["LimitExceeded"]);
    assert_eq!(head(&server), before, "nothing was recorded");

    server.admin(&["iam", "create-user", "--user-name", "ana"]).unwrap();
    let made = server.admin(&["iam", "create-access-key", "--user-name", "ana"]).unwrap();
    let before = head(&server);
    let assume = |arn| {
        let words = ["sts", "assume-role", "--role-arn", arn, "--role-session-name", "one"];
        server.call(&made["accessKey"], &words)
    };
    let stranger = assume("arn:aws:iam::999999999999:role/one");
    refused("unknown account", stranger, &["user/ana is not authorized", "sts:AssumeRole"]);
    refused("a name that is none", create("a b", TRUST_EC2), &["ValidationError", "role_name"]);
    assert_eq!(head(&server), before, "nothing was recorded");
    server.stop();
}

/// Protects resources: only the key, the secret and the token of one session together are its credentials.
#[test]
fn tokens_hold_for_their_own_key_account_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(
        folder.path(),
        &["--credentials-lifetime", "10s", "--rotation-interval", "5s"],
    );
    let operator = server.json("operator.json");
    let create = ["account", "create-account", "--account-id", "222222222222", "--name", "other"];
    let other = server.call(&operator, &create).unwrap()["rootKey"].clone();
    let mut sessions = Vec::new();
    for admin in [&server.dev, &other] {
        sessions.push(
            server.call(admin, &["sts", "get-session-token"]).unwrap()["credentials"].clone(),
        );
    }
    let whoami = |credentials: &Value| server.call(credentials, &["sts", "get-caller-identity"]);
    assert!(sessions.iter().all(|session| whoami(session).is_ok()));
    let mut mixed = sessions[0].clone();
    mixed["sessionToken"] = sessions[1]["sessionToken"].clone();
    refused("token of another account", whoami(&mixed), &["InvalidClientTokenId"]);
    let mut bare = sessions[0].clone();
    bare["sessionToken"] = Value::Null;
    refused("no token", whoami(&bare), &["InvalidClientTokenId"]);
    let mut wrong = sessions[0].clone();
    wrong["secretAccessKey"] = sessions[1]["secretAccessKey"].clone();
    refused("secret of another session", whoami(&wrong), &["SignatureDoesNotMatch"]);

    let steps: [&[&str]; 4] = [
        &["iam", "create-role", "--role-name", "app", "--trust-policy", TRUST_EC2],
        &["iam", "create-instance-profile", "--instance-profile-name", "app"],
        &[
            "iam",
            "add-role-to-instance-profile",
            "--instance-profile-name",
            "app",
            "--role-name",
            "app",
        ],
        &["instance", "launch-instance", "--instance-profile-name", "app"],
    ];
    let launched = steps.map(|words| server.admin(words).unwrap());
    let instance = launched[3]["instance"]["instanceId"].as_str().unwrap();
    let words = ["metadata", "get-instance-metadata", "--instance-id", instance];
    let metadata = server.call(&launched[3]["identityKey"], &words).unwrap();
    let credentials = &metadata["metadata"]["credentials"];
    assert!(whoami(credentials).unwrap()["arn"].as_str().unwrap().ends_with(instance));
    std::thread::sleep(Duration::from_secs(11));
    refused("expired token", whoami(credentials), &["ExpiredToken", "is expired"]);
}

/// Protects the log: damage is found, with its place; nobody writes beside a server; another's keyring
/// opens nothing.
#[test]
fn data_folders_are_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let server = Server::start(folder.path(), &[]);
    refused(
        "second server on the data folder",
        locum(&["serve", "--data-dir", path]),
        &["in use by process"],
    );
    for number in 0..50 {
        let name = format!("role-{number}");
        server
            .admin(&["iam", "create-role", "--role-name", &name, "--trust-policy", TRUST_EC2])
            .unwrap();
    }
    server.stop();
    assert!(locum(&["log", "verify", path]).unwrap().contains("whole"));

    let other = tempfile::tempdir().unwrap();
    let other_path = other.path().to_str().unwrap();
    locum(&["init", "--data-dir", other_path]).unwrap();
    let keyring = other.path().join("keyring.json");
    let wrong = ["serve", "--data-dir", path, "--keyring", keyring.to_str().unwrap()];
    refused("another installation's keyring", locum(&wrong), &["keyring"]);

    // A byte is flipped in every file of records, one after the other.
    let mut found = 0;
    let log = folder.path().join("log");
    let files: Vec<_> =
        std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in files {
        let is_data =
            file.extension().is_some_and(|extension| extension == "sst" || extension == "log");
        let bytes = std::fs::read(&file).unwrap();
        if !is_data || bytes.len() < 2000 {
            continue;
        }
        let mut damaged = bytes.clone();
        damaged[1000] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        refused("a flipped byte in the log", locum(&["log", "verify", path]), &["/log/0"]);
        std::fs::write(&file, &bytes).unwrap();
        found += 1;
    }
    assert!(found > 0, "no file of records");
    assert!(locum(&["log", "verify", path]).unwrap().contains("whole"));
}

/// Protects acknowledged writes: when the disk takes no more, writes are refused, reads go on, and what was
/// acknowledged is there after a restart.
#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A limit on the size of a file, in KiB: writes beyond it fail as they do on a full disk.
    let limited = format!("trap '' XFSZ; ulimit -f 64; exec {} dev", support::LOCUM);
    let server = Server::start_under(&limited, folder.path(), &[]);
    server.admin(&["iam", "create-user", "--user-name", "ana"]).unwrap();
    let mut made = Vec::new();
    let failure = loop {
        let name = format!("role-{}", made.len());
        let words = ["iam", "create-role", "--role-name", &name, "--trust-policy", TRUST_ANA];
        match server.admin(&words) {
            Ok(_) => made.push(name),
            Err(told) => break told,
        }
        assert!(made.len() < 1000, "the disk is never full");
    };
    refused("full disk", Err::<(), _>(failure), &["ServiceUnavailable"]);
    let listed = |server: &Server| {
        let roles = server.admin(&["iam", "list-roles", "--page-size", "1000"]).unwrap();
        roles["roles"].as_array().unwrap().len()
    };
    assert_eq!(listed(&server), made.len(), "reads go on");
    drop(server);
    let server = Server::start(folder.path(), &[]);
    assert!(listed(&server) >= made.len(), "every acknowledged write is there");
    println!("    {} writes were acknowledged, {} are there", made.len(), listed(&server));
}
