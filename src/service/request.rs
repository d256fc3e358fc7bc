//! Requests of STS as callers write them, and their constraints: lengths, patterns and counts of the model
//! of the API (STS API Reference). Absent members are `None`; edges turn their own absence into that.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::constraint::{Checks, Text};
use crate::domain::decide::{SESSION_POLICY_ARNS_MAX, SESSION_TAGS_MAX};
use crate::domain::rejection::Rejection;
use crate::domain::session::{MfaProof, SessionDraft, SessionRequest, Tags};
use crate::identity::{AccessKeyId, AccountId, Arn, Invalid};
use crate::oidc::Identity;
use crate::policy::{Policy, PolicyKind};

/// What AssumeRole is asked.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct AssumeRole {
    pub role_arn: Option<String>,
    pub role_session_name: Option<String>,
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
    pub duration_seconds: Option<i64>,
    pub tags: Vec<(String, String)>,
    pub transitive_tag_keys: Vec<String>,
    pub external_id: Option<String>,
    pub source_identity: Option<String>,
    pub serial_number: Option<String>,
    pub token_code: Option<String>,
}

/// What AssumeRoleWithWebIdentity is asked.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct AssumeRoleWithWebIdentity {
    pub role_arn: Option<String>,
    pub role_session_name: Option<String>,
    /// A bearer's token: a secret, so `Debug` is not derived.
    pub web_identity_token: Option<String>,
    /// For OAuth 2.0 access tokens, which are not taken; must be absent.
    pub provider_id: Option<String>,
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
    pub duration_seconds: Option<i64>,
}

/// What GetSessionToken is asked.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct GetSessionToken {
    pub duration_seconds: Option<i64>,
    pub serial_number: Option<String>,
    pub token_code: Option<String>,
}

/// What GetFederationToken is asked.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the members of the API")]
pub struct GetFederationToken {
    pub name: Option<String>,
    pub policy: Option<String>,
    pub policy_arns: Vec<String>,
    pub duration_seconds: Option<i64>,
    pub tags: Vec<(String, String)>,
}

/// What a role's session gets where no duration is asked for.
pub(super) const ROLE_SESSION_DEFAULT: Duration = Duration::from_secs(3600);
/// Seconds of a role's session.
const ROLE_SECONDS: std::ops::RangeInclusive<i64> = 900..=43_200;
/// Seconds of a session of GetSessionToken and GetFederationToken.
const USER_SECONDS: std::ops::RangeInclusive<i64> = 900..=129_600;

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn is_policy_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}')
}

fn is_tag_char(c: char) -> bool {
    let separator = c.is_whitespace() && !c.is_control();
    c.is_alphabetic() || c.is_numeric() || separator || "_.:/=+-@".contains(c)
}

const fn text(min: usize, max: usize, pattern: &'static str, legal: fn(char) -> bool) -> Text {
    Text { min, max, pattern, legal, shown: true }
}

const NAME: &str = "[\\w+=,.@-]*";
const TAG: &str = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+";
const POLICY: &str = "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+";

const ARN: Text = text(20, 2048, "[\\u0009\\u000A\\u000D\\u0020-\\u007E]+", |c| {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~')
});
const SESSION_NAME: Text = text(2, 64, NAME, is_name_char);
const FEDERATED_NAME: Text = text(2, 32, NAME, is_name_char);
const SOURCE_IDENTITY: Text = text(2, 64, NAME, is_name_char);
const EXTERNAL_ID: Text =
    text(2, 1224, "[\\w+=,.@:\\/-]*", |c| is_name_char(c) || matches!(c, ':' | '/'));
const SERIAL_NUMBER: Text =
    text(9, 256, "[\\w+=/:,.@-]*", |c| is_name_char(c) || matches!(c, ':' | '/'));
