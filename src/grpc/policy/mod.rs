//! PolicyService: policies explained before they decide anything.

mod chain;
mod shown;
mod simulate;

use tonic::{Request, Response, Status};

use super::{Front, convert, field};
use crate::domain::access::{Caller, OwnOperations, Permission, Resource};
use crate::domain::rejection::Rejection;
use crate::identity::{Arn, Invalid};
use crate::policy::simulate::resource_must_allow;
use crate::policy::{Policy, PolicyKind, lint};
use crate::proto::v1;
use crate::proto::v1::policy_service_server::PolicyService;
use crate::proto::v1::{
    ExplainAssumeRoleRequest, ExplainAssumeRoleResponse, Holder, SimulateCustomPolicyRequest,
    SimulateCustomPolicyResponse, SimulatePrincipalPolicyRequest, SimulatePrincipalPolicyResponse,
    ValidatePolicyRequest, ValidatePolicyResponse, WhoCanRequest, WhoCanResponse,
};
use crate::service::{RequestInfo, ServiceError, WhoCan};

pub(super) use shown::verdict;
use simulate::{Asked, check_action, check_resource, context_of, one, policies, simulate_custom};

#[tonic::async_trait]
impl PolicyService for Front {
    async fn validate_policy(
        &self,
        request: Request<ValidatePolicyRequest>,
    ) -> Result<Response<ValidatePolicyResponse>, Status> {
        let info = Self::info(&request)?;
        self.may(&info, Permission::ValidatePolicy, &Resource::everything())?;
        let request = request.into_inner();
        let kind = policy_kind(request.kind, &request.policy)?;
        let findings = lint::lint(&request.policy, kind, &OwnOperations);
        let findings = findings.into_iter().map(convert::finding).collect();
        Ok(Response::new(ValidatePolicyResponse { findings }))
    }

    async fn simulate_principal_policy(
        &self,
        request: Request<SimulatePrincipalPolicyRequest>,
    ) -> Result<Response<SimulatePrincipalPolicyResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let arn: Arn = field("principal_arn", &request.principal_arn)?;
        let caller = self.simulated_principal(&info, &arn)?;
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
                &crate::service::Simulated {
                    action,
                    resource,
                    resource_account: asked.owner(resource, caller.principal.account()),
                    resource_policy: given.as_ref().or(own_trust.as_ref()),
                    must_allow: resource_must_allow(action, resource),
                    context: &extra,
                    additional: &more,
                },
            );
            shown::result(action, resource, &caller.principal.arn(), &judged)
        });
        Ok(Response::new(SimulatePrincipalPolicyResponse { results }))
    }

    async fn simulate_custom_policy(
        &self,
        request: Request<SimulateCustomPolicyRequest>,
    ) -> Result<Response<SimulateCustomPolicyResponse>, Status> {
        let info = Self::info(&request)?;
        self.may(&info, Permission::SimulateCustomPolicy, &Resource::everything())?;
        let request = request.into_inner();
        let results = simulate_custom(Self::account_of(&info)?, request)?;
        Ok(Response::new(SimulateCustomPolicyResponse { results }))
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
                self.simulated_principal(&info, &arn)?
            }
        };
        if request.principal_arn.is_empty() {
            let own: Arn = caller.principal.principal_arn().parse().map_err(Status::from)?;
            self.may_simulate(&info, &own)?;
        }
        let steps = self.walk(&info, caller, &request)?;
        let own = Self::account_of(&info)?;
        let possible =
            steps.len() == request.role_arns.len() && steps.iter().all(|step| step.outcome.is_ok());
        let steps = steps.iter().map(|step| chain::shown_step(step, own)).collect();
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
        self.may(&info, Permission::WhoCan, &Resource::named(&request.resource))?;
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
        let account = view.state.account(own).ok_or(ServiceError::AccountGone)?;
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
    fn may(
        &self,
        info: &RequestInfo,
        permission: Permission,
        resource: &Resource<'_>,
    ) -> Result<(), ServiceError> {
        self.service.admit_to(info, permission, resource)
    }

    /// The caller may simulate what the user or role of this ARN may do.
    fn may_simulate(&self, info: &RequestInfo, arn: &Arn) -> Result<(), ServiceError> {
        let account = self.service.own_account(info)?;
        self.may(info, Permission::SimulatePrincipalPolicy, &Resource::principal(&account, arn))
    }

    /// The user or role of the caller's account with this ARN, for who may simulate what they may do.
    fn simulated_principal(&self, info: &RequestInfo, arn: &Arn) -> Result<Caller, ServiceError> {
        self.may_simulate(info, arn)?;
        let view = self.service.view();
        let caller = self.service.caller_of_arn(&view.state, Self::account_of(info)?, arn);
        let missing = || match arn.resource().split_once('/') {
            Some(("user", _)) => Rejection::missing("user", arn.resource_name()),
            Some(("role", _)) => Rejection::missing("role", arn.resource_name()),
            _ => Rejection::missing("principal", arn),
        };
        Ok(caller.ok_or_else(missing)?)
    }

    /// The trust policy of a role of the caller's account.
    fn trust_of(
        &self,
        state: &crate::domain::state::State,
        info: &RequestInfo,
        resource: &str,
    ) -> Option<Policy> {
        let account = state.account(Self::account_of(info).ok()?)?;
        Some(account.role_by_arn(resource)?.trust.policy.clone())
    }
}

fn policy_kind(kind: i32, text: &str) -> Result<PolicyKind, Invalid> {
    match v1::PolicyKind::try_from(kind) {
        Ok(v1::PolicyKind::Unspecified) => Ok(PolicyKind::guess(text)),
        Ok(v1::PolicyKind::Identity) => Ok(PolicyKind::Identity),
        Ok(v1::PolicyKind::Trust) => Ok(PolicyKind::Trust),
        Ok(v1::PolicyKind::Resource) => Ok(PolicyKind::Resource),
        Ok(v1::PolicyKind::Boundary) => Ok(PolicyKind::Boundary),
        Ok(v1::PolicyKind::Session) => Ok(PolicyKind::Session),
        Ok(v1::PolicyKind::ServiceControl) => Ok(PolicyKind::ServiceControl),
        Ok(v1::PolicyKind::ResourceControl) => Ok(PolicyKind::ResourceControl),
        Ok(v1::PolicyKind::Endpoint) => Ok(PolicyKind::Endpoint),
        Err(_) => Err(Invalid::new("kind", "is not a kind of policy")),
    }
}
