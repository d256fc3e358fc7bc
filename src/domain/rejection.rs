//! Why a command was not done, by what its caller can do about it. Edges turn a rejection into a status
//! in one place each; `code` is the error code of the AWS APIs.

use std::sync::Arc;

use super::constraint::Violations;
use crate::identity::{AccountId, Arn, Invalid, RoleName};
use crate::policy::{Context, ParseError, Trace};

/// A command that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what each variant means")]
pub enum Rejection {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error("{0}")]
    Constraints(Violations),
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    InvalidParameter(String),
    #[error("{0}")]
    InvalidCombination(&'static str),
    #[error("`{field}` is no policy: {error}")]
    MalformedPolicy { field: &'static str, error: ParseError },
    #[error("Invalid principal in policy: \"AWS\":\"{arn}\"")]
    InvalidPrincipal { arn: Arn },
    #[error("Packed policy consumes {percent}% of allotted space, please use smaller policy.")]
    PackedPolicyTooLarge { percent: u32 },
    #[error("Authentication code for device is not valid.")]
    InvalidAuthenticationCode,
    #[error("The message is not one that was encoded for this account.")]
    InvalidAuthorizationMessage,
    #[error("{0}")]
    AccessDenied(Box<Denied>),
    #[error("the {kind} with name {name} cannot be found")]
    NoSuchEntity { kind: &'static str, name: String },
    #[error("{kind} with name {name} already exists")]
    EntityAlreadyExists { kind: &'static str, name: String },
    #[error("cannot exceed quota for {quota}: {max}")]
    LimitExceeded { quota: &'static str, max: usize },
    #[error("cannot delete entity, must {rule} first")]
    DeleteConflict { rule: &'static str },
    #[error("{0}")]
    InvalidInput(String),
    #[error(
        "cannot perform the operation on the protected role '{0}' - this role is only modifiable by AWS"
    )]
    Unmodifiable(RoleName),
    #[error("{0}")]
    IncorrectState(String),
    #[error("the instance ID '{0}' does not exist")]
    NoSuchInstance(String),
    #[error("an association with ID '{0}' does not exist")]
    NoSuchAssociation(String),
    #[error(
        "value ({0}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
    )]
    InvalidProfile(String),
    #[error("the idempotency token was used for another request")]
    IdempotencyMismatch,
    #[error("account {0} is disabled")]
    AccountDisabled(crate::identity::AccountId),
}

/// A refusal of policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// Who, in the form of GetCallerIdentity.
    pub principal: Arc<str>,
    /// `service:Action`
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
    /// AWS's sentence, with the reason.
    pub message: String,
    /// What was looked at; none where no policy was.
    pub evidence: Option<Box<Evidence>>,
    /// The evidence, sealed for whoever may read it in the caller's account; added on the way out.
    pub encoded: Option<String>,
}

/// Why policy refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The account of the caller; none for services and strangers.
    pub account: Option<AccountId>,
    /// The account of the resource.
    pub resource_account: Option<AccountId>,
    /// The `aws:userid` of the caller.
    pub user_id: String,
    /// Every policy and statement.
    pub trace: Trace,
    /// The condition keys of the request.
    pub context: Context,
}

impl Rejection {
    /// The AWS error code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) | Self::Constraints(_) | Self::Validation(_) => "ValidationError",
            Self::InvalidParameter(_) => "InvalidParameterValue",
            Self::InvalidCombination(_) => "InvalidParameterCombination",
            Self::MalformedPolicy { .. } | Self::InvalidPrincipal { .. } => {
                "MalformedPolicyDocument"
            }
            Self::PackedPolicyTooLarge { .. } => "PackedPolicyTooLarge",
            Self::InvalidAuthenticationCode => "InvalidAuthenticationCode",
            Self::InvalidAuthorizationMessage => "InvalidAuthorizationMessageException",
            Self::AccessDenied(_) | Self::AccountDisabled(_) => "AccessDenied",
            Self::NoSuchEntity { .. } => "NoSuchEntity",
            Self::EntityAlreadyExists { .. } => "EntityAlreadyExists",
            Self::LimitExceeded { .. } => "LimitExceeded",
            Self::DeleteConflict { .. } => "DeleteConflict",
            Self::InvalidInput(_) => "InvalidInput",
            Self::Unmodifiable(_) => "UnmodifiableEntity",
            Self::IncorrectState(_) => "IncorrectState",
            Self::NoSuchInstance(_) => "InvalidInstanceID.NotFound",
            Self::NoSuchAssociation(_) => "InvalidAssociationID.NotFound",
            Self::InvalidProfile(_) => "InvalidParameterValue",
            Self::IdempotencyMismatch => "IdempotentParameterMismatch",
        }
    }

    pub(crate) fn missing(kind: &'static str, name: impl ToString) -> Self {
        Self::NoSuchEntity { kind, name: name.to_string() }
    }

    pub(super) fn exists(kind: &'static str, name: impl ToString) -> Self {
        Self::EntityAlreadyExists { kind, name: name.to_string() }
    }
}
