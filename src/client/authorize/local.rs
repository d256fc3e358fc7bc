//! Verifying and judging by oneself, with grants.

use std::sync::Arc;

use http::StatusCode;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::body::Shown;
use super::follower::{Grants, follow};
use super::grant::Grant;
use super::remote::Remote;
use super::{Asked, Authorized, Refusal, Settings};
use crate::client::SignedChannel;
use crate::clock::Clock;
use crate::identity::AccountId;
use crate::proto::v1::GrantVerificationRequest;
use crate::proto::v1::authorization_service_client::AuthorizationServiceClient;
use crate::signing::sigv4::{Expectations, check, parse};

/// Grants that are asked for at once. Strangers can cause no more calls than this.
const ASKING_MAX: usize = 64;

pub(super) struct Local {
    remote: Remote,
    locum: SignedChannel,
    grants: Arc<Grants>,
    asking: Semaphore,
    /// Ends with the authorizer.
    _follower: AbortOnDropHandle<()>,
}

impl Local {
    pub(super) fn new(locum: SignedChannel, account: AccountId, service: &str) -> Self {
        let grants = Arc::new(Grants::new(Clock::System));
        let follower = tokio::spawn(follow(grants.clone(), locum.clone(), service.to_owned()));
        Self {
            remote: Remote::new(locum.clone(), account),
            locum,
            grants,
            asking: Semaphore::new(ASKING_MAX),
            _follower: AbortOnDropHandle::new(follower),
        }
    }

    pub(super) fn account(&self) -> AccountId {
        self.remote.account()
    }

    pub(super) async fn authorize(
        &self,
        settings: &Settings,
        shown: &Shown,
        asked: &Asked,
    ) -> Result<Authorized, Refusal> {
        if let Some(judged) = self.judge(settings, shown, asked)? {
            return judged;
        }
        if self.grants.in_step() {
            self.ask_for_grant(settings, shown).await?;
            if let Some(judged) = self.judge(settings, shown, asked)? {
                return judged;
            }
        }
        self.remote.authorize(settings, shown, asked).await
    }

    /// Judges a request if there is a grant for its signer.
    fn judge(
        &self,
        settings: &Settings,
        shown: &Shown,
        asked: &Asked,
    ) -> Result<Option<Result<Authorized, Refusal>>, Refusal> {
        let now = self.grants.now();
        shown.with(|request| {
            let told = |error| Refusal::of_signature(&error);
            let credential = parse(request.headers, request.query).map_err(told)?;
            let expectations = Expectations {
                hosts: &settings.hosts,
                ..Expectations::new(&settings.service, &settings.regions)
            };
            check(&credential, request, now, &expectations).map_err(told)?;
            let grant = self.grants.get(credential.scoped());
            let grant = grant.filter(|grant| grant.is_for(credential.session_token(), now));
            let account = self.account();
            Ok(grant
                .and_then(|grant| grant.judge(account, settings, shown, &credential, asked, now)))
        })
    }

    /// Has the request's signer verified and keeps the grant.
    async fn ask_for_grant(&self, settings: &Settings, shown: &Shown) -> Result<(), Refusal> {
        let (scoped, token) = shown.with(|request| {
            let credential = parse(request.headers, request.query);
            let credential = credential.map_err(|error| Refusal::of_signature(&error))?;
            let token = credential.session_token().map(str::to_owned);
            Ok::<_, Refusal>((credential.scoped().to_owned(), token))
        })?;
        // A signer whose requests are asked about one by one is known already.
        let now = self.grants.now();
        if self.grants.get(&scoped).is_some_and(|grant| grant.is_for(token.as_deref(), now)) {
            return Ok(());
        }
        let Ok(_permit) = self.asking.try_acquire() else {
            let message = "Too many signers are new at once. Please try again.";
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", message));
        };
        let mut client = AuthorizationServiceClient::new(self.locum.clone());
        let request = GrantVerificationRequest { request: Some(shown.message(settings)) };
        let answer = match client.grant_verification(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::Unauthenticated => {
                let details = status.get_error_details();
                let code = details.error_info().map_or("AccessDenied", |info| &info.reason);
                return Err(Refusal::of_signer(code, status.message()));
            }
            // Whatever else is in the way of a grant, the request itself can be asked about.
            Err(status) => {
                tracing::warn!(code = ?status.code(), error = status.message(), "no grant");
                return Ok(());
            }
        };
        if let Some(grant) = Grant::read(answer, token.as_deref()) {
            self.grants.insert(&scoped, Arc::new(grant));
        }
        Ok(())
    }
}
