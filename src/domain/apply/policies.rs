//! Policies, inline and managed with their versions, attachments and boundaries; and tags.

use std::sync::Arc;

use imbl::OrdMap;

use crate::clock::Timestamp;
use crate::domain::entity::{PolicyRef, TagOwner};
use crate::domain::event::{PolicyEvent, PolicyOwner, TagEvent};
use crate::domain::state::{
    Account, ManagedPolicy, Permissions, PolicyUses, PolicyVersion, key_of,
};
use crate::domain::tags::Tags;
use crate::identity::PolicyName;

impl Account {
    fn permissions_mut(&mut self, owner: &PolicyOwner) -> Option<&mut Permissions> {
        match owner {
            PolicyOwner::User(name) => {
                let user = self.users.get_mut(&*key_of(name.as_str()))?;
                Some(&mut Arc::make_mut(user).permissions)
            }
            PolicyOwner::Role(name) => {
                let role = self.roles.get_mut(&*key_of(name.as_str()))?;
                Some(&mut Arc::make_mut(role).permissions)
            }
            PolicyOwner::Group(name) => {
                let group = self.groups.get_mut(&*key_of(name.as_str()))?;
                Some(&mut Arc::make_mut(group).permissions)
            }
        }
    }

    /// The key of a managed policy that is there.
    fn managed_key(&self, policy: &PolicyRef) -> Option<Box<str>> {
        let key = policy.key();
        self.managed(&key).map(|_| key)
    }

    fn count(&mut self, key: &str, change: impl FnOnce(&mut PolicyUses)) {
        let mut uses = self.policy_uses.get(key).copied().unwrap_or_default();
        change(&mut uses);
        if uses == PolicyUses::default() {
            self.policy_uses.remove(key);
        } else {
            self.policy_uses.insert(Box::from(key), uses);
        }
    }

    fn policy_mut(&mut self, name: &PolicyName) -> Option<&mut ManagedPolicy> {
        Some(Arc::make_mut(self.policies.get_mut(&*key_of(name.as_str()))?))
    }

    pub(super) fn apply_policy(&mut self, time: Timestamp, event: &PolicyEvent) -> Option<()> {
        match event {
            PolicyEvent::InlinePut { owner, name, policy } => {
                self.permissions_mut(owner)?.inline.insert(name.clone(), policy.clone());
            }
            PolicyEvent::InlineDeleted { owner, name } => {
                self.permissions_mut(owner)?.inline.remove(name)?;
            }
            PolicyEvent::Created { name, path, id, description, policy } => {
                let first = PolicyVersion { created_at: time, policy: policy.clone() };
                let managed = ManagedPolicy {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    description: description.clone(),
                    created_at: time,
                    version: 1,
                    policy: policy.clone(),
                    versions: OrdMap::unit(1, first),
                    last_version: 1,
                    tags: Tags::default(),
                    aws: false,
                };
                self.policies.insert(key_of(name.as_str()), Arc::new(managed));
            }
            PolicyEvent::VersionCreated { name, version, policy, default } => {
                let managed = self.policy_mut(name)?;
                let made = PolicyVersion { created_at: time, policy: policy.clone() };
                managed.versions.insert(*version, made);
                managed.last_version = managed.last_version.max(*version);
                if *default {
                    managed.version = *version;
                    managed.policy = policy.clone();
                }
            }
            PolicyEvent::Deleted { name } => {
                self.policies.remove(&*key_of(name.as_str()))?;
            }
            PolicyEvent::DefaultVersionSet { policy, version } => {
                let managed = self.policy_mut(policy)?;
                managed.policy = managed.versions.get(version)?.policy.clone();
                managed.version = *version;
            }
            PolicyEvent::VersionDeleted { policy, version } => {
                self.policy_mut(policy)?.versions.remove(version)?;
            }
            PolicyEvent::Attached { owner, policy } => self.attach(owner, policy)?,
            PolicyEvent::Detached { owner, policy } => self.detach(owner, policy)?,
            PolicyEvent::BoundaryPut { owner, policy } => self.put_boundary(owner, policy)?,
            PolicyEvent::BoundaryDeleted { owner } => {
                let before = self.permissions_mut(owner)?.boundary.take()?;
                self.uncount_boundary(&before);
            }
        }
        Some(())
    }

    fn attach(&mut self, owner: &PolicyOwner, policy: &PolicyRef) -> Option<()> {
        let key = self.managed_key(policy)?;
        if self.permissions_mut(owner)?.attached.insert(key.clone()).is_none() {
            self.count(&key, |uses| uses.attachments += 1);
        }
        Some(())
    }

    fn detach(&mut self, owner: &PolicyOwner, policy: &PolicyRef) -> Option<()> {
        let key = self.managed_key(policy)?;
        self.permissions_mut(owner)?.attached.remove(&*key)?;
        self.count(&key, |uses| uses.attachments = uses.attachments.saturating_sub(1));
        Some(())
    }

    fn put_boundary(&mut self, owner: &PolicyOwner, policy: &PolicyRef) -> Option<()> {
        let key = self.managed_key(policy)?;
        let before = self.permissions_mut(owner)?.boundary.replace(key.clone());
        self.count(&key, |uses| uses.boundaries += 1);
        if let Some(before) = before {
            self.uncount_boundary(&before);
        }
        Some(())
    }

    fn uncount_boundary(&mut self, key: &str) {
        self.count(key, |uses| uses.boundaries = uses.boundaries.saturating_sub(1));
    }

    /// A user or role that goes leaves its boundary.
    pub(super) fn leave_boundary(&mut self, boundary: Option<&str>) {
        if let Some(key) = boundary {
            self.uncount_boundary(key);
        }
    }

    pub(super) fn apply_tag(&mut self, event: &TagEvent) -> Option<()> {
        match event {
            TagEvent::Tagged { owner, tags } => self.tags_mut(owner)?.extend(tags),
            TagEvent::Untagged { owner, keys } => {
                let tags = self.tags_mut(owner)?;
                keys.iter().for_each(|key| tags.remove(key));
            }
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
}
