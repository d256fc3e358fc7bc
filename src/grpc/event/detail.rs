//! What events tell besides when and by whom: the JSON of each kind.

use crate::domain::entity::{EntityEvent, TagOwner};
use crate::domain::event::{EventKind, KeyOwner, PolicyOwner};
use crate::domain::mfa::MfaEvent;
use crate::domain::rotation::RotationEvent;
use crate::identity::{Subject, TagKey};

/// What is particular to a kind. Ids and names only: no policy text, no key material.
pub(super) fn of(kind: &EventKind) -> serde_json::Value {
    use serde_json::json;
    match kind {
        EventKind::AccountCreated { name, key } => {
            json!({"name": &**name, "keyringVersion": key.keyring_version})
        }
        EventKind::UserCreated { name, id, .. } => {
            json!({"userName": name.as_str(), "userId": id.as_str()})
        }
        EventKind::UserDeleted { name } => json!({"userName": name.as_str()}),
        EventKind::GroupCreated { name, id, .. } => {
            json!({"groupName": name.as_str(), "groupId": id.as_str()})
        }
        EventKind::GroupDeleted { name } => json!({"groupName": name.as_str()}),
        EventKind::UserAddedToGroup { group, user }
        | EventKind::UserRemovedFromGroup { group, user } => {
            json!({"groupName": group.as_str(), "userName": user.as_str()})
        }
        EventKind::GuardrailPut { guardrail, .. } | EventKind::GuardrailDeleted { guardrail } => {
            json!({"guardrailArn": guardrail.arn()})
        }
        EventKind::AccessKeyCreated { key, owner } => {
            json!({"accessKeyId": key.as_str(), "owner": key_owner(owner)})
        }
        EventKind::AccessKeyStatusChanged { key, active } => {
            json!({"accessKeyId": key.as_str(), "active": active})
        }
        EventKind::AccessKeyDeleted { key } => json!({"accessKeyId": key.as_str()}),
        EventKind::RoleCreated { name, id, .. } => {
            json!({"roleName": name.as_str(), "roleId": id.as_str()})
        }
        EventKind::RoleUpdated { name, max_session, .. } => {
            json!({"roleName": name.as_str(), "maxSessionSeconds": max_session.as_secs()})
        }
        EventKind::TrustPolicyChanged { role, .. } => json!({"roleName": role.as_str()}),
        EventKind::RoleDeleted { name } => json!({"roleName": name.as_str()}),
        EventKind::InlinePolicyPut { owner, name, .. }
        | EventKind::InlinePolicyDeleted { owner, name } => {
            json!({"owner": policy_owner(owner), "policyName": name.as_str()})
        }
        EventKind::PolicyCreated { name, id, .. } => {
            json!({"policyName": name.as_str(), "policyId": id.as_str()})
        }
        EventKind::PolicyVersionCreated { name, version, default, .. } => {
            json!({"policyName": name.as_str(), "version": version, "default": default})
        }
        EventKind::PolicyDeleted { name } => json!({"policyName": name.as_str()}),
        EventKind::PolicyAttached { owner, policy }
        | EventKind::PolicyDetached { owner, policy }
        | EventKind::BoundaryPut { owner, policy } => {
            json!({"owner": policy_owner(owner), "policyName": policy.to_string()})
        }
        EventKind::BoundaryDeleted { owner } => json!({"owner": policy_owner(owner)}),
        EventKind::ProfileCreated { name, id, .. } => {
            json!({"instanceProfileName": name.as_str(), "instanceProfileId": id.as_str()})
        }
        EventKind::ProfileDeleted { name } => json!({"instanceProfileName": name.as_str()}),
        EventKind::ProfileRoleAdded { profile, role }
        | EventKind::ProfileRoleRemoved { profile, role } => {
            json!({"instanceProfileName": profile.as_str(), "roleName": role.as_str()})
        }
        EventKind::AgentCreated { name, .. } | EventKind::AgentDeleted { name } => {
            json!({"agentName": name.as_str()})
        }
        EventKind::Entity(event) => entity_detail(event),
        other => instance_detail(other),
    }
}

