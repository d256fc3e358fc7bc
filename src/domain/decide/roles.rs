//! Roles, their trust policies, and instance profiles.

use std::sync::Arc;

use super::instances::EC2_SERVICE;
use super::policies::check_document;
use super::{Decider, key_of};
use crate::domain::access::{Facts, Permission, Resource};
use crate::domain::command::{ProfileAction, RoleAction};
use crate::domain::entity::TagOwner;
use crate::domain::event::{EventKind, PolicyOwner, ProfileEvent, RoleEvent};
use crate::domain::quotas::Quota;
use crate::domain::rejection::Rejection;
use crate::domain::state::{Profile, Role};
use crate::domain::trust::Trust;
use crate::identity::{Invalid, Path, ProfileName, RoleName};
use crate::policy::{Policy, SERVICE_LINKED_PATH};

/// The name of the quota on the length of a trust policy (IAM User Guide, reference_iam-quotas).
const TRUST_QUOTA: &str = "ACLSizePerRole";

impl Decider<'_> {
    pub(super) fn roles(&mut self, action: &RoleAction) -> Result<(), Rejection> {
        match action {
            RoleAction::Create {
                name,
                path,
                id,
                description,
                max_session,
                trust,
                tags,
                boundary,
            } => {
                let resource = Resource::new_role(self.account.id, path, name, tags);
                self.require_creation(Permission::CreateRole, Permission::TagRole, &resource)?;
                self.check_new_role(name, path, trust)?;
                self.emit(EventKind::Role(RoleEvent::Created {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    description: description.clone(),
                    max_session: *max_session,
                    trust: Trust::bind(self.state, self.account.id, trust)?,
                }));
                self.tag_created(TagOwner::Role(name.clone()), tags)?;
                self.bound_created(PolicyOwner::Role(name.clone()), boundary.as_ref())
            }
            RoleAction::Update { name, description, max_session } => {
                let role = self.role(Permission::UpdateRole, name)?;
                if max_session.is_some() {
                    self.refuse_service_linked(name)?;
                }
                self.emit(EventKind::Role(RoleEvent::Updated {
                    name: role.name.clone(),
                    description: description.clone().unwrap_or_else(|| role.description.clone()),
                    max_session: max_session.unwrap_or(role.max_session),
                }));
                Ok(())
            }
            RoleAction::UpdateDescription { name, description } => {
                let role = self.role(Permission::UpdateRoleDescription, name)?;
                self.emit(EventKind::Role(RoleEvent::Updated {
                    name: role.name.clone(),
                    description: description.clone(),
                    max_session: role.max_session,
                }));
                Ok(())
            }
            RoleAction::UpdateTrust { role, trust } => {
                let role = self.role(Permission::UpdateAssumeRolePolicy, role)?;
                self.refuse_service_linked(&role.name)?;
                check_document(TRUST_QUOTA, trust)?;
                let trust = Trust::bind(self.state, self.account.id, trust)?;
                self.emit(EventKind::Role(RoleEvent::TrustChanged {
                    role: role.name.clone(),
                    trust,
                }));
                Ok(())
            }
            RoleAction::Delete { name } => self.delete_role(name),
            RoleAction::CreateServiceLinked { service, suffix, description, id } => {
                self.create_service_linked(service, suffix.as_deref(), description, id)
            }
            RoleAction::DeleteServiceLinked { name, task } => {
                self.delete_service_linked(name, task)
            }
        }
    }

    fn check_new_role(
        &self,
        name: &RoleName,
        path: &Path,
        trust: &Policy,
    ) -> Result<(), Rejection> {
        if self.account.role(name).is_some() {
            return Err(Rejection::exists("role", name));
        }
        if path.as_str().starts_with(SERVICE_LINKED_PATH) {
            let rule =
                format!("must not begin with {SERVICE_LINKED_PATH}, which guardrails exempt");
            return Err(Invalid::new("path", rule).into());
        }
        self.check_quota(Quota::Roles, 1)?;
        check_document(TRUST_QUOTA, trust)
    }

    fn delete_role(&mut self, name: &RoleName) -> Result<(), Rejection> {
        let role = self.role(Permission::DeleteRole, name)?;
        self.refuse_service_linked(name)?;
        if !role.permissions.inline.is_empty() || !role.permissions.attached.is_empty() {
            return Err(Rejection::DeleteConflict { rule: "delete and detach policies" });
        }
        let holds = |profile: &&Arc<Profile>| profile.role.as_ref() == Some(&role.name);
        if self.account.profiles.values().any(|profile| holds(&profile)) {
            return Err(Rejection::DeleteConflict { rule: "remove roles from instance profile" });
        }
        self.emit(EventKind::Role(RoleEvent::Deleted { name: role.name.clone() }));
        Ok(())
    }

    pub(super) fn profiles(&mut self, action: &ProfileAction) -> Result<(), Rejection> {
        match action {
            ProfileAction::Create { name, path, id, tags } => {
                let resource = Resource::new_profile(self.account.id, path, name, tags);
                let (create, tag) =
                    (Permission::CreateInstanceProfile, Permission::TagInstanceProfile);
                self.require_creation(create, tag, &resource)?;
                if self.account.profile(name).is_some() {
                    return Err(Rejection::exists("instance profile", name));
                }
                self.check_quota(Quota::Profiles, 1)?;
                let (name, path, id) = (name.clone(), path.clone(), id.clone());
                self.emit(EventKind::Profile(ProfileEvent::Created {
                    name: name.clone(),
                    path,
                    id,
                }));
                self.tag_created(TagOwner::Profile(name), tags)
            }
            ProfileAction::Delete { name } => {
                let profile = self.profile(Permission::DeleteInstanceProfile, name)?;
                if profile.role.is_some() {
                    return Err(Rejection::DeleteConflict { rule: "remove roles from profile" });
                }
                self.emit(EventKind::Profile(ProfileEvent::Deleted { name: profile.name.clone() }));
                Ok(())
            }
            ProfileAction::AddRole { profile, role } => self.add_role(profile, role),
            ProfileAction::RemoveRole { profile, role } => {
                let profile = self.profile(Permission::RemoveRoleFromInstanceProfile, profile)?;
                let held = profile
                    .role
                    .as_ref()
                    .filter(|held| key_of(held.as_str()) == key_of(role.as_str()));
                let held = held.ok_or_else(|| Rejection::missing("role", role))?;
                let (profile, role) = (profile.name.clone(), held.clone());
                self.emit(EventKind::Profile(ProfileEvent::RoleRemoved { profile, role }));
                Ok(())
            }
        }
    }

    /// A profile holds one role at most; who puts a role in a profile passes it.
    fn add_role(&mut self, profile: &ProfileName, role: &RoleName) -> Result<(), Rejection> {
        let profile = self.profile(Permission::AddRoleToInstanceProfile, profile)?;
        let resource = Resource::role(self.account, role);
        let facts = Facts::of(&self.command.action).passed_to(EC2_SERVICE, None);
        let role = self.account.role(role).ok_or_else(|| Rejection::missing("role", role))?;
        self.require_with(Permission::PassRole, &resource, &facts)?;
        self.refuse_service_linked(&role.name)?;
        if profile.role.is_some() {
            let (quota, max) = ("InstanceSessionsPerInstanceProfile", 1);
            return Err(Rejection::LimitExceeded { quota, max });
        }
        let (profile, role) = (profile.name.clone(), role.name.clone());
        self.emit(EventKind::Profile(ProfileEvent::RoleAdded { profile, role }));
        Ok(())
    }

    /// The role, if the caller has a permission on it. Who has not learns nothing of its existence.
    fn role(&self, permission: Permission, name: &RoleName) -> Result<Arc<Role>, Rejection> {
        self.require(permission, &Resource::role(self.account, name))?;
        self.account.role(name).cloned().ok_or_else(|| Rejection::missing("role", name))
    }

    fn profile(
        &self,
        permission: Permission,
        name: &ProfileName,
    ) -> Result<Arc<Profile>, Rejection> {
        self.require(permission, &Resource::profile(self.account, name))?;
        let found = self.account.profile(name);
        found.cloned().ok_or_else(|| Rejection::missing("instance profile", name))
    }
}
