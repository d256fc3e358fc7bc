//! Condition operators: how one value of a request is compared with one value of a policy.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::format_description::well_known::Iso8601;
use time::{Date, Month, OffsetDateTime, Time};

use crate::policy::arn_pattern::{ArnPattern, ArnText};
use crate::policy::context::Context;
use crate::policy::pattern::Pattern;
use crate::policy::template::Text;

/// What an operator compares; negation is told apart from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Kind {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// An ordering that an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Every operator's name, without prefix and `IfExists`, in the spelling of the IAM reference; read
/// without regard to case, as AWS does.
pub(super) const OPERATORS: [(&str, Kind, bool); 27] = [
    ("StringEquals", Kind::StringEquals, false),
    ("StringNotEquals", Kind::StringEquals, true),
    ("StringEqualsIgnoreCase", Kind::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Kind::StringEqualsIgnoreCase, true),
    ("StringLike", Kind::StringLike, false),
    ("StringNotLike", Kind::StringLike, true),
    ("NumericEquals", Kind::Numeric(Order::Equal), false),
    ("NumericNotEquals", Kind::Numeric(Order::Equal), true),
    ("NumericLessThan", Kind::Numeric(Order::Less), false),
    ("NumericLessThanEquals", Kind::Numeric(Order::LessOrEqual), false),
    ("NumericGreaterThan", Kind::Numeric(Order::Greater), false),
    ("NumericGreaterThanEquals", Kind::Numeric(Order::GreaterOrEqual), false),
    ("DateEquals", Kind::Date(Order::Equal), false),
    ("DateNotEquals", Kind::Date(Order::Equal), true),
    ("DateLessThan", Kind::Date(Order::Less), false),
    ("DateLessThanEquals", Kind::Date(Order::LessOrEqual), false),
    ("DateGreaterThan", Kind::Date(Order::Greater), false),
    ("DateGreaterThanEquals", Kind::Date(Order::GreaterOrEqual), false),
    ("Bool", Kind::Bool, false),
    ("BinaryEquals", Kind::Binary, false),
    ("IpAddress", Kind::Ip, false),
    ("NotIpAddress", Kind::Ip, true),
    ("ArnEquals", Kind::Arn, false),
    ("ArnLike", Kind::Arn, false),
    ("ArnNotEquals", Kind::Arn, true),
    ("ArnNotLike", Kind::Arn, true),
    ("Null", Kind::Null, false),
];

impl Kind {
    /// The operator of this name and whether it is negated.
    pub(super) fn of(name: &str) -> Option<(Self, bool)> {
        let found = OPERATORS.iter().find(|(other, ..)| other.eq_ignore_ascii_case(name));
        found.map(|(_, kind, negated)| (*kind, *negated))
    }
}

/// The values of a policy that a value of a request is compared with, read as the operator's type.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Equals(Box<[Text]>),
    EqualsIgnoringCase(Box<[Text]>),
    Like(Box<[Pattern]>),
    Arn(Box<[ArnPattern]>),
    /// Values of a type of their own.
    Typed(Kind, Box<[Expected]>),
    /// Whether a missing and a present key satisfy it.
    Null {
        absent: bool,
        present: bool,
    },
}

/// A value of a type of its own.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    Known(Value),
    /// Holds a variable and is read when the request is known.
    Late(Text),
}

/// A value that is no text.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Number(f64),
    Date(OffsetDateTime),
    Bool(bool),
    Bytes(Vec<u8>),
    Network(Network),
}

/// An address block.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Test {
    /// Reads the values of a policy.
    ///
    /// # Errors
    /// The place of a value and the rule that it breaks.
    pub(super) fn new(
        kind: Kind,
        values: &[String],
        variables: bool,
    ) -> Result<Self, (usize, String)> {
        Ok(match kind {
            Kind::StringEquals => Self::Equals(each(values, |text| Text::new(text, variables))?),
            Kind::StringEqualsIgnoreCase => {
                Self::EqualsIgnoringCase(each(values, |text| Text::new(text, variables))?)
            }
            Kind::StringLike => Self::Like(each(values, |text| Pattern::new(text, variables))?),
            Kind::Arn => Self::Arn(each(values, |text| ArnPattern::new(text, variables))?),
            Kind::Null => {
                let truths = each(values, |text| match value(kind, text) {
                    Some(Value::Bool(truth)) => Ok(truth),
                    _ => Err(no_value(kind, text)),
                })?;
                Self::Null { absent: truths.contains(&true), present: truths.contains(&false) }
            }
            _ => Self::Typed(kind, each(values, |text| Expected::new(kind, text, variables))?),
        })
    }

    /// Whether `given` matches one of the values; none if it, or every value, cannot be read as the
    /// operator's type. An empty list of values matches nothing.
    pub(super) fn matches(&self, given: &str, context: &Context) -> Option<bool> {
        Some(match self {
            Self::Equals(texts) => texts.iter().any(|text| text.equals(given, context)),
            Self::EqualsIgnoringCase(texts) => {
                texts.iter().any(|text| text.equals_ignoring_case(given, context))
            }
            Self::Like(patterns) => patterns.iter().any(|pattern| pattern.matches(given, context)),
            Self::Arn(patterns) => {
                let arn = ArnText::new(given);
                patterns.iter().any(|pattern| pattern.matches(&arn, context))
            }
            Self::Typed(kind, expected) => return typed(*kind, expected, given, context),
            Self::Null { .. } => false,
        })
    }
}

