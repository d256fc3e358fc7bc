//! OpenID Connect providers.

use std::sync::Arc;

use super::iam_entities::tags;
use super::{Front, convert, field, page};
use crate::domain::oidc::{KeySource, RegisteredProvider};
use crate::identity::{AccountId, Arn, Invalid};
use crate::proto::v1;
use crate::proto::v1::{
    CreateOpenIdConnectProviderRequest, CreateOpenIdConnectProviderResponse,
    DeleteOpenIdConnectProviderRequest, DeleteOpenIdConnectProviderResponse,
    GetOpenIdConnectProviderRequest, GetOpenIdConnectProviderResponse,
    ListOpenIdConnectProvidersRequest, ListOpenIdConnectProvidersResponse,
    UpdateOpenIdConnectProviderRequest, UpdateOpenIdConnectProviderResponse,
};
use crate::service::{NewProvider, ProviderSettings, RequestInfo, ServiceError};

impl Front {
    pub(super) async fn iam_create_oidc_provider(
        &self,
        info: &RequestInfo,
        request: CreateOpenIdConnectProviderRequest,
    ) -> Result<CreateOpenIdConnectProviderResponse, ServiceError> {
        let asked = NewProvider {
            issuer: field("url", &request.url)?,
            settings: ProviderSettings {
                client_ids: request.client_ids,
                thumbprints: request.thumbprints,
                jwks_url: given(request.jwks_url),
                jwks: given(request.jwks),
            },
            tags: tags(&request.tags)?,
        };
        let made = self.service.create_provider(info, &request.idempotency_token, asked).await?;
        let provider = made.entity.as_ref().map(|provider| shown(made.account.id, provider));
        Ok(CreateOpenIdConnectProviderResponse { provider, sequence: made.sequence })
    }

    pub(super) async fn iam_get_oidc_provider(
        &self,
        info: &RequestInfo,
        request: GetOpenIdConnectProviderRequest,
    ) -> Result<GetOpenIdConnectProviderResponse, ServiceError> {
        let arn = provider_arn(&request.open_id_connect_provider_arn)?;
        let found = self.service.provider(info, request.min_sequence, &arn).await?;
        let provider = Some(shown(found.account.id, &found.entity));
        Ok(GetOpenIdConnectProviderResponse { provider, sequence: found.view.sequence })
    }

    pub(super) async fn iam_list_oidc_providers(
        &self,
        info: &RequestInfo,
        request: ListOpenIdConnectProvidersRequest,
    ) -> Result<ListOpenIdConnectProvidersResponse, ServiceError> {
        let read = self.service.list_providers(info, request.min_sequence).await?;
        let key = |provider: &&Arc<RegisteredProvider>| provider.issuer.without_scheme().to_owned();
        let all = read.account.oidc_providers.values();
        let (found, next_page_token) = page(all, key, request.page_size, &request.page_token)?;
        let shown = found.into_iter().map(|provider| shown(read.account.id, provider));
        let (providers, sequence) = (shown.collect(), read.view.sequence);
        Ok(ListOpenIdConnectProvidersResponse { providers, next_page_token, sequence })
    }

    pub(super) async fn iam_update_oidc_provider(
        &self,
        info: &RequestInfo,
        request: UpdateOpenIdConnectProviderRequest,
    ) -> Result<UpdateOpenIdConnectProviderResponse, ServiceError> {
        let arn = provider_arn(&request.open_id_connect_provider_arn)?;
        let settings = ProviderSettings {
            client_ids: request.client_ids,
            thumbprints: request.thumbprints,
            jwks_url: given(request.jwks_url),
            jwks: given(request.jwks),
        };
        let token = &request.idempotency_token;
        let made = self.service.update_provider(info, token, &arn, settings).await?;
        let provider = made.entity.as_ref().map(|provider| shown(made.account.id, provider));
        Ok(UpdateOpenIdConnectProviderResponse { provider, sequence: made.sequence })
    }

    pub(super) async fn iam_delete_oidc_provider(
        &self,
        info: &RequestInfo,
        request: DeleteOpenIdConnectProviderRequest,
    ) -> Result<DeleteOpenIdConnectProviderResponse, ServiceError> {
        let arn = provider_arn(&request.open_id_connect_provider_arn)?;
        let receipt = self.service.delete_provider(info, &request.idempotency_token, &arn).await?;
        Ok(DeleteOpenIdConnectProviderResponse { sequence: receipt.sequence })
    }
}

fn provider_arn(text: &str) -> Result<Arn, Invalid> {
    field("open_id_connect_provider_arn", text)
}

/// Empty is absent.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn shown(account: AccountId, registered: &RegisteredProvider) -> v1::OpenIdConnectProvider {
    let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect();
    let (mut jwks_url, mut jwks) = (String::new(), String::new());
    match &registered.keys {
        KeySource::Discovery => {}
        KeySource::Url(url) => jwks_url = url.to_string(),
        KeySource::Inline(set) => jwks = set.to_string(),
    }
    v1::OpenIdConnectProvider {
        arn: Arn::oidc_provider(account, &registered.issuer).to_string(),
        url: registered.issuer.to_string(),
        client_ids: texts(&registered.client_ids),
        thumbprints: texts(&registered.thumbprints),
        jwks_url,
        jwks,
        created_at: convert::time(registered.created_at),
        tags: convert::tags(&registered.tags),
    }
}
