//! Roles.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::document;
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Length, Value};
use crate::aws::shape::{DOCUMENT, request};
use crate::aws::xml::Time;
use crate::domain::command::Action;
use crate::domain::rejection::Rejection;
use crate::domain::state::{self, Account, State};
use crate::identity::{Arn, Path, RoleName};
use crate::policy::{Policy, PolicyKind};

/// How long sessions of a role may be if its maker sets nothing.
const MAX_SESSION_DEFAULT_SECONDS: u32 = 3600;

request! {
    /// Source: IAM API Reference, CreateRole.
    CreateRole {
        role_name: RoleName = "RoleName",
        path: Option<Path> = "Path",
        assume_role_policy_document: String =
            "AssumeRolePolicyDocument" [Length(1, 131_072), DOCUMENT],
        description: Option<String> = "Description" [Length(0, 1000)],
        max_session_duration: Option<u32> = "MaxSessionDuration" [Value(3600, 43_200)],
    }
    /// Source: IAM API Reference, GetRole.
    GetRole {
        role_name: RoleName = "RoleName",
    }
    /// Source: IAM API Reference, ListRoles.
    ListRoles {
        path_prefix: Option<String> = "PathPrefix" [Length(1, 512)],
        marker: Option<String> = "Marker" [Length(1, 1024)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
}

/// A role as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Role {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: Time,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: u64,
}

impl Role {
    fn of(state: &State, account: &Account, role: &state::Role) -> Self {
        let trust = role.trust.principals_display(&|id| state.arn_of_id(id));
        let description = Some(role.description.to_string());
        Self {
            path: role.path.to_string(),
            role_name: role.name.to_string(),
            role_id: role.id.to_string(),
            arn: Arn::role(account.id, &role.path, &role.name).to_string(),
            create_date: Time(role.created_at),
            assume_role_policy_document: document(&trust),
            description: description.filter(|description| !description.is_empty()),
            max_session_duration: role.max_session.as_secs(),
        }
    }
}

/// The result of CreateRole and GetRole.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneRole {
    role: Role,
}

pub(super) async fn create_role(call: &Call<'_>, request: CreateRole) -> Result<OneRole, Fault> {
    let trust = Policy::parse(&request.assume_role_policy_document, PolicyKind::Trust);
    let seconds = request.max_session_duration.unwrap_or(MAX_SESSION_DEFAULT_SECONDS);
    let action = Action::CreateRole {
        name: request.role_name.clone(),
        path: request.path.unwrap_or_default(),
        id: call.service.draw_id("AROA")?,
        description: Arc::from(request.description.unwrap_or_default()),
        max_session: Duration::from_secs(u64::from(seconds)),
        trust: trust.map_err(|error| Fault::policy(&error))?,
    };
    call.perform("", action).await?;
    found(call, &request.role_name)
}

pub(super) async fn get_role(call: &Call<'_>, request: GetRole) -> Result<OneRole, Fault> {
    let (view, account) = call.state()?;
    let role = account.role(&request.role_name);
    let path = role.map_or(Path::default(), |role| role.path.clone());
    let arn = Arn::role(account.id, &path, &request.role_name);
    call.require(&view, "iam:GetRole", arn.as_str())?;
    found(call, &request.role_name)
}

fn found(call: &Call<'_>, name: &RoleName) -> Result<OneRole, Fault> {
    let (view, account) = call.state()?;
    let role = account.role(name).ok_or_else(|| Rejection::missing("role", name))?;
    Ok(OneRole { role: Role::of(&view.state, &account, role) })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRolesResult {
    roles: Vec<Role>,
    is_truncated: bool,
    marker: Option<String>,
}

pub(super) async fn list_roles(
    call: &Call<'_>,
    request: ListRoles,
) -> Result<ListRolesResult, Fault> {
    let (view, account) = call.state_for("iam:ListRoles")?;
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let roles = account.roles.iter().filter(|(_, role)| role.path.as_str().starts_with(prefix));
    let marker = request.marker.as_deref();
    let listed = page(call.action, roles, |(key, _)| key, request.max_items, marker)?;
    let roles = listed.entries.iter().map(|(_, role)| Role::of(&view.state, &account, role));
    Ok(ListRolesResult {
        roles: roles.collect(),
        is_truncated: listed.next.is_some(),
        marker: listed.next,
    })
}
