//! What signing and authorizing cost on one core: each operation beside the sum of the bare primitives of
//! ring that it cannot do without, measured in turns with it, and the ratio. At the end whole requests are
//! authenticated and authorized in process, as the Authorization service does it.
//!
//! What is measured is CPU time (`support/compared.rs`).

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/compared.rs"]
mod compared;
#[path = "support/setup.rs"]
mod setup;

use std::future::pending;
use std::hint::black_box;
use std::sync::Arc;

use compared::{compared, fixed};
use locum::client::{Credentials, SignedChannel, connect};
use locum::clock::Timestamp;
use locum::identity::{
    AccessKeyId, AccountId, Arn, Path, RoleName, SessionName, Subject, UniqueId,
};
use locum::policy::Context;
use locum::proto::v1;
use locum::proto::v1::iam_service_client::IamServiceClient;
use locum::proto::v1::sts_service_client::StsServiceClient;
use locum::serve::{self, Listeners};
use locum::service::{Service, Shown, Wish};
use locum::signing::sigv4::{
    EMPTY_SHA256, Expectations, PathStyle, Signable, Signer, SigningKey, check, compare, parse,
    verify,
};
use locum::signing::{AccountKey, Claims, Secret, open, seal};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hkdf, hmac};

/// The header of a token, in bytes.
const TOKEN_HEADER_BYTES: usize = 42;
/// A string to sign, in bytes.
const STRING_TO_SIGN_BYTES: usize = 138;
/// Sessions of the last comparison.
const SESSIONS: usize = 24_000;
/// The same where a fixed amount of work is asked for, times its factor: each asks once.
const FIXED_SESSIONS: u32 = 50;

struct Bytes(usize);

impl hkdf::KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA256 expand from a key that was not prepared.
fn bare_derive<const N: usize>() -> [u8; N] {
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, black_box(&[7; 32]));
    let mut out = [0; N];
    prk.expand(&[b"locum/1/token-seal\0", b"ASIAIOSFODNN7EXAMPLE"], Bytes(N))
        .and_then(|okm| okm.fill(&mut out))
        .expect("a short key");
    out
}

fn bare_hmac(data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, black_box(&[7; 32])), black_box(data))
}

fn bare_sha256(data: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, black_box(data))
}

fn bare_aes(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key"))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn key_id() -> AccessKeyId {
    AccessKeyId::parse("ASIAIOSFODNN7EXAMPLE").expect("an access key id")
}

fn account() -> AccountId {
    AccountId::new(123_456_789_012).expect("an account")
}

fn claims() -> Claims {
    let subject = Subject::Role {
        path: Path::parse("/service/").expect("a path"),
        role: RoleName::parse("photo-reader").expect("a role"),
        role_id: UniqueId::parse("AROA7777777777777777").expect("an id"),
        session: SessionName::parse("i-0123456789abcdef0").expect("a session"),
    };
    let instance = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0";
    Claims {
        tags: [(Arc::from("team"), Arc::from("blue"))].into(),
        instance: Some(Arn::parse(instance).expect("an ARN")),
        ..Claims::new(
            subject,
            Timestamp::from_unix_seconds(1_780_000_000),
            Timestamp::from_unix_seconds(1_780_021_600),
        )
    }
}

fn tokens() {
    let (key, id, account, claims) =
        (AccountKey::from_bytes([7; 32]), key_id(), account(), claims());
    let token = seal(&key, &id, account, &claims).expect("a token");
    let claims_bytes = token.len() * 3 / 4 - TOKEN_HEADER_BYTES - 16;
    println!("a token of {} characters, {claims_bytes} bytes of claims", token.len());
    let header = [0; TOKEN_HEADER_BYTES];
    let plain = vec![0; claims_bytes];
    compared(
        "seal a token",
        || drop(black_box(seal(&key, &id, account, black_box(&claims)))),
        || {
            // The keys of nonce and seal, the nonce, the seal.
            let (nonce_key, seal_key) = (bare_derive::<32>(), bare_derive::<32>());
            let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &nonce_key));
            mac.update(&header);
            mac.update(&plain);
            black_box(mac.sign());
            let mut data = plain.clone();
            let sealed = bare_aes(&seal_key).seal_in_place_append_tag(
                nonce(),
                Aad::from(&header),
                &mut data,
            );
            black_box(sealed).expect("a short text");
        },
    );
    let mut sealed = plain;
    bare_aes(&bare_derive())
        .seal_in_place_append_tag(nonce(), Aad::from(&header), &mut sealed)
        .expect("a short text");
    compared(
        "open a token",
        || drop(black_box(open(&key, black_box(&token)))),
        || {
            let mut data = sealed.clone();
            let key = bare_aes(&bare_derive());
            let opened = key.open_in_place(nonce(), Aad::from(&header), &mut data);
            black_box(opened).expect("what was sealed");
        },
    );
    compared(
        "derive a secret access key",
        || drop(black_box(key.secret(black_box(&id)))),
        || {
            black_box(bare_derive::<30>());
        },
    );
}

