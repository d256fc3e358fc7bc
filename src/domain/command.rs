//! Commands: what may be asked of an account. A command carries everything a decision needs that is
//! not in the state: the caller, the time, and every random id, drawn before it is submitted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::access::Caller;
use super::account_key::WrappedAccountKey;
use super::addresses::AddressRange;
use super::entity::EntityAction;
use super::event::{DocumentKey, GuardrailRef, Idempotency, InstanceFacts, KeyOwner, PolicyOwner};
use super::last_use::CredentialUse;
use super::metadata::MetadataChange;
use super::mfa::MfaAction;
use super::oidc::OidcAction;
use super::quotas::Quota;
use super::rotation::RotationAction;
use super::session::{Operation, SessionRequest};
use super::tags::Tags;
use super::usage::MetadataUsage;
use crate::clock::Timestamp;
use crate::identity::{
    AccessKeyId, AccountId, AgentName, Arn, AssociationId, GroupName, InstanceId, Path, PolicyName,
    ProfileName, RoleName, UniqueId, UserName,
};
use crate::policy::Policy;

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

/// Everything that can be asked.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum Action {
    CreateAccount {
        name: Arc<str>,
        key: WrappedAccountKey,
        root_key: AccessKeyId,
    },
    DisableAccount,
    EnableAccount,
    DeleteAccount,
    /// The operator's; none is the default again.
    SetQuota {
        quota: Quota,
        max: Option<u32>,
    },
    /// The operator's: the account's, instead of those that it had.
    SetAddressRanges {
        ranges: Vec<AddressRange>,
    },
    /// The service's own: the account's key under another version of the root key.
    RewrapAccountKey {
        from: u32,
        key: WrappedAccountKey,
    },
    /// In the operator's account.
    RotateKeyring {
        version: u32,
    },
    /// In the operator's account.
    RetireKeyringVersion {
        version: u32,
    },
    /// The service's own: the key of identity documents, if there is none.
    CreateDocumentKey {
        key: DocumentKey,
    },

    CreateUser {
        name: UserName,
        path: Path,
        id: UniqueId,
        tags: Tags,
        boundary: Option<Arn>,
    },
    DeleteUser {
        name: UserName,
    },
    CreateGroup {
        name: GroupName,
        path: Path,
        id: UniqueId,
    },
    DeleteGroup {
        name: GroupName,
    },
    AddUserToGroup {
        group: GroupName,
        user: UserName,
    },
    RemoveUserFromGroup {
        group: GroupName,
        user: UserName,
    },
    CreateAccessKey {
        owner: KeyOwner,
        key: AccessKeyId,
    },
    UpdateAccessKey {
        owner: KeyOwner,
        key: AccessKeyId,
        active: bool,
    },
    DeleteAccessKey {
        owner: KeyOwner,
        key: AccessKeyId,
    },

    CreateRole {
        name: RoleName,
        path: Path,
        id: UniqueId,
        description: Arc<str>,
        max_session: Duration,
        trust: Policy,
        tags: Tags,
        boundary: Option<Arn>,
    },
    UpdateRole {
        name: RoleName,
        description: Option<Arc<str>>,
        max_session: Option<Duration>,
    },
    UpdateTrustPolicy {
        role: RoleName,
        trust: Policy,
    },
    DeleteRole {
        name: RoleName,
    },

    PutInlinePolicy {
        owner: PolicyOwner,
        name: PolicyName,
        policy: Policy,
    },
    DeleteInlinePolicy {
        owner: PolicyOwner,
        name: PolicyName,
    },
    CreatePolicy {
        name: PolicyName,
        path: Path,
        id: UniqueId,
        description: Arc<str>,
        policy: Policy,
        tags: Tags,
    },
    CreatePolicyVersion {
        policy_arn: Arn,
        policy: Policy,
        /// Whether it is to count from now on.
        default: bool,
    },
    DeletePolicy {
        policy_arn: Arn,
    },
    AttachPolicy {
        owner: PolicyOwner,
        policy_arn: Arn,
    },
    DetachPolicy {
        owner: PolicyOwner,
        policy_arn: Arn,
    },
    PutBoundary {
        owner: PolicyOwner,
        policy_arn: Arn,
    },
    DeleteBoundary {
        owner: PolicyOwner,
    },

    /// Tags, new names, versions of policies, service-linked roles, the account's alias.
    Entity(EntityAction),

    /// In the operator's account, whatever the target.
    PutGuardrail {
        guardrail: GuardrailRef,
        policy: Policy,
    },
    /// In the operator's account, whatever the target.
    DeleteGuardrail {
        guardrail: GuardrailRef,
    },

    CreateProfile {
        name: ProfileName,
        path: Path,
        id: UniqueId,
        tags: Tags,
    },
    DeleteProfile {
        name: ProfileName,
    },
    AddRoleToProfile {
        profile: ProfileName,
        role: RoleName,
    },
    RemoveRoleFromProfile {
        profile: ProfileName,
        role: RoleName,
    },

    CreateAgent {
        name: AgentName,
        id: UniqueId,
        key: AccessKeyId,
    },
    DeleteAgent {
        name: AgentName,
    },

    /// Instances that are alike: all of them or none.
    LaunchInstances {
        launches: Vec<Launch>,
        facts: InstanceFacts,
        profile: Option<ProfileRef>,
    },
    TerminateInstance {
        id: InstanceId,
    },
    /// All of them or none; those that have ended already stay as they are.
    TerminateInstances {
        ids: Vec<InstanceId>,
    },
    ModifyMetadataOptions {
        instance: InstanceId,
        change: MetadataChange,
    },
    /// Of agents, instances and the service itself: what use was made of metadata.
    RecordMetadataUsage {
        usage: Vec<(InstanceId, MetadataUsage)>,
    },
    AssociateProfile {
        instance: InstanceId,
        profile: ProfileRef,
        association: AssociationId,
        minting: Minting,
    },
    ReplaceProfile {
        association: AssociationId,
        profile: ProfileRef,
        new_association: AssociationId,
        minting: Minting,
    },
    DisassociateProfile {
        association: AssociationId,
    },
    /// New credentials ahead of the end of the old.
    Rotation(RotationAction),

    /// Voids the target's sessions that were issued before a moment; all until now without one. `chained`
    /// voids what came from them too. `minting` is for an instance that goes on.
    RevokeSessions {
        target: RevocationTarget,
        before: Option<Timestamp>,
        chained: bool,
        minting: Minting,
    },

    /// The service's own: when credentials were used last.
    RecordUses {
        uses: Vec<CredentialUse>,
    },

    Mfa(MfaAction),
    Oidc(OidcAction),

    /// An issue of a session.
    IssueSession {
        operation: Operation,
        session: Box<SessionRequest>,
    },
}
