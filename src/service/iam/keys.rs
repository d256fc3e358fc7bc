//! Long-term access keys, and the host agents that hold one.

use std::sync::Arc;

use super::Made;
use crate::domain::access::{ListKind, Permission, Target, require_root};
use crate::domain::command::{AccessKeyAction, Action, AgentAction};
use crate::domain::event::{AccessKeyEvent, EventKind, KeyOwner};
use crate::domain::last_use::LastUse;
use crate::domain::rejection::Rejection;
use crate::domain::state::{AccessKey, Account, Agent};
use crate::identity::{AccessKeyId, AgentName, Principal, UserName};
use crate::ledger::{Receipt, View};
use crate::service::{Reading, RequestInfo, Service, ServiceError};
use crate::signing::Secret;

/// Who holds keys and devices, as a request names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyHolder {
    /// Whoever signed the request: a user, or the account's root. Sessions of roles hold none and have to name one.
    Caller,
    /// The account's root.
    Root,
    /// A user.
    User(UserName),
}

/// A key that was just made, with its secret. Shown this once.
#[derive(Debug)]
pub struct NewAccessKey {
    /// Its id.
    pub id: AccessKeyId,
    /// The key.
    pub key: AccessKey,
    /// Its secret.
    pub secret: Secret,
    /// The record that holds it.
    pub sequence: u64,
}

/// The holder of keys or devices with the state that they are shown from.
#[derive(Clone, Debug)]
pub struct KeysOf {
    /// The state.
    pub reading: Reading,
    /// The holder, as the account spells it.
    pub owner: KeyOwner,
}

/// When a key was used last.
#[derive(Clone, Debug)]
pub struct LastUsed {
    /// Whose key it is.
    pub owner: KeyOwner,
    /// Its last use, if there was one.
    pub last_use: Option<LastUse>,
    /// The record up to which this is true.
    pub sequence: u64,
}

/// A host agent that was just made, with its key.
#[derive(Debug)]
pub struct NewAgent {
    /// The agent.
    pub agent: Made<Agent>,
    /// Its key.
    pub key: NewAccessKey,
}

impl KeyHolder {
    /// The owner in `account`, as it spells the name; a name that is not there stays as it is.
    pub(in crate::service) fn owner(
        &self,
        info: &RequestInfo,
        account: &Account,
    ) -> Result<KeyOwner, Rejection> {
        let named = |name: &UserName| {
            KeyOwner::User(account.user(name).map_or(name, |user| &user.name).clone())
        };
        match (self, &info.caller.principal) {
            (Self::Root, _) | (Self::Caller, Principal::Root { .. }) => Ok(KeyOwner::Root),
            (Self::User(name), _) | (Self::Caller, Principal::User { name, .. }) => Ok(named(name)),
            (
                Self::Caller,
                Principal::Anonymous
                | Principal::AssumedRole { .. }
                | Principal::FederatedUser { .. }
                | Principal::Federated(_)
                | Principal::Service(_)
                | Principal::Instance { .. }
                | Principal::Agent { .. },
            ) => {
                let rule = "Must specify userName when calling with non-User credentials";
                Err(Rejection::Validation(rule.to_owned()))
            }
        }
    }
}

