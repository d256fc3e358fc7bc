//! May they: requests that resource services ask about, and simulations.

use std::sync::Arc;

use super::Service;
use crate::domain::access::{Caller, Question, explain, explain_with};
use crate::domain::state::State;
use crate::identity::{AccountId, Arn, Principal};
use crate::policy::{Context, Policy, Trace};

/// A request that a resource service asks about.
#[derive(Clone, Debug)]
pub struct Ask {
    /// `service:Action`
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
    /// The account that owns it; the caller's own if not given.
    pub resource_account: Option<AccountId>,
    /// The resource's own policy.
    pub resource_policy: Option<Policy>,
    /// Further condition keys.
    pub context: Context,
}

/// A request that nobody makes, to see what it would come to.
#[derive(Clone, Copy, Debug)]
pub struct Simulated<'a> {
    /// `service:Action`
    pub action: &'a str,
    /// The resource's ARN, or `*`.
    pub resource: &'a str,
    /// The account that owns it.
    pub resource_account: Option<AccountId>,
    /// The resource's own policy.
    pub resource_policy: Option<&'a Policy>,
    /// Whether that policy has to allow whatever else does.
    pub must_allow: bool,
    /// Further condition keys.
    pub context: &'a Context,
    /// Identity policies beside those that are stored.
    pub additional: &'a [Policy],
}

/// A judged request.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The decision, with what matched.
    pub trace: Trace,
    /// The sentence that tells it.
    pub message: String,
}

impl Service {
    /// Judges what `caller` asks of a resource service.
    #[must_use]
    pub fn judge(&self, state: &State, caller: &Caller, ask: &Ask) -> Judged {
        let question = Question {
            caller,
            action: &ask.action,
            resource: &ask.resource,
            resource_account: ask.resource_account.or_else(|| caller.principal.account()),
            resource_policy: ask.resource_policy.as_ref(),
            role_trust: false,
            time: self.now(),
        };
        let trace = explain(state, &question, &ask.context);
        let principal = caller.principal.arn();
        let message = trace.decision.message(&principal, &ask.action, &ask.resource);
        Judged { trace, message }
    }

    /// Explains what `caller` would be told.
    #[must_use]
    pub fn simulate(&self, state: &State, caller: &Caller, asked: &Simulated<'_>) -> Trace {
        let question = Question {
            caller,
            action: asked.action,
            resource: asked.resource,
            resource_account: asked.resource_account,
            resource_policy: asked.resource_policy,
            role_trust: asked.must_allow,
            time: self.now(),
        };
        explain_with(state, &question, asked.context, asked.additional)
    }

    /// The user or role of this ARN in `account`, as a caller without a session's limits.
    #[must_use]
    pub fn caller_of_arn(&self, state: &State, account: AccountId, arn: &Arn) -> Option<Caller> {
        let found = state.account(account)?;
        let principal = if arn.resource() == "root" && arn.account_id() == Some(account) {
            Principal::Root { account }
        } else if let Some(role) = found.role_by_arn(arn.as_str()) {
            Principal::AssumedRole {
                account,
                path: role.path.clone(),
                role: role.name.clone(),
                role_id: role.id.clone(),
                session: "any".parse().ok()?,
            }
        } else {
            let user = found.user(&arn.resource_name().parse().ok()?)?;
            if Arn::user(account, &user.path, &user.name) != *arn {
                return None;
            }
            Principal::User {
                account,
                path: user.path.clone(),
                name: user.name.clone(),
                id: user.id.clone(),
            }
        };
        Some(Caller { principal, user_agent: Arc::from(""), ..Caller::service() })
    }
}
