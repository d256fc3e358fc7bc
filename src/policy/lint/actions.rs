//! Checks on actions, and on what they are allowed on.

use super::catalog::{actions_of, meant_service};
use super::document::{Item, Statement, matches};
use super::{FINDINGS_MAX, Finding};
use crate::policy::PolicyKind;
use crate::policy::context::Context;
use crate::policy::error::closest;
use crate::policy::pattern::Pattern;

pub(super) fn check(statement: &Statement, kind: PolicyKind, found: &mut Vec<Finding>) {
    for item in &statement.actions.items {
        if found.len() >= FINDINGS_MAX {
            return;
        }
        let kept = statement.actions.not || !statement.allows;
        found.extend(unknown(item, kept));
    }
    if !statement.allows {
        return;
    }
    if statement.actions.not && !limits(kind) {
        let message = "allows every action but those, also those of services to come; list the \
                       actions, or deny the others";
        found.push(Finding::warning(&statement.actions.place, "allow-not-action", message));
    }
    if kind == PolicyKind::ResourceControl {
        let message =
            "an Allow adds nothing: a resource control policy allows what it does not deny";
        found.push(Finding::warning(&statement.place, "allow-in-resource-control", message));
    }
    if kind == PolicyKind::Identity {
        broad(statement, found);
    }
}

/// Whether a policy of the kind only limits, so that a broad Allow gives nothing by itself.
fn limits(kind: PolicyKind) -> bool {
    match kind {
        PolicyKind::Boundary
        | PolicyKind::Session
        | PolicyKind::ServiceControl
        | PolicyKind::ResourceControl
        | PolicyKind::Endpoint => true,
        PolicyKind::Identity | PolicyKind::Trust | PolicyKind::Resource => false,
    }
}

/// An action, or pattern of actions, that is none. `kept`: whether one that would be refused still counts.
fn unknown(item: &Item, kept: bool) -> Option<Finding> {
    let text = item.text.to_ascii_lowercase();
    let (service, _) = text.split_once(':')?;
    let pattern = Pattern::plain(&text);
    let is_one_of = |mut actions: Box<dyn Iterator<Item = String>>| {
        actions.any(|action| pattern.matches(&action.to_ascii_lowercase(), &Context::default()))
    };
    if service.contains(['*', '?']) {
        if service == "*" {
            return None;
        }
        let now = if kept { "it means what it meant" } else { "it allows nothing" };
        let message =
            format!("`{service}` would be refused for its wildcard; in this stored policy {now}");
        return Some(Finding::warning(&item.place, "wildcard-service", message));
    }
    let Some(actions) = actions_of(service) else {
        let meant = meant_service(service)?;
        let message = format!("`{service}` is the prefix of no known service");
        let action = item.text.split_once(':').map_or("", |(_, action)| action);
        let finding = Finding::warning(&item.place, "misspelt-service", message);
        return Some(finding.meant(format!("{meant}:{action}")));
    };
    if is_one_of(Box::new(actions)) {
        return None;
    }
    let message = format!("`{}` matches no action of the service", item.text);
    let finding = Finding::warning(&item.place, "unknown-action", message);
    Some(suggested(finding, &item.text, actions_of(service)?))
}

fn suggested(finding: Finding, given: &str, known: impl Iterator<Item = String>) -> Finding {
    let known: Vec<String> = known.collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match closest(given, &known) {
        Some(meant) => finding.meant(meant),
        None => finding,
    }
}

/// What lets the holder of an identity policy become someone else, or do everything.
fn broad(statement: &Statement, found: &mut Vec<Finding>) {
    let everything = |item: &&Item| matches!(item.text.as_str(), "*" | "*:*");
    let all_actions =
        !statement.actions.not && statement.actions.items.iter().any(|i| everything(&i));
    if all_actions && statement.on_all() && statement.clauses.is_empty() {
        let message = "allows every action on every resource";
        found.push(Finding::warning(&statement.place, "allow-all", message));
        return;
    }
    pass_role(statement, found);
    let named = statement.actions.items.iter().find(|item| {
        !statement.actions.not && matches(&item.text.to_ascii_lowercase(), "sts:assumerole")
    });
    if let Some(item) = named.filter(|_| statement.on_all() && statement.clauses.is_empty()) {
        let message = "lets the holder assume every role that trusts this account: name the roles";
        found.push(Finding::warning(&item.place, "assume-any-role", message));
    }
}

/// The action that hands a role to a service (IAM User Guide, id_roles_use_passrole).
const PASS_ROLE: &str = "iam:PassRole";
/// An ARN as that of a role, to see whether a pattern is about every role.
const SOME_ROLES: [&str; 2] =
    ["arn:aws:iam::000000000000:role/0", "arn:aws:iam::999999999999:role/z/z"];

fn pass_role(statement: &Statement, found: &mut Vec<Finding>) {
    if !statement.is_about(PASS_ROLE) {
        return;
    }
    let Some(resources) = &statement.resources else { return };
    let by = statement.actions.items.iter().find(|item| {
        !statement.actions.not && matches(&item.text.to_ascii_lowercase(), "iam:passrole")
    });
    let place = by.map_or(&statement.actions.place, |item| &item.place);
    if resources.not {
        let message = "`iam:PassRole` is allowed on every role but those: name the roles";
        found.push(Finding::warning(place, "pass-role-not-resource", message));
    } else if SOME_ROLES.iter().all(|role| resources.reaches(role, false)) || statement.on_all() {
        let message =
            "`iam:PassRole` on every role lets the holder act as any of them: name the roles";
        found.push(Finding::warning(place, "pass-role-on-all", message));
    }
    let narrowed = |key: &str| statement.clauses.iter().any(|clause| clause.is_on(key));
    if !narrowed("iam:PassedToService") && !narrowed("iam:AssociatedResourceArn") {
        let message = "`iam:PassRole` without a condition on `iam:PassedToService` hands the role to \
                       any service";
        found.push(Finding::warning(place, "pass-role-to-any-service", message));
    }
}
