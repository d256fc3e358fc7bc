//! Services that take Locum's credentials, against a real server: the tower layer in both modes around an axum
//! router, the Authorization service's answers to services of other accounts, and login tokens.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::put;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use locum::client::authorize::{Asked, Authorized, Authorizer, Settings};
use locum::client::{Credentials, SignedChannel, connect};
use locum::clock::Clock;
use locum::proto::v1;
use locum::proto::v1::authorization_outcome::Outcome;
use locum::proto::v1::authorization_service_client::AuthorizationServiceClient;
use locum::signing::Secret;
use locum::signing::sigv4::{EMPTY_SHA256, PathStyle, Signable, Signer, body_sha256};
use serde_json::Value;
use support::{Server, locum};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

const HOST: &str = "photos.example.com";

fn credentials(key: &Value) -> Credentials {
    let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    Credentials {
        access_key_id: text("accessKeyId"),
        secret_access_key: Secret::new(text("secretAccessKey")),
        session_token: Some(text("sessionToken")).filter(|t| !t.is_empty()).map(Secret::new),
    }
}

fn channel(server: &Server, key: &Value) -> SignedChannel {
    connect(server.dev["endpoint"].as_str().unwrap(), "us-east-1", credentials(key)).unwrap()
}

/// A signed PUT of an object with this body.
fn signed(key: &Value, path: &str, body: &[u8]) -> Request<Body> {
    let credentials = credentials(key);
    let signer = Signer {
        access_key: &credentials.access_key_id,
        secret: &credentials.secret_access_key,
        session_token: credentials.session_token.as_ref().map(Secret::expose),
        region: "us-east-1",
        service: "s3",
    };
    let hash = body_sha256(body);
    let headers = [("host", HOST), ("x-amz-content-sha256", hash.as_str())];
    let signable = Signable {
        method: "PUT",
        path,
        query: "",
        headers: &headers,
        body_sha256: &hash,
        path_style: PathStyle::S3,
    };
    let added = signer.sign(&signable, Clock::System.now());
    let mut request = Request::builder().method("PUT").uri(path);
    for (name, value) in headers.into_iter().map(|(n, v)| (n, v.to_owned())).chain(added) {
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_vec())).unwrap()
}

/// The router of a service that says who wrote what.
fn app(guard: &Authorizer) -> Router {
    let answer = |Extension(who): Extension<Authorized>, body: Bytes| async move {
        format!("{} wrote {} bytes", who.arn, body.len())
    };
    Router::new().route("/photos/{key}", put(answer)).layer(guard.layer(|request| {
        let key = request.uri.path().trim_start_matches('/');
        Ok(Asked::new("s3:PutObject", format!("arn:aws:s3:::{key}")))
    }))
}

