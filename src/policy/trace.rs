//! The whole of an evaluation: for each policy and statement what matched, and on what it failed.

use super::condition::Condition;
use super::parse::{Effect, Statement};
use super::{Context, Decision, PolicyKind, Verdict};

/// A decision with everything that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The outcome.
    pub decision: Decision,
    /// Every policy, in the order it was looked at.
    pub policies: Vec<PolicyTrace>,
}

/// What a policy came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTrace {
    /// The policy's name.
    pub name: String,
    /// The level of a guardrail, empty for other policies.
    pub level: String,
    /// What it was looked at as.
    pub kind: PolicyKind,
    /// Every statement.
    pub statements: Vec<StatementTrace>,
}

/// What a statement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementTrace {
    /// The statement's place in its policy, from 0.
    pub index: usize,
    /// The statement's id.
    pub sid: Option<String>,
    /// Whether it denies.
    pub denies: bool,
    /// What it failed on; none if it matched.
    pub miss: Option<Miss>,
}

/// The first element of a statement that a request fails on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Someone else is meant.
    Principal,
    /// Another action is meant.
    Action,
    /// Another resource is meant.
    Resource,
    /// A condition does not hold.
    Condition {
        /// The operator as written.
        operator: String,
        /// The key, in lower case.
        key: String,
        /// The request's values of the key; none if it has no such key.
        given: Option<Vec<String>>,
    },
}

impl Trace {
    /// What one side of an assumption comes to by itself: the resource's (its policy and its account's
    /// guardrails), or the caller's. A resource's policy that names the caller closely enough makes up for
    /// the caller's own; the decision says so, the side does not.
    #[must_use]
    pub fn side(&self, of_resource: bool) -> Verdict {
        let own = || self.policies.iter().filter(|p| p.kind.is_of_resource() == of_resource);
        let matched = |policy: &PolicyTrace, denies: bool| {
            policy.statements.iter().any(|s| s.miss.is_none() && s.denies == denies)
        };
        if own().any(|policy| matched(policy, true)) {
            return Verdict::ExplicitDeny;
        }
        // Each kind that is there, and each level of guardrails, has to allow.
        let mut groups = std::collections::BTreeMap::new();
        for policy in own().filter(|policy| policy.kind != PolicyKind::ResourceControl) {
            let group = groups.entry((policy.kind, policy.level.as_str())).or_insert(false);
            *group |= matched(policy, false);
        }
        let granting = if of_resource { PolicyKind::Resource } else { PolicyKind::Identity };
        let granted = groups.get(&(granting, "")).copied().unwrap_or(false);
        if granted && groups.values().all(|allows| *allows) {
            Verdict::Allow
        } else {
            Verdict::ImplicitDeny
        }
    }

    /// Every statement that matched, with its policy.
    pub fn matched(&self) -> impl Iterator<Item = (&PolicyTrace, &StatementTrace)> {
        self.policies.iter().flat_map(|policy| {
            let matched = policy.statements.iter().filter(|statement| statement.miss.is_none());
            matched.map(move |statement| (policy, statement))
        })
    }
}

impl StatementTrace {
    pub(super) fn new(index: usize, statement: &Statement, miss: Option<Miss>) -> Self {
        Self { index, sid: statement.sid.clone(), denies: statement.effect == Effect::Deny, miss }
    }
}

impl Miss {
    pub(super) fn condition(condition: &Condition, context: &Context) -> Self {
        Self::Condition {
            operator: condition.operator().to_owned(),
            key: condition.key().to_owned(),
            given: context.get(condition.key()).map(<[String]>::to_vec),
        }
    }
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Principal => f.write_str("another principal"),
            Self::Action => f.write_str("another action"),
            Self::Resource => f.write_str("another resource"),
            Self::Condition { operator, key, given: None } => {
                write!(f, "{operator} on {key}, which the request does not have")
            }
            Self::Condition { operator, key, given: Some(given) } => {
                write!(f, "{operator} on {key}, which is {given:?}")
            }
        }
    }
}
