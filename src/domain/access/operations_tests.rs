//! What the lint says of conditions in policies on Locum's own operations.

use crate::domain::access::OwnOperations;
use crate::policy::PolicyKind::{self, Identity, ServiceControl, Trust};
use crate::policy::lint::lint;

/// The messages of `key-never-set` about a document of one statement.
fn told(kind: PolicyKind, statement: &str) -> Vec<String> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    let found = lint(&text, kind, &OwnOperations).into_iter();
    found.filter(|finding| finding.rule == "key-never-set").map(|finding| finding.message).collect()
}

fn deny(action: &str, condition: &str) -> String {
    format!(r#"{{"Effect":"Deny","Action":"{action}","Resource":"*","Condition":{{{condition}}}}}"#)
}

/// Protects fences: each offending statement is told, with what it does, and its mended form is not.
#[test]
fn conditions_on_keys_that_no_request_has_are_told() {
    let organization = r#""StringNotEquals":{"aws:PrincipalOrgID":"o-1"}"#;
    let account = r#""StringNotEquals":{"aws:PrincipalAccount":"111111111111"}"#;
    let disk = r#""Bool":{"ec2:Encrypted":"false"}"#;
    let kind = r#""StringNotEquals":{"ec2:InstanceType":"t3.micro"}"#;
    for (offending, mended, does) in [
        (deny("s3:*", organization), deny("s3:*", account), "this Deny refuses everybody"),
        (deny("*", organization), deny("*", account), "this Deny refuses everybody"),
        (
            deny("ec2:RunInstances", disk),
            deny("ec2:RunInstances", kind),
            "this Deny never refuses anything",
        ),
        (
            deny("iam:CreateAccessKey", r#""Null":{"aws:RequestTag/team":"true"}"#),
            deny("iam:CreateUser", r#""Null":{"aws:RequestTag/team":"true"}"#),
            "this Deny refuses everybody",
        ),
        (
            deny("iam:CreateGroup", r#""StringEquals":{"iam:ResourceTag/team":"red"}"#),
            deny("iam:*", r#""StringEquals":{"iam:ResourceTag/team":"red"}"#),
            "this Deny never refuses anything",
        ),
        (
            deny("locum:CreateAgent", r#""ArnLike":{"ec2:Vpc":"*"}"#),
            deny("locum:CreateAgent", r#""Bool":{"aws:ViaAWSService":"true"}"#),
            "this Deny never refuses anything",
        ),
    ] {
        let found = told(ServiceControl, &offending);
        assert!(matches!(found.as_slice(), [one] if one.ends_with(does)), "{offending}: {found:?}");
        assert_eq!(told(ServiceControl, &mended), [""; 0], "{mended}");
    }
    let found = told(Identity, &deny("ec2:RunInstances", disk));
    let expected = "no request for `ec2:RunInstances` has `ec2:Encrypted` here (there are no disks: what a launch \
                    says of them has no effect), so this Deny never refuses anything";
    assert_eq!(found, [expected]);
}

/// Protects trust policies: the claims that a provider's tokens have here, and no others.
#[test]
fn claims_that_no_token_has_are_told() {
    let allow = |claim: &str| {
        let issuer = "token.actions.githubusercontent.com";
        format!(
            r#"{{"Effect":"Allow","Principal":{{"Federated":"arn:aws:iam::111111111111:oidc-provider/{issuer}"}},
                "Action":"sts:AssumeRoleWithWebIdentity",
                "Condition":{{"StringEquals":{{"{issuer}:sub":"repo:a/b","{issuer}:{claim}":"x"}}}}}}"#
        )
    };
    for claim in ["aud", "sub", "repository", "job_workflow_ref"] {
        assert_eq!(told(Trust, &allow(claim)), [""; 0], "{claim}");
    }
    let found = told(Trust, &allow("ref_type"));
    assert!(
        matches!(found.as_slice(), [one] if one.contains("this Allow never allows")),
        "{found:?}"
    );
}

/// Protects users of resource services, whose questions may have keys that no request here has.
#[test]
fn keys_that_a_service_may_say_are_not_told() {
    for key in ["aws:SourceVpce", "s3:prefix", "ec2:Tenancy", "aws:RequestTag/team"] {
        let statement = deny("s3:*", &format!(r#""StringNotEquals":{{"{key}":"x"}}"#));
        assert_eq!(told(Identity, &statement), [""; 0], "{key}");
    }
}
