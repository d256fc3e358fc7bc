//! Quotas: set and unset by the operator.

use super::Decider;
use super::accounts::require_operator;
use crate::domain::access::Permission;
use crate::domain::event::{AccountEvent, EventKind};
use crate::domain::quotas::{Bounds, Quota};
use crate::domain::rejection::Rejection;
use crate::identity::Invalid;

impl Decider<'_> {
    /// Of a rate, zero would shut the account out, for which there is DisableAccount. Setting what is set already
    /// does nothing.
    pub(super) fn set_quota(&mut self, quota: Quota, max: Option<u32>) -> Result<(), Rejection> {
        let permission = if max.is_some() { Permission::PutQuota } else { Permission::DeleteQuota };
        require_operator(self.state, self.command, permission)?;
        if quota.bounds() == Bounds::Rate && max == Some(0) {
            let rule = "must be at least 1 for a rate; DisableAccount shuts an account out";
            return Err(Invalid::new("value", rule.to_owned()).into());
        }
        if self.account.quotas.get(&quota).copied() != max {
            self.emit(EventKind::Account(AccountEvent::QuotaSet { quota, max }));
        }
        Ok(())
    }

    /// `more` may come to what there is. A quota that was set below that lets nothing more come.
    pub(super) fn check_quota(&self, quota: Quota, more: usize) -> Result<(), Rejection> {
        let Some(max) = self.account.quota(quota) else { return Ok(()) };
        if self.account.used(quota).saturating_add(more) > max {
            return Err(Rejection::LimitExceeded { quota: quota.name(), max });
        }
        Ok(())
    }
}
