//! PolicyService: policies explained before they decide anything.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tonic::{Request, Response, Status};

use super::sts::{external_id, session_policy, tags};
use super::{Front, convert, field, optional, status};
use crate::domain::access::Caller;
use crate::domain::command::{SessionDraft, SessionRequest};
use crate::identity::{AccountId, Arn, Invalid, SessionName, SourceIdentity};
use crate::policy::simulate::{principal_of, resource_must_allow};
use crate::policy::{
    Context, Level, Miss, Named, ParseError, Policies, Policy, PolicyKind, Trace, Verdict, explain,
};
use crate::proto::v1;
use crate::proto::v1::policy_service_server::PolicyService;
use crate::proto::v1::{
    AssumeRoleStep, ContextValues, ExplainAssumeRoleRequest, ExplainAssumeRoleResponse, Holder,
    SimulateCustomPolicyRequest, SimulatePolicyResponse, SimulatePrincipalPolicyRequest,
    SimulationResult, ValidatePolicyRequest, ValidatePolicyResponse, WhoCanRequest, WhoCanResponse,
};
use crate::sts::{RequestInfo, Step, WhoCan};

/// Actions, and resources, of one simulation, and pairs of them.
const NAMES_MAX: usize = 100;
const PAIRS_MAX: usize = 1000;
/// Policies of one kind in a simulation.
const POLICIES_MAX: usize = 50;
/// Roles of one chain.
const CHAIN_MAX: usize = 10;
/// The session that is asked for when none is said.
const SESSION_DEFAULT: Duration = Duration::from_secs(3600);

#[tonic::async_trait]
impl PolicyService for Front {
    async fn validate_policy(
        &self,
        request: Request<ValidatePolicyRequest>,
    ) -> Result<Response<ValidatePolicyResponse>, Status> {
        let info = Self::info(&request)?;
        self.may(&info, "locum:ValidatePolicy", "*")?;
        let request = request.into_inner();
        let kind = policy_kind(request.kind, &request.policy)?;
        let findings = match Policy::parse(&request.policy, kind) {
            Ok(_) => Vec::new(),
            Err(error) => vec![mistake(&error)],
        };
        Ok(Response::new(ValidatePolicyResponse { findings }))
    }

