//! Dry runs: whole chains of assumptions, and who can do a thing. Nothing is written and no key is made.

use std::sync::Arc;
use std::time::Duration;

use super::request::{self, AssumeRole};
use super::{RequestInfo, Service, ServiceError};
use crate::clock::Timestamp;
use crate::domain::access::{Caller, Question, explain_with};
use crate::domain::command::{Action, Command, SessionAction};
use crate::domain::decide::{decide, explain_assume_role, longest_session};
use crate::domain::event::{EventKind, SessionEvent};
use crate::domain::session::{Operation, Session, SessionRequest};
use crate::domain::state::{Account, State};
use crate::identity::{AccountId, Arn, Principal, SessionName};
use crate::policy::{Context, Miss, Policy, PolicyKind, Trace, Verdict};

/// One assumption of a chain.
#[derive(Clone, Debug)]
pub struct Step {
    /// Who asks.
    pub principal: Arc<str>,
    /// The account of who asks.
    pub account: Option<AccountId>,
    /// The role.
    pub role: Arn,
    /// The session that would be issued, or why none would.
    pub outcome: Result<Box<Session>, String>,
    /// Each action that was judged, with what it came to.
    pub judged: Vec<(&'static str, Trace)>,
    /// The longest session that can be asked for; none if the role cannot be assumed.
    pub longest: Option<Duration>,
}

/// Someone who can do a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The ARN or name.
    pub principal: String,
    /// `root`, `user`, `role` or `trusted`.
    pub kind: &'static str,
    /// Whether conditions were not met.
    pub conditional: bool,
    /// The policies that allow.
    pub through: Vec<String>,
}

impl Service {
    /// Walks `roles` one after another, each assumed with the session of the one before, up to the first
    /// that cannot be assumed. What `asked` says of tags and the source identity goes with the first step,
    /// its session policy with the last.
    ///
    /// # Errors
    /// The request breaks a constraint, or the system gives no random bytes.
    pub fn explain_chain(
        &self,
        info: &RequestInfo,
        caller: Caller,
        roles: &[String],
        asked: &AssumeRole,
    ) -> Result<Vec<Step>, ServiceError> {
        let view = self.view();
        let mut steps = Vec::new();
        let mut caller = Some(caller);
        for (number, role) in roles.iter().enumerate() {
            let Some(from) = caller.take() else { break };
            let (first, last) = (number == 0, number + 1 == roles.len());
            let mut asked = AssumeRole { role_arn: Some(role.clone()), ..asked.clone() };
            asked.policy = asked.policy.filter(|_| last);
            if !first {
                (asked.tags, asked.transitive_tag_keys) = (Vec::new(), Vec::new());
                asked.source_identity = None;
            }
            asked.check()?;
            let (role, account) = request::role(asked.role_arn.as_deref())?;
            let session = asked.session(self.draw_id("ASIA")?, None)?;
            let step = self.explain_step(info, &view.state, from, &role, session);
            let session = step.outcome.as_ref().ok();
            caller = session.and_then(|session| Caller::of_session(account, session));
            steps.push(step);
        }
        Ok(steps)
    }

    fn explain_step(
        &self,
        info: &RequestInfo,
        state: &State,
        caller: Caller,
        role_arn: &Arn,
        mut request: SessionRequest,
    ) -> Step {
        let account = role_arn.account_id().unwrap_or(AccountId::OPERATOR);
        let role = state.account(account).and_then(|found| found.role_by_arn(role_arn.as_str()));
        let longest = role.map(|role| longest_session(&caller, role));
        if let Some(longest) = longest {
            request.duration = request.duration.min(longest);
        }
        let principal = caller.principal.arn();
        let own = caller.principal.account();
        let command = Command {
            account,
            caller,
            time: self.now(),
            request_id: info.request_id.clone(),
            trace_id: info.trace_id.clone(),
            idempotency: None,
            action: Action::Session(SessionAction::Issue {
                operation: Operation::AssumeRole(role_arn.clone()),
                session: Box::new(request.clone()),
            }),
        };
        let judged = explain_assume_role(state, &command, role_arn, &request).unwrap_or_default();
        let outcome = match decide(state, &command) {
            Ok(fact) => {
                let mut events = fact.into_iter().flat_map(|fact| fact.events);
                let session = events.find_map(|event| {
                    let EventKind::Session(SessionEvent::Issued { session }) = event.kind else {
                        return None;
                    };
                    Some(Box::new(session))
                });
                session.ok_or_else(|| "no session would be issued".to_owned())
            }
            Err(rejection) => Err(rejection.to_string()),
        };
        let longest = longest.filter(|_| outcome.is_ok());
        Step { principal, account: own, role: role_arn.clone(), outcome, judged, longest }
    }

