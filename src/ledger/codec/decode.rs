//! From stored to domain. Every part is checked again: the disk is not trusted to hold legal values.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{CodecError, credentials, entities};
use crate::clock::Timestamp;
use crate::domain::entity::PolicyRef;
use crate::domain::event::{
    AccessKeyEvent, AgentEvent, DocumentKey, Event, EventKind, Fact, GroupEvent, GuardrailEvent,
    GuardrailKind, GuardrailRef, Idempotency, InstallationEvent, InstanceEvent, InstanceFacts,
    KeyOwner, PolicyEvent, PolicyOwner, ProfileEvent, RoleCredentials, RoleEvent, UserEvent,
};
use crate::domain::metadata::{HopLimit, MetadataOptions};
use crate::domain::trust::{ForeignPrincipal, Trust};
use crate::domain::usage::{MetadataUsage, MetadataUse, Seen};
use crate::identity::{AccountId, Path, UniqueId};
use crate::policy::{Policy, PolicyKind};
use crate::proto::stored::{self, event::Kind};

pub(super) type Decoded<T> = Result<T, CodecError>;

pub(super) fn part(what: impl ToString) -> CodecError {
    CodecError::Part(what.to_string())
}

pub(super) fn read<T: FromStr<Err: ToString>>(text: &str) -> Decoded<T> {
    text.parse().map_err(|error: T::Err| part(error.to_string()))
}

/// Empty means absent.
pub(super) fn optional<T: FromStr<Err: ToString>>(text: &str) -> Decoded<Option<T>> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

pub(super) fn required<T>(value: Option<T>, what: &str) -> Decoded<T> {
    value.ok_or_else(|| part(format!("`{what}` is missing")))
}

pub(super) fn account(number: u64) -> Decoded<AccountId> {
    required(AccountId::new(number), "account")
}

fn policy(text: &str, kind: PolicyKind) -> Decoded<Policy> {
    Policy::reread(text, kind).map_err(part)
}

pub(super) fn tags(tags: BTreeMap<String, String>) -> BTreeMap<Arc<str>, Arc<str>> {
    tags.into_iter().map(|(key, value)| (Arc::from(key), Arc::from(value))).collect()
}

pub(super) fn fact(fact: stored::Fact) -> Decoded<Fact> {
    let idempotency = fact.idempotency.map(|idempotency| {
        let fingerprint = idempotency.fingerprint.try_into();
        Ok(Idempotency {
            account: account(idempotency.account)?,
            token: Arc::from(idempotency.token),
            fingerprint: fingerprint.map_err(|_| part("`fingerprint` must have 16 bytes"))?,
        })
    });
    Ok(Fact {
        time: Timestamp::from_millis(fact.time_ms),
        actor: Arc::from(fact.actor),
        request_id: Arc::from(fact.request_id),
        trace_id: Arc::from(fact.trace_id),
        idempotency: idempotency.transpose()?,
        events: fact.events.into_iter().map(event).collect::<Decoded<_>>()?,
    })
}

fn event(event: stored::Event) -> Decoded<Event> {
    let kind = kind(required(event.kind, "kind")?)?;
    Ok(Event { account: account(event.account)?, kind })
}

/// Name, path and id of an entity.
pub(super) fn entity<N: FromStr<Err: ToString>>(
    entity: &stored::Entity,
) -> Decoded<(N, Path, UniqueId)> {
    let path = optional(&entity.path)?.unwrap_or_default();
    Ok((read(&entity.name)?, path, read(&entity.id)?))
}

