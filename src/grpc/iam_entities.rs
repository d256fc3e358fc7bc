//! Tags, and the account's summary and alias.

use std::collections::HashMap;

use super::{Front, field};
use crate::domain::access::Permission;
use crate::domain::tags::Tags;
use crate::identity::Invalid;
use crate::proto::v1;
use crate::proto::v1::{
    CreateAccountAliasRequest, CreateAccountAliasResponse, DeleteAccountAliasRequest,
    DeleteAccountAliasResponse, GetAccountSummaryRequest, GetAccountSummaryResponse,
    TagEntityRequest, TagEntityResponse, UntagEntityRequest, UntagEntityResponse,
};
use crate::service::{RequestInfo, ServiceError, TaggedEntity};

impl Front {
    pub(super) async fn iam_tag_entity(
        &self,
        info: &RequestInfo,
        request: TagEntityRequest,
    ) -> Result<TagEntityResponse, ServiceError> {
        let (entity, tags) = (tagged_entity(request.owner)?, tags(&request.tags)?);
        let receipt = self.service.tag(info, &request.idempotency_token, &entity, tags).await?;
        Ok(TagEntityResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_untag_entity(
        &self,
        info: &RequestInfo,
        request: UntagEntityRequest,
    ) -> Result<UntagEntityResponse, ServiceError> {
        let entity = tagged_entity(request.owner)?;
        let keys = request.tag_keys.iter().map(|key| field("tag_keys", key));
        let keys = keys.collect::<Result<_, Invalid>>()?;
        let receipt = self.service.untag(info, &request.idempotency_token, &entity, keys).await?;
        Ok(UntagEntityResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_create_account_alias(
        &self,
        info: &RequestInfo,
        request: CreateAccountAliasRequest,
    ) -> Result<CreateAccountAliasResponse, ServiceError> {
        let alias = field("account_alias", &request.account_alias)?;
        let token = &request.idempotency_token;
        let receipt = self.service.create_account_alias(info, token, alias).await?;
        Ok(CreateAccountAliasResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_account_alias(
        &self,
        info: &RequestInfo,
        request: DeleteAccountAliasRequest,
    ) -> Result<DeleteAccountAliasResponse, ServiceError> {
        let alias = field("account_alias", &request.account_alias)?;
        let token = &request.idempotency_token;
        let receipt = self.service.delete_account_alias(info, token, alias).await?;
        Ok(DeleteAccountAliasResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_get_account_summary(
        &self,
        info: &RequestInfo,
        request: GetAccountSummaryRequest,
    ) -> Result<GetAccountSummaryResponse, ServiceError> {
        let permission = Permission::GetAccountSummary;
        let read = self.service.read_account(info, request.min_sequence, permission).await?;
        let summary = read.account.summary().into_iter();
        let summary = summary
            .map(|(name, count)| (name.to_owned(), u32::try_from(count).unwrap_or(u32::MAX)));
        let alias = read.account.alias.as_ref();
        Ok(GetAccountSummaryResponse {
            summary: summary.collect(),
            account_alias: alias.map(ToString::to_string).unwrap_or_default(),
            sequence: read.view.sequence,
        })
    }
}

fn tagged_entity(owner: Option<v1::TagOwner>) -> Result<TaggedEntity, Invalid> {
    use v1::tag_owner::Owner;
    match owner.and_then(|owner| owner.owner) {
        Some(Owner::UserName(name)) => Ok(TaggedEntity::User(field("user_name", &name)?)),
        Some(Owner::RoleName(name)) => Ok(TaggedEntity::Role(field("role_name", &name)?)),
        Some(Owner::InstanceProfileName(name)) => {
            Ok(TaggedEntity::Profile(field("instance_profile_name", &name)?))
        }
        Some(Owner::PolicyArn(arn)) => Ok(TaggedEntity::Policy(field("policy_arn", &arn)?)),
        Some(Owner::MfaSerialNumber(serial_number)) => {
            Ok(TaggedEntity::MfaDevice(field("mfa_serial_number", &serial_number)?))
        }
        Some(Owner::OpenIdConnectProviderArn(arn)) => {
            Ok(TaggedEntity::Provider(field("open_id_connect_provider_arn", &arn)?))
        }
        None => Err(Invalid::new("owner", "must name an entity that carries tags")),
    }
}

/// The tags of a request.
pub(super) fn tags(tags: &HashMap<String, String>) -> Result<Tags, ServiceError> {
    let pairs = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Ok(Tags::of_request(pairs)?)
}
