//! The most that an account and its entities may hold, and do in a second. Source: IAM User Guide,
//! reference_iam-quotas; sizes of policies are in characters, and white space is not counted.
//!
//! What stands in `Quota` may be set for each account by the operator; the rest holds for all of them.

use super::state::Account;

/// Users of an account.
pub const USERS_MAX: usize = 5_000;
/// Groups of an account.
pub const GROUPS_MAX: usize = 300;
/// Roles of an account.
pub const ROLES_MAX: usize = 1_000;
/// Managed policies of an account.
pub const POLICIES_MAX: usize = 1_500;
/// Instance profiles of an account.
pub const PROFILES_MAX: usize = 1_000;
/// OpenID Connect providers of an account.
pub const PROVIDERS_MAX: usize = 100;
/// Groups that a user may be in.
pub const GROUPS_PER_USER_MAX: usize = 10;
/// Long-term keys of a user or of the account's root.
pub const ACCESS_KEYS_PER_USER_MAX: usize = 2;
/// Managed policies attached to a user, role or group.
pub const ATTACHED_MAX: usize = 10;
/// Versions of a managed policy.
pub const VERSIONS_MAX: usize = 5;
/// Tags of an entity.
pub const TAGS_MAX: usize = 50;
/// All inline policies of a role together.
pub const INLINE_ROLE_CHARS_MAX: usize = 10_240;
/// All inline policies of a user together.
pub const INLINE_USER_CHARS_MAX: usize = 2_048;
/// All inline policies of a group together.
pub const INLINE_GROUP_CHARS_MAX: usize = 5_120;

/// What the operator may set for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    /// Users.
    Users,
    /// Groups.
    Groups,
    /// Roles, service-linked ones among them.
    Roles,
    /// Managed policies.
    Policies,
    /// Instance profiles.
    Profiles,
    /// OpenID Connect providers.
    Providers,
    /// Running instances.
    Instances,
    /// Host agents.
    Agents,
    /// Requests a second over all edges but metadata, which has a limit of its own.
    RequestsPerSecond,
    /// Sessions a second.
    SessionsPerSecond,
    /// Records of the account's history; older ones expire.
    EventsRetained,
}

/// What a quota bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// What there is: nothing more comes.
    Resources,
    /// What is done in a second: it is refused.
    Rate,
    /// What is remembered: the oldest goes.
    History,
}

impl Quota {
    /// Every quota.
    pub const ALL: [Self; 11] = [
        Self::Users,
        Self::Groups,
        Self::Roles,
        Self::Policies,
        Self::Profiles,
        Self::Providers,
        Self::Instances,
        Self::Agents,
        Self::RequestsPerSecond,
        Self::SessionsPerSecond,
        Self::EventsRetained,
    ];

    /// Its name in requests, answers and errors; AWS's where AWS has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "UsersPerAccount",
            Self::Groups => "GroupsPerAccount",
            Self::Roles => "RolesPerAccount",
            Self::Policies => "PoliciesPerAccount",
            Self::Profiles => "InstanceProfilesPerAccount",
            Self::Providers => "OpenIdConnectProvidersPerAccount",
            Self::Instances => "InstancesPerAccount",
            Self::Agents => "AgentsPerAccount",
            Self::RequestsPerSecond => "RequestsPerSecond",
            Self::SessionsPerSecond => "SessionsPerSecond",
            Self::EventsRetained => "EventsRetained",
        }
    }

    /// The quota of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quota| quota.name() == name)
    }

    /// What it bounds.
    #[must_use]
    pub const fn bounds(self) -> Bounds {
        match self {
            Self::Users
            | Self::Groups
            | Self::Roles
            | Self::Policies
            | Self::Profiles
            | Self::Providers
            | Self::Instances
            | Self::Agents => Bounds::Resources,
            Self::RequestsPerSecond | Self::SessionsPerSecond => Bounds::Rate,
            Self::EventsRetained => Bounds::History,
        }
    }

    /// What holds for an account that the operator set nothing for; none is no bound.
    #[must_use]
    pub const fn default_max(self) -> Option<usize> {
        match self {
            Self::Users => Some(USERS_MAX),
            Self::Groups => Some(GROUPS_MAX),
            Self::Roles => Some(ROLES_MAX),
            Self::Policies => Some(POLICIES_MAX),
            Self::Profiles => Some(PROFILES_MAX),
            Self::Providers => Some(PROVIDERS_MAX),
            Self::Instances | Self::Agents => None,
            Self::RequestsPerSecond | Self::SessionsPerSecond | Self::EventsRetained => None,
        }
    }
}

impl Account {
    /// The most that the account may have or do of a quota; none is no bound.
    #[must_use]
    pub fn quota(&self, quota: Quota) -> Option<usize> {
        let set = self.quotas.get(&quota).and_then(|max| usize::try_from(*max).ok());
        set.or(quota.default_max())
    }

    /// How much of a quota of resources is in use; zero for others, which are not counted here.
    #[must_use]
    pub fn used(&self, quota: Quota) -> usize {
        match quota {
            Quota::Users => self.users.len(),
            Quota::Groups => self.groups.len(),
            Quota::Roles => self.roles.len(),
            Quota::Policies => self.policies.len(),
            Quota::Profiles => self.profiles.len(),
            Quota::Providers => self.oidc_providers.len(),
            Quota::Instances => self.instances.running(),
            Quota::Agents => self.agents.len(),
            Quota::RequestsPerSecond | Quota::SessionsPerSecond | Quota::EventsRetained => 0,
        }
    }
}
