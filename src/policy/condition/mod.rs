//! The Condition element. Blocks and keys are joined by AND, the values of a key by OR, for negated
//! operators by NOR. Source: IAM User Guide, reference_policies_elements_condition_operators and
//! reference_policies_condition-single-vs-multi-valued-context-keys.

mod operator;

use super::context::Context;
use operator::Expected;
pub(super) use operator::Kind;

/// How the values of a multi-valued key are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// No prefix: the key has one value; with several, one that matches is enough.
    Single,
    /// `ForAnyValue:`
    Any,
    /// `ForAllValues:`
    All,
}

/// One operator on one key.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// In lower case.
    key: String,
    quantifier: Quantifier,
    if_exists: bool,
    kind: Kind,
    negated: bool,
    values: Vec<Expected>,
}

impl Condition {
    /// Reads an operator, a key and its values. The error is the rule that is broken.
    pub(super) fn new(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, String> {
        let (quantifier, rest) = match operator.split_once(':') {
            Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
            Some(("ForAllValues", rest)) => (Quantifier::All, rest),
            Some(_) => return Err(format!("`{operator}` is no condition operator")),
            None => (Quantifier::Single, operator),
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let Some((kind, negated)) = Kind::of(base) else {
            return Err(format!("`{operator}` is no condition operator"));
        };
        if kind == Kind::Null && (if_exists || quantifier != Quantifier::Single) {
            return Err("`Null` takes neither `IfExists` nor a set operator".to_owned());
        }
        if key.is_empty() {
            return Err("a condition names no key".to_owned());
        }
        let values = values.iter().map(|value| Expected::new(kind, value, variables));
        Ok(Self {
            key: key.to_ascii_lowercase(),
            quantifier,
            if_exists,
            kind,
            negated,
            values: values.collect::<Result<_, _>>()?,
        })
    }

    /// Whether the condition holds in `context`.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let given = context.get(&self.key);
        if self.kind == Kind::Null {
            let absent = given.is_none_or(<[String]>::is_empty);
            return self.values.iter().any(|value| value.is_true() == absent);
        }
        let Some(given) = given.filter(|values| !values.is_empty()) else {
            return match self.quantifier {
                Quantifier::All => true,
                Quantifier::Any => self.if_exists,
                Quantifier::Single => self.if_exists || self.negated,
            };
        };
        let one = |value: &String| {
            // A value that cannot be read as the operator's type satisfies nothing, negated or not.
            let Some(matches) = self.matches_any(value, context) else { return false };
            matches != self.negated
        };
        match self.quantifier {
            Quantifier::Single if self.negated => given.iter().all(one),
            Quantifier::Single | Quantifier::Any => given.iter().any(one),
            Quantifier::All => given.iter().all(one),
        }
    }

    fn matches_any(&self, given: &str, context: &Context) -> Option<bool> {
        let mut readable = false;
        for expected in &self.values {
            match expected.matches(self.kind, given, context) {
                Some(true) => return Some(true),
                Some(false) => readable = true,
                None => {}
            }
        }
        // An empty list of values matches nothing.
        (readable || self.values.is_empty() || !self.kind.is_parsed()).then_some(false)
    }
}

/// Every operator, for suggestions.
pub(super) fn operator_names() -> Vec<&'static str> {
    operator::OPERATORS.iter().map(|(name, ..)| *name).collect()
}