    async fn simulate_principal_policy(
        &self,
        request: Request<SimulatePrincipalPolicyRequest>,
    ) -> Result<Response<SimulatePolicyResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let arn: Arn = field("principal_arn", &request.principal_arn)?;
        self.may(&info, "iam:SimulatePrincipalPolicy", arn.as_str())?;
        let caller = self.known_principal(&info, &arn)?;
        let asked = Asked::read(&request.actions, &request.resources, &request.resource_account)?;
        let extra = context_of(request.context);
        let more = policies("additional_policies", &request.additional_policies)?;
        let given = one("resource_policy", &request.resource_policy, PolicyKind::Resource)?;
        let view = self.service.view();
        let results = asked.each(|action, resource| {
            let own_trust = self.trust_of(&view.state, &info, resource);
            let judged = self.service.simulate(
                &view.state,
                &caller,
                &crate::sts::Simulated {
                    action,
                    resource,
                    resource_account: asked.owner(resource, caller.principal.account()),
                    resource_policy: given.as_ref().or(own_trust.as_ref()),
                    must_allow: resource_must_allow(action, resource),
                    context: &extra,
                    additional: &more,
                },
            );
            result(action, resource, &caller.principal.arn(), &judged)
        });
        Ok(Response::new(SimulatePolicyResponse { results }))
    }

    async fn simulate_custom_policy(
        &self,
        request: Request<SimulateCustomPolicyRequest>,
    ) -> Result<Response<SimulatePolicyResponse>, Status> {
        let info = Self::info(&request)?;
        self.may(&info, "iam:SimulateCustomPolicy", "*")?;
        let request = request.into_inner();
        let results = simulate_custom(Self::account_of(&info)?, request)?;
        Ok(Response::new(SimulatePolicyResponse { results }))
    }

    async fn explain_assume_role(
        &self,
        request: Request<ExplainAssumeRoleRequest>,
    ) -> Result<Response<ExplainAssumeRoleResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let caller = match request.principal_arn.as_str() {
            "" => info.caller.clone(),
            text => {
                let arn: Arn = field("principal_arn", text)?;
                self.may(&info, "iam:SimulatePrincipalPolicy", arn.as_str())?;
                self.known_principal(&info, &arn)?
            }
        };
        if request.principal_arn.is_empty() {
            let own = caller.principal.principal_arn();
            self.may(&info, "iam:SimulatePrincipalPolicy", &own)?;
        }
        let steps = self.walk(&info, caller, &request)?;
        let own = Self::account_of(&info)?;
        let possible =
            steps.len() == request.role_arns.len() && steps.iter().all(|step| step.outcome.is_ok());
        let steps = steps.iter().map(|step| shown_step(step, own)).collect();
        Ok(Response::new(ExplainAssumeRoleResponse { possible, steps }))
    }

    async fn who_can(
        &self,
        request: Request<WhoCanRequest>,
    ) -> Result<Response<WhoCanResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        check_action(&request.action)?;
        check_resource(&request.resource)?;
        self.may(&info, "locum:WhoCan", &request.resource)?;
        let view = self.service.view();
        let own = Self::account_of(&info)?;
        let trust = self.trust_of(&view.state, &info, &request.resource);
        let given = one("resource_policy", &request.resource_policy, PolicyKind::Resource)?;
        let owner = Arn::parse(&request.resource).ok().and_then(|arn| arn.account_id());
        let context = context_of(request.context);
        let asked = WhoCan {
            action: &request.action,
            resource: &request.resource,
            owner: owner.unwrap_or(own),
            resource_policy: given.as_ref().or(trust.as_ref()),
            must_allow: resource_must_allow(&request.action, &request.resource),
            context: &context,
            conditional: request.include_conditional,
        };
        let gone = || Status::not_found("the account does not exist");
        let account = view.state.account(own).ok_or_else(gone)?;
        let holders = self.service.who_can(&view.state, account, &asked).into_iter();
        let shown = holders.map(|holder| Holder {
            principal: holder.principal,
            kind: holder.kind.to_owned(),
            conditional: holder.conditional,
            through: holder.through,
        });
        Ok(Response::new(WhoCanResponse { holders: shown.collect() }))
    }
}

impl Front {
    fn may(&self, info: &RequestInfo, action: &str, resource: &str) -> Result<(), Status> {
        let account = Self::account_of(info)?;
        let view = self.service.view();
        self.service
            .require(&view.state, info, account, action, resource)
            .map_err(|rejection| status::of_rejection(&rejection, &info.request_id))
    }

    /// The user or role of the caller's account with this ARN.
    fn known_principal(&self, info: &RequestInfo, arn: &Arn) -> Result<Caller, Status> {
        let view = self.service.view();
        let caller = self.service.caller_of_arn(&view.state, Self::account_of(info)?, arn);
        caller.ok_or_else(|| super::iam_users::missing("principal", arn.as_str()))
    }

    /// The trust policy of a role of the caller's account.
    fn trust_of(
        &self,
        state: &crate::domain::state::State,
        info: &RequestInfo,
        resource: &str,
    ) -> Option<Policy> {
        let account = state.account(Self::account_of(info).ok()?)?;
        Some(account.role_by_arn(resource)?.trust.clone())
    }

