//! MFA devices and the codes that come with requests. A code is used up in the step that commits, so that
//! no second request can use it; wrong codes are facts as well, so that guessing stops on every node and
//! over restarts. Sources: RFC 6238, section 5.2; RFC 4226, section 7.3; IAM User Guide,
//! id_credentials_mfa_enable_virtual.

use std::sync::Arc;
use std::time::Duration;

use super::Decider;
use crate::domain::access::{Permission, Resource};
use crate::domain::command::Command;
use crate::domain::entity::TagOwner;
use crate::domain::event::{Event, EventKind, KeyOwner};
use crate::domain::mfa::{MfaAction, MfaDevice, MfaEvent};
use crate::domain::rejection::{Denied, Rejection};
use crate::domain::session::MfaProof;
use crate::domain::state::{State, key_of};
use crate::identity::{Arn, Principal};
use crate::signing::ConsecutiveCodes;

/// Wrong codes in a row after which none is taken until the window is over.
const CODES_REFUSED_MAX: u32 = 5;
/// How long wrong codes in a row are counted together.
pub const CODES_REFUSED_WINDOW: Duration = Duration::from_secs(15 * 60);
/// Devices of one owner (reference_iam-quotas).
const DEVICES_PER_OWNER_MAX: usize = 8;
/// Devices of one account, twice its users (reference_iam-quotas names 5000 users).
const DEVICES_PER_ACCOUNT_MAX: usize = 10_000;

/// What is told of a wrong code, and of one that was used.
pub const CODE_REFUSED: &str =
    "MultiFactorAuthentication failed with invalid MFA one time pass code.";
/// What is told of a device that is unknown, or somebody else's.
pub const DEVICE_REFUSED: &str = "MultiFactorAuthentication failed, unable to validate MFA code. Please \
                                  verify your MFA serial number is valid and associated with this user.";
const LOCKED: &str = "MultiFactorAuthentication failed: too many invalid MFA one time pass codes. Please \
                      try again later.";

/// The owner of keys and devices that a principal is; none for sessions of roles and the like.
#[must_use]
pub fn mfa_owner(principal: &Principal) -> Option<KeyOwner> {
    match principal {
        Principal::Root { .. } => Some(KeyOwner::Root),
        Principal::User { name, .. } => Some(KeyOwner::User(name.clone())),
        _ => None,
    }
}

/// A refusal to the bearer of a code.
#[must_use]
pub fn refused(principal: &Principal, serial_number: &str, message: &str) -> Rejection {
    Rejection::AccessDenied(Box::new(Denied {
        principal: principal.arn(),
        action: "sts:MultiFactorAuthentication".to_owned(),
        resource: serial_number.to_owned(),
        message: message.to_owned(),
        evidence: None,
        encoded: None,
    }))
}

/// Takes the code that came with a request: the event that uses it up, or none if none came.
pub(super) fn accept(
    state: &State,
    command: &Command,
    proof: Option<&MfaProof>,
) -> Result<Option<Event>, Rejection> {
    let Some(MfaProof { serial_number, step }) = proof else { return Ok(None) };
    let principal = &command.caller.principal;
    let refuse = |message| refused(principal, serial_number.as_str(), message);
    let account = principal.account().and_then(|id| state.account(id));
    let device = account.and_then(|account| account.mfa_device(serial_number));
    let owner = mfa_owner(principal);
    let own = device.filter(|device| owner.is_some() && device.owner == owner);
    let (Some(account), Some(device)) = (account, own) else {
        return Err(refuse(DEVICE_REFUSED));
    };
    if locked(device, command) {
        return Err(refuse(LOCKED));
    }
    if *step <= device.last_step {
        return Err(refuse(CODE_REFUSED));
    }
    let accepted = MfaEvent::CodeAccepted { name: device.name.clone(), step: *step };
    Ok(Some(Event { account: account.id, kind: EventKind::Mfa(accepted) }))
}

fn locked(device: &MfaDevice, command: &Command) -> bool {
    device.refused.is_some_and(|(count, since)| {
        count >= CODES_REFUSED_MAX && command.time.since(since) < CODES_REFUSED_WINDOW
    })
}

