//! From domain to stored.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{credentials, entities};
use crate::domain::entity::PolicyRef;
use crate::domain::event::{
    AccessKeyEvent, AgentEvent, Event, EventKind, Fact, GroupEvent, GuardrailEvent, GuardrailKind,
    GuardrailRef, InstanceEvent, InstanceFacts, KeyOwner, PolicyEvent, PolicyOwner, ProfileEvent,
    RoleEvent, UserEvent,
};
use crate::domain::metadata::MetadataOptions;
use crate::domain::trust::{ForeignPrincipal, Trust};
use crate::domain::usage::MetadataUsage;
use crate::identity::{InstanceId, Path, UniqueId};
use crate::proto::stored::{self, event::Kind};

pub(super) fn fact(fact: &Fact) -> stored::Fact {
    stored::Fact {
        time_ms: fact.time.as_millis(),
        actor: fact.actor.to_string(),
        request_id: fact.request_id.to_string(),
        trace_id: fact.trace_id.to_string(),
        idempotency: fact.idempotency.as_ref().map(|idempotency| stored::Idempotency {
            account: idempotency.account.get(),
            token: idempotency.token.to_string(),
            fingerprint: idempotency.fingerprint.to_vec(),
        }),
        events: fact.events.iter().map(event).collect(),
    }
}

fn event(event: &Event) -> stored::Event {
    stored::Event { account: event.account.get(), kind: Some(kind(&event.kind)) }
}

pub(super) fn entity(name: &impl ToString, path: &Path, id: &UniqueId) -> stored::Entity {
    let path = if path.as_str() == "/" { String::new() } else { path.to_string() };
    stored::Entity { name: name.to_string(), path, id: id.to_string() }
}

fn kind(kind: &EventKind) -> Kind {
    match kind {
        EventKind::Account(event) => credentials::stored_account(event),
        EventKind::Installation(event) => credentials::stored_installation(event),
        EventKind::Guardrail(event) => guardrail(event),
        EventKind::User(event) => user(event),
        EventKind::Group(event) => group(event),
        EventKind::AccessKey(event) => access_key(event),
        EventKind::Role(event) => role(event),
        EventKind::Policy(event) => policy(event),
        EventKind::Tag(event) => entities::stored_tag(event),
        EventKind::Profile(event) => profile(event),
        EventKind::Agent(event) => agent(event),
        EventKind::Instance(event) => instance(event),
        EventKind::Rotation(event) => super::rotation::stored(event),
        EventKind::Session(event) => credentials::stored_session(event),
        EventKind::Mfa(event) => super::mfa::stored(event),
        EventKind::Oidc(event) => super::oidc::stored(event),
    }
}

fn user(event: &UserEvent) -> Kind {
    match event {
        UserEvent::Created { name, path, id } => Kind::UserCreated(entity(name, path, id)),
        UserEvent::Deleted { name } => Kind::UserDeleted(name.to_string()),
        UserEvent::Updated { name, new_name, path } => {
            Kind::UserUpdated(entities::renamed(name, new_name, path))
        }
    }
}

fn group(event: &GroupEvent) -> Kind {
    match event {
        GroupEvent::Created { name, path, id } => Kind::GroupCreated(entity(name, path, id)),
        GroupEvent::Deleted { name } => Kind::GroupDeleted(name.to_string()),
        GroupEvent::UserAdded { group, user } => Kind::UserAddedToGroup(membership(group, user)),
        GroupEvent::UserRemoved { group, user } => {
            Kind::UserRemovedFromGroup(membership(group, user))
        }
        GroupEvent::Updated { name, new_name, path } => {
            Kind::GroupUpdated(entities::renamed(name, new_name, path))
        }
    }
}

