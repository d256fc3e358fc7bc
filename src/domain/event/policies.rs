//! What happens to policies, and to the tags of whatever carries tags.

use std::sync::Arc;

use crate::domain::entity::{PolicyRef, TagOwner};
use crate::domain::tags::Tags;
use crate::identity::{GroupName, Path, PolicyName, RoleName, TagKey, UniqueId, UserName};
use crate::policy::Policy;

/// A user, a role or a group, which policies are put in and attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyOwner {
    /// A user.
    User(UserName),
    /// A role.
    Role(RoleName),
    /// A group.
    Group(GroupName),
}

/// What happens to policies: inline, managed with their versions, attachments and boundaries.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum PolicyEvent {
    InlinePut {
        owner: PolicyOwner,
        name: PolicyName,
        policy: Policy,
    },
    InlineDeleted {
        owner: PolicyOwner,
        name: PolicyName,
    },
    Created {
        name: PolicyName,
        path: Path,
        id: UniqueId,
        description: Arc<str>,
        policy: Policy,
    },
    VersionCreated {
        name: PolicyName,
        version: u32,
        policy: Policy,
        /// Whether it counts from then on.
        default: bool,
    },
    DefaultVersionSet {
        policy: PolicyName,
        version: u32,
    },
    VersionDeleted {
        policy: PolicyName,
        version: u32,
    },
    Deleted {
        name: PolicyName,
    },
    Attached {
        owner: PolicyOwner,
        policy: PolicyRef,
    },
    Detached {
        owner: PolicyOwner,
        policy: PolicyRef,
    },
    BoundaryPut {
        owner: PolicyOwner,
        policy: PolicyRef,
    },
    BoundaryDeleted {
        owner: PolicyOwner,
    },
}

impl PolicyEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::InlinePut { .. } => "InlinePolicyPut",
            Self::InlineDeleted { .. } => "InlinePolicyDeleted",
            Self::Created { .. } => "PolicyCreated",
            Self::VersionCreated { .. } => "PolicyVersionCreated",
            Self::DefaultVersionSet { .. } => "DefaultPolicyVersionSet",
            Self::VersionDeleted { .. } => "PolicyVersionDeleted",
            Self::Deleted { .. } => "PolicyDeleted",
            Self::Attached { .. } => "PolicyAttached",
            Self::Detached { .. } => "PolicyDetached",
            Self::BoundaryPut { .. } => "BoundaryPut",
            Self::BoundaryDeleted { .. } => "BoundaryDeleted",
        }
    }
}

/// What happens to tags of users, roles, policies, profiles, MFA devices and identity providers.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum TagEvent {
    Tagged { owner: TagOwner, tags: Tags },
    Untagged { owner: TagOwner, keys: Vec<TagKey> },
}

impl TagEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tagged { .. } => "Tagged",
            Self::Untagged { .. } => "Untagged",
        }
    }
}
