//! GuardrailService: limits on accounts and on the whole installation.

use tonic::{Request, Response, Status};

use super::{Front, convert, field, optional, status};
use crate::domain::command::Action;
use crate::domain::event::{GuardrailKind, GuardrailRef};
use crate::domain::state::State;
use crate::identity::{AccountId, Invalid};
use crate::policy::Policy;
use crate::proto::v1;
use crate::proto::v1::guardrail_service_server::GuardrailService;
use crate::proto::v1::{
    DeleteGuardrailRequest, DeleteGuardrailResponse, Guardrail, ListGuardrailsRequest,
    ListGuardrailsResponse, PutGuardrailRequest, PutGuardrailResponse,
};

#[tonic::async_trait]
impl GuardrailService for Front {
    async fn put_guardrail(
        &self,
        request: Request<PutGuardrailRequest>,
    ) -> Result<Response<PutGuardrailResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let guardrail = reference(request.kind, &request.account_id, &request.name)?;
        let policy = Policy::parse(&request.policy, guardrail.kind.policy_kind())
            .map_err(|error| status::of_policy_error("policy", &error))?;
        let arn = guardrail.arn();
        let action = Action::PutGuardrail { guardrail, policy: policy.clone() };
        let token = &request.idempotency_token;
        let receipt = self.perform_in(&info, token, AccountId::OPERATOR, action).await?;
        let (sequence, warnings) = (receipt.sequence, convert::warnings(&policy));
        Ok(Response::new(PutGuardrailResponse { sequence, arn, warnings }))
    }

    async fn list_guardrails(
        &self,
        request: Request<ListGuardrailsRequest>,
    ) -> Result<Response<ListGuardrailsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let asked: Option<AccountId> = optional("account_id", &request.account_id)?;
        let view = self.view(request.min_sequence).await?;
        // Others' guardrails are the operator's to see.
        let own = Self::account_of(&info)?;
        let owner = if asked == Some(own) { own } else { AccountId::OPERATOR };
        let target = asked.map_or("*".to_owned(), |account| account.to_string());
        let resource = format!("arn:aws:locum::{owner}:guardrail/*/{target}/*");
        self.service
            .require(&view.state, &info, owner, "locum:ListGuardrails", &resource)
            .map_err(|rejection| status::of_rejection(&rejection, &info.request_id))?;
        let guardrails = shown(&view.state, asked);
        Ok(Response::new(ListGuardrailsResponse { guardrails, sequence: view.sequence }))
    }

    async fn delete_guardrail(
        &self,
        request: Request<DeleteGuardrailRequest>,
    ) -> Result<Response<DeleteGuardrailResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let guardrail = reference(request.kind, &request.account_id, &request.name)?;
        let action = Action::DeleteGuardrail { guardrail };
        let token = &request.idempotency_token;
        let receipt = self.perform_in(&info, token, AccountId::OPERATOR, action).await?;
        Ok(Response::new(DeleteGuardrailResponse { sequence: receipt.sequence }))
    }
}

fn reference(kind: i32, account: &str, name: &str) -> Result<GuardrailRef, Status> {
    let kind = match v1::GuardrailKind::try_from(kind) {
        Ok(v1::GuardrailKind::ServiceControl) => GuardrailKind::ServiceControl,
        Ok(v1::GuardrailKind::ResourceControl) => GuardrailKind::ResourceControl,
        Ok(v1::GuardrailKind::Unspecified) | Err(_) => {
            let rule = "must be GUARDRAIL_KIND_SERVICE_CONTROL or GUARDRAIL_KIND_RESOURCE_CONTROL";
            return Err(status::of_invalid(&Invalid::new("kind", rule), ""));
        }
    };
    let target = optional("account_id", account)?;
    Ok(GuardrailRef { kind, target, name: field("name", name)? })
}

/// Every guardrail, or those that bind one account.
fn shown(state: &State, account: Option<AccountId>) -> Vec<Guardrail> {
    let scopes = state
        .guardrail_scopes()
        .filter(|((_, target), _)| account.is_none() || target.is_none() || *target == account);
    let shown = scopes.flat_map(|((kind, target), named)| {
        named.iter().map(move |(name, policy)| {
            let guardrail = GuardrailRef { kind: *kind, target: *target, name: name.clone() };
            let arn = guardrail.arn();
            let kind = match kind {
                GuardrailKind::ServiceControl => v1::GuardrailKind::ServiceControl,
                GuardrailKind::ResourceControl => v1::GuardrailKind::ResourceControl,
            };
            Guardrail {
                kind: kind.into(),
                account_id: target.map(|account| account.to_string()).unwrap_or_default(),
                name: name.to_string(),
                policy: policy.text().to_owned(),
                arn,
            }
        })
    });
    shown.collect()
}
