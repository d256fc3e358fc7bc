//! OpenID Connect providers.

use std::sync::Arc;

use serde::Serialize;

use super::shown::Tag;
use super::tags::{self, GivenTag, owner_tags};
use super::{MARKER_CHARS_MAX, reading, require};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::PAGE_MAX;
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::aws::xml::Time;
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::oidc::{KeySource, OidcAction, OidcProvider};
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::identity::{Arn, IssuerUrl};

owner_tags!(Arn, "OpenIDConnectProviderArn", owner);

request! {
    /// Source: IAM API Reference, CreateOpenIDConnectProvider.
    CreateProvider {
        url: String = "Url" [Length(1, 255)],
        client_ids: Vec<String> = "ClientIDList" [Items(0, 100), Length(1, 255)],
        thumbprints: Vec<String> = "ThumbprintList" [Items(0, 5), Length(40, 40)],
        tags: Vec<GivenTag> = "Tags" [Items(0, 50)],
    }
    /// Source: IAM API Reference, GetOpenIDConnectProvider and DeleteOpenIDConnectProvider.
    NamedProvider {
        arn: Arn = "OpenIDConnectProviderArn" [Length(20, 2048)],
    }
    /// Source: IAM API Reference, ListOpenIDConnectProviders.
    ListProviders {}
    /// Source: IAM API Reference, AddClientIDToOpenIDConnectProvider and
    /// RemoveClientIDFromOpenIDConnectProvider.
    ClientId {
        arn: Arn = "OpenIDConnectProviderArn" [Length(20, 2048)],
        client_id: String = "ClientID" [Length(1, 255)],
    }
    /// Source: IAM API Reference, UpdateOpenIDConnectProviderThumbprint.
    Thumbprints {
        arn: Arn = "OpenIDConnectProviderArn" [Length(20, 2048)],
        thumbprints: Vec<String> = "ThumbprintList" [Items(0, 5), Length(40, 40)],
    }
}

/// The result of CreateOpenIDConnectProvider.
#[derive(Serialize)]
pub(super) struct CreatedProvider {
    #[serde(rename = "OpenIDConnectProviderArn")]
    arn: String,
}

/// The result of GetOpenIDConnectProvider.
#[derive(Serialize)]
pub(super) struct Provider {
    /// Without its scheme, as AWS shows it.
    #[serde(rename = "Url")]
    url: String,
    #[serde(rename = "ClientIDList")]
    client_ids: Vec<String>,
    #[serde(rename = "ThumbprintList")]
    thumbprints: Vec<String>,
    #[serde(rename = "CreateDate")]
    create_date: Time,
    #[serde(rename = "Tags")]
    tags: Option<Vec<Tag>>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(rename = "Arn")]
    arn: String,
}

/// The result of ListOpenIDConnectProviders.
#[derive(Serialize)]
pub(super) struct Providers {
    #[serde(rename = "OpenIDConnectProviderList")]
    providers: Vec<Listed>,
}

fn sorted(texts: Vec<String>) -> Vec<Arc<str>> {
    let mut texts: Vec<Arc<str>> = texts.into_iter().map(Arc::from).collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The issuer of a provider's ARN, with the scheme that it is registered with, if it is.
fn issuer(account: &Account, arn: &Arn) -> Result<IssuerUrl, Fault> {
    let part = arn.resource().strip_prefix("oidc-provider/").unwrap_or_default();
    let registered = account.oidc_providers.get(part);
    let registered = registered.filter(|_| arn.account_id() == Some(account.id));
    match registered {
        Some(registered) => Ok(registered.issuer.clone()),
        None => Ok(IssuerUrl::parse(&format!("https://{part}"))?),
    }
}

fn owner(call: &Call<'_>, arn: Arn) -> Result<TagOwner, Fault> {
    Ok(TagOwner::OidcProvider(issuer(&call.state()?.1, &arn)?))
}

pub(super) async fn create(
    call: &Call<'_>,
    request: CreateProvider,
) -> Result<CreatedProvider, Fault> {
    let issuer = IssuerUrl::parse(&request.url)?;
    let account = call.account_id()?;
    let provider = OidcProvider {
        issuer: issuer.clone(),
        client_ids: sorted(request.client_ids),
        thumbprints: sorted(request.thumbprints),
        keys: KeySource::Discovery,
    };
    let tags = tags::given(request.tags)?;
    call.service.create_oidc_provider(call.info, "", account, (provider, tags)).await?;
    Ok(CreatedProvider { arn: Arn::oidc_provider(account, &issuer).to_string() })
}

pub(super) async fn get(call: &Call<'_>, request: NamedProvider) -> Result<Provider, Fault> {
    let (view, account) = call.state()?;
    let issuer = issuer(&account, &request.arn)?;
    let registered = account.oidc_providers.get(issuer.without_scheme());
    let known = registered.filter(|_| Arn::oidc_provider(account.id, &issuer) == request.arn);
    require(call, &view, request.arn.as_str(), known.map(|provider| &provider.tags))?;
    let provider = known.ok_or_else(|| Rejection::missing("OIDC provider", &request.arn))?;
    let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect();
    Ok(Provider {
        url: provider.issuer.without_scheme().to_owned(),
        client_ids: texts(&provider.client_ids),
        thumbprints: texts(&provider.thumbprints),
        create_date: Time(provider.created_at),
        tags: Tag::some(&provider.tags),
    })
}

pub(super) async fn list(call: &Call<'_>, _: ListProviders) -> Result<Providers, Fault> {
    let (_, account) = reading(call)?;
    let arns = account.oidc_providers.values();
    let arns = arns.map(|provider| Arn::oidc_provider(account.id, &provider.issuer));
    Ok(Providers { providers: arns.map(|arn| Listed { arn: arn.to_string() }).collect() })
}

async fn change(call: &Call<'_>, action: OidcAction) -> Result<(), Fault> {
    call.perform("", Action::Oidc(action)).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call<'_>, request: NamedProvider) -> Result<(), Fault> {
    let issuer = issuer(&call.state()?.1, &request.arn)?;
    change(call, OidcAction::Delete(issuer)).await
}

pub(super) async fn add_client_id(call: &Call<'_>, request: ClientId) -> Result<(), Fault> {
    let issuer = issuer(&call.state()?.1, &request.arn)?;
    let client_id = Arc::from(request.client_id);
    change(call, OidcAction::AddClientId { issuer, client_id }).await
}

pub(super) async fn remove_client_id(call: &Call<'_>, request: ClientId) -> Result<(), Fault> {
    let issuer = issuer(&call.state()?.1, &request.arn)?;
    let client_id = Arc::from(request.client_id);
    change(call, OidcAction::RemoveClientId { issuer, client_id }).await
}

pub(super) async fn set_thumbprints(call: &Call<'_>, request: Thumbprints) -> Result<(), Fault> {
    let issuer = issuer(&call.state()?.1, &request.arn)?;
    let thumbprints = sorted(request.thumbprints);
    change(call, OidcAction::SetThumbprints { issuer, thumbprints }).await
}
