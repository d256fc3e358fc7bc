//! Resources that are looked up by what a request names.

use super::{InstanceKeys, Keys, Resource, ResourceKind};
use crate::domain::entity::TagOwner;
use crate::domain::event::{GuardrailRef, KeyOwner, PolicyOwner};
use crate::domain::state::{Account, Instance, ManagedPolicy, Permissions, key_of};
use crate::domain::tags::Tags;
use crate::identity::{
    AccessKeyId, AccountId, AgentName, Arn, GroupName, IssuerUrl, Path, Principal, ProfileName,
    RoleName, UserName,
};

/// What is listed by path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what is listed")]
pub enum ListKind {
    Users,
    Groups,
    Roles,
    Policies,
    Profiles,
    MfaDevices,
    Providers,
    Agents,
}

impl<'a> Resource<'a> {
    /// No thing in particular: `*`.
    #[must_use]
    pub fn everything() -> Self {
        Self::of(ResourceKind::Everything, "*", Keys::None)
    }

    /// The ARN that a request asks about.
    #[must_use]
    pub fn named(arn: &'a str) -> Self {
        Self::of(ResourceKind::Named, arn, Keys::None)
    }

    /// A user; by the request's spelling if there is none of this name.
    #[must_use]
    pub fn user(account: &'a Account, name: &UserName) -> Self {
        let Some(user) = account.user(name) else {
            let arn = Arn::user(account.id, &Path::default(), name);
            return Self::of(ResourceKind::User, arn, Keys::None);
        };
        let arn = Arn::user(account.id, &user.path, &user.name);
        let keys = principal(account, &user.tags, Some(&user.permissions));
        Self::of(ResourceKind::User, arn, keys)
    }

    /// A role; by the request's spelling if there is none of this name.
    #[must_use]
    pub fn role(account: &'a Account, name: &RoleName) -> Self {
        let Some(role) = account.role(name) else {
            let arn = Arn::role(account.id, &Path::default(), name);
            return Self::of(ResourceKind::Role, arn, Keys::None);
        };
        let arn = Arn::role(account.id, &role.path, &role.name);
        let keys = principal(account, &role.tags, Some(&role.permissions));
        Self::of(ResourceKind::Role, arn, keys)
    }

    /// The role of an ARN, which is its own if it is found; `tags` are those of the role.
    #[must_use]
    pub fn role_by_arn(arn: &'a str, tags: Option<&'a Tags>) -> Self {
        let keys = tags.map_or(Keys::None, |tags| Keys::Principal { tags, boundary: None });
        Self::of(ResourceKind::Role, arn, keys)
    }

    /// The user, role or group of the name in an ARN, by its own; what is not there has no keys.
    #[must_use]
    pub fn principal(account: &'a Account, arn: &'a Arn) -> Self {
        let named = |kind: &str| {
            let is_own = arn.account_id() == Some(account.id);
            is_own && arn.resource().strip_prefix(kind).is_some_and(|rest| rest.starts_with('/'))
        };
        let found = if named("role") {
            arn.resource_name().parse().ok().map(|name| Self::role(account, &name))
        } else if named("user") {
            arn.resource_name().parse().ok().map(|name| Self::user(account, &name))
        } else if named("group") {
            arn.resource_name().parse().ok().map(|name| Self::group(account, &name))
        } else {
            None
        };
        found.unwrap_or_else(|| Self::of(ResourceKind::User, arn.as_str(), Keys::None))
    }

    /// A role that is not there any more, by what its deletion told.
    #[must_use]
    pub fn deleted_role(arn: String) -> Self {
        Self::of(ResourceKind::Role, arn, Keys::None)
    }

    /// A group; by the request's spelling if there is none of this name.
    #[must_use]
    pub fn group(account: &Account, name: &GroupName) -> Self {
        let found = account.group(name);
        let arn = match found {
            Some(group) => Arn::group(account.id, &group.path, &group.name),
            None => Arn::group(account.id, &Path::default(), name),
        };
        Self::of(ResourceKind::Group, arn, Keys::None)
    }

    /// A managed policy by its ARN.
    #[must_use]
    pub fn policy(account: &'a Account, arn: &Arn) -> Self {
        Self::of_policy(account.policy_by_arn(arn).map(|policy| &**policy), arn)
    }

    fn of_policy(found: Option<&'a ManagedPolicy>, arn: &Arn) -> Self {
        let keys = found.map_or(Keys::None, |policy| Keys::Tags(&policy.tags));
        Self::of(ResourceKind::Policy, arn.clone(), keys)
    }

