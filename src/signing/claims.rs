//! What a session token says of its session, and how much room its caller may take in it.

mod stored;
pub(super) mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chain::Ancestor;
use crate::clock::Timestamp;
use crate::identity::{AccountId, Arn, RoleDelivery, SourceIdentity, Subject, WebIdentity};

/// The most that session policies, their ARNs, tags and the names of a web identity may take together
/// as sealed. With the longest names beside them the token still keeps to its own limit (there is a
/// test).
pub const PACKED_BYTES_MAX: usize = 2176;

/// What a session token seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who the session stands for.
    pub subject: Subject,
    /// When the session was issued.
    pub issued_at: Timestamp,
    /// When it ends: the first moment at which it is no longer valid.
    pub expires_at: Timestamp,
    /// The inline session policy; sealed without the white space between its tokens.
    pub policy: Option<Arc<str>>,
    /// Managed session policies.
    pub policy_arns: Vec<Arn>,
    /// Session tags; 64 at most.
    pub tags: BTreeMap<Arc<str>, Arc<str>>,
    /// The keys of tags that later sessions of the chain inherit, in the order of the tags.
    pub transitive_tag_keys: Vec<Arc<str>>,
    /// Who stands behind the chain.
    pub source_identity: Option<SourceIdentity>,
    /// How many sessions stand before this one in its chain.
    pub chain_depth: u8,
    /// The instance that the session was made for.
    pub instance: Option<Arn>,
    /// How the instance got it.
    pub delivery: Option<RoleDelivery>,
    /// The sessions before this one in its chain, first to last; at most `CHAIN_SESSIONS_MAX`.
    pub ancestors: Vec<Ancestor>,
    /// When the user showed a code of an MFA device to get the session.
    pub mfa_at: Option<Timestamp>,
    /// Who the identity provider said that the session is for.
    pub web_identity: Option<WebIdentity>,
}

/// The part of a session that its caller chooses and that `PACKED_BYTES_MAX` limits.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "as in `Claims`")]
pub struct Packed<'a> {
    pub policy: Option<&'a str>,
    pub policy_arns: &'a [Arn],
    pub tags: &'a BTreeMap<Arc<str>, Arc<str>>,
    pub transitive_tag_keys: &'a [Arc<str>],
    pub web_identity: Option<&'a WebIdentity>,
}

impl Packed<'_> {
    /// How much of `PACKED_BYTES_MAX` it takes in a token of `account`, in percent rounded up: the
    /// `PackedPolicySize` of STS. Over 100 no token can be sealed.
    #[must_use]
    pub fn percent(&self, account: AccountId) -> u32 {
        let percent = self.bytes(account).saturating_mul(100).div_ceil(PACKED_BYTES_MAX);
        u32::try_from(percent).unwrap_or(u32::MAX)
    }
}

impl Claims {
    /// Claims of a session without policies, tags, chain or instance.
    #[must_use]
    pub fn new(subject: Subject, issued_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            subject,
            issued_at,
            expires_at,
            policy: None,
            policy_arns: Vec::new(),
            tags: BTreeMap::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
            chain_depth: 0,
            instance: None,
            delivery: None,
            ancestors: Vec::new(),
            mfa_at: None,
            web_identity: None,
        }
    }

    /// Whether the session is over at `now`.
    #[must_use]
    pub fn expired_at(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// The part that the caller chose.
    #[must_use]
    pub fn packed(&self) -> Packed<'_> {
        Packed {
            policy: self.policy.as_deref(),
            policy_arns: &self.policy_arns,
            tags: &self.tags,
            transitive_tag_keys: &self.transitive_tag_keys,
            web_identity: self.web_identity.as_ref(),
        }
    }
}
