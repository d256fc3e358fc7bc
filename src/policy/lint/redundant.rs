//! What another part of the same policy says already.

use super::document::{Item, List, Statement, matches};
use super::{COMPARED_MAX, Finding};

/// Actions and resources of all statements up to which statements are compared.
const ENTRIES_MAX: usize = 1000;

/// Entries of a list that another entry of it covers.
pub(super) fn check_lists(statement: &Statement, found: &mut Vec<Finding>) {
    found.extend(covered(&statement.actions, "redundant-action", true));
    if let Some(resources) = &statement.resources {
        found.extend(covered(resources, "redundant-resource", false));
    }
}

fn covered(list: &List, rule: &'static str, ignoring_case: bool) -> Vec<Finding> {
    if list.items.len() > COMPARED_MAX {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (index, item) in list.items.iter().enumerate() {
        let others = list.items.iter().enumerate().filter(|(other, _)| *other != index);
        // Of two that cover each other the first stays.
        let mut covering = others.filter(|(other, pattern)| {
            covers(pattern, item, ignoring_case)
                && (*other < index || !covers(item, pattern, ignoring_case))
        });
        if let Some((_, other)) = covering.next() {
            let message = format!("`{}` is covered by `{}`", item.text, other.text);
            found.push(Finding::warning(&item.place, rule, message));
        }
    }
    found
}

/// Whether everything that `item` matches is matched by `pattern`. What is not sure counts as no.
fn covers(pattern: &Item, item: &Item, ignoring_case: bool) -> bool {
    let (mut pattern, mut text) = (pattern.text.clone(), item.text.clone());
    if ignoring_case {
        pattern.make_ascii_lowercase();
        text.make_ascii_lowercase();
    }
    let wild = text.contains(['*', '?']);
    // A `?` would take a `*` of the other for one character; parts of ARNs are matched one by one; a
    // variable stands for what is not known here.
    let unsure = (wild && pattern.contains('?')) || pattern.contains("${");
    if pattern == text {
        return true;
    }
    if unsure {
        return false;
    }
    if pattern == "*" || ignoring_case {
        return matches(&pattern, &text);
    }
    let (pattern, text): (Vec<&str>, Vec<&str>) =
        (pattern.splitn(6, ':').collect(), text.splitn(6, ':').collect());
    pattern.len() == 6
        && text.len() == 6
        && pattern.iter().zip(&text).all(|(pattern, text)| matches(pattern, text))
}

/// Statements that another statement of the same effect covers.
pub(super) fn check_statements(statements: &[Statement], found: &mut Vec<Finding>) {
    let entries = statements.iter().map(|statement| {
        statement.actions.items.len() + statement.resources.as_ref().map_or(0, |r| r.items.len())
    });
    if statements.len() > COMPARED_MAX || entries.sum::<usize>() > ENTRIES_MAX {
        return;
    }
    for (index, statement) in statements.iter().enumerate() {
        let mut covering = statements.iter().enumerate().filter(|(other, by)| {
            *other != index
                && says_no_less(by, statement)
                && (*other < index || !says_no_less(statement, by))
        });
        if let Some((_, other)) = covering.next() {
            let message = format!("`{}` says this already", other.place.path);
            found.push(Finding::warning(&statement.place, "redundant-statement", message));
        }
    }
}

/// Whether `statement` adds nothing to what `by` says.
fn says_no_less(by: &Statement, statement: &Statement) -> bool {
    by.allows == statement.allows
        && list_covers(&by.actions, &statement.actions, true)
        && match (&by.resources, &statement.resources) {
            (None, None) => true,
            (Some(by), Some(list)) => list_covers(by, list, false),
            _ => false,
        }
        && same_principals(by, statement)
        && same_conditions(by, statement)
}

fn list_covers(by: &List, list: &List, ignoring_case: bool) -> bool {
    if by.items.len() > COMPARED_MAX || list.items.len() > COMPARED_MAX {
        return false;
    }
    let one = |pattern: &Item, item: &Item| covers(pattern, item, ignoring_case);
    match (by.not, list.not) {
        (false, false) => list.items.iter().all(|item| by.items.iter().any(|by| one(by, item))),
        // Whoever excepts less says more.
        (true, true) => by.items.iter().all(|item| list.items.iter().any(|list| one(list, item))),
        _ => false,
    }
}

fn same_principals(a: &Statement, b: &Statement) -> bool {
    let written = |statement: &Statement| {
        statement.principals.as_ref().map(|principals| {
            let named = principals.named.iter();
            let mut named: Vec<_> =
                named.map(|named| (named.kind.clone(), named.item.text.clone())).collect();
            named.sort_unstable();
            (principals.not, named)
        })
    };
    written(a) == written(b)
}

/// No conditions, or the same: more of them say less.
fn same_conditions(by: &Statement, statement: &Statement) -> bool {
    let written = |statement: &Statement| {
        let clauses = statement.clauses.iter().map(|clause| {
            let mut values: Vec<_> = clause.values.iter().map(|value| value.text.clone()).collect();
            values.sort_unstable();
            (clause.written.to_ascii_lowercase(), clause.key_lower(), values)
        });
        clauses.collect::<std::collections::BTreeSet<_>>()
    };
    written(by).is_subset(&written(statement))
}
