//! Roles, their trust policies, and instance profiles.

use super::instances::EC2_SERVICE;
use super::policies::check_document;
use super::{Decider, key_of};
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::event::{EventKind, PolicyOwner};
use crate::domain::quotas::Quota;
use crate::domain::rejection::Rejection;
use crate::domain::state::{Profile, Role, State};
use crate::domain::tags::Tags;
use crate::identity::{Arn, Invalid, ProfileName, RoleName};
use crate::policy::{Policy, SERVICE_LINKED_PATH};

/// The name of the quota on the length of a trust policy (IAM User Guide, reference_iam-quotas).
const TRUST_QUOTA: &str = "ACLSizePerRole";

impl Decider<'_> {
    pub(super) fn roles_and_profiles(&mut self) -> Result<(), Rejection> {
        match &self.command.action {
            Action::CreateRole { .. } => self.create_role(),
            Action::UpdateRole { name, description, max_session } => {
                let role = self.role("iam:UpdateRole", name)?;
                if max_session.is_some() {
                    self.refuse_service_linked(name)?;
                }
                self.emit(EventKind::RoleUpdated {
                    name: role.name.clone(),
                    description: description.clone().unwrap_or_else(|| role.description.clone()),
                    max_session: max_session.unwrap_or(role.max_session),
                });
                Ok(())
            }
            Action::UpdateTrustPolicy { role, trust } => {
                let role = self.role("iam:UpdateAssumeRolePolicy", role)?;
                self.refuse_service_linked(&role.name)?;
                check_document(TRUST_QUOTA, trust)?;
                let trust = bind_principals(self.state, trust);
                self.emit(EventKind::TrustPolicyChanged { role: role.name.clone(), trust });
                Ok(())
            }
            Action::DeleteRole { name } => self.delete_role(name),
            Action::CreateProfile { name, path, id, tags } => {
                let arn = Arn::profile(self.command.account, path, name);
                self.require_creation("InstanceProfile", &arn, tags, None)?;
                if self.account.profile(name).is_some() {
                    return Err(Rejection::exists("instance profile", name));
                }
                self.check_quota(Quota::Profiles, 1)?;
                let (name, path, id) = (name.clone(), path.clone(), id.clone());
                self.emit(EventKind::ProfileCreated { name: name.clone(), path, id });
                self.tag_created(TagOwner::Profile(name), tags)
            }
            Action::DeleteProfile { name } => {
                let profile = self.profile("iam:DeleteInstanceProfile", name)?;
                if profile.role.is_some() {
                    return Err(Rejection::DeleteConflict { rule: "remove roles from profile" });
                }
                self.emit(EventKind::ProfileDeleted { name: profile.name.clone() });
                Ok(())
            }
            Action::AddRoleToProfile { profile, role } => self.add_role(profile, role),
            Action::RemoveRoleFromProfile { profile, role } => {
                let profile = self.profile("iam:RemoveRoleFromInstanceProfile", profile)?;
                let held = profile
                    .role
                    .as_ref()
                    .filter(|held| key_of(held.as_str()) == key_of(role.as_str()));
                let held = held.ok_or_else(|| Rejection::missing("role", role))?;
                let (profile, role) = (profile.name.clone(), held.clone());
                self.emit(EventKind::ProfileRoleRemoved { profile, role });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn create_role(&mut self) -> Result<(), Rejection> {
        let Action::CreateRole { name, path, id, description, max_session, trust, tags, boundary } =
            &self.command.action
        else {
            return Ok(());
        };
        let arn = Arn::role(self.command.account, path, name);
        self.require_creation("Role", &arn, tags, boundary.as_ref())?;
        if self.account.role(name).is_some() {
            return Err(Rejection::exists("role", name));
        }
        if path.as_str().starts_with(SERVICE_LINKED_PATH) {
            let rule =
                format!("must not begin with {SERVICE_LINKED_PATH}, which guardrails exempt");
            return Err(Invalid::new("path", rule).into());
        }
        self.check_quota(Quota::Roles, 1)?;
        check_document(TRUST_QUOTA, trust)?;
        self.emit(EventKind::RoleCreated {
            name: name.clone(),
            path: path.clone(),
            id: id.clone(),
            description: description.clone(),
            max_session: *max_session,
            trust: bind_principals(self.state, trust),
        });
        self.tag_created(TagOwner::Role(name.clone()), tags)?;
        self.bound_created(PolicyOwner::Role(name.clone()), boundary.as_ref())
    }

    fn delete_role(&mut self, name: &RoleName) -> Result<(), Rejection> {
        let role = self.role("iam:DeleteRole", name)?;
        self.refuse_service_linked(name)?;
        if !role.permissions.inline.is_empty() || !role.permissions.attached.is_empty() {
            return Err(Rejection::DeleteConflict { rule: "delete and detach policies" });
        }
        let holds = |profile: &&std::sync::Arc<Profile>| profile.role.as_ref() == Some(&role.name);
        if self.account.profiles.values().any(|profile| holds(&profile)) {
            return Err(Rejection::DeleteConflict { rule: "remove roles from instance profile" });
        }
        self.emit(EventKind::RoleDeleted { name: role.name.clone() });
        Ok(())
    }

    /// A profile holds one role at most; who puts a role in a profile passes it.
    fn add_role(&mut self, profile: &ProfileName, role: &RoleName) -> Result<(), Rejection> {
        let profile = self.profile("iam:AddRoleToInstanceProfile", profile)?;
        let role = self.account.role(role).ok_or_else(|| Rejection::missing("role", role))?;
        let role_arn = Arn::role(self.command.account, &role.path, &role.name);
        let mut context = Tags::of_resource(Some(&role.tags));
        context.insert("iam:PassedToService", EC2_SERVICE.to_owned());
        self.require_with("iam:PassRole", role_arn.as_str(), &context)?;
        self.refuse_service_linked(&role.name)?;
        if profile.role.is_some() {
            let (quota, max) = ("InstanceSessionsPerInstanceProfile", 1);
            return Err(Rejection::LimitExceeded { quota, max });
        }
        let (profile, role) = (profile.name.clone(), role.name.clone());
        self.emit(EventKind::ProfileRoleAdded { profile, role });
        Ok(())
    }

    /// The role, if the caller may do `action` on it. Who may not learns nothing of its existence.
    pub(super) fn role(
        &self,
        action: &str,
        name: &RoleName,
    ) -> Result<std::sync::Arc<Role>, Rejection> {
        self.require_on(action, &TagOwner::Role(name.clone()))?;
        let found = self.account.role(name);
        found.cloned().ok_or_else(|| Rejection::missing("role", name))
    }

    fn profile(
        &self,
        action: &str,
        name: &ProfileName,
    ) -> Result<std::sync::Arc<Profile>, Rejection> {
        self.require_on(action, &TagOwner::Profile(name.clone()))?;
        let found = self.account.profile(name);
        found.cloned().ok_or_else(|| Rejection::missing("instance profile", name))
    }
}

/// Users and roles named in a trust policy become their unique ids, so that a successor of the same
/// name is not trusted (IAM User Guide, reference_policies_elements_principal).
fn bind_principals(state: &State, trust: &Policy) -> Policy {
    trust.bind_principals(&|arn| {
        let arn = Arn::parse(arn).ok()?;
        let account = state.account(arn.account_id()?)?;
        if arn.resource().starts_with("role/") {
            return account.role_by_arn(arn.as_str()).map(|role| role.id.to_string());
        }
        let user = account.users.get(&*key_of(arn.resource_name()))?;
        let same = Arn::user(account.id, &user.path, &user.name) == arn;
        same.then(|| user.id.to_string())
    })
}
