//! Groups of users.

use super::{Found, Made, Renaming};
use crate::domain::access::{ListKind, Permission, Target};
use crate::domain::command::{Action, GroupAction};
use crate::domain::rejection::Rejection;
use crate::domain::state::{Group, User};
use crate::identity::{GroupName, Path, UserName};
use crate::ledger::Receipt;
use crate::service::{Reading, RequestInfo, Service, ServiceError};

/// Each refuses a caller who may not, names that break a rule of the account, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreateGroup.
    pub async fn create_group(
        &self,
        info: &RequestInfo,
        token: &str,
        name: GroupName,
        path: Path,
    ) -> Result<Made<Group>, ServiceError> {
        let id = self.draw_id("AGPA")?;
        let action = Action::Group(GroupAction::Create { name: name.clone(), path, id });
        let receipt = self.perform_own(info, token, action).await?;
        self.made(info, &receipt, |account| account.group(&name))
    }

    /// GetGroup.
    pub async fn group(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        name: &GroupName,
    ) -> Result<Found<Group>, ServiceError> {
        let target = Target::Group(name);
        let reading = self.read(info, min_sequence, Permission::GetGroup, &target).await?;
        let entity = reading.account.group(name).cloned();
        reading.found(entity, || Rejection::missing("group", name))
    }

    /// ListGroups: the groups whose paths begin with `path_prefix`.
    pub async fn list_groups(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        path_prefix: &str,
    ) -> Result<Reading, ServiceError> {
        let target = Target::List(ListKind::Groups, path_prefix);
        self.read(info, min_sequence, Permission::ListGroups, &target).await
    }

    /// ListGroupsForUser: the user, who has the groups.
    pub async fn list_groups_for_user(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        name: &UserName,
    ) -> Result<Found<User>, ServiceError> {
        self.read_user(info, min_sequence, Permission::ListGroupsForUser, name).await
    }

    /// UpdateGroup.
    pub async fn update_group(
        &self,
        info: &RequestInfo,
        token: &str,
        Renaming { name, new_name, new_path }: Renaming<GroupName>,
    ) -> Result<Receipt, ServiceError> {
        let action = GroupAction::Update { name, new_name, new_path };
        self.perform_own(info, token, Action::Group(action)).await
    }

    /// DeleteGroup.
    pub async fn delete_group(
        &self,
        info: &RequestInfo,
        token: &str,
        name: GroupName,
    ) -> Result<Receipt, ServiceError> {
        self.perform_own(info, token, Action::Group(GroupAction::Delete { name })).await
    }

    /// AddUserToGroup.
    pub async fn add_user_to_group(
        &self,
        info: &RequestInfo,
        token: &str,
        group: GroupName,
        user: UserName,
    ) -> Result<Receipt, ServiceError> {
        self.perform_own(info, token, Action::Group(GroupAction::AddUser { group, user })).await
    }

    /// RemoveUserFromGroup.
    pub async fn remove_user_from_group(
        &self,
        info: &RequestInfo,
        token: &str,
        group: GroupName,
        user: UserName,
    ) -> Result<Receipt, ServiceError> {
        self.perform_own(info, token, Action::Group(GroupAction::RemoveUser { group, user })).await
    }
}
