//! STS as its callers see it, by real processes: sessions with MFA, federation, identity providers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "support/issuer.rs"]
mod issuer;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use issuer::{Answers, Issuer, Signer};
use locum::clock::Clock;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use support::{LOCUM, Server, totp};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};

const ACCOUNT: &str = "111111111111";

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, String>, expected: &str) {
    let told = result.expect_err(expected);
    println!("    {told}");
    assert!(told.contains(expected), "`{expected}` is not in `{told}`");
}

fn now() -> i64 {
    Clock::System.now().as_unix_seconds()
}

/// A user with a key and a policy that allows everything.
fn user(server: &Server, name: &str) -> Value {
    server.admin(&["iam", "create-user", "--user-name", name]).unwrap();
    let all =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let put = ["iam", "put-inline-policy", "--owner-user-name", name];
    server.admin(&[&put[..], &["--policy-name", "all", "--policy", all]].concat()).unwrap();
    let made = server.admin(&["iam", "create-access-key", "--user-name", name]).unwrap();
    made["accessKey"].clone()
}

/// A device of a user: its serial number, its seed, and the step of the newest code that was used.
fn device(server: &Server, owner: &str, name: &str) -> (String, String, i64) {
    let made = server
        .admin(&["iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", name])
        .unwrap();
    let serial = made["device"]["serialNumber"].as_str().unwrap().to_owned();
    let seed = made["base32StringSeed"].as_str().unwrap().to_owned();
    assert!(made["otpauthUri"].as_str().unwrap().contains(&seed));
    let step = now() / 30;
    let codes = [totp(&seed, step - 1), totp(&seed, step)];
    let enable = |first: &str, second: &str| {
        let words = [
            "iam",
            "enable-mfa-device",
            "--user-name",
            owner,
            "--serial-number",
            &serial,
            "--authentication-code1",
            first,
            "--authentication-code2",
            second,
        ];
        server.admin(&words)
    };
    refused(enable(&codes[1], &codes[0]), "InvalidAuthenticationCode");
    enable(&codes[0], &codes[1]).unwrap();
    (serial, seed, step)
}

fn session(
    server: &Server,
    credentials: &Value,
    serial: &str,
    code: &str,
) -> Result<Value, String> {
    let words = ["sts", "get-session-token", "--serial-number", serial, "--token-code", code];
    server.call(credentials, &words)
}

/// Protects accounts that ask for MFA: a code opens IAM once, not a second time, not after a restart, not for
/// another user; guessing ends; the seed is nowhere on disk.
#[test]
fn a_code_of_a_device_works_once_and_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (ana, bob) = (user(&server, "ana"), user(&server, "bob"));
    let (serial, seed, step) = device(&server, "ana", "phone");
    let list =
        |server: &Server, credentials: &Value| server.call(credentials, &["iam", "list-users"]);

    let plain = server.call(&ana, &["sts", "get-session-token"]).unwrap()["credentials"].clone();
    refused(list(&server, &plain), "AccessDenied");
    let code = totp(&seed, step + 1);
    let with_mfa = session(&server, &ana, &serial, &code).unwrap()["credentials"].clone();
    assert!(list(&server, &with_mfa).is_ok());
    let invalid =
        "AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code.";
    refused(session(&server, &ana, &serial, &code), invalid);
    refused(session(&server, &bob, &serial, &code), "associated with this user");
    refused(session(&server, &with_mfa, &serial, &code), "AccessDenied");
    let half = ["sts", "get-session-token", "--token-code", &code];
    refused(server.call(&ana, &half), "must provide both MFA serial number");
    refused(session(&server, &ana, &serial, "12345"), "ValidationError");

    server.stop();
    let server = Server::start(folder.path(), &[]);
    refused(session(&server, &ana, &serial, &code), invalid);
    assert!(list(&server, &with_mfa).is_ok());

    // A role that asks for MFA, with a second device, as each code works once.
    let (serial, seed, step) = device(&server, "ana", "key");
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},
        "Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}}"#;
    server.admin(&["iam", "create-role", "--role-name", "safe", "--trust-policy", trust]).unwrap();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/safe");
    let mut words = vec!["sts", "assume-role", "--role-arn", &role, "--role-session-name", "ana"];
    refused(server.call(&ana, &words), "is not authorized to perform: sts:AssumeRole");
    let code = totp(&seed, step + 1);
    words.extend(["--serial-number", &serial, "--token-code", &code]);
    let assumed = server.call(&ana, &words).unwrap();
    assert_eq!(assumed["arn"], format!("arn:aws:sts::{ACCOUNT}:assumed-role/safe/ana"));

    let (serial, seed, step) = device(&server, "ana", "third");
    let right = totp(&seed, step + 1);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        refused(session(&server, &ana, &serial, wrong), invalid);
    }
    refused(session(&server, &ana, &serial, &right), "too many invalid MFA one time pass codes");
    let listed = server.admin(&["iam", "list-mfa-devices", "--user-name", "ana"]).unwrap();
    assert_eq!(listed["devices"].as_array().unwrap().len(), 3);
    server.stop();
    assert_eq!(found_in(folder.path(), &seed), 0, "the seed is in a file");
}

