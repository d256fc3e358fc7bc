//! Groups of users.

use std::sync::Arc;

use tonic::Status;

use super::iam_users::missing;
use super::{Front, convert, field, optional, page};
use crate::domain::command::Action;
use crate::domain::state::{Group, key_of};
use crate::identity::{Arn, GroupName, Path, UserName};
use crate::proto::v1::*;
use crate::sts::RequestInfo;

impl Front {
    pub(super) async fn iam_create_group(
        &self,
        info: &RequestInfo,
        request: CreateGroupRequest,
    ) -> Result<CreateGroupResponse, Status> {
        let name: GroupName = field("group_name", &request.group_name)?;
        let path = optional("path", &request.path)?.unwrap_or_default();
        let id = Self::drawn(info, self.service.draw_id("AGPA"))?;
        let action = Action::CreateGroup { name: name.clone(), path, id };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let account = self.own_account(info)?;
        let group = account.group(&name).map(|group| convert::group(&account, group));
        Ok(CreateGroupResponse { group, sequence: receipt.sequence })
    }

    pub(super) async fn iam_get_group(
        &self,
        info: &RequestInfo,
        request: GetGroupRequest,
    ) -> Result<GetGroupResponse, Status> {
        let name: GroupName = field("group_name", &request.group_name)?;
        let own = self.own_account(info)?;
        let path = own.group(&name).map_or(Path::default(), |group| group.path.clone());
        let resource = Arn::group(own.id, &path, &name);
        let (view, account) =
            self.read(info, request.min_sequence, "iam:GetGroup", resource.as_str()).await?;
        let group = account.group(&name).ok_or_else(|| missing("group", name.as_str()))?;
        let (group, sequence) = (Some(convert::group(&account, group)), view.sequence);
        Ok(GetGroupResponse { group, sequence })
    }

    pub(super) async fn iam_list_groups(
        &self,
        info: &RequestInfo,
        request: ListGroupsRequest,
    ) -> Result<ListGroupsResponse, Status> {
        let user: Option<UserName> = optional("user_name", &request.user_name)?;
        let (action, resource) = match &user {
            None => ("iam:ListGroups", "*".to_owned()),
            Some(name) => {
                let own = self.own_account(info)?;
                let path = own.user(name).map_or(Path::default(), |user| user.path.clone());
                ("iam:ListGroupsForUser", Arn::user(own.id, &path, name).to_string())
            }
        };
        let (view, account) = self.read(info, request.min_sequence, action, &resource).await?;
        let of_user = match &user {
            None => None,
            Some(name) => {
                let found = account.user(name);
                Some(found.ok_or_else(|| missing("user", name.as_str()))?.groups.clone())
            }
        };
        let key = |group: &&Arc<Group>| group.name.as_str().to_ascii_lowercase();
        let wanted = |group: &&Arc<Group>| {
            group.path.as_str().starts_with(&request.path_prefix)
                && of_user
                    .as_ref()
                    .is_none_or(|groups| groups.contains(&*key_of(group.name.as_str())))
        };
        let groups = account.groups.values().filter(wanted);
        let (found, next_page_token) = page(groups, key, request.page_size, &request.page_token)?;
        let groups = found.into_iter().map(|group| convert::group(&account, group)).collect();
        Ok(ListGroupsResponse { groups, next_page_token, sequence: view.sequence })
    }

    pub(super) async fn iam_delete_group(
        &self,
        info: &RequestInfo,
        request: DeleteGroupRequest,
    ) -> Result<DeleteGroupResponse, Status> {
        let action = Action::DeleteGroup { name: field("group_name", &request.group_name)? };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteGroupResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_add_user_to_group(
        &self,
        info: &RequestInfo,
        request: AddUserToGroupRequest,
    ) -> Result<AddUserToGroupResponse, Status> {
        let group = field("group_name", &request.group_name)?;
        let user = field("user_name", &request.user_name)?;
        let action = Action::AddUserToGroup { group, user };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(AddUserToGroupResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_remove_user_from_group(
        &self,
        info: &RequestInfo,
        request: RemoveUserFromGroupRequest,
    ) -> Result<RemoveUserFromGroupResponse, Status> {
        let group = field("group_name", &request.group_name)?;
        let user = field("user_name", &request.user_name)?;
        let action = Action::RemoveUserFromGroup { group, user };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(RemoveUserFromGroupResponse { sequence: receipt.sequence })
    }
}
