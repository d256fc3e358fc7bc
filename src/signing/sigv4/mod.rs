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
//!
//! # Why own code
//!
//! `aws-sigv4` is well kept and signs only; it is the peer in our tests: what it signs has to verify.
//! `scratchstack-aws-signature` verifies (0.11.4: the suite, constant time, header and query forms), and
//! would do for a service that looks up one secret. Here it would not: it takes a whole `http` request
//! with its body, where resource services hand us the parts that they have; it has no chunked bodies, and
//! one window of time for presigned URLs too; and it brings chrono, regex and a second implementation of
//! SHA-256 and HMAC. What is left to do is a few pages of text handling, and those pages decide who is
//! let in, so that they are ours to read, to fuzz and to measure.
//!
//! A signing key (one secret, day, region, service) is derived once and kept by whoever verifies:
//! `service::authenticate` and `client::authorize`, bounded, and wiped when it is dropped.

mod canonical;
mod error;
mod parse;
pub mod payload;
mod sign;
mod time;
mod verify;

use std::borrow::Cow;
use std::fmt;

pub use error::{Incomplete, Mismatch, SignatureError};
pub use parse::parse;
pub use sign::Signer;
pub use verify::{Expectations, Lifetime, OWN_SERVICES, SigningKey, check, compare, verify};

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
#[derive(Clone, Copy)]
pub struct Signable<'a> {
    /// The method in capitals.
    pub method: &'a str,
    /// The path, still encoded; without the query.
    pub path: &'a str,
    /// The query, still encoded; without the `?`, empty where there is none.
    pub query: &'a str,
    /// Header names, in any case, and values, in the order in which they came.
    pub headers: &'a [(&'a str, &'a str)],
    /// Of the body's bytes as they came, see `body_sha256`. A service that admits unsigned or chunked
    /// bodies puts the marker of `payload::Payload` here; a hash in `x-amz-content-sha256` is never
    /// believed.
    pub body_sha256: &'a str,
    /// How the service canonicalizes paths.
    pub path_style: PathStyle,
}

impl fmt::Debug for Signable<'_> {
    /// Leaves out the query and the headers, which may hold signatures and session tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signable({} {} ..)", self.method, self.path)
    }
}

/// Who says that they signed a request, when, for what and how. Nothing of it is proved. Borrows from
/// an Authorization header; what a query says had to be decoded first.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential<'a> {
    /// `AKID/20150830/us-east-1/service/aws4_request`
    scoped: Cow<'a, str>,
    /// Where the access key id, the day, the region and the service end in it.
    ends: [usize; 4],
    signed_headers: Cow<'a, str>,
    signed_at: Timestamp,
    /// The same, as it is signed.
    date: time::BasicTime,
    session_token: Option<Cow<'a, str>>,
    presigned_seconds: Option<u32>,
    signature: [u8; SIGNATURE_BYTES],
}

/// The bytes of a signature: HMAC-SHA256.
const SIGNATURE_BYTES: usize = 32;

impl Credential<'_> {
    /// The access key id as it was written; `AccessKeyId::parse` judges it.
    #[must_use]
    pub fn access_key(&self) -> &str {
        let [end, ..] = self.ends;
        self.scoped.get(..end).unwrap_or_default()
    }

    /// The scope's day, `20150830`.
    #[must_use]
    pub fn date(&self) -> &str {
        let [start, end, ..] = self.ends;
        self.part(start, end)
    }

    /// The scope's region.
    #[must_use]
    pub fn region(&self) -> &str {
        let [_, start, end, _] = self.ends;
        self.part(start, end)
    }

    /// The scope's service.
    #[must_use]
    pub fn service(&self) -> &str {
        let [_, _, start, end] = self.ends;
        self.part(start, end)
    }

    /// The key and all of the scope: what one signing key is for.
    #[must_use]
    pub fn scoped(&self) -> &str {
        &self.scoped
    }

    /// Lower-case names of the signed headers, ascending.
    pub fn signed_headers(&self) -> impl Iterator<Item = &str> {
        names(&self.signed_headers)
    }

    /// When the request was signed.
    #[must_use]
    pub fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// The session token, for temporary credentials.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// The lifetime in seconds that a presigned URL asks for; none when the signature is in a header.
    /// Whether it counts is for the service to say: `Lifetime`.
    #[must_use]
    pub fn presigned_seconds(&self) -> Option<u32> {
        self.presigned_seconds
    }

    /// `20150830/us-east-1/service/aws4_request`
    fn scope(&self) -> &str {
        let [start, ..] = self.ends;
        self.scoped.get(start.saturating_add(1)..).unwrap_or_default()
    }

    /// What stands between the slash at `start` and the one at `end`.
    fn part(&self, start: usize, end: usize) -> &str {
        self.scoped.get(start.saturating_add(1)..end).unwrap_or_default()
    }
}

impl fmt::Debug for Credential<'_> {
    /// Says nothing that could be replayed: neither the signature nor the session token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key", &self.access_key())
            .field("scope", &self.scope())
            .field("signed_at", &self.signed_at)
            .field("signed_headers", &self.signed_headers)
            .field("session", &self.session_token.is_some())
            .field("presigned_seconds", &self.presigned_seconds)
            .finish_non_exhaustive()
    }
}

/// The names in a list of signed headers, as `str::split` gives them, but by taking the bytes in turn: to set
/// memchr up costs more than names of a few bytes are long, and every request is gone through several times.
fn names(signed_headers: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(signed_headers);
    std::iter::from_fn(move || {
        let list = rest?;
        let end = list.bytes().position(|byte| byte == b';');
        rest = end.and_then(|end| list.get(end + 1..));
        end.map_or(Some(list), |end| list.get(..end))
    })
}

fn scope(date: &str, region: &str, service: &str) -> String {
    format!("{date}/{region}/{service}/{TERMINATION}")
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
