//! Virtual MFA devices and the codes that come with requests. Seeds are derived here and codes compared;
//! whose a device is, and whether a code was used before, is decided where the use is written.

use std::sync::Arc;

use super::{RequestInfo, Service, ServiceError};
use crate::domain::command::Action;
use crate::domain::decide::{CODE_REFUSED, DEVICE_REFUSED, mfa_owner, refused};
use crate::domain::event::KeyOwner;
use crate::domain::mfa::{MfaAction, MfaDevice};
use crate::domain::session::MfaProof;
use crate::domain::state::Account;
use crate::domain::tags::Tags;
use crate::identity::{AccountId, Arn, MfaDeviceName, Path};
use crate::ledger::Receipt;
use crate::signing::{Code, ConsecutiveCodes, Secret, TotpSeed};

/// What is told when one of serial number and code is missing.
const BOTH_NEEDED: &str = "MultiFactorAuthentication failed, must provide both MFA serial number and one \
                           time pass code.";

/// A device that is to be made.
#[derive(Clone, Debug)]
pub struct AskedMfaDevice {
    /// Its name.
    pub name: MfaDeviceName,
    /// Its path.
    pub path: Path,
    /// Its tags.
    pub tags: Tags,
}

/// A device that was just made, with what has to come into an app. Shown this once.
#[derive(Debug)]
pub struct NewMfaDevice {
    /// The device.
    pub device: Arc<MfaDevice>,
    /// Its seed in Base32.
    pub seed: Secret,
    /// The same as a `otpauth://` URI, which apps read from a QR code.
    pub uri: Secret,
    /// The record that holds the device.
    pub sequence: u64,
}

impl Service {
    /// Makes a virtual MFA device in the caller's account.
    ///
    /// # Errors
    /// The caller may not, the name is taken, or it cannot be written.
    pub async fn create_mfa_device(
        &self,
        info: &RequestInfo,
        token: &str,
        account: AccountId,
        AskedMfaDevice { name, path, tags }: AskedMfaDevice,
    ) -> Result<NewMfaDevice, ServiceError> {
        let serial_number = Arn::mfa_device(account, &path, &name);
        let id = self.draw_id("AMFA")?;
        let action = Action::Mfa(MfaAction::Create { name, path, id, tags });
        let receipt = self.perform(info, token, account, action).await?;
        let view = self.view();
        let account =
            view.state.account(account).ok_or(ServiceError::Answer("the account is gone"))?;
        let device = account.mfa_device(&serial_number).cloned();
        let device = device.ok_or(ServiceError::Answer("the device is gone"))?;
        let seed = self.seed(account, &device)?.base32();
        let uri = uri(account.id, &device, &seed);
        Ok(NewMfaDevice { device, seed, uri, sequence: receipt.sequence })
    }

    /// Assigns a device to its owner, who shows two of its codes in a row.
    ///
    /// # Errors
    /// The caller may not, the codes are not the device's, or it cannot be written.
    pub async fn enable_mfa_device(
        &self,
        info: &RequestInfo,
        token: &str,
        of: MfaDeviceOf,
        codes: [&str; 2],
    ) -> Result<Receipt, ServiceError> {
        let MfaDeviceOf { account, serial_number, owner } = of;
        let codes = self.consecutive(account, &serial_number, codes);
        let action = Action::Mfa(MfaAction::Enable { serial_number, owner, codes });
        self.perform(info, token, account, action).await
    }

    /// Learns by two codes in a row how far a device's clock is off.
    ///
    /// # Errors
    /// As `enable_mfa_device`.
    pub async fn resync_mfa_device(
        &self,
        info: &RequestInfo,
        token: &str,
        of: MfaDeviceOf,
        codes: [&str; 2],
    ) -> Result<Receipt, ServiceError> {
        let MfaDeviceOf { account, serial_number, owner } = of;
        let codes = self.consecutive(account, &serial_number, codes);
        let action = Action::Mfa(MfaAction::Resync { serial_number, owner, codes });
        self.perform(info, token, account, action).await
    }

    fn consecutive(
        &self,
        account: AccountId,
        serial_number: &Arn,
        [first, second]: [&str; 2],
    ) -> Option<ConsecutiveCodes> {
        let view = self.view();
        let account = view.state.account(account)?;
        let seed = self.seed(account, account.mfa_device(serial_number)?).ok()?;
        seed.consecutive(&Code::parse(first)?, &Code::parse(second)?, self.now())
    }

    fn seed(&self, account: &Account, device: &MfaDevice) -> Result<TotpSeed, ServiceError> {
        Ok(self.account_key(account.id, &account.key)?.totp_seed(&device.id))
    }

    /// The proof of a code that came with a request; none if none came. A wrong code is written down, as
    /// the decisions on later ones count it.
    pub(super) async fn mfa_proof(
        &self,
        info: &RequestInfo,
        token: &str,
        (serial_number, code): (Option<&str>, Option<&str>),
    ) -> Result<Option<MfaProof>, ServiceError> {
        let principal = &info.caller.principal;
        let shown = serial_number.unwrap_or_default();
        let refuse = |message| ServiceError::from(refused(principal, shown, message));
        let (serial, code) = match (serial_number, code) {
            (None, None) => return Ok(None),
            (Some(serial), Some(code)) => (serial, code),
            _ => return Err(refuse(BOTH_NEEDED)),
        };
        let view = self.view();
        let own = principal.account().and_then(|id| view.state.account(id));
        let serial_number = serial.parse::<Arn>().ok();
        let device = own.zip(serial_number.as_ref());
        let device = device.and_then(|(account, serial)| account.mfa_device(serial));
        let owner = mfa_owner(principal);
        let device = device.filter(|device| owner.is_some() && device.owner == owner);
        let (Some(account), Some(serial_number), Some(device)) = (own, serial_number, device)
        else {
            return Err(refuse(DEVICE_REFUSED));
        };
        let seed = self.seed(account, device)?;
        let step = Code::parse(code).and_then(|code| seed.step_of(&code, self.now(), device.drift));
        if let Some(step) = step {
            return Ok(Some(MfaProof { serial_number, step }));
        }
        if self.answered_before(info, token) {
            // The writer answers from the log and looks at no proof.
            return Ok(None);
        }
        let action = Action::Mfa(MfaAction::RefuseCode { serial_number });
        self.perform(info, "", account.id, action).await?;
        Err(refuse(CODE_REFUSED))
    }
}

/// A device and whose it is or is to be.
#[derive(Clone, Debug)]
pub struct MfaDeviceOf {
    /// The account of both.
    pub account: AccountId,
    /// The device's ARN.
    pub serial_number: Arn,
    /// The owner.
    pub owner: KeyOwner,
}

/// The key URI of authenticator apps (github.com/google/google-authenticator, wiki, "Key Uri Format").
fn uri(account: AccountId, device: &MfaDevice, seed: &Secret) -> Secret {
    // Of the characters of a name these mean something in a URI.
    let name = device.name.as_str().replace('+', "%2B").replace('=', "%3D").replace(',', "%2C");
    let label = format!("Locum:{name}@{account}");
    Secret::new(format!("otpauth://totp/{label}?secret={}&issuer=Locum", seed.expose()))
}
