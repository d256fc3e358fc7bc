//! Stored form of what happens to entities besides coming and going, both ways.

use std::sync::Arc;

use super::decode::{Decoded, optional, part, read, required};
use crate::domain::entity::TagOwner;
use crate::domain::event::{
    AccountEvent, EventKind, GroupEvent, PolicyEvent, RoleEvent, TagEvent, UserEvent,
};
use crate::domain::tags::Tags;
use crate::identity::Path;
use crate::proto::stored::{self, event::Kind};

pub(super) fn stored_tag(event: &TagEvent) -> Kind {
    match event {
        TagEvent::Tagged { owner, tags } => {
            let tags = tags.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            Kind::Tagged(stored::Tagged { owner: tag_owner(owner), tags: tags.collect() })
        }
        TagEvent::Untagged { owner, keys } => {
            let keys = keys.iter().map(ToString::to_string).collect();
            Kind::Untagged(stored::Untagged { owner: tag_owner(owner), keys })
        }
    }
}

fn tag_owner(owner: &TagOwner) -> Option<stored::TagOwner> {
    use stored::tag_owner::Owner;
    let owner = match owner {
        TagOwner::User(name) => Owner::User(name.to_string()),
        TagOwner::Role(name) => Owner::Role(name.to_string()),
        TagOwner::Policy(name) => Owner::Policy(name.to_string()),
        TagOwner::Profile(name) => Owner::Profile(name.to_string()),
        TagOwner::MfaDevice(name) => Owner::MfaDevice(name.to_string()),
        TagOwner::OidcProvider(issuer) => Owner::OidcProvider(issuer.to_string()),
    };
    Some(stored::TagOwner { owner: Some(owner) })
}

pub(super) fn renamed(
    name: &impl ToString,
    new_name: &impl ToString,
    path: &Path,
) -> stored::Renamed {
    let path = if path.as_str() == "/" { String::new() } else { path.to_string() };
    stored::Renamed { name: name.to_string(), new_name: new_name.to_string(), path }
}

pub(super) fn version_ref(policy: &impl ToString, version: u32) -> stored::PolicyVersionRef {
    stored::PolicyVersionRef { policy: policy.to_string(), version }
}

pub(super) fn decode(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::Tagged(tagged) => {
            let mut tags = Tags::default();
            for (key, value) in &tagged.tags {
                tags.insert(read(key)?, read(value)?);
            }
            EventKind::Tag(TagEvent::Tagged { owner: read_tag_owner(tagged.owner)?, tags })
        }
        Kind::Untagged(untagged) => {
            let keys = untagged.keys.iter().map(|key| read(key)).collect::<Decoded<_>>()?;
            EventKind::Tag(TagEvent::Untagged { owner: read_tag_owner(untagged.owner)?, keys })
        }
        Kind::UserUpdated(renamed) => EventKind::User(UserEvent::Updated {
            name: read(&renamed.name)?,
            new_name: read(&renamed.new_name)?,
            path: optional(&renamed.path)?.unwrap_or_default(),
        }),
        Kind::GroupUpdated(renamed) => EventKind::Group(GroupEvent::Updated {
            name: read(&renamed.name)?,
            new_name: read(&renamed.new_name)?,
            path: optional(&renamed.path)?.unwrap_or_default(),
        }),
        Kind::DefaultPolicyVersionSet(set) => EventKind::Policy(PolicyEvent::DefaultVersionSet {
            policy: read(&set.policy)?,
            version: set.version,
        }),
        Kind::PolicyVersionDeleted(deleted) => EventKind::Policy(PolicyEvent::VersionDeleted {
            policy: read(&deleted.policy)?,
            version: deleted.version,
        }),
        Kind::RoleDeletionCompleted(task) => {
            EventKind::Role(RoleEvent::DeletionCompleted { task: Arc::from(task) })
        }
        Kind::AccountAliasCreated(alias) => {
            EventKind::Account(AccountEvent::AliasCreated { alias: read(&alias)? })
        }
        Kind::AccountAliasDeleted(alias) => {
            EventKind::Account(AccountEvent::AliasDeleted { alias: read(&alias)? })
        }
        _ => return Err(part("is no kind of an entity")),
    })
}

fn read_tag_owner(owner: Option<stored::TagOwner>) -> Decoded<TagOwner> {
    use stored::tag_owner::Owner;
    match required(owner.and_then(|owner| owner.owner), "owner")? {
        Owner::User(name) => read(&name).map(TagOwner::User),
        Owner::Role(name) => read(&name).map(TagOwner::Role),
        Owner::Policy(name) => read(&name).map(TagOwner::Policy),
        Owner::Profile(name) => read(&name).map(TagOwner::Profile),
        Owner::MfaDevice(name) => read(&name).map(TagOwner::MfaDevice),
        Owner::OidcProvider(issuer) => read(&issuer).map(TagOwner::OidcProvider),
    }
}
