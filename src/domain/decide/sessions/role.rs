//! Sessions of roles: AssumeRole and AssumeRoleWithWebIdentity.
//!
//! AssumeRole is decided on both sides: what the caller's account lets the caller do, and whom the role's trust
//! policy admits. A role of another account that admits the caller nowhere is refused exactly as one that does not
//! exist, and so is one of an account that does not exist. The holder of a provider's token has no account: the
//! trust policy alone decides.

use std::sync::Arc;
use std::time::Duration;

use super::{
    CHAINED_SESSION_MAX, Carried, check_packed, check_policies, draft_session, issued, refused,
    within,
};
use crate::domain::access::{self, Caller, Facts, Permission, Question, Required, Resource};
use crate::domain::command::Command;
use crate::domain::decide::mfa;
use crate::domain::event::Event;
use crate::domain::rejection::{Denied, Rejection};
use crate::domain::session::{ProvenIdentity, Session, SessionRequest};
use crate::domain::state::{Account, Role, State};
use crate::identity::{Arn, Principal, Subject, WebIdentity};
use crate::policy::{Context, Miss, PolicyKind, PolicyTrace, StatementTrace, Trace};

/// A session of the role `role_arn` for the caller, or for the holder of a provider's token.
pub(in crate::domain::decide) fn issue(
    state: &State,
    command: &Command,
    role_arn: &Arn,
    proven: Option<&ProvenIdentity>,
    request: &SessionRequest,
) -> Result<Vec<Event>, Rejection> {
    let asked = Asked { state, command, role_arn, proven, request };
    let caller = &command.caller;
    if matches!(caller.principal, Principal::Root { .. }) {
        let message = "Roles may not be assumed by root accounts.";
        return Err(refused(command, asked.permission().action(), role_arn, message));
    }
    let own = caller.principal.account().and_then(|id| state.account(id));
    if own.is_some_and(|own| !own.enabled) {
        return Err(Rejection::AccountDisabled(command.account));
    }
    let account = asked.account();
    if let Some(proven) = proven {
        asked.check_provider(account, proven)?;
    }
    let role = asked.role();
    let carried = Carried::of(command, &request.draft)?;
    if carried.changes_source_identity {
        let principal = caller.principal.arn();
        let message = format!(
            "User: {principal} is not authorized to perform: sts:SetSourceIdentity on resource: \
             {role_arn}"
        );
        return Err(refused(command, "sts:SetSourceIdentity", role_arn, &message));
    }
    // Before permissions, as a code that comes with the request is one of the conditions.
    let accepted = mfa::accept(state, command, request.mfa.as_ref())?;
    asked.authorize(role, &carried)?;
    let (Some(account), Some(role)) = (account, role) else {
        // `authorize` allows nothing without a trust policy.
        let action = asked.permission().action();
        return Err(refused(command, action, role_arn, "the role cannot be assumed"));
    };
    check_duration(command, role, request.duration)?;
    check_policies(account, request)?;
    let Some(session) = request.draft.name.clone() else {
        return Err(Rejection::Validation("RoleSessionName must be given.".to_owned()));
    };
    let subject = Subject::Role {
        role: role.name.clone(),
        path: role.path.clone(),
        role_id: role.id.clone(),
        session,
    };
    let revoked_before = account.revocations.issue_from(&role.id, None);
    let session = Session {
        tags: carried.tags,
        transitive_tag_keys: carried.transitive,
        source_identity: carried.source_identity,
        chain_depth: chain_depth(command),
        web_identity: proven.map(|proven| proven.identity.clone()),
        ..draft_session(command, request, subject, revoked_before)?
    };
    check_packed(command.account, &session)?;
    // A list of one mostly, which is kept with the fact: made as long as it has to be.
    let events = accepted.into_iter().chain([issued(command.account, session)]);
    Ok(events.collect())
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
    let asked = Asked { state, command, role_arn, proven: None, request };
    let carried = Carried::of(command, &request.draft)?;
    let role = asked.role();
    let traces = asked.permissions(&carried).into_iter().map(|permission| {
        let trace = asked.explain(permission, role, &carried);
        let known = asked.is_known(&trace);
        let trace = if known { trace } else { asked.explain(permission, None, &carried) };
        (permission.action(), asked.without_tags(role, trace))
    });
    Ok(traces.collect())
}

/// Temporary credentials of any kind make a chain: of a role, of an instance's role, of GetSessionToken.
/// How long it may be is judged with its sessions.
fn chain_depth(command: &Command) -> u8 {
    if !command.caller.is_temporary() {
        return 0;
    }
    let before = command.caller.session.as_ref().map_or(0, |session| session.chain_depth);
    before.saturating_add(1)
}

/// The longest session of `role` that `caller` can ask for. Assuming a role with temporary credentials is
/// chaining, whatever they came from (IAM User Guide, id_roles, "role chaining").
#[must_use]
pub fn longest_session(caller: &Caller, role: &Role) -> Duration {
    if caller.is_temporary() { role.max_session.min(CHAINED_SESSION_MAX) } else { role.max_session }
}

fn check_duration(command: &Command, role: &Role, asked: Duration) -> Result<(), Rejection> {
    let validation = |rule: &str| Err(Rejection::Validation(rule.to_owned()));
    if asked > role.max_session {
        return validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        );
    }
    let longest = longest_session(&command.caller, role);
    if asked > longest {
        return validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
             chaining.",
        );
    }
    within(asked, longest)
}

