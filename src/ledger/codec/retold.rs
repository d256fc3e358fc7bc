//! Instances as they are, stored and read: what snapshots hold most of. What they have in common stands once.

use std::sync::Arc;

use super::credentials::{credential_use, stored_use};
use super::decode::{self, Decoded, entity, part, required};
use super::encode;
use super::rotation::{pace, stored_pace};
use crate::clock::Timestamp;
use crate::domain::event::{EventKind, InstanceEvent, InstanceFacts};
use crate::domain::fleet::{CarriedProfile, Record, Rest};
use crate::domain::last_use::CredentialUse;
use crate::domain::rotation::IssuingRole;
use crate::domain::state::Refusal;
use crate::identity::{PackedAssociationId, PackedInstanceId, PackedKeyId, Path};
use crate::proto::stored::{self, InstancesRetold, RetoldInstance};

pub(super) fn stored(instances: &[Record]) -> InstancesRetold {
    let (mut facts, mut profiles, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    let stored = instances.iter().map(|record| {
        let place = Places {
            facts: place(&mut facts, &record.facts),
            profile: record.profile.as_ref().map_or(0, |profile| place(&mut profiles, profile)),
            role: record.role.as_ref().map_or(0, |role| place(&mut roles, role)),
        };
        stored_instance(record, &place)
    });
    let instances = stored.collect();
    let root = Path::default();
    let profile = |profile: &Arc<CarriedProfile>| encode::entity(&profile.name, &root, &profile.id);
    let role = |role: &Arc<IssuingRole>| encode::entity(&role.name, &role.path, &role.id);
    InstancesRetold {
        facts: facts.into_iter().map(|facts| encode::launched(facts)).collect(),
        profiles: profiles.into_iter().map(profile).collect(),
        roles: roles.into_iter().map(role).collect(),
        instances,
    }
}

/// Where an instance's share of what many have in common stands.
struct Places {
    facts: u32,
    profile: u32,
    role: u32,
}

/// The place of `value` from 1, at the end if it is not there.
fn place<'a, T>(list: &mut Vec<&'a Arc<T>>, value: &'a Arc<T>) -> u32 {
    let known = list.iter().position(|known| Arc::ptr_eq(known, value));
    let at = known.unwrap_or_else(|| {
        list.push(value);
        list.len().saturating_sub(1)
    });
    u32::try_from(at.saturating_add(1)).unwrap_or_default()
}

fn stored_instance(record: &Record, places: &Places) -> RetoldInstance {
    let key = |key: PackedKeyId| match key {
        PackedKeyId::NONE => Vec::new(),
        key => key.bits().to_vec(),
    };
    let association = |id: PackedAssociationId| match id {
        PackedAssociationId::NONE => Vec::new(),
        id => id.bytes().to_vec(),
    };
    let mut stored = RetoldInstance {
        id: record.id.bytes().to_vec(),
        facts: places.facts,
        private_ip: encode::address(record.address),
        launched_at_ms: record.launched_at.as_millis(),
        terminated: !record.running,
        identity_key: key(record.identity_key),
        generation: record.generation,
        association: association(record.association),
        ended_association: association(record.ended),
        profile: places.profile,
        associated_at_ms: record.since.as_millis(),
        epoch: record.epoch,
        key: key(record.key),
        role: places.role,
        issued_at: record.issued_at.as_unix_seconds(),
        lifetime_seconds: record.lifetime_seconds.into(),
        ..RetoldInstance::default()
    };
    if let Some(rest) = &record.rest {
        store_rest(record.id, rest, &mut stored);
    }
    stored
}

fn store_rest(id: PackedInstanceId, rest: &Rest, stored: &mut RetoldInstance) {
    let Rest { refused, usage, key_last_use, pace } = rest;
    let id = id.id();
    stored.usage = usage.as_ref().zip(id).map(|(usage, id)| encode::metadata_used(&id, usage));
    stored.key_use = key_last_use
        .as_ref()
        .map(|last| stored_use(&CredentialUse { key: None, role: None, last: last.clone() }));
    stored.pace = pace.map(stored_pace);
    if let Some(Refusal { code, message, since }) = refused {
        stored.refused_at_ms = since.as_millis();
        stored.refused = Some(stored::CredentialsRefused {
            code: code.to_string(),
            message: message.to_string(),
            ..Default::default()
        });
    }
}

