//! Managed policies and their versions.

use std::sync::Arc;

use serde::Serialize;

use super::shown::{Policy, PolicyVersion, listed};
use super::tags::{self, GivenTag, owner_tags};
use super::{MARKER_CHARS_MAX, PATH_CHARS_MAX};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{Items, Length, Value};
use crate::aws::shape::{DOCUMENT, request, words};
use crate::domain::aws_policies;
use crate::domain::event::PolicyOwner;
use crate::domain::state::{Account, ManagedPolicy, PolicyUses};
use crate::identity::{Arn, Description, Path, PolicyName};
use crate::service::NewPolicy;

/// The member that holds a document.
const DOCUMENT_FIELD: &str = "policyDocument";

owner_tags!(Policy, Arn, "PolicyArn");

request! {
    /// Source: IAM API Reference, CreatePolicy.
    CreatePolicy {
        policy_name: PolicyName = "PolicyName",
        path: Option<Path> = "Path",
        policy_document: String = "PolicyDocument" [Length(1, 131_072), DOCUMENT],
        description: Option<Description> = "Description",
        tags: Vec<GivenTag> = "Tags" [Items(0, 50)],
    }
    /// Source: IAM API Reference, GetPolicy and DeletePolicy.
    NamedPolicy {
        policy_arn: Arn = "PolicyArn" [Length(20, 2048)],
    }
    /// Source: IAM API Reference, ListPolicies.
    ListPolicies {
        scope: Option<Scope> = "Scope",
        only_attached: Option<bool> = "OnlyAttached",
        path_prefix: Option<String> = "PathPrefix" [Length(1, PATH_CHARS_MAX)],
        policy_usage_filter: Option<Usage> = "PolicyUsageFilter",
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, CreatePolicyVersion.
    CreateVersion {
        policy_arn: Arn = "PolicyArn" [Length(20, 2048)],
        policy_document: String = "PolicyDocument" [Length(1, 131_072), DOCUMENT],
        set_as_default: Option<bool> = "SetAsDefault",
    }
    /// Source: IAM API Reference, GetPolicyVersion, SetDefaultPolicyVersion and DeletePolicyVersion.
    NamedVersion {
        policy_arn: Arn = "PolicyArn" [Length(20, 2048)],
        version_id: String = "VersionId" [Length(2, 64)],
    }
    /// Source: IAM API Reference, ListPolicyVersions.
    ListVersions {
        policy_arn: Arn = "PolicyArn" [Length(20, 2048)],
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, ListEntitiesForPolicy.
    ListEntities {
        policy_arn: Arn = "PolicyArn" [Length(20, 2048)],
        entity_filter: Option<EntityFilter> = "EntityFilter",
        path_prefix: Option<String> = "PathPrefix" [Length(1, PATH_CHARS_MAX)],
        policy_usage_filter: Option<Usage> = "PolicyUsageFilter",
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
}

words! {
    /// Whose policies.
    Scope {
        All = "All",
        Aws = "AWS",
        Local = "Local",
    }
    /// What a policy is used for.
    Usage {
        Permissions = "PermissionsPolicy",
        Boundary = "PermissionsBoundary",
    }
    /// Kinds of what has policies, and of policies.
    EntityFilter {
        User = "User",
        Role = "Role",
        Group = "Group",
        LocalManagedPolicy = "LocalManagedPolicy",
        AwsManagedPolicy = "AWSManagedPolicy",
    }
}

listed! {
    ListPoliciesResult { policies: Policy }
    ListVersionsResult { versions: PolicyVersion }
}

/// The result of CreatePolicy and GetPolicy.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnePolicy {
    policy: Policy,
}

/// The result of CreatePolicyVersion and GetPolicyVersion.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneVersion {
    policy_version: PolicyVersion,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyGroup {
    group_name: String,
    group_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyUser {
    user_name: String,
    user_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyRole {
    role_name: String,
    role_id: String,
}

/// The result of ListEntitiesForPolicy.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entities {
    policy_groups: Vec<PolicyGroup>,
    policy_users: Vec<PolicyUser>,
    policy_roles: Vec<PolicyRole>,
    is_truncated: bool,
    marker: Option<String>,
}

impl Entities {
    fn add(&mut self, account: &Account, holder: &PolicyOwner) {
        match holder {
            PolicyOwner::Group(name) => {
                self.policy_groups.extend(account.group(name).map(|group| PolicyGroup {
                    group_name: group.name.to_string(),
                    group_id: group.id.to_string(),
                }));
            }
            PolicyOwner::User(name) => {
                self.policy_users.extend(account.user(name).map(|user| PolicyUser {
                    user_name: user.name.to_string(),
                    user_id: user.id.to_string(),
                }));
            }
            PolicyOwner::Role(name) => {
                self.policy_roles.extend(account.role(name).map(|role| PolicyRole {
                    role_name: role.name.to_string(),
                    role_id: role.id.to_string(),
                }));
            }
        }
    }
}

/// The number in `v3`. A version's id may end in `.` and letters, which name none here.
fn number(version_id: &str) -> Result<u32, Fault> {
    let number = version_id.strip_prefix('v').filter(|digits| !digits.starts_with(['0', '+']));
    number.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        let pattern = "v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?";
        Fault::validation(format!(
            "1 validation error detected: Value '{version_id}' at 'versionId' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: {pattern}"
        ))
    })
}

pub(super) async fn create(call: &Call<'_>, request: CreatePolicy) -> Result<OnePolicy, Fault> {
    let asked = NewPolicy {
        name: request.policy_name,
        path: request.path.unwrap_or_default(),
        description: request.description.unwrap_or_else(Description::empty),
        document: (DOCUMENT_FIELD, &request.policy_document),
        tags: tags::given(request.tags)?,
    };
    let (made, _) = call.service.create_policy(call.info, "", asked).await?;
    Ok(OnePolicy { policy: Policy::full(&made.account, made.entity()?) })
}

pub(super) async fn get(call: &Call<'_>, request: NamedPolicy) -> Result<OnePolicy, Fault> {
    let found = call.service.policy(call.info, 0, &request.policy_arn).await?;
    Ok(OnePolicy { policy: Policy::full(&found.account, &found.entity) })
}

pub(super) async fn list(
    call: &Call<'_>,
    request: ListPolicies,
) -> Result<ListPoliciesResult, Fault> {
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let account = call.service.list_policies(call.info, 0, prefix).await?.account;
    let scope = request.scope.unwrap_or(Scope::All);
    let of_aws = aws_policies::all().filter(|_| scope != Scope::Local);
    let local = account.policies.values().filter(|_| scope != Scope::Aws);
    let wanted = |policy: &&Arc<ManagedPolicy>| {
        let uses = account.uses_of(policy);
        let only = request.only_attached.unwrap_or(false);
        let used = match request.policy_usage_filter {
            Some(Usage::Permissions) => uses.attachments > 0,
            Some(Usage::Boundary) => uses.boundaries > 0,
            None => !only || uses != PolicyUses::default(),
        };
        used && policy.path.as_str().starts_with(prefix)
    };
    let policies = of_aws.chain(local).filter(wanted);
    let mut policies: Vec<_> = policies.map(|policy| (sort_key(policy), policy)).collect();
    policies.sort_by(|(a, _), (b, _)| a.cmp(b));
    let marker = request.marker.as_deref();
    let listed = page(call.action, policies, |(key, _)| key, request.max_items, marker)?;
    Ok(ListPoliciesResult::of(listed, |(_, policy)| Policy::brief(&account, policy)))
}

pub(super) async fn delete(call: &Call<'_>, request: NamedPolicy) -> Result<(), Fault> {
    call.service.delete_policy(call.info, "", request.policy_arn).await?;
    Ok(())
}

pub(super) async fn create_version(
    call: &Call<'_>,
    request: CreateVersion,
) -> Result<OneVersion, Fault> {
    let document = (DOCUMENT_FIELD, request.policy_document.as_str());
    let (arn, default) = (request.policy_arn, request.set_as_default.unwrap_or(false));
    let made = call.service.create_policy_version(call.info, "", arn, document, default).await?;
    let (policy, number) = (made.policy.entity()?, made.version);
    let version = policy.versions.get(&number);
    let version = version.ok_or_else(|| Fault::internal(&"the version is gone"))?;
    Ok(OneVersion { policy_version: PolicyVersion::brief(policy, number, version) })
}

pub(super) async fn get_version(
    call: &Call<'_>,
    request: NamedVersion,
) -> Result<OneVersion, Fault> {
    let number = number(&request.version_id)?;
    let named = (number, request.version_id.as_str());
    let found = call.service.policy_version(call.info, 0, &request.policy_arn, named).await?;
    let version = found.entity.versions.get(&number);
    let version = version.ok_or_else(|| Fault::internal(&"the version is gone"))?;
    Ok(OneVersion { policy_version: PolicyVersion::full(&found.entity, number, version) })
}

pub(super) async fn list_versions(
    call: &Call<'_>,
    request: ListVersions,
) -> Result<ListVersionsResult, Fault> {
    let found = call.service.list_policy_versions(call.info, 0, &request.policy_arn).await?;
    let policy = &found.entity;
    // The newest first; what pages are cut by has to rise.
    let versions = policy.versions.iter().rev();
    let versions =
        versions.map(|(number, version)| (format!("{:010}", u32::MAX - number), *number, version));
    let marker = request.marker.as_deref();
    let listed = page(call.action, versions, |(key, ..)| key, request.max_items, marker)?;
    let show = |number, version| PolicyVersion::brief(policy, number, version);
    Ok(ListVersionsResult::of(listed, |(_, number, version)| show(number, version)))
}

pub(super) async fn set_default_version(
    call: &Call<'_>,
    request: NamedVersion,
) -> Result<(), Fault> {
    let (arn, version) = (request.policy_arn, number(&request.version_id)?);
    call.service.set_default_policy_version(call.info, "", arn, version).await?;
    Ok(())
}

pub(super) async fn delete_version(call: &Call<'_>, request: NamedVersion) -> Result<(), Fault> {
    let (arn, version) = (request.policy_arn, number(&request.version_id)?);
    call.service.delete_policy_version(call.info, "", arn, version).await?;
    Ok(())
}

pub(super) async fn list_entities(
    call: &Call<'_>,
    request: ListEntities,
) -> Result<Entities, Fault> {
    let found = call.service.list_entities_for_policy(call.info, 0, &request.policy_arn).await?;
    let account = &found.account;
    let holders = account.holders_of(&found.entity.reference().key());
    let (attached, bounded) = (holders.attached.into_iter(), holders.bounded.into_iter());
    let usage = request.policy_usage_filter;
    let attached = attached.filter(|_| usage != Some(Usage::Boundary));
    let bounded = bounded.filter(|_| usage != Some(Usage::Permissions));
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let wanted = |holder: &PolicyOwner| {
        let kind = match holder {
            PolicyOwner::User(_) => EntityFilter::User,
            PolicyOwner::Role(_) => EntityFilter::Role,
            PolicyOwner::Group(_) => EntityFilter::Group,
        };
        let path = match holder {
            PolicyOwner::User(name) => account.user(name).map(|user| &user.path),
            PolicyOwner::Role(name) => account.role(name).map(|role| &role.path),
            PolicyOwner::Group(name) => account.group(name).map(|group| &group.path),
        };
        let is_under = path.is_some_and(|path| path.as_str().starts_with(prefix));
        request.entity_filter.is_none_or(|filter| filter == kind) && is_under
    };
    let mut found: Vec<_> = attached.chain(bounded).filter(wanted).map(sorted).collect();
    found.sort();
    found.dedup();
    let marker = request.marker.as_deref();
    let listed = page(call.action, found, |(key, _)| key, request.max_items, marker)?;
    let mut entities = Entities::default();
    listed.entries.iter().for_each(|(_, holder)| entities.add(account, holder));
    entities.is_truncated = listed.next.is_some();
    entities.marker = listed.next;
    Ok(entities)
}

/// What lists of policies are sorted by: the name, and for equal names whose it is.
pub(super) fn sort_key(policy: &ManagedPolicy) -> String {
    let name = policy.name.as_str().to_ascii_lowercase();
    // No name holds a space.
    if policy.aws { format!("{name} aws") } else { name }
}

/// Who holds a policy, with what lists of them are sorted by.
fn sorted(holder: PolicyOwner) -> (String, PolicyOwner) {
    let name = match &holder {
        PolicyOwner::User(name) => name.as_str(),
        PolicyOwner::Role(name) => name.as_str(),
        PolicyOwner::Group(name) => name.as_str(),
    };
    (format!("{}/{}", holder.kind(), name.to_ascii_lowercase()), holder)
}
