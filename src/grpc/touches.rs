//! What events change of what instances are told: by this, whoever holds what instances are told keeps it true.

use crate::domain::event::{
    AccessKeyEvent, AccountEvent, AgentEvent, Event, EventKind, InstanceEvent, ProfileEvent,
    RoleEvent, SessionEvent,
};
use crate::domain::revocation::RevocationScope;
use crate::domain::rotation::{RenewedSet, RotationEvent};
use crate::identity::{AccessKeyId, InstanceId, UniqueId};

/// What an event changes of what instances are told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Touches<'a> {
    /// Nothing.
    Nothing,
    /// Nothing, but somebody may not ask for it any longer.
    Standing,
    /// What this instance is told.
    Instance(&'a InstanceId),
    /// This instance has ended and may not ask any longer.
    Ended(&'a InstanceId),
    /// What each of these instances is told.
    Instances(&'a [RenewedSet]),
    /// What the instance is told whose newest set has this key, if the key is one of an instance.
    Set(&'a AccessKeyId),
    /// What each instance is told whose newest set is of this role.
    Role(&'a UniqueId),
    /// What every instance of the account may be told.
    Everything,
}

/// What an event touches in its account.
#[must_use]
pub fn touches(event: &Event) -> Touches<'_> {
    match &event.kind {
        EventKind::Account(event) => of_account(event),
        EventKind::AccessKey(event) => of_access_key(event),
        EventKind::Role(event) => of_role(event),
        EventKind::Profile(event) => of_profile(event),
        EventKind::Agent(event) => of_agent(event),
        EventKind::Instance(event) => of_instance(event),
        EventKind::Rotation(event) => of_rotation(event),
        EventKind::Session(event) => of_session(event),
        // Instances are told nothing of these.
        EventKind::Installation(_)
        | EventKind::Guardrail(_)
        | EventKind::User(_)
        | EventKind::Group(_)
        | EventKind::Policy(_)
        | EventKind::Tag(_)
        | EventKind::Mfa(_)
        | EventKind::Oidc(_) => Touches::Nothing,
    }
}

fn of_account(event: &AccountEvent) -> Touches<'_> {
    match event {
        AccountEvent::Disabled | AccountEvent::Enabled | AccountEvent::Deleted => {
            Touches::Everything
        }
        AccountEvent::Created { .. }
        | AccountEvent::KeyRewrapped { .. }
        | AccountEvent::QuotaSet { .. }
        | AccountEvent::AddressRangesSet { .. }
        | AccountEvent::AliasCreated { .. }
        | AccountEvent::AliasDeleted { .. } => Touches::Nothing,
    }
}

fn of_access_key(event: &AccessKeyEvent) -> Touches<'_> {
    match event {
        AccessKeyEvent::StatusChanged { .. } | AccessKeyEvent::Deleted { .. } => Touches::Standing,
        AccessKeyEvent::Created { .. } | AccessKeyEvent::Used { .. } => Touches::Nothing,
    }
}

fn of_role(event: &RoleEvent) -> Touches<'_> {
    match event {
        RoleEvent::Deleted { .. } => Touches::Everything,
        RoleEvent::Created { .. }
        | RoleEvent::Updated { .. }
        | RoleEvent::TrustChanged { .. }
        | RoleEvent::DeletionCompleted { .. } => Touches::Nothing,
    }
}

fn of_profile(event: &ProfileEvent) -> Touches<'_> {
    match event {
        ProfileEvent::RoleAdded { .. }
        | ProfileEvent::RoleRemoved { .. }
        | ProfileEvent::Deleted { .. } => Touches::Everything,
        ProfileEvent::Created { .. } => Touches::Nothing,
    }
}

fn of_agent(event: &AgentEvent) -> Touches<'_> {
    match event {
        AgentEvent::Deleted { .. } => Touches::Standing,
        AgentEvent::Created { .. } => Touches::Nothing,
    }
}

fn of_instance(event: &InstanceEvent) -> Touches<'_> {
    match event {
        InstanceEvent::Launched { id, .. } => Touches::Instance(id),
        InstanceEvent::Terminated { id } => Touches::Ended(id),
        InstanceEvent::MetadataOptionsChanged { instance, .. }
        | InstanceEvent::ProfileAssociated { instance, .. }
        | InstanceEvent::ProfileDisassociated { instance, .. }
        | InstanceEvent::CredentialsRotated { instance, .. }
        | InstanceEvent::CredentialsRefused { instance, .. } => Touches::Instance(instance),
        // No news: what is restored was told of before, and use is not told of.
        InstanceEvent::Restored { .. } | InstanceEvent::MetadataUsed { .. } => Touches::Nothing,
    }
}

fn of_rotation(event: &RotationEvent) -> Touches<'_> {
    match event {
        RotationEvent::Renewed { sets, .. } => Touches::Instances(sets),
        RotationEvent::Late { .. }
        | RotationEvent::Configured { .. }
        | RotationEvent::Demanded { .. } => Touches::Nothing,
    }
}

/// A set that was revoked is handed out no more.
fn of_session(event: &SessionEvent) -> Touches<'_> {
    match event {
        SessionEvent::Revoked { scope, .. } => match scope {
            RevocationScope::Session(key) => Touches::Set(key),
            RevocationScope::Instance(id) => Touches::Instance(id),
            RevocationScope::Role(id) => Touches::Role(id),
            // No instance is handed what a user asked for itself.
            RevocationScope::User(_) => Touches::Nothing,
        },
        SessionEvent::Issued { .. } => Touches::Nothing,
    }
}
