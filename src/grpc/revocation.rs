//! RevocationService: voids sessions, and lists what was issued.

use super::event::from_log;
use super::{Front, convert, field, last_use, optional, page};
use crate::clock::Timestamp;
use crate::domain::command::RevocationTarget;
use crate::domain::rejection::Rejection;
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
use crate::service::{IssuedSession, RequestInfo, ServiceError, Wanted};

calls! {
    RevocationService:
    revoke_session: revoke_one(RevokeSessionRequest) -> RevokeSessionResponse;
    revoke_instance_sessions: revoke_of_instance(RevokeInstanceSessionsRequest) -> RevokeInstanceSessionsResponse;
    revoke_role_sessions: revoke_of_role(RevokeRoleSessionsRequest) -> RevokeRoleSessionsResponse;
    revoke_user_sessions: revoke_of_user(RevokeUserSessionsRequest) -> RevokeUserSessionsResponse;
    list_revocations: revocations(ListRevocationsRequest) -> ListRevocationsResponse;
    list_sessions: sessions(ListSessionsRequest) -> ListSessionsResponse;
}

impl Front {
    async fn revoke_one(
        &self,
        info: &RequestInfo,
        request: RevokeSessionRequest,
    ) -> Result<RevokeSessionResponse, ServiceError> {
        let target = RevocationTarget::Session(field("access_key_id", &request.access_key_id)?);
        let (token, chained) = (&request.idempotency_token, request.chained);
        let done = self.service.revoke_sessions(info, token, target, None, chained).await?;
        Ok(RevokeSessionResponse { sequence: done.sequence })
    }

    async fn revoke_of_instance(
        &self,
        info: &RequestInfo,
        request: RevokeInstanceSessionsRequest,
    ) -> Result<RevokeInstanceSessionsResponse, ServiceError> {
        let target = RevocationTarget::Instance(field("instance_id", &request.instance_id)?);
        let before = moment("before", request.before)?;
        let (token, chained) = (&request.idempotency_token, request.chained);
        let done = self.service.revoke_sessions(info, token, target, before, chained).await?;
        Ok(RevokeInstanceSessionsResponse { sequence: done.sequence })
    }

    async fn revoke_of_role(
        &self,
        info: &RequestInfo,
        request: RevokeRoleSessionsRequest,
    ) -> Result<RevokeRoleSessionsResponse, ServiceError> {
        let target = RevocationTarget::Role(field("role_name", &request.role_name)?);
        let before = moment("before", request.before)?;
        let (token, chained) = (&request.idempotency_token, request.chained);
        let done = self.service.revoke_sessions(info, token, target, before, chained).await?;
        Ok(RevokeRoleSessionsResponse { sequence: done.sequence })
    }

    async fn revoke_of_user(
        &self,
        info: &RequestInfo,
        request: RevokeUserSessionsRequest,
    ) -> Result<RevokeUserSessionsResponse, ServiceError> {
        let target = RevocationTarget::User(field("user_name", &request.user_name)?);
        let before = moment("before", request.before)?;
        let (token, chained) = (&request.idempotency_token, request.chained);
        let done = self.service.revoke_sessions(info, token, target, before, chained).await?;
        Ok(RevokeUserSessionsResponse { sequence: done.sequence })
    }

    async fn revocations(
        &self,
        info: &RequestInfo,
        request: ListRevocationsRequest,
    ) -> Result<ListRevocationsResponse, ServiceError> {
        let read = self.service.read_sessions(info, request.min_sequence).await?;
        let mut shown: Vec<_> = read.account.revocations.entries().map(revocation).collect();
        shown.sort_by(|a, b| a.scope.cmp(&b.scope));
        let key = |entry: &v1::Revocation| entry.scope.clone();
        let entries = shown.into_iter();
        let (revocations, next) = page(entries, key, request.page_size, &request.page_token)?;
        let (next_page_token, sequence) = (next, read.view.sequence);
        Ok(ListRevocationsResponse { revocations, next_page_token, sequence })
    }

    async fn sessions(
        &self,
        info: &RequestInfo,
        request: ListSessionsRequest,
    ) -> Result<ListSessionsResponse, ServiceError> {
        let read = self.service.read_sessions(info, request.min_sequence).await?;
        let wanted = wanted(&read.account, &request)?;
        let from = match request.page_token.as_str() {
            "" => None,
            text => {
                let rule = "must be one that was answered";
                let sequence = text.parse().map_err(|_| Invalid::new("page_token", rule))?;
                Some(Sequence(sequence))
            }
        };
        let (service, sequence) = (self.service.clone(), read.view.sequence);
        let issued =
            move || service.issued_sessions(&read.view.state, &read.account, &wanted, from);
        let (found, next) = from_log(issued).await?;
        Ok(ListSessionsResponse {
            sessions: found.iter().map(session).collect(),
            next_page_token: next.map(|next| next.to_string()).unwrap_or_default(),
            sequence,
        })
    }
}

fn moment(
    name: &'static str,
    time: Option<prost_types::Timestamp>,
) -> Result<Option<Timestamp>, Invalid> {
    let Some(time) = time else { return Ok(None) };
    let millis = time.seconds.checked_mul(1000);
    let millis = millis.and_then(|millis| millis.checked_add(i64::from(time.nanos) / 1_000_000));
    let invalid = || Invalid::new(name, "is not a valid time");
    millis.map(Timestamp::from_millis).map(Some).ok_or_else(invalid)
}

fn wanted(account: &Account, request: &ListSessionsRequest) -> Result<Wanted, ServiceError> {
    let role = match request.role_name.as_str() {
        "" => None,
        name => {
            let role = account.role(&field("role_name", name)?);
            let gone = || Rejection::missing("role", name);
            Some(role.ok_or_else(gone)?.id.clone())
        }
    };
    let user = match request.user_name.as_str() {
        "" => None,
        name => {
            let user = account.user(&field("user_name", name)?);
            let gone = || Rejection::missing("user", name);
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
