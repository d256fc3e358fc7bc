//! Groups of users.

use serde::Serialize;

use super::owner_policies::owner_policies;
use super::shown::{Group, User, listed};
use super::{MARKER_CHARS_MAX, PATH_CHARS_MAX};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Length, Value};
use crate::aws::shape::{DOCUMENT, request};
use crate::identity::{GroupName, Path, UserName};
use crate::service::Renaming;

owner_policies!(Group, GroupName, "GroupName");

request! {
    /// Source: IAM API Reference, CreateGroup.
    CreateGroup {
        group_name: GroupName = "GroupName",
        path: Option<Path> = "Path",
    }
    /// Source: IAM API Reference, GetGroup.
    GetGroup {
        group_name: GroupName = "GroupName",
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, ListGroups.
    ListGroups {
        path_prefix: Option<String> = "PathPrefix" [Length(1, PATH_CHARS_MAX)],
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, ListGroupsForUser.
    ListGroupsForUser {
        user_name: UserName = "UserName",
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, UpdateGroup.
    UpdateGroup {
        group_name: GroupName = "GroupName",
        new_group_name: Option<GroupName> = "NewGroupName",
        new_path: Option<Path> = "NewPath",
    }
    /// Source: IAM API Reference, DeleteGroup.
    DeleteGroup {
        group_name: GroupName = "GroupName",
    }
    /// Source: IAM API Reference, AddUserToGroup and RemoveUserFromGroup.
    Membership {
        group_name: GroupName = "GroupName",
        user_name: UserName = "UserName",
    }
}

listed! {
    ListGroupsResult { groups: Group }
}

/// The result of CreateGroup.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneGroup {
    group: Group,
}

/// The result of GetGroup.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupWithUsers {
    group: Group,
    users: Vec<User>,
    is_truncated: bool,
    marker: Option<String>,
}

pub(super) async fn create(call: &Call<'_>, request: CreateGroup) -> Result<OneGroup, Fault> {
    let (name, path) = (request.group_name, request.path.unwrap_or_default());
    let made = call.service.create_group(call.info, "", name, path).await?;
    Ok(OneGroup { group: Group::of(&made.account, made.entity()?) })
}

pub(super) async fn get(call: &Call<'_>, request: GetGroup) -> Result<GroupWithUsers, Fault> {
    let found = call.service.group(call.info, 0, &request.group_name).await?;
    let (account, group) = (&found.account, &found.entity);
    let users = group.members.iter().filter_map(|key| Some((key, account.users.get(key)?)));
    let marker = request.marker.as_deref();
    let listed = page(call.action, users, |(key, _)| key, request.max_items, marker)?;
    Ok(GroupWithUsers {
        group: Group::of(account, group),
        users: listed.entries.iter().map(|(_, user)| User::brief(account, user)).collect(),
        is_truncated: listed.next.is_some(),
        marker: listed.next,
    })
}

pub(super) async fn list(call: &Call<'_>, request: ListGroups) -> Result<ListGroupsResult, Fault> {
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let account = call.service.list_groups(call.info, 0, prefix).await?.account;
    let groups = account.groups.iter();
    let groups = groups.filter(|(_, group)| group.path.as_str().starts_with(prefix));
    let marker = request.marker.as_deref();
    let listed = page(call.action, groups, |(key, _)| key, request.max_items, marker)?;
    Ok(ListGroupsResult::of(listed, |(_, group)| Group::of(&account, group)))
}

pub(super) async fn list_for_user(
    call: &Call<'_>,
    request: ListGroupsForUser,
) -> Result<ListGroupsResult, Fault> {
    let found = call.service.list_groups_for_user(call.info, 0, &request.user_name).await?;
    let account = &found.account;
    let groups = found.entity.groups.iter();
    let groups = groups.filter_map(|key| Some((key, account.groups.get(key)?)));
    let marker = request.marker.as_deref();
    let listed = page(call.action, groups, |(key, _)| key, request.max_items, marker)?;
    Ok(ListGroupsResult::of(listed, |(_, group)| Group::of(account, group)))
}

pub(super) async fn update(call: &Call<'_>, request: UpdateGroup) -> Result<(), Fault> {
    let asked = Renaming {
        name: request.group_name,
        new_name: request.new_group_name,
        new_path: request.new_path,
    };
    call.service.update_group(call.info, "", asked).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteGroup) -> Result<(), Fault> {
    call.service.delete_group(call.info, "", request.group_name).await?;
    Ok(())
}

pub(super) async fn add_user(call: &Call<'_>, request: Membership) -> Result<(), Fault> {
    let (group, user) = (request.group_name, request.user_name);
    call.service.add_user_to_group(call.info, "", group, user).await?;
    Ok(())
}

pub(super) async fn remove_user(call: &Call<'_>, request: Membership) -> Result<(), Fault> {
    let (group, user) = (request.group_name, request.user_name);
    call.service.remove_user_from_group(call.info, "", group, user).await?;
    Ok(())
}
