//! The Condition element. Blocks and keys are joined by AND, the values of a key by OR, for negated
//! operators by NOR. Source: IAM User Guide, reference_policies_elements_condition_operators and
//! reference_policies_condition-single-vs-multi-valued-context-keys.

mod operator;

use super::KeySet;
use super::context::{Context, Given, Key, Values};
use super::error::closest;
use super::parse::Effect;
use super::value::Reading;
use operator::Test;
pub(super) use operator::{Kind, Order};

const FOR_ANY: &str = "ForAnyValue";
const FOR_ALL: &str = "ForAllValues";
const IF_EXISTS: &str = "IfExists";

/// How the values of a multi-valued key are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// No prefix: the key has one value. A multi-valued key needs a set operator: it satisfies nothing here, not a
    /// negated operator and not one with `IfExists`, in an Allow and in a Deny alike.
    Single,
    /// `ForAnyValue:`
    Any,
    /// `ForAllValues:`
    All,
}

/// An operator as it is written: `ForAnyValue:StringLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) quantifier: Quantifier,
    pub(super) kind: Kind,
    pub(super) negated: bool,
    pub(super) if_exists: bool,
}

/// One operator on one key.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// As written, for explanations.
    written: Box<str>,
    key: Key,
    operator: Operator,
    test: Test,
    has_variables: bool,
}

/// What is wrong with a condition.
pub(super) enum Mistake {
    /// The operator, with what was probably meant.
    Operator(String, Option<String>),
    /// The key.
    Key(&'static str),
    /// The value at this place.
    Value(usize, String),
}

impl Operator {
    /// Reads an operator; none if there is no such.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (quantifier, rest) = match text.split_once(':') {
            Some((set, rest)) if set.eq_ignore_ascii_case(FOR_ANY) => (Quantifier::Any, rest),
            Some((set, rest)) if set.eq_ignore_ascii_case(FOR_ALL) => (Quantifier::All, rest),
            Some(_) => return None,
            None => (Quantifier::Single, text),
        };
        let (base, if_exists) = match strip_suffix_ignoring_case(rest, IF_EXISTS) {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (kind, negated) = Kind::of(base)?;
        Some(Self { quantifier, kind, negated, if_exists })
    }

    /// Whether it takes policy variables (IAM User Guide, reference_policies_variables: those for
    /// texts and ARNs do).
    pub(super) fn takes_variables(self) -> bool {
        match self.kind {
            Kind::StringEquals | Kind::StringEqualsIgnoreCase | Kind::StringLike | Kind::Arn => {
                true
            }
            Kind::Numeric(_) | Kind::Date(_) | Kind::Bool | Kind::Binary | Kind::Ip => false,
            Kind::Null => false,
        }
    }

    /// Whether a request without the key cannot satisfy it.
    pub(super) fn needs_key(self) -> bool {
        match self.quantifier {
            Quantifier::All => false,
            Quantifier::Any => !self.if_exists,
            Quantifier::Single => !self.if_exists && !self.negated,
        }
    }
}

