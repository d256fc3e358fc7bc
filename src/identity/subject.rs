//! Whom a session stands for. The facts of the log and the tokens that are sealed from them share these
//! values.

use std::sync::Arc;

use super::{AccountId, Path, Principal, RoleName, SessionName, UniqueId, UserName};

/// Whom a session stands for, within its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A role session of AssumeRole and its kin, or of an instance's role.
    Role {
        /// The role's path.
        path: Path,
        /// The role's name.
        role: RoleName,
        /// `AROA...`
        role_id: UniqueId,
        /// The session's name.
        session: SessionName,
    },
    /// A session of GetSessionToken for a user.
    User {
        /// The user's path.
        path: Path,
        /// The user's name.
        name: UserName,
        /// `AIDA...`
        id: UniqueId,
    },
    /// A session of GetSessionToken for the account's root.
    Root,
    /// A session of GetFederationToken.
    Federated {
        /// The name given to it.
        name: SessionName,
        /// Who asked for it.
        by: Federator,
    },
}

/// Who asked for a federated user's session: what they may do is the most that it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Federator {
    /// The account's root.
    Root,
    /// A user.
    User {
        /// The user's name.
        name: UserName,
        /// `AIDA...`
        id: UniqueId,
    },
}

impl Federator {
    /// The unique id of the user; none for the account's root.
    #[must_use]
    pub fn user_id(&self) -> Option<&UniqueId> {
        match self {
            Self::Root => None,
            Self::User { id, .. } => Some(id),
        }
    }
}

impl Subject {
    /// The principal that acts in a session of this subject.
    #[must_use]
    pub fn principal(&self, account: AccountId) -> Principal {
        match self.clone() {
            Self::Role { path, role, role_id, session } => {
                Principal::AssumedRole { account, path, role, role_id, session }
            }
            Self::User { path, name, id } => Principal::User { account, path, name, id },
            Self::Root => Principal::Root { account },
            Self::Federated { name, .. } => Principal::FederatedUser { account, name },
        }
    }

    /// Who asked for it, if it is a federated user.
    #[must_use]
    pub fn federator(&self) -> Option<&Federator> {
        match self {
            Self::Federated { by, .. } => Some(by),
            _ => None,
        }
    }
}

/// Who an identity provider says that the holder of its token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// The provider's issuer without `https://`, which names its condition keys: `ISSUER:sub`.
    pub issuer: Arc<str>,
    /// The token's `sub`.
    pub subject: Arc<str>,
    /// The token's `azp`, or where there is none that audience of `aud` which is registered.
    pub audience: Arc<str>,
}

impl WebIdentity {
    /// `arn:aws:iam::A:oidc-provider/ISSUER`: the provider in the account of the session.
    #[must_use]
    pub fn provider_arn(&self, account: AccountId) -> String {
        format!("arn:aws:iam::{account}:oidc-provider/{}", self.issuer)
    }
}
