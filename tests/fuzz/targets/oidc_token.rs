//! Any text is read as a token, and as a key set, or refused; nothing is taken that the provider did not sign.
//! Header, payload and signature come in the clear, a line each, as no fuzzer finds its way through Base64; a
//! text of one line is a token as it is.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use locum::clock::Timestamp;
use locum::oidc::{KeySet, Unverified};
use serde_json::Value;

/// Keys whose private halves are gone, and the tokens that they signed.
const SIGNED: &str = include_str!("../../../src/oidc/vectors.json");

fn signed() -> &'static (KeySet, Vec<String>) {
    static KNOWN: std::sync::OnceLock<(KeySet, Vec<String>)> = std::sync::OnceLock::new();
    KNOWN.get_or_init(|| {
        let vectors: Value = serde_json::from_str(SIGNED).expect("JSON");
        let keys = KeySet::parse(vectors["jwks"].to_string().as_bytes()).expect("a key set");
        let tokens = vectors["tokens"].as_object().expect("tokens").values();
        let tokens = tokens.filter_map(|token| Some(token.as_str()?.rsplit_once('.')?.0.to_owned()));
        (keys, tokens.collect())
    })
}

fn offer(token: &str) {
    let Ok(unverified) = Unverified::parse(token) else { return };
    assert!(!format!("{unverified:?}").contains(token));
    let (keys, tokens) = signed();
    let now = Timestamp::from_unix_seconds(1_780_000_000);
    if let Ok(identity) = unverified.verify(keys, &["app"], now) {
        let body = token.rsplit_once('.').map(|(body, _)| body);
        assert!(tokens.iter().any(|known| Some(known.as_str()) == body), "taken unsigned");
        assert!(!identity.subject.is_empty());
        assert_eq!(identity.authorizes("").is_ok_and(|named| !named), identity.roles.is_none());
    }
}

fuzz_target!(|text: &str| {
    let _ = KeySet::parse(text.as_bytes());
    offer(text);
    let parts: Vec<_> = text.splitn(3, '\n').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    offer(&parts.join("."));
});