impl Condition {
    /// Reads an operator, a key and its values.
    ///
    /// # Errors
    /// The part that is wrong.
    pub(super) fn new(
        written: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, Mistake> {
        let Some(operator) = Operator::read(written) else {
            let rule = format!("`{written}` is no condition operator");
            return Err(Mistake::Operator(rule, suggestion(written)));
        };
        let bare = operator.quantifier == Quantifier::Single && !operator.if_exists;
        if operator.kind == Kind::Null && !bare {
            let rule = "`Null` takes neither `IfExists` nor a set operator".to_owned();
            return Err(Mistake::Operator(rule, Some("Null".to_owned())));
        }
        if key.is_empty() {
            return Err(Mistake::Key("a condition names no key"));
        }
        let test = Test::new(operator.kind, values, variables);
        let test = test.map_err(|(place, rule)| Mistake::Value(place, rule))?;
        let has_variables = test.keys() != KeySet::NONE;
        let (written, key) = (Box::from(written), Key::new(key));
        Ok(Self { written, key, operator, test, has_variables })
    }

    /// The operator as written.
    pub(super) fn operator(&self) -> &str {
        &self.written
    }

    /// The key, in lower case.
    pub(super) fn key(&self) -> &str {
        self.key.as_str()
    }

    /// Whether it holds for principals alone whose ARN it names.
    pub(super) fn names_principals(&self) -> bool {
        let Operator { quantifier, kind, negated, if_exists } = self.operator;
        let names = match kind {
            Kind::StringEquals | Kind::StringEqualsIgnoreCase | Kind::StringLike | Kind::Arn => {
                true
            }
            Kind::Numeric(_)
            | Kind::Date(_)
            | Kind::Bool
            | Kind::Binary
            | Kind::Ip
            | Kind::Null => false,
        };
        names
            && !negated
            && !if_exists
            && quantifier != Quantifier::All
            && self.key.as_str() == "aws:principalarn"
    }

    /// Its key and those of the variables in its values.
    pub(super) fn keys(&self) -> KeySet {
        self.key.set().with(self.test.keys())
    }

    /// Whether the condition holds in `context`. What cannot be compared satisfies no operator, but for a negated one in
    /// a Deny: a fence stays shut where a value is not what it should be.
    pub(super) fn holds(&self, effect: Effect, context: &Context) -> bool {
        let values = context.values(&self.key);
        if let Test::Null { absent, present } = self.test {
            let is_absent = values.is_none_or(|values| values.given().texts.is_empty());
            return if is_absent { absent } else { present };
        }
        match (self.operator.quantifier, values) {
            (Quantifier::Single, Some(Values::Single(value, reading))) => {
                self.satisfied_by(value, reading, effect, context)
            }
            (_, values) => self.holds_for(values.map(Values::given), effect, context),
        }
    }

    /// Whether the condition holds for the values of a key, if it is there.
    fn holds_for(&self, given: Option<Given<'_>>, effect: Effect, context: &Context) -> bool {
        let is_single = self.operator.quantifier == Quantifier::Single;
        // A set operator sees a lone empty string as no values at all.
        let has_values = |given: &Given<'_>| match is_single {
            true => !given.texts.is_empty(),
            false => !given.texts.iter().all(String::is_empty),
        };
        let Some(given) = given.filter(has_values) else {
            let holds = !self.operator.needs_key();
            return holds && (self.operator.if_exists || !self.is_void(effect, context));
        };
        let one = |(value, reading): (&String, &Reading)| {
            self.satisfied_by(value, reading, effect, context)
        };
        let mut each = given.texts.iter().zip(given.readings);
        match self.operator.quantifier {
            Quantifier::Single => !given.is_list && each.all(one),
            Quantifier::Any => each.any(one),
            Quantifier::All => each.all(one),
        }
    }

    /// Whether one value satisfies the operator.
    fn satisfied_by(
        &self,
        value: &str,
        reading: &Reading,
        effect: Effect,
        context: &Context,
    ) -> bool {
        let negated = self.operator.negated;
        match self.test.matches(value, reading, context) {
            _ if negated && self.is_void(effect, context) => false,
            Some(matches) => matches != negated,
            None => negated && effect == Effect::Deny,
        }
    }

    /// Whether a variable without value makes an Allow not apply: "any attempt to match it fails and causes the
    /// statement to be invalid" (IAM User Guide, reference_policies_variables, "Principal key values"), also under a
    /// negated operator. In a Deny nothing equals such a variable, so that a negated operator holds and the fence
    /// stays shut, as in the page's example ("Policy variables with no value").
    fn is_void(&self, effect: Effect, context: &Context) -> bool {
        effect == Effect::Allow && self.has_variables && !self.test.resolves(context)
    }
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (before, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(before)
}

/// The operator that is closest to a misspelt one, its set operator and `IfExists` kept.
fn suggestion(written: &str) -> Option<String> {
    let (set, rest) = match written.split_once(':') {
        Some((set, rest)) => (Some(closest(set, &[FOR_ANY, FOR_ALL])?), rest),
        None => (None, written),
    };
    let names = operator::OPERATORS.iter().map(|(name, ..)| (*name).to_owned());
    let names: Vec<String> = names.flat_map(|name| [format!("{name}{IF_EXISTS}"), name]).collect();
    let base = closest(rest, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let set = set.map(|set| format!("{set}:")).unwrap_or_default();
    Some(format!("{set}{base}"))
}
