//! Issuing sessions: AssumeRole and GetSessionToken.
//!
//! AssumeRole is decided on both sides: what the caller's account lets the caller do, and whom the
//! role's trust policy admits. A role or account that does not exist is refused exactly as one that
//! trusts nobody. Sources: STS API Reference, AssumeRole; IAM User Guide, id_session-tags,
//! id_credentials_temp_control-access_monitor.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Decider;
use crate::domain::access::{self, Caller, Question};
use crate::domain::command::{Command, SessionDraft, SessionRequest};
use crate::domain::event::{Event, EventKind, Session, SessionSubject};
use crate::domain::rejection::{Denied, Rejection};
use crate::domain::state::{Account, Role, State};
use crate::identity::{Arn, Invalid, Principal, SourceIdentity};
use crate::policy::{Context, Trace};

/// The shortest session that may be asked for.
const SESSION_MIN: Duration = Duration::from_secs(900);
/// The longest session of a role that was assumed with temporary credentials.
const CHAINED_SESSION_MAX: Duration = Duration::from_secs(3600);
/// The longest session of GetSessionToken for a user.
const USER_SESSION_MAX: Duration = Duration::from_secs(129_600);
/// The longest session of GetSessionToken for an account's root.
const ROOT_SESSION_MAX: Duration = Duration::from_secs(3600);
/// Tags of one session.
const SESSION_TAGS_MAX: usize = 50;
/// Managed session policies of one session.
const SESSION_POLICY_ARNS_MAX: usize = 10;
/// Characters of an inline session policy and the ARNs of managed ones together, white space counted.
const SESSION_POLICY_CHARS_MAX: usize = 2048;
/// Sessions that stand before another one in its chain; all of them are sealed in its token.
pub const CHAIN_SESSIONS_MAX: usize = 8;

type Tags = BTreeMap<Arc<str>, Arc<str>>;

/// The caller's assumption of the role `role_arn`.
pub(super) fn assume_role(
    state: &State,
    command: &Command,
    role_arn: &Arn,
    request: &SessionRequest,
) -> Result<Vec<Event>, Rejection> {
    let caller = &command.caller;
    if matches!(caller.principal, Principal::Root { .. }) {
        return Err(refused(command, role_arn, "Roles may not be assumed by root accounts."));
    }
    let live = |account: &&Arc<Account>| account.enabled;
    let own = caller.principal.account().and_then(|id| state.account(id));
    if own.is_some_and(|own| !own.enabled) {
        return Err(Rejection::AccountDisabled(command.account));
    }
    let account = state.account(command.account).filter(live);
    let role = account.and_then(|account| account.role_by_arn(role_arn.as_str()));
    let carried = Carried::of(command, &request.draft)?;
    authorize(state, command, role_arn, role, request, &carried)?;
    let (Some(account), Some(role)) = (account, role) else {
        // `authorize` allows nothing without a trust policy.
        return Err(refused(command, role_arn, "the role cannot be assumed"));
    };
    check_duration(command, role, request.duration)?;
    check_policies(account, &request.draft)?;
    let Some(session) = request.draft.name.clone() else {
        return Err(Invalid::new("roleSessionName", "must be given").into());
    };
    let subject = SessionSubject::Role {
        role: role.name.clone(),
        path: role.path.clone(),
        role_id: role.id.clone(),
        session,
    };
    let mut session = Session {
        tags: carried.tags,
        transitive_tag_keys: carried.transitive,
        source_identity: carried.source_identity,
        chain_depth: match &caller.principal {
            Principal::AssumedRole { .. } => {
                caller.session.as_ref().map_or(0, |s| s.chain_depth).saturating_add(1)
            }
            _ => 0,
        },
        ..draft_session(command, request, subject)?
    };
    let revoked_before = account.revocations.issue_from(&role.id, None);
    session.issued_at = session.issued_at.max(revoked_before);
    session.expires_at = session.issued_at.plus(request.duration);
    Ok(vec![Event { account: command.account, kind: EventKind::SessionIssued { session } }])
}

