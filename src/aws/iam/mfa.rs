//! Virtual MFA devices. Source: IAM User Guide, id_credentials_mfa_enable_virtual.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::keys::holder;
use super::shown::Tag;
use super::tags::{self, GivenTag, owner_tags};
use super::users::UserOrRoot;
use super::{MARKER_CHARS_MAX, qr};
use crate::aws::call::Call;
use crate::aws::fault::Fault;
use crate::aws::page::{PAGE_MAX, page};
use crate::aws::shape::Rule::{self, Items, Length, Value};
use crate::aws::shape::{request, words};
use crate::aws::xml::Time;
use crate::domain::event::KeyOwner;
use crate::domain::mfa::MfaDevice;
use crate::domain::rejection::Rejection;
use crate::domain::state::Account;
use crate::identity::{Arn, MfaDeviceName, Path, UserName};
use crate::service::NewMfaDevice;

/// The pattern of serial numbers.
const SERIAL: Rule =
    Rule::Pattern("[\\w+=/:,.@-]+", |c| c.is_ascii_alphanumeric() || "_+=/:,.@-".contains(c));
/// The pattern of codes.
const DIGITS: Rule = Rule::Pattern("[\\d]+", |c| c.is_ascii_digit());

owner_tags!(MfaDevice, Arn, "SerialNumber");