async fn told(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Makes a user of the account who may write photos, or may not yet.
fn user(server: &Server, owner: &Value, name: &str) -> Value {
    server.call(owner, &["iam", "create-user", "--user-name", name]).unwrap();
    let key = server.call(owner, &["iam", "create-access-key", "--user-name", name]).unwrap();
    key["accessKey"].clone()
}

const WRITE: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/*"}}"#;

fn may_write(server: &Server, owner: &Value, name: &str) {
    let put = ["iam", "put-inline-policy", "--owner-user-name", name];
    let put = [&put[..], &["--policy-name", "write", "--policy", WRITE]].concat();
    server.call(owner, &put).unwrap();
}

/// Another account and its root's key.
fn account(server: &Server, id: &str) -> Value {
    let operator = server.json("operator.json");
    let create = ["account", "create-account", "--account-id", id, "--name", "other"];
    server.call(&operator, &create).unwrap()["rootKey"].clone()
}

/// Protects services in both modes: who is allowed gets through with the body and the name as they are, who
/// is not is told why, and what was changed on the way goes nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_behind_the_layer_takes_what_is_allowed_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let ana = user(&server, &server.dev, "ana");
    let settings = || Settings::new("s3", "us-east-1");
    let remote = Authorizer::remote(channel(&server, &server.dev), settings()).await.unwrap();
    let local = Authorizer::local(channel(&server, &server.dev), settings()).await.unwrap();
    for (mode, app) in [("remote", app(&remote)), ("local", app(&local))] {
        let of_ana = |body: &[u8]| signed(&ana, "/photos/cat.jpg", body);
        let refused = told(&app, of_ana(b"a cat")).await;
        assert_eq!(refused.0, StatusCode::FORBIDDEN, "{mode}: {}", refused.1);
        assert!(
            refused.1.contains("no identity-based policy allows the s3:PutObject"),
            "{refused:?}"
        );
        may_write(&server, &server.dev, "ana");
        // A local decision follows the change when it hears of it.
        let began = Instant::now();
        let allowed = loop {
            let answer = told(&app, of_ana(b"a cat")).await;
            if answer.0 == StatusCode::OK || began.elapsed() > Duration::from_secs(1) {
                break answer;
            }
        };
        let arn = "arn:aws:iam::111111111111:user/ana wrote 5 bytes";
        assert_eq!(allowed, (StatusCode::OK, arn.to_owned()), "{mode}");
        let mut changed = of_ana(b"a cat");
        *changed.body_mut() = Body::from("a dog");
        let changed = told(&app, changed).await;
        assert!(changed.1.contains("XAmzContentSHA256Mismatch"), "{mode}: {changed:?}");
        let mut moved = of_ana(b"a cat");
        *moved.uri_mut() = "/photos/dog.jpg".parse().unwrap();
        let moved = told(&app, moved).await;
        assert!(moved.1.contains("SignatureDoesNotMatch"), "{mode}: {moved:?}");
        let mut unsigned = of_ana(b"a cat");
        unsigned.headers_mut().remove("authorization");
        let unsigned = told(&app, unsigned).await;
        assert!(unsigned.1.contains("MissingAuthenticationToken"), "{mode}: {unsigned:?}");
        let delete =
            ["iam", "delete-inline-policy", "--owner-user-name", "ana", "--policy-name", "write"];
        server.admin(&delete).unwrap();
    }
}

/// Protects revocation in local mode: a key that is switched off opens nothing a second later, though the
/// service holds a grant for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_ends_when_its_key_is_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let ana = user(&server, &server.dev, "ana");
    may_write(&server, &server.dev, "ana");
    let settings = Settings::new("s3", "us-east-1");
    let guard = Authorizer::local(channel(&server, &server.dev), settings).await.unwrap();
    let app = app(&guard);
    for _ in 0..3 {
        let allowed = told(&app, signed(&ana, "/photos/cat.jpg", b"a cat")).await;
        assert_eq!(allowed.0, StatusCode::OK, "{}", allowed.1);
    }
    let key = ana["accessKeyId"].as_str().unwrap();
    let off = ["iam", "update-access-key", "--user-name", "ana", "--access-key-id", key];
    server.admin(&[&off[..], &["--active", "false"]].concat()).unwrap();
    let began = Instant::now();
    loop {
        let answer = told(&app, signed(&ana, "/photos/cat.jpg", b"a cat")).await;
        if answer.1.contains("InvalidClientTokenId") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{answer:?}");
    }
}

/// A question about a signed PUT of a photo.
fn question(signer: &Value, account: &str, policy: &str) -> v1::AuthorizeSignedRequestRequest {
    let (parts, _) = signed(signer, "/photos/cat.jpg", b"").into_parts();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| v1::SignedHeader {
        name: name.to_string(),
        value: value.to_str().unwrap().to_owned(),
    };
    v1::AuthorizeSignedRequestRequest {
        request: Some(v1::SignedRequest {
            method: "PUT".to_owned(),
            path: "/photos/cat.jpg".to_owned(),
            headers: parts.headers.iter().map(header).collect(),
            body_sha256: EMPTY_SHA256.to_owned(),
            service: "s3".to_owned(),
            ..Default::default()
        }),
        action: "s3:PutObject".to_owned(),
        resource: "arn:aws:s3:::photos/cat.jpg".to_owned(),
        resource_account: account.to_owned(),
        resource_policy: policy.to_owned(),
        ..Default::default()
    }
}

/// Protects accounts from each other: a service of one may ask about a signer of another and learns the
/// verdict, but gets no signing key, no policy, no reason, and cannot ask in the name of others' resources.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_learns_of_other_accounts_the_verdict_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let other = account(&server, "222222222222");
    let bob = user(&server, &other, "bob");
    may_write(&server, &other, "bob");
    let mut asking = AuthorizationServiceClient::new(channel(&server, &server.dev));
    let question = |account: &str, policy: &str| question(&bob, account, policy);
    let admitted = r#"{"Statement":{"Sid":"Bob","Effect":"Allow","Action":"s3:*","Resource":"*",
        "Principal":{"AWS":"arn:aws:iam::222222222222:user/bob"}}}"#;
    let allowed =
        asking.authorize_signed_request(question("", admitted)).await.unwrap().into_inner();
    assert_eq!(allowed.verdict(), v1::Verdict::Allow, "{}", allowed.message);
    let sids: Vec<_> = allowed.matched.iter().map(|matched| matched.sid.as_str()).collect();
    assert_eq!(sids, ["Bob"], "only the resource's own statements are told");
    let identity = allowed.identity.unwrap();
    assert_eq!(identity.arn, "arn:aws:iam::222222222222:user/bob");
    let refused = asking.authorize_signed_request(question("", "")).await.unwrap().into_inner();
    assert_eq!(refused.verdict(), v1::Verdict::ImplicitDeny);
    let foreign = asking.authorize_signed_request(question("222222222222", "")).await.unwrap_err();
    assert_eq!(foreign.code(), tonic::Code::PermissionDenied);
    let further_actions = vec!["sts:AssumeRole".to_owned()];
    let own = v1::AuthorizeSignedRequestRequest { further_actions, ..question("", admitted) };
    let own = asking.authorize_signed_request(own).await.unwrap_err();
    assert_eq!(own.code(), tonic::Code::PermissionDenied, "Locum alone judges its actions");
    let request = question("", "").request;
    let grant = v1::GrantVerificationRequest { request };
    let grant = asking.grant_verification(grant).await.unwrap().into_inner();
    assert!(grant.signing_key.is_empty() && grant.policies.is_none() && grant.context.is_empty());

    // Many at once, one of them not signed.
    let unsigned = v1::AuthorizeSignedRequestRequest {
        request: Some(v1::SignedRequest {
            headers: Vec::new(),
            ..question("", "").request.unwrap()
        }),
        ..question("", "")
    };
    let requests = vec![question("", admitted), unsigned];
    let batch = v1::BatchAuthorizeSignedRequestsRequest { requests: requests.clone() };
    let batch = asking.batch_authorize_signed_requests(batch).await.unwrap().into_inner();
    let stream = requests.into_iter().zip([7, 9]).map(|(request, id)| {
        v1::StreamAuthorizeSignedRequestsRequest { id, request: Some(request) }
    });
    let stream = tokio_stream::iter(stream.collect::<Vec<_>>());
    let mut stream = asking.stream_authorize_signed_requests(stream).await.unwrap().into_inner();
    for (outcome, id) in batch.outcomes.into_iter().zip([7, 9]) {
        let streamed = stream.message().await.unwrap().unwrap();
        assert_eq!(streamed.id, id);
        match (outcome.outcome.unwrap(), streamed.outcome.unwrap().outcome.unwrap()) {
            (Outcome::Answer(answer), Outcome::Answer(streamed)) => {
                assert_eq!((answer.verdict(), id), (v1::Verdict::Allow, 7));
                assert_eq!(answer, streamed);
            }
            (Outcome::Failure(failure), Outcome::Failure(streamed)) => {
                assert_eq!((failure.code.as_str(), id), ("MissingAuthenticationToken", 9));
                assert_eq!((failure.of_signer, failure), (true, streamed));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(stream.message().await.unwrap().is_none());
}

/// Protects others on the server from one who asks much in one call: each question of a batch or a stream counts as a
/// request, the first with its call, and one that is over the rate is told so.
#[tokio::test(flavor = "multi_thread")]
async fn each_question_counts_as_a_request() {
    const ASKED: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let other = account(&server, "222222222222");
    let bob = user(&server, &other, "bob");
    let rate = ["--account-id", "222222222222", "--quota", "RequestsPerSecond", "--value", "1"];
    let put = [&["quota", "put-quota"][..], &rate].concat();
    server.call(&server.json("operator.json"), &put).unwrap();
    let mut asking = AuthorizationServiceClient::new(channel(&server, &other));
    let requests = vec![question(&bob, "", ""); ASKED];
    let batch = v1::BatchAuthorizeSignedRequestsRequest { requests: requests.clone() };
    let batch = asking.batch_authorize_signed_requests(batch).await.unwrap().into_inner();
    assert_eq!(batch.outcomes.len(), ASKED);
    assert!(matches!(batch.outcomes[0].outcome, Some(Outcome::Answer(_))), "{batch:?}");
    let throttled = batch.outcomes.iter().filter(|outcome| match &outcome.outcome {
        Some(Outcome::Failure(failure)) => failure.code == "Throttling" && !failure.of_signer,
        _ => false,
    });
    assert!(throttled.count() > ASKED / 2, "{batch:?}");

    // Until a second's worth has come in.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stream = (0..).zip(requests).map(|(id, request)| {
        v1::StreamAuthorizeSignedRequestsRequest { id, request: Some(request) }
    });
    let stream = tokio_stream::iter(stream.collect::<Vec<_>>());
    let mut stream = asking.stream_authorize_signed_requests(stream).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert!(matches!(first.outcome.unwrap().outcome, Some(Outcome::Answer(_))));
    let ended = loop {
        if let Err(status) = stream.message().await.map(|told| told.expect("it is over the rate")) {
            break status;
        }
    };
    assert_eq!(ended.code(), tonic::Code::ResourceExhausted);
    assert!(ended.get_details_retry_info().and_then(|retry| retry.retry_delay).is_some());
}

/// Protects verifiers that speak other forms than Kubernetes': the URL itself, and the signed form that Vault's
/// AWS login sends, which is bound to a server by a signed header.
#[test]
fn a_login_token_is_a_url_or_what_vault_sends() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let bob = user(&server, &server.dev, "bob");
    let verified = |token: &str, flags: &[&str]| {
        server.admin(&[&["identity", "verify", token], flags].concat())
    };
    let made = Command::new(support::LOCUM)
        .args(["identity", "token", "--format", "url", "--host", "sts.eu-west-1.amazonaws.com"])
        .env("AWS_ACCESS_KEY_ID", bob["accessKeyId"].as_str().unwrap())
        .env("AWS_SECRET_ACCESS_KEY", bob["secretAccessKey"].as_str().unwrap())
        .output()
        .unwrap();
    let url = String::from_utf8(made.stdout).unwrap();
    assert!(
        url.starts_with("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity"),
        "{url}"
    );
    let of_host = ["--host", "sts.eu-west-1.amazonaws.com"];
    let who = verified(url.trim(), &of_host).unwrap();
    assert_eq!(who["arn"], "arn:aws:iam::111111111111:user/bob");
    let elsewhere = verified(url.trim(), &[]).unwrap_err();
    assert!(elsewhere.contains("was signed for the host"), "{elsewhere}");
    let other_call = url.trim().replace("GetCallerIdentity", "GetSessionToken");
    assert!(verified(&other_call, &of_host).unwrap_err().contains("no signed GetCallerIdentity"));

    let token = |body: &str| vault_token(&bob, body);
    let call = "Action=GetCallerIdentity&Version=2011-06-15";
    let of_server = ["--header", "X-Vault-AWS-IAM-Server-ID: vault.example.com"];
    let who = verified(&token(call), &of_server).unwrap();
    assert_eq!(who["arn"], "arn:aws:iam::111111111111:user/bob");
    let other_server = ["--header", "X-Vault-AWS-IAM-Server-ID: other.example.com"];
    let other = verified(&token(call), &other_server).unwrap_err();
    assert!(other.contains("x-vault-aws-iam-server-id as required"), "{other}");
    let assume = verified(&token("Action=AssumeRole&Version=2011-06-15"), &of_server).unwrap_err();
    assert!(assume.contains("no signed GetCallerIdentity"), "{assume}");
    server.stop();
}

/// A POST to STS as Vault's `login` takes it, signed with the server's name.
fn vault_token(key: &Value, body: &str) -> String {
    let credentials = credentials(key);
    let signer = Signer {
        access_key: &credentials.access_key_id,
        secret: &credentials.secret_access_key,
        session_token: None,
        region: "us-east-1",
        service: "sts",
    };
    let headers = [
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("host", "sts.us-east-1.amazonaws.com"),
        ("x-vault-aws-iam-server-id", "vault.example.com"),
    ];
    let request = Signable {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body_sha256: &body_sha256(body.as_bytes()),
        path_style: PathStyle::Normalized,
    };
    let added = signer.sign(&request, Clock::System.now());
    let all = headers.into_iter().map(|(name, value)| (name, value.to_owned())).chain(added);
    let all: serde_json::Map<_, _> =
        all.map(|(name, value)| (name.to_owned(), serde_json::json!([value]))).collect();
    let base64 = |text: &str| STANDARD.encode(text);
    let token = serde_json::json!({
        "iam_http_request_method": "POST",
        "iam_request_url": base64("https://sts.us-east-1.amazonaws.com/"),
        "iam_request_body": base64(body),
        "iam_request_headers": base64(&Value::Object(all).to_string()),
    });
    token.to_string()
}

/// Protects uploads in chunks: what follows the body is checked against it, and nothing that was not announced
/// is taken; both modes, as the body is taken apart before either.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_upload_is_what_its_trailer_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let ana = user(&server, &server.dev, "ana");
    may_write(&server, &server.dev, "ana");
    let settings = Settings { unsigned_bodies: true, ..Settings::new("s3", "us-east-1") };
    let guard = Authorizer::remote(channel(&server, &server.dev), settings).await.unwrap();
    let app = app(&guard);
    let upload = |announced: &str, trailer: &str| {
        let body = format!("9\r\n123456789\r\n0\r\n{trailer}\r\n");
        chunked(&ana, "/photos/cat.jpg", announced, body)
    };
    let crc32 = "x-amz-checksum-crc32";
    let whole = told(&app, upload(crc32, "x-amz-checksum-crc32:y/Q5Jg==\r\n")).await;
    assert_eq!((whole.0, whole.1.ends_with("wrote 9 bytes")), (StatusCode::OK, true), "{whole:?}");
    for (announced, trailer, code) in [
        (crc32, "x-amz-checksum-crc32:AAAAAA==\r\n", "BadDigest"),
        (crc32, "", "MalformedTrailerError"),
        (crc32, "x-amz-checksum-crc32c:4waSgw==\r\n", "MalformedTrailerError"),
        ("x-amz-checksum-md5", "x-amz-checksum-md5:AA==\r\n", "InvalidRequest"),
    ] {
        let refused = told(&app, upload(announced, trailer)).await;
        assert_eq!(refused.0, StatusCode::BAD_REQUEST, "{refused:?}");
        assert!(refused.1.contains(code), "{trailer}: {refused:?}");
    }
}

/// A signed PUT of a body in unsigned chunks, with a trailer.
fn chunked(key: &Value, path: &str, announced: &str, body: String) -> Request<Body> {
    const MARKER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let credentials = credentials(key);
    let signer = Signer {
        access_key: &credentials.access_key_id,
        secret: &credentials.secret_access_key,
        session_token: None,
        region: "us-east-1",
        service: "s3",
    };
    let headers = [
        ("host", HOST),
        ("x-amz-content-sha256", MARKER),
        ("x-amz-decoded-content-length", "9"),
        ("x-amz-trailer", announced),
    ];
    let signable = Signable {
        method: "PUT",
        path,
        query: "",
        headers: &headers,
        body_sha256: MARKER,
        path_style: PathStyle::S3,
    };
    let added = signer.sign(&signable, Clock::System.now());
    let mut request = Request::builder().method("PUT").uri(path);
    for (name, value) in headers.into_iter().map(|(n, v)| (n, v.to_owned())).chain(added) {
        request = request.header(name, value);
    }
    request.body(Body::from(body)).unwrap()
}

/// Protects who sees a login token: it says who made it, for the host and cluster it was made for only.
#[test]
fn a_login_token_says_who_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let other = account(&server, "222222222222");
    let bob = user(&server, &other, "bob");
    let made = Command::new(support::LOCUM)
        .args(["identity", "token", "--cluster-id", "prod"])
        .env("AWS_ACCESS_KEY_ID", bob["accessKeyId"].as_str().unwrap())
        .env("AWS_SECRET_ACCESS_KEY", bob["secretAccessKey"].as_str().unwrap())
        .output()
        .unwrap();
    let token = String::from_utf8(made.stdout).unwrap();
    let token = token.trim();
    assert!(token.starts_with("k8s-aws-v1."), "{token}");
    let verified =
        |flags: &[&str]| server.admin(&[&["identity", "verify", token][..], flags].concat());
    let who = verified(&["--cluster-id", "prod"]).unwrap();
    assert_eq!(who["arn"], "arn:aws:iam::222222222222:user/bob");
    let other = verified(&["--cluster-id", "test"]).unwrap_err();
    assert!(other.contains("SignatureDoesNotMatch"), "{other}");
    let unbound = verified(&[]).unwrap_err();
    assert!(unbound.contains("x-k8s-aws-id"), "{unbound}");
    let elsewhere = verified(&["--cluster-id", "prod", "--host", "sts.example.com"]).unwrap_err();
    assert!(elsewhere.contains("was signed for the host"), "{elsewhere}");
    assert!(locum(&["identity", "verify", "k8s-aws-v1.%"]).unwrap_err().contains("not base64url"));
    server.stop();
}
