//! Users, groups, host agents and access keys.

use std::sync::Arc;

use imbl::OrdSet;

use crate::clock::Timestamp;
use crate::domain::event::{AccessKeyEvent, AgentEvent, GroupEvent, KeyOwner, UserEvent};
use crate::domain::last_use::CredentialUse;
use crate::domain::state::{AccessKey, Account, Agent, Group, Permissions, State, User, key_of};
use crate::domain::tags::Tags;
use crate::identity::{AccountId, AgentName, GroupName, Path, UserName};

impl State {
    pub(super) fn apply_user(
        &mut self,
        time: Timestamp,
        id: AccountId,
        event: &UserEvent,
    ) -> Option<()> {
        match event {
            UserEvent::Updated { name, new_name, .. } => {
                self.rename_key_owner(id, name, new_name)?
            }
            UserEvent::Created { .. } | UserEvent::Deleted { .. } => {}
        }
        self.changed(time, id)?.apply_user(time, event)
    }

    pub(super) fn apply_access_key(
        &mut self,
        time: Timestamp,
        id: AccountId,
        event: &AccessKeyEvent,
    ) -> Option<()> {
        match event {
            AccessKeyEvent::Created { key, owner: KeyOwner::Instance(instance) } => {
                self.directory.add_key(id, instance, key)?;
            }
            AccessKeyEvent::Created { key, owner } => {
                self.keys.insert(key.clone(), (id, owner.clone()));
            }
            AccessKeyEvent::Deleted { key } => {
                self.keys.remove(key);
            }
            AccessKeyEvent::Used { uses } => self.apply_instance_uses(id, uses),
            AccessKeyEvent::StatusChanged { .. } => {}
        }
        self.changed(time, id)?.apply_access_key(time, event)
    }

    pub(super) fn apply_agent(
        &mut self,
        time: Timestamp,
        id: AccountId,
        event: &AgentEvent,
    ) -> Option<()> {
        match event {
            AgentEvent::Deleted { name } => self.forget_keys(id, name),
            AgentEvent::Created { .. } => {}
        }
        self.changed(time, id)?.apply_agent(time, event)
    }

    /// Drops the keys of an agent that ends.
    fn forget_keys(&mut self, account: AccountId, agent: &AgentName) {
        let Some(account) = self.accounts.get_mut(&account) else { return };
        let account = Arc::make_mut(account);
        let owner = &KeyOwner::Agent(agent.clone());
        let keys: Vec<_> = account.keys_of(owner).map(|(id, _)| id.clone()).collect();
        for key in keys {
            account.access_keys.remove(&key);
            account.keys_by_owner.remove(&(owner.clone(), key.clone()));
            self.keys.remove(&key);
        }
    }

    /// Instances' own keys are in no account's map.
    fn apply_instance_uses(&mut self, account: AccountId, uses: &[CredentialUse]) {
        for used in uses {
            let key = used.key.as_ref().filter(|key| !key.is_temporary());
            let Some((home, id)) = key.and_then(|key| self.directory.key(key)) else { continue };
            if let Some(found) = self.accounts.get_mut(&account).filter(|_| home == account) {
                Arc::make_mut(found).instances.use_key(id, &used.last);
            }
        }
    }

    /// Has the keys and MFA devices of a user name the user anew.
    fn rename_key_owner(
        &mut self,
        account: AccountId,
        name: &UserName,
        new_name: &UserName,
    ) -> Option<()> {
        let (old, new) = (KeyOwner::User(name.clone()), KeyOwner::User(new_name.clone()));
        let account = Arc::make_mut(self.accounts.get_mut(&account)?);
        let keys: Vec<_> = account.keys_of(&old).map(|(id, _)| id.clone()).collect();
        for key in keys {
            account.keys_by_owner.remove(&(old.clone(), key.clone()));
            account.keys_by_owner.insert((new.clone(), key.clone()));
            account.access_keys.get_mut(&key)?.owner = new.clone();
            self.keys.get_mut(&key)?.1 = new.clone();
        }
        let devices: Vec<_> =
            account.mfa_devices_of(&old).map(|device| device.name.clone()).collect();
        for name in devices {
            let device = account.mfa_devices.get_mut(&*key_of(name.as_str()))?;
            Arc::make_mut(device).owner = Some(new.clone());
        }
        Some(())
    }
}