    /// An instance profile; by the request's spelling if there is none of this name.
    #[must_use]
    pub fn profile(account: &'a Account, name: &ProfileName) -> Self {
        let Some(profile) = account.profile(name) else {
            let arn = Arn::profile(account.id, &Path::default(), name);
            return Self::of(ResourceKind::Profile, arn, Keys::None);
        };
        let arn = Arn::profile(account.id, &profile.path, &profile.name);
        Self::of(ResourceKind::Profile, arn, Keys::Tags(&profile.tags))
    }

    /// An MFA device by its serial number.
    #[must_use]
    pub fn mfa_device(account: &'a Account, serial_number: &Arn) -> Self {
        let keys = account.mfa_device(serial_number).map(|device| Keys::Tags(&device.tags));
        Self::of(ResourceKind::MfaDevice, serial_number.clone(), keys.unwrap_or(Keys::None))
    }

    /// An identity provider by its issuer.
    #[must_use]
    pub fn provider(account: &'a Account, issuer: &IssuerUrl) -> Self {
        let found = account.oidc_providers.get(issuer.without_scheme());
        let found = found.filter(|found| found.issuer == *issuer);
        let keys = found.map_or(Keys::None, |found| Keys::Tags(&found.tags));
        Self::of(ResourceKind::Provider, Arn::oidc_provider(account.id, issuer), keys)
    }

    /// An entity that carries tags.
    #[must_use]
    pub fn tag_owner(account: &'a Account, owner: &TagOwner) -> Self {
        match owner {
            TagOwner::User(name) => Self::user(account, name),
            TagOwner::Role(name) => Self::role(account, name),
            TagOwner::Profile(name) => Self::profile(account, name),
            TagOwner::Policy(name) => {
                let found = account.policies.get(&*key_of(name.as_str()));
                let arn = match found {
                    Some(policy) => policy.arn(account.id),
                    None => Arn::policy(account.id, &Path::default(), name),
                };
                Self::of_policy(found.map(|policy| &**policy), &arn)
            }
            TagOwner::MfaDevice(name) => {
                let found = account.mfa_devices.get(&*key_of(name.as_str()));
                let (path, name) = found
                    .map_or((Path::default(), name), |device| (device.path.clone(), &device.name));
                let keys = found.map_or(Keys::None, |device| Keys::Tags(&device.tags));
                let arn = Arn::mfa_device(account.id, &path, name);
                Self::of(ResourceKind::MfaDevice, arn, keys)
            }
            TagOwner::OidcProvider(issuer) => Self::provider(account, issuer),
        }
    }

    /// A user, role or group, in which policies are put.
    #[must_use]
    pub fn policy_owner(account: &'a Account, owner: &PolicyOwner) -> Self {
        match owner {
            PolicyOwner::User(name) => Self::user(account, name),
            PolicyOwner::Role(name) => Self::role(account, name),
            PolicyOwner::Group(name) => Self::group(account, name),
        }
    }

    /// The owner of access keys or MFA devices.
    #[must_use]
    pub fn key_owner(account: &'a Account, owner: &KeyOwner) -> Self {
        match owner {
            KeyOwner::Root => Self::of(ResourceKind::User, Arn::root(account.id), Keys::None),
            KeyOwner::User(name) => Self::user(account, name),
            KeyOwner::Instance(id) => {
                let principal = Principal::Instance { account: account.id, id: id.clone() };
                Self::of(ResourceKind::Instance, principal.arn().to_string(), Keys::None)
            }
            KeyOwner::Agent(name) => Self::agent(account, name),
        }
    }

    /// A host agent; by the request's spelling if there is none of this name.
    #[must_use]
    pub fn agent(account: &Account, name: &AgentName) -> Self {
        let found = account.agent(name);
        let name = found.map_or(name, |agent| &agent.name);
        Self::of(ResourceKind::Agent, Arn::agent(account.id, name), Keys::None)
    }

    /// One issued session by its key.
    #[must_use]
    pub fn session(account: AccountId, key: &AccessKeyId) -> Self {
        let arn = format!("arn:aws:locum::{account}:session/{key}");
        Self::of(ResourceKind::Session, arn, Keys::None)
    }

    /// A guardrail.
    #[must_use]
    pub fn guardrail(guardrail: &GuardrailRef) -> Self {
        Self::of(ResourceKind::Guardrail, guardrail.arn(), Keys::None)
    }

