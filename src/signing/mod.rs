//! Proof: what stands between a fact of the log and a caller who shows a key.
//!
//! Root keys (the keyring) wrap one random key per account; from an account's key come the secret
//! access keys and the sealed session tokens of that account. Nothing here is stored but the
//! wrapped account keys, so that the log holds no secret and every node that has the keyring gives
//! the same answer. Uses `identity`, `clock` and ring; knows no domain, no I/O but the keyring's
//! file, and draws no time.

mod cache;
mod claims;
mod crypto;
mod der;
mod derive;
mod document;
mod keyring;
mod message;
mod token;

pub mod grpc;
pub mod sigv4;

pub use cache::Cache;
pub use claims::{Claims, PACKED_BYTES_MAX, Subject};
pub use derive::{AccountKey, Secret};
pub use document::{DocumentKeyError, DocumentSignature, DocumentSigner, SealedDocumentKey, pem};
pub use keyring::{KeyState, KeyVersion, Keyring, KeyringError};
pub use message::{MESSAGE_CHARS_MAX, message_account, open_message, seal_message};
pub use token::{Sealed, TOKEN_CHARS_MAX, TokenError, open, peek, seal};

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

impl From<ring::error::Unspecified> for NoRandomness {
    fn from(_: ring::error::Unspecified) -> Self {
        Self
    }
}
