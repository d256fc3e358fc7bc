//! Policies of users, roles and groups: inline, attached, and the boundary. The operations of the three
//! kinds differ in names alone, so that each kind's module has them made by `owner_policies!`.

use serde::Serialize;

use super::document;
use super::shown::{AttachedPolicy, listed};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::page;
use crate::domain::event::PolicyOwner;
use crate::domain::state::Account;
use crate::identity::PolicyName;

/// Where a list begins and how much of it is asked for.
pub(super) struct Window {
    pub(super) path_prefix: Option<String>,
    pub(super) marker: Option<String>,
    pub(super) max_items: Option<u32>,
}

listed! {
    ListPoliciesResult { policy_names: String }
    ListAttachedResult { attached_policies: AttachedPolicy }
}

pub(super) async fn put(
    call: &Call<'_>,
    owner: PolicyOwner,
    name: PolicyName,
    text: &str,
) -> Result<(), Fault> {
    let document = ("policyDocument", text);
    call.service.put_inline_policy(call.info, "", owner, name, document).await?;
    Ok(())
}

/// The names of owner and policy as they are kept, and the document.
pub(super) async fn get(
    call: &Call<'_>,
    owner: &PolicyOwner,
    name: &PolicyName,
) -> Result<(String, String, String), Fault> {
    let found = call.service.inline_policy(call.info, 0, owner, name).await?;
    let policy = found.entity.inline_policy(name);
    let (name, policy) = policy.ok_or_else(|| Fault::internal(&"the policy is gone"))?;
    Ok((spelling(&found.account, owner), name.to_string(), document(policy.text())))
}

/// The owner's name as it was given.
fn spelling(account: &Account, owner: &PolicyOwner) -> String {
    match owner {
        PolicyOwner::User(name) => account.user(name).map_or(name, |u| &u.name).to_string(),
        PolicyOwner::Role(name) => account.role(name).map_or(name, |r| &r.name).to_string(),
        PolicyOwner::Group(name) => account.group(name).map_or(name, |g| &g.name).to_string(),
    }
}

pub(super) async fn list(
    call: &Call<'_>,
    owner: &PolicyOwner,
    window: &Window,
) -> Result<ListPoliciesResult, Fault> {
    let found = call.service.list_inline_policies(call.info, 0, owner).await?;
    let names = found.entity.inline.keys().map(PolicyName::as_str);
    let marker = window.marker.as_deref();
    let listed = page(call.action, names, |name| name, window.max_items, marker)?;
    Ok(ListPoliciesResult::of(listed, str::to_owned))
}

pub(super) async fn list_attached(
    call: &Call<'_>,
    owner: &PolicyOwner,
    window: &Window,
) -> Result<ListAttachedResult, Fault> {
    let found = call.service.list_attached_policies(call.info, 0, owner).await?;
    let account = &found.account;
    let prefix = window.path_prefix.as_deref().unwrap_or("/");
    let attached = found.entity.attached.iter();
    let attached = attached.filter_map(|key| Some((key, account.managed(key)?)));
    let attached = attached.filter(|(_, policy)| policy.path.as_str().starts_with(prefix));
    let marker = window.marker.as_deref();
    let listed = page(call.action, attached, |(key, _)| key, window.max_items, marker)?;
    Ok(ListAttachedResult::of(listed, |(_, policy)| AttachedPolicy::of(account, policy)))
}

/// A document with whose it is; each kind has a member of its own for its name.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InlinePolicy {
    pub(super) user_name: Option<String>,
    pub(super) role_name: Option<String>,
    pub(super) group_name: Option<String>,
    pub(super) policy_name: String,
    pub(super) policy_document: String,
}

impl InlinePolicy {
    pub(super) fn of(
        owner: &PolicyOwner,
        (name, policy_name, policy_document): (String, String, String),
    ) -> Self {
        let own = |is: bool| is.then(|| name.clone());
        Self {
            user_name: own(matches!(owner, PolicyOwner::User(_))),
            role_name: own(matches!(owner, PolicyOwner::Role(_))),
            group_name: own(matches!(owner, PolicyOwner::Group(_))),
            policy_name,
            policy_document,
        }
    }
}

