//! Inline and managed policies, attachments and permissions boundaries.

use std::sync::Arc;

use tonic::Status;

use super::iam_entities::tags;
use super::iam_roles::description;
use super::{Front, convert, field, optional, page, status};
use crate::domain::aws_policies;
use crate::domain::command::Action;
use crate::domain::event::{EventKind, PolicyOwner};
use crate::domain::state::{ManagedPolicy, PolicyUses};
use crate::identity::{Invalid, PolicyName};
use crate::policy::{Policy, PolicyKind};
use crate::proto::v1;
use crate::proto::v1::{
    AttachPolicyRequest, AttachPolicyResponse, CreatePolicyRequest, CreatePolicyResponse,
    CreatePolicyVersionRequest, CreatePolicyVersionResponse, DeleteInlinePolicyRequest,
    DeleteInlinePolicyResponse, DeletePermissionsBoundaryRequest,
    DeletePermissionsBoundaryResponse, DeletePolicyRequest, DeletePolicyResponse,
    DetachPolicyRequest, DetachPolicyResponse, GetPolicyRequest, GetPolicyResponse,
    ListPoliciesRequest, ListPoliciesResponse, PutInlinePolicyRequest, PutInlinePolicyResponse,
    PutPermissionsBoundaryRequest, PutPermissionsBoundaryResponse,
};
use crate::sts::RequestInfo;

impl Front {
    pub(super) async fn iam_put_inline_policy(
        &self,
        info: &RequestInfo,
        request: PutInlinePolicyRequest,
    ) -> Result<PutInlinePolicyResponse, Status> {
        let policy = identity_policy(&request.policy)?;
        let action = Action::PutInlinePolicy {
            owner: owner(request.owner)?,
            name: field("policy_name", &request.policy_name)?,
            policy: policy.clone(),
        };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let (sequence, warnings) = (receipt.sequence, convert::warnings(&policy));
        Ok(PutInlinePolicyResponse { sequence, warnings })
    }

