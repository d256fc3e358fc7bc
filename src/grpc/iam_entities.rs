//! Tags, new names, versions of policies, service-linked roles, the account's summary and alias.

use std::collections::HashMap;
use std::sync::Arc;

use tonic::Status;

use super::iam_policies::identity_owner;
use super::iam_roles::description;
use super::iam_users::missing;
use super::{Front, convert, field, optional, status};
use crate::domain::command::Action;
use crate::domain::entity::{EntityAction, EntityEvent, TagOwner, deleted_role};
use crate::domain::event::EventKind;
use crate::domain::inventory::resource;
use crate::domain::state::{Account, ManagedPolicy};
use crate::domain::tags::Tags;
use crate::identity::{Arn, Invalid};
use crate::ledger::{Receipt, View};
use crate::proto::v1;
use crate::proto::v1::{
    CreateAccountAliasRequest, CreateAccountAliasResponse, CreateServiceLinkedRoleRequest,
    CreateServiceLinkedRoleResponse, DeleteAccountAliasRequest, DeleteAccountAliasResponse,
    DeletePolicyVersionRequest, DeletePolicyVersionResponse, DeleteServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleResponse, DeletionStatus, GetAccountSummaryRequest,
    GetAccountSummaryResponse, GetPolicyVersionRequest, GetPolicyVersionResponse,
    GetServiceLinkedRoleDeletionStatusRequest, GetServiceLinkedRoleDeletionStatusResponse,
    ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, ListPolicyVersionsRequest,
    ListPolicyVersionsResponse, SetDefaultPolicyVersionRequest, SetDefaultPolicyVersionResponse,
    TagEntityRequest, TagEntityResponse, UntagEntityRequest, UntagEntityResponse,
    UpdateGroupRequest, UpdateGroupResponse, UpdateUserRequest, UpdateUserResponse,
};
use crate::sts::RequestInfo;

impl Front {
    pub(super) async fn iam_get_policy_version(
        &self,
        info: &RequestInfo,
        request: GetPolicyVersionRequest,
    ) -> Result<GetPolicyVersionResponse, Status> {
        let action = "iam:GetPolicyVersion";
        let (view, managed) =
            self.read_policy(info, request.min_sequence, action, &request.policy_arn).await?;
        let shown = shown_version(&managed, request.version);
        let name = format!("v{}", request.version);
        let version = Some(shown.ok_or_else(|| missing("policy version", &name))?);
        Ok(GetPolicyVersionResponse { version, sequence: view.sequence })
    }

    pub(super) async fn iam_list_policy_versions(
        &self,
        info: &RequestInfo,
        request: ListPolicyVersionsRequest,
    ) -> Result<ListPolicyVersionsResponse, Status> {
        let action = "iam:ListPolicyVersions";
        let (view, managed) =
            self.read_policy(info, request.min_sequence, action, &request.policy_arn).await?;
        let numbers = managed.versions.keys().rev();
        let versions = numbers.filter_map(|number| shown_version(&managed, *number)).collect();
        Ok(ListPolicyVersionsResponse { versions, sequence: view.sequence })
    }

