//! Roles, service-linked ones too.

use std::sync::Arc;

use super::{Found, Made, document};
use crate::domain::access::{ListKind, Permission, Target};
use crate::domain::command::{Action, RoleAction};
use crate::domain::entity::deleted_role;
use crate::domain::event::{EventKind, RoleEvent};
use crate::domain::rejection::Rejection;
use crate::domain::state::Role;
use crate::domain::tags::Tags;
use crate::identity::{Arn, Description, MaxSession, Path, RoleName};
use crate::ledger::Receipt;
use crate::policy::{Policy, PolicyKind};
use crate::service::{Reading, RequestInfo, Service, ServiceError};

/// What CreateRole is asked. Source: IAM API Reference, CreateRole.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct NewRole<'a> {
    pub name: RoleName,
    pub path: Path,
    /// The trust policy, and the name of the member that holds it.
    pub trust: (&'static str, &'a str),
    pub description: Description,
    pub max_session: MaxSession,
    pub tags: Tags,
    pub boundary: Option<Arn>,
}

/// What UpdateRole is asked. Source: IAM API Reference, UpdateRole.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct RoleChange {
    pub name: RoleName,
    pub description: Option<Description>,
    pub max_session: Option<MaxSession>,
}

/// What CreateServiceLinkedRole is asked. Source: IAM API Reference, CreateServiceLinkedRole.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct NewServiceLinkedRole {
    pub service: String,
    pub suffix: Option<String>,
    pub description: Description,
}

/// Each refuses a caller who may not, names that break a rule of the account, and what cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreateRole: the role, and its trust policy as it was read.
    pub async fn create_role(
        &self,
        info: &RequestInfo,
        token: &str,
        asked: NewRole<'_>,
    ) -> Result<(Made<Role>, Policy), ServiceError> {
        let NewRole { name, path, trust: (field, text), description, max_session, tags, boundary } =
            asked;
        let trust = document(field, text, PolicyKind::Trust)?;
        let action = Action::Role(RoleAction::Create {
            name: name.clone(),
            path,
            id: self.draw_id("AROA")?,
            description: description.into(),
            max_session: max_session.get(),
            trust: trust.clone(),
            tags,
            boundary,
        });
        let receipt = self.perform_own(info, token, action).await?;
        Ok((self.made(info, &receipt, |account| account.role(&name))?, trust))
    }

    /// GetRole.
    pub async fn role(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        name: &RoleName,
    ) -> Result<Found<Role>, ServiceError> {
        self.read_role(info, min_sequence, Permission::GetRole, name).await
    }

    /// A read of one role: GetRole and ListInstanceProfilesForRole, by their permission.
    pub(super) async fn read_role(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        permission: Permission,
        name: &RoleName,
    ) -> Result<Found<Role>, ServiceError> {
        let reading = self.read(info, min_sequence, permission, &Target::Role(name)).await?;
        let entity = reading.account.role(name).cloned();
        reading.found(entity, || Rejection::missing("role", name))
    }

    /// ListRoles: the roles whose paths begin with `path_prefix`.
    pub async fn list_roles(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        path_prefix: &str,
    ) -> Result<Reading, ServiceError> {
        let target = Target::List(ListKind::Roles, path_prefix);
        self.read(info, min_sequence, Permission::ListRoles, &target).await
    }

    /// UpdateRole.
    pub async fn update_role(
        &self,
        info: &RequestInfo,
        token: &str,
        RoleChange { name, description, max_session }: RoleChange,
    ) -> Result<Receipt, ServiceError> {
        let action = Action::Role(RoleAction::Update {
            name,
            description: description.map(Into::into),
            max_session: max_session.map(MaxSession::get),
        });
        self.perform_own(info, token, action).await
    }

    /// UpdateRoleDescription.
    pub async fn update_role_description(
        &self,
        info: &RequestInfo,
        token: &str,
        name: RoleName,
        description: Description,
    ) -> Result<Made<Role>, ServiceError> {
        let description = description.into();
        let action = RoleAction::UpdateDescription { name: name.clone(), description };
        let receipt = self.perform_own(info, token, Action::Role(action)).await?;
        self.made(info, &receipt, |account| account.role(&name))
    }

    /// UpdateAssumeRolePolicy: the trust policy as it was read. `field` is the name of the member that holds it.
    pub async fn update_trust_policy(
        &self,
        info: &RequestInfo,
        token: &str,
        role: RoleName,
        (field, text): (&'static str, &str),
    ) -> Result<(Receipt, Policy), ServiceError> {
        let trust = document(field, text, PolicyKind::Trust)?;
        let action = Action::Role(RoleAction::UpdateTrust { role, trust: trust.clone() });
        Ok((self.perform_own(info, token, action).await?, trust))
    }

    /// DeleteRole.
    pub async fn delete_role(
        &self,
        info: &RequestInfo,
        token: &str,
        name: RoleName,
    ) -> Result<Receipt, ServiceError> {
        self.perform_own(info, token, Action::Role(RoleAction::Delete { name })).await
    }

    /// CreateServiceLinkedRole.
    pub async fn create_service_linked_role(
        &self,
        info: &RequestInfo,
        token: &str,
        NewServiceLinkedRole { service, suffix, description }: NewServiceLinkedRole,
    ) -> Result<Made<Role>, ServiceError> {
        let action = RoleAction::CreateServiceLinked {
            service: Arc::from(service),
            suffix: suffix.map(Arc::from),
            description: description.into(),
            id: self.draw_id("AROA")?,
        };
        let receipt = self.perform_own(info, token, Action::Role(action)).await?;
        let name = receipt.events().find_map(|event| {
            let EventKind::Role(RoleEvent::Created { name, .. }) = &event.kind else { return None };
            Some(name)
        });
        self.made(info, &receipt, |account| account.role(name?))
    }

    /// DeleteServiceLinkedRole: the id of the deletion, which is done when it is told.
    pub async fn delete_service_linked_role(
        &self,
        info: &RequestInfo,
        token: &str,
        name: RoleName,
    ) -> Result<(Arc<str>, Receipt), ServiceError> {
        let task = self.draw_request_id()?;
        let action = Action::Role(RoleAction::DeleteServiceLinked { name, task });
        let receipt = self.perform_own(info, token, action).await?;
        let task = receipt.events().find_map(|event| {
            let EventKind::Role(RoleEvent::DeletionCompleted { task }) = &event.kind else {
                return None;
            };
            Some(task.clone())
        });
        Ok((task.ok_or(ServiceError::Answer("no role was deleted"))?, receipt))
    }

    /// GetServiceLinkedRoleDeletionStatus: the deletion is done if it is known.
    pub async fn deletion_status(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        id: &str,
    ) -> Result<Reading, ServiceError> {
        let target = Target::DeletedRole(deleted_role(Self::account_of(info)?, id));
        let permission = Permission::GetServiceLinkedRoleDeletionStatus;
        let reading = self.read(info, min_sequence, permission, &target).await?;
        if reading.account.deletion_tasks.iter().any(|task| **task == *id) {
            return Ok(reading);
        }
        Err(Rejection::missing("deletion task", id).into())
    }
}
