//! Every policy that a state holds, with where it stands: for going through what was stored under older rules.

use std::sync::Arc;

use super::event::GuardrailKind;
use super::state::{Account, Permissions, State};
use crate::identity::Arn;
use crate::policy::Policy;

/// A policy that is stored.
#[derive(Clone, Debug)]
pub struct StoredDocument<'a> {
    /// What it belongs to: an ARN, with the name or the version of the document in it.
    pub place: String,
    /// Whether it is a version of a managed policy, for which stricter rules hold.
    pub managed: bool,
    /// The document.
    pub policy: &'a Policy,
}

impl State {
    /// Every policy, by account.
    #[must_use]
    pub fn documents(&self) -> Vec<StoredDocument<'_>> {
        let mut found = Vec::new();
        for ((kind, target), guardrails) in self.guardrail_scopes() {
            let kind = match kind {
                GuardrailKind::ServiceControl => "service control",
                GuardrailKind::ResourceControl => "resource control",
            };
            let of = target.map_or_else(|| "the installation".to_owned(), |id| id.to_string());
            found.extend(guardrails.iter().map(|(name, policy)| {
                let place = format!("guardrail {name} ({kind} of {of})");
                StoredDocument { place, managed: false, policy }
            }));
        }
        self.accounts().for_each(|account| of_account(account, &mut found));
        found
    }
}

fn of_account<'a>(account: &'a Arc<Account>, found: &mut Vec<StoredDocument<'a>>) {
    let id = account.id;
    let mut inline = |arn: Arn, permissions: &'a Permissions| {
        found.extend(permissions.inline.iter().map(|(name, policy)| StoredDocument {
            place: format!("{arn}, inline policy {name}"),
            managed: false,
            policy,
        }));
    };
    for user in account.users.values() {
        inline(Arn::user(id, &user.path, &user.name), &user.permissions);
    }
    for group in account.groups.values() {
        inline(Arn::group(id, &group.path, &group.name), &group.permissions);
    }
    for role in account.roles.values() {
        inline(Arn::role(id, &role.path, &role.name), &role.permissions);
    }
    found.extend(account.roles.values().map(|role| StoredDocument {
        place: format!("{}, trust policy", Arn::role(id, &role.path, &role.name)),
        managed: false,
        policy: &role.trust.policy,
    }));
    for managed in account.policies.values().filter(|managed| !managed.aws) {
        let arn = Arn::policy(id, &managed.path, &managed.name);
        found.extend(managed.versions.iter().map(|(number, version)| StoredDocument {
            place: format!("{arn}, version v{number}"),
            managed: true,
            policy: &version.policy,
        }));
    }
}
