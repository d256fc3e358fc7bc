//! What events tell besides when and by whom: the JSON of each kind.

use serde_json::{Value, json};

use crate::domain::entity::TagOwner;
use crate::domain::event::{
    AccessKeyEvent, AccountEvent, AgentEvent, EventKind, GroupEvent, GuardrailEvent,
    InstallationEvent, InstanceEvent, KeyOwner, PolicyEvent, PolicyOwner, ProfileEvent, RoleEvent,
    SessionEvent, TagEvent, UserEvent,
};
use crate::domain::mfa::MfaEvent;
use crate::domain::oidc::OidcEvent;
use crate::domain::rotation::RotationEvent;
use crate::identity::{Subject, TagKey};

/// What is particular to a kind. Ids and names only: no policy text, no key material.
pub(super) fn of(kind: &EventKind) -> Value {
    match kind {
        EventKind::Account(event) => account(event),
        EventKind::Installation(event) => installation(event),
        EventKind::Guardrail(event) => guardrail(event),
        EventKind::User(event) => user(event),
        EventKind::Group(event) => group(event),
        EventKind::AccessKey(event) => access_key(event),
        EventKind::Role(event) => role(event),
        EventKind::Policy(event) => policy(event),
        EventKind::Tag(event) => tag(event),
        EventKind::Profile(event) => profile(event),
        EventKind::Agent(event) => agent(event),
        EventKind::Instance(event) => instance(event),
        EventKind::Rotation(event) => rotation(event),
        EventKind::Session(event) => session(event),
        EventKind::Mfa(event) => mfa(event),
        EventKind::Oidc(event) => oidc(event),
    }
}

fn account(event: &AccountEvent) -> Value {
    match event {
        AccountEvent::Created { name, key } => {
            json!({"name": &**name, "keyringVersion": key.keyring_version})
        }
        AccountEvent::AliasCreated { alias } | AccountEvent::AliasDeleted { alias } => {
            json!({"accountAlias": alias.as_str()})
        }
        AccountEvent::KeyRewrapped { key } => {
            json!({"keyringVersion": key.keyring_version})
        }
        AccountEvent::AddressRangesSet { ranges } => {
            json!({"addressRanges": ranges.iter().map(ToString::to_string).collect::<Vec<_>>()})
        }
        AccountEvent::QuotaSet { quota, max } => {
            json!({"quota": quota.name(), "max": max})
        }
        AccountEvent::Disabled | AccountEvent::Enabled | AccountEvent::Deleted => json!({}),
    }
}

fn installation(event: &InstallationEvent) -> Value {
    match event {
        InstallationEvent::KeyringRotated { version }
        | InstallationEvent::KeyringVersionRetired { version } => {
            json!({"keyringVersion": version})
        }
        InstallationEvent::DocumentKeyCreated { .. } => json!({}),
    }
}

fn guardrail(event: &GuardrailEvent) -> Value {
    match event {
        GuardrailEvent::Put { guardrail, .. } | GuardrailEvent::Deleted { guardrail } => {
            json!({"guardrailArn": guardrail.arn()})
        }
    }
}

fn user(event: &UserEvent) -> Value {
    match event {
        UserEvent::Created { name, id, .. } => {
            json!({"userName": name.as_str(), "userId": id.as_str()})
        }
        UserEvent::Deleted { name } => json!({"userName": name.as_str()}),
        UserEvent::Updated { name, new_name, .. } => {
            json!({"userName": name.as_str(), "newUserName": new_name.as_str()})
        }
    }
}

fn group(event: &GroupEvent) -> Value {
    match event {
        GroupEvent::Created { name, id, .. } => {
            json!({"groupName": name.as_str(), "groupId": id.as_str()})
        }
        GroupEvent::Deleted { name } => json!({"groupName": name.as_str()}),
        GroupEvent::UserAdded { group, user } | GroupEvent::UserRemoved { group, user } => {
            json!({"groupName": group.as_str(), "userName": user.as_str()})
        }
        GroupEvent::Updated { name, new_name, .. } => {
            json!({"groupName": name.as_str(), "newGroupName": new_name.as_str()})
        }
    }
}

