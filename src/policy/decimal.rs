//! Decimal numbers compared as they are written: exactly, of any length and without allocation.

use std::borrow::Cow;
use std::cmp::Ordering;

/// A number.
#[derive(Clone, Debug)]
pub(super) struct Decimal<'a> {
    negative: bool,
    /// From the first to the last digit that is no zero, perhaps with a point among them; empty for zero.
    digits: Cow<'a, str>,
    /// The power of ten that the first digit counts.
    power: i64,
}

impl<'a> Decimal<'a> {
    /// Reads `42`, `-0.5`, `+007` or `1.5e3`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits = mantissa.trim_matches(['0', '.']);
        let size = |text: &str| i64::try_from(text.len()).ok();
        let first = match size(whole.trim_start_matches('0'))? {
            0 => size(fraction.trim_start_matches('0'))? - size(fraction)?,
            size => size,
        };
        Some(Self {
            negative,
            digits: Cow::Borrowed(digits),
            power: first - 1 + i64::from(exponent),
        })
    }

    /// The same number, kept.
    pub(super) fn into_owned(self) -> Decimal<'static> {
        let Self { negative, digits, power } = self;
        Decimal { negative, digits: Cow::Owned(digits.into_owned()), power }
    }

    /// How it compares with `other`.
    pub(super) fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let sign = self.sign();
        sign.cmp(&other.sign()).then_with(|| match sign {
            0 => Ordering::Equal,
            -1 => other.compare_size(self),
            _ => self.compare_size(other),
        })
    }

    /// How many digits it has between the first and the last that are no zeros.
    pub(super) fn significant(&self) -> usize {
        self.plain_digits().count()
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    fn compare_size(&self, other: &Decimal<'_>) -> Ordering {
        let digits = || self.plain_digits().cmp(other.plain_digits());
        self.power.cmp(&other.power).then_with(digits)
    }

    fn plain_digits(&self) -> impl Iterator<Item = u8> {
        self.digits.bytes().filter(|byte| *byte != b'.')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(a: &str, b: &str) -> Ordering {
        Decimal::parse(a).unwrap().compare(&Decimal::parse(b).unwrap())
    }

    /// Protects limits in policies: a number is the one that is written, whatever its length and spelling.
    #[test]
    fn numbers_compare_as_they_are_written() {
        for (a, b) in [
            ("0", "-0.0"),
            ("10", "+0010.00"),
            ("1e3", "1000"),
            ("1.5E-2", ".015"),
            ("5.", "5"),
            ("0e9", "0"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
        for (less, more) in [
            ("9007199254740992", "9007199254740993"),
            ("-9007199254740993", "-9007199254740992"),
            ("0.1", "0.10000000000000000000000001"),
            ("-1", "0"),
            ("0", "0.001"),
            ("9.99", "10"),
            ("1e-400", "1e400"),
            ("-2", "1"),
        ] {
            assert_eq!(compare(less, more), Ordering::Less, "{less} {more}");
            assert_eq!(compare(more, less), Ordering::Greater, "{more} {less}");
        }
        for text in
            ["", "-", ".", "e5", "1e", "1e1.5", "ten", "0x10", "1 ", "inf", "NaN", "+-1", "1.2.3"]
        {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        /// Protects every limit: small numbers compare as integers do, wherever their point is.
        #[test]
        fn numbers_compare_as_integers(a in -99_999_i64..99_999, b in -99_999_i64..99_999, zeros in 0_usize..9) {
            let shifted = |number: i64| format!("{number}{}e-{}", "0".repeat(zeros), zeros + 3);
            prop_assert_eq!(compare(&shifted(a), &format!("{b}e-3")), a.cmp(&b));
        }
    }
}
