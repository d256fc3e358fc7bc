//! What happens to roles and to the instance profiles that hold them, and to sessions.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::revocation::RevocationScope;
use crate::domain::session::Session;
use crate::domain::trust::Trust;
use crate::identity::{Path, ProfileName, RoleName, UniqueId};

/// What happens to roles.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum RoleEvent {
    Created {
        name: RoleName,
        path: Path,
        id: UniqueId,
        description: Arc<str>,
        max_session: Duration,
        trust: Trust,
    },
    Updated {
        name: RoleName,
        description: Arc<str>,
        max_session: Duration,
    },
    TrustChanged {
        role: RoleName,
        trust: Trust,
    },
    Deleted {
        name: RoleName,
    },
    /// The role went with an event of its own.
    DeletionCompleted {
        task: Arc<str>,
    },
}

impl RoleEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "RoleCreated",
            Self::Updated { .. } => "RoleUpdated",
            Self::TrustChanged { .. } => "TrustPolicyChanged",
            Self::Deleted { .. } => "RoleDeleted",
            Self::DeletionCompleted { .. } => "RoleDeletionCompleted",
        }
    }
}

/// What happens to instance profiles.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum ProfileEvent {
    Created { name: ProfileName, path: Path, id: UniqueId },
    Deleted { name: ProfileName },
    RoleAdded { profile: ProfileName, role: RoleName },
    RoleRemoved { profile: ProfileName, role: RoleName },
}

impl ProfileEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "ProfileCreated",
            Self::Deleted { .. } => "ProfileDeleted",
            Self::RoleAdded { .. } => "ProfileRoleAdded",
            Self::RoleRemoved { .. } => "ProfileRoleRemoved",
        }
    }
}

/// What happens to sessions.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all events of sessions are of the large kind"
)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum SessionEvent {
    Issued {
        session: Session,
    },
    /// Sessions issued before `before` count no more; with `chained`, nor what came from them. Everything
    /// that this voids has ended at `until`.
    Revoked {
        scope: RevocationScope,
        before: Timestamp,
        chained: bool,
        until: Timestamp,
    },
}

impl SessionEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "SessionIssued",
            Self::Revoked { .. } => "SessionsRevoked",
        }
    }
}
