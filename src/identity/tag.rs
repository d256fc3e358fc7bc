//! Keys and values of tags. Source: IAM User Guide, id_tags ("Rules for tagging in IAM and AWS STS").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::id::Invalid;

/// Characters of a key.
const KEY_CHARS_MAX: usize = 128;
/// Characters of a value.
const VALUE_CHARS_MAX: usize = 256;
/// How keys begin that only the service itself may set.
const RESERVED: &str = "aws:";

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
fn is_tag_char(c: char) -> bool {
    let separator = c.is_whitespace() && !c.is_control();
    c.is_alphabetic() || c.is_numeric() || separator || "_.:/=+-@".contains(c)
}

fn check(field: &'static str, text: &str, min: usize, max: usize) -> Result<(), Invalid> {
    let length = text.chars().count();
    if length < min {
        let rule = format!("must have length greater than or equal to {min}");
        return Err(Invalid::new(field, rule));
    }
    if length > max {
        return Err(Invalid::new(field, format!("must have length less than or equal to {max}")));
    }
    if !text.chars().all(is_tag_char) {
        let rule = "must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+";
        return Err(Invalid::new(field, rule));
    }
    Ok(())
}

/// A tag's key, 1 to 128 characters. Keys that differ in case alone are the same one; the key keeps the
/// case that it was given in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TagKey(Arc<str>);

impl TagKey {
    /// Reads a legal key.
    ///
    /// # Errors
    /// It is too long, empty, or holds other characters than tags may.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        check("tagKey", text, 1, KEY_CHARS_MAX)?;
        Ok(Self(Arc::from(text)))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether only the service itself may set it.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
    }
}

/// A tag's value, 0 to 256 characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TagValue(Arc<str>);

impl TagValue {
    /// Reads a legal value.
    ///
    /// # Errors
    /// It is too long or holds other characters than tags may.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        check("tagValue", text, 0, VALUE_CHARS_MAX)?;
        Ok(Self(Arc::from(text)))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! shown_as_text {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::parse(text)
            }
        }
    )*};
}

shown_as_text!(TagKey TagValue);

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the limits and characters of tags.
    #[test]
    fn tags_keep_to_the_characters_and_lengths_of_iam() {
        for bad in ["", "a#b", "a\tb", "a*", &"k".repeat(129)] {
            assert!(TagKey::parse(bad).is_err(), "{bad}");
        }
        assert!(TagValue::parse(&"v".repeat(257)).is_err());
        for good in ["Cost Center", "équipe/été", "a_.:/=+-@", &"k".repeat(128)] {
            assert!(TagKey::parse(good).is_ok(), "{good}");
        }
        assert!(TagValue::parse("").is_ok());
        assert!(TagKey::parse("AWS:x").unwrap().is_reserved());
        assert!(!TagKey::parse("aws").unwrap().is_reserved());
    }
}
