//! AuthorizationService: for services that take requests signed with our credentials.

mod grant;
mod identity;
mod question;
mod stream;

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};
use tonic_types::StatusExt as _;

use super::{Front, convert, field, status};
use crate::domain::access::{Permission, Resource};
use crate::domain::state::State;
use crate::identity::{AccountId, Arn};
use crate::proto::v1;
use crate::proto::v1::authorization_outcome::Outcome;
use crate::proto::v1::authorization_service_server::AuthorizationService;
use crate::proto::v1::{
    AuthenticateRequestRequest, AuthenticateRequestResponse, AuthorizationFailure,
    AuthorizationOutcome, AuthorizeRequest, AuthorizeResponse, AuthorizeSignedRequestRequest,
    AuthorizeSignedRequestResponse, BatchAuthorizeSignedRequestsRequest,
    BatchAuthorizeSignedRequestsResponse, FollowInvalidationsRequest, FollowInvalidationsResponse,
    GrantVerificationRequest, GrantVerificationResponse, StreamAuthorizeSignedRequestsRequest,
    StreamAuthorizeSignedRequestsResponse, VerifyIdentityTokenRequest, VerifyIdentityTokenResponse,
};
use crate::service::{
    Answer, Judged, RequestInfo, ResourceError, ResourceQuestion, ServiceError, Signed,
};

/// Requests of one batch.
const BATCH_MAX: usize = 256;
/// What asking about signed requests needs.
const AUTHORIZE: Permission = Permission::Authorize;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AuthorizationService for Front {
    async fn authenticate_request(
        &self,
        request: Request<AuthenticateRequestRequest>,
    ) -> Result<Response<AuthenticateRequestResponse>, Status> {
        let info = Self::info(&request)?;
        self.may_ask(&info, Permission::AuthenticateRequest)?;
        let signed =
            question::with_shown(&self.service, request.get_ref().request.as_ref(), |shown| {
                self.service.authenticate_shown(shown).map_err(Status::from)
            })?;
        Ok(Response::new(AuthenticateRequestResponse { identity: Some(identity(&signed)) }))
    }

    async fn authorize(
        &self,
        request: Request<AuthorizeRequest>,
    ) -> Result<Response<AuthorizeResponse>, Status> {
        let info = Self::info(&request)?;
        self.may_ask(&info, AUTHORIZE)?;
        let request = request.into_inner();
        let arn: Arn = field("principal_arn", &request.principal_arn)?;
        let view = self.service.view();
        let account = Self::account_of(&info)?;
        let caller = self.service.caller_of_arn(&view.state, account, &arn);
        let caller = caller.ok_or_else(|| Status::not_found("there is no such principal"))?;
        let ask = question::ask(request)?;
        let (owner, action) = (ask.resource_account, ask.action.as_str());
        let about = ResourceQuestion { owner, resource: &ask.resource, action };
        about.owner_for(account).map_err(|error| unanswered(&error))?;
        let judged = self.service.judge(&view.state, &caller, &ask);
        Ok(Response::new(AuthorizeResponse {
            verdict: super::policy::verdict(judged.trace.decision.verdict()).into(),
            matched: matched(&judged),
            message: judged.message,
        }))
    }

    async fn authorize_signed_request(
        &self,
        request: Request<AuthorizeSignedRequestRequest>,
    ) -> Result<Response<AuthorizeSignedRequestResponse>, Status> {
        let info = Self::info(&request)?;
        self.may_ask(&info, AUTHORIZE)?;
        let asking = Self::account_of(&info)?;
        let view = self.service.view();
        let answer = self.answer(asking, &view.state, request.into_inner())?;
        Ok(Response::new(answer))
    }

    async fn batch_authorize_signed_requests(
        &self,
        request: Request<BatchAuthorizeSignedRequestsRequest>,
    ) -> Result<Response<BatchAuthorizeSignedRequestsResponse>, Status> {
        let info = Self::info(&request)?;
        self.may_ask(&info, AUTHORIZE)?;
        let asking = Self::account_of(&info)?;
        let requests = request.into_inner().requests;
        if requests.len() > BATCH_MAX {
            return Err(Status::invalid_argument(format!(
                "a batch has at most {BATCH_MAX} requests"
            )));
        }
        let view = self.service.view();
        let outcomes = requests.into_iter().enumerate().map(|(index, question)| {
            let admitted = if index == 0 { Ok(()) } else { self.admit_further(&info) };
            outcome(admitted.and_then(|()| self.answer(asking, &view.state, question)))
        });
        Ok(Response::new(BatchAuthorizeSignedRequestsResponse { outcomes: outcomes.collect() }))
    }

    type StreamAuthorizeSignedRequestsStream = Answers<StreamAuthorizeSignedRequestsResponse>;

    async fn stream_authorize_signed_requests(
        &self,
        request: Request<Streaming<StreamAuthorizeSignedRequestsRequest>>,
    ) -> Result<Response<Self::StreamAuthorizeSignedRequestsStream>, Status> {
        let info = Self::info(&request)?;
        self.may_ask(&info, AUTHORIZE)?;
        Ok(Response::new(stream::answers(self.clone(), info, request.into_inner())))
    }

    async fn grant_verification(
        &self,
        request: Request<GrantVerificationRequest>,
    ) -> Result<Response<GrantVerificationResponse>, Status> {
        let info = Self::info(&request)?;
        grant::grant(self, &info, request.get_ref()).map(Response::new)
    }

    type FollowInvalidationsStream = Answers<FollowInvalidationsResponse>;

    async fn follow_invalidations(
        &self,
        request: Request<FollowInvalidationsRequest>,
    ) -> Result<Response<Self::FollowInvalidationsStream>, Status> {
        let info = Self::info(&request)?;
        let service = request.into_inner().service;
        grant::may_ask_for(self, &info, &service)?;
        Ok(Response::new(grant::invalidations(self.clone(), info, service)?))
    }

    async fn verify_identity_token(
        &self,
        request: Request<VerifyIdentityTokenRequest>,
    ) -> Result<Response<VerifyIdentityTokenResponse>, Status> {
        let info = Self::info(&request)?;
        self.may_ask(&info, Permission::VerifyIdentityToken)?;
        identity::verify(self, request.get_ref()).map(Response::new)
    }
}

