//! Ids and names. `parse` is the only door: a value that exists is legal.
//! Short text, which ids are, is held inline; longer text is shared. Cloning allocates nothing.

use std::fmt;
use std::str::FromStr;

use smol_str::{SmolStr, SmolStrBuilder};

/// Why a text is not a legal value of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {rule}")]
pub struct Invalid {
    /// The field, in the spelling of the AWS API.
    pub field: &'static str,
    /// The rule that the value breaks.
    pub rule: String,
}

impl Invalid {
    /// An error for `field`, saying the broken `rule`.
    pub fn new(field: &'static str, rule: impl Into<String>) -> Self {
        Self { field, rule: rule.into() }
    }
}

/// An account, the tenant: a number of 12 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

impl AccountId {
    const END: u64 = 1_000_000_000_000;

    /// The account of the installation itself, whose principals administer accounts.
    pub const OPERATOR: Self = Self(0);

    /// The account with this number, if it has at most 12 digits.
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number < Self::END { Some(Self(number)) } else { None }
    }

    /// The account's number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Its 12 digits.
    #[must_use]
    pub fn digits(self) -> [u8; 12] {
        let mut digits = [b'0'; 12];
        let mut rest = self.0;
        for digit in digits.iter_mut().rev() {
            // A remainder of ten is one digit.
            *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
        }
        digits
    }

    /// Reads exactly 12 digits.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() == 12
            && text.bytes().all(|b| b.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Ok(Self(number));
        }
        Err(Invalid::new("accountId", format!("must be 12 digits, not `{}`", shorten(text))))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for AccountId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

/// The first characters of `text`, for an error that must not repeat an input of any length.
fn shorten(text: &str) -> String {
    const SHOWN_CHARS: usize = 64;
    let mut short: String = text.chars().take(SHOWN_CHARS).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

/// Characters of IAM names: `[\w+=,.@-]`.
fn is_name_char(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-')
}

fn check_length(field: &'static str, text: &str, min: usize, max: usize) -> Result<(), Invalid> {
    let length = if text.is_ascii() { text.len() } else { text.chars().count() };
    if length < min {
        return Err(Invalid::new(
            field,
            format!("must have length greater than or equal to {min}"),
        ));
    }
    if length > max {
        return Err(Invalid::new(field, format!("must have length less than or equal to {max}")));
    }
    Ok(())
}

fn check_name(field: &'static str, text: &str, min: usize, max: usize) -> Result<(), Invalid> {
    check_length(field, text, min, max)?;
    if text.bytes().all(is_name_char) {
        return Ok(());
    }
    Err(Invalid::new(
        field,
        format!("must satisfy regular expression pattern: [\\w+=,.@-]+, not `{}`", shorten(text)),
    ))
}

fn check_path(text: &str) -> Result<(), Invalid> {
    check_length("path", text, 1, 512)?;
    let printable = text.bytes().all(|c| (0x21..=0x7e).contains(&c));
    if text.starts_with('/') && text.ends_with('/') && printable {
        return Ok(());
    }
    Err(Invalid::new("path", "must begin and end with `/` and hold only printable ASCII"))
}

fn check_prefixed_hex(field: &'static str, text: &str, prefix: &str) -> Result<(), Invalid> {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    let hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex && matches!(digits.len(), 8 | 17) {
        return Ok(());
    }
    Err(Invalid::new(field, format!("must be `{prefix}` and 17 hexadecimal digits")))
}

fn check_unique_id(text: &str) -> Result<(), Invalid> {
    check_length("id", text, 16, 128)?;
    if text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return Ok(());
    }
    Err(Invalid::new("id", "must be capital letters and digits"))
}

fn check_access_key_id(text: &str) -> Result<(), Invalid> {
    check_length("accessKeyId", text, 16, 128)?;
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    Err(Invalid::new("accessKeyId", "must satisfy regular expression pattern: [\\w]+"))
}

