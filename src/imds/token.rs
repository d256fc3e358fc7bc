//! Session tokens of version 2: nothing is stored. A token is its end and a random number with an HMAC over
//! both and the instance's id, so that it works for its instance alone, until its end, at this server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};

use crate::clock::Timestamp;

/// The longest life of a token in seconds.
pub const TOKEN_TTL_MAX: u32 = 21_600;
const RANDOM: usize = 8;
const HEAD: usize = 8 + RANDOM;
/// Characters of a token; anything longer is none.
const TOKEN_CHARS_MAX: usize = 128;

/// The key of a server's tokens.
pub struct TokenKey {
    key: hmac::Key,
    random: SystemRandom,
}

impl TokenKey {
    /// A key that lives as long as this process.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, ring::error::Unspecified> {
        let random = SystemRandom::new();
        Ok(Self { key: hmac::Key::generate(HMAC_SHA256, &random)?, random })
    }

    /// A token for `instance` that ends at `end`.
    pub(super) fn issue(
        &self,
        instance: &str,
        end: Timestamp,
    ) -> Result<String, ring::error::Unspecified> {
        let mut head = [0; HEAD];
        let (time, random) = head.split_at_mut(8);
        time.copy_from_slice(&end.as_millis().to_be_bytes());
        self.random.fill(random)?;
        let tag = hmac::sign(&self.key, &message(&head, instance));
        Ok(URL_SAFE_NO_PAD.encode([&head, tag.as_ref()].concat()))
    }

    /// Whether `token` is one of ours for `instance` and has not ended.
    pub(super) fn is_valid(&self, token: &str, instance: &str, now: Timestamp) -> bool {
        if token.len() > TOKEN_CHARS_MAX {
            return false;
        }
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((head, tag)) = bytes.split_first_chunk::<HEAD>() else { return false };
        if hmac::verify(&self.key, &message(head, instance), tag).is_err() {
            return false;
        }
        let end = head.first_chunk::<8>().map_or(0, |time| i64::from_be_bytes(*time));
        Timestamp::from_millis(end) > now
    }
}

fn message(head: &[u8; HEAD], instance: &str) -> Vec<u8> {
    [head.as_slice(), instance.as_bytes()].concat()
}
