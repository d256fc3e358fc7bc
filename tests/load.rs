//! `locum load` against a real server: what it counts is what the server's log says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use support::{LOCUM, Server};

/// Runs `locum load ARGS` against a server as the bearer of `credentials`.
fn load(server: &Server, credentials: &Value, args: &[&str]) -> Output {
    let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
    let dev = &server.dev;
    Command::new(LOCUM)
        .arg("load")
        .args(args)
        .env("LOCUM_ENDPOINT", text(dev, "endpoint"))
        .env("AWS_ENDPOINT_URL", text(dev, "aws"))
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", text(dev, "metadata"))
        .env("AWS_REGION", text(dev, "region"))
        .env("AWS_ACCESS_KEY_ID", text(credentials, "accessKeyId"))
        .env("AWS_SECRET_ACCESS_KEY", text(credentials, "secretAccessKey"))
        .env_remove("AWS_SESSION_TOKEN")
        .output()
        .unwrap()
}

fn well(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}\n{errors}");
    told
}

/// How many events of a kind the log has of all accounts.
fn events(server: &Server, operator: &Value, kind: &str) -> u64 {
    let accounts = server.call(operator, &["account", "list-accounts"]).unwrap();
    let accounts = accounts["accounts"].as_array().unwrap();
    let mut count = 0;
    for account in accounts {
        let (id, mut from) = (account["accountId"].as_str().unwrap(), "0".to_owned());
        loop {
            let asked = ["event", "read-events", "--account-id", id, "--kinds", kind];
            let page = [&asked[..], &["--limit", "1000", "--from-sequence", &from]].concat();
            let page = server.call(operator, &page).unwrap();
            let events = page["events"].as_array().map_or(0, Vec::len);
            if events == 0 {
                break;
            }
            count += events as u64;
            from = page["nextSequence"].as_str().unwrap().to_owned();
        }
    }
    count
}

fn scenario(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const EVERYTHING: &str = r#"
name = "everything <of> it"
duration = "2s"
warm_up = "0s"
connections = 2
[arrivals]
kind = "open"
rate = 60.0
[population]
prefix = "t-all"
accounts = 3
instances = 2
churn_instances = 2
zipf_exponent = 1.0
first_address = "127.90.0.1"
"#;

const PARTS: [(&str, &str); 8] = [
    ("metadata-read", "http"),
    ("metadata-read", "grpc"),
    ("assume-role", "grpc"),
    ("assume-role", "query"),
    ("assume-role-chained", "grpc"),
    ("assume-role-chained", "query"),
    ("association-churn", "grpc"),
    ("authorize", "grpc"),
];

fn everything() -> String {
    let mut text = EVERYTHING.to_owned();
    for (operation, protocol) in PARTS {
        text.push_str(&format!(
            "[[mix]]\noperation = \"{operation}\"\nprotocol = \"{protocol}\"\nweight = 1\n"
        ));
    }
    text
}

/// Protects the word success: of every operation over every protocol, what a report counts as done is what the
/// server did, no more and no less; a second run is made with the same accounts; and cleaning up leaves none.
#[test]
fn what_is_reported_is_what_the_log_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let operator = server.json("operator.json");
    let path = scenario(folder.path(), "everything.toml", &everything());
    let (json, html) = (folder.path().join("a.json"), folder.path().join("a.html"));
    let pid = server.id().to_string();
    let files = ["--json", json.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let args = [&["run", &path, "--server-pid", &pid][..], &files].concat();
    let told = well(&load(&server, &operator, &args));
    assert!(told.contains("us CPU a request"), "{told}");

    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let operations = report["operations"].as_array().unwrap();
    let mut done = std::collections::BTreeMap::new();
    for (part, (operation, protocol)) in operations.iter().zip(PARTS) {
        assert_eq!((&part["operation"], &part["protocol"]), (&operation.into(), &protocol.into()));
        let counts = &part["counts"];
        assert_eq!(
            (&counts["failed"], &counts["throttled"]),
            (&Value::from(serde_json::Map::new()), &serde_json::json!({}))
        );
        assert!(counts["done"].as_u64().unwrap() > 0, "{operation} over {protocol}: {counts}");
        *done.entry(operation).or_insert(0) += counts["done"].as_u64().unwrap();
    }
    let total = &report["total"];
    let not_made = total["not_made"].as_u64().unwrap();
    assert_eq!(total["timed_out"], 0);
    assert_eq!(done.values().sum::<u64>(), total["done"].as_u64().unwrap());
    let due = report["generator"]["due"].as_u64().unwrap();
    let dropped = report["generator"]["dropped"].as_u64().unwrap();
    assert_eq!(total["done"].as_u64().unwrap() + not_made + dropped, due);
    assert_eq!(due, 120);
    let sessions = done["assume-role"] + done["assume-role-chained"];
    let aside = report["aside"]["sessions"].as_u64().unwrap();
    assert_eq!(sessions + aside, events(&server, &operator, "SessionIssued"));
    // Each set-up associates every instance once, and each churn once more.
    let instances = 3 * (2 + 2);
    let churned = done["association-churn"];
    assert_eq!(instances + churned, events(&server, &operator, "ProfileAssociated"));

    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("everything &lt;of&gt; it") && !page.contains("http://127"), "{page}");
    assert!(page.matches("<polyline").count() >= 10 && page.matches("</svg>").count() == 5);

    let again = well(&load(&server, &operator, &["run", &path, "--cleanup"]));
    assert!(again.contains("removed: 3 accounts of `t-all`"), "{again}");
    let left = server.call(&operator, &["account", "list-accounts"]).unwrap();
    let names: Vec<_> = left["accounts"].as_array().unwrap().iter().collect();
    assert!(names.iter().all(|account| !account["name"].as_str().unwrap().starts_with("t-all")));
}

