//! AccountService: the tenants, administered from the operator's account.

use tonic::{Request, Response, Status};

use super::{Front, convert, field, page, status};
use crate::domain::command::Action;
use crate::domain::event::EventKind;
use crate::identity::{AccountId, Invalid};
use crate::proto::v1::account_service_server::AccountService;
use crate::proto::v1::{
    AccessKey, CreateAccountRequest, CreateAccountResponse, DeleteAccountRequest,
    DeleteAccountResponse, DisableAccountRequest, DisableAccountResponse, EnableAccountRequest,
    EnableAccountResponse, GetAccountRequest, GetAccountResponse, ListAccountsRequest,
    ListAccountsResponse, PutAddressRangesRequest, PutAddressRangesResponse,
};

/// Characters of an account's name.
const NAME_MAX: usize = 128;

#[tonic::async_trait]
impl AccountService for Front {
    async fn create_account(
        &self,
        request: Request<CreateAccountRequest>,
    ) -> Result<Response<CreateAccountResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        if request.name.is_empty() || request.name.chars().count() > NAME_MAX {
            let rule = format!("must have 1 to {NAME_MAX} characters");
            return Err(status::of_invalid(&Invalid::new("name", rule), &info.request_id));
        }
        let id = match request.account_id.as_str() {
            "" => Self::drawn(&info, self.service.draw_account_id())?,
            text => field("account_id", text)?,
        };
        let action = Self::drawn(&info, self.service.draw_account(id, &request.name))?;
        let token = &request.idempotency_token;
        let receipt = self.perform_in(&info, token, id, action).await?;
        // A retry tells of the account that the first request made.
        let events = receipt.fact.iter().flat_map(|fact| &fact.events);
        let mut made = events.filter_map(|event| match &event.kind {
            EventKind::AccessKeyCreated { key, .. } => Some((event.account, key)),
            _ => None,
        });
        let (id, key) = made.next().ok_or_else(|| Status::internal("no account was made"))?;
        let view = self.service.view();
        let gone = || Status::not_found("the account does not exist");
        let account = view.state.account(id).ok_or_else(gone)?;
        let secret = Self::drawn(&info, self.service.secret_of(account, key))?;
        let root_key = match account.access_keys.get(key) {
            Some(access_key) => {
                convert::access_key(key, (access_key.active, access_key.created_at), Some(&secret))
            }
            None => AccessKey::default(),
        };
        Ok(Response::new(CreateAccountResponse {
            account: Some(convert::account(account)),
            root_key: Some(root_key),
            sequence: receipt.sequence,
        }))
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let view = self.view(request.min_sequence).await?;
        let account =
            self.account_to_show(&info, &view, &request.account_id, "locum:GetAccount")?;
        Ok(Response::new(GetAccountResponse {
            account: Some(convert::account(&account)),
            sequence: view.sequence,
        }))
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let view = self.view(request.min_sequence).await?;
        let operator = AccountId::OPERATOR;
        let resource = format!("arn:aws:locum::{operator}:account/*");
        self.service
            .require(&view.state, &info, operator, "locum:ListAccounts", &resource)
            .map_err(|rejection| status::of_rejection(&rejection, &info.request_id))?;
        let accounts = view.state.accounts();
        let key = |account: &&std::sync::Arc<_>| {
            let account: &crate::domain::state::Account = account;
            account.id.to_string()
        };
        let (accounts, next) = page(accounts, key, request.page_size, &request.page_token)?;
        Ok(Response::new(ListAccountsResponse {
            accounts: accounts.into_iter().map(|account| convert::account(account)).collect(),
            next_page_token: next,
            sequence: view.sequence,
        }))
    }

    async fn disable_account(
        &self,
        request: Request<DisableAccountRequest>,
    ) -> Result<Response<DisableAccountResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let id = field("account_id", &request.account_id)?;
        let token = &request.idempotency_token;
        let receipt = self.perform_in(&info, token, id, Action::DisableAccount).await?;
        Ok(Response::new(DisableAccountResponse { sequence: receipt.sequence }))
    }

    async fn enable_account(
        &self,
        request: Request<EnableAccountRequest>,
    ) -> Result<Response<EnableAccountResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let id = field("account_id", &request.account_id)?;
        let token = &request.idempotency_token;
        let receipt = self.perform_in(&info, token, id, Action::EnableAccount).await?;
        Ok(Response::new(EnableAccountResponse { sequence: receipt.sequence }))
    }

    async fn put_address_ranges(
        &self,
        request: Request<PutAddressRangesRequest>,
    ) -> Result<Response<PutAddressRangesResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let id = field("account_id", &request.account_id)?;
        let ranges = request.address_ranges.iter().map(|range| field("address_ranges", range));
        let action = Action::SetAddressRanges { ranges: ranges.collect::<Result<_, _>>()? };
        let receipt = self.perform_in(&info, &request.idempotency_token, id, action).await?;
        Ok(Response::new(PutAddressRangesResponse { sequence: receipt.sequence }))
    }

    async fn delete_account(
        &self,
        request: Request<DeleteAccountRequest>,
    ) -> Result<Response<DeleteAccountResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let id = field("account_id", &request.account_id)?;
        let deleted = self.service.delete_account(&info, &request.idempotency_token, id).await;
        let sequence = Self::drawn(&info, deleted)?.sequence;
        Ok(Response::new(DeleteAccountResponse { sequence }))
    }
}
