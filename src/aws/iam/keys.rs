//! Long-term access keys of users and of the account's root.

use std::sync::Arc;

use serde::Serialize;

use super::users::own_name;
use super::{MARKER_CHARS_MAX, require};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Length, Value};
use crate::aws::shape::{request, words};
use crate::aws::xml::Time;
use crate::domain::command::Action;
use crate::domain::entity::TagOwner;
use crate::domain::event::{EventKind, KeyOwner};
use crate::domain::rejection::Rejection;
use crate::domain::state::{AccessKey, Account};
use crate::identity::{AccessKeyId, Arn, UserName};
use crate::ledger::View;

request! {
    /// Source: IAM API Reference, CreateAccessKey.
    CreateAccessKey {
        user_name: Option<UserName> = "UserName",
    }
    /// Source: IAM API Reference, ListAccessKeys.
    ListAccessKeys {
        user_name: Option<UserName> = "UserName",
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, UpdateAccessKey.
    UpdateAccessKey {
        user_name: Option<UserName> = "UserName",
        access_key_id: AccessKeyId = "AccessKeyId",
        status: Status = "Status",
    }
    /// Source: IAM API Reference, DeleteAccessKey.
    DeleteAccessKey {
        user_name: Option<UserName> = "UserName",
        access_key_id: AccessKeyId = "AccessKeyId",
    }
}

request! {
    /// Source: IAM API Reference, GetAccessKeyLastUsed.
    GetLastUsed {
        access_key_id: AccessKeyId = "AccessKeyId",
    }
}

words! {
    /// Whether a key may be used.
    Status {
        Active = "Active",
        Inactive = "Inactive",
    }
}

/// The result of CreateAccessKey.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatedKey {
    access_key: NewKey,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NewKey {
    user_name: Option<String>,
    access_key_id: String,
    status: &'static str,
    secret_access_key: String,
    create_date: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyMetadata {
    user_name: Option<String>,
    access_key_id: String,
    status: &'static str,
    create_date: Time,
}

/// The result of ListAccessKeys.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccessKeysResult {
    access_key_metadata: Vec<KeyMetadata>,
    is_truncated: bool,
    marker: Option<String>,
}

/// When a key was used last: `N/A` for one that was not, as far as is known.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LastUsed {
    last_used_date: Option<Time>,
    service_name: String,
    region: String,
}

/// The result of GetAccessKeyLastUsed.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyLastUsed {
    user_name: Option<String>,
    access_key_last_used: LastUsed,
}

fn status(key: &AccessKey) -> &'static str {
    if key.active { "Active" } else { "Inactive" }
}

fn user_name(owner: &KeyOwner) -> Option<String> {
    match owner {
        KeyOwner::User(name) => Some(name.to_string()),
        _ => None,
    }
}

/// Whose keys a request is about, as the account spells the name.
pub(super) fn owner(
    call: &Call<'_>,
    account: &Account,
    named: Option<UserName>,
) -> Result<KeyOwner, Fault> {
    let name = match named {
        Some(name) => Some(name),
        None => own_name(call)?,
    };
    Ok(owner_of(account, name))
}

/// A user, as the account spells the name; the account's root if none is named.
pub(super) fn owner_of(account: &Account, name: Option<UserName>) -> KeyOwner {
    name.map_or(KeyOwner::Root, |name| {
        KeyOwner::User(account.user(&name).map_or(name, |user| user.name.clone()))
    })
}

/// The caller may do what the call is named after on an owner of keys and devices.
pub(super) fn require_on(
    call: &Call<'_>,
    view: &View,
    account: &Account,
    owner: &KeyOwner,
) -> Result<(), Fault> {
    let KeyOwner::User(name) = owner else {
        return require(call, view, Arn::root(account.id).as_str(), None);
    };
    let user = TagOwner::User(name.clone());
    require(call, view, user.arn(account).as_str(), user.tags(account))
}

