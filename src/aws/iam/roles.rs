//! Roles.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::owner_policies::{owner_boundary, owner_policies};
use super::shown::{Role, listed};
use super::tags::{self, GivenTag, owner_tags};
use super::{DESCRIPTION, MARKER_CHARS_MAX, PATH_CHARS_MAX, parsed, reading, reading_entity};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::{DOCUMENT, request};
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::event::PolicyOwner;
use crate::domain::rejection::Rejection;
use crate::domain::state::{Account, State};
use crate::identity::{Arn, Path, RoleName};
use crate::policy::PolicyKind;

/// How long sessions of a role may be if its maker sets nothing.
const MAX_SESSION_DEFAULT_SECONDS: u32 = 3600;

owner_policies!(Role, RoleName, "RoleName");
owner_boundary!(Role, RoleName, "RoleName");
owner_tags!(RoleName, "RoleName", owner);

request! {
    /// Source: IAM API Reference, CreateRole.
    CreateRole {
        role_name: RoleName = "RoleName",
        path: Option<Path> = "Path",
        assume_role_policy_document: String =
            "AssumeRolePolicyDocument" [Length(1, 131_072), DOCUMENT],
        description: Option<String> = "Description" [Length(0, 1000), DESCRIPTION],
        max_session_duration: Option<u32> = "MaxSessionDuration" [Value(3600, 43_200)],
        permissions_boundary: Option<Arn> = "PermissionsBoundary" [Length(20, 2048)],
        tags: Vec<GivenTag> = "Tags" [Items(0, 50)],
    }
    /// Source: IAM API Reference, GetRole and DeleteRole.
    NamedRole {
        role_name: RoleName = "RoleName",
    }
    /// Source: IAM API Reference, ListRoles.
    ListRoles {
        path_prefix: Option<String> = "PathPrefix" [Length(1, PATH_CHARS_MAX)],
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, UpdateRole.
    UpdateRole {
        role_name: RoleName = "RoleName",
        description: Option<String> = "Description" [Length(0, 1000), DESCRIPTION],
        max_session_duration: Option<u32> = "MaxSessionDuration" [Value(3600, 43_200)],
    }
    /// Source: IAM API Reference, UpdateRoleDescription.
    UpdateRoleDescription {
        role_name: RoleName = "RoleName",
        description: String = "Description" [Length(0, 1000), DESCRIPTION],
    }
    /// Source: IAM API Reference, UpdateAssumeRolePolicy.
    UpdateAssumeRolePolicy {
        role_name: RoleName = "RoleName",
        policy_document: String = "PolicyDocument" [Length(1, 131_072), DOCUMENT],
    }
}

listed! {
    ListRolesResult { roles: Role }
}

/// The result of CreateRole, GetRole and UpdateRoleDescription.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneRole {
    role: Role,
}

/// A result that is there and holds nothing.
#[derive(Serialize)]
pub(super) struct Empty {
    #[serde(skip_serializing)]
    _present: u8,
}

fn owner(_: &Call<'_>, name: RoleName) -> Result<TagOwner, Fault> {
    Ok(TagOwner::Role(name))
}

pub(super) async fn create(call: &Call<'_>, request: CreateRole) -> Result<OneRole, Fault> {
    let seconds = request.max_session_duration.unwrap_or(MAX_SESSION_DEFAULT_SECONDS);
    let action = Action::CreateRole {
        name: request.role_name.clone(),
        path: request.path.unwrap_or_default(),
        id: call.service.draw_id("AROA")?,
        description: Arc::from(request.description.unwrap_or_default()),
        max_session: Duration::from_secs(u64::from(seconds)),
        trust: parsed(&request.assume_role_policy_document, PolicyKind::Trust)?,
        tags: tags::given(request.tags)?,
        boundary: request.permissions_boundary,
    };
    call.perform("", action).await?;
    let (view, account) = call.state()?;
    found(&view.state, &account, &request.role_name)
}

pub(super) async fn get(call: &Call<'_>, request: NamedRole) -> Result<OneRole, Fault> {
    let owner = TagOwner::Role(request.role_name.clone());
    let (view, account) = reading_entity(call, &owner)?;
    found(&view.state, &account, &request.role_name)
}

fn found(state: &State, account: &Account, name: &RoleName) -> Result<OneRole, Fault> {
    let role = account.role(name).ok_or_else(|| Rejection::missing("role", name))?;
    Ok(OneRole { role: Role::full(state, account, role) })
}

pub(super) async fn list(call: &Call<'_>, request: ListRoles) -> Result<ListRolesResult, Fault> {
    let (view, account) = reading(call)?;
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let roles = account.roles.iter().filter(|(_, role)| role.path.as_str().starts_with(prefix));
    let marker = request.marker.as_deref();
    let listed = page(call.action, roles, |(key, _)| key, request.max_items, marker)?;
    Ok(ListRolesResult::of(listed, |(_, role)| Role::brief(&view.state, &account, role)))
}

pub(super) async fn update(call: &Call<'_>, request: UpdateRole) -> Result<Empty, Fault> {
    let max_session = request.max_session_duration;
    let action = Action::UpdateRole {
        name: request.role_name,
        description: request.description.map(Arc::from),
        max_session: max_session.map(|seconds| Duration::from_secs(u64::from(seconds))),
    };
    call.perform("", action).await?;
    Ok(Empty { _present: 0 })
}

pub(super) async fn update_description(
    call: &Call<'_>,
    request: UpdateRoleDescription,
) -> Result<OneRole, Fault> {
    let action = Action::UpdateRole {
        name: request.role_name.clone(),
        description: Some(Arc::from(request.description)),
        max_session: None,
    };
    call.perform("", action).await?;
    let (view, account) = call.state()?;
    found(&view.state, &account, &request.role_name)
}

pub(super) async fn update_trust(
    call: &Call<'_>,
    request: UpdateAssumeRolePolicy,
) -> Result<(), Fault> {
    let trust = parsed(&request.policy_document, PolicyKind::Trust)?;
    call.perform("", Action::UpdateTrustPolicy { role: request.role_name, trust }).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call<'_>, request: NamedRole) -> Result<(), Fault> {
    call.perform("", Action::DeleteRole { name: request.role_name }).await?;
    Ok(())
}
