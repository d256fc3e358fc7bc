//! Roles and their trust policies.

use std::sync::Arc;
use std::time::Duration;

use tonic::Status;

use super::iam_entities::tags;
use super::iam_users::missing;
use super::{Front, convert, field, optional, page, status};
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::state::Role;
use crate::identity::{Invalid, RoleName};
use crate::policy::{Policy, PolicyKind};
use crate::proto::v1::*;
use crate::sts::RequestInfo;

/// Characters of a description.
const DESCRIPTION_MAX: usize = 1000;
/// The longest session that a role may set, at least and at most.
const MAX_SESSION_MIN: Duration = Duration::from_secs(3600);
const MAX_SESSION_MAX: Duration = Duration::from_secs(43_200);

impl Front {
    pub(super) async fn iam_create_role(
        &self,
        info: &RequestInfo,
        request: CreateRoleRequest,
    ) -> Result<CreateRoleResponse, Status> {
        let name: RoleName = field("role_name", &request.role_name)?;
        let trust = trust(&request.trust_policy)?;
        let action = Action::CreateRole {
            name: name.clone(),
            path: optional("path", &request.path)?.unwrap_or_default(),
            id: Self::drawn(info, self.service.draw_id("AROA"))?,
            description: description(&request.description)?,
            max_session: max_session(request.max_session)?.unwrap_or(MAX_SESSION_MIN),
            trust: trust.clone(),
            tags: tags(&request.tags)?,
            boundary: optional("permissions_boundary_arn", &request.permissions_boundary_arn)?,
        };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let account = self.own_account(info)?;
        let view = self.service.view();
        let role = account.role(&name).map(|role| convert::role(&view.state, &account, role));
        let (sequence, warnings) = (receipt.sequence, convert::warnings(&trust));
        Ok(CreateRoleResponse { role, sequence, warnings })
    }

    pub(super) async fn iam_get_role(
        &self,
        info: &RequestInfo,
        request: GetRoleRequest,
    ) -> Result<GetRoleResponse, Status> {
        let name: RoleName = field("role_name", &request.role_name)?;
        let owner = TagOwner::Role(name.clone());
        let (view, account) =
            self.read_entity(info, request.min_sequence, "iam:GetRole", &owner).await?;
        let role = account.role(&name).ok_or_else(|| missing("role", name.as_str()))?;
        let role = Some(convert::role(&view.state, &account, role));
        Ok(GetRoleResponse { role, sequence: view.sequence })
    }

    pub(super) async fn iam_list_roles(
        &self,
        info: &RequestInfo,
        request: ListRolesRequest,
    ) -> Result<ListRolesResponse, Status> {
        let (view, account) = self.read(info, request.min_sequence, "iam:ListRoles", "*").await?;
        let key = |role: &&Arc<Role>| role.name.as_str().to_ascii_lowercase();
        let wanted = |role: &&Arc<Role>| role.path.as_str().starts_with(&request.path_prefix);
        let roles = account.roles.values().filter(wanted);
        let (found, next_page_token) = page(roles, key, request.page_size, &request.page_token)?;
        let roles = found.into_iter().map(|role| convert::role(&view.state, &account, role));
        Ok(ListRolesResponse { roles: roles.collect(), next_page_token, sequence: view.sequence })
    }

    pub(super) async fn iam_update_role(
        &self,
        info: &RequestInfo,
        request: UpdateRoleRequest,
    ) -> Result<UpdateRoleResponse, Status> {
        let action = Action::UpdateRole {
            name: field("role_name", &request.role_name)?,
            description: request.description.as_deref().map(description).transpose()?,
            max_session: max_session(request.max_session)?,
        };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(UpdateRoleResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_update_trust_policy(
        &self,
        info: &RequestInfo,
        request: UpdateTrustPolicyRequest,
    ) -> Result<UpdateTrustPolicyResponse, Status> {
        let role = field("role_name", &request.role_name)?;
        let trust = trust(&request.trust_policy)?;
        let action = Action::UpdateTrustPolicy { role, trust: trust.clone() };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        let (sequence, warnings) = (receipt.sequence, convert::warnings(&trust));
        Ok(UpdateTrustPolicyResponse { sequence, warnings })
    }

    pub(super) async fn iam_delete_role(
        &self,
        info: &RequestInfo,
        request: DeleteRoleRequest,
    ) -> Result<DeleteRoleResponse, Status> {
        let action = Action::DeleteRole { name: field("role_name", &request.role_name)? };
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteRoleResponse { sequence: receipt.sequence })
    }
}

fn trust(text: &str) -> Result<Policy, Status> {
    let policy = Policy::parse(text, PolicyKind::Trust);
    policy.map_err(|error| status::of_policy_error("trust_policy", &error))
}

/// A description within its limit.
pub(super) fn description(text: &str) -> Result<Arc<str>, Status> {
    if text.chars().count() > DESCRIPTION_MAX {
        let rule = format!("must have at most {DESCRIPTION_MAX} characters");
        return Err(status::of_invalid(&Invalid::new("description", rule), ""));
    }
    Ok(Arc::from(text))
}

fn max_session(duration: Option<prost_types::Duration>) -> Result<Option<Duration>, Status> {
    let invalid = |invalid: Invalid| status::of_invalid(&invalid, "");
    let duration = convert::duration("max_session", duration).map_err(invalid)?;
    match duration {
        Some(asked) if !(MAX_SESSION_MIN..=MAX_SESSION_MAX).contains(&asked) => {
            Err(invalid(Invalid::new("max_session", "must be 3600 to 43200 seconds")))
        }
        other => Ok(other),
    }
}
