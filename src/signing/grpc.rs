//! Signed gRPC calls: SigV4 over a call as if it were this HTTP request, with service name `locum`.
//!
//! ```text
//! method   POST
//! path     /locum.v1.Service/Method, as in `:path`; no query
//! headers  host (the value of `:authority`), x-amz-content-sha256, x-amz-date, x-amz-security-token if any
//! body     the serialized request message: what follows the 5-byte prefix of the gRPC frame, uncompressed.
//!          A call that streams requests is signed over its first message.
//! ```
//!
//! The signature travels in the metadata as those headers do in HTTP. `x-amz-content-sha256` is
//! required and compared with the message that came, so that a proxy that writes messages anew is
//! told apart from a wrong secret. Presigned forms do not exist here. Other metadata is not
//! covered and must carry no meaning for authorization, but any key that begins with `x-amz-` must
//! be signed.

use super::Secret;
use super::sigv4::{
    self, Credential, Mismatch, PathStyle, Signable, SignatureError, Signer, body_sha256,
};
use crate::clock::Timestamp;

/// The service name in the scope of a signed call.
pub const SERVICE: &str = "locum";

/// The calls that are not signed, as they carry their own proof of who makes them.
pub const UNSIGNED_CALLS: [&str; 1] = ["/locum.v1.StsService/AssumeRoleWithWebIdentity"];

const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// Headers of a call that are held without moving them.
const HEADERS_USUAL_MAX: usize = 16;

/// Who signs calls.
#[derive(Clone, Copy, Debug)]
pub struct CallSigner<'a> {
    /// The access key id.
    pub access_key: &'a str,
    /// Its secret.
    pub secret: &'a Secret,
    /// The session token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// The region of the service that is called.
    pub region: &'a str,
}

/// The metadata to add to a call of `path` at `authority` with this serialized message.
#[must_use]
pub fn sign_call(
    signer: &CallSigner<'_>,
    authority: &str,
    path: &str,
    message: &[u8],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let hash = body_sha256(message);
    let headers = [("host", authority), (CONTENT_SHA256, hash.as_str())];
    let CallSigner { access_key, secret, session_token, region } = *signer;
    let mut added = Signer { access_key, secret, session_token, region, service: SERVICE }
        .sign(&signable(path, &headers, &hash), now);
    added.push((CONTENT_SHA256, hash));
    added
}

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    path: &'a str,
    /// `host` and the textual metadata.
    headers: Vec<(&'a str, &'a str)>,
    message: &'a [u8],
}

impl<'a> Call<'a> {
    /// The call with this `:authority`, `:path`, textual metadata and serialized request message.
    pub fn new(
        authority: &'a str,
        path: &'a str,
        metadata: impl IntoIterator<Item = (&'a str, &'a str)>,
        message: &'a [u8],
    ) -> Self {
        let mut headers = Vec::with_capacity(HEADERS_USUAL_MAX);
        headers.push(("host", authority));
        // HTTP/2 names the host in `:authority`; a `host` beside it could name another.
        let metadata = metadata.into_iter();
        headers.extend(metadata.filter(|(name, _)| !name.eq_ignore_ascii_case("host")));
        Self { path, headers, message }
    }

    /// Reads who signed the call.
    pub fn credential(&self) -> Result<Credential<'a>, SignatureError> {
        sigv4::parse(&self.headers, "")
    }

    /// Hands over what was signed, to be verified, and whether the message that came is the one that
    /// the caller hashed.
    pub fn with_signable<T>(
        &self,
        verify: impl FnOnce(&Signable<'_>, Result<(), SignatureError>) -> T,
    ) -> T {
        let hash = body_sha256(self.message);
        let named =
            self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(CONTENT_SHA256));
        let mut named = named.map(|(_, value)| *value);
        let message = match (named.next(), named.next()) {
            (None, _) => Err(Mismatch::NotThere(CONTENT_SHA256.to_owned()).into()),
            (Some(value), None) if value == hash => Ok(()),
            _ => Err(Mismatch::Body.into()),
        };
        verify(&signable(self.path, &self.headers, &hash), message)
    }
}

