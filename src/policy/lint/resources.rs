//! Checks on resources.

use super::Finding;
use super::catalog::arn_services;
use super::document::{Item, Statement};
use crate::policy::error::closest;

/// Partitions (AWS General Reference, aws-arns-and-namespaces).
const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-us-gov"];

pub(super) fn check(statement: &Statement, found: &mut Vec<Finding>) {
    let Some(resources) = &statement.resources else { return };
    for item in &resources.items {
        found.extend(malformed(item));
    }
    if statement.allows && resources.not {
        let message = "allows the actions on every resource but those, also on those to come";
        found.push(Finding::warning(&resources.place, "allow-not-resource", message));
    }
    if !resources.not && !statement.actions.not {
        found.extend(foreign(statement, &resources.items));
    }
}

/// An ARN that no resource has.
fn malformed(item: &Item) -> Option<Finding> {
    let text = item.text.as_str();
    let warning = |message: String| Finding::warning(&item.place, "malformed-arn", message);
    if text == "*" {
        return None;
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = parts.as_slice() else {
        let message =
            format!("`{text}` has fewer than six parts and is read as if `*` stood for the others");
        return Some(warning(message));
    };
    let literal = |part: &str| !part.contains(['*', '?', '$']);
    if literal(partition) && !PARTITIONS.contains(partition) {
        let warning = warning(format!("`{partition}` is no partition, so this matches nothing"));
        return Some(match closest(partition, &PARTITIONS) {
            Some(meant) => warning.meant(text.replacen(partition, meant, 1)),
            None => warning,
        });
    }
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
        "iam" if !region.is_empty() && literal(region) => {
            Some(warning("an ARN of IAM has no region, so this matches nothing".to_owned()))
        }
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
