//! What is wrong with the parameters of a request, and where.

use std::fmt;

use crate::identity::Invalid;

/// Mistakes that one answer tells.
const MISTAKES_MAX: usize = 10;
/// Characters of a wrong value that an answer repeats.
const SHOWN_CHARS_MAX: usize = 256;

/// Where in a request a value stands.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a Self>,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Root,
    Field(&'static str),
    Item(usize),
}

impl At<'_> {
    /// The request itself.
    pub(super) const ROOT: At<'static> = At { parent: None, step: Step::Root };

    /// The field `name` of what is here.
    pub(super) fn field(&self, name: &'static str) -> At<'_> {
        At { parent: Some(self), step: Step::Field(name) }
    }

    /// The entry `number` of what is here.
    pub(super) fn item(&self, number: usize) -> At<'_> {
        At { parent: Some(self), step: Step::Item(number) }
    }

    /// The name on the wire: `IamInstanceProfile.Name`.
    fn wire(&self) -> String {
        let before = self.parent.map(At::wire).filter(|before| !before.is_empty());
        let own = match self.step {
            Step::Root => String::new(),
            Step::Field(name) => name.to_owned(),
            Step::Item(number) => number.to_string(),
        };
        before.map_or(own.clone(), |before| format!("{before}.{own}"))
    }
}

impl fmt::Display for At<'_> {
    /// As the services write it: `tags.1.member.key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent.filter(|parent| !matches!(parent.step, Step::Root)) {
            write!(f, "{parent}.")?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Item(number) => write!(f, "{number}.member"),
            Step::Field(name) => {
                let mut chars = name.chars();
                let first = chars.next().map(|c| c.to_ascii_lowercase());
                write!(f, "{}{}", first.map(String::from).unwrap_or_default(), chars.as_str())
            }
        }
    }
}

/// Something wrong with a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Where, as the query protocol writes it.
    pub(super) at: String,
    /// Where, as it was on the wire.
    pub(super) wire: String,
    /// The value; none if there is none.
    pub(super) value: Option<String>,
    /// `Member must ...`
    pub(super) rule: String,
}

/// Everything wrong with a request, as far as one answer tells it.
#[derive(Debug, Default)]
pub(super) struct Mistakes(pub(super) Vec<Mistake>);

impl Mistakes {
    /// The value breaks a rule: `Member must RULE`.
    pub(super) fn add(&mut self, at: At<'_>, value: Option<&str>, rule: &str) {
        if self.0.len() < MISTAKES_MAX {
            let value = value.map(|value| value.chars().take(SHOWN_CHARS_MAX).collect());
            let rule = format!("Member must {rule}");
            self.0.push(Mistake { at: at.to_string(), wire: at.wire(), value, rule });
        }
    }

    /// A parameter is not there.
    pub(super) fn missing(&mut self, at: At<'_>) {
        self.add(at, None, "not be null");
    }

    /// The value is none of its type.
    pub(super) fn invalid(&mut self, at: At<'_>, value: &str, invalid: &Invalid) {
        // The value stands before the rule already.
        let rule = invalid.rule.split(", not `").next().unwrap_or_default();
        let rule = rule.strip_prefix("must ").unwrap_or(rule);
        self.add(at, Some(value), rule);
    }
}