    fn walk(
        &self,
        info: &RequestInfo,
        caller: Caller,
        request: &ExplainAssumeRoleRequest,
    ) -> Result<Vec<Step>, Status> {
        let invalid = |invalid: Invalid| status::of_invalid(&invalid, &info.request_id);
        let count = request.role_arns.len();
        if count == 0 || count > CHAIN_MAX {
            let rule = format!("must have 1 to {CHAIN_MAX} entries");
            return Err(invalid(Invalid::new("role_arns", rule)));
        }
        let roles = request.role_arns.iter().map(|text| {
            let arn: Arn = field("role_arns", text)?;
            let role = arn.account_id().is_some() && arn.resource().starts_with("role/");
            let rule = Invalid::new("role_arns", format!("`{text}` is not the ARN of a role"));
            if role { Ok(arn) } else { Err(invalid(rule)) }
        });
        let roles: Vec<Arn> = roles.collect::<Result<_, _>>()?;
        let name = match request.role_session_name.as_str() {
            "" => "explain",
            text => text,
        };
        let name: SessionName = field("role_session_name", name)?;
        let policy = session_policy(&request.policy)?;
        let tags = tags(&request.tags).map_err(invalid)?;
        let external_id = external_id(request.external_id.clone()).map_err(invalid)?;
        let source: Option<SourceIdentity> = optional("source_identity", &request.source_identity)?;
        let duration = convert::duration("duration", request.duration).map_err(invalid)?;
        let steps = self.service.explain_chain(info, caller, &roles, &mut |number| {
            let (first, last) = (number == 0, number + 1 == count);
            let draft = SessionDraft {
                key: self.service.draw_id("ASIA")?,
                name: Some(name.clone()),
                policy: policy.clone().filter(|_| last),
                policy_arns: Vec::new(),
                tags: if first { tags.clone() } else { Default::default() },
                transitive_tag_keys: match first {
                    true => request.transitive_tag_keys.iter().map(|k| k.as_str().into()).collect(),
                    false => Vec::new(),
                },
                source_identity: source.clone().filter(|_| first),
            };
            let duration = duration.unwrap_or(SESSION_DEFAULT);
            Ok(SessionRequest { draft, duration, external_id: external_id.clone() })
        });
        Self::drawn(info, steps)
    }
}

