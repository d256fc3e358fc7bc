//! Events: what has happened. With `command.rs` this folder tells what the product does.
//!
//! A `Fact` is what one command led to: its events, who asked and under which request. One fact is one
//! record of the log and gets one sequence number. Events hold no secret: keys and tokens are derived
//! from what stands here and the keyring.
//!
//! Events are of a kind by noun and then by what happened. Whoever follows them matches both without a
//! catch-all, so that a new event does not compile until each follower says what it means there
//! (`tests/tidy.rs`).

mod accounts;
mod instances;
mod policies;
mod roles;
mod users;

use std::sync::Arc;

pub use accounts::{
    AccountEvent, DocumentKey, GuardrailEvent, GuardrailKind, GuardrailRef, InstallationEvent,
};
pub use instances::{InstanceEvent, InstanceFacts, RoleCredentials};
pub use policies::{PolicyEvent, PolicyOwner, TagEvent};
pub use roles::{ProfileEvent, RoleEvent, SessionEvent};
pub use users::{AccessKeyEvent, AgentEvent, GroupEvent, KeyOwner, UserEvent};

use super::mfa::MfaEvent;
use super::oidc::OidcEvent;
use super::rotation::RotationEvent;
use crate::clock::Timestamp;
use crate::identity::AccountId;

/// The outcome of one command: one record of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// When it was decided.
    pub time: Timestamp,
    /// The ARN of who asked for it.
    pub actor: Arc<str>,
    /// The request's id, as the caller was told.
    pub request_id: Arc<str>,
    /// The W3C trace id, empty where there is none.
    pub trace_id: Arc<str>,
    /// The caller's token, by which a retry is recognised.
    pub idempotency: Option<Idempotency>,
    /// What happened, in order; never empty.
    pub events: Vec<Event>,
}

/// A caller's token and what it was first used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The account whose callers share the token's name space.
    pub account: AccountId,
    /// The token, 1 to 64 characters.
    pub token: Arc<str>,
    /// A digest of the request, so that the token is not taken for another request.
    pub fingerprint: [u8; 16],
}

/// Something that happened in an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The account whose state it changes.
    pub account: AccountId,
    /// What happened.
    pub kind: EventKind,
}

/// Every kind of event, by what it is of.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// An account itself.
    Account(AccountEvent),
    /// The installation; of the operator's account.
    Installation(InstallationEvent),
    /// A guardrail; of the operator's account, whatever its target.
    Guardrail(GuardrailEvent),
    /// A user.
    User(UserEvent),
    /// A group.
    Group(GroupEvent),
    /// An access key; and uses of credentials.
    AccessKey(AccessKeyEvent),
    /// A role.
    Role(RoleEvent),
    /// A policy, inline or managed.
    Policy(PolicyEvent),
    /// Tags of an entity.
    Tag(TagEvent),
    /// An instance profile.
    Profile(ProfileEvent),
    /// A host agent.
    Agent(AgentEvent),
    /// An instance.
    Instance(InstanceEvent),
    /// Many sets at once, and what is set and told of them.
    Rotation(RotationEvent),
    /// Sessions.
    Session(SessionEvent),
    /// An MFA device.
    Mfa(MfaEvent),
    /// An OpenID Connect provider.
    Oidc(OidcEvent),
}

impl EventKind {
    /// The kind's name, as the Events service and filters spell it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Account(event) => event.name(),
            Self::Installation(event) => event.name(),
            Self::Guardrail(event) => event.name(),
            Self::User(event) => event.name(),
            Self::Group(event) => event.name(),
            Self::AccessKey(event) => event.name(),
            Self::Role(event) => event.name(),
            Self::Policy(event) => event.name(),
            Self::Tag(event) => event.name(),
            Self::Profile(event) => event.name(),
            Self::Agent(event) => event.name(),
            Self::Instance(event) => event.name(),
            Self::Rotation(event) => event.name(),
            Self::Session(event) => event.name(),
            Self::Mfa(event) => event.name(),
            Self::Oidc(event) => event.name(),
        }
    }
}
