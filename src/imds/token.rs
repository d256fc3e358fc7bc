//! Tokens of version 2 and of containers: nothing is stored. A token is its end and a random number with an
//! HMAC over both, the audience and the instance's id, so that it works for its instance and its purpose alone,
//! until its end, at this server.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::clock::Timestamp;

/// The longest life of a token of version 2 in seconds.
pub const TOKEN_TTL_MAX: u32 = 21_600;
const RANDOM: usize = 8;
const HEAD: usize = 8 + RANDOM;
const TAG: usize = 32;
const BYTES: usize = HEAD + TAG;
/// Characters of a token; anything longer is none.
const CHARS: usize = BYTES * 4 / 3;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Version 2 of the protocol.
    Metadata,
    /// Credentials of a container.
    Container,
}

/// The token of version 2 that was verified last for an instance: an SDK sends the same one for hours, and to know it
/// again takes no HMAC.
#[derive(Default)]
pub(super) struct LastToken(Mutex<Option<Known>>);

struct Known {
    token: Zeroizing<[u8; CHARS]>,
    end: Timestamp,
}

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
        audience: Audience,
        instance: &str,
        end: Timestamp,
    ) -> Result<String, ring::error::Unspecified> {
        let mut head = [0; HEAD];
        let (time, random) = head.split_at_mut(8);
        time.copy_from_slice(&end.as_millis().to_be_bytes());
        self.random.fill(random)?;
        let tag = self.context(audience, &head, instance).sign();
        Ok(URL_SAFE_NO_PAD.encode([&head, tag.as_ref()].concat()))
    }

    /// Whether `token` is one of ours for `instance` and has not ended.
    pub(super) fn is_valid(
        &self,
        audience: Audience,
        token: &[u8],
        instance: &str,
        now: Timestamp,
    ) -> bool {
        self.end_of(audience, token, instance).is_some_and(|end| end > now)
    }

    /// As `is_valid` for version 2; `last` is what was verified before with this key for this instance.
    pub(super) fn is_valid_again(
        &self,
        last: &LastToken,
        token: &[u8],
        instance: &str,
        now: Timestamp,
    ) -> bool {
        let mut last = last.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |known: &&Known| bool::from(known.token.as_slice().ct_eq(token));
        if let Some(known) = last.as_ref().filter(is_same) {
            return known.end > now;
        }
        let Some(end) = self.end_of(Audience::Metadata, token, instance) else { return false };
        if let Ok(token) = token.try_into() {
            *last = Some(Known { token: Zeroizing::new(token), end });
        }
        end > now
    }

    /// When `token` ends, if it is one of ours for `instance`.
    fn end_of(&self, audience: Audience, token: &[u8], instance: &str) -> Option<Timestamp> {
        let mut bytes = [0; BYTES];
        if token.len() != CHARS || URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) != Ok(BYTES) {
            return None;
        }
        let (head, tag) = bytes.split_first_chunk::<HEAD>()?;
        let computed = self.context(audience, head, instance).sign();
        if !bool::from(computed.as_ref().ct_eq(tag)) {
            return None;
        }
        let end = head.first_chunk::<8>().map_or(0, |time| i64::from_be_bytes(*time));
        Some(Timestamp::from_millis(end))
    }

    fn context(&self, audience: Audience, head: &[u8; HEAD], instance: &str) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(match audience {
            Audience::Metadata => b"m",
            Audience::Container => b"c",
        });
        context.update(head);
        context.update(instance.as_bytes());
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects instances: a token that is known still ends, and is no other instance's; one that was refused is not
    /// remembered, and displaces none.
    #[test]
    fn what_is_known_is_judged_anew() {
        let key = TokenKey::generate().unwrap();
        let (known, others) = (LastToken::default(), LastToken::default());
        let time = Timestamp::from_unix_seconds;
        let token = key.issue(Audience::Metadata, "i-1", time(100)).unwrap();
        let valid =
            |last, instance, now| key.is_valid_again(last, token.as_bytes(), instance, time(now));
        assert!(valid(&known, "i-1", 99) && valid(&known, "i-1", 99));
        assert!(!valid(&known, "i-1", 100));
        assert!(!valid(&others, "i-2", 99) && !valid(&others, "i-2", 99));
        let other = key.issue(Audience::Container, "i-1", time(100)).unwrap();
        for wrong in [other.as_bytes(), b""] {
            assert!(!key.is_valid_again(&known, wrong, "i-1", time(99)));
        }
        assert!(known.0.lock().unwrap().is_some() && others.0.lock().unwrap().is_none());
        assert!(valid(&known, "i-1", 99));
    }
}
