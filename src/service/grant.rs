//! Grants: what a resource service needs to verify and judge one signer's further requests by itself, for
//! a few minutes. What it can do with a grant, and what not, is argued in `client::authorize`.

use std::time::Duration;

use super::Service;
use super::authenticate::{AuthError, Signed};
use super::resource::Shown;
use crate::clock::Timestamp;
use crate::domain::access::{Question, REQUEST_KEYS, gathered};
use crate::identity::AccountId;
use crate::policy::{Context, Policies};
use crate::signing::sigv4::{OWN_SERVICES, SigningKey};

/// How long a grant lasts at most. Until then, changes void it by way of the stream of invalidations.
pub const GRANT_LIFETIME: Duration = Duration::from_secs(300);

/// What a resource service is given, but for the policies.
#[derive(Debug)]
pub struct Grant {
    /// Who the signer is.
    pub signed: Signed,
    /// The key of the day, region and service of the request that was shown; none for a signer of another
    /// account, whose policies are not for the service to see.
    pub key: Option<SigningKey>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The record that it takes into account.
    pub sequence: u64,
}

/// Why there is no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The request is not signed as it has to be.
    #[error(transparent)]
    Signer(#[from] AuthError),
    /// The service's requests are judged here.
    #[error("requests to `{0}` are verified by Locum alone")]
    OwnService(String),
}

impl Service {
    /// A grant for the signer of a request that a service of account `asking` shows. `describe` is handed
    /// the condition keys that follow from the signer and the policies that bear on them.
    ///
    /// # Errors
    /// The request is not signed as it has to be, or is for a service of our own.
    pub fn grant<T>(
        &self,
        asking: AccountId,
        shown: &Shown<'_>,
        describe: impl FnOnce(&Context, &Policies<'_>) -> T,
    ) -> Result<(Grant, Option<T>), GrantError> {
        let service = shown.expectations.service;
        if OWN_SERVICES.contains(&service) {
            return Err(GrantError::OwnService(service.to_owned()));
        }
        // Before the signer is looked at, so that whatever changes since voids the grant.
        let view = self.view();
        let (signed, key) = self.signer_of(shown)?;
        let own = signed.caller.principal.account() == Some(asking);
        let trusted = own || asking == AccountId::OPERATOR;
        let now = self.now();
        let end = now.plus(GRANT_LIFETIME);
        let expires_at = signed.expires_at.map_or(end, |session_end| session_end.min(end));
        let question = Question {
            caller: &signed.caller,
            action: "locum:GrantVerification",
            resource: "*",
            resource_account: Some(asking),
            resource_policy: None,
            role_trust: false,
            time: now,
        };
        let described = trusted.then(|| {
            gathered(&view.state, &question, &Context::default(), |request, policies| {
                let mut context = request.context.clone();
                for key in REQUEST_KEYS {
                    context.remove(key);
                }
                describe(&context, policies)
            })
        });
        let sequence = view.sequence;
        Ok((Grant { signed, key: trusted.then_some(key), expires_at, sequence }, described))
    }
}
