//! Checks on resources.

use super::Finding;
use super::catalog::arn_services;
use super::document::{Item, Statement};
use crate::policy::PolicyKind;
use crate::policy::parse::resource_refusal;

pub(super) fn check(statement: &Statement, kind: PolicyKind, found: &mut Vec<Finding>) {
    let Some(resources) = &statement.resources else { return };
    for item in &resources.items {
        found.extend(refused(statement, item, kind).or_else(|| malformed(item)));
    }
    if statement.allows && resources.not {
        let message = "allows the actions on every resource but those, also on those to come";
        found.push(Finding::warning(&resources.place, "allow-not-resource", message));
    }
    if !resources.not && !statement.actions.not {
        found.extend(foreign(statement, &resources.items));
    }
}

/// A resource that would be refused by now, in a policy that was stored before.
fn refused(statement: &Statement, item: &Item, kind: PolicyKind) -> Option<Finding> {
    let rule = resource_refusal(&item.text, kind, statement.variables)?;
    let not = statement.resources.as_ref().is_some_and(|resources| resources.not);
    let (text, kept) = (&item.text, not || !statement.allows);
    let now = if kept { "it means what it meant" } else { "it allows nothing" };
    let message = format!("`{text}` would be refused: {rule}; in this stored policy {now}");
    Some(Finding::warning(&item.place, "malformed-arn", message))
}

/// An ARN that no resource has.
fn malformed(item: &Item) -> Option<Finding> {
    let text = item.text.as_str();
    let warning = |message: String| Finding::warning(&item.place, "malformed-arn", message);
    if text == "*" {
        return None;
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, service, _, account, resource] = parts.as_slice() else {
        let message =
            format!("`{text}` has fewer than six parts and is read as if `*` stood for the others");
        return Some(warning(message));
    };
    let literal = |part: &str| !part.contains(['*', '?', '$']);
    let number = |account: &str| account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if literal(account)
        && !account.is_empty()
        && !number(account)
        && !matches!(*account, "aws" | "aws-managed" | "cloudfront" | "third-party")
    {
        return Some(warning(format!(
            "`{account}` is no account's number, so this matches nothing"
        )));
    }
    let of_account = ["role/", "user/", "group/", "policy/", "instance-profile/"];
    match *service {
        "iam" if account.is_empty() && of_account.iter().any(|kind| resource.starts_with(kind)) => {
            Some(warning("the ARN lacks the account's number, so this matches nothing".to_owned()))
        }
        "s3" if literal(account) && !account.is_empty() && !resource.contains('/') => {
            let bucket = format!("arn:{partition}:s3:::{resource}");
            let message = "the ARN of a bucket has no account, so this matches nothing".to_owned();
            Some(warning(message).meant(bucket))
        }
        _ => None,
    }
}

/// Every resource is of another service than every action: such a request is never made.
fn foreign(statement: &Statement, resources: &[Item]) -> Option<Finding> {
    let mut services = Vec::new();
    for action in &statement.actions.items {
        let (service, _) = action.text.split_once(':')?;
        services.extend_from_slice(arn_services(&service.to_ascii_lowercase())?);
    }
    for resource in resources {
        let service = resource.text.split(':').nth(2)?;
        let literal = !service.is_empty() && !service.contains(['*', '?', '$']);
        if !literal || services.contains(&service) {
            return None;
        }
    }
    let first = resources.first()?;
    let message = format!(
        "the actions are never made on such a resource, so this {} never matches",
        statement.effect()
    );
    Some(Finding::warning(&first.place, "resource-of-other-service", message))
}
