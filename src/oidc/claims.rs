//! The claims of an identity token and their rules. OpenID Connect Core 1.0, sections 2 and 3.1.3.7; IAM User
//! Guide, id_session-tags ("Passing session tags using AssumeRoleWithWebIdentity").

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::IdentityError;
use super::exposed;
use crate::clock::Timestamp;

/// How far the clocks of issuer and service may be apart, in seconds.
const SKEW_SECONDS: i64 = 60;
/// Characters of `sub` (OpenID Connect Core 1.0, section 2) and of an audience.
const NAME_CHARS_MAX: usize = 255;
/// Audiences, and methods, of one token.
const LIST_MAX: usize = 100;

/// Who the holder of a good token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `sub`
    pub subject: String,
    /// `azp`, or where there is none the first of `aud` that is registered.
    pub audience: String,
    /// `aud`
    pub audiences: Vec<String>,
    /// `amr`
    pub methods: Vec<String>,
    /// Further claims that policies may ask about, by name.
    pub exposed: Vec<(&'static str, String)>,
    /// Session tags.
    pub tags: SessionTags,
    /// Who stands behind the session.
    pub source_identity: Option<String>,
}

/// The claim `https://aws.amazon.com/tags`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionTags {
    /// Keys and values.
    pub tags: Vec<(String, String)>,
    /// Keys that later sessions of the chain inherit.
    pub transitive_tag_keys: Vec<String>,
}

/// Claims as written. A claim that is given twice is refused.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: Option<String>,
    aud: Option<OneOrMany>,
    azp: Option<String>,
    exp: Option<serde_json::Number>,
    iat: Option<serde_json::Number>,
    nbf: Option<serde_json::Number>,
    amr: Option<OneOrMany>,
    #[serde(rename = "https://aws.amazon.com/tags")]
    tags: Option<WrittenTags>,
    #[serde(rename = "https://aws.amazon.com/source_identity")]
    source_identity: Option<String>,
    #[serde(skip)]
    exposed: Vec<(&'static str, String)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct WrittenTags {
    #[serde(default)]
    principal_tags: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
}

impl OneOrMany {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

fn missing(claim: &str) -> IdentityError {
    IdentityError::invalid(format!("Missing a required claim: {claim}"))
}

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, IdentityError> {
        let read = serde_json::from_slice(payload);
        // What serde says may repeat a part of the token.
        let claims: Self = read.map_err(|_| {
            IdentityError::invalid(
                "The claims of the token are not those of an ID Token, or lack `iss`.",
            )
        })?;
        Ok(Self { exposed: exposed::read(&claims.iss, payload), ..claims })
    }

    pub(super) fn issuer(&self) -> &str {
        &self.iss
    }

    /// The identity, if times and audience are good.
    pub(super) fn checked(
        self,
        client_ids: &[impl AsRef<str>],
        now: Timestamp,
    ) -> Result<Identity, IdentityError> {
        self.check_times(now.as_unix_seconds())?;
        let subject = self.sub.ok_or_else(|| missing("sub"))?;
        if subject.is_empty() || subject.chars().count() > NAME_CHARS_MAX {
            let rule = "has 1 to 255 characters";
            return Err(IdentityError::Claim { claim: "sub", rule });
        }
        let audiences = self.aud.ok_or_else(|| missing("aud"))?.list();
        let methods = self.amr.map(OneOrMany::list).unwrap_or_default();
        for (claim, list) in [("aud", &audiences), ("amr", &methods)] {
            let long = list.iter().any(|text| text.chars().count() > NAME_CHARS_MAX);
            if list.len() > LIST_MAX || long {
                let rule = "has at most 100 entries of at most 255 characters";
                return Err(IdentityError::Claim { claim, rule });
            }
        }
        let registered =
            |audience: &&String| client_ids.iter().any(|known| known.as_ref() == audience.as_str());
        let audience = match &self.azp {
            Some(party) => Some(party).filter(registered),
            None => audiences.iter().find(registered),
        };
        let audience = audience.cloned();
        let audience =
            audience.ok_or_else(|| IdentityError::invalid("Incorrect token audience"))?;
        let tags = self.tags.map(WrittenTags::read).transpose()?.unwrap_or_default();
        let (source_identity, exposed) = (self.source_identity, self.exposed);
        Ok(Identity { subject, audience, audiences, methods, exposed, tags, source_identity })
    }

    fn check_times(&self, now: i64) -> Result<(), IdentityError> {
        let expires = seconds(self.exp.as_ref()).ok_or_else(|| missing("exp"))?;
        let issued = seconds(self.iat.as_ref()).ok_or_else(|| missing("iat"))?;
        if now >= expires.saturating_add(SKEW_SECONDS) {
            return Err(IdentityError::Expired { now, expires });
        }
        let latest = now.saturating_add(SKEW_SECONDS);
        if issued > latest {
            return Err(IdentityError::Claim { claim: "iat", rule: "must not be in the future" });
        }
        if seconds(self.nbf.as_ref()).is_some_and(|from| from > latest) {
            return Err(IdentityError::Claim { claim: "nbf", rule: "must not be in the future" });
        }
        Ok(())
    }
}

/// A NumericDate (RFC 7519, section 2), fractions cut.
fn seconds(number: Option<&serde_json::Number>) -> Option<i64> {
    let number = number?;
    // A cast from a float saturates.
    number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.floor() as i64))
}

impl WrittenTags {
    /// Each tag has one value, which is written as a list.
    fn read(self) -> Result<SessionTags, IdentityError> {
        let mut tags = Vec::new();
        for (key, values) in self.principal_tags {
            match <[String; 1]>::try_from(values.list()) {
                Ok([value]) => tags.push((key, value)),
                Err(_) => {
                    let rule = "each of `principal_tags` has one value";
                    return Err(IdentityError::Claim {
                        claim: "https://aws.amazon.com/tags",
                        rule,
                    });
                }
            }
        }
        Ok(SessionTags { tags, transitive_tag_keys: self.transitive_tag_keys })
    }
}
