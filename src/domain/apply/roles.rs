//! Roles and the instance profiles that hold them.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::event::{ProfileEvent, RoleEvent};
use crate::domain::state::{Account, DELETION_TASKS_MAX, Permissions, Profile, Role, key_of};
use crate::domain::tags::Tags;

impl Account {
    pub(super) fn apply_role(&mut self, time: Timestamp, event: &RoleEvent) -> Option<()> {
        match event {
            RoleEvent::Created { name, path, id, description, max_session, trust } => {
                let role = Role {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    description: description.clone(),
                    max_session: *max_session,
                    created_at: time,
                    trust: trust.clone(),
                    permissions: Permissions::default(),
                    last_use: None,
                    tags: Tags::default(),
                };
                self.roles.insert(key_of(name.as_str()), Arc::new(role));
            }
            RoleEvent::Updated { name, description, max_session } => {
                let role = Arc::make_mut(self.roles.get_mut(&*key_of(name.as_str()))?);
                role.description = description.clone();
                role.max_session = *max_session;
            }
            RoleEvent::TrustChanged { role, trust } => {
                let role = Arc::make_mut(self.roles.get_mut(&*key_of(role.as_str()))?);
                role.trust = trust.clone();
            }
            RoleEvent::Deleted { name } => {
                let role = self.roles.remove(&*key_of(name.as_str()))?;
                self.leave_boundary(role.permissions.boundary.as_deref());
            }
            RoleEvent::DeletionCompleted { task } => {
                self.deletion_tasks.push_back(task.clone());
                while self.deletion_tasks.len() > DELETION_TASKS_MAX {
                    self.deletion_tasks.pop_front();
                }
            }
        }
        Some(())
    }

    pub(super) fn apply_profile(&mut self, time: Timestamp, event: &ProfileEvent) -> Option<()> {
        match event {
            ProfileEvent::Created { name, path, id } => {
                let profile = Profile {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    created_at: time,
                    role: None,
                    tags: Tags::default(),
                };
                self.profiles.insert(key_of(name.as_str()), Arc::new(profile));
            }
            ProfileEvent::Deleted { name } => {
                self.profiles.remove(&*key_of(name.as_str()))?;
            }
            ProfileEvent::RoleAdded { profile, role } => {
                let profile = self.profiles.get_mut(&*key_of(profile.as_str()))?;
                Arc::make_mut(profile).role = Some(role.clone());
            }
            ProfileEvent::RoleRemoved { profile, .. } => {
                let profile = self.profiles.get_mut(&*key_of(profile.as_str()))?;
                Arc::make_mut(profile).role = None;
            }
        }
        Some(())
    }
}
