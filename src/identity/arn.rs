//! Amazon Resource Names: `arn:partition:service:region:account:resource`.
//! Source: IAM User Guide, reference_identifiers ("IAM ARNs").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::id::Invalid;
use super::{
    AccountId, AgentName, GroupName, InstanceId, IssuerUrl, MfaDeviceName, Path, PolicyName,
    ProfileName, RoleName, SessionName, UserName,
};

/// The longest ARN that any API takes, in characters.
const ARN_CHARS_MAX: usize = 2048;

/// What stands before the account in an ARN of IAM.
const BEFORE_ACCOUNT: &str = "arn:aws:iam::";

/// What stands behind it.
fn behind_account<'a>(kind: &'a str, path: &'a Path, name: &'a str) -> [&'a str; 4] {
    [":", kind, path.as_str(), name]
}

/// A name of a resource or principal. Keeps the text and where its six parts begin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn(Arc<str>);

impl Arn {
    /// Reads an ARN of six colon-separated parts that begins with `arn:`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid =
            || Invalid::new("arn", "must be arn:partition:service:region:account:resource");
        if text.len() > ARN_CHARS_MAX {
            return Err(invalid());
        }
        let mut parts = text.splitn(6, ':');
        let begins = parts.next() == Some("arn");
        let partition = parts.next().is_some_and(|p| !p.is_empty());
        let service = parts.next().is_some_and(|s| !s.is_empty());
        let resource = parts.nth(2).is_some_and(|r| !r.is_empty());
        if begins && partition && service && resource {
            Ok(Self(Arc::from(text)))
        } else {
            Err(invalid())
        }
    }

    fn iam(account: AccountId, kind: &str, path: &Path, name: &str) -> Self {
        Self::of(&[BEFORE_ACCOUNT], account, &behind_account(kind, path, name))
    }

    /// An ARN of what stands before the account, the account, and what stands behind it. Joined by hand:
    /// some are made for every request.
    fn of(before: &[&str], account: AccountId, behind: &[&str]) -> Self {
        let digits = account.digits();
        let account = std::str::from_utf8(&digits).unwrap_or_default();
        let parts = || before.iter().chain([&account]).chain(behind);
        let mut text = String::with_capacity(parts().map(|part| part.len()).sum());
        parts().for_each(|part| text.push_str(part));
        Self(Arc::from(text))
    }

    /// `arn:aws:iam::A:root`
    #[must_use]
    pub fn root(account: AccountId) -> Self {
        Self::of(&[BEFORE_ACCOUNT], account, &[":root"])
    }

    /// `arn:aws:iam::A:user/path/NAME`
    #[must_use]
    pub fn user(account: AccountId, path: &Path, name: &UserName) -> Self {
        Self::iam(account, "user", path, name.as_str())
    }

    /// `arn:aws:iam::A:group/path/NAME`
    #[must_use]
    pub fn group(account: AccountId, path: &Path, name: &GroupName) -> Self {
        Self::iam(account, "group", path, name.as_str())
    }

    /// `arn:aws:iam::A:role/path/NAME`
    #[must_use]
    pub fn role(account: AccountId, path: &Path, name: &RoleName) -> Self {
        Self::iam(account, "role", path, name.as_str())
    }

    /// Whether `text` is the ARN of this role.
    pub(crate) fn is_role(text: &str, account: AccountId, path: &Path, name: &RoleName) -> bool {
        let rest = text.strip_prefix(BEFORE_ACCOUNT);
        let rest = rest.and_then(|rest| rest.as_bytes().strip_prefix(&account.digits()));
        let mut behind = behind_account("role", path, name.as_str()).into_iter();
        let rest = rest.and_then(|rest| {
            behind.try_fold(rest, |rest, part| rest.strip_prefix(part.as_bytes()))
        });
        rest == Some(b"")
    }

    /// `arn:aws:iam::A:instance-profile/path/NAME`
    #[must_use]
    pub fn profile(account: AccountId, path: &Path, name: &ProfileName) -> Self {
        Self::iam(account, "instance-profile", path, name.as_str())
    }

    /// `arn:aws:iam::A:policy/path/NAME`
    #[must_use]
    pub fn policy(account: AccountId, path: &Path, name: &PolicyName) -> Self {
        Self::iam(account, "policy", path, name.as_str())
    }

    /// `arn:aws:iam::aws:policy/path/NAME`, a policy that AWS manages.
    #[must_use]
    pub fn aws_policy(path: &Path, name: &PolicyName) -> Self {
        Self(Arc::from(format!("arn:aws:iam::aws:policy{path}{name}")))
    }

    /// `arn:aws:iam::A:mfa/path/NAME`, the serial number of a virtual MFA device.
    #[must_use]
    pub fn mfa_device(account: AccountId, path: &Path, name: &MfaDeviceName) -> Self {
        Self::iam(account, "mfa", path, name.as_str())
    }

    /// `arn:aws:iam::A:oidc-provider/HOST/PATH`
    #[must_use]
    pub fn oidc_provider(account: AccountId, issuer: &IssuerUrl) -> Self {
        let issuer = issuer.without_scheme();
        Self(Arc::from(format!("arn:aws:iam::{account}:oidc-provider/{issuer}")))
    }

    /// `arn:aws:sts::A:assumed-role/ROLE/SESSION`; the role's path is left out, as AWS does.
    #[must_use]
    pub fn assumed_role(account: AccountId, role: &RoleName, session: &SessionName) -> Self {
        let (role, session) = (role.as_str(), session.as_str());
        Self::of(&["arn:aws:sts::"], account, &[":assumed-role/", role, "/", session])
    }

    /// `arn:aws:ec2:REGION:A:instance/i-...`
    #[must_use]
    pub fn instance(region: &str, account: AccountId, id: &InstanceId) -> Self {
        Self::of(&["arn:aws:ec2:", region, ":"], account, &[":instance/", id.as_str()])
    }

    /// `arn:aws:locum::A:agent/NAME`, the identity of a host agent.
    #[must_use]
    pub fn agent(account: AccountId, name: &AgentName) -> Self {
        Self(Arc::from(format!("arn:aws:locum::{account}:agent/{name}")))
    }

    fn part(&self, index: usize) -> &str {
        self.0.splitn(6, ':').nth(index).unwrap_or_default()
    }

    /// `aws`
    #[must_use]
    pub fn partition(&self) -> &str {
        self.part(1)
    }

    /// `iam`, `s3`, ...
    #[must_use]
    pub fn service(&self) -> &str {
        self.part(2)
    }

    /// The region, empty for global services.
    #[must_use]
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The account's part as written; empty for S3 buckets.
    #[must_use]
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// Everything after the account.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.part(5)
    }

    /// The account's part as an id, where it is one.
    #[must_use]
    pub fn account_id(&self) -> Option<AccountId> {
        AccountId::parse(self.account()).ok()
    }

    /// The last segment of the resource: the name in `role/path/NAME`.
    #[must_use]
    pub fn resource_name(&self) -> &str {
        self.resource().rsplit('/').next().unwrap_or_default()
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Arn> for Arc<str> {
    fn from(arn: Arn) -> Self {
        arn.0
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Arn {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for Arn {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_split_at_the_first_five_colons() {
        let arn = Arn::parse("arn:aws:iam::111111111111:role/a/b/Get-pics").unwrap();
        assert_eq!(arn.service(), "iam");
        assert_eq!(arn.account_id(), AccountId::new(111_111_111_111));
        assert_eq!(arn.resource(), "role/a/b/Get-pics");
        assert_eq!(arn.resource_name(), "Get-pics");
        let log = Arn::parse("arn:aws:logs:eu-1:1:group:x:y").unwrap();
        assert_eq!(log.resource(), "group:x:y");
    }

    /// Protects roles: an ARN is the one role's whose account, path and name it has, as a whole.
    #[test]
    fn a_role_is_known_by_its_whole_arn() {
        let account = AccountId::parse("111111111111").unwrap();
        let (path, name): (Path, RoleName) = ("/a/b/".parse().unwrap(), "x".parse().unwrap());
        let own = Arn::role(account, &path, &name);
        assert!(Arn::is_role(own.as_str(), account, &path, &name));
        for other in ["role/a/b/xx", "role/a/x", "role/x", "role/a/b/", "user/a/b/x", "role/a/b/X"]
        {
            let other = format!("arn:aws:iam::111111111111:{other}");
            assert!(!Arn::is_role(&other, account, &path, &name), "{other}");
        }
        let elsewhere = own.as_str().replace('1', "2");
        assert!(!Arn::is_role(&elsewhere, account, &path, &name));
    }

    #[test]
    fn a_text_with_fewer_parts_is_no_arn() {
        for bad in ["", "arn", "arn:aws:iam::1", "xrn:aws:iam::1:role/x", "arn:aws:iam::1:"] {
            assert!(Arn::parse(bad).is_err(), "{bad}");
        }
    }
}
