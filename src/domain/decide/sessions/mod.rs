//! Issuing sessions: what the operations of STS have in common, and those of them that stand for the caller.
//! Sources: STS API Reference; IAM User Guide, id_session-tags, id_credentials_temp_request,
//! id_credentials_temp_control-access_monitor.

mod carried;
mod role;

pub(super) use role::issue;
pub use role::{explain_assume_role, longest_session};

use std::sync::Arc;
use std::time::Duration;

use super::{Decider, mfa};
use crate::clock::Timestamp;
use crate::domain::access::{Facts, Permission, Resource};
use crate::domain::command::Command;
use crate::domain::event::{Event, EventKind, SessionEvent};
use crate::domain::rejection::{Denied, Rejection};
use crate::domain::session::{Session, SessionRequest, Tags};
use crate::domain::state::Account;
use crate::identity::{AccountId, Arn, Federator, Principal, SessionName, Subject};
use crate::signing::Packed;
use carried::Carried;

/// The shortest session that may be asked for.
pub const SESSION_MIN: Duration = Duration::from_secs(900);
/// The longest session of a role that was assumed with temporary credentials.
const CHAINED_SESSION_MAX: Duration = Duration::from_secs(3600);
/// The longest session of GetSessionToken and GetFederationToken for a user.
pub const USER_SESSION_MAX: Duration = Duration::from_secs(129_600);
/// The longest session of the same for an account's root.
pub const ROOT_SESSION_MAX: Duration = Duration::from_secs(3600);
/// Sessions that stand before another one in its chain; all of them are sealed in its token. AWS names no
/// limit.
pub const CHAIN_SESSIONS_MAX: usize = 8;
/// Tags of one session, those that it inherits among them.
pub const SESSION_TAGS_MAX: usize = 50;
/// Managed session policies of one session.
pub const SESSION_POLICY_ARNS_MAX: usize = 10;
/// Characters of an inline session policy and the ARNs of managed ones together, white space counted.
const SESSION_POLICY_CHARS_MAX: usize = 2048;

impl Decider<'_> {
    /// GetSessionToken: the caller's own permissions for a limited time; needs no permission.
    pub(super) fn get_session_token(&mut self, request: &SessionRequest) -> Result<(), Rejection> {
        let subject = match &self.command.caller.principal {
            Principal::User { name, path, id, .. } => {
                Some(Subject::User { path: path.clone(), name: name.clone(), id: id.clone() })
            }
            Principal::Root { .. } => Some(Subject::Root),
            _ => None,
        };
        let Some(subject) = subject.filter(|_| self.command.caller.session.is_none()) else {
            return Err(self.refused("GetSessionToken"));
        };
        self.check_duration_of_caller(request.duration)?;
        let accepted = mfa::accept(self.state, self.command, request.mfa.as_ref())?;
        let revoked_before = self.revoked_before();
        let mut session = draft_session(self.command, request, subject, revoked_before)?;
        session.mfa_at = accepted.as_ref().map(|_| self.command.time.floor_to_second());
        self.events.extend(accepted);
        self.emit(EventKind::Session(SessionEvent::Issued { session }));
        Ok(())
    }

    /// GetFederationToken: a session for someone whom the caller names, with permissions that both the
    /// caller's policies and the session's allow.
    pub(super) fn get_federation_token(
        &mut self,
        name: &SessionName,
        request: &SessionRequest,
    ) -> Result<(), Rejection> {
        let by = match &self.command.caller.principal {
            Principal::User { name, id, .. } => {
                Some(Federator::User { name: name.clone(), id: id.clone() })
            }
            Principal::Root { .. } => Some(Federator::Root),
            _ => None,
        };
        let Some(by) = by.filter(|_| self.command.caller.session.is_none()) else {
            return Err(self.refused("GetFederationToken"));
        };
        let carried = Carried::of(self.command, &request.draft)?;
        let subject = Subject::Federated { name: name.clone(), by };
        let arn = subject.principal(self.command.account).arn().to_string();
        let resource = Resource::federated_user(arn);
        let facts = Facts::of_session(carried.facts(request, None));
        self.require_with(Permission::GetFederationToken, &resource, &facts)?;
        if !carried.tags.is_empty() {
            self.require_with(Permission::TagSession, &resource, &facts)?;
        }
        self.check_duration_of_caller(request.duration)?;
        check_policies(self.account, request)?;
        let tags = carried.tags;
        let draft = draft_session(self.command, request, subject, self.revoked_before())?;
        let session = Session { tags, ..draft };
        check_packed(self.command.account, &session)?;
        self.emit(EventKind::Session(SessionEvent::Issued { session }));
        Ok(())
    }

    /// Until when the sessions that the calling user asked for are void.
    fn revoked_before(&self) -> Timestamp {
        match &self.command.caller.principal {
            Principal::User { id, .. } => self.account.revocations.issue_from(id, None),
            _ => Timestamp::default(),
        }
    }

    fn refused(&self, operation: &str) -> Rejection {
        let message = format!("Cannot call {operation} with session credentials");
        let resource = Arn::root(self.command.account);
        refused(self.command, &format!("sts:{operation}"), &resource, &message)
    }

    fn check_duration_of_caller(&self, asked: Duration) -> Result<(), Rejection> {
        let max = match &self.command.caller.principal {
            Principal::Root { .. } => ROOT_SESSION_MAX,
            _ => USER_SESSION_MAX,
        };
        within(asked, max)
    }
}

