//! Simulations: what is asked of them, checked, and their policies read.

use std::collections::HashMap;

use super::super::{field, optional};
use super::shown::result;
use crate::domain::rejection::Rejection;
use crate::identity::{AccountId, Arn, Invalid};
use crate::policy::simulate::{principal_of, resource_must_allow};
use crate::policy::{Context, Level, Named, Policies, Policy, PolicyKind, explain};
use crate::proto::v1::{ContextValues, SimulateCustomPolicyRequest, SimulationResult};
use crate::service::ServiceError;

/// Actions, and resources, of one simulation, and pairs of them.
const NAMES_MAX: usize = 100;
const PAIRS_MAX: usize = 1000;
/// Policies of one kind in a simulation.
const POLICIES_MAX: usize = 50;

pub(super) fn simulate_custom(
    own: AccountId,
    request: SimulateCustomPolicyRequest,
) -> Result<Vec<SimulationResult>, ServiceError> {
    let asked = Asked::read(&request.actions, &request.resources, &request.resource_account)?;
    let extra = context_of(request.context);
    let text = match request.principal.as_str() {
        "" => format!("arn:aws:iam::{own}:user/simulated"),
        text => text.to_owned(),
    };
    let principal = principal_of(&text, &extra).map_err(|rule| Invalid::new("principal", rule))?;
    let mut context = Context::for_principal(&principal);
    context.remove("aws:userid");
    context.extend(&extra);
    let read = |name, texts: &[String], kind| documents(name, texts, kind);
    let identity = read("identity_policies", &request.identity_policies, PolicyKind::Identity)?;
    let boundary =
        read("permissions_boundaries", &request.permissions_boundaries, PolicyKind::Boundary)?;
    let session = read("session_policies", &request.session_policies, PolicyKind::Session)?;
    let service = read(
        "service_control_policies",
        &request.service_control_policies,
        PolicyKind::ServiceControl,
    )?;
    let control = read(
        "resource_control_policies",
        &request.resource_control_policies,
        PolicyKind::ResourceControl,
    )?;
    let resource_policy = one("resource_policy", &request.resource_policy, PolicyKind::Resource)?;
    let level = |documents| -> Vec<Level<'_>> {
        let policies = named(documents);
        if policies.is_empty() { Vec::new() } else { vec![Level { name: "custom", policies }] }
    };
    let optional = |documents| Some(named(documents)).filter(|policies| !policies.is_empty());
    let results = asked.each(|action, resource| {
        let policies = Policies {
            identity: named(&identity),
            resource: resource_policy.as_ref(),
            resource_must_allow: resource_must_allow(action, resource),
            boundary: optional(&boundary),
            session: optional(&session),
            service_control: level(&service),
            resource_control: level(&control),
            endpoint: None,
        };
        let request = crate::policy::Request {
            principal: &principal,
            action,
            resource,
            resource_account: asked.owner(resource, principal.account()),
            context: &context,
        };
        result(action, resource, &principal.arn(), &explain(&request, &policies))
    });
    Ok(results)
}

/// The requests of a simulation.
pub(super) struct Asked {
    actions: Vec<String>,
    resources: Vec<String>,
    owner: Option<AccountId>,
}

impl Asked {
    pub(super) fn read(
        actions: &[String],
        resources: &[String],
        owner: &str,
    ) -> Result<Self, ServiceError> {
        let invalid = |field, rule: String| ServiceError::from(Invalid::new(field, rule));
        if actions.is_empty() || actions.len() > NAMES_MAX {
            return Err(invalid("actions", format!("must have 1 to {NAMES_MAX} entries")));
        }
        let any = vec!["*".to_owned()];
        let resources = if resources.is_empty() { &any } else { resources };
        if resources.len() > NAMES_MAX || resources.len() * actions.len() > PAIRS_MAX {
            let rule = format!(
                "must have at most {NAMES_MAX} entries, and with the actions {PAIRS_MAX} pairs"
            );
            return Err(invalid("resources", rule));
        }
        actions.iter().try_for_each(|action| check_action(action))?;
        resources.iter().try_for_each(|resource| check_resource(resource))?;
        let owner = optional("resource_account", owner)?;
        Ok(Self { actions: actions.to_vec(), resources: resources.to_vec(), owner })
    }

    pub(super) fn owner(&self, resource: &str, own: Option<AccountId>) -> Option<AccountId> {
        let named = || Arn::parse(resource).ok().and_then(|arn| arn.account_id());
        self.owner.or_else(named).or(own)
    }

    pub(super) fn each(
        &self,
        mut judge: impl FnMut(&str, &str) -> SimulationResult,
    ) -> Vec<SimulationResult> {
        let mut results = Vec::new();
        for action in &self.actions {
            results.extend(self.resources.iter().map(|resource| judge(action, resource)));
        }
        results
    }
}

pub(super) fn check_action(action: &str) -> Result<(), ServiceError> {
    match action.split_once(':') {
        Some((service, name)) if !service.is_empty() && !name.is_empty() => Ok(()),
        _ => Err(Invalid::new("action", "must be `service:Action`").into()),
    }
}

pub(super) fn check_resource(resource: &str) -> Result<(), ServiceError> {
    if resource == "*" { Ok(()) } else { Ok(field::<Arn>("resource", resource).map(drop)?) }
}

pub(super) fn context_of(given: HashMap<String, ContextValues>) -> Context {
    let mut context = Context::default();
    for (key, values) in given {
        context.insert_given(&key, values.values, values.is_list);
    }
    context
}

pub(super) fn one(
    name: &'static str,
    text: &str,
    kind: PolicyKind,
) -> Result<Option<Policy>, ServiceError> {
    if text.is_empty() {
        return Ok(None);
    }
    let policy = Policy::parse(text, kind);
    policy.map(Some).map_err(|error| Rejection::MalformedPolicy { field: name, error }.into())
}

pub(super) fn policies(name: &'static str, texts: &[String]) -> Result<Vec<Policy>, ServiceError> {
    let read = documents(name, texts, PolicyKind::Identity)?;
    Ok(read.into_iter().map(|(_, policy)| policy).collect())
}

fn documents(
    name: &'static str,
    texts: &[String],
    kind: PolicyKind,
) -> Result<Vec<(String, Policy)>, ServiceError> {
    if texts.len() > POLICIES_MAX {
        let rule = format!("must have at most {POLICIES_MAX} entries");
        return Err(Invalid::new(name, rule).into());
    }
    let read = texts.iter().enumerate().map(|(index, text)| {
        let policy = Policy::parse(text, kind);
        let policy = policy.map_err(|error| Rejection::MalformedPolicy { field: name, error })?;
        Ok((format!("{name}[{index}]"), policy))
    });
    read.collect()
}

fn named(documents: &[(String, Policy)]) -> Vec<Named<'_>> {
    documents.iter().map(|(name, policy)| Named { name, policy }).collect()
}
