//! Applying facts: the only way state changes. It cannot fail and holds no rule; what a fact names must
//! be there, or the history is not one that `decide` wrote, and the caller is told which fact it was.

mod entities;
mod instances;
mod policies;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};

use super::account_key::WrappedAccountKey;
use super::entity::EntityEvent;
use super::event::{Event, EventKind, Fact, Idempotency, KeyOwner};
use super::fleet::Fleet;
use super::revocation::Revocations;
use super::rotation::RotationEvent;
use super::state::{
    AccessKey, Account, Agent, Group, IDEMPOTENCY_TOKENS_MAX, IDEMPOTENCY_WINDOW, Permissions,
    Profile, Remembered, Role, State, User, key_of,
};
use super::tags::Tags;
use crate::clock::Timestamp;
use crate::identity::AccountId;

/// A fact that names what is not there: the log holds a history that no decision made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {kind} of account {account} makes no sense in its history")]
pub struct Nonsense {
    /// The event's kind.
    pub kind: &'static str,
    /// The event's account.
    pub account: crate::identity::AccountId,
}

impl State {
    /// Makes `fact`, record `sequence` of the log, true.
    ///
    /// # Errors
    /// The fact contradicts the state; the state is then to be thrown away.
    pub fn apply(&mut self, sequence: u64, fact: &Fact) -> Result<(), Nonsense> {
        for event in &fact.events {
            self.apply_event(fact.time, event)
                .ok_or(Nonsense { kind: event.kind.name(), account: event.account })?;
        }
        if let Some(idempotency) = &fact.idempotency
            && let Some(account) = self.accounts.get_mut(&idempotency.account)
        {
            Arc::make_mut(account).remember(sequence, fact.time, idempotency);
        }
        Ok(())
    }

    fn apply_event(&mut self, time: Timestamp, event: &Event) -> Option<()> {
        match &event.kind {
            EventKind::AccountCreated { name, key } => {
                let account = Account::empty(event.account, name, key, time);
                let before = self.accounts.insert(event.account, Arc::new(account));
                return before.is_none().then_some(());
            }
            // Changes nothing that a decision reads.
            EventKind::SessionIssued { .. }
            | EventKind::KeyringRotated { .. }
            | EventKind::KeyringVersionRetired { .. } => return Some(()),
            EventKind::AccountDeleted => {
                self.delete_account(event.account);
                return Some(());
            }
            EventKind::DocumentKeyCreated { key } => {
                self.document_key = Some(key.clone());
                return Some(());
            }
            EventKind::GuardrailPut { guardrail, policy } => {
                let scope = (guardrail.kind, guardrail.target);
                let named = self.guardrails.entry(scope).or_default();
                named.insert(guardrail.name.clone(), policy.clone());
                return Some(());
            }
            EventKind::GuardrailDeleted { guardrail } => {
                let scope = (guardrail.kind, guardrail.target);
                let named = self.guardrails.get_mut(&scope)?;
                named.remove(&guardrail.name)?;
                if named.is_empty() {
                    self.guardrails.remove(&scope);
                }
                return Some(());
            }
            EventKind::AccessKeyCreated { key, owner: KeyOwner::Instance(id) } => {
                self.directory.add_key(event.account, id, key)?;
            }
            EventKind::AccessKeyCreated { key, owner } => {
                self.keys.insert(key.clone(), (event.account, owner.clone()));
            }
            EventKind::AccessKeyDeleted { key } => {
                self.keys.remove(key);
            }
            EventKind::Entity(EntityEvent::UserUpdated { name, new_name, .. }) => {
                self.rename_key_owner(event.account, name, new_name)?;
            }
            EventKind::InstanceLaunched { id, private_ip, .. } => {
                self.directory.launch(event.account, id, *private_ip);
            }
            EventKind::InstanceTerminated { id } => {
                let account = self.accounts.get(&event.account)?;
                self.directory.terminate(account, id.into())?;
            }
            EventKind::AddressRangesSet { ranges } => {
                self.address_owners.take(&self.accounts.get(&event.account)?.address_ranges);
                self.address_owners.give(event.account, ranges);
            }
            EventKind::CredentialsUsed { uses } => self.apply_instance_uses(event.account, uses),
            EventKind::Rotation(RotationEvent::Demanded { everywhere: true, before }) => {
                self.renew_before = self.renew_before.max(*before);
                return Some(());
            }
            EventKind::AgentDeleted { name } => {
                self.forget_keys(event, &KeyOwner::Agent(name.clone()));
            }
            _ => {}
        }
        Arc::make_mut(self.accounts.get_mut(&event.account)?).apply(time, &event.kind)
    }

    /// Drops the keys of an agent that ends.
    fn forget_keys(&mut self, event: &Event, owner: &KeyOwner) {
        let Some(account) = self.accounts.get_mut(&event.account) else { return };
        let account = Arc::make_mut(account);
        let keys: Vec<_> = account.keys_of(owner).map(|(id, _)| id.clone()).collect();
        for key in keys {
            account.access_keys.remove(&key);
            account.keys_by_owner.remove(&(owner.clone(), key.clone()));
            self.keys.remove(&key);
        }
    }
}