fn within(asked: Duration, max: Duration) -> Result<(), Rejection> {
    if asked < SESSION_MIN || asked > max {
        let (least, most) = (SESSION_MIN.as_secs(), max.as_secs());
        let rule = format!("The requested DurationSeconds must be between {least} and {most}.");
        return Err(Rejection::Validation(rule));
    }
    Ok(())
}

/// A session that is issued now, or when the revocations so far end.
fn draft_session(
    command: &Command,
    request: &SessionRequest,
    subject: Subject,
    revoked_before: Timestamp,
) -> Result<Session, Rejection> {
    let draft = &request.draft;
    let issued_at = command.time.floor_to_second().max(revoked_before);
    let ancestors = command.caller.chain();
    if ancestors.len() > CHAIN_SESSIONS_MAX {
        return Err(Rejection::LimitExceeded { quota: "RoleChain", max: CHAIN_SESSIONS_MAX });
    }
    Ok(Session {
        key: draft.key.clone(),
        subject,
        issued_at,
        expires_at: issued_at.plus(request.duration),
        policy: draft.policy.as_ref().map(|policy| Arc::from(policy.text())),
        policy_arns: draft.policy_arns.clone(),
        tags: Tags::new(),
        transitive_tag_keys: Vec::new(),
        source_identity: None,
        chain_depth: 0,
        parent: command.caller.session.as_ref().and(command.caller.key.clone()),
        ancestors,
        mfa_at: None,
        web_identity: None,
    })
}

/// Session policies are of the role's or user's account and their text short enough.
fn check_policies(account: &Account, request: &SessionRequest) -> Result<(), Rejection> {
    let draft = &request.draft;
    for arn in &draft.policy_arns {
        if account.policy_by_arn(arn).is_none() {
            let id = account.id;
            let rule = format!("PolicyArns: `{arn}` is no managed policy of account {id}.");
            return Err(Rejection::Validation(rule));
        }
    }
    let inline = draft.policy.as_ref().map_or(0, |policy| policy.text().chars().count());
    let managed = draft.policy_arns.iter().map(|arn| arn.as_str().chars().count());
    let chars = managed.fold(inline, usize::saturating_add);
    if chars > SESSION_POLICY_CHARS_MAX {
        let rule = format!(
            "The inline session policy and the ARNs of managed ones have {chars} characters together; \
             {SESSION_POLICY_CHARS_MAX} are allowed."
        );
        return Err(Rejection::Validation(rule));
    }
    Ok(())
}

/// The session fits a token. Judged before it is issued: a fact whose credentials cannot be shown must not
/// come into the log.
fn check_packed(account: AccountId, session: &Session) -> Result<(), Rejection> {
    let packed = Packed {
        policy: session.policy.as_deref(),
        policy_arns: &session.policy_arns,
        tags: &session.tags,
        transitive_tag_keys: &session.transitive_tag_keys,
        web_identity: session.web_identity.as_ref(),
    };
    match packed.percent(account) {
        0..=100 => Ok(()),
        percent => Err(Rejection::PackedPolicyTooLarge { percent }),
    }
}

/// A session's event, in the account of what it stands for.
fn issued(account: AccountId, session: Session) -> Event {
    Event { account, kind: EventKind::Session(SessionEvent::Issued { session }) }
}

/// A refusal that no policy decides.
fn refused(command: &Command, action: &str, resource: &Arn, message: &str) -> Rejection {
    Rejection::AccessDenied(Box::new(Denied {
        principal: command.caller.principal.arn(),
        action: action.to_owned(),
        resource: resource.to_string(),
        message: message.to_owned(),
        evidence: None,
        encoded: None,
    }))
}
