//! What the domain holds as messages of the API.

use std::collections::HashMap;
use std::time::Duration;

use prost_types::Timestamp as ProtoTimestamp;

use crate::clock::Timestamp;
use crate::domain::access::OwnOperations;
use crate::domain::event::PolicyOwner;
use crate::domain::metadata::MetadataOptions;
use crate::domain::state::{
    Account, Agent, Association, Group, Instance, ManagedPolicy, Permissions, Profile, Role, State,
    User,
};
use crate::domain::tags::Tags;
use crate::identity::{AccessKeyId, Arn, Invalid};
use crate::policy::Policy;
use crate::policy::lint::{Finding, Severity};
use crate::proto::v1;
use crate::service::{IssuedCredentials, RequestInfo};
use crate::signing::Secret;

pub(super) fn time(time: Timestamp) -> Option<ProtoTimestamp> {
    let millis = time.as_millis();
    let nanos = i32::try_from(millis.rem_euclid(1000) * 1_000_000).unwrap_or_default();
    Some(ProtoTimestamp { seconds: millis.div_euclid(1000), nanos })
}

/// A duration of a request, in whole seconds; none if absent.
pub(super) fn duration(
    field: &'static str,
    duration: Option<prost_types::Duration>,
) -> Result<Option<Duration>, Invalid> {
    let Some(duration) = duration else { return Ok(None) };
    let seconds = u64::try_from(duration.seconds);
    match seconds {
        Ok(seconds) if duration.nanos == 0 => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(Invalid::new(field, "must be a positive number of whole seconds")),
    }
}

pub(super) fn account(account: &Account) -> v1::Account {
    v1::Account {
        account_id: account.id.to_string(),
        name: account.name.to_string(),
        enabled: account.enabled,
        created_at: time(account.created_at),
        address_ranges: account.address_ranges.iter().map(ToString::to_string).collect(),
    }
}

/// A key; with its secret only where it was just made.
pub(super) fn access_key(
    id: &AccessKeyId,
    (active, created_at): (bool, Timestamp),
    secret: Option<&Secret>,
) -> v1::AccessKey {
    v1::AccessKey {
        access_key_id: id.to_string(),
        secret_access_key: secret.map(Secret::expose).unwrap_or_default().to_owned(),
        active,
        created_at: time(created_at),
    }
}

pub(super) fn credentials(issued: &IssuedCredentials) -> v1::Credentials {
    v1::Credentials {
        access_key_id: issued.key.to_string(),
        secret_access_key: issued.secret.expose().to_owned(),
        session_token: issued.token.expose().to_owned(),
        expires_at: time(issued.expires_at),
    }
}

fn inline(permissions: &Permissions) -> Vec<v1::InlinePolicy> {
    let shown = permissions.inline.iter().map(|(name, policy)| v1::InlinePolicy {
        policy_name: name.to_string(),
        policy: policy.text().to_owned(),
    });
    shown.collect()
}

fn managed_arn(account: &Account, key: &str) -> Option<String> {
    Some(account.managed(key)?.arn(account.id).to_string())
}

fn attached(account: &Account, permissions: &Permissions) -> Vec<String> {
    permissions.attached.iter().filter_map(|key| managed_arn(account, key)).collect()
}

fn boundary(account: &Account, permissions: &Permissions) -> String {
    let key = permissions.boundary.as_deref();
    key.and_then(|key| managed_arn(account, key)).unwrap_or_default()
}

