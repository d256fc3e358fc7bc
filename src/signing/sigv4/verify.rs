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
use super::{
    Credential, Incomplete, Mismatch, SIGNATURE_BYTES, Signable, SignatureError, TERMINATION,
    canonical,
};
use crate::clock::Timestamp;
use crate::signing::Secret;

/// How far a request's date may be from the time here, either way.
const SKEW_MINUTES: u64 = 15;
const SKEW: Duration = Duration::from_secs(SKEW_MINUTES * 60);

/// Services whose requests Locum alone judges: with their signing keys a resource service could call us in its clients'
/// names.
pub const OWN_SERVICES: [&str; 4] = ["locum", "sts", "iam", "ec2"];

/// How long a presigned URL is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// 15 minutes after its date, whatever it asks for: STS (aws-iam-authenticator relies on it), and what else is
    /// Locum's own, so that a request that leaked is soon worth nothing.
    Fixed,
    /// As many seconds after its date as it asks for, at most a week: S3 (Amazon S3 API Reference,
    /// sigv4-query-string-auth) and all other resource services.
    Asked,
}

/// What a signature must be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectations<'a> {
    /// The service that verifies, such as `sts`.
    pub service: &'a str,
    /// The regions that it answers for.
    pub regions: &'a [String],
    /// The hosts that it goes by, as clients write them; any if empty.
    pub hosts: &'a [String],
    /// How long its presigned URLs are good.
    pub lifetime: Lifetime,
}

impl<'a> Expectations<'a> {
    /// What `service` expects in these regions, by whatever host it is called.
    #[must_use]
    pub fn new(service: &'a str, regions: &'a [String]) -> Self {
        let own = OWN_SERVICES.contains(&service);
        let lifetime = if own { Lifetime::Fixed } else { Lifetime::Asked };
        Self { service, regions, hosts: &[], lifetime }
    }

    fn check_scope(&self, credential: &Credential<'_>) -> Result<(), Mismatch> {
        let date = &credential.date;
        if credential.date() != date.day() {
            let (scope, day) = (shorten(credential.date()), date.day().to_owned());
            return Err(Mismatch::Day { scope, day, date: date.to_string() });
        }
        if !self.regions.iter().any(|region| region == credential.region()) {
            return Err(Mismatch::Region(shorten(credential.region())));
        }
        if self.service != credential.service() {
            return Err(Mismatch::Service(self.service.to_owned()));
        }
        Ok(())
    }

    /// The host is one header, so that no two readers take two of them for one request's.
    fn check_host(&self, request: &Signable<'_>) -> Result<(), SignatureError> {
        let mut hosts =
            request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
        let Some((_, host)) = hosts.next() else {
            return Err(Mismatch::NotThere("host".to_owned()).into());
        };
        if hosts.next().is_some() {
            return Err(Incomplete::Twice("Host".to_owned()).into());
        }
        let ours = |name: &String| name.eq_ignore_ascii_case(host.trim());
        if !self.hosts.is_empty() && !self.hosts.iter().any(ours) {
            return Err(Mismatch::Host(shorten(host)).into());
        }
        Ok(())
    }

    fn check_time(&self, credential: &Credential<'_>, now: Timestamp) -> Result<(), Mismatch> {
        // Whole seconds, as the sentences tell them.
        let now = now.floor_to_second();
        let (signed_at, minutes) = (credential.signed_at, SKEW_MINUTES);
        let (earliest, latest) = (now.minus(SKEW), now.plus(SKEW));
        if signed_at > latest {
            return Err(Mismatch::NotYetCurrent { signed_at, limit: latest, now, minutes });
        }
        match (self.lifetime, credential.presigned_seconds) {
            (Lifetime::Asked, Some(seconds)) => {
                let end = signed_at.plus(Duration::from_secs(seconds.into()));
                if now > end { Err(Mismatch::UrlExpired { end, now }) } else { Ok(()) }
            }
            _ if signed_at < earliest => {
                Err(Mismatch::Expired { signed_at, limit: earliest, now, minutes })
            }
            _ => Ok(()),
        }
    }
}

/// The key of one secret for one day, region and service; wiped when dropped.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; SIGNATURE_BYTES]>);

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

    /// Derives the key of a credential's scope.
    #[must_use]
    pub fn of(secret: &Secret, credential: &Credential<'_>) -> Self {
        Self::derive(secret, credential.date(), credential.region(), credential.service())
    }

    /// A key that was derived elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; SIGNATURE_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key itself, for the service whose scope it is.
    #[must_use]
    pub fn expose(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }

    /// HMAC-SHA256 of `data` under this key.
    pub(super) fn sign(&self, data: &[u8]) -> Zeroizing<[u8; SIGNATURE_BYTES]> {
        mac(self.0.as_slice(), data)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

fn mac(key: &[u8], data: &[u8]) -> Zeroizing<[u8; SIGNATURE_BYTES]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    let mut out = Zeroizing::new([0; SIGNATURE_BYTES]);
    for (to, from) in out.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    out
}

/// Verifies a request with the secret of the access key that it names.
pub fn verify(
    secret: &Secret,
    credential: &Credential<'_>,
    request: &Signable<'_>,
    now: Timestamp,
    expectations: &Expectations<'_>,
) -> Result<(), SignatureError> {
    check(credential, request, now, expectations)?;
    compare(&SigningKey::of(secret, credential), credential, request)
}

/// All of a verification that needs no key, so that a request of the wrong kind or time costs no
/// derivation.
pub fn check(
    credential: &Credential<'_>,
    request: &Signable<'_>,
    now: Timestamp,
    expectations: &Expectations<'_>,
) -> Result<(), SignatureError> {
    expectations.check_scope(credential)?;
    check_signed(credential, request)?;
    expectations.check_host(request)?;
    expectations.check_time(credential, now)?;
    Ok(())
}

/// The rest of a verification, after `check`: the signature itself, with the key of the credential's
/// scope.
pub fn compare(
    key: &SigningKey,
    credential: &Credential<'_>,
    request: &Signable<'_>,
) -> Result<(), SignatureError> {
    let presigned = credential.presigned_seconds.is_some();
    let canonical = canonical::request(request, &credential.signed_headers, presigned)
        .map_err(|name| Mismatch::NotThere(shorten(&name)))?;
    let text = canonical::string_to_sign(&credential.date, credential.scope(), &canonical);
    if bool::from(key.sign(text.as_bytes()).ct_eq(&credential.signature)) {
        Ok(())
    } else {
        Err(Mismatch::Signature.into())
    }
}

/// What changes the meaning of a request must be under its signature.
fn check_signed(credential: &Credential<'_>, request: &Signable<'_>) -> Result<(), Mismatch> {
    const MEANINGFUL: &str = "x-amz-";
    let signed =
        |name: &str| credential.signed_headers().any(|signed| signed.eq_ignore_ascii_case(name));
    if !signed("host") {
        return Err(Mismatch::HostNotSigned);
    }
    for (name, _) in request.headers {
        let prefix = name.get(..MEANINGFUL.len());
        if prefix.is_some_and(|p| p.eq_ignore_ascii_case(MEANINGFUL)) && !signed(name) {
            return Err(Mismatch::NotSigned(shorten(&name.to_ascii_lowercase())));
        }
    }
    Ok(())
}
