//! Verification: is this request, as it came, what the holder of this secret signed, for us and
//! just now?
//!
//! Order: scope, what must be signed, time, and last the signature, which is compared in constant
//! time. All of the request that the server acts on must come from the same `Signable` that is
//! verified here.

use std::time::Duration;

use ring::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::shorten;
use super::time::basic;
use super::{Credential, Mismatch, Signable, SignatureError, TERMINATION, canonical};
use crate::clock::Timestamp;
use crate::signing::Secret;

/// How far a request's date may be from the time here, either way.
const SKEW_MINUTES: u64 = 15;
const SKEW: Duration = Duration::from_secs(SKEW_MINUTES * 60);

/// What a signature must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// The service that verifies, such as `sts`.
    pub service: String,
    /// The regions that it answers for.
    pub regions: Vec<String>,
}

impl Expectations {
    fn check(&self, credential: &Credential) -> Result<(), Mismatch> {
        let date = basic(credential.signed_at);
        let day = date.get(..8).unwrap_or_default();
        if credential.date != day {
            let (scope, day) = (shorten(&credential.date), day.to_owned());
            return Err(Mismatch::Day { scope, day, date });
        }
        if !self.regions.contains(&credential.region) {
            return Err(Mismatch::Region(shorten(&credential.region)));
        }
        if self.service != credential.service {
            return Err(Mismatch::Service(self.service.clone()));
        }
        Ok(())
    }
}

/// The key of one secret for one day, region and service; wiped when dropped.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; super::SIGNATURE_BYTES]>);

impl SigningKey {
    /// Derives the key of a scope.
    #[must_use]
    pub fn derive(secret: &Secret, date: &str, region: &str, service: &str) -> Self {
        let start = Zeroizing::new(["AWS4", secret.expose()].concat());
        let day = Self(mac(start.as_bytes(), date.as_bytes()));
        let region = Self(day.sign(region.as_bytes()));
        let service = Self(region.sign(service.as_bytes()));
        Self(service.sign(TERMINATION.as_bytes()))
    }

    /// HMAC-SHA256 of `data` under this key.
    pub(super) fn sign(&self, data: &[u8]) -> Zeroizing<[u8; super::SIGNATURE_BYTES]> {
        mac(self.0.as_slice(), data)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

fn mac(key: &[u8], data: &[u8]) -> Zeroizing<[u8; super::SIGNATURE_BYTES]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    let mut out = Zeroizing::new([0; super::SIGNATURE_BYTES]);
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

/// Verifies a request with the secret of the access key that it names.
pub fn verify(
    secret: &Secret,
    credential: &Credential,
    request: &Signable<'_>,
    now: Timestamp,
    expectations: &Expectations,
) -> Result<(), SignatureError> {
    check(credential, request, now, expectations)?;
    let Credential { date, region, service, .. } = credential;
    compare(&SigningKey::derive(secret, date, region, service), credential, request)
}

/// Verifies a request with a signing key that was derived before, for the credential's scope.
pub fn verify_with_key(
    key: &SigningKey,
    credential: &Credential,
    request: &Signable<'_>,
    now: Timestamp,
    expectations: &Expectations,
) -> Result<(), SignatureError> {
    check(credential, request, now, expectations)?;
    compare(key, credential, request)
}

/// All that needs no key, so that a request of the wrong kind or time costs no derivation.
pub(super) fn check(
    credential: &Credential,
    request: &Signable<'_>,
    now: Timestamp,
    expectations: &Expectations,
) -> Result<(), SignatureError> {
    expectations.check(credential)?;
    check_headers(credential, request)?;
    check_time(credential.signed_at, now)?;
    Ok(())
}

/// The signature itself, after `check`.
pub(super) fn compare(
    key: &SigningKey,
    credential: &Credential,
    request: &Signable<'_>,
) -> Result<(), SignatureError> {
    let presigned = credential.presigned_seconds.is_some();
    let canonical = canonical::request(request, &credential.signed_headers, presigned)
        .map_err(|name| Mismatch::NotThere(shorten(&name)))?;
    let text =
        canonical::string_to_sign(&basic(credential.signed_at), &credential.scope(), &canonical);
    if bool::from(key.sign(text.as_bytes()).ct_eq(&credential.signature)) {
        Ok(())
    } else {
        Err(Mismatch::Signature.into())
    }
}

/// What changes the meaning of a request must be under its signature.
fn check_headers(credential: &Credential, request: &Signable<'_>) -> Result<(), Mismatch> {
    let signed = |name: &str| {
        credential.signed_headers.binary_search_by(|signed| signed.as_str().cmp(name)).is_ok()
    };
    if !signed("host") {
        return Err(Mismatch::HostNotSigned);
    }
    for (name, _) in request.headers {
        let name = name.to_ascii_lowercase();
        if name.starts_with("x-amz-") && !signed(&name) {
            return Err(Mismatch::NotSigned(shorten(&name)));
        }
    }
    Ok(())
}

fn check_time(signed_at: Timestamp, now: Timestamp) -> Result<(), Mismatch> {
    // Whole seconds, as the sentences tell them.
    let now = now.floor_to_second();
    let minutes = SKEW_MINUTES;
    let (earliest, latest) = (now.minus(SKEW), now.plus(SKEW));
    if signed_at < earliest {
        return Err(Mismatch::Expired { signed_at, limit: earliest, now, minutes });
    }
    if signed_at > latest {
        return Err(Mismatch::NotYetCurrent { signed_at, limit: latest, now, minutes });
    }
    Ok(())
}
