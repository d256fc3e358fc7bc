//! QuotaService: what accounts may have and do at most.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{Front, field, status};
use crate::domain::command::Action;
use crate::domain::quotas::{Bounds, Quota};
use crate::domain::state::Account;
use crate::identity::{AccountId, Invalid};
use crate::ledger::View;
use crate::proto::v1;
use crate::proto::v1::quota_service_server::QuotaService;
use crate::proto::v1::{
    DeleteQuotaRequest, DeleteQuotaResponse, GetQuotaRequest, GetQuotaResponse, ListQuotasRequest,
    ListQuotasResponse, PutQuotaRequest, PutQuotaResponse,
};
use crate::sts::RequestInfo;

#[tonic::async_trait]
impl QuotaService for Front {
    async fn get_quota(
        &self,
        request: Request<GetQuotaRequest>,
    ) -> Result<Response<GetQuotaResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let view = self.view(request.min_sequence).await?;
        let account = self.account_to_show(&info, &view, &request.account_id, "locum:GetQuota")?;
        let quota = read_quota(&info, &request.quota)?;
        Ok(Response::new(GetQuotaResponse {
            quota: Some(self.shown(&account, quota)),
            sequence: view.sequence,
        }))
    }

    async fn list_quotas(
        &self,
        request: Request<ListQuotasRequest>,
    ) -> Result<Response<ListQuotasResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let view = self.view(request.min_sequence).await?;
        let account =
            self.account_to_show(&info, &view, &request.account_id, "locum:ListQuotas")?;
        Ok(Response::new(ListQuotasResponse {
            quotas: Quota::ALL.into_iter().map(|quota| self.shown(&account, quota)).collect(),
            sequence: view.sequence,
        }))
    }

    async fn put_quota(
        &self,
        request: Request<PutQuotaRequest>,
    ) -> Result<Response<PutQuotaResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let id = field("account_id", &request.account_id)?;
        let quota = read_quota(&info, &request.quota)?;
        let action = Action::SetQuota { quota, max: Some(request.value) };
        let receipt = self.perform_in(&info, &request.idempotency_token, id, action).await?;
        Ok(Response::new(PutQuotaResponse { sequence: receipt.sequence }))
    }

    async fn delete_quota(
        &self,
        request: Request<DeleteQuotaRequest>,
    ) -> Result<Response<DeleteQuotaResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let id = field("account_id", &request.account_id)?;
        let quota = read_quota(&info, &request.quota)?;
        let action = Action::SetQuota { quota, max: None };
        let receipt = self.perform_in(&info, &request.idempotency_token, id, action).await?;
        Ok(Response::new(DeleteQuotaResponse { sequence: receipt.sequence }))
    }
}

impl Front {
    /// The account that a read is about, the caller's own for an empty id; others' are the operator's to see.
    pub(super) fn account_to_show(
        &self,
        info: &RequestInfo,
        view: &View,
        id: &str,
        action: &str,
    ) -> Result<Arc<Account>, Status> {
        let own = Self::account_of(info)?;
        let id: AccountId = if id.is_empty() { own } else { field("account_id", id)? };
        let owner = if id == own { own } else { AccountId::OPERATOR };
        let resource = format!("arn:aws:locum::{owner}:account/{id}");
        self.service
            .require(&view.state, info, owner, action, &resource)
            .map_err(|rejection| status::of_rejection(&rejection, &info.request_id))?;
        let account = view.state.account(id).cloned();
        account.ok_or_else(|| Status::not_found("the account does not exist"))
    }

    fn shown(&self, account: &Account, quota: Quota) -> v1::Quota {
        let count = |max: Option<usize>| max.map(|max| max as u64);
        let default = match quota.bounds() {
            Bounds::Rate => self.service.default_rate(quota).map(u64::from),
            Bounds::Resources | Bounds::History => count(quota.default_max()),
        };
        let counted = quota.bounds() == Bounds::Resources;
        v1::Quota {
            name: quota.name().to_owned(),
            value: count(account.quota(quota)).or(default),
            default_value: default,
            is_set: account.quotas.contains_key(&quota),
            used: counted.then(|| account.used(quota) as u64),
        }
    }
}

fn read_quota(info: &RequestInfo, name: &str) -> Result<Quota, Status> {
    Quota::of_name(name).ok_or_else(|| {
        let names = Quota::ALL.map(Quota::name).join(", ");
        let invalid = Invalid::new("quota", format!("must be one of {names}"));
        status::of_invalid(&invalid, &info.request_id)
    })
}
