//! GuardrailService: limits on accounts and on the whole installation.

use super::{Front, convert, field, optional};
use crate::domain::event::{GuardrailKind, GuardrailRef};
use crate::domain::state::State;
use crate::identity::{AccountId, Invalid};
use crate::proto::v1;
use crate::proto::v1::guardrail_service_server::GuardrailService;
use crate::proto::v1::{
    DeleteGuardrailRequest, DeleteGuardrailResponse, Guardrail, ListGuardrailsRequest,
    ListGuardrailsResponse, PutGuardrailRequest, PutGuardrailResponse,
};
use crate::service::{RequestInfo, ServiceError};

calls! {
    GuardrailService:
    put_guardrail: guardrail_put(PutGuardrailRequest) -> PutGuardrailResponse;
    list_guardrails: guardrail_list(ListGuardrailsRequest) -> ListGuardrailsResponse;
    delete_guardrail: guardrail_delete(DeleteGuardrailRequest) -> DeleteGuardrailResponse;
}

impl Front {
    async fn guardrail_put(
        &self,
        info: &RequestInfo,
        request: PutGuardrailRequest,
    ) -> Result<PutGuardrailResponse, ServiceError> {
        let guardrail = reference(request.kind, &request.account_id, &request.name)?;
        let (arn, token) = (guardrail.arn(), &request.idempotency_token);
        let done = self.service.put_guardrail(info, token, guardrail, &request.policy).await?;
        let (receipt, policy) = done;
        let (sequence, warnings) = (receipt.sequence, convert::warnings(&policy));
        Ok(PutGuardrailResponse { sequence, arn, warnings })
    }

    async fn guardrail_list(
        &self,
        info: &RequestInfo,
        request: ListGuardrailsRequest,
    ) -> Result<ListGuardrailsResponse, ServiceError> {
        let asked = optional("account_id", &request.account_id)?;
        let view = self.service.list_guardrails(info, request.min_sequence, asked).await?;
        let guardrails = shown(&view.state, asked);
        Ok(ListGuardrailsResponse { guardrails, sequence: view.sequence })
    }

    async fn guardrail_delete(
        &self,
        info: &RequestInfo,
        request: DeleteGuardrailRequest,
    ) -> Result<DeleteGuardrailResponse, ServiceError> {
        let guardrail = reference(request.kind, &request.account_id, &request.name)?;
        let token = &request.idempotency_token;
        let done = self.service.delete_guardrail(info, token, guardrail).await?;
        Ok(DeleteGuardrailResponse { sequence: done.sequence })
    }
}

fn reference(kind: i32, account: &str, name: &str) -> Result<GuardrailRef, Invalid> {
    let kind = match v1::GuardrailKind::try_from(kind) {
        Ok(v1::GuardrailKind::ServiceControl) => GuardrailKind::ServiceControl,
        Ok(v1::GuardrailKind::ResourceControl) => GuardrailKind::ResourceControl,
        Ok(v1::GuardrailKind::Unspecified) | Err(_) => {
            let rule = "must be GUARDRAIL_KIND_SERVICE_CONTROL or GUARDRAIL_KIND_RESOURCE_CONTROL";
            return Err(Invalid::new("kind", rule));
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
