//! May they: gathers from the state every policy that bears on a request and has `policy` judge it.
//! Decisions and the Authorization service use this one path; there is no second.

mod facts;
mod keys;
mod operations;
#[cfg(test)]
mod operations_tests;
mod permission;
pub mod reference;
mod resource;
mod root;
mod target;

use std::net::IpAddr;
use std::sync::Arc;

use super::event::GuardrailKind;
use super::rejection::{Denied, Evidence};
use super::revocation::Ancestor;
use super::session::{self, Session};
use super::session_limits;
use super::state::{Account, Permissions, State};
use crate::clock::Timestamp;
use crate::identity::{
    AccessKeyId, AccountId, Arn, Federator, Principal, RoleDelivery, SourceIdentity, UniqueId,
    WebIdentity,
};
use crate::policy::{
    self, Context, Decision, KeySet, Level, Named, Policies, Policy, PolicyKind, Request, Trace,
    Verdict,
};

pub use facts::{Facts, SessionFacts};
pub use keys::{
    Connection, GLOBAL_KEYS, REQUEST_KEYS, insert_request_keys, of_the_caller, web_identity_context,
};
pub use operations::OwnOperations;
pub use permission::{Permission, RequestKeys, Row};
pub use resource::{LaunchedBeside, ListKind, Resource, ResourceKind};
pub use root::require_root;
pub use target::Target;

/// Who asks, as authenticated at an edge.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The principal.
    pub principal: Principal,
    /// The key that signed the request; none for the service's own tasks.
    pub key: Option<AccessKeyId>,
    /// What the session token says, for temporary credentials.
    pub session: Option<Arc<CallerSession>>,
    /// Where the request came from.
    pub source_ip: Option<IpAddr>,
    /// Whether it came over TLS.
    pub secure_transport: bool,
    /// The client's own name for itself.
    pub user_agent: Arc<str>,
    /// The region that the request was made to; none for the service's own tasks.
    pub region: Option<Arc<str>>,
}

/// The facts of the caller's session.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as in `session::Session`")]
pub struct CallerSession {
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub policy: Option<Policy>,
    pub policy_arns: Vec<Arn>,
    pub tags: session::Tags,
    pub transitive_tag_keys: Vec<Arc<str>>,
    pub source_identity: Option<SourceIdentity>,
    pub chain_depth: u8,
    /// The ARN of the instance whose role session it is.
    pub instance: Option<Arn>,
    /// How that instance got it.
    pub delivery: Option<RoleDelivery>,
    /// The sessions before it in its chain, first to last.
    pub ancestors: Vec<Ancestor>,
    pub mfa_at: Option<Timestamp>,
    pub web_identity: Option<WebIdentity>,
    /// Who asked for it, if it is a federated user's.
    pub federator: Option<Federator>,
}

impl Caller {
    /// The service itself: the scheduler and start-up.
    #[must_use]
    pub fn service() -> Self {
        Self {
            principal: Principal::Service(Arc::from("locum.internal")),
            key: None,
            session: None,
            source_ip: None,
            secure_transport: true,
            user_agent: Arc::from(""),
            region: None,
        }
    }

    /// The sessions that stand before one that this caller asks for; none for long-term keys.
    #[must_use]
    pub fn chain(&self) -> Vec<Ancestor> {
        let (Some(session), Some(key)) = (&self.session, &self.key) else { return Vec::new() };
        let Some(account) = self.principal.account() else { return Vec::new() };
        let instance = session.instance.as_ref().map(Arn::resource_name);
        let own = Ancestor {
            account,
            key: key.clone(),
            principal_id: self.principal.unique_id().and_then(|id| id.parse().ok()),
            issued_at: session.issued_at,
            instance: instance.and_then(|id| id.parse().ok()),
        };
        session.ancestors.iter().cloned().chain([own]).collect()
    }

    /// Whether temporary credentials signed the request; a role's session always has some.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        let of_role = matches!(self.principal, Principal::AssumedRole { .. });
        self.session.is_some() || of_role
    }

    /// Nobody yet: whoever makes a call, until its signature is looked at.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { principal: Principal::Anonymous, secure_transport: false, ..Self::service() }
    }

    /// The holder of a session's credentials; none if its session policy cannot be read, which is then no
    /// reason to leave it out.
    #[must_use]
    pub fn of_session(account: AccountId, session: &Session) -> Option<Self> {
        let principal = session.subject.principal(account);
        let policy = session.policy.as_deref();
        let policy =
            policy.map(|text| Policy::reread(text, PolicyKind::Session)).transpose().ok()?;
        let facts = CallerSession {
            issued_at: session.issued_at,
            expires_at: session.expires_at,
            policy,
            policy_arns: session.policy_arns.clone(),
            tags: session.tags.clone(),
            transitive_tag_keys: session.transitive_tag_keys.clone(),
            source_identity: session.source_identity.clone(),
            chain_depth: session.chain_depth,
            instance: None,
            delivery: None,
            ancestors: session.ancestors.clone(),
            mfa_at: session.mfa_at,
            web_identity: session.web_identity.clone(),
            federator: session.subject.federator().cloned(),
        };
        let session = Some(Arc::new(facts));
        Some(Self { principal, key: None, session, ..Self::service() })
    }
}

