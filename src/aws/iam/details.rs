//! GetAccountAuthorizationDetails: everything that bears on what an account's principals may do.

use std::sync::Arc;

use serde::Serialize;

use super::policies::{EntityFilter, sort_key};
use super::shown::{
    AttachedPolicy, Boundary, InstanceProfile, PolicyVersion, RoleLastUsed, Tag, trust,
};
use super::{MARKER_CHARS_MAX, document};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::request;
use crate::aws::xml::Time;
use crate::domain::access::Permission;
use crate::domain::aws_policies;
use crate::domain::state::{
    Account, Group, ManagedPolicy, Permissions, PolicyUses, Role, State, User,
};
use crate::identity::Arn;

request! {
    /// Source: IAM API Reference, GetAccountAuthorizationDetails.
    GetDetails {
        filter: Vec<EntityFilter> = "Filter" [Items(0, 5)],
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyDetail {
    policy_name: String,
    policy_document: String,
}

impl PolicyDetail {
    fn all(permissions: &Permissions) -> Vec<Self> {
        let inline = permissions.inline.iter().map(|(name, policy)| Self {
            policy_name: name.to_string(),
            policy_document: document(policy.text()),
        });
        inline.collect()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserDetail {
    path: String,
    user_name: String,
    user_id: String,
    arn: String,
    create_date: Time,
    user_policy_list: Vec<PolicyDetail>,
    group_list: Vec<String>,
    attached_managed_policies: Vec<AttachedPolicy>,
    permissions_boundary: Option<Boundary>,
    tags: Vec<Tag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupDetail {
    path: String,
    group_name: String,
    group_id: String,
    arn: String,
    create_date: Time,
    group_policy_list: Vec<PolicyDetail>,
    attached_managed_policies: Vec<AttachedPolicy>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDetail {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: Time,
    assume_role_policy_document: String,
    instance_profile_list: Vec<InstanceProfile>,
    role_policy_list: Vec<PolicyDetail>,
    attached_managed_policies: Vec<AttachedPolicy>,
    permissions_boundary: Option<Boundary>,
    tags: Vec<Tag>,
    role_last_used: RoleLastUsed,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ManagedPolicyDetail {
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
    policy_version_list: Vec<PolicyVersion>,
}

/// The result of GetAccountAuthorizationDetails.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Details {
    user_detail_list: Vec<UserDetail>,
    group_detail_list: Vec<GroupDetail>,
    role_detail_list: Vec<RoleDetail>,
    policies: Vec<ManagedPolicyDetail>,
    is_truncated: bool,
    marker: Option<String>,
}

/// An entry of one of the lists, which are paged as one.
enum Entry<'a> {
    Group(&'a Group),
    Policy(&'a Arc<ManagedPolicy>),
    Role(&'a Role),
    User(&'a User),
}

pub(super) async fn get(call: &Call<'_>, request: GetDetails) -> Result<Details, Fault> {
    let permission = Permission::GetAccountAuthorizationDetails;
    let read = call.service.read_account(call.info, 0, permission).await?;
    let (view, account) = (read.view, read.account);
    let wants = |kind| request.filter.is_empty() || request.filter.contains(&kind);
    let groups = account.groups.iter().filter(|_| wants(EntityFilter::Group));
    let groups = groups.map(|(key, group)| (format!("group/{key}"), Entry::Group(group)));
    // AWS's are told as far as the account uses them.
    let used = |policy: &&Arc<ManagedPolicy>| account.uses_of(policy) != PolicyUses::default();
    let of_aws = aws_policies::all().filter(|_| wants(EntityFilter::AwsManagedPolicy)).filter(used);
    let local = account.policies.values().filter(|_| wants(EntityFilter::LocalManagedPolicy));
    let policies = of_aws.chain(local);
    let mut policies: Vec<_> =
        policies.map(|policy| (format!("policy/{}", sort_key(policy)), policy)).collect();
    policies.sort_by(|(a, _), (b, _)| a.cmp(b));
    let policies = policies.into_iter().map(|(key, policy)| (key, Entry::Policy(policy)));
    let roles = account.roles.iter().filter(|_| wants(EntityFilter::Role));
    let roles = roles.map(|(key, role)| (format!("role/{key}"), Entry::Role(role)));
    let users = account.users.iter().filter(|_| wants(EntityFilter::User));
    let users = users.map(|(key, user)| (format!("user/{key}"), Entry::User(user)));
    let all = groups.chain(policies).chain(roles).chain(users);
    let marker = request.marker.as_deref();
    let listed = page(call.action, all, |(key, _)| key, request.max_items, marker)?;
    let mut details = Details::default();
    for (_, entry) in listed.entries {
        match entry {
            Entry::Group(group) => details.group_detail_list.push(group_detail(&account, group)),
            Entry::Policy(policy) => details.policies.push(policy_detail(&account, policy)),
            Entry::Role(role) => {
                details.role_detail_list.push(role_detail(&view.state, &account, role));
            }
            Entry::User(user) => details.user_detail_list.push(user_detail(&account, user)),
        }
    }
    details.is_truncated = listed.next.is_some();
    details.marker = listed.next;
    Ok(details)
}

fn user_detail(account: &Account, user: &User) -> UserDetail {
    let groups = user.groups.iter().filter_map(|key| account.groups.get(key));
    UserDetail {
        path: user.path.to_string(),
        user_name: user.name.to_string(),
        user_id: user.id.to_string(),
        arn: Arn::user(account.id, &user.path, &user.name).to_string(),
        create_date: Time(user.created_at),
        user_policy_list: PolicyDetail::all(&user.permissions),
        group_list: groups.map(|group| group.name.to_string()).collect(),
        attached_managed_policies: AttachedPolicy::all(account, &user.permissions),
        permissions_boundary: Boundary::of(account, &user.permissions),
        tags: Tag::all(&user.tags),
    }
}

fn group_detail(account: &Account, group: &Group) -> GroupDetail {
    GroupDetail {
        path: group.path.to_string(),
        group_name: group.name.to_string(),
        group_id: group.id.to_string(),
        arn: Arn::group(account.id, &group.path, &group.name).to_string(),
        create_date: Time(group.created_at),
        group_policy_list: PolicyDetail::all(&group.permissions),
        attached_managed_policies: AttachedPolicy::all(account, &group.permissions),
    }
}

fn role_detail(state: &State, account: &Account, role: &Role) -> RoleDetail {
    let profiles = account.profiles_of(role);
    RoleDetail {
        path: role.path.to_string(),
        role_name: role.name.to_string(),
        role_id: role.id.to_string(),
        arn: Arn::role(account.id, &role.path, &role.name).to_string(),
        create_date: Time(role.created_at),
        assume_role_policy_document: trust(state, role),
        instance_profile_list: profiles
            .map(|profile| InstanceProfile::brief(state, account, profile))
            .collect(),
        role_policy_list: PolicyDetail::all(&role.permissions),
        attached_managed_policies: AttachedPolicy::all(account, &role.permissions),
        permissions_boundary: Boundary::of(account, &role.permissions),
        tags: Tag::all(&role.tags),
        role_last_used: RoleLastUsed::of(role),
    }
}

fn policy_detail(account: &Account, policy: &ManagedPolicy) -> ManagedPolicyDetail {
    let uses = account.uses_of(policy);
    let description = Some(policy.description.to_string());
    ManagedPolicyDetail {
        policy_name: policy.name.to_string(),
        policy_id: policy.id.to_string(),
        arn: policy.arn(account.id).to_string(),
        path: policy.path.to_string(),
        default_version_id: format!("v{}", policy.version),
        attachment_count: uses.attachments,
        permissions_boundary_usage_count: uses.boundaries,
        is_attachable: true,
        description: description.filter(|description| !description.is_empty()),
        create_date: Time(policy.created_at),
        update_date: Time(policy.updated_at()),
        policy_version_list: PolicyVersion::all(policy),
    }
}