/// The value at a place; none for no place.
fn at<T>(list: &[Arc<T>], place: u32, what: &str) -> Decoded<Option<Arc<T>>> {
    let Some(at) = usize::try_from(place).ok().and_then(|place| place.checked_sub(1)) else {
        return Ok(None);
    };
    required(list.get(at), what).cloned().map(Some)
}

pub(super) fn read(retold: InstancesRetold) -> Decoded<EventKind> {
    let InstancesRetold { facts, profiles, roles, instances } = retold;
    let facts = facts.into_iter().map(|facts| decode::facts(facts).map(Arc::new));
    let facts = facts.collect::<Decoded<Vec<_>>>()?;
    let profiles = profiles.iter().map(|profile| {
        let (name, _, id) = entity(profile)?;
        Ok(Arc::new(CarriedProfile { name, id }))
    });
    let profiles = profiles.collect::<Decoded<Vec<_>>>()?;
    let roles = roles.iter().map(|role| {
        let (name, path, id) = entity(role)?;
        Ok(Arc::new(IssuingRole { name, path, id }))
    });
    let roles = roles.collect::<Decoded<Vec<_>>>()?;
    let instances = instances.into_iter().map(|stored| {
        let facts = required(at(&facts, stored.facts, "facts")?, "facts")?;
        let profile = at(&profiles, stored.profile, "profile")?;
        let role = at(&roles, stored.role, "role")?;
        Ok(Record { profile, role, ..read_instance(stored, facts)? })
    });
    Ok(EventKind::Instance(InstanceEvent::Restored {
        instances: instances.collect::<Decoded<_>>()?,
    }))
}

/// The instance but for its profile and role.
fn read_instance(stored: RetoldInstance, facts: Arc<InstanceFacts>) -> Decoded<Record> {
    let id = stored.id.as_slice().try_into().ok().and_then(PackedInstanceId::read);
    let id = required(id, "id")?;
    let address = decode::address(&stored.private_ip)?;
    let launched_at = Timestamp::from_millis(stored.launched_at_ms);
    let lifetime = u32::try_from(stored.lifetime_seconds);
    Ok(Record {
        running: !stored.terminated,
        identity_key: key(&stored.identity_key, PackedKeyId::long_term)?,
        generation: stored.generation,
        association: association(&stored.association)?,
        ended: association(&stored.ended_association)?,
        since: Timestamp::from_millis(stored.associated_at_ms),
        epoch: stored.epoch,
        key: key(&stored.key, PackedKeyId::temporary)?,
        issued_at: Timestamp::from_unix_seconds(stored.issued_at),
        lifetime_seconds: lifetime.map_err(|_| part("`lifetime_seconds` is no lifetime"))?,
        rest: read_rest(stored)?,
        ..Record::new(id, facts, address, launched_at)
    })
}

fn association(bytes: &[u8]) -> Decoded<PackedAssociationId> {
    if bytes.is_empty() {
        return Ok(PackedAssociationId::NONE);
    }
    required(bytes.try_into().ok().and_then(PackedAssociationId::read), "association")
}

fn key(bits: &[u8], packed: impl Fn([u8; 10]) -> PackedKeyId) -> Decoded<PackedKeyId> {
    if bits.is_empty() {
        return Ok(PackedKeyId::NONE);
    }
    bits.try_into().map(packed).map_err(|_| part("a key must have 10 bytes"))
}

fn read_rest(stored: RetoldInstance) -> Decoded<Option<Arc<Rest>>> {
    let RetoldInstance { refused, refused_at_ms, usage, key_use, pace: own, .. } = stored;
    let key_use = key_use.map(credential_use).transpose()?;
    let rest = Rest {
        refused: refused.map(|refused| Refusal {
            code: Arc::from(refused.code),
            message: Arc::from(refused.message),
            since: Timestamp::from_millis(refused_at_ms),
        }),
        usage: usage.map(decode::metadata_used).transpose()?.map(Arc::new),
        key_last_use: key_use.map(|used| used.last),
        pace: own.as_ref().map(pace),
    };
    Ok((rest != Rest::default()).then(|| Arc::new(rest)))
}