/// A signed GET of an object, with a session token.
struct Signed {
    headers: Vec<(&'static str, String)>,
    secret: Secret,
}

impl Signed {
    fn new(key: &str, secret: &Secret, token: &str, now: Timestamp) -> Self {
        let signer = Signer {
            access_key: key,
            secret,
            session_token: Some(token),
            region: "us-east-1",
            service: "s3",
        };
        let plain = [("host", "photos.example.com"), ("x-amz-content-sha256", EMPTY_SHA256)];
        let request = request(&plain);
        let mut headers: Vec<_> =
            plain.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        headers.extend(signer.sign(&request, now));
        headers.push(("user-agent", "Boto3/1.43".to_owned()));
        Self { headers, secret: secret.clone() }
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// How long the canonical request is, about.
    fn canonical_bytes(&self) -> usize {
        let signed = self.headers.iter().filter(|(name, _)| *name != "authorization");
        180 + signed.map(|(name, value)| name.len() + value.len() + 2).sum::<usize>()
    }
}

fn request<'a>(headers: &'a [(&'a str, &'a str)]) -> Signable<'a> {
    Signable {
        method: "GET",
        path: "/photos/2026/11/cat.jpg",
        query: "",
        headers,
        body_sha256: EMPTY_SHA256,
        path_style: PathStyle::S3,
    }
}

fn signatures() {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let account_key = AccountKey::from_bytes([7; 32]);
    let token = seal(&account_key, &key_id(), account(), &claims()).expect("a token");
    let now = Timestamp::from_unix_seconds(1_780_000_000);
    let signed = Signed::new("ASIAIOSFODNN7EXAMPLE", &secret, &token, now);
    let headers = signed.headers();
    let request = request(&headers);
    let regions = ["us-east-1".to_owned()];
    let expected = Expectations::new("s3", &regions);
    let canonical = vec![b'a'; signed.canonical_bytes()];
    let to_sign = [b'a'; STRING_TO_SIGN_BYTES];
    println!("a canonical request of about {} bytes", canonical.len());
    compared(
        "verify SigV4, signing key derived",
        || {
            let credential = parse(black_box(&headers), "").expect("a credential");
            let verified = verify(&signed.secret, &credential, &request, now, &expected);
            black_box(verified).expect("a signature");
        },
        || {
            for _ in 0..4 {
                black_box(bare_hmac(b"20261124"));
            }
            black_box(bare_sha256(&canonical));
            black_box(bare_hmac(&to_sign));
        },
    );
    let credential = parse(&headers, "").expect("a credential");
    let key = SigningKey::of(&secret, &credential);
    compared(
        "verify SigV4, signing key kept",
        || {
            let credential = parse(black_box(&headers), "").expect("a credential");
            check(&credential, &request, now, &expected).expect("a request");
            black_box(compare(&key, &credential, &request)).expect("a signature");
        },
        || {
            black_box(bare_sha256(&canonical));
            black_box(bare_hmac(&to_sign));
        },
    );
}

const ALLOWED: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"},
    {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::photos"},
    {"Effect":"Deny","Action":"s3:*","Resource":"*",
     "Condition":{"StringNotEquals":{"aws:PrincipalAccount":"111111111111"}}}]}"#;
const TRUSTED: &str = r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
    "Principal":{"AWS":"arn:aws:iam::111111111111:user/ana"}}}"#;

/// Runs a server, has it make sessions of a role that may read photos, and gives its service.
async fn sessions(count: usize) -> (Arc<Service>, AccountId, Vec<v1::Credentials>) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = setup::config(setup::layer(&folder.keep()));
    let opened = serve::open(&config).await.expect("a data folder");
    let service = opened.service.clone();
    let account = "111111111111".parse().expect("an account");
    setup::make_account(&service, account).await;
    let view = service.view();
    let found = view.state.account(account).expect("an account");
    let key = found.access_keys.keys().next().expect("the root's key");
    let root = Credentials {
        access_key_id: key.to_string(),
        secret_access_key: service.secret_of(found, key).expect("a secret"),
        session_token: None,
    };
    let listeners = Listeners::bind(&config).await.expect("addresses");
    let grpc = listeners.addresses().expect("addresses").grpc;
    tokio::spawn(async move { serve::run(&config, opened, listeners, pending()).await });
    let channel = |credentials| {
        connect(&format!("http://{grpc}"), "us-east-1", credentials).expect("a channel")
    };
    let ana = prepare(&channel(root)).await;
    let mut sts = StsServiceClient::new(channel(ana));
    let mut sessions = Vec::new();
    for _ in 0..count {
        let request = v1::AssumeRoleRequest {
            role_arn: "arn:aws:iam::111111111111:role/photo-reader".to_owned(),
            role_session_name: "bench".to_owned(),
            ..Default::default()
        };
        let session = sts.assume_role(request).await.expect("a session").into_inner();
        sessions.push(session.credentials.expect("credentials"));
    }
    (service, account, sessions)
}

