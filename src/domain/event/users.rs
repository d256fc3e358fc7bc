//! What happens to those who hold keys, users and host agents, to groups of users, and to the keys.

use crate::domain::last_use::CredentialUse;
use crate::identity::{AccessKeyId, AgentName, GroupName, InstanceId, Path, UniqueId, UserName};

/// Who owns an access key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyOwner {
    /// The account's root.
    Root,
    /// A user.
    User(UserName),
    /// An instance: its own identity.
    Instance(InstanceId),
    /// A host agent: its own identity.
    Agent(AgentName),
}

/// What happens to users.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum UserEvent {
    Created { name: UserName, path: Path, id: UniqueId },
    Updated { name: UserName, new_name: UserName, path: Path },
    Deleted { name: UserName },
}

impl UserEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "UserCreated",
            Self::Updated { .. } => "UserUpdated",
            Self::Deleted { .. } => "UserDeleted",
        }
    }
}

/// What happens to groups.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum GroupEvent {
    Created { name: GroupName, path: Path, id: UniqueId },
    Updated { name: GroupName, new_name: GroupName, path: Path },
    Deleted { name: GroupName },
    UserAdded { group: GroupName, user: UserName },
    UserRemoved { group: GroupName, user: UserName },
}

impl GroupEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "GroupCreated",
            Self::Updated { .. } => "GroupUpdated",
            Self::Deleted { .. } => "GroupDeleted",
            Self::UserAdded { .. } => "UserAddedToGroup",
            Self::UserRemoved { .. } => "UserRemovedFromGroup",
        }
    }
}

/// What happens to access keys, and to other credentials as they are used.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum AccessKeyEvent {
    Created {
        key: AccessKeyId,
        owner: KeyOwner,
    },
    StatusChanged {
        key: AccessKeyId,
        active: bool,
    },
    Deleted {
        key: AccessKeyId,
    },
    /// Credentials and their roles were used, some minutes ago at most.
    Used {
        uses: Vec<CredentialUse>,
    },
}

impl AccessKeyEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "AccessKeyCreated",
            Self::StatusChanged { .. } => "AccessKeyStatusChanged",
            Self::Deleted { .. } => "AccessKeyDeleted",
            Self::Used { .. } => "CredentialsUsed",
        }
    }
}

/// What happens to host agents.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum AgentEvent {
    Created { name: AgentName, id: UniqueId },
    Deleted { name: AgentName },
}

impl AgentEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "AgentCreated",
            Self::Deleted { .. } => "AgentDeleted",
        }
    }
}
