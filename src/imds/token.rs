//! Tokens of version 2 and of containers: nothing is stored. A token is its end and a random number with an
//! HMAC over both, the audience and the instance's id, so that it works for its instance and its purpose alone,
//! until its end, at this server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};

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
        let mut bytes = [0; BYTES];
        if token.len() != CHARS || URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) != Ok(BYTES) {
            return false;
        }
        let Some((head, tag)) = bytes.split_first_chunk::<HEAD>() else { return false };
        let computed = self.context(audience, head, instance).sign();
        if !bool::from(subtle::ConstantTimeEq::ct_eq(computed.as_ref(), tag)) {
            return false;
        }
        let end = head.first_chunk::<8>().map_or(0, |time| i64::from_be_bytes(*time));
        Timestamp::from_millis(end) > now
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
