//! Applying facts: the only way state changes. It cannot fail and holds no rule; what a fact names must
//! be there, or the history is not one that `decide` wrote, and the caller is told which fact it was.
//!
//! Each kind of event is applied by noun, first to what the state holds besides accounts, then to its account.

mod instances;
mod policies;
mod roles;
mod users;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};

use super::account_key::WrappedAccountKey;
use super::event::{
    AccountEvent, Event, EventKind, Fact, GuardrailEvent, Idempotency, InstallationEvent,
    SessionEvent,
};
use super::fleet::Fleet;
use super::revocation::Revocations;
use super::state::{Account, IDEMPOTENCY_TOKENS_MAX, IDEMPOTENCY_WINDOW, Remembered, State};
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
        let id = event.account;
        match &event.kind {
            EventKind::Account(event) => self.apply_account(time, id, event),
            EventKind::Installation(event) => {
                self.apply_installation(event);
                Some(())
            }
            EventKind::Guardrail(event) => self.apply_guardrail(event),
            EventKind::User(event) => self.apply_user(time, id, event),
            EventKind::Group(event) => self.changed(time, id)?.apply_group(time, event),
            EventKind::AccessKey(event) => self.apply_access_key(time, id, event),
            EventKind::Role(event) => self.changed(time, id)?.apply_role(time, event),
            EventKind::Policy(event) => self.changed(time, id)?.apply_policy(time, event),
            EventKind::Tag(event) => self.changed(time, id)?.apply_tag(event),
            EventKind::Profile(event) => self.changed(time, id)?.apply_profile(time, event),
            EventKind::Agent(event) => self.apply_agent(time, id, event),
            EventKind::Instance(event) => self.apply_instance(time, id, event),
            EventKind::Rotation(event) => self.apply_rotation(time, id, event),
            EventKind::Session(event) => self.apply_session(time, id, event),
            EventKind::Mfa(event) => self.changed(time, id)?.apply_mfa(time, event),
            EventKind::Oidc(event) => self.changed(time, id)?.apply_oidc(time, event),
        }
    }

    /// The account to be changed at `time`: it forgets what it revoked that has ended by then.
    fn changed(&mut self, time: Timestamp, id: AccountId) -> Option<&mut Account> {
        let account = Arc::make_mut(self.accounts.get_mut(&id)?);
        account.revocations.forget(time);
        Some(account)
    }

    fn apply_account(
        &mut self,
        time: Timestamp,
        id: AccountId,
        event: &AccountEvent,
    ) -> Option<()> {
        match event {
            AccountEvent::Created { name, key } => {
                let account = Account::empty(id, name, key, time);
                let before = self.accounts.insert(id, Arc::new(account));
                return before.is_none().then_some(());
            }
            AccountEvent::Deleted => self.delete_account(id),
            AccountEvent::Disabled => self.changed(time, id)?.enabled = false,
            AccountEvent::Enabled => self.changed(time, id)?.enabled = true,
            AccountEvent::KeyRewrapped { key } => self.changed(time, id)?.key = key.clone(),
            AccountEvent::QuotaSet { quota, max } => {
                let quotas = &mut self.changed(time, id)?.quotas;
                match max {
                    Some(max) => quotas.insert(*quota, *max),
                    None => quotas.remove(quota),
                };
            }
            AccountEvent::AddressRangesSet { ranges } => {
                self.address_owners.take(&self.accounts.get(&id)?.address_ranges);
                self.address_owners.give(id, ranges);
                self.changed(time, id)?.address_ranges = ranges.clone();
            }
            AccountEvent::AliasCreated { alias } => {
                self.changed(time, id)?.alias = Some(alias.clone());
            }
            AccountEvent::AliasDeleted { .. } => self.changed(time, id)?.alias = None,
        }
        Some(())
    }

    fn apply_installation(&mut self, event: &InstallationEvent) {
        match event {
            InstallationEvent::DocumentKeyCreated { key } => self.document_key = Some(key.clone()),
            // Change nothing that a decision reads.
            InstallationEvent::KeyringRotated { .. }
            | InstallationEvent::KeyringVersionRetired { .. } => {}
        }
    }

    fn apply_guardrail(&mut self, event: &GuardrailEvent) -> Option<()> {
        match event {
            GuardrailEvent::Put { guardrail, policy } => {
                let scope = (guardrail.kind, guardrail.target);
                let named = self.guardrails.entry(scope).or_default();
                named.insert(guardrail.name.clone(), policy.clone());
            }
            GuardrailEvent::Deleted { guardrail } => {
                let scope = (guardrail.kind, guardrail.target);
                let named = self.guardrails.get_mut(&scope)?;
                named.remove(&guardrail.name)?;
                if named.is_empty() {
                    self.guardrails.remove(&scope);
                }
            }
        }
        Some(())
    }

    fn apply_session(
        &mut self,
        time: Timestamp,
        id: AccountId,
        event: &SessionEvent,
    ) -> Option<()> {
        match event {
            // Changes nothing that a decision reads.
            SessionEvent::Issued { .. } => {}
            SessionEvent::Revoked { scope, before, chained, until } => {
                self.changed(time, id)?.revocations.add(scope, *before, *chained, *until);
            }
        }
        Some(())
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
