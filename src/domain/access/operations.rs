//! Which condition keys a request may have, by the table of permissions: what `locum policy lint` goes by.

use super::keys::{GLOBAL_KEYS, of_the_caller};
use super::permission::{Permission, RequestKeys};
use super::reference::{Difference, GLOBAL_NEVER_SET, NEVER_SET};
use super::resource::ResourceKind;
use crate::oidc::exposed_claims;
use crate::policy::lint::Requests;

/// Claims of every provider's tokens (IAM User Guide, reference_policies_iam-condition-keys).
const CLAIMS: [&str; 4] = ["amr", "aud", "oaud", "sub"];

impl Permission {
    /// The permission for an action, whose name is the same in any case.
    #[must_use]
    pub fn of_action(action: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.action().eq_ignore_ascii_case(action))
    }

    /// Whether a request for it may have a condition key: of the caller, the request or a resource.
    #[must_use]
    pub fn may_have(self, key: &str) -> bool {
        let row = self.row();
        let of_request = row.keys.iter().flat_map(|keys| keys.names());
        let of_resource = row.resources.iter().flat_map(|kind| self.resource_keys(*kind));
        let mut named = GLOBAL_KEYS.iter().chain(of_request).chain(of_resource);
        named.any(|name| names(name, key)) || self.has_claim(key)
    }

    /// The keys that a resource of a kind brings to a request for it: those of the kind, but for what never comes with it.
    pub fn resource_keys(self, kind: ResourceKind) -> impl Iterator<Item = &'static &'static str> {
        kind.keys().iter().filter(move |key| !self.never_has(kind, key))
    }

    /// The keys of a request for it about a resource of a kind, but for what never comes with it.
    pub fn request_keys(self, kind: ResourceKind) -> impl Iterator<Item = &'static &'static str> {
        let keys = self.row().keys.iter().flat_map(|keys| keys.names());
        keys.filter(move |key| !self.never_has(kind, key))
    }

    fn never_has(self, kind: ResourceKind, key: &str) -> bool {
        NEVER_SET.iter().any(|never| never.covers(self, Some(kind), key))
    }

    /// Whether it is a claim of an identity provider's token, which comes with the request.
    fn has_claim(self, key: &str) -> bool {
        let Some((issuer, claim)) = claim(key) else { return false };
        let exposed = || exposed_claims(issuer).iter();
        self.row().keys.contains(&RequestKeys::WebIdentity)
            && CLAIMS.iter().chain(exposed()).any(|known| known.eq_ignore_ascii_case(claim))
    }
}

/// The issuer and the claim of a key that is named after a provider, as no service's is: issuers have a dot.
fn claim(key: &str) -> Option<(&str, &str)> {
    key.split_once(':').filter(|(issuer, _)| issuer.contains('.'))
}

/// Whether `name`, as the tables have it, is that of `key` or of its family.
fn names(name: &str, key: &str) -> bool {
    if let Some(known) = name.strip_prefix("ISSUER:") {
        return claim(key).is_some_and(|(_, claim)| claim.eq_ignore_ascii_case(known));
    }
    if name.ends_with('/') {
        return key.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    }
    name.eq_ignore_ascii_case(key)
}

/// What requests for Locum's own operations have, and what those to other services never have.
#[derive(Clone, Copy, Debug)]
pub struct OwnOperations;

impl Requests for OwnOperations {
    fn actions(&self) -> Vec<&'static str> {
        Permission::ALL.iter().map(|permission| permission.action()).collect()
    }

    fn may_have(&self, action: &str, key: &str) -> bool {
        Permission::of_action(action).is_none_or(|permission| permission.may_have(key))
    }

    /// A service says in its questions what it likes, but for what follows from the caller.
    fn others_may_have(&self, key: &str) -> bool {
        !of_the_caller(key) || !is_global_never_set(key)
    }

    fn reason(&self, action: Option<&str>, key: &str) -> Option<&'static str> {
        let named = |keys: &[&str]| keys.iter().any(|name| names(name, key));
        let global = || GLOBAL_NEVER_SET.iter().find(|(keys, _)| named(keys)).map(|never| never.1);
        let permission = action.and_then(Permission::of_action);
        let about = |never: &&Difference| {
            never.permissions.is_empty()
                || permission.is_some_and(|permission| never.permissions.contains(&permission))
        };
        let mut listed = NEVER_SET.iter().filter(about).filter(|never| named(never.keys));
        global().or_else(|| listed.next().map(|never| never.reason))
    }
}

fn is_global_never_set(key: &str) -> bool {
    GLOBAL_NEVER_SET.iter().any(|(keys, _)| keys.iter().any(|name| names(name, key)))
}
