//! Commands: what may be asked of an account. A command carries everything a decision needs that is
//! not in the state: the caller, the time, and every random id, drawn before it is submitted.

mod actions;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::access::Caller;
use super::event::Idempotency;
use super::mfa::MfaAction;
use super::oidc::OidcAction;
use super::rotation::RotationAction;
use crate::clock::Timestamp;
use crate::identity::{
    AccessKeyId, AccountId, Arn, AssociationId, InstanceId, ProfileName, RoleName, UserName,
};

pub use actions::{
    AccessKeyAction, AccountAction, AgentAction, GroupAction, GuardrailAction, InstallationAction,
    InstanceAction, LaunchNetworking, PolicyAction, ProfileAction, RoleAction, SessionAction,
    TagAction, UserAction,
};

/// A command with who asks and when.
#[derive(Clone, Debug)]
pub struct Command {
    /// The account that the command acts on.
    pub account: AccountId,
    /// Who asks.
    pub caller: Caller,
    /// The time of the decision.
    pub time: Timestamp,
    /// The request's id.
    pub request_id: Arc<str>,
    /// The W3C trace id, empty where there is none.
    pub trace_id: Arc<str>,
    /// The caller's token for retries.
    pub idempotency: Option<Idempotency>,
    /// What is asked.
    pub action: Action,
}

/// New credentials for an instance, as far as they are drawn before the decision.
#[derive(Clone, Debug)]
pub struct Minting {
    /// `ASIA...`, used only if a role is there to be assumed.
    pub key: AccessKeyId,
    /// How long the set lives.
    pub lifetime: Duration,
}

/// What is drawn for an instance before it is launched.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its id.
    pub id: InstanceId,
    /// `AKIA...`, the key by which it itself calls.
    pub identity_key: AccessKeyId,
    /// The address by which an agent knows it.
    pub private_ip: Option<IpAddr>,
    /// The association, used only with a profile.
    pub association: AssociationId,
    /// Its first credentials.
    pub minting: Minting,
}

/// A profile as callers name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileRef {
    /// By name.
    Name(ProfileName),
    /// By ARN.
    Arn(Arn),
}

/// Whose sessions are revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationTarget {
    /// One session, by its access key.
    Session(AccessKeyId),
    /// All of an instance.
    Instance(InstanceId),
    /// All of a role.
    Role(RoleName),
    /// All that a user asked for itself, of GetSessionToken and of GetFederationToken.
    User(UserName),
}

/// Everything that can be asked, by what it is asked of. A new action does not compile until `decide` handles it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named after what its actions are about")]
pub enum Action {
    Account(AccountAction),
    Installation(InstallationAction),
    Guardrail(GuardrailAction),
    User(UserAction),
    Group(GroupAction),
    AccessKey(AccessKeyAction),
    Role(RoleAction),
    Policy(PolicyAction),
    Tag(TagAction),
    Profile(ProfileAction),
    Agent(AgentAction),
    Instance(InstanceAction),
    /// New credentials ahead of the end of the old.
    Rotation(RotationAction),
    Session(SessionAction),
    Mfa(MfaAction),
    Oidc(OidcAction),
}
