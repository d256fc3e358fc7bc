//! OpenID Connect providers.

use super::Decider;
use crate::domain::access::{Permission, Resource};
use crate::domain::entity::TagOwner;
use crate::domain::event::EventKind;
use crate::domain::oidc::{KeySource, OidcAction, OidcEvent, OidcProvider};
use crate::domain::quotas::Quota;
use crate::domain::rejection::Rejection;
use crate::identity::IssuerUrl;

/// Audiences of one provider (reference_iam-quotas).
const CLIENT_IDS_MAX: usize = 100;
/// Characters of an audience.
const CLIENT_ID_CHARS_MAX: usize = 255;
/// Thumbprints of one provider (reference_iam-quotas).
const THUMBPRINTS_MAX: usize = 5;
/// Characters of a thumbprint.
const THUMBPRINT_CHARS: usize = 40;
/// Characters of the URL of a key set.
const KEYS_URL_CHARS_MAX: usize = 512;
/// Bytes of a key set that is registered itself.
const INLINE_KEYS_BYTES_MAX: usize = 32 << 10;

impl Decider<'_> {
    pub(super) fn oidc(&mut self, action: &OidcAction) -> Result<(), Rejection> {
        match action {
            OidcAction::Create(provider, tags) => {
                let resource = Resource::new_provider(self.account.id, &provider.issuer, tags);
                let (create, tag) =
                    (Permission::CreateOpenIDConnectProvider, Permission::TagOpenIDConnectProvider);
                self.require_creation(create, tag, &resource)?;
                check(provider)?;
                let providers = &self.account.oidc_providers;
                if providers.contains_key(provider.issuer.without_scheme()) {
                    return Err(Rejection::exists("OIDC provider", &provider.issuer));
                }
                self.check_quota(Quota::Providers, 1)?;
                self.emit(EventKind::Oidc(OidcEvent::Created(provider.clone())));
                self.tag_created(TagOwner::OidcProvider(provider.issuer.clone()), tags)?;
            }
            OidcAction::Update(provider) => {
                self.require_provider(Permission::UpdateOpenIDConnectProvider, &provider.issuer)?;
                self.known(&provider.issuer)?;
                check(provider)?;
                self.emit(EventKind::Oidc(OidcEvent::Updated(provider.clone())));
            }
            OidcAction::Delete(issuer) => {
                self.require_provider(Permission::DeleteOpenIDConnectProvider, issuer)?;
                self.known(issuer)?;
                self.emit(EventKind::Oidc(OidcEvent::Deleted(issuer.clone())));
            }
            OidcAction::AddClientId { issuer, client_id } => {
                let permission = Permission::AddClientIDToOpenIDConnectProvider;
                return self.change_provider(permission, issuer, |provider| {
                    if !provider.client_ids.contains(client_id) {
                        provider.client_ids.push(client_id.clone());
                        provider.client_ids.sort_unstable();
                    }
                });
            }
            OidcAction::RemoveClientId { issuer, client_id } => {
                let permission = Permission::RemoveClientIDFromOpenIDConnectProvider;
                return self.change_provider(permission, issuer, |provider| {
                    provider.client_ids.retain(|other| other != client_id);
                });
            }
            OidcAction::SetThumbprints { issuer, thumbprints } => {
                let permission = Permission::UpdateOpenIDConnectProviderThumbprint;
                return self.change_provider(permission, issuer, |provider| {
                    provider.thumbprints.clone_from(thumbprints);
                });
            }
        }
        Ok(())
    }

    /// Changes a part of a provider; nothing happens if it is so already.
    fn change_provider(
        &mut self,
        permission: Permission,
        issuer: &IssuerUrl,
        change: impl FnOnce(&mut OidcProvider),
    ) -> Result<(), Rejection> {
        self.require_provider(permission, issuer)?;
        self.known(issuer)?;
        let registered = self.account.oidc_providers.get(issuer.without_scheme());
        let before = registered.map(|registered| registered.provider.clone());
        let Some(before) = before else {
            return Err(Rejection::missing("OIDC provider", issuer));
        };
        let mut provider = before.clone();
        change(&mut provider);
        check(&provider)?;
        if provider != before {
            self.emit(EventKind::Oidc(OidcEvent::Updated(provider)));
        }
        Ok(())
    }

    fn require_provider(
        &self,
        permission: Permission,
        issuer: &IssuerUrl,
    ) -> Result<(), Rejection> {
        self.require(permission, &Resource::provider(self.account, issuer))
    }

    fn known(&self, issuer: &IssuerUrl) -> Result<(), Rejection> {
        let provider = self.account.oidc_providers.get(issuer.without_scheme());
        let same = provider.filter(|provider| provider.issuer == *issuer);
        same.map(drop).ok_or_else(|| Rejection::missing("OIDC provider", issuer))
    }
}

fn check(provider: &OidcProvider) -> Result<(), Rejection> {
    let invalid = |rule: String| Err(Rejection::Validation(rule));
    let ids = &provider.client_ids;
    if ids.len() > CLIENT_IDS_MAX {
        let (quota, max) = ("ClientIdsPerOpenIdConnectProvider", CLIENT_IDS_MAX);
        return Err(Rejection::LimitExceeded { quota, max });
    }
    if ids.iter().any(|id| id.is_empty() || id.chars().count() > CLIENT_ID_CHARS_MAX) {
        return invalid(format!("A client id has 1 to {CLIENT_ID_CHARS_MAX} characters."));
    }
    if provider.thumbprints.len() > THUMBPRINTS_MAX {
        let (quota, max) = ("ThumbprintsPerOpenIdConnectProvider", THUMBPRINTS_MAX);
        return Err(Rejection::LimitExceeded { quota, max });
    }
    let hex = |text: &str| {
        text.len() == THUMBPRINT_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    if !provider.thumbprints.iter().all(|text| hex(text)) {
        return invalid(format!("A thumbprint has {THUMBPRINT_CHARS} hexadecimal digits."));
    }
    match &provider.keys {
        KeySource::Url(url) if url.len() > KEYS_URL_CHARS_MAX => {
            invalid(format!("The URL of a key set has at most {KEYS_URL_CHARS_MAX} characters."))
        }
        KeySource::Inline(keys) if keys.len() > INLINE_KEYS_BYTES_MAX => {
            invalid(format!("A key set has at most {INLINE_KEYS_BYTES_MAX} bytes."))
        }
        _ => Ok(()),
    }
}
