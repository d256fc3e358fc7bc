//! Signatures that others made. `tests/sigv4/suite.jsonl` holds AWS's published Signature Version 4
//! test suite (one case a line, with the names of its cases; key AKIDEXAMPLE, us-east-1, service
//! `service`), each case in its header form and in its presigned form. The rest was made once with
//! botocore 1.43.11 (`SigV4Auth`, `SigV4QueryAuth`, `S3SigV4Auth.add_auth` over an `AWSRequest`, its
//! clock held at the date below) and holds the headers as botocore would send them.

use serde::Deserialize;

use super::*;
use crate::signing::Secret;

const SUITE: &str = include_str!("../../../tests/sigv4/suite.jsonl");
const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SUITE_DATE: &str = "20150830T123600Z";
const SUITE_SCOPE: &str = "20150830/us-east-1/service/aws4_request";

/// A case of the suite.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    normalize: bool,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
    token: Option<String>,
    signed_headers: String,
    signature: String,
    /// The whole query of the presigned form; two older cases have none.
    presigned: Option<String>,
}

impl Case {
    fn verify(&self, headers: &[(&str, &str)], query: &str) -> Result<(), SignatureError> {
        let hash = body_sha256(self.body.as_bytes());
        let path_style = if self.normalize { PathStyle::Normalized } else { PathStyle::S3 };
        let (method, path) = (self.method.as_str(), self.path.as_str());
        let request = Signable { method, path, query, headers, body_sha256: &hash, path_style };
        let credential = parse(headers, query)?;
        let regions = ["us-east-1".to_owned()];
        let (secret, now) = (Secret::new(SUITE_SECRET), time::parse_basic(SUITE_DATE).unwrap());
        verify(&secret, &credential, &request, now, &Expectations::new("service", &regions))
    }

    /// The headers of the request as the suite has them.
    fn plain(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn verify_header_form(&self, signature: &str) -> Result<(), SignatureError> {
        let authorization = format!(
            "{ALGORITHM} Credential=AKIDEXAMPLE/{SUITE_SCOPE}, SignedHeaders={}, Signature={signature}",
            self.signed_headers
        );
        let hash = body_sha256(self.body.as_bytes());
        let mut headers = self.plain();
        headers.extend([("X-Amz-Date", SUITE_DATE), ("Authorization", &authorization)]);
        headers.extend(self.token.as_deref().map(|token| ("X-Amz-Security-Token", token)));
        if self.signed_headers.contains("x-amz-content-sha256") {
            headers.push(("x-amz-content-sha256", &hash));
        }
        self.verify(&headers, &self.query)
    }
}

/// `signature` with its last digit changed.
fn changed(signature: &str) -> String {
    let (rest, last) = signature.split_at(signature.len() - 1);
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

/// Protects every SDK's requests: both forms of each published case verify as they are, and neither
/// does with another signature. One case adds the session token after signing: it is refused, since
/// what was not signed may have been put there by anyone.
#[test]
fn the_published_suite_verifies_in_both_forms() {
    let cases: Vec<Case> = SUITE.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 40);
    for case in &cases {
        let name = &case.name;
        let refused = Err(Mismatch::Signature.into());
        if name == "post-sts-header-after" {
            let token = "x-amz-security-token".to_owned();
            let unsigned = Err(Mismatch::NotSigned(token).into());
            assert_eq!(case.verify_header_form(&case.signature), unsigned, "{name}");
            continue;
        }
        assert_eq!(case.verify_header_form(&case.signature), Ok(()), "{name}");
        assert_eq!(case.verify_header_form(&changed(&case.signature)), refused, "{name}");
        if let Some(presigned) = &case.presigned {
            assert_eq!(case.verify(&case.plain(), presigned), Ok(()), "{name}, presigned");
            assert_eq!(case.verify(&case.plain(), &changed(presigned)), refused, "{name}");
        }
    }
}

/// Protects our own clients: what we sign is what the suite has.
#[test]
fn our_signer_signs_as_the_suite_does() {
    let secret = Secret::new(SUITE_SECRET);
    let cases = SUITE.lines().map(|line| serde_json::from_str::<Case>(line).unwrap());
    let mut compared = 0;
    for case in cases.filter(|case| case.name != "post-sts-header-after") {
        let hash = body_sha256(case.body.as_bytes());
        let mut headers = case.plain();
        if case.signed_headers.contains("x-amz-content-sha256") {
            headers.push(("x-amz-content-sha256", &hash));
        }
        let request = Signable {
            method: &case.method,
            path: &case.path,
            query: &case.query,
            headers: &headers,
            body_sha256: &hash,
            path_style: if case.normalize { PathStyle::Normalized } else { PathStyle::S3 },
        };
        let signer = Signer {
            access_key: "AKIDEXAMPLE",
            secret: &secret,
            session_token: case.token.as_deref(),
            region: "us-east-1",
            service: "service",
        };
        let added = signer.sign(&request, time::parse_basic(SUITE_DATE).unwrap());
        let (_, authorization) = added.iter().find(|(name, _)| *name == "authorization").unwrap();
        assert!(authorization.ends_with(&case.signature), "{}: {authorization}", case.name);
        compared += 1;
    }
    assert_eq!(compared, 39);
}

const BOTO_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const BOTO_TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLE/token+with=signs";

/// What a verified request said of its signer.
struct Seen {
    access_key: String,
    token: Option<String>,
    presigned_seconds: Option<u32>,
}

fn boto_verifies(
    method: &str,
    (path, query): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
    (region, service): (&str, &str),
) -> Seen {
    let style = if service == "s3" { PathStyle::S3 } else { PathStyle::Normalized };
    let hash = body_sha256(body);
    let request = Signable { method, path, query, headers, body_sha256: &hash, path_style: style };
    let credential = parse(headers, query).unwrap();
    let regions = [region.to_owned()];
    let expectations = Expectations::new(service, &regions);
    let now = time::parse_basic("20261124T040800Z").unwrap();
    let secret = Secret::new(BOTO_SECRET);
    assert_eq!(verify(&secret, &credential, &request, now, &expectations), Ok(()), "{path}");
    let wrong = Signable { method: "PUT", ..request };
    assert_eq!(
        verify(&secret, &credential, &wrong, now, &expectations),
        Err(Mismatch::Signature.into())
    );
    Seen {
        access_key: credential.access_key().to_owned(),
        token: credential.session_token().map(str::to_owned),
        presigned_seconds: credential.presigned_seconds(),
    }
}

#[test]
fn a_form_post_of_botocore_with_a_session_is_verified() {
    let seen = boto_verifies(
        "POST",
        ("/", ""),
        &[
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("user-agent", "Boto3/1.43"),
            ("x-amzn-trace-id", "Root=1"),
            ("x-amz-date", "20261124T040800Z"),
            ("x-amz-security-token", BOTO_TOKEN),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261124/eu-central-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=cf3b0e3288d9d54bc5d385d5b7339d11efb4007f1b000f27f49c3b66a9a75a85",
            ),
            ("content-length", "58"),
            ("host", "127.0.0.1:5000"),
        ],
        b"Action=AssumeRole&Version=2011-06-15&RoleSessionName=a%2Bb",
        ("eu-central-1", "sts"),
    );
    assert_eq!(seen.access_key, "ASIAIOSFODNN7EXAMPLE");
    assert_eq!(seen.token.as_deref(), Some(BOTO_TOKEN));
    assert_eq!(seen.presigned_seconds, None);
}