fn access_key(event: &AccessKeyEvent) -> Value {
    match event {
        AccessKeyEvent::Created { key, owner } => {
            json!({"accessKeyId": key.as_str(), "owner": key_owner(owner)})
        }
        AccessKeyEvent::StatusChanged { key, active } => {
            json!({"accessKeyId": key.as_str(), "active": active})
        }
        AccessKeyEvent::Deleted { key } => {
            json!({"accessKeyId": key.as_str()})
        }
        AccessKeyEvent::Used { uses } => {
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
    }
}

fn role(event: &RoleEvent) -> Value {
    match event {
        RoleEvent::Created { name, id, .. } => {
            json!({"roleName": name.as_str(), "roleId": id.as_str()})
        }
        RoleEvent::Updated { name, max_session, .. } => {
            json!({"roleName": name.as_str(), "maxSessionSeconds": max_session.as_secs()})
        }
        RoleEvent::TrustChanged { role, .. } => json!({"roleName": role.as_str()}),
        RoleEvent::Deleted { name } => json!({"roleName": name.as_str()}),
        RoleEvent::DeletionCompleted { task } => {
            json!({"deletionTaskId": &**task})
        }
    }
}

fn policy(event: &PolicyEvent) -> Value {
    match event {
        PolicyEvent::InlinePut { owner, name, .. } | PolicyEvent::InlineDeleted { owner, name } => {
            json!({"owner": policy_owner(owner), "policyName": name.as_str()})
        }
        PolicyEvent::Created { name, id, .. } => {
            json!({"policyName": name.as_str(), "policyId": id.as_str()})
        }
        PolicyEvent::VersionCreated { name, version, default, .. } => {
            json!({"policyName": name.as_str(), "version": version, "default": default})
        }
        PolicyEvent::Deleted { name } => json!({"policyName": name.as_str()}),
        PolicyEvent::Attached { owner, policy }
        | PolicyEvent::Detached { owner, policy }
        | PolicyEvent::BoundaryPut { owner, policy } => {
            json!({"owner": policy_owner(owner), "policyName": policy.to_string()})
        }
        PolicyEvent::BoundaryDeleted { owner } => {
            json!({"owner": policy_owner(owner)})
        }
        PolicyEvent::DefaultVersionSet { policy, version }
        | PolicyEvent::VersionDeleted { policy, version } => {
            json!({"policyName": policy.as_str(), "version": version})
        }
    }
}

fn tag(event: &TagEvent) -> Value {
    match event {
        TagEvent::Tagged { owner, tags } => {
            let keys: Vec<_> = tags.iter().map(|(key, _)| key.as_str()).collect();
            json!({"owner": tag_owner(owner), "tagKeys": keys})
        }
        TagEvent::Untagged { owner, keys } => {
            let keys: Vec<_> = keys.iter().map(TagKey::as_str).collect();
            json!({"owner": tag_owner(owner), "tagKeys": keys})
        }
    }
}

fn profile(event: &ProfileEvent) -> Value {
    match event {
        ProfileEvent::Created { name, id, .. } => {
            json!({"instanceProfileName": name.as_str(), "instanceProfileId": id.as_str()})
        }
        ProfileEvent::Deleted { name } => {
            json!({"instanceProfileName": name.as_str()})
        }
        ProfileEvent::RoleAdded { profile, role } | ProfileEvent::RoleRemoved { profile, role } => {
            json!({"instanceProfileName": profile.as_str(), "roleName": role.as_str()})
        }
    }
}

fn agent(event: &AgentEvent) -> Value {
    match event {
        AgentEvent::Created { name, .. } | AgentEvent::Deleted { name } => {
            json!({"agentName": name.as_str()})
        }
    }
}

fn instance(event: &InstanceEvent) -> Value {
    match event {
        InstanceEvent::Launched { id, .. } | InstanceEvent::Terminated { id } => {
            json!({"instanceId": id.as_str()})
        }
        InstanceEvent::MetadataOptionsChanged { instance, options } => json!({
            "instanceId": instance.as_str(),
            "httpTokens": if options.tokens_required { "required" } else { "optional" },
            "httpEndpoint": if options.enabled { "enabled" } else { "disabled" },
            "httpPutResponseHopLimit": options.hop_limit.get(),
            "instanceMetadataTags": if options.tags { "enabled" } else { "disabled" },
        }),
        InstanceEvent::MetadataUsed { instance, .. } => {
            json!({"instanceId": instance.as_str()})
        }
        InstanceEvent::ProfileAssociated { association, instance, profile, generation, .. } => {
            json!({
                "associationId": association.as_str(),
                "instanceId": instance.as_str(),
                "instanceProfileName": profile.as_str(),
                "generation": generation,
            })
        }
        InstanceEvent::ProfileDisassociated { association, instance, generation } => json!({
            "associationId": association.as_str(),
            "instanceId": instance.as_str(),
            "generation": generation,
        }),
        InstanceEvent::CredentialsRotated { instance, credentials, .. } => json!({
            "instanceId": instance.as_str(),
            "accessKeyId": credentials.key.as_str(),
            "roleName": credentials.role.as_str(),
            "epoch": credentials.epoch,
            "expiresAt": credentials.expires_at.iso8601(),
        }),
        InstanceEvent::CredentialsRefused { instance, code, message, .. } => {
            json!({"instanceId": instance.as_str(), "code": &**code, "message": &**message})
        }
        InstanceEvent::Restored { .. } => json!({}),
    }
}

fn session(event: &SessionEvent) -> Value {
    match event {
        SessionEvent::Issued { session } => {
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
        SessionEvent::Revoked { scope, before, chained, until } => {
            json!({
                "scope": scope.to_string(),
                "issuedBefore": before.iso8601(),
                "chained": chained,
                "until": until.iso8601(),
            })
        }
    }
}

fn rotation(event: &RotationEvent) -> Value {
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

fn mfa(event: &MfaEvent) -> Value {
    let name = event.device().as_str();
    match event {
        MfaEvent::Enabled { owner, .. } => {
            json!({"virtualMFADeviceName": name, "owner": key_owner(owner)})
        }
        MfaEvent::Created { .. }
        | MfaEvent::Resynced { .. }
        | MfaEvent::Deactivated { .. }
        | MfaEvent::Deleted { .. }
        | MfaEvent::CodeAccepted { .. }
        | MfaEvent::CodeRefused { .. } => json!({"virtualMFADeviceName": name}),
    }
}

fn oidc(event: &OidcEvent) -> Value {
    json!({"issuer": event.issuer().as_str()})
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
