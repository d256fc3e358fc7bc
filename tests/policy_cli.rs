//! Policies before and after they decide: checked, tried out, explained and asked about, by the program as
//! a user runs it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{LOCUM, Server, locum};

const A: &str = "111111111111";

/// A file with `text` in `folder`.
fn file(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs the program with `input`: its exit code and output.
fn fed(args: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut process = Command::new(LOCUM)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = process.wait_with_output().unwrap();
    // It fails where the program has read enough before the end.
    drop(writer.join().unwrap());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn allow(action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Sid":"Main","Effect":"Allow","Action":"{action}","Resource":"{resource}"}}}}"#
    )
}

fn trust(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{principal},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}}}"#
    )
}

const MENDED: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:DeleteRole","Resource":"*"}}"#;
/// A fence by a key that AWS has and no request here.
const FENCE: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"*","Condition":{"Bool":{"ec2:Encrypted":"false"}}}}"#;
const WARNED: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"iam:DeletRole","Resource":"*"}}"#;

/// Protects editors and CI: findings on lines of their own, and an exit code by what was found.
#[test]
fn lint_tells_mistakes_and_warnings_by_place() {
    let folder = tempfile::tempdir().unwrap();
    let fine = file(folder.path(), "fine.json", MENDED);
    let warned = file(folder.path(), "warned.json", WARNED);
    let broken = file(folder.path(), "broken.json", "{\n \"Statment\": []\n}");
    let (fine, warned, broken) =
        (fine.to_str().unwrap(), warned.to_str().unwrap(), broken.to_str().unwrap());

    assert_eq!(fed(&["policy", "lint", fine], b""), (0, String::new(), String::new()));
    let (code, out, _) = fed(&["policy", "lint", fine, warned], b"");
    assert_eq!(code, 0);
    let line = format!(
        "{warned}:1:63: warning: `iam:DeletRole` matches no action of the service; did you mean `iam:DeleteRole`? [unknown-action]\n"
    );
    assert_eq!(out, line);
    let (code, out, error) = fed(&["policy", "lint", "--deny-warnings", warned], b"");
    assert_eq!((code, out), (1, line));
    assert_eq!(error, "locum: errors: 0, warnings: 1\n");

    let (code, out, error) = fed(&["policy", "lint", broken, warned], b"");
    assert_eq!((code, out.lines().count()), (1, 2));
    assert_eq!(
        out.lines().next().unwrap(),
        format!(
            "{broken}:2:2: error: unknown element `Statment`; did you mean `Statement`? [malformed-policy]"
        )
    );
    assert_eq!(error, "locum: errors: 1, warnings: 1\n");

    let (code, out, _) = fed(&["policy", "lint", "--output", "json", "-"], WARNED.as_bytes());
    assert_eq!(code, 0);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found[0]["file"], "<stdin>");
    assert_eq!(found[0]["severity"], "warning");
    assert_eq!(found[0]["rule"], "unknown-action");
    assert_eq!(found[0]["path"], "$.Statement.Action");
    assert_eq!((found[0]["line"].as_u64(), found[0]["column"].as_u64()), (Some(1), Some(63)));
    assert_eq!(found[0]["suggestion"], "iam:DeleteRole");

    let (code, out, _) = fed(&["policy", "lint", "-"], FENCE.as_bytes());
    assert!(code == 0 && out.contains("this Deny never refuses anything [key-never-set]"), "{out}");

    // What a document is attached to is guessed, or said.
    let open = trust(r#"{"AWS":"*"}"#);
    let (_, out, _) = fed(&["policy", "lint", "-"], open.as_bytes());
    assert!(out.contains("[trust-anyone]"), "{out}");
    let (code, out, _) = fed(&["policy", "lint", "--kind", "identity", "-"], open.as_bytes());
    assert!(code == 1 && out.contains("`Resource` or `NotResource` is missing"), "{out}");

    let absent = locum(&["policy", "lint", "no-such-file.json"]).unwrap_err();
    assert!(absent.contains("cannot read no-such-file.json"), "{absent}");
    let (code, _, error) = fed(&["policy", "lint", "-"], &[0xff, 0xfe]);
    assert!(code == 1 && error.contains("<stdin> is not UTF-8"), "{error}");
    let (code, out, _) = fed(&["policy", "lint", "-"], &vec![b' '; 200_000]);
    assert!(code == 1 && out.contains("at most 131072 bytes"), "{out}");
}

/// Protects runs of many cases: a line that is no case is answered as such and stops nothing.
#[test]
fn simulate_goes_on_after_lines_that_are_no_cases() {
    let case = |id: &str, action: &str| {
        format!(
            r#"{{"id":"{id}","principal":"arn:aws:iam::{A}:user/ana","action":"{action}","resource":"arn:aws:s3:::photos/a","identityPolicies":[{{"name":"p","policy":{}}}]}}"#,
            allow("s3:Get*", "*")
        )
    };
    let mut input = Vec::new();
    let mut line = |bytes: &[u8]| {
        input.extend_from_slice(bytes);
        input.push(b'\n');
    };
    line(case("first", "s3:GetObject").as_bytes());
    line(b"");
    line(b"not JSON");
    line(b"  \t ");
    line(b"{\"id\":\"\xff\"}");
    line(br#"{"id":7,"principal":"nobody"}"#);
    line(&vec![b'x'; 5 * 1024 * 1024]);
    line(format!("{}\r", case("windows", "s3:PutObject")).as_bytes());
    line(case("malformed", "s3:GetObject").replace("Effect", "Effekt").as_bytes());
    input.extend_from_slice(case("last", "s3:GetObject").as_bytes());

    let (code, out, error) = fed(&["policy", "simulate", "--cases", "-"], &input);
    assert_eq!((code, error.as_str()), (0, ""));
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (line["id"].clone(), text("decision"), text("error"))
        })
        .collect();
    let expected = [
        (Value::from("first"), "allowed", ""),
        (Value::Null, "", "the case cannot be read"),
        (Value::Null, "", "not UTF-8 after 7 bytes"),
        (Value::from(7), "", "missing field"),
        (Value::Null, "", "a case has at most 4194304 bytes"),
        (Value::from("windows"), "implicitlyDenied", ""),
        (Value::from("malformed"), "", "unknown element `Effekt`; did you mean `Effect`?"),
        (Value::from("last"), "allowed", ""),
    ];
    assert_eq!(shown.len(), expected.len(), "{out}");
    for ((id, decision, error), (id_wanted, decision_wanted, error_wanted)) in
        shown.iter().zip(&expected)
    {
        assert_eq!((id, decision.as_str()), (id_wanted, *decision_wanted), "{error}");
        assert!(error.contains(error_wanted), "{error}");
        assert_eq!(error.is_empty(), error_wanted.is_empty(), "{error}");
    }
    assert_eq!(lines[0]["matched"][0]["sid"], "Main");
    assert_eq!(lines[0]["error"], Value::Null);
}

