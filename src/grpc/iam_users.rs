//! Users, long-term keys and host agents.

use std::sync::Arc;

use tonic::Status;

use super::iam_entities::tags;
use super::{Front, convert, field, optional, page};
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::event::{EventKind, KeyOwner};
use crate::domain::state::{Account, Agent, User};
use crate::identity::{Arn, Path, UserName};
use crate::ledger::Receipt;
use crate::proto::v1::*;
use crate::sts::RequestInfo;

impl Front {
    pub(super) async fn iam_create_user(
        &self,
        info: &RequestInfo,
        request: CreateUserRequest,
    ) -> Result<CreateUserResponse, Status> {
        let name: UserName = field("user_name", &request.user_name)?;
        let path = optional("path", &request.path)?.unwrap_or_default();
        let id = Self::drawn(info, self.service.draw_id("AIDA"))?;
        let boundary = optional("permissions_boundary_arn", &request.permissions_boundary_arn)?;
        let tags = tags(&request.tags)?;
        let action = Action::CreateUser { name: name.clone(), path, id, tags, boundary };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let account = self.own_account(info)?;
        let user = account.user(&name).map(|user| convert::user(&account, user));
        Ok(CreateUserResponse { user, sequence: receipt.sequence })
    }

    pub(super) async fn iam_get_user(
        &self,
        info: &RequestInfo,
        request: GetUserRequest,
    ) -> Result<GetUserResponse, Status> {
        let name: UserName = field("user_name", &request.user_name)?;
        let owner = TagOwner::User(name.clone());
        let (view, account) =
            self.read_entity(info, request.min_sequence, "iam:GetUser", &owner).await?;
        let user = account.user(&name).ok_or_else(|| missing("user", name.as_str()))?;
        let (user, sequence) = (Some(convert::user(&account, user)), view.sequence);
        Ok(GetUserResponse { user, sequence })
    }

    pub(super) async fn iam_list_users(
        &self,
        info: &RequestInfo,
        request: ListUsersRequest,
    ) -> Result<ListUsersResponse, Status> {
        let (view, account) = self.read(info, request.min_sequence, "iam:ListUsers", "*").await?;
        let key = |user: &&Arc<User>| user.name.as_str().to_ascii_lowercase();
        let wanted = |user: &&Arc<User>| user.path.as_str().starts_with(&request.path_prefix);
        let users = account.users.values().filter(wanted);
        let (found, next_page_token) = page(users, key, request.page_size, &request.page_token)?;
        let users = found.into_iter().map(|user| convert::user(&account, user)).collect();
        Ok(ListUsersResponse { users, next_page_token, sequence: view.sequence })
    }

