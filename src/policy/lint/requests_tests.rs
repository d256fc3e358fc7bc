//! Conditions on keys that no request has, and the bounds of all checks.

use super::*;
use PolicyKind::Identity;

/// Requests of which nothing is known.
pub(super) struct Unknown;

impl Requests for Unknown {
    fn actions(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn may_have(&self, _: &str, _: &str) -> bool {
        true
    }

    fn others_may_have(&self, _: &str) -> bool {
        true
    }

    fn reason(&self, _: Option<&str>, _: &str) -> Option<&'static str> {
        None
    }
}

/// Requests for two actions, one of which has a key; those to other services never have one that follows from the caller.
struct Known;

impl Requests for Known {
    fn actions(&self) -> Vec<&'static str> {
        vec!["ec2:RunInstances", "ec2:TerminateInstances"]
    }

    fn may_have(&self, action: &str, key: &str) -> bool {
        action == "ec2:RunInstances" && key.eq_ignore_ascii_case("aws:RequestTag/team")
    }

    fn others_may_have(&self, key: &str) -> bool {
        key != "aws:PrincipalOrgID"
    }

    fn reason(&self, _: Option<&str>, key: &str) -> Option<&'static str> {
        (key == "aws:PrincipalOrgID").then_some("there are no organizations")
    }
}

/// A statement of an identity policy.
fn statement(effect: &str, action: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}",{action},"Resource":"*","Condition":{condition}}}}}"#
    )
}

/// What is told of a statement, if it is one thing.
fn told(effect: &str, action: &str, condition: &str) -> Option<String> {
    let found = lint(&statement(effect, action, condition), Identity, &Known);
    let [finding] = found.as_slice() else {
        assert!(found.is_empty(), "{found:?}");
        return None;
    };
    assert_eq!((finding.severity, finding.rule), (Severity::Warning, "key-never-set"));
    Some(finding.message.clone())
}

const TERMINATE: &str = r#""Action":"ec2:TerminateInstances""#;
const TEAM: &str = r#"{"StringEquals":{"aws:RequestTag/team":"red"}}"#;

/// Protects who writes fences: a condition on a key that no request has is told, with what it makes of the statement.
#[test]
fn what_a_missing_key_does_is_told_by_operator_and_effect() {
    let never = "this Deny never refuses anything";
    let nothing = "this Allow never allows anything";
    let everybody = "this Deny refuses everybody";
    let narrows = "the condition always holds and narrows nothing";
    for (operator, values, denies, allows) in [
        ("StringEquals", r#""red""#, never, nothing),
        ("StringLike", r#""r*""#, never, nothing),
        ("StringNotEquals", r#""red""#, everybody, narrows),
        ("StringEqualsIfExists", r#""red""#, everybody, narrows),
        ("StringNotEqualsIfExists", r#""red""#, everybody, narrows),
        ("Null", r#""true""#, everybody, narrows),
        ("Null", r#""false""#, never, nothing),
    ] {
        let condition = format!(r#"{{"{operator}":{{"aws:RequestTag/team":{values}}}}}"#);
        for (effect, does) in [("Deny", denies), ("Allow", allows)] {
            let expected = format!(
                "no request for `ec2:TerminateInstances` has `aws:RequestTag/team` here, so {does}"
            );
            assert_eq!(told(effect, TERMINATE, &condition), Some(expected), "{effect} {operator}");
        }
    }
    // Another condition may still keep the statement from everybody.
    let two = r#"{"StringNotEquals":{"aws:RequestTag/team":"red","aws:username":"ana"}}"#;
    let found = lint(&statement("Deny", TERMINATE, two), Identity, &Known);
    assert!(found[0].message.ends_with(narrows), "{found:?}");
}

/// Protects the mended policy, and statements about what is not known here.
#[test]
fn keys_that_some_request_may_have_are_not_told() {
    for action in [
        r#""Action":"ec2:RunInstances""#,
        r#""Action":"ec2:*""#,
        r#""Action":["ec2:TerminateInstances","ec2:runinstances"]"#,
        r#""Action":["ec2:TerminateInstances","s3:PutObject"]"#,
        r#""NotAction":"ec2:RunInstances""#,
        r#""Action":"ec2:CreateVolume""#,
        r#""Action":"*""#,
    ] {
        assert_eq!(told("Deny", action, TEAM), None, "{action}");
    }
    let alone = told("Deny", r#""Action":["ec2:Terminate*","ec2:CreateVolume"]"#, TEAM);
    assert!(alone.is_some_and(|message| message.contains("for `ec2:TerminateInstances`")));
}

/// Protects who writes about other services: a key of the caller that nobody here has is told, whatever the action.
#[test]
fn keys_of_callers_that_nobody_has_are_told_for_every_service() {
    let organization = r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}"#;
    for action in [r#""Action":"s3:*""#, r#""Action":"*""#, r#""NotAction":"iam:*""#] {
        let expected = "no request has `aws:PrincipalOrgID` here (there are no organizations), so this Deny refuses everybody";
        assert_eq!(told("Deny", action, organization).as_deref(), Some(expected), "{action}");
    }
}

/// The findings of a document of one statement.
fn found(statement: &str) -> Vec<Finding> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    lint(&text, Identity, &Known)
}

/// The rules that a document of one statement breaks.
fn rules(statement: &str) -> Vec<&'static str> {
    found(statement).iter().map(|finding| finding.rule).collect()
}

/// Protects the service from documents that are made to be slow to check.
#[test]
fn long_lists_are_checked_in_bounded_work() {
    let actions: Vec<String> = (0..9000).map(|n| format!("\"s3:{n}*\"")).collect();
    let statement =
        format!(r#"{{"Effect":"Deny","Action":[{}],"Resource":"*"}}"#, actions.join(","));
    assert_eq!(rules(&statement), ["policy-too-long"]);
    let (names, keys): (Vec<_>, Vec<_>) =
        (0..3000).map(|n| (format!("\"zq{n}q:a\""), format!("\"ec2:k{n}\":\"v\""))).unzip();
    let statement = format!(
        r#"{{"Effect":"Deny","Action":[{}],"Resource":"*","Condition":{{"StringEquals":{{{}}}}}}}"#,
        names.join(","),
        keys.join(",")
    );
    assert_eq!(rules(&statement), ["policy-too-long"]);
    let repeated = vec![r#""iam:Nothing""#; 5000].join(",");
    let statement = format!(r#"{{"Effect":"Deny","Action":[{repeated}],"Resource":"*"}}"#);
    assert_eq!(found(&statement).len(), FINDINGS_MAX);
}