/// A request for a session of a role.
#[derive(Clone, Copy)]
struct Asked<'a> {
    state: &'a State,
    command: &'a Command,
    role_arn: &'a Arn,
    proven: Option<&'a ProvenIdentity>,
    request: &'a SessionRequest,
}

impl<'a> Asked<'a> {
    fn account(self) -> Option<&'a Arc<Account>> {
        self.state.account(self.command.account).filter(|account| account.enabled)
    }

    fn role(self) -> Option<&'a Arc<Role>> {
        self.account().and_then(|account| account.role_by_arn(self.role_arn.as_str()))
    }

    fn permission(self) -> Permission {
        match self.proven {
            Some(_) => Permission::AssumeRoleWithWebIdentity,
            None => Permission::AssumeRole,
        }
    }

    /// What the caller has to be allowed to do.
    fn permissions(self, carried: &Carried) -> Vec<Permission> {
        let mut permissions = vec![self.permission()];
        if !carried.tags.is_empty() {
            permissions.push(Permission::TagSession);
        }
        if carried.source_identity.is_some() {
            permissions.push(Permission::SetSourceIdentity);
        }
        permissions
    }

    /// The provider that proved the identity is still registered with the audience; the edge looked at an
    /// older state.
    fn check_provider(
        self,
        account: Option<&Arc<Account>>,
        proven: &ProvenIdentity,
    ) -> Result<(), Rejection> {
        let WebIdentity { issuer, audience, .. } = &proven.identity;
        let provider = account.and_then(|account| account.oidc_providers.get(&**issuer));
        if provider.is_some_and(|provider| provider.client_ids.contains(audience)) {
            return Ok(());
        }
        let action = self.permission().action();
        Err(refused(self.command, action, self.role_arn, NOT_AUTHORIZED_WEB))
    }

    /// Judges every permission that the request needs, on both sides.
    fn authorize(self, role: Option<&'a Arc<Role>>, carried: &Carried) -> Result<(), Rejection> {
        for permission in self.permissions(carried) {
            self.judge(permission, role, carried)
                .map_err(|denied| self.told(denied, permission, carried))?;
        }
        Ok(())
    }

    /// Judges a permission on the role, or on none.
    fn judge(
        self,
        permission: Permission,
        role: Option<&'a Arc<Role>>,
        carried: &Carried,
    ) -> Result<(), Box<Denied>> {
        self.ask(permission, role, carried, |question, required| {
            access::authorize(self.state, question, required)
        })
    }

    /// What a permission comes to with the role, or with none.
    fn explain(
        self,
        permission: Permission,
        role: Option<&'a Arc<Role>>,
        carried: &Carried,
    ) -> Trace {
        self.ask(permission, role, carried, |question, required| {
            access::explain(self.state, question, required)
        })
    }

    /// Puts the question whether the caller has a permission on the role.
    fn ask<T>(
        self,
        permission: Permission,
        role: Option<&'a Arc<Role>>,
        carried: &Carried,
        answer: impl FnOnce(&Question<'_>, &Required<'_>) -> T,
    ) -> T {
        let facts = Facts::of_session(carried.facts(self.request, self.proven));
        let tags = role.map(|role| &role.tags);
        let resource = Resource::role_by_arn(self.role_arn.as_str(), tags);
        let required = Required { permission, resource: &resource, facts: &facts };
        let caller = &self.command.caller;
        let question = Question {
            resource_policy: role.map(|role| &role.trust.policy),
            role_trust: true,
            ..required.question(caller, self.command.account, self.command.time)
        };
        answer(&question, &required)
    }

    /// The tags of another account's role count in the caller's policies, but their values are told to nobody there.
    fn without_tags(self, role: Option<&Arc<Role>>, mut trace: Trace) -> Trace {
        if self.is_own() {
            return trace;
        }
        let mut tags = Context::default();
        let resource = Resource::role_by_arn(self.role_arn.as_str(), role.map(|role| &role.tags));
        resource.insert_into(&mut tags);
        let of_caller = trace.policies.iter_mut().filter(|policy| !policy.kind.is_of_resource());
        for statement in of_caller.flat_map(|policy| &mut policy.statements) {
            if let Some(Miss::Condition { key, given, .. }) = &mut statement.miss
                && tags.get(key).is_some()
            {
                *given = None;
            }
        }
        trace
    }

    /// A refusal as the caller may know it. Whom a role of another account does not admit is told what they would
    /// be of a role that is not there: not that it is, nor its tags, nor what else of its account refused them.
    fn told(self, denied: Box<Denied>, permission: Permission, carried: &Carried) -> Rejection {
        let known = denied.evidence.as_ref().is_none_or(|evidence| self.is_known(&evidence.trace));
        let of_nothing = || self.judge(permission, None, carried).err();
        let mut denied = if known { denied } else { of_nothing().unwrap_or(denied) };
        if self.proven.is_some() {
            // A stranger is told no more.
            denied.message = NOT_AUTHORIZED_WEB.to_owned();
        }
        Rejection::AccessDenied(denied)
    }

    /// Whether the caller may know that the role is there: it is of their account, or it admits them.
    fn is_known(self, trace: &Trace) -> bool {
        let admits = |(policy, statement): (&PolicyTrace, &StatementTrace)| {
            // A role's trust policy is judged as what it is, its resource's policy.
            policy.kind == PolicyKind::Resource && !statement.denies
        };
        self.is_own() || trace.matched().any(admits)
    }

    /// Whether the role's account is the caller's.
    fn is_own(self) -> bool {
        self.command.caller.principal.account() == Some(self.command.account)
    }
}

/// All that the holder of a provider's token is told.
const NOT_AUTHORIZED_WEB: &str = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
