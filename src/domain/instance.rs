//! An instance and what it carries, as the program works with it; `fleet` keeps it in fewer bytes.

use std::net::IpAddr;
use std::sync::Arc;

use super::event::{InstanceFacts, RoleCredentials};
use super::last_use::LastUse;
use super::usage::MetadataUsage;
use crate::clock::Timestamp;
use crate::identity::{AccessKeyId, AssociationId, InstanceId, ProfileName, UniqueId};
use crate::pace::Pace;

/// A registered instance. Terminated instances stay, without association or keys.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct Instance {
    pub id: InstanceId,
    pub facts: Arc<InstanceFacts>,
    /// The address by which an agent knows the instance.
    pub private_ip: Option<IpAddr>,
    pub launched_at: Timestamp,
    pub running: bool,
    /// The key by which the instance itself calls.
    pub identity_key: Option<AccessKeyId>,
    pub identity_key_last_use: Option<Arc<LastUse>>,
    /// Counts every change of the association, from 0 before the first.
    pub generation: u64,
    pub association: Option<Association>,
    /// The association that ended last.
    pub ended: Option<AssociationId>,
    /// What use was made of its metadata, as far as it was reported.
    pub usage: Option<Arc<MetadataUsage>>,
}

/// An instance profile on an instance.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct Association {
    pub id: AssociationId,
    pub profile: ProfileName,
    pub profile_id: UniqueId,
    pub since: Timestamp,
    pub credentials: Option<RoleCredentials>,
    /// Why there is no newer set.
    pub refused: Option<Refusal>,
    /// The pace of its own.
    pub pace: Option<Pace>,
}

/// Why an association has no newer credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// An AWS code.
    pub code: Arc<str>,
    /// For people.
    pub message: Arc<str>,
    /// Since when.
    pub since: Timestamp,
}
