//! Decisions explained by the program as a user runs it, against a server: chains of roles, who can do a
//! thing, simulations, and the evidence of refusals.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::process::Command;

use serde_json::Value;
use support::{LOCUM, Server};

const A: &str = "111111111111";
const B: &str = "222222222222";

/// Runs a command whose output is for people, as the bearer of `credentials`: what it printed, or what it
/// complained of.
fn run(server: &Server, credentials: &Value, args: &[&str]) -> Result<String, String> {
    let output = Command::new(LOCUM)
        .args(args)
        .args(["--endpoint", server.dev["endpoint"].as_str().unwrap()])
        .env("AWS_ACCESS_KEY_ID", credentials["accessKeyId"].as_str().unwrap())
        .env("AWS_SECRET_ACCESS_KEY", credentials["secretAccessKey"].as_str().unwrap())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn told(server: &Server, credentials: &Value, args: &[&str]) -> String {
    run(server, credentials, args).unwrap()
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

/// Two accounts: the user ana and the roles first, second and third, each trusting the one before; third
/// is of the other account.
struct Stage {
    server: Server,
    /// The root of the other account.
    other: Value,
    ana: Value,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &[]);
        let operator = server.json("operator.json");
        let create = ["account", "create-account", "--account-id", B, "--name", "other"];
        let other = server.call(&operator, &create).unwrap()["rootKey"].clone();
        server.admin(&["iam", "create-user", "--user-name", "ana"]).unwrap();
        let made = server.admin(&["iam", "create-access-key", "--user-name", "ana"]).unwrap();
        let ana = made["accessKey"].clone();
        let stage = Self { server, other, ana, _folder: folder };
        stage.role(&stage.server.dev, "first", &format!(r#"{{"AWS":"arn:aws:iam::{A}:root"}}"#));
        let by_first = format!(r#"{{"AWS":"arn:aws:iam::{A}:role/first"}}"#);
        stage.role(&stage.server.dev, "second", &by_first);
        let by_second = format!(r#"{{"AWS":"arn:aws:iam::{A}:role/second"}}"#);
        stage.role(&stage.other, "third", &by_second);
        stage.put("--owner-user-name", "ana", &allow("sts:*", &arn(A, "role/first")));
        stage.put("--owner-role-name", "second", &allow("sts:*", &arn(B, "role/third")));
        stage
    }

    fn role(&self, account: &Value, name: &str, principal: &str) {
        let words = ["iam", "create-role", "--role-name", name, "--max-session", "7200s"];
        let trust = trust(principal);
        let words = [&words[..], &["--trust-policy", &trust]].concat();
        let answer = self.server.call(account, &words).unwrap();
        let warnings = answer["warnings"].as_array().into_iter().flatten();
        // Who of another account is trusted is always told of.
        let surprising = warnings.filter(|warning| warning["rule"] != "foreign-principal");
        assert_eq!(surprising.count(), 0, "{answer}");
    }

    fn put(&self, flag: &str, owner: &str, policy: &str) {
        let words = ["iam", "put-inline-policy", flag, owner, "--policy-name", "main"];
        self.server.admin(&[&words[..], &["--policy", policy]].concat()).unwrap();
    }
}

fn arn(account: &str, resource: &str) -> String {
    format!("arn:aws:iam::{account}:{resource}")
}

/// Protects users of chains: before any key is issued each step tells both sides, what it carries and how
/// long it can last, and the first that fails says why.
#[test]
fn a_chain_is_explained_before_it_is_walked() {
    let stage = Stage::set();
    let (ana, first, second, third) =
        (arn(A, "user/ana"), arn(A, "role/first"), arn(A, "role/second"), arn(B, "role/third"));
    let chain = [
        "policy",
        "explain-assume-role",
        "--principal-arn",
        &ana,
        "--role-arns",
        &first,
        "--role-arns",
        &second,
        "--role-arns",
        &third,
        "--tags",
        "team=red",
        "--tags",
        "step=one",
        "--transitive-tag-keys",
        "team",
        "--source-identity",
        "ana",
    ];
    let before = stage.server.admin(&["iam", "list-roles"]).unwrap()["sequence"].clone();
    let answer = stage.server.admin(&chain).unwrap();
    assert_eq!(answer["possible"], true, "{answer:#}");
    let steps = answer["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    let session = |role: &str| format!("arn:aws:sts::{A}:assumed-role/{role}/explain");
    assert_eq!(steps[0]["principalArn"], ana.as_str());
    assert_eq!(steps[1]["principalArn"], session("first"));
    assert_eq!(steps[2]["principalArn"], session("second"));
    for step in steps {
        assert_eq!(step["possible"], true);
        assert_eq!(step["roleSide"], "VERDICT_ALLOW", "{step:#}");
        assert_eq!(step["sourceIdentity"], "ana");
        let actions: Vec<_> =
            step["judged"].as_array().unwrap().iter().map(|judged| &judged["action"]).collect();
        assert_eq!(actions, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]);
    }
    // The second trusts the first by its ARN in the same account: its own policies need not allow.
    let own: Vec<_> = steps.iter().map(|step| &step["callerSide"]).collect();
    assert_eq!(own, ["VERDICT_ALLOW", "VERDICT_IMPLICIT_DENY", "VERDICT_ALLOW"]);
    let longest: Vec<_> = steps.iter().map(|step| &step["longestSession"]).collect();
    assert_eq!(longest, ["7200s", "3600s", "3600s"]);
    assert_eq!(steps[0]["tags"].as_array().unwrap().len(), 2);
    assert_eq!(steps[1]["tags"][0]["key"], "team");
    assert_eq!(steps[2]["tags"].as_array().unwrap().len(), 1);
    // Of the other account's trust policy nothing is shown.
    let shown = steps[2]["judged"][0]["policies"].as_array().unwrap();
    assert!(shown.iter().all(|policy| policy["kind"] != "resource-based policy"), "{shown:?}");
    let after = stage.server.admin(&["iam", "list-roles"]).unwrap()["sequence"].clone();
    assert_eq!(before, after, "an explanation was recorded");

    // Who may not simulate learns nothing.
    let refused = stage.server.call(&stage.ana, &chain).unwrap_err();
    assert!(
        refused.contains("not authorized to perform: iam:SimulatePrincipalPolicy"),
        "{refused}"
    );
}

/// Protects readers of explanations: the same for people, and where a chain breaks.
#[test]
fn a_chain_is_explained_in_sentences() {
    let stage = Stage::set();
    let (ana, first, second, third) =
        (arn(A, "user/ana"), arn(A, "role/first"), arn(A, "role/second"), arn(B, "role/third"));
    let dev = &stage.server.dev;
    let text = told(
        &stage.server,
        dev,
        &["policy", "explain", "--principal", &ana, "--assume", &first, "--assume", &second],
    );
    assert!(text.contains("caller's side: allowed  role's side: allowed"), "{text}");
    assert!(text.contains("longest session: 7200 s") && text.contains("longest session: 3600 s"));
    assert!(text.ends_with("the chain is possible\n"), "{text}");
    let text = told(
        &stage.server,
        dev,
        &["policy", "explain", "--principal", &ana, "--assume", &second, "--assume", &third],
    );
    assert!(text.contains("role's side: not allowed"), "{text}");
    assert!(text.contains("because no resource-based policy allows the sts:AssumeRole action"));
    assert!(
        text.ends_with("the chain is not possible\n") && !text.contains("role/third"),
        "{text}"
    );
}

/// Protects administrators who ask who can: users, roles, other accounts and services, and on what terms.
#[test]
fn who_can_lists_roles_users_and_accounts() {
    let stage = Stage::set();
    let dev = &stage.server.dev;
    let principal = format!(
        r#"{{"AWS":["arn:aws:iam::{A}:root","arn:aws:iam::{B}:root"],"Service":"ec2.amazonaws.com"}}"#
    );
    stage.role(dev, "shared", &principal);
    let shared = arn(A, "role/shared");
    stage.put("--owner-user-name", "ana", &allow("sts:AssumeRole", &shared));
    let text = told(&stage.server, dev, &["policy", "who-can", "sts:AssumeRole", &shared]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            &format!("user     {}  by trust, main", arn(A, "user/ana")),
            &format!("trusted  {}  by trust  if its own account lets it", arn(B, "root")),
            "trusted  ec2.amazonaws.com  by trust  if its own account lets it",
        ]
    );
    let photos = "arn:aws:s3:::photos/a";
    let conditional = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:Get*","Resource":"{photos}","Condition":{{"IpAddress":{{"aws:SourceIp":"192.0.2.0/24"}}}}}}}}"#
    );
    stage.put("--owner-role-name", "first", &conditional);
    let ask = |more: &[&str]| {
        let words = ["policy", "who-can", "s3:GetObject", photos];
        told(&stage.server, dev, &[&words[..], more].concat())
    };
    let (root, first) = (arn(A, "root"), arn(A, "role/first"));
    assert_eq!(ask(&[]), format!("root     {root}\n"));
    let met = ask(&["--context", "aws:SourceIp=192.0.2.7"]);
    assert_eq!(met, format!("root     {root}\nrole     {first}  by main\n"));
    let unmet = ask(&["--conditional"]);
    assert_eq!(unmet, format!("root     {root}\nrole     {first}  by main  under conditions\n"));
    let words = ["policy", "who-can", "s3:GetObject", photos];
    let refused = run(&stage.server, &stage.ana, &words).unwrap_err();
    assert!(refused.contains("not authorized to perform: locum:WhoCan"), "{refused}");
}

/// Protects simulations: the whole trace, of stored policies and of policies that are stored nowhere.
#[test]
fn simulations_tell_the_whole_trace() {
    let stage = Stage::set();
    let (ana, photos) = (arn(A, "user/ana"), "arn:aws:s3:::photos/a");
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Other","Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::music/*"},{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;
    let simulate = |more: &[&str]| {
        let words = [
            "policy",
            "simulate-principal-policy",
            "--principal-arn",
            &ana,
            "--actions",
            "s3:GetObject",
            "--resources",
            photos,
        ];
        stage.server.admin(&[&words[..], more].concat()).unwrap()["results"][0].clone()
    };
    let result = simulate(&[]);
    assert_eq!(result["verdict"], "VERDICT_IMPLICIT_DENY");
    assert_eq!(result["decidedBy"], "identity-based policy");
    assert_eq!(result["policies"][0]["policy"], "main");
    assert_eq!(result["policies"][0]["statements"][0]["failedOn"], "action");
    let added = allow("s3:*", "*");
    assert_eq!(simulate(&["--additional-policies", &added])["verdict"], "VERDICT_ALLOW");
    let insecure = r#"aws:SecureTransport={"values":["false"]}"#;
    let result = simulate(&[
        "--additional-policies",
        &added,
        "--additional-policies",
        deny,
        "--context",
        insecure,
    ]);
    assert_eq!(result["verdict"], "VERDICT_EXPLICIT_DENY");
    let statements = &result["policies"][2]["statements"];
    assert_eq!(statements[0]["failedOn"], "resource");
    assert_eq!((&statements[1]["matched"], &statements[1]["denies"]), (&true.into(), &true.into()));

    let own = allow("s3:*", "*");
    let bound = allow("ec2:*", "*");
    let custom = |flag: &str, policy: &str| {
        let words = [
            "policy",
            "simulate-custom-policy",
            "--actions",
            "s3:GetObject",
            "--resources",
            photos,
            "--identity-policies",
            &own,
            flag,
            policy,
        ];
        stage.server.admin(&words).unwrap()["results"][0].clone()
    };
    for (flag, kind) in [
        ("--permissions-boundaries", "permissions boundary"),
        ("--session-policies", "session policy"),
        ("--service-control-policies", "service control policy"),
    ] {
        let result = custom(flag, &bound);
        assert_eq!(
            (&result["verdict"], &result["decidedBy"]),
            (&"VERDICT_IMPLICIT_DENY".into(), &kind.into())
        );
        let message = result["message"].as_str().unwrap();
        assert!(
            message.ends_with(&format!("because no {kind} allows the s3:GetObject action")),
            "{message}"
        );
        let denied =
            custom(flag, deny.replace("false", "true").replace("Bool", "BoolIfExists").as_str());
        let message = denied["message"].as_str().unwrap();
        assert!(message.ends_with(&format!("with an explicit deny in a {kind}")), "{message}");
    }
    let control = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}"#;
    for (flag, kind) in [
        ("--resource-control-policies", "resource control policy"),
        ("--resource-policy", "resource-based policy"),
    ] {
        let denied = custom(flag, control);
        let message = denied["message"].as_str().unwrap();
        assert!(message.ends_with(&format!("with an explicit deny in a {kind}")), "{message}");
    }
    let text = told(
        &stage.server,
        &stage.server.dev,
        &[
            "policy",
            "explain",
            "--principal",
            &ana,
            "--action",
            "s3:GetObject",
            "--resource",
            photos,
        ],
    );
    assert!(text.contains("s3:GetObject on arn:aws:s3:::photos/a: not allowed"), "{text}");
    assert!(text.contains("Allow #0 Main: another action"), "{text}");
}

/// Protects the evidence of a refusal: whoever may decode it in the caller's account reads why, and nobody
/// else does.
#[test]
fn a_refusal_is_decoded_by_whoever_may() {
    let stage = Stage::set();
    let refused = stage.server.call(&stage.ana, &["iam", "list-users"]).unwrap_err();
    let (message, encoded) = refused
        .split_once(". Encoded authorization failure message: ")
        .expect("an encoded message");
    assert_eq!(
        message,
        format!(
            "locum: AccessDenied: User: {} is not authorized to perform: iam:ListUsers on resource: {} because no identity-based policy allows the iam:ListUsers action",
            arn(A, "user/ana"),
            arn(A, "user/")
        )
    );
    let decode = |credentials: &Value, message: &str| {
        let words = ["sts", "decode-authorization-message", "--encoded-message", message];
        stage.server.call(credentials, &words)
    };
    let decoded = decode(&stage.server.dev, encoded).unwrap();
    let decoded: Value = serde_json::from_str(decoded["decodedMessage"].as_str().unwrap()).unwrap();
    assert_eq!(decoded["allowed"], false);
    assert_eq!(decoded["explicitDeny"], false);
    assert_eq!(decoded["context"]["action"], "iam:ListUsers");
    assert_eq!(decoded["context"]["principal"]["arn"], arn(A, "user/ana"));
    assert_eq!(decoded["failures"]["items"][0]["statementId"], "Main");
    assert_eq!(decoded["failures"]["items"][0]["failedOn"], "another action");
    // Neither who lacks the permission, nor who is of another account, nor with a changed message.
    assert!(decode(&stage.ana, encoded).unwrap_err().contains("sts:DecodeAuthorizationMessage"));
    assert!(
        decode(&stage.other, encoded)
            .unwrap_err()
            .contains("is not one that was encoded for this account")
    );
    let mut changed = encoded.to_owned();
    let end = if encoded.ends_with("AA") { "BA" } else { "AA" };
    changed.replace_range(encoded.len() - 2.., end);
    assert!(decode(&stage.server.dev, &changed).is_err());
}
