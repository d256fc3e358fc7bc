//! What one instance's metadata answers are made of: an immutable picture, replaced as a whole, so that
//! no answer mixes two generations of an association.
//!
//! Secrets are wiped on drop and never shown by `Debug`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::identity::{AccessKeyId, AccountId, Arn, InstanceId, RoleName, UniqueId};

/// Text that must not be seen: wiped on drop, redacted in `Debug`, without `Display`.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Keeps `text` from now on.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one answer that carries it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

/// The metadata of one instance at one moment.
#[derive(Clone, Debug)]
pub struct InstanceView {
    /// The account that owns the instance.
    pub account: AccountId,
    /// The instance; tokens are bound to it.
    pub instance_id: InstanceId,
    /// The machine image.
    pub image_id: Arc<str>,
    /// The instance type.
    pub instance_type: Arc<str>,
    /// The region.
    pub region: Arc<str>,
    /// The availability zone.
    pub zone: Arc<str>,
    /// The address inside its network.
    pub private_ip: Option<IpAddr>,
    /// When the instance was launched.
    pub launched_at: Timestamp,
    /// Tags; served under `tags/instance/` when there are any.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
    /// Whether requests without a token are refused.
    pub http_tokens_required: bool,
    /// Counts changes of the association; repeated in the answers' headers.
    pub generation: u64,
    /// The log sequence that this picture was taken at.
    pub sequence: u64,
    /// The associated instance profile.
    pub profile: Option<ProfileView>,
    /// The role in the profile.
    pub role_name: Option<RoleName>,
    /// What `iam/security-credentials/<role>` tells.
    pub credentials: CredentialsView,
    /// When the profile or the credentials last changed.
    pub last_updated: Timestamp,
}

/// The instance profile as `iam/info` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileView {
    /// `arn:aws:iam::A:instance-profile/N`
    pub arn: Arn,
    /// `AIPA...`
    pub id: UniqueId,
}

/// The credentials of the instance's role, or why there are none.
#[derive(Clone, Debug, Default)]
pub enum CredentialsView {
    /// A set that can be used.
    Success {
        /// `ASIA...`
        access_key_id: AccessKeyId,
        /// The secret access key.
        secret: SecretText,
        /// The session token.
        token: SecretText,
        /// When the set was issued.
        issued_at: Timestamp,
        /// When the set ends.
        expires_at: Timestamp,
    },
    /// The role could not be assumed: served as a document with status 200, as EC2 does.
    Failure {
        /// An AWS code such as `AssumeRoleUnauthorizedAccess`.
        code: Arc<str>,
        /// The message to the operator.
        message: Arc<str>,
        /// When it was found out.
        at: Timestamp,
    },
    /// No role, or its first set is not here yet.
    #[default]
    None,
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", fixture::view());
        assert!(shown.contains("<redacted>"));
        assert!(!shown.contains(fixture::SECRET), "{shown}");
        assert!(!shown.contains(fixture::TOKEN), "{shown}");
        let debug = format!("{:#?}", SecretText::new("hunter2".to_owned()));
        assert_eq!(debug, "<redacted>");
    }
}
