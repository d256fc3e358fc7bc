//! A data folder that an older build wrote, with policies, trust and agents that are judged otherwise by now: it opens,
//! means what it meant, and `locum policy lint --stored` goes through it. `tests/stored/write.py` wrote it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use support::{Server, locum};

const WRITTEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stored/3aaf098");
/// Bytes of the folder.
const FOLDER_MAX: u64 = 200_000;

/// A copy of the folder.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let size = copy_into(Path::new(WRITTEN), folder.path());
    assert!(size < FOLDER_MAX, "{size} bytes");
    // A checkout keeps no modes but the executable bit.
    let keyring = folder.path().join("keyring.json");
    std::fs::set_permissions(keyring, Permissions::from_mode(0o600)).unwrap();
    folder
}

fn copy_into(from: &Path, to: &Path) -> u64 {
    std::fs::create_dir_all(to).unwrap();
    let copied = std::fs::read_dir(from).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_into(&entry.path(), &to),
            false => std::fs::copy(entry.path(), to).unwrap(),
        }
    });
    copied.sum()
}

fn key(name: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(WRITTEN).join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Protects who updates: what is refused by now is told, each by its place and rule, and nothing else.
#[test]
fn what_an_older_build_took_is_gone_through() {
    let folder = copy();
    let words = ["policy", "lint", "--stored", folder.path().to_str().unwrap(), "--output", "json"];
    let told = locum(&[&words[..], &["--deny-warnings"]].concat()).unwrap_err();
    assert!(told.contains("errors: "), "{told}");
    let printed = std::process::Command::new(support::LOCUM).args(words).output().unwrap().stdout;
    let found: Value = serde_json::from_slice(&printed).unwrap();
    let found: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap();
            let place = text("file").trim_start_matches("arn:aws:iam::111111111111:").to_owned();
            (place, text("rule").to_owned())
        })
        .collect();
    let expected = [
        ("user/ana, inline policy assumes", "assume-any-role"),
        ("user/ana, inline policy denies-a-pattern", "refused-by-now"),
        ("user/ana, inline policy scalar-on-a-list", "missing-set-operator"),
        ("user/ana, inline policy service-wildcard", "refused-by-now"),
        ("user/ana, inline policy two-parts", "refused-by-now"),
        ("role/any-workflow, trust policy", "refused-by-now"),
        ("role/ghosts, trust policy", "unbound-principal"),
        ("role/hosts, trust policy", "unbound-principal"),
        ("role/misspelt, trust policy", "refused-by-now"),
        ("role/strangers, trust policy", "unbound-principal"),
        ("policy/old, version v1", "refused-by-now"),
    ];
    let expected = expected.map(|(place, rule)| (place.to_owned(), rule.to_owned()));
    assert_eq!(found, expected);
}

/// Protects who updates: the folder opens, keys work, policies are kept to the letter and mean what they meant, and what
/// is refused by now is refused when it is put again.
#[test]
fn what_an_older_build_wrote_means_what_it_meant() {
    let folder = copy();
    let server = Server::start(folder.path(), &[]);
    let ana = key("ana.json");
    let identity = server.call(&ana, &["sts", "get-caller-identity"]).unwrap();
    assert_eq!(identity["arn"], "arn:aws:iam::111111111111:user/ana");

    // Two names that are one by now: both stay, and each is found by its own spelling.
    let inline = |user: &str| {
        let got = server.admin(&["iam", "get-user", "--user-name", user]).unwrap();
        let policies = got["user"]["inlinePolicies"].as_array().unwrap().iter();
        let text = |policy: &Value, name: &str| policy[name].as_str().unwrap().to_owned();
        let named = policies.map(|policy| (text(policy, "policyName"), text(policy, "policy")));
        named.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(inline("ben").keys().collect::<Vec<_>>(), ["Main", "main"]);
    let delete =
        ["iam", "delete-inline-policy", "--owner-user-name", "ben", "--policy-name", "main"];
    server.admin(&delete).unwrap();
    assert_eq!(inline("ben").keys().collect::<Vec<_>>(), ["Main"]);

    // What is refused is kept, and cannot be put again.
    let kept = inline("ana")["two-parts"].clone();
    let put =
        ["iam", "put-inline-policy", "--owner-user-name", "ana", "--policy-name", "two-parts"];
    let refused = server.admin(&[&put[..], &["--policy", &kept]].concat()).unwrap_err();
    assert!(refused.contains("is no policy"), "{refused}");

    // Whom a trust policy names without being bound is still whoever has the name.
    let assume = |by: &Value, role: &str| {
        let arn = format!("arn:aws:iam::111111111111:role/{role}");
        server.call(by, &["sts", "assume-role", "--role-arn", &arn, "--role-session-name", "one"])
    };
    assert_eq!(assume(&ana, "anas").map(drop), Ok(()));
    assert!(assume(&ana, "misspelt").is_ok());
    server.admin(&["iam", "create-user", "--user-name", "ghost"]).unwrap();
    let allow =
        json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}});
    let put = ["iam", "put-inline-policy", "--owner-user-name", "ghost", "--policy-name", "p"];
    server.admin(&[&put[..], &["--policy", &allow.to_string()]].concat()).unwrap();
    let made = server.admin(&["iam", "create-access-key", "--user-name", "ghost"]).unwrap();
    assert!(assume(&made["accessKey"], "ghosts").is_ok());
}

/// Protects instances of a host: the agent that has its predecessor's name serves those that were launched on it alone.
#[test]
fn an_agent_serves_what_was_launched_on_it() {
    let folder = copy();
    let server = Server::start(folder.path(), &[]);
    let listed = server.admin(&["instance", "describe-instances"]).unwrap();
    let mut instances = listed["instances"].as_array().unwrap().clone();
    instances.sort_by_key(|instance| instance["launchedAt"].as_str().unwrap().to_owned());
    let agent = key("agent.json");
    let served = instances.iter().map(|instance| {
        let id = instance["instanceId"].as_str().unwrap();
        server.call(&agent, &["metadata", "get-instance-metadata", "--instance-id", id]).is_ok()
    });
    assert_eq!(served.collect::<Vec<_>>(), [false, true]);
}
