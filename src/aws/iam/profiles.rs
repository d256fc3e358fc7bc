//! Instance profiles.

use serde::Serialize;

use super::shown::{InstanceProfile, listed};
use super::tags::{self, GivenTag, owner_tags};
use super::{MARKER_CHARS_MAX, PATH_CHARS_MAX};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::domain::state::key_of;
use crate::identity::{Path, ProfileName, RoleName};
use crate::service::NewProfile;

owner_tags!(Profile, ProfileName, "InstanceProfileName");

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

pub(super) async fn create(call: &Call<'_>, request: CreateProfile) -> Result<OneProfile, Fault> {
    let asked = NewProfile {
        name: request.instance_profile_name,
        path: request.path.unwrap_or_default(),
        tags: tags::given(request.tags)?,
    };
    let made = call.service.create_profile(call.info, "", asked).await?;
    let (state, account) = (&made.view.state, &made.account);
    Ok(OneProfile { instance_profile: InstanceProfile::full(state, account, made.entity()?) })
}

pub(super) async fn get(call: &Call<'_>, request: NamedProfile) -> Result<OneProfile, Fault> {
    let found = call.service.profile(call.info, 0, &request.instance_profile_name).await?;
    let (state, account) = (&found.view.state, &found.account);
    Ok(OneProfile { instance_profile: InstanceProfile::full(state, account, &found.entity) })
}

pub(super) async fn list(
    call: &Call<'_>,
    request: ListProfiles,
) -> Result<ListProfilesResult, Fault> {
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let read = call.service.list_profiles(call.info, 0, prefix).await?;
    let profiles = read.account.profiles.iter();
    let profiles = profiles.filter(|(_, profile)| profile.path.as_str().starts_with(prefix));
    let marker = request.marker.as_deref();
    let listed = page(call.action, profiles, |(key, _)| key, request.max_items, marker)?;
    let show = |profile| InstanceProfile::brief(&read.view.state, &read.account, profile);
    Ok(ListProfilesResult::of(listed, |(_, profile)| show(profile)))
}

pub(super) async fn list_for_role(
    call: &Call<'_>,
    request: ListProfilesForRole,
) -> Result<ListProfilesResult, Fault> {
    let found = call.service.list_profiles_for_role(call.info, 0, &request.role_name).await?;
    let marker = request.marker.as_deref();
    let profiles = found.account.profiles_of(&found.entity);
    let profiles = profiles.map(|profile| (key_of(profile.name.as_str()), profile));
    let listed = page(call.action, profiles, |(key, _)| key, request.max_items, marker)?;
    let show = |profile| InstanceProfile::brief(&found.view.state, &found.account, profile);
    Ok(ListProfilesResult::of(listed, |(_, profile)| show(profile)))
}

pub(super) async fn delete(call: &Call<'_>, request: NamedProfile) -> Result<(), Fault> {
    call.service.delete_profile(call.info, "", request.instance_profile_name).await?;
    Ok(())
}

pub(super) async fn add_role(call: &Call<'_>, request: RoleInProfile) -> Result<(), Fault> {
    let (profile, role) = (request.instance_profile_name, request.role_name);
    call.service.add_role_to_profile(call.info, "", profile, role).await?;
    Ok(())
}

pub(super) async fn remove_role(call: &Call<'_>, request: RoleInProfile) -> Result<(), Fault> {
    let (profile, role) = (request.instance_profile_name, request.role_name);
    call.service.remove_role_from_profile(call.info, "", profile, role).await?;
    Ok(())
}
