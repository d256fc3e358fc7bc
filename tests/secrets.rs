//! No secret is written down: a server that logs everything is taken through all that hands out secrets, and
//! every file it leaves, every event it tells and every line it logs is searched for each of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use locum::identity::AccessKeyId;
use locum::ledger::{Ledger, codec};
use locum::log::{EventLog, Sequence};
use locum::signing::{AccountKey, Keyring};
use serde_json::Value;
use support::{LOCUM, Server, locum};

const TRUST: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com","AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession"]}}"#;
const ALL: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
/// Fields of answers that hold secrets.
const SECRET_FIELDS: [&str; 4] =
    ["secretAccessKey", "sessionToken", "base32StringSeed", "otpauthUri"];

/// Every secret that was handed out, with what it is.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Keeps what an answer holds of secrets, and hands the answer on.
    fn of(&mut self, answer: Value) -> Value {
        match &answer {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(text) if SECRET_FIELDS.contains(&name.as_str()) => {
                            if !text.is_empty() {
                                self.0.push((name.clone(), text.to_owned()));
                            }
                        }
                        _ => drop(self.of(value.clone())),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| drop(self.of(value.clone()))),
            _ => {}
        }
        answer
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// One request to the metadata service: the body.
fn http(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    write!(stream, "{request}\r\nHost: metadata\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// All that hands out secrets: long-term keys of every kind, sessions of every kind, metadata and its
/// tokens, refusals, revocation and rotation.
fn play(server: &Server, secrets: &mut Secrets) {
    let operator = server.json("operator.json");
    let mut admin = |words: &[&str]| secrets.of(server.admin(words).unwrap());
    let user = admin(&["iam", "create-user", "--user-name", "ana"]);
    assert_eq!(user["user"]["userName"], "ana");
    let ana = admin(&["iam", "create-access-key", "--user-name", "ana"])["accessKey"].clone();
    let put = ["iam", "put-inline-policy", "--owner-user-name", "ana", "--policy-name", "p"];
    admin(&[&put[..], &["--policy", ALL]].concat());
    admin(&["iam", "create-role", "--role-name", "app", "--trust-policy", TRUST]);
    admin(&["iam", "create-instance-profile", "--instance-profile-name", "app"]);
    let add = ["iam", "add-role-to-instance-profile", "--instance-profile-name", "app"];
    admin(&[&add[..], &["--role-name", "app"]].concat());
    admin(&["iam", "create-agent", "--agent-name", "host"]);
    let launch = ["instance", "launch-instance", "--instance-profile-name", "app"];
    let launched = admin(&[&launch[..], &["--private-ip", "127.0.0.1"]].concat());
    admin(&["sts", "get-session-token"]);
    admin(&["iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "phone"]);
    let id = launched["instance"]["instanceId"].as_str().unwrap();
    admin(&["revocation", "revoke-instance-sessions", "--instance-id", id]);

    let role = "arn:aws:iam::111111111111:role/app";
    let assume = ["sts", "assume-role", "--role-arn", role, "--role-session-name", "one"];
    let tagged = [&assume[..], &["--tags", "team=blue", "--policy", ALL]].concat();
    let session = secrets.of(server.call(&ana, &tagged).unwrap())["credentials"].clone();
    // A refusal carries its evidence, sealed.
    assert!(server.call(&session, &["iam", "list-users"]).is_err());
    server.call(&session, &["sts", "get-caller-identity"]).unwrap();
    let metadata = ["metadata", "get-instance-metadata"];
    secrets.of(server.call(&launched["identityKey"], &metadata).unwrap());
    let create = ["account", "create-account", "--account-id", "222222222222", "--name", "b"];
    secrets.of(server.call(&operator, &create).unwrap());
    secrets.of(server.call(&operator, &["keyring", "rotate-keyring"]).unwrap());

    let metadata = server.dev["metadata"].as_str().unwrap();
    let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60";
    let token = http(metadata, &format!("PUT /latest/api/token HTTP/1.1\r\n{ttl}"));
    let path = "/latest/meta-data/iam/security-credentials/app";
    let token_header = format!("X-aws-ec2-metadata-token: {token}");
    let document = http(metadata, &format!("GET {path} HTTP/1.1\r\n{token_header}"));
    let document: Value = serde_json::from_str(&document).unwrap();
    secrets.0.push(("metadata token".to_owned(), token));
    for name in ["SecretAccessKey", "Token"] {
        secrets.0.push((name.to_owned(), document[name].as_str().unwrap().to_owned()));
    }
}

/// Protects every secret there is: none is in a log line at the most talkative level, in an event, in a
/// snapshot, in the log, or in anything else of the data folder but the files that are there to hold it.
#[test]
fn no_secret_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let lines = folder.path().join("lines.log");
    let talkative = format!("exec 2>>{}; LOCUM_LOG=trace exec {LOCUM} dev", lines.display());
    let server = Server::start_under(&talkative, &data, &[]);
    let mut secrets = Secrets::default();
    play(&server, &mut secrets);
    secrets.of(server.dev.clone());
    secrets.of(server.json("operator.json"));
    let mut told = String::new();
    for account in ["000000000000", "111111111111", "222222222222"] {
        let words = ["event", "read-events", "--account-id", account, "--limit", "1000"];
        told.push_str(&server.call(&server.json("operator.json"), &words).unwrap().to_string());
    }
    let field = |name: &str| server.dev[name].as_str().unwrap().to_owned();
    let (key, secret) = (field("accessKeyId"), field("secretAccessKey"));
    server.stop();
    told.push_str(&locum(&["log", "dump", data.to_str().unwrap()]).unwrap());
    assert!(told.contains("SessionIssued") && told.contains("CredentialsRotated"));
    assert!(secrets.0.len() >= 15, "only {} secrets were handed out", secrets.0.len());

    // Root keys, as their file holds them and as they are.
    let keyring = fs::read_to_string(data.join("keyring.json")).unwrap();
    let stored: Value = serde_json::from_str(&keyring).unwrap();
    let mut searched: Vec<(String, Vec<u8>)> =
        secrets.0.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
    for key in stored["keys"].as_array().unwrap() {
        let text = key["key"].as_str().unwrap();
        let bytes = STANDARD.decode(text).unwrap();
        searched.push(("root key in base64".to_owned(), text.as_bytes().to_vec()));
        searched.push(("root key in hex".to_owned(), hex::encode(&bytes).into_bytes()));
        searched.push(("root key".to_owned(), bytes));
    }

    let meant = ["keyring.json", "dev.json", "operator.json"];
    let mut places: Vec<(String, Vec<u8>)> = vec![("events".to_owned(), told.into_bytes())];
    for file in files(folder.path()) {
        if !meant.iter().any(|name| file.ends_with(name)) {
            places.push((file.display().to_string(), fs::read(&file).unwrap()));
        }
    }
    places.push(("Debug".to_owned(), printed(&data).into_bytes()));
    let lines = fs::read_to_string(&lines).unwrap();
    assert!(lines.contains("TRACE"), "the server was not talkative");
    for (place, bytes) in &places {
        for (name, secret) in &searched {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "a {name} is in {place}");
        }
    }
    no_account_key(&key.parse().unwrap(), &secret, &places);
}

/// The state, every fact, and the keyring as `Debug` prints them.
fn printed(data: &Path) -> String {
    let keyring = Keyring::load(&data.join("keyring.json")).unwrap();
    let (ledger, writer, _) = Ledger::open(EventLog::open(data).unwrap().0).unwrap();
    let mut text = format!("{keyring:?} {keyring:#?} {:?}", ledger.view());
    for record in ledger.log().read(Sequence(1), 10_000).unwrap() {
        text.push_str(&format!("{:?}", codec::decode(record.payload().unwrap()).unwrap()));
    }
    drop(writer);
    text
}

/// Searches for the account's key itself: 32 bytes from which the known secret comes.
fn no_account_key(id: &AccessKeyId, secret: &str, places: &[(String, Vec<u8>)]) {
    for (place, bytes) in places {
        let is_key = |window: &[u8]| {
            let key: [u8; 32] = window.try_into().unwrap();
            AccountKey::from_bytes(key).secret(id).expose() == secret
        };
        assert!(!bytes.windows(32).any(is_key), "the account's key is in {place}");
    }
}
