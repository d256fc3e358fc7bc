//! Conditions on keys that no request has, as far as it is known what requests have.

use std::collections::BTreeSet;

use super::catalog::{self, Known, actions_with};
use super::document::{Clause, Statement, matches};
use super::{COMPARED_MAX, FINDINGS_MAX, Finding};
use crate::policy::context::Context;
use crate::policy::parse::Effect;

/// What is known of the requests that policies are going to decide.
pub trait Requests {
    /// The actions of which it is known what their requests have, `service:Action`; of the services of these no others
    /// are asked for.
    fn actions(&self) -> Vec<&'static str>;

    /// Whether a request for one of them may have a condition key.
    fn may_have(&self, action: &str, key: &str) -> bool;

    /// Whether a request to another service may have it.
    fn others_may_have(&self, key: &str) -> bool;

    /// Why no request has it, or none for the one action that it is about.
    fn reason(&self, action: Option<&str>, key: &str) -> Option<&'static str>;
}

/// What a statement is about.
struct About<'a> {
    /// Those of the known actions that it names.
    known: Vec<&'a str>,
    /// Whether it names actions of other services.
    others: bool,
}

impl<'a> About<'a> {
    fn of(statement: &Statement, actions: &[&'a str]) -> Self {
        let items = statement.actions.items.iter();
        let patterns: Vec<_> = items.map(|item| item.text.to_ascii_lowercase()).collect();
        let named = |action: &&&str| {
            let action = action.to_ascii_lowercase();
            patterns.iter().any(|pattern| matches(pattern, &action)) != statement.actions.not
        };
        let known = actions.iter().filter(named).copied().collect();
        let service = |action: &str| action.split(':').next().unwrap_or_default().to_owned();
        let services: BTreeSet<_> = actions.iter().map(|action| service(action)).collect();
        let other = |pattern: &String| !services.contains(&service(pattern));
        let others = statement.actions.not || patterns.iter().any(other);
        Self { known, others }
    }

    fn may_have(&self, requests: &dyn Requests, key: &str) -> bool {
        let nobody = self.known.is_empty() && !self.others;
        nobody
            || self.others && requests.others_may_have(key)
            || self.known.iter().any(|action| requests.may_have(action, key))
    }
}

pub(super) fn check(statement: &Statement, requests: &dyn Requests, found: &mut Vec<Finding>) {
    if statement.clauses.is_empty() || statement.actions.items.len() > COMPARED_MAX {
        return;
    }
    let about = About::of(statement, &requests.actions());
    for clause in statement.clauses.iter().take(COMPARED_MAX) {
        if found.len() >= FINDINGS_MAX {
            return;
        }
        // What is no key at all, or comes with few actions, is told already.
        let told = match catalog::key(&clause.key) {
            Known::Yes(_) | Known::List | Known::NoMatter => {
                actions_with(&clause.key_lower()).is_some()
            }
            Known::NoTag(_) | Known::No(_) => true,
        };
        if told || about.may_have(requests, &clause.key) {
            continue;
        }
        let (of, action) = match (about.others, about.known.as_slice()) {
            (false, [action]) => (format!(" for `{action}`"), Some(*action)),
            (false, _) => (" for these actions".to_owned(), None),
            (true, _) => (String::new(), None),
        };
        let why = requests.reason(action, &clause.key).map(|reason| format!(" ({reason})"));
        let message = format!(
            "no request{of} has `{}` here{}, so {}",
            clause.key,
            why.unwrap_or_default(),
            consequence(statement, clause)
        );
        found.push(Finding::warning(&clause.place, "key-never-set", message));
    }
}

/// What it does to a statement that no request has the key of one of its conditions.
fn consequence(statement: &Statement, clause: &Clause) -> &'static str {
    let effect = if statement.allows { Effect::Allow } else { Effect::Deny };
    let holds = clause.condition.holds(effect, &Context::default());
    match (holds, statement.allows, statement.clauses.len()) {
        (false, true, _) => "this Allow never allows anything",
        (false, false, _) => "this Deny never refuses anything",
        (true, false, 1) => "this Deny refuses everybody",
        (true, _, _) => "the condition always holds and narrows nothing",
    }
}
