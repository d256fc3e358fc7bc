//! Groups of users.

use std::sync::Arc;

use super::policies::check_size;
use super::{Decider, key_of};
use crate::domain::command::Action;
use crate::domain::event::EventKind;
use crate::domain::quotas::{GROUPS_PER_USER_MAX, Quota};
use crate::domain::rejection::Rejection;
use crate::domain::state::{Group, User};
use crate::identity::{Arn, GroupName, UserName};

impl Decider<'_> {
    pub(super) fn groups(&mut self) -> Result<(), Rejection> {
        match &self.command.action {
            Action::CreateGroup { name, path, id } => {
                let arn = Arn::group(self.command.account, path, name);
                self.require("iam:CreateGroup", arn.as_str())?;
                if self.account.group(name).is_some() {
                    return Err(Rejection::exists("group", name));
                }
                self.check_quota(Quota::Groups, 1)?;
                let (name, path, id) = (name.clone(), path.clone(), id.clone());
                self.emit(EventKind::GroupCreated { name, path, id });
                Ok(())
            }
            Action::DeleteGroup { name } => {
                let group = self.group("iam:DeleteGroup", name)?;
                if !group.members.is_empty() {
                    return Err(Rejection::DeleteConflict { rule: "remove users from group" });
                }
                let permissions = &group.permissions;
                if !permissions.inline.is_empty() || !permissions.attached.is_empty() {
                    return Err(Rejection::DeleteConflict { rule: "delete and detach policies" });
                }
                self.emit(EventKind::GroupDeleted { name: group.name.clone() });
                Ok(())
            }
            Action::AddUserToGroup { group, user } => {
                let group = self.group("iam:AddUserToGroup", group)?;
                let user = self.member(user)?;
                if user.groups.contains(&*key_of(group.name.as_str())) {
                    return Ok(());
                }
                check_size("GroupsPerUser", GROUPS_PER_USER_MAX, user.groups.len() + 1)?;
                let (group, user) = (group.name.clone(), user.name.clone());
                self.emit(EventKind::UserAddedToGroup { group, user });
                Ok(())
            }
            Action::RemoveUserFromGroup { group, user } => {
                let group = self.group("iam:RemoveUserFromGroup", group)?;
                let user = self.member(user)?;
                if !user.groups.contains(&*key_of(group.name.as_str())) {
                    return Err(Rejection::missing("user in the group", &user.name));
                }
                let (group, user) = (group.name.clone(), user.name.clone());
                self.emit(EventKind::UserRemovedFromGroup { group, user });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The group, if the caller may do `action` on it.
    pub(super) fn group(&self, action: &str, name: &GroupName) -> Result<Arc<Group>, Rejection> {
        let found = self.account.group(name);
        let path = found.map(|group| group.path.clone()).unwrap_or_default();
        self.require(action, Arn::group(self.command.account, &path, name).as_str())?;
        found.cloned().ok_or_else(|| Rejection::missing("group", name))
    }

    fn member(&self, name: &UserName) -> Result<Arc<User>, Rejection> {
        self.account.user(name).cloned().ok_or_else(|| Rejection::missing("user", name))
    }
}
