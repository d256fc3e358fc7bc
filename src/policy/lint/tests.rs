//! Each check with a policy that it is about and the policy as it was meant.

use super::requests_tests::Unknown;
use super::*;
use PolicyKind::{Identity, ResourceControl, Trust};

fn lint(text: &str, kind: PolicyKind) -> Vec<Finding> {
    super::lint(text, kind, &Unknown)
}

/// A document of one statement.
fn document(statement: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
}

/// The rules that a document of one statement, or of a list of statements, breaks.
fn rules(statement: &str, kind: PolicyKind) -> Vec<&'static str> {
    let found = lint(&document(statement), kind);
    let errors: Vec<_> = found.iter().filter(|f| f.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:?} in {statement}");
    let mut rules: Vec<_> = found.iter().map(|finding| finding.rule).collect();
    rules.dedup();
    rules
}

/// Each offending statement breaks its rule and no other, and its mended form breaks none.
fn check<T: AsRef<str> + std::fmt::Display>(kind: PolicyKind, cases: &[(&str, T, T)]) {
    for (rule, offending, mended) in cases {
        assert_eq!(rules(offending.as_ref(), kind), [*rule], "{offending}");
        assert_eq!(rules(mended.as_ref(), kind), [""; 0], "{mended}");
    }
}

/// Protects users from rights that are broader than they look.
#[test]
fn broad_rights_are_told() {
    check(
        Identity,
        &[
            (
                "allow-all",
                r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
                r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#,
            ),
            (
                "pass-role-on-all",
                r#"{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}"#,
                r#"{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111111111111:role/Get-pics","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}"#,
            ),
            (
                "pass-role-on-all",
                r#"{"Effect":"Allow","Action":"iam:pass*","Resource":"arn:aws:iam::*:role/*","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}"#,
                r#"{"Effect":"Deny","Action":"iam:PassRole","Resource":"*"}"#,
            ),
            (
                "pass-role-to-any-service",
                r#"{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111111111111:role/Get-pics"}"#,
                r#"{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111111111111:role/Get-pics","Condition":{"StringLike":{"iam:PassedToService":"ec2.*"}}}"#,
            ),
            (
                "assume-any-role",
                r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}"#,
                r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222222:role/Reader"}"#,
            ),
            (
                "allow-not-action",
                r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"arn:aws:s3:::photos/*"}"#,
                r#"{"Effect":"Deny","NotAction":"s3:*","Resource":"*"}"#,
            ),
            (
                "allow-not-resource",
                r#"{"Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:s3:::secret/*"}"#,
                r#"{"Effect":"Deny","Action":"s3:GetObject","NotResource":"arn:aws:s3:::photos/*"}"#,
            ),
        ],
    );
    let both = r#"{"Effect":"Allow","Action":"iam:PassRole","NotResource":"arn:aws:iam::111111111111:role/Admin"}"#;
    let told = rules(both, Identity);
    assert!(told.contains(&"pass-role-not-resource"), "{told:?}");
}

/// Protects users from names that mean nothing.
#[test]
fn misspelt_names_are_told() {
    check(
        Identity,
        &[
            (
                "unknown-action",
                r#"{"Effect":"Deny","Action":"iam:DeleteRoles","Resource":"*"}"#,
                r#"{"Effect":"Deny","Action":"iam:DeleteRole*","Resource":"*"}"#,
            ),
            (
                "misspelt-service",
                r#"{"Effect":"Deny","Action":"dynamdb:GetItem","Resource":"*"}"#,
                r#"{"Effect":"Deny","Action":"dynamodb:GetItem","Resource":"*"}"#,
            ),
            (
                "unknown-condition-key",
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalAcount":"111111111111"}}}"#,
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"AWS:principalaccount":"111111111111"}}}"#,
            ),
            (
                "unknown-condition-key",
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag":"red"}}}"#,
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}}"#,
            ),
            (
                "unknown-condition-key",
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"asw:SourceIp":"10.0.0.0/8"}}}"#,
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"a"}}}"#,
            ),
            (
                "malformed-arn",
                r#"{"Effect":"Deny","Action":"iam:*","Resource":"arn:aws:iam:::role/Reader"}"#,
                r#"{"Effect":"Deny","Action":"iam:*","Resource":"arn:aws:iam::*:role/Reader"}"#,
            ),
            (
                "malformed-arn",
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3::111111111111:photos"}"#,
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:us-east-1:111111111111:accesspoint/a"}"#,
            ),
        ],
    );
    let suggestion = |statement: &str| lint(&document(statement), Identity)[0].suggestion.clone();
    assert_eq!(
        suggestion(r#"{"Effect":"Deny","Action":"iam:DeleteRoles","Resource":"*"}"#).as_deref(),
        Some("iam:DeleteRole")
    );
    assert_eq!(
        suggestion(
            r#"{"Effect":"Deny","Action":"x:Y","Resource":"*","Condition":{"Null":{"SourceIp":"true"}}}"#
        )
        .as_deref(),
        Some("aws:SourceIp")
    );
}

