//! Condition operators: how one value of a request is compared with one value of a policy.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::policy::KeySet;
use crate::policy::arn_pattern::{ArnPattern, ArnText};
use crate::policy::context::Context;
use crate::policy::decimal::Decimal;
use crate::policy::pattern::Pattern;
use crate::policy::template::Text;
use crate::policy::value::{Instant, Network, Reading, instant};

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
    Known(Value<'static>),
    /// Holds a variable and is read when the request is known.
    Late(Text),
}

/// A value that is no text.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Number(Decimal<'a>),
    Date(Instant),
    Bool(bool),
    Bytes(Vec<u8>),
    Network(Network),
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

    /// The keys of the variables in its values.
    pub(super) fn keys(&self) -> KeySet {
        match self {
            Self::Equals(texts) | Self::EqualsIgnoringCase(texts) => {
                texts.iter().map(Text::keys).collect()
            }
            Self::Like(patterns) => patterns.iter().map(Pattern::keys).collect(),
            Self::Arn(patterns) => patterns.iter().map(ArnPattern::keys).collect(),
            Self::Typed(_, expected) => expected.iter().map(Expected::keys).collect(),
            Self::Null { .. } => KeySet::NONE,
        }
    }

    /// Whether every variable in its values has a value.
    pub(super) fn resolves(&self, context: &Context) -> bool {
        match self {
            Self::Equals(texts) | Self::EqualsIgnoringCase(texts) => {
                texts.iter().all(|text| text.resolves(context))
            }
            Self::Like(patterns) => patterns.iter().all(|pattern| pattern.resolves(context)),
            Self::Arn(patterns) => patterns.iter().all(|pattern| pattern.resolves(context)),
            Self::Typed(_, expected) => expected.iter().all(|expected| match expected {
                Expected::Known(_) => true,
                Expected::Late(text) => text.resolves(context),
            }),
            Self::Null { .. } => true,
        }
    }

    /// Whether `given` matches one of the values; none if there is nothing to compare: `given` is no address or ARN
    /// though the operator compares those, or no value can be read as the operator's type. A word is unequal to every
    /// number and date, and any text but `true` is false. An empty list of values matches nothing.
    pub(super) fn matches(
        &self,
        given: &str,
        reading: &Reading,
        context: &Context,
    ) -> Option<bool> {
        Some(match self {
            Self::Equals(texts) => texts.iter().any(|text| text.equals(given, context)),
            Self::EqualsIgnoringCase(texts) => {
                texts.iter().any(|text| text.equals_ignoring_case(given, context))
            }
            Self::Like(patterns) => patterns.iter().any(|pattern| pattern.matches(given, context)),
            Self::Arn(patterns) => {
                let arn = ArnText::new(given);
                let matches = patterns.iter().any(|pattern| pattern.matches(&arn, context));
                return (matches || arn.is_whole()).then_some(matches);
            }
            Self::Typed(kind, expected) => {
                return Typed { kind: *kind, expected }.matches(given, reading, context);
            }
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

/// Values of a type of their own. What a request gives is compared as it is read, without being wrapped first.
#[derive(Clone, Copy)]
struct Typed<'a> {
    kind: Kind,
    expected: &'a [Expected],
}

impl Typed<'_> {
    fn matches(self, given: &str, reading: &Reading, context: &Context) -> Option<bool> {
        match self.kind {
            Kind::Date(order) => match reading.date() {
                Some(given) => self.any(context, |value| match value {
                    Value::Date(date) => Some(order.holds(given.cmp(date))),
                    _ => None,
                }),
                None => Some(false),
            },
            Kind::Ip => {
                let given = reading.network()?;
                self.any(context, |value| match value {
                    Value::Network(block) => Some(block.covers(given)),
                    _ => None,
                })
            }
            Kind::Bool => {
                let given = given.eq_ignore_ascii_case("true");
                self.any(context, |value| match value {
                    Value::Bool(truth) => Some(*truth == given),
                    _ => None,
                })
            }
            Kind::Numeric(order) => match Decimal::parse(given) {
                Some(given) => self.any(context, |value| match value {
                    Value::Number(number) => Some(order.holds(given.compare(number))),
                    _ => None,
                }),
                None => Some(false),
            },
            Kind::Binary => match STANDARD.decode(given) {
                Ok(given) => self.any(context, |value| match value {
                    Value::Bytes(bytes) => Some(*bytes == given),
                    _ => None,
                }),
                Err(_) => Some(false),
            },
            Kind::StringEquals
            | Kind::StringEqualsIgnoreCase
            | Kind::StringLike
            | Kind::Arn
            | Kind::Null => None,
        }
    }

    /// Whether one of the values compares; none if no value can be read.
    fn any(self, context: &Context, compare: impl Fn(&Value<'_>) -> Option<bool>) -> Option<bool> {
        let mut readable = self.expected.is_empty();
        for expected in self.expected {
            let matches = match expected {
                Expected::Known(expected) => compare(expected),
                Expected::Late(text) => {
                    text.resolve(context).and_then(|text| compare(&value(self.kind, &text)?))
                }
            };
            match matches {
                Some(true) => return Some(true),
                Some(false) => readable = true,
                None => {}
            }
        }
        readable.then_some(false)
    }
}

impl Expected {
    fn keys(&self) -> KeySet {
        match self {
            Self::Known(_) => KeySet::NONE,
            Self::Late(text) => text.keys(),
        }
    }

    fn new(kind: Kind, text: &str, variables: bool) -> Result<Self, String> {
        if variables && text.contains("${") {
            return Text::new(text, variables).map(Self::Late).map_err(str::to_owned);
        }
        let known = value(kind, text).map(|value| Self::Known(value.into_owned()));
        known.ok_or_else(|| no_value(kind, text))
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

impl Value<'_> {
    fn into_owned(self) -> Value<'static> {
        match self {
            Self::Number(number) => Value::Number(number.into_owned()),
            Self::Date(date) => Value::Date(date),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Network(network) => Value::Network(network),
        }
    }
}

/// Reads a value of a policy as the operator's type.
fn value(kind: Kind, text: &str) -> Option<Value<'_>> {
    match kind {
        Kind::Numeric(_) => Decimal::parse(text).map(Value::Number),
        Kind::Date(_) => instant(text).map(Value::Date),
        Kind::Bool | Kind::Null if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        Kind::Bool | Kind::Null if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        Kind::Binary => STANDARD.decode(text).ok().map(Value::Bytes),
        Kind::Ip => Network::parse(text).map(Value::Network),
        _ => None,
    }
}
