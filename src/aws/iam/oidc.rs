//! OpenID Connect providers.

use std::sync::Arc;

use serde::Serialize;

use super::shown::Tag;
use super::tags::{self, GivenTag, owner_tags};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::PAGE_MAX;
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::aws::xml::Time;
use crate::identity::{Arn, IssuerUrl};
use crate::service::{NewProvider, ProviderSettings};

owner_tags!(Provider, Arn, "OpenIDConnectProviderArn");

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

pub(super) async fn create(
    call: &Call<'_>,
    request: CreateProvider,
) -> Result<CreatedProvider, Fault> {
    let asked = NewProvider {
        issuer: IssuerUrl::parse(&request.url)?,
        settings: ProviderSettings {
            client_ids: request.client_ids,
            thumbprints: request.thumbprints,
            ..ProviderSettings::default()
        },
        tags: tags::given(request.tags)?,
    };
    let made = call.service.create_provider(call.info, "", asked).await?;
    let issuer = &made.entity()?.issuer;
    Ok(CreatedProvider { arn: Arn::oidc_provider(made.account.id, issuer).to_string() })
}

pub(super) async fn get(call: &Call<'_>, request: NamedProvider) -> Result<Provider, Fault> {
    let provider = call.service.provider(call.info, 0, &request.arn).await?.entity;
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
    let account = call.service.list_providers(call.info, 0).await?.account;
    let arns = account.oidc_providers.values();
    let arns = arns.map(|provider| Arn::oidc_provider(account.id, &provider.issuer));
    Ok(Providers { providers: arns.map(|arn| Listed { arn: arn.to_string() }).collect() })
}

pub(super) async fn delete(call: &Call<'_>, request: NamedProvider) -> Result<(), Fault> {
    call.service.delete_provider(call.info, "", &request.arn).await?;
    Ok(())
}

pub(super) async fn add_client_id(call: &Call<'_>, request: ClientId) -> Result<(), Fault> {
    call.service.add_client_id(call.info, "", &request.arn, request.client_id).await?;
    Ok(())
}

pub(super) async fn remove_client_id(call: &Call<'_>, request: ClientId) -> Result<(), Fault> {
    call.service.remove_client_id(call.info, "", &request.arn, request.client_id).await?;
    Ok(())
}

pub(super) async fn set_thumbprints(call: &Call<'_>, request: Thumbprints) -> Result<(), Fault> {
    call.service.set_thumbprints(call.info, "", &request.arn, request.thumbprints).await?;
    Ok(())
}
