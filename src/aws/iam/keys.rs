//! Long-term access keys of users and of the account's root.

use serde::Serialize;

use super::MARKER_CHARS_MAX;
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Length, Value};
use crate::aws::shape::{request, words};
use crate::aws::xml::Time;
use crate::domain::event::KeyOwner;
use crate::domain::state::AccessKey;
use crate::identity::{AccessKeyId, UserName};
use crate::service::KeyHolder;

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

/// Who holds keys and devices: whoever calls, where no user is named.
pub(super) fn holder(named: Option<UserName>) -> KeyHolder {
    named.map_or(KeyHolder::Caller, KeyHolder::User)
}

pub(super) async fn create(call: &Call<'_>, request: CreateAccessKey) -> Result<CreatedKey, Fault> {
    let holder = holder(request.user_name);
    let made = call.service.create_access_key(call.info, "", &holder).await?;
    Ok(CreatedKey {
        access_key: NewKey {
            user_name: user_name(&made.key.owner),
            access_key_id: made.id.to_string(),
            status: status(&made.key),
            secret_access_key: made.secret.expose().to_owned(),
            create_date: Time(made.key.created_at),
        },
    })
}

pub(super) async fn list(
    call: &Call<'_>,
    request: ListAccessKeys,
) -> Result<ListAccessKeysResult, Fault> {
    let holder = holder(request.user_name);
    let of = call.service.list_access_keys(call.info, 0, &holder).await?;
    let marker = request.marker.as_deref();
    let keys = of.reading.account.keys_of(&of.owner);
    let listed = page(call.action, keys, |(id, _)| id.as_str(), request.max_items, marker)?;
    let shown = listed.entries.into_iter().map(|(id, key)| KeyMetadata {
        user_name: user_name(&of.owner),
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
    let (holder, key) = (holder(request.user_name), request.access_key_id);
    let active = request.status == Status::Active;
    call.service.update_access_key(call.info, "", &holder, key, active).await?;
    Ok(())
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteAccessKey) -> Result<(), Fault> {
    let (holder, key) = (holder(request.user_name), request.access_key_id);
    call.service.delete_access_key(call.info, "", &holder, key).await?;
    Ok(())
}

pub(super) async fn last_used(call: &Call<'_>, request: GetLastUsed) -> Result<KeyLastUsed, Fault> {
    let used = call.service.access_key_last_used(call.info, 0, &request.access_key_id).await?;
    let (owner, last) = (used.owner, used.last_use);
    let never = || "N/A".to_owned();
    Ok(KeyLastUsed {
        user_name: user_name(&owner),
        access_key_last_used: LastUsed {
            last_used_date: last.as_ref().map(|last| Time(last.time)),
            service_name: last.as_ref().map_or_else(never, |last| last.service.to_string()),
            region: last.as_ref().map_or_else(never, |last| last.region.to_string()),
        },
    })
}
