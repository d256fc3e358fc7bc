//! What happens to accounts and to the installation: keys, quotas, addresses, guardrails.

use std::sync::Arc;

use crate::domain::account_key::WrappedAccountKey;
use crate::domain::addresses::AddressRange;
use crate::domain::quotas::Quota;
use crate::identity::{AccountAlias, AccountId, PolicyName};
use crate::policy::{Policy, PolicyKind};

/// What a guardrail limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardrailKind {
    /// What an account's principals may do: a service control policy.
    ServiceControl,
    /// What anyone may do to an account's resources: a resource control policy.
    ResourceControl,
}

impl GuardrailKind {
    /// The kind of its document.
    #[must_use]
    pub fn policy_kind(self) -> PolicyKind {
        match self {
            Self::ServiceControl => PolicyKind::ServiceControl,
            Self::ResourceControl => PolicyKind::ResourceControl,
        }
    }
}

/// Which guardrail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuardrailRef {
    /// What it limits.
    pub kind: GuardrailKind,
    /// The account it is put on; none for the whole installation.
    pub target: Option<AccountId>,
    /// Unique among those of its kind and target.
    pub name: PolicyName,
}

/// The key that signs instance-identity documents; opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentKey {
    /// The private key, sealed under the key of the operator's account.
    pub sealed: Arc<[u8]>,
    /// The certificate's serial number.
    pub serial: Arc<[u8]>,
    /// The certificate, in DER.
    pub certificate: Arc<[u8]>,
}

/// What happens to an account itself.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum AccountEvent {
    Created {
        name: Arc<str>,
        key: WrappedAccountKey,
    },
    Disabled,
    Enabled,
    /// Nothing of the account is left but its number, and its key is erased.
    Deleted,
    KeyRewrapped {
        key: WrappedAccountKey,
    },
    /// What an account may have or do at most; none is the default again.
    QuotaSet {
        quota: Quota,
        max: Option<u32>,
    },
    /// The private addresses that are the account's alone, instead of those that were.
    AddressRangesSet {
        ranges: Arc<[AddressRange]>,
    },
    AliasCreated {
        alias: AccountAlias,
    },
    AliasDeleted {
        alias: AccountAlias,
    },
}

impl AccountEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "AccountCreated",
            Self::Disabled => "AccountDisabled",
            Self::Enabled => "AccountEnabled",
            Self::Deleted => "AccountDeleted",
            Self::KeyRewrapped { .. } => "AccountKeyRewrapped",
            Self::QuotaSet { .. } => "QuotaSet",
            Self::AddressRangesSet { .. } => "AddressRangesSet",
            Self::AliasCreated { .. } => "AccountAliasCreated",
            Self::AliasDeleted { .. } => "AccountAliasDeleted",
        }
    }
}

/// What happens to the installation: events of the operator's account.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum InstallationEvent {
    /// This version of the root key wraps from now on.
    KeyringRotated {
        version: u32,
    },
    /// This version of the root key is forgotten.
    KeyringVersionRetired {
        version: u32,
    },
    DocumentKeyCreated {
        key: DocumentKey,
    },
}

impl InstallationEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::KeyringRotated { .. } => "KeyringRotated",
            Self::KeyringVersionRetired { .. } => "KeyringVersionRetired",
            Self::DocumentKeyCreated { .. } => "DocumentKeyCreated",
        }
    }
}

/// What happens to guardrails: events of the operator's account, whatever their targets.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields repeat the names of the types they hold")]
pub enum GuardrailEvent {
    Put { guardrail: GuardrailRef, policy: Policy },
    Deleted { guardrail: GuardrailRef },
}

impl GuardrailEvent {
    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Put { .. } => "GuardrailPut",
            Self::Deleted { .. } => "GuardrailDeleted",
        }
    }
}
