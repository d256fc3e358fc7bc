//! The operations of STS. What a member may hold is checked by the use cases, which gRPC shares: here the
//! parameters only get their names. Source: STS API Reference.

use serde::Serialize;

use super::call::{Call, operations};
use super::fault::Fault;
use super::shape::Rule::Length;
use super::shape::request;
use super::xml::Time;
use crate::service::{self, Issued, Service};

operations! {
    AssumeRole => assume_role;
    AssumeRoleWithWebIdentity => assume_role_with_web_identity;
    DecodeAuthorizationMessage => decode_authorization_message;
    GetAccessKeyInfo => get_access_key_info;
    GetCallerIdentity => get_caller_identity;
    GetFederationToken => get_federation_token;
    GetSessionToken => get_session_token;
}

request! {
    /// A managed session policy.
    PolicyDescriptor {
        arn: String = "arn",
    }
    /// A session tag.
    Tag {
        key: String = "Key",
        value: String = "Value",
    }
    /// Source: STS API Reference, AssumeRole.
    AssumeRole {
        role_arn: Option<String> = "RoleArn",
        role_session_name: Option<String> = "RoleSessionName",
        policy: Option<String> = "Policy",
        policy_arns: Vec<PolicyDescriptor> = "PolicyArns",
        duration_seconds: Option<i64> = "DurationSeconds",
        tags: Vec<Tag> = "Tags",
        transitive_tag_keys: Vec<String> = "TransitiveTagKeys",
        external_id: Option<String> = "ExternalId",
        serial_number: Option<String> = "SerialNumber",
        token_code: Option<String> = "TokenCode",
        source_identity: Option<String> = "SourceIdentity",
    }
    /// Source: STS API Reference, AssumeRoleWithWebIdentity.
    AssumeRoleWithWebIdentity {
        role_arn: Option<String> = "RoleArn",
        role_session_name: Option<String> = "RoleSessionName",
        web_identity_token: Option<String> = "WebIdentityToken",
        provider_id: Option<String> = "ProviderId",
        policy: Option<String> = "Policy",
        policy_arns: Vec<PolicyDescriptor> = "PolicyArns",
        duration_seconds: Option<i64> = "DurationSeconds",
    }
    /// Source: STS API Reference, DecodeAuthorizationMessage.
    DecodeAuthorizationMessage {
        encoded_message: String = "EncodedMessage" [Length(1, 10_240)],
    }
    /// Source: STS API Reference, GetAccessKeyInfo.
    GetAccessKeyInfo {
        access_key_id: Option<String> = "AccessKeyId",
    }
    /// Source: STS API Reference, GetCallerIdentity.
    GetCallerIdentity {}
    /// Source: STS API Reference, GetFederationToken.
    GetFederationToken {
        name: Option<String> = "Name",
        policy: Option<String> = "Policy",
        policy_arns: Vec<PolicyDescriptor> = "PolicyArns",
        duration_seconds: Option<i64> = "DurationSeconds",
        tags: Vec<Tag> = "Tags",
    }
    /// Source: STS API Reference, GetSessionToken.
    GetSessionToken {
        duration_seconds: Option<i64> = "DurationSeconds",
        serial_number: Option<String> = "SerialNumber",
        token_code: Option<String> = "TokenCode",
    }
}

fn arns(descriptors: Vec<PolicyDescriptor>) -> Vec<String> {
    descriptors.into_iter().map(|descriptor| descriptor.arn).collect()
}

fn pairs(tags: Vec<Tag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// Source: STS API Reference, Credentials.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: Time,
}

