//! Inline and managed policies, attachments and permissions boundaries.

use std::sync::Arc;

use super::{Decider, key_of};
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::event::{EventKind, PolicyOwner};
use crate::domain::quotas::{
    ATTACHED_MAX, INLINE_GROUP_CHARS_MAX, INLINE_ROLE_CHARS_MAX, INLINE_USER_CHARS_MAX, Quota,
    VERSIONS_MAX,
};
use crate::domain::rejection::{Denied, Rejection};
use crate::domain::state::{ManagedPolicy, Permissions};
use crate::domain::tags::Tags;
use crate::identity::{Arn, Invalid, PolicyName};
use crate::policy::{Context, Policy};

/// How the ARNs of policies begin that AWS manages.
const AWS_POLICIES: &str = "arn:aws:iam::aws:policy/";

impl Decider<'_> {
    pub(super) fn policies(&mut self) -> Result<(), Rejection> {
        match &self.command.action {
            Action::PutInlinePolicy { owner, name, policy } => self.put_inline(owner, name, policy),
            Action::DeleteInlinePolicy { owner, name } => {
                let permissions = self.owner("Delete", "Policy", owner, &Context::default())?;
                if !permissions.inline.contains_key(name) {
                    return Err(Rejection::missing("policy", name));
                }
                let (owner, name) = (owner.clone(), name.clone());
                self.emit(EventKind::InlinePolicyDeleted { owner, name });
                Ok(())
            }
            Action::CreatePolicy { .. } => self.create_policy(),
            Action::CreatePolicyVersion { policy_arn, policy, default } => {
                let managed = self.managed("iam:CreatePolicyVersion", policy_arn)?;
                check_document("PolicySize", policy)?;
                check_size("VersionsPerPolicy", VERSIONS_MAX, managed.versions.len() + 1)?;
                self.emit(EventKind::PolicyVersionCreated {
                    name: managed.name.clone(),
                    version: managed.last_version.saturating_add(1),
                    policy: policy.clone(),
                    default: *default,
                });
                Ok(())
            }
            Action::DeletePolicy { policy_arn } => {
                let managed = self.managed("iam:DeletePolicy", policy_arn)?;
                let uses = self.account.uses_of(&managed);
                if uses.attachments > 0 || uses.boundaries > 0 {
                    return Err(Rejection::DeleteConflict { rule: "detach policy" });
                }
                if managed.versions.len() > 1 {
                    let rule = "delete the versions that are not the default one";
                    return Err(Rejection::DeleteConflict { rule });
                }
                self.emit(EventKind::PolicyDeleted { name: managed.name.clone() });
                Ok(())
            }
            _ => self.attachments(),
        }
    }

    fn create_policy(&mut self) -> Result<(), Rejection> {
        let Action::CreatePolicy { name, path, id, description, policy, tags } =
            &self.command.action
        else {
            return Ok(());
        };
        let arn = Arn::policy(self.command.account, path, name);
        self.require_creation("Policy", &arn, tags, None)?;
        if self.account.policies.contains_key(&*key_of(name.as_str())) {
            return Err(Rejection::exists("policy", name));
        }
        self.check_quota(Quota::Policies, 1)?;
        check_document("PolicySize", policy)?;
        self.emit(EventKind::PolicyCreated {
            name: name.clone(),
            path: path.clone(),
            id: id.clone(),
            description: description.clone(),
            policy: policy.clone(),
        });
        self.tag_created(TagOwner::Policy(name.clone()), tags)
    }

    fn attachments(&mut self) -> Result<(), Rejection> {
        let of_policy = |arn: &Arn| {
            let mut context = Context::default();
            context.insert("iam:PolicyARN", arn.to_string());
            context
        };
        match &self.command.action {
            Action::AttachPolicy { owner, policy_arn } => {
                let context = of_policy(policy_arn);
                let permissions = self.owner("Attach", "Policy", owner, &context)?;
                let policy = self.existing(policy_arn)?.reference();
                if permissions.attached.contains(&policy.key()) {
                    return Ok(());
                }
                check_size("AttachedPolicies", ATTACHED_MAX, permissions.attached.len() + 1)?;
                self.emit(EventKind::PolicyAttached { owner: owner.clone(), policy });
                Ok(())
            }
            Action::DetachPolicy { owner, policy_arn } => {
                let context = of_policy(policy_arn);
                let permissions = self.owner("Detach", "Policy", owner, &context)?;
                let policy = self.existing(policy_arn)?.reference();
                if !permissions.attached.contains(&policy.key()) {
                    return Err(Rejection::missing("policy", policy_arn));
                }
                self.emit(EventKind::PolicyDetached { owner: owner.clone(), policy });
                Ok(())
            }
            Action::PutBoundary { owner, policy_arn } => {
                refuse_group(owner)?;
                let mut context = Context::default();
                context.insert("iam:PermissionsBoundary", policy_arn.to_string());
                self.owner("Put", "PermissionsBoundary", owner, &context)?;
                let policy = self.existing(policy_arn)?.reference();
                self.emit(EventKind::BoundaryPut { owner: owner.clone(), policy });
                Ok(())
            }
            Action::DeleteBoundary { owner } => {
                refuse_group(owner)?;
                let context = Context::default();
                let permissions = self.owner("Delete", "PermissionsBoundary", owner, &context)?;
                if permissions.boundary.is_none() {
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
        let permissions = self.owner("Put", "Policy", owner, &Context::default())?;
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
    /// kind: `Put` and `Policy` make iam:PutUserPolicy for a user. Policies may ask about the owner's tags
    /// and, unless `extra` tells of another one, its boundary.
    fn owner(
        &self,
        verb: &str,
        object: &str,
        owner: &PolicyOwner,
        extra: &Context,
    ) -> Result<Permissions, Rejection> {
        let (kind, arn) = (owner.kind(), owner.arn(self.account));
        let found = owner.permissions(self.account);
        let mut context = Tags::of_resource(owner.tags(self.account));
        let boundary = found.and_then(|permissions| permissions.boundary.as_deref());
        if let Some(boundary) = boundary.and_then(|key| self.account.managed(key)) {
            context.insert("iam:PermissionsBoundary", boundary.arn(self.account.id).to_string());
        }
        context.extend(extra);
        self.require_with(&format!("iam:{verb}{kind}{object}"), arn.as_str(), &context)?;
        let found = found.ok_or_else(|| match owner {
            PolicyOwner::User(name) => Rejection::missing("user", name),
            PolicyOwner::Role(name) => Rejection::missing("role", name),
            PolicyOwner::Group(name) => Rejection::missing("group", name),
        })?;
        if let PolicyOwner::Role(name) = owner {
            self.refuse_service_linked(name)?;
        }
        Ok(found.clone())
    }

    /// A managed policy of the account, if the caller may do `action` on it.
    pub(super) fn managed(&self, action: &str, arn: &Arn) -> Result<Arc<ManagedPolicy>, Rejection> {
        if arn.as_str().starts_with(AWS_POLICIES) {
            return Err(self.refuse_aws_policy(action, arn));
        }
        let found = self.account.policy_by_arn(arn);
        let context = Tags::of_resource(found.map(|policy| &policy.tags));
        self.require_with(action, arn.as_str(), &context)?;
        found.cloned().ok_or_else(|| Rejection::missing("policy", arn))
    }

    /// Nobody changes what AWS manages, and no policy could allow it: the refusal names no reason.
    fn refuse_aws_policy(&self, action: &str, arn: &Arn) -> Rejection {
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
fn refuse_group(owner: &PolicyOwner) -> Result<(), Rejection> {
    match owner {
        PolicyOwner::Group(_) => {
            let rule = "must be a user or role: a group has no permissions boundary";
            Err(Invalid::new("owner", rule).into())
        }
        PolicyOwner::User(_) | PolicyOwner::Role(_) => Ok(()),
    }
}