/// A request to judge.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// `service:Action`
    pub action: &'a str,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    /// The account that owns the resource; the caller's own where the ARN names none.
    pub resource_account: Option<AccountId>,
    /// The resource's own policy.
    pub resource_policy: Option<&'a Policy>,
    /// Whether `resource_policy` is a role's trust policy, which must allow whatever else does.
    pub role_trust: bool,
    /// When it is judged.
    pub time: Timestamp,
}

/// The condition keys of a request itself, which win over those that follow from the caller.
pub trait ConditionKeys {
    /// Sets them, as far as `context` asks about them.
    fn insert_into(&self, context: &mut Context);
}

/// What a resource service says of a request, or a simulation.
impl ConditionKeys for Context {
    fn insert_into(&self, context: &mut Context) {
        context.extend(self);
    }
}

/// A permission that an operation of Locum's own needs, on what, with what the request says. The keys of a decision on
/// it are those that the table of permissions names, and no others.
#[derive(Clone, Copy, Debug)]
pub struct Required<'a> {
    /// The permission.
    pub permission: Permission,
    /// What it is about.
    pub resource: &'a Resource<'a>,
    /// What the request says.
    pub facts: &'a Facts<'a>,
}

impl<'a> Required<'a> {
    /// The question whether `caller` has it in `account`.
    #[must_use]
    pub fn question(
        &self,
        caller: &'a Caller,
        account: AccountId,
        time: Timestamp,
    ) -> Question<'a> {
        Question {
            caller,
            action: self.permission.action(),
            resource: self.resource.arn(),
            resource_account: Some(account),
            resource_policy: None,
            role_trust: false,
            time,
        }
    }
}

impl ConditionKeys for Required<'_> {
    fn insert_into(&self, context: &mut Context) {
        for keys in self.permission.row().keys {
            self.facts.insert_into(context, *keys, self.resource);
        }
        self.resource.insert_into(context);
    }
}

/// Judges a request against everything the state holds on the caller.
#[must_use]
pub fn judge(state: &State, question: &Question<'_>, extra: &impl ConditionKeys) -> Decision {
    let policies = policies(state, question);
    let context = keys::context(state, question, extra, policies.keys());
    policy::decide(&question.request(&context), &policies)
}

/// Whether a policy that bears on a question asks about a key.
#[must_use]
pub fn asks_about(state: &State, question: &Question<'_>, key: &str) -> bool {
    Context::of(policies(state, question).keys()).asks_about(key)
}

/// Judges as [`judge`] does, and tells what each policy and statement came to.
#[must_use]
pub fn explain(state: &State, question: &Question<'_>, extra: &impl ConditionKeys) -> Trace {
    gathered(state, question, extra, policy::explain)
}

/// Explains as [`explain`] does to someone of the caller's account, with further identity policies beside those of
/// the state. The guardrails of another account are not theirs to know.
#[must_use]
pub fn explain_with(
    state: &State,
    question: &Question<'_>,
    extra: &impl ConditionKeys,
    additional: &[Policy],
) -> Trace {
    gathered(state, question, extra, |request, policies| {
        let mut policies = policies.clone();
        if question.resource_account != question.caller.principal.account() {
            policies.resource_control = Vec::new();
        }
        let more = additional.iter().map(|policy| Named { name: "additional", policy });
        policies.identity.extend(more);
        policy::explain(request, &policies)
    })
}