/// Without a catch-all: a new stored kind does not compile until it can be read.
#[expect(clippy::too_many_lines, reason = "a line for each stored kind")]
fn kind(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::UserCreated(_)
        | Kind::UserDeleted(_)
        | Kind::AccessKeyCreated(_)
        | Kind::AccessKeyStatusChanged(_)
        | Kind::AccessKeyDeleted(_)
        | Kind::AgentCreated(_)
        | Kind::AgentDeleted(_) => holder_kind(kind)?,
        Kind::ProfileCreated(_)
        | Kind::ProfileDeleted(_)
        | Kind::ProfileRoleAdded(_)
        | Kind::ProfileRoleRemoved(_) => profile_kind(kind)?,
        Kind::DocumentKeyCreated(_) | Kind::GuardrailPut(_) | Kind::GuardrailDeleted(_) => {
            installation_kind(kind)?
        }
        Kind::GroupCreated(_)
        | Kind::GroupDeleted(_)
        | Kind::UserAddedToGroup(_)
        | Kind::UserRemovedFromGroup(_) => group_kind(kind)?,
        Kind::AccountCreated(_)
        | Kind::AccountDisabled(_)
        | Kind::AccountEnabled(_)
        | Kind::SessionIssued(_)
        | Kind::CredentialsUsed(_)
        | Kind::SessionsRevoked(_)
        | Kind::AccountDeleted(_)
        | Kind::QuotaSet(_)
        | Kind::AddressRangesSet(_)
        | Kind::AccountKeyRewrapped(_)
        | Kind::KeyringRotated(_)
        | Kind::KeyringVersionRetired(_) => credentials::decoded(kind)?,
        Kind::RoleCreated(_)
        | Kind::RoleUpdated(_)
        | Kind::TrustPolicyChanged(_)
        | Kind::RoleDeleted(_) => role_kind(kind)?,
        Kind::InstanceLaunched(_)
        | Kind::InstanceTerminated(_)
        | Kind::MetadataOptionsChanged(_)
        | Kind::MetadataUsed(_)
        | Kind::ProfileAssociated(_)
        | Kind::ProfileDisassociated(_)
        | Kind::CredentialsRotated(_)
        | Kind::CredentialsRefused(_) => instance_kind(kind)?,
        Kind::CredentialsRenewed(_)
        | Kind::RotationLate(_)
        | Kind::RotationConfigured(_)
        | Kind::RotationDemanded(_) => EventKind::Rotation(super::rotation::read(kind)?),
        Kind::InstancesRetold(retold) => super::retold::read(retold)?,
        Kind::InlinePolicyPut(_)
        | Kind::InlinePolicyDeleted(_)
        | Kind::PolicyCreated(_)
        | Kind::PolicyVersionCreated(_)
        | Kind::PolicyDeleted(_)
        | Kind::PolicyAttached(_)
        | Kind::PolicyDetached(_)
        | Kind::BoundaryPut(_)
        | Kind::BoundaryDeleted(_) => policy_kind(kind)?,
        Kind::Tagged(_)
        | Kind::Untagged(_)
        | Kind::UserUpdated(_)
        | Kind::GroupUpdated(_)
        | Kind::DefaultPolicyVersionSet(_)
        | Kind::PolicyVersionDeleted(_)
        | Kind::RoleDeletionCompleted(_)
        | Kind::AccountAliasCreated(_)
        | Kind::AccountAliasDeleted(_) => entities::decode(kind)?,
        Kind::MfaDeviceCreated(_)
        | Kind::MfaDeviceEnabled(_)
        | Kind::MfaDeviceResynced(_)
        | Kind::MfaDeviceDeactivated(_)
        | Kind::MfaDeviceDeleted(_)
        | Kind::MfaCodeAccepted(_)
        | Kind::MfaCodeRefused(_) => EventKind::Mfa(super::mfa::read(kind)?),
        Kind::OidcProviderCreated(_)
        | Kind::OidcProviderUpdated(_)
        | Kind::OidcProviderDeleted(_) => EventKind::Oidc(super::oidc::read(kind)?),
    })
}

fn holder_kind(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::UserCreated(user) => {
            let (name, path, id) = entity(&user)?;
            EventKind::User(UserEvent::Created { name, path, id })
        }
        Kind::UserDeleted(name) => EventKind::User(UserEvent::Deleted { name: read(&name)? }),
        Kind::AccessKeyCreated(created) => EventKind::AccessKey(AccessKeyEvent::Created {
            key: read(&created.key)?,
            owner: key_owner(required(created.owner, "owner")?)?,
        }),
        Kind::AccessKeyStatusChanged(changed) => {
            EventKind::AccessKey(AccessKeyEvent::StatusChanged {
                key: read(&changed.key)?,
                active: changed.active,
            })
        }
        Kind::AccessKeyDeleted(key) => {
            EventKind::AccessKey(AccessKeyEvent::Deleted { key: read(&key)? })
        }
        Kind::AgentCreated(agent) => {
            EventKind::Agent(AgentEvent::Created { name: read(&agent.name)?, id: read(&agent.id)? })
        }
        Kind::AgentDeleted(name) => EventKind::Agent(AgentEvent::Deleted { name: read(&name)? }),
        _ => return Err(part("is no kind of a holder of keys")),
    })
}

