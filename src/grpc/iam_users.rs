//! Users, long-term keys and host agents.

use std::sync::Arc;

use super::iam_entities::tags;
use super::{Front, convert, field, last_use, optional, page};
use crate::domain::event::KeyOwner;
use crate::domain::state::{Agent, User};
use crate::identity::UserName;
use crate::proto::v1::*;
use crate::service::{KeyHolder, NewAccessKey, NewUser, Renaming, RequestInfo, ServiceError};

impl Front {
    pub(super) async fn iam_create_user(
        &self,
        info: &RequestInfo,
        request: CreateUserRequest,
    ) -> Result<CreateUserResponse, ServiceError> {
        let asked = NewUser {
            name: field("user_name", &request.user_name)?,
            path: optional("path", &request.path)?.unwrap_or_default(),
            tags: tags(&request.tags)?,
            boundary: optional("permissions_boundary_arn", &request.permissions_boundary_arn)?,
        };
        let made = self.service.create_user(info, &request.idempotency_token, asked).await?;
        let user = made.entity.as_ref().map(|user| convert::user(&made.account, user));
        Ok(CreateUserResponse { user, sequence: made.sequence })
    }

    pub(super) async fn iam_get_user(
        &self,
        info: &RequestInfo,
        request: GetUserRequest,
    ) -> Result<GetUserResponse, ServiceError> {
        let name = field("user_name", &request.user_name)?;
        let found = self.service.user(info, request.min_sequence, &name).await?;
        let user = Some(convert::user(&found.account, &found.entity));
        Ok(GetUserResponse { user, sequence: found.view.sequence })
    }

    pub(super) async fn iam_list_users(
        &self,
        info: &RequestInfo,
        request: ListUsersRequest,
    ) -> Result<ListUsersResponse, ServiceError> {
        let prefix = &request.path_prefix;
        let read = self.service.list_users(info, request.min_sequence, prefix).await?;
        let key = |user: &&Arc<User>| user.name.as_str().to_ascii_lowercase();
        let wanted = |user: &&Arc<User>| user.path.as_str().starts_with(prefix.as_str());
        let users = read.account.users.values().filter(wanted);
        let (found, next_page_token) = page(users, key, request.page_size, &request.page_token)?;
        let users = found.into_iter().map(|user| convert::user(&read.account, user)).collect();
        Ok(ListUsersResponse { users, next_page_token, sequence: read.view.sequence })
    }

