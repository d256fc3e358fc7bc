//! What is legal in a policy but surely not meant. The checks follow those that IAM Access Analyzer makes
//! of one document (IAM User Guide, access-analyzer-reference-policy-checks), as far as they make sense
//! here; none of them looks at anything but the document and what it is told of requests. A finding never keeps a policy
//! from being stored.

mod actions;
mod catalog;
mod document;
mod foreign;
mod keys;
mod principals;
mod redundant;
mod requests;
#[cfg(test)]
mod requests_tests;
mod resources;
mod satisfiable;
mod stored;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{ParseError, Policy, PolicyKind};
use document::{Document, Place};
pub use requests::Requests;

/// Findings of one document; what is over is left out.
const FINDINGS_MAX: usize = 100;
/// Entries of a list, or statements, up to which each is compared with each.
const COMPARED_MAX: usize = 200;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The document would be refused.
    Error,
    /// It would be stored, and surely does not do what is meant.
    Warning,
}

/// Something wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The JSON path, such as `$.Statement[0].Action[1]`.
    pub path: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// A stable name of the rule, such as `pass-role-on-all`.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// The rule of every finding that is an error: the message tells which one.
const MALFORMED: &str = "malformed-policy";

/// Checks a document: the mistake that it would be refused for, or what is legal and surely not meant, in
/// the order of the text. `requests` are those that it is going to decide.
#[must_use]
pub fn lint(text: &str, kind: PolicyKind, requests: &dyn Requests) -> Vec<Finding> {
    match Policy::parse(text, kind) {
        Ok(policy) => policy.warnings(requests),
        Err(error) => vec![Finding::from(error)],
    }
}

impl Policy {
    /// What is legal in the document and surely not meant, in the order of the text; at most 100 findings:
    /// those of the first statements that have any.
    #[must_use]
    pub fn warnings(&self, requests: &dyn Requests) -> Vec<Finding> {
        let Some(document) = Document::read(self.text()) else { return Vec::new() };
        let kind = self.kind();
        let mut found = Vec::new();
        document.check_version(&mut found);
        if let Some(max) = kind.chars_max().filter(|max| self.size_without_whitespace() > *max) {
            let message = format!("has more than {max} characters without white space");
            found.push(Finding::warning(&document.start(), "policy-too-long", message));
        }
        for statement in &document.statements {
            if found.len() >= FINDINGS_MAX {
                break;
            }
            actions::check(statement, kind, &mut found);
            resources::check(statement, kind, &mut found);
            principals::check(statement, kind, &mut found);
            keys::check(statement, &mut found);
            requests::check(statement, requests, &mut found);
            satisfiable::check(statement, &mut found);
            redundant::check_lists(statement, &mut found);
        }
        redundant::check_statements(&document.statements, &mut found);
        found.sort_by_key(|finding| (finding.line, finding.column));
        found.truncate(FINDINGS_MAX);
        found
    }
}

impl Finding {
    fn warning(place: &Place, rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            path: place.path.clone(),
            line: place.at.line,
            column: place.at.column,
            rule,
            message: message.into(),
            suggestion: None,
        }
    }

    /// Adds what was probably meant.
    fn meant(self, suggestion: impl Into<String>) -> Self {
        Self { suggestion: Some(suggestion.into()), ..self }
    }
}

impl From<ParseError> for Finding {
    fn from(error: ParseError) -> Self {
        let ParseError { path, line, column, rule: message, suggestion } = error;
        let (severity, rule) = (Severity::Error, MALFORMED);
        Self { severity, path, line, column, rule, message, suggestion }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// `warning: MESSAGE; did you mean ...? [rule]`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        write!(f, " [{}]", self.rule)
    }
}