fn profile_kind(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::ProfileCreated(profile) => {
            let (name, path, id) = entity(&profile)?;
            EventKind::Profile(ProfileEvent::Created { name, path, id })
        }
        Kind::ProfileDeleted(name) => {
            EventKind::Profile(ProfileEvent::Deleted { name: read(&name)? })
        }
        Kind::ProfileRoleAdded(added) => EventKind::Profile(ProfileEvent::RoleAdded {
            profile: read(&added.profile)?,
            role: read(&added.role)?,
        }),
        Kind::ProfileRoleRemoved(removed) => EventKind::Profile(ProfileEvent::RoleRemoved {
            profile: read(&removed.profile)?,
            role: read(&removed.role)?,
        }),
        _ => return Err(part("is no kind of a profile")),
    })
}

fn group_kind(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::GroupCreated(group) => {
            let (name, path, id) = entity(&group)?;
            EventKind::Group(GroupEvent::Created { name, path, id })
        }
        Kind::GroupDeleted(name) => EventKind::Group(GroupEvent::Deleted { name: read(&name)? }),
        Kind::UserAddedToGroup(added) => EventKind::Group(GroupEvent::UserAdded {
            group: read(&added.group)?,
            user: read(&added.user)?,
        }),
        Kind::UserRemovedFromGroup(removed) => EventKind::Group(GroupEvent::UserRemoved {
            group: read(&removed.group)?,
            user: read(&removed.user)?,
        }),
        _ => return Err(part("is no kind of a group")),
    })
}

fn installation_kind(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::DocumentKeyCreated(key) => {
            EventKind::Installation(InstallationEvent::DocumentKeyCreated {
                key: DocumentKey {
                    sealed: Arc::from(key.sealed),
                    serial: Arc::from(key.serial),
                    certificate: Arc::from(key.certificate),
                },
            })
        }
        Kind::GuardrailPut(put) => {
            let guardrail = guardrail(&put)?;
            let policy = policy(&put.policy, guardrail.kind.policy_kind())?;
            EventKind::Guardrail(GuardrailEvent::Put { guardrail, policy })
        }
        Kind::GuardrailDeleted(deleted) => {
            EventKind::Guardrail(GuardrailEvent::Deleted { guardrail: guardrail(&deleted)? })
        }
        _ => return Err(part("is no kind of the installation")),
    })
}

fn guardrail(stored: &stored::Guardrail) -> Decoded<GuardrailRef> {
    let kind = match stored.resource_control {
        true => GuardrailKind::ResourceControl,
        false => GuardrailKind::ServiceControl,
    };
    let target = stored.target.map(account).transpose()?;
    Ok(GuardrailRef { kind, target, name: read(&stored.name)? })
}

pub(super) fn key_owner(owner: stored::KeyOwner) -> Decoded<KeyOwner> {
    use stored::key_owner::Owner;
    Ok(match owner.owner {
        None => KeyOwner::Root,
        Some(Owner::User(name)) => KeyOwner::User(read(&name)?),
        Some(Owner::Instance(id)) => KeyOwner::Instance(read(&id)?),
        Some(Owner::Agent(name)) => KeyOwner::Agent(read(&name)?),
    })
}

fn policy_owner(owner: Option<stored::PolicyOwner>) -> Decoded<PolicyOwner> {
    use stored::policy_owner::Owner;
    match required(owner.and_then(|owner| owner.owner), "owner")? {
        Owner::User(name) => read(&name).map(PolicyOwner::User),
        Owner::Role(name) => read(&name).map(PolicyOwner::Role),
        Owner::Group(name) => read(&name).map(PolicyOwner::Group),
    }
}