/// How many files under a folder hold a text.
fn found_in(folder: &std::path::Path, text: &str) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let count = entries.map(|path| match path.is_dir() {
        true => found_in(&path, text),
        false => {
            let bytes = std::fs::read(&path).unwrap();
            usize::from(bytes.windows(text.len()).any(|window| window == text.as_bytes()))
        }
    });
    count.sum()
}

/// Protects callers: what is asked wrongly is told in AWS's words and leaves no trace; federated users do what
/// their policy lets them.
#[test]
fn sessions_keep_to_the_limits_of_sts() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let ana = user(&server, "ana");
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},
        "Action":["sts:AssumeRole","sts:TagSession"]}}"#;
    server.admin(&["iam", "create-role", "--role-name", "app", "--trust-policy", trust]).unwrap();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/app");
    let head = || server.admin(&["iam", "list-roles"]).unwrap()["sequence"].clone();
    let before = head();
    let assume = |more: &[&str]| {
        let words = ["sts", "assume-role", "--role-arn", &role];
        server.call(&ana, &[&words, more].concat())
    };
    refused(
        assume(&["--role-session-name", "x"]),
        "ValidationError: 1 validation error detected: Value 'x' at 'roleSessionName' failed to satisfy \
         constraint: Member must have length greater than or equal to 2",
    );
    refused(
        assume(&["--role-session-name", "x", "--duration", "1s"]),
        "2 validation errors detected: ",
    );
    let longer = ["--role-session-name", "ana", "--duration", "7200s"];
    refused(assume(&longer), "exceeds the MaxSessionDuration set for this role.");
    let mut many = vec!["--role-session-name".to_owned(), "ana".to_owned()];
    for number in 0..50 {
        many.extend(["--tags".to_owned(), format!("key-{number}={}", "v".repeat(200))]);
    }
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    refused(assume(&many), "PackedPolicyTooLarge: Packed policy consumes 485% of allotted space");
    assert_eq!(head(), before, "nothing was recorded");
    let tagged = assume(&["--role-session-name", "ana", "--tags", "team=blue"]).unwrap();
    assert_eq!(tagged["packedPolicyPercent"], 1);
    assert!(tagged["credentials"]["sessionToken"].as_str().unwrap().len() < 300);
    let plain = assume(&["--role-session-name", "ana"]).unwrap();
    assert_eq!(plain["packedPolicyPercent"], Value::Null, "what is 0 is not printed");

    let policy =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let words = ["sts", "get-federation-token", "--name", "guest", "--policy", policy];
    let guest = server.call(&ana, &words).unwrap();
    assert_eq!(guest["arn"], format!("arn:aws:sts::{ACCOUNT}:federated-user/guest"));
    let credentials = &guest["credentials"];
    let me = server.call(credentials, &["sts", "get-caller-identity"]).unwrap();
    assert_eq!(me["userId"], format!("{ACCOUNT}:guest"));
    refused(server.call(credentials, &["iam", "list-users"]), "AccessDenied");
    refused(server.call(credentials, &["sts", "get-session-token"]), "AccessDenied");
    assert!(server.call(credentials, &["instance", "describe-instances"]).is_ok());

    let key = ana["accessKeyId"].as_str().unwrap();
    let info = |who: &Value, key: &str| {
        server.call(who, &["sts", "get-access-key-info", "--access-key-id", key])
    };
    assert_eq!(info(&ana, key).unwrap()["accountId"], ACCOUNT);
    refused(info(&ana, "AKIAZZZZZZZZZZZZZZZZ"), "ValidationError");
    let operator = server.json("operator.json");
    assert_eq!(info(&operator, key).unwrap()["accountId"], ACCOUNT);
    refused(info(&ana, operator["accessKeyId"].as_str().unwrap()), "ValidationError");
}

