//! Requests that the AWS SDKs' own signers signed verify, and what was changed since does not: botocore's, run
//! as it is installed, and `aws-sigv4`, the signer of the AWS SDK for Rust.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use locum::clock::{Clock, Timestamp};
use locum::signing::Secret;
use locum::signing::sigv4::{
    Expectations, PathStyle, Signable, SignatureError, body_sha256, parse, verify,
};
use proptest::prelude::*;
use serde::Deserialize;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Wire {
    #[serde(default)]
    signer: String,
    service: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    payload: String,
    token: Option<String>,
}

impl Wire {
    fn verify(&self, now: Timestamp) -> Result<(), SignatureError> {
        let headers: Vec<_> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let credential = parse(&headers, &self.query)?;
        assert_eq!(credential.session_token(), self.token.as_deref(), "{self:?}");
        let path_style = if self.service == "s3" { PathStyle::S3 } else { PathStyle::Normalized };
        let request = Signable {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body_sha256: &self.payload,
            path_style,
        };
        let regions = ["us-east-1".to_owned()];
        let expectations = Expectations::new(&self.service, &regions);
        verify(&Secret::new(SECRET), &credential, &request, now, &expectations)
    }
}

/// Protects boto3 and the AWS CLI: whatever path, query and header value they send, in a header or in a URL,
/// of S3 or of other services, is verified, and not for another method.
#[test]
fn what_botocore_signs_verifies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_BIN_EXE_locum")).parent().unwrap().parent().unwrap();
    let python = target.join("python");
    let prepared = Command::new(root.join("deploy/python.sh")).arg(&python).status().unwrap();
    assert!(prepared.success(), "the Python clients cannot be set up");
    let signed = Command::new(python.join("bin/python"))
        .arg(root.join("tests/sigv4/botocore_signed.py"))
        .args(["200", "7"])
        .output()
        .unwrap();
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    let lines = String::from_utf8(signed.stdout).unwrap();
    let now = Clock::System.now();
    let mut of_each = std::collections::BTreeMap::new();
    for line in lines.lines() {
        let wire: Wire = serde_json::from_str(line).unwrap();
        assert_eq!(wire.verify(now), Ok(()), "{line}");
        let other = Wire { method: "DELETE".to_owned(), ..wire.clone() };
        assert!(other.verify(now).is_err(), "{line}");
        *of_each.entry(wire.signer).or_insert(0) += 1;
    }
    let signers = ["S3SigV4Auth", "S3SigV4QueryAuth", "SigV4Auth", "SigV4QueryAuth"];
    assert_eq!(of_each.keys().collect::<Vec<_>>(), signers.iter().collect::<Vec<_>>());
    assert_eq!(of_each.values().sum::<i32>(), 200);
}

/// Signs with `aws-sigv4` as the AWS SDK for Rust does.
fn signed_by_sdk(mut wire: Wire, body: &[u8], presigned: bool, seconds: u64) -> Wire {
    let of_s3 = wire.service == "s3";
    let mut settings = SigningSettings::default();
    if of_s3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if presigned {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(600));
    }
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET, wire.token.clone(), None, "test");
    let identity: Identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(&wire.service)
        .time(UNIX_EPOCH + Duration::from_secs(seconds))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let query = if wire.query.is_empty() { String::new() } else { format!("?{}", wire.query) };
    let uri = format!("https://bucket.example.com:8443{}{query}", wire.path);
    let request = SignableRequest::new(
        &wire.method,
        &uri,
        wire.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        if presigned && of_s3 { SignableBody::UnsignedPayload } else { SignableBody::Bytes(body) },
    );
    let (instructions, _) = sign(request.unwrap(), &parameters).unwrap().into_parts();
    let mut sent =
        http::Request::builder().method(wire.method.as_str()).uri(&uri).body(()).unwrap();
    instructions.apply_to_request_http1x(&mut sent);
    wire.query = sent.uri().query().unwrap_or_default().to_owned();
    for (name, value) in sent.headers() {
        wire.headers.push((name.to_string(), value.to_str().unwrap().to_owned()));
    }
    wire.headers.push(("host".to_owned(), "bucket.example.com:8443".to_owned()));
    wire.payload = match presigned && of_s3 {
        true => "UNSIGNED-PAYLOAD".to_owned(),
        false => body_sha256(body),
    };
    wire
}

