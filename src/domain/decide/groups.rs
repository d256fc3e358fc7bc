//! Groups of users.

use std::sync::Arc;

use super::policies::check_size;
use super::{Decider, key_of};
use crate::domain::access::{Permission, Resource};
use crate::domain::command::GroupAction;
use crate::domain::event::{EventKind, GroupEvent};
use crate::domain::quotas::{GROUPS_PER_USER_MAX, Quota};
use crate::domain::rejection::Rejection;
use crate::domain::state::{Group, User};
use crate::identity::{GroupName, Path, UserName};

impl Decider<'_> {
    pub(super) fn groups(&mut self, action: &GroupAction) -> Result<(), Rejection> {
        match action {
            GroupAction::Create { name, path, id } => {
                let resource = Resource::new_group(self.account.id, path, name);
                self.require(Permission::CreateGroup, &resource)?;
                if self.account.group(name).is_some() {
                    return Err(Rejection::exists("group", name));
                }
                self.check_quota(Quota::Groups, 1)?;
                let (name, path, id) = (name.clone(), path.clone(), id.clone());
                self.emit(EventKind::Group(GroupEvent::Created { name, path, id }));
                Ok(())
            }
            GroupAction::Update { name, new_name, new_path } => {
                self.update_group(name, new_name.as_ref(), new_path.as_ref())
            }
            GroupAction::Delete { name } => {
                let group = self.group(Permission::DeleteGroup, name)?;
                if !group.members.is_empty() {
                    return Err(Rejection::DeleteConflict { rule: "remove users from group" });
                }
                let permissions = &group.permissions;
                if !permissions.inline.is_empty() || !permissions.attached.is_empty() {
                    return Err(Rejection::DeleteConflict { rule: "delete and detach policies" });
                }
                self.emit(EventKind::Group(GroupEvent::Deleted { name: group.name.clone() }));
                Ok(())
            }
            GroupAction::AddUser { group, user } => {
                let group = self.group(Permission::AddUserToGroup, group)?;
                let user = self.member(user)?;
                if user.groups.contains(&*key_of(group.name.as_str())) {
                    return Ok(());
                }
                check_size("GroupsPerUser", GROUPS_PER_USER_MAX, user.groups.len() + 1)?;
                let (group, user) = (group.name.clone(), user.name.clone());
                self.emit(EventKind::Group(GroupEvent::UserAdded { group, user }));
                Ok(())
            }
            GroupAction::RemoveUser { group, user } => {
                let group = self.group(Permission::RemoveUserFromGroup, group)?;
                let user = self.member(user)?;
                if !user.groups.contains(&*key_of(group.name.as_str())) {
                    return Err(Rejection::missing("user in the group", &user.name));
                }
                let (group, user) = (group.name.clone(), user.name.clone());
                self.emit(EventKind::Group(GroupEvent::UserRemoved { group, user }));
                Ok(())
            }
        }
    }

    /// Who renames needs the permission for the old ARN and for the new one.
    fn update_group(
        &mut self,
        name: &GroupName,
        new_name: Option<&GroupName>,
        new_path: Option<&Path>,
    ) -> Result<(), Rejection> {
        let group = self.group(Permission::UpdateGroup, name)?;
        let new_name = new_name.unwrap_or(&group.name).clone();
        let path = new_path.unwrap_or(&group.path).clone();
        let renamed = Resource::new_group(self.account.id, &path, &new_name);
        self.require(Permission::UpdateGroup, &renamed)?;
        let taken = self.account.group(&new_name);
        if taken.is_some_and(|taken| taken.id != group.id) {
            return Err(Rejection::exists("group", new_name));
        }
        if (&new_name, &path) != (&group.name, &group.path) {
            let name = group.name.clone();
            self.emit(EventKind::Group(GroupEvent::Updated { name, new_name, path }));
        }
        Ok(())
    }

    /// The group, if the caller has a permission on it.
    fn group(&self, permission: Permission, name: &GroupName) -> Result<Arc<Group>, Rejection> {
        self.require(permission, &Resource::group(self.account, name))?;
        self.account.group(name).cloned().ok_or_else(|| Rejection::missing("group", name))
    }

    fn member(&self, name: &UserName) -> Result<Arc<User>, Rejection> {
        self.account.user(name).cloned().ok_or_else(|| Rejection::missing("user", name))
    }
}
