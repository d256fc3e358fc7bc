//! Reads of what the service itself holds. There is one way to them: a permission and a target, judged and answered from
//! one view.

use std::sync::Arc;

use super::{RequestInfo, Service, ServiceError};
use crate::domain::access::{Facts, Permission, Required, Resource, Target, authorize};
use crate::domain::rejection::Rejection;
use crate::domain::state::{Account, State};
use crate::identity::AccountId;
use crate::ledger::View;

/// What a caller may read: the state and, in it, the account that they asked about.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The state.
    pub view: Arc<View>,
    /// The caller's account.
    pub account: Arc<Account>,
}

impl Service {
    /// The account of the caller.
    ///
    /// # Errors
    /// They have none, as nobody has who did not sign.
    pub fn account_of(info: &RequestInfo) -> Result<AccountId, ServiceError> {
        info.caller.principal.account().ok_or(ServiceError::NoAccount)
    }

    /// The state at `min_sequence` or later; the newest for 0.
    ///
    /// # Errors
    /// That record is not applied here within the settings' patience.
    pub async fn view_at(&self, min_sequence: u64) -> Result<Arc<View>, ServiceError> {
        Ok(self.ledger.view_at(min_sequence, self.settings.read_patience).await?)
    }

    /// The caller's account as it is now, for what needs no permission or is judged elsewhere.
    ///
    /// # Errors
    /// The caller has no account, or it is gone.
    pub fn own_account(&self, info: &RequestInfo) -> Result<Arc<Account>, ServiceError> {
        Self::own_account_in(&self.view(), info)
    }

    /// The same of a state that is there already.
    pub(super) fn own_account_in(
        view: &View,
        info: &RequestInfo,
    ) -> Result<Arc<Account>, ServiceError> {
        let account = view.state.account(Self::account_of(info)?).cloned();
        account.ok_or(ServiceError::AccountGone)
    }

    /// What the caller may read of their account at `min_sequence` or later, if they have `permission` on `target`.
    ///
    /// # Errors
    /// They have not, have no account, or that record is not here yet.
    pub async fn read(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        permission: Permission,
        target: &Target<'_>,
    ) -> Result<Reading, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        self.read_in(&view, info, permission, target)
    }

    /// As `read`, of a view that is there already, as it took one to find out what is to be read.
    ///
    /// # Errors
    /// As `read`.
    pub(super) fn read_in(
        &self,
        view: &Arc<View>,
        info: &RequestInfo,
        permission: Permission,
        target: &Target<'_>,
    ) -> Result<Reading, ServiceError> {
        let account = Self::own_account_in(view, info)?;
        self.require(&view.state, info, account.id, permission, &target.find(&account))?;
        Ok(Reading { view: view.clone(), account })
    }

    /// The caller has `permission` on `resource` of their own account, for answers that are made of more than the state.
    ///
    /// # Errors
    /// They have not, or have no account.
    pub fn admit_to(
        &self,
        info: &RequestInfo,
        permission: Permission,
        resource: &Resource<'_>,
    ) -> Result<(), ServiceError> {
        let (view, account) = (self.view(), Self::account_of(info)?);
        Ok(self.require(&view.state, info, account, permission, resource)?)
    }

    /// The caller has `permission` on `resource` of `account`.
    ///
    /// # Errors
    /// They have not.
    pub fn require(
        &self,
        state: &State,
        info: &RequestInfo,
        account: AccountId,
        permission: Permission,
        resource: &Resource<'_>,
    ) -> Result<(), Rejection> {
        let facts = Facts::default();
        let facts = match info.caller.region.as_deref() {
            Some(region) => facts.in_region(region),
            None => facts,
        };
        let required = Required { permission, resource, facts: &facts };
        let question = required.question(&info.caller, account, self.now());
        let refused = authorize(state, &question, &required);
        refused.map_err(|denied| self.sealed(state, Rejection::AccessDenied(denied)))
    }
}
