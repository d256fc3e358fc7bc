//! What metadata is to an instance: the options that decide who gets it, and how.
//! Source: EC2 API Reference, ModifyInstanceMetadataOptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::identity::Invalid;

/// How many routers the answer to a token request may pass, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HopLimit(u8);

impl HopLimit {
    const MAX: u8 = 64;

    /// # Errors
    /// The number is not 1 to 64.
    pub fn new(hops: u32) -> Result<Self, Invalid> {
        let rule = || format!("must be between 1 and {}", Self::MAX);
        let fits = u8::try_from(hops).ok().filter(|hops| (1..=Self::MAX).contains(hops));
        fits.map(Self).ok_or_else(|| Invalid::new("httpPutResponseHopLimit", rule()))
    }

    /// The number of hops.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for HopLimit {
    fn default() -> Self {
        Self(1)
    }
}

/// An instance's metadata options. The default is what a launch gets that asks for nothing: tokens
/// required, one hop, no tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataOptions {
    /// Whether version 1 of the protocol is refused.
    pub tokens_required: bool,
    /// Whether there is metadata at all.
    pub enabled: bool,
    /// For the answers to token requests.
    pub hop_limit: HopLimit,
    /// Whether the instance's tags are shown.
    pub tags: bool,
}

impl Default for MetadataOptions {
    fn default() -> Self {
        Self { tokens_required: true, enabled: true, hop_limit: HopLimit::default(), tags: false }
    }
}

/// Options to change; what is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `MetadataOptions`")]
pub struct MetadataChange {
    pub tokens_required: Option<bool>,
    pub enabled: Option<bool>,
    pub hop_limit: Option<HopLimit>,
    pub tags: Option<bool>,
}

impl MetadataOptions {
    /// These options with a change made.
    #[must_use]
    pub fn with(self, change: MetadataChange) -> Self {
        Self {
            tokens_required: change.tokens_required.unwrap_or(self.tokens_required),
            enabled: change.enabled.unwrap_or(self.enabled),
            hop_limit: change.hop_limit.unwrap_or(self.hop_limit),
            tags: change.tags.unwrap_or(self.tags),
        }
    }

    /// Tags that metadata shows have keys that can be a part of a path (EC2 User Guide,
    /// work-with-tags-in-IMDS).
    pub(super) fn check_tags(self, tags: &BTreeMap<Arc<str>, Arc<str>>) -> Result<(), Invalid> {
        let legal = |key: &str| {
            let marks = b"+-=._:,@";
            !matches!(key, "." | ".." | "_index")
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
        };
        if self.tags && !tags.keys().all(|key| legal(key)) {
            let rule =
                "must have keys of letters, digits and + - = . , _ : @ where metadata shows them";
            return Err(Invalid::new("tags", rule));
        }
        Ok(())
    }
}
