//! The use cases of IAM: one request, one function and one result each, whatever edge they come in at. Edges rename
//! fields and convert errors; ids are drawn and commands built here, and what may be read is judged here.

mod groups;
mod keys;
mod mfa;
mod oidc;
mod policies;
mod profiles;
mod roles;
mod simulated;
mod tags;
mod users;

use std::sync::Arc;

use super::{Reading, RequestInfo, Service, ServiceError};
use crate::domain::command::Action;
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::ledger::{Receipt, View};
use crate::policy::{Policy, PolicyKind};

pub use keys::{KeyHolder, KeysOf, LastUsed, NewAccessKey, NewAgent};
pub use mfa::{NewMfaDevice, SeededMfaDevice};
pub use oidc::{NewProvider, ProviderSettings};
pub use policies::{NewPolicy, NewPolicyVersion};
pub use profiles::NewProfile;
pub use roles::{NewRole, NewServiceLinkedRole, RoleChange};
pub use tags::TaggedEntity;
pub use users::{NewUser, Renaming, UserOrRootAccount};

/// An entity with the state that it is shown from.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// The state.
    pub view: Arc<View>,
    /// The account that it is of.
    pub account: Arc<Account>,
    /// The entity.
    pub entity: Arc<T>,
}

/// What a change made, with the state that it is shown from. A retry finds it as others have left it, or not at all.
#[derive(Clone, Debug)]
pub struct Made<T> {
    /// The state.
    pub view: Arc<View>,
    /// The account that it is of.
    pub account: Arc<Account>,
    /// The entity, unless it is gone again.
    pub entity: Option<Arc<T>>,
    /// The record that holds the change.
    pub sequence: u64,
}

impl<T> Made<T> {
    /// The entity.
    ///
    /// # Errors
    /// It is gone again.
    pub fn entity(&self) -> Result<&Arc<T>, ServiceError> {
        self.entity.as_ref().ok_or(ServiceError::Answer("what was made is gone again"))
    }
}

impl Reading {
    /// One entity of what was read.
    fn found<T>(
        self,
        entity: Option<Arc<T>>,
        missing: impl FnOnce() -> Rejection,
    ) -> Result<Found<T>, ServiceError> {
        let Self { view, account } = self;
        Ok(Found { view, account, entity: entity.ok_or_else(missing)? })
    }
}

impl Service {
    /// Does `action` in the caller's account. `token` is the caller's idempotency token, empty for none.
    pub(super) async fn perform_own(
        &self,
        info: &RequestInfo,
        token: &str,
        action: Action,
    ) -> Result<Receipt, ServiceError> {
        self.perform(info, token, Self::account_of(info)?, action).await
    }

    /// What a change made, as it is now.
    fn made<T>(
        &self,
        info: &RequestInfo,
        receipt: &Receipt,
        find: impl FnOnce(&Account) -> Option<&Arc<T>>,
    ) -> Result<Made<T>, ServiceError> {
        let view = self.view();
        let account = Self::own_account_in(&view, info)?;
        let entity = find(&account).cloned();
        Ok(Made { view, account, entity, sequence: receipt.sequence })
    }
}

/// The document of a managed policy of a request; `field` is the name of the member that holds it.
fn managed_document(field: &'static str, text: &str) -> Result<Policy, Rejection> {
    Policy::parse_managed(text).map_err(|error| Rejection::MalformedPolicy { field, error })
}

/// A policy of a request; `field` is the name of the member that holds it.
fn document(field: &'static str, text: &str, kind: PolicyKind) -> Result<Policy, Rejection> {
    Policy::parse(text, kind).map_err(|error| Rejection::MalformedPolicy { field, error })
}
