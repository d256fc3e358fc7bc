//! OpenID Connect providers of an account: whose tokens AssumeRoleWithWebIdentity takes.
//! Source: IAM User Guide, id_roles_providers_create_oidc; IAM API Reference, CreateOpenIDConnectProvider.

use std::sync::Arc;

use super::state::Account;
use super::tags::Tags;
use crate::clock::Timestamp;
use crate::identity::{Arn, Invalid, IssuerUrl};

/// A provider as it is registered. Its issuer names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProvider {
    /// What its tokens have in `iss`.
    pub issuer: IssuerUrl,
    /// The audiences that its tokens may be for, sorted.
    pub client_ids: Vec<Arc<str>>,
    /// SHA-1 of its certificates in hexadecimal, as AWS had them. Kept for clients that send them; servers
    /// are known by the roots that the system trusts.
    pub thumbprints: Vec<Arc<str>>,
    /// Where its keys come from.
    pub keys: KeySource,
}

/// Where the keys of a provider come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// From the `jwks_uri` of the issuer's discovery document.
    Discovery,
    /// From a URL.
    Url(Arc<str>),
    /// From here: a JSON Web Key Set.
    Inline(Arc<str>),
}

/// What is asked of providers.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OidcAction {
    Create(OidcProvider, Tags),
    /// Everything but the issuer and the tags anew.
    Update(OidcProvider),
    Delete(IssuerUrl),
    AddClientId {
        issuer: IssuerUrl,
        client_id: Arc<str>,
    },
    RemoveClientId {
        issuer: IssuerUrl,
        client_id: Arc<str>,
    },
    SetThumbprints {
        issuer: IssuerUrl,
        /// Sorted.
        thumbprints: Vec<Arc<str>>,
    },
}

/// What happens to providers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OidcEvent {
    Created(OidcProvider),
    Updated(OidcProvider),
    Deleted(IssuerUrl),
}

impl OidcEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "OpenIdConnectProviderCreated",
            Self::Updated(_) => "OpenIdConnectProviderUpdated",
            Self::Deleted(_) => "OpenIdConnectProviderDeleted",
        }
    }

    /// The provider's issuer.
    #[must_use]
    pub fn issuer(&self) -> &IssuerUrl {
        match self {
            Self::Created(provider) | Self::Updated(provider) => &provider.issuer,
            Self::Deleted(issuer) => issuer,
        }
    }
}

/// A provider in an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredProvider {
    /// When it was registered.
    pub created_at: Timestamp,
    /// What was registered.
    pub provider: OidcProvider,
    /// Its tags.
    pub tags: Tags,
}

impl std::ops::Deref for RegisteredProvider {
    type Target = OidcProvider;

    fn deref(&self) -> &OidcProvider {
        &self.provider
    }
}

/// `HOST/PATH` of a provider's ARN.
fn issuer_part(arn: &Arn) -> &str {
    arn.resource().strip_prefix("oidc-provider/").unwrap_or_default()
}

impl Account {
    /// The provider with exactly this ARN.
    #[must_use]
    pub fn provider_by_arn(&self, arn: &Arn) -> Option<&Arc<RegisteredProvider>> {
        let provider = self.oidc_providers.get(issuer_part(arn));
        provider.filter(|found| Arn::oidc_provider(self.id, &found.issuer) == *arn)
    }

    /// The issuer of a provider's ARN; with the scheme that it is registered with, if it is.
    ///
    /// # Errors
    /// It is the ARN of no provider.
    pub fn issuer_of(&self, arn: &Arn) -> Result<IssuerUrl, Invalid> {
        match self.provider_by_arn(arn) {
            Some(provider) => Ok(provider.issuer.clone()),
            None => IssuerUrl::parse(&format!("https://{}", issuer_part(arn))),
        }
    }

    pub(super) fn apply_oidc(&mut self, time: Timestamp, event: &OidcEvent) -> Option<()> {
        let key: Box<str> = Box::from(event.issuer().without_scheme());
        match event {
            OidcEvent::Created(provider) => {
                let (provider, tags) = (provider.clone(), Tags::default());
                let registered = RegisteredProvider { created_at: time, provider, tags };
                self.oidc_providers.insert(key, Arc::new(registered));
            }
            OidcEvent::Updated(provider) => {
                let registered = self.oidc_providers.get_mut(&key)?;
                Arc::make_mut(registered).provider = provider.clone();
            }
            OidcEvent::Deleted(_) => {
                self.oidc_providers.remove(&key)?;
            }
        }
        Some(())
    }
}