/// An account with a provider and a role `web` that trusts it for subjects that begin with `user-`.
fn register(server: &Server, issuer: &Issuer, role: &str, more: &[&str]) {
    let words =
        ["iam", "create-open-id-connect-provider", "--url", &issuer.url, "--client-ids", "app"];
    let made = server.admin(&[&words, more].concat()).unwrap();
    let (arn, name) =
        (made["provider"]["arn"].as_str().unwrap(), issuer.url.split_once("://").unwrap().1);
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"Federated": arn},
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
        "Condition": {
            "StringEquals": {format!("{name}:aud"): "app"},
            "StringLike": {format!("{name}:sub"): "user-*"},
        },
    }});
    let trust = trust.to_string();
    server.admin(&["iam", "create-role", "--role-name", role, "--trust-policy", &trust]).unwrap();
}

fn assume_with(server: &Server, role: &str, token: &str) -> Result<Value, String> {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
    let words = [
        "sts",
        "assume-role-with-web-identity",
        "--role-arn",
        &role,
        "--role-session-name",
        "web",
        "--web-identity-token",
        token,
    ];
    // Nobody signs it.
    server.call(&Value::Null, &words)
}

/// Protects accounts with an identity provider: good tokens of each algorithm lead to credentials, bad ones
/// are told by AWS's codes, keys follow their rotation, and unknown ones cause hardly any fetches.
#[test]
fn tokens_of_a_real_issuer_lead_to_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let keys = [Signer::rsa("1", 0), Signer::p256("2"), Signer::ed25519("3")];
    let issuer = Issuer::start(&keys.each_ref());
    register(&server, &issuer, "web", &[]);
    for key in &keys {
        let tags = json!({"https://aws.amazon.com/tags": {
            "principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"],
        }});
        let assumed = assume_with(&server, "web", &issuer.token(key, now(), &tags)).unwrap();
        assert_eq!(assumed["subjectFromWebIdentityToken"], "user-1");
        assert_eq!(assumed["audience"], "app");
        let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/web/web");
        assert_eq!(assumed["arn"], arn.as_str());
        let me = server.call(&assumed["credentials"], &["sts", "get-caller-identity"]).unwrap();
        assert_eq!(me["arn"], arn.as_str());
    }
    assert_eq!(issuer.requests(), 1);
    let bad =
        |further: Value| assume_with(&server, "web", &issuer.token(&keys[1], now(), &further));
    refused(
        bad(json!({"exp": now() - 400})),
        "ExpiredTokenException: Token expired: current date/time",
    );
    refused(bad(json!({"aud": "other"})), "InvalidIdentityToken: Incorrect token audience");
    refused(bad(json!({"nbf": now() + 600})), "IDPRejectedClaim");
    refused(
        bad(json!({"iss": "https://id.example.com"})),
        "No OpenIDConnect provider found in your account",
    );
    let not_authorized = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity";
    refused(bad(json!({"sub": "root"})), not_authorized);
    let good = issuer.token(&keys[1], now(), &json!({}));
    refused(assume_with(&server, "absent", &good), not_authorized);
    refused(assume_with(&server, "web", &good[..good.len() - 2]), "InvalidIdentityToken");
    refused(assume_with(&server, "web", "no token"), "InvalidIdentityToken");

    // A new key is taken as soon as the least time between fetches is over; the old one is not any more.
    let new = Signer::rsa("4", 1);
    issuer.publish(&[&new]);
    let began = Instant::now();
    let mut tries = 0;
    while assume_with(&server, "web", &issuer.token(&new, now(), &json!({}))).is_err() {
        tries += 1;
        assert!(began.elapsed() < Duration::from_secs(30), "the new key is not found");
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("    {tries} tokens of an unknown key, {} fetches", issuer.requests());
    assert_eq!(issuer.requests(), 2);
    refused(assume_with(&server, "web", &good), "InvalidIdentityToken");
    // An issuer that is down stops nobody whose key is known.
    issuer.answer(Answers::Never);
    assert!(assume_with(&server, "web", &issuer.token(&new, now(), &json!({}))).is_ok());
    let arn =
        format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{}", issuer.url.split_once("://").unwrap().1);
    let delete = ["iam", "delete-open-id-connect-provider", "--open-id-connect-provider-arn", &arn];
    server.admin(&delete).unwrap();
    let late = assume_with(&server, "web", &issuer.token(&new, now(), &json!({})));
    refused(late, "No OpenIDConnect provider found");
}

/// A certificate authority, and what serves under a certificate of it for `host`.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "an authority of the tests");
    CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
}

