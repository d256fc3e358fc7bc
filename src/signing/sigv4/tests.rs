//! Tests of refusals: every way in which a request is not one that the holder of a secret signed.

use proptest::prelude::*;

use super::*;
use crate::signing::Secret;

const HOST: (&str, &str) = ("host", "sts.example.com");

fn at(text: &str) -> Timestamp {
    time::parse_basic(text).unwrap()
}

fn now() -> Timestamp {
    at("20261124T040800Z")
}

fn secret() -> Secret {
    Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
}

fn verified(credential: &Credential<'_>, request: &Signable<'_>) -> Result<(), SignatureError> {
    let regions = ["us-east-1".to_owned()];
    verify(&secret(), credential, request, now(), &Expectations::new("sts", &regions))
}

/// A signed request as it is on the wire.
#[derive(Clone)]
struct Wire {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Wire {
    fn signed_by(signer: &Signer<'_>, signed_at: Timestamp) -> Self {
        let mut wire = Self {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: "a=1".to_owned(),
            headers: vec![(HOST.0.to_owned(), HOST.1.to_owned())],
            body: b"Action=GetCallerIdentity".to_vec(),
        };
        let added = wire.with(|request| signer.sign(request, signed_at));
        wire.headers.extend(added.into_iter().map(|(name, value)| (name.to_owned(), value)));
        wire
    }

    fn with<T>(&self, f: impl FnOnce(&Signable<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        f(&Signable {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body_sha256: &body_sha256(&self.body),
            path_style: PathStyle::Normalized,
        })
    }

    fn verify(&self) -> Result<(), SignatureError> {
        self.with(|request| {
            let credential = parse(request.headers, request.query)?;
            verified(&credential, request)
        })
    }

    fn header(&mut self, name: &str) -> &mut String {
        &mut self.headers.iter_mut().find(|(n, _)| n == name).unwrap().1
    }
}

fn signer(secret: &Secret) -> Signer<'_> {
    Signer {
        access_key: "ASIAIOSFODNN7EXAMPLE",
        secret,
        session_token: Some("IQoJsession"),
        region: "us-east-1",
        service: "sts",
    }
}

fn signed() -> Wire {
    Wire::signed_by(&signer(&secret()), now())
}

#[test]
fn a_request_verifies_as_it_was_signed_and_not_once_any_part_is_changed() {
    assert_eq!(signed().verify(), Ok(()));
    let changes: [fn(&mut Wire); 7] = [
        |w| w.method = "GET".to_owned(),
        |w| w.path = "/x".to_owned(),
        |w| w.query = "a=2".to_owned(),
        |w| w.query.push_str("&a=1"),
        |w| w.body.push(b' '),
        |w| w.header("host").push('x'),
        |w| w.header("x-amz-security-token").push('x'),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut wire = signed();
        change(&mut wire);
        assert_eq!(wire.verify(), Err(Mismatch::Signature.into()), "change {i}");
    }
    let wrong = Secret::new("wrong");
    assert_eq!(Wire::signed_by(&signer(&wrong), now()).verify(), Err(Mismatch::Signature.into()));
}

#[test]
fn headers_that_are_not_signed_may_come_and_go_but_for_those_that_mean_something() {
    let mut wire = signed();
    wire.headers.push(("user-agent".to_owned(), "any".to_owned()));
    wire.headers.push(("x-amzn-trace-id".to_owned(), "Root=1".to_owned()));
    assert_eq!(wire.verify(), Ok(()));
    wire.headers.push(("X-Amz-Target".to_owned(), "Other".to_owned()));
    let error = wire.verify().unwrap_err();
    assert_eq!(error.code(), "SignatureDoesNotMatch");
    assert_eq!(
        error.to_string(),
        "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."
    );
}

#[test]
fn a_request_is_valid_for_fifteen_minutes_around_its_date() {
    let at_time = |signed_at| Wire::signed_by(&signer(&secret()), at(signed_at)).verify();
    assert_eq!(at_time("20261124T035300Z"), Ok(()));
    assert_eq!(at_time("20261124T042300Z"), Ok(()));
    let expired = at_time("20261124T035259Z").unwrap_err();
    assert_eq!(expired.code(), "SignatureDoesNotMatch");
    assert_eq!(
        expired.to_string(),
        "Signature expired: 20261124T035259Z is now earlier than 20261124T035300Z (20261124T040800Z - 15 min.)"
    );
    assert_eq!(
        at_time("20261124T042301Z").unwrap_err().to_string(),
        "Signature not yet current: 20261124T042301Z is still later than 20261124T042300Z (20261124T040800Z + 15 min.)"
    );
}

#[test]
fn a_scope_is_for_this_service_region_and_day() {
    let secret = secret();
    let sentence = |signer: Signer<'_>| {
        let error = Wire::signed_by(&signer, now()).verify().unwrap_err();
        assert_eq!(error.code(), "SignatureDoesNotMatch");
        error.to_string()
    };
    assert_eq!(
        sentence(Signer { region: "mars", ..signer(&secret) }),
        "Credential should be scoped to a valid region, not 'mars'."
    );
    assert_eq!(
        sentence(Signer { service: "ec2", ..signer(&secret) }),
        "Credential should be scoped to correct service: 'sts'."
    );
    let mut yesterday = signed();
    let changed = yesterday.header("authorization").replace("/20261124/", "/20261123/");
    *yesterday.header("authorization") = changed;
    assert_eq!(
        yesterday.verify().unwrap_err().to_string(),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261123' != '20261124', from '20261124T040800Z'."
    );
    let mut other = signed();
    let changed = other.header("authorization").replace("/aws4_request", "/aws5_request");
    *other.header("authorization") = changed;
    assert_eq!(
        other.verify().unwrap_err().to_string(),
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."
    );
}