impl Front {
    fn may_ask(&self, info: &RequestInfo, permission: Permission) -> Result<(), ServiceError> {
        self.may_ask_on(info, permission, &Resource::everything())
    }

    fn may_ask_on(
        &self,
        info: &RequestInfo,
        permission: Permission,
        resource: &Resource<'_>,
    ) -> Result<(), ServiceError> {
        self.service.admit_to(info, permission, resource)
    }

    /// Counts a question as a request of its own. The first of a call needs none: the call was counted when it came.
    fn admit_further(&self, info: &RequestInfo) -> Result<(), Status> {
        let admitted = self.service.admit_request(&info.caller);
        admitted.map_err(|throttled| status::of_throttled(&throttled))
    }

    /// Judges one request that a service of account `asking` shows.
    fn answer(
        &self,
        asking: AccountId,
        state: &State,
        question: AuthorizeSignedRequestRequest,
    ) -> Result<AuthorizeSignedRequestResponse, Status> {
        let (request, wish) = question::wish(question)?;
        question::with_shown(&self.service, request.as_ref(), |shown| {
            let answer = self.service.authorize_shown(state, asking, shown, &wish);
            answer.map(answered).map_err(|error| unanswered(&error))
        })
    }
}

/// What became of one question of many.
fn outcome(answer: Result<AuthorizeSignedRequestResponse, Status>) -> AuthorizationOutcome {
    let outcome = match answer {
        Ok(answer) => Outcome::Answer(answer),
        Err(status) => Outcome::Failure(failure(&status)),
    };
    AuthorizationOutcome { outcome: Some(outcome) }
}

fn unanswered(error: &ResourceError) -> Status {
    match error {
        ResourceError::Signer(error) => status::of_auth_error(error),
        ResourceError::NotYours | ResourceError::OwnAction(_) => {
            Status::permission_denied(error.to_string())
        }
        ResourceError::OtherOwner { .. } => Status::invalid_argument(error.to_string()),
    }
}

/// An error of one request of many. With a reason it is of the signer, without one of the question.
fn failure(status: &Status) -> AuthorizationFailure {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone());
    let of_signer = status.code() == tonic::Code::Unauthenticated
        || (status.code() == tonic::Code::PermissionDenied && reason.is_some());
    let code = reason.unwrap_or_else(|| "ValidationError".to_owned());
    AuthorizationFailure { code, message: status.message().to_owned(), of_signer }
}

fn answered(answer: Answer) -> AuthorizeSignedRequestResponse {
    let matched = answer.matched.into_iter().map(|(policy, statement, sid, denies)| {
        let statement = u32::try_from(statement).unwrap_or(u32::MAX);
        v1::MatchedStatement { policy, statement, sid: sid.unwrap_or_default(), denies }
    });
    AuthorizeSignedRequestResponse {
        identity: Some(identity(&answer.signed)),
        verdict: super::policy::verdict(answer.decision.verdict()).into(),
        message: answer.message,
        matched: matched.collect(),
        action: answer.action,
        encoded_message: answer.encoded.unwrap_or_default(),
    }
}

fn identity(signed: &Signed) -> v1::CallerIdentity {
    let caller = &signed.caller;
    v1::CallerIdentity {
        account_id: caller.principal.account().map(|id| id.to_string()).unwrap_or_default(),
        arn: caller.principal.arn().to_string(),
        user_id: caller.principal.user_id(),
        access_key_id: caller.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        expires_at: signed.expires_at.and_then(convert::time),
    }
}

fn matched(judged: &Judged) -> Vec<v1::MatchedStatement> {
    let statements = judged.trace.matched().map(|(policy, statement)| v1::MatchedStatement {
        policy: policy.name.clone(),
        statement: u32::try_from(statement.index).unwrap_or(u32::MAX),
        sid: statement.sid.clone().unwrap_or_default(),
        denies: statement.denies,
    });
    statements.collect()
}