    pub(super) async fn iam_delete_inline_policy(
        &self,
        info: &RequestInfo,
        request: DeleteInlinePolicyRequest,
    ) -> Result<DeleteInlinePolicyResponse, Status> {
        let name = field("policy_name", &request.policy_name)?;
        let action = Action::DeleteInlinePolicy { owner: owner(request.owner)?, name };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteInlinePolicyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_create_policy(
        &self,
        info: &RequestInfo,
        request: CreatePolicyRequest,
    ) -> Result<CreatePolicyResponse, Status> {
        let name: PolicyName = field("policy_name", &request.policy_name)?;
        let document = identity_policy(&request.policy)?;
        let action = Action::CreatePolicy {
            name: name.clone(),
            path: optional("path", &request.path)?.unwrap_or_default(),
            id: Self::drawn(info, self.service.draw_id("ANPA"))?,
            description: description(&request.description)?,
            policy: document.clone(),
            tags: tags(&request.tags)?,
        };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let account = self.own_account(info)?;
        let policy = account.policies.get(name.as_str().to_ascii_lowercase().as_str());
        let policy = policy.map(|policy| convert::managed_policy(&account, policy));
        let (sequence, warnings) = (receipt.sequence, convert::warnings(&document));
        Ok(CreatePolicyResponse { policy, sequence, warnings })
    }

    pub(super) async fn iam_get_policy(
        &self,
        info: &RequestInfo,
        request: GetPolicyRequest,
    ) -> Result<GetPolicyResponse, Status> {
        let arn = &request.policy_arn;
        let (view, policy) =
            self.read_policy(info, request.min_sequence, "iam:GetPolicy", arn).await?;
        let account = view.state.account(Self::account_of(info)?);
        let policy = account.map(|account| convert::managed_policy(account, &policy));
        Ok(GetPolicyResponse { policy, sequence: view.sequence })
    }

    pub(super) async fn iam_list_policies(
        &self,
        info: &RequestInfo,
        request: ListPoliciesRequest,
    ) -> Result<ListPoliciesResponse, Status> {
        let (view, account) =
            self.read(info, request.min_sequence, "iam:ListPolicies", "*").await?;
        let key = |policy: &&Arc<ManagedPolicy>| policy.name.as_str().to_ascii_lowercase();
        let of_aws = aws_policies::all().filter(|_| request.aws_managed);
        let own = account.policies.values().filter(|_| !request.aws_managed);
        let all = of_aws.chain(own);
        let wanted = |policy: &&Arc<ManagedPolicy>| {
            let used = account.uses_of(policy) != PolicyUses::default();
            policy.path.as_str().starts_with(&request.path_prefix)
                && (used || !request.attached_only)
        };
        let all = all.filter(wanted);
        let (found, next_page_token) = page(all, key, request.page_size, &request.page_token)?;
        let shown = found.into_iter().map(|policy| convert::managed_policy(&account, policy));
        let (policies, sequence) = (shown.collect(), view.sequence);
        Ok(ListPoliciesResponse { policies, next_page_token, sequence })
    }

    pub(super) async fn iam_create_policy_version(
        &self,
        info: &RequestInfo,
        request: CreatePolicyVersionRequest,
    ) -> Result<CreatePolicyVersionResponse, Status> {
        let policy_arn = field("policy_arn", &request.policy_arn)?;
        let policy = identity_policy(&request.policy)?;
        let default = !request.default_kept;
        let action = Action::CreatePolicyVersion { policy_arn, policy: policy.clone(), default };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
        let version = events.find_map(|event| match &event.kind {
            EventKind::PolicyVersionCreated { version, .. } => Some(*version),
            _ => None,
        });
        let (sequence, warnings) = (receipt.sequence, convert::warnings(&policy));
        let version = version.unwrap_or_default();
        Ok(CreatePolicyVersionResponse { sequence, warnings, version })
    }

    pub(super) async fn iam_delete_policy(
        &self,
        info: &RequestInfo,
        request: DeletePolicyRequest,
    ) -> Result<DeletePolicyResponse, Status> {
        let action = Action::DeletePolicy { policy_arn: field("policy_arn", &request.policy_arn)? };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeletePolicyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_attach_policy(
        &self,
        info: &RequestInfo,
        request: AttachPolicyRequest,
    ) -> Result<AttachPolicyResponse, Status> {
        let policy_arn = field("policy_arn", &request.policy_arn)?;
        let action = Action::AttachPolicy { owner: owner(request.owner)?, policy_arn };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(AttachPolicyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_detach_policy(
        &self,
        info: &RequestInfo,
        request: DetachPolicyRequest,
    ) -> Result<DetachPolicyResponse, Status> {
        let policy_arn = field("policy_arn", &request.policy_arn)?;
        let action = Action::DetachPolicy { owner: owner(request.owner)?, policy_arn };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DetachPolicyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_put_permissions_boundary(
        &self,
        info: &RequestInfo,
        request: PutPermissionsBoundaryRequest,
    ) -> Result<PutPermissionsBoundaryResponse, Status> {
        let policy_arn = field("policy_arn", &request.policy_arn)?;
        let action = Action::PutBoundary { owner: owner(request.owner)?, policy_arn };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(PutPermissionsBoundaryResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_permissions_boundary(
        &self,
        info: &RequestInfo,
        request: DeletePermissionsBoundaryRequest,
    ) -> Result<DeletePermissionsBoundaryResponse, Status> {
        let action = Action::DeleteBoundary { owner: owner(request.owner)? };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeletePermissionsBoundaryResponse { sequence: receipt.sequence })
    }
}

fn owner(owner: Option<v1::PolicyOwner>) -> Result<PolicyOwner, Status> {
    let invalid = |invalid: Invalid| status::of_invalid(&invalid, "");
    convert::policy_owner(owner).map_err(invalid)
}

/// An owner of policies as messages name it.
pub(super) fn identity_owner(owner: &PolicyOwner) -> v1::PolicyOwner {
    use v1::policy_owner::Owner;
    let owner = match owner {
        PolicyOwner::User(name) => Owner::UserName(name.to_string()),
        PolicyOwner::Role(name) => Owner::RoleName(name.to_string()),
        PolicyOwner::Group(name) => Owner::GroupName(name.to_string()),
    };
    v1::PolicyOwner { owner: Some(owner) }
}

fn identity_policy(text: &str) -> Result<Policy, Status> {
    let policy = Policy::parse(text, PolicyKind::Identity);
    policy.map_err(|error| status::of_policy_error("policy", &error))
}
