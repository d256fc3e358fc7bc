//! Issuers of identity tokens. Source: OpenID Connect Core 1.0, section 2 (`iss`); IAM API Reference,
//! CreateOpenIDConnectProvider.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::id::Invalid;

/// The longest issuer, in characters.
const ISSUER_CHARS_MAX: usize = 255;

/// An issuer: `https://HOST[:PORT][/PATH]` without query or fragment; `http://` for loopback addresses. Two
/// issuers are the same only if every character is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerUrl(Arc<str>);

impl IssuerUrl {
    /// Reads an issuer.
    ///
    /// # Errors
    /// It is no such URL.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |rule: &str| Err(Invalid::new("url", rule));
        if text.len() > ISSUER_CHARS_MAX {
            return Err(Invalid::new(
                "url",
                format!("must have at most {ISSUER_CHARS_MAX} characters"),
            ));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return invalid("must begin with `https://`");
        };
        let host = rest.split('/').next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        match scheme {
            "https" => {}
            "http" if matches!(name, "localhost" | "127.0.0.1" | "[::1]") => {}
            _ => return invalid("must begin with `https://`"),
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~:/%[]".contains(c);
        if name.is_empty() || !rest.chars().all(legal) {
            return invalid("must be a host with an optional port and path, and nothing else");
        }
        Ok(Self(Arc::from(text)))
    }

    /// The URL itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL without its scheme, which names condition keys and the provider's ARN.
    #[must_use]
    pub fn without_scheme(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, rest)| rest)
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IssuerUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects trust policies: an issuer has one spelling, without the parts that could hide another host.
    #[test]
    fn issuers_are_https_urls_of_a_host_and_path() {
        for good in [
            "https://id.example.com",
            "https://id.example.com:8443/realms/a",
            "https://tenant.auth0.com/",
            "http://127.0.0.1:9000",
            "http://[::1]:9000/a",
        ] {
            assert!(IssuerUrl::parse(good).is_ok(), "{good}");
        }
        let long = format!("https://{}", "h".repeat(250));
        for bad in [
            "",
            "https://",
            "https:///a",
            "http://id.example.com",
            "http://127.0.0.1.evil.com",
            "https://a@b",
            "https://a?b",
            "https://a#b",
            "https://a b",
            "ftp://a",
            &long,
        ] {
            assert!(IssuerUrl::parse(bad).is_err(), "{bad}");
        }
        let issuer = IssuerUrl::parse("https://id.example.com/a").unwrap();
        assert_eq!(issuer.without_scheme(), "id.example.com/a");
    }
}