impl Account {
    /// An account that has nothing yet.
    fn empty(id: AccountId, name: &Arc<str>, key: &WrappedAccountKey, time: Timestamp) -> Self {
        Self {
            id,
            name: name.clone(),
            created_at: time,
            enabled: true,
            quotas: OrdMap::new(),
            address_ranges: Arc::from([]),
            key: key.clone(),
            users: OrdMap::new(),
            users_by_id: OrdMap::new(),
            groups: OrdMap::new(),
            roles: OrdMap::new(),
            policies: OrdMap::new(),
            policy_uses: OrdMap::new(),
            profiles: OrdMap::new(),
            agents: OrdMap::new(),
            mfa_devices: OrdMap::new(),
            oidc_providers: OrdMap::new(),
            access_keys: OrdMap::new(),
            keys_by_owner: OrdSet::new(),
            instances: Fleet::default(),
            pace: None,
            renew_before: Timestamp::EPOCH,
            revocations: Revocations::default(),
            alias: None,
            deletion_tasks: Vector::new(),
            idempotency: OrdMap::new(),
            idempotency_by_age: OrdSet::new(),
        }
    }

    fn apply(&mut self, time: Timestamp, kind: &EventKind) -> Option<()> {
        self.revocations.forget(time);
        match kind {
            EventKind::AccountDisabled => self.enabled = false,
            EventKind::AccountEnabled => self.enabled = true,
            EventKind::AddressRangesSet { ranges } => self.address_ranges = ranges.clone(),
            EventKind::QuotaSet { quota, max } => {
                match max {
                    Some(max) => self.quotas.insert(*quota, *max),
                    None => self.quotas.remove(quota),
                };
            }
            EventKind::UserCreated { .. }
            | EventKind::UserDeleted { .. }
            | EventKind::AccessKeyCreated { .. }
            | EventKind::AccessKeyStatusChanged { .. }
            | EventKind::AccessKeyDeleted { .. }
            | EventKind::AgentCreated { .. }
            | EventKind::AgentDeleted { .. } => return self.apply_key_holder(time, kind),
            EventKind::GroupCreated { .. }
            | EventKind::GroupDeleted { .. }
            | EventKind::UserAddedToGroup { .. }
            | EventKind::UserRemovedFromGroup { .. } => return self.apply_group(time, kind),
            EventKind::RoleCreated { .. }
            | EventKind::RoleUpdated { .. }
            | EventKind::TrustPolicyChanged { .. }
            | EventKind::RoleDeleted { .. } => return self.apply_role(time, kind),
            EventKind::InlinePolicyPut { .. }
            | EventKind::InlinePolicyDeleted { .. }
            | EventKind::PolicyCreated { .. }
            | EventKind::PolicyVersionCreated { .. }
            | EventKind::PolicyDeleted { .. }
            | EventKind::PolicyAttached { .. }
            | EventKind::PolicyDetached { .. }
            | EventKind::BoundaryPut { .. }
            | EventKind::BoundaryDeleted { .. } => return self.apply_policy(time, kind),
            EventKind::Entity(event) => return self.apply_entity(event),
            EventKind::ProfileCreated { .. }
            | EventKind::ProfileDeleted { .. }
            | EventKind::ProfileRoleAdded { .. }
            | EventKind::ProfileRoleRemoved { .. } => return self.apply_profile(time, kind),
            EventKind::InstanceLaunched { .. }
            | EventKind::InstanceTerminated { .. }
            | EventKind::MetadataOptionsChanged { .. }
            | EventKind::MetadataUsed { .. }
            | EventKind::ProfileAssociated { .. }
            | EventKind::ProfileDisassociated { .. }
            | EventKind::CredentialsRotated { .. }
            | EventKind::CredentialsRefused { .. }
            | EventKind::InstancesRetold { .. } => return self.apply_instance(time, kind),
            EventKind::Rotation(event) => return self.apply_rotation(event),
            EventKind::CredentialsUsed { uses } => self.apply_uses(uses),
            EventKind::SessionsRevoked { scope, before, chained, until } => {
                self.revocations.add(scope, *before, *chained, *until);
            }
            EventKind::AccountKeyRewrapped { key } => self.key = key.clone(),
            EventKind::Mfa(event) => return self.apply_mfa(time, event),
            EventKind::Oidc(event) => return self.apply_oidc(time, event),
            EventKind::AccountCreated { .. }
            | EventKind::AccountDeleted
            | EventKind::KeyringRotated { .. }
            | EventKind::KeyringVersionRetired { .. }
            | EventKind::SessionIssued { .. }
            | EventKind::DocumentKeyCreated { .. }
            | EventKind::GuardrailPut { .. }
            | EventKind::GuardrailDeleted { .. } => {}
        }
        Some(())
    }