fn signable<'a>(path: &'a str, headers: &'a [(&'a str, &'a str)], hash: &'a str) -> Signable<'a> {
    Signable {
        method: "POST",
        path,
        query: "",
        headers,
        body_sha256: hash,
        path_style: PathStyle::Normalized,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sigv4::{EMPTY_SHA256, Expectations};
    use super::*;

    const PATH: &str = "/locum.v1.Sts/AssumeRole";
    const AUTHORITY: &str = "localhost:7443";

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(1_780_000_000)
    }

    fn verify(
        authority: &str,
        path: &str,
        message: &[u8],
        metadata: &[(&str, &str)],
    ) -> Result<(), SignatureError> {
        let regions = ["us-east-1".to_owned()];
        let expectations = Expectations::new(SERVICE, &regions);
        let call = Call::new(authority, path, metadata.iter().copied(), message);
        let credential = call.credential()?;
        let secret = Secret::new("secret");
        call.with_signable(|request, message| {
            message?;
            sigv4::verify(&secret, &credential, request, now(), &expectations)
        })
    }

    fn signed(token: Option<&str>) -> Vec<(&'static str, String)> {
        let secret = Secret::new("secret");
        let signer = CallSigner {
            access_key: "ASIAIOSFODNN7EXAMPLE",
            secret: &secret,
            session_token: token,
            region: "us-east-1",
        };
        sign_call(&signer, AUTHORITY, PATH, b"message", now())
    }

    fn borrowed<'a>(metadata: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
        let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
        all.extend(metadata.iter().map(|(name, value)| (*name, value.as_str())));
        all
    }

    #[test]
    fn a_signed_call_verifies_for_its_method_host_and_message_only() {
        for token in [None, Some("token")] {
            let metadata = signed(token);
            let metadata = borrowed(&metadata);
            assert_eq!(verify(AUTHORITY, PATH, b"message", &metadata), Ok(()));
            let other = Err(Mismatch::Signature.into());
            assert_eq!(verify("elsewhere:7443", PATH, b"message", &metadata), other);
            assert_eq!(verify(AUTHORITY, "/locum.v1.Admin/Wipe", b"message", &metadata), other);
            let body = Err(Mismatch::Body.into());
            assert_eq!(verify(AUTHORITY, PATH, b"massage", &metadata), body);
        }
    }

    #[test]
    fn the_canonical_form_is_the_one_in_the_header() {
        let metadata = signed(Some("token"));
        let (_, authorization) =
            metadata.iter().find(|(name, _)| *name == "authorization").unwrap();
        assert!(
            authorization.contains("/us-east-1/locum/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"),
            "{authorization}"
        );
    }

    #[test]
    fn the_hash_of_the_message_is_required_and_the_host_comes_from_the_authority() {
        let signed = signed(None);
        let mut metadata = borrowed(&signed);
        metadata.retain(|(name, _)| *name != CONTENT_SHA256);
        let missing = Mismatch::NotThere(CONTENT_SHA256.to_owned());
        assert_eq!(verify(AUTHORITY, PATH, b"message", &metadata), Err(missing.into()));
        metadata.push((CONTENT_SHA256, EMPTY_SHA256));
        assert_eq!(verify(AUTHORITY, PATH, b"message", &metadata), Err(Mismatch::Body.into()));

        let mut metadata = borrowed(&signed);
        metadata.push(("host", "elsewhere:7443"));
        assert_eq!(verify(AUTHORITY, PATH, b"message", &metadata), Ok(()));
        assert!(verify("elsewhere:7443", PATH, b"message", &metadata).is_err());
    }

    #[test]
    fn a_session_token_that_was_not_signed_is_refused() {
        let signed = signed(None);
        let mut metadata = borrowed(&signed);
        metadata.push(("x-amz-security-token", "another"));
        assert_eq!(
            verify(AUTHORITY, PATH, b"message", &metadata),
            Err(Mismatch::NotSigned("x-amz-security-token".to_owned()).into())
        );
    }
}
