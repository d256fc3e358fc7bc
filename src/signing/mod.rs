//! Proof: what stands between a fact of the log and a caller who shows a key.
//!
//! Root keys (the keyring) wrap one random key per account; from an account's key come the secret
//! access keys and the sealed session tokens of that account. Nothing here is stored but the
//! wrapped account keys, so that the log holds no secret and every node that has the keyring gives
//! the same answer. Uses `identity`, `clock` and ring; knows no domain, no I/O but the keyring's
//! file, and draws no time.
//!
//! # Why it holds
//!
//! *Key separation.* Every key is used for one purpose with one algorithm. All that comes from a key
//! comes by HKDF-Expand (RFC 5869, section 2.3) of a uniformly random 256-bit key, with an `info` of a
//! label of that purpose (`crypto::Purpose`), a NUL, and a context: the access key id for secrets,
//! sealing keys and nonce keys, the salt for messages and the key of documents, the device's id for the
//! seeds of one-time codes, nothing for wrapping. Labels hold no NUL, so that
//! label and context cannot be divided otherwise: two outputs are of one `info` only if purpose and
//! context are the same. Outputs of different `info` are independent as far as HMAC-SHA256 is a
//! pseudorandom function; none tells anything of the key that it came from.
//!
//! *Nonces.* AES-256-GCM never sees a nonce twice under one key for different plaintexts:
//! - account keys (`keyring`): a random 96-bit nonce under a key of one root key version. With n wraps
//!   the chance of any repetition is below n^2 / 2^97: 2^-33 for the 2^32 that NIST SP 800-38D allows.
//!   A re-wrap is one more wrap, under another version.
//! - session tokens (`token`): a sealing key of one access key id, and a nonce that is a MAC of header and
//!   plaintext under a key of its own: equal nonces mean equal tokens.
//! - messages (`message`) and the private key of identity documents (`document`): a key of its own for
//!   each, from 192 random bits, and nonce zero.
//!
//! *One leaked token* tells account and access key id, which are its header, and nothing of its claims. It
//! signs nothing without its secret, which is another HKDF output than the sealing key. It cannot be
//! changed, nor used with another access key or account: both are authenticated, and choose the key.
//!
//! *One leaked account key* makes every secret and token of that account, and none of another: account
//! keys are drawn independently. It does not tell the root key that wraps it.
//!
//! *One stolen data folder without the keyring* holds wrapped keys alone, each bound to its account and
//! version as authenticated data: without a root key they are random bytes, and digests of them in records
//! tell less. Whoever can write to the folder can put an older wrapping in place, which opens to the same
//! key, or damage one, which is found at the start; neither gives a key.
//!
//! *Not covered*: whoever reads the server's memory while it runs. Keys are wiped when dropped, those of an
//! account when its deletion is applied (`service::forget`); HMAC and AES key schedules within ring are not, so
//! that none is kept: each lives for one operation.

mod cache;
mod chain;
mod claims;
mod crypto;
mod der;
mod derive;
mod document;
mod keyring;
mod message;
mod pack;
mod token;
mod totp;

pub mod grpc;
pub mod sigv4;

pub use cache::Cache;
pub use chain::{Ancestor, CHAIN_SESSIONS_MAX};
pub use claims::{Claims, PACKED_BYTES_MAX, Packed};
pub use derive::{AccountKey, Secret};
pub use document::{DocumentKeyError, DocumentSignature, DocumentSigner, SealedDocumentKey, pem};
pub use keyring::{KeyState, KeyVersion, Keyring, KeyringError, KeyringSource};
pub use message::{MESSAGE_CHARS_MAX, message_account, open_message, seal_message};
pub use token::{Sealed, TOKEN_CHARS_MAX, TokenError, open, peek, seal};
pub use totp::{Code, ConsecutiveCodes, TotpSeed};

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

impl From<ring::error::Unspecified> for NoRandomness {
    fn from(_: ring::error::Unspecified) -> Self {
        Self
    }
}
