//! Refusals that can be asked about later: the evidence of an AccessDenied, sealed with the key of the
//! caller's account. Source: STS API Reference, DecodeAuthorizationMessage.

use serde_json::{Value, json};

use super::{RequestInfo, Service};
use crate::domain::rejection::{Denied, Evidence, Rejection};
use crate::domain::state::State;
use crate::identity::Invalid;
use crate::metrics::{self, Denial};
use crate::policy::{PolicyKind, PolicyTrace, Verdict};
use crate::signing::{message_account, open_message, seal_message};

/// Bytes of evidence that a message holds; what is over is left out, statements first to last.
const EVIDENCE_BYTES_MAX: usize = 4096;

/// How the condition keys begin that hold the tags of a resource.
const RESOURCE_TAGS: [&str; 2] = ["aws:resourcetag/", "iam:resourcetag/"];

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
        let invalid = || Invalid::new("encoded_message", "is no message of this account");
        let own = info.caller.principal.account().ok_or_else(invalid)?;
        let view = self.view();
        self.require(&view.state, info, own, "sts:DecodeAuthorizationMessage", "*")?;
        let account = view.state.account(own).ok_or_else(invalid)?;
        if message_account(message) != Ok(own) {
            return Err(invalid().into());
        }
        let key = self.account_key(own, &account.key).map_err(|_| invalid())?;
        let plain = open_message(&key, message).map_err(|_| invalid())?;
        Ok(String::from_utf8(plain).map_err(|_| invalid())?)
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
                        object.insert("failedOn".to_owned(), json!(miss.to_string()));
                    }
                    if fits(&item) {
                        failures.push(item);
                    }
                }
                None => {}
            }
        }
    }
    let of_resource = |key: &str| RESOURCE_TAGS.iter().any(|prefix| key.starts_with(prefix));
    let conditions = evidence.context.iter().filter_map(|(key, values)| {
        if foreign && of_resource(key) {
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
            "principal": { "id": evidence.user_id, "arn": denied.principal },
            "action": denied.action,
            "resource": denied.resource,
            "conditions": { "items": conditions },
        },
    })
}
