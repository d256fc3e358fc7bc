//! StsService: sessions for callers that have credentials.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Response, Status};

use super::{Front, convert, field, optional, status};
use crate::domain::command::{Action, SessionDraft, SessionRequest};
use crate::domain::event::{EventKind, Session, SessionSubject};
use crate::identity::{Arn, Invalid, Principal};
use crate::ledger::Receipt;
use crate::policy::{Policy, PolicyKind};
use crate::proto::v1::sts_service_server::StsService;
use crate::proto::v1::{
    AssumeRoleRequest, AssumeRoleResponse, DecodeAuthorizationMessageRequest,
    DecodeAuthorizationMessageResponse, GetCallerIdentityRequest, GetCallerIdentityResponse,
    GetSessionTokenRequest, GetSessionTokenResponse, Tag,
};
use crate::sts::{IssuedCredentials, RequestInfo};

/// What AssumeRole gives when no duration is asked for.
const ROLE_SESSION_DEFAULT: Duration = Duration::from_secs(3600);
/// What GetSessionToken gives a user, and a root, when no duration is asked for.
const USER_SESSION_DEFAULT: Duration = Duration::from_secs(43_200);
const ROOT_SESSION_DEFAULT: Duration = Duration::from_secs(3600);
/// Characters of a tag's key and value, and of an external id.
const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;
const EXTERNAL_ID_MIN: usize = 2;
const EXTERNAL_ID_MAX: usize = 1224;

#[tonic::async_trait]
impl StsService for Front {
    async fn assume_role(
        &self,
        request: Request<AssumeRoleRequest>,
    ) -> Result<Response<AssumeRoleResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let role_arn: Arn = field("role_arn", &request.role_arn)?;
        let invalid = |invalid: Invalid| status::of_invalid(&invalid, &info.request_id);
        let account = role_arn.account_id().filter(|_| role_arn.resource().starts_with("role/"));
        let account = account
            .ok_or_else(|| invalid(Invalid::new("role_arn", "must be the ARN of a role")))?;
        let duration = convert::duration("duration", request.duration).map_err(invalid)?;
        let draft = SessionDraft {
            key: Self::drawn(&info, self.service.draw_id("ASIA"))?,
            name: Some(field("role_session_name", &request.role_session_name)?),
            policy: session_policy(&request.policy)?,
            policy_arns: request
                .policy_arns
                .iter()
                .map(|arn| field("policy_arns", arn))
                .collect::<Result<_, _>>()?,
            tags: tags(&request.tags).map_err(invalid)?,
            transitive_tag_keys: request.transitive_tag_keys.into_iter().map(Arc::from).collect(),
            source_identity: optional("source_identity", &request.source_identity)?,
        };
        let session = Box::new(SessionRequest {
            draft,
            duration: duration.unwrap_or(ROLE_SESSION_DEFAULT),
            external_id: external_id(request.external_id).map_err(invalid)?,
        });
        let action = Action::IssueSession { role_arn: Some(role_arn), session };
        let receipt = self.perform_in(&info, &request.idempotency_token, account, action).await?;
        let (session, issued) = self.issued(&info, &receipt)?;
        let (mut assumed_role_id, mut arn) = (String::new(), String::new());
        if let SessionSubject::Role { role, role_id, session, .. } = &session.subject {
            assumed_role_id = format!("{role_id}:{session}");
            arn = Arn::assumed_role(account, role, session).to_string();
        }
        let source = session.source_identity.as_ref();
        Ok(Response::new(AssumeRoleResponse {
            credentials: Some(convert::credentials(&issued)),
            assumed_role_id,
            arn,
            source_identity: source.map(ToString::to_string).unwrap_or_default(),
            packed_policy_percent: issued.packed_percent,
            sequence: receipt.sequence,
        }))
    }

    async fn get_caller_identity(
        &self,
        request: Request<GetCallerIdentityRequest>,
    ) -> Result<Response<GetCallerIdentityResponse>, Status> {
        let principal = Self::info(&request)?.caller.principal;
        Ok(Response::new(GetCallerIdentityResponse {
            account_id: principal.account().map(|id| id.to_string()).unwrap_or_default(),
            arn: principal.arn(),
            user_id: principal.user_id(),
        }))
    }

    async fn decode_authorization_message(
        &self,
        request: Request<DecodeAuthorizationMessageRequest>,
    ) -> Result<Response<DecodeAuthorizationMessageResponse>, Status> {
        let info = Self::info(&request)?;
        let message = request.into_inner().encoded_message;
        let decoded_message = self
            .service
            .decode_authorization_message(&info, &message)
            .map_err(|rejection| status::of_rejection(&rejection, &info.request_id))?;
        Ok(Response::new(DecodeAuthorizationMessageResponse { decoded_message }))
    }

    async fn get_session_token(
        &self,
        request: Request<GetSessionTokenRequest>,
    ) -> Result<Response<GetSessionTokenResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let duration = convert::duration("duration", request.duration)
            .map_err(|invalid| status::of_invalid(&invalid, &info.request_id))?;
        let default = match info.caller.principal {
            Principal::Root { .. } => ROOT_SESSION_DEFAULT,
            _ => USER_SESSION_DEFAULT,
        };
        let draft = SessionDraft {
            key: Self::drawn(&info, self.service.draw_id("ASIA"))?,
            name: None,
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
        };
        let duration = duration.unwrap_or(default);
        let session = Box::new(SessionRequest { draft, duration, external_id: None });
        let action = Action::IssueSession { role_arn: None, session };
        let receipt = self.perform(&info, &request.idempotency_token, action).await?;
        let (_, issued) = self.issued(&info, &receipt)?;
        Ok(Response::new(GetSessionTokenResponse {
            credentials: Some(convert::credentials(&issued)),
            sequence: receipt.sequence,
        }))
    }
}

