//! The sessions that stand before a session in its chain, as its token seals them: enough to tell, without
//! a look-up, whether a revocation of one of them voids this one too.
//!
//! Ids that were drawn here are 80 bits of base32 behind a prefix; they are sealed as 10 bytes, so that a
//! link of the chain takes some 40 bytes of the token.

use smol_str::SmolStr;

use super::claims::wire::{Writer, read};
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

/// Appends ten bytes for an id of this prefix, the text for any other.
pub(super) fn write_id(writer: &mut Writer<'_>, tag: u64, prefix: &str, id: &str) {
    match id.strip_prefix(prefix).and_then(base32_bytes) {
        Some(bytes) => writer.bytes(tag, &bytes),
        None => writer.bytes_if(tag, id.as_bytes()),
    }
}

/// Reads what `write_id` wrote: the text of an id is longer than ten bytes.
pub(super) fn read_id(prefix: &str, bytes: &[u8]) -> Option<SmolStr> {
    match <[u8; 10]>::try_from(bytes) {
        Ok(packed) => Some(base32_id(prefix, packed)),
        Err(_) => std::str::from_utf8(bytes).ok().map(SmolStr::new),
    }
}

/// The fields of an ancestor.
mod field {
    pub(super) const ACCOUNT: u64 = 1;
    pub(super) const KEY: u64 = 2;
    /// Packed, of the first prefix.
    pub(super) const ROLE: u64 = 3;
    /// Packed, of the second prefix, or as text.
    pub(super) const OTHER: u64 = 4;
    pub(super) const ISSUED_AT: u64 = 5;
    pub(super) const INSTANCE: u64 = 6;
}

impl Ancestor {
    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        let [role, user] = PRINCIPALS;
        writer.number_if(field::ACCOUNT, self.account.get());
        write_id(writer, field::KEY, SESSION_KEY, self.key.as_str());
        match self.principal_id.as_ref().map(UniqueId::as_str) {
            Some(id) if id.starts_with(role) => write_id(writer, field::ROLE, role, id),
            Some(id) => write_id(writer, field::OTHER, user, id),
            None => {}
        }
        writer.number_if(field::ISSUED_AT, self.issued_at.as_unix_seconds().cast_unsigned());
        if let Some(instance) = &self.instance {
            writer.bytes(field::INSTANCE, instance.as_str().as_bytes());
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [role, user] = PRINCIPALS;
        let (mut account, mut issued_at) = (0, 0);
        let (mut key, mut of_role, mut other) = ([].as_slice(), [].as_slice(), [].as_slice());
        let mut instance = None;
        read(bytes, |tag, value| {
            match tag {
                field::ACCOUNT => account = value.number()?,
                field::KEY => key = value.bytes()?,
                field::ROLE => of_role = value.bytes()?,
                field::OTHER => other = value.bytes()?,
                field::ISSUED_AT => issued_at = value.signed()?,
                field::INSTANCE => instance = Some(InstanceId::parse(value.text()?).ok()?),
                _ => {}
            }
            Some(())
        })?;
        let id = match (of_role, other) {
            ([], []) => None,
            ([], other) => Some(read_id(user, other)?),
            (packed, _) => Some(read_id(role, packed)?),
        };
        Some(Self {
            account: AccountId::new(account)?,
            key: AccessKeyId::parse(&read_id(SESSION_KEY, key)?).ok()?,
            principal_id: id.map(|id| UniqueId::parse(&id)).transpose().ok()?,
            issued_at: Timestamp::from_unix_seconds(issued_at),
            instance,
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
        let written = |ancestor: &Ancestor| {
            let mut bytes = Vec::new();
            ancestor.write(&mut Writer::new(&mut bytes));
            bytes
        };
        for ancestor in all {
            assert_eq!(Ancestor::read(&written(&ancestor)), Some(ancestor));
        }
        assert!(written(&drawn).len() <= 40, "{}", written(&drawn).len());
    }
}
