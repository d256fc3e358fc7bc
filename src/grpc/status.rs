//! Errors as gRPC statuses, in this one place. `ErrorInfo.reason` is the AWS error code; a broken field is
//! named in `BadRequest`; `RequestInfo` repeats the request's id, which `with_request_id` adds on the way out.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::domain::constraint::Violations;
use crate::domain::rejection::Rejection;
use crate::identity::Invalid;
use crate::ledger::{OVERLOADED_RETRY, SubmitError};
use crate::oidc::IdentityError;
use crate::policy::ParseError;
use crate::service::{AuthError, ServiceError, Throttled};
use crate::signing::{KeyringError, TokenError};

/// The domain of our reasons.
const DOMAIN: &str = "locum.v1";
/// The key of `ErrorInfo.metadata` that names the quota which refused.
const QUOTA: &str = "quota";
/// The key of `ErrorInfo.metadata` that holds what DecodeAuthorizationMessage opens.
pub const ENCODED_MESSAGE: &str = "encodedAuthorizationMessage";

/// The code of a call that had no answer.
pub(super) const CANCELLED: &str = "CANCELLED";

/// The error code of a status: the AWS error code where it has one, and that of gRPC where not.
pub(super) fn reason(status: &Status) -> String {
    if let Some(info) = status.get_details_error_info() {
        return info.reason;
    }
    let code = match status.code() {
        Code::Ok => "OK",
        Code::Cancelled => CANCELLED,
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    };
    code.to_owned()
}

fn status(code: Code, reason: &str, message: &str) -> Status {
    details(code, reason, message, |_| {})
}

fn details(code: Code, reason: &str, message: &str, add: impl FnOnce(&mut ErrorDetails)) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    add(&mut details);
    Status::with_error_details(code, message, details)
}

/// What went wrong in a function of this edge, on its way out.
impl From<ServiceError> for Status {
    fn from(error: ServiceError) -> Self {
        of_service_error(&error)
    }
}

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        of_invalid(&invalid)
    }
}

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        of_rejection(&rejection)
    }
}

impl From<AuthError> for Status {
    fn from(error: AuthError) -> Self {
        of_auth_error(&error)
    }
}

/// An error as its caller reads it: with a reason, whatever it came from, and the request's id. What failed inside is
/// told to the log alone, by the same id. The last step of every error: of an answer's in `AuthLayer`, of a stream's
/// where it ends.
pub(super) fn with_request_id(error: &Status, request_id: &str) -> Status {
    if let Some(source) = error.source() {
        tracing::error!(request_id, error = %source, "a request failed inside");
    }
    let mut details = error.get_error_details();
    if details.error_info().is_none() {
        details.set_error_info(reason(error), DOMAIN, HashMap::new());
    }
    details.set_request_info(request_id, "");
    let metadata = error.metadata().clone();
    Status::with_error_details_and_metadata(error.code(), error.message(), details, metadata)
}

pub(super) fn of_auth_error(error: &AuthError) -> Status {
    let code = match error {
        AuthError::AccountDisabled => Code::PermissionDenied,
        _ => Code::Unauthenticated,
    };
    status(code, error.code(), &error.to_string())
}

