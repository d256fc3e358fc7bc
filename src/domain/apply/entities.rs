//! Tags, new names, versions of policies, service-linked roles and the account's alias.

use std::sync::Arc;

use crate::domain::entity::{EntityEvent, TagOwner};
use crate::domain::event::KeyOwner;
use crate::domain::state::{Account, DELETION_TASKS_MAX, State, key_of};
use crate::domain::tags::Tags;
use crate::identity::{AccountId, GroupName, Path, UserName};

impl State {
    /// Has the keys and MFA devices of a user name the user anew.
    pub(super) fn rename_key_owner(
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
    pub(super) fn apply_entity(&mut self, event: &EntityEvent) -> Option<()> {
        match event {
            EntityEvent::Tagged { owner, tags } => self.tags_mut(owner)?.extend(tags),
            EntityEvent::Untagged { owner, keys } => {
                let tags = self.tags_mut(owner)?;
                keys.iter().for_each(|key| tags.remove(key));
            }
            EntityEvent::UserUpdated { name, new_name, path } => {
                return self.update_user(name, new_name, path);
            }
            EntityEvent::GroupUpdated { name, new_name, path } => {
                return self.update_group(name, new_name, path);
            }
            EntityEvent::DefaultPolicyVersionSet { policy, version } => {
                let managed = self.policy_mut(policy)?;
                managed.policy = managed.versions.get(version)?.policy.clone();
                managed.version = *version;
            }
            EntityEvent::PolicyVersionDeleted { policy, version } => {
                self.policy_mut(policy)?.versions.remove(version)?;
            }
            EntityEvent::RoleDeletionCompleted { task } => {
                self.deletion_tasks.push_back(task.clone());
                while self.deletion_tasks.len() > DELETION_TASKS_MAX {
                    self.deletion_tasks.pop_front();
                }
            }
            EntityEvent::AccountAliasCreated { alias } => self.alias = Some(alias.clone()),
            EntityEvent::AccountAliasDeleted { .. } => self.alias = None,
        }
        Some(())
    }

    fn tags_mut(&mut self, owner: &TagOwner) -> Option<&mut Tags> {
        match owner {
            TagOwner::User(name) => {
                let user = self.users.get_mut(&*key_of(name.as_str()))?;
                Some(&mut Arc::make_mut(user).tags)
            }
            TagOwner::Role(name) => {
                let role = self.roles.get_mut(&*key_of(name.as_str()))?;
                Some(&mut Arc::make_mut(role).tags)
            }
            TagOwner::Policy(name) => Some(&mut self.policy_mut(name)?.tags),
            TagOwner::Profile(name) => {
                let profile = self.profiles.get_mut(&*key_of(name.as_str()))?;
                Some(&mut Arc::make_mut(profile).tags)
            }
            TagOwner::MfaDevice(name) => {
                let device = self.mfa_devices.get_mut(&*key_of(name.as_str()))?;
                Some(&mut Arc::make_mut(device).tags)
            }
            TagOwner::OidcProvider(issuer) => {
                let provider = self.oidc_providers.get_mut(issuer.without_scheme())?;
                Some(&mut Arc::make_mut(provider).tags)
            }
        }
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