fn entity_detail(event: &EntityEvent) -> serde_json::Value {
    use serde_json::json;
    match event {
        EntityEvent::Tagged { owner, tags } => {
            let keys: Vec<_> = tags.iter().map(|(key, _)| key.as_str()).collect();
            json!({"owner": tag_owner(owner), "tagKeys": keys})
        }
        EntityEvent::Untagged { owner, keys } => {
            let keys: Vec<_> = keys.iter().map(TagKey::as_str).collect();
            json!({"owner": tag_owner(owner), "tagKeys": keys})
        }
        EntityEvent::UserUpdated { name, new_name, .. } => {
            json!({"userName": name.as_str(), "newUserName": new_name.as_str()})
        }
        EntityEvent::GroupUpdated { name, new_name, .. } => {
            json!({"groupName": name.as_str(), "newGroupName": new_name.as_str()})
        }
        EntityEvent::DefaultPolicyVersionSet { policy, version }
        | EntityEvent::PolicyVersionDeleted { policy, version } => {
            json!({"policyName": policy.as_str(), "version": version})
        }
        EntityEvent::RoleDeletionCompleted { task } => json!({"deletionTaskId": &**task}),
        EntityEvent::AccountAliasCreated { alias } | EntityEvent::AccountAliasDeleted { alias } => {
            json!({"accountAlias": alias.as_str()})
        }
    }
}

fn rotation_detail(event: &RotationEvent) -> serde_json::Value {
    use serde_json::json;
    match event {
        RotationEvent::Renewed { role, expires_at, sets, .. } => {
            let sets: Vec<_> = sets
                .iter()
                .map(|set| {
                    json!({
                        "instanceId": set.instance.id().map(|id| id.to_string()),
                        "accessKeyId": set.key.id().map(|id| id.to_string()),
                        "epoch": set.epoch,
                    })
                })
                .collect();
            json!({
                "roleName": role.name.as_str(),
                "expiresAt": expires_at.iso8601(),
                "credentials": sets,
            })
        }
        RotationEvent::Late { instances, least_left } => {
            let ids = instances.iter().filter_map(|id| Some(id.id()?.to_string()));
            json!({
                "instanceIds": ids.collect::<Vec<_>>(),
                "leastSecondsLeft": least_left.as_secs(),
            })
        }
        RotationEvent::Configured { association, pace } => json!({
            "associationId": association.as_ref().map(ToString::to_string),
            "intervalSeconds": pace.map(|pace| pace.interval.as_secs()),
            "lifetimeSeconds": pace.map(|pace| pace.lifetime.as_secs()),
        }),
        RotationEvent::Demanded { everywhere, before } => {
            json!({"everywhere": everywhere, "issuedBefore": before.iso8601()})
        }
    }
}

fn tag_owner(owner: &TagOwner) -> String {
    match owner {
        TagOwner::User(name) => format!("user/{name}"),
        TagOwner::Role(name) => format!("role/{name}"),
        TagOwner::Policy(name) => format!("policy/{name}"),
        TagOwner::Profile(name) => format!("instance-profile/{name}"),
        TagOwner::MfaDevice(name) => format!("mfa/{name}"),
        TagOwner::OidcProvider(issuer) => format!("oidc-provider/{}", issuer.without_scheme()),
    }
}

fn mfa_detail(event: &MfaEvent) -> serde_json::Value {
    let mut detail = serde_json::json!({"virtualMFADeviceName": event.device().as_str()});
    if let (MfaEvent::Enabled { owner, .. }, Some(object)) = (event, detail.as_object_mut()) {
        object.insert("owner".to_owned(), key_owner(owner).into());
    }
    detail
}

