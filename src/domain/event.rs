//! Events: what has happened. With `command.rs` this file tells what the product does.
//!
//! A `Fact` is what one command led to: its events, who asked and under which request. One fact is one
//! record of the log and gets one sequence number. Events hold no secret: keys and tokens are derived
//! from what stands here and the keyring.

mod names;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::account_key::WrappedAccountKey;
use super::addresses::AddressRange;
use super::entity::{EntityEvent, PolicyRef};
use super::fleet::Record;
use super::last_use::CredentialUse;
use super::metadata::MetadataOptions;
use super::mfa::MfaEvent;
use super::oidc::OidcEvent;
use super::quotas::Quota;
use super::revocation::RevocationScope;
use super::rotation::RotationEvent;
use super::session::Session;
use super::usage::MetadataUsage;
use crate::clock::Timestamp;
use crate::identity::{
    AccessKeyId, AccountId, AgentName, AssociationId, GroupName, InstanceId, Path, PolicyName,
    ProfileName, RoleName, UniqueId, UserName,
};
use crate::policy::{Policy, PolicyKind};

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

/// What a guardrail limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardrailKind {
    /// What an account's principals may do: a service control policy.
    ServiceControl,
    /// What anyone may do to an account's resources: a resource control policy.
    ResourceControl,
}

impl GuardrailKind {
    /// The kind of its document.
    #[must_use]
    pub fn policy_kind(self) -> PolicyKind {
        match self {
            Self::ServiceControl => PolicyKind::ServiceControl,
            Self::ResourceControl => PolicyKind::ResourceControl,
        }
    }
}

/// Which guardrail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuardrailRef {
    /// What it limits.
    pub kind: GuardrailKind,
    /// The account it is put on; none for the whole installation.
    pub target: Option<AccountId>,
    /// Unique among those of its kind and target.
    pub name: PolicyName,
}

/// The key that signs instance-identity documents; opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentKey {
    /// The private key, sealed under the key of the operator's account.
    pub sealed: Arc<[u8]>,
    /// The certificate's serial number.
    pub serial: Arc<[u8]>,
    /// The certificate, in DER.
    pub certificate: Arc<[u8]>,
}

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

/// Every kind of event.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum EventKind {
    AccountCreated {
        name: Arc<str>,
        key: WrappedAccountKey,
    },
    AccountDisabled,
    AccountEnabled,
    /// Nothing of the account is left but its number, and its key is erased.
    AccountDeleted,
    AccountKeyRewrapped {
        key: WrappedAccountKey,
    },
    /// What an account may have or do at most; none is the default again.
    QuotaSet {
        quota: Quota,
        max: Option<u32>,
    },
    /// The private addresses that are the account's alone, instead of those that were.
    AddressRangesSet {
        ranges: Arc<[AddressRange]>,
    },
    /// Of the operator's account: this version of the root key wraps from now on.
    KeyringRotated {
        version: u32,
    },
    /// Of the operator's account: this version of the root key is forgotten.
    KeyringVersionRetired {
        version: u32,
    },

    UserCreated {
        name: UserName,
        path: Path,
        id: UniqueId,
    },
    UserDeleted {
        name: UserName,
    },
    GroupCreated {
        name: GroupName,
        path: Path,
        id: UniqueId,
    },
    GroupDeleted {
        name: GroupName,
    },
    UserAddedToGroup {
        group: GroupName,
        user: UserName,
    },
    UserRemovedFromGroup {
        group: GroupName,
        user: UserName,
    },
    AccessKeyCreated {
        key: AccessKeyId,
        owner: KeyOwner,
    },
    AccessKeyStatusChanged {
        key: AccessKeyId,
        active: bool,
    },
    AccessKeyDeleted {
        key: AccessKeyId,
    },

    RoleCreated {
        name: RoleName,
        path: Path,
        id: UniqueId,
        description: Arc<str>,
        max_session: Duration,
        trust: Policy,
    },
    RoleUpdated {
        name: RoleName,
        description: Arc<str>,
        max_session: Duration,
    },
    TrustPolicyChanged {
        role: RoleName,
        trust: Policy,
    },
    RoleDeleted {
        name: RoleName,
    },

    InlinePolicyPut {
        owner: PolicyOwner,
        name: PolicyName,
        policy: Policy,
    },
    InlinePolicyDeleted {
        owner: PolicyOwner,
        name: PolicyName,
    },
    PolicyCreated {
        name: PolicyName,
        path: Path,
        id: UniqueId,
        description: Arc<str>,
        policy: Policy,
    },
    PolicyVersionCreated {
        name: PolicyName,
        version: u32,
        policy: Policy,
        /// Whether it counts from then on.
        default: bool,
    },
    PolicyDeleted {
        name: PolicyName,
    },
    PolicyAttached {
        owner: PolicyOwner,
        policy: PolicyRef,
    },
    PolicyDetached {
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

    ProfileCreated {
        name: ProfileName,
        path: Path,
        id: UniqueId,
    },
    ProfileDeleted {
        name: ProfileName,
    },
    ProfileRoleAdded {
        profile: ProfileName,
        role: RoleName,
    },
    ProfileRoleRemoved {
        profile: ProfileName,
        role: RoleName,
    },

    AgentCreated {
        name: AgentName,
        id: UniqueId,
    },
    AgentDeleted {
        name: AgentName,
    },

    InstanceLaunched {
        id: InstanceId,
        facts: InstanceFacts,
        /// The address by which an agent knows the instance.
        private_ip: Option<IpAddr>,
    },
    InstanceTerminated {
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

    /// Many sets at once, and what is set and told of them.
    Rotation(RotationEvent),
    /// Instances as they are. Of snapshots alone: it makes them known, and `State::index_instances` found.
    InstancesRetold {
        instances: Vec<Record>,
    },

    SessionIssued {
        session: Session,
    },
    Mfa(MfaEvent),
    Oidc(OidcEvent),
    /// Sessions issued before `before` count no more; with `chained`, nor what came from them. Everything
    /// that this voids has ended at `until`.
    SessionsRevoked {
        scope: RevocationScope,
        before: Timestamp,
        chained: bool,
        until: Timestamp,
    },

    /// Credentials and their roles were used, some minutes ago at most.
    CredentialsUsed {
        uses: Vec<CredentialUse>,
    },

    /// An event of the operator's account.
    DocumentKeyCreated {
        key: DocumentKey,
    },

    /// Tags, new names, versions of policies, service-linked roles, the account's alias.
    Entity(EntityEvent),

    /// An event of the operator's account, whatever its target.
    GuardrailPut {
        guardrail: GuardrailRef,
        policy: Policy,
    },
    GuardrailDeleted {
        guardrail: GuardrailRef,
    },
}