fn access_key(event: &AccessKeyEvent) -> Kind {
    match event {
        AccessKeyEvent::Created { key, owner } => {
            let owner = Some(key_owner(owner));
            Kind::AccessKeyCreated(stored::AccessKeyCreated { key: key.to_string(), owner })
        }
        AccessKeyEvent::StatusChanged { key, active } => {
            let (key, active) = (key.to_string(), *active);
            Kind::AccessKeyStatusChanged(stored::AccessKeyStatus { key, active })
        }
        AccessKeyEvent::Deleted { key } => Kind::AccessKeyDeleted(key.to_string()),
        AccessKeyEvent::Used { uses } => {
            let uses = uses.iter().map(credentials::stored_use).collect();
            Kind::CredentialsUsed(stored::CredentialsUsed { uses })
        }
    }
}

fn profile(event: &ProfileEvent) -> Kind {
    match event {
        ProfileEvent::Created { name, path, id } => Kind::ProfileCreated(entity(name, path, id)),
        ProfileEvent::Deleted { name } => Kind::ProfileDeleted(name.to_string()),
        ProfileEvent::RoleAdded { profile, role } => {
            Kind::ProfileRoleAdded(profile_role(profile, role))
        }
        ProfileEvent::RoleRemoved { profile, role } => {
            Kind::ProfileRoleRemoved(profile_role(profile, role))
        }
    }
}

fn agent(event: &AgentEvent) -> Kind {
    match event {
        AgentEvent::Created { name, id } => Kind::AgentCreated(entity(name, &Path::default(), id)),
        AgentEvent::Deleted { name } => Kind::AgentDeleted(name.to_string()),
    }
}

fn guardrail(event: &GuardrailEvent) -> Kind {
    match event {
        GuardrailEvent::Put { guardrail, policy } => {
            Kind::GuardrailPut(stored_guardrail(guardrail, policy.text()))
        }
        GuardrailEvent::Deleted { guardrail } => {
            Kind::GuardrailDeleted(stored_guardrail(guardrail, ""))
        }
    }
}

fn membership(group: &impl ToString, user: &impl ToString) -> stored::Membership {
    stored::Membership { group: group.to_string(), user: user.to_string() }
}

fn stored_guardrail(guardrail: &GuardrailRef, policy: &str) -> stored::Guardrail {
    stored::Guardrail {
        resource_control: guardrail.kind == GuardrailKind::ResourceControl,
        target: guardrail.target.map(crate::identity::AccountId::get),
        name: guardrail.name.to_string(),
        policy: policy.to_owned(),
    }
}

pub(super) fn key_owner(owner: &KeyOwner) -> stored::KeyOwner {
    use stored::key_owner::Owner;
    let owner = match owner {
        KeyOwner::Root => None,
        KeyOwner::User(name) => Some(Owner::User(name.to_string())),
        KeyOwner::Instance(id) => Some(Owner::Instance(id.to_string())),
        KeyOwner::Agent(name) => Some(Owner::Agent(name.to_string())),
    };
    stored::KeyOwner { owner }
}

fn policy_owner(owner: &PolicyOwner) -> Option<stored::PolicyOwner> {
    use stored::policy_owner::Owner;
    let owner = match owner {
        PolicyOwner::User(name) => Owner::User(name.to_string()),
        PolicyOwner::Role(name) => Owner::Role(name.to_string()),
        PolicyOwner::Group(name) => Owner::Group(name.to_string()),
    };
    Some(stored::PolicyOwner { owner: Some(owner) })
}

fn profile_role(profile: &impl ToString, role: &impl ToString) -> stored::ProfileRole {
    stored::ProfileRole { profile: profile.to_string(), role: role.to_string() }
}

fn foreign(trust: &Trust) -> Vec<stored::ForeignPrincipal> {
    let stored = |foreign: &ForeignPrincipal| {
        let (id, arn) = (foreign.id.to_string(), foreign.arn.to_string());
        stored::ForeignPrincipal { id, arn }
    };
    trust.foreign.iter().map(stored).collect()
}