fn requests() -> impl Strategy<Value = (Wire, Vec<u8>, bool)> {
    let piece = "[a-zA-Z0-9._~-]{0,6}|%20|%2F|%C3%A9|\\.\\.|\\.";
    // Of a path that ends in a dot segment SDKs disagree whether a slash is left, and none sends one.
    let path = prop::collection::vec(piece, 0..4)
        .prop_map(|parts| format!("/{}", parts.join("/")))
        .prop_filter("ends in a dot segment", |p| !p.ends_with("/.") && !p.ends_with("/.."));
    let pair = ("[a-z]{1,4}", "[a-zA-Z0-9._~-]{0,6}|%2B|%20|a%3Db");
    let query = prop::collection::btree_map(pair.0, pair.1, 0..4).prop_map(|pairs| {
        pairs.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&")
    });
    let header = "[ -~]{0,12}";
    let token = prop::option::of("[A-Za-z0-9/+=]{8,40}");
    let methods = prop::sample::select(vec!["GET", "PUT", "POST", "DELETE"]);
    let services = prop::sample::select(vec!["s3", "execute-api"]);
    let body = prop::collection::vec(any::<u8>(), 0..40);
    (path, query, header, token, methods, services, body, any::<bool>()).prop_map(
        |(path, query, header, token, method, service, body, presigned)| {
            let headers = vec![("x-amz-meta-note".to_owned(), header.trim().to_owned())];
            let (method, service) = (method.to_owned(), service.to_owned());
            let (signer, payload) = (String::new(), String::new());
            (
                Wire { signer, service, method, path, query, headers, payload, token },
                body,
                presigned,
            )
        },
    )
}

/// One way to change a request.
fn mutated(wire: &Wire, how: usize, at: prop::sample::Index) -> Wire {
    let mut wire = wire.clone();
    match how {
        0 => wire.method.push('X'),
        1 => wire.path.push_str("/x"),
        2 => wire.query = format!("a0=1&{}", wire.query),
        3 => wire.payload = body_sha256(b"another body"),
        4 => {
            let (_, host) = wire.headers.iter_mut().find(|(name, _)| name == "host").unwrap();
            host.push('0');
        }
        5 => wire.headers.push(("x-amz-acl".to_owned(), "public-read".to_owned())),
        6 => {
            let (_, value) = wire.headers.iter_mut().find(|(n, _)| n == "x-amz-meta-note").unwrap();
            value.push('x');
        }
        _ => {
            let text = wire.headers.iter_mut().find(|(name, _)| name == "authorization");
            let text = text.map_or(&mut wire.query, |(_, value)| value);
            let start = text.find("Signature=").unwrap() + "Signature=".len();
            let at = start + at.index(64);
            let digit = if &text[at..=at] == "0" { "1" } else { "0" };
            text.replace_range(at..=at, digit);
        }
    }
    wire
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Protects the AWS SDK for Rust, and everyone from whoever changes a request: what the SDK signs
    /// verifies, and no part that counts can be changed.
    #[test]
    fn what_the_rust_sdk_signs_verifies_and_nothing_else(
        (wire, body, presigned) in requests(),
        how in 0_usize..8,
        at in any::<prop::sample::Index>(),
    ) {
        let now = Timestamp::from_unix_seconds(1_780_000_000);
        let wire = signed_by_sdk(wire, &body, presigned, 1_780_000_000);
        prop_assert_eq!(wire.verify(now), Ok(()), "{:?}", wire);
        let other = mutated(&wire, how, at);
        prop_assume!(other != wire);
        prop_assert!(other.verify(now).is_err(), "change {}: {:?}", how, other);
    }
}
