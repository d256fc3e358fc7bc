//! What is promised to accounts that register a provider: good tokens are taken and no others, keys follow
//! their rotation, and an issuer that fails, or strangers who try, cost little.

#[path = "../../tests/support/issuer.rs"]
mod issuer;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::clock::{Clock, Timestamp};
use issuer::{Answers, Issuer, Signer};

const NOW: i64 = 1_780_000_000;

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW)
}

fn set(keys: &[&Signer]) -> KeySet {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn claims(further: Value) -> Value {
    let mut claims = json!({
        "iss": "https://id.example.com", "sub": "user-1", "aud": "app", "iat": NOW, "exp": NOW + 600,
    });
    for (name, value) in further.as_object().unwrap() {
        match value.is_null() {
            true => claims.as_object_mut().unwrap().remove(name),
            false => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// Takes a token with these claims at `NOW`.
fn taken(key: &Signer, further: Value) -> Result<Identity, IdentityError> {
    let token = key.sign(&claims(further));
    Unverified::parse(&token)?.verify(&set(&[key]), &["app", "other"], now())
}

/// Protects accounts: each algorithm is verified as OpenSSL signs it, which these tokens were signed with.
#[test]
fn tokens_of_another_implementation_are_verified() {
    let vectors: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let keys = KeySet::parse(vectors["jwks"].to_string().as_bytes()).unwrap();
    for (algorithm, token) in vectors["tokens"].as_object().unwrap() {
        let token = Unverified::parse(token.as_str().unwrap()).unwrap();
        assert_eq!(token.key_id(), Some(algorithm.as_str()));
        let identity = token.verify(&keys, &["app"], now()).unwrap();
        assert_eq!((identity.subject.as_str(), identity.audience.as_str()), ("user-1", "app"));
    }
}

/// Protects accounts from forgers: no changed, swapped or weaker signature is taken.
#[test]
fn only_the_provider_signs() {
    let keys = [
        Signer::rsa("r", 0),
        Signer::rsa_for("r384", 1, "RS384"),
        Signer::rsa_for("r512", 1, "RS512"),
        Signer::p256("p"),
        Signer::p384("p384"),
        Signer::ed25519("e"),
    ];
    let all = set(&keys.each_ref());
    let verify = |token: &str| {
        Unverified::parse(token).and_then(|token| token.verify(&all, &["app"], now()))
    };
    for key in &keys {
        let token = key.sign(&claims(json!({})));
        assert!(verify(&token).is_ok());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let other = key.sign(&claims(json!({"sub": "root"})));
        let payload = other.split('.').nth(1).unwrap();
        let swapped = format!("{header}.{payload}.{signature}");
        assert_eq!(verify(&swapped).unwrap_err().code(), "InvalidIdentityToken");
        assert!(verify(&format!("{signed}.")).is_err());
        let stranger = match key.algorithm() {
            "RS256" => Signer::rsa("r", 1),
            rsa @ ("RS384" | "RS512") => Signer::rsa_for(&key.id, 0, rsa),
            "ES256" => Signer::p256("p"),
            "ES384" => Signer::p384("p384"),
            _ => Signer::ed25519("e"),
        };
        assert!(verify(&stranger.sign(&claims(json!({})))).is_err());
    }
    for header in [
        json!({"alg": "none", "kid": "r"}),
        json!({"alg": "HS256", "kid": "r"}),
        json!({"alg": "ES512", "kid": "r"}),
        // The set says that the key is for RS256.
        json!({"alg": "RS512", "kid": "r"}),
        json!({"alg": "ES384", "kid": "p"}),
        // The key's own algorithm, not the header's, says how it is verified.
        json!({"alg": "ES256", "kid": "r"}),
        json!({"alg": "RS256", "kid": "unknown"}),
        json!({"alg": "RS256", "kid": "r", "crit": ["b64"], "b64": false}),
        json!({"kid": "r"}),
    ] {
        let token = keys[0].sign_as(&header, &claims(json!({})));
        assert_eq!(verify(&token).unwrap_err().code(), "InvalidIdentityToken", "{header}");
    }
    // Without the name of a key one alone of the algorithm does.
    let token = keys[0].sign_as(&json!({"alg": "RS256"}), &claims(json!({})));
    assert!(verify(&token).is_ok());
    let second = Signer::rsa("r2", 1);
    let both = set(&[&keys[0], &second]);
    assert!(Unverified::parse(&token).unwrap().verify(&both, &["app"], now()).is_err());
}

/// Protects logins at providers whose sets do not say which algorithm an RSA key is for: the token says it. ES512 is
/// refused with a sentence of its own.
#[test]
fn a_key_without_an_algorithm_is_for_all_of_its_kind() {
    for algorithm in ["RS256", "RS384", "RS512"] {
        let key = Signer::rsa_for("r", 0, algorithm);
        let mut jwk = key.jwk();
        jwk.as_object_mut().unwrap().remove("alg");
        let keys = KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        let token = key.sign(&claims(json!({})));
        let token = Unverified::parse(&token).unwrap();
        assert!(token.verify(&keys, &["app"], now()).is_ok(), "{algorithm}");
    }
    let token = Signer::ed25519("e").sign_as(&json!({"alg": "ES512"}), &claims(json!({})));
    let told = Unverified::parse(&token).unwrap_err().to_string();
    assert_eq!(
        told,
        "The token must be signed with RS256, RS384, RS512, ES256, ES384 or EdDSA. ES512, ECDSA on P-521, is not \
         supported."
    );
}

/// Protects accounts: every rule on a claim, with the code that AWS gives for it.
#[test]
fn claims_keep_to_their_rules() {
    let key = Signer::ed25519("e");
    let long = "x".repeat(256);
    let refused = [
        (json!({"exp": null}), "InvalidIdentityToken"),
        (json!({"iat": null}), "InvalidIdentityToken"),
        (json!({"sub": null}), "InvalidIdentityToken"),
        (json!({"aud": null}), "InvalidIdentityToken"),
        (json!({"iss": null}), "InvalidIdentityToken"),
        (json!({"exp": "soon"}), "InvalidIdentityToken"),
        (json!({"exp": NOW - 300}), "ExpiredTokenException"),
        (json!({"iat": NOW + 301}), "IDPRejectedClaim"),
        (json!({"nbf": NOW + 301}), "IDPRejectedClaim"),
        (json!({"sub": ""}), "IDPRejectedClaim"),
        (json!({"sub": long}), "IDPRejectedClaim"),
        (json!({"aud": "stranger"}), "InvalidIdentityToken"),
        (json!({"aud": []}), "InvalidIdentityToken"),
        (json!({"aud": "app", "azp": "stranger"}), "InvalidIdentityToken"),
        (json!({"aud": ["app", "other"]}), "InvalidIdentityToken"),
        (json!({"aud": ["app", "app"]}), "InvalidIdentityToken"),
        (json!({"aud": ["app", "other"], "azp": "stranger"}), "InvalidIdentityToken"),
        (json!({"amr": vec!["x"; 101]}), "IDPRejectedClaim"),
        (
            json!({"https://aws.amazon.com/tags": {"principal_tags": {"k": ["a", "b"]}}}),
            "IDPRejectedClaim",
        ),
        (json!({"https://aws.amazon.com/tags/principal_tags/k": ["a"]}), "IDPRejectedClaim"),
        (json!({"https://aws.amazon.com/tags/transitive_tag_keys": 1}), "IDPRejectedClaim"),
    ];
    for (further, code) in refused {
        assert_eq!(taken(&key, further.clone()).unwrap_err().code(), code, "{further}");
    }
    for fine in [
        json!({"exp": NOW - 299}),
        json!({"exp": NOW as f64 + 0.5}),
        json!({"iat": NOW + 300, "nbf": NOW + 300}),
        json!({"aud": ["app"]}),
        json!({"aud": ["app", "stranger"], "azp": "app"}),
    ] {
        assert!(taken(&key, fine.clone()).is_ok(), "{fine}");
    }
    let told = taken(&key, json!({"exp": NOW - 400})).unwrap_err().to_string();
    assert_eq!(
        told,
        "Token expired: current date/time 1780000000 must be before the expiration date/time 1779999600"
    );
}

/// Protects trust policies: what they ask about is what the token says.
#[test]
fn an_identity_holds_what_conditions_ask_about() {
    let key = Signer::p256("p");
    let identity = taken(
        &key,
        json!({
            "aud": ["stranger", "other", "app"],
            "azp": "other",
            "amr": ["mfa", "pwd"],
            "https://aws.amazon.com/tags": {
                "principal_tags": {"Team": ["blue"], "Area": "north"},
                "transitive_tag_keys": ["Team"],
            },
            "https://aws.amazon.com/source_identity": "ana",
        }),
    )
    .unwrap();
    assert_eq!(identity.audience, "other");
    assert_eq!(identity.audiences, ["stranger", "other", "app"]);
    assert_eq!(identity.methods, ["mfa", "pwd"]);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(identity.tags.tags, [pair("Area", "north"), pair("Team", "blue")]);
    assert_eq!(identity.tags.transitive_tag_keys, ["Team"]);
    assert_eq!(identity.source_identity.as_deref(), Some("ana"));
    let by_party = taken(&key, json!({"aud": "stranger", "azp": "app"})).unwrap();
    assert_eq!(by_party.audience, "app");
}

/// Protects tags of issuers that do not nest claims: each may be a claim of its own, beside nested ones.
#[test]
fn flattened_tags_are_tags() {
    let tagged = taken(
        &Signer::p256("p"),
        json!({
            "https://aws.amazon.com/tags/principal_tags/Team": "blue",
            "https://aws.amazon.com/tags/principal_tags/a/b": "c",
            "https://aws.amazon.com/tags/transitive_tag_keys": ["Team"],
            "https://aws.amazon.com/tags": {"principal_tags": {"Area": ["north"]}},
            "https://aws.amazon.com/tags/other": 1,
        }),
    );
    let tags = tagged.unwrap().tags;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(tags.tags, [pair("Area", "north"), pair("Team", "blue"), pair("a/b", "c")]);
    assert_eq!(tags.transitive_tag_keys, ["Team"]);
}

/// Protects what a provider issued for one role: its token is taken for that role alone, and a claim that names none
/// for no role.
#[test]
fn a_token_for_some_roles_is_for_no_others() {
    const ROLE: &str = "arn:aws:iam::111111111111:role/ops/web";
    let authorizes = |roles: Value| {
        let identity = taken(&Signer::p256("p"), json!({"https://aws.amazon.com/roles": roles}));
        identity.unwrap().authorizes(ROLE).map_err(|error| error.code())
    };
    assert_eq!(authorizes(Value::Null), Ok(false), "no claim");
    for admitting in [
        json!([ROLE]),
        json!([1, "arn:aws:iam::111111111111:role/other", format!(" {ROLE} ")]),
        json!(ROLE),
        json!(format!("arn:aws:iam::111111111111:role/other ; {ROLE}")),
    ] {
        assert_eq!(authorizes(admitting.clone()), Ok(true), "{admitting}");
    }
    for other in [
        json!([]),
        json!(""),
        json!("*"),
        json!(true),
        json!({"role": ROLE}),
        json!(["arn:aws:iam::111111111111:role/web"]),
        json!([ROLE.to_uppercase()]),
        json!([[ROLE]]),
        json!(format!("{ROLE},x")),
    ] {
        assert_eq!(authorizes(other.clone()), Err("InvalidIdentityToken"), "{other}");
    }
}

/// Protects the service from what strangers send: it is refused, whatever it is, and not repeated.
#[test]
fn what_is_no_token_is_refused() {
    let long = "a".repeat(20_001);
    for text in ["", ".", "..", "...", "a.b.c", "e30.e30.", "e30.e30", "é.é.é", &long] {
        let error = Unverified::parse(text).unwrap_err();
        assert_eq!(error.code(), "InvalidIdentityToken", "{text:.20}");
        assert!(text.len() < 5 || !error.to_string().contains(text));
    }
    let key = Signer::ed25519("e");
    let twice = r#"{"iss":"https://a.example","iss":"https://b.example","sub":"u"}"#;
    let token = key.sign(&claims(json!({})));
    let parts: Vec<_> = token.split('.').collect();
    let tag = r#""https://aws.amazon.com/tags/principal_tags/k":"v""#;
    for twice in [twice, &format!(r#"{{"iss":"https://a.example",{tag},{tag}}}"#)] {
        let encoding = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let payload = base64::Engine::encode(&encoding, twice);
        assert!(Unverified::parse(&format!("{}.{payload}.{}", parts[0], parts[2])).is_err());
    }
}

/// Protects accounts from weak keys, and providers that publish keys of other kinds beside.
#[test]
fn keys_that_cannot_verify_are_passed_over() {
    let key = Signer::rsa("r", 0);
    let mut jwk = key.jwk();
    let good = jwk.clone();
    jwk["n"] = json!("AQAB");
    let weak = jwk.clone();
    let mut encrypting = good.clone();
    encrypting["use"] = json!("enc");
    let mut other = good.clone();
    other["alg"] = json!("PS256");
    let octets = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "r"});
    let p384 = json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
    let coordinate = "A".repeat(88);
    let p521 = json!({"kty": "EC", "crv": "P-521", "x": coordinate, "y": coordinate});
    let parse = |keys: Value| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    for useless in [&weak, &encrypting, &other, &octets, &p384, &p521, &json!(1)] {
        assert!(parse(json!([useless])).is_err(), "{useless}");
    }
    assert_eq!(parse(json!([weak, octets, p384, good])).unwrap(), parse(json!([good])).unwrap());
    assert!(parse(json!(vec![good; 101])).is_err());
    assert!(KeySet::parse(b"{}").is_err());
}

/// A cache with a clock that tests move.
struct Kept {
    cache: KeyCache,
    time: Arc<AtomicI64>,
}

impl Kept {
    fn new() -> Self {
        let time = Arc::new(AtomicI64::new(NOW * 1000));
        Self { cache: KeyCache::new(Reach::Loopback, Clock::Manual(time.clone())), time }
    }

    fn advance(&self, seconds: i64) {
        self.time.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Whether a token of the issuer's key is taken now, or why not.
    async fn takes(&self, issuer: &Issuer, key: &Signer) -> Result<(), &'static str> {
        let seconds = self.time.load(Ordering::SeqCst) / 1000;
        let token = issuer.token(key, seconds, &json!({}));
        let token = Unverified::parse(&token).unwrap();
        let source = Source::Discovery(issuer.url.clone());
        let keys = self.cache.keys(&source, token.key_id()).await.map_err(|error| error.code())?;
        let identity = token.verify(&keys, &["app"], Timestamp::from_unix_seconds(seconds));
        identity.map(drop).map_err(|error| error.code())
    }
}

/// Protects logins over a rotation of keys: a new key is found as soon as a token names it, and one that was
/// withdrawn is not taken once the set is fetched.
#[tokio::test]
async fn keys_follow_their_rotation() {
    let (old, new) = (Signer::rsa("1", 0), Signer::ed25519("2"));
    let issuer = Issuer::start(&[&old]);
    let kept = Kept::new();
    assert_eq!(kept.takes(&issuer, &old).await, Ok(()));
    assert_eq!(kept.takes(&issuer, &old).await, Ok(()));
    assert_eq!(issuer.requests(), 1);
    issuer.publish(&[&new]);
    kept.advance(10);
    assert_eq!(kept.takes(&issuer, &new).await, Ok(()));
    assert_eq!(issuer.requests(), 2);
    assert_eq!(kept.takes(&issuer, &old).await, Err("InvalidIdentityToken"));
    // An hour later the set is fetched anew without being asked for a key that it lacks.
    let newer = Signer::p256("3");
    issuer.publish(&[&new, &newer]);
    kept.advance(3600);
    assert_eq!(kept.takes(&issuer, &new).await, Ok(()));
    assert_eq!(issuer.requests(), 3);
    assert_eq!(kept.takes(&issuer, &newer).await, Ok(()));
    assert_eq!(issuer.requests(), 3);
}

/// Protects issuers from what strangers send us: however many unknown keys are named, and however many
/// callers there are at once, the set is fetched once in ten seconds.
#[tokio::test]
async fn unknown_keys_cause_few_fetches() {
    let (key, unknown) = (Signer::ed25519("1"), Signer::ed25519("?"));
    let issuer = Issuer::start(&[&key]);
    issuer.answer(Answers::Late(Duration::from_millis(100)));
    let kept = Kept::new();
    let all = (0..50).map(|_| kept.takes(&issuer, &key));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(issuer.requests(), 1);
    for _ in 0..20 {
        assert_eq!(kept.takes(&issuer, &unknown).await, Err("InvalidIdentityToken"));
    }
    assert_eq!(issuer.requests(), 1);
    kept.advance(10);
    for _ in 0..20 {
        assert_eq!(kept.takes(&issuer, &unknown).await, Err("InvalidIdentityToken"));
    }
    assert_eq!(issuer.requests(), 2);
}

/// Protects logins while an issuer is down: known keys go on being taken for a day, it is asked more and more
/// seldom, and then the holder is told to try again.
#[tokio::test]
async fn an_issuer_that_is_down_is_spared() {
    let key = Signer::ed25519("1");
    let issuer = Issuer::start(&[&key]);
    issuer.answer(Answers::Never);
    let kept = Kept::new();
    assert_eq!(kept.takes(&issuer, &key).await, Err("IDPCommunicationError"));
    assert_eq!(kept.takes(&issuer, &key).await, Err("IDPCommunicationError"));
    issuer.answer(Answers::Well);
    assert_eq!(kept.takes(&issuer, &key).await, Err("IDPCommunicationError"), "it backs off");
    kept.advance(5);
    assert_eq!(kept.takes(&issuer, &key).await, Ok(()));
    assert_eq!(issuer.requests(), 1);
    issuer.answer(Answers::With(500, "{}".to_owned()));
    kept.advance(3600);
    for _ in 0..100 {
        assert_eq!(kept.takes(&issuer, &key).await, Ok(()), "what is known goes on");
        kept.advance(60);
    }
    kept.advance(24 * 3600);
    assert_eq!(kept.takes(&issuer, &key).await, Err("IDPCommunicationError"));
    issuer.answer(Answers::Well);
    kept.advance(300);
    assert_eq!(kept.takes(&issuer, &key).await, Ok(()));
}

/// Protects callers: an issuer that is slow holds them up for seconds, no longer.
#[tokio::test]
async fn a_slow_issuer_is_given_up() {
    let key = Signer::ed25519("1");
    let issuer = Issuer::start(&[&key]);
    issuer.answer(Answers::Late(Duration::from_secs(60)));
    let began = std::time::Instant::now();
    assert_eq!(Kept::new().takes(&issuer, &key).await, Err("IDPCommunicationError"));
    assert!(began.elapsed() < Duration::from_secs(8));
}

/// Protects the service from what an issuer answers: other issuers' documents, redirects, sets without end.
#[tokio::test]
async fn odd_answers_are_not_followed() {
    let key = Signer::ed25519("1");
    let issuer = Issuer::start(&[&key]);
    let odd = [
        (302, "{}".to_owned()),
        (200, "no JSON".to_owned()),
        (200, json!({"issuer": "https://other.example", "jwks_uri": issuer.url}).to_string()),
        (200, json!({"issuer": issuer.url, "jwks_uri": "http://169.254.169.254/"}).to_string()),
        (200, json!({"issuer": issuer.url, "jwks_uri": "file:///etc/passwd"}).to_string()),
        (200, "x".repeat(300_000)),
    ];
    for (status, body) in odd {
        issuer.answer(Answers::With(status, body));
        assert_eq!(Kept::new().takes(&issuer, &key).await, Err("IDPCommunicationError"));
    }
    let refused = KeyCache::new(Reach::Public, Clock::System)
        .keys(&Source::Discovery(issuer.url.clone()), None)
        .await;
    assert!(refused.is_err(), "loopback is out of reach unless the operator says otherwise");
}