pub(super) fn tags(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

pub(super) fn user(account: &Account, user: &User) -> v1::User {
    v1::User {
        user_name: user.name.to_string(),
        path: user.path.to_string(),
        user_id: user.id.to_string(),
        arn: Arn::user(account.id, &user.path, &user.name).to_string(),
        created_at: time(user.created_at),
        inline_policies: inline(&user.permissions),
        attached_policy_arns: attached(account, &user.permissions),
        permissions_boundary_arn: boundary(account, &user.permissions),
        group_names: user
            .groups
            .iter()
            .filter_map(|key| Some(account.groups.get(key)?.name.to_string()))
            .collect(),
        tags: tags(&user.tags),
    }
}

pub(super) fn group(account: &Account, group: &Group) -> v1::Group {
    let members = group.members.iter().filter_map(|key| account.users.get(key));
    v1::Group {
        group_name: group.name.to_string(),
        path: group.path.to_string(),
        group_id: group.id.to_string(),
        arn: Arn::group(account.id, &group.path, &group.name).to_string(),
        created_at: time(group.created_at),
        inline_policies: inline(&group.permissions),
        attached_policy_arns: attached(account, &group.permissions),
        user_names: members.map(|user| user.name.to_string()).collect(),
    }
}

/// A role; trusted users and roles show as ARNs where they still are there.
pub(super) fn role(state: &State, account: &Account, role: &Role) -> v1::Role {
    v1::Role {
        role_name: role.name.to_string(),
        path: role.path.to_string(),
        role_id: role.id.to_string(),
        arn: Arn::role(account.id, &role.path, &role.name).to_string(),
        created_at: time(role.created_at),
        trust_policy: role.trust.shown(state),
        description: role.description.to_string(),
        max_session: i64::try_from(role.max_session.as_secs())
            .ok()
            .map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        inline_policies: inline(&role.permissions),
        attached_policy_arns: attached(account, &role.permissions),
        permissions_boundary_arn: boundary(account, &role.permissions),
        last_use: role.last_use.as_deref().map(super::last_use::shown),
        tags: tags(&role.tags),
    }
}

pub(super) fn managed_policy(account: &Account, policy: &ManagedPolicy) -> v1::ManagedPolicy {
    let uses = account.uses_of(policy);
    v1::ManagedPolicy {
        policy_name: policy.name.to_string(),
        path: policy.path.to_string(),
        policy_id: policy.id.to_string(),
        arn: policy.arn(account.id).to_string(),
        created_at: time(policy.created_at),
        description: policy.description.to_string(),
        version: policy.version,
        policy: policy.policy.text().to_owned(),
        attachment_count: uses.attachments,
        tags: tags(&policy.tags),
        permissions_boundary_count: uses.boundaries,
        updated_at: time(policy.updated_at()),
    }
}

pub(super) fn profile(account: &Account, profile: &Profile) -> v1::InstanceProfile {
    v1::InstanceProfile {
        instance_profile_name: profile.name.to_string(),
        path: profile.path.to_string(),
        instance_profile_id: profile.id.to_string(),
        arn: Arn::profile(account.id, &profile.path, &profile.name).to_string(),
        created_at: time(profile.created_at),
        role_name: profile.role.as_ref().map(ToString::to_string).unwrap_or_default(),
        tags: tags(&profile.tags),
    }
}

pub(super) fn agent(account: &Account, agent: &Agent) -> v1::Agent {
    v1::Agent {
        agent_name: agent.name.to_string(),
        arn: Arn::agent(account.id, &agent.name).to_string(),
        created_at: time(agent.created_at),
    }
}

pub(super) fn association(
    account: &Account,
    instance: &Instance,
    association: &Association,
) -> v1::InstanceProfileAssociation {
    let profile = account.profile(&association.profile);
    let arn = profile.map(|profile| Arn::profile(account.id, &profile.path, &profile.name));
    v1::InstanceProfileAssociation {
        association_id: association.id.to_string(),
        instance_id: instance.id.to_string(),
        instance_profile_arn: arn.map(|arn| arn.to_string()).unwrap_or_default(),
        instance_profile_id: association.profile_id.to_string(),
        state: v1::AssociationState::Associated.into(),
        since: time(association.since),
        generation: instance.generation,
    }
}

pub(super) fn metadata_options(options: MetadataOptions) -> v1::MetadataOptions {
    v1::MetadataOptions {
        http_tokens_optional: !options.tokens_required,
        http_endpoint_disabled: !options.enabled,
        http_put_response_hop_limit: options.hop_limit.get().into(),
        instance_metadata_tags: options.tags,
    }
}

pub(super) fn instance(account: &Account, instance: &Instance) -> v1::Instance {
    let facts = &instance.facts;
    let state =
        if instance.running { v1::InstanceState::Running } else { v1::InstanceState::Terminated };
    v1::Instance {
        instance_id: instance.id.to_string(),
        arn: Arn::instance(&facts.region, account.id, &instance.id).to_string(),
        state: state.into(),
        image_id: facts.image_id.to_string(),
        instance_type: facts.instance_type.to_string(),
        region: facts.region.to_string(),
        availability_zone: facts.zone.to_string(),
        private_ip: instance.private_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        agent_name: facts.agent.as_ref().map(ToString::to_string).unwrap_or_default(),
        tags: facts.tags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        metadata_options: Some(metadata_options(facts.metadata)),
        http_tokens_optional: !facts.metadata.tokens_required,
        launched_at: time(instance.launched_at),
        association: instance
            .association
            .as_ref()
            .map(|association| self::association(account, instance, association)),
    }
}

/// `warnings` of a trust policy, with whom of other accounts than the caller's it names.
pub(super) fn trust_warnings(info: &RequestInfo, trust: &Policy) -> Vec<v1::PolicyFinding> {
    let own = info.caller.principal.account();
    let foreign = own.map(|own| trust.foreign_principals(own)).unwrap_or_default();
    warnings(trust).into_iter().chain(foreign.into_iter().map(finding)).collect()
}

/// What is legal in a policy and surely not meant.
pub(super) fn warnings(policy: &Policy) -> Vec<v1::PolicyFinding> {
    policy.warnings(&OwnOperations).into_iter().map(finding).collect()
}

pub(super) fn finding(finding: Finding) -> v1::PolicyFinding {
    let severity = match finding.severity {
        Severity::Error => v1::FindingSeverity::Error,
        Severity::Warning => v1::FindingSeverity::Warning,
    };
    v1::PolicyFinding {
        severity: severity.into(),
        rule: finding.rule.to_owned(),
        path: finding.path,
        line: u32::try_from(finding.line).unwrap_or(u32::MAX),
        column: u32::try_from(finding.column).unwrap_or(u32::MAX),
        message: finding.message,
        suggestion: finding.suggestion.unwrap_or_default(),
    }
}

/// The user or role that a request names.
pub(super) fn policy_owner(owner: Option<v1::PolicyOwner>) -> Result<PolicyOwner, Invalid> {
    use v1::policy_owner::Owner;
    match owner.and_then(|owner| owner.owner) {
        Some(Owner::UserName(name)) => Ok(PolicyOwner::User(name.parse()?)),
        Some(Owner::RoleName(name)) => Ok(PolicyOwner::Role(name.parse()?)),
        Some(Owner::GroupName(name)) => Ok(PolicyOwner::Group(name.parse()?)),
        None => Err(Invalid::new("owner", "must name a user or a role")),
    }
}
