//! What the lint says of conditions in policies on Locum's own operations, and keys of launches.

use std::sync::Arc;

use crate::domain::access::OwnOperations;
use crate::domain::command::{Action, InstanceAction};
use crate::domain::testing::*;
use crate::policy::Policy;
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

/// Whether Ana may launch an instance with the tag env=prod by these statements.
fn may_launch(statements: &str) -> bool {
    let mut world = World::default();
    world.create_account(A);
    let ana = world.create_user(A, "ana");
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    world.put_policy(A, of_user("ana"), Policy::parse(&text, Identity).unwrap());
    let (_, mut action) = world.launch(None);
    if let Action::Instance(InstanceAction::Launch { facts, .. }) = &mut action {
        facts.tags.insert(Arc::from("env"), Arc::from("prod"));
    }
    world.by(ana, A, action).is_ok()
}

/// Protects launches that have to be tagged: an Allow on everything under the tags that are asked for gives a launch with
/// them and none without, as in AWS's examples; so does one on what is made, beside the rest without a condition.
#[test]
fn tags_of_a_launch_are_known_on_all_that_it_touches() {
    let tag = r#"{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"*"}"#;
    let run = |kinds: &[&str], value: &str| {
        let arns: Vec<_> =
            kinds.iter().map(|kind| format!("\"arn:aws:ec2:*:*:{kind}/*\"")).collect();
        let arns = arns.join(",");
        format!(
            r#"{{"Effect":"Allow","Action":"ec2:RunInstances","Resource":[{arns}],"Condition":{{"StringEquals":{{"aws:RequestTag/env":"{value}"}},"ForAllValues:StringEquals":{{"aws:TagKeys":"env"}},"Null":{{"aws:TagKeys":"false"}}}}}},{tag}"#
        )
    };
    let made = ["instance", "network-interface", "volume"];
    let named = ["image", "subnet", "security-group"];
    let all = [made, named].concat();
    assert!(may_launch(&run(&all, "prod")));
    assert!(!may_launch(&run(&all, "test")));
    let rest = r#"{"Effect":"Allow","Action":"ec2:RunInstances","Resource":["arn:aws:ec2:*:*:image/*","arn:aws:ec2:*:*:subnet/*","arn:aws:ec2:*:*:security-group/*"]}"#;
    assert!(may_launch(&format!("{},{rest}", run(&made, "prod"))));
    assert!(!may_launch(&format!("{},{rest}", run(&made, "test"))));
}

/// Protects those who allow no dedicated hosts and no spot market: a launch says that it asks for neither.
#[test]
fn a_launch_says_its_tenancy_and_market() {
    let run = |tenancy: &str, market: &str| {
        let all = r#"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#;
        let keys = format!(r#""ec2:Tenancy":"{tenancy}","ec2:InstanceMarketType":"{market}""#);
        format!(
            r#"{all},{{"Effect":"Deny","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*:*:instance/*","Condition":{{"StringNotEquals":{{{keys}}}}}}}"#
        )
    };
    assert!(may_launch(&run("default", "spot")));
    assert!(may_launch(&run("dedicated", "on-demand")));
    assert!(!may_launch(&run("dedicated", "spot")));
}
