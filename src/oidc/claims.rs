//! The claims of an identity token and their rules. OpenID Connect Core 1.0, sections 2 and 3.1.3.7; IAM User
//! Guide, id_session-tags ("Passing session tags using AssumeRoleWithWebIdentity").

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::IdentityError;
use super::exposed;
use crate::clock::Timestamp;

/// How far the clocks of issuer and service may be apart, in seconds: the "five-minute window beyond the expiration
/// time" of IAM User Guide, id_roles_providers_oidc, and as much for tokens from the future.
const SKEW_SECONDS: i64 = 300;
/// Characters of `sub` (OpenID Connect Core 1.0, section 2) and of an audience.
const NAME_CHARS_MAX: usize = 255;
/// Audiences, and methods, of one token.
const LIST_MAX: usize = 100;

/// Who the holder of a good token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `sub`
    pub subject: String,
    /// `azp`, or where there is none the one of `aud`; it is registered.
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
    /// The ARNs of the roles that the token is for; none where the provider names no roles.
    pub roles: Option<Vec<String>>,
}

/// The claims below `https://aws.amazon.com/tags`.
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
    #[serde(rename = "https://aws.amazon.com/roles")]
    roles: Option<Value>,
    #[serde(flatten)]
    further: Once<Value>,
}

/// The members of an object, none of them given twice.
struct Once<V>(BTreeMap<String, V>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct WrittenTags {
    #[serde(default)]
    principal_tags: Once<OneOrMany>,
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
        read.map_err(|_| {
            IdentityError::invalid(
                "The claims of the token are not those of an ID Token, or lack `iss`.",
            )
        })
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
        if self.azp.is_none() && audiences.len() > 1 {
            // OpenID Connect Core 1.0, section 3.1.3.7, number 4.
            return Err(missing("azp, as the token has several audiences"));
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
        let exposed = exposed::read(&self.iss, &self.further.0);
        let tags = SessionTags::read(self.tags, self.further.0)?;
        let (source_identity, roles) = (self.source_identity, self.roles.map(roles));
        Ok(Identity {
            subject,
            audience,
            audiences,
            methods,
            exposed,
            tags,
            source_identity,
            roles,
        })
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

const TAGS: &str = "https://aws.amazon.com/tags";
/// The beginning of the claims of flattened tags; a tag's key follows.
const FLAT_TAGS: &str = "https://aws.amazon.com/tags/principal_tags/";
const FLAT_TRANSITIVE: &str = "https://aws.amazon.com/tags/transitive_tag_keys";

impl SessionTags {
    /// The tags of both forms: nested in one claim, where each has a list of one value, and flattened into a claim
    /// for each, whose value is a text, for issuers that do not nest.
    fn read(
        nested: Option<WrittenTags>,
        further: BTreeMap<String, Value>,
    ) -> Result<Self, IdentityError> {
        let bad = |rule| IdentityError::Claim { claim: TAGS, rule };
        let mut read = Self::default();
        if let Some(nested) = nested {
            for (key, values) in nested.principal_tags.0 {
                let value = <[String; 1]>::try_from(values.list());
                let [value] = value.map_err(|_| bad("each of `principal_tags` has one value"))?;
                read.tags.push((key, value));
            }
            read.transitive_tag_keys = nested.transitive_tag_keys;
        }
        for (claim, value) in further {
            if let Some(key) = claim.strip_prefix(FLAT_TAGS) {
                let Value::String(value) = value else {
                    return Err(bad("each `principal_tags/KEY` has a text for its value"));
                };
                read.tags.push((key.to_owned(), value));
            } else if claim == FLAT_TRANSITIVE {
                let keys: OneOrMany = serde_json::from_value(value)
                    .map_err(|_| bad("`transitive_tag_keys` has a list of texts for its value"))?;
                read.transitive_tag_keys.extend(keys.list());
            }
        }
        Ok(read)
    }
}

/// The roles of the claim `https://aws.amazon.com/roles`: a list of ARNs, or a text with `;` between them. What else
/// stands there names no role, and a claim that names none admits to none.
fn roles(written: Value) -> Vec<String> {
    let entries = match written {
        Value::String(text) => text.split(';').map(str::to_owned).collect(),
        Value::Array(entries) => {
            entries.into_iter().filter_map(|entry| entry.as_str().map(str::to_owned)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    entries.iter().map(|entry| entry.trim().to_owned()).collect()
}

impl Identity {
    /// Whether the provider itself authorized the holder to assume `role`: what trust policies see as
    /// `sts:RoleAuthorizedByIdp` (Service Authorization Reference, AWS Security Token Service). A token without the
    /// claim leaves it to the trust policy.
    ///
    /// # Errors
    /// The token is for other roles.
    pub fn authorizes(&self, role: &str) -> Result<bool, IdentityError> {
        match &self.roles {
            None => Ok(false),
            Some(roles) if roles.iter().any(|named| named == role) => Ok(true),
            Some(_) => Err(IdentityError::invalid(
                "The token is not for this role: its claim `https://aws.amazon.com/roles` does not name it.",
            )),
        }
    }
}

impl<V> Default for Once<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Once<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OnceVisitor(PhantomData))
    }
}

struct OnceVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for OnceVisitor<V> {
    type Value = Once<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with each member once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once<V>, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            if members.insert(key, value).is_some() {
                return Err(A::Error::custom("a member is given twice"));
            }
        }
        Ok(Once(members))
    }
}
