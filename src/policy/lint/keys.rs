//! Checks on condition keys, their operators and values.

use super::catalog::{self, Key, KeyType, Known, actions_with};
use super::document::{Clause, Item, Statement, matches};
use super::{FINDINGS_MAX, Finding};
use crate::policy::condition::{Kind, Quantifier};
use crate::policy::value::Network;

pub(super) fn check(statement: &Statement, found: &mut Vec<Finding>) {
    for place in &statement.empty_blocks {
        let message = "holds no condition, so the statement holds without any";
        found.push(Finding::warning(place, "empty-condition", message));
    }
    for clause in &statement.clauses {
        if found.len() >= FINDINGS_MAX {
            return;
        }
        match catalog::key(&clause.key) {
            Known::Yes(key) => typed(clause, key, found),
            Known::List => found.extend(without_set(clause)),
            Known::NoMatter => {}
            Known::NoTag(rule) => {
                let message = format!("`{}` names no key: {rule}", clause.key);
                found.push(Finding::warning(&clause.place, "unknown-condition-key", message));
            }
            Known::No(meant) => {
                let message = format!("no request has the condition key `{}`", clause.key);
                let finding = Finding::warning(&clause.place, "unknown-condition-key", message);
                found.push(match meant {
                    Some(meant) => finding.meant(meant),
                    None => finding,
                });
            }
        }
        found.extend(all_values(statement, clause));
        found.extend(multi_factor(statement, clause));
        absent(statement, clause, found);
        if clause.values.is_empty() {
            let message = "compares with no value and so with nothing";
            found.push(Finding::warning(&clause.place, "empty-list", message));
        }
        for value in &clause.values {
            found.extend(odd_value(statement, clause, value));
        }
    }
}

/// The operator fits the key: its type, and how many values it has.
fn typed(clause: &Clause, key: Key, found: &mut Vec<Finding>) {
    let operator = clause.operator;
    let family = match key.of {
        KeyType::Text => "String",
        KeyType::Arn => "Arn or String",
        KeyType::Number => "Numeric",
        KeyType::Date => "Date",
        KeyType::Truth => "Bool",
        KeyType::Address => "IpAddress",
        KeyType::Seconds => "Numeric or Date",
    };
    let fits = match operator.kind {
        Kind::Null | Kind::Binary => true,
        Kind::StringEquals | Kind::StringEqualsIgnoreCase | Kind::StringLike => {
            // Texts of truths and numbers compare well enough.
            !matches!(key.of, KeyType::Address | KeyType::Date)
        }
        Kind::Numeric(_) => matches!(key.of, KeyType::Number | KeyType::Seconds),
        Kind::Date(_) => matches!(key.of, KeyType::Date | KeyType::Seconds),
        Kind::Bool => key.of == KeyType::Truth,
        Kind::Ip => key.of == KeyType::Address,
        Kind::Arn => key.of == KeyType::Arn,
    };
    if !fits {
        let message =
            format!("`{}` does not fit `{}`: use {family} operators", clause.written, key.name);
        found.push(Finding::warning(&clause.place, "operator-type-mismatch", message));
    }
    if key.several {
        found.extend(without_set(clause));
    }
    let bare = clause.written.split_once(':').map_or(clause.written.as_str(), |(_, bare)| bare);
    if !key.several && operator.quantifier != Quantifier::Single {
        let message = format!("`{}` has one value: it needs no set operator", key.name);
        let finding = Finding::warning(&clause.place, "set-operator-on-one-value", message);
        found.push(finding.meant(bare));
    }
}

/// An operator without set prefix on a multi-valued key, for which it never holds; where the key is missing a negated
/// one does (IAM User Guide, reference_policies_condition-single-vs-multi-valued-context-keys).
fn without_set(clause: &Clause) -> Option<Finding> {
    let Clause { operator, key, written, .. } = clause;
    if operator.quantifier != Quantifier::Single || operator.kind == Kind::Null {
        return None;
    }
    let only = if operator.needs_key() { "" } else { "where a request has it " };
    let message = format!(
        "`{key}` is multi-valued, so `{written}` {only}never matches: use `ForAnyValue:` or `ForAllValues:`"
    );
    let finding = Finding::warning(&clause.place, "missing-set-operator", message);
    Some(finding.meant(format!("ForAnyValue:{written}")))
}

