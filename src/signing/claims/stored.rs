//! Claims as the bytes that are sealed.
//!
//! The bytes are protobuf, fields in the order of their numbers and tags sorted by key, so that
//! the same claims are the same bytes on every node. Times are whole seconds: fractions are cut
//! when sealing. Tokens live for days at most, yet nodes of two versions run side by side: fields
//! are added, never renumbered. Little is said twice: unique ids are their 80 bits, an instance is
//! its region and number, and policies, ARNs and tags are packed (see `pack`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;

use super::{Claims, Packed};
use crate::clock::Timestamp;
use crate::identity::{
    AccountId, Arn, Federator, InstanceId, Path, RoleDelivery, RoleName, SessionName,
    SourceIdentity, Subject, UniqueId, UserName, WebIdentity, base32_bytes, base32_id, hex_id,
};
use crate::signing::chain::{Ancestor, StoredAncestor};
use crate::signing::pack::{minified, packed, unpacked};

/// The fields of what the caller chose.
pub(super) fn of(parts: &Packed<'_>, account: AccountId) -> Stored {
    let arns = parts.policy_arns.iter().map(|arn| {
        let own = arn.as_str().strip_prefix(&own_policies(account));
        packed(own.filter(|rest| rest.starts_with('/')).unwrap_or(arn.as_str()))
    });
    let bits = parts.tags.keys().enumerate().map(|(index, key)| {
        let transitive = parts.transitive_tag_keys.contains(key);
        u64::from(transitive).checked_shl(u32::try_from(index).unwrap_or(u32::MAX)).unwrap_or(0)
    });
    Stored {
        policy: parts.policy.map(|policy| packed(&minified(policy))),
        policy_arns: arns.collect(),
        tags: parts.tags.iter().flat_map(|(key, value)| [packed(key), packed(value)]).collect(),
        transitive: bits.fold(0, |all, bit| all | bit),
        web_identity: parts.web_identity.map(|web| StoredWebIdentity {
            issuer: web.issuer.to_string(),
            subject: web.subject.to_string(),
            audience: web.audience.to_string(),
        }),
        ..Stored::default()
    }
}

/// How the ARNs of an account's own policies begin, up to their path.
fn own_policies(account: AccountId) -> String {
    format!("arn:aws:iam::{account}:policy")
}

impl Claims {
    /// The bytes to seal in a token of `account`.
    pub(in crate::signing) fn encode(&self, account: AccountId) -> Vec<u8> {
        let issued_at = self.issued_at.as_unix_seconds();
        let before = |time: Timestamp| issued_at.saturating_sub(time.as_unix_seconds());
        let stored = Stored {
            issued_at,
            lifetime: before(self.expires_at).saturating_neg(),
            subject: Some(self.stored_subject()),
            source_identity: self.source_identity.as_ref().map(ToString::to_string),
            chain_depth: self.chain_depth.into(),
            instance: self.instance.as_ref().map(|arn| stored_instance(account, arn)),
            mfa_age: self.mfa_at.map(before),
            delivery: match self.delivery {
                None => 0,
                Some(RoleDelivery::Version1) => 1,
                Some(RoleDelivery::Version2) => 2,
            },
            ancestors: self.ancestors.iter().map(Ancestor::stored).collect(),
            ..of(&self.packed(), account)
        };
        stored.encode_to_vec()
    }

    fn stored_subject(&self) -> StoredSubject {
        let path =
            |path: &Path| Some(path.to_string()).filter(|text| text != "/").unwrap_or_default();
        match &self.subject {
            Subject::Role { path: at, role, role_id, session } => {
                let instance = self.instance.as_ref().map(Arn::resource_name);
                let named = instance != Some(session.as_str());
                StoredSubject::Role(StoredRole {
                    path: path(at),
                    role: role.to_string(),
                    role_id: id_bytes("AROA", role_id),
                    session: named.then(|| session.to_string()),
                })
            }
            Subject::User { path: at, name, id } => StoredSubject::User(StoredUser {
                path: path(at),
                name: name.to_string(),
                id: id_bytes("AIDA", id),
            }),
            Subject::Root => StoredSubject::Root(true),
            Subject::Federated { name, by } => StoredSubject::Federated(StoredFederated {
                name: name.to_string(),
                by: match by {
                    Federator::Root => None,
                    Federator::User { name, id } => Some(StoredUser {
                        path: String::new(),
                        name: name.to_string(),
                        id: id_bytes("AIDA", id),
                    }),
                },
            }),
        }
    }