/// Protects CI: a case that comes to something else than it expects fails the run.
#[test]
fn simulate_fails_on_unexpected_decisions() {
    let case = |expect: &str| {
        format!(
            r#"{{"id":1,"principal":"anonymous","action":"s3:GetObject","resource":"arn:aws:s3:::photos/a","expect":"{expect}"}}"#
        )
    };
    let run = |case: String| fed(&["policy", "simulate", "--cases", "-"], case.as_bytes());
    assert_eq!(run(case("implicitlyDenied")).0, 0);
    let (code, out, error) = run(case("allowed"));
    assert_eq!(code, 1);
    assert!(out.contains(r#""expect":"allowed""#), "{out}");
    assert!(error.contains("1 cases came to another decision"), "{error}");
}

/// Protects those who store policies: a mistake is refused with its place, what is only odd is stored and
/// told.
#[test]
fn storing_a_policy_tells_what_is_odd() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let admin = |words: &[&str]| server.admin(words);
    admin(&["iam", "create-user", "--user-name", "ana"]).unwrap();
    let rules = |answer: &Value| -> Vec<String> {
        let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
        warnings.iter().map(|warning| warning["rule"].as_str().unwrap().to_owned()).collect()
    };
    let open = trust(r#"{"AWS":"*"}"#);
    let role = ["iam", "create-role", "--role-name", "open", "--trust-policy", &open];
    let answer = admin(&role).unwrap();
    assert_eq!(rules(&answer), ["trust-anyone"]);
    assert_eq!(answer["warnings"][0]["severity"], "FINDING_SEVERITY_WARNING");
    let update = ["iam", "update-trust-policy", "--role-name", "open", "--trust-policy", &open];
    assert_eq!(rules(&admin(&update).unwrap()), ["trust-anyone"]);
    let put = ["iam", "put-inline-policy", "--owner-user-name", "ana", "--policy-name", "odd"];
    let answer = admin(&[&put[..], &["--policy", WARNED]].concat()).unwrap();
    assert_eq!(rules(&answer), ["unknown-action"]);
    let fence = admin(&[&put[..], &["--policy", FENCE]].concat()).unwrap();
    assert_eq!(rules(&fence), ["key-never-set"]);
    let create = ["iam", "create-policy", "--policy-name", "odd", "--policy", WARNED];
    let answer = admin(&create).unwrap();
    assert_eq!(rules(&answer), ["unknown-action"]);
    let policy_arn = answer["policy"]["arn"].as_str().unwrap();
    let version = ["iam", "create-policy-version", "--policy-arn", policy_arn, "--policy", WARNED];
    assert_eq!(rules(&admin(&version).unwrap()), ["unknown-action"]);
    let find = |kind: &str, policy: &str| {
        let words = ["policy", "validate-policy", "--kind", kind, "--policy", policy];
        admin(&words).unwrap()["findings"].clone()
    };
    assert_eq!(find("POLICY_KIND_IDENTITY", MENDED), Value::Null);
    let found = find("POLICY_KIND_IDENTITY", WARNED);
    assert_eq!(
        (&found[0]["severity"], &found[0]["rule"]),
        (&"FINDING_SEVERITY_WARNING".into(), &"unknown-action".into())
    );
    assert_eq!(find("POLICY_KIND_IDENTITY", FENCE)[0]["rule"], "key-never-set");
    let found = find("POLICY_KIND_TRUST", MENDED);
    assert_eq!(found[0]["severity"], "FINDING_SEVERITY_ERROR");
    assert_eq!((&found[0]["line"], &found[0]["path"]), (&1.into(), &"$.Statement.Action".into()));
    let bad = MENDED.replace("iam:DeleteRole", "iam:");
    let refused = admin(&[&put[..], &["--policy", &bad]].concat()).unwrap_err();
    assert!(
        refused.contains("MalformedPolicyDocument")
            && refused.contains("$.Statement.Action (line 1, column 63)"),
        "{refused}"
    );
    // Last, since a guardrail that allows nothing leaves the account with nothing.
    let operator = server.json("operator.json");
    let guardrail = [
        "guardrail",
        "put-guardrail",
        "--kind",
        "GUARDRAIL_KIND_SERVICE_CONTROL",
        "--name",
        "odd",
        "--account-id",
        A,
        "--policy",
        WARNED,
    ];
    let answer = server.call(&operator, &guardrail).unwrap();
    assert_eq!(rules(&answer), ["unknown-action"]);
    server.stop();
}