request! {
    /// Source: IAM API Reference, CreateVirtualMFADevice.
    CreateDevice {
        name: MfaDeviceName = "VirtualMFADeviceName",
        path: Option<Path> = "Path",
        tags: Vec<GivenTag> = "Tags" [Items(0, 50)],
    }
    /// Source: IAM API Reference, DeleteVirtualMFADevice.
    DeleteDevice {
        serial_number: String = "SerialNumber" [Length(9, 256), SERIAL],
    }
    /// Source: IAM API Reference, EnableMFADevice and ResyncMFADevice.
    DeviceCodes {
        user_name: UserName = "UserName",
        serial_number: String = "SerialNumber" [Length(9, 256), SERIAL],
        first: String = "AuthenticationCode1" [Length(6, 6), DIGITS],
        second: String = "AuthenticationCode2" [Length(6, 6), DIGITS],
    }
    /// Source: IAM API Reference, DeactivateMFADevice and GetMFADevice.
    DeviceOfUser {
        user_name: Option<UserName> = "UserName",
        serial_number: String = "SerialNumber" [Length(9, 256), SERIAL],
    }
    /// Source: IAM API Reference, ListMFADevices.
    ListDevices {
        user_name: Option<UserName> = "UserName",
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
    /// Source: IAM API Reference, ListVirtualMFADevices.
    ListVirtualDevices {
        status: Option<Status> = "AssignmentStatus",
        marker: Option<String> = "Marker" [Length(1, MARKER_CHARS_MAX)],
        max_items: Option<u32> = "MaxItems" [Value(1, PAGE_MAX)],
    }
}

words! {
    /// Which devices a list shows.
    Status {
        Assigned = "Assigned",
        Unassigned = "Unassigned",
        Any = "Any",
    }
}

/// The result of CreateVirtualMFADevice.
#[derive(Serialize)]
pub(super) struct CreatedDevice {
    #[serde(rename = "VirtualMFADevice")]
    device: NewDevice,
}

#[derive(Serialize)]
struct NewDevice {
    #[serde(rename = "SerialNumber")]
    serial_number: String,
    /// The Base32 text, in Base64 as all bytes are.
    #[serde(rename = "Base32StringSeed")]
    seed: String,
    #[serde(rename = "QRCodePNG")]
    qr_code: String,
    #[serde(rename = "Tags")]
    tags: Option<Vec<Tag>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Device {
    user_name: String,
    serial_number: String,
    enable_date: Option<Time>,
}

/// The result of GetMFADevice.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GotDevice {
    user_name: Option<String>,
    serial_number: String,
    enable_date: Option<Time>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VirtualDevice {
    serial_number: String,
    user: Option<UserOrRoot>,
    enable_date: Option<Time>,
}

/// The result of ListMFADevices.
#[derive(Serialize)]
pub(super) struct Devices {
    #[serde(rename = "MFADevices")]
    devices: Vec<Device>,
    #[serde(rename = "IsTruncated")]
    is_truncated: bool,
    #[serde(rename = "Marker")]
    marker: Option<String>,
}

/// The result of ListVirtualMFADevices.
#[derive(Serialize)]
pub(super) struct VirtualDevices {
    #[serde(rename = "VirtualMFADevices")]
    devices: Vec<VirtualDevice>,
    #[serde(rename = "IsTruncated")]
    is_truncated: bool,
    #[serde(rename = "Marker")]
    marker: Option<String>,
}

/// The serial number of a virtual device; there are no others here.
fn serial(text: &str) -> Result<Arn, Fault> {
    text.parse().map_err(|_| Rejection::missing("MFA device", text).into())
}

pub(super) async fn create(call: &Call<'_>, request: CreateDevice) -> Result<CreatedDevice, Fault> {
    let asked = NewMfaDevice {
        name: request.name,
        path: request.path.unwrap_or_default(),
        tags: tags::given(request.tags)?,
    };
    let made = call.service.create_mfa_device(call.info, "", asked).await?;
    let image = qr::png(made.uri.expose()).map_err(|error| Fault::internal(&error))?;
    Ok(CreatedDevice {
        device: NewDevice {
            serial_number: made.device.serial_number(made.account.id).to_string(),
            seed: STANDARD.encode(made.seed.expose()),
            qr_code: STANDARD.encode(image),
            tags: Tag::some(&made.device.tags),
        },
    })
}

pub(super) async fn delete(call: &Call<'_>, request: DeleteDevice) -> Result<(), Fault> {
    call.service.delete_mfa_device(call.info, "", serial(&request.serial_number)?).await?;
    Ok(())
}

pub(super) async fn enable(call: &Call<'_>, request: DeviceCodes) -> Result<(), Fault> {
    let (serial, holder) = (serial(&request.serial_number)?, holder(Some(request.user_name)));
    let codes = [request.first.as_str(), request.second.as_str()];
    call.service.enable_mfa_device(call.info, "", serial, &holder, codes).await?;
    Ok(())
}

pub(super) async fn resync(call: &Call<'_>, request: DeviceCodes) -> Result<(), Fault> {
    let (serial, holder) = (serial(&request.serial_number)?, holder(Some(request.user_name)));
    let codes = [request.first.as_str(), request.second.as_str()];
    call.service.resync_mfa_device(call.info, "", serial, &holder, codes).await?;
    Ok(())
}

pub(super) async fn deactivate(call: &Call<'_>, request: DeviceOfUser) -> Result<(), Fault> {
    let (serial, holder) = (serial(&request.serial_number)?, holder(request.user_name));
    call.service.deactivate_mfa_device(call.info, "", serial, &holder).await?;
    Ok(())
}

pub(super) async fn get(call: &Call<'_>, request: DeviceOfUser) -> Result<GotDevice, Fault> {
    let (serial, holder) = (serial(&request.serial_number)?, holder(request.user_name));
    let found = call.service.mfa_device(call.info, 0, &serial, &holder).await?;
    Ok(GotDevice {
        user_name: match &found.entity.owner {
            Some(KeyOwner::User(name)) => Some(name.to_string()),
            _ => None,
        },
        serial_number: serial.to_string(),
        enable_date: found.entity.enabled_at.map(Time),
    })
}

pub(super) async fn list(call: &Call<'_>, request: ListDevices) -> Result<Devices, Fault> {
    let of = call.service.list_mfa_devices(call.info, 0, &holder(request.user_name)).await?;
    let (account, owner) = (of.reading.account, of.owner);
    let devices = account.mfa_devices.iter();
    let devices = devices.filter(|(_, device)| device.owner.as_ref() == Some(&owner));
    let marker = request.marker.as_deref();
    let listed = page(call.action, devices, |(key, _)| key, request.max_items, marker)?;
    let user_name = match &owner {
        KeyOwner::User(name) => name.to_string(),
        // The name by which AWS shows it.
        _ => "root".to_owned(),
    };
    let shown = listed.entries.into_iter().map(|(_, device)| Device {
        user_name: user_name.clone(),
        serial_number: device.serial_number(account.id).to_string(),
        enable_date: device.enabled_at.map(Time),
    });
    Ok(Devices {
        devices: shown.collect(),
        is_truncated: listed.next.is_some(),
        marker: listed.next,
    })
}

pub(super) async fn list_virtual(
    call: &Call<'_>,
    request: ListVirtualDevices,
) -> Result<VirtualDevices, Fault> {
    let account = call.service.list_virtual_mfa_devices(call.info, 0).await?.account;
    let status = request.status.unwrap_or(Status::Any);
    let devices = account.mfa_devices.iter().filter(|(_, device)| match status {
        Status::Assigned => device.owner.is_some(),
        Status::Unassigned => device.owner.is_none(),
        Status::Any => true,
    });
    let marker = request.marker.as_deref();
    let listed = page(call.action, devices, |(key, _)| key, request.max_items, marker)?;
    let shown = listed.entries.into_iter().map(|(_, device)| shown(&account, device));
    Ok(VirtualDevices {
        devices: shown.collect(),
        is_truncated: listed.next.is_some(),
        marker: listed.next,
    })
}

fn shown(account: &Account, device: &MfaDevice) -> VirtualDevice {
    VirtualDevice {
        serial_number: device.serial_number(account.id).to_string(),
        user: device.owner.as_ref().and_then(|owner| UserOrRoot::of(account, owner)),
        enable_date: device.enabled_at.map(Time),
    }
}
