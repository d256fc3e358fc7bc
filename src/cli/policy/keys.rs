//! `locum policy keys`: the condition keys of requests for Locum's own operations, as `docs/condition-keys.md` has them.

use std::fmt::Write as _;

use crate::cli::{Failure, say};
use crate::domain::access::reference::{
    ACTIONS_BEYOND, BEYOND, DEPENDENT_BEYOND, DEPENDENT_NOT_NEEDED, Difference, GLOBAL_NEVER_SET,
    JUDGED_BEYOND, NEVER_SET, NOT_JUDGED,
};
use crate::domain::access::{GLOBAL_KEYS, Permission, ResourceKind};

const HEAD: &str = "# Condition keys

Written by `make condition-keys`, which prints `locum policy keys`, from the table of permissions that decisions go by.
`make test` compares the table with public copies of AWS's Service Authorization Reference and with the keys that decisions
have, and fails when this page is not what is printed.

A name that ends in `/` is followed by a tag's key or an attribute, `ISSUER:` by a claim of an identity provider's token. A key
is there when the request, the caller or the resource has it: the tags of a user without tags are none. `locum policy lint` warns
of conditions on keys that no request for a statement's actions has.

## Every request

What follows from the caller, their session, the time and the connection, as far as the caller has it:
";

const SERVICES: [(&str, &str); 4] =
    [("sts", "STS"), ("iam", "IAM"), ("ec2", "EC2"), ("locum", "Locum's own")];

/// Runs `locum policy keys`.
pub(super) fn run() -> Result<(), Failure> {
    Ok(say(page()?.trim_end())?)
}

fn page() -> Result<String, std::fmt::Error> {
    let mut page = HEAD.to_owned();
    writeln!(page, "{}.", code(GLOBAL_KEYS))?;
    for (prefix, title) in SERVICES {
        writeln!(
            page,
            "\n## {title}\n\n| action | resource | keys of the request | keys of the resource | needs as well |"
        )?;
        writeln!(page, "|---|---|---|---|---|")?;
        let own = |permission: &&Permission| {
            permission.action().split(':').next().is_some_and(|service| service == prefix)
        };
        for permission in Permission::ALL.iter().filter(own) {
            actions(&mut page, *permission)?;
        }
    }
    writeln!(
        page,
        "\n*Needs as well*: when the request does what it is for, such as setting tags or passing a role."
    )?;
    never_set(&mut page)?;
    beyond(&mut page)?;
    Ok(page)
}

/// The rows of an action: one for each kind of resource.
fn actions(page: &mut String, permission: Permission) -> std::fmt::Result {
    let row = permission.row();
    let mut needs = code(row.dependent.iter().map(|needed| needed.action()));
    let mut action = code([permission.action()]);
    for kind in row.resources {
        let of_request = code(permission.request_keys(*kind).copied());
        let of_resource = code(permission.resource_keys(*kind).copied());
        let kind = name(*kind);
        writeln!(page, "| {action} | {kind} | {of_request} | {of_resource} | {needs} |")?;
        (action, needs) = Default::default();
    }
    Ok(())
}

fn never_set(page: &mut String) -> std::fmt::Result {
    writeln!(
        page,
        "\n## Never set\n\nAWS documents these for every request, or for callers or requests of a kind:\n"
    )?;
    writeln!(page, "| keys | why not here |\n|---|---|")?;
    for (keys, reason) in GLOBAL_NEVER_SET {
        writeln!(page, "| {} | {reason} |", code(keys.iter().copied()))?;
    }
    writeln!(page, "\nAnd these for actions of the tables above, or for their resources:\n")?;
    differences(page, NEVER_SET, "why not here")
}

fn beyond(page: &mut String) -> std::fmt::Result {
    writeln!(
        page,
        "\n## Beyond AWS's reference\n\nKeys that are set though it has none of them:\n"
    )?;
    differences(page, BEYOND, "why")?;
    writeln!(
        page,
        "\nResources, actions and further permissions that differ:\n\n| action | differs | why |\n|---|---|---|"
    )?;
    let actions = |permissions: &[Permission]| code(permissions.iter().map(|p| p.action()));
    for entry in NOT_JUDGED {
        let types =
            if entry.types.is_empty() { "the others".to_owned() } else { entry.types.join(", ") };
        let of = actions(entry.permissions);
        writeln!(page, "| {of} | resources not judged: {types} | {} |", entry.reason)?;
    }
    for (permissions, kind, reason) in JUDGED_BEYOND {
        writeln!(page, "| {} | judged on {} | {reason} |", actions(permissions), name(*kind))?;
    }
    for (permission, reason) in ACTIONS_BEYOND {
        writeln!(page, "| {} | no action of AWS's | {reason} |", actions(&[*permission]))?;
    }
    for (permissions, needed, reason) in DEPENDENT_BEYOND {
        writeln!(page, "| {} | needs {} | {reason} |", actions(permissions), actions(needed))?;
    }
    for (permission, action, reason) in DEPENDENT_NOT_NEEDED {
        writeln!(page, "| {} | does not need `{action}` | {reason} |", actions(&[*permission]))?;
    }
    Ok(())
}

fn differences(page: &mut String, list: &[Difference], why: &str) -> std::fmt::Result {
    writeln!(page, "| keys | actions | resources | {why} |\n|---|---|---|---|")?;
    for Difference { permissions, kinds, keys, reason } in list {
        let actions = code(permissions.iter().map(|permission| permission.action()));
        let kinds: Vec<_> = kinds.iter().map(|kind| name(*kind)).collect();
        let keys = code(keys.iter().copied());
        writeln!(page, "| {keys} | {actions} | {} | {reason} |", kinds.join(", "))?;
    }
    Ok(())
}

/// The names as code, in the order in which they are given, each once.
fn code<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut listed: Vec<&str> = Vec::new();
    for name in names {
        if !listed.contains(&name) {
            listed.push(name);
        }
    }
    listed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A kind of resource for people: as AWS names its type, where it has one.
fn name(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Everything => "`*`",
        ResourceKind::Named => "the ARN that is asked about",
        ResourceKind::UserList => "`user/PATH`",
        ResourceKind::GroupList => "`group/PATH`",
        ResourceKind::RoleList => "`role/PATH`",
        ResourceKind::PolicyList => "`policy path PATH`",
        ResourceKind::ProfileList => "`instance-profile/PATH`",
        ResourceKind::MfaDeviceList => "`mfa/PATH`",
        ResourceKind::ProviderList => "`oidc-provider/*`",
        ResourceKind::AgentList => "`agent/`",
        ResourceKind::Agent => "agent",
        ResourceKind::Session => "session",
        ResourceKind::Guardrail => "guardrail",
        ResourceKind::Service => "service",
        ResourceKind::Keyring => "keyring",
        ResourceKind::OperatedAccount => "account",
        ResourceKind::User
        | ResourceKind::Group
        | ResourceKind::Role
        | ResourceKind::Policy
        | ResourceKind::Profile
        | ResourceKind::MfaDevice
        | ResourceKind::Provider
        | ResourceKind::FederatedUser
        | ResourceKind::Instance
        | ResourceKind::Image
        | ResourceKind::Subnet
        | ResourceKind::SecurityGroup
        | ResourceKind::NetworkInterface
        | ResourceKind::KeyPair
        | ResourceKind::Volume => kind.documented_type().unwrap_or_default(),
    }
}
