//! Roles, their trust policies, and service-linked roles.

use std::sync::Arc;

use super::iam_entities::tags;
use super::{Front, convert, field, optional, page};
use crate::domain::state::Role;
use crate::identity::{Invalid, MaxSession};
use crate::proto::v1::*;
use crate::service::{NewRole, NewServiceLinkedRole, RequestInfo, RoleChange, ServiceError};

/// The member that holds a trust policy.
const TRUST: &str = "trust_policy";

impl Front {
    pub(super) async fn iam_create_role(
        &self,
        info: &RequestInfo,
        request: CreateRoleRequest,
    ) -> Result<CreateRoleResponse, ServiceError> {
        let asked = NewRole {
            name: field("role_name", &request.role_name)?,
            path: optional("path", &request.path)?.unwrap_or_default(),
            trust: (TRUST, &request.trust_policy),
            description: field("description", &request.description)?,
            max_session: max_session(request.max_session)?.unwrap_or_default(),
            tags: tags(&request.tags)?,
            boundary: optional("permissions_boundary_arn", &request.permissions_boundary_arn)?,
        };
        let token = &request.idempotency_token;
        let (made, trust) = self.service.create_role(info, token, asked).await?;
        let role = made.entity.as_ref();
        let role = role.map(|role| convert::role(&made.view.state, &made.account, role));
        let (sequence, warnings) = (made.sequence, convert::trust_warnings(info, &trust));
        Ok(CreateRoleResponse { role, sequence, warnings })
    }

    pub(super) async fn iam_get_role(
        &self,
        info: &RequestInfo,
        request: GetRoleRequest,
    ) -> Result<GetRoleResponse, ServiceError> {
        let name = field("role_name", &request.role_name)?;
        let found = self.service.role(info, request.min_sequence, &name).await?;
        let role = Some(convert::role(&found.view.state, &found.account, &found.entity));
        Ok(GetRoleResponse { role, sequence: found.view.sequence })
    }

    pub(super) async fn iam_list_roles(
        &self,
        info: &RequestInfo,
        request: ListRolesRequest,
    ) -> Result<ListRolesResponse, ServiceError> {
        let prefix = request.path_prefix.as_str();
        let read = self.service.list_roles(info, request.min_sequence, prefix).await?;
        let key = |role: &&Arc<Role>| role.name.as_str().to_ascii_lowercase();
        let wanted = |role: &&Arc<Role>| role.path.as_str().starts_with(prefix);
        let roles = read.account.roles.values().filter(wanted);
        let (found, next_page_token) = page(roles, key, request.page_size, &request.page_token)?;
        let show = |role: &Arc<Role>| convert::role(&read.view.state, &read.account, role);
        let (roles, sequence) = (found.into_iter().map(show).collect(), read.view.sequence);
        Ok(ListRolesResponse { roles, next_page_token, sequence })
    }

    pub(super) async fn iam_update_role(
        &self,
        info: &RequestInfo,
        request: UpdateRoleRequest,
    ) -> Result<UpdateRoleResponse, ServiceError> {
        let description = request.description.as_deref();
        let asked = RoleChange {
            name: field("role_name", &request.role_name)?,
            description: description.map(|text| field("description", text)).transpose()?,
            max_session: max_session(request.max_session)?,
        };
        let receipt = self.service.update_role(info, &request.idempotency_token, asked).await?;
        Ok(UpdateRoleResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_update_trust_policy(
        &self,
        info: &RequestInfo,
        request: UpdateTrustPolicyRequest,
    ) -> Result<UpdateTrustPolicyResponse, ServiceError> {
        let (role, token) = (field("role_name", &request.role_name)?, &request.idempotency_token);
        let trust = (TRUST, request.trust_policy.as_str());
        let (receipt, trust) = self.service.update_trust_policy(info, token, role, trust).await?;
        let (sequence, warnings) = (receipt.sequence, convert::trust_warnings(info, &trust));
        Ok(UpdateTrustPolicyResponse { sequence, warnings })
    }

    pub(super) async fn iam_delete_role(
        &self,
        info: &RequestInfo,
        request: DeleteRoleRequest,
    ) -> Result<DeleteRoleResponse, ServiceError> {
        let name = field("role_name", &request.role_name)?;
        let receipt = self.service.delete_role(info, &request.idempotency_token, name).await?;
        Ok(DeleteRoleResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_create_service_linked_role(
        &self,
        info: &RequestInfo,
        request: CreateServiceLinkedRoleRequest,
    ) -> Result<CreateServiceLinkedRoleResponse, ServiceError> {
        let asked = NewServiceLinkedRole {
            service: request.service_name,
            suffix: Some(request.custom_suffix).filter(|suffix| !suffix.is_empty()),
            description: field("description", &request.description)?,
        };
        let token = &request.idempotency_token;
        let made = self.service.create_service_linked_role(info, token, asked).await?;
        let role = made.entity.as_ref();
        let role = role.map(|role| convert::role(&made.view.state, &made.account, role));
        Ok(CreateServiceLinkedRoleResponse { role, sequence: made.sequence })
    }

    pub(super) async fn iam_delete_service_linked_role(
        &self,
        info: &RequestInfo,
        request: DeleteServiceLinkedRoleRequest,
    ) -> Result<DeleteServiceLinkedRoleResponse, ServiceError> {
        let (name, token) = (field("role_name", &request.role_name)?, &request.idempotency_token);
        let (task, receipt) = self.service.delete_service_linked_role(info, token, name).await?;
        let (deletion_task_id, sequence) = (task.to_string(), receipt.sequence);
        Ok(DeleteServiceLinkedRoleResponse { deletion_task_id, sequence })
    }

    pub(super) async fn iam_deletion_status(
        &self,
        info: &RequestInfo,
        request: GetServiceLinkedRoleDeletionStatusRequest,
    ) -> Result<GetServiceLinkedRoleDeletionStatusResponse, ServiceError> {
        let (least, id) = (request.min_sequence, &request.deletion_task_id);
        let read = self.service.deletion_status(info, least, id).await?;
        let (status, sequence) = (DeletionStatus::Succeeded.into(), read.view.sequence);
        Ok(GetServiceLinkedRoleDeletionStatusResponse { status, sequence })
    }
}

fn max_session(duration: Option<prost_types::Duration>) -> Result<Option<MaxSession>, Invalid> {
    let duration = convert::duration("max_session", duration)?;
    duration.map(MaxSession::new).transpose()
}
