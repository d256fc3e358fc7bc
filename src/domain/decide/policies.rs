//! Inline and managed policies, attachments and permissions boundaries.
//! Quotas: IAM User Guide, reference_iam-quotas; white space is not counted.

use std::sync::Arc;

use super::{Decider, key_of};
use crate::domain::command::Action;
use crate::domain::event::{EventKind, PolicyOwner};
use crate::domain::rejection::Rejection;
use crate::domain::state::{ManagedPolicy, Permissions};
use crate::identity::{Arn, Invalid, PolicyName};
use crate::policy::Policy;

/// Characters of all inline policies of a role together.
const INLINE_ROLE_CHARS_MAX: usize = 10_240;
/// Characters of all inline policies of a user together.
const INLINE_USER_CHARS_MAX: usize = 2_048;
/// Characters of all inline policies of a group together.
const INLINE_GROUP_CHARS_MAX: usize = 5_120;
/// Managed policies attached to a user, role or group.
const ATTACHED_MAX: usize = 10;

impl Decider<'_> {
    pub(super) fn policies(&mut self) -> Result<(), Rejection> {
        match &self.command.action {
            Action::PutInlinePolicy { owner, name, policy } => self.put_inline(owner, name, policy),
            Action::DeleteInlinePolicy { owner, name } => {
                let permissions = self.owner("Delete", "Policy", owner)?;
                if !permissions.inline.contains_key(name) {
                    return Err(Rejection::missing("policy", name));
                }
                let (owner, name) = (owner.clone(), name.clone());
                self.emit(EventKind::InlinePolicyDeleted { owner, name });
                Ok(())
            }
            Action::CreatePolicy { name, path, id, description, policy } => {
                let arn = Arn::policy(self.command.account, path, name);
                self.require("iam:CreatePolicy", arn.as_str())?;
                if self.account.policies.contains_key(&*key_of(name.as_str())) {
                    return Err(Rejection::exists("policy", name));
                }
                check_document("PolicySize", policy)?;
                self.emit(EventKind::PolicyCreated {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    description: description.clone(),
                    policy: policy.clone(),
                });
                Ok(())
            }
            Action::CreatePolicyVersion { policy_arn, policy } => {
                let managed = self.managed("iam:CreatePolicyVersion", policy_arn)?;
                check_document("PolicySize", policy)?;
                self.emit(EventKind::PolicyVersionCreated {
                    name: managed.name.clone(),
                    version: managed.version.saturating_add(1),
                    policy: policy.clone(),
                });
                Ok(())
            }
            Action::DeletePolicy { policy_arn } => {
                let managed = self.managed("iam:DeletePolicy", policy_arn)?;
                if managed.uses > 0 {
                    return Err(Rejection::DeleteConflict { rule: "detach policy" });
                }
                self.emit(EventKind::PolicyDeleted { name: managed.name.clone() });
                Ok(())
            }
            _ => self.attachments(),
        }
    }

    fn attachments(&mut self) -> Result<(), Rejection> {
        match &self.command.action {
            Action::AttachPolicy { owner, policy_arn } => {
                let permissions = self.owner("Attach", "Policy", owner)?;
                let policy = self.existing(policy_arn)?.name.clone();
                if permissions.attached.contains(&*key_of(policy.as_str())) {
                    return Ok(());
                }
                check_size("AttachedPolicies", ATTACHED_MAX, permissions.attached.len() + 1)?;
                self.emit(EventKind::PolicyAttached { owner: owner.clone(), policy });
                Ok(())
            }
            Action::DetachPolicy { owner, policy_arn } => {
                let permissions = self.owner("Detach", "Policy", owner)?;
                let policy = self.existing(policy_arn)?.name.clone();
                if !permissions.attached.contains(&*key_of(policy.as_str())) {
                    return Err(Rejection::missing("policy", policy_arn));
                }
                self.emit(EventKind::PolicyDetached { owner: owner.clone(), policy });
                Ok(())
            }
            Action::PutBoundary { owner, policy_arn } => {
                refuse_group(owner)?;
                self.owner("Put", "PermissionsBoundary", owner)?;
                let policy = self.existing(policy_arn)?.name.clone();
                self.emit(EventKind::BoundaryPut { owner: owner.clone(), policy });
                Ok(())
            }
            Action::DeleteBoundary { owner } => {
                refuse_group(owner)?;
                if self.owner("Delete", "PermissionsBoundary", owner)?.boundary.is_none() {
                    return Err(Rejection::missing("permissions boundary", "of this entity"));
                }
                self.emit(EventKind::BoundaryDeleted { owner: owner.clone() });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn put_inline(
        &mut self,
        owner: &PolicyOwner,
        name: &PolicyName,
        policy: &Policy,
    ) -> Result<(), Rejection> {
        let permissions = self.owner("Put", "Policy", owner)?;
        let others = permissions.inline.iter().filter(|(other, _)| *other != name);
        let size = others.map(|(_, policy)| policy.size_without_whitespace()).sum::<usize>()
            + policy.size_without_whitespace();
        let max = match owner {
            PolicyOwner::User(_) => INLINE_USER_CHARS_MAX,
            PolicyOwner::Role(_) => INLINE_ROLE_CHARS_MAX,
            PolicyOwner::Group(_) => INLINE_GROUP_CHARS_MAX,
        };
        check_size("InlinePolicySize", max, size)?;
        let (owner, name, policy) = (owner.clone(), name.clone(), policy.clone());
        self.emit(EventKind::InlinePolicyPut { owner, name, policy });
        Ok(())
    }

    /// The permissions of an owner, if the caller may do the action, which is named after the owner's
    /// kind: `Put` and `Policy` make iam:PutUserPolicy for a user.
    fn owner(
        &self,
        verb: &str,
        object: &str,
        owner: &PolicyOwner,
    ) -> Result<Permissions, Rejection> {
        let account = self.command.account;
        let (kind, arn, found) = match owner {
            PolicyOwner::User(name) => {
                let found = self.account.user(name);
                let path = found.map(|user| user.path.clone()).unwrap_or_default();
                let permissions = found.map(|user| user.permissions.clone());
                ("User", Arn::user(account, &path, name), permissions)
            }
            PolicyOwner::Role(name) => {
                let found = self.account.role(name);
                let path = found.map(|role| role.path.clone()).unwrap_or_default();
                let permissions = found.map(|role| role.permissions.clone());
                ("Role", Arn::role(account, &path, name), permissions)
            }
            PolicyOwner::Group(name) => {
                let found = self.account.group(name);
                let path = found.map(|group| group.path.clone()).unwrap_or_default();
                let permissions = found.map(|group| group.permissions.clone());
                ("Group", Arn::group(account, &path, name), permissions)
            }
        };
        self.require(&format!("iam:{verb}{kind}{object}"), arn.as_str())?;
        found.ok_or_else(|| match owner {
            PolicyOwner::User(name) => Rejection::missing("user", name),
            PolicyOwner::Role(name) => Rejection::missing("role", name),
            PolicyOwner::Group(name) => Rejection::missing("group", name),
        })
    }

    fn managed(&self, action: &str, arn: &Arn) -> Result<Arc<ManagedPolicy>, Rejection> {
        self.require(action, arn.as_str())?;
        self.existing(arn)
    }

    fn existing(&self, arn: &Arn) -> Result<Arc<ManagedPolicy>, Rejection> {
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
fn refuse_group(owner: &PolicyOwner) -> Result<(), Rejection> {
    match owner {
        PolicyOwner::Group(_) => {
            let rule = "must be a user or role: a group has no permissions boundary";
            Err(Invalid::new("owner", rule).into())
        }
        PolicyOwner::User(_) | PolicyOwner::Role(_) => Ok(()),
    }
}
