//! Whose is it: instances of all accounts by what a caller shows, in as few bytes as that has.

use std::net::IpAddr;
use std::sync::Arc;

use super::paged::Paged;
use crate::domain::addresses::{self, place};
use crate::domain::state::Account;
use crate::identity::{
    AccessKeyId, AccountId, InstanceId, PackedAccountId, PackedInstanceId, PackedKeyId,
};

/// An address, IPv4 in its form of IPv6, and an instance that has it.
type Place = (addresses::Place, PackedAccountId, PackedInstanceId);

/// Running instances by id, by address and by their identity keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::domain) struct Directory {
    homes: Paged<(PackedInstanceId, PackedAccountId)>,
    addresses: Paged<(Place, ())>,
    keys: Paged<(PackedKeyId, (PackedAccountId, PackedInstanceId))>,
}

impl Directory {
    /// The account of a running instance.
    pub(in crate::domain) fn home(&self, id: &InstanceId) -> Option<AccountId> {
        self.homes.get(&id.into())?.1.id()
    }

    /// The instance whose own key this is.
    pub(in crate::domain) fn key(
        &self,
        key: &AccessKeyId,
    ) -> Option<(AccountId, PackedInstanceId)> {
        let (_, (account, instance)) = self.keys.get(&PackedKeyId::pack(key)?)?;
        Some((account.id()?, *instance))
    }

    /// The one running instance with this address. An address that several have is nobody's.
    pub(in crate::domain) fn at(&self, address: IpAddr) -> Option<(AccountId, PackedInstanceId)> {
        self.only_one(PackedAccountId::FIRST, address, |_| true)
    }

    /// The account's one running instance with this address, whoever else has it.
    pub(in crate::domain) fn of_account_at(
        &self,
        account: AccountId,
        address: IpAddr,
    ) -> Option<(AccountId, PackedInstanceId)> {
        let account = PackedAccountId::from(account);
        self.only_one(account, address, |other| other == account)
    }

    /// The only place of an address from that of `first` on, as far as accounts are `wanted`.
    fn only_one(
        &self,
        first: PackedAccountId,
        address: IpAddr,
        wanted: impl Fn(PackedAccountId) -> bool,
    ) -> Option<(AccountId, PackedInstanceId)> {
        let address = place(address);
        let from = (address, first, PackedInstanceId::NONE);
        let is_here = |(at, account, _): &Place| *at == address && wanted(*account);
        let mut here = self.addresses.iter_from(&from).take_while(|(place, ())| is_here(place));
        match (here.next(), here.next()) {
            (Some(((_, account, instance), ())), None) => Some((account.id()?, *instance)),
            _ => None,
        }
    }

    pub(in crate::domain) fn launch(
        &mut self,
        account: AccountId,
        id: &InstanceId,
        address: Option<IpAddr>,
    ) {
        let (account, id) = (account.into(), id.into());
        self.homes.insert((id, account));
        if let Some(address) = address {
            self.addresses.insert(((place(address), account, id), ()));
        }
    }

    pub(in crate::domain) fn add_key(
        &mut self,
        account: AccountId,
        id: &InstanceId,
        key: &AccessKeyId,
    ) -> Option<()> {
        self.keys.insert((PackedKeyId::pack(key)?, (account.into(), id.into())));
        Some(())
    }

    /// Forgets an instance that ends.
    pub(in crate::domain) fn terminate(
        &mut self,
        account: &Account,
        id: PackedInstanceId,
    ) -> Option<()> {
        let record = account.instances.record(id)?;
        self.homes.remove(&id);
        self.keys.remove(&record.identity_key);
        if let Some(address) = record.address {
            self.addresses.remove(&(place(address), account.id.into(), id));
        }
        Some(())
    }

    /// Forgets the instances of an account that ends.
    pub(in crate::domain) fn forget(&mut self, account: &Account) {
        for record in account.instances.records().filter(|record| record.running) {
            self.terminate(account, record.id);
        }
    }

    /// The directory of these accounts.
    pub(in crate::domain) fn of<'a>(accounts: impl Iterator<Item = &'a Arc<Account>>) -> Self {
        let (mut homes, mut addresses, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for account in accounts {
            let own = PackedAccountId::from(account.id);
            for record in account.instances.records().filter(|record| record.running) {
                homes.push((record.id, own));
                if let Some(address) = record.address {
                    addresses.push(((place(address), own, record.id), ()));
                }
                if record.identity_key != PackedKeyId::NONE {
                    keys.push((record.identity_key, (own, record.id)));
                }
            }
        }
        homes.sort_unstable();
        addresses.sort_unstable();
        keys.sort_unstable();
        Self {
            homes: Paged::from_sorted(&homes),
            addresses: Paged::from_sorted(&addresses),
            keys: Paged::from_sorted(&keys),
        }
    }
}
