//! Roles.

use std::time::Duration;

use serde::Serialize;

use super::owner_policies::{owner_boundary, owner_policies};
use super::shown::{Role, listed};
use super::tags::{self, GivenTag, owner_tags};
use super::{MARKER_CHARS_MAX, PATH_CHARS_MAX};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::{DOCUMENT, request};
use crate::identity::{Arn, Description, Invalid, MaxSession, Path, RoleName};
use crate::service::{NewRole, RoleChange};

owner_policies!(Role, RoleName, "RoleName");
owner_boundary!(Role, RoleName, "RoleName");
owner_tags!(Role, RoleName, "RoleName");

request! {
    /// Source: IAM API Reference, CreateRole.
    CreateRole {
        role_name: RoleName = "RoleName",
        path: Option<Path> = "Path",
        assume_role_policy_document: String =
            "AssumeRolePolicyDocument" [Length(1, 131_072), DOCUMENT],
        description: Option<Description> = "Description",
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
        description: Option<Description> = "Description",
        max_session_duration: Option<u32> = "MaxSessionDuration" [Value(3600, 43_200)],
    }
    /// Source: IAM API Reference, UpdateRoleDescription.
    UpdateRoleDescription {
        role_name: RoleName = "RoleName",
        description: Description = "Description",
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

pub(super) async fn create(call: &Call<'_>, request: CreateRole) -> Result<OneRole, Fault> {
    let asked = NewRole {
        name: request.role_name,
        path: request.path.unwrap_or_default(),
        trust: ("assumeRolePolicyDocument", &request.assume_role_policy_document),
        description: request.description.unwrap_or_else(Description::empty),
        max_session: max_session(request.max_session_duration)?.unwrap_or_default(),
        tags: tags::given(request.tags)?,
        boundary: request.permissions_boundary,
    };
    let (made, _) = call.service.create_role(call.info, "", asked).await?;
    Ok(OneRole { role: Role::full(&made.view.state, &made.account, made.entity()?) })
}

fn max_session(seconds: Option<u32>) -> Result<Option<MaxSession>, Invalid> {
    let duration = seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
    duration.map(MaxSession::new).transpose()
}

pub(super) async fn get(call: &Call<'_>, request: NamedRole) -> Result<OneRole, Fault> {
    let found = call.service.role(call.info, 0, &request.role_name).await?;
    Ok(OneRole { role: Role::full(&found.view.state, &found.account, &found.entity) })
}

pub(super) async fn list(call: &Call<'_>, request: ListRoles) -> Result<ListRolesResult, Fault> {
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let read = call.service.list_roles(call.info, 0, prefix).await?;
    let roles = read.account.roles.iter();
    let roles = roles.filter(|(_, role)| role.path.as_str().starts_with(prefix));
    let marker = request.marker.as_deref();
    let listed = page(call.action, roles, |(key, _)| key, request.max_items, marker)?;
    let show = |role| Role::brief(&read.view.state, &read.account, role);
    Ok(ListRolesResult::of(listed, |(_, role)| show(role)))
}

pub(super) async fn update(call: &Call<'_>, request: UpdateRole) -> Result<Empty, Fault> {
    let asked = RoleChange {
        name: request.role_name,
        description: request.description,
        max_session: max_session(request.max_session_duration)?,
    };
    call.service.update_role(call.info, "", asked).await?;
    Ok(Empty { _present: 0 })
}

pub(super) async fn update_description(
    call: &Call<'_>,
    request: UpdateRoleDescription,
) -> Result<OneRole, Fault> {
    let (name, description) = (request.role_name, request.description);
    let made = call.service.update_role_description(call.info, "", name, description).await?;
    Ok(OneRole { role: Role::full(&made.view.state, &made.account, made.entity()?) })
}

pub(super) async fn update_trust(
    call: &Call<'_>,
    request: UpdateAssumeRolePolicy,
) -> Result<(), Fault> {
    let trust = ("policyDocument", request.policy_document.as_str());
    call.service.update_trust_policy(call.info, "", request.role_name, trust).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call<'_>, request: NamedRole) -> Result<(), Fault> {
    call.service.delete_role(call.info, "", request.role_name).await?;
    Ok(())
}
