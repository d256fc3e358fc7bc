//! StsService: sessions for callers that have credentials. What is asked and answered is `sts`'s; here it
//! only changes its form.

use tonic::{Request, Response, Status};

use super::{Front, convert};
use crate::identity::{Invalid, WebIdentity};
use crate::proto::v1::sts_service_server::StsService;
use crate::proto::v1::{
    AssumeRoleRequest, AssumeRoleResponse, AssumeRoleWithWebIdentityRequest,
    AssumeRoleWithWebIdentityResponse, DecodeAuthorizationMessageRequest,
    DecodeAuthorizationMessageResponse, GetAccessKeyInfoRequest, GetAccessKeyInfoResponse,
    GetCallerIdentityRequest, GetCallerIdentityResponse, GetFederationTokenRequest,
    GetFederationTokenResponse, GetSessionTokenRequest, GetSessionTokenResponse, Tag,
};
use crate::service;

#[tonic::async_trait]
impl StsService for Front {
    async fn assume_role(
        &self,
        request: Request<AssumeRoleRequest>,
    ) -> Result<Response<AssumeRoleResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let asked = service::AssumeRole {
            role_arn: given(request.role_arn),
            role_session_name: given(request.role_session_name),
            policy: given(request.policy),
            policy_arns: request.policy_arns,
            duration_seconds: seconds(request.duration)?,
            tags: pairs(request.tags),
            transitive_tag_keys: request.transitive_tag_keys,
            external_id: given(request.external_id),
            source_identity: given(request.source_identity),
            serial_number: given(request.serial_number),
            token_code: given(request.token_code),
        };
        let issued = self.service.assume_role(&info, &request.idempotency_token, &asked).await?;
        let source = issued.session.source_identity.as_ref();
        Ok(Response::new(AssumeRoleResponse {
            credentials: Some(convert::credentials(&issued.credentials)),
            assumed_role_id: issued.principal.user_id(),
            arn: issued.principal.arn().to_string(),
            source_identity: source.map(ToString::to_string).unwrap_or_default(),
            packed_policy_percent: issued.packed_percent().unwrap_or_default(),
            sequence: issued.sequence,
        }))
    }

    async fn get_caller_identity(
        &self,
        request: Request<GetCallerIdentityRequest>,
    ) -> Result<Response<GetCallerIdentityResponse>, Status> {
        let principal = Self::info(&request)?.caller.principal;
        Ok(Response::new(GetCallerIdentityResponse {
            account_id: principal.account().map(|id| id.to_string()).unwrap_or_default(),
            arn: principal.arn().to_string(),
            user_id: principal.user_id(),
        }))
    }

    async fn decode_authorization_message(
        &self,
        request: Request<DecodeAuthorizationMessageRequest>,
    ) -> Result<Response<DecodeAuthorizationMessageResponse>, Status> {
        let info = Self::info(&request)?;
        let message = request.into_inner().encoded_message;
        let decoded_message = self.service.decode_authorization_message(&info, &message)?;
        Ok(Response::new(DecodeAuthorizationMessageResponse { decoded_message }))
    }

    async fn get_session_token(
        &self,
        request: Request<GetSessionTokenRequest>,
    ) -> Result<Response<GetSessionTokenResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let asked = service::GetSessionToken {
            duration_seconds: seconds(request.duration)?,
            serial_number: given(request.serial_number),
            token_code: given(request.token_code),
        };
        let token = &request.idempotency_token;
        let issued = self.service.get_session_token(&info, token, &asked).await?;
        Ok(Response::new(GetSessionTokenResponse {
            credentials: Some(convert::credentials(&issued.credentials)),
            sequence: issued.sequence,
        }))
    }

    async fn get_federation_token(
        &self,
        request: Request<GetFederationTokenRequest>,
    ) -> Result<Response<GetFederationTokenResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let asked = service::GetFederationToken {
            name: given(request.name),
            policy: given(request.policy),
            policy_arns: request.policy_arns,
            duration_seconds: seconds(request.duration)?,
            tags: pairs(request.tags),
        };
        let token = &request.idempotency_token;
        let issued = self.service.get_federation_token(&info, token, &asked).await?;
        Ok(Response::new(GetFederationTokenResponse {
            credentials: Some(convert::credentials(&issued.credentials)),
            federated_user_id: issued.principal.user_id(),
            arn: issued.principal.arn().to_string(),
            packed_policy_percent: issued.packed_percent().unwrap_or_default(),
            sequence: issued.sequence,
        }))
    }

    async fn assume_role_with_web_identity(
        &self,
        request: Request<AssumeRoleWithWebIdentityRequest>,
    ) -> Result<Response<AssumeRoleWithWebIdentityResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let asked = service::AssumeRoleWithWebIdentity {
            role_arn: given(request.role_arn),
            role_session_name: given(request.role_session_name),
            web_identity_token: given(request.web_identity_token),
            provider_id: None,
            policy: given(request.policy),
            policy_arns: request.policy_arns,
            duration_seconds: seconds(request.duration)?,
        };
        let token = &request.idempotency_token;
        let issued = self.service.assume_role_with_web_identity(&info, token, &asked).await?;
        let (source, web) = (&issued.session.source_identity, &issued.session.web_identity);
        let of_web = |part: fn(&WebIdentity) -> String| web.as_ref().map(part).unwrap_or_default();
        Ok(Response::new(AssumeRoleWithWebIdentityResponse {
            credentials: Some(convert::credentials(&issued.credentials)),
            subject_from_web_identity_token: of_web(|web| web.subject.to_string()),
            assumed_role_id: issued.principal.user_id(),
            arn: issued.principal.arn().to_string(),
            provider: issued.provider().unwrap_or_default(),
            audience: of_web(|web| web.audience.to_string()),
            source_identity: source.as_ref().map(ToString::to_string).unwrap_or_default(),
            packed_policy_percent: issued.packed_percent().unwrap_or_default(),
            sequence: issued.sequence,
        }))
    }

    async fn get_access_key_info(
        &self,
        request: Request<GetAccessKeyInfoRequest>,
    ) -> Result<Response<GetAccessKeyInfoResponse>, Status> {
        let info = Self::info(&request)?;
        let key = given(request.into_inner().access_key_id);
        let account = self.service.access_key_account(&info, key.as_deref())?;
        Ok(Response::new(GetAccessKeyInfoResponse { account_id: account.to_string() }))
    }
}

/// Empty means absent.
pub(super) fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn seconds(duration: Option<prost_types::Duration>) -> Result<Option<i64>, Invalid> {
    let Some(duration) = duration else { return Ok(None) };
    if duration.nanos != 0 {
        let rule = "must be a whole number of seconds";
        return Err(Invalid::new("duration", rule));
    }
    Ok(Some(duration.seconds))
}

pub(super) fn pairs(tags: Vec<Tag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}