/// The newest state of the caller's account and whom a request means, for a caller who may read that.
pub(super) fn reading_owner(
    call: &Call<'_>,
    named: Option<UserName>,
) -> Result<(Arc<Account>, KeyOwner), Fault> {
    let (view, account) = call.state()?;
    let owner = owner(call, &account, named)?;
    require_on(call, &view, &account, &owner)?;
    if let KeyOwner::User(name) = &owner {
        account.user(name).ok_or_else(|| Rejection::missing("user", name))?;
    }
    Ok((account, owner))
}

pub(super) async fn create(call: &Call<'_>, request: CreateAccessKey) -> Result<CreatedKey, Fault> {
    let owner = owner(call, &call.state()?.1, request.user_name)?;
    let action = Action::CreateAccessKey { owner, key: call.service.draw_id("AKIA")? };
    let receipt = call.perform("", action).await?;
    let mut events = receipt.fact.iter().flat_map(|fact| &fact.events);
    let made = events.find_map(|event| match &event.kind {
        EventKind::AccessKeyCreated { key, .. } => Some(key),
        _ => None,
    });
    let id = made.ok_or_else(|| Fault::internal(&"no key was made"))?;
    let (_, account) = call.state()?;
    let key = account.access_keys.get(id).ok_or_else(|| Rejection::missing("access key", id))?;
    let secret = call.service.secret_of(&account, id)?;
    Ok(CreatedKey {
        access_key: NewKey {
            user_name: user_name(&key.owner),
            access_key_id: id.to_string(),
            status: status(key),
            secret_access_key: secret.expose().to_owned(),
            create_date: Time(key.created_at),
        },
    })
}

pub(super) async fn list(
    call: &Call<'_>,
    request: ListAccessKeys,
) -> Result<ListAccessKeysResult, Fault> {
    let (account, owner) = reading_owner(call, request.user_name)?;
    let marker = request.marker.as_deref();
    let keys = account.keys_of(&owner);
    let listed = page(call.action, keys, |(id, _)| id.as_str(), request.max_items, marker)?;
    let shown = listed.entries.into_iter().map(|(id, key)| KeyMetadata {
        user_name: user_name(&owner),
        access_key_id: id.to_string(),
        status: status(key),
        create_date: Time(key.created_at),
    });
    Ok(ListAccessKeysResult {
        access_key_metadata: shown.collect(),
        is_truncated: listed.next.is_some(),
        marker: listed.next,
    })
}

pub(super) async fn update(call: &Call<'_>, request: UpdateAccessKey) -> Result<(), Fault> {
    let owner = owner(call, &call.state()?.1, request.user_name)?;
    let active = request.status == Status::Active;
    let action = Action::UpdateAccessKey { owner, key: request.access_key_id, active };
    call.perform("", action).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteAccessKey) -> Result<(), Fault> {
    let owner = owner(call, &call.state()?.1, request.user_name)?;
    let action = Action::DeleteAccessKey { owner, key: request.access_key_id };
    call.perform("", action).await?;
    Ok(())
}

pub(super) async fn last_used(call: &Call<'_>, request: GetLastUsed) -> Result<KeyLastUsed, Fault> {
    let (view, account) = call.state()?;
    let id = request.access_key_id;
    let key = view.state.key(&id).filter(|held| held.account.id == account.id);
    let owner = key.as_ref().map_or(&KeyOwner::Root, |held| &held.owner);
    require_on(call, &view, &account, owner)?;
    // Another account's key is not there for this caller.
    let key = key.ok_or_else(|| Rejection::missing("access key", &id))?;
    let last = call.service.last_use(account.id, &id);
    let never = || "N/A".to_owned();
    Ok(KeyLastUsed {
        user_name: user_name(&key.owner),
        access_key_last_used: LastUsed {
            last_used_date: last.as_ref().map(|last| Time(last.time)),
            service_name: last.as_ref().map_or_else(never, |last| last.service.to_string()),
            region: last.as_ref().map_or_else(never, |last| last.region.to_string()),
        },
    })
}
