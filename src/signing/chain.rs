//! The sessions that stand before a session in its chain, as its token seals them: enough to tell, without
//! a look-up, whether a revocation of one of them voids this one too.
//!
//! Ids that were drawn here are 80 bits of base32 behind a prefix; they are sealed as 10 bytes, so that a
//! link of the chain takes some 40 bytes of the token.

use prost::Message;

use crate::clock::Timestamp;
use crate::identity::{AccessKeyId, AccountId, InstanceId, UniqueId, base32_bytes, base32_id};

/// The most sessions that a chain has before its last one. A longer chain is refused when it is made.
pub const CHAIN_SESSIONS_MAX: usize = 8;

/// The prefix of the access keys of sessions.
const SESSION_KEY: &str = "ASIA";
/// The prefixes of the unique ids of principals that have sessions.
const PRINCIPALS: [&str; 2] = ["AROA", "AIDA"];

/// A session before another one in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// The account of its role or user, in whose hands its revocation is.
    pub account: AccountId,
    /// Its access key.
    pub key: AccessKeyId,
    /// Its role's or user's unique id; none for an account's root.
    pub principal_id: Option<UniqueId>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The instance that it was made for.
    pub instance: Option<InstanceId>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredAncestor {
    #[prost(uint64, tag = "1")]
    account: u64,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    /// Packed, of the first prefix.
    #[prost(bytes = "vec", tag = "3")]
    role: Vec<u8>,
    /// Packed, of the second prefix, or as text.
    #[prost(bytes = "vec", tag = "4")]
    other: Vec<u8>,
    #[prost(int64, tag = "5")]
    issued_at: i64,
    #[prost(string, optional, tag = "6")]
    instance: Option<String>,
}

/// Ten bytes for an id of this prefix, the text for any other.
fn pack(prefix: &str, id: &str) -> Vec<u8> {
    let packed = id.strip_prefix(prefix).and_then(base32_bytes);
    packed.map_or_else(|| id.as_bytes().to_vec(), |bytes| bytes.to_vec())
}

fn unpack(prefix: &str, bytes: &[u8]) -> Option<String> {
    match <[u8; 10]>::try_from(bytes) {
        Ok(packed) => Some(base32_id(prefix, packed)),
        Err(_) => String::from_utf8(bytes.to_vec()).ok(),
    }
}

impl Ancestor {
    pub(super) fn stored(&self) -> StoredAncestor {
        let [role, user] = PRINCIPALS;
        let id = self.principal_id.as_ref().map_or("", UniqueId::as_str);
        let is_role = id.starts_with(role);
        StoredAncestor {
            account: self.account.get(),
            key: pack(SESSION_KEY, self.key.as_str()),
            role: if is_role { pack(role, id) } else { Vec::new() },
            other: if is_role { Vec::new() } else { pack(user, id) },
            issued_at: self.issued_at.as_unix_seconds(),
            instance: self.instance.as_ref().map(ToString::to_string),
        }
    }

    pub(super) fn of(stored: &StoredAncestor) -> Option<Self> {
        let [role, user] = PRINCIPALS;
        let id = match (stored.role.as_slice(), stored.other.as_slice()) {
            ([], []) => None,
            ([], other) => Some(unpack(user, other)?),
            (packed, _) => Some(unpack(role, packed)?),
        };
        let instance = stored.instance.as_deref().map(InstanceId::parse);
        Some(Self {
            account: AccountId::new(stored.account)?,
            key: AccessKeyId::parse(&unpack(SESSION_KEY, &stored.key)?).ok()?,
            principal_id: id.map(|id| UniqueId::parse(&id)).transpose().ok()?,
            issued_at: Timestamp::from_unix_seconds(stored.issued_at),
            instance: instance.transpose().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ancestor(key: &str, principal: Option<&str>, instance: Option<&str>) -> Ancestor {
        Ancestor {
            account: AccountId::new(123_456_789_012).unwrap(),
            key: key.parse().unwrap(),
            principal_id: principal.map(|id| id.parse().unwrap()),
            issued_at: Timestamp::from_unix_seconds(1_780_000_000),
            instance: instance.map(|id| id.parse().unwrap()),
        }
    }

    /// Protects revocation down a chain: every kind of ancestor is read back as it was, drawn ids small.
    #[test]
    fn a_link_of_the_chain_comes_back_and_is_small() {
        let drawn = ancestor("ASIAIOSFODNN7EXAMPLE", Some("AROA7777777777777777"), None);
        let all = [
            drawn.clone(),
            ancestor("ASIAIOSFODNN7EXAMPLE", Some("AIDA2222222222222222"), None),
            ancestor("ASIAIOSFODNN7EXAMPLE", None, Some("i-0123456789abcdef0")),
            ancestor("a_key_of_another_kind", Some("AROA00000000000000000"), None),
            ancestor("ASIA_not_base32_at_all", Some("XYZA7777777777777777"), None),
        ];
        for ancestor in all {
            assert_eq!(Ancestor::of(&ancestor.stored()), Some(ancestor));
        }
        assert!(drawn.stored().encoded_len() <= 40, "{}", drawn.stored().encoded_len());
    }
}