/// `ForAllValues` holds where the key is missing.
fn all_values(statement: &Statement, clause: &Clause) -> Option<Finding> {
    let present = |other: &Clause| {
        let checked = other.operator.kind == Kind::Null
            && other.values.iter().all(|value| value.text.eq_ignore_ascii_case("false"));
        // A request with a tag has keys of tags.
        let tagged =
            clause.is_on("aws:TagKeys") && other.key_lower().starts_with("aws:requesttag/");
        (other.is_on(&clause.key) || tagged) && (checked || other.operator.needs_key())
    };
    let misses = clause.operator.quantifier == Quantifier::All;
    if !misses || statement.clauses.iter().any(present) {
        return None;
    }
    let (rule, what) = match statement.allows {
        true => ("for-all-values-allow", "allows requests"),
        false => ("for-all-values-deny", "denies requests"),
    };
    let message = format!(
        "`{}` also {what} without `{}`: add `\"Null\": {{\"{}\": \"false\"}}`",
        clause.written, clause.key, clause.key
    );
    Some(Finding::warning(&clause.place, rule, message))
}

/// Requests signed with long-term keys have no such key (IAM User Guide,
/// reference_policies_condition-keys, aws:MultiFactorAuthPresent).
fn multi_factor(statement: &Statement, clause: &Clause) -> Option<Finding> {
    let operator = clause.operator;
    let without = clause.values.iter().any(|value| value.text.eq_ignore_ascii_case("false"));
    let strict = operator.kind == Kind::Bool && operator.needs_key() && without;
    if statement.allows || !strict || !clause.is_on("aws:MultiFactorAuthPresent") {
        return None;
    }
    let message = "does not deny requests signed with long-term keys, which never have the key";
    let finding = Finding::warning(&clause.place, "mfa-deny-misses-long-term-keys", message);
    Some(finding.meant("BoolIfExists"))
}

/// Keys that requests for the actions never have.
fn absent(statement: &Statement, clause: &Clause, found: &mut Vec<Finding>) {
    let Some(having) = actions_with(&clause.key_lower()) else { return };
    if statement.actions.not || clause.operator.kind == Kind::Null || clause.operator.if_exists {
        return;
    }
    let has = |item: &Item| {
        let pattern = item.text.to_ascii_lowercase();
        having.iter().any(|action| matches(&pattern, &action.to_ascii_lowercase()))
    };
    let consequence = match (clause.operator.needs_key(), statement.allows) {
        (true, true) => "so this never allows them",
        (true, false) => "so this never denies them",
        (false, _) => "so the condition always holds for them",
    };
    let without: Vec<&Item> = statement.actions.items.iter().filter(|item| !has(item)).collect();
    if without.len() == statement.actions.items.len() {
        let message = format!(
            "requests for the actions never have `{}`, {consequence}; it comes with {}",
            clause.key,
            having.join(", ")
        );
        found.push(Finding::warning(&clause.place, "key-never-present", message));
        return;
    }
    let literal = |item: &&&Item| !item.text.contains(['*', '?']);
    for item in without.iter().filter(literal) {
        let message = format!(
            "requests for `{}` never have `{}`, {consequence}: give the action a statement of its own",
            item.text, clause.key
        );
        found.push(Finding::warning(&item.place, "key-absent-for-action", message));
    }
}

/// A value that surely is something else than it should be.
fn odd_value(statement: &Statement, clause: &Clause, value: &Item) -> Option<Finding> {
    let text = value.text.as_str();
    match clause.operator.kind {
        Kind::StringEquals | Kind::StringEqualsIgnoreCase => {
            let escaped = statement.variables && text.contains("${");
            if !text.contains('*') || escaped {
                return None;
            }
            let like = if clause.operator.negated { "StringNotLike" } else { "StringLike" };
            let message = format!("the `*` in `{text}` is an ordinary character for this operator");
            let finding = Finding::warning(&value.place, "wildcard-without-like", message);
            Some(finding.meant(like))
        }
        Kind::Ip => address(clause, value),
        _ => None,
    }
}

fn address(clause: &Clause, value: &Item) -> Option<Finding> {
    let network = Network::parse(&value.text)?;
    let ((written, bits), (first, _)) = (network.written(), network.ends());
    if written != first {
        let message =
            format!("`{}` has bits set beyond its length, which are not looked at", value.text);
        let finding = Finding::warning(&value.place, "cidr-host-bits", message);
        return Some(finding.meant(format!("{first}/{bits}")));
    }
    if bits == 0 {
        let nobody = clause.operator.negated;
        let holds = if nobody { "never holds" } else { "holds for every address" };
        let message = format!("`{}` is every address, so the condition {holds}", value.text);
        return Some(Finding::warning(&value.place, "cidr-of-everything", message));
    }
    None
}
