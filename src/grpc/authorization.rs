//! AuthorizationService: for services that take requests signed with our credentials.

use std::collections::HashMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{Front, convert, field, optional, status};
use crate::clock::Timestamp;
use crate::domain::access::Caller;
use crate::identity::{AccountId, Arn};
use crate::policy::{Context, Policy, PolicyKind};
use crate::proto::v1;
use crate::proto::v1::authorization_service_server::AuthorizationService;
use crate::proto::v1::{
    AuthenticateRequestRequest, AuthenticateRequestResponse, AuthorizeRequest, AuthorizeResponse,
    AuthorizeSignedRequestRequest, AuthorizeSignedRequestResponse, ContextValues, SignedRequest,
};
use crate::signing::peek;
use crate::signing::sigv4::{PathStyle, Signable};
use crate::sts::{Ask, Judged, RequestInfo};

#[tonic::async_trait]
impl AuthorizationService for Front {
    async fn authenticate_request(
        &self,
        request: Request<AuthenticateRequestRequest>,
    ) -> Result<Response<AuthenticateRequestResponse>, Status> {
        let info = Self::info(&request)?;
        self.may_authorize(&info, "locum:AuthenticateRequest")?;
        let (_, identity) = self.signer(&info, request.into_inner().request)?;
        Ok(Response::new(AuthenticateRequestResponse { identity: Some(identity) }))
    }

    async fn authorize(
        &self,
        request: Request<AuthorizeRequest>,
    ) -> Result<Response<AuthorizeResponse>, Status> {
        let info = Self::info(&request)?;
        self.may_authorize(&info, "locum:Authorize")?;
        let request = request.into_inner();
        let arn: Arn = field("principal_arn", &request.principal_arn)?;
        let view = self.service.view();
        let account = Self::account_of(&info)?;
        let caller = self.service.caller_of_arn(&view.state, account, &arn);
        let caller = caller.ok_or_else(|| Status::not_found("there is no such principal"))?;
        let ask = ask(
            request.action,
            request.resource,
            &request.resource_account,
            &request.resource_policy,
            request.context,
        )?;
        let judged = self.service.judge(&view.state, &caller, &ask);
        Ok(Response::new(AuthorizeResponse {
            verdict: verdict(&judged).into(),
            matched: matched(&judged),
            message: judged.message,
        }))
    }

    async fn authorize_signed_request(
        &self,
        request: Request<AuthorizeSignedRequestRequest>,
    ) -> Result<Response<AuthorizeSignedRequestResponse>, Status> {
        let info = Self::info(&request)?;
        self.may_authorize(&info, "locum:Authorize")?;
        let request = request.into_inner();
        let (caller, identity) = self.signer(&info, request.request)?;
        let ask = ask(
            request.action,
            request.resource,
            &request.resource_account,
            &request.resource_policy,
            request.context,
        )?;
        let judged = self.service.judge(&self.service.view().state, &caller, &ask);
        Ok(Response::new(AuthorizeSignedRequestResponse {
            identity: Some(identity),
            verdict: verdict(&judged).into(),
            matched: matched(&judged),
            message: judged.message,
        }))
    }
}

impl Front {
    fn may_authorize(&self, info: &RequestInfo, action: &str) -> Result<(), Status> {
        let account = Self::account_of(info)?;
        let view = self.service.view();
        self.service
            .require(&view.state, info, account, action, "*")
            .map_err(|rejection| status::of_rejection(&rejection, &info.request_id))
    }

    fn signer(
        &self,
        info: &RequestInfo,
        request: Option<SignedRequest>,
    ) -> Result<(Caller, v1::CallerIdentity), Status> {
        let request = request.ok_or_else(|| Status::invalid_argument("`request` is missing"))?;
        let headers: Vec<(&str, &str)> =
            request.headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
        let signable = Signable {
            method: &request.method,
            path: &request.path,
            query: &request.query,
            headers: &headers,
            body_sha256: &request.body_sha256,
            path_style: if request.service == "s3" { PathStyle::S3 } else { PathStyle::Normalized },
        };
        let authenticated = self.service.authenticate_request(&signable, &request.service);
        let (caller, credential) =
            authenticated.map_err(|error| status::of_auth_error(&error, &info.request_id))?;
        let source_ip = match request.source_ip.as_str() {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| Status::invalid_argument("`source_ip` must be an IP address"))?,
            ),
        };
        let caller = Caller { source_ip, user_agent: Arc::from(""), ..caller };
        let expires_at = credential.session_token.as_deref().and_then(|token| self.end_of(token));
        let identity = v1::CallerIdentity {
            account_id: caller.principal.account().map(|id| id.to_string()).unwrap_or_default(),
            arn: caller.principal.arn(),
            user_id: caller.principal.user_id(),
            access_key_id: credential.access_key,
            expires_at: expires_at.and_then(convert::time),
        };
        Ok((caller, identity))
    }

    /// When the session of a token ends; the token has been opened once already.
    fn end_of(&self, token: &str) -> Option<Timestamp> {
        let sealed = peek(token).ok()?;
        let view = self.service.view();
        let account = view.state.account(sealed.account())?;
        self.service.session_end(account, sealed)
    }
}

fn ask(
    action: String,
    resource: String,
    resource_account: &str,
    resource_policy: &str,
    context: HashMap<String, ContextValues>,
) -> Result<Ask, Status> {
    if action.split_once(':').is_none_or(|(service, name)| service.is_empty() || name.is_empty()) {
        return Err(Status::invalid_argument("`action` must be `service:Action`"));
    }
    if resource != "*" {
        field::<Arn>("resource", &resource)?;
    }
    let resource_account: Option<AccountId> = optional("resource_account", resource_account)?;
    let resource_policy = match resource_policy {
        "" => None,
        text => Some(
            Policy::parse(text, PolicyKind::Resource)
                .map_err(|error| status::of_policy_error("resource_policy", &error))?,
        ),
    };
    let mut keys = Context::default();
    for (key, values) in context {
        if of_the_caller(&key) {
            return Err(Status::invalid_argument(format!("`{key}` follows from the caller")));
        }
        keys.insert_multi(&key, values.values);
    }
    Ok(Ask { action, resource, resource_account, resource_policy, context: keys })
}

/// Keys that only the signature may speak for.
fn of_the_caller(key: &str) -> bool {
    const KEYS: [&str; 5] =
        ["aws:principal", "aws:userid", "aws:username", "aws:tokenissuetime", "aws:sourceidentity"];
    let key = key.to_ascii_lowercase();
    KEYS.iter().any(|own| key.starts_with(own))
}

fn verdict(judged: &Judged) -> v1::Verdict {
    super::policy::verdict(judged.trace.decision.verdict())
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
