//! May they: reads of the service itself, and requests that resource services ask about.

use std::sync::Arc;

use super::{RequestInfo, Service};
use crate::domain::access::{Caller, Question, explain, judge};
use crate::domain::rejection::{Denied, Rejection};
use crate::domain::state::State;
use crate::identity::{AccountId, Arn, Principal};
use crate::policy::{Context, Policy, Trace, Verdict};

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

/// A judged request.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The decision, with what matched.
    pub trace: Trace,
    /// The sentence that tells it.
    pub message: String,
}

impl Service {
    /// The caller may do `action` on `resource` of `account`.
    ///
    /// # Errors
    /// They may not.
    pub fn require(
        &self,
        state: &State,
        info: &RequestInfo,
        account: AccountId,
        action: &str,
        resource: &str,
    ) -> Result<(), Rejection> {
        let question = Question {
            caller: &info.caller,
            action,
            resource,
            resource_account: Some(account),
            resource_policy: None,
            role_trust: false,
            time: self.now(),
        };
        let decision = judge(state, &question, &Context::default());
        if decision.verdict() == Verdict::Allow {
            return Ok(());
        }
        let principal = info.caller.principal.arn();
        Err(Rejection::AccessDenied(Box::new(Denied {
            message: decision.message(&principal, action, resource),
            principal,
            action: action.to_owned(),
            resource: resource.to_owned(),
        })))
    }

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