impl Account {
    fn apply_user(&mut self, time: Timestamp, event: &UserEvent) -> Option<()> {
        match event {
            UserEvent::Created { name, path, id } => {
                let user = User {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    created_at: time,
                    permissions: Permissions::default(),
                    tags: Tags::default(),
                    groups: OrdSet::new(),
                };
                self.users_by_id.insert(id.clone(), key_of(name.as_str()));
                self.users.insert(key_of(name.as_str()), Arc::new(user));
            }
            UserEvent::Updated { name, new_name, path } => {
                return self.update_user(name, new_name, path);
            }
            UserEvent::Deleted { name } => {
                let user = self.users.remove(&*key_of(name.as_str()))?;
                self.users_by_id.remove(&user.id);
                self.leave_boundary(user.permissions.boundary.as_deref());
            }
        }
        Some(())
    }

    fn apply_access_key(&mut self, time: Timestamp, event: &AccessKeyEvent) -> Option<()> {
        match event {
            AccessKeyEvent::Created { key, owner } => {
                if let KeyOwner::Instance(id) = owner {
                    return self.instances.set_identity_key(id, key);
                }
                let access_key = AccessKey {
                    owner: owner.clone(),
                    active: true,
                    created_at: time,
                    last_use: None,
                };
                self.access_keys.insert(key.clone(), access_key);
                self.keys_by_owner.insert((owner.clone(), key.clone()));
            }
            AccessKeyEvent::StatusChanged { key, active } => {
                self.access_keys.get_mut(key)?.active = *active;
            }
            AccessKeyEvent::Deleted { key } => {
                let access_key = self.access_keys.remove(key)?;
                self.keys_by_owner.remove(&(access_key.owner, key.clone()));
            }
            AccessKeyEvent::Used { uses } => self.apply_uses(uses),
        }
        Some(())
    }

    fn apply_agent(&mut self, time: Timestamp, event: &AgentEvent) -> Option<()> {
        match event {
            AgentEvent::Created { name, id } => {
                let agent = Agent { name: name.clone(), id: id.clone(), created_at: time };
                self.agents.insert(key_of(name.as_str()), Arc::new(agent));
            }
            AgentEvent::Deleted { name } => {
                self.agents.remove(&*key_of(name.as_str()))?;
            }
        }
        Some(())
    }

    pub(super) fn apply_group(&mut self, time: Timestamp, event: &GroupEvent) -> Option<()> {
        match event {
            GroupEvent::Created { name, path, id } => {
                let group = Group {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    created_at: time,
                    permissions: Permissions::default(),
                    members: OrdSet::new(),
                };
                self.groups.insert(key_of(name.as_str()), Arc::new(group));
            }
            GroupEvent::Deleted { name } => {
                self.groups.remove(&*key_of(name.as_str()))?;
            }
            GroupEvent::UserAdded { group, user } => {
                let (group, user) = (key_of(group.as_str()), key_of(user.as_str()));
                Arc::make_mut(self.groups.get_mut(&group)?).members.insert(user.clone());
                Arc::make_mut(self.users.get_mut(&user)?).groups.insert(group);
            }
            GroupEvent::UserRemoved { group, user } => {
                let (group, user) = (key_of(group.as_str()), key_of(user.as_str()));
                Arc::make_mut(self.groups.get_mut(&group)?).members.remove(&user)?;
                Arc::make_mut(self.users.get_mut(&user)?).groups.remove(&group)?;
            }
            GroupEvent::Updated { name, new_name, path } => {
                return self.update_group(name, new_name, path);
            }
        }
        Some(())
    }

    fn update_user(&mut self, name: &UserName, new_name: &UserName, path: &Path) -> Option<()> {
        let (old, new) = (key_of(name.as_str()), key_of(new_name.as_str()));
        let mut user = self.users.remove(&old)?;
        let changed = Arc::make_mut(&mut user);
        changed.name = new_name.clone();
        changed.path = path.clone();
        for group in &user.groups {
            let members = &mut Arc::make_mut(self.groups.get_mut(group)?).members;
            members.remove(&old)?;
            members.insert(new.clone());
        }
        self.users_by_id.insert(user.id.clone(), new.clone());
        self.users.insert(new, user);
        Some(())
    }

    fn update_group(&mut self, name: &GroupName, new_name: &GroupName, path: &Path) -> Option<()> {
        let (old, new) = (key_of(name.as_str()), key_of(new_name.as_str()));
        let mut group = self.groups.remove(&old)?;
        let changed = Arc::make_mut(&mut group);
        changed.name = new_name.clone();
        changed.path = path.clone();
        for user in &group.members {
            let groups = &mut Arc::make_mut(self.users.get_mut(user)?).groups;
            groups.remove(&old)?;
            groups.insert(new.clone());
        }
        self.groups.insert(new, group);
        Some(())
    }
}
