//! Inline and managed policies, their versions, attachments and permissions boundaries.

use std::sync::Arc;

use super::iam_entities::tags;
use super::{Front, convert, field, optional, page};
use crate::domain::aws_policies;
use crate::domain::event::PolicyOwner;
use crate::domain::state::{ManagedPolicy, PolicyUses};
use crate::proto::v1;
use crate::proto::v1::*;
use crate::service::{NewPolicy, RequestInfo, ServiceError};

/// The member that holds a document.
const DOCUMENT: &str = "policy";

impl Front {
    pub(super) async fn iam_put_inline_policy(
        &self,
        info: &RequestInfo,
        request: PutInlinePolicyRequest,
    ) -> Result<PutInlinePolicyResponse, ServiceError> {
        let owner = convert::policy_owner(request.owner)?;
        let name = field("policy_name", &request.policy_name)?;
        let (token, document) = (&request.idempotency_token, (DOCUMENT, request.policy.as_str()));
        let done = self.service.put_inline_policy(info, token, owner, name, document).await?;
        let (receipt, policy) = done;
        let (sequence, warnings) = (receipt.sequence, convert::warnings(&policy));
        Ok(PutInlinePolicyResponse { sequence, warnings })
    }

    pub(super) async fn iam_delete_inline_policy(
        &self,
        info: &RequestInfo,
        request: DeleteInlinePolicyRequest,
    ) -> Result<DeleteInlinePolicyResponse, ServiceError> {
        let (owner, token) = (convert::policy_owner(request.owner)?, &request.idempotency_token);
        let name = field("policy_name", &request.policy_name)?;
        let receipt = self.service.delete_inline_policy(info, token, owner, name).await?;
        Ok(DeleteInlinePolicyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_create_policy(
        &self,
        info: &RequestInfo,
        request: CreatePolicyRequest,
    ) -> Result<CreatePolicyResponse, ServiceError> {
        let asked = NewPolicy {
            name: field("policy_name", &request.policy_name)?,
            path: optional("path", &request.path)?.unwrap_or_default(),
            description: field("description", &request.description)?,
            document: (DOCUMENT, &request.policy),
            tags: tags(&request.tags)?,
        };
        let token = &request.idempotency_token;
        let (made, document) = self.service.create_policy(info, token, asked).await?;
        let policy = made.entity.as_ref();
        let policy = policy.map(|policy| convert::managed_policy(&made.account, policy));
        let (sequence, warnings) = (made.sequence, convert::warnings(&document));
        Ok(CreatePolicyResponse { policy, sequence, warnings })
    }

    pub(super) async fn iam_get_policy(
        &self,
        info: &RequestInfo,
        request: GetPolicyRequest,
    ) -> Result<GetPolicyResponse, ServiceError> {
        let arn = field("policy_arn", &request.policy_arn)?;
        let found = self.service.policy(info, request.min_sequence, &arn).await?;
        let policy = Some(convert::managed_policy(&found.account, &found.entity));
        Ok(GetPolicyResponse { policy, sequence: found.view.sequence })
    }

    pub(super) async fn iam_list_policies(
        &self,
        info: &RequestInfo,
        request: ListPoliciesRequest,
    ) -> Result<ListPoliciesResponse, ServiceError> {
        let prefix = request.path_prefix.as_str();
        let read = self.service.list_policies(info, request.min_sequence, prefix).await?;
        let key = |policy: &&Arc<ManagedPolicy>| policy.name.as_str().to_ascii_lowercase();
        let of_aws = aws_policies::all().filter(|_| request.aws_managed);
        let own = read.account.policies.values().filter(|_| !request.aws_managed);
        let wanted = |policy: &&Arc<ManagedPolicy>| {
            let used = read.account.uses_of(policy) != PolicyUses::default();
            policy.path.as_str().starts_with(prefix) && (used || !request.attached_only)
        };
        let all = of_aws.chain(own).filter(wanted);
        let (found, next_page_token) = page(all, key, request.page_size, &request.page_token)?;
        let shown = found.into_iter().map(|policy| convert::managed_policy(&read.account, policy));
        let (policies, sequence) = (shown.collect(), read.view.sequence);
        Ok(ListPoliciesResponse { policies, next_page_token, sequence })
    }

    pub(super) async fn iam_create_policy_version(
        &self,
        info: &RequestInfo,
        request: CreatePolicyVersionRequest,
    ) -> Result<CreatePolicyVersionResponse, ServiceError> {
        let (arn, token) = (field("policy_arn", &request.policy_arn)?, &request.idempotency_token);
        let (document, default) = ((DOCUMENT, request.policy.as_str()), !request.default_kept);
        let made = self.service.create_policy_version(info, token, arn, document, default).await?;
        Ok(CreatePolicyVersionResponse {
            sequence: made.policy.sequence,
            warnings: convert::warnings(&made.document),
            version: made.version,
        })
    }

    pub(super) async fn iam_get_policy_version(
        &self,
        info: &RequestInfo,
        request: GetPolicyVersionRequest,
    ) -> Result<GetPolicyVersionResponse, ServiceError> {
        let arn = field("policy_arn", &request.policy_arn)?;
        let named = format!("v{}", request.version);
        let version = (request.version, named.as_str());
        let found = self.service.policy_version(info, request.min_sequence, &arn, version).await?;
        let version = shown_version(&found.entity, request.version);
        Ok(GetPolicyVersionResponse { version, sequence: found.view.sequence })
    }

    pub(super) async fn iam_list_policy_versions(
        &self,
        info: &RequestInfo,
        request: ListPolicyVersionsRequest,
    ) -> Result<ListPolicyVersionsResponse, ServiceError> {
        let arn = field("policy_arn", &request.policy_arn)?;
        let found = self.service.list_policy_versions(info, request.min_sequence, &arn).await?;
        let numbers = found.entity.versions.keys().rev();
        let versions = numbers.filter_map(|number| shown_version(&found.entity, *number)).collect();
        Ok(ListPolicyVersionsResponse { versions, sequence: found.view.sequence })
    }

    pub(super) async fn iam_set_default_policy_version(
        &self,
        info: &RequestInfo,
        request: SetDefaultPolicyVersionRequest,
    ) -> Result<SetDefaultPolicyVersionResponse, ServiceError> {
        let (arn, token) = (field("policy_arn", &request.policy_arn)?, &request.idempotency_token);
        let version = request.version;
        let done = self.service.set_default_policy_version(info, token, arn, version).await?;
        Ok(SetDefaultPolicyVersionResponse { sequence: done.sequence })
    }

    pub(super) async fn iam_delete_policy_version(
        &self,
        info: &RequestInfo,
        request: DeletePolicyVersionRequest,
    ) -> Result<DeletePolicyVersionResponse, ServiceError> {
        let (arn, token) = (field("policy_arn", &request.policy_arn)?, &request.idempotency_token);
        let done = self.service.delete_policy_version(info, token, arn, request.version).await?;
        Ok(DeletePolicyVersionResponse { sequence: done.sequence })
    }

    pub(super) async fn iam_list_entities_for_policy(
        &self,
        info: &RequestInfo,
        request: ListEntitiesForPolicyRequest,
    ) -> Result<ListEntitiesForPolicyResponse, ServiceError> {
        let arn = field("policy_arn", &request.policy_arn)?;
        let found = self.service.list_entities_for_policy(info, request.min_sequence, &arn).await?;
        let holders = found.account.holders_of(&found.entity.reference().key());
        Ok(ListEntitiesForPolicyResponse {
            attached: holders.attached.iter().map(identity_owner).collect(),
            bounded: holders.bounded.iter().map(identity_owner).collect(),
            sequence: found.view.sequence,
        })
    }

    pub(super) async fn iam_delete_policy(
        &self,
        info: &RequestInfo,
        request: DeletePolicyRequest,
    ) -> Result<DeletePolicyResponse, ServiceError> {
        let arn = field("policy_arn", &request.policy_arn)?;
        let receipt = self.service.delete_policy(info, &request.idempotency_token, arn).await?;
        Ok(DeletePolicyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_attach_policy(
        &self,
        info: &RequestInfo,
        request: AttachPolicyRequest,
    ) -> Result<AttachPolicyResponse, ServiceError> {
        let (owner, token) = (convert::policy_owner(request.owner)?, &request.idempotency_token);
        let arn = field("policy_arn", &request.policy_arn)?;
        let receipt = self.service.attach_policy(info, token, owner, arn).await?;
        Ok(AttachPolicyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_detach_policy(
        &self,
        info: &RequestInfo,
        request: DetachPolicyRequest,
    ) -> Result<DetachPolicyResponse, ServiceError> {
        let (owner, token) = (convert::policy_owner(request.owner)?, &request.idempotency_token);
        let arn = field("policy_arn", &request.policy_arn)?;
        let receipt = self.service.detach_policy(info, token, owner, arn).await?;
        Ok(DetachPolicyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_put_permissions_boundary(
        &self,
        info: &RequestInfo,
        request: PutPermissionsBoundaryRequest,
    ) -> Result<PutPermissionsBoundaryResponse, ServiceError> {
        let (owner, token) = (convert::policy_owner(request.owner)?, &request.idempotency_token);
        let arn = field("policy_arn", &request.policy_arn)?;
        let receipt = self.service.put_boundary(info, token, owner, arn).await?;
        Ok(PutPermissionsBoundaryResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_permissions_boundary(
        &self,
        info: &RequestInfo,
        request: DeletePermissionsBoundaryRequest,
    ) -> Result<DeletePermissionsBoundaryResponse, ServiceError> {
        let owner = convert::policy_owner(request.owner)?;
        let receipt = self.service.delete_boundary(info, &request.idempotency_token, owner).await?;
        Ok(DeletePermissionsBoundaryResponse { sequence: receipt.sequence })
    }
}

/// An owner of policies as messages name it.
fn identity_owner(owner: &PolicyOwner) -> v1::PolicyOwner {
    use v1::policy_owner::Owner;
    let owner = match owner {
        PolicyOwner::User(name) => Owner::UserName(name.to_string()),
        PolicyOwner::Role(name) => Owner::RoleName(name.to_string()),
        PolicyOwner::Group(name) => Owner::GroupName(name.to_string()),
    };
    v1::PolicyOwner { owner: Some(owner) }
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
