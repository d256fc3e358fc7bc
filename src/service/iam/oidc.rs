//! OpenID Connect providers.

use std::sync::Arc;

use super::{Found, Made};
use crate::domain::access::{ListKind, Permission, Target};
use crate::domain::command::Action;
use crate::domain::oidc::{KeySource, OidcAction, OidcProvider, RegisteredProvider};
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::domain::tags::Tags;
use crate::identity::{Arn, Invalid, IssuerUrl};
use crate::ledger::Receipt;
use crate::oidc::{Endpoint, KeySet};
use crate::service::{Reading, RequestInfo, Service, ServiceError};

/// What CreateOpenIDConnectProvider is asked. Source: IAM API Reference, CreateOpenIDConnectProvider.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct NewProvider {
    pub issuer: IssuerUrl,
    pub settings: ProviderSettings,
    pub tags: Tags,
}

/// What may be said of a provider beside its issuer and its tags.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct ProviderSettings {
    pub client_ids: Vec<String>,
    pub thumbprints: Vec<String>,
    /// Where its keys are, or the keys themselves; at most one is given.
    pub jwks_url: Option<String>,
    pub jwks: Option<String>,
}

impl ProviderSettings {
    fn of(self, issuer: IssuerUrl) -> Result<OidcProvider, Invalid> {
        let keys = match (self.jwks_url, self.jwks) {
            (None, None) => KeySource::Discovery,
            (Some(url), None) => KeySource::Url(Arc::from(url)),
            (None, Some(set)) => KeySource::Inline(Arc::from(set)),
            (Some(_), Some(_)) => return Err(Invalid::new("jwks", "goes without `jwks_url`")),
        };
        let (client_ids, thumbprints) = (sorted(self.client_ids), sorted(self.thumbprints));
        Ok(OidcProvider { issuer, client_ids, thumbprints, keys })
    }
}

fn sorted(texts: Vec<String>) -> Vec<Arc<str>> {
    let mut texts: Vec<Arc<str>> = texts.into_iter().map(Arc::from).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Each refuses a caller who may not, names that break a rule of the account, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreateOpenIDConnectProvider.
    pub async fn create_provider(
        &self,
        info: &RequestInfo,
        token: &str,
        NewProvider { issuer, settings, tags }: NewProvider,
    ) -> Result<Made<RegisteredProvider>, ServiceError> {
        let provider = settings.of(issuer.clone())?;
        self.check_keys(&provider)?;
        let action = Action::Oidc(OidcAction::Create(provider, tags));
        let receipt = self.perform_own(info, token, action).await?;
        self.made(info, &receipt, |account| registered(account, &issuer))
    }

    /// GetOpenIDConnectProvider.
    pub async fn provider(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        arn: &Arn,
    ) -> Result<Found<RegisteredProvider>, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        let account = view.state.account(Self::account_of(info)?);
        let account = account.ok_or(ServiceError::AccountGone)?;
        let (issuer, found) = (account.issuer_of(arn)?, account.provider_by_arn(arn).cloned());
        let permission = Permission::GetOpenIDConnectProvider;
        let reading = self.read_in(&view, info, permission, &Target::Provider(&issuer))?;
        reading.found(found, || Rejection::missing("OIDC provider", arn))
    }

    /// ListOpenIDConnectProviders.
    pub async fn list_providers(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
    ) -> Result<Reading, ServiceError> {
        let target = Target::List(ListKind::Providers, "");
        self.read(info, min_sequence, Permission::ListOpenIDConnectProviders, &target).await
    }

    /// UpdateOpenIdConnectProvider, an operation of Locum's own: everything of a provider anew but its issuer.
    pub async fn update_provider(
        &self,
        info: &RequestInfo,
        token: &str,
        arn: &Arn,
        settings: ProviderSettings,
    ) -> Result<Made<RegisteredProvider>, ServiceError> {
        let issuer = self.issuer_of(info, arn)?;
        let provider = settings.of(issuer.clone())?;
        self.check_keys(&provider)?;
        let action = Action::Oidc(OidcAction::Update(provider));
        let receipt = self.perform_own(info, token, action).await?;
        self.made(info, &receipt, |account| registered(account, &issuer))
    }

    /// DeleteOpenIDConnectProvider.
    pub async fn delete_provider(
        &self,
        info: &RequestInfo,
        token: &str,
        arn: &Arn,
    ) -> Result<Receipt, ServiceError> {
        let action = Action::Oidc(OidcAction::Delete(self.issuer_of(info, arn)?));
        self.perform_own(info, token, action).await
    }

    /// AddClientIDToOpenIDConnectProvider.
    pub async fn add_client_id(
        &self,
        info: &RequestInfo,
        token: &str,
        arn: &Arn,
        client_id: String,
    ) -> Result<Receipt, ServiceError> {
        let (issuer, client_id) = (self.issuer_of(info, arn)?, Arc::from(client_id));
        let action = Action::Oidc(OidcAction::AddClientId { issuer, client_id });
        self.perform_own(info, token, action).await
    }

    /// RemoveClientIDFromOpenIDConnectProvider.
    pub async fn remove_client_id(
        &self,
        info: &RequestInfo,
        token: &str,
        arn: &Arn,
        client_id: String,
    ) -> Result<Receipt, ServiceError> {
        let (issuer, client_id) = (self.issuer_of(info, arn)?, Arc::from(client_id));
        let action = Action::Oidc(OidcAction::RemoveClientId { issuer, client_id });
        self.perform_own(info, token, action).await
    }

    /// UpdateOpenIDConnectProviderThumbprint.
    pub async fn set_thumbprints(
        &self,
        info: &RequestInfo,
        token: &str,
        arn: &Arn,
        thumbprints: Vec<String>,
    ) -> Result<Receipt, ServiceError> {
        let (issuer, thumbprints) = (self.issuer_of(info, arn)?, sorted(thumbprints));
        let action = Action::Oidc(OidcAction::SetThumbprints { issuer, thumbprints });
        self.perform_own(info, token, action).await
    }

    fn issuer_of(&self, info: &RequestInfo, arn: &Arn) -> Result<IssuerUrl, ServiceError> {
        Ok(self.own_account(info)?.issuer_of(arn)?)
    }

    /// The keys can be had, as far as that can be seen without asking for them.
    fn check_keys(&self, provider: &OidcProvider) -> Result<(), Rejection> {
        let reach = self.settings.oidc_reach;
        let url = match &provider.keys {
            KeySource::Inline(set) => {
                return KeySet::parse(set.as_bytes())
                    .map(drop)
                    .map_err(|rule| Rejection::Validation(format!("The key set {rule}.")));
            }
            KeySource::Url(url) => url,
            KeySource::Discovery => provider.issuer.as_str(),
        };
        Endpoint::parse(url, reach)
            .map(drop)
            .map_err(|error| Rejection::Validation(format!("`{url}`: {error}.")))
    }
}

fn registered<'a>(account: &'a Account, issuer: &IssuerUrl) -> Option<&'a Arc<RegisteredProvider>> {
    account.oidc_providers.get(issuer.without_scheme())
}
