//! Login tokens: a presigned GetCallerIdentity that its maker shows to a third party, who asks here whose
//! it is. So do Kubernetes (aws-iam-authenticator) and Vault with AWS's STS.
//!
//! What binds a token to whom it is for is under its signature: the host, and a header with the name of the
//! cluster or server. The third party says both; without them a token shown to one could be shown by it to
//! another. A token is good for 15 minutes after its date, whatever it asks for, and can be shown again
//! until then.

use std::time::Duration;

use tonic::Status;

use super::{Front, identity, question};
use crate::grpc::{convert, status};
use crate::proto::v1::{
    SignedHeader, SignedRequest, VerifyIdentityTokenRequest, VerifyIdentityTokenResponse,
};
use crate::signing::sigv4::{EMPTY_SHA256, body_sha256, parse};

/// How long a token lasts from its date.
const TOKEN_LIFE: Duration = Duration::from_secs(900);
/// The longest lifetime, in seconds, that a token may ask for itself.
const EXPIRES_SECONDS_MAX: u32 = 900;
/// The call that a token is; its parameters in either order.
const CALL: [(&str, &str); 2] = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];

pub(super) fn verify(
    front: &Front,
    request: &VerifyIdentityTokenRequest,
) -> Result<VerifyIdentityTokenResponse, Status> {
    if request.hosts.is_empty() || request.hosts.iter().any(String::is_empty) {
        return Err(Status::invalid_argument("`hosts` must name the hosts that tokens are for"));
    }
    let shown = request.request.as_ref();
    let shown = shown.ok_or_else(|| Status::invalid_argument("`request` is missing"))?;
    check_call(shown)?;
    let headers: Vec<(&str, &str)> =
        shown.headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
    let credential =
        parse(&headers, &shown.query).map_err(|error| status::of_auth_error(&error.into()))?;
    for required in &request.required_headers {
        let name = required.name.to_ascii_lowercase();
        if !credential.signed_headers().any(|signed| signed == name) || !has(shown, required) {
            let message = format!("the token must be signed with the header {name} as required");
            return Err(Status::unauthenticated(message));
        }
    }
    if credential.presigned_seconds().is_some_and(|seconds| seconds > EXPIRES_SECONDS_MAX) {
        return Err(Status::unauthenticated("the token asks for more than 900 seconds"));
    }
    let shown = SignedRequest {
        hosts: request.hosts.clone(),
        service: "sts".to_owned(),
        chunks: Vec::new(),
        ..shown.clone()
    };
    let signed = question::with_shown(&front.service, Some(&shown), |shown| {
        front.service.authenticate_shown(shown).map_err(Status::from)
    })?;
    Ok(VerifyIdentityTokenResponse {
        identity: Some(identity(&signed)),
        signed_at: convert::time(credential.signed_at()),
        expires_at: convert::time(credential.signed_at().plus(TOKEN_LIFE)),
    })
}

/// The header stands once, with this value.
fn has(shown: &SignedRequest, required: &SignedHeader) -> bool {
    let mut same = shown.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(&required.name));
    same.next().is_some_and(|header| header.value == required.value) && same.next().is_none()
}

/// A token is a GetCallerIdentity and nothing else: a presigned GET (Kubernetes), or a signed form (Vault).
fn check_call(shown: &SignedRequest) -> Result<(), Status> {
    let refused = || Status::unauthenticated("the token is no signed GetCallerIdentity");
    let own = |pair: &str| pair.to_ascii_lowercase().starts_with("x-amz-");
    let mut pairs: Vec<_> = shown.query.split('&').filter(|pair| !own(pair)).collect();
    pairs.sort_unstable();
    let call = CALL.map(|(name, value)| format!("{name}={value}"));
    let form = [call.join("&"), format!("{}&{}", call[1], call[0])];
    let is_call = match shown.method.as_str() {
        "GET" => pairs == call && shown.body_sha256 == EMPTY_SHA256,
        "POST" => {
            shown.query.is_empty()
                && form.iter().any(|form| body_sha256(form.as_bytes()) == shown.body_sha256)
        }
        _ => false,
    };
    if is_call && shown.path == "/" { Ok(()) } else { Err(refused()) }
}
