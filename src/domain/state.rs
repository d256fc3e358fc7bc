//! What is true: the accounts and everything in them, as persistent maps that share structure, so that
//! a reader's snapshot is a pointer and a batch that fails is dropped with its copy.
//!
//! Names of users, roles, profiles, policies and agents are unique without regard to case but keep it
//! (IAM User Guide, reference_iam-quotas): maps are keyed by the name in lower case.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet, Vector};

use super::account_key::WrappedAccountKey;
use super::addresses::{AddressOwners, AddressRange};
use super::aws_policies;
use super::entity::{AWS_PREFIX, PolicyRef};
use super::event::{DocumentKey, GuardrailKind, KeyOwner};
use super::fleet::{Directory, Fleet};
pub use super::instance::{Association, Instance, Refusal};
use super::last_use::LastUse;
use super::mfa::MfaDevice;
use super::oidc::RegisteredProvider;
use super::quotas::Quota;
use super::revocation::Revocations;
use super::tags::Tags;
use super::trust::Trust;
use crate::clock::Timestamp;
use crate::identity::{
    AccessKeyId, AccountAlias, AccountId, AgentName, Arn, AssociationId, GroupName, InstanceId,
    PackedInstanceId, Path, PolicyName, ProfileName, RoleName, UniqueId, UserName,
};
use crate::pace::Pace;
use crate::policy::Policy;

/// How long an idempotency token is remembered.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 3600);
/// How many idempotency tokens an account keeps; the oldest go first.
pub const IDEMPOTENCY_TOKENS_MAX: usize = 10_000;

/// How many deletions of service-linked roles an account remembers.
pub const DELETION_TASKS_MAX: usize = 100;

/// Everything that the log has made true.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub(super) accounts: OrdMap<AccountId, Arc<Account>>,
    /// But for those of instances.
    pub(super) keys: imbl::HashMap<AccessKeyId, (AccountId, KeyOwner)>,
    /// The ranges of all accounts.
    pub(super) address_owners: AddressOwners,
    /// Running instances, and their keys.
    pub(super) directory: Directory,
    /// Instances' credentials that were issued before this are to be renewed.
    pub(super) renew_before: Timestamp,
    /// By kind and target; no target is the whole installation. Never an empty map.
    pub(super) guardrails: OrdMap<(GuardrailKind, Option<AccountId>), Guardrails>,
    pub(super) document_key: Option<DocumentKey>,
    /// Numbers of accounts that were, which are never used again.
    pub(super) deleted: OrdSet<AccountId>,
}

/// Guardrails of one kind and target, by name.
pub type Guardrails = OrdMap<PolicyName, Policy>;

/// An account.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct Account {
    pub id: AccountId,
    pub name: Arc<str>,
    pub created_at: Timestamp,
    pub enabled: bool,
    /// What the operator set; the defaults hold for the rest.
    pub quotas: OrdMap<Quota, u32>,
    /// Private addresses that are its alone, where the operator gave it any.
    pub address_ranges: Arc<[AddressRange]>,
    pub key: WrappedAccountKey,
    pub users: OrdMap<Box<str>, Arc<User>>,
    /// The same users by unique id: sessions name them so, whatever they are called by now.
    pub(super) users_by_id: OrdMap<UniqueId, Box<str>>,
    pub groups: OrdMap<Box<str>, Arc<Group>>,
    pub roles: OrdMap<Box<str>, Arc<Role>>,
    pub policies: OrdMap<Box<str>, Arc<ManagedPolicy>>,
    /// How often each managed policy is used, AWS's too, by the key of permissions. Never a zero.
    pub policy_uses: OrdMap<Box<str>, PolicyUses>,
    pub profiles: OrdMap<Box<str>, Arc<Profile>>,
    pub agents: OrdMap<Box<str>, Arc<Agent>>,
    pub mfa_devices: OrdMap<Box<str>, Arc<MfaDevice>>,
    /// By issuer, without its scheme.
    pub oidc_providers: OrdMap<Box<str>, Arc<RegisteredProvider>>,
    /// But for those of instances, which name theirs.
    pub access_keys: OrdMap<AccessKeyId, AccessKey>,
    /// The same keys by owner.
    pub(super) keys_by_owner: OrdSet<(KeyOwner, AccessKeyId)>,
    pub instances: Fleet,
    /// How its instances' credentials are renewed, where that is not as everywhere.
    pub pace: Option<Pace>,
    /// Its instances' credentials that were issued before this are to be renewed.
    pub(super) renew_before: Timestamp,
    /// Which sessions are void.
    pub revocations: Revocations,
    /// Its other name.
    pub alias: Option<AccountAlias>,
    /// Ids of the newest deletions of service-linked roles, the oldest first.
    pub deletion_tasks: Vector<Arc<str>>,
    /// Token to (time, fingerprint, sequence of the record that holds the answer).
    pub idempotency: OrdMap<Arc<str>, Remembered>,
    /// The same tokens by age.
    pub idempotency_by_age: OrdSet<(Timestamp, Arc<str>)>,
}

