//! Compact JSON Web Signatures, RFC 7515: read before anything is known to be true, verified after.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::claims::{Claims, Identity};
use super::error::IdentityError;
use super::jwk::{Algorithm, KeySet};
use crate::clock::Timestamp;

/// Bytes of a token (STS API Reference, AssumeRoleWithWebIdentity).
const TOKEN_BYTES_MAX: usize = 20_000;
/// Bytes of a header.
const HEADER_BYTES_MAX: usize = 4096;
/// Bytes of a signature: RSA of 4096 bits.
const SIGNATURE_BYTES_MAX: usize = 512;

const NO_TOKEN: &str = "The ID Token provided is not a valid JWT. (You may see this error if you sent an \
                        Access Token)";

/// A token as it was read; nothing of it is proven.
pub struct Unverified<'a> {
    /// What is signed: header and payload as they were sent.
    signed: &'a str,
    key_id: Option<String>,
    algorithm: Algorithm,
    claims: Claims,
    signature: Vec<u8>,
}

/// Members with a meaning here. `crit` must be understood or refused (RFC 7515, section 4.1.11).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

impl<'a> Unverified<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// It is no token of the kind that is taken.
    pub fn parse(token: &'a str) -> Result<Self, IdentityError> {
        let invalid = || IdentityError::invalid(NO_TOKEN);
        if token.len() > TOKEN_BYTES_MAX {
            return Err(invalid());
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
        let (header, payload) = signed.split_once('.').ok_or_else(invalid)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| invalid());
        let (header, payload, signature) =
            (decoded(header)?, decoded(payload)?, decoded(signature)?);
        if header.len() > HEADER_BYTES_MAX || signature.len() > SIGNATURE_BYTES_MAX {
            return Err(invalid());
        }
        let header: Header = serde_json::from_slice(&header).map_err(|_| invalid())?;
        if header.crit.is_some() {
            return Err(IdentityError::invalid(
                "The token's header has `crit`, which is not taken.",
            ));
        }
        let algorithm = Algorithm::of(&header.alg)
            .ok_or_else(|| IdentityError::invalid(not_taken(&header.alg)))?;
        let claims = Claims::parse(&payload)?;
        Ok(Self { signed, key_id: header.kid, algorithm, claims, signature })
    }

    /// Who the token says that it is of.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.claims.issuer()
    }

    /// The key that the token says it is signed with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Who the holder is, once the signature, the times and the audience are good. `client_ids` are the
    /// audiences that are taken.
    ///
    /// # Errors
    /// Something is not good.
    pub fn verify(
        self,
        keys: &KeySet,
        client_ids: &[impl AsRef<str>],
        now: Timestamp,
    ) -> Result<Identity, IdentityError> {
        keys.verify(self.key_id(), self.algorithm, self.signed.as_bytes(), &self.signature)
            .map_err(|rule| {
                IdentityError::invalid(format!("The token cannot be verified: {rule}."))
            })?;
        self.claims.checked(client_ids, now)
    }
}

/// Why a signature of this algorithm is not taken. AWS takes ES512 too, whose curve ring does not have.
fn not_taken(algorithm: &str) -> String {
    let taken = "The token must be signed with RS256, RS384, RS512, ES256, ES384 or EdDSA.";
    match algorithm {
        "ES512" => format!("{taken} ES512, ECDSA on P-521, is not supported."),
        _ => taken.to_owned(),
    }
}

impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unverified({} ..)", self.issuer())
    }
}
