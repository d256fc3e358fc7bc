//! What memory holds of accounts that are gone: keys of a deleted account are wiped when its deletion is
//! applied, by whomever it was asked, and not when something else takes their place.

use tokio::sync::broadcast::error::RecvError;

use super::Service;
use crate::domain::event::{AccountEvent, EventKind};
use crate::identity::AccountId;
use crate::ledger::Recorded;

impl Service {
    /// Follows the log, and wipes the keys and signers of each account whose deletion it tells of, for as long
    /// as there is a ledger.
    pub async fn keep_forgetting_accounts(&self) {
        let mut batches = self.ledger.follow();
        loop {
            match batches.recv().await {
                Ok(batch) => deleted(&batch.facts).for_each(|account| self.forget_account(account)),
                Err(RecvError::Lagged(_)) => self.forget_accounts_that_are_gone(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Wipes what is remembered of an account.
    pub(super) fn forget_account(&self, account: AccountId) {
        self.account_keys.retain(|id, _| *id != account);
        self.signers.retain(|_, known| known.0.account() != account);
        self.deliveries.retain(|_, (owner, _)| *owner != account);
    }

    /// For whoever has put something into a map of keys by a state that may be old by now. The newest state is
    /// published before the deletion is told of: so either it is seen here, or what was put in is found by
    /// who hears of the deletion.
    pub(super) fn forget_if_gone(&self, account: AccountId) {
        if self.view().state.account(account).is_none() {
            self.forget_account(account);
        }
    }

    fn forget_accounts_that_are_gone(&self) {
        let view = self.view();
        let there = |account| view.state.account(account).is_some();
        self.account_keys.retain(|id, _| there(*id));
        self.signers.retain(|_, known| there(known.0.account()));
        self.deliveries.retain(|_, (owner, _)| there(*owner));
    }
}

fn deleted(batch: &[Recorded]) -> impl Iterator<Item = AccountId> {
    let events = batch.iter().flat_map(|recorded| &recorded.fact.events);
    events.filter(|event| deletes_account(&event.kind)).map(|event| event.account)
}

fn deletes_account(kind: &EventKind) -> bool {
    match kind {
        EventKind::Account(event) => match event {
            AccountEvent::Deleted => true,
            AccountEvent::Created { .. }
            | AccountEvent::Disabled
            | AccountEvent::Enabled
            | AccountEvent::KeyRewrapped { .. }
            | AccountEvent::QuotaSet { .. }
            | AccountEvent::AddressRangesSet { .. }
            | AccountEvent::AliasCreated { .. }
            | AccountEvent::AliasDeleted { .. } => false,
        },
        EventKind::Installation(_)
        | EventKind::Guardrail(_)
        | EventKind::User(_)
        | EventKind::Group(_)
        | EventKind::AccessKey(_)
        | EventKind::Role(_)
        | EventKind::Policy(_)
        | EventKind::Tag(_)
        | EventKind::Profile(_)
        | EventKind::Agent(_)
        | EventKind::Instance(_)
        | EventKind::Rotation(_)
        | EventKind::Session(_)
        | EventKind::Mfa(_)
        | EventKind::Oidc(_) => false,
    }
}