/// What an idempotency token was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// When.
    pub time: Timestamp,
    /// A digest of the request.
    pub fingerprint: [u8; 16],
    /// The record that holds the answer.
    pub sequence: u64,
}

/// Policies put in or attached to a user or role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Permissions {
    /// Inline policies.
    pub inline: OrdMap<PolicyName, Policy>,
    /// Attached managed policies, by the keys of `PolicyRef`.
    pub attached: OrdSet<Box<str>>,
    /// The permissions boundary, by the key of `PolicyRef`.
    pub boundary: Option<Box<str>>,
}

/// A user.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct User {
    pub name: UserName,
    pub path: Path,
    pub id: UniqueId,
    pub created_at: Timestamp,
    pub permissions: Permissions,
    pub tags: Tags,
    /// The groups the user is in, by lower-case name.
    pub groups: OrdSet<Box<str>>,
}

/// A group of users. It holds permissions and is no principal.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct Group {
    pub name: GroupName,
    pub path: Path,
    pub id: UniqueId,
    pub created_at: Timestamp,
    pub permissions: Permissions,
    /// The users in it, by lower-case name.
    pub members: OrdSet<Box<str>>,
}

/// A role.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct Role {
    pub name: RoleName,
    pub path: Path,
    pub id: UniqueId,
    pub description: Arc<str>,
    pub max_session: Duration,
    pub created_at: Timestamp,
    pub trust: Trust,
    pub permissions: Permissions,
    /// When a session of it was used last.
    pub last_use: Option<Arc<LastUse>>,
    pub tags: Tags,
}

/// A managed policy.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct ManagedPolicy {
    pub name: PolicyName,
    pub path: Path,
    pub id: UniqueId,
    pub description: Arc<str>,
    pub created_at: Timestamp,
    /// The number of the default version.
    pub version: u32,
    /// The document of the default version.
    pub policy: Policy,
    /// Every version that is kept, by number.
    pub versions: OrdMap<u32, PolicyVersion>,
    /// The newest number ever given; numbers are not given twice.
    pub last_version: u32,
    pub tags: Tags,
    /// Whether AWS manages it, and not the account.
    pub aws: bool,
}

/// A version of a managed policy.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct PolicyVersion {
    pub created_at: Timestamp,
    pub policy: Policy,
}

/// What a managed policy is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyUses {
    /// Users, roles and groups that it is attached to.
    pub attachments: u32,
    /// Users and roles that it bounds.
    pub boundaries: u32,
}

/// An instance profile: a role in a form that an instance can carry.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct Profile {
    pub name: ProfileName,
    pub path: Path,
    pub id: UniqueId,
    pub created_at: Timestamp,
    pub role: Option<RoleName>,
    pub tags: Tags,
}

/// A host agent.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct Agent {
    pub name: AgentName,
    pub id: UniqueId,
    pub created_at: Timestamp,
}

/// A long-term access key; its secret is derived, never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct AccessKey {
    pub owner: KeyOwner,
    pub active: bool,
    pub created_at: Timestamp,
    pub last_use: Option<Arc<LastUse>>,
}

/// A long-term key and who holds it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "plain fields, named after what they hold")]
pub struct HeldKey<'a> {
    pub account: &'a Arc<Account>,
    pub owner: KeyOwner,
    pub active: bool,
    pub created_at: Timestamp,
    pub last_use: Option<Arc<LastUse>>,
}

