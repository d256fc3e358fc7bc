//! Users.

use serde::Serialize;

use super::owner_policies::{owner_boundary, owner_policies};
use super::shown::{User, listed};
use super::tags::{self, GivenTag, owner_tags};
use super::{MARKER_CHARS_MAX, PATH_CHARS_MAX};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::{DOCUMENT, request};
use crate::aws::xml::Time;
use crate::domain::event::KeyOwner;
use crate::domain::state::Account;
use crate::identity::{Arn, Path, UserName};
use crate::service::{NewUser, Renaming, UserOrRootAccount};

owner_policies!(User, UserName, "UserName");
owner_boundary!(User, UserName, "UserName");
owner_tags!(User, UserName, "UserName");

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

pub(super) async fn create(call: &Call<'_>, request: CreateUser) -> Result<OneUser, Fault> {
    let asked = NewUser {
        name: request.user_name,
        path: request.path.unwrap_or_default(),
        tags: tags::given(request.tags)?,
        boundary: request.permissions_boundary,
    };
    let made = call.service.create_user(call.info, "", asked).await?;
    Ok(OneUser { user: User::full(&made.account, made.entity()?) })
}

pub(super) async fn get(call: &Call<'_>, request: GetUser) -> Result<GotUser, Fault> {
    let user = match call.service.user_or_root(call.info, request.user_name).await? {
        UserOrRootAccount::User(found) => {
            UserOrRoot::User(User::full(&found.account, &found.entity))
        }
        UserOrRootAccount::Root(account) => UserOrRoot::root(&account),
    };
    Ok(GotUser { user })
}

pub(super) async fn list(call: &Call<'_>, request: ListUsers) -> Result<ListUsersResult, Fault> {
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let account = call.service.list_users(call.info, 0, prefix).await?.account;
    let users = account.users.iter().filter(|(_, user)| user.path.as_str().starts_with(prefix));
    let marker = request.marker.as_deref();
    let listed = page(call.action, users, |(key, _)| key, request.max_items, marker)?;
    Ok(ListUsersResult::of(listed, |(_, user)| User::brief(&account, user)))
}

pub(super) async fn update(call: &Call<'_>, request: UpdateUser) -> Result<(), Fault> {
    let asked = Renaming {
        name: request.user_name,
        new_name: request.new_user_name,
        new_path: request.new_path,
    };
    call.service.update_user(call.info, "", asked).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteUser) -> Result<(), Fault> {
    call.service.delete_user(call.info, "", request.user_name).await?;
    Ok(())
}
