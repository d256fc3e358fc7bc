//! ExplainAssumeRole: chains of roles, walked and shown.

use super::super::Front;
use super::super::sts::{given, pairs, seconds};
use super::shown::{result, shown_policy, verdict};
use crate::domain::access::Caller;
use crate::identity::{AccountId, Invalid};
use crate::policy::Verdict;
use crate::proto::v1;
use crate::proto::v1::{AssumeRoleStep, ExplainAssumeRoleRequest};
use crate::service::{AssumeRole, RequestInfo, ServiceError, Step};

/// Roles of one chain.
const CHAIN_MAX: usize = 10;

impl Front {
    pub(super) fn walk(
        &self,
        info: &RequestInfo,
        caller: Caller,
        request: &ExplainAssumeRoleRequest,
    ) -> Result<Vec<Step>, ServiceError> {
        if !(1..=CHAIN_MAX).contains(&request.role_arns.len()) {
            let rule = format!("must have 1 to {CHAIN_MAX} entries");
            return Err(Invalid::new("role_arns", rule).into());
        }
        let name = given(request.role_session_name.clone());
        let asked = AssumeRole {
            role_session_name: Some(name.unwrap_or_else(|| "explain".to_owned())),
            policy: given(request.policy.clone()),
            duration_seconds: seconds(request.duration)?,
            tags: pairs(request.tags.clone()),
            transitive_tag_keys: request.transitive_tag_keys.clone(),
            external_id: given(request.external_id.clone()),
            source_identity: given(request.source_identity.clone()),
            ..AssumeRole::default()
        };
        self.service.explain_chain(info, caller, &request.role_arns, &asked)
    }
}

/// A step as the account `own` may see it: of other accounts' policies nothing but the verdict.
pub(super) fn shown_step(step: &Step, own: AccountId) -> AssumeRoleStep {
    let role_account = step.role.account_id();
    let worst = |of_role: bool| {
        let sides = step.judged.iter().map(|(_, trace)| trace.side(of_role));
        sides.max_by_key(|verdict| match verdict {
            Verdict::Allow => 0,
            Verdict::ImplicitDeny => 1,
            Verdict::ExplicitDeny => 2,
        })
    };
    let side = |of_role| worst(of_role).map_or(v1::Verdict::Unspecified, verdict).into();
    let judged = step.judged.iter().map(|(action, trace)| {
        let mut shown = result(action, step.role.as_str(), &step.principal, trace);
        let visible = trace.policies.iter().filter(|policy| {
            let owner = if policy.kind.is_of_resource() { role_account } else { step.account };
            owner == Some(own)
        });
        shown.policies = visible.map(shown_policy).collect();
        if step.account != Some(own) || role_account != Some(own) {
            shown.missing_context_keys = Vec::new();
        }
        shown
    });
    let session = step.outcome.as_ref().ok();
    let tags = session.into_iter().flat_map(|session| &session.tags);
    AssumeRoleStep {
        principal_arn: step.principal.to_string(),
        role_arn: step.role.to_string(),
        possible: session.is_some(),
        message: step.outcome.as_ref().err().cloned().unwrap_or_default(),
        caller_side: side(false),
        role_side: side(true),
        tags: tags
            .map(|(key, value)| v1::Tag { key: key.to_string(), value: value.to_string() })
            .collect(),
        transitive_tag_keys: session
            .map(|session| session.transitive_tag_keys.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        source_identity: session
            .and_then(|session| session.source_identity.as_ref())
            .map(ToString::to_string)
            .unwrap_or_default(),
        longest_session: step.longest.map(|longest| prost_types::Duration {
            seconds: i64::try_from(longest.as_secs()).unwrap_or(i64::MAX),
            nanos: 0,
        }),
        chain_depth: session.map_or(0, |session| session.chain_depth.into()),
        judged: judged.collect(),
    }
}