    pub(super) async fn iam_delete_user(
        &self,
        info: &RequestInfo,
        request: DeleteUserRequest,
    ) -> Result<DeleteUserResponse, Status> {
        let action = Action::DeleteUser { name: field("user_name", &request.user_name)? };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteUserResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_create_access_key(
        &self,
        info: &RequestInfo,
        request: CreateAccessKeyRequest,
    ) -> Result<CreateAccessKeyResponse, Status> {
        let owner = self.key_owner(info, &request.user_name)?;
        let key = Self::drawn(info, self.service.draw_id("AKIA"))?;
        let action = Action::CreateAccessKey { owner, key };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let access_key = Some(self.made_key(info, &receipt)?);
        Ok(CreateAccessKeyResponse { access_key, sequence: receipt.sequence })
    }

    pub(super) async fn iam_list_access_keys(
        &self,
        info: &RequestInfo,
        request: ListAccessKeysRequest,
    ) -> Result<ListAccessKeysResponse, Status> {
        let owner = self.key_owner(info, &request.user_name)?;
        let resource = self.key_owner_arn(info, &owner)?;
        let action = "iam:ListAccessKeys";
        let (view, account) =
            self.read(info, request.min_sequence, action, resource.as_str()).await?;
        let keys = account.keys_of(&owner);
        let keys =
            keys.map(|(id, key)| convert::access_key(id, (key.active, key.created_at), None));
        Ok(ListAccessKeysResponse { access_keys: keys.collect(), sequence: view.sequence })
    }

    pub(super) async fn iam_update_access_key(
        &self,
        info: &RequestInfo,
        request: UpdateAccessKeyRequest,
    ) -> Result<UpdateAccessKeyResponse, Status> {
        let owner = self.key_owner(info, &request.user_name)?;
        let key = field("access_key_id", &request.access_key_id)?;
        let action = Action::UpdateAccessKey { owner, key, active: request.active };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(UpdateAccessKeyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_access_key(
        &self,
        info: &RequestInfo,
        request: DeleteAccessKeyRequest,
    ) -> Result<DeleteAccessKeyResponse, Status> {
        let owner = self.key_owner(info, &request.user_name)?;
        let key = field("access_key_id", &request.access_key_id)?;
        let action = Action::DeleteAccessKey { owner, key };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteAccessKeyResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_create_agent(
        &self,
        info: &RequestInfo,
        request: CreateAgentRequest,
    ) -> Result<CreateAgentResponse, Status> {
        let name: crate::identity::AgentName = field("agent_name", &request.agent_name)?;
        let id = Self::drawn(info, self.service.draw_id("AGNT"))?;
        let key = Self::drawn(info, self.service.draw_id("AKIA"))?;
        let action = Action::CreateAgent { name: name.clone(), id, key };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let account = self.own_account(info)?;
        let agent = account.agents.get(name.as_str().to_ascii_lowercase().as_str());
        Ok(CreateAgentResponse {
            agent: agent.map(|agent| convert::agent(&account, agent)),
            access_key: Some(self.made_key(info, &receipt)?),
            sequence: receipt.sequence,
        })
    }

    pub(super) async fn iam_list_agents(
        &self,
        info: &RequestInfo,
        request: ListAgentsRequest,
    ) -> Result<ListAgentsResponse, Status> {
        let (view, account) =
            self.read(info, request.min_sequence, "locum:ListAgents", "*").await?;
        let key = |agent: &&Arc<Agent>| agent.name.as_str().to_ascii_lowercase();
        let agents = account.agents.values();
        let (found, next_page_token) = page(agents, key, request.page_size, &request.page_token)?;
        let agents = found.into_iter().map(|agent| convert::agent(&account, agent)).collect();
        Ok(ListAgentsResponse { agents, next_page_token, sequence: view.sequence })
    }

    pub(super) async fn iam_delete_agent(
        &self,
        info: &RequestInfo,
        request: DeleteAgentRequest,
    ) -> Result<DeleteAgentResponse, Status> {
        let action = Action::DeleteAgent { name: field("agent_name", &request.agent_name)? };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteAgentResponse { sequence: receipt.sequence })
    }

    /// The caller's account as it is now.
    pub(super) fn own_account(&self, info: &RequestInfo) -> Result<Arc<Account>, Status> {
        let account = self.service.view().state.account(Self::account_of(info)?).cloned();
        account.ok_or_else(|| Status::not_found("the account does not exist"))
    }

    /// The owner of keys that a request names, as it is spelt in the account.
    pub(super) fn key_owner(
        &self,
        info: &RequestInfo,
        user_name: &str,
    ) -> Result<KeyOwner, Status> {
        let Some(name) = optional::<UserName>("user_name", user_name)? else {
            return Ok(KeyOwner::Root);
        };
        let account = self.own_account(info)?;
        let name = account.user(&name).map_or(name, |user| user.name.clone());
        Ok(KeyOwner::User(name))
    }

    /// The ARN that permissions on an owner's keys and devices are about.
    pub(super) fn key_owner_arn(
        &self,
        info: &RequestInfo,
        owner: &KeyOwner,
    ) -> Result<Arn, Status> {
        let KeyOwner::User(name) = owner else { return Ok(Arn::root(Self::account_of(info)?)) };
        let account = self.own_account(info)?;
        let path = account.user(name).map_or(Path::default(), |user| user.path.clone());
        Ok(Arn::user(account.id, &path, name))
    }

    /// The key that a receipt tells of, with its secret.
    fn made_key(&self, info: &RequestInfo, receipt: &Receipt) -> Result<AccessKey, Status> {
        let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
        let key = events.find_map(|event| match &event.kind {
            EventKind::AccessKeyCreated { key, .. } => Some(key),
            _ => None,
        });
        let key = key.ok_or_else(|| Status::internal("no key was made"))?;
        let account = self.own_account(info)?;
        let access_key = account.access_keys.get(key);
        let access_key = access_key.ok_or_else(|| missing("access key", key.as_str()))?;
        let secret = Self::drawn(info, self.service.secret_of(&account, key))?;
        Ok(convert::access_key(key, (access_key.active, access_key.created_at), Some(&secret)))
    }
}

/// What a read answers for a name that is not there.
pub(super) fn missing(kind: &'static str, name: &str) -> Status {
    let rejection =
        crate::domain::rejection::Rejection::NoSuchEntity { kind, name: name.to_owned() };
    super::status::of_rejection(&rejection, "")
}
