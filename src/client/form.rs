//! Requests of the AWS Query protocol, as its clients sign them.

use super::Credentials;
use crate::clock::Timestamp;
use crate::signing::Secret;
use crate::signing::sigv4::{PathStyle, Signable, Signer, body_sha256};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// The headers, but for `host`, of a form that is posted to `/` of `host`, for `service` in `region`.
#[must_use]
pub fn sign_form(
    caller: &Credentials,
    (region, service): (&str, &str),
    host: &str,
    form: &str,
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let headers = [("host", host), FORM];
    let signable = Signable {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body_sha256: &body_sha256(form.as_bytes()),
        path_style: PathStyle::Normalized,
    };
    let signer = Signer {
        access_key: &caller.access_key_id,
        secret: &caller.secret_access_key,
        session_token: caller.session_token.as_ref().map(Secret::expose),
        region,
        service,
    };
    let mut signed = signer.sign(&signable, now);
    signed.push((FORM.0, FORM.1.to_owned()));
    signed
}
