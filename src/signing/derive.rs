//! An account's key and the secret access keys that come from it.
//!
//! secret access key = base64(HKDF-SHA256(account key, "secret-access-key" || access key id), 30
//! bytes): 40 characters, as AWS makes them. The same fact gives the same secret on every node and
//! after every restart; without the account's key it is 240 bits of chance. Both types are wiped
//! when dropped and print nothing of themselves.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::NoRandomness;
use super::crypto::{self, KEY_BYTES, Key, Purpose};
use crate::identity::AccessKeyId;

/// The random bytes behind a secret access key; 30 bytes are 40 characters without padding.
const SECRET_BYTES: usize = 30;

/// The random key of one account. To destroy it is to make every secret of the account unreadable.
#[derive(Clone)]
pub struct AccountKey(Key);

impl AccountKey {
    /// Draws a new key.
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rng.fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// A key from its bytes, which must be uniformly random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The secret access key of `id`, for long-term (`AKIA`) and temporary (`ASIA`) keys alike.
    #[must_use]
    pub fn secret(&self, id: &AccessKeyId) -> Secret {
        let bytes = crypto::derive::<SECRET_BYTES>(
            self.bytes(),
            Purpose::SecretAccessKey,
            id.as_str().as_bytes(),
        );
        Secret(Zeroizing::new(STANDARD.encode(bytes.as_slice())))
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey(..)")
    }
}

/// A secret access key. Comparison takes the same time wherever two secrets of one length differ.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret that was handed to us, as clients hold it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself, to hand it to its owner or to sign with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Secret {
    /// Whether this is the secret, in a time that depends on the lengths alone. Eight bytes at a time:
    /// session tokens are compared for every request.
    #[must_use]
    pub fn is(&self, other: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), other.as_bytes());
        let (own_words, own_rest) = own.as_chunks::<8>();
        let (other_words, other_rest) = other.as_chunks::<8>();
        let differences = own_words.iter().zip(other_words).fold(0, |differences, (a, b)| {
            differences | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b))
        });
        own.len() == other.len() && bool::from(differences.ct_eq(&0) & own_rest.ct_eq(other_rest))
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AccessKeyId {
        AccessKeyId::parse(text).unwrap()
    }

    #[test]
    fn a_secret_stays_the_same_for_the_same_fact() {
        // Written down once, and computed apart from this code: a change of label or length would
        // void every key that is out.
        let key = AccountKey::from_bytes([7; 32]);
        let secret = key.secret(&id("AKIAIOSFODNN7EXAMPLE"));
        assert_eq!(secret.expose(), "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");
        assert_eq!(secret.expose().len(), 40);
        assert_eq!(secret, key.secret(&id("AKIAIOSFODNN7EXAMPLE")));
    }

    #[test]
    fn ids_and_accounts_have_secrets_of_their_own() {
        let key = AccountKey::from_bytes([7; 32]);
        let secret = key.secret(&id("AKIAIOSFODNN7EXAMPLE"));
        assert_ne!(secret, key.secret(&id("ASIAIOSFODNN7EXAMPLE")));
        assert_ne!(secret, AccountKey::from_bytes([8; 32]).secret(&id("AKIAIOSFODNN7EXAMPLE")));
        assert_ne!(secret, Secret::new("short"));
    }

    /// Protects the comparison of tokens: every byte counts, also the last few.
    #[test]
    fn secrets_that_differ_anywhere_are_not_the_same() {
        let text = "x".repeat(21);
        let secret = Secret::new(text.clone());
        assert!(secret.is(&text));
        for at in 0..text.len() {
            let mut other = text.clone();
            other.replace_range(at..=at, "y");
            assert!(!secret.is(&other), "{at}");
        }
        assert!(!secret.is(&text[..20]) && !secret.is(&format!("{text}x")) && !secret.is(""));
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let key = AccountKey::from_bytes([0xab; 32]);
        let secret = key.secret(&id("AKIAIOSFODNN7EXAMPLE"));
        assert_eq!(format!("{key:?} {secret:?}"), "AccountKey(..) Secret(..)");
        assert_eq!(format!("{secret:#?}"), "Secret(..)");
    }
}