    pub(super) async fn iam_update_user(
        &self,
        info: &RequestInfo,
        request: UpdateUserRequest,
    ) -> Result<UpdateUserResponse, ServiceError> {
        let asked = Renaming {
            name: field("user_name", &request.user_name)?,
            new_name: optional("new_user_name", &request.new_user_name)?,
            new_path: optional("new_path", &request.new_path)?,
        };
        let receipt = self.service.update_user(info, &request.idempotency_token, asked).await?;
        Ok(UpdateUserResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_user(
        &self,
        info: &RequestInfo,
        request: DeleteUserRequest,
    ) -> Result<DeleteUserResponse, ServiceError> {
        let name = field("user_name", &request.user_name)?;
        let receipt = self.service.delete_user(info, &request.idempotency_token, name).await?;
        Ok(DeleteUserResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_create_access_key(
        &self,
        info: &RequestInfo,
        request: CreateAccessKeyRequest,
    ) -> Result<CreateAccessKeyResponse, ServiceError> {
        let (holder, token) = (holder(&request.user_name)?, &request.idempotency_token);
        let made = self.service.create_access_key(info, token, &holder).await?;
        let access_key = Some(new_key(&made));
        Ok(CreateAccessKeyResponse { access_key, sequence: made.sequence })
    }

    pub(super) async fn iam_list_access_keys(
        &self,
        info: &RequestInfo,
        request: ListAccessKeysRequest,
    ) -> Result<ListAccessKeysResponse, ServiceError> {
        let holder = holder(&request.user_name)?;
        let of = self.service.list_access_keys(info, request.min_sequence, &holder).await?;
        let keys = of.reading.account.keys_of(&of.owner);
        let keys =
            keys.map(|(id, key)| convert::access_key(id, (key.active, key.created_at), None));
        let (access_keys, sequence) = (keys.collect(), of.reading.view.sequence);
        Ok(ListAccessKeysResponse { access_keys, sequence })
    }

    pub(super) async fn iam_update_access_key(
        &self,
        info: &RequestInfo,
        request: UpdateAccessKeyRequest,
    ) -> Result<UpdateAccessKeyResponse, ServiceError> {
        let (holder, token) = (holder(&request.user_name)?, &request.idempotency_token);
        let key = field("access_key_id", &request.access_key_id)?;
        let active = request.active;
        let receipt = self.service.update_access_key(info, token, &holder, key, active).await?;
        Ok(UpdateAccessKeyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_access_key(
        &self,
        info: &RequestInfo,
        request: DeleteAccessKeyRequest,
    ) -> Result<DeleteAccessKeyResponse, ServiceError> {
        let (holder, token) = (holder(&request.user_name)?, &request.idempotency_token);
        let key = field("access_key_id", &request.access_key_id)?;
        let receipt = self.service.delete_access_key(info, token, &holder, key).await?;
        Ok(DeleteAccessKeyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_get_access_key_last_used(
        &self,
        info: &RequestInfo,
        request: GetAccessKeyLastUsedRequest,
    ) -> Result<GetAccessKeyLastUsedResponse, ServiceError> {
        let key = field("access_key_id", &request.access_key_id)?;
        let used = self.service.access_key_last_used(info, request.min_sequence, &key).await?;
        let user_name = match used.owner {
            KeyOwner::User(name) => name.to_string(),
            KeyOwner::Root | KeyOwner::Instance(_) | KeyOwner::Agent(_) => String::new(),
        };
        let last_use = used.last_use.as_ref().map(last_use::shown);
        Ok(GetAccessKeyLastUsedResponse { user_name, last_use, sequence: used.sequence })
    }

    pub(super) async fn iam_create_agent(
        &self,
        info: &RequestInfo,
        request: CreateAgentRequest,
    ) -> Result<CreateAgentResponse, ServiceError> {
        let name = field("agent_name", &request.agent_name)?;
        let made = self.service.create_agent(info, &request.idempotency_token, name).await?;
        let agent = made.agent.entity.as_ref();
        Ok(CreateAgentResponse {
            agent: agent.map(|agent| convert::agent(&made.agent.account, agent)),
            access_key: Some(new_key(&made.key)),
            sequence: made.agent.sequence,
        })
    }

    pub(super) async fn iam_list_agents(
        &self,
        info: &RequestInfo,
        request: ListAgentsRequest,
    ) -> Result<ListAgentsResponse, ServiceError> {
        let read = self.service.list_agents(info, request.min_sequence).await?;
        let key = |agent: &&Arc<Agent>| agent.name.as_str().to_ascii_lowercase();
        let agents = read.account.agents.values();
        let (found, next_page_token) = page(agents, key, request.page_size, &request.page_token)?;
        let agents = found.into_iter().map(|agent| convert::agent(&read.account, agent)).collect();
        Ok(ListAgentsResponse { agents, next_page_token, sequence: read.view.sequence })
    }

    pub(super) async fn iam_delete_agent(
        &self,
        info: &RequestInfo,
        request: DeleteAgentRequest,
    ) -> Result<DeleteAgentResponse, ServiceError> {
        let name = field("agent_name", &request.agent_name)?;
        let receipt = self.service.delete_agent(info, &request.idempotency_token, name).await?;
        Ok(DeleteAgentResponse { sequence: receipt.sequence })
    }
}

/// How requests name the account's root, as IAM's credential report does: no user can be called so.
const ROOT_ACCOUNT: &str = "<root_account>";

/// Who holds keys and devices: whoever calls, where nobody is named.
pub(super) fn holder(user_name: &str) -> Result<KeyHolder, ServiceError> {
    if user_name == ROOT_ACCOUNT {
        return Ok(KeyHolder::Root);
    }
    let named: Option<UserName> = optional("user_name", user_name)?;
    Ok(named.map_or(KeyHolder::Caller, KeyHolder::User))
}

pub(super) fn new_key(made: &NewAccessKey) -> AccessKey {
    let NewAccessKey { id, key, secret, sequence: _ } = made;
    convert::access_key(id, (key.active, key.created_at), Some(secret))
}