/// With the moment from which another attempt makes sense.
fn exhausted(quota: &str, retry_after: Duration, message: &str) -> Status {
    let metadata = HashMap::from([(QUOTA.to_owned(), quota.to_owned())]);
    let mut details = ErrorDetails::with_error_info("Throttling", DOMAIN, metadata);
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// A stream that is not begun or is cut off, for now.
pub(super) fn busy(reason: &str, message: &str, retry_after: Duration) -> Status {
    details(Code::ResourceExhausted, reason, message, |details| {
        details.set_retry_info(Some(retry_after));
    })
}

pub(super) fn of_throttled(throttled: &Throttled) -> Status {
    exhausted(throttled.quota, throttled.retry_after, &throttled.to_string())
}

pub(super) fn of_invalid(invalid: &Invalid) -> Status {
    let message = invalid.to_string();
    details(Code::InvalidArgument, "ValidationError", &message, |details| {
        details.add_bad_request_violation(invalid.field, &invalid.rule);
    })
}

/// Members are named as this API spells them: `role_session_name` for `roleSessionName`.
fn of_violations(violations: &Violations) -> Status {
    let message = violations.to_string();
    details(Code::InvalidArgument, "ValidationError", &message, |details| {
        for violation in violations.iter() {
            let mut member = String::with_capacity(violation.member.len() + 4);
            for c in violation.member.chars() {
                if c.is_ascii_uppercase() {
                    member.push('_');
                }
                member.push(c.to_ascii_lowercase());
            }
            details.add_bad_request_violation(member, &violation.rule);
        }
    })
}

pub(super) fn of_policy_error(field: &'static str, error: &ParseError) -> Status {
    let message = format!("`{field}` is no policy: {error}");
    details(Code::InvalidArgument, "MalformedPolicyDocument", &message, |details| {
        details.add_bad_request_violation(field, error.to_string());
    })
}

pub(super) fn of_rejection(rejection: &Rejection) -> Status {
    let code = match rejection {
        Rejection::Invalid(invalid) => return of_invalid(invalid),
        Rejection::Constraints(violations) => return of_violations(violations),
        Rejection::MalformedPolicy { field, error } => return of_policy_error(field, error),
        Rejection::Validation(_)
        | Rejection::InvalidParameter(_)
        | Rejection::InvalidCombination(_)
        | Rejection::InvalidPrincipal { .. }
        | Rejection::InvalidAuthorizationMessage
        | Rejection::PackedPolicyTooLarge { .. } => Code::InvalidArgument,
        Rejection::InvalidAuthenticationCode => Code::PermissionDenied,
        Rejection::AccessDenied(_) | Rejection::AccountDisabled(_) => Code::PermissionDenied,
        Rejection::NoSuchEntity { .. }
        | Rejection::NoSuchInstance(_)
        | Rejection::NoSuchAssociation(_) => Code::NotFound,
        Rejection::EntityAlreadyExists { .. } => Code::AlreadyExists,
        Rejection::LimitExceeded { .. } => Code::ResourceExhausted,
        Rejection::DeleteConflict { .. }
        | Rejection::Unmodifiable(_)
        | Rejection::IncorrectState(_) => Code::FailedPrecondition,
        Rejection::InvalidInput(_)
        | Rejection::InvalidProfile(_)
        | Rejection::IdempotencyMismatch => Code::InvalidArgument,
    };
    let mut metadata = HashMap::new();
    if let Rejection::AccessDenied(denied) = rejection
        && let Some(encoded) = &denied.encoded
    {
        metadata.insert(ENCODED_MESSAGE.to_owned(), encoded.clone());
    }
    let quota = match rejection {
        Rejection::LimitExceeded { quota, .. } => Some(*quota),
        _ => None,
    };
    metadata.extend(quota.map(|quota| (QUOTA.to_owned(), quota.to_owned())));
    let mut details = ErrorDetails::with_error_info(rejection.code(), DOMAIN, metadata);
    if let Some(quota) = quota {
        details.add_quota_failure_violation(quota, rejection.to_string());
    }
    Status::with_error_details(code, rejection.to_string(), details)
}

/// For operators who change the keyring.
pub(super) fn of_keyring_error(error: &KeyringError) -> Status {
    status(Code::FailedPrecondition, "KeyringRefused", &error.to_string())
}

pub(super) fn of_service_error(error: &ServiceError) -> Status {
    let message = error.to_string();
    match error {
        ServiceError::Submit(SubmitError::Rejected(rejection)) => of_rejection(rejection),
        ServiceError::Submit(SubmitError::Overloaded) => {
            exhausted("WaitingRequests", OVERLOADED_RETRY, &message)
        }
        ServiceError::Throttled(throttled) => of_throttled(throttled),
        ServiceError::Behind(_) => status(Code::Unavailable, "ServiceUnavailable", &message),
        ServiceError::Reading(_) => status(Code::Unavailable, "ServiceUnavailable", &message),
        ServiceError::DryRun => status(Code::FailedPrecondition, "DryRunOperation", &message),
        ServiceError::NoAccount => status(Code::PermissionDenied, "AccessDenied", &message),
        ServiceError::AccountGone => status(Code::NotFound, "NoSuchEntity", &message),
        ServiceError::Submit(SubmitError::Stopped(_)) => {
            status(Code::Unavailable, "ServiceUnavailable", &message)
        }
        ServiceError::Invalid(invalid) => of_invalid(invalid),
        ServiceError::Identity(error) => {
            let code = match error {
                IdentityError::Invalid(_) | IdentityError::Expired { .. } => Code::InvalidArgument,
                IdentityError::Claim { .. } => Code::PermissionDenied,
                IdentityError::Unreachable(_) => Code::Unavailable,
            };
            status(code, error.code(), &message)
        }
        ServiceError::Token(TokenError::TooLarge) => {
            status(Code::InvalidArgument, "PackedPolicyTooLarge", &message)
        }
        ServiceError::NoRandomness(_)
        | ServiceError::Keyring(_)
        | ServiceError::Erase(_)
        | ServiceError::Token(_)
        | ServiceError::Document(_)
        | ServiceError::Answer(_) => {
            let mut inside = status(Code::Internal, "InternalFailure", "the request failed inside");
            inside.set_source(Arc::from(Box::<dyn Error + Send + Sync>::from(message)));
            inside
        }
    }
}