fn check_source_identity(text: &str) -> Result<(), Invalid> {
    check_name("sourceIdentity", text, 2, 64)?;
    if text.starts_with("aws:") {
        return Err(Invalid::new("sourceIdentity", "must not begin with `aws:`"));
    }
    Ok(())
}

fn check_account_alias(text: &str) -> Result<(), Invalid> {
    check_length("accountAlias", text, 3, 63)?;
    let legal = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if legal && !text.starts_with('-') && !text.ends_with('-') && !text.contains("--") {
        return Ok(());
    }
    let rule = "must be lower-case letters, digits and single hyphens, none at an end";
    Err(Invalid::new("accountAlias", rule))
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            /// Reads a legal value.
            pub fn parse(text: &str) -> Result<Self, Invalid> {
                let check: fn(&str) -> Result<(), Invalid> = $check;
                check(text)?;
                Ok(Self(SmolStr::new(text)))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::parse(text)
            }
        }
    };
}

text_newtype!(/** A user's name, 1 to 64 characters. */ UserName, |t| check_name("userName", t, 1, 64));
text_newtype!(/** A role's name, 1 to 64 characters. */ RoleName, |t| check_name("roleName", t, 1, 64));
text_newtype!(/** An instance profile's name, 1 to 128 characters. */ ProfileName, |t| check_name("instanceProfileName", t, 1, 128));
text_newtype!(/** A policy's name, 1 to 128 characters. */ PolicyName, |t| check_name("policyName", t, 1, 128));
text_newtype!(/** A group's name, 1 to 128 characters. */ GroupName, |t| check_name("groupName", t, 1, 128));
text_newtype!(/** A host agent's name, 1 to 64 characters. */ AgentName, |t| check_name("agentName", t, 1, 64));
text_newtype!(/** An account's other name, 3 to 63 characters, unique in the installation. */ AccountAlias, check_account_alias);
text_newtype!(/** A virtual MFA device's name, 1 to 226 characters. */ MfaDeviceName, |t| check_name("virtualMFADeviceName", t, 1, 226));
text_newtype!(/** A role session's name, 2 to 64 characters. */ SessionName, |t| check_name("roleSessionName", t, 2, 64));
text_newtype!(/** Who stands behind a session, 2 to 64 characters, kept through role chains. */ SourceIdentity, check_source_identity);
text_newtype!(/** An entity's path, `/` or `/a/b/`, at most 512 characters. */ Path, check_path);
text_newtype!(/** An access key id: `AKIA...` long-term, `ASIA...` temporary. */ AccessKeyId, check_access_key_id);
text_newtype!(/** An entity's unique id: `AROA...`, `AIDA...`, `AIPA...`, `ANPA...`. */ UniqueId, check_unique_id);
text_newtype!(/** An instance's id, `i-` and 17 hexadecimal digits. */ InstanceId, |t| check_prefixed_hex("instanceId", t, "i-"));
text_newtype!(/** An association's id, `iip-assoc-` and 17 hexadecimal digits. */ AssociationId, |t| check_prefixed_hex("associationId", t, "iip-assoc-"));

impl Default for Path {
    fn default() -> Self {
        Self(SmolStr::new_static("/"))
    }
}

impl AccessKeyId {
    /// Whether a text is an access key id, without making one.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(text: &str) -> Result<(), Invalid> {
        check_access_key_id(text)
    }

    /// Whether this is the id of temporary credentials.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.0.starts_with(TEMPORARY)
    }
}

/// How ids of temporary keys begin, and those of long-term ones.
pub(super) const TEMPORARY: &str = "ASIA";
pub(super) const LONG_TERM: &str = "AKIA";

