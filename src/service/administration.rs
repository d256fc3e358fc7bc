//! What the operator does to accounts, and what an account may see of itself of the same: accounts, quotas, guardrails,
//! the pace of rotation, revocations.

use std::sync::Arc;

use super::{NewAccessKey, Reading, RequestInfo, Service, ServiceError};
use crate::clock::Timestamp;
use crate::domain::access::{Permission, Resource, Target};
use crate::domain::addresses::AddressRange;
use crate::domain::command::{
    AccountAction, Action, GuardrailAction, RevocationTarget, SessionAction,
};
use crate::domain::event::{AccessKeyEvent, EventKind, GuardrailRef};
use crate::domain::quotas::Quota;
use crate::domain::rejection::Rejection;
use crate::domain::rotation::RotationAction;
use crate::domain::state::Account;
use crate::identity::{AccountId, AssociationId, Invalid};
use crate::ledger::{Receipt, View};
use crate::pace::Pace;
use crate::policy::Policy;

/// Characters of an account's name.
const ACCOUNT_NAME_CHARS_MAX: usize = 128;

/// An account that was just made, with its root's key.
#[derive(Debug)]
pub struct NewAccount {
    /// The account.
    pub account: Arc<Account>,
    /// Its root's key, unless that is gone again.
    pub root_key: Option<NewAccessKey>,
    /// The record that holds it.
    pub sequence: u64,
}

/// Which credentials RotateCredentials renews.
#[derive(Clone, Debug)]
pub enum RotationTarget {
    /// Those of one association.
    Association(AssociationId),
    /// Those of the caller's account.
    Account,
    /// Those of every account.
    Installation,
}

