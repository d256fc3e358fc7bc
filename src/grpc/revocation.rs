//! RevocationService: voids sessions, and tells what was issued.

use tonic::{Request, Response, Status};

use super::event::from_log;
use super::{Front, convert, field, last_use, optional, page, status};
use crate::clock::Timestamp;
use crate::domain::command::{Action, RevocationTarget};
use crate::domain::revocation::{Cutoff, RevocationScope};
use crate::domain::state::Account;
use crate::identity::Invalid;
use crate::log::Sequence;
use crate::proto::v1;
use crate::proto::v1::revocation_service_server::RevocationService;
use crate::proto::v1::{
    ListRevocationsRequest, ListRevocationsResponse, ListSessionsRequest, ListSessionsResponse,
    RevokeInstanceSessionsRequest, RevokeInstanceSessionsResponse, RevokeRoleSessionsRequest,
    RevokeRoleSessionsResponse, RevokeSessionRequest, RevokeSessionResponse,
    RevokeUserSessionsRequest, RevokeUserSessionsResponse,
};
use crate::sts::{IssuedSession, RequestInfo, Wanted};

/// What it takes to look.
const LIST: &str = "locum:ListSessions";

#[tonic::async_trait]
impl RevocationService for Front {
    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let target = RevocationTarget::Session(field("access_key_id", &request.access_key_id)?);
        let token = &request.idempotency_token;
        let sequence = self.revoke(&info, token, target, None, request.chained).await?;
        Ok(Response::new(RevokeSessionResponse { sequence }))
    }

    async fn revoke_instance_sessions(
        &self,
        request: Request<RevokeInstanceSessionsRequest>,
    ) -> Result<Response<RevokeInstanceSessionsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let target = RevocationTarget::Instance(field("instance_id", &request.instance_id)?);
        let before = moment("before", request.before)?;
        let token = &request.idempotency_token;
        let sequence = self.revoke(&info, token, target, before, request.chained).await?;
        Ok(Response::new(RevokeInstanceSessionsResponse { sequence }))
    }

    async fn revoke_role_sessions(
        &self,
        request: Request<RevokeRoleSessionsRequest>,
    ) -> Result<Response<RevokeRoleSessionsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let target = RevocationTarget::Role(field("role_name", &request.role_name)?);
        let before = moment("before", request.before)?;
        let token = &request.idempotency_token;
        let sequence = self.revoke(&info, token, target, before, request.chained).await?;
        Ok(Response::new(RevokeRoleSessionsResponse { sequence }))
    }

    async fn revoke_user_sessions(
        &self,
        request: Request<RevokeUserSessionsRequest>,
    ) -> Result<Response<RevokeUserSessionsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let target = RevocationTarget::User(field("user_name", &request.user_name)?);
        let before = moment("before", request.before)?;
        let token = &request.idempotency_token;
        let sequence = self.revoke(&info, token, target, before, request.chained).await?;
        Ok(Response::new(RevokeUserSessionsResponse { sequence }))
    }

    async fn list_revocations(
        &self,
        request: Request<ListRevocationsRequest>,
    ) -> Result<Response<ListRevocationsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let (view, account) = self.read(&info, request.min_sequence, LIST, "*").await?;
        let mut shown: Vec<_> = account.revocations.entries().map(revocation).collect();
        shown.sort_by(|a, b| a.scope.cmp(&b.scope));
        let key = |entry: &v1::Revocation| entry.scope.clone();
        let entries = shown.into_iter();
        let (revocations, next) = page(entries, key, request.page_size, &request.page_token)?;
        let (next_page_token, sequence) = (next, view.sequence);
        Ok(Response::new(ListRevocationsResponse { revocations, next_page_token, sequence }))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let info = Self::info(&request)?;
        let request = request.into_inner();
        let (view, account) = self.read(&info, request.min_sequence, LIST, "*").await?;
        let wanted = wanted(&account, &request)?;
        let from = match request.page_token.as_str() {
            "" => None,
            text => Some(Sequence(text.parse().map_err(|_| {
                let invalid = Invalid::new("page_token", "must be one that was answered");
                status::of_invalid(&invalid, &info.request_id)
            })?)),
        };
        let (service, sequence) = (self.service.clone(), view.sequence);
        let issued = move || service.issued_sessions(&view.state, &account, &wanted, from);
        let (found, next) = from_log(issued).await?;
        Ok(Response::new(ListSessionsResponse {
            sessions: found.iter().map(session).collect(),
            next_page_token: next.map(|next| next.to_string()).unwrap_or_default(),
            sequence,
        }))
    }
}

impl Front {
    async fn revoke(
        &self,
        info: &RequestInfo,
        token: &str,
        target: RevocationTarget,
        before: Option<Timestamp>,
        chained: bool,
    ) -> Result<u64, Status> {
        let minting = Self::drawn(info, self.service.draw_minting())?;
        let action = Action::RevokeSessions { target, before, chained, minting };
        Ok(self.perform(info, token, action).await?.sequence)
    }
}

fn moment(
    name: &'static str,
    time: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>, Status> {
    let Some(time) = time else { return Ok(None) };
    let millis = time.seconds.checked_mul(1000);
    let millis = millis.and_then(|millis| millis.checked_add(i64::from(time.nanos) / 1_000_000));
    let invalid = || status::of_invalid(&Invalid::new(name, "is no time"), "");
    millis.map(Timestamp::from_millis).map(Some).ok_or_else(invalid)
}

fn wanted(account: &Account, request: &ListSessionsRequest) -> Result<Wanted, Status> {
    let role = match request.role_name.as_str() {
        "" => None,
        name => {
            let role = account.role(&field("role_name", name)?);
            let gone = || Status::not_found(format!("the role with name {name} cannot be found"));
            Some(role.ok_or_else(gone)?.id.clone())
        }
    };
    let user = match request.user_name.as_str() {
        "" => None,
        name => {
            let user = account.user(&field("user_name", name)?);
            let gone = || Status::not_found(format!("the user with name {name} cannot be found"));
            Some(user.ok_or_else(gone)?.id.clone())
        }
    };
    Ok(Wanted {
        role,
        user,
        instance: optional("instance_id", &request.instance_id)?,
        key: optional("access_key_id", &request.access_key_id)?,
        issued_before: moment("issued_before", request.issued_before)?,
        chained: request.chained,
        ended: request.include_ended,
    })
}

fn revocation((scope, cutoff): (&RevocationScope, &Cutoff)) -> v1::Revocation {
    v1::Revocation {
        scope: scope.to_string(),
        issued_before: convert::time(cutoff.before),
        chained_issued_before: cutoff.chained_before.and_then(convert::time),
        until: convert::time(cutoff.until),
    }
}

fn session(session: &IssuedSession) -> v1::IssuedSession {
    v1::IssuedSession {
        access_key_id: session.key.to_string(),
        subject: session.subject.clone(),
        issued_at: convert::time(session.issued_at),
        expires_at: convert::time(session.expires_at),
        issued_to: session.issued_to.to_string(),
        sequence: session.sequence,
        source_identity: session.source_identity.clone(),
        chain: session.ancestors.iter().map(|ancestor| ancestor.key.to_string()).collect(),
        instance_id: session.instance.as_ref().map(ToString::to_string).unwrap_or_default(),
        revoked: session.revoked,
        last_use: session.last_use.as_ref().map(last_use::shown),
    }
}
