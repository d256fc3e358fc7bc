//! The instances of an account and what they carry: the one part of the state that has millions of entries.
//!
//! They are kept in pages of packed records (`record`, `paged`), with what many have in common held once (`recent`).
//! `Instance` is what the rest of the program works with; it is made when it is asked for. Look-ups over all
//! accounts are in `directory`.

mod directory;
mod paged;
mod recent;
mod record;

use std::net::IpAddr;
use std::sync::Arc;

pub(super) use directory::Directory;
use paged::Paged;
use recent::Recent;

pub use record::{CarriedProfile, Record, Rest};

use super::event::{InstanceFacts, RoleCredentials};
use super::last_use::LastUse;
use super::metadata::MetadataOptions;
use super::rotation::{IssuingRole, RenewedSet};
use super::state::{Instance, Refusal};
use super::usage::MetadataUsage;
use crate::clock::Timestamp;
use crate::identity::{
    AccessKeyId, AssociationId, InstanceId, PackedAssociationId, PackedInstanceId, PackedKeyId,
    ProfileName, UniqueId,
};
use crate::pace::Pace;

/// Instances of one account. Terminated ones stay, without association or keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    records: Paged<Record>,
    running: usize,
    /// The instance of each living association.
    associations: Paged<(PackedAssociationId, PackedInstanceId)>,
    facts: Recent<InstanceFacts>,
    profiles: Recent<CarriedProfile>,
    roles: Recent<IssuingRole>,
}

impl Fleet {
    /// How many there are, terminated ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is one of this id.
    #[must_use]
    pub fn contains(&self, id: &InstanceId) -> bool {
        self.records.get(&id.into()).is_some()
    }

    /// The instance of this id.
    #[must_use]
    pub fn get(&self, id: &InstanceId) -> Option<Instance> {
        self.records.get(&id.into())?.instance()
    }