/// Each refuses a caller who may not, what breaks a rule, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreateAccount; a free number is drawn if none is given.
    pub async fn create_account(
        &self,
        info: &RequestInfo,
        token: &str,
        name: &str,
        id: Option<AccountId>,
    ) -> Result<NewAccount, ServiceError> {
        if name.is_empty() || name.chars().count() > ACCOUNT_NAME_CHARS_MAX {
            let rule = format!("must have 1 to {ACCOUNT_NAME_CHARS_MAX} characters");
            return Err(Invalid::new("name", rule).into());
        }
        let id = id.map_or_else(|| self.draw_account_id(), Ok)?;
        let action = self.draw_account(id, name)?;
        let receipt = self.perform(info, token, id, action).await?;
        // A retry is answered with the account that the first request made.
        let made = receipt.events().find_map(|event| {
            let EventKind::AccessKey(AccessKeyEvent::Created { key, .. }) = &event.kind else {
                return None;
            };
            Some((event.account, key.clone()))
        });
        let (id, key_id) = made.ok_or(ServiceError::Answer("no account was made"))?;
        let account = self.view().state.account(id).cloned().ok_or(ServiceError::AccountGone)?;
        let secret = self.secret_of(&account, &key_id)?;
        let sequence = receipt.sequence;
        let key = account.access_keys.get(&key_id).cloned();
        let root_key = key.map(|key| NewAccessKey { id: key_id, key, secret, sequence });
        Ok(NewAccount { account, root_key, sequence })
    }

    /// DisableAccount and EnableAccount.
    pub async fn set_account_enabled(
        &self,
        info: &RequestInfo,
        token: &str,
        id: AccountId,
        enabled: bool,
    ) -> Result<Receipt, ServiceError> {
        let action = if enabled { AccountAction::Enable } else { AccountAction::Disable };
        self.perform(info, token, id, Action::Account(action)).await
    }

    /// PutAddressRanges.
    pub async fn put_address_ranges(
        &self,
        info: &RequestInfo,
        token: &str,
        id: AccountId,
        ranges: Vec<AddressRange>,
    ) -> Result<Receipt, ServiceError> {
        let action = AccountAction::SetAddressRanges { ranges };
        self.perform(info, token, id, Action::Account(action)).await
    }

    /// PutQuota; DeleteQuota without a value.
    pub async fn set_quota(
        &self,
        info: &RequestInfo,
        token: &str,
        id: AccountId,
        quota: Quota,
        max: Option<u32>,
    ) -> Result<Receipt, ServiceError> {
        let action = AccountAction::SetQuota { quota, max };
        self.perform(info, token, id, Action::Account(action)).await
    }

    /// GetAccount, GetQuota and ListQuotas, by their permission: the account that is asked about, the caller's own if
    /// none is; others' are the operator's to see.
    pub async fn read_shown_account(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        permission: Permission,
        asked: Option<AccountId>,
    ) -> Result<Reading, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        let id = self.require_on_account(&view, info, permission, asked)?;
        let account = view.state.account(id).cloned().ok_or(ServiceError::AccountGone)?;
        Ok(Reading { view, account })
    }

    /// The account that is asked about, the caller's own if none is, if they have `permission` on it.
    pub fn require_on_account(
        &self,
        view: &View,
        info: &RequestInfo,
        permission: Permission,
        asked: Option<AccountId>,
    ) -> Result<AccountId, ServiceError> {
        let own = Self::account_of(info)?;
        let id = asked.unwrap_or(own);
        let (owner, resource) = if id == own {
            (own, Resource::own_account(own))
        } else {
            (AccountId::OPERATOR, Resource::operated_account(Some(id)))
        };
        self.require(&view.state, info, owner, permission, &resource)?;
        Ok(id)
    }

    /// ListAccounts: the state, which holds them all.
    pub async fn list_accounts(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
    ) -> Result<Arc<View>, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        let (operator, all) = (AccountId::OPERATOR, Resource::operated_account(None));
        self.require(&view.state, info, operator, Permission::ListAccounts, &all)?;
        Ok(view)
    }

    /// PutGuardrail.
    pub async fn put_guardrail(
        &self,
        info: &RequestInfo,
        token: &str,
        guardrail: GuardrailRef,
        text: &str,
    ) -> Result<(Receipt, Policy), ServiceError> {
        let policy = Policy::parse(text, guardrail.kind.policy_kind());
        let policy =
            policy.map_err(|error| Rejection::MalformedPolicy { field: "policy", error })?;
        let action = GuardrailAction::Put { guardrail, policy: policy.clone() };
        let operator = AccountId::OPERATOR;
        let receipt = self.perform(info, token, operator, Action::Guardrail(action)).await?;
        Ok((receipt, policy))
    }

    /// DeleteGuardrail.
    pub async fn delete_guardrail(
        &self,
        info: &RequestInfo,
        token: &str,
        guardrail: GuardrailRef,
    ) -> Result<Receipt, ServiceError> {
        let action = Action::Guardrail(GuardrailAction::Delete { guardrail });
        self.perform(info, token, AccountId::OPERATOR, action).await
    }

    /// ListGuardrails: those on an account, or all; others' are the operator's to see.
    pub async fn list_guardrails(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        asked: Option<AccountId>,
    ) -> Result<Arc<View>, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        let own = Self::account_of(info)?;
        let owner = if asked == Some(own) { own } else { AccountId::OPERATOR };
        let resource = Resource::guardrails(owner, asked);
        self.require(&view.state, info, owner, Permission::ListGuardrails, &resource)?;
        Ok(view)
    }

    /// What is asked of the keyring is the operator's to ask, by its permission. Judged before anything is read of the
    /// keyring's file.
    pub fn require_keyring(
        &self,
        info: &RequestInfo,
        permission: Permission,
    ) -> Result<(), ServiceError> {
        let (view, operator) = (self.view(), AccountId::OPERATOR);
        Ok(self.require(&view.state, info, operator, permission, &Resource::keyring(None))?)
    }

    /// PutRotationSettings; DeleteRotationSettings without a pace.
    pub async fn set_rotation_pace(
        &self,
        info: &RequestInfo,
        token: &str,
        association: Option<AssociationId>,
        pace: Option<Pace>,
    ) -> Result<Receipt, ServiceError> {
        let action = Action::Rotation(RotationAction::Configure { association, pace });
        self.perform_own(info, token, action).await
    }

    /// RotateCredentials.
    pub async fn rotate_credentials(
        &self,
        info: &RequestInfo,
        token: &str,
        target: RotationTarget,
    ) -> Result<Receipt, ServiceError> {
        let action = match target {
            RotationTarget::Account => RotationAction::RenewAccount,
            RotationTarget::Installation => RotationAction::RenewAll,
            RotationTarget::Association(association) => {
                RotationAction::RenewOne { association, minting: self.draw_minting()? }
            }
        };
        self.perform_own(info, token, Action::Rotation(action)).await
    }

    /// GetRotation.
    pub async fn rotation(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
    ) -> Result<Reading, ServiceError> {
        self.read(info, min_sequence, Permission::GetRotation, &Target::Everything).await
    }

    /// RevokeSession and its like: voids the target's sessions that were issued before a moment, all until now without
    /// one, and with `chained` what came from them.
    pub async fn revoke_sessions(
        &self,
        info: &RequestInfo,
        token: &str,
        target: RevocationTarget,
        before: Option<Timestamp>,
        chained: bool,
    ) -> Result<Receipt, ServiceError> {
        let minting = self.draw_minting()?;
        let action = SessionAction::Revoke { target, before, chained, minting };
        self.perform_own(info, token, Action::Session(action)).await
    }

    /// ListSessions and ListRevocations.
    pub async fn read_sessions(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
    ) -> Result<Reading, ServiceError> {
        self.read(info, min_sequence, Permission::ListSessions, &Target::Everything).await
    }
}