impl Decider<'_> {
    /// GetSessionToken: the caller's own permissions for a limited time; needs no permission.
    pub(super) fn get_session_token(&mut self, request: &SessionRequest) -> Result<(), Rejection> {
        let (subject, max) = match &self.command.caller.principal {
            Principal::User { name, path, id, .. } => {
                let subject = SessionSubject::User {
                    user: name.clone(),
                    path: path.clone(),
                    user_id: id.clone(),
                };
                (Some(subject), USER_SESSION_MAX)
            }
            Principal::Root { .. } => (Some(SessionSubject::Root), ROOT_SESSION_MAX),
            _ => (None, USER_SESSION_MAX),
        };
        let long_term = self.command.caller.session.is_none();
        let Some(subject) = subject.filter(|_| long_term) else {
            let message = "Cannot call GetSessionToken with session credentials";
            return Err(refused(self.command, &Arn::root(self.command.account), message));
        };
        within(request.duration, SESSION_MIN, max)?;
        let session = draft_session(self.command, request, subject)?;
        self.emit(EventKind::SessionIssued { session });
        Ok(())
    }
}

fn draft_session(
    command: &Command,
    request: &SessionRequest,
    subject: SessionSubject,
) -> Result<Session, Rejection> {
    let draft = &request.draft;
    let issued_at = command.time.floor_to_second();
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
    })
}

/// What the new session holds of the request and of the session that asks for it.
struct Carried {
    tags: Tags,
    transitive: Vec<Arc<str>>,
    source_identity: Option<SourceIdentity>,
}

impl Carried {
    /// Transitive tags and the source identity of the caller's session are inherited and cannot be
    /// changed; other tags end with it.
    fn of(command: &Command, draft: &SessionDraft) -> Result<Self, Rejection> {
        let mut tags = Tags::new();
        let mut transitive = Vec::new();
        let mut source_identity = draft.source_identity.clone();
        if let Some(session) = &command.caller.session {
            for key in &session.transitive_tag_keys {
                if let Some(value) = session.tags.get(key) {
                    tags.insert(key.clone(), value.clone());
                    transitive.push(key.clone());
                }
            }
            if let Some(inherited) = &session.source_identity {
                if source_identity.as_ref().is_some_and(|asked| asked != inherited) {
                    return Err(Invalid::new("sourceIdentity", "cannot be changed").into());
                }
                source_identity = Some(inherited.clone());
            }
        }
        for (key, value) in &draft.tags {
            if tags.keys().any(|other| other.eq_ignore_ascii_case(key)) {
                let rule =
                    format!("`{key}` is given twice or is transitive in the caller's session");
                return Err(Invalid::new("tags", rule).into());
            }
            tags.insert(key.clone(), value.clone());
        }
        if tags.len() > SESSION_TAGS_MAX {
            let rule = format!("must have at most {SESSION_TAGS_MAX} entries");
            return Err(Invalid::new("tags", rule).into());
        }
        for key in &draft.transitive_tag_keys {
            if !draft.tags.contains_key(key) {
                let rule = format!("`{key}` is not the key of a tag of this request");
                return Err(Invalid::new("transitiveTagKeys", rule).into());
            }
            transitive.push(key.clone());
        }
        Ok(Self { tags, transitive, source_identity })
    }

    /// What the caller has to be allowed to do.
    fn actions(&self) -> Vec<&'static str> {
        let mut actions = vec!["sts:AssumeRole"];
        if !self.tags.is_empty() {
            actions.push("sts:TagSession");
        }
        if self.source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        actions
    }
}

/// Judges every action that the request amounts to, on both sides.
fn authorize(
    state: &State,
    command: &Command,
    role_arn: &Arn,
    role: Option<&Arc<Role>>,
    request: &SessionRequest,
    carried: &Carried,
) -> Result<(), Rejection> {
    let context = request_context(request, carried);
    for action in carried.actions() {
        let question = question(command, action, role_arn, role);
        access::authorize(state, &question, &context).map_err(Rejection::AccessDenied)?;
    }
    Ok(())
}

fn question<'a>(
    command: &'a Command,
    action: &'a str,
    role_arn: &'a Arn,
    role: Option<&'a Arc<Role>>,
) -> Question<'a> {
    Question {
        caller: &command.caller,
        action,
        resource: role_arn.as_str(),
        resource_account: Some(command.account),
        resource_policy: role.map(|role| &role.trust),
        role_trust: true,
        time: command.time,
    }
}

