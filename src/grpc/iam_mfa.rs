//! Virtual MFA devices.

use std::sync::Arc;

use tonic::Status;

use super::iam_entities::tags;
use super::{Front, convert, field, optional, page};
use crate::domain::command::Action;
use crate::domain::event::KeyOwner;
use crate::domain::mfa::{MfaAction, MfaDevice};
use crate::domain::state::Account;
use crate::identity::Arn;
use crate::proto::v1;
use crate::proto::v1::*;
use crate::sts::{AskedMfaDevice, MfaDeviceOf, RequestInfo};

impl Front {
    pub(super) async fn iam_create_virtual_mfa_device(
        &self,
        info: &RequestInfo,
        request: CreateVirtualMfaDeviceRequest,
    ) -> Result<CreateVirtualMfaDeviceResponse, Status> {
        let name = field("virtual_mfa_device_name", &request.virtual_mfa_device_name)?;
        let path = optional("path", &request.path)?.unwrap_or_default();
        let (account, token) = (Self::account_of(info)?, &request.idempotency_token);
        let asked = AskedMfaDevice { name, path, tags: tags(&request.tags)? };
        let made = self.service.create_mfa_device(info, token, account, asked).await;
        let made = Self::drawn(info, made)?;
        let account = self.own_account(info)?;
        Ok(CreateVirtualMfaDeviceResponse {
            device: Some(shown(&account, &made.device)),
            base32_string_seed: made.seed.expose().to_owned(),
            otpauth_uri: made.uri.expose().to_owned(),
            sequence: made.sequence,
        })
    }

    pub(super) async fn iam_enable_mfa_device(
        &self,
        info: &RequestInfo,
        request: EnableMfaDeviceRequest,
    ) -> Result<EnableMfaDeviceResponse, Status> {
        let of = self.device_of(info, &request.user_name, &request.serial_number)?;
        let codes = [&request.authentication_code1, &request.authentication_code2];
        let codes = codes.map(String::as_str);
        let token = &request.idempotency_token;
        let enabled = self.service.enable_mfa_device(info, token, of, codes).await;
        Ok(EnableMfaDeviceResponse { sequence: Self::drawn(info, enabled)?.sequence })
    }

    pub(super) async fn iam_resync_mfa_device(
        &self,
        info: &RequestInfo,
        request: ResyncMfaDeviceRequest,
    ) -> Result<ResyncMfaDeviceResponse, Status> {
        let of = self.device_of(info, &request.user_name, &request.serial_number)?;
        let codes = [&request.authentication_code1, &request.authentication_code2];
        let codes = codes.map(String::as_str);
        let token = &request.idempotency_token;
        let resynced = self.service.resync_mfa_device(info, token, of, codes).await;
        Ok(ResyncMfaDeviceResponse { sequence: Self::drawn(info, resynced)?.sequence })
    }

    pub(super) async fn iam_deactivate_mfa_device(
        &self,
        info: &RequestInfo,
        request: DeactivateMfaDeviceRequest,
    ) -> Result<DeactivateMfaDeviceResponse, Status> {
        let of = self.device_of(info, &request.user_name, &request.serial_number)?;
        let MfaDeviceOf { serial_number, owner, .. } = of;
        let action = Action::Mfa(MfaAction::Deactivate { serial_number, owner });
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeactivateMfaDeviceResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_delete_virtual_mfa_device(
        &self,
        info: &RequestInfo,
        request: DeleteVirtualMfaDeviceRequest,
    ) -> Result<DeleteVirtualMfaDeviceResponse, Status> {
        let serial_number = field("serial_number", &request.serial_number)?;
        let action = Action::Mfa(MfaAction::Delete { serial_number });
        let receipt = self.perform(info, &request.idempotency_token, action).await?;
        Ok(DeleteVirtualMfaDeviceResponse { sequence: receipt.sequence })
    }

    pub(super) async fn iam_list_mfa_devices(
        &self,
        info: &RequestInfo,
        request: ListMfaDevicesRequest,
    ) -> Result<ListMfaDevicesResponse, Status> {
        let owner = self.key_owner(info, &request.user_name)?;
        let resource = self.key_owner_arn(info, &owner)?;
        let (view, account) =
            self.read(info, request.min_sequence, "iam:ListMFADevices", resource.as_str()).await?;
        let devices = account.mfa_devices_of(&owner).map(|device| shown(&account, device));
        Ok(ListMfaDevicesResponse { devices: devices.collect(), sequence: view.sequence })
    }

    pub(super) async fn iam_list_virtual_mfa_devices(
        &self,
        info: &RequestInfo,
        request: ListVirtualMfaDevicesRequest,
    ) -> Result<ListVirtualMfaDevicesResponse, Status> {
        let action = "iam:ListVirtualMFADevices";
        let (view, account) = self.read(info, request.min_sequence, action, "*").await?;
        let key = |device: &&Arc<MfaDevice>| device.name.as_str().to_ascii_lowercase();
        let devices = account.mfa_devices.values();
        let (found, next_page_token) = page(devices, key, request.page_size, &request.page_token)?;
        let devices = found.into_iter().map(|device| shown(&account, device)).collect();
        Ok(ListVirtualMfaDevicesResponse { devices, next_page_token, sequence: view.sequence })
    }

    fn device_of(
        &self,
        info: &RequestInfo,
        user_name: &str,
        serial_number: &str,
    ) -> Result<MfaDeviceOf, Status> {
        let serial_number: Arn = field("serial_number", serial_number)?;
        let (account, owner) = (Self::account_of(info)?, self.key_owner(info, user_name)?);
        Ok(MfaDeviceOf { account, serial_number, owner })
    }
}

fn shown(account: &Account, device: &MfaDevice) -> v1::MfaDevice {
    v1::MfaDevice {
        serial_number: device.serial_number(account.id).to_string(),
        virtual_mfa_device_name: device.name.to_string(),
        created_at: convert::time(device.created_at),
        assigned: device.owner.is_some(),
        user_name: match &device.owner {
            Some(KeyOwner::User(name)) => name.to_string(),
            _ => String::new(),
        },
        enabled_at: device.enabled_at.and_then(convert::time),
        tags: convert::tags(&device.tags),
    }
}
