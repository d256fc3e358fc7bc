//! QuotaService: what accounts may have and do at most.

use super::{Front, field, optional};
use crate::domain::access::Permission;
use crate::domain::quotas::{Bounds, Quota};
use crate::domain::state::Account;
use crate::identity::Invalid;
use crate::proto::v1;
use crate::proto::v1::quota_service_server::QuotaService;
use crate::proto::v1::{
    DeleteQuotaRequest, DeleteQuotaResponse, GetQuotaRequest, GetQuotaResponse, ListQuotasRequest,
    ListQuotasResponse, PutQuotaRequest, PutQuotaResponse,
};
use crate::service::{RequestInfo, ServiceError};

calls! {
    QuotaService:
    get_quota: quota_get(GetQuotaRequest) -> GetQuotaResponse;
    list_quotas: quota_list(ListQuotasRequest) -> ListQuotasResponse;
    put_quota: quota_put(PutQuotaRequest) -> PutQuotaResponse;
    delete_quota: quota_delete(DeleteQuotaRequest) -> DeleteQuotaResponse;
}

impl Front {
    async fn quota_get(
        &self,
        info: &RequestInfo,
        request: GetQuotaRequest,
    ) -> Result<GetQuotaResponse, ServiceError> {
        let (least, permission) = (request.min_sequence, Permission::GetQuota);
        let asked = optional("account_id", &request.account_id)?;
        let read = self.service.read_shown_account(info, least, permission, asked).await?;
        let quota = Some(self.shown(&read.account, read_quota(&request.quota)?));
        Ok(GetQuotaResponse { quota, sequence: read.view.sequence })
    }

    async fn quota_list(
        &self,
        info: &RequestInfo,
        request: ListQuotasRequest,
    ) -> Result<ListQuotasResponse, ServiceError> {
        let (least, permission) = (request.min_sequence, Permission::ListQuotas);
        let asked = optional("account_id", &request.account_id)?;
        let read = self.service.read_shown_account(info, least, permission, asked).await?;
        let quotas = Quota::ALL.into_iter().map(|quota| self.shown(&read.account, quota));
        Ok(ListQuotasResponse { quotas: quotas.collect(), sequence: read.view.sequence })
    }

    async fn quota_put(
        &self,
        info: &RequestInfo,
        request: PutQuotaRequest,
    ) -> Result<PutQuotaResponse, ServiceError> {
        let (id, token) = (field("account_id", &request.account_id)?, &request.idempotency_token);
        let (quota, max) = (read_quota(&request.quota)?, Some(request.value));
        let done = self.service.set_quota(info, token, id, quota, max).await?;
        Ok(PutQuotaResponse { sequence: done.sequence })
    }

    async fn quota_delete(
        &self,
        info: &RequestInfo,
        request: DeleteQuotaRequest,
    ) -> Result<DeleteQuotaResponse, ServiceError> {
        let (id, token) = (field("account_id", &request.account_id)?, &request.idempotency_token);
        let quota = read_quota(&request.quota)?;
        let done = self.service.set_quota(info, token, id, quota, None).await?;
        Ok(DeleteQuotaResponse { sequence: done.sequence })
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

fn read_quota(name: &str) -> Result<Quota, Invalid> {
    Quota::of_name(name).ok_or_else(|| {
        let names = Quota::ALL.map(Quota::name).join(", ");
        Invalid::new("quota", format!("must be one of {names}"))
    })
}
