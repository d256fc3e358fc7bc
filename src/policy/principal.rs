//! The Principal element: whom a resource or trust policy is about.
//! Source: IAM User Guide, reference_policies_elements_principal.

use crate::identity::{AccountId, Arn, Principal};

/// One principal as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// `*`: everyone.
    Everyone,
    /// An account: its root ARN or its number.
    Account(AccountId),
    /// A user or role by ARN.
    Entity(String),
    /// A role session or federated user by ARN.
    Session(String),
    /// A user or role by unique id.
    UniqueId(String),
    /// A service.
    Service(String),
    /// An identity provider.
    Federated(String),
    /// A canonical user: accepted, matches nobody here.
    CanonicalUser(String),
}

/// How closely a policy names a principal; what still limits it depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closeness {
    /// Not at all.
    None,
    /// Its account, which delegates to its own policies.
    Account,
    /// The role behind a session.
    Role,
    /// The principal itself.
    Itself,
}

impl Named {
    /// Reads a principal of the `AWS` kind.
    pub(super) fn aws(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if let Ok(account) = text.parse() {
            return Ok(Self::Account(account));
        }
        let invalid = "Invalid principal in policy";
        let unique = text.starts_with("AROA") || text.starts_with("AIDA");
        if unique && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(Self::UniqueId(text.to_owned()));
        }
        if text.contains(['*', '?']) {
            return Err(invalid);
        }
        let arn = Arn::parse(text).map_err(|_| invalid)?;
        let account = arn.account_id().ok_or(invalid)?;
        let resource = arn.resource();
        match (arn.service(), resource.split('/').next().unwrap_or_default()) {
            ("iam", "root") if resource == "root" => Ok(Self::Account(account)),
            ("iam", "user" | "role") if resource.contains('/') => Ok(Self::Entity(text.to_owned())),
            ("sts", "assumed-role") if resource.split('/').count() == 3 => {
                Ok(Self::Session(text.to_owned()))
            }
            ("sts", "federated-user") => Ok(Self::Session(text.to_owned())),
            ("locum", "instance" | "agent") => Ok(Self::Session(text.to_owned())),
            _ => Err(invalid),
        }
    }

    /// How closely this names `principal`. `Everyone` counts as naming it (IAM User Guide: `"AWS": "*"`
    /// in a trust policy admits principals of the same account by itself), but for services, which
    /// have to be named.
    pub(super) fn closeness(&self, principal: &Principal) -> Closeness {
        let yes = |matches: bool, closeness| if matches { closeness } else { Closeness::None };
        match self {
            Self::Everyone => match principal {
                Principal::Service(_) => Closeness::None,
                Principal::AssumedRole { .. } => Closeness::Role,
                _ => Closeness::Itself,
            },
            Self::Account(account) => {
                yes(principal.account() == Some(*account), Closeness::Account)
            }
            Self::Entity(arn) => match principal {
                Principal::AssumedRole { .. } => {
                    yes(principal.principal_arn() == *arn, Closeness::Role)
                }
                Principal::User { .. } => yes(principal.arn() == *arn, Closeness::Itself),
                _ => Closeness::None,
            },
            Self::Session(arn) => yes(principal.arn() == *arn, Closeness::Itself),
            Self::UniqueId(id) => {
                let closeness = match principal {
                    Principal::AssumedRole { .. } => Closeness::Role,
                    _ => Closeness::Itself,
                };
                yes(principal.unique_id() == Some(id), closeness)
            }
            Self::Service(name) => match principal {
                Principal::Service(service) => yes(**service == **name, Closeness::Itself),
                _ => Closeness::None,
            },
            Self::Federated(_) | Self::CanonicalUser(_) => Closeness::None,
        }
    }
}