impl Front {
    /// The credentials of the session that the receipt's fact tells of.
    fn issued(
        &self,
        info: &RequestInfo,
        receipt: &Receipt,
    ) -> Result<(Session, IssuedCredentials), Status> {
        let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
        let issued = events.find_map(|event| match &event.kind {
            EventKind::SessionIssued { session } => Some((event.account, session.clone())),
            _ => None,
        });
        let (id, session) = issued.ok_or_else(|| Status::internal("no session was issued"))?;
        let view = self.service.view();
        let account = view.state.account(id);
        let account = account.ok_or_else(|| Status::not_found("the account does not exist"))?;
        let credentials = Self::drawn(info, self.service.session_credentials(account, &session))?;
        Ok((session, credentials))
    }
}

pub(super) fn session_policy(text: &str) -> Result<Option<Policy>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let policy = Policy::parse(text, PolicyKind::Session);
    policy.map(Some).map_err(|error| status::of_policy_error("policy", &error))
}

pub(super) fn tags(tags: &[Tag]) -> Result<BTreeMap<Arc<str>, Arc<str>>, Invalid> {
    let mut checked = BTreeMap::new();
    for tag in tags {
        let key_chars = tag.key.chars().count();
        if key_chars == 0 || key_chars > TAG_KEY_MAX {
            return Err(Invalid::new(
                "tags.key",
                format!("must have 1 to {TAG_KEY_MAX} characters"),
            ));
        }
        if tag.value.chars().count() > TAG_VALUE_MAX {
            let rule = format!("must have at most {TAG_VALUE_MAX} characters");
            return Err(Invalid::new("tags.value", rule));
        }
        let legal = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
        if !tag.key.chars().all(legal) || !tag.value.chars().all(legal) {
            return Err(Invalid::new("tags", "may hold letters, digits, spaces and _.:/=+-@"));
        }
        if checked.insert(Arc::from(tag.key.as_str()), Arc::from(tag.value.as_str())).is_some() {
            return Err(Invalid::new("tags", format!("`{}` is given twice", tag.key)));
        }
    }
    Ok(checked)
}

pub(super) fn external_id(text: String) -> Result<Option<Arc<str>>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    let length = text.len();
    if !(EXTERNAL_ID_MIN..=EXTERNAL_ID_MAX).contains(&length) || !text.bytes().all(legal) {
        let rule =
            format!("must be {EXTERNAL_ID_MIN} to {EXTERNAL_ID_MAX} of `[A-Za-z0-9_+=,.@:/-]`");
        return Err(Invalid::new("external_id", rule));
    }
    Ok(Some(Arc::from(text)))
}