const TOKEN_CODE: Text = Text { shown: false, ..text(6, 6, "[\\d]*", |c| c.is_ascii_digit()) };
/// AssumeRole's; how long it may be with the managed ones is judged with them.
const ROLE_POLICY: Text = text(1, 131_072, POLICY, is_policy_char);
const SESSION_POLICY: Text = text(1, 2048, POLICY, is_policy_char);
const WEB_TOKEN: Text = Text { shown: false, ..text(4, 20_000, "", |_| true) };
const PROVIDER_ID: Text = text(4, 2048, "", |_| true);
const ACCESS_KEY_ID: Text = text(16, 128, "[\\w]*", |c| c.is_ascii_alphanumeric() || c == '_');
const TAG_KEY: Text = text(1, 128, TAG, is_tag_char);
const TAG_VALUE: Text = text(0, 256, TAG, is_tag_char);

impl AssumeRole {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let mut checks = Checks::default();
        checks.required("roleArn", self.role_arn.as_deref(), &ARN);
        checks.required("roleSessionName", self.role_session_name.as_deref(), &SESSION_NAME);
        checks.optional("policy", self.policy.as_deref(), &ROLE_POLICY);
        policy_arns(&mut checks, &self.policy_arns);
        checks.number("durationSeconds", self.duration_seconds, ROLE_SECONDS);
        tags(&mut checks, &self.tags);
        checks.count("transitiveTagKeys", self.transitive_tag_keys.len(), SESSION_TAGS_MAX);
        for (index, key) in self.transitive_tag_keys.iter().enumerate() {
            checks.text(format!("transitiveTagKeys.{}.member", index + 1), key, &TAG_KEY);
        }
        checks.optional("externalId", self.external_id.as_deref(), &EXTERNAL_ID);
        checks.optional("sourceIdentity", self.source_identity.as_deref(), &SOURCE_IDENTITY);
        mfa(&mut checks, self.serial_number.as_deref(), self.token_code.as_deref());
        checks.finish().map_err(Rejection::Constraints)
    }
}

impl AssumeRole {
    /// The session that a request which keeps to its constraints asks for.
    pub(super) fn session(
        &self,
        key: AccessKeyId,
        mfa: Option<MfaProof>,
    ) -> Result<SessionRequest, Rejection> {
        let transitive = self.transitive_tag_keys.iter().map(|key| Arc::from(key.as_str()));
        let draft = SessionDraft {
            name: parsed(self.role_session_name.as_deref())?,
            transitive_tag_keys: transitive.collect(),
            source_identity: parsed(self.source_identity.as_deref())?,
            ..draft(key, self.policy.as_deref(), &self.policy_arns, &self.tags)?
        };
        let external_id = self.external_id.as_deref().map(Arc::from);
        let duration = duration(self.duration_seconds, ROLE_SESSION_DEFAULT);
        Ok(SessionRequest { draft, duration, external_id, mfa })
    }
}

/// A member whose constraint was checked.
pub(super) fn parsed<T: FromStr<Err = Invalid>>(
    text: Option<&str>,
) -> Result<Option<T>, Rejection> {
    Ok(text.map(str::parse).transpose()?)
}

impl AssumeRoleWithWebIdentity {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let mut checks = Checks::default();
        checks.required("roleArn", self.role_arn.as_deref(), &ARN);
        checks.required("roleSessionName", self.role_session_name.as_deref(), &SESSION_NAME);
        checks.required("webIdentityToken", self.web_identity_token.as_deref(), &WEB_TOKEN);
        checks.optional("providerId", self.provider_id.as_deref(), &PROVIDER_ID);
        checks.optional("policy", self.policy.as_deref(), &SESSION_POLICY);
        policy_arns(&mut checks, &self.policy_arns);
        checks.number("durationSeconds", self.duration_seconds, ROLE_SECONDS);
        checks.finish().map_err(Rejection::Constraints)
    }
}

impl GetSessionToken {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let mut checks = Checks::default();
        checks.number("durationSeconds", self.duration_seconds, USER_SECONDS);
        mfa(&mut checks, self.serial_number.as_deref(), self.token_code.as_deref());
        checks.finish().map_err(Rejection::Constraints)
    }
}

