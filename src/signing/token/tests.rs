//! Tests of session tokens: what they promise to who shows one, and to who forges one.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::identity::{
    Arn, Federator, Path, Principal, RoleName, SessionName, SourceIdentity, Subject, UniqueId,
    UserName, WebIdentity,
};
use crate::signing::Ancestor;

const ACCOUNT: AccountId = AccountId::new(123_456_789_012).unwrap();

fn key(byte: u8) -> AccountKey {
    AccountKey::from_bytes([byte; 32])
}

fn id(text: &str) -> AccessKeyId {
    AccessKeyId::parse(text).unwrap()
}

fn role(path: &str, role: &str, session: &str) -> Subject {
    Subject::Role {
        path: Path::parse(path).unwrap(),
        role: RoleName::parse(role).unwrap(),
        role_id: UniqueId::parse("AROA7777777777777777").unwrap(),
        session: SessionName::parse(session).unwrap(),
    }
}

fn claims() -> Claims {
    Claims {
        policy: Some(Arc::from("{\"Version\":\"2012-10-17\",\"Statement\":[]}")),
        policy_arns: vec![Arn::parse("arn:aws:iam::aws:policy/ReadOnlyAccess").unwrap()],
        tags: [("team", "blue"), ("Area", "")].map(|(k, v)| (k.into(), v.into())).into(),
        transitive_tag_keys: vec![Arc::from("team")],
        source_identity: Some(SourceIdentity::parse("alice").unwrap()),
        chain_depth: 2,
        instance: Some(
            Arn::parse("arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0").unwrap(),
        ),
        ..Claims::new(
            role("/service/", "Get-pics", "i-0123456789abcdef0"),
            Timestamp::from_unix_seconds(1_780_000_000),
            Timestamp::from_unix_seconds(1_780_021_600),
        )
    }
}

/// The longest chain: only its first session can be an instance's.
fn chain() -> Vec<Ancestor> {
    let first = Ancestor {
        account: ACCOUNT,
        key: id("ASIAIOSFODNN7EXAMPLE"),
        principal_id: Some(UniqueId::parse("AROA7777777777777777").unwrap()),
        issued_at: Timestamp::from_unix_seconds(1_780_000_000),
        instance: Some("i-0123456789abcdef0".parse().unwrap()),
    };
    let later = Ancestor { instance: None, ..first.clone() };
    [vec![first], vec![later; CHAIN_SESSIONS_MAX - 1]].concat()
}

fn token() -> String {
    seal(&key(1), &id("ASIAIOSFODNN7EXAMPLE"), ACCOUNT, &claims()).unwrap()
}

#[test]
fn every_claim_comes_back_and_the_header_is_read_without_a_key() {
    let user = Subject::User {
        path: Path::parse("/").unwrap(),
        name: UserName::parse("bob").unwrap(),
        id: UniqueId::parse("AIDA7777777777777777").unwrap(),
    };
    let federated = |by| Subject::Federated { name: SessionName::parse("guest").unwrap(), by };
    let by_user = Federator::User {
        name: UserName::parse("bob").unwrap(),
        id: UniqueId::parse("AIDAUNUSUALLYLONG123456").unwrap(),
    };
    let federated = [federated(Federator::Root), federated(by_user)];
    let foreign = Arn::parse("arn:aws:ec2:eu-west-1:210987654321:instance/i-01234567").unwrap();
    for subject in [claims().subject, user, Subject::Root].into_iter().chain(federated) {
        let claims = Claims {
            subject,
            instance: Some(foreign.clone()),
            mfa_at: Some(Timestamp::from_unix_seconds(1_779_999_990)),
            web_identity: Some(WebIdentity {
                issuer: "id.example.com/a".into(),
                subject: "user-1".into(),
                audience: "app".into(),
            }),
            ..claims()
        };
        let token = seal(&key(1), &id("ASIAIOSFODNN7EXAMPLE"), ACCOUNT, &claims).unwrap();
        let sealed = peek(&token).unwrap();
        assert_eq!(sealed.account(), ACCOUNT);
        assert_eq!(sealed.key(), "ASIAIOSFODNN7EXAMPLE");
        assert_eq!(sealed.open(&key(1)).unwrap(), claims);
        assert_eq!(open(&key(1), &token).unwrap(), claims);
    }
}

