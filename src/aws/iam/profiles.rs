//! Instance profiles.

use serde::Serialize;

use super::shown::{InstanceProfile, listed};
use super::tags::{self, GivenTag, owner_tags};
use super::{MARKER_CHARS_MAX, PATH_CHARS_MAX, reading, reading_entity};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::rejection::Rejection;
use crate::domain::state::{Account, State, key_of};
use crate::identity::{Path, ProfileName, RoleName};

owner_tags!(ProfileName, "InstanceProfileName", owner);

request! {
    /// Source: IAM API Reference, CreateInstanceProfile.
    CreateProfile {
        instance_profile_name: ProfileName = "InstanceProfileName",
        path: Option<Path> = "Path",
        tags: Vec<GivenTag> = "Tags" [Items(0, 50)],
    }
    /// Source: IAM API Reference, GetInstanceProfile and DeleteInstanceProfile.
    NamedProfile {
        instance_profile_name: ProfileName = "InstanceProfileName",
    }
    /// Source: IAM API Reference, ListInstanceProfiles.
    ListProfiles {
        path_prefix: Option<String> = "PathPrefix" [Length(1, PATH_CHARS_MAX)],
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, ListInstanceProfilesForRole.
    ListProfilesForRole {
        role_name: RoleName = "RoleName",
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, AddRoleToInstanceProfile and RemoveRoleFromInstanceProfile.
    RoleInProfile {
        instance_profile_name: ProfileName = "InstanceProfileName",
        role_name: RoleName = "RoleName",
    }
}

listed! {
    ListProfilesResult { instance_profiles: InstanceProfile }
}

/// The result of CreateInstanceProfile and GetInstanceProfile.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneProfile {
    instance_profile: InstanceProfile,
}

fn owner(_: &Call<'_>, name: ProfileName) -> Result<TagOwner, Fault> {
    Ok(TagOwner::Profile(name))
}

pub(super) async fn create(call: &Call<'_>, request: CreateProfile) -> Result<OneProfile, Fault> {
    let name = request.instance_profile_name;
    let action = Action::CreateProfile {
        name: name.clone(),
        path: request.path.unwrap_or_default(),
        id: call.service.draw_id("AIPA")?,
        tags: tags::given(request.tags)?,
    };
    call.perform("", action).await?;
    let (view, account) = call.state()?;
    found(&view.state, &account, &name)
}

pub(super) async fn get(call: &Call<'_>, request: NamedProfile) -> Result<OneProfile, Fault> {
    let name = request.instance_profile_name;
    let (view, account) = reading_entity(call, &TagOwner::Profile(name.clone()))?;
    found(&view.state, &account, &name)
}

fn found(state: &State, account: &Account, name: &ProfileName) -> Result<OneProfile, Fault> {
    let profile = account.profile(name);
    let profile = profile.ok_or_else(|| Rejection::missing("instance profile", name))?;
    Ok(OneProfile { instance_profile: InstanceProfile::full(state, account, profile) })
}

pub(super) async fn list(
    call: &Call<'_>,
    request: ListProfiles,
) -> Result<ListProfilesResult, Fault> {
    let (view, account) = reading(call)?;
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let profiles = account.profiles.iter();
    let profiles = profiles.filter(|(_, profile)| profile.path.as_str().starts_with(prefix));
    let marker = request.marker.as_deref();
    let listed = page(call.action, profiles, |(key, _)| key, request.max_items, marker)?;
    let show = |profile| InstanceProfile::brief(&view.state, &account, profile);
    Ok(ListProfilesResult::of(listed, |(_, profile)| show(profile)))
}

pub(super) async fn list_for_role(
    call: &Call<'_>,
    request: ListProfilesForRole,
) -> Result<ListProfilesResult, Fault> {
    let name = request.role_name;
    let (view, account) = reading_entity(call, &TagOwner::Role(name.clone()))?;
    let role = account.role(&name).ok_or_else(|| Rejection::missing("role", &name))?;
    let marker = request.marker.as_deref();
    let profiles = account.profiles_of(role);
    let profiles = profiles.map(|profile| (key_of(profile.name.as_str()), profile));
    let listed = page(call.action, profiles, |(key, _)| key, request.max_items, marker)?;
    let show = |profile| InstanceProfile::brief(&view.state, &account, profile);
    Ok(ListProfilesResult::of(listed, |(_, profile)| show(profile)))
}

pub(super) async fn delete(call: &Call<'_>, request: NamedProfile) -> Result<(), Fault> {
    call.perform("", Action::DeleteProfile { name: request.instance_profile_name }).await?;
    Ok(())
}

pub(super) async fn add_role(call: &Call<'_>, request: RoleInProfile) -> Result<(), Fault> {
    let (profile, role) = (request.instance_profile_name, request.role_name);
    call.perform("", Action::AddRoleToProfile { profile, role }).await?;
    Ok(())
}

pub(super) async fn remove_role(call: &Call<'_>, request: RoleInProfile) -> Result<(), Fault> {
    let (profile, role) = (request.instance_profile_name, request.role_name);
    call.perform("", Action::RemoveRoleFromProfile { profile, role }).await?;
    Ok(())
}
