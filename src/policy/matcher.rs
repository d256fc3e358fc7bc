//! One request against statements. The same code decides quickly and explains at length: what it tells a
//! [`Witness`] is the only difference.

use super::arn_pattern::{ArnPattern, ArnText};
use super::condition::Condition;
use super::evaluate::{Named, Request};
use super::parse::{Effect, PlacedPrincipal, Selection, Statement};
use super::principal::{Closeness, Named as Meant};
use super::trace::{Miss, PolicyTrace, StatementTrace};
use super::{Policy, PolicyKind};
use crate::identity::Principal;

/// Bytes of an action that are lowered without allocation.
pub(super) const ACTION_INLINE: usize = 128;

/// A request, prepared once for many statements.
pub(super) struct Matcher<'a> {
    pub(super) request: &'a Request<'a>,
    /// In lower case.
    action: &'a str,
    /// The part of the action before the colon.
    service: &'a str,
    resource: ArnText<'a>,
    /// Whether the principal has a permissions boundary.
    bounded: bool,
    denied: Option<PolicyKind>,
}

/// Who is told what is found.
pub(super) trait Witness {
    /// Whether every statement is looked at, also those that can change nothing any more.
    const THOROUGH: bool;
    fn policy(&mut self, level: &str, name: &str, kind: PolicyKind);
    fn statement(&mut self, statement: impl FnOnce() -> StatementTrace);
}

/// Nobody: the decision alone is wanted.
pub(super) struct Nobody;

impl Witness for Nobody {
    const THOROUGH: bool = false;
    fn policy(&mut self, _: &str, _: &str, _: PolicyKind) {}
    fn statement(&mut self, _: impl FnOnce() -> StatementTrace) {}
}

impl Witness for Vec<PolicyTrace> {
    const THOROUGH: bool = true;

    fn policy(&mut self, level: &str, name: &str, kind: PolicyKind) {
        let (level, name) = (level.to_owned(), name.to_owned());
        self.push(PolicyTrace { name, level, kind, statements: Vec::new() });
    }

    fn statement(&mut self, statement: impl FnOnce() -> StatementTrace) {
        if let Some(policy) = self.last_mut() {
            policy.statements.push(statement());
        }
    }
}

/// What a statement says of a request.
enum Found<'s> {
    Match(Closeness),
    MissPrincipal,
    MissAction,
    MissResource,
    MissCondition(&'s Condition),
}

impl<'a> Matcher<'a> {
    /// `buffer` and `spill` take the action in lower case, `spill` if it is long.
    pub(super) fn new(
        request: &'a Request<'a>,
        bounded: bool,
        buffer: &'a mut [u8; ACTION_INLINE],
        spill: &'a mut String,
    ) -> Self {
        let bytes = request.action.as_bytes();
        let action = match buffer.get_mut(..bytes.len()) {
            Some(lower) => {
                lower.copy_from_slice(bytes);
                lower.make_ascii_lowercase();
                // Lowering ASCII keeps UTF-8 whole.
                std::str::from_utf8(lower).unwrap_or_default()
            }
            None => {
                *spill = request.action.to_ascii_lowercase();
                spill.as_str()
            }
        };
        let service = action.split_once(':').map(|(service, _)| service).unwrap_or_default();
        let resource = ArnText::new(request.resource);
        Self { request, action, service, resource, bounded, denied: None }
    }

    /// The kind of policy that was first found to deny.
    pub(super) fn denied(&self) -> Option<PolicyKind> {
        self.denied
    }