/// Each refuses a caller who may not, names that break a rule of the account, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreateAccessKey.
    pub async fn create_access_key(
        &self,
        info: &RequestInfo,
        token: &str,
        holder: &KeyHolder,
    ) -> Result<NewAccessKey, ServiceError> {
        let owner = self.key_owner(info, holder)?;
        let key = self.draw_id("AKIA")?;
        let action = Action::AccessKey(AccessKeyAction::Create { owner, key });
        let receipt = self.perform_own(info, token, action).await?;
        self.new_key(info, &receipt)
    }

    /// ListAccessKeys: the holder, whose keys they are.
    pub async fn list_access_keys(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        holder: &KeyHolder,
    ) -> Result<KeysOf, ServiceError> {
        self.read_keys_of(info, min_sequence, Permission::ListAccessKeys, holder).await
    }

    /// UpdateAccessKey.
    pub async fn update_access_key(
        &self,
        info: &RequestInfo,
        token: &str,
        holder: &KeyHolder,
        key: AccessKeyId,
        active: bool,
    ) -> Result<Receipt, ServiceError> {
        let owner = self.key_owner(info, holder)?;
        let action = AccessKeyAction::Update { owner, key, active };
        self.perform_own(info, token, Action::AccessKey(action)).await
    }

    /// DeleteAccessKey.
    pub async fn delete_access_key(
        &self,
        info: &RequestInfo,
        token: &str,
        holder: &KeyHolder,
        key: AccessKeyId,
    ) -> Result<Receipt, ServiceError> {
        let owner = self.key_owner(info, holder)?;
        let action = AccessKeyAction::Delete { owner, key };
        self.perform_own(info, token, Action::AccessKey(action)).await
    }

    /// GetAccessKeyLastUsed. A key that is not of the caller's account is not there for them.
    pub async fn access_key_last_used(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        id: &AccessKeyId,
    ) -> Result<LastUsed, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        let account = Self::account_of(info)?;
        let held = view.state.key(id).filter(|held| held.account.id == account);
        let owner = held.map(|held| held.owner);
        let judged = owner.as_ref().unwrap_or(&KeyOwner::Root);
        let permission = Permission::GetAccessKeyLastUsed;
        self.read_in(&view, info, permission, &Target::Keys(judged))?;
        let owner = owner.ok_or_else(|| Rejection::missing("access key", id))?;
        let last_use = self.last_use(account, id);
        Ok(LastUsed { owner, last_use, sequence: view.sequence })
    }

    /// CreateAgent.
    pub async fn create_agent(
        &self,
        info: &RequestInfo,
        token: &str,
        name: AgentName,
    ) -> Result<NewAgent, ServiceError> {
        let (id, key) = (self.draw_id("AGNT")?, self.draw_id("AKIA")?);
        let action = Action::Agent(AgentAction::Create { name: name.clone(), id, key });
        let receipt = self.perform_own(info, token, action).await?;
        let agent = self.made(info, &receipt, |account| account.agent(&name))?;
        Ok(NewAgent { agent, key: self.new_key(info, &receipt)? })
    }

    /// ListAgents.
    pub async fn list_agents(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
    ) -> Result<Reading, ServiceError> {
        let target = Target::List(ListKind::Agents, "");
        self.read(info, min_sequence, Permission::ListAgents, &target).await
    }

    /// DeleteAgent.
    pub async fn delete_agent(
        &self,
        info: &RequestInfo,
        token: &str,
        name: AgentName,
    ) -> Result<Receipt, ServiceError> {
        self.perform_own(info, token, Action::Agent(AgentAction::Delete { name })).await
    }

    /// Who a request means, as the account spells the name now.
    pub(super) fn key_owner(
        &self,
        info: &RequestInfo,
        holder: &KeyHolder,
    ) -> Result<KeyOwner, ServiceError> {
        Ok(holder.owner(info, &*self.own_account(info)?)?)
    }

    /// The holder of keys and devices, for a caller who has `permission` on them.
    pub(super) async fn read_keys_of(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        permission: Permission,
        holder: &KeyHolder,
    ) -> Result<KeysOf, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        let owner = holder.owner(info, &*Self::own_account_in(&view, info)?)?;
        let reading = self.read_keys_in(&view, info, permission, &owner)?;
        if let KeyOwner::User(name) = &owner {
            reading.account.user(name).ok_or_else(|| Rejection::missing("user", name))?;
        }
        Ok(KeysOf { reading, owner })
    }

    /// What is held by `owner`, for a caller who has `permission` on them; of root for root alone.
    pub(super) fn read_keys_in(
        &self,
        view: &Arc<View>,
        info: &RequestInfo,
        permission: Permission,
        owner: &KeyOwner,
    ) -> Result<Reading, ServiceError> {
        let reading = self.read_in(view, info, permission, &Target::Keys(owner))?;
        require_root(&info.caller, reading.account.id, permission, owner)?;
        Ok(reading)
    }

    /// The key that a receipt's fact made, with its secret.
    fn new_key(&self, info: &RequestInfo, receipt: &Receipt) -> Result<NewAccessKey, ServiceError> {
        let id = receipt.events().find_map(|event| {
            let EventKind::AccessKey(AccessKeyEvent::Created { key, .. }) = &event.kind else {
                return None;
            };
            Some(key)
        });
        let id = id.ok_or(ServiceError::Answer("no key was made"))?.clone();
        let account = self.own_account(info)?;
        let key = account.access_keys.get(&id).cloned();
        let key = key.ok_or_else(|| Rejection::missing("access key", &id))?;
        let secret = self.secret_of(&account, &id)?;
        Ok(NewAccessKey { id, key, secret, sequence: receipt.sequence })
    }
}
