//! Virtual MFA devices.

use std::sync::Arc;

use super::{Found, KeyHolder, KeysOf};
use crate::domain::access::{ListKind, Permission, Target};
use crate::domain::command::Action;
use crate::domain::event::KeyOwner;
use crate::domain::mfa::{MfaAction, MfaDevice};
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::domain::tags::Tags;
use crate::identity::{AccountId, Arn, Invalid, MfaDeviceName, Path};
use crate::ledger::Receipt;
use crate::service::{Reading, RequestInfo, Service, ServiceError};
use crate::signing::{Code, Secret};

/// What CreateVirtualMFADevice is asked. Source: IAM API Reference, CreateVirtualMFADevice.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct NewMfaDevice {
    pub name: MfaDeviceName,
    pub path: Path,
    pub tags: Tags,
}

/// A device that was just made, with what has to come into an app. Shown this once.
#[derive(Debug)]
pub struct SeededMfaDevice {
    /// Its account.
    pub account: Arc<Account>,
    /// The device.
    pub device: Arc<MfaDevice>,
    /// Its seed in Base32.
    pub seed: Secret,
    /// The same as a `otpauth://` URI, which apps read from a QR code.
    pub uri: Secret,
    /// The record that holds the device.
    pub sequence: u64,
}

impl KeyHolder {
    /// The owner in `account`; where the caller is meant and the device has a holder, that one.
    fn of_device(
        &self,
        info: &RequestInfo,
        account: &Account,
        serial_number: &Arn,
    ) -> Result<KeyOwner, Rejection> {
        let device = account.mfa_device(serial_number);
        match (self, device.and_then(|device| device.owner.clone())) {
            (Self::Caller, Some(owner)) => Ok(owner),
            (Self::Caller | Self::Root | Self::User(_), _) => self.owner(info, account),
        }
    }
}

/// Each refuses a caller who may not, names that break a rule of the account, codes that are not the device's, and what
/// cannot be written.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Service {
    /// CreateVirtualMFADevice.
    pub async fn create_mfa_device(
        &self,
        info: &RequestInfo,
        token: &str,
        NewMfaDevice { name, path, tags }: NewMfaDevice,
    ) -> Result<SeededMfaDevice, ServiceError> {
        let serial_number = Arn::mfa_device(Self::account_of(info)?, &path, &name);
        let id = self.draw_id("AMFA")?;
        let action = Action::Mfa(MfaAction::Create { name, path, id, tags });
        let receipt = self.perform_own(info, token, action).await?;
        let account = self.own_account(info)?;
        let device = account.mfa_device(&serial_number).cloned();
        let device = device.ok_or(ServiceError::Answer("the device is gone"))?;
        let seed = self.seed(&account, &device)?.base32();
        let uri = uri(account.id, &device, &seed);
        Ok(SeededMfaDevice { account, device, seed, uri, sequence: receipt.sequence })
    }

    /// EnableMFADevice: assigns a device to its holder, who shows two of its codes in a row.
    pub async fn enable_mfa_device(
        &self,
        info: &RequestInfo,
        token: &str,
        serial_number: Arn,
        holder: &KeyHolder,
        codes: [&str; 2],
    ) -> Result<Receipt, ServiceError> {
        let codes = read(codes)?;
        let owner = self.key_owner(info, holder)?;
        let codes = self.consecutive(Self::account_of(info)?, &serial_number, &codes);
        let action = Action::Mfa(MfaAction::Enable { serial_number, owner, codes });
        self.perform_own(info, token, action).await
    }

    /// ResyncMFADevice: learns by two codes in a row how far a device's clock is off.
    pub async fn resync_mfa_device(
        &self,
        info: &RequestInfo,
        token: &str,
        serial_number: Arn,
        holder: &KeyHolder,
        codes: [&str; 2],
    ) -> Result<Receipt, ServiceError> {
        let codes = read(codes)?;
        let owner = self.key_owner(info, holder)?;
        let codes = self.consecutive(Self::account_of(info)?, &serial_number, &codes);
        let action = Action::Mfa(MfaAction::Resync { serial_number, owner, codes });
        self.perform_own(info, token, action).await
    }

    /// DeactivateMFADevice. Where the caller is meant, it is the device's own holder.
    pub async fn deactivate_mfa_device(
        &self,
        info: &RequestInfo,
        token: &str,
        serial_number: Arn,
        holder: &KeyHolder,
    ) -> Result<Receipt, ServiceError> {
        let owner = holder.of_device(info, &*self.own_account(info)?, &serial_number)?;
        let action = Action::Mfa(MfaAction::Deactivate { serial_number, owner });
        self.perform_own(info, token, action).await
    }

    /// DeleteVirtualMFADevice.
    pub async fn delete_mfa_device(
        &self,
        info: &RequestInfo,
        token: &str,
        serial_number: Arn,
    ) -> Result<Receipt, ServiceError> {
        let action = Action::Mfa(MfaAction::Delete { serial_number });
        self.perform_own(info, token, action).await
    }

    /// GetMFADevice. Where the caller is meant, it is the device's own holder.
    pub async fn mfa_device(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        serial_number: &Arn,
        holder: &KeyHolder,
    ) -> Result<Found<MfaDevice>, ServiceError> {
        let view = self.view_at(min_sequence).await?;
        let owner = holder.of_device(info, &*Self::own_account_in(&view, info)?, serial_number)?;
        let reading = self.read_keys_in(&view, info, Permission::GetMFADevice, &owner)?;
        let device = reading.account.mfa_device(serial_number).cloned();
        let device = device.filter(|device| device.owner.as_ref() == Some(&owner));
        reading.found(device, || Rejection::missing("MFA device", serial_number))
    }

    /// ListMFADevices: the holder, whose devices they are.
    pub async fn list_mfa_devices(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
        holder: &KeyHolder,
    ) -> Result<KeysOf, ServiceError> {
        self.read_keys_of(info, min_sequence, Permission::ListMFADevices, holder).await
    }

    /// ListVirtualMFADevices.
    pub async fn list_virtual_mfa_devices(
        &self,
        info: &RequestInfo,
        min_sequence: u64,
    ) -> Result<Reading, ServiceError> {
        let target = Target::List(ListKind::MfaDevices, "");
        self.read(info, min_sequence, Permission::ListVirtualMFADevices, &target).await
    }
}

/// Two codes of a request, of six digits each. Source: IAM API Reference, EnableMFADevice.
fn read([first, second]: [&str; 2]) -> Result<[Code; 2], Invalid> {
    let code = |field: &'static str, text| {
        Code::parse(text).ok_or_else(|| Invalid::new(field, "must be 6 digits"))
    };
    Ok([code("authentication_code1", first)?, code("authentication_code2", second)?])
}

/// The key URI of authenticator apps (github.com/google/google-authenticator, wiki, "Key Uri Format").
fn uri(account: AccountId, device: &MfaDevice, seed: &Secret) -> Secret {
    // Of the characters of a name these mean something in a URI.
    let name = device.name.as_str().replace('+', "%2B").replace('=', "%3D").replace(',', "%2C");
    let label = format!("Locum:{name}@{account}");
    Secret::new(format!("otpauth://totp/{label}?secret={}&issuer=Locum", seed.expose()))
}