const OWN: &str = r#"
name = "own"
duration = "1s"
warm_up = "0s"
[arrivals]
kind = "closed"
callers = 2
expected_interval = "5ms"
[population]
prefix = "t-own"
[[mix]]
operation = "assume-role"
protocol = "grpc"
weight = 1
[[mix]]
operation = "metadata-read"
protocol = "grpc"
weight = 1
"#;

/// Protects administrators of one account, who can drive load in it, twice, and clean up after themselves; and
/// comparisons, which read what runs write.
#[test]
fn an_administrator_drives_load_in_their_own_account() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let path = scenario(folder.path(), "own.toml", OWN);
    let reports = ["a.json", "b.json"].map(|name| folder.path().join(name));
    for report in &reports {
        let args = ["run", &path, "--json", report.to_str().unwrap()];
        let told = well(&load(&server, &server.dev, &args));
        assert!(told.contains("closed loop of 2 callers") && !told.contains("failed"), "{told}");
    }
    let [a, b] = reports.each_ref().map(|report| report.to_str().unwrap());
    let told = well(&load(&server, &server.dev, &["compare", a, b]));
    assert!(told.contains("too short to tell"), "{told}");
    let told = well(&load(&server, &server.dev, &["cleanup", &path]));
    assert!(told.contains("1 instances of `t-own`"), "{told}");
    let roles = server.admin(&["iam", "list-roles"]).unwrap();
    assert!(roles["roles"].as_array().is_none_or(Vec::is_empty), "{roles}");
    let many = OWN.replace("prefix = \"t-own\"", "prefix = \"t-own\"\naccounts = 2");
    let many = scenario(folder.path(), "many.toml", &many);
    let refused = load(&server, &server.dev, &["run", &many]);
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && errors.contains("`population.accounts` must be 1"),
        "{errors}"
    );
}

/// Protects the ramp: it ends, and tells the last good rate.
#[test]
fn a_ramp_tells_the_last_good_rate() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let ramp = "kind = \"ramp\"\nstart = 20.0\nfactor = 2.0\nrate_max = 50.0\n\
        step_duration = \"500ms\"\np99_max = \"30s\"\n";
    let closed = "kind = \"closed\"\ncallers = 2\nexpected_interval = \"5ms\"\n";
    let path = scenario(folder.path(), "ramp.toml", &OWN.replace(closed, ramp));
    let told = well(&load(&server, &server.dev, &["run", &path]));
    assert!(told.contains("knee: 40/s was the last good rate"), "{told}");
    assert!(told.contains("`rate_max` of 50/s was reached, so this is no knee"), "{told}");
}

/// Protects who mistypes: an endpoint where nobody answers, a scenario that is wrong and a process that is not there
/// are told as that, and nothing is reported.
#[test]
fn what_cannot_be_driven_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = scenario(folder.path(), "own.toml", OWN);
    let wrong = scenario(folder.path(), "wrong.toml", &OWN.replace("callers = 2", "callers = 0"));
    let complaint = |args: &[&str]| {
        let output = Command::new(LOCUM)
            .args(["load", "run"])
            .args(args)
            .args(["--endpoint", "http://127.0.0.1:1"])
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let told = complaint(&[&path]);
    assert!(told.contains("GetCallerIdentity at http://127.0.0.1:1 failed"), "{told}");
    assert!(complaint(&[&wrong]).contains("`arrivals.callers` must be from 1"));
    assert!(complaint(&[&path, "--server-pid", "4294967295"]).contains("cannot be read in /proc"));
    assert!(complaint(&["/nowhere.toml"]).contains("cannot read `/nowhere.toml`"));
}

/// Protects other load generators' users: the request that is written for wrk is answered with sessions. Looks no
/// further where there is no wrk.
#[test]
fn wrk_sends_what_is_written_for_it() {
    if Command::new("wrk").arg("-v").output().is_err() {
        eprintln!("nothing was tested: `wrk` is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let path = scenario(folder.path(), "own.toml", OWN);
    well(&load(&server, &server.dev, &["run", &path]));
    let before = events(&server, &server.json("operator.json"), "SessionIssued");
    let key = server.admin(&["iam", "create-access-key", "--user-name", "t-own-user"]).unwrap();
    let role = format!("arn:aws:iam::{}:role/t-own-first", server.dev["account"].as_str().unwrap());
    let out = folder.path().join("payload");
    let args = ["payload", "assume-role", "--for", "wrk", "--role-arn", &role, "--out"];
    let args = [&args[..], &[out.to_str().unwrap()]].concat();
    well(&load(&server, &key["accessKey"], &args));
    let output = Command::new("wrk")
        .args(["-t1", "-c2", "-d1s", "-s", out.join("wrk.lua").to_str().unwrap()])
        .arg(format!("{}/", server.dev["aws"].as_str().unwrap()))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !told.contains("Non-2xx"), "{told}");
    let line = told.lines().find(|line| line.contains("requests in")).unwrap();
    let answered: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    let issued = events(&server, &server.json("operator.json"), "SessionIssued") - before;
    // What was under way when wrk ended was done as well, at most one request a connection.
    assert!(answered > 0 && (answered..=answered + 2).contains(&issued), "{answered} {issued}");
}
