//! What a session token says of its session, and the bytes that are sealed.
//!
//! The bytes are protobuf, fields in the order of their numbers and tags sorted by key, so that
//! the same claims are the same bytes on every node. Times are whole seconds: fractions are cut
//! when sealing. Tokens live for days at most, yet nodes of two versions run side by side: fields
//! are added, never renumbered.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;

use super::chain::{Ancestor, StoredAncestor};
use crate::clock::Timestamp;
use crate::identity::{
    AccountId, Arn, Path, Principal, RoleDelivery, RoleName, SessionName, SourceIdentity, UniqueId,
    UserName,
};

/// The most that session policies, their ARNs and tags may take together as sealed. With the
/// longest names beside them the token still keeps to its own limit (there is a test).
pub const PACKED_BYTES_MAX: usize = 2176;

/// Who a session stands for, within the account that its token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A role session.
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
    /// A session of a user.
    User {
        /// The user's path.
        path: Path,
        /// The user's name.
        name: UserName,
        /// `AIDA...`
        id: UniqueId,
    },
    /// A session of the account's root.
    Root,
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
        }
    }
}

/// What a session token seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who the session stands for.
    pub subject: Subject,
    /// When the session was issued.
    pub issued_at: Timestamp,
    /// When it ends: the first moment at which it is no longer valid.
    pub expires_at: Timestamp,
    /// The inline session policy.
    pub policy: Option<Arc<str>>,
    /// Managed session policies.
    pub policy_arns: Vec<Arn>,
    /// Session tags.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
    /// The keys of tags that later sessions of the chain inherit.
    pub transitive_tag_keys: Vec<Arc<str>>,
    /// Who stands behind the chain.
    pub source_identity: Option<SourceIdentity>,
    /// How many sessions stand before this one in its chain.
    pub chain_depth: u8,
    /// The instance that the session was made for.
    pub instance: Option<Arn>,
    /// How the instance got it.
    pub delivery: Option<RoleDelivery>,
    /// The sessions before this one in its chain, first to last; at most `CHAIN_SESSIONS_MAX`.
    pub ancestors: Vec<Ancestor>,
}