impl GetFederationToken {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let mut checks = Checks::default();
        checks.required("name", self.name.as_deref(), &FEDERATED_NAME);
        checks.optional("policy", self.policy.as_deref(), &SESSION_POLICY);
        policy_arns(&mut checks, &self.policy_arns);
        checks.number("durationSeconds", self.duration_seconds, USER_SECONDS);
        tags(&mut checks, &self.tags);
        checks.finish().map_err(Rejection::Constraints)
    }
}

/// What a provider's token says keeps to the constraints of the members that it stands for.
pub(super) fn check_token_members(identity: &Identity) -> Result<(), Rejection> {
    let mut checks = Checks::default();
    tags(&mut checks, &identity.tags.tags);
    let transitive = &identity.tags.transitive_tag_keys;
    checks.count("transitiveTagKeys", transitive.len(), SESSION_TAGS_MAX);
    checks.optional("sourceIdentity", identity.source_identity.as_deref(), &SOURCE_IDENTITY);
    checks.finish().map_err(Rejection::Constraints)
}

/// The member of GetAccessKeyInfo.
pub(super) fn check_access_key_id(id: Option<&str>) -> Result<(), Rejection> {
    let mut checks = Checks::default();
    checks.required("accessKeyId", id, &ACCESS_KEY_ID);
    checks.finish().map_err(Rejection::Constraints)
}

fn mfa(checks: &mut Checks, serial_number: Option<&str>, token_code: Option<&str>) {
    checks.optional("serialNumber", serial_number, &SERIAL_NUMBER);
    checks.optional("tokenCode", token_code, &TOKEN_CODE);
}

fn policy_arns(checks: &mut Checks, arns: &[String]) {
    checks.count("policyArns", arns.len(), SESSION_POLICY_ARNS_MAX);
    for (index, arn) in arns.iter().enumerate() {
        checks.text(format!("policyArns.{}.member.arn", index + 1), arn, &ARN);
    }
}

fn tags(checks: &mut Checks, tags: &[(String, String)]) {
    checks.count("tags", tags.len(), SESSION_TAGS_MAX);
    for (index, (key, value)) in tags.iter().enumerate() {
        checks.text(format!("tags.{}.member.key", index + 1), key, &TAG_KEY);
        checks.text(format!("tags.{}.member.value", index + 1), value, &TAG_VALUE);
    }
}

/// The role's ARN and account.
pub(super) fn role(arn: Option<&str>) -> Result<(Arn, AccountId), Rejection> {
    let invalid = || Rejection::Validation("Request ARN is invalid".to_owned());
    let arn = Arn::parse(arn.unwrap_or_default()).map_err(|_| invalid())?;
    let is_role = arn.service() == "iam" && arn.resource().starts_with("role/");
    let account = arn.account_id().filter(|_| is_role).ok_or_else(invalid)?;
    Ok((arn, account))
}

/// Seconds that keep to their constraint, or the default.
pub(super) fn duration(seconds: Option<i64>, default: Duration) -> Duration {
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(default, Duration::from_secs)
}

/// A draft with the policies and tags of a request.
pub(super) fn draft(
    key: AccessKeyId,
    policy: Option<&str>,
    policy_arns: &[String],
    tags: &[(String, String)],
) -> Result<SessionDraft, Rejection> {
    let policy = policy.map(|text| Policy::parse(text, PolicyKind::Session)).transpose();
    let policy = policy.map_err(|error| Rejection::MalformedPolicy { field: "policy", error })?;
    let arns = policy_arns.iter().map(|text| {
        let rule = || Rejection::Validation(format!("PolicyArns: `{text}` is no ARN of a policy."));
        Arn::parse(text).map_err(|_| rule())
    });
    Ok(SessionDraft {
        policy,
        policy_arns: arns.collect::<Result<_, _>>()?,
        tags: tag_map(tags)?,
        ..SessionDraft::plain(key)
    })
}