/// The operations on the policies of one kind of owner: the kind, the type of its name and how the name is
/// called on the wire.
macro_rules! owner_policies {
    ($kind:ident, $name:ident, $wire:literal) => {
        use super::owner_policies::{
            self, InlinePolicy, ListAttachedResult, ListPoliciesResult, Window,
        };

        request! {
            /// Source: IAM API Reference, PutUserPolicy and its like.
            PutPolicy {
                owner: $name = $wire,
                policy_name: $crate::identity::PolicyName = "PolicyName",
                policy_document: String = "PolicyDocument" [Length(1, 131_072), DOCUMENT],
            }
            /// Source: IAM API Reference, GetUserPolicy, DeleteUserPolicy and their like.
            OfPolicy {
                owner: $name = $wire,
                policy_name: $crate::identity::PolicyName = "PolicyName",
            }
            /// Source: IAM API Reference, AttachUserPolicy, DetachUserPolicy and their like.
            OfManaged {
                owner: $name = $wire,
                policy_arn: $crate::identity::Arn = "PolicyArn" [Length(20, 2048)],
            }
            /// Source: IAM API Reference, ListUserPolicies and its like.
            ListInline {
                owner: $name = $wire,
                marker: Option<String> = "Marker" [Length(1, $crate::aws::iam::MARKER_CHARS_MAX)],
                max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
            }
            /// Source: IAM API Reference, ListAttachedUserPolicies and its like.
            ListAttached {
                owner: $name = $wire,
                path_prefix: Option<String> = "PathPrefix" [Length(1, $crate::aws::iam::PATH_CHARS_MAX)],
                marker: Option<String> = "Marker" [Length(1, $crate::aws::iam::MARKER_CHARS_MAX)],
                max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
            }
        }

        pub(super) async fn put_policy(call: &Call<'_>, request: PutPolicy) -> Result<(), Fault> {
            let owner = $crate::domain::event::PolicyOwner::$kind(request.owner);
            owner_policies::put(call, owner, request.policy_name, &request.policy_document).await
        }

        pub(super) async fn get_policy(
            call: &Call<'_>,
            request: OfPolicy,
        ) -> Result<InlinePolicy, Fault> {
            let owner = $crate::domain::event::PolicyOwner::$kind(request.owner);
            let found = owner_policies::get(call, &owner, &request.policy_name).await?;
            Ok(InlinePolicy::of(&owner, found))
        }

        pub(super) async fn delete_policy(call: &Call<'_>, request: OfPolicy) -> Result<(), Fault> {
            let owner = $crate::domain::event::PolicyOwner::$kind(request.owner);
            let name = request.policy_name;
            call.service.delete_inline_policy(call.info, "", owner, name).await?;
            Ok(())
        }

        pub(super) async fn list_policies(
            call: &Call<'_>,
            request: ListInline,
        ) -> Result<ListPoliciesResult, Fault> {
            let ListInline { owner, marker, max_items } = request;
            let owner = $crate::domain::event::PolicyOwner::$kind(owner);
            let window = Window { path_prefix: None, marker, max_items };
            owner_policies::list(call, &owner, &window).await
        }

        pub(super) async fn list_attached(
            call: &Call<'_>,
            request: ListAttached,
        ) -> Result<ListAttachedResult, Fault> {
            let ListAttached { owner, path_prefix, marker, max_items } = request;
            let owner = $crate::domain::event::PolicyOwner::$kind(owner);
            let window = Window { path_prefix, marker, max_items };
            owner_policies::list_attached(call, &owner, &window).await
        }

        pub(super) async fn attach_policy(
            call: &Call<'_>,
            request: OfManaged,
        ) -> Result<(), Fault> {
            let owner = $crate::domain::event::PolicyOwner::$kind(request.owner);
            call.service.attach_policy(call.info, "", owner, request.policy_arn).await?;
            Ok(())
        }

        pub(super) async fn detach_policy(
            call: &Call<'_>,
            request: OfManaged,
        ) -> Result<(), Fault> {
            let owner = $crate::domain::event::PolicyOwner::$kind(request.owner);
            call.service.detach_policy(call.info, "", owner, request.policy_arn).await?;
            Ok(())
        }
    };
}

/// The operations on the boundary of a user or role.
macro_rules! owner_boundary {
    ($kind:ident, $name:ident, $wire:literal) => {
        request! {
            /// Source: IAM API Reference, PutUserPermissionsBoundary and its like.
            PutBoundary {
                owner: $name = $wire,
                permissions_boundary: $crate::identity::Arn =
                    "PermissionsBoundary" [Length(20, 2048)],
            }
            /// Source: IAM API Reference, DeleteUserPermissionsBoundary and its like.
            DeleteBoundary {
                owner: $name = $wire,
            }
        }

        pub(super) async fn put_boundary(
            call: &Call<'_>,
            request: PutBoundary,
        ) -> Result<(), Fault> {
            let owner = $crate::domain::event::PolicyOwner::$kind(request.owner);
            let boundary = request.permissions_boundary;
            call.service.put_boundary(call.info, "", owner, boundary).await?;
            Ok(())
        }

        pub(super) async fn delete_boundary(
            call: &Call<'_>,
            request: DeleteBoundary,
        ) -> Result<(), Fault> {
            let owner = $crate::domain::event::PolicyOwner::$kind(request.owner);
            call.service.delete_boundary(call.info, "", owner).await?;
            Ok(())
        }
    };
}

pub(super) use {owner_boundary, owner_policies};