    pub(super) async fn iam_set_default_policy_version(
        &self,
        info: &RequestInfo,
        request: SetDefaultPolicyVersionRequest,
    ) -> Result<SetDefaultPolicyVersionResponse, Status> {
        let (policy_arn, version) = (field("policy_arn", &request.policy_arn)?, request.version);
        let action = EntityAction::SetDefaultPolicyVersion { policy_arn, version };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        Ok(SetDefaultPolicyVersionResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_policy_version(
        &self,
        info: &RequestInfo,
        request: DeletePolicyVersionRequest,
    ) -> Result<DeletePolicyVersionResponse, Status> {
        let (policy_arn, version) = (field("policy_arn", &request.policy_arn)?, request.version);
        let action = EntityAction::DeletePolicyVersion { policy_arn, version };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        Ok(DeletePolicyVersionResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_list_entities_for_policy(
        &self,
        info: &RequestInfo,
        request: ListEntitiesForPolicyRequest,
    ) -> Result<ListEntitiesForPolicyResponse, Status> {
        let action = "iam:ListEntitiesForPolicy";
        let (view, managed) =
            self.read_policy(info, request.min_sequence, action, &request.policy_arn).await?;
        let account = view.state.account(Self::account_of(info)?);
        let holders = account.map(|account| account.holders_of(&managed.reference().key()));
        let holders = holders.unwrap_or_default();
        Ok(ListEntitiesForPolicyResponse {
            attached: holders.attached.iter().map(identity_owner).collect(),
            bounded: holders.bounded.iter().map(identity_owner).collect(),
            sequence: view.sequence,
        })
    }

    pub(super) async fn iam_tag_entity(
        &self,
        info: &RequestInfo,
        request: TagEntityRequest,
    ) -> Result<TagEntityResponse, Status> {
        let owner = self.tag_owner(info, request.owner)?;
        let action = EntityAction::Tag { owner, tags: tags(&request.tags)? };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        Ok(TagEntityResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_untag_entity(
        &self,
        info: &RequestInfo,
        request: UntagEntityRequest,
    ) -> Result<UntagEntityResponse, Status> {
        let owner = self.tag_owner(info, request.owner)?;
        let keys = request.tag_keys.iter().map(|key| field("tag_keys", key));
        let action = EntityAction::Untag { owner, keys: keys.collect::<Result<_, _>>()? };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        Ok(UntagEntityResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_update_user(
        &self,
        info: &RequestInfo,
        request: UpdateUserRequest,
    ) -> Result<UpdateUserResponse, Status> {
        let action = EntityAction::UpdateUser {
            name: field("user_name", &request.user_name)?,
            new_name: optional("new_user_name", &request.new_user_name)?,
            new_path: optional("new_path", &request.new_path)?,
        };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        Ok(UpdateUserResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_update_group(
        &self,
        info: &RequestInfo,
        request: UpdateGroupRequest,
    ) -> Result<UpdateGroupResponse, Status> {
        let action = EntityAction::UpdateGroup {
            name: field("group_name", &request.group_name)?,
            new_name: optional("new_group_name", &request.new_group_name)?,
            new_path: optional("new_path", &request.new_path)?,
        };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        Ok(UpdateGroupResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_create_service_linked_role(
        &self,
        info: &RequestInfo,
        request: CreateServiceLinkedRoleRequest,
    ) -> Result<CreateServiceLinkedRoleResponse, Status> {
        let suffix = Some(request.custom_suffix).filter(|suffix| !suffix.is_empty());
        let action = EntityAction::CreateServiceLinkedRole {
            service: Arc::from(request.service_name),
            suffix: suffix.map(Arc::from),
            description: description(&request.description)?,
            id: Self::drawn(info, self.service.draw_id("AROA"))?,
        };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        let view = self.service.view();
        let account = self.own_account(info)?;
        let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
        let role = events.find_map(|event| match &event.kind {
            EventKind::RoleCreated { name, .. } => account.role(name),
            _ => None,
        });
        let role = role.map(|role| convert::role(&view.state, &account, role));
        Ok(CreateServiceLinkedRoleResponse { role, sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_service_linked_role(
        &self,
        info: &RequestInfo,
        request: DeleteServiceLinkedRoleRequest,
    ) -> Result<DeleteServiceLinkedRoleResponse, Status> {
        let name = field("role_name", &request.role_name)?;
        let task = self.service.draw_request_id();
        let task = Self::drawn(info, task.map_err(Into::into))?;
        let action = EntityAction::DeleteServiceLinkedRole { name, task };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
        let task = events.find_map(|event| match &event.kind {
            EventKind::Entity(EntityEvent::RoleDeletionCompleted { task }) => {
                Some(task.to_string())
            }
            _ => None,
        });
        let (deletion_task_id, sequence) = (task.unwrap_or_default(), receipt.sequence);
        Ok(DeleteServiceLinkedRoleResponse { deletion_task_id, sequence })
    }

    pub(super) async fn iam_deletion_status(
        &self,
        info: &RequestInfo,
        request: GetServiceLinkedRoleDeletionStatusRequest,
    ) -> Result<GetServiceLinkedRoleDeletionStatusResponse, Status> {
        let (action, id) = ("iam:GetServiceLinkedRoleDeletionStatus", request.deletion_task_id);
        let arn = deleted_role(Self::account_of(info)?, &id);
        let (view, account) = self.read(info, request.min_sequence, action, &arn).await?;
        if !account.deletion_tasks.iter().any(|task| **task == *id) {
            return Err(missing("deletion task", &id));
        }
        let (status, sequence) = (DeletionStatus::Succeeded.into(), view.sequence);
        Ok(GetServiceLinkedRoleDeletionStatusResponse { status, sequence })
    }

    pub(super) async fn iam_create_account_alias(
        &self,
        info: &RequestInfo,
        request: CreateAccountAliasRequest,
    ) -> Result<CreateAccountAliasResponse, Status> {
        let alias = field("account_alias", &request.account_alias)?;
        let action = EntityAction::CreateAccountAlias { alias };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        Ok(CreateAccountAliasResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_account_alias(
        &self,
        info: &RequestInfo,
        request: DeleteAccountAliasRequest,
    ) -> Result<DeleteAccountAliasResponse, Status> {
        let alias = field("account_alias", &request.account_alias)?;
        let action = EntityAction::DeleteAccountAlias { alias };
        let receipt = self.change(info, &request.idempotency_token, action).await?;
        Ok(DeleteAccountAliasResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_get_account_summary(
        &self,
        info: &RequestInfo,
        request: GetAccountSummaryRequest,
    ) -> Result<GetAccountSummaryResponse, Status> {
        let action = "iam:GetAccountSummary";
        let (view, account) = self.read(info, request.min_sequence, action, "*").await?;
        let summary = account.summary().into_iter();
        let summary = summary
            .map(|(name, count)| (name.to_owned(), u32::try_from(count).unwrap_or(u32::MAX)));
        Ok(GetAccountSummaryResponse {
            summary: summary.collect(),
            account_alias: account.alias.as_ref().map(ToString::to_string).unwrap_or_default(),
            sequence: view.sequence,
        })
    }

    async fn change(
        &self,
        info: &RequestInfo,
        token: &str,
        action: EntityAction,
    ) -> Result<Receipt, Status> {
        self.perform(info, token, Action::Entity(action)).await
    }

    /// As `read`, for an entity about whose tags policies may ask.
    pub(super) async fn read_entity(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        action: &str,
        owner: &TagOwner,
    ) -> Result<(Arc<View>, Arc<Account>), Status> {
        let view = self.view(min_sequence).await?;
        let id = Self::account_of(info)?;
        let account = view.state.account(id).cloned();
        let account = account.ok_or_else(|| Status::not_found("the account does not exist"))?;
        let (arn, context) = resource(&account, owner);
        self.service
            .require_with(&view.state, info, id, action, arn.as_str(), &context)
            .map_err(|rejection| status::of_rejection(&rejection, &info.request_id))?;
        Ok((view, account))
    }

    /// A managed policy, for a caller who may do `action` on it.
    pub(super) async fn read_policy(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        action: &str,
        arn: &str,
    ) -> Result<(Arc<View>, Arc<ManagedPolicy>), Status> {
        let arn: Arn = field("policy_arn", arn)?;
        let view = self.view(min_sequence).await?;
        let id = Self::account_of(info)?;
        let account = view.state.account(id);
        let policy = account.and_then(|account| account.policy_by_arn(&arn)).cloned();
        let context = Tags::of_resource(policy.as_ref().map(|policy| &policy.tags));
        self.service
            .require_with(&view.state, info, id, action, arn.as_str(), &context)
            .map_err(|rejection| status::of_rejection(&rejection, &info.request_id))?;
        Ok((view, policy.ok_or_else(|| missing("policy", arn.as_str()))?))
    }

    fn tag_owner(
        &self,
        info: &RequestInfo,
        owner: Option<v1::TagOwner>,
    ) -> Result<TagOwner, Status> {
        use v1::tag_owner::Owner;
        match owner.and_then(|owner| owner.owner) {
            Some(Owner::UserName(name)) => Ok(TagOwner::User(field("user_name", &name)?)),
            Some(Owner::RoleName(name)) => Ok(TagOwner::Role(field("role_name", &name)?)),
            Some(Owner::InstanceProfileName(name)) => {
                Ok(TagOwner::Profile(field("instance_profile_name", &name)?))
            }
            Some(Owner::PolicyArn(arn)) => {
                let arn: Arn = field("policy_arn", &arn)?;
                let account = self.own_account(info)?;
                let policy = account.policy_by_arn(&arn).filter(|policy| !policy.aws);
                let policy = policy.ok_or_else(|| missing("policy", arn.as_str()))?;
                Ok(TagOwner::Policy(policy.name.clone()))
            }
            Some(Owner::MfaSerialNumber(serial_number)) => {
                let serial_number: Arn = field("mfa_serial_number", &serial_number)?;
                let account = self.own_account(info)?;
                let device = account.mfa_device(&serial_number);
                let device = device.ok_or_else(|| missing("MFA device", serial_number.as_str()))?;
                Ok(TagOwner::MfaDevice(device.name.clone()))
            }
            Some(Owner::OpenIdConnectProviderArn(arn)) => {
                Ok(TagOwner::OidcProvider(self.issuer_of(info, &arn)?))
            }
            None => {
                let rule = "must name an entity that carries tags";
                Err(status::of_invalid(&Invalid::new("owner", rule), &info.request_id))
            }
        }
    }
}

fn shown_version(managed: &ManagedPolicy, number: u32) -> Option<v1::PolicyVersion> {
    let version = managed.versions.get(&number)?;
    Some(v1::PolicyVersion {
        version: number,
        policy: version.policy.text().to_owned(),
        is_default: number == managed.version,
        created_at: convert::time(version.created_at),
    })
}

/// The tags of a request.
pub(super) fn tags(tags: &HashMap<String, String>) -> Result<Tags, Status> {
    let pairs = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Tags::of_request(pairs).map_err(|rejection| status::of_rejection(&rejection, ""))
}
