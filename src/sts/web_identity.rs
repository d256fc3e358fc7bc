//! AssumeRoleWithWebIdentity, and the providers whose tokens it takes. The call is not signed: the token is
//! the credential. It is checked here, as that takes the provider's keys; whom the role trusts is decided
//! where the session is written.

use std::sync::Arc;

use super::request::{self, AssumeRoleWithWebIdentity};
use super::sessions::Issued;
use super::{RequestInfo, Service, ServiceError};
use crate::domain::access::Caller;
use crate::domain::command::Action;
use crate::domain::oidc::{KeySource, OidcAction, OidcProvider, RegisteredProvider};
use crate::domain::rejection::Rejection;
use crate::domain::session::{Operation, ProvenIdentity, SessionDraft, SessionRequest};
use crate::domain::tags::Tags;
use crate::identity::{AccountId, Arn, Principal, WebIdentity};
use crate::ledger::Receipt;
use crate::metrics::{self, Denial};
use crate::oidc::{Endpoint, Identity, IdentityError, KeySet, Source, Unverified};

impl Service {
    /// AssumeRoleWithWebIdentity, for whoever holds the token.
    ///
    /// # Errors
    /// The request breaks a constraint, the token is not good, the role does not trust its holder, or the
    /// session cannot be written.
    pub async fn assume_role_with_web_identity(
        &self,
        info: &RequestInfo,
        token: &str,
        asked: &AssumeRoleWithWebIdentity,
    ) -> Result<Issued, ServiceError> {
        asked.check()?;
        let (role_arn, account) = request::role(asked.role_arn.as_deref())?;
        if asked.provider_id.is_some() {
            let rule = "ProviderId is for OAuth 2.0 access tokens, which are not taken.";
            return Err(Rejection::Validation(rule.to_owned()).into());
        }
        let jwt = asked.web_identity_token.as_deref().unwrap_or_default();
        let (provider, identity) = self.identity_of(account, jwt).await.inspect_err(|error| {
            if !matches!(error, IdentityError::Unreachable(_)) {
                metrics::authentication().denied(Denial::WebIdentity);
            }
        })?;
        let info = RequestInfo {
            caller: Caller {
                principal: Principal::Federated(Arc::from(
                    Arn::oidc_provider(account, &provider.issuer).as_str(),
                )),
                key: None,
                session: None,
                ..info.caller.clone()
            },
            ..info.clone()
        };
        // Once the token is proved: a stranger takes none of the account's sessions.
        self.admit_session(account)?;
        let session = self.session_of(asked, &identity)?;
        let proven = ProvenIdentity {
            identity: WebIdentity {
                issuer: Arc::from(provider.issuer.without_scheme()),
                subject: Arc::from(identity.subject),
                audience: Arc::from(identity.audience),
            },
            audiences: identity.audiences,
            methods: identity.methods,
        };
        let operation = Operation::AssumeRoleWithWebIdentity(role_arn, Box::new(proven));
        self.issue(&info, token, account, operation, session).await
    }

    /// The provider of a token and who it says that the holder is.
    async fn identity_of(
        &self,
        account: AccountId,
        jwt: &str,
    ) -> Result<(Arc<RegisteredProvider>, Identity), IdentityError> {
        let unverified = Unverified::parse(jwt)?;
        let view = self.view();
        let issuer = unverified.issuer();
        let unknown = || {
            let shown: String = issuer.chars().take(ISSUER_CHARS_SHOWN).collect();
            let told = format!("No OpenIDConnect provider found in your account for {shown}");
            IdentityError::Invalid(told)
        };
        let key = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
        // An account that is not there and one without the provider look alike.
        let account = view.state.account(account).filter(|account| account.enabled);
        let provider = account.and_then(|account| account.oidc_providers.get(key));
        let provider = provider.filter(|provider| provider.issuer.as_str() == issuer);
        let provider = provider.cloned().ok_or_else(unknown)?;
        let key_id = unverified.key_id();
        let keys = match &provider.keys {
            KeySource::Inline(set) => KeySet::parse(set.as_bytes())
                .map(Arc::new)
                .map_err(|rule| IdentityError::Unreachable(format!("the registered set {rule}")))?,
            KeySource::Url(url) => {
                self.oidc_keys.keys(&Source::Url(url.to_string()), key_id).await?
            }
            KeySource::Discovery => {
                self.oidc_keys.keys(&Source::Discovery(issuer.to_owned()), key_id).await?
            }
        };
        let identity = unverified.verify(&keys, &provider.client_ids, self.now())?;
        Ok((provider, identity))
    }

    fn session_of(
        &self,
        asked: &AssumeRoleWithWebIdentity,
        identity: &Identity,
    ) -> Result<SessionRequest, ServiceError> {
        let tags = &identity.tags;
        request::check_token_members(identity)?;
        let draft = request::draft(
            self.draw_id("ASIA")?,
            asked.policy.as_deref(),
            &asked.policy_arns,
            &tags.tags,
        )?;
        let transitive = tags.transitive_tag_keys.iter().map(|key| Arc::from(key.as_str()));
        let draft = SessionDraft {
            name: request::parsed(asked.role_session_name.as_deref())?,
            transitive_tag_keys: transitive.collect(),
            source_identity: request::parsed(identity.source_identity.as_deref())?,
            ..draft
        };
        let duration = request::duration(asked.duration_seconds, request::ROLE_SESSION_DEFAULT);
        Ok(SessionRequest { draft, duration, external_id: None, mfa: None })
    }

    /// Registers a provider, with its tags.
    ///
    /// # Errors
    /// The caller may not, it breaks a rule, or it cannot be written.
    pub async fn create_oidc_provider(
        &self,
        info: &RequestInfo,
        token: &str,
        account: AccountId,
        (provider, tags): (OidcProvider, Tags),
    ) -> Result<Receipt, ServiceError> {
        self.check_keys(&provider)?;
        let action = Action::Oidc(OidcAction::Create(provider, tags));
        self.perform(info, token, account, action).await
    }

    /// Registers everything of a provider anew but its issuer.
    ///
    /// # Errors
    /// As `create_oidc_provider`.
    pub async fn update_oidc_provider(
        &self,
        info: &RequestInfo,
        token: &str,
        account: AccountId,
        provider: OidcProvider,
    ) -> Result<Receipt, ServiceError> {
        self.check_keys(&provider)?;
        let action = Action::Oidc(OidcAction::Update(provider));
        self.perform(info, token, account, action).await
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

/// Characters of an issuer that nobody registered that a message repeats.
const ISSUER_CHARS_SHOWN: usize = 255;
