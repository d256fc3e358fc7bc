//! Issued sessions and the requests for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::revocation::Ancestor;
use crate::clock::Timestamp;
use crate::identity::{AccessKeyId, Arn, SessionName, SourceIdentity, Subject, WebIdentity};
use crate::policy::Policy;

/// Session tags. Keys keep their case and are told apart without regard to it.
pub type Tags = BTreeMap<Arc<str>, Arc<str>>;

/// One issue of temporary credentials: everything that the session token seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// `ASIA...`
    pub key: AccessKeyId,
    /// What it stands for.
    pub subject: Subject,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The inline session policy.
    pub policy: Option<Arc<str>>,
    /// Managed session policies.
    pub policy_arns: Vec<Arn>,
    /// Session tags.
    pub tags: Tags,
    /// The keys of tags that later sessions of the chain inherit, in the order of the tags.
    pub transitive_tag_keys: Vec<Arc<str>>,
    /// Who stands behind the chain.
    pub source_identity: Option<SourceIdentity>,
    /// How many sessions stand before this one in its chain.
    pub chain_depth: u8,
    /// The key of the session that asked for this one.
    pub parent: Option<AccessKeyId>,
    /// The sessions before this one in its chain, first to last.
    pub ancestors: Vec<Ancestor>,
    /// When the user showed a code of an MFA device to get it: sessions of GetSessionToken only.
    pub mfa_at: Option<Timestamp>,
    /// Who the identity provider said that it is for: sessions of AssumeRoleWithWebIdentity only.
    pub web_identity: Option<WebIdentity>,
}

/// Which operation of STS a session is asked of.
#[derive(Clone, Debug)]
pub enum Operation {
    /// AssumeRole: a session of the role of this ARN.
    AssumeRole(Arn),
    /// AssumeRoleWithWebIdentity: the same for the holder of a provider's token.
    AssumeRoleWithWebIdentity(Arn, Box<ProvenIdentity>),
    /// GetSessionToken: a session of the caller.
    GetSessionToken,
    /// GetFederationToken: a session of someone whom the caller names.
    GetFederationToken(SessionName),
}

/// A provider's token whose signature and times are good.
#[derive(Clone, Debug)]
pub struct ProvenIdentity {
    /// Who it is for.
    pub identity: WebIdentity,
    /// Every audience of the token, for `ISSUER:oaud`.
    pub audiences: Vec<String>,
    /// How the holder showed who they are, for `ISSUER:amr`.
    pub methods: Vec<String>,
    /// Further claims that policies may ask about, by name.
    pub claims: Vec<(&'static str, String)>,
    /// Whether the provider named the role that is asked for, for `sts:RoleAuthorizedByIdp`.
    pub role_authorized: bool,
}

/// What a caller of STS asks for; a role's facts come from the state.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// The session as asked.
    pub draft: SessionDraft,
    /// How long it is to live.
    pub duration: Duration,
    /// The external id that the trust policy may ask for.
    pub external_id: Option<Arc<str>>,
    /// The code that the caller showed.
    pub mfa: Option<MfaProof>,
}

/// A code of an MFA device that was right at the time of the command. Whose the device is and whether the
/// code was used before is for the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MfaProof {
    /// The device's ARN.
    pub serial_number: Arn,
    /// Which code of the device it is: the number of its time step (RFC 6238).
    pub step: u64,
}

/// The parts of a session that the caller chooses.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "as in `Session`")]
pub struct SessionDraft {
    pub key: AccessKeyId,
    /// The role session's name.
    pub name: Option<SessionName>,
    pub policy: Option<Policy>,
    pub policy_arns: Vec<Arn>,
    pub tags: Tags,
    pub transitive_tag_keys: Vec<Arc<str>>,
    pub source_identity: Option<SourceIdentity>,
}

impl SessionDraft {
    /// A session of which nothing is chosen but its key.
    #[must_use]
    pub fn plain(key: AccessKeyId) -> Self {
        Self {
            key,
            name: None,
            policy: None,
            policy_arns: Vec::new(),
            tags: Tags::new(),
            transitive_tag_keys: Vec::new(),
            source_identity: None,
        }
    }
}
