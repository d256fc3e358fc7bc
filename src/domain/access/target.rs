//! What a request to read names, and what a read of it is judged on.

use super::{ListKind, Resource};
use crate::domain::entity::TagOwner;
use crate::domain::event::{KeyOwner, PolicyOwner};
use crate::domain::state::Account;
use crate::identity::{Arn, GroupName, IssuerUrl, ProfileName, RoleName, UserName};

/// What a request to read is about. The only way to a read is through one of these: it yields the ARN and the keys of
/// what it finds.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is named after what it is")]
pub enum Target<'a> {
    /// No thing in particular.
    Everything,
    /// An ARN that the request asks about.
    Named(&'a str),
    User(&'a UserName),
    Group(&'a GroupName),
    Role(&'a RoleName),
    Profile(&'a ProfileName),
    Policy(&'a Arn),
    MfaDevice(&'a Arn),
    Provider(&'a IssuerUrl),
    /// What has tags.
    Tagged(&'a TagOwner),
    /// A user, role or group with policies.
    Permissions(&'a PolicyOwner),
    /// Who has access keys and MFA devices.
    Keys(&'a KeyOwner),
    /// The entities of a kind whose paths begin so.
    List(ListKind, &'a str),
    /// A role that was deleted.
    DeletedRole(String),
}

impl Target<'_> {
    /// The resource in `account` that it names.
    #[must_use]
    pub fn find<'s>(&'s self, account: &'s Account) -> Resource<'s> {
        match self {
            Self::Everything => Resource::everything(),
            Self::Named(arn) => Resource::named(arn),
            Self::User(name) => Resource::user(account, name),
            Self::Group(name) => Resource::group(account, name),
            Self::Role(name) => Resource::role(account, name),
            Self::Profile(name) => Resource::profile(account, name),
            Self::Policy(arn) => Resource::policy(account, arn),
            Self::MfaDevice(serial_number) => Resource::mfa_device(account, serial_number),
            Self::Provider(issuer) => Resource::provider(account, issuer),
            Self::Tagged(owner) => Resource::tag_owner(account, owner),
            Self::Permissions(owner) => Resource::policy_owner(account, owner),
            Self::Keys(owner) => Resource::key_owner(account, owner),
            Self::List(kind, prefix) => Resource::list(account.id, *kind, prefix),
            Self::DeletedRole(arn) => Resource::deleted_role(arn.clone()),
        }
    }
}
