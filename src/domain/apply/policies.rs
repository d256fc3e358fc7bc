//! Policies: inline, managed with their versions, attachments and boundaries.

use std::sync::Arc;

use imbl::OrdMap;

use crate::clock::Timestamp;
use crate::domain::entity::PolicyRef;
use crate::domain::event::{EventKind, PolicyOwner};
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

    pub(super) fn policy_mut(&mut self, name: &PolicyName) -> Option<&mut ManagedPolicy> {
        Some(Arc::make_mut(self.policies.get_mut(&*key_of(name.as_str()))?))
    }

    pub(super) fn apply_policy(&mut self, time: Timestamp, kind: &EventKind) -> Option<()> {
        match kind {
            EventKind::InlinePolicyPut { owner, name, policy } => {
                self.permissions_mut(owner)?.inline.insert(name.clone(), policy.clone());
            }
            EventKind::InlinePolicyDeleted { owner, name } => {
                self.permissions_mut(owner)?.inline.remove(name)?;
            }
            EventKind::PolicyCreated { name, path, id, description, policy } => {
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
            EventKind::PolicyVersionCreated { name, version, policy, default } => {
                let managed = self.policy_mut(name)?;
                let made = PolicyVersion { created_at: time, policy: policy.clone() };
                managed.versions.insert(*version, made);
                managed.last_version = managed.last_version.max(*version);
                if *default {
                    managed.version = *version;
                    managed.policy = policy.clone();
                }
            }
            EventKind::PolicyDeleted { name } => {
                self.policies.remove(&*key_of(name.as_str()))?;
            }
            attachment => return self.apply_attachment(attachment),
        }
        Some(())
    }

    fn apply_attachment(&mut self, kind: &EventKind) -> Option<()> {
        match kind {
            EventKind::PolicyAttached { owner, policy } => {
                let key = self.managed_key(policy)?;
                if self.permissions_mut(owner)?.attached.insert(key.clone()).is_none() {
                    self.count(&key, |uses| uses.attachments += 1);
                }
            }
            EventKind::PolicyDetached { owner, policy } => {
                let key = self.managed_key(policy)?;
                self.permissions_mut(owner)?.attached.remove(&*key)?;
                self.count(&key, |uses| uses.attachments = uses.attachments.saturating_sub(1));
            }
            EventKind::BoundaryPut { owner, policy } => {
                let key = self.managed_key(policy)?;
                let before = self.permissions_mut(owner)?.boundary.replace(key.clone());
                self.count(&key, |uses| uses.boundaries += 1);
                if let Some(before) = before {
                    self.uncount_boundary(&before);
                }
            }
            EventKind::BoundaryDeleted { owner } => {
                let before = self.permissions_mut(owner)?.boundary.take()?;
                self.uncount_boundary(&before);
            }
            _ => {}
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
}
