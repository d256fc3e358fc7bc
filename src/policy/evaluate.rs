//! Evaluation: every policy that bears on a request, in the order of the IAM User Guide,
//! reference_policies_evaluation-logic. An explicit deny anywhere decides; after that every limit has to
//! allow, and then either the resource's policy, the caller's, or both, depending on whose accounts they
//! are and how closely the resource's policy names the caller.

use super::decision::{Decision, Matched, Verdict};
use super::parse::{Effect, Statement};
use super::principal::Closeness;
use super::{Context, Policy, PolicyKind};
use crate::identity::{AccountId, Principal};

/// A request to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// `service:Action`
    pub action: &'a str,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    /// The account that owns the resource; the caller's own where it is not known.
    pub resource_account: Option<AccountId>,
    /// The condition keys.
    pub context: &'a Context,
}

/// A policy with its name.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The name.
    pub name: &'a str,
    /// The policy.
    pub policy: &'a Policy,
}

/// The guardrails at one level: the installation, or the account.
#[derive(Clone, Debug)]
pub struct Level<'a> {
    /// The level's name.
    pub name: &'a str,
    /// One of these has to allow; an empty level denies.
    pub policies: Vec<Named<'a>>,
}

/// Every policy that bears on a request.
#[derive(Clone, Debug, Default)]
pub struct Policies<'a> {
    /// Of the user or role: inline and managed.
    pub identity: Vec<Named<'a>>,
    /// Of the resource.
    pub resource: Option<&'a Policy>,
    /// Whether `resource` is a role's trust policy, which has to allow whatever else does.
    pub role_trust: bool,
    /// The permissions boundary.
    pub boundary: Option<Named<'a>>,
    /// Session policies; an empty list grants nothing, none limits nothing.
    pub session: Option<Vec<Named<'a>>>,
    /// Guardrails of the caller's account, root first; no level limits nothing.
    pub service_control: Vec<Level<'a>>,
    /// Guardrails of the resource's account, root first; no level limits nothing.
    pub resource_control: Vec<Level<'a>>,
}

/// Evaluates `request` against `policies`.
#[must_use]
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let mut matched = Vec::new();
    let effects = Effects::of(request, policies, &mut matched);
    let denied = matched.iter().find(|statement| statement.denies).map(|statement| statement.kind);
    let (verdict, deciding) = match denied {
        Some(kind) => (Verdict::ExplicitDeny, kind),
        None => match effects.first_lack(request, policies.role_trust) {
            Some(kind) => (Verdict::ImplicitDeny, kind),
            None if effects.identity => (Verdict::Allow, PolicyKind::Identity),
            None => (Verdict::Allow, PolicyKind::Resource),
        },
    };
    Decision { verdict, deciding, matched }
}

/// What allows the request.
struct Effects {
    resource: Closeness,
    identity: bool,
    boundary: bool,
    session: bool,
    service_control: bool,
    resource_control: bool,
}

impl Effects {
    fn of(request: &Request<'_>, policies: &Policies<'_>, matched: &mut Vec<Matched>) -> Self {
        let mut matcher = Matcher { request, matched };
        let root = matches!(request.principal, Principal::Root { .. });
        let resource = policies.resource.map_or(Closeness::None, |policy| matcher.resource(policy));
        let limited = |levels: &[Level<'_>], kind, matcher: &mut Matcher<'_, '_>| {
            // Every level is looked at, for its denies.
            let allow = levels.iter().map(|level| matcher.any(&level.policies, kind));
            allow.fold(true, |all, one| all & one)
        };
        let of_account = request.principal.account().is_some();
        Self {
            resource,
            identity: matcher.any(&policies.identity, PolicyKind::Identity) | root,
            boundary: policies
                .boundary
                .is_none_or(|boundary| matcher.any(&[boundary], PolicyKind::Boundary)),
            session: policies
                .session
                .as_ref()
                .is_none_or(|session| matcher.any(session, PolicyKind::Session)),
            service_control: !of_account
                || limited(&policies.service_control, PolicyKind::ServiceControl, &mut matcher),
            resource_control: limited(
                &policies.resource_control,
                PolicyKind::ResourceControl,
                &mut matcher,
            ),
        }
    }

