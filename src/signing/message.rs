//! Sealed messages: what a denied caller is shown of the reasons (DecodeAuthorizationMessage).
//! Base64url of
//!
//! ```text
//! version u8 = 1 | account u64 BE | salt 24 | AES-256-GCM(bytes), tag 16
//! ```
//!
//! Why no nonce repeats under a key: every message has a key of its own, derived from the
//! account's key and 192 random bits, and the nonce is zero. A key for all messages of an account
//! with random nonces would be bounded at 2^32 messages, which a caller who is denied on purpose
//! could reach.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom;

use super::NoRandomness;
use super::crypto::{self, NONCE_BYTES, Purpose};
use super::derive::AccountKey;
use super::token::TokenError;
use crate::identity::AccountId;

/// The longest message, as sealed: the limit of DecodeAuthorizationMessage.
pub const MESSAGE_CHARS_MAX: usize = 10_240;

const VERSION: u8 = 1;
const SALT_BYTES: usize = 24;
const NONCE: [u8; NONCE_BYTES] = [0; NONCE_BYTES];

/// Seals `plain` for readers within `account`; none when it is longer than a message may be.
pub fn seal_message(
    account_key: &AccountKey,
    account: AccountId,
    plain: &[u8],
    rng: &dyn SecureRandom,
) -> Result<Option<String>, NoRandomness> {
    let mut salt = [0; SALT_BYTES];
    rng.fill(&mut salt)?;
    let mut message = vec![VERSION];
    message.extend_from_slice(&account.get().to_be_bytes());
    message.extend_from_slice(&salt);
    let mut sealed = plain.to_vec();
    let key = crypto::derive(account_key.bytes(), Purpose::Message, &salt);
    crypto::seal(&key, NONCE, &message, &mut sealed);
    message.append(&mut sealed);
    let text = URL_SAFE_NO_PAD.encode(&message);
    Ok((text.len() <= MESSAGE_CHARS_MAX).then_some(text))
}

/// The account whose key opens the message, which nothing has proved yet.
pub fn message_account(text: &str) -> Result<AccountId, TokenError> {
    read(text).map(|(account, _)| account)
}

/// Opens a message of the account that has this key.
pub fn open_message(account_key: &AccountKey, text: &str) -> Result<Vec<u8>, TokenError> {
    let (_, bytes) = read(text)?;
    let (header, sealed) =
        bytes.split_at_checked(1 + 8 + SALT_BYTES).ok_or(TokenError::Malformed)?;
    let salt = header.last_chunk::<SALT_BYTES>().ok_or(TokenError::Malformed)?;
    let key = crypto::derive(account_key.bytes(), Purpose::Message, salt);
    let mut sealed = sealed.to_vec();
    let plain = crypto::open(&key, NONCE, header, &mut sealed).ok_or(TokenError::Forged)?;
    Ok(plain.to_vec())
}

fn read(text: &str) -> Result<(AccountId, Vec<u8>), TokenError> {
    if text.len() > MESSAGE_CHARS_MAX {
        return Err(TokenError::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)?;
    let (&version, rest) = bytes.split_first().ok_or(TokenError::Malformed)?;
    if version != VERSION {
        return Err(TokenError::UnknownVersion);
    }
    let (account, _) = rest.split_first_chunk::<8>().ok_or(TokenError::Malformed)?;
    let account = AccountId::new(u64::from_be_bytes(*account)).ok_or(TokenError::Malformed)?;
    Ok((account, bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::rand::SystemRandom;

    use super::*;

    const ACCOUNT: AccountId = AccountId::new(123_456_789_012).unwrap();

    fn key(byte: u8) -> AccountKey {
        AccountKey::from_bytes([byte; 32])
    }

    fn sealed(plain: &[u8]) -> String {
        seal_message(&key(1), ACCOUNT, plain, &SystemRandom::new()).unwrap().unwrap()
    }

    #[test]
    fn a_message_is_read_only_with_the_key_of_its_account() {
        let text = sealed(b"{\"allowed\":false}");
        assert_eq!(message_account(&text), Ok(ACCOUNT));
        assert_eq!(open_message(&key(1), &text).unwrap(), b"{\"allowed\":false}");
        assert_eq!(open_message(&key(2), &text), Err(TokenError::Forged));
        assert_ne!(text, sealed(b"{\"allowed\":false}"), "two denials cannot be told to be alike");
    }

    #[test]
    fn a_message_over_the_limit_of_the_api_is_not_made() {
        let long = vec![b'x'; MESSAGE_CHARS_MAX];
        assert_eq!(seal_message(&key(1), ACCOUNT, &long, &SystemRandom::new()), Ok(None));
        assert_eq!(
            open_message(&key(1), &"A".repeat(MESSAGE_CHARS_MAX + 1)),
            Err(TokenError::Malformed)
        );
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_refused(at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let mut bytes = URL_SAFE_NO_PAD.decode(sealed(b"reasons")).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(open_message(&key(1), &URL_SAFE_NO_PAD.encode(&bytes)).is_err());
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".{0,80}", bytes in any::<Vec<u8>>()) {
            let _ = open_message(&key(1), &text);
            let _ = open_message(&key(1), &URL_SAFE_NO_PAD.encode(bytes));
        }
    }
}
