//! Decisions and their traces as messages.

use std::collections::BTreeSet;

use crate::policy::{Miss, PolicyTrace, Trace, Verdict};
use crate::proto::v1;
use crate::proto::v1::SimulationResult;

pub(in crate::grpc) fn verdict(verdict: Verdict) -> v1::Verdict {
    match verdict {
        Verdict::Allow => v1::Verdict::Allow,
        Verdict::ExplicitDeny => v1::Verdict::ExplicitDeny,
        Verdict::ImplicitDeny => v1::Verdict::ImplicitDeny,
    }
}

pub(super) fn result(
    action: &str,
    resource: &str,
    principal: &str,
    trace: &Trace,
) -> SimulationResult {
    let decision = trace.decision;
    let mut missing = BTreeSet::new();
    for statement in trace.policies.iter().flat_map(|policy| &policy.statements) {
        if let Some(Miss::Condition { key, given: None, .. }) = &statement.miss {
            missing.insert(key.clone());
        }
    }
    SimulationResult {
        action: action.to_owned(),
        resource: resource.to_owned(),
        verdict: verdict(decision.verdict()).into(),
        decided_by: decision.deciding().text().to_owned(),
        message: decision.message(principal, action, resource),
        policies: trace.policies.iter().map(shown_policy).collect(),
        missing_context_keys: missing.into_iter().collect(),
    }
}

pub(super) fn shown_policy(policy: &PolicyTrace) -> v1::PolicyTrace {
    let statements = policy.statements.iter().map(|statement| {
        let mut shown = v1::StatementTrace {
            index: u32::try_from(statement.index).unwrap_or(u32::MAX),
            sid: statement.sid.clone().unwrap_or_default(),
            denies: statement.denies,
            matched: statement.miss.is_none(),
            ..v1::StatementTrace::default()
        };
        let failed_on = match &statement.miss {
            None => "",
            Some(Miss::Principal) => "principal",
            Some(Miss::Action) => "action",
            Some(Miss::Resource) => "resource",
            Some(Miss::Condition { operator, key, given }) => {
                shown.operator = operator.clone();
                shown.key = key.clone();
                shown.given = given.clone().unwrap_or_default();
                "condition"
            }
        };
        shown.failed_on = failed_on.to_owned();
        shown
    });
    v1::PolicyTrace {
        policy: policy.name.clone(),
        level: policy.level.clone(),
        kind: policy.kind.text().to_owned(),
        statements: statements.collect(),
    }
}