/// Tags by key; the decision tells apart keys that differ in case alone.
pub(super) fn tag_map(tags: &[(String, String)]) -> Result<Tags, Rejection> {
    let mut map = Tags::new();
    for (key, value) in tags {
        if map.insert(Arc::from(key.as_str()), Arc::from(value.as_str())).is_some() {
            let rule = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(Rejection::InvalidParameter(rule.to_owned()));
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(checked: Result<(), Rejection>) -> String {
        let rejection = checked.unwrap_err();
        assert_eq!(rejection.code(), "ValidationError");
        rejection.to_string()
    }

    fn assume_role() -> AssumeRole {
        AssumeRole {
            role_arn: Some("arn:aws:iam::111111111111:role/app".to_owned()),
            role_session_name: Some("me".to_owned()),
            ..AssumeRole::default()
        }
    }

    /// Protects clients: each member of AssumeRole has the limits and the pattern of the model.
    #[test]
    fn every_member_of_assume_role_has_its_limits() {
        assert!(assume_role().check().is_ok());
        let text = |text: &str| Some(text.to_owned());
        let long = |n: usize| Some("x".repeat(n));
        let cases: [(AssumeRole, &str); 13] = [
            (AssumeRole::default(), "Value null at 'roleArn'"),
            (AssumeRole { role_arn: text("arn"), ..assume_role() }, "greater than or equal to 20"),
            (
                AssumeRole { role_session_name: text("x"), ..assume_role() },
                "Value 'x' at 'roleSessionName'",
            ),
            (
                AssumeRole { role_session_name: text("a b"), ..assume_role() },
                "pattern: [\\w+=,.@-]*",
            ),
            (
                AssumeRole { role_session_name: long(65), ..assume_role() },
                "less than or equal to 64",
            ),
            (AssumeRole { policy: text(""), ..assume_role() }, "'policy'"),
            (AssumeRole { policy_arns: vec!["x".repeat(20); 11], ..assume_role() }, "'policyArns'"),
            (AssumeRole { duration_seconds: Some(899), ..assume_role() }, "equal to 900"),
            (AssumeRole { duration_seconds: Some(43_201), ..assume_role() }, "equal to 43200"),
            (
                AssumeRole { tags: vec![("k".to_owned(), "#".to_owned())], ..assume_role() },
                "'tags.1.member.value'",
            ),
            (AssumeRole { external_id: text("x"), ..assume_role() }, "'externalId'"),
            (AssumeRole { serial_number: text("a b c d e f"), ..assume_role() }, "'serialNumber'"),
            (AssumeRole { token_code: text("12345a"), ..assume_role() }, "Value at 'tokenCode'"),
        ];
        for (request, expected) in cases {
            let told = told(request.check());
            assert!(told.contains(expected), "{told}");
        }
        let both = AssumeRole { role_session_name: text("!"), ..assume_role() };
        assert!(told(both.check()).starts_with("2 validation errors detected: "));
    }

    /// Protects clients: the same for the other operations.
    #[test]
    fn the_other_operations_have_theirs() {
        let token = GetSessionToken { duration_seconds: Some(129_601), ..Default::default() };
        assert!(told(token.check()).contains("less than or equal to 129600"));
        let federated = GetFederationToken { name: Some("x".repeat(33)), ..Default::default() };
        assert!(told(federated.check()).contains("less than or equal to 32"));
        let web = AssumeRoleWithWebIdentity {
            role_arn: assume_role().role_arn,
            role_session_name: assume_role().role_session_name,
            web_identity_token: Some("secret".repeat(4000)),
            ..Default::default()
        };
        let told = told(web.check());
        assert!(told.contains("Value at 'webIdentityToken'") && !told.contains("secret"), "{told}");
    }

    /// Protects roles: what is no role's ARN is refused in AWS's words.
    #[test]
    fn only_roles_are_assumed() {
        for bad in
            ["arn:aws:iam::111111111111:user/app", "arn:aws:iam::1:role/app", "not an ARN at all.."]
        {
            assert_eq!(role(Some(bad)).unwrap_err().to_string(), "Request ARN is invalid");
        }
    }
}