#[test]
fn a_presigned_url_as_eks_sends_it_is_verified() {
    let query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20261124%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20261124T040800Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE%2Ftoken%2Bwith%3Dsigns&X-Amz-Signature=e03c31cb4bc3ce2b10f63cff6f7bdb55d56821483cd73f0781b27a380d43374f";
    let seen = boto_verifies(
        "GET",
        ("/", query),
        &[
            ("Host", "sts.us-east-1.amazonaws.com"),
            ("x-k8s-aws-id", "cluster one"),
            ("Accept", "application/json"),
        ],
        b"",
        ("us-east-1", "sts"),
    );
    assert_eq!(seen.token.as_deref(), Some(BOTO_TOKEN));
    assert_eq!(seen.presigned_seconds, Some(60));
}

#[test]
fn paths_and_queries_of_botocore_are_verified() {
    boto_verifies(
        "GET",
        ("/v1/a%20b/./../x//y%2Fz/", "q=%E1%88%B4&a=1%2B2&a=~"),
        &[
            ("Host", "api.example.com"),
            ("X-Amz-Date", "20261124T040800Z"),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261124/us-east-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=cc03d76bf5e832d17a016e7165a2536603e5d7590a45fc52b6bf170e7d92cb31",
            ),
        ],
        b"",
        ("us-east-1", "execute-api"),
    );
    boto_verifies(
        "GET",
        ("/a%20b//../c%2B", "list-type=2&prefix=p%2F"),
        &[
            ("Host", "bucket.s3.amazonaws.com"),
            ("X-Amz-Date", "20261124T040800Z"),
            ("X-Amz-Content-SHA256", EMPTY_SHA256),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261124/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=4c2caad90813c859e6ace04989f4171a62ebcd0920ce5205b3030faef642a734",
            ),
        ],
        b"",
        ("us-east-1", "s3"),
    );
}
