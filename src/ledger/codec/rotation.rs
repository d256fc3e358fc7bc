//! Sets of credentials that were renewed together, and what is set and told of that, stored and read.

use std::sync::Arc;
use std::time::Duration;

use super::decode::{Decoded, entity, optional, part, required};
use super::encode;
use crate::clock::Timestamp;
use crate::domain::rotation::{IssuingRole, RenewedSet, RotationEvent};
use crate::identity::{PackedAssociationId, PackedInstanceId, PackedKeyId};
use crate::pace::Pace;
use crate::proto::stored::{self, event::Kind};

pub(super) fn stored(event: &RotationEvent) -> Kind {
    match event {
        RotationEvent::Renewed { role, issued_at, expires_at, sets } => {
            let mut renewed = stored::CredentialsRenewed {
                role: Some(encode::entity(&role.name, &role.path, &role.id)),
                issued_at: issued_at.as_unix_seconds(),
                expires_at: expires_at.as_unix_seconds(),
                ..Default::default()
            };
            for set in sets.iter() {
                renewed.instances.extend_from_slice(&set.instance.bytes());
                renewed.associations.extend_from_slice(&set.association.bytes());
                renewed.keys.extend_from_slice(&set.key.bits());
                renewed.epochs.push(set.epoch);
            }
            Kind::CredentialsRenewed(renewed)
        }
        RotationEvent::Late { instances, least_left } => Kind::RotationLate(stored::RotationLate {
            instances: instances.iter().flat_map(|id| id.bytes()).collect(),
            least_left_ms: u64::try_from(least_left.as_millis()).unwrap_or(u64::MAX),
        }),
        RotationEvent::Configured { association, pace } => {
            Kind::RotationConfigured(stored::RotationConfigured {
                association: association.as_ref().map(ToString::to_string).unwrap_or_default(),
                pace: pace.map(stored_pace),
            })
        }
        RotationEvent::Demanded { everywhere, before } => {
            let (everywhere, before) = (*everywhere, before.as_unix_seconds());
            Kind::RotationDemanded(stored::RotationDemanded { everywhere, before })
        }
    }
}

pub(super) fn read(kind: Kind) -> Decoded<RotationEvent> {
    Ok(match kind {
        Kind::CredentialsRenewed(renewed) => {
            let (name, path, id) = entity(&required(renewed.role.as_ref(), "role")?.clone())?;
            RotationEvent::Renewed {
                role: Arc::new(IssuingRole { name, path, id }),
                issued_at: Timestamp::from_unix_seconds(renewed.issued_at),
                expires_at: Timestamp::from_unix_seconds(renewed.expires_at),
                sets: sets(&renewed)?,
            }
        }
        Kind::RotationLate(late) => RotationEvent::Late {
            instances: instances(&late.instances)?,
            least_left: Duration::from_millis(late.least_left_ms),
        },
        Kind::RotationConfigured(configured) => RotationEvent::Configured {
            association: optional(&configured.association)?,
            pace: configured.pace.as_ref().map(pace),
        },
        Kind::RotationDemanded(demanded) => RotationEvent::Demanded {
            everywhere: demanded.everywhere,
            before: Timestamp::from_unix_seconds(demanded.before),
        },
        _ => return Err(part("is no kind of rotation")),
    })
}

pub(super) fn stored_pace(pace: Pace) -> stored::Pace {
    stored::Pace {
        interval_seconds: pace.interval.as_secs(),
        lifetime_seconds: pace.lifetime.as_secs(),
    }
}

pub(super) fn pace(pace: &stored::Pace) -> Pace {
    Pace {
        interval: Duration::from_secs(pace.interval_seconds),
        lifetime: Duration::from_secs(pace.lifetime_seconds),
    }
}

/// Packed ids in a row.
fn in_row<const N: usize, T>(
    bytes: &[u8],
    what: &str,
    read: impl Fn([u8; N]) -> Option<T>,
) -> Decoded<Vec<T>> {
    let (ids, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(part(format!("`{what}` ends within an id")));
    }
    let ids = ids.iter().map(|bytes| read(*bytes));
    ids.collect::<Option<_>>().ok_or_else(|| part(format!("`{what}` holds what is no id")))
}

fn instances(bytes: &[u8]) -> Decoded<Vec<PackedInstanceId>> {
    in_row(bytes, "instances", PackedInstanceId::read)
}

fn sets(renewed: &stored::CredentialsRenewed) -> Decoded<Arc<[RenewedSet]>> {
    let instances = instances(&renewed.instances)?;
    let associations = in_row(&renewed.associations, "associations", PackedAssociationId::read)?;
    let keys = in_row(&renewed.keys, "keys", |bits| Some(PackedKeyId::temporary(bits)))?;
    let count = instances.len();
    if associations.len() != count || keys.len() != count || renewed.epochs.len() != count {
        return Err(part("`instances`, `associations`, `keys` and `epochs` differ in length"));
    }
    let parts = instances.into_iter().zip(associations).zip(keys).zip(&renewed.epochs);
    let sets = parts.map(|(((instance, association), key), epoch)| RenewedSet {
        instance,
        association,
        epoch: *epoch,
        key,
    });
    Ok(sets.collect())
}
