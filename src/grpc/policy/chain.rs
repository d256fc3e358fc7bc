//! ExplainAssumeRole: chains of roles, walked and shown.

use std::time::Duration;

use tonic::Status;

use super::super::sts::{external_id, session_policy, tags};
use super::super::{Front, convert, field, optional, status};
use super::shown::{result, shown_policy, verdict};
use crate::domain::access::Caller;
use crate::domain::command::{SessionDraft, SessionRequest};
use crate::identity::{AccountId, Arn, Invalid, SessionName, SourceIdentity};
use crate::policy::Verdict;
use crate::proto::v1;
use crate::proto::v1::{AssumeRoleStep, ExplainAssumeRoleRequest};
use crate::sts::{RequestInfo, Step};

/// Roles of one chain.
const CHAIN_MAX: usize = 10;
/// The session that is asked for when none is said.
const SESSION_DEFAULT: Duration = Duration::from_secs(3600);

impl Front {
    pub(super) fn walk(
        &self,
        info: &RequestInfo,
        caller: Caller,
        request: &ExplainAssumeRoleRequest,
    ) -> Result<Vec<Step>, Status> {
        let invalid = |invalid: Invalid| status::of_invalid(&invalid, &info.request_id);
        let count = request.role_arns.len();
        if count == 0 || count > CHAIN_MAX {
            let rule = format!("must have 1 to {CHAIN_MAX} entries");
            return Err(invalid(Invalid::new("role_arns", rule)));
        }
        let roles = request.role_arns.iter().map(|text| {
            let arn: Arn = field("role_arns", text)?;
            let role = arn.account_id().is_some() && arn.resource().starts_with("role/");
            let rule = Invalid::new("role_arns", format!("`{text}` is not the ARN of a role"));
            if role { Ok(arn) } else { Err(invalid(rule)) }
        });
        let roles: Vec<Arn> = roles.collect::<Result<_, _>>()?;
        let name = match request.role_session_name.as_str() {
            "" => "explain",
            text => text,
        };
        let name: SessionName = field("role_session_name", name)?;
        let policy = session_policy(&request.policy)?;
        let tags = tags(&request.tags).map_err(invalid)?;
        let external_id = external_id(request.external_id.clone()).map_err(invalid)?;
        let source: Option<SourceIdentity> = optional("source_identity", &request.source_identity)?;
        let duration = convert::duration("duration", request.duration).map_err(invalid)?;
        let steps = self.service.explain_chain(info, caller, &roles, &mut |number| {
            let (first, last) = (number == 0, number + 1 == count);
            let draft = SessionDraft {
                key: self.service.draw_id("ASIA")?,
                name: Some(name.clone()),
                policy: policy.clone().filter(|_| last),
                policy_arns: Vec::new(),
                tags: if first { tags.clone() } else { Default::default() },
                transitive_tag_keys: match first {
                    true => request.transitive_tag_keys.iter().map(|k| k.as_str().into()).collect(),
                    false => Vec::new(),
                },
                source_identity: source.clone().filter(|_| first),
            };
            let duration = duration.unwrap_or(SESSION_DEFAULT);
            Ok(SessionRequest { draft, duration, external_id: external_id.clone() })
        });
        Self::drawn(info, steps)
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
        principal_arn: step.principal.clone(),
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
