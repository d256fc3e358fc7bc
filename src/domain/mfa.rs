//! Virtual MFA devices: what may be asked of them, what happens to them, and what is true of them. Codes and
//! seeds are not seen here: a seed is derived from the account's key and the device's id (`signing::totp`),
//! and of a code arrives only which one it is. Source: IAM User Guide, id_credentials_mfa.

use std::sync::Arc;

use super::event::KeyOwner;
use super::state::{Account, key_of};
use super::tags::Tags;
use crate::clock::Timestamp;
use crate::identity::{AccountId, Arn, MfaDeviceName, Path, UniqueId};
use crate::signing::ConsecutiveCodes;

/// What is asked of MFA devices. Devices are named by their ARNs, the serial numbers.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum MfaAction {
    Create {
        name: MfaDeviceName,
        path: Path,
        id: UniqueId,
        tags: Tags,
    },
    /// Assigns a device to its owner. `codes` is none if they are not two of the device in a row.
    Enable {
        serial_number: Arn,
        owner: KeyOwner,
        codes: Option<ConsecutiveCodes>,
    },
    /// Learns how far the device's clock is off.
    Resync {
        serial_number: Arn,
        owner: KeyOwner,
        codes: Option<ConsecutiveCodes>,
    },
    Deactivate {
        serial_number: Arn,
        owner: KeyOwner,
    },
    Delete {
        serial_number: Arn,
    },
    /// The service's note that the caller showed a wrong code of their own device.
    RefuseCode {
        serial_number: Arn,
    },
}

/// What happens to MFA devices.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum MfaEvent {
    Created {
        name: MfaDeviceName,
        path: Path,
        id: UniqueId,
    },
    Enabled {
        name: MfaDeviceName,
        owner: KeyOwner,
        codes: ConsecutiveCodes,
    },
    Resynced {
        name: MfaDeviceName,
        codes: ConsecutiveCodes,
    },
    Deactivated {
        name: MfaDeviceName,
    },
    Deleted {
        name: MfaDeviceName,
    },
    /// A code was used, which neither it nor an older one can be again.
    CodeAccepted {
        name: MfaDeviceName,
        step: u64,
    },
    CodeRefused {
        name: MfaDeviceName,
    },
}

impl MfaEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "MfaDeviceCreated",
            Self::Enabled { .. } => "MfaDeviceEnabled",
            Self::Resynced { .. } => "MfaDeviceResynced",
            Self::Deactivated { .. } => "MfaDeviceDeactivated",
            Self::Deleted { .. } => "MfaDeviceDeleted",
            Self::CodeAccepted { .. } => "MfaCodeAccepted",
            Self::CodeRefused { .. } => "MfaCodeRefused",
        }
    }

    /// The device that it happens to.
    #[must_use]
    pub fn device(&self) -> &MfaDeviceName {
        match self {
            Self::Created { name, .. }
            | Self::Enabled { name, .. }
            | Self::Resynced { name, .. }
            | Self::Deactivated { name }
            | Self::Deleted { name }
            | Self::CodeAccepted { name, .. }
            | Self::CodeRefused { name } => name,
        }
    }
}

/// A virtual MFA device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaDevice {
    /// Unique in its account without regard to case.
    pub name: MfaDeviceName,
    /// Its path.
    pub path: Path,
    /// What its seed is derived from.
    pub id: UniqueId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: Tags,
    /// Whose it is, if it is assigned.
    pub owner: Option<KeyOwner>,
    /// When it was assigned.
    pub enabled_at: Option<Timestamp>,
    /// The newest code that was used, as the number of its time step. Outlives the assignment.
    pub last_step: u64,
    /// How many steps the device's clock is ahead of ours.
    pub drift: i64,
    /// Wrong codes in a row, and when the first of them came.
    pub refused: Option<(u32, Timestamp)>,
}

