//! Entities as answers show them. Source: IAM API Reference, data types.

use serde::Serialize;

use super::document;
use crate::aws::xml::Time;
use crate::domain::state::{self, Account, Permissions, State};
use crate::domain::tags::Tags;
use crate::identity::Arn;

/// Results of lists: the list's name and what it holds.
macro_rules! listed {
    ($($name:ident { $list:ident: $entry:ty })*) => {$(
        #[derive(serde::Serialize)]
        #[serde(rename_all = "PascalCase")]
        pub(super) struct $name {
            $list: Vec<$entry>,
            is_truncated: bool,
            marker: Option<String>,
        }

        impl $name {
            fn of<T>(page: $crate::aws::page::Page<T>, show: impl FnMut(T) -> $entry) -> Self {
                Self {
                    $list: page.entries.into_iter().map(show).collect(),
                    is_truncated: page.next.is_some(),
                    marker: page.next,
                }
            }
        }
    )*};
}

pub(super) use listed;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

impl Tag {
    pub(super) fn all(tags: &Tags) -> Vec<Self> {
        let shown = tags.iter();
        shown.map(|(key, value)| Self { key: key.to_string(), value: value.to_string() }).collect()
    }

    /// What lists of tags are sorted by.
    pub(super) fn sort_key(&self) -> String {
        self.key.to_lowercase()
    }

