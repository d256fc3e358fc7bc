//! One instance for this module's tests, with a profile, a role and credentials.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::view::{CredentialsView, InstanceView, ProfileView, SecretText};
use crate::clock::Timestamp;
use crate::identity::{AccessKeyId, AccountId, Arn, InstanceId, RoleName, UniqueId};

pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(super) const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLESESSIONTOKEN==";

/// 2026-11-24T04:08:00Z
pub(super) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_795_493_280)
}

pub(super) fn view() -> InstanceView {
    let text = |t: &str| -> Arc<str> { Arc::from(t) };
    InstanceView {
        account: AccountId::new(111_111_111_111).unwrap(),
        instance_id: InstanceId::parse("i-0123456789abcdef0").unwrap(),
        image_id: text("ami-0abcdef1234567890"),
        instance_type: text("t3.micro"),
        region: text("us-east-1"),
        zone: text("us-east-1a"),
        private_ip: Some("10.0.0.7".parse().unwrap()),
        launched_at: now().minus(Duration::from_secs(3600)),
        tags: BTreeMap::from([
            (text("Name"), text("web")),
            (text("team/owner"), text("pics")),
            (text("empty"), text("")),
        ]),
        http_tokens_required: false,
        generation: 3,
        sequence: 41,
        profile: Some(ProfileView {
            arn: Arn::parse("arn:aws:iam::111111111111:instance-profile/Get-pics").unwrap(),
            id: UniqueId::parse("AIPA7777777777777777").unwrap(),
        }),
        role_name: Some(RoleName::parse("Get-pics").unwrap()),
        credentials: CredentialsView::Success {
            access_key_id: AccessKeyId::parse("ASIA7777777777777777").unwrap(),
            secret: SecretText::new(SECRET.to_owned()),
            token: SecretText::new(TOKEN.to_owned()),
            issued_at: now(),
            expires_at: now().plus(Duration::from_secs(6 * 3600)),
        },
        last_updated: now(),
    }
}

/// The same instance without a profile.
pub(super) fn bare() -> InstanceView {
    InstanceView {
        profile: None,
        role_name: None,
        credentials: CredentialsView::None,
        tags: BTreeMap::new(),
        private_ip: None,
        ..view()
    }
}