impl Decider<'_> {
    pub(super) fn mfa(&mut self, action: &MfaAction) -> Result<(), Rejection> {
        match action {
            MfaAction::Create { name, path, id, tags } => {
                let resource = Resource::new_mfa_device(self.account.id, path, name, tags);
                let (create, tag) = (Permission::CreateVirtualMFADevice, Permission::TagMFADevice);
                self.require_creation(create, tag, &resource)?;
                if self.account.mfa_devices.contains_key(&*key_of(name.as_str())) {
                    return Err(Rejection::exists("MFA device", name));
                }
                if self.account.mfa_devices.len() >= DEVICES_PER_ACCOUNT_MAX {
                    let (quota, max) = ("VirtualMFADevicesPerAccount", DEVICES_PER_ACCOUNT_MAX);
                    return Err(Rejection::LimitExceeded { quota, max });
                }
                let (name, path, id) = (name.clone(), path.clone(), id.clone());
                let owner = TagOwner::MfaDevice(name.clone());
                self.emit(EventKind::Mfa(MfaEvent::Created { name, path, id }));
                self.tag_created(owner, tags)?;
            }
            MfaAction::Enable { serial_number, owner, codes } => {
                self.enable(serial_number, owner, *codes)?;
            }
            MfaAction::Resync { serial_number, owner, codes } => {
                let device = self.owned(Permission::ResyncMFADevice, serial_number, owner)?;
                let (name, codes) = (device.name.clone(), fresh(&device, *codes)?);
                self.emit(EventKind::Mfa(MfaEvent::Resynced { name, codes }));
            }
            MfaAction::Deactivate { serial_number, owner } => {
                let device = self.owned(Permission::DeactivateMFADevice, serial_number, owner)?;
                let name = device.name.clone();
                self.emit(EventKind::Mfa(MfaEvent::Deactivated { name }));
            }
            MfaAction::Delete { serial_number } => {
                let resource = Resource::mfa_device(self.account, serial_number);
                self.require(Permission::DeleteVirtualMFADevice, &resource)?;
                let device = self.device(serial_number)?;
                if device.owner.is_some() {
                    return Err(Rejection::DeleteConflict { rule: "deactivate the MFA device" });
                }
                let name = device.name.clone();
                self.emit(EventKind::Mfa(MfaEvent::Deleted { name }));
            }
            MfaAction::RefuseCode { serial_number } => self.refuse_code(serial_number),
        }
        Ok(())
    }

    fn device(&self, serial_number: &Arn) -> Result<Arc<MfaDevice>, Rejection> {
        let device = self.account.mfa_device(serial_number).cloned();
        device.ok_or_else(|| Rejection::missing("MFA device", serial_number))
    }

    /// The device of an owner, for a caller who has a permission on the owner.
    fn owned(
        &self,
        permission: Permission,
        serial_number: &Arn,
        owner: &KeyOwner,
    ) -> Result<Arc<MfaDevice>, Rejection> {
        let owner = self.require_on_owner(permission, owner)?;
        let device = self.device(serial_number)?;
        if device.owner.as_ref() != Some(&owner) {
            return Err(Rejection::missing("MFA device", serial_number));
        }
        Ok(device)
    }

    fn enable(
        &mut self,
        serial_number: &Arn,
        owner: &KeyOwner,
        codes: Option<ConsecutiveCodes>,
    ) -> Result<(), Rejection> {
        let owner = self.require_on_owner(Permission::EnableMFADevice, owner)?;
        let device = self.device(serial_number)?;
        if device.owner.is_some() {
            return Err(Rejection::exists("MFA device", serial_number));
        }
        if self.account.mfa_devices_of(&owner).count() >= DEVICES_PER_OWNER_MAX {
            let (quota, max) = ("MFADevicesPerUser", DEVICES_PER_OWNER_MAX);
            return Err(Rejection::LimitExceeded { quota, max });
        }
        let (name, codes) = (device.name.clone(), fresh(&device, codes)?);
        self.emit(EventKind::Mfa(MfaEvent::Enabled { name, owner, codes }));
        Ok(())
    }

    /// Counts a wrong code, unless none is taken at present anyway: so guessing does not fill the log.
    fn refuse_code(&mut self, serial_number: &Arn) {
        let owner = mfa_owner(&self.command.caller.principal);
        let Some(device) = self.account.mfa_device(serial_number) else { return };
        if owner.is_some() && device.owner == owner && !locked(device, self.command) {
            let name = device.name.clone();
            self.emit(EventKind::Mfa(MfaEvent::CodeRefused { name }));
        }
    }
}

/// Two codes that are the device's, the first of which was not used before either.
fn fresh(
    device: &MfaDevice,
    codes: Option<ConsecutiveCodes>,
) -> Result<ConsecutiveCodes, Rejection> {
    let fresh = codes.filter(|codes| codes.step.saturating_sub(1) > device.last_step);
    fresh.ok_or(Rejection::InvalidAuthenticationCode)
}
