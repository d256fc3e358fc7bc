//! Ranges of private addresses that the operator gave to accounts. Within one its account's instances alone are found by
//! address, whatever others claim.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use imbl::OrdMap;
use ipnet::IpNet;

use crate::identity::{AccountId, Invalid};

/// Ranges of one account.
pub const ADDRESS_RANGES_MAX: usize = 64;
/// The longest text of a range.
const TEXT_MAX: usize = 64;

/// Addresses, IPv4 in their form of IPv6, in the order of their numbers.
pub(super) type Place = [u8; 16];

/// The place of an address.
pub(super) fn place(address: IpAddr) -> Place {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// Addresses with one prefix, as `10.1.0.0/16` or `fd00:1::/48` (RFC 4632, RFC 4291).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressRange(IpNet);

impl AddressRange {
    pub(super) fn first(self) -> Place {
        place(self.0.network())
    }

    pub(super) fn last(self) -> Place {
        place(self.0.broadcast())
    }
}

impl FromStr for AddressRange {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let read: Option<IpNet> =
            Some(text).filter(|t| t.len() <= TEXT_MAX).and_then(|t| t.parse().ok());
        let rule = "must be an address and the length of its prefix, as 10.1.0.0/16, with no bit after the prefix";
        let range = read.filter(|range| range.trunc() == *range);
        range.map(Self).ok_or_else(|| Invalid::new("address_ranges", rule))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose addresses are: the ranges of all accounts, of which no two overlap.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AddressOwners(OrdMap<Place, (Place, AccountId)>);

impl AddressOwners {
    /// The account in whose range an address is.
    pub(super) fn owner(&self, address: IpAddr) -> Option<AccountId> {
        self.reaching(place(address), place(address))
    }

    /// The account of the last range that has an address from `first` to `last`.
    pub(super) fn reaching(&self, first: Place, last: Place) -> Option<AccountId> {
        let (_, (end, owner)) = self.0.get_prev(&last)?;
        (*end >= first).then_some(*owner)
    }

    pub(super) fn give(&mut self, account: AccountId, ranges: &[AddressRange]) {
        for range in ranges {
            self.0.insert(range.first(), (range.last(), account));
        }
    }

    pub(super) fn take(&mut self, ranges: &[AddressRange]) {
        for range in ranges {
            self.0.remove(&range.first());
        }
    }
}
