//! Ids in as few bytes as they have: what state keeps a million times. An id that the service draws packs
//! and comes back the same; packed ids sort as their texts do, but for keys.

use std::fmt;

use smol_str::SmolStr;

use super::id::{HEX_DIGITS, LONG_TERM, TEMPORARY, half_bytes, hex_digits, prefixed};
use super::{AccessKeyId, AccountId, AssociationId, InstanceId, base32_bytes, base32_id};

/// Digits of an id as it is drawn, and of the older, shorter form.
const LONG_DIGITS: usize = HEX_DIGITS;
const SHORT_DIGITS: usize = 8;
/// The last half-byte tells the form, so that no id packs to zeros.
const LONG_TAG: u128 = 2;
const SHORT_TAG: u128 = 1;

/// Nine bytes: the digits from the left, and the form in the last half-byte.
fn pack(digits: &str) -> [u8; 9] {
    let value = digits.bytes().fold(0_u128, |bits, digit| {
        let nibble =
            if digit <= b'9' { digit.wrapping_sub(b'0') } else { digit.wrapping_sub(b'a' - 10) };
        (bits << 4) | u128::from(nibble & 15)
    });
    let missing = LONG_DIGITS.saturating_sub(digits.len());
    let tag = if missing == 0 { LONG_TAG } else { SHORT_TAG };
    let aligned = value << (4 * missing);
    let [.., a, b, c, d, e, f, g, h, i] = ((aligned << 4) | tag).to_be_bytes();
    [a, b, c, d, e, f, g, h, i]
}

/// How many digits were packed; `None` if nothing ever packs to these bytes.
fn digits([.., last]: [u8; 9]) -> Option<usize> {
    match u128::from(last & 15) {
        LONG_TAG => Some(LONG_DIGITS),
        SHORT_TAG => Some(SHORT_DIGITS),
        _ => None,
    }
}

/// The text that was packed.
fn unpack(prefix: &str, bytes: [u8; 9]) -> Option<SmolStr> {
    Some(prefixed(prefix, hex_digits(half_bytes(&bytes)).get(..digits(bytes)?)?))
}

macro_rules! packed_hex {
    ($(#[$doc:meta])* $name:ident, $id:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 9]);

        impl $name {
            /// No id: what an empty place holds.
            pub const NONE: Self = Self([0; 9]);

            /// The bytes.
            #[must_use]
            pub const fn bytes(self) -> [u8; 9] {
                self.0
            }

            /// Reads packed bytes; none if no id packs to them.
            #[must_use]
            pub fn read(bytes: [u8; 9]) -> Option<Self> {
                digits(bytes).map(|_| Self(bytes))
            }

            /// The id, if there is one.
            #[must_use]
            pub fn id(self) -> Option<$id> {
                unpack($prefix, self.0)?.parse().ok()
            }
        }

        impl From<&$id> for $name {
            fn from(id: &$id) -> Self {
                Self(pack(id.as_str().strip_prefix($prefix).unwrap_or_default()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&unpack($prefix, self.0).unwrap_or_default())
            }
        }
    };
}

packed_hex!(/** An instance's id in 9 bytes. */ PackedInstanceId, InstanceId, "i-");
packed_hex!(/** An association's id in 9 bytes. */ PackedAssociationId, AssociationId, "iip-assoc-");

/// An access key id in 11 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackedKeyId([u8; 11]);

impl PackedKeyId {
    /// No id: what an empty place holds.
    pub const NONE: Self = Self([0; 11]);

    /// Packs `AKIA...` and `ASIA...` as the service draws them; none for any other id.
    #[must_use]
    pub fn pack(id: &AccessKeyId) -> Option<Self> {
        let (prefix, rest) = id.as_str().split_at_checked(LONG_TERM.len())?;
        let first = match prefix {
            LONG_TERM => 1,
            TEMPORARY => 2,
            _ => return None,
        };
        let [a, b, c, d, e, f, g, h, i, j] = base32_bytes(rest)?;
        Some(Self([first, a, b, c, d, e, f, g, h, i, j]))
    }

    /// The id of temporary credentials with these random bits.
    #[must_use]
    pub const fn temporary([a, b, c, d, e, f, g, h, i, j]: [u8; 10]) -> Self {
        Self([2, a, b, c, d, e, f, g, h, i, j])
    }

    /// The id of a long-term key with these random bits.
    #[must_use]
    pub const fn long_term([a, b, c, d, e, f, g, h, i, j]: [u8; 10]) -> Self {
        Self([1, a, b, c, d, e, f, g, h, i, j])
    }

    /// The random bits behind the prefix.
    #[must_use]
    pub const fn bits(self) -> [u8; 10] {
        let [_, a, b, c, d, e, f, g, h, i, j] = self.0;
        [a, b, c, d, e, f, g, h, i, j]
    }

    /// The id, if there is one.
    #[must_use]
    pub fn id(self) -> Option<AccessKeyId> {
        let prefix = match self.0 {
            [1, ..] => LONG_TERM,
            [2, ..] => TEMPORARY,
            _ => return None,
        };
        base32_id(prefix, self.bits()).parse().ok()
    }
}

impl fmt::Debug for PackedKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id().as_ref().map(AccessKeyId::as_str).unwrap_or_default())
    }
}