    /// The first kind of policy that would have to allow and does not.
    fn first_lack(&self, request: &Request<'_>, role_trust: bool) -> Option<PolicyKind> {
        let lack = |allowed: bool, kind| (!allowed).then_some(kind);
        let limits = lack(self.resource_control, PolicyKind::ResourceControl)
            .or_else(|| lack(self.service_control, PolicyKind::ServiceControl));
        if limits.is_some() {
            return limits;
        }
        let bounds = || {
            lack(self.boundary, PolicyKind::Boundary)
                .or_else(|| lack(self.session, PolicyKind::Session))
        };
        let own = || lack(self.identity, PolicyKind::Identity).or_else(bounds);
        let admitted = lack(self.resource > Closeness::None, PolicyKind::Resource);
        let Some(account) = request.principal.account() else {
            // Services and strangers have no policies of their own.
            return admitted;
        };
        let same_account = request.resource_account.is_none_or(|owner| owner == account);
        if !same_account {
            return admitted.or_else(own);
        }
        if role_trust && admitted.is_some() {
            return admitted;
        }
        match self.resource {
            Closeness::Itself => None,
            Closeness::Role => bounds(),
            Closeness::Account | Closeness::None => own(),
        }
    }
}

struct Matcher<'a, 'b> {
    request: &'a Request<'a>,
    matched: &'b mut Vec<Matched>,
}

impl Matcher<'_, '_> {
    /// Whether one of the policies allows; notes every statement that matches.
    fn any(&mut self, policies: &[Named<'_>], kind: PolicyKind) -> bool {
        let mut allowed = false;
        for named in policies {
            for (index, statement) in named.policy.0.statements.iter().enumerate() {
                if self.matches(statement)
                    && self.names(statement).is_none_or(|c| c > Closeness::None)
                {
                    self.note(named.name, kind, index, statement);
                    allowed |= statement.effect == Effect::Allow;
                }
            }
        }
        allowed
    }

    /// How closely the allowing statements of a resource's policy name the caller.
    fn resource(&mut self, policy: &Policy) -> Closeness {
        let mut closest = Closeness::None;
        for (index, statement) in policy.0.statements.iter().enumerate() {
            let closeness = self.names(statement).unwrap_or(Closeness::None);
            if closeness > Closeness::None && self.matches(statement) {
                let name = if policy.kind() == PolicyKind::Trust { "trust" } else { "resource" };
                self.note(name, PolicyKind::Resource, index, statement);
                if statement.effect == Effect::Allow {
                    closest = closest.max(closeness);
                }
            }
        }
        closest
    }

    /// How closely the statement names the caller; none if it names nobody at all.
    fn names(&self, statement: &Statement) -> Option<Closeness> {
        let principals = statement.principals.as_ref()?;
        let principal = self.request.principal;
        let of = |item: &super::parse::PlacedPrincipal| item.named.closeness(principal);
        let closest = principals.items.iter().map(of).max().unwrap_or(Closeness::None);
        if !principals.not {
            return Some(closest);
        }
        // Whoever is not exempted is meant.
        Some(if closest == Closeness::None { Closeness::Itself } else { Closeness::None })
    }

    /// Action, resource and conditions.
    fn matches(&self, statement: &Statement) -> bool {
        let request = self.request;
        let action = request.action.to_ascii_lowercase();
        let actions = &statement.actions;
        if actions.items.iter().any(|glob| glob.matches(&action)) == actions.not {
            return false;
        }
        if let Some(resources) = &statement.resources {
            let matches = |pattern: &super::pattern::ArnPattern| {
                pattern.matches(request.resource, request.context)
            };
            if resources.items.iter().any(matches) == resources.not {
                return false;
            }
        }
        statement.conditions.iter().all(|condition| condition.holds(request.context))
    }

    fn note(&mut self, policy: &str, kind: PolicyKind, index: usize, statement: &Statement) {
        self.matched.push(Matched {
            policy: policy.to_owned(),
            kind,
            statement: index,
            sid: statement.sid.clone(),
            denies: statement.effect == Effect::Deny,
        });
    }
}
