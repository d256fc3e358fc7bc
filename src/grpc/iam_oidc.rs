//! OpenID Connect providers.

use std::sync::Arc;

use tonic::Status;

use super::iam_entities::tags;
use super::iam_users::missing;
use super::{Front, convert, field, page, status};
use crate::domain::command::Action;
use crate::domain::oidc::{KeySource, OidcAction, OidcProvider, RegisteredProvider};
use crate::identity::{AccountId, Arn, Invalid, IssuerUrl};
use crate::proto::v1;
use crate::proto::v1::*;
use crate::sts::RequestInfo;

impl Front {
    pub(super) async fn iam_create_oidc_provider(
        &self,
        info: &RequestInfo,
        request: CreateOpenIdConnectProviderRequest,
    ) -> Result<CreateOpenIdConnectProviderResponse, Status> {
        let issuer: IssuerUrl = field("url", &request.url)?;
        let (account, token) = (Self::account_of(info)?, &request.idempotency_token);
        let provider = OidcProvider {
            issuer: issuer.clone(),
            client_ids: sorted(request.client_ids),
            thumbprints: sorted(request.thumbprints),
            keys: keys(request.jwks_url, request.jwks)?,
        };
        let tags = tags(&request.tags)?;
        let done = self.service.create_oidc_provider(info, token, account, (provider, tags)).await;
        let sequence = Self::drawn(info, done)?.sequence;
        let provider = self.oidc_provider(info, &issuer)?;
        Ok(CreateOpenIdConnectProviderResponse { provider, sequence })
    }

    pub(super) async fn iam_get_oidc_provider(
        &self,
        info: &RequestInfo,
        request: GetOpenIdConnectProviderRequest,
    ) -> Result<GetOpenIdConnectProviderResponse, Status> {
        let arn: Arn =
            field("open_id_connect_provider_arn", &request.open_id_connect_provider_arn)?;
        let action = "iam:GetOpenIDConnectProvider";
        let (view, account) = self.read(info, request.min_sequence, action, arn.as_str()).await?;
        let provider = account.oidc_providers.get(issuer_part(&arn));
        let provider = provider.filter(|p| Arn::oidc_provider(account.id, &p.issuer) == arn);
        let provider = provider.ok_or_else(|| missing("OIDC provider", arn.as_str()))?;
        let (provider, sequence) = (Some(shown(account.id, provider)), view.sequence);
        Ok(GetOpenIdConnectProviderResponse { provider, sequence })
    }

    pub(super) async fn iam_list_oidc_providers(
        &self,
        info: &RequestInfo,
        request: ListOpenIdConnectProvidersRequest,
    ) -> Result<ListOpenIdConnectProvidersResponse, Status> {
        let action = "iam:ListOpenIDConnectProviders";
        let (view, account) = self.read(info, request.min_sequence, action, "*").await?;
        let key = |provider: &&Arc<RegisteredProvider>| provider.issuer.without_scheme().to_owned();
        let providers = account.oidc_providers.values();
        let (found, next_page_token) =
            page(providers, key, request.page_size, &request.page_token)?;
        let providers = found.into_iter().map(|provider| shown(account.id, provider)).collect();
        let sequence = view.sequence;
        Ok(ListOpenIdConnectProvidersResponse { providers, next_page_token, sequence })
    }

    pub(super) async fn iam_update_oidc_provider(
        &self,
        info: &RequestInfo,
        request: UpdateOpenIdConnectProviderRequest,
    ) -> Result<UpdateOpenIdConnectProviderResponse, Status> {
        let issuer = self.issuer_of(info, &request.open_id_connect_provider_arn)?;
        let (account, token) = (Self::account_of(info)?, &request.idempotency_token);
        let provider = OidcProvider {
            issuer: issuer.clone(),
            client_ids: sorted(request.client_ids),
            thumbprints: sorted(request.thumbprints),
            keys: keys(request.jwks_url, request.jwks)?,
        };
        let done = self.service.update_oidc_provider(info, token, account, provider).await;
        let sequence = Self::drawn(info, done)?.sequence;
        let provider = self.oidc_provider(info, &issuer)?;
        Ok(UpdateOpenIdConnectProviderResponse { provider, sequence })
    }

    pub(super) async fn iam_delete_oidc_provider(
        &self,
        info: &RequestInfo,
        request: DeleteOpenIdConnectProviderRequest,
    ) -> Result<DeleteOpenIdConnectProviderResponse, Status> {
        let issuer = self.issuer_of(info, &request.open_id_connect_provider_arn)?;
        let action = Action::Oidc(OidcAction::Delete(issuer));
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteOpenIdConnectProviderResponse { sequence: receipt.sequence })
    }

    /// The issuer of a provider's ARN; with the scheme that it is registered with, if it is.
    pub(super) fn issuer_of(&self, info: &RequestInfo, arn: &str) -> Result<IssuerUrl, Status> {
        let arn: Arn = field("open_id_connect_provider_arn", arn)?;
        let account = self.own_account(info)?;
        let part = issuer_part(&arn);
        if arn.account_id() == Some(account.id)
            && let Some(provider) = account.oidc_providers.get(part)
        {
            return Ok(provider.issuer.clone());
        }
        field("open_id_connect_provider_arn", &format!("https://{part}"))
    }

    fn oidc_provider(
        &self,
        info: &RequestInfo,
        issuer: &IssuerUrl,
    ) -> Result<Option<v1::OpenIdConnectProvider>, Status> {
        let account = self.own_account(info)?;
        let provider = account.oidc_providers.get(issuer.without_scheme());
        Ok(provider.map(|provider| shown(account.id, provider)))
    }
}

/// `HOST/PATH` of a provider's ARN.
fn issuer_part(arn: &Arn) -> &str {
    arn.resource().strip_prefix("oidc-provider/").unwrap_or_default()
}

fn sorted(texts: Vec<String>) -> Vec<Arc<str>> {
    let mut texts: Vec<Arc<str>> = texts.into_iter().map(Arc::from).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn keys(url: String, set: String) -> Result<KeySource, Status> {
    match (url.is_empty(), set.is_empty()) {
        (true, true) => Ok(KeySource::Discovery),
        (false, true) => Ok(KeySource::Url(Arc::from(url))),
        (true, false) => Ok(KeySource::Inline(Arc::from(set))),
        (false, false) => {
            let rule = "goes without `jwks_url`";
            Err(status::of_invalid(&Invalid::new("jwks", rule), ""))
        }
    }
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