/// Allows a request, or refuses it with the sentence that says which policy was missing or denied it.
///
/// # Errors
/// The refusal, with its evidence.
pub fn authorize(
    state: &State,
    question: &Question<'_>,
    extra: &impl ConditionKeys,
) -> Result<(), Box<Denied>> {
    let decision = judge(state, question, extra);
    if decision.verdict() == Verdict::Allow {
        return Ok(());
    }
    let principal = &question.caller.principal;
    let evidence = gathered(state, question, extra, |request, policies| Evidence {
        account: principal.account(),
        resource_account: question.resource_account,
        user_id: principal.user_id(),
        trace: policy::explain(request, policies),
        context: request.context.clone(),
    });
    let (action, resource) = (question.action, question.resource);
    Err(Box::new(Denied {
        message: decision.message(&principal.arn(), action, resource),
        principal: principal.arn(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        evidence: Some(Box::new(evidence)),
        encoded: None,
    }))
}

/// Gathers the policies that bear on a question and every condition key, and evaluates them.
pub fn gathered<T>(
    state: &State,
    question: &Question<'_>,
    extra: &impl ConditionKeys,
    evaluate: impl FnOnce(&Request<'_>, &Policies<'_>) -> T,
) -> T {
    let context = keys::context(state, question, extra, KeySet::ALL);
    evaluate(&question.request(&context), &policies(state, question))
}

impl<'a> Question<'a> {
    fn request(&self, context: &'a Context) -> Request<'a> {
        Request {
            principal: &self.caller.principal,
            action: self.action,
            resource: self.resource,
            resource_account: self.resource_account,
            context,
        }
    }
}

/// The policies that bear on a question.
fn policies<'a>(state: &'a State, question: &Question<'a>) -> Policies<'a> {
    let caller = question.caller;
    let account = caller.principal.account().and_then(|id| state.account(id));
    let mut policies = Policies::default();
    let permissions = account.map(|account| permissions_of(account, caller));
    if let (Some(account), Some(permissions)) = (account, &permissions) {
        policies.identity =
            permissions.iter().flat_map(|held| identity_policies(account, held)).collect();
        if federator(caller) == Some(&Federator::Root) {
            policies.identity.push(session_limits::root());
        }
        // Groups have no boundary.
        let boundary = permissions.iter().find_map(|held| held.boundary.as_deref());
        policies.boundary =
            boundary.and_then(|name| named(account, name)).map(|boundary| vec![boundary]);
    }
    if let (Some(account), Some(session)) = (account, &caller.session) {
        policies.session = session_policies(account, caller, session);
    }
    let limits = |kind, account| guardrails(state, kind, account);
    policies.service_control = limits(GuardrailKind::ServiceControl, caller.principal.account());
    // A role that is not there has no guardrails either: it is told alike in every account.
    let absent = question.role_trust && question.resource_policy.is_none();
    let protected = question.resource_account.filter(|_| !absent);
    policies.resource_control = limits(GuardrailKind::ResourceControl, protected);
    policies.resource = question.resource_policy;
    policies.resource_must_allow = question.role_trust;
    policies
}

fn federator(caller: &Caller) -> Option<&Federator> {
    caller.session.as_ref()?.federator.as_ref()
}

/// By id: a user who was given another name is the same one, another user of the old name is not.
fn permissions_of_user<'a>(account: &'a Account, id: &UniqueId) -> Vec<&'a Permissions> {
    let user = account.user_by_id(id);
    let groups = user.into_iter().flat_map(|user| &user.groups);
    let groups = groups.filter_map(|group| account.groups.get(group));
    let own = user.map(|user| &user.permissions);
    own.into_iter().chain(groups.map(|group| &group.permissions)).collect()
}

/// The permissions of the user or role behind a principal, if it still is the same one, and those of the
/// user's groups.
fn permissions_of<'a>(account: &'a Account, caller: &Caller) -> Vec<&'a Permissions> {
    match &caller.principal {
        Principal::User { id, .. } => permissions_of_user(account, id),
        Principal::FederatedUser { .. } => match federator(caller) {
            Some(Federator::User { id, .. }) => permissions_of_user(account, id),
            Some(Federator::Root) | None => Vec::new(),
        },
        Principal::AssumedRole { role, role_id, .. } => {
            let role = account.role(role).filter(|role| role.id == *role_id);
            role.map(|role| &role.permissions).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The guardrails on an account, the installation's first. A level without any limits nothing, and none
/// bind the operator's account (as AWS's do not bind the management account: Organizations User Guide,
/// orgs_manage_policies_scps).
#[must_use]
pub fn guardrails(
    state: &State,
    kind: GuardrailKind,
    account: Option<AccountId>,
) -> Vec<Level<'_>> {
    let Some(account) = account.filter(|account| *account != AccountId::OPERATOR) else {
        return Vec::new();
    };
    let levels = [("installation", None), ("account", Some(account))];
    let levels = levels.into_iter().filter_map(|(name, target)| {
        let named = state.guardrails(kind, target)?;
        let policies = named.iter().map(|(name, policy)| Named { name: name.as_str(), policy });
        Some(Level { name, policies: policies.collect() })
    });
    levels.collect()
}

fn named<'a>(account: &'a Account, name: &str) -> Option<Named<'a>> {
    let managed = account.managed(name)?;
    Some(Named { name: managed.name.as_str(), policy: &managed.policy })
}

fn identity_policies<'a>(
    account: &'a Account,
    permissions: &'a Permissions,
) -> impl Iterator<Item = Named<'a>> {
    let inline = permissions.inline.iter();
    let inline = inline.map(|(name, policy)| Named { name: name.as_str(), policy });
    inline.chain(permissions.attached.iter().filter_map(|name| named(account, name)))
}

/// A managed session policy that is gone grants nothing: the list is then empty, not absent.
fn session_policies<'a>(
    account: &'a Account,
    caller: &Caller,
    session: &'a CallerSession,
) -> Option<Vec<Named<'a>>> {
    let limit = session_limits::of(caller);
    if session.policy.is_none() && session.policy_arns.is_empty() && limit.is_none() {
        return None;
    }
    let inline = session.policy.iter().map(|policy| Named { name: "session", policy });
    let managed = session.policy_arns.iter().filter_map(|arn| account.policy_by_arn(arn));
    let managed = managed.map(|m| Named { name: m.name.as_str(), policy: &m.policy });
    Some(limit.into_iter().chain(inline).chain(managed).collect())
}