/// The key of a name in the maps.
#[must_use]
pub fn key_of(name: &str) -> Box<str> {
    name.to_ascii_lowercase().into_boxed_str()
}

impl State {
    /// The account, if it exists.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Arc<Account>> {
        self.accounts.get(&id)
    }

    /// All accounts in the order of their numbers.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.values()
    }

    /// The guardrails of a kind on an account, or on the whole installation.
    #[must_use]
    pub fn guardrails(
        &self,
        kind: GuardrailKind,
        target: Option<AccountId>,
    ) -> Option<&Guardrails> {
        self.guardrails.get(&(kind, target))
    }

    /// Every kind and target that has guardrails.
    pub fn guardrail_scopes(
        &self,
    ) -> impl Iterator<Item = (&(GuardrailKind, Option<AccountId>), &Guardrails)> {
        self.guardrails.iter()
    }

    /// The ARN of the user or role with this unique id, while it is there.
    #[must_use]
    pub fn arn_of_id(&self, id: &str) -> Option<String> {
        self.accounts().find_map(|account| {
            let role = account.roles.values().find(|role| role.id.as_str() == id);
            let user = account.users.values().find(|user| user.id.as_str() == id);
            let agent = account.agents.values().find(|agent| agent.id.as_str() == id);
            let arn = role.map(|role| Arn::role(account.id, &role.path, &role.name));
            let arn = arn.or(user.map(|user| Arn::user(account.id, &user.path, &user.name)));
            arn.or(agent.map(|agent| Arn::agent(account.id, &agent.name)))
                .map(|arn| arn.to_string())
        })
    }

    /// The key that signs instance-identity documents.
    #[must_use]
    pub fn document_key(&self) -> Option<&DocumentKey> {
        self.document_key.as_ref()
    }

    /// Whose long-term key this is.
    #[must_use]
    pub fn key(&self, key: &AccessKeyId) -> Option<HeldKey<'_>> {
        let Some((account, owner)) = self.keys.get(key) else { return self.instance_key(key) };
        let account = self.accounts.get(account)?;
        let AccessKey { active, created_at, last_use, .. } = account.access_keys.get(key)?.clone();
        Some(HeldKey { account, owner: owner.clone(), active, created_at, last_use })
    }

    /// The same, of instances' own keys.
    fn instance_key(&self, key: &AccessKeyId) -> Option<HeldKey<'_>> {
        let (account, id) = self.directory.key(key)?;
        let account = self.accounts.get(&account)?;
        let record = account.instances.record(id)?;
        Some(HeldKey {
            account,
            owner: KeyOwner::Instance(record.id.id()?),
            active: true,
            created_at: record.launched_at,
            last_use: record.key_last_use().cloned(),
        })
    }

    /// The account of a running instance.
    #[must_use]
    pub fn home_of(&self, instance: &InstanceId) -> Option<AccountId> {
        self.directory.home(instance)
    }

    /// The one running instance with this address; in a range of an account, of that account. An address that several
    /// have is nobody's.
    #[must_use]
    pub fn instance_at(&self, address: IpAddr) -> Option<(AccountId, PackedInstanceId)> {
        match self.address_owners.owner(address) {
            Some(owner) => self.directory.of_account_at(owner, address),
            None => self.directory.at(address),
        }
    }

    /// Instances' credentials of the account that were issued before this are to be renewed as soon as can be.
    #[must_use]
    pub fn renew_before(&self, account: &Account) -> Timestamp {
        self.renew_before.max(account.renew_before)
    }

    /// Makes instances found that were put back from a snapshot.
    pub fn index_instances(&mut self) {
        let ids: Vec<_> = self.accounts.keys().copied().collect();
        for id in ids {
            if let Some(account) = self.accounts.get_mut(&id).filter(|a| !a.instances.is_empty()) {
                Arc::make_mut(account).instances.index();
            }
        }
        self.directory = Directory::of(self.accounts.values());
    }
}

impl ManagedPolicy {
    /// Its ARN; `account` is the one that it is of, unless AWS manages it.
    #[must_use]
    pub fn arn(&self, account: AccountId) -> Arn {
        if self.aws {
            Arn::aws_policy(&self.path, &self.name)
        } else {
            Arn::policy(account, &self.path, &self.name)
        }
    }