    /// Reads what `encode` wrote for a token of `account`; none for anything that a newer version may
    /// have written otherwise.
    pub(in crate::signing) fn decode(account: AccountId, bytes: &[u8]) -> Option<Self> {
        let stored = Stored::decode(bytes).ok()?;
        let instance = match stored.instance {
            Some(instance) => Some(instance_arn(account, instance)?),
            None => None,
        };
        let subject = subject(stored.subject?, instance.as_ref())?;
        let issued_at = Timestamp::from_unix_seconds(stored.issued_at);
        let after =
            |seconds: i64| Some(issued_at.plus(Duration::from_secs(u64::try_from(seconds).ok()?)));
        let before =
            |seconds: i64| Some(issued_at.minus(Duration::from_secs(u64::try_from(seconds).ok()?)));
        let arns = stored.policy_arns.iter().map(|bytes| {
            let text = unpacked(bytes)?;
            let own = text.starts_with('/');
            Arn::parse(&if own { own_policies(account) + &text } else { text }).ok()
        });
        let texts: Option<Vec<Arc<str>>> =
            stored.tags.iter().map(|bytes| unpacked(bytes).map(Arc::from)).collect();
        let pairs = texts?;
        let (pairs, []) = pairs.as_chunks::<2>() else { return None };
        let tags: BTreeMap<_, _> =
            pairs.iter().map(|[key, value]| (key.clone(), value.clone())).collect();
        let transitive = tags.keys().enumerate().filter(|(index, _)| {
            u32::try_from(*index)
                .ok()
                .and_then(|index| stored.transitive.checked_shr(index))
                .is_some_and(|bits| bits & 1 == 1)
        });
        let transitive_tag_keys = transitive.map(|(_, key)| key.clone()).collect();
        let policy = match stored.policy {
            Some(bytes) => Some(Arc::from(unpacked(&bytes)?)),
            None => None,
        };
        let source_identity = stored.source_identity.map(|text| SourceIdentity::parse(&text));
        Some(Self {
            subject,
            issued_at,
            expires_at: after(stored.lifetime)?,
            policy,
            policy_arns: arns.collect::<Option<_>>()?,
            tags,
            transitive_tag_keys,
            source_identity: source_identity.transpose().ok()?,
            chain_depth: u8::try_from(stored.chain_depth).ok()?,
            instance,
            delivery: match stored.delivery {
                0 => None,
                1 => Some(RoleDelivery::Version1),
                2 => Some(RoleDelivery::Version2),
                _ => return None,
            },
            ancestors: stored.ancestors.iter().map(Ancestor::of).collect::<Option<_>>()?,
            mfa_at: match stored.mfa_age {
                Some(age) => Some(before(age)?),
                None => None,
            },
            web_identity: stored.web_identity.map(|web| WebIdentity {
                issuer: web.issuer.into(),
                subject: web.subject.into(),
                audience: web.audience.into(),
            }),
        })
    }
}

fn subject(stored: StoredSubject, instance: Option<&Arn>) -> Option<Subject> {
    let path = |text: String| match text.as_str() {
        "" => Some(Path::default()),
        text => Path::parse(text).ok(),
    };
    Some(match stored {
        StoredSubject::Role(role) => Subject::Role {
            path: path(role.path)?,
            role: RoleName::parse(&role.role).ok()?,
            role_id: id_of("AROA", &role.role_id)?,
            session: match role.session {
                Some(session) => SessionName::parse(&session).ok()?,
                None => SessionName::parse(instance?.resource_name()).ok()?,
            },
        },
        StoredSubject::User(user) => Subject::User {
            path: path(user.path)?,
            name: UserName::parse(&user.name).ok()?,
            id: id_of("AIDA", &user.id)?,
        },
        StoredSubject::Root(_) => Subject::Root,
        StoredSubject::Federated(federated) => Subject::Federated {
            name: SessionName::parse(&federated.name).ok()?,
            by: match federated.by {
                None => Federator::Root,
                Some(user) => Federator::User {
                    name: UserName::parse(&user.name).ok()?,
                    id: id_of("AIDA", &user.id)?,
                },
            },
        },
    })
}

