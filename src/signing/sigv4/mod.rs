//! AWS Signature Version 4: to sign our own requests and to verify those of any AWS client.
//!
//! The way of a request: `parse` reads who claims to have signed and over which headers; the
//! caller looks up that key and the session's end; `verify` recomputes the signature over the
//! request as it came and compares in constant time. What a signature does not cover is not part
//! of what was asked: `host` and every `x-amz-*` header must be signed. Within the 15 minutes
//! around its date a request can be replayed, as with AWS; what must not happen twice carries a
//! client token.
//!
//! Error sentences are those that AWS services answer with, word by word, so that SDKs and people
//! find them.

mod canonical;
mod error;
mod parse;
mod sign;
mod time;
mod verify;

use std::fmt;

pub use error::{Incomplete, Mismatch, SignatureError};
pub use parse::parse;
pub use sign::Signer;
pub use verify::{Expectations, SigningKey, verify, verify_with_key};

use crate::clock::Timestamp;
use crate::signing::crypto;

/// The only algorithm; `AWS4-ECDSA-P256-SHA256` (SigV4A) needs public keys, which we do not hold.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How every credential scope ends.
const TERMINATION: &str = "aws4_request";

/// SHA-256 of nothing, in hexadecimal: the body hash of a request without a body.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// SHA-256 of a request's body in lower-case hexadecimal, as `Signable` takes it.
#[must_use]
pub fn body_sha256(body: &[u8]) -> String {
    crypto::sha256_hex(body)
}

/// How a service canonicalizes the path of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PathStyle {
    /// Normalized, and encoded once more than on the wire: every service but S3.
    #[default]
    Normalized,
    /// As it is, encoded once: S3, whose keys may hold `//` and `..`.
    S3,
}

/// The parts of a request that a signature covers, as they were on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// The method in capitals.
    pub method: &'a str,
    /// The path, still encoded; without the query.
    pub path: &'a str,
    /// The query, still encoded; without the `?`, empty where there is none.
    pub query: &'a str,
    /// Header names, in any case, and values, in the order in which they came.
    pub headers: &'a [(&'a str, &'a str)],
    /// Of the body's bytes as they came, see `body_sha256`. A service that admits unsigned bodies
    /// puts `UNSIGNED-PAYLOAD` here; the header `x-amz-content-sha256` is never believed.
    pub body_sha256: &'a str,
    /// How the service canonicalizes paths.
    pub path_style: PathStyle,
}

/// Who says that they signed a request, when, for what and how. Nothing of it is proved.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The access key id as it was written; `AccessKeyId::parse` judges it.
    pub access_key: String,
    /// The scope's day, `20150830`.
    pub date: String,
    /// The scope's region.
    pub region: String,
    /// The scope's service.
    pub service: String,
    /// Lower-case names of the signed headers, ascending.
    pub signed_headers: Vec<String>,
    /// When the request was signed.
    pub signed_at: Timestamp,
    /// The session token, for temporary credentials.
    pub session_token: Option<String>,
    /// The lifetime in seconds that a presigned URL asks for; none when the signature is in a
    /// header. As with STS, it does not bound the URL: that is 15 minutes after `signed_at`.
    pub presigned_seconds: Option<u32>,
    signature: [u8; SIGNATURE_BYTES],
}

/// The bytes of a signature: HMAC-SHA256.
const SIGNATURE_BYTES: usize = 32;

impl Credential {
    fn scope(&self) -> String {
        scope(&self.date, &self.region, &self.service)
    }
}

impl fmt::Debug for Credential {
    /// Says nothing that could be replayed: neither the signature nor the session token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key", &self.access_key)
            .field("scope", &self.scope())
            .field("signed_at", &self.signed_at)
            .field("signed_headers", &self.signed_headers)
            .field("session", &self.session_token.is_some())
            .field("presigned_seconds", &self.presigned_seconds)
            .finish_non_exhaustive()
    }
}

fn scope(date: &str, region: &str, service: &str) -> String {
    format!("{date}/{region}/{service}/{TERMINATION}")
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
