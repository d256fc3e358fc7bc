//! The shortest history of a state: facts which, applied in order to an empty state, make it again. This
//! is what a snapshot holds, so that snapshots and log share one format and one way back.

use std::sync::Arc;

use super::entity::TagOwner;
use super::event::{
    AccessKeyEvent, AccountEvent, AgentEvent, Event, EventKind, Fact, GroupEvent, GuardrailEvent,
    GuardrailRef, Idempotency, InstallationEvent, InstanceEvent, PolicyEvent, PolicyOwner,
    ProfileEvent, RoleEvent, SessionEvent, TagEvent, UserEvent,
};
use super::last_use::USES_PER_EVENT_MAX;
use super::oidc::OidcEvent;
use super::rotation::RotationEvent;
use super::state::{Account, ManagedPolicy, Permissions, State};
use super::tags::Tags;
use crate::clock::Timestamp;
use crate::identity::AccountId;

/// Instances told by one fact at most. They take some tens of kilobytes where instances have few tags, and tens of
/// megabytes where each has the most and the longest; whoever stores facts divides those (`divide`).
const INSTANCES_PER_FACT: usize = 512;

/// A fact with the sequence number that `State::apply` is to be told; 0 where it does not matter.
pub type Numbered = (u64, Fact);

impl State {
    /// Hands each fact of the shortest history to `take`, until it fails.
    ///
    /// # Errors
    /// Whatever `take` fails with.
    pub fn retell<E>(&self, take: &mut dyn FnMut(Numbered) -> Result<(), E>) -> Result<(), E> {
        for account in self.accounts() {
            let mut teller = Teller { account, take };
            teller.tell()?;
        }
        if let Some(key) = self.document_key.clone() {
            let kind = EventKind::Installation(InstallationEvent::DocumentKeyCreated { key });
            let events = vec![Event { account: AccountId::OPERATOR, kind }];
            take((0, unsigned(Timestamp::from_millis(0), None, events)))?;
        }
        for ((kind, target), named) in &self.guardrails {
            for (name, policy) in named {
                let guardrail = GuardrailRef { kind: *kind, target: *target, name: name.clone() };
                let kind =
                    EventKind::Guardrail(GuardrailEvent::Put { guardrail, policy: policy.clone() });
                let events = vec![Event { account: AccountId::OPERATOR, kind }];
                take((0, unsigned(Timestamp::from_millis(0), None, events)))?;
            }
        }
        if let Some(event) = demanded(true, self.renew_before) {
            let kind = EventKind::Rotation(event);
            let events = vec![Event { account: AccountId::OPERATOR, kind }];
            take((0, unsigned(Timestamp::EPOCH, None, events)))?;
        }
        for account in self.deleted() {
            let events = vec![Event { account, kind: EventKind::Account(AccountEvent::Deleted) }];
            take((0, unsigned(Timestamp::EPOCH, None, events)))?;
        }
        Ok(())
    }
}

/// A retold fact in about as many facts as `parts`, at least two, which lead to the same state if they are applied in
/// this order. One alone if it holds a single thing, none if it holds nothing.
#[must_use]
pub fn divide(fact: &Fact, parts: usize) -> Vec<Fact> {
    let part = |events| unsigned(fact.time, fact.idempotency.clone(), events);
    match fact.events.as_slice() {
        [Event { account, kind }] => {
            let kinds = divide_kind(kind, parts).into_iter();
            kinds.map(|kind| part(vec![Event { account: *account, kind }])).collect()
        }
        events => runs(events, parts).map(|run| part(run.to_vec())).collect(),
    }
}

/// The event in several, where it is one of the lists that are retold.
fn divide_kind(kind: &EventKind, parts: usize) -> Vec<EventKind> {
    if let EventKind::Instance(InstanceEvent::Restored { instances }) = kind {
        let runs = runs(instances, parts).map(<[_]>::to_vec);
        let part = |instances| EventKind::Instance(InstanceEvent::Restored { instances });
        return runs.map(part).collect();
    }
    if let EventKind::AccessKey(AccessKeyEvent::Used { uses }) = kind {
        let runs = runs(uses, parts).map(<[_]>::to_vec);
        let part = |uses| EventKind::AccessKey(AccessKeyEvent::Used { uses });
        return runs.map(part).collect();
    }
    vec![kind.clone()]
}

