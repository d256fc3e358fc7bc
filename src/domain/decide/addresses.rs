//! Private addresses: ranges set by the operator, and what instances may have.

use std::net::IpAddr;
use std::sync::Arc;

use super::Decider;
use super::accounts::require_operator;
use crate::domain::access::Permission;
use crate::domain::addresses::{ADDRESS_RANGES_MAX, AddressRange};
use crate::domain::event::{AccountEvent, EventKind};
use crate::domain::rejection::Rejection;
use crate::identity::Invalid;

impl Decider<'_> {
    /// These ranges, in this order, instead of those that the account had.
    pub(super) fn set_address_ranges(&mut self, ranges: &[AddressRange]) -> Result<(), Rejection> {
        require_operator(self.state, self.command, Permission::PutAddressRanges)?;
        let invalid = |rule: String| Rejection::from(Invalid::new("address_ranges", rule));
        if ranges.len() > ADDRESS_RANGES_MAX {
            return Err(invalid(format!("must be at most {ADDRESS_RANGES_MAX}")));
        }
        let mut others = self.state.address_owners.clone();
        others.take(&self.account.address_ranges);
        for range in ranges {
            match others.reaching(range.first(), range.last()) {
                None => others.give(self.command.account, &[*range]),
                Some(owner) if owner == self.command.account => {
                    return Err(invalid(format!("must not overlap, as {range} does")));
                }
                Some(owner) => {
                    let message = format!("{range} overlaps with a range of account {owner}");
                    return Err(Rejection::IncorrectState(message));
                }
            }
        }
        if *self.account.address_ranges != *ranges {
            self.emit(EventKind::Account(AccountEvent::AddressRangesSet {
                ranges: Arc::from(ranges),
            }));
        }
        Ok(())
    }

    /// An account that has ranges uses addresses in them, and nobody uses another's.
    pub(super) fn check_address(&self, address: IpAddr) -> Result<(), Rejection> {
        let allowed = match self.state.address_owners.owner(address) {
            Some(owner) => owner == self.command.account,
            None => self.account.address_ranges.is_empty(),
        };
        if allowed {
            return Ok(());
        }
        let rule =
            "must be in an address range of the account, if it has any, and in none of another";
        Err(Invalid::new("private_ip", rule).into())
    }
}
