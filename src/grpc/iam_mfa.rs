//! Virtual MFA devices.

use std::sync::Arc;

use super::iam_entities::tags;
use super::iam_users::holder;
use super::{Front, convert, field, optional, page};
use crate::domain::event::KeyOwner;
use crate::domain::mfa::MfaDevice;
use crate::domain::state::Account;
use crate::proto::v1;
use crate::proto::v1::{
    CreateVirtualMfaDeviceRequest, CreateVirtualMfaDeviceResponse, DeactivateMfaDeviceRequest,
    DeactivateMfaDeviceResponse, DeleteVirtualMfaDeviceRequest, DeleteVirtualMfaDeviceResponse,
    EnableMfaDeviceRequest, EnableMfaDeviceResponse, ListMfaDevicesRequest, ListMfaDevicesResponse,
    ListVirtualMfaDevicesRequest, ListVirtualMfaDevicesResponse, ResyncMfaDeviceRequest,
    ResyncMfaDeviceResponse,
};
use crate::service::{NewMfaDevice, RequestInfo, ServiceError};

impl Front {
    pub(super) async fn iam_create_virtual_mfa_device(
        &self,
        info: &RequestInfo,
        request: CreateVirtualMfaDeviceRequest,
    ) -> Result<CreateVirtualMfaDeviceResponse, ServiceError> {
        let asked = NewMfaDevice {
            name: field("virtual_mfa_device_name", &request.virtual_mfa_device_name)?,
            path: optional("path", &request.path)?.unwrap_or_default(),
            tags: tags(&request.tags)?,
        };
        let made = self.service.create_mfa_device(info, &request.idempotency_token, asked).await?;
        Ok(CreateVirtualMfaDeviceResponse {
            device: Some(shown(&made.account, &made.device)),
            base32_string_seed: made.seed.expose().to_owned(),
            otpauth_uri: made.uri.expose().to_owned(),
            sequence: made.sequence,
        })
    }

    pub(super) async fn iam_enable_mfa_device(
        &self,
        info: &RequestInfo,
        request: EnableMfaDeviceRequest,
    ) -> Result<EnableMfaDeviceResponse, ServiceError> {
        let (serial, holder) =
            (field("serial_number", &request.serial_number)?, holder(&request.user_name)?);
        let codes = [&request.authentication_code1, &request.authentication_code2];
        let (codes, token) = (codes.map(String::as_str), &request.idempotency_token);
        let done = self.service.enable_mfa_device(info, token, serial, &holder, codes).await?;
        Ok(EnableMfaDeviceResponse { sequence: done.sequence })
    }

    pub(super) async fn iam_resync_mfa_device(
        &self,
        info: &RequestInfo,
        request: ResyncMfaDeviceRequest,
    ) -> Result<ResyncMfaDeviceResponse, ServiceError> {
        let (serial, holder) =
            (field("serial_number", &request.serial_number)?, holder(&request.user_name)?);
        let codes = [&request.authentication_code1, &request.authentication_code2];
        let (codes, token) = (codes.map(String::as_str), &request.idempotency_token);
        let done = self.service.resync_mfa_device(info, token, serial, &holder, codes).await?;
        Ok(ResyncMfaDeviceResponse { sequence: done.sequence })
    }

    pub(super) async fn iam_deactivate_mfa_device(
        &self,
        info: &RequestInfo,
        request: DeactivateMfaDeviceRequest,
    ) -> Result<DeactivateMfaDeviceResponse, ServiceError> {
        let (serial, holder) =
            (field("serial_number", &request.serial_number)?, holder(&request.user_name)?);
        let token = &request.idempotency_token;
        let done = self.service.deactivate_mfa_device(info, token, serial, &holder).await?;
        Ok(DeactivateMfaDeviceResponse { sequence: done.sequence })
    }

    pub(super) async fn iam_delete_virtual_mfa_device(
        &self,
        info: &RequestInfo,
        request: DeleteVirtualMfaDeviceRequest,
    ) -> Result<DeleteVirtualMfaDeviceResponse, ServiceError> {
        let serial = field("serial_number", &request.serial_number)?;
        let done = self.service.delete_mfa_device(info, &request.idempotency_token, serial).await?;
        Ok(DeleteVirtualMfaDeviceResponse { sequence: done.sequence })
    }

    pub(super) async fn iam_list_mfa_devices(
        &self,
        info: &RequestInfo,
        request: ListMfaDevicesRequest,
    ) -> Result<ListMfaDevicesResponse, ServiceError> {
        let holder = holder(&request.user_name)?;
        let of = self.service.list_mfa_devices(info, request.min_sequence, &holder).await?;
        let account = &of.reading.account;
        let devices = account.mfa_devices_of(&of.owner).map(|device| shown(account, device));
        let (devices, sequence) = (devices.collect(), of.reading.view.sequence);
        Ok(ListMfaDevicesResponse { devices, sequence })
    }

    pub(super) async fn iam_list_virtual_mfa_devices(
        &self,
        info: &RequestInfo,
        request: ListVirtualMfaDevicesRequest,
    ) -> Result<ListVirtualMfaDevicesResponse, ServiceError> {
        let read = self.service.list_virtual_mfa_devices(info, request.min_sequence).await?;
        let key = |device: &&Arc<MfaDevice>| device.name.as_str().to_ascii_lowercase();
        let devices = read.account.mfa_devices.values();
        let (found, next_page_token) = page(devices, key, request.page_size, &request.page_token)?;
        let devices = found.into_iter().map(|device| shown(&read.account, device)).collect();
        let sequence = read.view.sequence;
        Ok(ListVirtualMfaDevicesResponse { devices, next_page_token, sequence })
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
            Some(KeyOwner::Root | KeyOwner::Instance(_) | KeyOwner::Agent(_)) | None => {
                String::new()
            }
        },
        enabled_at: device.enabled_at.and_then(convert::time),
        tags: convert::tags(&device.tags),
    }
}
