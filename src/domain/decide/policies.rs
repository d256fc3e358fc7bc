//! Inline and managed policies, attachments and permissions boundaries.

use std::sync::Arc;

use super::{Decider, key_of};
use crate::domain::access::{Permission, Resource};
use crate::domain::command::PolicyAction;
use crate::domain::entity::TagOwner;
use crate::domain::event::{EventKind, PolicyEvent, PolicyOwner};
use crate::domain::quotas::{
    ATTACHED_MAX, INLINE_GROUP_CHARS_MAX, INLINE_ROLE_CHARS_MAX, INLINE_USER_CHARS_MAX, Quota,
    VERSIONS_MAX,
};
use crate::domain::rejection::{Denied, Rejection};
use crate::domain::state::{ManagedPolicy, Permissions};
use crate::identity::{Arn, Invalid, PolicyName};
use crate::policy::Policy;

/// How the ARNs of policies begin that AWS manages.
const AWS_POLICIES: &str = "arn:aws:iam::aws:policy/";

impl Decider<'_> {
    pub(super) fn policies(&mut self, action: &PolicyAction) -> Result<(), Rejection> {
        match action {
            PolicyAction::PutInline { owner, name, policy } => self.put_inline(owner, name, policy),
            PolicyAction::DeleteInline { owner, name } => self.delete_inline(owner, name),
            PolicyAction::Create { name, path, id, description, policy, tags } => {
                let resource = Resource::new_policy(self.account.id, path, name, tags);
                let (create, tag) = (Permission::CreatePolicy, Permission::TagPolicy);
                self.require_creation(create, tag, &resource)?;
                if self.account.policies.contains_key(&*key_of(name.as_str())) {
                    return Err(Rejection::exists("policy", name));
                }
                self.check_quota(Quota::Policies, 1)?;
                check_document("PolicySize", policy)?;
                self.emit(EventKind::Policy(PolicyEvent::Created {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    description: description.clone(),
                    policy: policy.clone(),
                }));
                self.tag_created(TagOwner::Policy(name.clone()), tags)
            }
            PolicyAction::CreateVersion { policy_arn, policy, default } => {
                let managed = self.managed(Permission::CreatePolicyVersion, policy_arn)?;
                check_document("PolicySize", policy)?;
                check_size("VersionsPerPolicy", VERSIONS_MAX, managed.versions.len() + 1)?;
                self.emit(EventKind::Policy(PolicyEvent::VersionCreated {
                    name: managed.name.clone(),
                    version: managed.last_version.saturating_add(1),
                    policy: policy.clone(),
                    default: *default,
                }));
                Ok(())
            }
            PolicyAction::SetDefaultVersion { policy_arn, version } => {
                let permission = Permission::SetDefaultPolicyVersion;
                let policy = self.policy_version(permission, policy_arn, *version)?.name.clone();
                let version = *version;
                self.emit(EventKind::Policy(PolicyEvent::DefaultVersionSet { policy, version }));
                Ok(())
            }
            PolicyAction::DeleteVersion { policy_arn, version } => {
                let permission = Permission::DeletePolicyVersion;
                let managed = self.policy_version(permission, policy_arn, *version)?;
                if managed.version == *version {
                    let rule = "make another version the default one";
                    return Err(Rejection::DeleteConflict { rule });
                }
                let (policy, version) = (managed.name.clone(), *version);
                self.emit(EventKind::Policy(PolicyEvent::VersionDeleted { policy, version }));
                Ok(())
            }
            PolicyAction::Delete { policy_arn } => self.delete_policy(policy_arn),
            PolicyAction::Attach { owner, policy_arn } => self.attach(owner, policy_arn),
            PolicyAction::Detach { owner, policy_arn } => self.detach(owner, policy_arn),
            PolicyAction::PutBoundary { owner, policy_arn } => self.put_boundary(owner, policy_arn),
            PolicyAction::DeleteBoundary { owner } => self.delete_boundary(owner),
        }
    }

    fn put_boundary(&mut self, owner: &PolicyOwner, policy_arn: &Arn) -> Result<(), Rejection> {
        let permission = Permission::put_boundary(owner).ok_or_else(no_boundary)?;
        self.owner(permission, owner)?;
        let policy = self.existing(policy_arn)?.reference();
        self.emit(EventKind::Policy(PolicyEvent::BoundaryPut { owner: self.spelt(owner), policy }));
        Ok(())
    }

    fn delete_boundary(&mut self, owner: &PolicyOwner) -> Result<(), Rejection> {
        let permission = Permission::delete_boundary(owner).ok_or_else(no_boundary)?;
        let permissions = self.owner(permission, owner)?;
        if permissions.boundary.is_none() {
            return Err(Rejection::missing("permissions boundary", "of this entity"));
        }
        self.emit(EventKind::Policy(PolicyEvent::BoundaryDeleted { owner: self.spelt(owner) }));
        Ok(())
    }

    fn delete_policy(&mut self, policy_arn: &Arn) -> Result<(), Rejection> {
        let managed = self.managed(Permission::DeletePolicy, policy_arn)?;
        let uses = self.account.uses_of(&managed);
        if uses.attachments > 0 || uses.boundaries > 0 {
            return Err(Rejection::DeleteConflict { rule: "detach policy" });
        }
        if managed.versions.len() > 1 {
            let rule = "delete the versions that are not the default one";
            return Err(Rejection::DeleteConflict { rule });
        }
        self.emit(EventKind::Policy(PolicyEvent::Deleted { name: managed.name.clone() }));
        Ok(())
    }

    fn attach(&mut self, owner: &PolicyOwner, policy_arn: &Arn) -> Result<(), Rejection> {
        let permissions = self.owner(Permission::attach_policy(owner), owner)?;
        let policy = self.existing(policy_arn)?.reference();
        if permissions.attached.contains(&policy.key()) {
            return Ok(());
        }
        check_size("AttachedPolicies", ATTACHED_MAX, permissions.attached.len() + 1)?;
        self.emit(EventKind::Policy(PolicyEvent::Attached { owner: self.spelt(owner), policy }));
        Ok(())
    }

    fn detach(&mut self, owner: &PolicyOwner, policy_arn: &Arn) -> Result<(), Rejection> {
        let permissions = self.owner(Permission::detach_policy(owner), owner)?;
        let policy = self.existing(policy_arn)?.reference();
        if !permissions.attached.contains(&policy.key()) {
            return Err(Rejection::missing("policy", policy_arn));
        }
        self.emit(EventKind::Policy(PolicyEvent::Detached { owner: self.spelt(owner), policy }));
        Ok(())
    }

    fn delete_inline(&mut self, owner: &PolicyOwner, name: &PolicyName) -> Result<(), Rejection> {
        let permissions = self.owner(Permission::delete_policy(owner), owner)?;
        let (name, _) =
            permissions.inline_policy(name).ok_or_else(|| Rejection::missing("policy", name))?;
        let name = name.clone();
        self.emit(EventKind::Policy(PolicyEvent::InlineDeleted { owner: self.spelt(owner), name }));
        Ok(())
    }

    /// A policy of the same name in another case is replaced; the first spelling stays.
    fn put_inline(
        &mut self,
        owner: &PolicyOwner,
        name: &PolicyName,
        policy: &Policy,
    ) -> Result<(), Rejection> {
        let permissions = self.owner(Permission::put_policy(owner), owner)?;
        let name = permissions.inline_policy(name).map_or(name, |(name, _)| name).clone();
        let others = permissions.inline.iter().filter(|(other, _)| **other != name);
        let size = others.map(|(_, policy)| policy.size_without_whitespace()).sum::<usize>()
            + policy.size_without_whitespace();
        let max = match owner {
            PolicyOwner::User(_) => INLINE_USER_CHARS_MAX,
            PolicyOwner::Role(_) => INLINE_ROLE_CHARS_MAX,
            PolicyOwner::Group(_) => INLINE_GROUP_CHARS_MAX,
        };
        check_size("InlinePolicySize", max, size)?;
        let (owner, policy) = (self.spelt(owner), policy.clone());
        self.emit(EventKind::Policy(PolicyEvent::InlinePut { owner, name, policy }));
        Ok(())
    }

    /// The permissions of an owner, if the caller has the permission on it.
    fn owner(&self, permission: Permission, owner: &PolicyOwner) -> Result<Permissions, Rejection> {
        self.require(permission, &Resource::policy_owner(self.account, owner))?;
        let found = owner.permissions(self.account).ok_or_else(|| owner.missing())?;
        if let PolicyOwner::Role(name) = owner {
            self.refuse_service_linked(name)?;
        }
        Ok(found.clone())
    }

    /// An owner as the account spells its name.
    fn spelt(&self, owner: &PolicyOwner) -> PolicyOwner {
        let found = match owner {
            PolicyOwner::User(name) => {
                self.account.user(name).map(|user| PolicyOwner::User(user.name.clone()))
            }
            PolicyOwner::Role(name) => {
                self.account.role(name).map(|role| PolicyOwner::Role(role.name.clone()))
            }
            PolicyOwner::Group(name) => {
                self.account.group(name).map(|group| PolicyOwner::Group(group.name.clone()))
            }
        };
        found.unwrap_or_else(|| owner.clone())
    }

    /// A managed policy that has this version, if the caller has the permission on it.
    fn policy_version(
        &self,
        permission: Permission,
        policy_arn: &Arn,
        version: u32,
    ) -> Result<Arc<ManagedPolicy>, Rejection> {
        let managed = self.managed(permission, policy_arn)?;
        if !managed.versions.contains_key(&version) {
            return Err(Rejection::missing("policy version", format!("v{version}")));
        }
        Ok(managed)
    }

    /// A managed policy of the account, if the caller has the permission on it.
    fn managed(&self, permission: Permission, arn: &Arn) -> Result<Arc<ManagedPolicy>, Rejection> {
        if arn.as_str().starts_with(AWS_POLICIES) {
            return Err(self.refuse_aws_policy(permission, arn));
        }
        self.require(permission, &Resource::policy(self.account, arn))?;
        self.existing(arn)
    }

    /// Nobody changes what AWS manages, and no policy could allow it: the refusal names no reason.
    fn refuse_aws_policy(&self, permission: Permission, arn: &Arn) -> Rejection {
        let action = permission.action();
        let principal = self.command.caller.principal.arn();
        let message = format!(
            "User: {principal} is not authorized to perform: {action} on resource: policy {arn}"
        );
        let (action, resource) = (action.to_owned(), arn.to_string());
        let (evidence, encoded) = (None, None);
        Rejection::AccessDenied(Box::new(Denied {
            principal,
            action,
            resource,
            message,
            evidence,
            encoded,
        }))
    }

    pub(super) fn existing(&self, arn: &Arn) -> Result<Arc<ManagedPolicy>, Rejection> {
        let found = self.account.policy_by_arn(arn);
        found.cloned().ok_or_else(|| Rejection::missing("policy", arn))
    }
}

pub(super) fn check_size(quota: &'static str, max: usize, size: usize) -> Result<(), Rejection> {
    if size > max { Err(Rejection::LimitExceeded { quota, max }) } else { Ok(()) }
}

/// Refuses a document that is longer than its kind may be.
pub(super) fn check_document(quota: &'static str, policy: &Policy) -> Result<(), Rejection> {
    match policy.kind().chars_max() {
        Some(max) => check_size(quota, max, policy.size_without_whitespace()),
        None => Ok(()),
    }
}

/// Boundaries are for users and roles (IAM User Guide, access_policies_boundaries).
fn no_boundary() -> Rejection {
    let rule = "must be a user or role: a group has no permissions boundary";
    Invalid::new("owner", rule).into()
}
