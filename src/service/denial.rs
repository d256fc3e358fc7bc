//! Refusals that can be asked about later: the evidence of an AccessDenied, sealed with the key of the
//! caller's account. Source: STS API Reference, DecodeAuthorizationMessage.

use serde_json::{Value, json};

use super::{RequestInfo, Service};
use crate::domain::access::{Permission, Resource};
use crate::domain::rejection::{Denied, Evidence, Rejection};
use crate::domain::state::State;
use crate::metrics::{self, Denial};
use crate::policy::{Miss, PolicyKind, PolicyTrace, Verdict};
use crate::signing::{message_account, open_message, seal_message};

/// Bytes of evidence that a message holds; what is over is left out, statements first to last.
const EVIDENCE_BYTES_MAX: usize = 4096;

/// The condition keys that follow from the caller or the request, whatever the resource. Any other may say something of
/// the resource, as `aws:ResourceAccount`, `s3:ExistingObjectTag/key` and whatever else its service passes do.
const TOLD_KEYS: [&str; 27] = [
    "aws:currenttime",
    "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc",
    "aws:epochtime",
    "aws:federatedprovider",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:referer",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceidentity",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "aws:viaawsservice",
    "aws:vpcsourceip",
    "ec2:roledelivery",
    "ec2:sourceinstancearn",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:sourceidentity",
    "sts:transitivetagkeys",
];
/// How further such keys begin.
const TOLD_FAMILIES: [&str; 2] = ["aws:principal", "aws:requesttag/"];

impl Service {
    /// Adds the sealed evidence to a refusal of policy, for callers who have an account.
    pub(super) fn sealed(&self, state: &State, rejection: Rejection) -> Rejection {
        if let Some(reason) = reason(&rejection) {
            metrics::authentication().denied(reason);
        }
        let Rejection::AccessDenied(mut denied) = rejection else { return rejection };
        denied.encoded = self.encoded(state, &denied);
        Rejection::AccessDenied(denied)
    }

    /// The evidence of a refusal, sealed for the account of whoever was refused.
    pub(super) fn encoded(&self, state: &State, denied: &Denied) -> Option<String> {
        let evidence = denied.evidence.as_deref()?;
        let account = state.account(evidence.account?)?;
        let key = self.account_key(account.id, &account.key).ok()?;
        let plain = plain(denied, evidence).to_string();
        seal_message(&key, account.id, plain.as_bytes(), &self.random).ok().flatten()
    }

    /// What a sealed message of a refusal says, as JSON, for a caller who may decode those of the account.
    ///
    /// # Errors
    /// The caller may not, or the message is not one that was sealed for the caller's account.
    pub fn decode_authorization_message(
        &self,
        info: &RequestInfo,
        message: &str,
    ) -> Result<String, Rejection> {
        let invalid = || Rejection::InvalidAuthorizationMessage;
        let own = info.caller.principal.account().ok_or_else(invalid)?;
        let view = self.view();
        let permission = Permission::DecodeAuthorizationMessage;
        self.require(&view.state, info, own, permission, &Resource::everything())?;
        let account = view.state.account(own).ok_or_else(invalid)?;
        if message_account(message) != Ok(own) {
            return Err(invalid());
        }
        let key = self.account_key(own, &account.key).map_err(|_| invalid())?;
        let plain = open_message(&key, message).map_err(|_| invalid())?;
        String::from_utf8(plain).map_err(|_| invalid())
    }
}

/// Why somebody was refused, to be counted; none for what is no refusal of theirs.
fn reason(rejection: &Rejection) -> Option<Denial> {
    match rejection {
        Rejection::AccessDenied(denied) => Some(deciding(denied)),
        Rejection::AccountDisabled(_) => Some(Denial::AccountDisabled),
        Rejection::InvalidAuthenticationCode => Some(Denial::Mfa),
        _ => None,
    }
}

/// The kind of policy that denied, or that lacks an allow.
pub(super) fn deciding(denied: &Denied) -> Denial {
    let Some(evidence) = &denied.evidence else { return Denial::Rule };
    match evidence.trace.decision.deciding() {
        PolicyKind::Identity => Denial::IdentityPolicy,
        PolicyKind::Trust => Denial::TrustPolicy,
        PolicyKind::Resource => Denial::ResourcePolicy,
        PolicyKind::Boundary => Denial::Boundary,
        PolicyKind::Session => Denial::SessionPolicy,
        PolicyKind::ServiceControl => Denial::ServiceControl,
        PolicyKind::ResourceControl => Denial::ResourceControl,
        PolicyKind::Endpoint => Denial::EndpointPolicy,
    }
}

/// Whether a condition key, in lower case, says nothing of the resource.
fn is_told(key: &str) -> bool {
    TOLD_KEYS.contains(&key) || TOLD_FAMILIES.iter().any(|family| key.starts_with(family))
}

/// What a statement failed on; without the values of another account's resource.
fn failed_on(miss: &Miss, foreign: bool) -> String {
    match miss {
        Miss::Condition { operator, key, .. } if foreign && !is_told(key) => {
            format!("{operator} on {key}")
        }
        _ => miss.to_string(),
    }
}