    /// What answers leave out if there is nothing.
    pub(super) fn some(tags: &Tags) -> Option<Vec<Self>> {
        (!tags.is_empty()).then(|| Self::all(tags))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Boundary {
    permissions_boundary_type: &'static str,
    permissions_boundary_arn: String,
}

impl Boundary {
    pub(super) fn of(account: &Account, permissions: &Permissions) -> Option<Self> {
        let managed = account.managed(permissions.boundary.as_deref()?)?;
        Some(Self {
            // As answers spell it, whatever the model's enumeration says.
            permissions_boundary_type: "Policy",
            permissions_boundary_arn: managed.arn(account.id).to_string(),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct User {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Time,
    permissions_boundary: Option<Boundary>,
    tags: Option<Vec<Tag>>,
}

impl User {
    /// As lists show it: without boundary and tags.
    pub(super) fn brief(account: &Account, user: &state::User) -> Self {
        Self {
            path: user.path.to_string(),
            user_name: user.name.to_string(),
            user_id: user.id.to_string(),
            arn: Arn::user(account.id, &user.path, &user.name).to_string(),
            create_date: Time(user.created_at),
            permissions_boundary: None,
            tags: None,
        }
    }

    pub(super) fn full(account: &Account, user: &state::User) -> Self {
        Self {
            permissions_boundary: Boundary::of(account, &user.permissions),
            tags: Tag::some(&user.tags),
            ..Self::brief(account, user)
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Group {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: Time,
}

impl Group {
    pub(super) fn of(account: &Account, group: &state::Group) -> Self {
        Self {
            path: group.path.to_string(),
            group_name: group.name.to_string(),
            group_id: group.id.to_string(),
            arn: Arn::group(account.id, &group.path, &group.name).to_string(),
            create_date: Time(group.created_at),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Role {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: Time,
    assume_role_policy_document: String,
    description: Option<String>,
    max_session_duration: u64,
    permissions_boundary: Option<Boundary>,
    tags: Option<Vec<Tag>>,
    role_last_used: Option<RoleLastUsed>,
}

/// Empty for a role that was not used as far as is known.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleLastUsed {
    last_used_date: Option<Time>,
    region: Option<String>,
}

impl RoleLastUsed {
    pub(super) fn of(role: &state::Role) -> Self {
        let last = role.last_use.as_ref();
        Self {
            last_used_date: last.map(|last| Time(last.time)),
            region: last.map(|last| last.region.to_string()),
        }
    }
}

impl Role {
    /// As lists show it: without boundary, tags and last use.
    pub(super) fn brief(state: &State, account: &Account, role: &state::Role) -> Self {
        let description = Some(role.description.to_string());
        Self {
            path: role.path.to_string(),
            role_name: role.name.to_string(),
            role_id: role.id.to_string(),
            arn: Arn::role(account.id, &role.path, &role.name).to_string(),
            create_date: Time(role.created_at),
            assume_role_policy_document: trust(state, role),
            description: description.filter(|description| !description.is_empty()),
            max_session_duration: role.max_session.as_secs(),
            permissions_boundary: None,
            tags: None,
            role_last_used: None,
        }
    }

    pub(super) fn full(state: &State, account: &Account, role: &state::Role) -> Self {
        Self {
            permissions_boundary: Boundary::of(account, &role.permissions),
            tags: Tag::some(&role.tags),
            role_last_used: Some(RoleLastUsed::of(role)),
            ..Self::brief(state, account, role)
        }
    }
}

/// The trust policy; trusted users and roles show as ARNs where they still are there.
pub(super) fn trust(state: &State, role: &state::Role) -> String {
    document(&role.trust.shown(state))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Policy {
    policy_name: String,
    policy_id: String,
    arn: String,
    path: String,
    default_version_id: String,
    attachment_count: u32,
    permissions_boundary_usage_count: u32,
    is_attachable: bool,
    description: Option<String>,
    create_date: Time,
    update_date: Time,
    tags: Option<Vec<Tag>>,
}

impl Policy {
    /// As lists show it: without description and tags.
    pub(super) fn brief(account: &Account, policy: &state::ManagedPolicy) -> Self {
        let uses = account.uses_of(policy);
        Self {
            policy_name: policy.name.to_string(),
            policy_id: policy.id.to_string(),
            arn: policy.arn(account.id).to_string(),
            path: policy.path.to_string(),
            default_version_id: format!("v{}", policy.version),
            attachment_count: uses.attachments,
            permissions_boundary_usage_count: uses.boundaries,
            is_attachable: true,
            description: None,
            create_date: Time(policy.created_at),
            update_date: Time(policy.updated_at()),
            tags: None,
        }
    }

    pub(super) fn full(account: &Account, policy: &state::ManagedPolicy) -> Self {
        let description = Some(policy.description.to_string());
        Self {
            description: description.filter(|description| !description.is_empty()),
            tags: Tag::some(&policy.tags),
            ..Self::brief(account, policy)
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyVersion {
    document: Option<String>,
    version_id: String,
    is_default_version: bool,
    create_date: Time,
}

impl PolicyVersion {
    /// As lists show it: without the document.
    pub(super) fn brief(
        policy: &state::ManagedPolicy,
        number: u32,
        version: &state::PolicyVersion,
    ) -> Self {
        Self {
            document: None,
            version_id: format!("v{number}"),
            is_default_version: number == policy.version,
            create_date: Time(version.created_at),
        }
    }

    pub(super) fn full(
        policy: &state::ManagedPolicy,
        number: u32,
        version: &state::PolicyVersion,
    ) -> Self {
        let text = document(version.policy.text());
        Self { document: Some(text), ..Self::brief(policy, number, version) }
    }

    /// Every version, the newest first.
    pub(super) fn all(policy: &state::ManagedPolicy) -> Vec<Self> {
        let versions = policy.versions.iter().rev();
        versions.map(|(number, version)| Self::full(policy, *number, version)).collect()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstanceProfile {
    path: String,
    instance_profile_name: String,
    instance_profile_id: String,
    arn: String,
    create_date: Time,
    roles: Vec<Role>,
    tags: Option<Vec<Tag>>,
}

impl InstanceProfile {
    /// As lists show it: without tags.
    pub(super) fn brief(state: &State, account: &Account, profile: &state::Profile) -> Self {
        let role = profile.role.as_ref().and_then(|role| account.role(role));
        Self {
            path: profile.path.to_string(),
            instance_profile_name: profile.name.to_string(),
            instance_profile_id: profile.id.to_string(),
            arn: Arn::profile(account.id, &profile.path, &profile.name).to_string(),
            create_date: Time(profile.created_at),
            roles: role.into_iter().map(|role| Role::brief(state, account, role)).collect(),
            tags: None,
        }
    }

    pub(super) fn full(state: &State, account: &Account, profile: &state::Profile) -> Self {
        Self { tags: Tag::some(&profile.tags), ..Self::brief(state, account, profile) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttachedPolicy {
    policy_name: String,
    policy_arn: String,
}

impl AttachedPolicy {
    pub(super) fn of(account: &Account, policy: &state::ManagedPolicy) -> Self {
        let (policy_name, policy_arn) =
            (policy.name.to_string(), policy.arn(account.id).to_string());
        Self { policy_name, policy_arn }
    }

    /// Everything attached, by name.
    pub(super) fn all(account: &Account, permissions: &Permissions) -> Vec<Self> {
        let attached = permissions.attached.iter().filter_map(|key| account.managed(key));
        attached.map(|policy| Self::of(account, policy)).collect()
    }
}
