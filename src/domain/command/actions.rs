//! The actions by noun. Each carries what was parsed and drawn before it was submitted.

use std::sync::Arc;
use std::time::Duration;

use super::{Launch, Minting, ProfileRef, RevocationTarget};
use crate::clock::Timestamp;
use crate::domain::account_key::WrappedAccountKey;
use crate::domain::addresses::AddressRange;
use crate::domain::entity::TagOwner;
use crate::domain::event::{DocumentKey, GuardrailRef, InstanceFacts, KeyOwner, PolicyOwner};
use crate::domain::last_use::CredentialUse;
use crate::domain::metadata::MetadataChange;
use crate::domain::quotas::Quota;
use crate::domain::session::{Operation, SessionRequest};
use crate::domain::tags::Tags;
use crate::domain::usage::MetadataUsage;
use crate::identity::{
    AccessKeyId, AccountAlias, AgentName, Arn, AssociationId, GroupName, InstanceId, Path,
    PolicyName, ProfileName, RoleName, TagKey, UniqueId, UserName,
};
use crate::policy::Policy;

/// Of an account itself.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum AccountAction {
    Create {
        name: Arc<str>,
        key: WrappedAccountKey,
        root_key: AccessKeyId,
    },
    Disable,
    Enable,
    Delete,
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
    RewrapKey {
        from: u32,
        key: WrappedAccountKey,
    },
    CreateAlias {
        alias: AccountAlias,
    },
    DeleteAlias {
        alias: AccountAlias,
    },
}

/// Of the installation as a whole, in the operator's account.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum InstallationAction {
    RotateKeyring {
        version: u32,
    },
    RetireKeyringVersion {
        version: u32,
    },
    /// The service's own: the key of identity documents, if there is none.
    CreateDocumentKey {
        key: DocumentKey,
    },
}

/// Of guardrails, in the operator's account whatever the target.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum GuardrailAction {
    Put { guardrail: GuardrailRef, policy: Policy },
    Delete { guardrail: GuardrailRef },
}

/// Of a user.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum UserAction {
    Create { name: UserName, path: Path, id: UniqueId, tags: Tags, boundary: Option<Arn> },
    Update { name: UserName, new_name: Option<UserName>, new_path: Option<Path> },
    Delete { name: UserName },
}

/// Of a group and its members.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum GroupAction {
    Create { name: GroupName, path: Path, id: UniqueId },
    Update { name: GroupName, new_name: Option<GroupName>, new_path: Option<Path> },
    Delete { name: GroupName },
    AddUser { group: GroupName, user: UserName },
    RemoveUser { group: GroupName, user: UserName },
}

/// Of long-term access keys.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum AccessKeyAction {
    Create {
        owner: KeyOwner,
        key: AccessKeyId,
    },
    Update {
        owner: KeyOwner,
        key: AccessKeyId,
        active: bool,
    },
    Delete {
        owner: KeyOwner,
        key: AccessKeyId,
    },
    /// The service's own: when credentials were used last.
    RecordUses {
        uses: Vec<CredentialUse>,
    },
}

/// Of a role.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum RoleAction {
    Create {
        name: RoleName,
        path: Path,
        id: UniqueId,
        description: Arc<str>,
        max_session: Duration,
        trust: Policy,
        tags: Tags,
        boundary: Option<Arn>,
    },
    Update {
        name: RoleName,
        description: Option<Arc<str>>,
        max_session: Option<Duration>,
    },
    UpdateDescription {
        name: RoleName,
        description: Arc<str>,
    },
    UpdateTrust {
        role: RoleName,
        trust: Policy,
    },
    Delete {
        name: RoleName,
    },
    /// A role that a service acts in; `service` is its principal, such as `ecs.amazonaws.com`.
    CreateServiceLinked {
        service: Arc<str>,
        suffix: Option<Arc<str>>,
        description: Arc<str>,
        id: UniqueId,
    },
    /// `task` is the random end of the deletion's id, which GetServiceLinkedRoleDeletionStatus asks for.
    DeleteServiceLinked {
        name: RoleName,
        task: Arc<str>,
    },
}

/// Of inline and managed policies, attachments and permissions boundaries.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum PolicyAction {
    PutInline {
        owner: PolicyOwner,
        name: PolicyName,
        policy: Policy,
    },
    DeleteInline {
        owner: PolicyOwner,
        name: PolicyName,
    },
    Create {
        name: PolicyName,
        path: Path,
        id: UniqueId,
        description: Arc<str>,
        policy: Policy,
        tags: Tags,
    },
    CreateVersion {
        policy_arn: Arn,
        policy: Policy,
        /// Whether it is to count from now on.
        default: bool,
    },
    SetDefaultVersion {
        policy_arn: Arn,
        version: u32,
    },
    DeleteVersion {
        policy_arn: Arn,
        version: u32,
    },
    Delete {
        policy_arn: Arn,
    },
    Attach {
        owner: PolicyOwner,
        policy_arn: Arn,
    },
    Detach {
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
}

/// Of the tags of an entity.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum TagAction {
    Tag { owner: TagOwner, tags: Tags },
    Untag { owner: TagOwner, keys: Vec<TagKey> },
}

/// Of an instance profile.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum ProfileAction {
    Create { name: ProfileName, path: Path, id: UniqueId, tags: Tags },
    Delete { name: ProfileName },
    AddRole { profile: ProfileName, role: RoleName },
    RemoveRole { profile: ProfileName, role: RoleName },
}

/// Of a host agent.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum AgentAction {
    Create { name: AgentName, id: UniqueId, key: AccessKeyId },
    Delete { name: AgentName },
}

/// Of instances and their profiles.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum InstanceAction {
    /// Instances that are alike: all of them or none.
    Launch {
        launches: Vec<Launch>,
        facts: InstanceFacts,
        networking: LaunchNetworking,
        profile: Option<ProfileRef>,
    },
    /// All of them or none; those that have ended already stay as they are.
    Terminate {
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
}

/// What a launch names beside the instance itself. There are no networks, key pairs or disks here: the names are
/// judged as the resources that a launch touches, and kept nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct LaunchNetworking {
    pub subnet: Option<Arc<str>>,
    pub security_groups: Vec<Arc<str>>,
    pub key_pair: Option<Arc<str>>,
}

/// Of sessions.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum SessionAction {
    /// Voids the target's sessions that were issued before a moment; all until now without one. `chained`
    /// voids what came from them too. `minting` is for an instance that goes on.
    Revoke { target: RevocationTarget, before: Option<Timestamp>, chained: bool, minting: Minting },
    /// An issue of a session.
    Issue { operation: Operation, session: Box<SessionRequest> },
}