#[test]
fn what_is_missing_is_named_as_aws_names_it() {
    let refused = |headers: &[(&str, &str)], query: &str| {
        let error = parse(headers, query).unwrap_err();
        (error.code(), error.to_string())
    };
    let incomplete = |text: &str| ("IncompleteSignature", text.to_owned());
    assert_eq!(
        refused(&[HOST], "Action=GetCallerIdentity"),
        ("MissingAuthenticationToken", "Request is missing Authentication Token".to_owned())
    );
    assert_eq!(
        refused(&[("Authorization", "AWS4-HMAC-SHA256")], ""),
        incomplete(
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    );
    assert_eq!(
        refused(&[("Authorization", "Bearer abc")], ""),
        incomplete("Unsupported AWS 'algorithm': 'Bearer'.")
    );
    assert_eq!(
        refused(&[("Authorization", "AWS4-HMAC-SHA256 Credential")], ""),
        incomplete(
            "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header."
        )
    );
    assert_eq!(
        refused(&[], "X-Amz-Signature=00&X-Amz-Date=1&X-Amz-SignedHeaders=host"),
        incomplete(
            "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. Re-examine the query-string parameters."
        )
    );
    let authorization = "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00";
    assert_eq!(
        refused(&[("Authorization", authorization), ("X-Amz-Date", "20261124T040800Z")], ""),
        incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c'"
        )
    );
    assert_eq!(
        refused(&[("Authorization", authorization), ("X-Amz-Date", "yesterday")], ""),
        incomplete(
            "Date must be in ISO-8601 'basic format'. Got 'yesterday'. See http://en.wikipedia.org/wiki/ISO_8601"
        )
    );
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let mut two = signed();
    let authorization = two.header("authorization").clone();
    two.headers.push(("Authorization".to_owned(), authorization.clone()));
    assert_eq!(two.verify().unwrap_err().code(), "IncompleteSignature");

    let mut both = signed();
    both.query = "X-Amz-Signature=00".to_owned();
    assert_eq!(both.verify().unwrap_err().code(), "IncompleteSignature");

    let mut twice = signed();
    *twice.header("authorization") = format!("{authorization}, Signature={}", "0".repeat(64));
    assert_eq!(twice.verify().unwrap_err().code(), "IncompleteSignature");

    let mut dates = signed();
    dates.headers.push(("X-Amz-Date".to_owned(), "20261124T040800Z".to_owned()));
    assert_eq!(dates.verify().unwrap_err().code(), "IncompleteSignature");

    let presigned = "X-Amz-Algorithm=AWS4-HMAC-SHA256&Action=A&Action=B";
    assert_eq!(parse(&[], presigned).unwrap_err(), Incomplete::Twice("Action".to_owned()).into());
}