    /// Whether one of the policies allows. A `Principal` element, which endpoint and resource control
    /// policies may have, has to mean the caller.
    pub(super) fn any<W: Witness>(
        &mut self,
        level: &str,
        policies: &[Named<'_>],
        kind: PolicyKind,
        witness: &mut W,
    ) -> bool {
        let closest = policies
            .iter()
            .map(|named| self.policy(level, named.name, named.policy, kind, witness));
        // Every policy is looked at, for its denies.
        closest.fold(Closeness::None, Closeness::max) > Closeness::None
    }

    /// How closely the allowing statements of a policy name the caller; a statement without `Principal`
    /// means everyone.
    pub(super) fn policy<W: Witness>(
        &mut self,
        level: &str,
        name: &str,
        policy: &Policy,
        kind: PolicyKind,
        witness: &mut W,
    ) -> Closeness {
        if !W::THOROUGH && self.denied.is_some() {
            return Closeness::None;
        }
        witness.policy(level, name, kind);
        let statements = policy.0.statements.as_slice();
        let mut closest = Closeness::None;
        let mut look = |index: usize, statement: &Statement, denied: &mut Option<PolicyKind>| {
            let allows = statement.effect == Effect::Allow;
            if !W::THOROUGH && allows && closest == Closeness::Itself {
                return;
            }
            let found = self.find(statement, kind);
            if let Found::Match(closeness) = found {
                if allows {
                    closest = closest.max(closeness);
                } else if denied.is_none() {
                    *denied = Some(kind);
                }
            }
            witness.statement(|| self.trace(index, statement, &found));
        };
        let mut denied = self.denied;
        if W::THOROUGH {
            for (index, statement) in statements.iter().enumerate() {
                look(index, statement, &mut denied);
            }
        } else {
            for index in policy.0.index.candidates(self.service) {
                if let Some(statement) = statements.get(index) {
                    look(index, statement, &mut denied);
                }
            }
        }
        self.denied = denied;
        closest
    }

    fn find<'s>(&self, statement: &'s Statement, kind: PolicyKind) -> Found<'s> {
        let context = self.request.context;
        let actions = &statement.actions;
        if actions.items.iter().any(|glob| glob.matches(self.action, context)) == actions.not {
            return Found::MissAction;
        }
        if let Some(resources) = &statement.resources {
            let matches = resources.items.iter().any(|arn| arn.matches(&self.resource, context));
            if matches == resources.not || self.is_void(statement, resources) {
                return Found::MissResource;
            }
        }
        let closeness = self.closeness(statement, kind);
        if closeness == Closeness::None {
            return Found::MissPrincipal;
        }
        let holds = |condition: &&Condition| condition.holds(statement.effect, context);
        match statement.conditions.iter().find(|condition| !holds(condition)) {
            Some(condition) => Found::MissCondition(condition),
            None => Found::Match(closeness),
        }
    }

    /// Whether a variable without value leaves open what an Allow exempts: it then allows nothing. A Deny then exempts
    /// nothing by it (IAM User Guide, reference_policies_variables, "Policy variables with no value").
    fn is_void(&self, statement: &Statement, resources: &Selection<ArnPattern>) -> bool {
        let resolves = |arn: &ArnPattern| arn.resolves(self.request.context);
        resources.not && statement.effect == Effect::Allow && !resources.items.iter().all(resolves)
    }

    fn closeness(&self, statement: &Statement, kind: PolicyKind) -> Closeness {
        let Some(principals) = &statement.principals else { return Closeness::Itself };
        let grants = statement.effect == Effect::Allow && kind == PolicyKind::Resource;
        let of = |item: &PlacedPrincipal| match &item.named {
            Meant::Everyone if grants => self.granted_to_everyone(statement),
            named => named.closeness(self.request.principal),
        };
        let closest = principals.items.iter().map(of).max().unwrap_or(Closeness::None);
        if !principals.not {
            return closest;
        }
        // Whoever is not exempted is meant. A deny exempts nobody who has a permissions boundary (IAM
        // User Guide, access_policies_boundaries).
        let exempt = match (closest, statement.effect) {
            (Closeness::None, _) => false,
            (_, Effect::Allow) => true,
            (_, Effect::Deny) if self.bounded => false,
            // A role or an account that is listed beside narrower names of its own is there only since
            // some services check it first (IAM User Guide, reference_policies_elements_notprincipal).
            (Closeness::Role, _) => !self.names_within(principals, true),
            (Closeness::Account, _) => !self.names_within(principals, false),
            (Closeness::Itself, _) => true,
        };
        match exempt {
            true => Closeness::None,
            false if grants => self.granted_to_everyone(statement),
            false => Closeness::Itself,
        }
    }

    /// How closely a resource's or trust policy that grants something to everyone (`"*"` and `{"AWS": "*"}`, which
    /// reference_policies_elements_principal calls equivalent, or all but a few) names the caller.
    ///
    /// A boundary and a session policy limit what is so granted, as they do where the role is named. By
    /// reference_policies_evaluation-logic_policy-eval-denyallow they do not limit what is granted "directly to the IAM user
    /// or the session principal", which are named by ARN, nor what is granted by "the `aws:PrincipalArn` condition key
    /// with a wildcard(*) in the Principal element"; for a federated user "that policy specifically references" the session
    /// (STS API Reference, GetFederationToken). Of `*` alone no page says it: whoever makes a session smaller means it.
    ///
    /// The holder of a provider's token is trusted by the provider's name in `Federated` alone
    /// (id_roles_create_for-idp_oidc): `*` stands for principals of AWS.
    fn granted_to_everyone(&self, statement: &Statement) -> Closeness {
        match self.request.principal {
            Principal::Federated(_) => Closeness::None,
            _ if statement.conditions.iter().any(Condition::names_principals) => Closeness::Itself,
            _ => Closeness::Role,
        }
    }

    fn names_within(&self, principals: &Selection<PlacedPrincipal>, of_role: bool) -> bool {
        let principal = self.request.principal;
        principals.items.iter().any(|item| item.named.is_within(principal, of_role))
    }

    fn trace(&self, index: usize, statement: &Statement, found: &Found<'_>) -> StatementTrace {
        let miss = match found {
            Found::Match(_) => None,
            Found::MissPrincipal => Some(Miss::Principal),
            Found::MissAction => Some(Miss::Action),
            Found::MissResource => Some(Miss::Resource),
            Found::MissCondition(condition) => {
                Some(Miss::condition(condition, self.request.context))
            }
        };
        StatementTrace::new(index, statement, miss)
    }
}