/// Makes the role and a user whom it trusts.
async fn prepare(channel: &SignedChannel) -> Credentials {
    let mut iam = IamServiceClient::new(channel.clone());
    let user = v1::CreateUserRequest { user_name: "ana".to_owned(), ..Default::default() };
    iam.create_user(user).await.expect("a user");
    let key = v1::CreateAccessKeyRequest { user_name: "ana".to_owned(), ..Default::default() };
    let key = iam.create_access_key(key).await.expect("a key").into_inner().access_key;
    let role = v1::CreateRoleRequest {
        role_name: "photo-reader".to_owned(),
        trust_policy: TRUSTED.to_owned(),
        ..Default::default()
    };
    iam.create_role(role).await.expect("a role");
    let owner = v1::policy_owner::Owner::RoleName("photo-reader".to_owned());
    let policy = v1::PutInlinePolicyRequest {
        owner: Some(v1::PolicyOwner { owner: Some(owner) }),
        policy_name: "read".to_owned(),
        policy: ALLOWED.to_owned(),
        ..Default::default()
    };
    iam.put_inline_policy(policy).await.expect("a policy");
    let key = key.expect("a key");
    Credentials {
        access_key_id: key.access_key_id,
        secret_access_key: Secret::new(key.secret_access_key),
        session_token: None,
    }
}

/// Whole requests: who signed it, and may they.
fn requests(service: &Service, account: AccountId, sessions: &[v1::Credentials]) {
    let regions = ["us-east-1".to_owned()];
    let wish = Wish {
        action: "s3:GetObject".to_owned(),
        further_actions: Vec::new(),
        resource: "arn:aws:s3:::photos/2026/11/cat.jpg".to_owned(),
        resource_account: None,
        resource_policy: None,
        context: Context::default(),
    };
    let signed: Vec<Signed> = sessions
        .iter()
        .map(|session| {
            let secret = Secret::new(&*session.secret_access_key);
            Signed::new(&session.access_key_id, &secret, &session.session_token, service.now())
        })
        .collect();
    let headers: Vec<_> = signed.iter().map(Signed::headers).collect();
    let may = |headers: &[(&str, &str)]| {
        let shown = Shown {
            request: request(headers),
            expectations: Expectations::new("s3", &regions),
            chunks: &[],
            trailers: None,
            source_ip: None,
            secure_transport: true,
        };
        let signed = service.authenticate_shown(&shown).expect("a signer");
        let view = service.view();
        assert!(service.may(&view.state, &signed.caller, &wish, account), "it is allowed");
    };
    let canonical = vec![b'a'; signed.first().map_or(0, Signed::canonical_bytes)];
    let to_sign = [b'a'; STRING_TO_SIGN_BYTES];
    let known = headers.first().expect("a session");
    let took = compared(
        "authenticate and authorize, a signer seen before",
        || may(black_box(known)),
        || {
            black_box(bare_sha256(&canonical));
            black_box(bare_hmac(&to_sign));
        },
    );
    println!("{:>52} {:>6.0} a second", "", 1e6 / took);
    let what = "authenticate and authorize, another signer each time";
    let mut each = headers.iter().skip(1).cycle();
    if fixed::factor().is_some() {
        let next = || may(black_box(each.next().expect("a session")));
        fixed::part(what, FIXED_SESSIONS, next);
        return;
    }
    let claims = vec![0; 200];
    let took = compared(
        what,
        || may(black_box(each.next().expect("a session"))),
        || {
            // Open the token, derive the secret and the signing key, then as above.
            let mut data = claims.clone();
            let key = bare_aes(&bare_derive());
            let sealed = key.seal_in_place_append_tag(nonce(), Aad::empty(), &mut data);
            black_box(sealed).expect("a short text");
            black_box(bare_derive::<30>());
            for _ in 0..4 {
                black_box(bare_hmac(b"20261124"));
            }
            black_box(bare_sha256(&canonical));
            black_box(bare_hmac(&to_sign));
        },
    );
    println!("{:>52} {:>6.0} a second", "", 1e6 / took);
}

fn main() {
    tokens();
    signatures();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    // More sessions than signers are remembered, so that in turn none of them is.
    // A fixed amount of work needs one for each, and the one that was seen before.
    let fixed =
        fixed::factor().and_then(|factor| usize::try_from(FIXED_SESSIONS * factor + 1).ok());
    let (service, account, sessions) = runtime.block_on(sessions(fixed.unwrap_or(SESSIONS)));
    requests(&service, account, &sessions);
}
