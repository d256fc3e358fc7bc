//! Managed policies and their versions; inline policies, attachments and permissions boundaries of users, roles and
//! groups; and what an account holds altogether.

use std::sync::Arc;

use super::{Found, Made, document, managed_document};
use crate::domain::access::{ListKind, Permission, Target};
use crate::domain::command::{AccountAction, Action, PolicyAction};
use crate::domain::event::{EventKind, PolicyEvent, PolicyOwner};
use crate::domain::rejection::Rejection;
use crate::domain::state::{ManagedPolicy, Permissions};
use crate::domain::tags::Tags;
use crate::identity::{AccountAlias, Arn, Description, Path, PolicyName};
use crate::ledger::Receipt;
use crate::policy::{Policy, PolicyKind};
use crate::service::{Reading, RequestInfo, Service, ServiceError};

/// What CreatePolicy is asked. Source: IAM API Reference, CreatePolicy.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct NewPolicy<'a> {
    pub name: PolicyName,
    pub path: Path,
    pub description: Description,
    /// The document, and the name of the member that holds it.
    pub document: (&'static str, &'a str),
    pub tags: Tags,
}

/// A version that CreatePolicyVersion made.
#[derive(Clone, Debug)]
pub struct NewPolicyVersion {
    /// The policy.
    pub policy: Made<ManagedPolicy>,
    /// The version's number.
    pub version: u32,
    /// The document as it was read.
    pub document: Policy,
}

