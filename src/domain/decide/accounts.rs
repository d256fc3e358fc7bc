//! Accounts, users, host agents and long-term access keys.

use super::{Decider, require};
use crate::domain::command::{Action, Command};
use crate::domain::entity::TagOwner;
use crate::domain::event::{Event, EventKind, KeyOwner, PolicyOwner};
use crate::domain::quotas::{ACCESS_KEYS_PER_USER_MAX, Quota};
use crate::domain::rejection::Rejection;
use crate::domain::state::{State, key_of};
use crate::identity::{AccessKeyId, AccountId, AgentName, Arn, Principal, UserName};
use crate::policy::Context;

/// The caller is of the operator account and may do `action` there.
pub(super) fn require_operator(
    state: &State,
    command: &Command,
    action: &str,
) -> Result<(), Rejection> {
    let resource = format!("arn:aws:locum::{}:account/{}", AccountId::OPERATOR, command.account);
    require(state, command, AccountId::OPERATOR, action, &resource, &Context::default())
}

/// A new account with a key for its root.
pub(super) fn create(state: &State, command: &Command) -> Result<Vec<Event>, Rejection> {
    let Action::CreateAccount { name, key, root_key } = &command.action else {
        return Ok(Vec::new());
    };
    require_operator(state, command, "locum:CreateAccount")?;
    if state.account(command.account).is_some() || state.was_deleted(command.account) {
        return Err(Rejection::exists("account", command.account));
    }
    let created = EventKind::AccountCreated { name: name.clone(), key: key.clone() };
    let keyed = EventKind::AccessKeyCreated { key: root_key.clone(), owner: KeyOwner::Root };
    let event = |kind| Event { account: command.account, kind };
    Ok(vec![event(created), event(keyed)])
}

impl Decider<'_> {
    pub(super) fn key_holders(&mut self) -> Result<(), Rejection> {
        match &self.command.action {
            Action::CreateUser { name, path, id, tags, boundary } => {
                let arn = Arn::user(self.command.account, path, name);
                self.require_creation("User", &arn, tags, boundary.as_ref())?;
                if self.account.user(name).is_some() {
                    return Err(Rejection::exists("user", name));
                }
                self.check_quota(Quota::Users, 1)?;
                let (name, path, id) = (name.clone(), path.clone(), id.clone());
                self.emit(EventKind::UserCreated { name: name.clone(), path, id });
                self.tag_created(TagOwner::User(name.clone()), tags)?;
                self.bound_created(PolicyOwner::User(name), boundary.as_ref())
            }
            Action::DeleteUser { name } => self.delete_user(name),
            Action::CreateAccessKey { owner, key } => self.create_key(owner, key),
            Action::UpdateAccessKey { owner, key, active } => {
                self.owned_key("iam:UpdateAccessKey", owner, key)?;
                self.emit(EventKind::AccessKeyStatusChanged { key: key.clone(), active: *active });
                Ok(())
            }
            Action::DeleteAccessKey { owner, key } => {
                self.owned_key("iam:DeleteAccessKey", owner, key)?;
                self.emit(EventKind::AccessKeyDeleted { key: key.clone() });
                Ok(())
            }
            Action::CreateAgent { name, id, key } => {
                let arn = Arn::agent(self.command.account, name);
                self.require("locum:CreateAgent", arn.as_str())?;
                if self.account.agents.contains_key(&*key_of(name.as_str())) {
                    return Err(Rejection::exists("agent", name));
                }
                self.check_quota(Quota::Agents, 1)?;
                self.emit(EventKind::AgentCreated { name: name.clone(), id: id.clone() });
                let owner = KeyOwner::Agent(name.clone());
                self.emit(EventKind::AccessKeyCreated { key: key.clone(), owner });
                Ok(())
            }
            Action::DeleteAgent { name } => self.delete_agent(name),
            _ => Ok(()),
        }
    }

    fn delete_user(&mut self, name: &UserName) -> Result<(), Rejection> {
        self.require_on("iam:DeleteUser", &TagOwner::User(name.clone()))?;
        let user = self.account.user(name).ok_or_else(|| Rejection::missing("user", name))?;
        let owner = KeyOwner::User(user.name.clone());
        if self.account.keys_of(&owner).next().is_some() {
            return Err(Rejection::DeleteConflict { rule: "delete access keys" });
        }
        if !user.permissions.inline.is_empty() || !user.permissions.attached.is_empty() {
            return Err(Rejection::DeleteConflict { rule: "delete and detach policies" });
        }
        if self.account.mfa_devices_of(&owner).next().is_some() {
            return Err(Rejection::DeleteConflict { rule: "deactivate MFA devices" });
        }
        if !user.groups.is_empty() {
            return Err(Rejection::DeleteConflict { rule: "remove users from group" });
        }
        self.emit(EventKind::UserDeleted { name: user.name.clone() });
        Ok(())
    }

    fn delete_agent(&mut self, name: &AgentName) -> Result<(), Rejection> {
        let arn = Arn::agent(self.command.account, name);
        self.require("locum:DeleteAgent", arn.as_str())?;
        let agent = self.account.agents.get(&*key_of(name.as_str()));
        let agent = agent.ok_or_else(|| Rejection::missing("agent", name))?;
        self.emit(EventKind::AgentDeleted { name: agent.name.clone() });
        Ok(())
    }

    fn create_key(&mut self, owner: &KeyOwner, key: &AccessKeyId) -> Result<(), Rejection> {
        let arn = self.owner_arn(owner)?;
        self.require("iam:CreateAccessKey", &arn)?;
        let owned = self.account.keys_of(owner).count();
        if owned >= ACCESS_KEYS_PER_USER_MAX {
            let (quota, max) = ("AccessKeysPerUser", ACCESS_KEYS_PER_USER_MAX);
            return Err(Rejection::LimitExceeded { quota, max });
        }
        self.emit(EventKind::AccessKeyCreated { key: key.clone(), owner: owner.clone() });
        Ok(())
    }

    fn owned_key(
        &self,
        action: &str,
        owner: &KeyOwner,
        key: &AccessKeyId,
    ) -> Result<(), Rejection> {
        let arn = self.owner_arn(owner)?;
        self.require(action, &arn)?;
        let found = self.account.access_keys.get(key).filter(|key| key.owner == *owner);
        found.map(drop).ok_or_else(|| Rejection::missing("access key", key))
    }

    /// The ARN that permissions on an owner's keys are about; a user has to exist.
    pub(super) fn owner_arn(&self, owner: &KeyOwner) -> Result<String, Rejection> {
        let account = self.command.account;
        match owner {
            KeyOwner::Root => Ok(Arn::root(account).to_string()),
            KeyOwner::User(name) => {
                let user = self.account.user(name);
                let user = user.ok_or_else(|| Rejection::missing("user", name))?;
                Ok(Arn::user(account, &user.path, &user.name).to_string())
            }
            KeyOwner::Instance(id) => {
                Ok(Principal::Instance { account, id: id.clone() }.arn().to_string())
            }
            KeyOwner::Agent(name) => Ok(Arn::agent(account, name).to_string()),
        }
    }
}
