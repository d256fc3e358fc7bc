//! Wildcards, by following every way to match at once; and the parts of ARNs.

use std::collections::BTreeSet;

/// One element of a pattern.
#[derive(Clone, Copy)]
pub(crate) enum Symbol {
    Char(char),
    /// `?`
    One,
    /// `*`
    Run,
}

impl Symbol {
    pub(super) fn is_wild(&self) -> bool {
        !matches!(self, Self::Char(_))
    }

    pub(super) fn char(&self) -> char {
        match self {
            Self::Char(c) => *c,
            Self::One => '?',
            Self::Run => '*',
        }
    }
}

/// The elements of a text without variables.
pub(crate) fn symbols(text: &str) -> Vec<Symbol> {
    let symbol = |c| match c {
        '?' => Symbol::One,
        '*' => Symbol::Run,
        c => Symbol::Char(c),
    };
    text.chars().map(symbol).collect()
}

/// Follows every way to match at once: the places of the text that what came before may have reached.
pub(crate) fn wildcards_match(pattern: &[Symbol], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reached = BTreeSet::from([0]);
    for symbol in pattern {
        reached = match (symbol, reached.first()) {
            (_, None) => return false,
            (Symbol::Run, Some(first)) => (*first..=text.len()).collect(),
            (Symbol::One, _) => {
                reached.iter().filter(|at| **at < text.len()).map(|at| at + 1).collect()
            }
            (Symbol::Char(c), _) => {
                reached.iter().filter(|at| text.get(**at) == Some(c)).map(|at| at + 1).collect()
            }
        };
    }
    reached.contains(&text.len())
}

/// The parts of a pattern of an ARN; colons of variables separate nothing.
pub(super) fn arn_parts(pattern: &str, variables: bool) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut inside = false;
    let mut before = ' ';
    for c in pattern.chars() {
        inside = (inside && c != '}') || (variables && before == '$' && c == '{');
        before = c;
        let last = parts.len() == 6;
        match parts.last_mut() {
            Some(_) if c == ':' && !inside && !last => parts.push(String::new()),
            Some(part) => part.push(c),
            None => {}
        }
    }
    parts
}
