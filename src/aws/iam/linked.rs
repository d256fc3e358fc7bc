//! Service-linked roles.

use serde::Serialize;

use super::NAME;
use super::shown::Role;
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::shape::Rule::Length;
use crate::aws::shape::request;
use crate::identity::{Description, RoleName};
use crate::service::NewServiceLinkedRole;

request! {
    /// Source: IAM API Reference, CreateServiceLinkedRole.
    CreateLinked {
        aws_service_name: String = "AWSServiceName" [Length(1, 128), NAME],
        description: Option<Description> = "Description",
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
    let asked = NewServiceLinkedRole {
        service: request.aws_service_name,
        suffix: request.custom_suffix,
        description: request.description.unwrap_or_else(Description::empty),
    };
    let made = call.service.create_service_linked_role(call.info, "", asked).await?;
    Ok(LinkedRole { role: Role::full(&made.view.state, &made.account, made.entity()?) })
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteLinked) -> Result<Deletion, Fault> {
    let name = request.role_name;
    let (task, _) = call.service.delete_service_linked_role(call.info, "", name).await?;
    Ok(Deletion { deletion_task_id: task.to_string() })
}

/// A deletion is done when its id is told.
pub(super) async fn deletion_status(
    call: &Call<'_>,
    request: DeletionStatus,
) -> Result<Status, Fault> {
    call.service.deletion_status(call.info, 0, &request.deletion_task_id).await?;
    Ok(Status { status: "SUCCEEDED" })
}