fn trust(text: &str, foreign: &[stored::ForeignPrincipal]) -> Decoded<Trust> {
    let foreign = foreign
        .iter()
        .map(|stored| Ok(ForeignPrincipal { id: read(&stored.id)?, arn: read(&stored.arn)? }));
    Ok(Trust::bound(policy(text, PolicyKind::Trust)?, foreign.collect::<Decoded<_>>()?))
}

fn role_kind(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::RoleCreated(created) => {
            let (name, path, id) = entity(&required(created.role, "role")?)?;
            EventKind::Role(RoleEvent::Created {
                name,
                path,
                id,
                description: Arc::from(created.description),
                max_session: Duration::from_secs(created.max_session_seconds),
                trust: trust(&created.trust, &created.foreign_principals)?,
            })
        }
        Kind::RoleUpdated(updated) => EventKind::Role(RoleEvent::Updated {
            name: read(&updated.name)?,
            description: Arc::from(updated.description),
            max_session: Duration::from_secs(updated.max_session_seconds),
        }),
        Kind::TrustPolicyChanged(changed) => EventKind::Role(RoleEvent::TrustChanged {
            role: read(&changed.name)?,
            trust: trust(&changed.policy, &changed.foreign_principals)?,
        }),
        Kind::RoleDeleted(name) => EventKind::Role(RoleEvent::Deleted { name: read(&name)? }),
        _ => return Err(part("is no kind of a role")),
    })
}

fn policy_kind(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::InlinePolicyPut(put) => EventKind::Policy(PolicyEvent::InlinePut {
            owner: policy_owner(put.owner)?,
            name: read(&put.name)?,
            policy: policy(&put.policy, PolicyKind::Identity)?,
        }),
        Kind::InlinePolicyDeleted(deleted) => EventKind::Policy(PolicyEvent::InlineDeleted {
            owner: policy_owner(deleted.owner)?,
            name: read(&deleted.name)?,
        }),
        Kind::PolicyCreated(created) => {
            let (name, path, id) = entity(&required(created.policy, "policy")?)?;
            EventKind::Policy(PolicyEvent::Created {
                name,
                path,
                id,
                description: Arc::from(created.description),
                policy: policy(&created.document, PolicyKind::Identity)?,
            })
        }
        Kind::PolicyVersionCreated(created) => EventKind::Policy(PolicyEvent::VersionCreated {
            name: read(&created.name)?,
            version: created.version,
            policy: policy(&created.document, PolicyKind::Identity)?,
            default: !created.default_kept,
        }),
        Kind::PolicyDeleted(name) => EventKind::Policy(PolicyEvent::Deleted { name: read(&name)? }),
        Kind::PolicyAttached(attached) => EventKind::Policy(PolicyEvent::Attached {
            policy: attached_policy(&attached)?,
            owner: policy_owner(attached.owner)?,
        }),
        Kind::PolicyDetached(detached) => EventKind::Policy(PolicyEvent::Detached {
            policy: attached_policy(&detached)?,
            owner: policy_owner(detached.owner)?,
        }),
        Kind::BoundaryPut(put) => EventKind::Policy(PolicyEvent::BoundaryPut {
            policy: attached_policy(&put)?,
            owner: policy_owner(put.owner)?,
        }),
        Kind::BoundaryDeleted(deleted) => {
            EventKind::Policy(PolicyEvent::BoundaryDeleted { owner: policy_owner(deleted.owner)? })
        }
        _ => return Err(part("is no kind of a policy")),
    })
}

fn attached_policy(attachment: &stored::Attachment) -> Decoded<PolicyRef> {
    Ok(PolicyRef { name: read(&attachment.policy)?, aws: attachment.aws })
}

