//! Instances as they are, stored and read: what snapshots hold most of. What they have in common stands once.

use std::sync::Arc;
use std::time::Duration;

use super::credentials::{credential_use, stored_use};
use super::decode::{self, Decoded, entity, part, required};
use super::encode;
use super::rotation::{pace, stored_pace};
use crate::clock::Timestamp;
use crate::domain::event::{EventKind, InstanceFacts, RoleCredentials};
use crate::domain::last_use::CredentialUse;
use crate::domain::state::{Association, Instance, Refusal};
use crate::identity::{
    AccessKeyId, PackedAssociationId, PackedInstanceId, PackedKeyId, Path, ProfileName, RoleName,
    UniqueId,
};
use crate::proto::stored::{self, InstancesRetold, RetoldInstance};

pub(super) fn stored(instances: &[Instance]) -> InstancesRetold {
    let mut retold = InstancesRetold::default();
    let mut facts = Vec::new();
    for instance in instances {
        let stored = stored_instance(instance, &mut facts, &mut retold);
        retold.instances.push(stored);
    }
    retold.facts = facts.into_iter().map(|facts| encode::launched(facts)).collect();
    retold
}

/// The place of `value` from 1, at the end if it is not there.
fn place<T: PartialEq>(list: &mut Vec<T>, value: T) -> u32 {
    let known = list.iter().position(|known| *known == value);
    let at = known.unwrap_or_else(|| {
        list.push(value);
        list.len().saturating_sub(1)
    });
    u32::try_from(at.saturating_add(1)).unwrap_or_default()
}

fn key_bits(key: Option<&AccessKeyId>) -> Vec<u8> {
    let packed = key.and_then(PackedKeyId::pack);
    packed.map(|key| key.bits().to_vec()).unwrap_or_default()
}

fn stored_instance<'a>(
    instance: &'a Instance,
    facts: &mut Vec<&'a Arc<InstanceFacts>>,
    retold: &mut InstancesRetold,
) -> RetoldInstance {
    let known = facts.iter().position(|known| Arc::ptr_eq(known, &instance.facts));
    let known = known.unwrap_or_else(|| {
        facts.push(&instance.facts);
        facts.len().saturating_sub(1)
    });
    let mut stored = RetoldInstance {
        id: PackedInstanceId::from(&instance.id).bytes().to_vec(),
        facts: u32::try_from(known.saturating_add(1)).unwrap_or_default(),
        private_ip: encode::address(instance.private_ip),
        launched_at_ms: instance.launched_at.as_millis(),
        terminated: !instance.running,
        identity_key: key_bits(instance.identity_key.as_ref()),
        generation: instance.generation,
        ended_association: packed_association(instance.ended.as_ref()),
        usage: instance.usage.as_ref().map(|usage| encode::metadata_used(&instance.id, usage)),
        key_use: instance
            .identity_key_last_use
            .as_ref()
            .map(|last| stored_use(&CredentialUse { key: None, role: None, last: last.clone() })),
        ..RetoldInstance::default()
    };
    if let Some(association) = &instance.association {
        store_association(association, &mut stored, retold);
    }
    stored
}

fn packed_association(id: Option<&crate::identity::AssociationId>) -> Vec<u8> {
    id.map(|id| PackedAssociationId::from(id).bytes().to_vec()).unwrap_or_default()
}

fn store_association(
    association: &Association,
    stored: &mut RetoldInstance,
    retold: &mut InstancesRetold,
) {
    let root = Path::default();
    let profile = encode::entity(&association.profile, &root, &association.profile_id);
    stored.association = packed_association(Some(&association.id));
    stored.profile = place(&mut retold.profiles, profile);
    stored.associated_at_ms = association.since.as_millis();
    stored.pace = association.pace.map(stored_pace);
    if let Some(set) = &association.credentials {
        stored.epoch = set.epoch;
        stored.key = key_bits(Some(&set.key));
        let role = encode::entity(&set.role, &set.path, &set.role_id);
        stored.role = place(&mut retold.roles, role);
        stored.issued_at = set.issued_at.as_unix_seconds();
        stored.lifetime_seconds = set.expires_at.since(set.issued_at).as_secs();
    }
    if let Some(Refusal { code, message, since }) = &association.refused {
        stored.refused_at_ms = since.as_millis();
        stored.refused = Some(stored::CredentialsRefused {
            code: code.to_string(),
            message: message.to_string(),
            ..Default::default()
        });
    }
}