    /// The guardrails on an account, or all of the installation, as `owner` sees them: the account itself or the
    /// operator.
    #[must_use]
    pub fn guardrails(owner: AccountId, target: Option<AccountId>) -> Self {
        let target = target.map_or_else(|| "*".to_owned(), |account| account.to_string());
        let arn = format!("arn:aws:locum::{owner}:guardrail/*/{target}/*");
        Self::of(ResourceKind::Guardrail, arn, Keys::None)
    }

    /// An account as itself sees it.
    #[must_use]
    pub fn own_account(account: AccountId) -> Self {
        let arn = format!("arn:aws:locum::{account}:account/{account}");
        Self::of(ResourceKind::OperatedAccount, arn, Keys::None)
    }

    /// A service that takes Locum's credentials, as accounts name it in policies on grants.
    #[must_use]
    pub fn resource_service(account: AccountId, service: &str) -> Self {
        let arn = format!("arn:aws:locum::{account}:service/{service}");
        Self::of(ResourceKind::Service, arn, Keys::None)
    }

    /// A version of the root key; every one if none is named.
    #[must_use]
    pub fn keyring(version: Option<u32>) -> Self {
        let named = version.map_or_else(|| "*".to_owned(), |version| version.to_string());
        let arn = format!("arn:aws:locum::{}:keyring/{named}", AccountId::OPERATOR);
        Self::of(ResourceKind::Keyring, arn, Keys::None)
    }

    /// An account as the operator sees it; every one of them if none is named.
    #[must_use]
    pub fn operated_account(account: Option<AccountId>) -> Self {
        let named = account.map_or_else(|| "*".to_owned(), |account| account.to_string());
        let arn = format!("arn:aws:locum::{}:account/{named}", AccountId::OPERATOR);
        Self::of(ResourceKind::OperatedAccount, arn, Keys::None)
    }

    /// Whom GetFederationToken makes a session for.
    #[must_use]
    pub fn federated_user(arn: String) -> Self {
        Self::of(ResourceKind::FederatedUser, arn, Keys::None)
    }

    /// An instance that was launched.
    #[must_use]
    pub fn instance(account: &Account, instance: &'a Instance) -> Self {
        let facts = &*instance.facts;
        let held = instance.association.as_ref();
        let profile = held.and_then(|held| account.profile(&held.profile));
        let profile = profile.map(|p| Arn::profile(account.id, &p.path, &p.name));
        let arn = Arn::instance(&facts.region, account.id, &instance.id);
        let keys = InstanceKeys { profile, ..InstanceKeys::of(Some(&instance.id), facts) };
        Self::of(ResourceKind::Instance, arn, Keys::Instance(keys))
    }

    /// The entities of a kind whose paths begin with `prefix`, as AWS names them in its refusals:
    /// `arn:aws:iam::111122223333:user/` and, with a path, `arn:aws:iam::111122223333:user/team/`.
    #[must_use]
    pub fn list(account: AccountId, kind: ListKind, prefix: &str) -> Self {
        let path = prefix.strip_prefix('/').unwrap_or(prefix);
        let (kind, noun) = match kind {
            ListKind::Users => (ResourceKind::UserList, "user"),
            ListKind::Groups => (ResourceKind::GroupList, "group"),
            ListKind::Roles => (ResourceKind::RoleList, "role"),
            ListKind::Profiles => (ResourceKind::ProfileList, "instance-profile"),
            ListKind::MfaDevices => (ResourceKind::MfaDeviceList, "mfa"),
            // AWS names no ARN here, so that `*` alone covers it.
            ListKind::Policies => {
                let named = format!("policy path /{path}");
                return Self::of(ResourceKind::PolicyList, named, Keys::None);
            }
            ListKind::Providers => {
                let arn = format!("arn:aws:iam::{account}:oidc-provider/*");
                return Self::of(ResourceKind::ProviderList, arn, Keys::None);
            }
            ListKind::Agents => {
                let arn = format!("arn:aws:locum::{account}:agent/");
                return Self::of(ResourceKind::AgentList, arn, Keys::None);
            }
        };
        Self::of(kind, format!("arn:aws:iam::{account}:{noun}/{path}"), Keys::None)
    }
}

fn principal<'a>(account: &Account, tags: &'a Tags, permissions: Option<&Permissions>) -> Keys<'a> {
    let boundary = permissions.and_then(|held| held.boundary.as_deref());
    let boundary = boundary.and_then(|key| account.managed(key));
    Keys::Principal { tags, boundary: boundary.map(|policy| policy.arn(account.id)) }
}
