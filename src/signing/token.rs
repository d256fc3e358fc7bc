//! Session tokens: base64url without padding of
//!
//! ```text
//! version u8 = 1 | account u64 BE | length u8, access key id | nonce 12 | AES-256-GCM(claims), tag 16
//! ```
//!
//! All before the sealed claims, the nonce too, is authenticated. The sealing key is derived from
//! the account's key and the access key id, so that a token opens only in its account and only
//! under its own id. The version stands for the key's as well: an account has one key while it lives (what is
//! rotated is the root key that wraps it), and a second one would be another version. Sealing draws nothing: the same fact is the same token on every node.
//!
//! Why no nonce repeats under a key: an access key id names one issue of credentials, so a sealing
//! key sees one plaintext. Even where it should see more (a node of a newer version adds a field
//! and seals the same session again; two random ids of an account collide) the nonce is 96 bits of
//! HMAC-SHA256 over header and plaintext under a key of its own: equal nonces mean equal
//! plaintexts, and so the same token, but for a chance of q^2 / 2^97 with q plaintexts under one
//! id. A fixed nonce would leave that to the callers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::chain::CHAIN_SESSIONS_MAX;
use super::claims::{Claims, PACKED_BYTES_MAX};
use super::crypto::{self, Expander, Key, NONCE_BYTES, Purpose, TAG_BYTES};
use super::derive::AccountKey;
use crate::identity::{AccessKeyId, AccountId};

/// The longest token that is made or read, in characters: the largest session at the end of the longest
/// chain. AWS promises no limit and calls less than 4096 typical (IAM User Guide, id_credentials_temp).
pub const TOKEN_CHARS_MAX: usize = 4608;

const VERSION: u8 = 1;
/// Room for the claims of most sessions.
const USUAL_CLAIMS_BYTES: usize = 256;

/// Why a token cannot be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token's shape.
    #[error("the token is malformed")]
    Malformed,
    /// A token of a version that this program does not know.
    #[error("the token's version is not known")]
    UnknownVersion,
    /// Not sealed with this account's key for this access key id, or changed since.
    #[error("the token was not sealed for this account and access key")]
    Forged,
    /// Sealed by us, but it holds what this program cannot read.
    #[error("the token's claims cannot be read")]
    Unreadable,
    /// Policies and tags take more than a token holds.
    #[error("policies and tags take more than a token holds")]
    TooLarge,
}

/// Seals the claims of the session whose access key is `key`.
pub fn seal(
    account_key: &AccountKey,
    key: &AccessKeyId,
    account: AccountId,
    claims: &Claims,
) -> Result<String, TokenError> {
    let id = key.as_str().as_bytes();
    let mut sealed = Vec::with_capacity(USUAL_CLAIMS_BYTES);
    if claims.encode(account, &mut sealed) > PACKED_BYTES_MAX {
        return Err(TokenError::TooLarge);
    }
    sealed.reserve(TAG_BYTES);
    let mut token = Vec::with_capacity(TOKEN_CHARS_MAX.min(64 + id.len() + sealed.len()));
    token.push(VERSION);
    token.extend_from_slice(&account.get().to_be_bytes());
    token.push(u8::try_from(id.len()).map_err(|_| TokenError::Malformed)?);
    token.extend_from_slice(id);
    let keys = Expander::new(account_key.bytes());
    let nonce = nonce(&keys.expand(Purpose::TokenNonce, id), &token, &sealed);
    token.extend_from_slice(&nonce);
    let sealing_key = keys.expand(Purpose::TokenSeal, id);
    crypto::seal(&sealing_key, nonce, &token, &mut sealed);
    token.extend_from_slice(&sealed);
    let text = URL_SAFE_NO_PAD.encode(&token);
    if text.len() > TOKEN_CHARS_MAX { Err(TokenError::TooLarge) } else { Ok(text) }
}

fn nonce(key: &Key, header: &[u8], claims: &[u8]) -> [u8; NONCE_BYTES] {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()));
    // The header says its own length, so that header and claims cannot be divided otherwise.
    mac.update(header);
    mac.update(claims);
    let tag = mac.sign();
    let mut nonce = [0; NONCE_BYTES];
    for (to, from) in nonce.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    nonce
}

/// A token that was read but not yet opened: whose it says it is, which nothing has proved yet.
#[derive(Clone)]
pub struct Sealed {
    account: AccountId,
    nonce: [u8; NONCE_BYTES],
    bytes: Vec<u8>,
    /// Where the access key id ends; it begins behind the account and its length.
    id_end: usize,
}

/// Where the access key id begins: version, account, length.
const ID_START: usize = 1 + 8 + 1;

impl Sealed {
    /// The account whose key opens the token.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The access key that the token belongs to; the caller compares it with the one that signed.
    #[must_use]
    pub fn key(&self) -> &str {
        let id = self.bytes.get(ID_START..self.id_end).unwrap_or_default();
        std::str::from_utf8(id).unwrap_or_default()
    }

    /// Opens the token. Whether the session is over is for the caller to ask: `Claims::expired_at`.
    pub fn open(mut self, account_key: &AccountKey) -> Result<Claims, TokenError> {
        let key = crypto::derive(account_key.bytes(), Purpose::TokenSeal, self.key().as_bytes());
        let account = self.account;
        let claims_start = self.id_end.saturating_add(NONCE_BYTES);
        let (header, claims) =
            self.bytes.split_at_mut_checked(claims_start).ok_or(TokenError::Malformed)?;
        let claims = crypto::open(&key, self.nonce, header, claims).ok_or(TokenError::Forged)?;
        Claims::decode(account, claims).ok_or(TokenError::Unreadable)
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} {} ..)", self.account, self.key())
    }
}

/// Reads whose token it is, without a key.
pub fn peek(token: &str) -> Result<Sealed, TokenError> {
    if token.len() > TOKEN_CHARS_MAX {
        return Err(TokenError::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenError::Malformed)?;
    match bytes.first() {
        Some(&VERSION) => split(bytes).ok_or(TokenError::Malformed),
        Some(_) => Err(TokenError::UnknownVersion),
        None => Err(TokenError::Malformed),
    }
}

/// Opens a token in one step, for callers who know its account already.
pub fn open(account_key: &AccountKey, token: &str) -> Result<Claims, TokenError> {
    peek(token)?.open(account_key)
}

fn split(bytes: Vec<u8>) -> Option<Sealed> {
    let (account, rest) = bytes.get(1..)?.split_first_chunk::<8>()?;
    let account = AccountId::new(u64::from_be_bytes(*account))?;
    let (&id_length, rest) = rest.split_first()?;
    let (id, rest) = rest.split_at_checked(id_length.into())?;
    let (&nonce, claims) = rest.split_first_chunk::<NONCE_BYTES>()?;
    let legal = AccessKeyId::check(std::str::from_utf8(id).ok()?).is_ok();
    let id_end = ID_START.checked_add(id.len())?;
    (legal && claims.len() >= TAG_BYTES).then_some(Sealed { account, nonce, bytes, id_end })
}

// INVARIANT: a token with the most that policies and tags may take has room for its names.
// Of a chain, only the first session can be an instance's.
const _: () =
    assert!(PACKED_BYTES_MAX + 800 + 21 + 42 * CHAIN_SESSIONS_MAX < TOKEN_CHARS_MAX / 4 * 3);

#[cfg(test)]
mod tests;
