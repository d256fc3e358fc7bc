//! Accounts, users, host agents and long-term access keys.

use std::sync::Arc;

use super::{Decider, require};
use crate::domain::access::{Facts, Permission, Required, Resource, require_root};
use crate::domain::account_key::WrappedAccountKey;
use crate::domain::command::{AccessKeyAction, AccountAction, AgentAction, Command, UserAction};
use crate::domain::entity::TagOwner;
use crate::domain::event::{
    AccessKeyEvent, AccountEvent, AgentEvent, Event, EventKind, KeyOwner, PolicyOwner, UserEvent,
};
use crate::domain::quotas::{ACCESS_KEYS_PER_USER_MAX, Quota};
use crate::domain::rejection::Rejection;
use crate::domain::state::{State, User};
use crate::identity::{AccessKeyId, AccountAlias, AccountId, Path, UserName};

/// What the operator alone may do to an account that need not be their own.
pub(super) fn operators_permission(action: &AccountAction) -> Option<Permission> {
    match action {
        AccountAction::Disable => Some(Permission::DisableAccount),
        AccountAction::Enable => Some(Permission::EnableAccount),
        AccountAction::Delete => Some(Permission::DeleteAccount),
        AccountAction::SetQuota { quota: _, max: Some(_) } => Some(Permission::PutQuota),
        AccountAction::SetQuota { quota: _, max: None } => Some(Permission::DeleteQuota),
        AccountAction::SetAddressRanges { ranges: _ } => Some(Permission::PutAddressRanges),
        AccountAction::Create { .. }
        | AccountAction::RewrapKey { .. }
        | AccountAction::CreateAlias { .. }
        | AccountAction::DeleteAlias { .. } => None,
    }
}

/// The caller is of the operator account and has `permission` there.
pub(in crate::domain) fn require_operator(
    state: &State,
    command: &Command,
    permission: Permission,
) -> Result<(), Rejection> {
    let resource = Resource::operated_account(Some(command.account));
    let required = Required { permission, resource: &resource, facts: &Facts::default() };
    require(state, command, AccountId::OPERATOR, &required)
}

/// A new account with a key for its root.
pub(super) fn create(
    state: &State,
    command: &Command,
    name: &Arc<str>,
    key: &WrappedAccountKey,
    root_key: &AccessKeyId,
) -> Result<Vec<Event>, Rejection> {
    require_operator(state, command, Permission::CreateAccount)?;
    if state.account(command.account).is_some() || state.was_deleted(command.account) {
        return Err(Rejection::exists("account", command.account));
    }
    let created =
        EventKind::Account(AccountEvent::Created { name: name.clone(), key: key.clone() });
    let keyed = EventKind::AccessKey(AccessKeyEvent::Created {
        key: root_key.clone(),
        owner: KeyOwner::Root,
    });
    let event = |kind| Event { account: command.account, kind };
    Ok(vec![event(created), event(keyed)])
}