/// What instances have in common, read once.
struct Common {
    facts: Vec<Arc<InstanceFacts>>,
    profiles: Vec<(ProfileName, Path, UniqueId)>,
    roles: Vec<(RoleName, Path, UniqueId)>,
}

impl Common {
    fn at<'a, T>(list: &'a [T], place: u32, what: &str) -> Decoded<&'a T> {
        let at = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
        required(at.and_then(|at| list.get(at)), what)
    }
}

pub(super) fn read(retold: InstancesRetold) -> Decoded<EventKind> {
    let common = Common {
        facts: retold
            .facts
            .into_iter()
            .map(|facts| decode::facts(facts).map(Arc::new))
            .collect::<Decoded<_>>()?,
        profiles: retold.profiles.iter().map(entity).collect::<Decoded<_>>()?,
        roles: retold.roles.iter().map(entity).collect::<Decoded<_>>()?,
    };
    let instances = retold.instances.into_iter().map(|stored| read_instance(stored, &common));
    Ok(EventKind::InstancesRetold { instances: instances.collect::<Decoded<_>>()? })
}

fn read_instance(stored: RetoldInstance, common: &Common) -> Decoded<Instance> {
    let id = stored.id.as_slice().try_into().ok().and_then(PackedInstanceId::read);
    let association = association_id(&stored.association)?;
    let key_use = stored.key_use.clone().map(credential_use).transpose()?;
    let mut instance = Instance {
        id: required(id.and_then(PackedInstanceId::id), "id")?,
        facts: Common::at(&common.facts, stored.facts, "facts")?.clone(),
        private_ip: decode::address(&stored.private_ip)?,
        launched_at: Timestamp::from_millis(stored.launched_at_ms),
        running: !stored.terminated,
        identity_key: key(&stored.identity_key, PackedKeyId::long_term)?,
        identity_key_last_use: key_use.map(|used| used.last),
        generation: stored.generation,
        association: None,
        ended: association_id(&stored.ended_association)?,
        usage: stored.usage.clone().map(decode::metadata_used).transpose()?.map(Arc::new),
    };
    if let Some(id) = association {
        instance.association = Some(read_association(id, &stored, common)?);
    }
    Ok(instance)
}

fn association_id(bytes: &[u8]) -> Decoded<Option<crate::identity::AssociationId>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let packed = bytes.try_into().ok().and_then(PackedAssociationId::read);
    required(packed.and_then(PackedAssociationId::id), "association").map(Some)
}

fn key(bits: &[u8], packed: impl Fn([u8; 10]) -> PackedKeyId) -> Decoded<Option<AccessKeyId>> {
    if bits.is_empty() {
        return Ok(None);
    }
    let bits = bits.try_into().map_err(|_| part("a key must have 10 bytes"))?;
    Ok(packed(bits).id())
}

fn read_association(
    id: crate::identity::AssociationId,
    stored: &RetoldInstance,
    common: &Common,
) -> Decoded<Association> {
    let (profile, _, profile_id) = Common::at(&common.profiles, stored.profile, "profile")?.clone();
    let credentials = match stored.role {
        0 => None,
        place => {
            let (role, path, role_id) = Common::at(&common.roles, place, "role")?.clone();
            let issued_at = Timestamp::from_unix_seconds(stored.issued_at);
            Some(RoleCredentials {
                epoch: stored.epoch,
                key: required(key(&stored.key, PackedKeyId::temporary)?, "key")?,
                role,
                path,
                role_id,
                issued_at,
                expires_at: issued_at.plus(Duration::from_secs(stored.lifetime_seconds)),
            })
        }
    };
    let refused = stored.refused.as_ref().map(|refused| Refusal {
        code: Arc::from(refused.code.as_str()),
        message: Arc::from(refused.message.as_str()),
        since: Timestamp::from_millis(stored.refused_at_ms),
    });
    Ok(Association {
        id,
        profile,
        profile_id,
        since: Timestamp::from_millis(stored.associated_at_ms),
        credentials,
        refused,
        pace: stored.pace.as_ref().map(pace),
    })
}