impl MfaDevice {
    /// `arn:aws:iam::A:mfa/PATH/NAME`, its serial number.
    #[must_use]
    pub fn serial_number(&self, account: AccountId) -> Arn {
        Arn::mfa_device(account, &self.path, &self.name)
    }
}

impl Account {
    /// The device of this serial number.
    #[must_use]
    pub fn mfa_device(&self, serial_number: &Arn) -> Option<&Arc<MfaDevice>> {
        let device = self.mfa_devices.get(&*key_of(serial_number.resource_name()))?;
        (device.serial_number(self.id) == *serial_number).then_some(device)
    }

    /// The devices that are assigned to an owner.
    pub fn mfa_devices_of<'a>(
        &'a self,
        owner: &'a KeyOwner,
    ) -> impl Iterator<Item = &'a Arc<MfaDevice>> {
        self.mfa_devices.values().filter(move |device| device.owner.as_ref() == Some(owner))
    }

    pub(super) fn apply_mfa(&mut self, time: Timestamp, event: &MfaEvent) -> Option<()> {
        match event {
            MfaEvent::Created { name, path, id } => {
                let device = MfaDevice {
                    name: name.clone(),
                    path: path.clone(),
                    id: id.clone(),
                    created_at: time,
                    tags: Tags::default(),
                    owner: None,
                    enabled_at: None,
                    last_step: 0,
                    drift: 0,
                    refused: None,
                };
                self.mfa_devices.insert(key_of(name.as_str()), Arc::new(device));
            }
            MfaEvent::Deleted { name } => {
                self.mfa_devices.remove(&*key_of(name.as_str()))?;
            }
            MfaEvent::Enabled { name, owner, codes } => {
                let device = self.mfa_device_mut(name)?;
                device.owner = Some(owner.clone());
                device.enabled_at = Some(time);
                device.accept(*codes);
            }
            MfaEvent::Resynced { name, codes } => self.mfa_device_mut(name)?.accept(*codes),
            MfaEvent::Deactivated { name } => {
                let device = self.mfa_device_mut(name)?;
                device.owner = None;
                device.enabled_at = None;
                device.refused = None;
            }
            MfaEvent::CodeAccepted { name, step } => {
                let device = self.mfa_device_mut(name)?;
                device.last_step = *step;
                device.refused = None;
            }
            MfaEvent::CodeRefused { name } => self.mfa_device_mut(name)?.refuse(time),
        }
        Some(())
    }

    fn mfa_device_mut(&mut self, name: &MfaDeviceName) -> Option<&mut MfaDevice> {
        self.mfa_devices.get_mut(&*key_of(name.as_str())).map(Arc::make_mut)
    }
}

impl MfaDevice {
    /// What leads to it, with the times.
    pub(super) fn history(&self) -> Vec<(Timestamp, MfaEvent)> {
        let name = || self.name.clone();
        let (path, id) = (self.path.clone(), self.id.clone());
        let codes = ConsecutiveCodes { step: self.last_step, drift: self.drift };
        let created = (self.created_at, MfaEvent::Created { name: name(), path, id });
        let mut events =
            vec![created, (self.created_at, MfaEvent::Resynced { name: name(), codes })];
        if let (Some(owner), Some(time)) = (self.owner.clone(), self.enabled_at) {
            events.push((time, MfaEvent::Enabled { name: name(), owner, codes }));
        }
        if let Some((count, since)) = self.refused {
            events.extend((0..count).map(|_| (since, MfaEvent::CodeRefused { name: name() })));
        }
        events
    }

    fn accept(&mut self, codes: ConsecutiveCodes) {
        self.last_step = codes.step;
        self.drift = codes.drift;
        self.refused = None;
    }

    fn refuse(&mut self, time: Timestamp) {
        let before = self
            .refused
            .filter(|(_, since)| time.since(*since) < super::decide::CODES_REFUSED_WINDOW);
        self.refused =
            Some(before.map_or((1, time), |(count, since)| (count.saturating_add(1), since)));
    }
}