    /// Who of `account` may do `action` on `resource`, and whom else the resource's policy admits.
    #[must_use]
    pub fn who_can(&self, state: &State, account: &Account, asked: &WhoCan<'_>) -> Vec<Holder> {
        let mut holders = Vec::new();
        let root = Caller {
            principal: Principal::Root { account: account.id },
            user_agent: Arc::from(""),
            ..Caller::service()
        };
        let time = self.now();
        for (kind, caller, arn) in std::iter::once(("root", root, Arn::root(account.id)))
            .chain(users(account))
            .chain(roles(account))
        {
            let trace = asked.trace(state, &caller, time);
            holders.extend(asked.holder(kind, arn.as_str(), &trace));
        }
        holders.extend(trusted(account, asked));
        holders
    }
}

/// What is asked of [`Service::who_can`].
#[derive(Clone, Copy, Debug)]
pub struct WhoCan<'a> {
    /// `service:Action`
    pub action: &'a str,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    /// The account that owns it.
    pub owner: AccountId,
    /// The resource's own policy.
    pub resource_policy: Option<&'a Policy>,
    /// Whether that policy has to allow whatever else does.
    pub must_allow: bool,
    /// Condition keys.
    pub context: &'a Context,
    /// Whether those are shown too who may under conditions that are not met.
    pub conditional: bool,
}

impl WhoCan<'_> {
    fn trace(&self, state: &State, caller: &Caller, time: Timestamp) -> Trace {
        let question = Question {
            caller,
            action: self.action,
            resource: self.resource,
            resource_account: Some(self.owner),
            resource_policy: self.resource_policy,
            role_trust: self.must_allow,
            time,
        };
        explain_with(state, &question, self.context, &[])
    }

    fn holder(&self, kind: &'static str, arn: &str, trace: &Trace) -> Option<Holder> {
        // Root users assume no roles (IAM User Guide, id_roles_use_permissions-to-switch).
        if kind == "root" && self.action.eq_ignore_ascii_case("sts:AssumeRole") {
            return None;
        }
        let allowed = trace.decision.verdict() == Verdict::Allow;
        let conditional = !allowed
            && trace.decision.verdict() == Verdict::ImplicitDeny
            && self.conditional
            && hinges_on_conditions(trace);
        if !allowed && !conditional {
            return None;
        }
        let allowing = trace.policies.iter().filter(|policy| {
            policy.statements.iter().any(|statement| {
                let near = matches!(statement.miss, Some(Miss::Condition { .. })) && conditional;
                !statement.denies && (statement.miss.is_none() || near)
            })
        });
        let through = allowing.map(|policy| policy.name.clone()).collect();
        Some(Holder { principal: arn.to_owned(), kind, conditional, through })
    }
}

/// Whether an allowing statement of the policy kind that decided failed on a condition alone.
fn hinges_on_conditions(trace: &Trace) -> bool {
    let deciding = trace.policies.iter().filter(|p| p.kind == trace.decision.deciding());
    deciding.flat_map(|policy| &policy.statements).any(|statement| {
        !statement.denies && matches!(statement.miss, Some(Miss::Condition { .. }))
    })
}

type Candidate = (&'static str, Caller, Arn);

fn users(account: &Account) -> impl Iterator<Item = Candidate> {
    account.users.values().map(|user| {
        let principal = Principal::User {
            account: account.id,
            path: user.path.clone(),
            name: user.name.clone(),
            id: user.id.clone(),
        };
        let arn = Arn::user(account.id, &user.path, &user.name);
        ("user", Caller { principal, ..Caller::service() }, arn)
    })
}

fn roles(account: &Account) -> impl Iterator<Item = Candidate> {
    account.roles.values().filter_map(|role| {
        let principal = Principal::AssumedRole {
            account: account.id,
            path: role.path.clone(),
            role: role.name.clone(),
            role_id: role.id.clone(),
            session: SessionName::parse("any-session").ok()?,
        };
        let arn = Arn::role(account.id, &role.path, &role.name);
        Some(("role", Caller { principal, ..Caller::service() }, arn))
    })
}

/// Whom the resource's policy names from elsewhere; their own accounts have to let them too.
fn trusted(account: &Account, asked: &WhoCan<'_>) -> Vec<Holder> {
    let Some(policy) = asked.resource_policy else { return Vec::new() };
    let elsewhere = policy.admitted().into_iter().filter(|(kind, name)| {
        let own = name.parse::<Arn>().ok().and_then(|arn| arn.account_id()) == Some(account.id);
        let id = *kind == "AWS" && !name.contains(':') && name != "*";
        !own && !id
    });
    let through = if policy.kind() == PolicyKind::Trust { "trust" } else { "resource" };
    let holders = elsewhere.map(|(_, principal)| Holder {
        principal,
        kind: "trusted",
        conditional: true,
        through: vec![through.to_owned()],
    });
    holders.collect()
}
