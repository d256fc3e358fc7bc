//! The operations of STS. Source: STS API Reference.

use http::StatusCode;
use serde::Serialize;

use super::call::{Call, operations};
use super::fault::Fault;
use super::shape::Rule::Length;
use super::shape::request;
use crate::domain::rejection::Rejection;

operations! {
    DecodeAuthorizationMessage => decode_authorization_message;
    GetCallerIdentity => get_caller_identity;
}

request! {
    /// Source: STS API Reference, DecodeAuthorizationMessage.
    DecodeAuthorizationMessage {
        encoded_message: String = "EncodedMessage" [Length(1, 10_240)],
    }
    /// Source: STS API Reference, GetCallerIdentity.
    GetCallerIdentity {}
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DecodeAuthorizationMessageResult {
    decoded_message: String,
}

async fn decode_authorization_message(
    call: &Call<'_>,
    request: DecodeAuthorizationMessage,
) -> Result<DecodeAuthorizationMessageResult, Fault> {
    let message = &request.encoded_message;
    let decoded = call.service.decode_authorization_message(call.info, message);
    let decoded_message = decoded.map_err(|rejection| match rejection {
        Rejection::Invalid(_) => {
            let told = "The message is not one that was encoded for this account.";
            Fault::own("InvalidAuthorizationMessageException", StatusCode::BAD_REQUEST, told)
        }
        other => other.into(),
    })?;
    Ok(DecodeAuthorizationMessageResult { decoded_message })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetCallerIdentityResult {
    arn: String,
    user_id: String,
    account: String,
}

async fn get_caller_identity(
    call: &Call<'_>,
    _: GetCallerIdentity,
) -> Result<GetCallerIdentityResult, Fault> {
    let principal = &call.info.caller.principal;
    Ok(GetCallerIdentityResult {
        arn: principal.arn(),
        user_id: principal.user_id(),
        account: call.account_id()?.to_string(),
    })
}
