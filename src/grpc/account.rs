//! AccountService: the tenants, administered from the operator's account.

use std::sync::Arc;

use super::iam_users::new_key;
use super::{Front, convert, field, optional, page};
use crate::domain::access::Permission;
use crate::domain::state::Account;
use crate::identity::Invalid;
use crate::proto::v1::account_service_server::AccountService;
use crate::proto::v1::{
    AccessKey, CreateAccountRequest, CreateAccountResponse, DeleteAccountRequest,
    DeleteAccountResponse, DisableAccountRequest, DisableAccountResponse, EnableAccountRequest,
    EnableAccountResponse, GetAccountRequest, GetAccountResponse, ListAccountsRequest,
    ListAccountsResponse, PutAddressRangesRequest, PutAddressRangesResponse,
};
use crate::service::{RequestInfo, ServiceError};

calls! {
    AccountService:
    create_account: account_create(CreateAccountRequest) -> CreateAccountResponse;
    get_account: account_get(GetAccountRequest) -> GetAccountResponse;
    list_accounts: account_list(ListAccountsRequest) -> ListAccountsResponse;
    disable_account: account_disable(DisableAccountRequest) -> DisableAccountResponse;
    enable_account: account_enable(EnableAccountRequest) -> EnableAccountResponse;
    put_address_ranges: account_put_ranges(PutAddressRangesRequest) -> PutAddressRangesResponse;
    delete_account: account_delete(DeleteAccountRequest) -> DeleteAccountResponse;
}

impl Front {
    async fn account_create(
        &self,
        info: &RequestInfo,
        request: CreateAccountRequest,
    ) -> Result<CreateAccountResponse, ServiceError> {
        let id = optional("account_id", &request.account_id)?;
        let token = &request.idempotency_token;
        let made = self.service.create_account(info, token, &request.name, id).await?;
        Ok(CreateAccountResponse {
            account: Some(convert::account(&made.account)),
            root_key: Some(made.root_key.as_ref().map_or_else(AccessKey::default, new_key)),
            sequence: made.sequence,
        })
    }

    async fn account_get(
        &self,
        info: &RequestInfo,
        request: GetAccountRequest,
    ) -> Result<GetAccountResponse, ServiceError> {
        let (least, permission) = (request.min_sequence, Permission::GetAccount);
        let asked = optional("account_id", &request.account_id)?;
        let read = self.service.read_shown_account(info, least, permission, asked).await?;
        let account = Some(convert::account(&read.account));
        Ok(GetAccountResponse { account, sequence: read.view.sequence })
    }

    async fn account_list(
        &self,
        info: &RequestInfo,
        request: ListAccountsRequest,
    ) -> Result<ListAccountsResponse, ServiceError> {
        let view = self.service.list_accounts(info, request.min_sequence).await?;
        let key = |account: &&Arc<Account>| account.id.to_string();
        let all = view.state.accounts();
        let (found, next_page_token) = page(all, key, request.page_size, &request.page_token)?;
        let accounts = found.into_iter().map(|account| convert::account(account)).collect();
        Ok(ListAccountsResponse { accounts, next_page_token, sequence: view.sequence })
    }

    async fn account_disable(
        &self,
        info: &RequestInfo,
        request: DisableAccountRequest,
    ) -> Result<DisableAccountResponse, ServiceError> {
        let (id, token) = (field("account_id", &request.account_id)?, &request.idempotency_token);
        let done = self.service.set_account_enabled(info, token, id, false).await?;
        Ok(DisableAccountResponse { sequence: done.sequence })
    }

    async fn account_enable(
        &self,
        info: &RequestInfo,
        request: EnableAccountRequest,
    ) -> Result<EnableAccountResponse, ServiceError> {
        let (id, token) = (field("account_id", &request.account_id)?, &request.idempotency_token);
        let done = self.service.set_account_enabled(info, token, id, true).await?;
        Ok(EnableAccountResponse { sequence: done.sequence })
    }

    async fn account_put_ranges(
        &self,
        info: &RequestInfo,
        request: PutAddressRangesRequest,
    ) -> Result<PutAddressRangesResponse, ServiceError> {
        let (id, token) = (field("account_id", &request.account_id)?, &request.idempotency_token);
        let ranges = request.address_ranges.iter().map(|range| field("address_ranges", range));
        let ranges = ranges.collect::<Result<_, Invalid>>()?;
        let done = self.service.put_address_ranges(info, token, id, ranges).await?;
        Ok(PutAddressRangesResponse { sequence: done.sequence })
    }

    async fn account_delete(
        &self,
        info: &RequestInfo,
        request: DeleteAccountRequest,
    ) -> Result<DeleteAccountResponse, ServiceError> {
        let id = field("account_id", &request.account_id)?;
        let done = self.service.delete_account(info, &request.idempotency_token, id).await?;
        Ok(DeleteAccountResponse { sequence: done.sequence })
    }
}
