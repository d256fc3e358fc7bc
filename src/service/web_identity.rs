//! AssumeRoleWithWebIdentity, and the providers whose tokens it takes. The call is not signed: the token is
//! the credential. It is checked here, as that takes the provider's keys; whom the role trusts is decided
//! where the session is written.

use std::sync::Arc;

use super::request::{self, AssumeRoleWithWebIdentity};
use super::sessions::Issued;
use super::{RequestInfo, Service, ServiceError};
use crate::domain::access::Caller;
use crate::domain::oidc::{KeySource, RegisteredProvider};
use crate::domain::rejection::Rejection;
use crate::domain::session::{Operation, ProvenIdentity, SessionDraft, SessionRequest};
use crate::identity::{AccountId, Arn, Principal, WebIdentity};
use crate::metrics::{self, Denial};
use crate::oidc::{Identity, IdentityError, KeySet, Source, Unverified};

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
        let proved = self.identity_of(account, jwt).await.and_then(|(provider, identity)| {
            let authorized = identity.authorizes(role_arn.as_str())?;
            Ok((provider, identity, authorized))
        });
        let (provider, identity, role_authorized) = proved.inspect_err(|error| {
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
                // Nothing is signed that would say which region is meant.
                region: Some(self.own_region()),
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
            claims: identity.exposed,
            role_authorized,
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
}

/// Characters of an issuer that nobody registered that a message repeats.
const ISSUER_CHARS_SHOWN: usize = 255;