/// The random bits of a unique id in its usual form, the text of any other.
fn id_bytes(prefix: &str, id: &UniqueId) -> Vec<u8> {
    let bits = id.as_str().strip_prefix(prefix).and_then(base32_bytes);
    bits.map_or_else(|| id.as_str().as_bytes().to_vec(), |bits| bits.to_vec())
}

fn id_of(prefix: &str, bytes: &[u8]) -> Option<UniqueId> {
    // An id's text is longer than its bits.
    match <[u8; 10]>::try_from(bytes) {
        Ok(bits) => UniqueId::parse(&base32_id(prefix, bits)).ok(),
        Err(_) => UniqueId::parse(std::str::from_utf8(bytes).ok()?).ok(),
    }
}

/// An instance of the token's own account by its region and number, any other by its ARN.
fn stored_instance(account: AccountId, arn: &Arn) -> StoredInstance {
    let digits = arn.resource_name().strip_prefix("i-").filter(|digits| digits.len() == 17);
    let bits = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
    let number = bits.and_then(|bits| bits.to_be_bytes().get(7..).map(<[u8]>::to_vec));
    let number = number.filter(|number| {
        let again = instance_of(account, arn.region(), number);
        again.as_ref() == Some(arn)
    });
    match number {
        Some(number) => StoredInstance { region: arn.region().to_owned(), number, arn: None },
        None => StoredInstance { arn: Some(arn.to_string()), ..StoredInstance::default() },
    }
}

fn instance_of(account: AccountId, region: &str, number: &[u8]) -> Option<Arn> {
    let id = hex_id("i-", <[u8; 9]>::try_from(number).ok()?);
    Some(Arn::instance(region, account, &InstanceId::parse(&id).ok()?))
}

fn instance_arn(account: AccountId, stored: StoredInstance) -> Option<Arn> {
    match stored.arn {
        Some(arn) => Arn::parse(&arn).ok(),
        None => instance_of(account, &stored.region, &stored.number),
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Stored {
    #[prost(int64, tag = "1")]
    issued_at: i64,
    /// In seconds.
    #[prost(int64, tag = "2")]
    lifetime: i64,
    #[prost(oneof = "StoredSubject", tags = "3, 4, 5, 13")]
    subject: Option<StoredSubject>,
    #[prost(bytes = "vec", optional, tag = "6")]
    policy: Option<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    policy_arns: Vec<Vec<u8>>,
    /// Keys and values by turns.
    #[prost(bytes = "vec", repeated, tag = "8")]
    tags: Vec<Vec<u8>>,
    /// Bit n says that the nth tag is transitive.
    #[prost(uint64, tag = "9")]
    transitive: u64,
    #[prost(string, optional, tag = "10")]
    source_identity: Option<String>,
    #[prost(uint32, tag = "11")]
    chain_depth: u32,
    #[prost(message, optional, tag = "12")]
    instance: Option<StoredInstance>,
    /// Seconds before the issue.
    #[prost(int64, optional, tag = "14")]
    mfa_age: Option<i64>,
    #[prost(message, optional, tag = "15")]
    web_identity: Option<StoredWebIdentity>,
    /// The version of the metadata protocol.
    #[prost(uint32, tag = "16")]
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
    #[prost(message, tag = "13")]
    Federated(StoredFederated),
}

#[derive(Clone, PartialEq, Message)]
struct StoredRole {
    /// Empty for `/`.
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    role: String,
    #[prost(bytes = "vec", tag = "3")]
    role_id: Vec<u8>,
    /// The instance's id where there is none.
    #[prost(string, optional, tag = "4")]
    session: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredUser {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredFederated {
    #[prost(string, tag = "1")]
    name: String,
    /// None for the account's root.
    #[prost(message, optional, tag = "2")]
    by: Option<StoredUser>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredInstance {
    #[prost(string, tag = "1")]
    region: String,
    #[prost(bytes = "vec", tag = "2")]
    number: Vec<u8>,
    #[prost(string, optional, tag = "3")]
    arn: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredWebIdentity {
    #[prost(string, tag = "1")]
    issuer: String,
    #[prost(string, tag = "2")]
    subject: String,
    #[prost(string, tag = "3")]
    audience: String,
}
