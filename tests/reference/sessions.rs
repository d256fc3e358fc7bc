//! Requests for sessions, refused once for each permission that they need, and the callers that have condition keys of their
//! own.

use std::collections::BTreeMap;
use std::sync::Arc;

use locum::domain::access::{Caller, Permission, ResourceKind};
use locum::domain::command::{Action, SessionAction};
use locum::domain::session::{MfaProof, Operation, ProvenIdentity, SessionDraft, SessionRequest};
use locum::identity::{Principal, WebIdentity};
use locum::oidc::exposed_claims;

use crate::world::{Asked, HOUR, World, arn, caller, parsed};

/// A request for a session with everything that it may carry.
fn issue(world: &mut World, operation: Operation) -> Action {
    let of_role = !matches!(operation, Operation::GetFederationToken(_));
    let by_user = matches!(operation, Operation::AssumeRole(_));
    let draft = SessionDraft {
        name: of_role.then(|| parsed("one")),
        tags: BTreeMap::from([(Arc::from("cost"), Arc::from("7"))]),
        transitive_tag_keys: if of_role { vec![Arc::from("cost")] } else { Vec::new() },
        source_identity: of_role.then(|| parsed("ana")),
        ..SessionDraft::plain(world.id("ASIA"))
    };
    let mfa = MfaProof { serial_number: arn("iam", "mfa/p/phone"), step: 2000 };
    let request = SessionRequest {
        draft,
        duration: HOUR,
        external_id: by_user.then(|| Arc::from("external")),
        mfa: by_user.then_some(mfa),
    };
    Action::Session(SessionAction::Issue { operation, session: Box::new(request) })
}

fn proven(issuer: &str) -> ProvenIdentity {
    ProvenIdentity {
        identity: WebIdentity {
            issuer: Arc::from(issuer),
            subject: Arc::from("ana"),
            audience: Arc::from("locum"),
        },
        audiences: vec!["locum".to_owned()],
        methods: vec!["mfa".to_owned()],
        role_authorized: false,
        claims: exposed_claims(issuer).iter().map(|claim| (*claim, "x".to_owned())).collect(),
    }
}

/// Refuses each permission of each operation; those of web identity once for each issuer.
pub(crate) fn refused(world: &mut World, issuers: &[String]) -> Vec<Asked> {
    let role = arn("iam", "role/p/app");
    let mut asked = Vec::new();
    let of_role = |permission| (permission, (ResourceKind::Role, "*"));
    for (permission, resource) in
        [Permission::AssumeRole, Permission::TagSession, Permission::SetSourceIdentity].map(of_role)
    {
        let action = issue(world, Operation::AssumeRole(role.clone()));
        asked.push(world.refused(permission, resource, action));
    }
    let federated = (ResourceKind::FederatedUser, "*");
    for permission in [Permission::GetFederationToken, Permission::TagSession] {
        let action = issue(world, Operation::GetFederationToken(parsed("guest")));
        asked.push(world.refused(permission, federated, action));
    }
    for issuer in issuers {
        let provider = Principal::Federated(Arc::from(
            arn("iam", &format!("oidc-provider/{issuer}")).as_str(),
        ));
        for permission in [
            Permission::AssumeRoleWithWebIdentity,
            Permission::TagSession,
            Permission::SetSourceIdentity,
        ] {
            let identity = Box::new(proven(issuer));
            let operation = Operation::AssumeRoleWithWebIdentity(role.clone(), identity);
            let action = issue(world, operation);
            asked.push(world.refused_by_trust(permission, caller(provider.clone()), action));
        }
        let plain = SessionRequest {
            draft: SessionDraft {
                name: Some(parsed("two")),
                ..SessionDraft::plain(world.id("ASIA"))
            },
            duration: HOUR,
            external_id: None,
            mfa: None,
        };
        let operation = Operation::AssumeRole(role.clone());
        let action = Action::Session(SessionAction::Issue { operation, session: Box::new(plain) });
        asked.push(world.refused_to_session(Permission::AssumeRole, issuer, action));
    }
    let service = Caller { principal: Principal::ec2(), ..Caller::service() };
    asked.push(world.refused_assumption(&service));
    asked
}