impl Credentials {
    fn of(issued: &Issued) -> Self {
        let credentials = &issued.credentials;
        Self {
            access_key_id: credentials.key.to_string(),
            secret_access_key: credentials.secret.expose().to_owned(),
            session_token: credentials.token.expose().to_owned(),
            expiration: Time(credentials.expires_at),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

impl AssumedRoleUser {
    fn of(issued: &Issued) -> Self {
        Self {
            assumed_role_id: issued.principal.user_id(),
            arn: issued.principal.arn().to_string(),
        }
    }
}

fn source_identity(issued: &Issued) -> Option<String> {
    issued.session.source_identity.as_ref().map(ToString::to_string)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleResult {
    source_identity: Option<String>,
    credentials: Credentials,
    assumed_role_user: AssumedRoleUser,
    packed_policy_size: Option<u32>,
}

async fn assume_role(call: &Call<'_>, request: AssumeRole) -> Result<AssumeRoleResult, Fault> {
    let asked = service::AssumeRole {
        role_arn: request.role_arn,
        role_session_name: request.role_session_name,
        policy: request.policy,
        policy_arns: arns(request.policy_arns),
        duration_seconds: request.duration_seconds,
        tags: pairs(request.tags),
        transitive_tag_keys: request.transitive_tag_keys,
        external_id: request.external_id,
        source_identity: request.source_identity,
        serial_number: request.serial_number,
        token_code: request.token_code,
    };
    let issued = call.service.assume_role(call.info, "", &asked).await?;
    Ok(AssumeRoleResult {
        source_identity: source_identity(&issued),
        credentials: Credentials::of(&issued),
        assumed_role_user: AssumedRoleUser::of(&issued),
        packed_policy_size: issued.packed_percent(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleWithWebIdentityResult {
    source_identity: Option<String>,
    subject_from_web_identity_token: Option<String>,
    credentials: Credentials,
    assumed_role_user: AssumedRoleUser,
    provider: Option<String>,
    audience: Option<String>,
    packed_policy_size: Option<u32>,
}

async fn assume_role_with_web_identity(
    call: &Call<'_>,
    request: AssumeRoleWithWebIdentity,
) -> Result<AssumeRoleWithWebIdentityResult, Fault> {
    let asked = service::AssumeRoleWithWebIdentity {
        role_arn: request.role_arn,
        role_session_name: request.role_session_name,
        web_identity_token: request.web_identity_token,
        provider_id: request.provider_id,
        policy: request.policy,
        policy_arns: arns(request.policy_arns),
        duration_seconds: request.duration_seconds,
    };
    let issued = call.service.assume_role_with_web_identity(call.info, "", &asked).await?;
    let web = issued.session.web_identity.as_ref();
    Ok(AssumeRoleWithWebIdentityResult {
        source_identity: source_identity(&issued),
        subject_from_web_identity_token: web.map(|web| web.subject.to_string()),
        credentials: Credentials::of(&issued),
        assumed_role_user: AssumedRoleUser::of(&issued),
        provider: issued.provider(),
        audience: web.map(|web| web.audience.to_string()),
        packed_policy_size: issued.packed_percent(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FederatedUser {
    federated_user_id: String,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetFederationTokenResult {
    credentials: Credentials,
    federated_user: FederatedUser,
    packed_policy_size: Option<u32>,
}

async fn get_federation_token(
    call: &Call<'_>,
    request: GetFederationToken,
) -> Result<GetFederationTokenResult, Fault> {
    let asked = service::GetFederationToken {
        name: request.name,
        policy: request.policy,
        policy_arns: arns(request.policy_arns),
        duration_seconds: request.duration_seconds,
        tags: pairs(request.tags),
    };
    let issued = call.service.get_federation_token(call.info, "", &asked).await?;
    let (federated_user_id, arn) = (issued.principal.user_id(), issued.principal.arn().to_string());
    Ok(GetFederationTokenResult {
        credentials: Credentials::of(&issued),
        federated_user: FederatedUser { federated_user_id, arn },
        packed_policy_size: issued.packed_percent(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSessionTokenResult {
    credentials: Credentials,
}

async fn get_session_token(
    call: &Call<'_>,
    request: GetSessionToken,
) -> Result<GetSessionTokenResult, Fault> {
    let asked = service::GetSessionToken {
        duration_seconds: request.duration_seconds,
        serial_number: request.serial_number,
        token_code: request.token_code,
    };
    let issued = call.service.get_session_token(call.info, "", &asked).await?;
    Ok(GetSessionTokenResult { credentials: Credentials::of(&issued) })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetAccessKeyInfoResult {
    account: String,
}

async fn get_access_key_info(
    call: &Call<'_>,
    request: GetAccessKeyInfo,
) -> Result<GetAccessKeyInfoResult, Fault> {
    let account = call.service.access_key_account(call.info, request.access_key_id.as_deref())?;
    Ok(GetAccessKeyInfoResult { account: account.to_string() })
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
    let decoded_message = call.service.decode_authorization_message(call.info, message)?;
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
        arn: principal.arn().to_string(),
        user_id: principal.user_id(),
        account: Service::account_of(call.info)?.to_string(),
    })
}