#[test]
fn a_subject_is_the_principal_that_acts() {
    let principal = claims().subject.principal(ACCOUNT);
    assert_eq!(principal.account(), Some(ACCOUNT));
    assert_eq!(
        principal.arn().as_ref(),
        "arn:aws:sts::123456789012:assumed-role/Get-pics/i-0123456789abcdef0"
    );
    assert_eq!(Subject::Root.principal(ACCOUNT), Principal::Root { account: ACCOUNT });
}

#[test]
fn sealing_is_the_same_on_every_node_and_stays_so() {
    // Written down once, and computed apart from this code: a node of this version must open the
    // tokens of the version before.
    let plain = Claims::new(
        role("/", "app", "web"),
        Timestamp::from_unix_seconds(1_780_000_000),
        Timestamp::from_unix_seconds(1_780_003_600),
    );
    let token = seal(&key(1), &id("ASIAIOSFODNN7EXAMPLE"), ACCOUNT, &plain).unwrap();
    assert_eq!(
        token,
        "AQAAABy-mRoUFEFTSUFJT1NGT0ROTjdFWEFNUExFKZWMCfFQyC2typ8eVv4ncwx9A_0G8OXcioOIvkJ_i3QSyt-ACFu58fL0EjCAblzn5KbF-2s4tJ9RMjHQDQ"
    );
}

#[test]
fn other_claims_under_the_same_key_get_another_nonce() {
    // The header's proof rests on this: two plaintexts under one key never share a nonce.
    let nonce = |claims: &Claims| {
        let token = seal(&key(1), &id("ASIAIOSFODNN7EXAMPLE"), ACCOUNT, claims).unwrap();
        peek(&token).unwrap().nonce
    };
    let first = claims();
    let second = Claims { chain_depth: 3, ..claims() };
    assert_eq!(nonce(&first), nonce(&first));
    assert_ne!(nonce(&first), nonce(&second));
}

#[test]
fn a_token_opens_only_in_its_account_and_under_its_key() {
    assert_eq!(open(&key(2), &token()), Err(TokenError::Forged));
    let mut bytes = URL_SAFE_NO_PAD.decode(token()).unwrap();
    let at = bytes.windows(4).position(|w| w == b"ASIA").unwrap();
    bytes[at] = b'B';
    let renamed = URL_SAFE_NO_PAD.encode(&bytes);
    assert_eq!(peek(&renamed).unwrap().key(), "BSIAIOSFODNN7EXAMPLE");
    assert_eq!(open(&key(1), &renamed), Err(TokenError::Forged));
}

#[test]
fn a_session_is_over_at_its_expiry_and_fractions_are_cut() {
    let claims = Claims {
        issued_at: Timestamp::from_millis(1_780_000_000_999),
        expires_at: Timestamp::from_millis(1_780_000_900_999),
        ..claims()
    };
    let token = seal(&key(1), &id("ASIAIOSFODNN7EXAMPLE"), ACCOUNT, &claims).unwrap();
    let read = open(&key(1), &token).unwrap();
    assert_eq!(read.issued_at.as_millis(), 1_780_000_000_000);
    assert!(!read.expired_at(Timestamp::from_millis(1_780_000_899_999)));
    assert!(read.expired_at(Timestamp::from_millis(1_780_000_900_000)));
}