/// `prefix` and 80 random bits in base32 (A-Z, 2-7): 16 characters after the prefix.
#[must_use]
pub fn base32_id(prefix: &str, random: [u8; 10]) -> SmolStr {
    const ALPHABET: [u8; 32] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut digits = [0; 16];
    // Five bytes are eight characters.
    let halves = random.as_chunks::<5>().0.iter().zip(digits.as_chunks_mut::<8>().0);
    for (half, digits) in halves {
        let mut bits = half.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        for digit in digits.iter_mut().rev() {
            let index = usize::try_from(bits & 31).unwrap_or(0);
            *digit = ALPHABET.get(index).copied().unwrap_or(b'A');
            bits >>= 5;
        }
    }
    prefixed(prefix, &digits)
}

/// In place, as most ids are short enough.
pub(super) fn prefixed(prefix: &str, digits: &[u8]) -> SmolStr {
    let mut id = SmolStrBuilder::new();
    id.push_str(prefix);
    id.push_str(std::str::from_utf8(digits).unwrap_or_default());
    id.finish()
}

/// The 80 bits of an id behind its prefix, as `base32_id` writes them; none for any other text.
#[must_use]
pub fn base32_bytes(text: &str) -> Option<[u8; 10]> {
    if text.len() != 16 {
        return None;
    }
    let half = |chars: &[u8; 8]| {
        let bits = chars.iter().try_fold(0_u64, |bits, &c| {
            let value = match c {
                b'A'..=b'Z' => c - b'A',
                b'2'..=b'7' => c - b'2' + 26,
                _ => return None,
            };
            Some((bits << 5) | u64::from(value))
        })?;
        bits.to_be_bytes().last_chunk::<5>().copied()
    };
    let ([first, second], []) = text.as_bytes().as_chunks::<8>() else { return None };
    let mut bytes = [0; 10];
    let (start, end) = bytes.split_at_mut(5);
    start.copy_from_slice(&half(first)?);
    end.copy_from_slice(&half(second)?);
    Some(bytes)
}

/// `prefix` and 68 random bits as 17 hexadecimal digits.
#[must_use]
pub fn hex_id(prefix: &str, random: [u8; 9]) -> SmolStr {
    prefixed(prefix, &hex_digits(half_bytes(&random).skip(1)))
}

/// Digits of an id that is written in hexadecimal.
pub(super) const HEX_DIGITS: usize = 17;

/// The first half-bytes as hexadecimal digits.
pub(super) fn hex_digits(half_bytes: impl Iterator<Item = u8>) -> [u8; HEX_DIGITS] {
    let mut digits = [b'0'; HEX_DIGITS];
    for (digit, nibble) in digits.iter_mut().zip(half_bytes) {
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    digits
}

pub(super) fn half_bytes(bytes: &[u8; 9]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_exactly_twelve_digits() {
        for text in ["000000000000", "000000000001", "123456789012", "999999999999"] {
            assert_eq!(AccountId::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "1", "1234567890123", "12345678901a", "+12345678901"] {
            assert!(AccountId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_keep_to_the_characters_and_lengths_of_iam() {
        assert!(RoleName::parse("Get-pics").is_ok());
        assert!(RoleName::parse(&"r".repeat(64)).is_ok());
        for bad in ["", "a b", "a/b", "ä", &"r".repeat(65)] {
            assert!(RoleName::parse(bad).is_err(), "{bad}");
        }
        assert!(SessionName::parse("x").is_err());
        assert!(Path::parse("/a/b/").is_ok());
        assert!(Path::parse("a/").is_err());
    }

    #[test]
    fn generated_ids_have_the_shapes_that_are_read_back() {
        let id = base32_id("AROA", [0xff; 10]);
        assert_eq!(id, "AROA7777777777777777");
        let random = [1, 2, 3, 4, 5, 6, 7, 8, 9, 250];
        assert_eq!(base32_bytes(&base32_id("", random)), Some(random));
        assert_eq!(base32_bytes("AAAAAAAAAAAAAAA1"), None);
        assert!(UniqueId::parse(&id).is_ok());
        let instance = hex_id("i-", [0xff; 9]);
        assert_eq!(instance, "i-fffffffffffffffff");
        assert!(InstanceId::parse(&instance).is_ok());
    }
}