/// Each refuses a caller who may not, names that break a rule of the account, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreatePolicy: the policy, and its document as it was read.
    pub async fn create_policy(
        &self,
        info: &RequestInfo,
        token: &str,
        NewPolicy { name, path, description, document: (field, text), tags }: NewPolicy<'_>,
    ) -> Result<(Made<ManagedPolicy>, Policy), ServiceError> {
        let policy = managed_document(field, text)?;
        let arn = Arn::policy(Self::account_of(info)?, &path, &name);
        let action = Action::Policy(PolicyAction::Create {
            name,
            path,
            id: self.draw_id("ANPA")?,
            description: description.into(),
            policy: policy.clone(),
            tags,
        });
        let receipt = self.perform_own(info, token, action).await?;
        Ok((self.made(info, &receipt, |account| account.policy_by_arn(&arn))?, policy))
    }

    /// A read of one managed policy: GetPolicy, GetPolicyVersion, ListPolicyVersions and ListEntitiesForPolicy, by
    /// their permission.
    async fn read_policy(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        permission: Permission,
        arn: &Arn,
    ) -> Result<Found<ManagedPolicy>, ServiceError> {
        let reading = self.read(info, min_sequence, permission, &Target::Policy(arn)).await?;
        let entity = reading.account.policy_by_arn(arn).cloned();
        reading.found(entity, || Rejection::missing("policy", arn))
    }

    /// GetPolicy.
    pub async fn policy(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        arn: &Arn,
    ) -> Result<Found<ManagedPolicy>, ServiceError> {
        self.read_policy(info, min_sequence, Permission::GetPolicy, arn).await
    }

    /// ListPolicies: the account's policies and AWS's, of which edges show those that are asked for.
    pub async fn list_policies(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        path_prefix: &str,
    ) -> Result<Reading, ServiceError> {
        let target = Target::List(ListKind::Policies, path_prefix);
        self.read(info, min_sequence, Permission::ListPolicies, &target).await
    }

    /// CreatePolicyVersion. `field` is the name of the member that holds the document.
    pub async fn create_policy_version(
        &self,
        info: &RequestInfo,
        token: &str,
        policy_arn: Arn,
        (field, text): (&'static str, &str),
        default: bool,
    ) -> Result<NewPolicyVersion, ServiceError> {
        let policy = managed_document(field, text)?;
        let action = Action::Policy(PolicyAction::CreateVersion {
            policy_arn: policy_arn.clone(),
            policy: policy.clone(),
            default,
        });
        let receipt = self.perform_own(info, token, action).await?;
        let version = receipt.events().find_map(|event| {
            let EventKind::Policy(PolicyEvent::VersionCreated { version, .. }) = &event.kind else {
                return None;
            };
            Some(*version)
        });
        let version = version.ok_or(ServiceError::Answer("no version was made"))?;
        let made = self.made(info, &receipt, |account| account.policy_by_arn(&policy_arn))?;
        Ok(NewPolicyVersion { policy: made, version, document: policy })
    }

    /// GetPolicyVersion: the policy, whose version of this number it has. `shown` is how the request names it.
    pub async fn policy_version(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        arn: &Arn,
        (number, shown): (u32, &str),
    ) -> Result<Found<ManagedPolicy>, ServiceError> {
        let permission = Permission::GetPolicyVersion;
        let found = self.read_policy(info, min_sequence, permission, arn).await?;
        if found.entity.versions.contains_key(&number) {
            return Ok(found);
        }
        Err(Rejection::missing("policy version", shown).into())
    }

    /// ListPolicyVersions: the policy, whose versions they are.
    pub async fn list_policy_versions(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        arn: &Arn,
    ) -> Result<Found<ManagedPolicy>, ServiceError> {
        self.read_policy(info, min_sequence, Permission::ListPolicyVersions, arn).await
    }

    /// ListEntitiesForPolicy: the policy; the account says who holds it.
    pub async fn list_entities_for_policy(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        arn: &Arn,
    ) -> Result<Found<ManagedPolicy>, ServiceError> {
        self.read_policy(info, min_sequence, Permission::ListEntitiesForPolicy, arn).await
    }

    /// SetDefaultPolicyVersion.
    pub async fn set_default_policy_version(
        &self,
        info: &RequestInfo,
        token: &str,
        policy_arn: Arn,
        version: u32,
    ) -> Result<Receipt, ServiceError> {
        let action = PolicyAction::SetDefaultVersion { policy_arn, version };
        self.perform_own(info, token, Action::Policy(action)).await
    }

    /// DeletePolicyVersion.
    pub async fn delete_policy_version(
        &self,
        info: &RequestInfo,
        token: &str,
        policy_arn: Arn,
        version: u32,
    ) -> Result<Receipt, ServiceError> {
        let action = PolicyAction::DeleteVersion { policy_arn, version };
        self.perform_own(info, token, Action::Policy(action)).await
    }

    /// DeletePolicy.
    pub async fn delete_policy(
        &self,
        info: &RequestInfo,
        token: &str,
        policy_arn: Arn,
    ) -> Result<Receipt, ServiceError> {
        self.perform_own(info, token, Action::Policy(PolicyAction::Delete { policy_arn })).await
    }

    /// PutUserPolicy and its like: the document as it was read. `field` is the name of the member that holds it.
    pub async fn put_inline_policy(
        &self,
        info: &RequestInfo,
        token: &str,
        owner: PolicyOwner,
        name: PolicyName,
        (field, text): (&'static str, &str),
    ) -> Result<(Receipt, Policy), ServiceError> {
        let policy = document(field, text, PolicyKind::Identity)?;
        let action = PolicyAction::PutInline { owner, name, policy: policy.clone() };
        Ok((self.perform_own(info, token, Action::Policy(action)).await?, policy))
    }

    /// DeleteUserPolicy and its like.
    pub async fn delete_inline_policy(
        &self,
        info: &RequestInfo,
        token: &str,
        owner: PolicyOwner,
        name: PolicyName,
    ) -> Result<Receipt, ServiceError> {
        let action = PolicyAction::DeleteInline { owner, name };
        self.perform_own(info, token, Action::Policy(action)).await
    }

    /// GetUserPolicy and its like: the owner's policies, of which this is one.
    pub async fn inline_policy(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        owner: &PolicyOwner,
        name: &PolicyName,
    ) -> Result<Found<Permissions>, ServiceError> {
        let permission = Permission::get_policy(owner);
        let found = self.read_permissions(info, min_sequence, permission, owner).await?;
        if found.entity.inline_policy(name).is_some() {
            return Ok(found);
        }
        let kind = match owner {
            PolicyOwner::User(_) => "user policy",
            PolicyOwner::Role(_) => "role policy",
            PolicyOwner::Group(_) => "group policy",
        };
        Err(Rejection::missing(kind, name).into())
    }

    /// ListUserPolicies and its like: the owner's policies.
    pub async fn list_inline_policies(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        owner: &PolicyOwner,
    ) -> Result<Found<Permissions>, ServiceError> {
        let permission = Permission::list_policies(owner);
        self.read_permissions(info, min_sequence, permission, owner).await
    }

    /// ListAttachedUserPolicies and its like: the owner's policies.
    pub async fn list_attached_policies(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        owner: &PolicyOwner,
    ) -> Result<Found<Permissions>, ServiceError> {
        let permission = Permission::list_attached_policies(owner);
        self.read_permissions(info, min_sequence, permission, owner).await
    }

    async fn read_permissions(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        permission: Permission,
        owner: &PolicyOwner,
    ) -> Result<Found<Permissions>, ServiceError> {
        let target = Target::Permissions(owner);
        let reading = self.read(info, min_sequence, permission, &target).await?;
        let permissions = owner.permissions(&reading.account).cloned().map(Arc::new);
        reading.found(permissions, || owner.missing())
    }

    /// AttachUserPolicy and its like.
    pub async fn attach_policy(
        &self,
        info: &RequestInfo,
        token: &str,
        owner: PolicyOwner,
        policy_arn: Arn,
    ) -> Result<Receipt, ServiceError> {
        let action = PolicyAction::Attach { owner, policy_arn };
        self.perform_own(info, token, Action::Policy(action)).await
    }

    /// DetachUserPolicy and its like.
    pub async fn detach_policy(
        &self,
        info: &RequestInfo,
        token: &str,
        owner: PolicyOwner,
        policy_arn: Arn,
    ) -> Result<Receipt, ServiceError> {
        let action = PolicyAction::Detach { owner, policy_arn };
        self.perform_own(info, token, Action::Policy(action)).await
    }

    /// PutUserPermissionsBoundary and its like.
    pub async fn put_boundary(
        &self,
        info: &RequestInfo,
        token: &str,
        owner: PolicyOwner,
        policy_arn: Arn,
    ) -> Result<Receipt, ServiceError> {
        let action = PolicyAction::PutBoundary { owner, policy_arn };
        self.perform_own(info, token, Action::Policy(action)).await
    }

    /// DeleteUserPermissionsBoundary and its like.
    pub async fn delete_boundary(
        &self,
        info: &RequestInfo,
        token: &str,
        owner: PolicyOwner,
    ) -> Result<Receipt, ServiceError> {
        let action = PolicyAction::DeleteBoundary { owner };
        self.perform_own(info, token, Action::Policy(action)).await
    }

    /// A read of the account as a whole: GetAccountSummary, ListAccountAliases, GetAccountAuthorizationDetails and the
    /// simulations of no principal, by their permission.
    pub async fn read_account(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        permission: Permission,
    ) -> Result<Reading, ServiceError> {
        self.read(info, min_sequence, permission, &Target::Everything).await
    }

    /// CreateAccountAlias.
    pub async fn create_account_alias(
        &self,
        info: &RequestInfo,
        token: &str,
        alias: AccountAlias,
    ) -> Result<Receipt, ServiceError> {
        let action = AccountAction::CreateAlias { alias };
        self.perform_own(info, token, Action::Account(action)).await
    }

    /// DeleteAccountAlias.
    pub async fn delete_account_alias(
        &self,
        info: &RequestInfo,
        token: &str,
        alias: AccountAlias,
    ) -> Result<Receipt, ServiceError> {
        let action = AccountAction::DeleteAlias { alias };
        self.perform_own(info, token, Action::Account(action)).await
    }
}
