//! Groups of users.

use std::sync::Arc;

use super::{Front, convert, field, optional, page};
use crate::domain::state::{Group, key_of};
use crate::identity::UserName;
use crate::proto::v1::*;
use crate::service::{Renaming, RequestInfo, ServiceError};

impl Front {
    pub(super) async fn iam_create_group(
        &self,
        info: &RequestInfo,
        request: CreateGroupRequest,
    ) -> Result<CreateGroupResponse, ServiceError> {
        let name = field("group_name", &request.group_name)?;
        let path = optional("path", &request.path)?.unwrap_or_default();
        let token = &request.idempotency_token;
        let made = self.service.create_group(info, token, name, path).await?;
        let group = made.entity.as_ref().map(|group| convert::group(&made.account, group));
        Ok(CreateGroupResponse { group, sequence: made.sequence })
    }

    pub(super) async fn iam_get_group(
        &self,
        info: &RequestInfo,
        request: GetGroupRequest,
    ) -> Result<GetGroupResponse, ServiceError> {
        let name = field("group_name", &request.group_name)?;
        let found = self.service.group(info, request.min_sequence, &name).await?;
        let group = Some(convert::group(&found.account, &found.entity));
        Ok(GetGroupResponse { group, sequence: found.view.sequence })
    }

    pub(super) async fn iam_list_groups(
        &self,
        info: &RequestInfo,
        request: ListGroupsRequest,
    ) -> Result<ListGroupsResponse, ServiceError> {
        let user: Option<UserName> = optional("user_name", &request.user_name)?;
        let (least, prefix) = (request.min_sequence, request.path_prefix.as_str());
        let (view, account, of_user) = match &user {
            None => {
                let read = self.service.list_groups(info, least, prefix).await?;
                (read.view, read.account, None)
            }
            Some(name) => {
                let found = self.service.list_groups_for_user(info, least, name).await?;
                (found.view, found.account, Some(found.entity))
            }
        };
        let key = |group: &&Arc<Group>| group.name.as_str().to_ascii_lowercase();
        let wanted = |group: &&Arc<Group>| {
            let holds = |name: &str| of_user.as_ref().is_none_or(|user| user.groups.contains(name));
            group.path.as_str().starts_with(prefix) && holds(&key_of(group.name.as_str()))
        };
        let groups = account.groups.values().filter(wanted);
        let (found, next_page_token) = page(groups, key, request.page_size, &request.page_token)?;
        let groups = found.into_iter().map(|group| convert::group(&account, group)).collect();
        Ok(ListGroupsResponse { groups, next_page_token, sequence: view.sequence })
    }

    pub(super) async fn iam_update_group(
        &self,
        info: &RequestInfo,
        request: UpdateGroupRequest,
    ) -> Result<UpdateGroupResponse, ServiceError> {
        let asked = Renaming {
            name: field("group_name", &request.group_name)?,
            new_name: optional("new_group_name", &request.new_group_name)?,
            new_path: optional("new_path", &request.new_path)?,
        };
        let receipt = self.service.update_group(info, &request.idempotency_token, asked).await?;
        Ok(UpdateGroupResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_group(
        &self,
        info: &RequestInfo,
        request: DeleteGroupRequest,
    ) -> Result<DeleteGroupResponse, ServiceError> {
        let name = field("group_name", &request.group_name)?;
        let receipt = self.service.delete_group(info, &request.idempotency_token, name).await?;
        Ok(DeleteGroupResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_add_user_to_group(
        &self,
        info: &RequestInfo,
        request: AddUserToGroupRequest,
    ) -> Result<AddUserToGroupResponse, ServiceError> {
        let group = field("group_name", &request.group_name)?;
        let user = field("user_name", &request.user_name)?;
        let token = &request.idempotency_token;
        let receipt = self.service.add_user_to_group(info, token, group, user).await?;
        Ok(AddUserToGroupResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_remove_user_from_group(
        &self,
        info: &RequestInfo,
        request: RemoveUserFromGroupRequest,
    ) -> Result<RemoveUserFromGroupResponse, ServiceError> {
        let group = field("group_name", &request.group_name)?;
        let user = field("user_name", &request.user_name)?;
        let token = &request.idempotency_token;
        let receipt = self.service.remove_user_from_group(info, token, group, user).await?;
        Ok(RemoveUserFromGroupResponse { sequence: receipt.sequence })
    }
}