fn instance_detail(kind: &EventKind) -> serde_json::Value {
    use serde_json::json;
    match kind {
        EventKind::Mfa(event) => mfa_detail(event),
        EventKind::Oidc(event) => json!({"issuer": event.issuer().as_str()}),
        EventKind::InstanceLaunched { id, .. } | EventKind::InstanceTerminated { id } => {
            json!({"instanceId": id.as_str()})
        }
        EventKind::MetadataOptionsChanged { instance, options } => json!({
            "instanceId": instance.as_str(),
            "httpTokens": if options.tokens_required { "required" } else { "optional" },
            "httpEndpoint": if options.enabled { "enabled" } else { "disabled" },
            "httpPutResponseHopLimit": options.hop_limit.get(),
            "instanceMetadataTags": if options.tags { "enabled" } else { "disabled" },
        }),
        EventKind::MetadataUsed { instance, .. } => json!({"instanceId": instance.as_str()}),
        EventKind::ProfileAssociated { association, instance, profile, generation, .. } => json!({
            "associationId": association.as_str(),
            "instanceId": instance.as_str(),
            "instanceProfileName": profile.as_str(),
            "generation": generation,
        }),
        EventKind::ProfileDisassociated { association, instance, generation } => json!({
            "associationId": association.as_str(),
            "instanceId": instance.as_str(),
            "generation": generation,
        }),
        EventKind::CredentialsRotated { instance, credentials, .. } => json!({
            "instanceId": instance.as_str(),
            "accessKeyId": credentials.key.as_str(),
            "roleName": credentials.role.as_str(),
            "epoch": credentials.epoch,
            "expiresAt": credentials.expires_at.iso8601(),
        }),
        EventKind::CredentialsRefused { instance, code, message, .. } => {
            json!({"instanceId": instance.as_str(), "code": &**code, "message": &**message})
        }
        EventKind::Rotation(event) => rotation_detail(event),
        EventKind::SessionIssued { session } => {
            let subject = match &session.subject {
                Subject::Role { role, session, .. } => format!("role/{role}/{session}"),
                Subject::User { name, .. } => format!("user/{name}"),
                Subject::Root => "root".to_owned(),
                Subject::Federated { name, .. } => format!("federated-user/{name}"),
            };
            let web = session.web_identity.as_ref();
            json!({
                "accessKeyId": session.key.as_str(),
                "subject": subject,
                "expiresAt": session.expires_at.iso8601(),
                "chainDepth": session.chain_depth,
                "sourceIdentity": session.source_identity.as_ref().map(ToString::to_string),
                "mfa": session.mfa_at.is_some(),
                "webIdentity": web.map(|web| json!({
                    "issuer": &*web.issuer, "subject": &*web.subject, "audience": &*web.audience,
                })),
            })
        }
        other => credential_detail(other),
    }
}

fn credential_detail(kind: &EventKind) -> serde_json::Value {
    use serde_json::json;
    match kind {
        EventKind::AccountKeyRewrapped { key } => json!({"keyringVersion": key.keyring_version}),
        EventKind::AddressRangesSet { ranges } => {
            json!({"addressRanges": ranges.iter().map(ToString::to_string).collect::<Vec<_>>()})
        }
        EventKind::QuotaSet { quota, max } => json!({"quota": quota.name(), "max": max}),
        EventKind::KeyringRotated { version } | EventKind::KeyringVersionRetired { version } => {
            json!({"keyringVersion": version})
        }
        EventKind::CredentialsUsed { uses } => {
            let used = uses.iter().map(|used| {
                json!({
                    "accessKeyId": used.key.as_ref().map(ToString::to_string),
                    "roleName": used.role.as_ref().map(|(name, _)| name.to_string()),
                    "time": used.last.time.iso8601(),
                    "service": &*used.last.service,
                    "region": &*used.last.region,
                })
            });
            json!({"uses": used.collect::<Vec<_>>()})
        }
        EventKind::SessionsRevoked { scope, before, chained, until } => {
            json!({
                "scope": scope.to_string(),
                "issuedBefore": before.iso8601(),
                "chained": chained,
                "until": until.iso8601(),
            })
        }
        _ => json!({}),
    }
}

fn key_owner(owner: &KeyOwner) -> String {
    match owner {
        KeyOwner::Root => "root".to_owned(),
        KeyOwner::User(name) => format!("user/{name}"),
        KeyOwner::Instance(id) => format!("instance/{id}"),
        KeyOwner::Agent(name) => format!("agent/{name}"),
    }
}

fn policy_owner(owner: &PolicyOwner) -> String {
    match owner {
        PolicyOwner::User(name) => format!("user/{name}"),
        PolicyOwner::Role(name) => format!("role/{name}"),
        PolicyOwner::Group(name) => format!("group/{name}"),
    }
}
