//! Principals: who asks. A principal says what it is; what it may do is policy's to decide.

use std::sync::Arc;

use super::{
    AccountId, AgentName, Arn, InstanceId, Path, RoleName, SessionName, UniqueId, UserName,
};

/// The version of the metadata protocol by which an instance got its role's credentials: the values of the
/// condition key `ec2:RoleDelivery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleDelivery {
    /// Without a token.
    Version1,
    /// With a token.
    Version2,
}

impl RoleDelivery {
    /// As policies spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version1 => "1.0",
            Self::Version2 => "2.0",
        }
    }
}

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// No identity was shown.
    Anonymous,
    /// The account itself.
    Root {
        /// The account.
        account: AccountId,
    },
    /// A user with a long-term key, or a session of that user.
    User {
        /// The user's account.
        account: AccountId,
        /// The user's path.
        path: Path,
        /// The user's name.
        name: UserName,
        /// `AIDA...`
        id: UniqueId,
    },
    /// A session of a role.
    AssumedRole {
        /// The role's account.
        account: AccountId,
        /// The role's path.
        path: Path,
        /// The role's name.
        role: RoleName,
        /// `AROA...`
        role_id: UniqueId,
        /// The session's name.
        session: SessionName,
    },
    /// A session of GetFederationToken.
    FederatedUser {
        /// The account of the user who asked for it.
        account: AccountId,
        /// The name given to it.
        name: SessionName,
    },
    /// A user of an identity provider, by the provider's ARN or host name, before a role is assumed.
    Federated(Arc<str>),
    /// A service such as `ec2.amazonaws.com`.
    Service(Arc<str>),
    /// A registered instance, by its own identity key.
    Instance {
        /// The instance's account.
        account: AccountId,
        /// The instance.
        id: InstanceId,
    },
    /// A host agent, by its own identity key.
    Agent {
        /// The agent's account.
        account: AccountId,
        /// The agent's name.
        name: AgentName,
        /// The agent's unique id, `AGNT...`.
        id: UniqueId,
    },
}

impl Principal {
    /// The EC2 service, which assumes roles for instances.
    #[must_use]
    pub fn ec2() -> Self {
        Self::Service(Arc::from("ec2.amazonaws.com"))
    }

    /// The account the principal belongs to; none for services, providers' users and strangers.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Anonymous | Self::Federated(_) | Self::Service(_) => None,
            Self::Root { account }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. }
            | Self::Instance { account, .. }
            | Self::Agent { account, .. } => Some(*account),
        }
    }

    /// The ARN as GetCallerIdentity shows it; a service's name; `anonymous`.
    #[must_use]
    pub fn arn(&self) -> Arc<str> {
        match self {
            Self::Anonymous => Arc::from("anonymous"),
            Self::Root { account } => Arn::root(*account).into(),
            Self::User { account, path, name, .. } => Arn::user(*account, path, name).into(),
            Self::AssumedRole { account, role, session, .. } => {
                Arn::assumed_role(*account, role, session).into()
            }
            Self::FederatedUser { account, name } => {
                Arc::from(format!("arn:aws:sts::{account}:federated-user/{name}"))
            }
            Self::Federated(name) | Self::Service(name) => name.clone(),
            Self::Instance { account, id } => {
                Arc::from(format!("arn:aws:locum::{account}:instance/{id}"))
            }
            Self::Agent { account, name, .. } => Arn::agent(*account, name).into(),
        }
    }

    /// The ARN that `aws:PrincipalArn` holds: the role's, not the session's, for a role session.
    #[must_use]
    pub fn principal_arn(&self) -> Arc<str> {
        match self {
            Self::AssumedRole { account, path, role, .. } => Arn::role(*account, path, role).into(),
            other => other.arn(),
        }
    }

    /// The unique id of the user, role or agent behind the principal.
    #[must_use]
    pub fn unique_id(&self) -> Option<&str> {
        match self {
            Self::User { id, .. } => Some(id.as_str()),
            Self::AssumedRole { role_id, .. } => Some(role_id.as_str()),
            Self::Agent { id, .. } => Some(id.as_str()),
            _ => None,
        }
    }

    /// The UserId of GetCallerIdentity and `aws:userid`: `AIDA...`, `AROA...:session`, `A:name`.
    #[must_use]
    pub fn user_id(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Root { account } => account.to_string(),
            Self::User { id, .. } => id.to_string(),
            Self::AssumedRole { role_id, session, .. } => {
                [role_id.as_str(), ":", session.as_str()].concat()
            }
            Self::FederatedUser { account, name } => format!("{account}:{name}"),
            Self::Federated(name) | Self::Service(name) => name.to_string(),
            Self::Instance { account, id } => format!("{account}:{id}"),
            Self::Agent { account, name, .. } => format!("{account}:{name}"),
        }
    }
}