fn role(event: &RoleEvent) -> Kind {
    match event {
        RoleEvent::Created { name, path, id, description, max_session, trust } => {
            Kind::RoleCreated(stored::RoleCreated {
                role: Some(entity(name, path, id)),
                description: description.to_string(),
                max_session_seconds: max_session.as_secs(),
                trust: trust.policy.text().to_owned(),
                foreign_principals: foreign(trust),
            })
        }
        RoleEvent::Updated { name, description, max_session } => {
            Kind::RoleUpdated(stored::RoleUpdated {
                name: name.to_string(),
                description: description.to_string(),
                max_session_seconds: max_session.as_secs(),
            })
        }
        RoleEvent::TrustChanged { role, trust } => {
            let (name, policy) = (role.to_string(), trust.policy.text().to_owned());
            let foreign_principals = foreign(trust);
            Kind::TrustPolicyChanged(stored::TrustPolicy { name, policy, foreign_principals })
        }
        RoleEvent::Deleted { name } => Kind::RoleDeleted(name.to_string()),
        RoleEvent::DeletionCompleted { task } => Kind::RoleDeletionCompleted(task.to_string()),
    }
}

fn policy(event: &PolicyEvent) -> Kind {
    let attachment = |owner: &PolicyOwner, policy: &PolicyRef| stored::Attachment {
        owner: policy_owner(owner),
        policy: policy.name.to_string(),
        aws: policy.aws,
    };
    match event {
        PolicyEvent::InlinePut { owner, name, policy } => {
            Kind::InlinePolicyPut(stored::InlinePolicy {
                owner: policy_owner(owner),
                name: name.to_string(),
                policy: policy.text().to_owned(),
            })
        }
        PolicyEvent::InlineDeleted { owner, name } => {
            Kind::InlinePolicyDeleted(stored::InlinePolicy {
                owner: policy_owner(owner),
                name: name.to_string(),
                policy: String::new(),
            })
        }
        PolicyEvent::Created { name, path, id, description, policy } => {
            Kind::PolicyCreated(stored::PolicyCreated {
                policy: Some(entity(name, path, id)),
                description: description.to_string(),
                document: policy.text().to_owned(),
            })
        }
        PolicyEvent::VersionCreated { name, version, policy, default } => {
            Kind::PolicyVersionCreated(stored::PolicyVersion {
                name: name.to_string(),
                version: *version,
                document: policy.text().to_owned(),
                default_kept: !default,
            })
        }
        PolicyEvent::Deleted { name } => Kind::PolicyDeleted(name.to_string()),
        PolicyEvent::Attached { owner, policy } => Kind::PolicyAttached(attachment(owner, policy)),
        PolicyEvent::Detached { owner, policy } => Kind::PolicyDetached(attachment(owner, policy)),
        PolicyEvent::BoundaryPut { owner, policy } => Kind::BoundaryPut(attachment(owner, policy)),
        PolicyEvent::BoundaryDeleted { owner } => {
            let owner = policy_owner(owner);
            Kind::BoundaryDeleted(stored::Attachment { owner, ..Default::default() })
        }
        PolicyEvent::DefaultVersionSet { policy, version } => {
            Kind::DefaultPolicyVersionSet(entities::version_ref(policy, *version))
        }
        PolicyEvent::VersionDeleted { policy, version } => {
            Kind::PolicyVersionDeleted(entities::version_ref(policy, *version))
        }
    }
}