    fn apply_key_holder(&mut self, time: Timestamp, kind: &EventKind) -> Option<()> {
        match kind {
            EventKind::UserCreated { name, path, id } => {
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
            EventKind::UserDeleted { name } => {
                let user = self.users.remove(&*key_of(name.as_str()))?;
                self.users_by_id.remove(&user.id);
                self.leave_boundary(user.permissions.boundary.as_deref());
            }
            EventKind::AccessKeyCreated { key, owner } => {
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
            EventKind::AccessKeyStatusChanged { key, active } => {
                self.access_keys.get_mut(key)?.active = *active;
            }
            EventKind::AccessKeyDeleted { key } => {
                let access_key = self.access_keys.remove(key)?;
                self.keys_by_owner.remove(&(access_key.owner, key.clone()));
            }
            EventKind::AgentCreated { name, id } => {
                let agent = Agent { name: name.clone(), id: id.clone(), created_at: time };
                self.agents.insert(key_of(name.as_str()), Arc::new(agent));
            }
            EventKind::AgentDeleted { name } => {
                self.agents.remove(&*key_of(name.as_str()))?;
            }
            _ => {}
        }
        Some(())
    }

    fn apply_group(&mut self, time: Timestamp, kind: &EventKind) -> Option<()> {
        match kind {
            EventKind::GroupCreated { name, path, id } => {
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
            EventKind::GroupDeleted { name } => {
                self.groups.remove(&*key_of(name.as_str()))?;
            }
            EventKind::UserAddedToGroup { group, user } => {
                let (group, user) = (key_of(group.as_str()), key_of(user.as_str()));
                Arc::make_mut(self.groups.get_mut(&group)?).members.insert(user.clone());
                Arc::make_mut(self.users.get_mut(&user)?).groups.insert(group);
            }
            EventKind::UserRemovedFromGroup { group, user } => {
                let (group, user) = (key_of(group.as_str()), key_of(user.as_str()));
                Arc::make_mut(self.groups.get_mut(&group)?).members.remove(&user)?;
                Arc::make_mut(self.users.get_mut(&user)?).groups.remove(&group)?;
            }
            _ => {}
        }
        Some(())
    }

    fn apply_role(&mut self, time: Timestamp, kind: &EventKind) -> Option<()> {
        match kind {
            EventKind::RoleCreated { name, path, id, description, max_session, trust } => {
                let role = Role {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    description: description.clone(),
                    max_session: *max_session,
                    created_at: time,
                    trust: trust.clone(),
                    permissions: Permissions::default(),
                    last_use: None,
                    tags: Tags::default(),
                };
                self.roles.insert(key_of(name.as_str()), Arc::new(role));
            }
            EventKind::RoleUpdated { name, description, max_session } => {
                let role = Arc::make_mut(self.roles.get_mut(&*key_of(name.as_str()))?);
                role.description = description.clone();
                role.max_session = *max_session;
            }
            EventKind::TrustPolicyChanged { role, trust } => {
                let role = Arc::make_mut(self.roles.get_mut(&*key_of(role.as_str()))?);
                role.trust = trust.clone();
            }
            EventKind::RoleDeleted { name } => {
                let role = self.roles.remove(&*key_of(name.as_str()))?;
                self.leave_boundary(role.permissions.boundary.as_deref());
            }
            _ => {}
        }
        Some(())
    }

    fn apply_profile(&mut self, time: Timestamp, kind: &EventKind) -> Option<()> {
        match kind {
            EventKind::ProfileCreated { name, path, id } => {
                let profile = Profile {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    created_at: time,
                    role: None,
                    tags: Tags::default(),
                };
                self.profiles.insert(key_of(name.as_str()), Arc::new(profile));
            }
            EventKind::ProfileDeleted { name } => {
                self.profiles.remove(&*key_of(name.as_str()))?;
            }
            EventKind::ProfileRoleAdded { profile, role } => {
                let profile = self.profiles.get_mut(&*key_of(profile.as_str()))?;
                Arc::make_mut(profile).role = Some(role.clone());
            }
            EventKind::ProfileRoleRemoved { profile, .. } => {
                let profile = self.profiles.get_mut(&*key_of(profile.as_str()))?;
                Arc::make_mut(profile).role = None;
            }
            _ => {}
        }
        Some(())
    }

    /// Keeps a token and drops those past the window or over the count.
    fn remember(&mut self, sequence: u64, time: Timestamp, idempotency: &Idempotency) {
        let oldest_kept = time.minus(IDEMPOTENCY_WINDOW);
        while let Some((age, token)) = self.idempotency_by_age.get_min().cloned() {
            if age >= oldest_kept && self.idempotency.len() < IDEMPOTENCY_TOKENS_MAX {
                break;
            }
            self.idempotency_by_age.remove(&(age, token.clone()));
            self.idempotency.remove(&token);
        }
        let remembered = Remembered { time, fingerprint: idempotency.fingerprint, sequence };
        self.idempotency.insert(idempotency.token.clone(), remembered);
        self.idempotency_by_age.insert((time, idempotency.token.clone()));
    }
}
