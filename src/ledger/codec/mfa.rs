//! What happens to MFA devices, stored and read.

use super::decode::{Decoded, entity, key_owner, part, read as parsed, required};
use super::encode;
use crate::domain::event::KeyOwner;
use crate::domain::mfa::MfaEvent;
use crate::identity::MfaDeviceName;
use crate::proto::stored::{self, event::Kind};
use crate::signing::ConsecutiveCodes;

pub(super) fn stored(event: &MfaEvent) -> Kind {
    match event {
        MfaEvent::Created { name, path, id } => {
            Kind::MfaDeviceCreated(encode::entity(name, path, id))
        }
        MfaEvent::Enabled { name, owner, codes } => {
            Kind::MfaDeviceEnabled(codes_of(name, Some(owner), *codes))
        }
        MfaEvent::Resynced { name, codes } => Kind::MfaDeviceResynced(codes_of(name, None, *codes)),
        MfaEvent::Deactivated { name } => Kind::MfaDeviceDeactivated(name.to_string()),
        MfaEvent::Deleted { name } => Kind::MfaDeviceDeleted(name.to_string()),
        MfaEvent::CodeAccepted { name, step } => Kind::MfaCodeAccepted(stored::MfaCodes {
            name: name.to_string(),
            step: *step,
            ..Default::default()
        }),
        MfaEvent::CodeRefused { name } => Kind::MfaCodeRefused(name.to_string()),
    }
}

fn codes_of(
    name: &MfaDeviceName,
    owner: Option<&KeyOwner>,
    codes: ConsecutiveCodes,
) -> stored::MfaCodes {
    let ConsecutiveCodes { step, drift } = codes;
    let (name, owner) = (name.to_string(), owner.map(encode::key_owner));
    stored::MfaCodes { name, step, drift, owner }
}

pub(super) fn read(kind: Kind) -> Decoded<MfaEvent> {
    let codes =
        |codes: &stored::MfaCodes| ConsecutiveCodes { step: codes.step, drift: codes.drift };
    Ok(match kind {
        Kind::MfaDeviceCreated(created) => {
            let (name, path, id) = entity(&created)?;
            MfaEvent::Created { name, path, id }
        }
        Kind::MfaDeviceEnabled(enabled) => MfaEvent::Enabled {
            name: parsed(&enabled.name)?,
            codes: codes(&enabled),
            owner: key_owner(required(enabled.owner, "owner")?)?,
        },
        Kind::MfaDeviceResynced(resynced) => {
            MfaEvent::Resynced { name: parsed(&resynced.name)?, codes: codes(&resynced) }
        }
        Kind::MfaDeviceDeactivated(name) => MfaEvent::Deactivated { name: parsed(&name)? },
        Kind::MfaDeviceDeleted(name) => MfaEvent::Deleted { name: parsed(&name)? },
        Kind::MfaCodeAccepted(accepted) => {
            MfaEvent::CodeAccepted { name: parsed(&accepted.name)?, step: accepted.step }
        }
        Kind::MfaCodeRefused(name) => MfaEvent::CodeRefused { name: parsed(&name)? },
        _ => return Err(part("is no kind of an MFA device")),
    })
}
