//! The operations of STS. Each reads top to bottom: check the members, draw what is new, have the ledger
//! decide and write, derive the credentials from the fact.

use std::time::Duration;

use super::request::{self, AssumeRole, GetFederationToken, GetSessionToken};
use super::{IssuedCredentials, RequestInfo, Service, ServiceError};
use crate::domain::access::{Permission, Resource};
use crate::domain::command::{Action, SessionAction};
use crate::domain::event::{EventKind, SessionEvent};
use crate::domain::rejection::Rejection;
use crate::domain::session::{Operation, Session, SessionDraft, SessionRequest};
use crate::identity::{AccessKeyId, AccountId, Principal, SessionName};
use crate::ledger::Receipt;

/// What is given where no duration is asked for: to users, and to an account's root.
const USER_SESSION_DEFAULT: Duration = Duration::from_secs(43_200);
const ROOT_SESSION_DEFAULT: Duration = Duration::from_secs(3600);

/// A session that was issued.
#[derive(Debug)]
pub struct Issued {
    /// Who acts in it; `arn()` and `user_id()` are the answer's Arn and AssumedRoleId or FederatedUserId.
    pub principal: Principal,
    /// The session.
    pub session: Session,
    /// Its credentials.
    pub credentials: IssuedCredentials,
    /// The record that holds it.
    pub sequence: u64,
}

impl Issued {
    /// The `PackedPolicySize` of the answer; none where neither policies nor tags count.
    #[must_use]
    pub fn packed_percent(&self) -> Option<u32> {
        let Session { policy, policy_arns, tags, .. } = &self.session;
        let counts = policy.is_some() || !policy_arns.is_empty() || !tags.is_empty();
        counts.then_some(self.credentials.packed_percent)
    }

    /// The ARN of the identity provider whose token the session was issued for.
    #[must_use]
    pub fn provider(&self) -> Option<String> {
        let (web, account) = (self.session.web_identity.as_ref()?, self.principal.account()?);
        Some(web.provider_arn(account))
    }
}

impl Service {
    /// AssumeRole, for the caller of `info`. `token` is the caller's idempotency token, empty for none.
    ///
    /// # Errors
    /// The request breaks a constraint, is refused, or cannot be written.
    pub async fn assume_role(
        &self,
        info: &RequestInfo,
        token: &str,
        asked: &AssumeRole,
    ) -> Result<Issued, ServiceError> {
        asked.check()?;
        let (role_arn, account) = request::role(asked.role_arn.as_deref())?;
        self.admit_session(info.caller.principal.account().unwrap_or(account))?;
        let mfa = (asked.serial_number.as_deref(), asked.token_code.as_deref());
        let mfa = self.mfa_proof(info, token, mfa).await?;
        let session = asked.session(self.draw_id("ASIA")?, mfa)?;
        self.issue(info, token, account, Operation::AssumeRole(role_arn), session).await
    }

    /// GetSessionToken, for the caller of `info`.
    ///
    /// # Errors
    /// As `assume_role`.
    pub async fn get_session_token(
        &self,
        info: &RequestInfo,
        token: &str,
        asked: &GetSessionToken,
    ) -> Result<Issued, ServiceError> {
        asked.check()?;
        let account = own_account(info)?;
        self.admit_session(account)?;
        let mfa = (asked.serial_number.as_deref(), asked.token_code.as_deref());
        let session = SessionRequest {
            draft: SessionDraft::plain(self.draw_id("ASIA")?),
            duration: request::duration(asked.duration_seconds, default_of(&info.caller.principal)),
            external_id: None,
            mfa: self.mfa_proof(info, token, mfa).await?,
        };
        self.issue(info, token, account, Operation::GetSessionToken, session).await
    }

    /// GetFederationToken, for the caller of `info`.
    ///
    /// # Errors
    /// As `assume_role`.
    pub async fn get_federation_token(
        &self,
        info: &RequestInfo,
        token: &str,
        asked: &GetFederationToken,
    ) -> Result<Issued, ServiceError> {
        asked.check()?;
        let account = own_account(info)?;
        self.admit_session(account)?;
        let name: SessionName = asked.name.as_deref().unwrap_or_default().parse()?;
        let key = self.draw_id("ASIA")?;
        let policy = asked.policy.as_deref();
        let session = SessionRequest {
            draft: request::draft(key, policy, &asked.policy_arns, &asked.tags)?,
            duration: request::duration(asked.duration_seconds, default_of(&info.caller.principal)),
            external_id: None,
            mfa: None,
        };
        self.issue(info, token, account, Operation::GetFederationToken(name), session).await
    }

    /// GetAccessKeyInfo: the account that a key belongs to. AWS tells it of every account's keys; here of the
    /// caller's own account, and of all to the operator, as no account is to learn of another's keys. Of
    /// temporary keys only the caller's own is known: which account another is of stands in its token alone.
    ///
    /// # Errors
    /// The caller may not ask, or the key is none that is told of.
    pub fn access_key_account(
        &self,
        info: &RequestInfo,
        access_key_id: Option<&str>,
    ) -> Result<AccountId, ServiceError> {
        request::check_access_key_id(access_key_id)?;
        let own = own_account(info)?;
        let view = self.view();
        let permission = Permission::GetAccessKeyInfo;
        self.require(&view.state, info, own, permission, &Resource::everything())?;
        let key: Option<AccessKeyId> = request::parsed(access_key_id)?;
        let callers = (info.caller.key.is_some() && info.caller.key == key).then_some(own);
        let long_term = || Some(view.state.key(key.as_ref()?)?.account.id);
        let told = |account: &AccountId| *account == own || own == AccountId::OPERATOR;
        let found = callers.or_else(long_term).filter(told);
        Ok(found
            .ok_or_else(|| Rejection::Validation("The access key ID is not known.".to_owned()))?)
    }

    /// Has a session that was admitted decided and written, and derives its credentials.
    pub(super) async fn issue(
        &self,
        info: &RequestInfo,
        token: &str,
        account: AccountId,
        operation: Operation,
        session: SessionRequest,
    ) -> Result<Issued, ServiceError> {
        let action =
            Action::Session(SessionAction::Issue { operation, session: Box::new(session) });
        let receipt = self.perform(info, token, account, action).await?;
        self.issued_by(&receipt)
    }

    /// The session that a receipt's fact tells of.
    pub(super) fn issued_by(&self, receipt: &Receipt) -> Result<Issued, ServiceError> {
        let issued = receipt.events().find_map(|event| {
            let EventKind::Session(SessionEvent::Issued { session }) = &event.kind else {
                return None;
            };
            Some((event.account, session.clone()))
        });
        let (id, session) = issued.ok_or(ServiceError::Answer("no session was issued"))?;
        let view = self.view();
        let account = view.state.account(id).ok_or(ServiceError::Answer("the account is gone"))?;
        let credentials = self.session_credentials(account, &session)?;
        let principal = session.subject.principal(id);
        Ok(Issued { principal, session, credentials, sequence: receipt.sequence })
    }
}

fn default_of(principal: &Principal) -> Duration {
    match principal {
        Principal::Root { .. } => ROOT_SESSION_DEFAULT,
        _ => USER_SESSION_DEFAULT,
    }
}

fn own_account(info: &RequestInfo) -> Result<AccountId, ServiceError> {
    let account = info.caller.principal.account();
    Ok(account.ok_or_else(|| Rejection::Validation("The caller has no account.".to_owned()))?)
}