    /// How permissions name it.
    #[must_use]
    pub fn reference(&self) -> PolicyRef {
        PolicyRef { name: self.name.clone(), aws: self.aws }
    }

    /// When its newest version was made.
    #[must_use]
    pub fn updated_at(&self) -> Timestamp {
        self.versions.values().map(|version| version.created_at).max().unwrap_or(self.created_at)
    }
}

impl Account {
    /// The user of this name, in any case.
    #[must_use]
    pub fn user(&self, name: &UserName) -> Option<&Arc<User>> {
        self.users.get(&*key_of(name.as_str()))
    }

    /// The user of this unique id.
    #[must_use]
    pub fn user_by_id(&self, id: &UniqueId) -> Option<&Arc<User>> {
        self.users.get(self.users_by_id.get(id)?)
    }

    /// The group of this name, in any case.
    #[must_use]
    pub fn group(&self, name: &GroupName) -> Option<&Arc<Group>> {
        self.groups.get(&*key_of(name.as_str()))
    }

    /// The host agent of this name, in any case.
    #[must_use]
    pub fn agent(&self, name: &AgentName) -> Option<&Arc<Agent>> {
        self.agents.get(&*key_of(name.as_str()))
    }

    /// The role of this name, in any case.
    #[must_use]
    pub fn role(&self, name: &RoleName) -> Option<&Arc<Role>> {
        self.roles.get(&*key_of(name.as_str()))
    }

    /// The profile of this name, in any case.
    #[must_use]
    pub fn profile(&self, name: &ProfileName) -> Option<&Arc<Profile>> {
        self.profiles.get(&*key_of(name.as_str()))
    }

    /// The managed policy with exactly this ARN, AWS's too.
    #[must_use]
    pub fn policy_by_arn(&self, arn: &Arn) -> Option<&Arc<ManagedPolicy>> {
        let name = key_of(arn.resource_name());
        let policy = match arn.account() {
            "aws" => aws_policies::by_name(&name)?,
            _ => self.policies.get(&*name)?,
        };
        (policy.arn(self.id) == *arn).then_some(policy)
    }

    /// The managed policy that permissions hold under this key.
    #[must_use]
    pub fn managed(&self, key: &str) -> Option<&Arc<ManagedPolicy>> {
        match key.strip_prefix(AWS_PREFIX) {
            Some(name) => aws_policies::by_name(name),
            None => self.policies.get(key),
        }
    }

    /// How often a managed policy is used.
    #[must_use]
    pub fn uses_of(&self, policy: &ManagedPolicy) -> PolicyUses {
        self.policy_uses.get(&policy.reference().key()).copied().unwrap_or_default()
    }

    /// The role with exactly this ARN; role ARNs are case-sensitive.
    #[must_use]
    pub fn role_by_arn(&self, arn: &str) -> Option<&Arc<Role>> {
        let name = arn.rsplit('/').next()?;
        let role = self.roles.get(&*key_of(name))?;
        Arn::is_role(arn, self.id, &role.path, &role.name).then_some(role)
    }

    /// The long-term keys of an owner other than an instance, by id.
    pub fn keys_of<'a>(
        &'a self,
        owner: &'a KeyOwner,
    ) -> impl Iterator<Item = (&'a AccessKeyId, &'a AccessKey)> {
        self.keys_by_owner
            .iter()
            .skip_while(move |(other, _)| other < owner)
            .take_while(move |(other, _)| other == owner)
            .filter_map(|(_, id)| Some((id, self.access_keys.get(id)?)))
    }

    /// The instance that carries this association now, and the association.
    #[must_use]
    pub fn association(&self, id: &AssociationId) -> Option<(Instance, Association)> {
        let instance = self.instances.carrier(id)?;
        let association = instance.association.clone()?;
        Some((instance, association))
    }

    /// The role that an association gives now, through its profile.
    #[must_use]
    pub fn associated_role(&self, association: &Association) -> Option<&Arc<Role>> {
        self.role_of_profile(&association.profile, &association.profile_id)
    }

    /// The role in the profile of this name and id.
    #[must_use]
    pub fn role_of_profile(&self, name: &ProfileName, id: &UniqueId) -> Option<&Arc<Role>> {
        let profile = self.profile(name).filter(|profile| profile.id == *id)?;
        self.role(profile.role.as_ref()?)
    }
}