impl Claims {
    /// Claims of a session without policies, tags, chain or instance.
    #[must_use]
    pub fn new(subject: Subject, issued_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            subject,
            issued_at,
            expires_at,
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
            chain_depth: 0,
            instance: None,
            delivery: None,
            ancestors: Vec::new(),
        }
    }

    /// Whether the session is over at `now`.
    #[must_use]
    pub fn expired_at(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// How much of `PACKED_BYTES_MAX` the session's policies and tags take, in percent rounded up:
    /// the `PackedPolicySize` of STS. Over 100 the token cannot be sealed.
    #[must_use]
    pub fn packed_percent(&self) -> u32 {
        let percent = self.packed().encoded_len().saturating_mul(100).div_ceil(PACKED_BYTES_MAX);
        u32::try_from(percent).unwrap_or(u32::MAX)
    }

    /// The part that the limit counts.
    fn packed(&self) -> Stored {
        Stored {
            policy: self.policy.as_deref().map(str::to_owned),
            policy_arns: self.policy_arns.iter().map(|arn| arn.as_str().to_owned()).collect(),
            tags: self
                .tags
                .iter()
                .map(|(key, value)| StoredTag { key: key.to_string(), value: value.to_string() })
                .collect(),
            transitive_tag_keys: self.transitive_tag_keys.iter().map(|k| k.to_string()).collect(),
            ..Stored::default()
        }
    }

    /// The bytes to seal.
    pub(super) fn encode(&self) -> Vec<u8> {
        let subject = match &self.subject {
            Subject::Role { path, role, role_id, session } => StoredSubject::Role(StoredRole {
                path: path.to_string(),
                role: role.to_string(),
                role_id: role_id.to_string(),
                session: session.to_string(),
            }),
            Subject::User { path, name, id } => StoredSubject::User(StoredUser {
                path: path.to_string(),
                name: name.to_string(),
                id: id.to_string(),
            }),
            Subject::Root => StoredSubject::Root(true),
        };
        let stored = Stored {
            issued_at: self.issued_at.as_unix_seconds(),
            expires_at: self.expires_at.as_unix_seconds(),
            subject: Some(subject),
            source_identity: self.source_identity.as_ref().map(ToString::to_string),
            chain_depth: self.chain_depth.into(),
            instance: self.instance.as_ref().map(ToString::to_string),
            delivery: match self.delivery {
                None => 0,
                Some(RoleDelivery::Version1) => 1,
                Some(RoleDelivery::Version2) => 2,
            },
            ancestors: self.ancestors.iter().map(Ancestor::stored).collect(),
            ..self.packed()
        };
        stored.encode_to_vec()
    }

    /// Reads what `encode` wrote; none for anything that a newer version may have written
    /// otherwise.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let stored = Stored::decode(bytes).ok()?;
        let subject = match stored.subject? {
            StoredSubject::Role(role) => Subject::Role {
                path: Path::parse(&role.path).ok()?,
                role: RoleName::parse(&role.role).ok()?,
                role_id: UniqueId::parse(&role.role_id).ok()?,
                session: SessionName::parse(&role.session).ok()?,
            },
            StoredSubject::User(user) => Subject::User {
                path: Path::parse(&user.path).ok()?,
                name: UserName::parse(&user.name).ok()?,
                id: UniqueId::parse(&user.id).ok()?,
            },
            StoredSubject::Root(_) => Subject::Root,
        };
        let source_identity = stored.source_identity.map(|text| SourceIdentity::parse(&text));
        let arns = stored.policy_arns.iter().map(|text| Arn::parse(text));
        Some(Self {
            subject,
            issued_at: Timestamp::from_unix_seconds(stored.issued_at),
            expires_at: Timestamp::from_unix_seconds(stored.expires_at),
            policy: stored.policy.map(Arc::from),
            policy_arns: arns.collect::<Result<_, _>>().ok()?,
            tags: stored.tags.into_iter().map(|t| (t.key.into(), t.value.into())).collect(),
            transitive_tag_keys: stored.transitive_tag_keys.into_iter().map(Arc::from).collect(),
            source_identity: source_identity.transpose().ok()?,
            chain_depth: u8::try_from(stored.chain_depth).ok()?,
            instance: stored.instance.map(|text| Arn::parse(&text)).transpose().ok()?,
            delivery: match stored.delivery {
                0 => None,
                1 => Some(RoleDelivery::Version1),
                2 => Some(RoleDelivery::Version2),
                _ => return None,
            },
            ancestors: stored.ancestors.iter().map(Ancestor::of).collect::<Option<_>>()?,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(int64, tag = "1")]
    issued_at: i64,
    #[prost(int64, tag = "2")]
    expires_at: i64,
    #[prost(oneof = "StoredSubject", tags = "3, 4, 5")]
    subject: Option<StoredSubject>,
    #[prost(string, optional, tag = "6")]
    policy: Option<String>,
    #[prost(string, repeated, tag = "7")]
    policy_arns: Vec<String>,
    #[prost(message, repeated, tag = "8")]
    tags: Vec<StoredTag>,
    #[prost(string, repeated, tag = "9")]
    transitive_tag_keys: Vec<String>,
    #[prost(string, optional, tag = "10")]
    source_identity: Option<String>,
    #[prost(uint32, tag = "11")]
    chain_depth: u32,
    #[prost(string, optional, tag = "12")]
    instance: Option<String>,
    #[prost(uint32, tag = "13")]
    delivery: u32,
    #[prost(message, repeated, tag = "20")]
    ancestors: Vec<StoredAncestor>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum StoredSubject {
    #[prost(message, tag = "3")]
    Role(StoredRole),
    #[prost(message, tag = "4")]
    User(StoredUser),
    #[prost(bool, tag = "5")]
    Root(bool),
}

#[derive(Clone, PartialEq, Message)]
struct StoredRole {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    role: String,
    #[prost(string, tag = "3")]
    role_id: String,
    #[prost(string, tag = "4")]
    session: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredUser {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredTag {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}