/// A list in runs of the same length, but for the last.
fn runs<T>(list: &[T], parts: usize) -> std::slice::Chunks<'_, T> {
    list.chunks(list.len().div_ceil(parts.max(2)).max(1))
}

/// A fact without an actor or a request.
fn unsigned(time: Timestamp, idempotency: Option<Idempotency>, events: Vec<Event>) -> Fact {
    let empty: Arc<str> = Arc::from("");
    Fact {
        time,
        actor: empty.clone(),
        request_id: empty.clone(),
        trace_id: empty,
        idempotency,
        events,
    }
}

struct Teller<'a, E> {
    account: &'a Arc<Account>,
    take: &'a mut dyn FnMut(Numbered) -> Result<(), E>,
}

impl<E> Teller<'_, E> {
    fn say(&mut self, time: Timestamp, kinds: Vec<EventKind>) -> Result<(), E> {
        if kinds.is_empty() {
            return Ok(());
        }
        self.hand_over(0, time, None, kinds)
    }

    fn hand_over(
        &mut self,
        sequence: u64,
        time: Timestamp,
        idempotency: Option<Idempotency>,
        kinds: Vec<EventKind>,
    ) -> Result<(), E> {
        let account = self.account.id;
        let events = kinds.into_iter().map(|kind| Event { account, kind }).collect();
        (self.take)((sequence, unsigned(time, idempotency, events)))
    }

    fn tell(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        let created = EventKind::Account(AccountEvent::Created {
            name: account.name.clone(),
            key: account.key.clone(),
        });
        self.say(account.created_at, vec![created])?;
        let quotas = account.quotas.iter();
        let quotas = quotas.map(|(quota, max)| (*quota, Some(*max)));
        let quotas = quotas
            .map(|(quota, max)| EventKind::Account(AccountEvent::QuotaSet { quota, max }))
            .collect();
        self.say(account.created_at, quotas)?;
        if !account.address_ranges.is_empty() {
            let ranges = account.address_ranges.clone();
            self.say(
                account.created_at,
                vec![EventKind::Account(AccountEvent::AddressRangesSet { ranges })],
            )?;
        }
        self.tell_policies()?;
        self.tell_users_and_roles()?;
        self.tell_groups()?;
        self.tell_agents_and_keys()?;
        self.tell_profiles()?;
        self.tell_providers()?;
        let tasks = account.deletion_tasks.iter().cloned();
        let tasks = tasks.map(|task| EventKind::Role(RoleEvent::DeletionCompleted { task }));
        let alias = account.alias.clone();
        let alias = alias.map(|alias| EventKind::Account(AccountEvent::AliasCreated { alias }));
        let kinds = tasks.chain(alias).collect();
        self.say(account.created_at, kinds)?;
        self.tell_instances()?;
        self.tell_revocations()?;
        for uses in account.uses().chunks(USES_PER_EVENT_MAX) {
            let kind = EventKind::AccessKey(AccessKeyEvent::Used { uses: uses.to_vec() });
            self.say(Timestamp::EPOCH, vec![kind])?;
        }
        for (token, remembered) in &account.idempotency {
            let idempotency = Idempotency {
                account: account.id,
                token: token.clone(),
                fingerprint: remembered.fingerprint,
            };
            self.hand_over(remembered.sequence, remembered.time, Some(idempotency), Vec::new())?;
        }
        if !account.enabled {
            self.say(account.created_at, vec![EventKind::Account(AccountEvent::Disabled)])?;
        }
        Ok(())
    }

    /// Told as of the beginning, so that none is forgotten on the way.
    fn tell_revocations(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        for (scope, cutoff) in account.revocations.entries() {
            let revoked = |before, chained| {
                EventKind::Session(SessionEvent::Revoked {
                    scope: scope.clone(),
                    before,
                    chained,
                    until: cutoff.until,
                })
            };
            let mut kinds = vec![revoked(cutoff.before, false)];
            kinds.extend(cutoff.chained_before.map(|before| revoked(before, true)));
            self.say(Timestamp::EPOCH, kinds)?;
        }
        Ok(())
    }

    fn tell_policies(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        for managed in account.policies.values() {
            let first = managed.versions.get(&1);
            let created = EventKind::Policy(PolicyEvent::Created {
                name: managed.name.clone(),
                path: managed.path.clone(),
                id: managed.id.clone(),
                description: managed.description.clone(),
                policy: first.map_or(&managed.policy, |first| &first.policy).clone(),
            });
            self.say(managed.created_at, vec![created])?;
            self.tell_versions(managed)?;
            let owner = TagOwner::Policy(managed.name.clone());
            let mut kinds = Vec::new();
            tags(owner, &managed.tags, &mut kinds);
            self.say(managed.created_at, kinds)?;
        }
        Ok(())
    }

    /// The versions after the first, and what is gone of them.
    fn tell_versions(&mut self, managed: &ManagedPolicy) -> Result<(), E> {
        let name = &managed.name;
        let made = |version, policy: &crate::policy::Policy| {
            EventKind::Policy(PolicyEvent::VersionCreated {
                name: name.clone(),
                version,
                policy: policy.clone(),
                default: false,
            })
        };
        let gone = |version| {
            let policy = name.clone();
            EventKind::Policy(PolicyEvent::VersionDeleted { policy, version })
        };
        for (number, version) in managed.versions.iter().filter(|(number, _)| **number > 1) {
            self.say(version.created_at, vec![made(*number, &version.policy)])?;
        }
        let mut kinds = Vec::new();
        if !managed.versions.contains_key(&managed.last_version) && managed.last_version > 1 {
            kinds.push(made(managed.last_version, &managed.policy));
            kinds.push(gone(managed.last_version));
        }
        if managed.version != 1 {
            let (policy, version) = (name.clone(), managed.version);
            let default = EventKind::Policy(PolicyEvent::DefaultVersionSet { policy, version });
            kinds.push(default);
        }
        if !managed.versions.contains_key(&1) {
            kinds.push(gone(1));
        }
        self.say(managed.created_at, kinds)
    }

    fn tell_users_and_roles(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        for user in account.users.values() {
            let (name, path, id) = (user.name.clone(), user.path.clone(), user.id.clone());
            let owner = PolicyOwner::User(name.clone());
            let mut kinds = vec![EventKind::User(UserEvent::Created { name, path, id })];
            permissions(&account, &owner, &user.permissions, &mut kinds);
            tags(TagOwner::User(user.name.clone()), &user.tags, &mut kinds);
            self.say(user.created_at, kinds)?;
        }
        for role in account.roles.values() {
            let owner = PolicyOwner::Role(role.name.clone());
            let mut kinds = vec![EventKind::Role(RoleEvent::Created {
                name: role.name.clone(),
                path: role.path.clone(),
                id: role.id.clone(),
                description: role.description.clone(),
                max_session: role.max_session,
                trust: role.trust.clone(),
            })];
            permissions(&account, &owner, &role.permissions, &mut kinds);
            tags(TagOwner::Role(role.name.clone()), &role.tags, &mut kinds);
            self.say(role.created_at, kinds)?;
        }
        Ok(())
    }

    fn tell_groups(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        for group in account.groups.values() {
            let (name, path, id) = (group.name.clone(), group.path.clone(), group.id.clone());
            let owner = PolicyOwner::Group(name.clone());
            let mut kinds =
                vec![EventKind::Group(GroupEvent::Created { name: name.clone(), path, id })];
            permissions(&account, &owner, &group.permissions, &mut kinds);
            let members = group.members.iter().filter_map(|key| account.users.get(key));
            kinds.extend(members.map(|user| {
                EventKind::Group(GroupEvent::UserAdded {
                    group: name.clone(),
                    user: user.name.clone(),
                })
            }));
            self.say(group.created_at, kinds)?;
        }
        Ok(())
    }

    fn tell_agents_and_keys(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        for agent in account.agents.values() {
            let kind = EventKind::Agent(AgentEvent::Created {
                name: agent.name.clone(),
                id: agent.id.clone(),
            });
            self.say(agent.created_at, vec![kind])?;
        }
        for (id, key) in &account.access_keys {
            self.tell_key(id, key)?;
        }
        Ok(())
    }

    fn tell_providers(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        for registered in account.oidc_providers.values() {
            let created = OidcEvent::Created(registered.provider.clone());
            let mut kinds = vec![EventKind::Oidc(created)];
            tags(TagOwner::OidcProvider(registered.issuer.clone()), &registered.tags, &mut kinds);
            self.say(registered.created_at, kinds)?;
        }
        for device in account.mfa_devices.values() {
            for (time, event) in device.history() {
                self.say(time, vec![EventKind::Mfa(event)])?;
            }
            let mut kinds = Vec::new();
            tags(TagOwner::MfaDevice(device.name.clone()), &device.tags, &mut kinds);
            if !kinds.is_empty() {
                self.say(device.created_at, kinds)?;
            }
        }
        Ok(())
    }

    fn tell_key(
        &mut self,
        id: &crate::identity::AccessKeyId,
        key: &super::state::AccessKey,
    ) -> Result<(), E> {
        let owner = key.owner.clone();
        let mut kinds =
            vec![EventKind::AccessKey(AccessKeyEvent::Created { key: id.clone(), owner })];
        if !key.active {
            kinds.push(EventKind::AccessKey(AccessKeyEvent::StatusChanged {
                key: id.clone(),
                active: false,
            }));
        }
        self.say(key.created_at, kinds)
    }

    fn tell_profiles(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        for profile in account.profiles.values() {
            let (name, path, id) = (profile.name.clone(), profile.path.clone(), profile.id.clone());
            let mut kinds =
                vec![EventKind::Profile(ProfileEvent::Created { name: name.clone(), path, id })];
            if let Some(role) = profile.role.clone() {
                kinds.push(EventKind::Profile(ProfileEvent::RoleAdded { profile: name, role }));
            }
            tags(TagOwner::Profile(profile.name.clone()), &profile.tags, &mut kinds);
            self.say(profile.created_at, kinds)?;
        }
        Ok(())
    }

    /// In the order of their ids, many to a fact.
    fn tell_instances(&mut self) -> Result<(), E> {
        let account = self.account.clone();
        let mut instances = account.instances.records().cloned().peekable();
        while instances.peek().is_some() {
            let instances = instances.by_ref().take(INSTANCES_PER_FACT).collect();
            self.say(
                account.created_at,
                vec![EventKind::Instance(InstanceEvent::Restored { instances })],
            )?;
        }
        let configured = account
            .pace
            .map(|pace| RotationEvent::Configured { association: None, pace: Some(pace) });
        let demanded = demanded(false, account.renew_before);
        let kinds = configured.into_iter().chain(demanded).map(EventKind::Rotation).collect();
        self.say(account.created_at, kinds)
    }
}

