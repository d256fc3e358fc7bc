//! Users.

use serde::Serialize;

use super::owner_policies::{owner_boundary, owner_policies};
use super::shown::{User, listed};
use super::tags::{self, GivenTag, owner_tags};
use super::{MARKER_CHARS_MAX, PATH_CHARS_MAX, change, reading, reading_entity};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::{DOCUMENT, request};
use crate::aws::xml::Time;
use crate::domain::command::Action;
use crate::domain::entity::{EntityAction, TagOwner};
use crate::domain::event::{KeyOwner, PolicyOwner};
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::identity::{Arn, Path, Principal, UserName};

owner_policies!(User, UserName, "UserName");
owner_boundary!(User, UserName, "UserName");
owner_tags!(UserName, "UserName", owner);

request! {
    /// Source: IAM API Reference, CreateUser.
    CreateUser {
        user_name: UserName = "UserName",
        path: Option<Path> = "Path",
        permissions_boundary: Option<Arn> = "PermissionsBoundary" [Length(20, 2048)],
        tags: Vec<GivenTag> = "Tags" [Items(0, 50)],
    }
    /// Source: IAM API Reference, GetUser.
    GetUser {
        user_name: Option<UserName> = "UserName",
    }
    /// Source: IAM API Reference, ListUsers.
    ListUsers {
        path_prefix: Option<String> = "PathPrefix" [Length(1, PATH_CHARS_MAX)],
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, UpdateUser.
    UpdateUser {
        user_name: UserName = "UserName",
        new_user_name: Option<UserName> = "NewUserName",
        new_path: Option<Path> = "NewPath",
    }
    /// Source: IAM API Reference, DeleteUser.
    DeleteUser {
        user_name: UserName = "UserName",
    }
}

listed! {
    ListUsersResult { users: User }
}

/// The result of CreateUser.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneUser {
    user: User,
}

/// The result of GetUser: for the account's root it has no name, and no more than this.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GotUser {
    user: UserOrRoot,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum UserOrRoot {
    User(User),
    Root(Root),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Root {
    user_id: String,
    arn: String,
    create_date: Time,
}

impl UserOrRoot {
    fn root(account: &Account) -> Self {
        Self::Root(Root {
            user_id: account.id.to_string(),
            arn: Arn::root(account.id).to_string(),
            create_date: Time(account.created_at),
        })
    }

    /// An owner of devices as lists show it.
    pub(super) fn of(account: &Account, owner: &KeyOwner) -> Option<Self> {
        match owner {
            KeyOwner::User(name) => Some(Self::User(User::brief(account, account.user(name)?))),
            KeyOwner::Root => Some(Self::root(account)),
            _ => None,
        }
    }
}

fn owner(_: &Call<'_>, name: UserName) -> Result<TagOwner, Fault> {
    Ok(TagOwner::User(name))
}

/// The user that a request means which names none: the one who signed it; none for the account's root.
pub(super) fn own_name(call: &Call<'_>) -> Result<Option<UserName>, Fault> {
    match &call.info.caller.principal {
        Principal::User { name, .. } => Ok(Some(name.clone())),
        Principal::Root { .. } => Ok(None),
        _ => {
            let message = "Must specify userName when calling with non-User credentials";
            Err(Fault::validation(message))
        }
    }
}

pub(super) async fn create(call: &Call<'_>, request: CreateUser) -> Result<OneUser, Fault> {
    let action = Action::CreateUser {
        name: request.user_name.clone(),
        path: request.path.unwrap_or_default(),
        id: call.service.draw_id("AIDA")?,
        tags: tags::given(request.tags)?,
        boundary: request.permissions_boundary,
    };
    call.perform("", action).await?;
    let (_, account) = call.state()?;
    let user = account.user(&request.user_name);
    let user = user.ok_or_else(|| Rejection::missing("user", &request.user_name))?;
    Ok(OneUser { user: User::full(&account, user) })
}

pub(super) async fn get(call: &Call<'_>, request: GetUser) -> Result<GotUser, Fault> {
    let named = match request.user_name {
        Some(name) => Some(name),
        None => own_name(call)?,
    };
    let Some(name) = named else {
        let (_, account) = call.state()?;
        return Ok(GotUser { user: UserOrRoot::root(&account) });
    };
    let (_, account) = reading_entity(call, &TagOwner::User(name.clone()))?;
    let user = account.user(&name).ok_or_else(|| Rejection::missing("user", &name))?;
    Ok(GotUser { user: UserOrRoot::User(User::full(&account, user)) })
}

pub(super) async fn list(call: &Call<'_>, request: ListUsers) -> Result<ListUsersResult, Fault> {
    let (_, account) = reading(call)?;
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let users = account.users.iter().filter(|(_, user)| user.path.as_str().starts_with(prefix));
    let marker = request.marker.as_deref();
    let listed = page(call.action, users, |(key, _)| key, request.max_items, marker)?;
    Ok(ListUsersResult::of(listed, |(_, user)| User::brief(&account, user)))
}

pub(super) async fn update(call: &Call<'_>, request: UpdateUser) -> Result<(), Fault> {
    let action = EntityAction::UpdateUser {
        name: request.user_name,
        new_name: request.new_user_name,
        new_path: request.new_path,
    };
    change(call, action).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteUser) -> Result<(), Fault> {
    call.perform("", Action::DeleteUser { name: request.user_name }).await?;
    Ok(())
}