/// What every action that an assumption amounts to comes to, without deciding it.
///
/// # Errors
/// The request itself breaks a rule.
pub fn explain_assume_role(
    state: &State,
    command: &Command,
    role_arn: &Arn,
    request: &SessionRequest,
) -> Result<Vec<(&'static str, Trace)>, Rejection> {
    let account = state.account(command.account).filter(|account| account.enabled);
    let role = account.and_then(|account| account.role_by_arn(role_arn.as_str()));
    let carried = Carried::of(command, &request.draft)?;
    let context = request_context(request, &carried);
    let actions = carried.actions().into_iter();
    let traces = actions.map(|action| {
        (action, access::explain(state, &question(command, action, role_arn, role), &context))
    });
    Ok(traces.collect())
}

fn request_context(request: &SessionRequest, carried: &Carried) -> Context {
    let mut context = Context::default();
    if let Some(name) = &request.draft.name {
        context.insert("sts:RoleSessionName", name.to_string());
    }
    if let Some(external_id) = &request.external_id {
        context.insert("sts:ExternalId", external_id.to_string());
    }
    if let Some(source) = &carried.source_identity {
        context.insert("sts:SourceIdentity", source.to_string());
    }
    for (key, value) in &carried.tags {
        context.insert(&format!("aws:RequestTag/{key}"), value.to_string());
    }
    if !carried.tags.is_empty() {
        let keys = carried.tags.keys().map(ToString::to_string).collect();
        context.insert_multi("aws:TagKeys", keys);
    }
    if !carried.transitive.is_empty() {
        let keys = carried.transitive.iter().map(ToString::to_string).collect();
        context.insert_multi("sts:TransitiveTagKeys", keys);
    }
    context
}

/// The longest session of `role` that `caller` can ask for. Assuming a role with temporary credentials is
/// chaining, whatever they came from (IAM User Guide, id_roles, "role chaining").
#[must_use]
pub fn longest_session(caller: &Caller, role: &Role) -> Duration {
    if is_chained(caller) { role.max_session.min(CHAINED_SESSION_MAX) } else { role.max_session }
}

fn is_chained(caller: &Caller) -> bool {
    caller.session.is_some() || matches!(caller.principal, Principal::AssumedRole { .. })
}

fn check_duration(command: &Command, role: &Role, asked: Duration) -> Result<(), Rejection> {
    if asked > role.max_session {
        let rule =
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(Invalid::new("durationSeconds", rule).into());
    }
    let longest = longest_session(&command.caller, role);
    if asked > longest {
        let rule = "The requested DurationSeconds exceeds the 1 hour session limit for roles \
                    assumed by role chaining.";
        return Err(Invalid::new("durationSeconds", rule).into());
    }
    within(asked, SESSION_MIN, longest)
}

fn within(asked: Duration, min: Duration, max: Duration) -> Result<(), Rejection> {
    if asked < min || asked > max {
        let rule = format!("must be between {} and {} seconds", min.as_secs(), max.as_secs());
        return Err(Invalid::new("durationSeconds", rule).into());
    }
    Ok(())
}

fn check_policies(account: &Account, draft: &SessionDraft) -> Result<(), Rejection> {
    let inline = draft.policy.as_ref().map_or(0, |policy| policy.text().chars().count());
    let managed = draft.policy_arns.iter().map(|arn| arn.as_str().chars().count());
    if inline + managed.sum::<usize>() > SESSION_POLICY_CHARS_MAX {
        let rule = format!(
            "must have at most {SESSION_POLICY_CHARS_MAX} characters, with those of policyArns"
        );
        return Err(Invalid::new("policy", rule).into());
    }
    if draft.policy_arns.len() > SESSION_POLICY_ARNS_MAX {
        let rule = format!("must have at most {SESSION_POLICY_ARNS_MAX} entries");
        return Err(Invalid::new("policyArns", rule).into());
    }
    for arn in &draft.policy_arns {
        if account.policy_by_arn(arn).is_none() {
            let rule = format!("`{arn}` is no managed policy of the role's account");
            return Err(Invalid::new("policyArns", rule).into());
        }
    }
    Ok(())
}

fn refused(command: &Command, resource: &Arn, message: &str) -> Rejection {
    Rejection::AccessDenied(Box::new(Denied {
        principal: command.caller.principal.arn(),
        action: "sts:AssumeRole".to_owned(),
        resource: resource.to_string(),
        message: message.to_owned(),
        evidence: None,
        encoded: None,
    }))
}