    /// All of them in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = Instance> {
        self.records.iter().filter_map(Record::instance)
    }

    /// An instance as it is kept.
    #[must_use]
    pub fn record(&self, id: PackedInstanceId) -> Option<&Record> {
        self.records.get(&id)
    }

    /// All of them as they are kept, in the order of their ids.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// The instance that carries this association now.
    #[must_use]
    pub fn carrier(&self, id: &AssociationId) -> Option<Instance> {
        let (_, instance) = self.associations.get(&id.into())?;
        self.records.get(instance)?.instance()
    }

    pub(super) fn launch(
        &mut self,
        id: &InstanceId,
        facts: &InstanceFacts,
        address: Option<IpAddr>,
        time: Timestamp,
    ) {
        let facts = self.facts.share(facts);
        self.records.insert(Record::new(id.into(), facts, address, time));
        self.running = self.running.saturating_add(1);
    }

    pub(super) fn terminate(&mut self, id: &InstanceId) -> Option<()> {
        let ran = self.records.get(&id.into())?.running;
        self.running = self.running.saturating_sub(ran.into());
        self.update(id, |record| {
            record.running = false;
            record.identity_key = PackedKeyId::NONE;
        })
    }

    /// Only keys as the service draws them can be an instance's.
    pub(super) fn set_identity_key(&mut self, id: &InstanceId, key: &AccessKeyId) -> Option<()> {
        let key = PackedKeyId::pack(key)?;
        self.update(id, |record| record.identity_key = key)
    }

    pub(super) fn use_key(&mut self, id: PackedInstanceId, last: &Arc<LastUse>) -> Option<()> {
        self.records.update(&id, |record| {
            record.change_rest(|rest| super::last_use::later(&mut rest.key_last_use, last));
        })
    }

    pub(super) fn set_options(&mut self, id: &InstanceId, options: MetadataOptions) -> Option<()> {
        let record = self.records.get(&id.into())?;
        let facts = InstanceFacts { metadata: options, ..InstanceFacts::clone(&record.facts) };
        let facts = self.facts.share(&facts);
        self.update(id, |record| record.facts = facts)
    }

    pub(super) fn add_usage(&mut self, id: &InstanceId, usage: &MetadataUsage) -> Option<()> {
        self.update(id, |record| {
            record.change_rest(|rest| {
                Arc::make_mut(rest.usage.get_or_insert_default()).add(usage);
            });
        })
    }

    pub(super) fn associate(
        &mut self,
        id: &InstanceId,
        association: &AssociationId,
        (profile, profile_id): (&ProfileName, &UniqueId),
        generation: u64,
        since: Timestamp,
    ) -> Option<()> {
        let packed = PackedAssociationId::from(association);
        let profile = CarriedProfile { name: profile.clone(), id: profile_id.clone() };
        let profile = self.profiles.share(&profile);
        self.update(id, |record| {
            record.generation = generation;
            record.associate(packed, profile, since);
        })?;
        self.associations.insert((packed, id.into()));
        Some(())
    }

    pub(super) fn disassociate(
        &mut self,
        id: &InstanceId,
        association: &AssociationId,
        generation: u64,
    ) -> Option<()> {
        let packed = PackedAssociationId::from(association);
        self.associations.remove(&packed);
        self.update(id, |record| {
            record.generation = generation;
            record.disassociate();
            record.ended = packed;
        })
    }

    pub(super) fn rotate(&mut self, id: &InstanceId, set: &RoleCredentials) -> Option<()> {
        let renewed = RenewedSet {
            instance: id.into(),
            association: self.records.get(&id.into())?.association,
            epoch: set.epoch,
            key: PackedKeyId::pack(&set.key)?,
        };
        self.renew(&set.into(), (set.issued_at, set.expires_at), &[renewed])
    }

    /// New sets of one role, from a time to a time.
    pub(super) fn renew(
        &mut self,
        role: &IssuingRole,
        (issued_at, expires_at): (Timestamp, Timestamp),
        sets: &[RenewedSet],
    ) -> Option<()> {
        let role = self.roles.share(role);
        let seconds = expires_at.as_unix_seconds().saturating_sub(issued_at.as_unix_seconds());
        let lifetime = u32::try_from(seconds).ok()?;
        for set in sets {
            let carried = self.records.update(&set.instance, |record| {
                record.renew(set, &role, issued_at, lifetime);
                record.association == set.association
                    && set.association != PackedAssociationId::NONE
            });
            carried.filter(|carried| *carried)?;
        }
        Some(())
    }

    pub(super) fn refuse(&mut self, id: &InstanceId, refusal: Refusal) -> Option<()> {
        self.update(id, |record| record.change_rest(|rest| rest.refused = Some(refusal)))
    }

    pub(super) fn set_pace(&mut self, id: &AssociationId, pace: Option<Pace>) -> Option<()> {
        let (_, instance) = *self.associations.get(&id.into())?;
        self.records.update(&instance, |record| record.change_rest(|rest| rest.pace = pace))
    }

    /// Puts an instance in as it was told by `records`, in that order; `index` then makes it found.
    pub(super) fn put_back(&mut self, record: &Record) {
        let mut record = record.clone();
        record.facts = self.facts.keep(&record.facts);
        record.profile = record.profile.map(|profile| self.profiles.keep(&profile));
        record.role = record.role.map(|role| self.roles.keep(&role));
        self.running = self.running.saturating_add(record.running.into());
        self.records.insert(record);
    }

    /// Makes associations found again after instances were put back.
    pub(super) fn index(&mut self) {
        let carries = |record: &&Record| record.association != PackedAssociationId::NONE;
        let carried = self.records.iter().filter(carries);
        let mut associations: Vec<_> =
            carried.map(|record| (record.association, record.id)).collect();
        associations.sort_unstable();
        self.associations = Paged::from_sorted(&associations);
    }

    fn update(&mut self, id: &InstanceId, change: impl FnOnce(&mut Record)) -> Option<()> {
        self.records.update(&id.into(), change)
    }
}
