//! The Condition element. Blocks and keys are joined by AND, the values of a key by OR, for negated
//! operators by NOR. Source: IAM User Guide, reference_policies_elements_condition_operators and
//! reference_policies_condition-single-vs-multi-valued-context-keys.

mod operator;

use super::context::{Context, Key};
use operator::{Kind, Test};

/// How the values of a multi-valued key are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// No prefix: the key has one value. Several values need a set operator and satisfy nothing here.
    Single,
    /// `ForAnyValue:`
    Any,
    /// `ForAllValues:`
    All,
}

/// One operator on one key.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// As written, for explanations.
    operator: Box<str>,
    key: Key,
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    test: Test,
}

impl Condition {
    /// Reads an operator, a key and its values. The error is the rule that is broken.
    pub(super) fn new(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, String> {
        let unknown = || format!("`{operator}` is no condition operator");
        let (quantifier, rest) = match operator.split_once(':') {
            Some((set, rest)) if set.eq_ignore_ascii_case("ForAnyValue") => (Quantifier::Any, rest),
            Some((set, rest)) if set.eq_ignore_ascii_case("ForAllValues") => {
                (Quantifier::All, rest)
            }
            Some(_) => return Err(unknown()),
            None => (Quantifier::Single, operator),
        };
        let (base, if_exists) = match strip_suffix_ignoring_case(rest, "IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (kind, negated) = Kind::of(base).ok_or_else(unknown)?;
        if kind == Kind::Null && (if_exists || quantifier != Quantifier::Single) {
            return Err("`Null` takes neither `IfExists` nor a set operator".to_owned());
        }
        if key.is_empty() {
            return Err("a condition names no key".to_owned());
        }
        Ok(Self {
            operator: Box::from(operator),
            key: Key::new(key),
            quantifier,
            if_exists,
            negated,
            test: Test::new(kind, values, variables)?,
        })
    }

    /// The operator as written.
    pub(super) fn operator(&self) -> &str {
        &self.operator
    }

    /// The key, in lower case.
    pub(super) fn key(&self) -> &str {
        self.key.as_str()
    }

    /// Whether the condition holds in `context`.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let given = context.values_of(&self.key).filter(|values| !values.is_empty());
        if let Test::Null { absent, present } = self.test {
            return if given.is_none() { absent } else { present };
        }
        let Some(given) = given else {
            return match self.quantifier {
                Quantifier::All => true,
                Quantifier::Any => self.if_exists,
                Quantifier::Single => self.if_exists || self.negated,
            };
        };
        // A value that cannot be read as the operator's type satisfies nothing, negated or not.
        let one = |value: &String| {
            self.test.matches(value, context).is_some_and(|matches| matches != self.negated)
        };
        match (self.quantifier, given) {
            (Quantifier::Single, [value]) => one(value),
            (Quantifier::Single, _) => false,
            (Quantifier::Any, given) => given.iter().any(one),
            (Quantifier::All, given) => given.iter().all(one),
        }
    }
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (before, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(before)
}

/// Every operator, for suggestions.
pub(super) fn operator_names() -> Vec<&'static str> {
    operator::OPERATORS.iter().map(|(name, ..)| *name).collect()
}