impl Decider<'_> {
    pub(super) fn account(&mut self, action: &AccountAction) -> Result<(), Rejection> {
        match action {
            // `decide` hands it over before it looks for an account.
            AccountAction::Create { .. } => Ok(()),
            AccountAction::Disable => self.set_enabled(false),
            AccountAction::Enable => self.set_enabled(true),
            AccountAction::Delete => self.delete_account(),
            AccountAction::SetQuota { quota, max } => self.set_quota(*quota, *max),
            AccountAction::SetAddressRanges { ranges } => self.set_address_ranges(ranges),
            AccountAction::RewrapKey { from, key } => self.rewrap_key(*from, key),
            AccountAction::CreateAlias { alias } => self.create_alias(alias),
            AccountAction::DeleteAlias { alias } => self.delete_alias(alias),
        }
    }

    fn set_enabled(&mut self, enabled: bool) -> Result<(), Rejection> {
        let (permission, kind) = if enabled {
            (Permission::EnableAccount, EventKind::Account(AccountEvent::Enabled))
        } else {
            (Permission::DisableAccount, EventKind::Account(AccountEvent::Disabled))
        };
        require_operator(self.state, self.command, permission)?;
        if self.command.account == AccountId::OPERATOR {
            let message = "the operator account cannot be disabled".to_owned();
            return Err(Rejection::IncorrectState(message));
        }
        if self.account.enabled != enabled {
            self.emit(kind);
        }
        Ok(())
    }

    /// An account has one alias at most, and a new one takes the place of the old.
    fn create_alias(&mut self, alias: &AccountAlias) -> Result<(), Rejection> {
        self.require(Permission::CreateAccountAlias, &Resource::everything())?;
        let taken = self.state.accounts().find(|account| account.alias.as_ref() == Some(alias));
        match taken {
            Some(account) if account.id == self.account.id => Ok(()),
            Some(_) => Err(Rejection::exists("account alias", alias)),
            None => {
                self.emit(EventKind::Account(AccountEvent::AliasCreated { alias: alias.clone() }));
                Ok(())
            }
        }
    }

    fn delete_alias(&mut self, alias: &AccountAlias) -> Result<(), Rejection> {
        self.require(Permission::DeleteAccountAlias, &Resource::everything())?;
        if self.account.alias.as_ref() != Some(alias) {
            return Err(Rejection::missing("account alias", alias));
        }
        self.emit(EventKind::Account(AccountEvent::AliasDeleted { alias: alias.clone() }));
        Ok(())
    }

    pub(super) fn users(&mut self, action: &UserAction) -> Result<(), Rejection> {
        match action {
            UserAction::Create { name, path, id, tags, boundary } => {
                let resource = Resource::new_user(self.account.id, path, name, tags);
                self.require_creation(Permission::CreateUser, Permission::TagUser, &resource)?;
                if self.account.user(name).is_some() {
                    return Err(Rejection::exists("user", name));
                }
                self.check_quota(Quota::Users, 1)?;
                let (name, path, id) = (name.clone(), path.clone(), id.clone());
                self.emit(EventKind::User(UserEvent::Created { name: name.clone(), path, id }));
                self.tag_created(TagOwner::User(name.clone()), tags)?;
                self.bound_created(PolicyOwner::User(name), boundary.as_ref())
            }
            UserAction::Update { name, new_name, new_path } => {
                self.update_user(name, new_name.as_ref(), new_path.as_ref())
            }
            UserAction::Delete { name } => self.delete_user(name),
        }
    }

    pub(super) fn access_keys(&mut self, action: &AccessKeyAction) -> Result<(), Rejection> {
        match action {
            AccessKeyAction::Create { owner, key } => self.create_key(owner, key),
            AccessKeyAction::Update { owner, key, active } => {
                self.owned_key(Permission::UpdateAccessKey, owner, key)?;
                self.emit(EventKind::AccessKey(AccessKeyEvent::StatusChanged {
                    key: key.clone(),
                    active: *active,
                }));
                Ok(())
            }
            AccessKeyAction::Delete { owner, key } => {
                self.owned_key(Permission::DeleteAccessKey, owner, key)?;
                self.emit(EventKind::AccessKey(AccessKeyEvent::Deleted { key: key.clone() }));
                Ok(())
            }
            AccessKeyAction::RecordUses { uses } => self.record_uses(uses),
        }
    }

    pub(super) fn agents(&mut self, action: &AgentAction) -> Result<(), Rejection> {
        match action {
            AgentAction::Create { name, id, key } => {
                let resource = Resource::new_agent(self.account.id, name);
                self.require(Permission::CreateAgent, &resource)?;
                if self.account.agent(name).is_some() {
                    return Err(Rejection::exists("agent", name));
                }
                self.check_quota(Quota::Agents, 1)?;
                self.emit(EventKind::Agent(AgentEvent::Created {
                    name: name.clone(),
                    id: id.clone(),
                }));
                let owner = KeyOwner::Agent(name.clone());
                self.emit(EventKind::AccessKey(AccessKeyEvent::Created {
                    key: key.clone(),
                    owner,
                }));
                Ok(())
            }
            AgentAction::Delete { name } => {
                let resource = Resource::agent(self.account, name);
                self.require(Permission::DeleteAgent, &resource)?;
                let agent =
                    self.account.agent(name).ok_or_else(|| Rejection::missing("agent", name))?;
                let name = agent.name.clone();
                self.emit(EventKind::Agent(AgentEvent::Deleted { name }));
                Ok(())
            }
        }
    }

    /// The user, if the caller has a permission on them. Who has not learns nothing of their existence.
    fn user(&self, permission: Permission, name: &UserName) -> Result<Arc<User>, Rejection> {
        self.require(permission, &Resource::user(self.account, name))?;
        self.account.user(name).cloned().ok_or_else(|| Rejection::missing("user", name))
    }

    fn delete_user(&mut self, name: &UserName) -> Result<(), Rejection> {
        let user = self.user(Permission::DeleteUser, name)?;
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
        self.emit(EventKind::User(UserEvent::Deleted { name: user.name.clone() }));
        Ok(())
    }

    /// Who renames needs the permission for the old ARN and for the new one, with the tags that stay.
    fn update_user(
        &mut self,
        name: &UserName,
        new_name: Option<&UserName>,
        new_path: Option<&Path>,
    ) -> Result<(), Rejection> {
        let user = self.user(Permission::UpdateUser, name)?;
        let new_name = new_name.unwrap_or(&user.name).clone();
        let path = new_path.unwrap_or(&user.path).clone();
        let renamed = Resource::new_user(self.account.id, &path, &new_name, &user.tags);
        self.require(Permission::UpdateUser, &renamed)?;
        let taken = self.account.user(&new_name);
        if taken.is_some_and(|taken| taken.id != user.id) {
            return Err(Rejection::exists("user", new_name));
        }
        if (&new_name, &path) != (&user.name, &user.path) {
            let name = user.name.clone();
            self.emit(EventKind::User(UserEvent::Updated { name, new_name, path }));
        }
        Ok(())
    }

    fn create_key(&mut self, owner: &KeyOwner, key: &AccessKeyId) -> Result<(), Rejection> {
        let owner = self.require_on_owner(Permission::CreateAccessKey, owner)?;
        let owned = self.account.keys_of(&owner).count();
        if owned >= ACCESS_KEYS_PER_USER_MAX {
            let (quota, max) = ("AccessKeysPerUser", ACCESS_KEYS_PER_USER_MAX);
            return Err(Rejection::LimitExceeded { quota, max });
        }
        self.emit(EventKind::AccessKey(AccessKeyEvent::Created { key: key.clone(), owner }));
        Ok(())
    }

    fn owned_key(
        &self,
        permission: Permission,
        owner: &KeyOwner,
        key: &AccessKeyId,
    ) -> Result<(), Rejection> {
        let owner = self.require_on_owner(permission, owner)?;
        let found = self.account.access_keys.get(key).filter(|key| key.owner == owner);
        found.map(drop).ok_or_else(|| Rejection::missing("access key", key))
    }

    /// The owner of keys and devices as the account spells it, if the caller has a permission on it and it is there.
    pub(super) fn require_on_owner(
        &self,
        permission: Permission,
        owner: &KeyOwner,
    ) -> Result<KeyOwner, Rejection> {
        self.require(permission, &Resource::key_owner(self.account, owner))?;
        require_root(&self.command.caller, self.account.id, permission, owner)?;
        match owner {
            KeyOwner::User(name) => {
                let user = self.account.user(name);
                let user = user.ok_or_else(|| Rejection::missing("user", name))?;
                Ok(KeyOwner::User(user.name.clone()))
            }
            KeyOwner::Agent(name) => {
                let agent =
                    self.account.agent(name).ok_or_else(|| Rejection::missing("agent", name))?;
                Ok(KeyOwner::Agent(agent.name.clone()))
            }
            KeyOwner::Root | KeyOwner::Instance(_) => Ok(owner.clone()),
        }
    }
}
