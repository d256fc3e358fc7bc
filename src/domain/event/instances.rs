//! What happens to instances, one by one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::fleet::Record;
use crate::domain::metadata::MetadataOptions;
use crate::domain::usage::MetadataUsage;
use crate::identity::{
    AccessKeyId, AgentName, AssociationId, InstanceId, Path, ProfileName, RoleName, UniqueId,
};

/// What the metadata of an instance tells besides its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceFacts {
    /// The machine image.
    pub image_id: Arc<str>,
    /// The instance type.
    pub instance_type: Arc<str>,
    /// The region.
    pub region: Arc<str>,
    /// The availability zone.
    pub zone: Arc<str>,
    /// The host agent that serves it.
    pub agent: Option<AgentName>,
    /// The unique id of that agent, which a successor of the same name has not; added by the decision to launch.
    pub agent_id: Option<UniqueId>,
    /// Tags of the instance.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
    /// How the instance gets its metadata.
    pub metadata: MetadataOptions,
}

/// One set of temporary credentials of an instance's role: the fact from which they are derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleCredentials {
    /// Counts the sets of one association, from 1.
    pub epoch: u64,
    /// `ASIA...`
    pub key: AccessKeyId,
    /// The role's name when the set was issued.
    pub role: RoleName,
    /// The role's path.
    pub path: Path,
    /// `AROA...`
    pub role_id: UniqueId,
    /// When the set was issued.
    pub issued_at: Timestamp,
    /// When the set ends.
    pub expires_at: Timestamp,
}

/// What happens to instances.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum InstanceEvent {
    Launched {
        id: InstanceId,
        facts: InstanceFacts,
        /// The address by which an agent knows the instance.
        private_ip: Option<IpAddr>,
    },
    Terminated {
        id: InstanceId,
    },
    MetadataOptionsChanged {
        instance: InstanceId,
        options: MetadataOptions,
    },
    MetadataUsed {
        instance: InstanceId,
        usage: MetadataUsage,
    },
    ProfileAssociated {
        association: AssociationId,
        instance: InstanceId,
        profile: ProfileName,
        profile_id: UniqueId,
        generation: u64,
    },
    ProfileDisassociated {
        association: AssociationId,
        instance: InstanceId,
        generation: u64,
    },
    CredentialsRotated {
        association: AssociationId,
        instance: InstanceId,
        credentials: RoleCredentials,
    },
    CredentialsRefused {
        association: AssociationId,
        instance: InstanceId,
        code: Arc<str>,
        message: Arc<str>,
    },
    /// Instances as they are. Of snapshots alone: it makes them known, and `State::index_instances` found.
    Restored {
        instances: Vec<Record>,
    },
}

impl InstanceEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Launched { .. } => "InstanceLaunched",
            Self::Terminated { .. } => "InstanceTerminated",
            Self::MetadataOptionsChanged { .. } => "MetadataOptionsChanged",
            Self::MetadataUsed { .. } => "MetadataUsed",
            Self::ProfileAssociated { .. } => "ProfileAssociated",
            Self::ProfileDisassociated { .. } => "ProfileDisassociated",
            Self::CredentialsRotated { .. } => "CredentialsRotated",
            Self::CredentialsRefused { .. } => "CredentialsRefused",
            Self::Restored { .. } => "InstancesRetold",
        }
    }
}