#[test]
fn the_list_of_signed_headers_has_one_spelling_and_names_the_host() {
    let with_list = |list: &str| {
        let mut wire = signed();
        let changed = wire
            .header("authorization")
            .replace("SignedHeaders=host;x-amz-date;x-amz-security-token", list);
        *wire.header("authorization") = changed;
        wire.verify().unwrap_err()
    };
    for list in ["", "Host", "x-amz-date;host", "host;host", "host;;x-amz-date"] {
        let error = with_list(&format!("SignedHeaders={list}"));
        assert_eq!(error, Mismatch::HeaderOrder.into(), "{list}");
    }
    assert_eq!(
        with_list("SignedHeaders=x-amz-date;x-amz-security-token"),
        Mismatch::HostNotSigned.into()
    );
    assert_eq!(
        with_list("SignedHeaders=host;x-amz-date;x-amz-security-token;x-none"),
        Mismatch::NotThere("x-none".to_owned()).into()
    );
    let many: Vec<String> = (0..65).map(|i| format!("h{i:02}")).collect();
    assert_eq!(
        with_list(&format!("SignedHeaders={}", many.join(";"))),
        Incomplete::TooLong("SignedHeaders").into()
    );
}

#[test]
fn nothing_that_could_be_replayed_or_signed_with_is_printed() {
    let wire = signed();
    let signature = wire.headers.last().unwrap().1.rsplit('=').next().unwrap().to_owned();
    let credential = wire.with(|r| format!("{:?}", parse(r.headers, r.query).unwrap()));
    let key = SigningKey::derive(&secret(), "20261124", "us-east-1", "sts");
    let signable = wire.with(|request| format!("{request:?}"));
    let shown = format!("{credential} {signable} {key:?} {:?}", signer(&secret()).secret);
    assert!(!shown.contains(&signature) && !shown.contains("wJalr"), "{shown}");
    assert!(!shown.contains("IQoJ"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_makes_parsing_or_verifying_panic(
        authorization in "(AWS4-HMAC-SHA256 )?(Credential=|SignedHeaders=|Signature=|[a-z/;,= %]|\\PC){0,40}",
        date in ".{0,20}",
        query in "(X-Amz-[A-Za-z]{4,12}=|[&%=+a-f0-9]|\\PC){0,40}",
        path in ".{0,40}",
    ) {
        let headers = [("authorization", authorization.as_str()), ("x-amz-date", date.as_str())];
        let _ = parse(&headers, &query);
        let _ = parse(&[], &query);
        let mut wire = signed();
        wire.path = path;
        wire.query = query;
        let _ = wire.verify();
    }

    #[test]
    fn whatever_is_signed_verifies(path in "/[!-~é]{0,20}", query in "[!-~é]{0,40}", value in "[ -~]{0,20}") {
        prop_assume!(!query.contains("X-Amz-"));
        let secret = secret();
        let headers = [HOST, ("x-amz-meta", value.as_str())];
        let request = Signable {
            method: "GET",
            path: &path,
            query: &query,
            headers: &headers,
            body_sha256: EMPTY_SHA256,
            path_style: PathStyle::Normalized,
        };
        let added = signer(&secret).sign(&request, now());
        let mut headers = headers.to_vec();
        headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
        let request = Signable { headers: &headers, ..request };
        let credential = parse(&headers, &query).unwrap();
        prop_assert_eq!(verified(&credential, &request), Ok(()));
    }

    #[test]
    fn a_changed_character_of_the_authorization_is_refused(
        at in any::<prop::sample::Index>(),
        c in "[a-z0-9/=;,]",
    ) {
        let mut wire = signed();
        let text = wire.header("authorization").clone();
        // The access key id is no part of what is signed: it says whose secret to verify with.
        let id = text.find("ASIA").unwrap();
        let at = at.index(text.len());
        prop_assume!(!(id..id + 20).contains(&at) && text[at..=at] != c);
        // Separators and the case of hexadecimal digits have more than one spelling.
        prop_assume!(text.as_bytes()[at] != b' ' && c != ",");
        *wire.header("authorization") = format!("{}{c}{}", &text[..at], &text[at + 1..]);
        prop_assert!(wire.verify().is_err(), "{}", wire.header("authorization"));
    }
}