fn simulate_custom(
    own: AccountId,
    request: SimulateCustomPolicyRequest,
) -> Result<Vec<SimulationResult>, Status> {
    let asked = Asked::read(&request.actions, &request.resources, &request.resource_account)?;
    let extra = context_of(request.context);
    let text = match request.principal.as_str() {
        "" => format!("arn:aws:iam::{own}:user/simulated"),
        text => text.to_owned(),
    };
    let principal = principal_of(&text, &extra)
        .map_err(|rule| status::of_invalid(&Invalid::new("principal", rule), ""))?;
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
struct Asked {
    actions: Vec<String>,
    resources: Vec<String>,
    owner: Option<AccountId>,
}

impl Asked {
    fn read(actions: &[String], resources: &[String], owner: &str) -> Result<Self, Status> {
        let invalid = |field, rule: String| status::of_invalid(&Invalid::new(field, rule), "");
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

    fn owner(&self, resource: &str, own: Option<AccountId>) -> Option<AccountId> {
        let named = || Arn::parse(resource).ok().and_then(|arn| arn.account_id());
        self.owner.or_else(named).or(own)
    }

    fn each(&self, mut judge: impl FnMut(&str, &str) -> SimulationResult) -> Vec<SimulationResult> {
        let mut results = Vec::new();
        for action in &self.actions {
            results.extend(self.resources.iter().map(|resource| judge(action, resource)));
        }
        results
    }
}

fn check_action(action: &str) -> Result<(), Status> {
    match action.split_once(':') {
        Some((service, name)) if !service.is_empty() && !name.is_empty() => Ok(()),
        _ => Err(status::of_invalid(&Invalid::new("action", "must be `service:Action`"), "")),
    }
}

fn check_resource(resource: &str) -> Result<(), Status> {
    if resource == "*" { Ok(()) } else { field::<Arn>("resource", resource).map(drop) }
}

fn context_of(given: HashMap<String, ContextValues>) -> Context {
    let mut context = Context::default();
    for (key, values) in given {
        context.insert_multi(&key, values.values);
    }
    context
}

fn one(name: &'static str, text: &str, kind: PolicyKind) -> Result<Option<Policy>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let policy = Policy::parse(text, kind);
    policy.map(Some).map_err(|error| status::of_policy_error(name, &error))
}

fn policies(name: &'static str, texts: &[String]) -> Result<Vec<Policy>, Status> {
    let read = documents(name, texts, PolicyKind::Identity)?;
    Ok(read.into_iter().map(|(_, policy)| policy).collect())
}

fn documents(
    name: &'static str,
    texts: &[String],
    kind: PolicyKind,
) -> Result<Vec<(String, Policy)>, Status> {
    if texts.len() > POLICIES_MAX {
        let rule = format!("must have at most {POLICIES_MAX} entries");
        return Err(status::of_invalid(&Invalid::new(name, rule), ""));
    }
    let read = texts.iter().enumerate().map(|(index, text)| {
        let policy = Policy::parse(text, kind);
        let policy = policy.map_err(|error| status::of_policy_error(name, &error))?;
        Ok((format!("{name}[{index}]"), policy))
    });
    read.collect()
}

fn named(documents: &[(String, Policy)]) -> Vec<Named<'_>> {
    documents.iter().map(|(name, policy)| Named { name, policy }).collect()
}

fn policy_kind(kind: i32, text: &str) -> Result<PolicyKind, Status> {
    match v1::PolicyKind::try_from(kind) {
        Ok(v1::PolicyKind::Unspecified) => Ok(PolicyKind::guess(text)),
        Ok(v1::PolicyKind::Identity) => Ok(PolicyKind::Identity),
        Ok(v1::PolicyKind::Trust) => Ok(PolicyKind::Trust),
        Ok(v1::PolicyKind::Resource) => Ok(PolicyKind::Resource),
        Ok(v1::PolicyKind::Boundary) => Ok(PolicyKind::Boundary),
        Ok(v1::PolicyKind::Session) => Ok(PolicyKind::Session),
        Ok(v1::PolicyKind::ServiceControl) => Ok(PolicyKind::ServiceControl),
        Ok(v1::PolicyKind::ResourceControl) => Ok(PolicyKind::ResourceControl),
        Err(_) => Err(status::of_invalid(&Invalid::new("kind", "is no kind of policy"), "")),
    }
}

fn mistake(error: &ParseError) -> v1::PolicyFinding {
    v1::PolicyFinding {
        error: true,
        code: "malformed".to_owned(),
        path: error.path.clone(),
        line: u32::try_from(error.line).unwrap_or(u32::MAX),
        column: u32::try_from(error.column).unwrap_or(u32::MAX),
        rule: error.rule.clone(),
        suggestion: error.suggestion.clone().unwrap_or_default(),
    }
}

pub(super) fn verdict(verdict: Verdict) -> v1::Verdict {
    match verdict {
        Verdict::Allow => v1::Verdict::Allow,
        Verdict::ExplicitDeny => v1::Verdict::ExplicitDeny,
        Verdict::ImplicitDeny => v1::Verdict::ImplicitDeny,
    }
}

fn result(action: &str, resource: &str, principal: &str, trace: &Trace) -> SimulationResult {
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

fn shown_policy(policy: &crate::policy::PolicyTrace) -> v1::PolicyTrace {
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

/// A step as the account `own` may see it: of other accounts' policies nothing but the verdict.
fn shown_step(step: &Step, own: AccountId) -> AssumeRoleStep {
    let role_account = step.role.account_id();
    let worst = |of_role: bool| {
        let sides = step.judged.iter().map(|(_, trace)| trace.side(of_role));
        sides.max_by_key(|verdict| match verdict {
            Verdict::Allow => 0,
            Verdict::ImplicitDeny => 1,
            Verdict::ExplicitDeny => 2,
        })
    };
    let side = |of_role| worst(of_role).map_or(v1::Verdict::Unspecified, verdict).into();
    let judged = step.judged.iter().map(|(action, trace)| {
        let mut shown = result(action, step.role.as_str(), &step.principal, trace);
        let visible = trace.policies.iter().filter(|policy| {
            let owner = if policy.kind.is_of_resource() { role_account } else { step.account };
            owner == Some(own)
        });
        shown.policies = visible.map(shown_policy).collect();
        if step.account != Some(own) || role_account != Some(own) {
            shown.missing_context_keys = Vec::new();
        }
        shown
    });
    let session = step.outcome.as_ref().ok();
    let tags = session.into_iter().flat_map(|session| &session.tags);
    AssumeRoleStep {
        principal_arn: step.principal.clone(),
        role_arn: step.role.to_string(),
        possible: session.is_some(),
        message: step.outcome.as_ref().err().cloned().unwrap_or_default(),
        caller_side: side(false),
        role_side: side(true),
        tags: tags
            .map(|(key, value)| v1::Tag { key: key.to_string(), value: value.to_string() })
            .collect(),
        transitive_tag_keys: session
            .map(|session| session.transitive_tag_keys.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        source_identity: session
            .and_then(|session| session.source_identity.as_ref())
            .map(ToString::to_string)
            .unwrap_or_default(),
        longest_session: step.longest.map(|longest| prost_types::Duration {
            seconds: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            nanos: 0,
        }),
        chain_depth: session.map_or(0, |session| session.chain_depth.into()),
        judged: judged.collect(),
    }
}
