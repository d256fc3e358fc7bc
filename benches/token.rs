//! What signing costs, each operation beside the bare primitives of ring that it is made of,
//! measured in the same run: `token/*` seal and open, `secret/*` derivation, `sigv4/*`
//! verification.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use locum::clock::Timestamp;
use locum::identity::{AccessKeyId, AccountId, Arn, Path, RoleName, SessionName, UniqueId};
use locum::signing::sigv4::{
    Expectations, PathStyle, Signable, Signer, body_sha256, parse, verify,
};
use locum::signing::{AccountKey, Claims, Secret, Subject, open, peek, seal};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{hkdf, hmac};

/// The claims of an instance's session take about this many bytes.
const CLAIMS_BYTES: usize = 200;
/// The canonical request and string to sign of a call with a token, together.
const SIGNED_BYTES: usize = 1024;

struct Thirty;

impl hkdf::KeyType for Thirty {
    fn len(&self) -> usize {
        30
    }
}

fn account_key() -> AccountKey {
    AccountKey::from_bytes([7; 32])
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

fn tokens(c: &mut Criterion) {
    let (key, id, account, claims) = (account_key(), key_id(), account(), claims());
    let token = seal(&key, &id, account, &claims).expect("a token");
    let mut group = c.benchmark_group("token");
    group.bench_function("seal", |b| b.iter(|| seal(&key, &id, account, black_box(&claims))));
    group.bench_function("peek", |b| b.iter(|| peek(black_box(&token))));
    group.bench_function("open", |b| b.iter(|| open(&key, black_box(&token))));
    group.bench_function("ring AES-256-GCM seal, new key, 200 bytes", |b| {
        b.iter(|| {
            let mut data = black_box([0_u8; CLAIMS_BYTES]);
            let key = UnboundKey::new(&AES_256_GCM, black_box(&[7; 32])).expect("a key");
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            LessSafeKey::new(key).seal_in_place_separate_tag(nonce, Aad::empty(), &mut data)
        });
    });
    group.finish();
}

fn secrets(c: &mut Criterion) {
    let (key, id) = (account_key(), key_id());
    let mut group = c.benchmark_group("secret");
    group.bench_function("derive", |b| b.iter(|| key.secret(black_box(&id))));
    group.bench_function("ring HKDF-SHA256 expand, 30 bytes", |b| {
        b.iter(|| {
            let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, black_box(&[7; 32]));
            let mut out = [0; 30];
            let filled = prk.expand(&[b"label", b"ASIAIOSFODNN7EXAMPLE"], Thirty);
            filled.and_then(|okm| okm.fill(&mut out)).map(|()| out)
        });
    });
    group.finish();
}

fn signatures(c: &mut Criterion) {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let token = seal(&account_key(), &key_id(), account(), &claims()).expect("a token");
    let hash = body_sha256(b"Action=GetCallerIdentity&Version=2011-06-15");
    let plain =
        [("host", "sts.example.com"), ("content-type", "application/x-www-form-urlencoded")];
    let request = |headers| Signable {
        method: "POST",
        path: "/",
        query: "",
        headers,
        body_sha256: &hash,
        path_style: PathStyle::Normalized,
    };
    let signer = Signer {
        access_key: "ASIAIOSFODNN7EXAMPLE",
        secret: &secret,
        session_token: Some(&token),
        region: "us-east-1",
        service: "sts",
    };
    let now = Timestamp::from_unix_seconds(1_780_000_000);
    let added = signer.sign(&request(&plain), now);
    let mut headers = plain.to_vec();
    headers.extend(added.iter().map(|(name, value)| (*name, value.as_str())));
    let request = request(&headers);
    let expected =
        Expectations { service: "sts".to_owned(), regions: vec!["us-east-1".to_owned()] };
    let credential = parse(&headers, "").expect("a credential");

    let mut group = c.benchmark_group("sigv4");
    group.bench_function("parse", |b| b.iter(|| parse(black_box(&headers), "")));
    group.bench_function("verify", |b| {
        b.iter(|| verify(&secret, &credential, black_box(&request), now, &expected));
    });
    group.bench_function("ring HMAC-SHA256, new key, 1024 bytes", |b| {
        b.iter(|| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, black_box(&[7; 32]));
            hmac::sign(&key, black_box(&[0; SIGNED_BYTES]))
        });
    });
    group.finish();
}

criterion_group!(benches, tokens, secrets, signatures);
criterion_main!(benches);