/// Reads each value; tells the place of the first that cannot be read.
fn each<T, E: Into<String>>(
    values: &[String],
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Box<[T]>, (usize, String)> {
    let read = values
        .iter()
        .enumerate()
        .map(|(place, text)| read(text).map_err(|rule| (place, rule.into())));
    read.collect()
}

fn typed(kind: Kind, expected: &[Expected], given: &str, context: &Context) -> Option<bool> {
    let given = value(kind, given)?;
    let mut readable = expected.is_empty();
    for expected in expected {
        let matches = match expected {
            Expected::Known(expected) => compare(kind, expected, &given),
            Expected::Late(text) => text
                .resolve(context)
                .and_then(|text| value(kind, &text))
                .and_then(|expected| compare(kind, &expected, &given)),
        };
        match matches {
            Some(true) => return Some(true),
            Some(false) => readable = true,
            None => {}
        }
    }
    readable.then_some(false)
}

impl Expected {
    fn new(kind: Kind, text: &str, variables: bool) -> Result<Self, String> {
        if variables && text.contains("${") {
            return Text::new(text, variables).map(Self::Late).map_err(str::to_owned);
        }
        value(kind, text).map(Self::Known).ok_or_else(|| no_value(kind, text))
    }
}

fn no_value(kind: Kind, text: &str) -> String {
    let wanted = match kind {
        Kind::Numeric(_) => "a number",
        Kind::Date(_) => "an ISO 8601 date or seconds since 1970",
        Kind::Bool | Kind::Null => "`true` or `false`",
        Kind::Binary => "base64",
        Kind::Ip => "an address or address block such as 10.0.0.0/8",
        Kind::StringEquals | Kind::StringEqualsIgnoreCase | Kind::StringLike => "a text",
        Kind::Arn => "an ARN",
    };
    format!("`{text}` is not {wanted}, which the operator asks for")
}

fn compare(kind: Kind, expected: &Value, given: &Value) -> Option<bool> {
    match (kind, expected, given) {
        (Kind::Numeric(order), Value::Number(expected), Value::Number(given)) => {
            Some(order.holds(given.partial_cmp(expected)?))
        }
        (Kind::Date(order), Value::Date(expected), Value::Date(given)) => {
            Some(order.holds(given.cmp(expected)))
        }
        (_, Value::Bool(expected), Value::Bool(given)) => Some(expected == given),
        (_, Value::Bytes(expected), Value::Bytes(given)) => Some(expected == given),
        (_, Value::Network(expected), Value::Network(given)) => {
            Some(given.bits >= expected.bits && expected.holds(given.address))
        }
        _ => None,
    }
}

/// Reads a value of a policy or a request as the operator's type.
fn value(kind: Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Numeric(_) => {
            let number: f64 = text.parse().ok()?;
            number.is_finite().then_some(Value::Number(number))
        }
        Kind::Date(_) => date(text).map(Value::Date),
        Kind::Bool | Kind::Null if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        Kind::Bool | Kind::Null if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        Kind::Binary => STANDARD.decode(text).ok().map(Value::Bytes),
        Kind::Ip => Network::parse(text).map(Value::Network),
        _ => None,
    }
}

/// ISO 8601 as W3C profiles it (NOTE-datetime), a month or a day alone too; or seconds since 1970, which
/// wins over a year alone.
pub(in crate::policy) fn date(text: &str) -> Option<OffsetDateTime> {
    if let Some(date) = utc_second(text) {
        return Some(date);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    let with_time = match (text.contains('T'), text.matches('-').count()) {
        (true, _) => text.to_owned(),
        (false, 1) => format!("{text}-01T00:00:00Z"),
        (false, _) => format!("{text}T00:00:00Z"),
    };
    let offset = |tail: &str| tail.contains(['Z', '+', '-']);
    let has_offset = with_time.split_once('T').is_some_and(|(_, tail)| offset(tail));
    let full = if has_offset { with_time } else { format!("{with_time}Z") };
    OffsetDateTime::parse(&full, &Iso8601::PARSING).ok()
}

/// `2026-11-25T08:00:00Z`, the form that requests have, read without allocation.
fn utc_second(text: &str) -> Option<OffsetDateTime> {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    if !shape.eq(*b"0000-00-00T00:00:00Z") {
        return None;
    }
    let number = |place: usize| text.get(place..place + 2)?.parse::<u8>().ok();
    let year = i32::from(number(0)?) * 100 + i32::from(number(2)?);
    let date =
        Date::from_calendar_date(year, Month::try_from(number(5)?).ok()?, number(8)?).ok()?;
    let time = Time::from_hms(number(11)?, number(14)?, number(17)?).ok()?;
    Some(OffsetDateTime::new_utc(date, time))
}

impl Network {
    /// `10.0.0.0/8`, `2001:db8::/32`; without a length the one address.
    pub(in crate::policy) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(width), |bits| bits.parse().ok())?;
        (bits <= width).then_some(Self { address, bits })
    }

    /// The first and the last address of the block.
    pub(in crate::policy) fn ends(self) -> (IpAddr, IpAddr) {
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                let first = address.to_bits() & mask;
                (IpAddr::V4(first.into()), IpAddr::V4((first | !mask).into()))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                let first = address.to_bits() & mask;
                (IpAddr::V6(first.into()), IpAddr::V6((first | !mask).into()))
            }
        }
    }

    /// The address as written, which may lie inside of the block, and the block's length in bits.
    pub(in crate::policy) fn written(self) -> (IpAddr, u32) {
        (self.address, self.bits)
    }

    fn holds(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(block), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or(0);
                block.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(block), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
                block.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}
