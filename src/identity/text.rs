//! Texts and lengths that entities carry.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::Invalid;

/// What a role, a managed policy or a service-linked role is for, in its maker's words: at most 1000 characters, those
/// of Latin-1 that can be shown. Source: IAM API Reference, CreateRole, Description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description(Arc<str>);

impl Description {
    /// Characters at most.
    pub const CHARS_MAX: usize = 1000;

    /// # Errors
    /// The text is too long or has characters that are not allowed.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
        if text.chars().count() > Self::CHARS_MAX {
            let rule = format!("have length less than or equal to {}", Self::CHARS_MAX);
            return Err(Invalid::new("description", rule));
        }
        if !text.chars().all(legal) {
            let rule = "satisfy regular expression pattern: \
                        [\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*";
            return Err(Invalid::new("description", rule));
        }
        Ok(Self(Arc::from(text)))
    }

    /// None at all.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from(""))
    }
}

impl FromStr for Description {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Description> for Arc<str> {
    fn from(description: Description) -> Self {
        description.0
    }
}

/// How long the sessions of a role may be at most: 3600 to 43 200 seconds.
/// Source: IAM API Reference, CreateRole, MaxSessionDuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxSession(Duration);

impl MaxSession {
    /// The least that can be set, which is also what a role gets whose maker sets nothing.
    pub const MIN: Duration = Duration::from_secs(3600);
    /// The most that can be set.
    pub const MAX: Duration = Duration::from_secs(43_200);

    /// # Errors
    /// The duration is out of bounds.
    pub fn new(duration: Duration) -> Result<Self, Invalid> {
        if (Self::MIN..=Self::MAX).contains(&duration) {
            return Ok(Self(duration));
        }
        Err(Invalid::new("max_session", "must be 3600 to 43200 seconds"))
    }

    /// The duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl Default for MaxSession {
    fn default() -> Self {
        Self(Self::MIN)
    }
}

/// A short text that metadata shows as it is: 1 to 256 printable ASCII characters in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainText(Arc<str>);

impl PlainText {
    /// Characters at most.
    pub const CHARS_MAX: usize = 256;

    /// # Errors
    /// The text is empty, too long or has other characters.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=Self::CHARS_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self(Arc::from(text)));
        }
        let rule = format!("must be 1 to {} printable ASCII characters", Self::CHARS_MAX);
        Err(Invalid::new("text", rule))
    }
}

impl FromStr for PlainText {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl fmt::Display for PlainText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<PlainText> for Arc<str> {
    fn from(text: PlainText) -> Self {
        text.0
    }
}
