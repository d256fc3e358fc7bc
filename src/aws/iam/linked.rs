//! Service-linked roles.

use std::sync::Arc;

use serde::Serialize;

use super::shown::Role;
use super::{DESCRIPTION, NAME, change};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::shape::Rule::Length;
use crate::aws::shape::request;
use crate::domain::entity::{EntityAction, EntityEvent, deleted_role};
use crate::domain::event::EventKind;
use crate::domain::rejection::Rejection;
use crate::identity::RoleName;

request! {
    /// Source: IAM API Reference, CreateServiceLinkedRole.
    CreateLinked {
        aws_service_name: String = "AWSServiceName" [Length(1, 128), NAME],
        description: Option<String> = "Description" [Length(0, 1000), DESCRIPTION],
        custom_suffix: Option<String> = "CustomSuffix" [Length(1, 64), NAME],
    }
    /// Source: IAM API Reference, DeleteServiceLinkedRole.
    DeleteLinked {
        role_name: RoleName = "RoleName",
    }
    /// Source: IAM API Reference, GetServiceLinkedRoleDeletionStatus.
    DeletionStatus {
        deletion_task_id: String = "DeletionTaskId" [Length(1, 1000)],
    }
}

/// The result of CreateServiceLinkedRole.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LinkedRole {
    role: Role,
}

/// The result of DeleteServiceLinkedRole.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Deletion {
    deletion_task_id: String,
}

/// The result of GetServiceLinkedRoleDeletionStatus.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Status {
    status: &'static str,
}

pub(super) async fn create(call: &Call<'_>, request: CreateLinked) -> Result<LinkedRole, Fault> {
    let action = EntityAction::CreateServiceLinkedRole {
        service: Arc::from(request.aws_service_name),
        suffix: request.custom_suffix.map(Arc::from),
        description: Arc::from(request.description.unwrap_or_default()),
        id: call.service.draw_id("AROA")?,
    };
    let receipt = change(call, action).await?;
    let (view, account) = call.state()?;
    let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
    let role = events.find_map(|event| match &event.kind {
        EventKind::RoleCreated { name, .. } => account.role(name),
        _ => None,
    });
    let role = role.ok_or_else(|| Fault::internal(&"no role was made"))?;
    Ok(LinkedRole { role: Role::full(&view.state, &account, role) })
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteLinked) -> Result<Deletion, Fault> {
    let task = call.service.draw_request_id().map_err(crate::sts::ServiceError::from)?;
    let action = EntityAction::DeleteServiceLinkedRole { name: request.role_name, task };
    let receipt = change(call, action).await?;
    let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
    let task = events.find_map(|event| match &event.kind {
        EventKind::Entity(EntityEvent::RoleDeletionCompleted { task }) => Some(task.to_string()),
        _ => None,
    });
    let deletion_task_id = task.ok_or_else(|| Fault::internal(&"no role was deleted"))?;
    Ok(Deletion { deletion_task_id })
}

/// A deletion is done when its id is told.
pub(super) async fn deletion_status(
    call: &Call<'_>,
    request: DeletionStatus,
) -> Result<Status, Fault> {
    let (view, account) = call.state()?;
    let id = request.deletion_task_id;
    super::require(call, &view, &deleted_role(account.id, &id), None)?;
    if account.deletion_tasks.iter().any(|task| **task == *id) {
        return Ok(Status { status: "SUCCEEDED" });
    }
    Err(Rejection::missing("deletion task", id).into())
}
