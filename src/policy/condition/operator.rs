//! Condition operators: how one value of a request is compared with one value of a policy.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use crate::policy::context::Context;
use crate::policy::pattern::{ArnPattern, Template};

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

/// Every operator's name, without prefix and `IfExists`.
pub(super) const OPERATORS: [(&str, Kind, bool); 29] = [
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
    // Spelled so in older documents of AWS; the same operators.
    ("StringEqualsIgnorecase", Kind::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnorecase", Kind::StringEqualsIgnoreCase, true),
];

impl Kind {
    /// The operator of this name and whether it is negated.
    pub(super) fn of(name: &str) -> Option<(Self, bool)> {
        let found = OPERATORS.iter().find(|(other, ..)| *other == name);
        found.map(|(_, kind, negated)| (*kind, *negated))
    }

    /// Whether values have to be read as something else than text.
    pub(super) fn is_parsed(self) -> bool {
        !matches!(self, Self::StringEquals | Self::StringEqualsIgnoreCase | Self::StringLike)
    }
}

/// A value of a policy, read as its operator's type where it holds no variable.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    Text(Template),
    Number(f64),
    Date(OffsetDateTime),
    Bool(bool),
    Bytes(Vec<u8>),
    Network(Network),
    Arn(ArnPattern),
}

/// An address block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Expected {
    pub(super) fn new(kind: Kind, text: &str, variables: bool) -> Result<Self, String> {
        if kind.is_parsed() && variables && text.contains("${") && kind != Kind::Arn {
            // Read when the request is known.
            return Template::new(text, variables).map(Self::Text).map_err(str::to_owned);
        }
        match kind {
            Kind::StringEquals | Kind::StringEqualsIgnoreCase | Kind::StringLike => {
                Template::new(text, variables).map(Self::Text).map_err(str::to_owned)
            }
            Kind::Arn => ArnPattern::new(text, variables).map(Self::Arn).map_err(str::to_owned),
            _ => parsed(kind, text).ok_or_else(|| format!("`{text}` is no value for the operator")),
        }
    }

    pub(super) fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    /// Whether `given` matches; none if one of the two cannot be read as the operator's type.
    pub(super) fn matches(&self, kind: Kind, given: &str, context: &Context) -> Option<bool> {
        match (kind, self) {
            (Kind::StringLike, Self::Text(template)) => Some(template.matches(given, context)),
            (Kind::StringEquals, Self::Text(template)) => {
                Some(template.literal(context).is_some_and(|text| text == given))
            }
            (Kind::StringEqualsIgnoreCase, Self::Text(template)) => {
                let text = template.literal(context);
                Some(text.is_some_and(|text| text.to_lowercase() == given.to_lowercase()))
            }
            (Kind::Arn, Self::Arn(pattern)) => Some(pattern.matches(given, context)),
            (_, Self::Text(template)) => {
                let expected = parsed(kind, &template.literal(context)?)?;
                expected.compare(kind, given)
            }
            _ => self.compare(kind, given),
        }
    }

    fn compare(&self, kind: Kind, given: &str) -> Option<bool> {
        match (kind, self, parsed(kind, given)?) {
            (Kind::Numeric(order), Self::Number(expected), Self::Number(given)) => {
                Some(order.holds(given.partial_cmp(expected)?))
            }
            (Kind::Date(order), Self::Date(expected), Self::Date(given)) => {
                Some(order.holds(given.cmp(expected)))
            }
            (_, Self::Bool(expected), Self::Bool(given)) => Some(*expected == given),
            (_, Self::Bytes(expected), Self::Bytes(given)) => Some(*expected == given),
            (_, Self::Network(expected), Self::Network(given)) => {
                Some(given.bits >= expected.bits && expected.holds(given.address))
            }
            _ => None,
        }
    }
}

/// Reads a value of a policy or a request as the operator's type.
fn parsed(kind: Kind, text: &str) -> Option<Expected> {
    match kind {
        Kind::Numeric(_) => {
            let number: f64 = text.parse().ok()?;
            number.is_finite().then_some(Expected::Number(number))
        }
        Kind::Date(_) => date(text).map(Expected::Date),
        Kind::Bool | Kind::Null => match text.to_ascii_lowercase().as_str() {
            "true" => Some(Expected::Bool(true)),
            "false" => Some(Expected::Bool(false)),
            _ => None,
        },
        Kind::Binary => STANDARD.decode(text).ok().map(Expected::Bytes),
        Kind::Ip => Network::parse(text).map(Expected::Network),
        _ => None,
    }
}

/// ISO 8601, a date alone, or seconds since 1970.
fn date(text: &str) -> Option<OffsetDateTime> {
    if let Ok(seconds) = text.parse::<i64>() {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    let with_time = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    let offset = |tail: &str| tail.contains(['Z', '+', '-']);
    let has_offset = with_time.split_once('T').is_some_and(|(_, tail)| offset(tail));
    let full = if has_offset { with_time } else { format!("{with_time}Z") };
    OffsetDateTime::parse(&full, &Iso8601::PARSING).ok()
}

impl Network {
    /// `10.0.0.0/8`, `2001:db8::/32`; without a length the one address.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(width), |bits| bits.parse().ok())?;
        (bits <= width).then_some(Self { address, bits })
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
