//! Session tokens of metadata protocol version 2, without state: the token carries its expiry and a MAC
//! over it and the instance id, so that any number may be live and none costs memory.
//!
//! ```text
//! token = base64url(version:1=1 | expires_at_millis:8 big-endian | HMAC-SHA256:32)
//! MAC over "locum imds token v1\0" | expires_at_millis:8 | instance id
//! ```
//! The instance id is last and the rest of fixed length, so no two (expiry, id) pairs share an input.
//! The key is random per process unless given; with a random key, tokens end with the process, and SDKs
//! ask for a new one on the 401.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::clock::Timestamp;
use crate::identity::InstanceId;
use std::time::Duration;

/// The shortest life of a token, in seconds.
pub const TOKEN_TTL_SECONDS_MIN: u32 = 1;
/// The longest life of a token, in seconds.
pub const TOKEN_TTL_SECONDS_MAX: u32 = 21_600;

const VERSION: u8 = 1;
const LABEL: &[u8] = b"locum imds token v1\0";
const BODY_BYTES: usize = 1 + 8;
const MAC_BYTES: usize = 32;
/// The length of every token, in characters.
const TOKEN_CHARS: usize = (BODY_BYTES + MAC_BYTES).div_ceil(3) * 4 - 1;

/// How long a token lives: 1 to 21600 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTtl(u32);

impl TokenTtl {
    /// Reads the request header: decimal digits within the bounds, white space around them ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_matches([' ', '\t']);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let seconds = digits.parse().ok()?;
        (TOKEN_TTL_SECONDS_MIN..=TOKEN_TTL_SECONDS_MAX).contains(&seconds).then_some(Self(seconds))
    }

    /// Whole seconds.
    #[must_use]
    pub const fn as_seconds(self) -> u32 {
        self.0
    }
}

/// Makes and checks tokens.
pub struct TokenKey(hmac::Key);

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(<redacted>)")
    }
}

/// The machine gave no random bytes for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct NoRandomness;

impl TokenKey {
    /// A key that only this process knows.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = zeroize::Zeroizing::new([0_u8; 32]);
        SystemRandom::new().fill(bytes.as_mut()).map_err(|_| NoRandomness)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// A key shared by several processes that serve the same instances.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A token of `instance` that ends `ttl` after `now`.
    #[must_use]
    pub fn issue(&self, instance: &InstanceId, now: Timestamp, ttl: TokenTtl) -> String {
        let expires = now.plus(Duration::from_secs(u64::from(ttl.0)));
        let expires = expires.as_millis().to_be_bytes();
        let mac = hmac::sign(&self.0, &mac_input(expires, instance));
        let mut token = Vec::with_capacity(BODY_BYTES + MAC_BYTES);
        token.push(VERSION);
        token.extend_from_slice(&expires);
        token.extend_from_slice(mac.as_ref());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Whether `token` was issued to `instance` under this key and has not ended at `now`.
    #[must_use]
    pub fn accepts(&self, token: &[u8], instance: &InstanceId, now: Timestamp) -> bool {
        if token.len() != TOKEN_CHARS {
            return false;
        }
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((&[version], rest)) = bytes.split_first_chunk::<1>() else { return false };
        let Some((expires, mac)) = rest.split_first_chunk::<8>() else { return false };
        // `hmac::verify` compares in constant time.
        let genuine = hmac::verify(&self.0, &mac_input(*expires, instance), mac).is_ok();
        genuine && version == VERSION && now.as_millis() < i64::from_be_bytes(*expires)
    }
}

fn mac_input(expires: [u8; 8], instance: &InstanceId) -> Vec<u8> {
    [LABEL, expires.as_slice(), instance.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn id(text: &str) -> InstanceId {
        InstanceId::parse(text).unwrap()
    }

    #[test]
    fn only_whole_seconds_within_the_bounds_are_a_ttl() {
        assert_eq!(TokenTtl::parse("1").map(TokenTtl::as_seconds), Some(1));
        assert_eq!(TokenTtl::parse(" 21600 ").map(TokenTtl::as_seconds), Some(21_600));
        for bad in ["", " ", "0", "21601", "-1", "+1", "1.5", "6h", "0x10", "99999999999", "1 2"] {
            assert_eq!(TokenTtl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_good_for_its_instance_until_its_expiry() {
        let key = TokenKey::random().unwrap();
        let (mine, other) = (id("i-0123456789abcdef0"), id("i-0123456789abcdef1"));
        let now = fixture::now();
        let token = key.issue(&mine, now, TokenTtl::parse("60").unwrap());
        assert_eq!(token.len(), TOKEN_CHARS);
        let after = |seconds| now.plus(Duration::from_secs(seconds));
        assert!(key.accepts(token.as_bytes(), &mine, now));
        assert!(key.accepts(token.as_bytes(), &mine, after(59)));
        assert!(!key.accepts(token.as_bytes(), &mine, after(60)), "expired");
        assert!(!key.accepts(token.as_bytes(), &other, now), "foreign");
        let stranger = TokenKey::random().unwrap();
        assert!(!stranger.accepts(token.as_bytes(), &mine, now), "another key");
    }

    #[test]
    fn no_changed_byte_is_accepted() {
        let key = TokenKey::from_bytes(&[7; 32]);
        let mine = id("i-0123456789abcdef0");
        let token = key.issue(&mine, fixture::now(), TokenTtl::parse("60").unwrap()).into_bytes();
        for position in 0..token.len() {
            let mut forged = token.clone();
            forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
            assert!(!key.accepts(&forged, &mine, fixture::now()), "{position}");
        }
        for bad in [b"".as_slice(), b"x", &token[1..], &[token.as_slice(), b"="].concat()] {
            assert!(!key.accepts(bad, &mine, fixture::now()));
        }
    }
}
