//! What is wrong with a policy, and where.

use std::fmt;

use super::json::Position;

/// A mistake in a policy document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The JSON path, such as `$.Statement[0].Action`.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The rule that is broken.
    pub rule: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl ParseError {
    pub(super) fn new(path: &str, at: Position, rule: &str) -> Self {
        Self {
            path: path.to_owned(),
            line: at.line,
            column: at.column,
            rule: rule.to_owned(),
            suggestion: None,
        }
    }

    /// Adds the word of `known` that `given` is closest to, if one is close.
    pub(super) fn suggest(mut self, given: &str, known: &[&str]) -> Self {
        self.suggestion = closest(given, known).map(str::to_owned);
        self
    }

    /// Adds what was probably meant.
    pub(super) fn meant(mut self, suggestion: &str) -> Self {
        self.suggestion = Some(suggestion.to_owned());
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, rule, suggestion } = self;
        write!(f, "{path} (line {line}, column {column}): {rule}")?;
        match suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ParseError {}

/// The word of `known` that `given` is closest to, if one is close.
pub(super) fn closest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = known.iter().map(|word| (distance(given, word), *word)).min();
    close.filter(|(distance, word)| *distance <= 1 + word.len() / 4).map(|(_, word)| word)
}

/// Characters to insert, delete or replace (Levenshtein), without regard to case.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_ascii_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_ascii_lowercase().chars().take(64).enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, pair) in b.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(x != *y)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