fn instance(event: &InstanceEvent) -> Kind {
    match event {
        InstanceEvent::Launched { id, facts, private_ip } => {
            let (id, private_ip) = (id.to_string(), address(*private_ip));
            Kind::InstanceLaunched(stored::InstanceLaunched { id, private_ip, ..launched(facts) })
        }
        InstanceEvent::Terminated { id } => Kind::InstanceTerminated(id.to_string()),
        InstanceEvent::MetadataOptionsChanged { instance, options } => {
            Kind::MetadataOptionsChanged(stored::MetadataOptionsChanged {
                instance: instance.to_string(),
                options: Some(metadata_options(*options)),
            })
        }
        InstanceEvent::MetadataUsed { instance, usage } => {
            Kind::MetadataUsed(metadata_used(instance, usage))
        }
        InstanceEvent::ProfileAssociated {
            association,
            instance,
            profile,
            profile_id,
            generation,
        } => Kind::ProfileAssociated(stored::ProfileAssociated {
            association: association.to_string(),
            instance: instance.to_string(),
            profile: profile.to_string(),
            profile_id: profile_id.to_string(),
            generation: *generation,
        }),
        InstanceEvent::ProfileDisassociated { association, instance, generation } => {
            Kind::ProfileDisassociated(stored::ProfileAssociated {
                association: association.to_string(),
                instance: instance.to_string(),
                profile: String::new(),
                profile_id: String::new(),
                generation: *generation,
            })
        }
        InstanceEvent::CredentialsRotated { association, instance, credentials } => {
            Kind::CredentialsRotated(stored::CredentialsRotated {
                association: association.to_string(),
                instance: instance.to_string(),
                epoch: credentials.epoch,
                key: credentials.key.to_string(),
                role: Some(entity(&credentials.role, &credentials.path, &credentials.role_id)),
                issued_at: credentials.issued_at.as_unix_seconds(),
                expires_at: credentials.expires_at.as_unix_seconds(),
            })
        }
        InstanceEvent::CredentialsRefused { association, instance, code, message } => {
            Kind::CredentialsRefused(stored::CredentialsRefused {
                association: association.to_string(),
                instance: instance.to_string(),
                code: code.to_string(),
                message: message.to_string(),
            })
        }
        InstanceEvent::Restored { instances } => {
            Kind::InstancesRetold(super::retold::stored(instances))
        }
    }
}

pub(super) fn launched(facts: &InstanceFacts) -> stored::InstanceLaunched {
    stored::InstanceLaunched {
        id: String::new(),
        image_id: facts.image_id.to_string(),
        instance_type: facts.instance_type.to_string(),
        region: facts.region.to_string(),
        zone: facts.zone.to_string(),
        private_ip: Vec::new(),
        agent: facts.agent.as_ref().map(ToString::to_string).unwrap_or_default(),
        agent_id: facts.agent_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        tags: tags(&facts.tags),
        metadata: Some(metadata_options(facts.metadata)),
        http_tokens_required: facts.metadata.tokens_required,
    }
}

pub(super) fn address(address: Option<IpAddr>) -> Vec<u8> {
    match address {
        None => Vec::new(),
        Some(IpAddr::V4(ip)) => ip.octets().to_vec(),
        Some(IpAddr::V6(ip)) => ip.octets().to_vec(),
    }
}

fn metadata_options(options: MetadataOptions) -> stored::MetadataOptions {
    stored::MetadataOptions {
        tokens_required: options.tokens_required,
        disabled: !options.enabled,
        hop_limit: options.hop_limit.get().into(),
        tags: options.tags,
    }
}

pub(super) fn metadata_used(instance: &InstanceId, usage: &MetadataUsage) -> stored::MetadataUsed {
    let seen = usage.seen.iter().map(|(kind, seen)| stored::MetadataSeen {
        kind: *kind as i32,
        count: seen.count,
        last_ms: seen.last.as_millis(),
    });
    let clients = usage.version_1_clients.iter().map(|(client, seen)| stored::MetadataClient {
        user_agent: client.to_string(),
        count: seen.count,
        last_ms: seen.last.as_millis(),
    });
    stored::MetadataUsed {
        instance: instance.to_string(),
        seen: seen.collect(),
        version_1_clients: clients.collect(),
    }
}

pub(super) fn tags(tags: &BTreeMap<Arc<str>, Arc<str>>) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}
