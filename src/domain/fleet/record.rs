//! An instance in the form that is kept, some 150 bytes, and its translation to the form that is worked with.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::paged::Entry;
use crate::clock::Timestamp;
use crate::domain::event::{InstanceFacts, RoleCredentials};
use crate::domain::last_use::LastUse;
use crate::domain::rotation::{IssuingRole, RenewedSet};
use crate::domain::state::{Association, Instance, Refusal};
use crate::domain::usage::MetadataUsage;
use crate::identity::{PackedAssociationId, PackedInstanceId, PackedKeyId, ProfileName, UniqueId};
use crate::pace::Pace;

/// A profile as it was when it was put on instances.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct CarriedProfile {
    pub name: ProfileName,
    /// `AIPA...`
    pub id: UniqueId,
}

/// What most instances never have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rest {
    /// Why the association has no newer set.
    pub refused: Option<Refusal>,
    /// What use was made of its metadata.
    pub usage: Option<Arc<MetadataUsage>>,
    /// When its own key was used last.
    pub key_last_use: Option<Arc<LastUse>>,
    /// The association's own pace.
    pub pace: Option<Pace>,
}

/// An instance. Empty places hold the ids that are none, and zeros.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "as in `Instance`")]
pub struct Record {
    pub id: PackedInstanceId,
    pub running: bool,
    pub identity_key: PackedKeyId,
    /// The address by which an agent knows it.
    pub address: Option<IpAddr>,
    pub facts: Arc<InstanceFacts>,
    pub launched_at: Timestamp,
    pub generation: u64,
    /// The association that it carries.
    pub association: PackedAssociationId,
    /// The association that ended last.
    pub ended: PackedAssociationId,
    /// The profile of the association.
    pub profile: Option<Arc<CarriedProfile>>,
    /// When the association began.
    pub since: Timestamp,
    /// Counts the sets of its association; 0 before the first.
    pub epoch: u64,
    /// The key of the newest set.
    pub key: PackedKeyId,
    /// The role of the newest set.
    pub role: Option<Arc<IssuingRole>>,
    /// When the newest set was issued.
    pub issued_at: Timestamp,
    /// How long the newest set is valid.
    pub lifetime_seconds: u32,
    /// None where it would hold nothing.
    pub rest: Option<Arc<Rest>>,
}

impl Entry for Record {
    type Key = PackedInstanceId;

    fn key(&self) -> PackedInstanceId {
        self.id
    }
}

impl Record {
    /// An instance that was just launched, without keys.
    #[must_use]
    pub fn new(
        id: PackedInstanceId,
        facts: Arc<InstanceFacts>,
        address: Option<IpAddr>,
        launched_at: Timestamp,
    ) -> Self {
        Self {
            id,
            running: true,
            identity_key: PackedKeyId::NONE,
            address,
            facts,
            launched_at,
            generation: 0,
            association: PackedAssociationId::NONE,
            ended: PackedAssociationId::NONE,
            profile: None,
            since: Timestamp::EPOCH,
            epoch: 0,
            key: PackedKeyId::NONE,
            role: None,
            issued_at: Timestamp::EPOCH,
            lifetime_seconds: 0,
            rest: None,
        }
    }

    /// When its newest set was issued and when that ends, if it has one.
    #[must_use]
    pub fn newest_set(&self) -> Option<(Timestamp, Timestamp)> {
        self.role.as_ref()?;
        Some((self.issued_at, self.issued_at.plus(self.lifetime())))
    }

    /// Why it has no newer set.
    #[must_use]
    pub fn refused(&self) -> Option<&Refusal> {
        self.rest.as_ref()?.refused.as_ref()
    }

    /// When its own key was used last.
    #[must_use]
    pub fn key_last_use(&self) -> Option<&Arc<LastUse>> {
        self.rest.as_ref()?.key_last_use.as_ref()
    }

    /// The pace of its own.
    #[must_use]
    pub fn pace(&self) -> Option<Pace> {
        self.rest.as_ref()?.pace
    }

    fn lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime_seconds.into())
    }

    /// Changes what most instances have none of.
    pub(super) fn change_rest(&mut self, change: impl FnOnce(&mut Rest)) {
        let mut rest = self.rest.as_deref().cloned().unwrap_or_default();
        change(&mut rest);
        self.rest = (rest != Rest::default()).then(|| Arc::new(rest));
    }

    pub(super) fn associate(
        &mut self,
        association: PackedAssociationId,
        profile: Arc<CarriedProfile>,
        since: Timestamp,
    ) {
        self.disassociate();
        self.association = association;
        self.profile = Some(profile);
        self.since = since;
    }

    pub(super) fn disassociate(&mut self) {
        self.association = PackedAssociationId::NONE;
        self.profile = None;
        self.since = Timestamp::EPOCH;
        self.epoch = 0;
        self.key = PackedKeyId::NONE;
        self.role = None;
        self.issued_at = Timestamp::EPOCH;
        self.lifetime_seconds = 0;
        if self.rest.is_some() {
            self.change_rest(|rest| (rest.refused, rest.pace) = (None, None));
        }
    }

    pub(super) fn renew(
        &mut self,
        set: &RenewedSet,
        role: &Arc<IssuingRole>,
        issued_at: Timestamp,
        lifetime_seconds: u32,
    ) {
        self.epoch = set.epoch;
        self.key = set.key;
        self.role = Some(role.clone());
        self.issued_at = issued_at;
        self.lifetime_seconds = lifetime_seconds;
        if self.refused().is_some() {
            self.change_rest(|rest| rest.refused = None);
        }
    }

    fn credentials(&self) -> Option<RoleCredentials> {
        let role = self.role.as_deref()?;
        Some(RoleCredentials {
            epoch: self.epoch,
            key: self.key.id()?,
            role: role.name.clone(),
            path: role.path.clone(),
            role_id: role.id.clone(),
            issued_at: self.issued_at,
            expires_at: self.issued_at.plus(self.lifetime()),
        })
    }

    /// The association that it carries.
    #[must_use]
    pub fn carried(&self) -> Option<Association> {
        let profile = self.profile.as_deref()?;
        Some(Association {
            id: self.association.id()?,
            profile: profile.name.clone(),
            profile_id: profile.id.clone(),
            since: self.since,
            credentials: self.credentials(),
            refused: self.refused().cloned(),
            pace: self.pace(),
        })
    }

    /// The instance; none only of a record whose id is none, which is never kept.
    #[must_use]
    pub fn instance(&self) -> Option<Instance> {
        let rest = self.rest.as_deref();
        Some(Instance {
            id: self.id.id()?,
            facts: self.facts.clone(),
            private_ip: self.address,
            launched_at: self.launched_at,
            running: self.running,
            identity_key: self.identity_key.id(),
            identity_key_last_use: self.key_last_use().cloned(),
            generation: self.generation,
            association: self.carried(),
            ended: self.ended.id(),
            usage: rest.and_then(|rest| rest.usage.clone()),
        })
    }
}