#[test]
fn the_largest_session_fits_and_a_larger_one_is_refused_by_its_percentage() {
    let long = |c: &str, n: usize| c.repeat(n);
    let mut largest = Claims {
        subject: role(&format!("/{}/", long("p", 510)), &long("r", 64), &long("s", 64)),
        policy: Some(long("x", 2048).into()),
        policy_arns: Vec::new(),
        tags: [(Arc::from("k"), Arc::from(long("v", 120)))].into(),
        transitive_tag_keys: Vec::new(),
        source_identity: Some(SourceIdentity::parse(&long("i", 64)).unwrap()),
        ancestors: chain(),
        ..claims()
    };
    let percent = |claims: &Claims| claims.packed().percent(ACCOUNT);
    assert_eq!(percent(&largest), 100);
    let key_id = id("ASIAIOSFODNN7EXAMPLE");
    let token = seal(&key(1), &key_id, ACCOUNT, &largest).unwrap();
    assert!(token.len() <= TOKEN_CHARS_MAX, "{}", token.len());
    assert_eq!(open(&key(1), &token).unwrap(), largest);

    largest.policy = Some(long("x", 2100).into());
    assert_eq!(percent(&largest), 103);
    assert_eq!(seal(&key(1), &key_id, ACCOUNT, &largest), Err(TokenError::TooLarge));

    // The names of a web identity count as well.
    let web = |chars| WebIdentity {
        issuer: long("i", chars).into(),
        subject: long("s", chars).into(),
        audience: long("a", chars).into(),
    };
    let web = Claims { web_identity: Some(web(255)), policy: None, ..largest };
    assert_eq!(percent(&web), 42);
    assert_eq!(open(&key(1), &seal(&key(1), &key_id, ACCOUNT, &web).unwrap()).unwrap(), web);
}

/// Protects headers: the token of a session with a policy, tags and a source identity is short, that of an
/// instance's role very short.
#[test]
fn ordinary_sessions_have_short_tokens() {
    let policy = r#"{
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
              "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/${aws:PrincipalTag/team}/*"] },
            { "Effect": "Deny", "Action": "s3:*", "Resource": "*",
              "Condition": { "Bool": { "aws:SecureTransport": "false" } } }
        ]
    }"#;
    let arns =
        ["ReadOnly", "Photos"].map(|name| format!("arn:aws:iam::{ACCOUNT}:policy/team/{name}"));
    let ordinary = Claims {
        policy: Some(Arc::from(policy)),
        policy_arns: arns.iter().map(|arn| Arn::parse(arn).unwrap()).collect(),
        tags: [("team", "blue"), ("cost-center", "4711"), ("project", "photo-archive")]
            .map(|(k, v)| (k.into(), v.into()))
            .into(),
        ..claims()
    };
    let length = |claims: &Claims| {
        seal(&key(1), &id("ASIAIOSFODNN7EXAMPLE"), ACCOUNT, claims).unwrap().len()
    };
    assert!(length(&ordinary) <= 1024, "{}", length(&ordinary));
    let of_instance = Claims {
        instance: claims().instance,
        ..Claims::new(claims().subject, claims().issued_at, claims().expires_at)
    };
    assert!(length(&of_instance) <= 200, "{}", length(&of_instance));
}

#[test]
fn what_is_no_token_is_called_malformed_or_unknown() {
    let long = "A".repeat(TOKEN_CHARS_MAX + 1);
    for text in ["", "AQ", "not base64!", "AQ==", &long] {
        assert_eq!(peek(text).unwrap_err(), TokenError::Malformed, "{text:.20}");
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(token()).unwrap();
    bytes[0] = 2;
    assert_eq!(peek(&URL_SAFE_NO_PAD.encode(bytes)).unwrap_err(), TokenError::UnknownVersion);
}

#[test]
fn a_sealed_token_prints_no_claims() {
    let sealed = peek(&token()).unwrap();
    assert_eq!(format!("{sealed:?}"), "Sealed(123456789012 ASIAIOSFODNN7EXAMPLE ..)");
}

proptest! {
    #[test]
    fn a_changed_byte_anywhere_is_refused(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let mut bytes = URL_SAFE_NO_PAD.decode(token()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(open(&key(1), &URL_SAFE_NO_PAD.encode(&bytes)).is_err());
    }

    #[test]
    fn a_changed_character_anywhere_is_refused(at in any::<prop::sample::Index>(), c in "[A-Za-z0-9_-]") {
        let token = token();
        let at = at.index(token.len());
        let changed = format!("{}{c}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert!(open(&key(1), &changed).is_err());
    }

    #[test]
    fn no_text_makes_reading_panic(text in ".{0,80}", bytes in any::<Vec<u8>>()) {
        let _ = open(&key(1), &text);
        let mut with_version = vec![1];
        with_version.extend(bytes);
        let _ = open(&key(1), &URL_SAFE_NO_PAD.encode(with_version));
    }
}