/// Protects users from statements that do nothing.
#[test]
fn statements_that_never_match_are_told() {
    let deny = |condition: &str| {
        format!(r#"{{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{condition}}}"#)
    };
    for contradiction in [
        r#"{"StringEquals":{"aws:username":"ana"},"StringNotEquals":{"aws:username":["ana","bo"]}}"#,
        r#"{"StringEquals":{"aws:username":["ana","bo"]},"StringLike":{"aws:username":"c*"}}"#,
        r#"{"NumericGreaterThan":{"s3:max-keys":10},"NumericLessThan":{"s3:max-keys":"5"}}"#,
        r#"{"NumericGreaterThanEquals":{"s3:max-keys":10},"NumericLessThan":{"s3:max-keys":"10"}}"#,
        r#"{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02"},"DateLessThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"10.1.0.0/16"},"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#,
        r#"{"Null":{"aws:username":"true"},"StringEquals":{"aws:username":"ana"}}"#,
        r#"{"Bool":{"aws:SecureTransport":"true"},"BoolIfExists":{"aws:SecureTransport":"false"}}"#,
    ] {
        assert_eq!(
            rules(&deny(contradiction), Identity),
            ["deny-never-matches"],
            "{contradiction}"
        );
        let allow = deny(contradiction).replace("Deny", "Allow");
        assert_eq!(rules(&allow, Identity), ["allow-never-matches"], "{contradiction}");
    }
    for possible in [
        r#"{"StringEquals":{"aws:username":["ana","bo"]},"StringNotEquals":{"aws:username":"ana"}}"#,
        r#"{"StringLike":{"aws:username":"a*"},"StringNotLike":{"aws:username":"*b"}}"#,
        r#"{"NumericGreaterThan":{"s3:max-keys":1},"NumericLessThan":{"s3:max-keys":"2"}}"#,
        r#"{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01"},"DateLessThan":{"aws:CurrentTime":"2026-01-02"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"NotIpAddress":{"aws:SourceIp":["10.0.0.0/9","10.255.0.0/16"]}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"2001:db8::/32"},"NotIpAddress":{"aws:SourceIp":"2001:db8::/33"}}"#,
        r#"{"Null":{"aws:username":"true"},"StringNotEquals":{"aws:username":"ana"}}"#,
        r#"{"Null":{"aws:username":"false"},"StringEquals":{"aws:username":"ana"}}"#,
        r#"{"StringEquals":{"aws:username":"ana"},"StringNotEquals":{"aws:username":"${aws:userid}"}}"#,
    ] {
        assert_eq!(rules(&deny(possible), Identity), [""; 0], "{possible}");
    }
}

/// Protects users from resources and keys that the actions never come with.
#[test]
fn actions_with_resources_and_keys_of_others_are_told() {
    check(
        Identity,
        &[
            (
                "resource-of-other-service",
                r#"{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:dynamodb:us-east-1:111111111111:table/t"}"#,
                r#"{"Effect":"Deny","Action":["s3:DeleteObject","dynamodb:DeleteItem"],"Resource":"arn:aws:dynamodb:us-east-1:111111111111:table/t"}"#,
            ),
            (
                "key-never-present",
                r#"{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"sts:ExternalId":"x1"}}}"#,
                r#"{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*","Condition":{"StringEquals":{"sts:ExternalId":"x1"}}}"#,
            ),
            (
                "key-absent-for-action",
                r#"{"Effect":"Allow","Action":["iam:PassRole","ec2:RunInstances"],"Resource":"arn:aws:iam::111111111111:role/r","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}"#,
                r#"{"Effect":"Allow","Action":["iam:PassRole","ec2:RunInstances"],"Resource":"arn:aws:iam::111111111111:role/r","Condition":{"StringEqualsIfExists":{"iam:PassedToService":"ec2.amazonaws.com"}}}"#,
            ),
        ],
    );
}

/// Protects users from operators that do not do what they seem to.
#[test]
fn operators_that_surprise_are_told() {
    let deny = |condition: &str| {
        format!(r#"{{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{condition}}}"#)
    };
    let allow = |condition: &str| deny(condition).replace("Deny", "Allow");
    let cases = [
        (
            "for-all-values-allow",
            allow(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}"#),
            allow(
                r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]},"Null":{"aws:TagKeys":"false"}}"#,
            ),
        ),
        (
            "for-all-values-deny",
            deny(r#"{"ForAllValues:StringNotEquals":{"aws:TagKeys":["team"]}}"#),
            deny(r#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["team"]}}"#),
        ),
        (
            "missing-set-operator",
            deny(r#"{"StringEquals":{"aws:TagKeys":"team"}}"#),
            deny(r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":"team"}}"#),
        ),
        (
            "missing-set-operator",
            deny(r#"{"StringNotEquals":{"login.example.com/tenant:amr":"mfa"}}"#),
            deny(r#"{"ForAnyValue:StringNotEquals":{"login.example.com/tenant:amr":"mfa"}}"#),
        ),
        (
            "set-operator-on-one-value",
            deny(r#"{"ForAnyValue:StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#),
            deny(r#"{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#),
        ),
        (
            "operator-type-mismatch",
            deny(r#"{"StringEquals":{"aws:SourceIp":"10.0.0.0/8"}}"#),
            deny(r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#),
        ),
        (
            "operator-type-mismatch",
            deny(r#"{"NumericLessThan":{"aws:CurrentTime":"1700000000"}}"#),
            deny(r#"{"NumericLessThan":{"aws:EpochTime":"1700000000"}}"#),
        ),
        (
            "wildcard-without-like",
            deny(r#"{"StringNotEquals":{"aws:PrincipalArn":"arn:aws:iam::*:role/Admin"}}"#),
            deny(r#"{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::*:role/Admin"}}"#),
        ),
    ];
    check(Identity, &cases);
    // A request with a tag has keys of tags.
    let tagged = r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]},"StringEquals":{"aws:RequestTag/team":"red"}}"#;
    assert_eq!(rules(&allow(tagged), Identity), [""; 0]);
}

/// Protects users from values that do not mean what they seem to.
#[test]
fn values_that_surprise_are_told() {
    let deny = |condition: &str| {
        format!(r#"{{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{condition}}}"#)
    };
    let cases = [
        (
            "mfa-deny-misses-long-term-keys",
            deny(r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#),
            deny(r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#),
        ),
        (
            "cidr-host-bits",
            deny(r#"{"NotIpAddress":{"aws:SourceIp":"10.1.2.3/8"}}"#),
            deny(r#"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#),
        ),
        (
            "cidr-of-everything",
            deny(r#"{"NotIpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#),
            deny(r#"{"NotIpAddress":{"aws:SourceIp":["2001:db8::/32","10.1.2.3"]}}"#),
        ),
        (
            "empty-list",
            deny(r#"{"StringEquals":{"s3:prefix":[]}}"#),
            deny(r#"{"StringEquals":{"s3:prefix":["a"]}}"#),
        ),
        ("empty-condition", deny("{}"), deny(r#"{"Null":{"s3:prefix":"true"}}"#)),
    ];
    check(Identity, &cases);
}

/// Protects roles from those who were never meant to assume them.
#[test]
fn trust_that_is_open_is_told() {
    let trust = |principal: &str, rest: &str| {
        format!(r#"{{"Effect":"Allow",{principal},"Action":"sts:AssumeRole"{rest}}}"#)
    };
    let web = |rest: &str| {
        format!(
            r#"{{"Effect":"Allow","Principal":{{"Federated":"arn:aws:iam::111111111111:oidc-provider/idp.example"}},"Action":"sts:AssumeRoleWithWebIdentity"{rest}}}"#
        )
    };
    let all = r#""Principal":{"AWS":"*"}"#;
    let cases = [
        (
            "trust-anyone",
            trust(all, ""),
            trust(all, r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#),
        ),
        (
            "trust-anyone",
            trust(
                r#""Principal":"*""#,
                r#","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"1"}}"#,
            ),
            trust(
                r#""Principal":"*""#,
                r#","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/*"}}"#,
            ),
        ),
        (
            "trust-anyone",
            trust(all, r#","Condition":{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-1"}}"#),
            trust(r#""Principal":{"AWS":"111111111111"}"#, ""),
        ),
        (
            "misspelt-service-principal",
            trust(r#""Principal":{"Service":"ec2.amazon.com"}"#, ""),
            trust(r#""Principal":{"Service":"ec2.amazonaws.com"}"#, ""),
        ),
        (
            "misspelt-service-principal",
            trust(r#""Principal":{"Service":"lamda.amazonaws.com"}"#, ""),
            trust(r#""Principal":{"Service":"lambda.amazonaws.com"}"#, ""),
        ),
        (
            "confused-deputy",
            trust(r#""Principal":{"Service":"cloudtrail.amazonaws.com"}"#, ""),
            trust(
                r#""Principal":{"Service":"cloudtrail.amazonaws.com"}"#,
                r#","Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#,
            ),
        ),
        (
            "federated-without-subject",
            web(""),
            web(r#","Condition":{"StringEquals":{"idp.example:sub":"repo:a/b"}}"#),
        ),
        (
            "action-not-for-principal",
            web("").replace("WithWebIdentity", ""),
            web(r#","Condition":{"StringLike":{"idp.example:sub":"repo:a/*"}}"#),
        ),
    ];
    check(Trust, &cases);
}

/// Protects resources from strangers, and guardrails from statements without effect.
#[test]
fn rules_of_other_kinds_are_told() {
    let public = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}"#;
    assert_eq!(rules(public, PolicyKind::Resource), ["wildcard-principal"]);
    let narrowed = public.replace(
        r#""Action""#,
        r#""Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}},"Action""#,
    );
    assert_eq!(rules(&narrowed, PolicyKind::Resource), [""; 0]);
    let open = narrowed.replace("192.0.2.0/24", "0.0.0.0/0");
    assert!(rules(&open, PolicyKind::Resource).contains(&"wildcard-principal"));
    let others = public.replace(r#""Principal":"*""#, r#""NotPrincipal":{"AWS":"111111111111"}"#);
    assert_eq!(rules(&others, PolicyKind::Resource), ["allow-not-principal"]);
    assert_eq!(rules(&others.replace("Allow", "Deny"), PolicyKind::Resource), [""; 0]);
    let allow = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#;
    assert_eq!(rules(allow, ResourceControl), ["allow-in-resource-control"]);
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}"#;
    assert_eq!(rules(deny, ResourceControl), [""; 0]);
    // What only limits gives nothing, however broad it is.
    let all = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    for kind in [PolicyKind::ServiceControl, PolicyKind::Boundary, PolicyKind::Session] {
        assert_eq!(rules(all, kind), [""; 0]);
    }
}

/// Protects who keeps policies of older rules: what would be refused by now is told, with what it still does.
#[test]
fn stored_parts_that_would_be_refused_are_told() {
    for (part, rule, now) in [
        (r#""Action":"s3:*","Resource":"arn:aws""#, "malformed-arn", "it allows nothing"),
        (r#""Action":"s*:*","Resource":"*""#, "wildcard-service", "it allows nothing"),
    ] {
        let text = document(&format!(r#"{{"Effect":"Allow",{part}}}"#));
        let found = Policy::reread(&text, Identity).unwrap().warnings(&Unknown);
        assert!(found.iter().any(|f| f.rule == rule && f.message.contains(now)), "{found:?}");
        let found =
            Policy::reread(&text.replace("Allow", "Deny"), Identity).unwrap().warnings(&Unknown);
        assert!(found.iter().any(|f| f.rule == rule && !f.message.contains(now)), "{found:?}");
    }
}

/// Protects readers of policies from what another part says already.
#[test]
fn redundant_parts_are_told() {
    check(
        Identity,
        &[
            (
                "redundant-action",
                r#"{"Effect":"Allow","Action":["s3:Get*","s3:getobject"],"Resource":"*"}"#,
                r#"{"Effect":"Allow","Action":["s3:Get?","s3:Get*Acl"],"Resource":"*"}"#,
            ),
            (
                "redundant-resource",
                r#"{"Effect":"Allow","Action":"s3:Get*","Resource":["arn:aws:s3:::photos/a","arn:aws:s3:::photos/*"]}"#,
                r#"{"Effect":"Allow","Action":"s3:Get*","Resource":["arn:aws:s3:::photos/A","arn:aws:s3:::photos/a"]}"#,
            ),
            (
                "redundant-statement",
                r#"[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}]"#,
                r#"[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}},{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]"#,
            ),
        ],
    );
    // Of two that say the same one is told.
    let twice = r#"[{"Effect":"Deny","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:*","Resource":"*"}]"#;
    let found = lint(&document(twice), Identity);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "$.Statement[1]");
}

/// Protects variables from being read as plain text unnoticed.
#[test]
fn a_variable_without_the_version_is_told() {
    let old = r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*"}}"#;
    let found = lint(old, Identity);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].rule, found[0].path.as_str()), ("variable-without-version", "$"));
    let new = old.replacen('{', r#"{"Version":"2012-10-17","#, 1);
    assert_eq!(lint(&new, Identity), []);
}

/// Protects users from finding out at the time of storing that a document is too long.
#[test]
fn a_document_over_its_limit_is_told() {
    for (kind, max) in [(Identity, 6144), (Trust, 2048), (PolicyKind::ServiceControl, 5120)] {
        let (principal, resource, action) = match kind {
            Trust => (r#""Principal":{"AWS":"111111111111"},"#, "", "sts:AssumeRole"),
            _ => ("", r#","Resource":"*""#, "s3:GetObject"),
        };
        let of = |chars: usize| {
            let id = "i".repeat(chars);
            format!(
                r#"{{"Id": "{id}", "Statement":{{"Effect":"Deny",{principal}"Action":"{action}"{resource}}}}}"#
            )
        };
        let room = max - (of(0).len() - 2);
        assert_eq!(lint(&of(room), kind), [], "{kind:?}");
        let found = lint(&of(room + 1), kind);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].rule, found[0].path.as_str()), ("policy-too-long", "$"));
    }
}

/// Protects editors: the place is that of the part, counted in lines and characters from 1.
#[test]
fn findings_tell_their_place() {
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\n    \"Effect\": \"Deny\",\n    \"Action\": [\"s3:*\", \"iam:DeleteRoles\"],\n    \"Resource\": \"*\"\n  }]\n}";
    let found = lint(text, Identity);
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!((finding.line, finding.column), (5, 24));
    assert_eq!(finding.path, "$.Statement[0].Action[1]");
    assert_eq!(
        finding.to_string(),
        "warning: `iam:DeleteRoles` matches no action of the service; did you mean `iam:DeleteRole`? [unknown-action]"
    );
    let broken = lint("{\"Statement\": 1}", Identity);
    assert_eq!(broken.len(), 1);
    assert_eq!((broken[0].severity, broken[0].rule), (Severity::Error, "malformed-policy"));
}
