//! Rotation of instances' credentials as commands and events: many at once, its pace, and the demand to renew all.

use std::sync::Arc;
use std::time::Duration;

use super::command::Minting;
use super::event::RoleCredentials;
use super::state::Role;
use crate::clock::Timestamp;
use crate::identity::{
    AssociationId, PackedAssociationId, PackedInstanceId, PackedKeyId, Path, RoleName, UniqueId,
};
use crate::pace::Pace;

/// Instances that one command renews at most: what the writer decides at one go, some milliseconds of work.
pub const RENEWALS_MAX: usize = 1024;

/// What may be asked.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum RotationAction {
    /// The scheduler's: new sets for these instances of one account, each with its own key.
    Renew { renewals: Vec<(PackedInstanceId, PackedKeyId)>, lifetime: Duration },
    /// Another pace for the account or for one association; none is the one that applies above it.
    Configure { association: Option<AssociationId>, pace: Option<Pace> },
    /// A new set for one association, now.
    RenewOne { association: AssociationId, minting: Minting },
    /// Every set of the account that was issued until now is renewed as soon as can be.
    RenewAccount,
    /// In the operator's account: every set that was issued until now, whosever.
    RenewAll,
}

/// A role as it was when sets were issued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct IssuingRole {
    pub name: RoleName,
    pub path: Path,
    /// `AROA...`
    pub id: UniqueId,
}

impl From<&Role> for IssuingRole {
    fn from(role: &Role) -> Self {
        Self { name: role.name.clone(), path: role.path.clone(), id: role.id.clone() }
    }
}

impl From<&RoleCredentials> for IssuingRole {
    fn from(set: &RoleCredentials) -> Self {
        Self { name: set.role.clone(), path: set.path.clone(), id: set.role_id.clone() }
    }
}

/// One of the sets that were issued together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct RenewedSet {
    pub instance: PackedInstanceId,
    pub association: PackedAssociationId,
    /// Counts the sets of one association, from 1.
    pub epoch: u64,
    pub key: PackedKeyId,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum RotationEvent {
    /// Instances of one role got new sets.
    Renewed {
        role: Arc<IssuingRole>,
        issued_at: Timestamp,
        expires_at: Timestamp,
        sets: Arc<[RenewedSet]>,
    },
    /// These instances were handed out sets with less to live than was promised, for a while before this.
    Late { instances: Vec<PackedInstanceId>, least_left: Duration },
    /// The pace of the account or of one association.
    Configured { association: Option<AssociationId>, pace: Option<Pace> },
    /// Sets issued before `before` are to be renewed: of the account, or all there are.
    Demanded { everywhere: bool, before: Timestamp },
}

impl RotationEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Renewed { .. } => "CredentialsRotatedTogether",
            Self::Late { .. } => "CredentialsRotatedLate",
            Self::Configured { .. } => "RotationConfigured",
            Self::Demanded { .. } => "RotationDemanded",
        }
    }
}