/// The demand to renew what was issued before a time, if there ever was one.
fn demanded(everywhere: bool, before: Timestamp) -> Option<RotationEvent> {
    (before > Timestamp::EPOCH).then_some(RotationEvent::Demanded { everywhere, before })
}

fn permissions(
    account: &Account,
    owner: &PolicyOwner,
    permissions: &Permissions,
    kinds: &mut Vec<EventKind>,
) {
    for (name, policy) in &permissions.inline {
        let (owner, name, policy) = (owner.clone(), name.clone(), policy.clone());
        kinds.push(EventKind::Policy(PolicyEvent::InlinePut { owner, name, policy }));
    }
    let reference = |key: &str| account.managed(key).map(|managed| managed.reference());
    for policy in permissions.attached.iter().filter_map(|key| reference(key)) {
        kinds.push(EventKind::Policy(PolicyEvent::Attached { owner: owner.clone(), policy }));
    }
    if let Some(policy) = permissions.boundary.as_deref().and_then(reference) {
        kinds.push(EventKind::Policy(PolicyEvent::BoundaryPut { owner: owner.clone(), policy }));
    }
}

fn tags(owner: TagOwner, tags: &Tags, kinds: &mut Vec<EventKind>) {
    if !tags.is_empty() {
        kinds.push(EventKind::Tag(TagEvent::Tagged { owner, tags: tags.clone() }));
    }
}