/// The message of AWS. Of another account's resource nothing is told but that its policy refused.
fn plain(denied: &Denied, evidence: &Evidence) -> Value {
    let verdict = evidence.trace.decision.verdict();
    let foreign = evidence.resource_account.is_some_and(|owner| Some(owner) != evidence.account);
    let told = |policy: &&PolicyTrace| {
        !(foreign && matches!(policy.kind, PolicyKind::Resource | PolicyKind::ResourceControl))
    };
    let mut room = EVIDENCE_BYTES_MAX;
    let mut fits = |item: &Value| {
        let bytes = item.to_string().len();
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    };
    let (mut matched, mut failures) = (Vec::new(), Vec::new());
    for policy in evidence.trace.policies.iter().filter(told) {
        for statement in &policy.statements {
            let mut item = json!({
                "statementId": statement.sid.clone().unwrap_or_default(),
                "effect": if statement.denies { "DENY" } else { "ALLOW" },
                "policy": policy.name,
                "policyType": policy.kind.text(),
                "statement": statement.index,
            });
            match &statement.miss {
                None if fits(&item) => matched.push(item),
                Some(miss) => {
                    if let Some(object) = item.as_object_mut() {
                        object.insert("failedOn".to_owned(), json!(failed_on(miss, foreign)));
                    }
                    if fits(&item) {
                        failures.push(item);
                    }
                }
                None => {}
            }
        }
    }
    let conditions = evidence.context.iter().filter_map(|(key, values)| {
        if foreign && !is_told(key) {
            return None;
        }
        let values: Vec<_> = values.iter().map(|value| json!({ "value": value })).collect();
        let item = json!({ "key": key, "values": { "items": values } });
        fits(&item).then_some(item)
    });
    let conditions: Vec<_> = conditions.collect();
    json!({
        "allowed": false,
        "explicitDeny": verdict == Verdict::ExplicitDeny,
        "decidedBy": evidence.trace.decision.deciding().text(),
        "matchedStatements": { "items": matched },
        "failures": { "items": failures },
        "context": {
            "principal": { "id": evidence.user_id, "arn": &*denied.principal },
            "action": denied.action,
            "resource": denied.resource,
            "conditions": { "items": conditions },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::access::{Question, authorize};
    use crate::domain::testing::{A, B, World, account, of_user};
    use crate::policy::{Context, Policy};

    /// Keys that say something of the resource.
    const OF_RESOURCE: [&str; 5] = [
        "aws:ResourceTag/team",
        "ec2:ResourceTag/team",
        "iam:ResourceTag/team",
        "s3:ExistingObjectTag/team",
        "s3:x-amz-acl",
    ];
    /// Keys of the request.
    const OF_REQUEST: [&str; 4] =
        ["aws:RequestTag/stage", "aws:SourceVpce", "aws:TagKeys", "sts:RoleSessionName"];

    /// What a refusal says to a user of A about a resource of `owner`.
    fn message(owner: &str) -> String {
        let mut world = World::default();
        world.create_account(A);
        world.create_account(B);
        let caller = world.create_user(A, "ana");
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*",
            "Condition":{"StringEquals":{"s3:ExistingObjectTag/team":"blue"}}}}"#;
        let policy = Policy::parse(text, PolicyKind::Identity).unwrap();
        world.put_policy(A, of_user("ana"), policy);
        let mut extra = Context::default();
        OF_RESOURCE.iter().for_each(|key| extra.insert(key, "crimson".to_owned()));
        OF_REQUEST.iter().for_each(|key| extra.insert(key, "asked".to_owned()));
        let question = Question {
            caller: &caller,
            action: "s3:GetObject",
            resource: "arn:aws:s3:::photos/a",
            resource_account: Some(account(owner)),
            resource_policy: None,
            role_trust: false,
            time: Timestamp::from_unix_seconds(1_764_000_100),
        };
        let denied = authorize(&world.state, &question, &extra).unwrap_err();
        plain(&denied, denied.evidence.as_deref().unwrap()).to_string()
    }

    /// Protects tenants: of another account's resource a refusal tells nothing that its service passed, neither among
    /// the conditions nor as what a statement failed on; of the caller and the request it tells all.
    #[test]
    fn a_refusal_tells_nothing_of_anothers_resource() {
        let (own, foreign) = (message(A), message(B));
        let has = |message: &str, key: &str| {
            message.contains(&format!(r#""key":"{}""#, key.to_ascii_lowercase()))
        };
        for key in OF_RESOURCE.into_iter().chain(["aws:ResourceAccount"]) {
            assert!(has(&own, key) && !has(&foreign, key), "{key}");
        }
        for key in OF_REQUEST.into_iter().chain(["aws:PrincipalArn", "aws:CurrentTime"]) {
            assert!(has(&own, key) && has(&foreign, key), "{key}");
        }
        assert!(
            own.contains(r#"StringEquals on s3:existingobjecttag/team, which is [\"crimson\"]"#)
        );
        assert!(foreign.contains(r#""StringEquals on s3:existingobjecttag/team""#), "{foreign}");
        assert!(!foreign.contains("crimson") && !foreign.contains(B), "{foreign}");
    }
}
