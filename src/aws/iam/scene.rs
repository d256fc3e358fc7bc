//! What a simulation judges, and how its decisions are told. Source: IAM API Reference, EvaluationResult.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::access::guardrails;
use crate::domain::event::GuardrailKind;
use crate::domain::state::State;
use crate::identity::{AccountId, Principal};
use crate::policy::{
    Context, Named, Place, Policies, Policy, PolicyKind, PolicyTrace, Request, Trace, Verdict,
    explain,
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    source_policy_id: String,
    source_policy_type: &'static str,
    start_position: Option<Position>,
    end_position: Option<Position>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Position {
    line: usize,
    column: usize,
}

impl From<Place> for Position {
    fn from(Place { line, column }: Place) -> Self {
        Self { line, column }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ByOrganizations {
    allowed_by_organizations: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ByBoundary {
    allowed_by_permissions_boundary: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EvaluationResult {
    eval_action_name: String,
    eval_resource_name: String,
    eval_decision: &'static str,
    /// Across accounts, what the policies of either side come to.
    eval_decision_details: Option<BTreeMap<&'static str, &'static str>>,
    matched_statements: Vec<Statement>,
    missing_context_values: Vec<String>,
    organizations_decision_detail: Option<ByOrganizations>,
    permissions_boundary_decision_detail: Option<ByBoundary>,
}

/// A policy with the name and kind by which answers tell it.
pub(super) struct Source {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) policy: Policy,
}

/// What is judged, whatever the action and resource.
pub(super) struct Scene<'a> {
    pub(super) principal: Principal,
    pub(super) identity: Vec<Source>,
    pub(super) boundary: Option<Vec<Source>>,
    pub(super) resource: Option<Source>,
    pub(super) resource_account: Option<AccountId>,
    pub(super) context: Context,
    pub(super) state: &'a State,
    /// Whether the guardrails of the account count.
    pub(super) guarded: bool,
}

fn named(sources: &[Source]) -> Vec<Named<'_>> {
    sources.iter().map(|source| Named { name: &source.id, policy: &source.policy }).collect()
}

impl Scene<'_> {
    pub(super) fn judge(&self, action: &str, resource: &str) -> EvaluationResult {
        let mut policies = Policies {
            identity: named(&self.identity),
            boundary: self.boundary.as_deref().map(named),
            resource: self.resource.as_ref().map(|source| &source.policy),
            ..Policies::default()
        };
        if self.guarded {
            let account = self.principal.account();
            policies.service_control =
                guardrails(self.state, GuardrailKind::ServiceControl, account);
        }
        let request = Request {
            principal: &self.principal,
            action,
            resource,
            resource_account: self.resource_account,
            context: &self.context,
        };
        let trace = explain(&request, &policies);
        let verdict = trace.decision.verdict();
        let levels = policies.service_control.iter().map(|level| level.name);
        EvaluationResult {
            eval_action_name: action.to_owned(),
            eval_resource_name: resource.to_owned(),
            eval_decision: word(verdict),
            eval_decision_details: self.details(resource, &trace),
            matched_statements: self.matched(&trace),
            missing_context_values: self.missing(),
            organizations_decision_detail: (!policies.service_control.is_empty()).then(|| {
                let allows = |level| limit_allows(&trace, PolicyKind::ServiceControl, level);
                ByOrganizations { allowed_by_organizations: levels.into_iter().all(allows) }
            }),
            permissions_boundary_decision_detail: self.boundary.as_ref().map(|_| ByBoundary {
                allowed_by_permissions_boundary: limit_allows(&trace, PolicyKind::Boundary, ""),
            }),
        }
    }

    /// The statements that made the decision.
    fn matched(&self, trace: &Trace) -> Vec<Statement> {
        let denied = match trace.decision.verdict() {
            Verdict::Allow => false,
            Verdict::ExplicitDeny => true,
            Verdict::ImplicitDeny => return Vec::new(),
        };
        let matched = trace.matched().filter(|(_, statement)| statement.denies == denied);
        matched.map(|(policy, statement)| self.told(policy, statement.index)).collect()
    }

    fn told(&self, policy: &PolicyTrace, index: usize) -> Statement {
        let source = match policy.kind {
            PolicyKind::Resource | PolicyKind::Trust => self.resource.as_ref(),
            _ => {
                let mut own = self.identity.iter().chain(self.boundary.iter().flatten());
                own.find(|source| source.id == policy.name)
            }
        };
        let places = source.map(|source| source.policy.statement_places()).unwrap_or_default();
        let extent = places.get(index);
        Statement {
            source_policy_id: source.map_or_else(|| policy.name.clone(), |s| s.id.clone()),
            source_policy_type: source.map_or("none", |source| source.kind),
            start_position: extent.map(|extent| extent.start.into()),
            end_position: extent.map(|extent| extent.end.into()),
        }
    }

    /// Nothing where every resource is asked for or a guardrail ends the simulation, and an empty list within
    /// one account (IAM API Reference, EvaluationResult).
    fn details(
        &self,
        resource: &str,
        trace: &Trace,
    ) -> Option<BTreeMap<&'static str, &'static str>> {
        let decision = trace.decision;
        let guarded = decision.verdict() != Verdict::Allow
            && decision.deciding() == PolicyKind::ServiceControl;
        if resource == "*" || guarded {
            return None;
        }
        if self.principal.account() == self.resource_account {
            return Some(BTreeMap::new());
        }
        let side = |kinds: &[PolicyKind]| {
            let policies = trace.policies.iter().filter(|policy| kinds.contains(&policy.kind));
            word(verdict_of(policies))
        };
        let own = side(&[PolicyKind::Identity]);
        let theirs = side(&[PolicyKind::Resource, PolicyKind::Trust]);
        Some([("IAM Policy", own), ("Resource Policy", theirs)].into())
    }

    /// The keys that the policies ask about and that the simulation was not given.
    fn missing(&self) -> Vec<String> {
        let limits = self.boundary.iter().flatten().chain(&self.resource);
        let sources = self.identity.iter().chain(limits);
        let mut keys: Vec<_> = sources.flat_map(|source| source.policy.condition_keys()).collect();
        keys.retain(|key| self.context.get(key).is_none());
        keys.sort_by_key(|key| key.to_lowercase());
        keys.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        keys
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "allowed",
        Verdict::ExplicitDeny => "explicitDeny",
        Verdict::ImplicitDeny => "implicitDeny",
    }
}

/// What some policies come to by themselves.
fn verdict_of<'a>(policies: impl Iterator<Item = &'a PolicyTrace>) -> Verdict {
    let statements = policies.flat_map(|policy| &policy.statements);
    let matched = statements.filter(|statement| statement.miss.is_none());
    matched.fold(Verdict::ImplicitDeny, |verdict, statement| match (verdict, statement.denies) {
        (Verdict::ExplicitDeny, _) | (_, true) => Verdict::ExplicitDeny,
        (_, false) => Verdict::Allow,
    })
}

/// Whether policies that only limit allow, at one level of guardrails.
fn limit_allows(trace: &Trace, kind: PolicyKind, level: &str) -> bool {
    let of_kind = |policy: &&PolicyTrace| policy.kind == kind && policy.level == level;
    let policies = trace.policies.iter().filter(of_kind);
    let mut matched = policies
        .flat_map(|policy| &policy.statements)
        .filter(|statement| statement.miss.is_none())
        .map(|statement| statement.denies)
        .peekable();
    matched.peek().is_some() && matched.all(|denies| !denies)
}
