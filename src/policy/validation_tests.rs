//! What is refused when a policy is stored: every mistake with its place, rule and suggestion; and that
//! what was stored before a rule came stays readable.

use super::*;
use crate::identity::{Path, Principal, UniqueId, UserName};
use PolicyKind::{
    Boundary, Endpoint, Identity, Resource, ResourceControl, ServiceControl, Session, Trust,
};

/// The sentence that tells the mistake.
fn mistake(text: &str, kind: PolicyKind) -> String {
    match Policy::parse(text, kind) {
        Ok(_) => panic!("{text} is accepted"),
        Err(error) => error.to_string(),
    }
}

fn document(statement: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
}

/// Each statement is refused with a sentence that holds the part given.
fn refused(kind: PolicyKind, cases: &[(&str, &str)]) {
    for (statement, part) in cases {
        let told = mistake(&document(statement), kind);
        assert!(told.contains(part), "{statement}: {told}");
    }
}

/// Protects against elements that are missing, empty, of a wrong type or out of place.
#[test]
fn elements_follow_the_grammar() {
    refused(
        Identity,
        &[
            (r#"{"Action":"s3:*","Resource":"*"}"#, "`Effect` is missing"),
            (r#"{"Effect":"allow","Action":"s3:*","Resource":"*"}"#, "did you mean `Allow`?"),
            (r#"{"Effect":"Allow","Resource":"*"}"#, "`Action` or `NotAction` is missing"),
            (r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#, "holds no action"),
            (r#"{"Effect":"Allow","Action":"s3:*"}"#, "`Resource` or `NotResource` is missing"),
            (r#"{"Effect":"Allow","Action":"s3:*","Resource":[]}"#, "holds no resource"),
            (r#"{"Effect":"Allow","Action":"s3:*","NotResource":[]}"#, "holds no resource"),
            (r#"{"Effect":"Allow","Action":"s3:*","Resource":"photos"}"#, "must be `*` or an ARN"),
            (
                r#"{"Effect":"Allow","Action":"s3:*","NotAction":"s3:*","Resource":"*"}"#,
                "exclude each other",
            ),
            (r#"{"Effect":"Allow","Action":7,"Resource":"*"}"#, "a string or a list of strings"),
            (r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Sid":7}"#, "must be a string"),
            (r#"["text"]"#, "$.Statement[0] (line 1, column 38): a statement is a JSON object"),
            ("[]", "$.Statement (line 1, column 37): holds no statement"),
            (
                r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Conditions":{}}"#,
                "unknown element `Conditions`; did you mean `Condition`?",
            ),
        ],
    );
    assert!(mistake(r#"{"Id":7,"Statement":[]}"#, Identity).contains("$.Id"));
    assert!(mistake(r#"{"Statment":[]}"#, Identity).contains("did you mean `Statement`?"));
}

/// Protects against actions that can match nothing.
#[test]
fn an_action_names_a_service_and_an_action() {
    let of = |action: &str| format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"*"}}"#);
    for wrong in [
        "GetObject",
        ":GetObject",
        "s3:",
        "s3:Get Object",
        "s3:GetObject,PutObject",
        "s3: Get*",
        "s3:Get/*",
        "s3:${aws:username}",
        "iam:Pass:Role",
    ] {
        let told = mistake(&document(&of(wrong)), Identity);
        assert!(told.contains("an action"), "{wrong}: {told}");
    }
    for right in ["*", "*:*", "s3:*", "S3:getobject", "s3-object-lambda:Get?bject", "execute-api:*"]
    {
        assert!(Policy::parse(&document(&of(right)), Identity).is_ok(), "{right}");
    }
}

/// Protects ids of statements: letters and digits where IAM says so, and each only once.
#[test]
fn sids_are_plain_and_unique() {
    let of =
        |sid: &str| format!(r#"{{"Sid":"{sid}","Effect":"Allow","Action":"s3:*","Resource":"*"}}"#);
    for kind in [Identity, Boundary, Session, ServiceControl] {
        let told = mistake(&document(&of("My sid")), kind);
        assert!(told.ends_with("may hold A-Z, a-z and 0-9 only; did you mean `Mysid`?"), "{told}");
        let twice = document(&format!("[{},{}]", of("a"), of("a")));
        let told = mistake(&twice, kind);
        assert!(told.contains("$.Statement[1].Sid") && told.contains("not unique"), "{told}");
    }
    let resource = of("My sid").replace(r#""Action""#, r#""Principal":"*","Action""#);
    assert!(Policy::parse(&document(&resource), Resource).is_ok());
}

/// Protects each kind's rules for whom a policy is about.
#[test]
fn principals_follow_the_kind() {
    let with = |principal: &str| {
        format!(r#"{{"Effect":"Deny",{principal}"Action":"sts:AssumeRole","Resource":"*"}}"#)
    };
    for kind in [Identity, Boundary, Session, ServiceControl] {
        let told = mistake(&document(&with(r#""Principal":"*","#)), kind);
        assert!(told.contains("Policy document should not specify a principal."), "{told}");
    }
    refused(
        Resource,
        &[
            (&with(""), "`Principal` is missing"),
            (&with(r#""Principal":{},"#), "names nobody"),
            (&with(r#""Principal":{"AWS":[]},"#), "names nobody"),
            (&with(r#""Principal":{"Aws":"*"},"#), "unknown element `Aws`; did you mean `AWS`?"),
            (&with(r#""Principal":{"AWS":"ana"},"#), "Invalid principal in policy"),
            (&with(r#""Principal":{"AWS":"arn:aws:iam::1:root"},"#), "Invalid principal"),
            (&with(r#""Principal":{"AWS":"arn:aws:iam::111111111111:user/*"},"#), "Invalid"),
            (&with(r#""Principal":{"AWS":"${aws:PrincipalArn}"},"#), "Invalid principal"),
            (&with(r#""Principal":{"Service":"${aws:username}"},"#), "Invalid principal"),
            (&with(r#""Principal":{"Service":""},"#), "Invalid principal in policy"),
            (&with(r#""Principal":"ana","#), "must be \"*\" or an object"),
        ],
    );
    refused(
        ResourceControl,
        &[
            (&with(""), "`Principal` is missing"),
            (&with(r#""Principal":{"AWS":"111111111111"},"#), "about every principal"),
            (&with(r#""NotPrincipal":"*","#), "about every principal"),
        ],
    );
    refused(
        Trust,
        &[
            (&with(r#""Principal":"*","#), "Has prohibited field Resource"),
            (
                r#"{"Effect":"Allow","Principal":"*","Action":"*"}"#,
                "AssumeRole policy may only specify STS AssumeRole actions.",
            ),
            (
                r#"{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":["sts:AssumeRole","sts:TagSessions"]}"#,
                "AssumeRole actions.; did you mean `sts:TagSession`?",
            ),
            (r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#, "`Principal` is missing"),
            (
                r#"{"Effect":"Deny","NotPrincipal":"*","Action":"sts:AssumeRole"}"#,
                "did you mean `Principal`?",
            ),
        ],
    );
}

/// Protects conditions: operators, types of values, each at its own place.
#[test]
fn conditions_follow_their_operators() {
    let of = |condition: &str| {
        format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{condition}}}"#)
    };
    let cases = [
        (r#"{"StringEqual":{"a:b":"c"}}"#, "did you mean `StringEquals`?"),
        (
            r#"{"ForAnyValues:StringLikeIfExist":{"a:b":"c"}}"#,
            "did you mean `ForAnyValue:StringLikeIfExists`?",
        ),
        (
            r#"{"ForAllValue:StringLikesIfExists":{"a:b":"c"}}"#,
            "did you mean `ForAllValues:StringLikeIfExists`?",
        ),
        (r#"{"NullIfExists":{"a:b":"true"}}"#, "did you mean `Null`?"),
        (r#"{"ForAnyValue:Null":{"a:b":"true"}}"#, "`Null` takes neither"),
        (r#"{"StringEquals":{"":"c"}}"#, "a condition names no key"),
        (r#"{"StringEquals":{"a:b":{}}}"#, "a value is a string, number or boolean"),
        (r#"{"StringEquals":"a:b"}"#, "must be an object"),
        (
            r#"{"NumericEquals":{"a:b":["1","x"]}}"#,
            "$.Statement.Condition.NumericEquals.a:b (line 1, column 127): `x` is not a number",
        ),
        (r#"{"DateLessThan":{"a:b":"soon"}}"#, "`soon` is not an ISO 8601 date"),
        (r#"{"Bool":{"a:b":"yes"}}"#, "`yes` is not `true` or `false`"),
        (r#"{"Null":{"a:b":"maybe"}}"#, "`maybe` is not `true` or `false`"),
        (r#"{"BinaryEquals":{"a:b":"?"}}"#, "`?` is not base64"),
        (r#"{"IpAddress":{"a:b":"10.0.0.0/33"}}"#, "is not an address or address block"),
        (r#"{"ArnLike":{"a:b":"role/x"}}"#, "must be `*` or an ARN"),
    ];
    for (condition, part) in cases {
        let told = mistake(&document(&of(condition)), Identity);
        assert!(told.contains(part), "{condition}: {told}");
    }
}

/// Protects the rules for policy variables (IAM User Guide, reference_policies_variables).
#[test]
fn variables_stand_where_iam_takes_them() {
    let of = |resource: &str, condition: &str| {
        format!(
            r#"{{"Effect":"Allow","Action":"s3:*","Resource":"{resource}","Condition":{condition}}}"#
        )
    };
    let bucket = "arn:aws:s3:::home/";
    for (resource, condition, part) in [
        ("arn:aws:s3:::home/${aws:username", "{}", "is not closed"),
        ("arn:aws:s3:::home/${}", "{}", "names no key"),
        ("arn:aws:s3:::home/${ aws:username}", "{}", "without other signs"),
        ("arn:aws:s3:::home/${aws:{username}", "{}", "without other signs"),
        ("arn:aws:s3:::home/${aws:username, none}", "{}", "single quotes"),
        ("arn:aws:${aws:service}:::home", "{}", "after the fifth colon"),
        ("arn:aws:iam::${aws:PrincipalAccount}:role/a", "{}", "after the fifth colon"),
        (bucket, r#"{"NumericEquals":{"a:b":"${s3:max-keys}"}}"#, "string and ARN operators only"),
        (bucket, r#"{"IpAddress":{"a:b":"${aws:SourceIp}"}}"#, "string and ARN operators only"),
        (bucket, r#"{"Bool":{"a:b":"${aws:SecureTransport}"}}"#, "string and ARN operators only"),
    ] {
        let told = mistake(&document(&of(resource, condition)), Identity);
        assert!(told.contains(part), "{resource} {condition}: {told}");
    }
    for (resource, condition) in [
        ("arn:aws:s3:::home/${aws:PrincipalTag/my team, 'none at all'}/${*}${?}${$}", "{}"),
        (bucket, r#"{"StringLike":{"a:b":"${aws:username}*"}}"#),
        (bucket, r#"{"ArnEquals":{"a:b":"arn:aws:iam::${aws:PrincipalAccount}:role/a"}}"#),
    ] {
        let parsed = Policy::parse(&document(&of(resource, condition)), Identity);
        assert!(parsed.is_ok(), "{resource} {condition}: {parsed:?}");
    }
    // The older version has no variables, so nothing can be wrong with them.
    let old = document(&of("arn:aws:s3:::home/${", "{}")).replace("2012", "2008");
    assert!(Policy::parse(&old, Identity).is_ok());
}

/// Protects the reader of JSON: duplicates, depth and length.
#[test]
fn texts_are_bounded() {
    let told = mistake(r#"{"Statement":[],"Statement":[]}"#, Identity);
    assert_eq!(told, "$ (line 1, column 17): `Statement` is given twice");
    let condition = r#"{"StringEquals":{"a:b":"1","a:b":"2"}}"#;
    let statement =
        format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{condition}}}"#);
    assert!(mistake(&document(&statement), Identity).contains("`a:b` is given twice"));
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(mistake(&document(&deep), Identity).contains("nested more than 32 levels deep"));
    let long = document(&format!("[{}]", " ".repeat(DOCUMENT_BYTES_MAX)));
    assert!(mistake(&long, Identity).contains("at most 131072 bytes"));
}

/// Protects history: what was stored before a rule came is read as it was meant then.
#[test]
fn what_was_stored_stays_readable() {
    for (statement, kind) in [
        (r#"{"Sid":"a b","Effect":"Allow","Action":"s3:*","Resource":"*"}"#, Boundary),
        (r#"{"Effect":"Allow","Action":"s3:","Resource":[]}"#, Identity),
        (r#"{"Effect":"Deny","Action":"s3:*","Resource":"*"}"#, ResourceControl),
    ] {
        assert!(Policy::parse(&document(statement), kind).is_err(), "{statement}");
        assert!(Policy::reread(&document(statement), kind).is_ok(), "{statement}");
    }
    assert!(Policy::reread(&document(r#"{"Effect":"Maybe"}"#), Identity).is_err());
}

/// Protects users from resources that AWS would refuse or read otherwise: each is refused with its rule.
#[test]
fn resources_follow_the_form_of_arns() {
    let of = |resource: &str| {
        format!(r#"{{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"{resource}"}}"#)
    };
    let own = |resource: &str| of(resource).replace(r#""Principal":"*","#, "");
    for (resource, part) in [
        ("arn", "names no partition"),
        ("arn:aws", "the service of an ARN"),
        ("arn:aws::::photos", "the service of an ARN"),
        ("arn:aws:s*:::photos", "the service of an ARN"),
        ("arn:aws:?3:::photos", "the service of an ARN"),
        ("arn:aws:*:*:*:*", "the service of an ARN"),
        ("arn:*:s3:::photos", "the partition of an ARN"),
        ("arn:aws*:s3:::photos", "the partition of an ARN"),
        ("arn:moon:s3:::photos", "names no partition"),
        ("a*:aws:s3:::photos", "must be `*` or an ARN"),
        ("*:s3:::photos", "must be `*` or an ARN"),
        ("arn:aws:s3::photos", "fewer than six parts"),
        ("arn:aws:iam:eu-west-1::user/ana", "no Region"),
        ("arn:aws:iam:*:111111111111:user/ana", "no Region"),
        ("arn:aws:s3:eu-west-1::photos", "no Region"),
    ] {
        for kind in [Identity, Boundary, Session] {
            let told = mistake(&document(&own(resource)), kind);
            assert!(told.contains(part), "{resource}: {told}");
        }
        let told = mistake(&document(&of(resource)), Resource);
        assert!(told.contains(part), "{resource}: {told}");
    }
    for right in [
        "*",
        "arn:aws:s3:::photos/*",
        "arn:aws-cn:s3:::photos",
        "arn:aws:iam::*:role/*",
        "arn:aws:s3:eu-west-1:111111111111:accesspoint/a",
        "arn:aws:s3:*:111111111111:*",
    ] {
        assert!(Policy::parse(&document(&own(right)), Session).is_ok(), "{right}");
    }
    // An identity policy's ARN may leave parts out; no other's may.
    for short in ["arn:aws:sqs", "arn:aws:sqs:eu-west-1", "arn:aws:sqs:*:line"] {
        assert!(Policy::parse(&document(&own(short)), Identity).is_ok(), "{short}");
        assert!(mistake(&document(&own(short)), Session).contains("six parts"), "{short}");
        assert!(mistake(&document(&of(short)), Resource).contains("six parts"), "{short}");
    }
    // AWS Control Tower writes its controls so.
    assert!(Policy::parse(&document(&own("arn:*:s3:::photos")), ServiceControl).is_ok());
}

/// Protects account owners from guardrails and endpoint policies that AWS would not take.
#[test]
fn guardrails_and_endpoint_policies_have_rules_of_their_own() {
    refused(
        ResourceControl,
        &[
            (
                r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}"#,
                "denies only",
            ),
            (
                r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}"#,
                "names the services",
            ),
            (
                r#"{"Effect":"Deny","Principal":"*","Action":["s3:*","*:*"],"Resource":"*"}"#,
                "names the services",
            ),
            (
                r#"{"Effect":"Deny","Principal":"*","NotAction":"s3:*","Resource":"*"}"#,
                "names its actions in `Action`",
            ),
        ],
    );
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}"#;
    assert!(Policy::parse(&document(deny), ResourceControl).is_ok());
    let old = document(deny).replace("2012", "2008");
    assert!(mistake(&old, ResourceControl).contains("2012-10-17"));
    let full = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#;
    assert!(Policy::parse(&document(full), ResourceControl).is_ok());
    refused(
        Endpoint,
        &[(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#, "`Principal` is missing")],
    );
    assert!(Policy::parse(&document(full), Endpoint).is_ok());
    let long = document(&format!("[{full}{}]", " ".repeat(20_480)));
    assert!(mistake(&long, Endpoint).contains("at most 20480 characters"));
}

/// Protects managed policies, which IAM takes in the newest version only.
#[test]
fn managed_policies_have_the_newest_version() {
    let text = document(r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#);
    assert!(Policy::parse_managed(&text).is_ok());
    for old in [text.replace("2012", "2008"), text.replace(r#""Version":"2012-10-17","#, "")] {
        assert!(Policy::parse(&old, Identity).is_ok(), "{old}");
        let told = Policy::parse_managed(&old).unwrap_err().to_string();
        assert!(told.contains("must be version 2012-10-17 or greater"), "{told}");
    }
}

/// Whether a user of 111111111111 may read an object by this statement, stored under older rules, beside `others`.
fn decided(statement: &str, others: &str) -> Verdict {
    let principal = Principal::User {
        account: "111111111111".parse().unwrap(),
        path: Path::default(),
        name: UserName::parse("ana").unwrap(),
        id: UniqueId::parse("AIDAAAAAAAAAAAAAAAAAA").unwrap(),
    };
    let text = document(&format!("[{statement}{others}]"));
    assert!(Policy::parse(&text, Identity).is_err(), "{text}");
    assert!(Policy::parse_tolerantly(&text, Identity).is_err(), "{text}");
    let policy = Policy::reread(&text, Identity).unwrap();
    let request = Request {
        principal: &principal,
        action: "s3:GetObject",
        resource: "arn:aws:s3:::photos/a",
        resource_account: None,
        context: &Context::for_principal(&principal),
    };
    let identity = vec![Named { name: "p", policy: &policy }];
    decide(&request, &Policies { identity, ..Policies::default() }).verdict()
}

/// Protects who is upgraded: what would be refused by now grants nothing more in a stored policy, and what it denied
/// it still denies.
#[test]
fn what_is_refused_by_now_grants_nothing() {
    let all = r#",{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    for resource in
        ["arn", "arn:aws", "arn:aws:s*:::photos/*", "arn:aws:*:*:*:*", "*:s3:::photos/a"]
    {
        let of = |effect: &str, element: &str| {
            format!(r#"{{"Effect":"{effect}","Action":"s3:*","{element}":"{resource}"}}"#)
        };
        assert_eq!(decided(&of("Allow", "Resource"), ""), Verdict::ImplicitDeny, "{resource}");
        assert_eq!(decided(&of("Allow", "NotResource"), ""), Verdict::ImplicitDeny, "{resource}");
        assert_eq!(decided(&of("Deny", "Resource"), all), Verdict::ExplicitDeny, "{resource}");
        assert_eq!(decided(&of("Deny", "NotResource"), all), Verdict::Allow, "{resource}");
    }
    let of = |effect: &str, element: &str| {
        format!(r#"{{"Effect":"{effect}","{element}":"s*:Get*","Resource":"*"}}"#)
    };
    assert_eq!(decided(&of("Allow", "Action"), ""), Verdict::ImplicitDeny);
    assert_eq!(decided(&of("Allow", "NotAction"), ""), Verdict::ImplicitDeny);
    assert_eq!(decided(&of("Deny", "Action"), all), Verdict::ExplicitDeny);
    assert_eq!(decided(&of("Deny", "NotAction"), all), Verdict::Allow);
    // What stands beside it is not touched.
    let beside =
        r#"{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws","arn:aws:s3:::photos/*"]}"#;
    assert_eq!(decided(beside, ""), Verdict::Allow);
}

/// Protects accounts that trust a provider that others trust too: who of its customers is meant has to be said when the
/// trust is written (IAM User Guide, id_roles_providers_oidc_secure-by-default). What is stored stays readable.
#[test]
fn trust_in_shared_providers_says_whose_tokens() {
    let trust = |issuer: &str, effect: &str, action: &str, condition: &str| {
        let condition = match condition {
            "" => String::new(),
            given => format!(r#","Condition":{{{}}}"#, given.replace("ISSUER", issuer)),
        };
        document(&format!(
            r#"{{"Effect":"{effect}","Principal":{{"Federated":"arn:aws:iam::111122223333:oidc-provider/{issuer}"}},
                "Action":"{action}"{condition}}}"#
        ))
    };
    const WEB: &str = "sts:AssumeRoleWithWebIdentity";
    let github =
        ["token.actions.githubusercontent.com", "token.actions.githubusercontent.com/octo"];
    let by_sub = ["gitlab.com", "app.terraform.io", "agent.buildkite.com"];
    for issuer in github.into_iter().chain(by_sub) {
        for open in [
            "",
            r#""StringEquals":{"ISSUER:aud":"sts.amazonaws.com"}"#,
            r#""StringNotLike":{"ISSUER:sub":"x"}"#,
            r#""StringLikeIfExists":{"ISSUER:sub":"repo:octo/*"}"#,
            r#""Null":{"ISSUER:sub":"false"}"#,
            r#""StringLike":{"ISSUER:sub":"*"}"#,
            r#""StringLike":{"ISSUER:sub":["repo:octo/*","?*"]}"#,
            r#""StringLike":{"other.example.com:sub":"repo:octo/*"}"#,
        ] {
            let text = trust(issuer, "Allow", WEB, open);
            let told = mistake(&text, Trust);
            assert!(told.contains(&format!("must limit `{issuer}:sub`")), "{open}: {told}");
            assert!(Policy::reread(&text, Trust).is_ok(), "{text}");
            for untouched in [
                trust(issuer, "Deny", WEB, open),
                trust(issuer, "Allow", "sts:TagSession", open),
                trust("idp.example.com", "Allow", WEB, open),
            ] {
                assert!(Policy::parse(&untouched, Trust).is_ok(), "{untouched}");
            }
            mistake(&trust(issuer, "Allow", "sts:AssumeRoleWith*", open), Trust);
        }
        for limited in [
            r#""StringEquals":{"ISSUER:sub":"repo:octo/app:ref:refs/heads/main"}"#,
            r#""StringLike":{"ISSUER:SUB":["repo:octo/*","repo:cat/*"],"ISSUER:aud":"*"}"#,
            r#""ForAnyValue:StringLike":{"ISSUER:sub":"repo:octo/*"}"#,
            r#""StringEqualsIgnoreCase":{"ISSUER:sub":"REPO:octo/app"},"StringLike":{"ISSUER:sub":"*"}"#,
        ] {
            let text = trust(issuer, "Allow", WEB, limited);
            assert!(Policy::parse(&text, Trust).is_ok(), "{text}");
        }
    }
    let workflow = r#""StringLike":{"ISSUER:job_workflow_ref":"octo/w/.github/workflows/*@*"}"#;
    assert!(Policy::parse(&trust(github[0], "Allow", WEB, workflow), Trust).is_ok());
    mistake(&trust("gitlab.com", "Allow", WEB, workflow), Trust);
    let begins = r#""StringLike":{"ISSUER:sub":"*:octo/app"}"#;
    mistake(&trust(github[0], "Allow", WEB, begins), Trust);
    assert!(Policy::parse(&trust("gitlab.com", "Allow", WEB, begins), Trust).is_ok());
    let audience = r#""StringEquals":{"ISSUER:aud":"https://vercel.com/octo"}"#;
    assert!(Policy::parse(&trust("oidc.vercel.com", "Allow", WEB, audience), Trust).is_ok());
    let session = r#""StringEquals":{"sts:RoleSessionName":"workspace"}"#;
    let sentinel = "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/";
    assert!(Policy::parse(&trust(sentinel, "Allow", WEB, session), Trust).is_ok());
    mistake(&trust(sentinel, "Allow", WEB, audience), Trust);
}
