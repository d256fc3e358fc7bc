//! What is refused when a policy is stored: every mistake with its place, rule and suggestion; and that
//! what was stored before a rule came stays readable.

use super::*;
use PolicyKind::{Boundary, Identity, Resource, ResourceControl, ServiceControl, Session, Trust};

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
