//! The Principal element: whom a resource or trust policy is about.
//! Source: IAM User Guide, reference_policies_elements_principal.

use crate::identity::{AccountId, Arn, Principal};

/// One principal as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// `*`: everyone, services and strangers too. What it grants, [`super::matcher`] says.
    Everyone,
    /// An account: its root ARN or its number.
    Account(AccountId),
    /// A user or role by ARN.
    Entity(Entity),
    /// A role session, federated user, instance or agent by ARN.
    Session(Session),
    /// A user, role or host agent by unique id.
    UniqueId(Box<str>),
    /// A service.
    Service(Box<str>),
    /// An identity provider.
    Federated(Box<str>),
    /// A canonical user: accepted, matches nobody here.
    CanonicalUser,
}

/// A user or role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entity {
    /// As written.
    pub(super) arn: Box<str>,
    account: AccountId,
    is_role: bool,
    /// `/path/name`
    name: Box<str>,
}

/// A principal that lives for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// As written.
    arn: Box<str>,
    account: AccountId,
    kind: SessionKind,
    /// What follows the kind: `role/session`, a name, an instance's id.
    name: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionKind {
    AssumedRole,
    FederatedUser,
    Instance,
    Agent,
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

impl SessionKind {
    /// Whether it stays and has a unique id, by which it is told from a successor of its name.
    fn lasts(self) -> bool {
        match self {
            Self::Agent => true,
            Self::AssumedRole | Self::FederatedUser | Self::Instance => false,
        }
    }
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
        let unique = ["AROA", "AIDA", "AGNT"].iter().any(|prefix| text.starts_with(prefix));
        if unique && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Ok(Self::UniqueId(Box::from(text)));
        }
        if text.contains(['*', '?']) {
            return Err(invalid);
        }
        let arn = Arn::parse(text).map_err(|_| invalid)?;
        let account = arn.account_id().ok_or(invalid)?;
        if (arn.service(), arn.resource()) == ("iam", "root") {
            return Ok(Self::Account(account));
        }
        let (kind, name) = arn.resource().split_once('/').ok_or(invalid)?;
        let entity = |is_role| {
            let name = Box::from(format!("/{name}"));
            Self::Entity(Entity { arn: Box::from(text), account, is_role, name })
        };
        let session = |kind| {
            Self::Session(Session { arn: Box::from(text), account, kind, name: Box::from(name) })
        };
        match (arn.service(), kind) {
            ("iam", "user") => Ok(entity(false)),
            ("iam", "role") => Ok(entity(true)),
            ("sts", "assumed-role") if name.split('/').count() == 2 => {
                Ok(session(SessionKind::AssumedRole))
            }
            ("sts", "federated-user") => Ok(session(SessionKind::FederatedUser)),
            ("locum", "instance") => Ok(session(SessionKind::Instance)),
            ("locum", "agent") => Ok(session(SessionKind::Agent)),
            _ => Err(invalid),
        }
    }

    /// The ARN of a user, a role or one of those that live for a while.
    pub(super) fn arn(&self) -> Option<&str> {
        match self {
            Self::Entity(entity) => Some(&entity.arn),
            Self::Session(session) => Some(&session.arn),
            Self::Everyone
            | Self::Account(_)
            | Self::UniqueId(_)
            | Self::Service(_)
            | Self::Federated(_)
            | Self::CanonicalUser => None,
        }
    }

    /// The ARN of what a unique id can stand for: a user, a role or a host agent.
    pub(super) fn lasting_arn(&self) -> Option<&str> {
        let passes = matches!(self, Self::Session(session) if !session.kind.lasts());
        self.arn().filter(|_| !passes)
    }

    /// The kind and the text of the policy; none for canonical users, who are nobody here.
    pub(super) fn written(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Everyone => Some(("AWS", "*".to_owned())),
            Self::Account(account) => Some(("AWS", Arn::root(*account).to_string())),
            Self::Entity(entity) => Some(("AWS", entity.arn.to_string())),
            Self::Session(session) => Some(("AWS", session.arn.to_string())),
            Self::UniqueId(id) => Some(("AWS", id.to_string())),
            Self::Service(name) => Some(("Service", name.to_string())),
            Self::Federated(name) => Some(("Federated", name.to_string())),
            Self::CanonicalUser => None,
        }
    }

    /// Whether this names an entity or session of the account of `principal`, or with `of_role` a session of
    /// its role. The account's root is named by its account, so nothing narrower is beside it.
    pub(super) fn is_within(&self, principal: &Principal, of_role: bool) -> bool {
        match self {
            _ if matches!(principal, Principal::Root { .. }) => false,
            Self::Session(session) => match principal {
                Principal::AssumedRole { role, .. } if of_role => {
                    session.kind == SessionKind::AssumedRole
                        && principal.account() == Some(session.account)
                        && session
                            .name
                            .split_once('/')
                            .is_some_and(|(name, _)| name == role.as_str())
                }
                _ => !of_role && principal.account() == Some(session.account),
            },
            Self::Entity(entity) => !of_role && principal.account() == Some(entity.account),
            _ => false,
        }
    }

    /// How closely this names `principal`. `Everyone` counts as naming it, so that a Deny for everyone spares nobody.
    pub(super) fn closeness(&self, principal: &Principal) -> Closeness {
        let yes = |matches: bool, closeness| if matches { closeness } else { Closeness::None };
        match self {
            Self::Everyone => Closeness::Itself,
            Self::Account(account) => {
                yes(principal.account() == Some(*account), Closeness::Account)
            }
            Self::Entity(entity) => entity.closeness(principal),
            Self::Session(session) => yes(session.is(principal), Closeness::Itself),
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
            Self::Federated(name) => match principal {
                Principal::Federated(provider) => yes(**provider == **name, Closeness::Itself),
                _ => Closeness::None,
            },
            Self::CanonicalUser => Closeness::None,
        }
    }
}

impl Entity {
    fn closeness(&self, principal: &Principal) -> Closeness {
        let (account, path, name, closeness) = match principal {
            Principal::AssumedRole { account, path, role, .. } if self.is_role => {
                (account, path, role.as_str(), Closeness::Role)
            }
            Principal::User { account, path, name, .. } if !self.is_role => {
                (account, path, name.as_str(), Closeness::Itself)
            }
            _ => return Closeness::None,
        };
        let same = *account == self.account && self.name.strip_prefix(path.as_str()) == Some(name);
        if same { closeness } else { Closeness::None }
    }
}

impl Session {
    fn is(&self, principal: &Principal) -> bool {
        if principal.account() != Some(self.account) {
            return false;
        }
        let name = &*self.name;
        match (self.kind, principal) {
            (SessionKind::AssumedRole, Principal::AssumedRole { role, session, .. }) => {
                name.split_once('/') == Some((role.as_str(), session.as_str()))
            }
            (SessionKind::FederatedUser, Principal::FederatedUser { name: other, .. }) => {
                other.as_str() == name
            }
            (SessionKind::Instance, Principal::Instance { id, .. }) => id.as_str() == name,
            (SessionKind::Agent, Principal::Agent { name: other, .. }) => other.as_str() == name,
            _ => false,
        }
    }
}