fn instance_kind(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::InstanceLaunched(launched) => self::launched(launched)?,
        Kind::InstanceTerminated(id) => {
            EventKind::Instance(InstanceEvent::Terminated { id: read(&id)? })
        }
        Kind::MetadataOptionsChanged(changed) => {
            EventKind::Instance(InstanceEvent::MetadataOptionsChanged {
                instance: read(&changed.instance)?,
                options: metadata_options(&required(changed.options, "options")?)?,
            })
        }
        Kind::MetadataUsed(used) => {
            let instance = read(&used.instance)?;
            EventKind::Instance(InstanceEvent::MetadataUsed {
                instance,
                usage: metadata_used(used)?,
            })
        }
        Kind::ProfileAssociated(associated) => {
            EventKind::Instance(InstanceEvent::ProfileAssociated {
                association: read(&associated.association)?,
                instance: read(&associated.instance)?,
                profile: read(&associated.profile)?,
                profile_id: read(&associated.profile_id)?,
                generation: associated.generation,
            })
        }
        Kind::ProfileDisassociated(ended) => {
            EventKind::Instance(InstanceEvent::ProfileDisassociated {
                association: read(&ended.association)?,
                instance: read(&ended.instance)?,
                generation: ended.generation,
            })
        }
        Kind::CredentialsRotated(rotated) => {
            let (role, path, role_id) = entity(&required(rotated.role, "role")?)?;
            EventKind::Instance(InstanceEvent::CredentialsRotated {
                association: read(&rotated.association)?,
                instance: read(&rotated.instance)?,
                credentials: RoleCredentials {
                    epoch: rotated.epoch,
                    key: read(&rotated.key)?,
                    role,
                    path,
                    role_id,
                    issued_at: Timestamp::from_unix_seconds(rotated.issued_at),
                    expires_at: Timestamp::from_unix_seconds(rotated.expires_at),
                },
            })
        }
        Kind::CredentialsRefused(refused) => {
            EventKind::Instance(InstanceEvent::CredentialsRefused {
                association: read(&refused.association)?,
                instance: read(&refused.instance)?,
                code: Arc::from(refused.code),
                message: Arc::from(refused.message),
            })
        }
        _ => return Err(part("is no kind of an instance")),
    })
}

fn launched(launched: stored::InstanceLaunched) -> Decoded<EventKind> {
    let (id, private_ip) = (read(&launched.id)?, address(&launched.private_ip)?);
    Ok(EventKind::Instance(InstanceEvent::Launched { id, facts: facts(launched)?, private_ip }))
}

pub(super) fn address(bytes: &[u8]) -> Decoded<Option<IpAddr>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| sixteen()).map(Some).map_err(|_| part("`private_ip` is no address"))
}

/// What an instance was launched with, but for its id and address.
pub(super) fn facts(launched: stored::InstanceLaunched) -> Decoded<InstanceFacts> {
    Ok(InstanceFacts {
        image_id: Arc::from(launched.image_id),
        instance_type: Arc::from(launched.instance_type),
        region: Arc::from(launched.region),
        zone: Arc::from(launched.zone),
        agent: optional(&launched.agent)?,
        agent_id: optional(&launched.agent_id)?,
        tags: tags(launched.tags),
        metadata: match launched.metadata {
            Some(options) => metadata_options(&options)?,
            // Written before there were other options.
            None => MetadataOptions {
                tokens_required: launched.http_tokens_required,
                ..MetadataOptions::default()
            },
        },
    })
}

fn metadata_options(options: &stored::MetadataOptions) -> Decoded<MetadataOptions> {
    Ok(MetadataOptions {
        tokens_required: options.tokens_required,
        enabled: !options.disabled,
        hop_limit: HopLimit::new(options.hop_limit).map_err(part)?,
        tags: options.tags,
    })
}

pub(super) fn metadata_used(used: stored::MetadataUsed) -> Decoded<MetadataUsage> {
    let seen = |count, last_ms| Seen { count, last: Timestamp::from_millis(last_ms) };
    let kinds = used.seen.into_iter().map(|stored| {
        let kind = required(MetadataUse::from_number(stored.kind), "kind")?;
        Ok((kind, seen(stored.count, stored.last_ms)))
    });
    let clients = used.version_1_clients.into_iter();
    let clients = clients.map(|c| (Arc::from(c.user_agent), seen(c.count, c.last_ms)));
    Ok(MetadataUsage { seen: kinds.collect::<Decoded<_>>()?, version_1_clients: clients.collect() })
}