/// An account's number in 5 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackedAccountId([u8; 5]);

impl PackedAccountId {
    /// The smallest, to search from.
    pub const FIRST: Self = Self([0; 5]);

    /// The account.
    #[must_use]
    pub fn id(self) -> Option<AccountId> {
        let [a, b, c, d, e] = self.0;
        AccountId::new(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
    }
}

impl From<AccountId> for PackedAccountId {
    fn from(id: AccountId) -> Self {
        let [_, _, _, a, b, c, d, e] = id.get().to_be_bytes();
        Self([a, b, c, d, e])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects everything that state keeps by packed ids: each comes back as it was, in the order of its text.
    #[test]
    fn packed_ids_come_back_and_keep_their_order() {
        let texts = [
            "i-00000000",
            "i-00000000000000000",
            "i-00000000000000001",
            "i-0000000a",
            "i-0123456789abcdef0",
            "i-ffffffff",
            "i-fffffffffffffffff",
        ];
        let ids: Vec<InstanceId> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let packed: Vec<_> = ids.iter().map(PackedInstanceId::from).collect();
        assert!(packed.is_sorted(), "{packed:?}");
        for (id, packed) in ids.iter().zip(&packed) {
            assert_eq!(packed.id().as_ref(), Some(id));
            assert_eq!(PackedInstanceId::read(packed.bytes()), Some(*packed));
        }
        assert_eq!(PackedInstanceId::NONE.id(), None);
        let association: AssociationId = "iip-assoc-0123456789abcdef0".parse().unwrap();
        assert_eq!(PackedAssociationId::from(&association).id(), Some(association));
    }

    /// Protects keys from being taken for each other; what the service does not draw is not packed.
    #[test]
    fn keys_and_accounts_come_back() {
        for text in ["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "ASIA7777777777777777"] {
            let id: AccessKeyId = text.parse().unwrap();
            let packed = PackedKeyId::pack(&id).unwrap();
            assert_eq!(packed.id(), Some(id));
        }
        assert_ne!(
            PackedKeyId::pack(&"AKIAIOSFODNN7EXAMPLE".parse().unwrap()),
            PackedKeyId::pack(&"ASIAIOSFODNN7EXAMPLE".parse().unwrap())
        );
        assert_eq!(PackedKeyId::pack(&"LKIAIOSFODNN7EXAMPLE".parse().unwrap()), None);
        assert_eq!(PackedKeyId::NONE.id(), None);
        for number in [0, 1, 999_999_999_999] {
            let id = AccountId::new(number).unwrap();
            assert_eq!(PackedAccountId::from(id).id(), Some(id));
        }
    }
}
