//! Conditions of one statement that contradict each other, so that it never matches.
//!
//! For each key the values are tried that could satisfy all conditions at once: those of an equality, and
//! for numbers, dates and addresses the ends of every range and what lies beside and between them. The
//! conditions themselves judge, so that the check cannot differ from what is decided later.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Finding;
use super::document::{Clause, Statement};
use crate::policy::condition::{Kind, Order, Quantifier};
use crate::policy::context::Context;
use crate::policy::decimal::Decimal;
use crate::policy::parse::Effect;
use crate::policy::value::{Network, date};

/// Conditions on one key up to which they are tried against each other.
const CLAUSES_MAX: usize = 16;
/// Decimal digits that 64-bit numbers tell apart, and what lies between two of them.
const FLOAT_DIGITS: usize = 15;
/// Values of those conditions.
const VALUES_MAX: usize = 256;

pub(super) fn check(statement: &Statement, found: &mut Vec<Finding>) {
    let mut by_key = BTreeMap::<String, Vec<&Clause>>::new();
    for clause in &statement.clauses {
        by_key.entry(clause.key_lower()).or_default().push(clause);
    }
    for clauses in by_key.values().filter(|clauses| (2..=CLAUSES_MAX).contains(&clauses.len())) {
        let values: usize = clauses.iter().map(|clause| clause.values.len()).sum();
        if values > VALUES_MAX || !contradict(clauses) {
            continue;
        }
        let Some(last) = clauses.last() else { continue };
        let (rule, effect) = match statement.allows {
            true => ("allow-never-matches", "this never allows anything"),
            false => ("deny-never-matches", "this never denies anything"),
        };
        let message =
            format!("no value of `{}` satisfies all conditions on it, so {effect}", last.key);
        found.push(Finding::warning(&last.place, rule, message));
    }
}

/// As in a Deny, where more holds: what then never holds does so in no statement.
fn holds(clause: &Clause, context: &Context) -> bool {
    clause.condition.holds(Effect::Deny, context)
}

/// Whether neither a missing key nor any value satisfies all of the conditions.
fn contradict(clauses: &[&Clause]) -> bool {
    let missing = Context::default();
    if clauses.iter().all(|clause| holds(clause, &missing)) {
        return false;
    }
    let holds_for = |value: &str| {
        let mut context = Context::default();
        if let Some(clause) = clauses.first() {
            context.insert(&clause.key, value.to_owned());
        }
        clauses.iter().all(|clause| holds(clause, &context))
    };
    let only_absent = |clause: &&&Clause| {
        clause.operator.kind == Kind::Null
            && clause.values.iter().all(|value| value.text.eq_ignore_ascii_case("true"))
    };
    if clauses.iter().any(|clause| only_absent(&clause)) {
        // The key has to be missing, and something else needs it.
        return true;
    }
    let single = |clause: &&Clause| clause.operator.quantifier == Quantifier::Single;
    let variable = |clause: &&Clause| clause.values.iter().any(|value| value.text.contains("${"));
    if !clauses.iter().all(single) || clauses.iter().any(variable) {
        return false;
    }
    let tested: Vec<&Clause> =
        clauses.iter().copied().filter(|clause| clause.operator.kind != Kind::Null).collect();
    match candidates(&tested) {
        Some(candidates) => !candidates.iter().any(|value| holds_for(value)),
        None => false,
    }
}

/// Values among which one satisfies all of the conditions if any does; none if no such list is known.
fn candidates(clauses: &[&Clause]) -> Option<Vec<String>> {
    let texts = |clause: &&Clause| -> Vec<String> {
        clause.values.iter().map(|value| value.text.clone()).collect()
    };
    let exact = |clause: &&&Clause| match clause.operator.kind {
        Kind::StringEquals => true,
        Kind::Arn => !clause.values.iter().any(|value| value.text.contains(['*', '?'])),
        _ => false,
    };
    let strict = |clause: &&&Clause| !clause.operator.negated;
    if let Some(equals) = clauses.iter().filter(strict).find(exact) {
        return Some(texts(equals));
    }
    let all = |of: fn(Kind) -> bool| clauses.iter().all(|clause| of(clause.operator.kind));
    let values: Vec<String> = clauses.iter().flat_map(texts).collect();
    if all(|kind| kind == Kind::Bool) {
        return Some(vec!["true".to_owned(), "false".to_owned()]);
    }
    if all(|kind| matches!(kind, Kind::Numeric(_))) {
        let short = |text: &String| {
            Decimal::parse(text).is_some_and(|number| number.significant() <= FLOAT_DIGITS)
        };
        let float = |text: &String| text.parse().ok().filter(|_| short(text));
        let ends = values.iter().map(float).collect::<Option<Vec<f64>>>()?;
        return Some(around(ends).iter().map(ToString::to_string).collect());
    }
    if all(|kind| matches!(kind, Kind::Date(_))) {
        return dates(clauses, &values);
    }
    if all(|kind| kind == Kind::Ip) {
        let blocks =
            values.iter().map(|value| Network::parse(value)).collect::<Option<Vec<_>>>()?;
        return Some(blocks.into_iter().flat_map(addresses).map(|at| at.to_string()).collect());
    }
    None
}

/// Each number, one between each two, and one beside the first and the last.
fn around(mut ends: Vec<f64>) -> Vec<f64> {
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    let between: Vec<f64> = ends.windows(2).map(|pair| pair.iter().sum::<f64>() / 2.0).collect();
    let beside = ends.first().map(|first| first - 1.0).into_iter();
    let beside = beside.chain(ends.last().map(|last| last + 1.0));
    let beside: Vec<f64> = beside.collect();
    ends.into_iter().chain(between).chain(beside).collect()
}

/// Dates are told apart by the second, those with fractions not at all.
fn dates(clauses: &[&Clause], values: &[String]) -> Option<Vec<String>> {
    let seconds = values.iter().map(|value| {
        let date = date(value)?;
        (date.nanosecond() == 0).then(|| date.unix_timestamp())
    });
    let mut ends = seconds.collect::<Option<Vec<i64>>>()?;
    ends.sort_unstable();
    let beside = ends.iter().flat_map(|end| [end - 1, *end, end + 1]);
    let mut tried: Vec<i64> = beside.collect();
    tried.dedup();
    // Between two neighbouring seconds there is a moment for whoever asks for later and earlier.
    let strict = |clause: &&&Clause| {
        matches!(clause.operator.kind, Kind::Date(Order::Less | Order::Greater))
    };
    let neighbours = ends.windows(2).any(|pair| matches!(pair, [a, b] if b - a == 1));
    if neighbours && clauses.iter().any(|clause| strict(&clause)) {
        return None;
    }
    Some(tried.iter().map(ToString::to_string).collect())
}

/// The ends of a block and what lies beside them.
fn addresses(block: Network) -> Vec<IpAddr> {
    let (first, last) = block.ends();
    let mut found = vec![first, last];
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            found.extend(first.to_bits().checked_sub(1).map(|bits| IpAddr::V4(bits.into())));
            found.extend(last.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())));
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            found.extend(first.to_bits().checked_sub(1).map(|bits| IpAddr::V6(bits.into())));
            found.extend(last.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())));
        }
        _ => {}
    }
    found
}
