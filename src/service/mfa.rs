//! The codes that come with requests. Seeds are derived here and codes compared; whose a device is, and whether a code
//! was used before, is decided where the use is written.

use super::{RequestInfo, Service, ServiceError};
use crate::domain::command::Action;
use crate::domain::decide::{CODE_REFUSED, DEVICE_REFUSED, mfa_owner, refused};
use crate::domain::mfa::{MfaAction, MfaDevice};
use crate::domain::session::MfaProof;
use crate::domain::state::Account;
use crate::identity::{AccountId, Arn};
use crate::signing::{Code, ConsecutiveCodes, TotpSeed};

/// What is told when one of serial number and code is missing.
const BOTH_NEEDED: &str = "MultiFactorAuthentication failed, must provide both MFA serial number and one \
                           time pass code.";

impl Service {
    /// Two codes of a device in a row, if they are that.
    pub(super) fn consecutive(
        &self,
        account: AccountId,
        serial_number: &Arn,
        [first, second]: &[Code; 2],
    ) -> Option<ConsecutiveCodes> {
        let view = self.view();
        let account = view.state.account(account)?;
        let seed = self.seed(account, account.mfa_device(serial_number)?).ok()?;
        seed.consecutive(first, second, self.now())
    }

    pub(super) fn seed(
        &self,
        account: &Account,
        device: &MfaDevice,
    ) -> Result<TotpSeed, ServiceError> {
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
