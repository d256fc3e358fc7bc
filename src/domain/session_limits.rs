//! What sessions may not do whatever else allows it, as policies of the service's own.
//! Sources: IAM User Guide, id_credentials_temp_request ("Comparing AWS STS API operations"); STS API
//! Reference, GetSessionToken and GetFederationToken. GetCallerIdentity is always allowed, by evaluation.

use std::sync::LazyLock;

use super::access::Caller;
use crate::identity::Principal;
use crate::policy::{Named, Policy, PolicyKind};

/// Sessions of GetSessionToken: of STS only AssumeRole.
const USER: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
    {"Effect":"Deny","Action":["sts:Get*","sts:Decode*","sts:AssumeRoot"],"Resource":"*"}]}"#;
/// The same without a code of an MFA device: nothing of IAM either.
const USER_WITHOUT_MFA: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
    {"Effect":"Deny","Action":["iam:*","sts:Get*","sts:Decode*","sts:AssumeRoot"],"Resource":"*"}]}"#;
/// Sessions of GetFederationToken: nothing of STS and IAM. Allows nothing, as the policies that came with
/// the request have to.
const FEDERATED: &str =
    r#"{"Statement":{"Effect":"Deny","Action":["iam:*","sts:*"],"Resource":"*"}}"#;
/// What an account's root may do, and so a session that it federates.
const ROOT: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

#[expect(clippy::expect_used, reason = "constants; a test reads each of them")]
fn constant(text: &str, kind: PolicyKind) -> Policy {
    Policy::parse(text, kind).expect("a policy of this file")
}

/// The policy that limits the caller's session because of how it was issued.
pub(super) fn of(caller: &Caller) -> Option<Named<'static>> {
    static POLICIES: LazyLock<[Policy; 3]> = LazyLock::new(|| {
        [USER, USER_WITHOUT_MFA, FEDERATED].map(|text| constant(text, PolicyKind::Session))
    });
    let [user, without_mfa, federated] = &*POLICIES;
    let session = caller.session.as_ref()?;
    let policy = match &caller.principal {
        Principal::User { .. } | Principal::Root { .. } if session.mfa_at.is_some() => user,
        Principal::User { .. } | Principal::Root { .. } => without_mfa,
        Principal::FederatedUser { .. } => federated,
        _ => return None,
    };
    Some(Named { name: "sts", policy })
}

/// The permissions of a root that federates.
pub(super) fn root() -> Named<'static> {
    static POLICY: LazyLock<Policy> = LazyLock::new(|| constant(ROOT, PolicyKind::Identity));
    Named { name: "root", policy: &POLICY }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects start-up: the constants are policies.
    #[test]
    fn the_policies_can_be_read() {
        for text in [USER, USER_WITHOUT_MFA, FEDERATED] {
            constant(text, PolicyKind::Session);
        }
        assert_eq!(root().policy.text(), ROOT);
    }
}
