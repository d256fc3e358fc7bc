//! Constraints of the API's model on single members of a request, and the sentence of AWS that tells which
//! are broken. Source: STS API Reference, CommonErrors ("ValidationError"), and the lengths and patterns of
//! its members.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

/// Characters of a value that a message repeats.
const SHOWN_CHARS: usize = 64;

/// A member that breaks a constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where it is, as AWS spells it: `roleSessionName`, `tags.1.member.key`.
    pub member: Cow<'static, str>,
    /// What was given; none where it must not be repeated.
    value: Option<String>,
    /// What it has to keep to.
    pub rule: String,
}

/// Everything that a request breaks; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "{} validation error{several} detected: ", self.0.len())?;
        for (index, violation) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            let value =
                violation.value.as_ref().map(|value| format!("{value} ")).unwrap_or_default();
            let Violation { member, rule, .. } = violation;
            write!(f, "{between}Value {value}at '{member}' failed to satisfy constraint: {rule}")?;
        }
        Ok(())
    }
}

/// What a text has to keep to.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The shortest, in characters.
    pub min: usize,
    /// The longest, in characters.
    pub max: usize,
    /// The pattern as AWS writes it.
    pub pattern: &'static str,
    /// Whether the pattern takes a character.
    pub legal: fn(char) -> bool,
    /// Whether a message may repeat the value.
    pub shown: bool,
}

/// Checks members one after another and keeps every violation.
#[derive(Debug, Default)]
pub struct Checks(Vec<Violation>);

impl Checks {
    fn add(&mut self, member: impl Into<Cow<'static, str>>, value: Option<String>, rule: String) {
        self.0.push(Violation { member: member.into(), value, rule });
    }

    /// A member that has to be there and keep to `rule`.
    pub fn required(&mut self, member: &'static str, value: Option<&str>, rule: &Text) {
        match value {
            Some(value) => self.text(member, value, rule),
            None => {
                let (null, rule) = ("null".to_owned(), "Member must not be null".to_owned());
                self.add(member, Some(null), rule);
            }
        }
    }

    /// A member that keeps to `rule` if it is there.
    pub fn optional(&mut self, member: &'static str, value: Option<&str>, rule: &Text) {
        if let Some(value) = value {
            self.text(member, value, rule);
        }
    }

    /// A text.
    pub fn text(&mut self, member: impl Into<Cow<'static, str>>, value: &str, rule: &Text) {
        let member = member.into();
        let length = value.chars().count();
        let shown = || rule.shown.then(|| quoted(value));
        if length < rule.min {
            let told = format!("Member must have length greater than or equal to {}", rule.min);
            self.add(member.clone(), shown(), told);
        }
        if length > rule.max {
            let told = format!("Member must have length less than or equal to {}", rule.max);
            self.add(member.clone(), shown(), told);
        }
        if !value.chars().all(rule.legal) {
            let told = format!("Member must satisfy regular expression pattern: {}", rule.pattern);
            self.add(member.clone(), shown(), told);
        }
    }

    /// A number, if it is there.
    pub fn number(&mut self, member: &'static str, value: Option<i64>, range: RangeInclusive<i64>) {
        let Some(value) = value else { return };
        let (least, most) = (*range.start(), *range.end());
        if value < least {
            let told = format!("Member must have value greater than or equal to {least}");
            self.add(member, Some(quoted(&value.to_string())), told);
        }
        if value > most {
            let told = format!("Member must have value less than or equal to {most}");
            self.add(member, Some(quoted(&value.to_string())), told);
        }
    }

    /// A list of so many entries.
    pub fn count(&mut self, member: &'static str, count: usize, max: usize) {
        if count > max {
            let told = format!("Member must have length less than or equal to {max}");
            self.add(member, None, told);
        }
    }

    /// What the checks came to.
    ///
    /// # Errors
    /// A member breaks a constraint.
    pub fn finish(self) -> Result<(), Violations> {
        if self.0.is_empty() { Ok(()) } else { Err(Violations(self.0)) }
    }
}

fn quoted(value: &str) -> String {
    let mut short: String = value.chars().take(SHOWN_CHARS).collect();
    if short.len() < value.len() {
        short.push_str("...");
    }
    format!("'{short}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Text = Text {
        min: 2,
        max: 4,
        pattern: "[\\w]*",
        legal: |c| c.is_ascii_alphanumeric(),
        shown: true,
    };

    /// Protects clients that read messages: the sentences are AWS's, several joined by "; ".
    #[test]
    fn violations_are_told_in_the_words_of_aws() {
        let mut checks = Checks::default();
        checks.required("roleSessionName", Some("x"), &NAME);
        let told = checks.finish().unwrap_err().to_string();
        assert_eq!(
            told,
            "1 validation error detected: Value 'x' at 'roleSessionName' failed to satisfy \
             constraint: Member must have length greater than or equal to 2"
        );
        let mut checks = Checks::default();
        checks.required("name", None, &NAME);
        checks.text("tags.1.member.key", "a b", &NAME);
        checks.number("durationSeconds", Some(1), 900..=3600);
        checks.text("tokenCode", "secret", &Text { shown: false, ..NAME });
        checks.count("tags", 51, 50);
        let told = checks.finish().unwrap_err().to_string();
        let expected = [
            "5 validation errors detected: Value null at 'name' failed to satisfy constraint: Member \
             must not be null",
            "Value 'a b' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [\\w]*",
            "Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value \
             greater than or equal to 900",
            "Value at 'tokenCode' failed to satisfy constraint: Member must have length less than or \
             equal to 4",
            "Value at 'tags' failed to satisfy constraint: Member must have length less than or equal \
             to 50",
        ];
        assert_eq!(told, expected.join("; "));
        let mut checks = Checks::default();
        checks.optional("name", None, &NAME);
        checks.number("durationSeconds", None, 900..=3600);
        assert!(checks.finish().is_ok());
    }

    /// Protects logs and callers from messages as long as what was sent.
    #[test]
    fn long_values_are_cut() {
        let mut checks = Checks::default();
        checks.text("name", &"é".repeat(100_000), &NAME);
        assert!(checks.finish().unwrap_err().to_string().len() < 1000);
    }
}
