//! What happens to OpenID Connect providers, stored and read.

use std::sync::Arc;

use super::decode::{Decoded, part, read as parsed, required};
use crate::domain::oidc::{KeySource, OidcEvent, OidcProvider};
use crate::proto::stored::{self, event::Kind, oidc_provider::Keys};

pub(super) fn stored(event: &OidcEvent) -> Kind {
    match event {
        OidcEvent::Created(provider) => Kind::OidcProviderCreated(of(provider)),
        OidcEvent::Updated(provider) => Kind::OidcProviderUpdated(of(provider)),
        OidcEvent::Deleted(issuer) => Kind::OidcProviderDeleted(issuer.to_string()),
    }
}

fn of(provider: &OidcProvider) -> stored::OidcProvider {
    let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect();
    stored::OidcProvider {
        issuer: provider.issuer.to_string(),
        client_ids: texts(&provider.client_ids),
        thumbprints: texts(&provider.thumbprints),
        keys: Some(match &provider.keys {
            KeySource::Discovery => Keys::Discovery(stored::Nothing {}),
            KeySource::Url(url) => Keys::Url(url.to_string()),
            KeySource::Inline(keys) => Keys::Inline(keys.to_string()),
        }),
    }
}

pub(super) fn read(kind: Kind) -> Decoded<OidcEvent> {
    Ok(match kind {
        Kind::OidcProviderCreated(created) => OidcEvent::Created(provider(created)?),
        Kind::OidcProviderUpdated(updated) => OidcEvent::Updated(provider(updated)?),
        Kind::OidcProviderDeleted(issuer) => OidcEvent::Deleted(parsed(&issuer)?),
        _ => return Err(part("is no kind of a provider")),
    })
}

fn provider(stored: stored::OidcProvider) -> Decoded<OidcProvider> {
    let texts = |texts: Vec<String>| texts.into_iter().map(Arc::from).collect();
    Ok(OidcProvider {
        issuer: parsed(&stored.issuer)?,
        client_ids: texts(stored.client_ids),
        thumbprints: texts(stored.thumbprints),
        keys: match required(stored.keys, "keys")? {
            Keys::Discovery(_) => KeySource::Discovery,
            Keys::Url(url) => KeySource::Url(Arc::from(url)),
            Keys::Inline(keys) => KeySource::Inline(Arc::from(keys)),
        },
    })
}
