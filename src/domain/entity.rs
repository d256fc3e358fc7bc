//! What is asked of users, groups, roles, managed policies, profiles, MFA devices and identity providers
//! besides coming and going: their tags, names and versions; and the events that it leads to. Source: IAM API Reference.

use std::fmt;
use std::sync::Arc;

use super::access::Resource;
use super::event::PolicyOwner;
use super::rejection::Rejection;
use super::state::{Account, Permissions, key_of};
use super::tags::Tags;
use crate::identity::{
    AccountAlias, AccountId, GroupName, IssuerUrl, MfaDeviceName, Path, PolicyName, ProfileName,
    RoleName, TagKey, UserName,
};
use crate::policy::Policy;

/// An entity that carries tags. Groups carry none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagOwner {
    /// A user.
    User(UserName),
    /// A role.
    Role(RoleName),
    /// A managed policy.
    Policy(PolicyName),
    /// An instance profile.
    Profile(ProfileName),
    /// A virtual MFA device.
    MfaDevice(MfaDeviceName),
    /// An OpenID Connect provider.
    OidcProvider(IssuerUrl),
}

impl TagOwner {
    /// The word for it in names of actions: `User` in iam:TagUser.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "User",
            Self::Role(_) => "Role",
            Self::Policy(_) => "Policy",
            Self::Profile(_) => "InstanceProfile",
            Self::MfaDevice(_) => "MFADevice",
            Self::OidcProvider(_) => "OpenIDConnectProvider",
        }
    }

    /// That it is not there.
    #[must_use]
    pub fn missing(&self, account: &Account) -> Rejection {
        match self {
            Self::User(name) => Rejection::missing("user", name),
            Self::Role(name) => Rejection::missing("role", name),
            Self::Policy(name) => Rejection::missing("policy", name),
            Self::Profile(name) => Rejection::missing("instance profile", name),
            Self::MfaDevice(_) | Self::OidcProvider(_) => {
                let kind =
                    if matches!(self, Self::MfaDevice(_)) { "MFA device" } else { "OIDC provider" };
                Rejection::missing(kind, Resource::tag_owner(account, self).arn())
            }
        }
    }

    /// Its tags, if it is there.
    #[must_use]
    pub fn tags<'a>(&self, account: &'a Account) -> Option<&'a Tags> {
        match self {
            Self::User(name) => account.user(name).map(|user| &user.tags),
            Self::Role(name) => account.role(name).map(|role| &role.tags),
            Self::Policy(name) => {
                account.policies.get(&*key_of(name.as_str())).map(|policy| &policy.tags)
            }
            Self::Profile(name) => account.profile(name).map(|profile| &profile.tags),
            Self::MfaDevice(name) => {
                account.mfa_devices.get(&*key_of(name.as_str())).map(|device| &device.tags)
            }
            Self::OidcProvider(issuer) => {
                let found = account.oidc_providers.get(issuer.without_scheme());
                found.filter(|found| found.issuer == *issuer).map(|found| &found.tags)
            }
        }
    }
}

impl PolicyOwner {
    /// The word for it in names of actions: `User` in iam:PutUserPolicy.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "User",
            Self::Role(_) => "Role",
            Self::Group(_) => "Group",
        }
    }

    /// That it is not there.
    #[must_use]
    pub fn missing(&self) -> Rejection {
        match self {
            Self::User(name) => Rejection::missing("user", name),
            Self::Role(name) => Rejection::missing("role", name),
            Self::Group(name) => Rejection::missing("group", name),
        }
    }

    /// Its permissions, if it is there.
    #[must_use]
    pub fn permissions<'a>(&self, account: &'a Account) -> Option<&'a Permissions> {
        match self {
            Self::User(name) => account.user(name).map(|user| &user.permissions),
            Self::Role(name) => account.role(name).map(|role| &role.permissions),
            Self::Group(name) => account.group(name).map(|group| &group.permissions),
        }
    }

    /// Its tags, if it is there; groups have none.
    #[must_use]
    pub fn tags<'a>(&self, account: &'a Account) -> Option<&'a Tags> {
        match self {
            Self::User(name) => account.user(name).map(|user| &user.tags),
            Self::Role(name) => account.role(name).map(|role| &role.tags),
            Self::Group(_) => None,
        }
    }
}

/// The ARN of the role that a deletion was of: `task/aws-service-role/SERVICE/ROLE/id` stands for
/// `arn:...:role/aws-service-role/SERVICE/ROLE`.
#[must_use]
pub fn deleted_role(account: AccountId, task: &str) -> String {
    let role = task.strip_prefix("task/").and_then(|rest| rest.rsplit_once('/'));
    format!("arn:aws:iam::{account}:role/{}", role.map_or("*", |(role, _)| role))
}

/// A managed policy as entities hold it: one of the account, or one that AWS manages
/// (`arn:aws:iam::aws:policy/...`), whose names are apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyRef {
    /// Its name.
    pub name: PolicyName,
    /// Whether AWS manages it.
    pub aws: bool,
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.aws { AWS_PREFIX } else { "" };
        write!(f, "{prefix}{}", self.name)
    }
}

/// How the keys of policies that AWS manages begin; no name has a colon.
pub const AWS_PREFIX: &str = "aws:";

impl PolicyRef {
    /// The key under which permissions hold it.
    #[must_use]
    pub fn key(&self) -> Box<str> {
        let key = key_of(self.name.as_str());
        if self.aws { format!("{AWS_PREFIX}{key}").into_boxed_str() } else { key }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum EntityEvent {
    Tagged {
        owner: TagOwner,
        tags: Tags,
    },
    Untagged {
        owner: TagOwner,
        keys: Vec<TagKey>,
    },
    UserUpdated {
        name: UserName,
        new_name: UserName,
        path: Path,
    },
    GroupUpdated {
        name: GroupName,
        new_name: GroupName,
        path: Path,
    },
    DefaultPolicyVersionSet {
        policy: PolicyName,
        version: u32,
    },
    PolicyVersionDeleted {
        policy: PolicyName,
        version: u32,
    },
    /// The role went with an event of its own.
    RoleDeletionCompleted {
        task: Arc<str>,
    },
    AccountAliasCreated {
        alias: AccountAlias,
    },
    AccountAliasDeleted {
        alias: AccountAlias,
    },
}

impl EntityEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tagged { .. } => "Tagged",
            Self::Untagged { .. } => "Untagged",
            Self::UserUpdated { .. } => "UserUpdated",
            Self::GroupUpdated { .. } => "GroupUpdated",
            Self::DefaultPolicyVersionSet { .. } => "DefaultPolicyVersionSet",
            Self::PolicyVersionDeleted { .. } => "PolicyVersionDeleted",
            Self::RoleDeletionCompleted { .. } => "RoleDeletionCompleted",
            Self::AccountAliasCreated { .. } => "AccountAliasCreated",
            Self::AccountAliasDeleted { .. } => "AccountAliasDeleted",
        }
    }
}

impl Permissions {
    /// The inline policy of this name, in any case, by the name that it has.
    #[must_use]
    pub fn inline_policy(&self, name: &PolicyName) -> Option<(&PolicyName, &Policy)> {
        // An older version kept two names apart that differ in case alone: each is found by its own spelling.
        let same = |other: &PolicyName| other.as_str().eq_ignore_ascii_case(name.as_str());
        let exact = self.inline.get_key_value(name);
        exact.or_else(|| self.inline.iter().find(|(other, _)| same(other)))
    }
}
