//! Who: accounts, names, ids, ARNs and principals as types that hold only legal values.
//! No I/O, clock or randomness; depends on nothing else in the crate.
//!
//! Limits follow "IAM and AWS STS quotas" (IAM User Guide, reference_iam-quotas); id prefixes follow
//! "IAM identifiers" (reference_identifiers).

mod arn;
mod id;
mod issuer;
mod packed;
mod principal;
mod subject;
mod tag;
mod text;

pub use arn::Arn;
pub use id::{
    AccessKeyId, AccountAlias, AccountId, AgentName, AssociationId, GroupName, InstanceId, Invalid,
    MfaDeviceName, Path, PolicyName, ProfileName, RoleName, SessionName, SourceIdentity, UniqueId,
    UserName, base32_bytes, base32_id, hex_id,
};
pub use issuer::IssuerUrl;
pub use packed::{PackedAccountId, PackedAssociationId, PackedInstanceId, PackedKeyId};
pub use principal::{Principal, RoleDelivery};
pub use subject::{Federator, Subject, WebIdentity};
pub use tag::{TagKey, TagValue};
pub use text::{Description, MaxSession, PlainText};