fn certified(by: &CertifiedIssuer<'_, KeyPair>, host: &str) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, by).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(crypto::ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

/// Protects the keys on their way: an issuer is taken over TLS with a certificate that the system's roots vouch
/// for, of its own name; one of another authority or name is told as one that cannot be reached.
#[test]
fn keys_come_over_tls_from_whom_the_roots_vouch_for() {
    let folder = tempfile::tempdir().unwrap();
    let (trusted, other) = (authority(), authority());
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, trusted.pem()).unwrap();
    let start = format!("SSL_CERT_FILE={} exec {LOCUM} dev", roots.display());
    let server = Server::start_under(&start, &folder.path().join("data"), &[]);
    let key = Signer::p256("1");
    let start = |tls| Issuer::start_tls(&[&key], tls);
    let good = start(certified(&trusted, "localhost"));
    let forged = start(certified(&other, "localhost"));
    let misnamed = start(certified(&trusted, "id.example.com"));
    assert!(good.url.starts_with("https://"));
    let assume =
        |role, issuer: &Issuer| assume_with(&server, role, &issuer.token(&key, now(), &json!({})));
    for (role, issuer) in [("good", &good), ("forged", &forged), ("misnamed", &misnamed)] {
        register(&server, issuer, role, &[]);
    }
    for (role, issuer) in [("forged", &forged), ("misnamed", &misnamed)] {
        refused(assume(role, issuer), "IDPCommunicationError");
        assert_eq!(
            issuer.requests(),
            0,
            "{role}: nothing is asked before the certificate is judged"
        );
    }
    let assumed = assume("good", &good).unwrap();
    let me = server.call(&assumed["credentials"], &["sts", "get-caller-identity"]).unwrap();
    assert_eq!(me["arn"], format!("arn:aws:sts::{ACCOUNT}:assumed-role/good/web"));
    assert_eq!(good.requests(), 1);
    server.stop();
}

/// Protects callers and the service from issuers that do not answer, and from URLs that lead elsewhere.
#[test]
fn issuers_that_fail_are_told_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let key = Signer::ed25519("1");
    let (dead, slow, named, inline) = (
        Issuer::start(&[&key]),
        Issuer::start(&[&key]),
        Issuer::start(&[&key]),
        Issuer::start(&[&key]),
    );
    dead.answer(Answers::Never);
    slow.answer(Answers::Late(Duration::from_secs(60)));
    register(&server, &dead, "dead", &[]);
    register(&server, &slow, "slow", &[]);
    register(&server, &named, "named", &["--jwks-url", &format!("{}/keys", named.url)]);
    let set = json!({"keys": [key.jwk()]}).to_string();
    register(&server, &inline, "inline", &["--jwks", &set]);
    inline.answer(Answers::Never);
    let assume =
        |role, issuer: &Issuer| assume_with(&server, role, &issuer.token(&key, now(), &json!({})));
    refused(assume("dead", &dead), "IDPCommunicationError");
    let began = Instant::now();
    refused(assume("slow", &slow), "IDPCommunicationError");
    assert!(began.elapsed() < Duration::from_secs(8));
    let began = Instant::now();
    refused(assume("slow", &slow), "IDPCommunicationError");
    assert!(began.elapsed() < Duration::from_secs(3), "it backs off");
    assert!(assume("named", &named).is_ok());
    assert!(assume("inline", &inline).is_ok());
    assert_eq!((named.requests(), inline.requests()), (1, 0));

    let create = |url: &str, more: &[&str]| {
        let words = ["iam", "create-open-id-connect-provider", "--url", url];
        server.admin(&[&words, more].concat())
    };
    refused(create("http://id.example.com", &[]), "must begin with `https://`");
    refused(create("https://169.254.169.254", &[]), "address that keys are not fetched from");
    let metadata = ["--jwks-url", "http://169.254.169.254/latest/meta-data/"];
    refused(create("https://id.example.com", &metadata), "must be `https://`");
    refused(
        create("https://id.example.com", &["--jwks", "{}"]),
        "The key set is no JSON Web Key Set",
    );
    let listed = server.admin(&["iam", "list-open-id-connect-providers"]).unwrap();
    assert_eq!(listed["providers"].as_array().unwrap().len(), 4);

    let folder = tempfile::tempdir().unwrap();
    let closed = Server::start(folder.path(), &["--oidc-reach", "public"]);
    let words = ["iam", "create-open-id-connect-provider", "--url", &named.url];
    refused(closed.admin(&words), "must be `https://`");
}
