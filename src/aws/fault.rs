//! What is answered when a request is not done: one table from the reasons to the codes and HTTP statuses of
//! AWS, in the words of IAM and STS and in those of EC2.
//! Sources: STS and IAM API References, Common Errors; EC2 API Reference, Error codes.

use std::fmt::Write as _;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::api::Api;
use super::form::FormError;
use super::mistakes::{Mistake, Mistakes};
use super::xml::escape;
use crate::domain::instance_tags::TAGS_QUOTA;
use crate::domain::quotas::Quota;
use crate::domain::rejection::Rejection;
use crate::identity::Invalid;
use crate::ledger::{OVERLOADED_RETRY, SubmitError};
use crate::oidc::IdentityError;
use crate::policy::ParseError;
use crate::service::{AuthError, ServiceError, Throttled};
use crate::signing::TokenError;

/// A reason, as both families of services name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    code: &'static str,
    status: StatusCode,
    ec2_code: &'static str,
    ec2_status: StatusCode,
}

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
const CONFLICT: StatusCode = StatusCode::CONFLICT;

const fn kind(
    code: &'static str,
    status: StatusCode,
    ec2_code: &'static str,
    ec2_status: StatusCode,
) -> Kind {
    Kind { code, status, ec2_code, ec2_status }
}

/// A reason that both name alike.
const fn alike(code: &'static str, status: StatusCode) -> Kind {
    kind(code, status, code, status)
}

const ACCESS_DENIED: Kind = kind("AccessDenied", FORBIDDEN, "UnauthorizedOperation", FORBIDDEN);
const VALIDATION: Kind = kind("ValidationError", BAD_REQUEST, "InvalidParameterValue", BAD_REQUEST);
const MISSING_PARAMETER: Kind =
    kind("ValidationError", BAD_REQUEST, "MissingParameter", BAD_REQUEST);
const MALFORMED_QUERY: Kind = alike("MalformedQueryString", StatusCode::NOT_FOUND);
const INVALID_ACTION: Kind = alike("InvalidAction", BAD_REQUEST);
const MISSING_ACTION: Kind = alike("MissingAction", BAD_REQUEST);
const NO_SUCH_VERSION: Kind = kind("InvalidAction", BAD_REQUEST, "NoSuchVersion", BAD_REQUEST);
const UNREAD_PARAMETER: Kind =
    kind("ValidationError", BAD_REQUEST, "UnknownParameter", BAD_REQUEST);
const INTERNAL: Kind = kind(
    "InternalFailure",
    StatusCode::INTERNAL_SERVER_ERROR,
    "InternalError",
    StatusCode::INTERNAL_SERVER_ERROR,
);
const THROTTLED: Kind =
    kind("Throttling", BAD_REQUEST, "RequestLimitExceeded", StatusCode::SERVICE_UNAVAILABLE);
const UNAVAILABLE: Kind = kind(
    "ServiceUnavailable",
    StatusCode::SERVICE_UNAVAILABLE,
    "Unavailable",
    StatusCode::SERVICE_UNAVAILABLE,
);
const AUTH_FAILURE: StatusCode = StatusCode::UNAUTHORIZED;

fn of_auth(error: &AuthError) -> Kind {
    match error.code() {
        code @ "IncompleteSignature" => alike(code, BAD_REQUEST),
        code @ "ExpiredToken" => kind(code, FORBIDDEN, "RequestExpired", BAD_REQUEST),
        code @ "AccessDenied" => kind(code, FORBIDDEN, "Blocked", FORBIDDEN),
        code => kind(code, FORBIDDEN, "AuthFailure", AUTH_FAILURE),
    }
}

fn of_rejection(rejection: &Rejection) -> Kind {
    let code = rejection.code();
    match rejection {
        Rejection::Invalid(_) | Rejection::Constraints(_) | Rejection::Validation(_) => VALIDATION,
        Rejection::InvalidAuthenticationCode => alike(code, FORBIDDEN),
        Rejection::AccessDenied(_) => ACCESS_DENIED,
        Rejection::AccountDisabled(_) => kind(code, FORBIDDEN, "Blocked", FORBIDDEN),
        Rejection::NoSuchEntity { .. } => {
            kind(code, StatusCode::NOT_FOUND, "InvalidParameterValue", BAD_REQUEST)
        }
        Rejection::EntityAlreadyExists { .. } | Rejection::DeleteConflict { .. } => {
            alike(code, CONFLICT)
        }
        Rejection::LimitExceeded { quota, .. } if *quota == Quota::Instances.name() => {
            kind(code, CONFLICT, "InstanceLimitExceeded", BAD_REQUEST)
        }
        Rejection::LimitExceeded { quota, .. } if *quota == TAGS_QUOTA => {
            kind(code, CONFLICT, "TagLimitExceeded", BAD_REQUEST)
        }
        Rejection::LimitExceeded { .. } => {
            kind(code, CONFLICT, "ResourceCountExceeded", BAD_REQUEST)
        }
        Rejection::InvalidInput(_)
        | Rejection::Unmodifiable(_)
        | Rejection::InvalidParameter(_)
        | Rejection::InvalidCombination(_)
        | Rejection::MalformedPolicy { .. }
        | Rejection::InvalidPrincipal { .. }
        | Rejection::InvalidAuthorizationMessage
        | Rejection::PackedPolicyTooLarge { .. }
        | Rejection::IncorrectState(_)
        | Rejection::NoSuchInstance(_)
        | Rejection::NoSuchAssociation(_)
        | Rejection::InvalidProfile(_)
        | Rejection::IdempotencyMismatch => alike(code, BAD_REQUEST),
    }
}

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Fault {
    kind: Kind,
    message: String,
    /// What DecodeAuthorizationMessage opens; EC2 tells it with the message.
    encoded: Option<String>,
    /// What failed inside: for the log, not for the caller.
    cause: Option<Box<str>>,
    /// When another attempt makes sense, where that is known.
    retry_after: Option<Duration>,
}

impl Fault {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), encoded: None, cause: None, retry_after: None }
    }

    /// A fault that both families name alike.
    pub(super) fn own(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Self::new(alike(code, status), message)
    }

    /// A rule of the service itself is broken.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(VALIDATION, message)
    }

    /// The marker is not one of this list.
    pub(super) fn marker() -> Self {
        Self::validation("Invalid Marker.")
    }

    /// No such action, in the words of the service.
    pub(super) fn action(api: Api, action: &str, version: &str) -> Self {
        let action: String = action.chars().take(128).collect();
        match api {
            Api::Ec2 => Self::new(
                INVALID_ACTION,
                format!("The action {action} is not valid for this web service."),
            ),
            _ => Self::new(
                INVALID_ACTION,
                format!("Could not find operation {action} for version {version}"),
            ),
        }
    }

    /// No such version, in the words of the service.
    pub(super) fn version(api: Api, action: &str, version: Option<&str>) -> Self {
        let version = version.unwrap_or("NO_VERSION_SPECIFIED");
        let version: String = version.chars().take(32).collect();
        match api {
            Api::Ec2 => Self::new(
                NO_SUCH_VERSION,
                format!("The requested version ({version}) of service AmazonEC2 does not exist"),
            ),
            _ => Self::action(api, action, &version),
        }
    }

    /// The request names no action.
    pub(super) fn no_action() -> Self {
        Self::new(MISSING_ACTION, "The request must contain the parameter Action")
    }

    /// A parameter that the action does not have, in the words of EC2, or that is not read here. STS and IAM have
    /// no code for it: `ValidationError` is the one that both of their Common Errors have for parameters.
    pub(super) fn parameter(api: Api, name: &str) -> Self {
        let name: String = name.chars().take(128).collect();
        let told = if api == Api::Ec2 { "recognized" } else { "supported here." };
        Self::new(UNREAD_PARAMETER, format!("The parameter {name} is not {told}"))
    }

    /// A parameter that has to be there for this one request.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(MISSING_PARAMETER, format!("The request must contain the parameter {name}"))
    }

    /// The request would be done, were it not for DryRun.
    pub(super) fn dry_run() -> Self {
        let message = "Request would have succeeded, but DryRun flag is set.";
        Self::own("DryRunOperation", StatusCode::PRECONDITION_FAILED, message)
    }

    fn throttled(retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(THROTTLED, "Rate exceeded") }
    }

    /// When another attempt makes sense, where that is known.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The operation took too long; it may still be done.
    pub(super) fn timed_out() -> Self {
        Self::new(UNAVAILABLE, "The request took too long; whether it is done is not known.")
    }

    /// Something is wrong inside: told to the log, not to the caller.
    pub(super) fn internal(what: &dyn std::fmt::Display) -> Self {
        let message = "The request processing has failed because of an unknown error.";
        Self { cause: Some(what.to_string().into()), ..Self::new(INTERNAL, message) }
    }

    /// Everything that is wrong with the parameters, as `api` tells it.
    pub(super) fn mistakes(api: Api, Mistakes(mistakes): &Mistakes) -> Self {
        match (api, mistakes.first()) {
            (Api::Ec2, Some(Mistake { wire, value: None, .. })) => Self::missing(wire),
            (Api::Ec2, Some(mistake)) => Self::ec2_mistake(mistake),
            _ => {
                let told: Vec<String> = mistakes.iter().map(constraint).collect();
                let errors = if told.len() == 1 { "error" } else { "errors" };
                let told = told.join("; ");
                let count = mistakes.len();
                Self::validation(format!("{count} validation {errors} detected: {told}"))
            }
        }
    }

    /// EC2 has codes of their own for ids that are none.
    fn ec2_mistake(mistake: &Mistake) -> Self {
        let Mistake { at, wire, value, rule } = mistake;
        let value = value.as_deref().unwrap_or_default();
        let parameter = wire.split('.').next().unwrap_or_default();
        let malformed = match parameter {
            "InstanceId" => Some("InvalidInstanceID.Malformed"),
            "AssociationId" => Some("InvalidAssociationID.Malformed"),
            _ => None,
        };
        match malformed {
            Some(code) => Self::own(code, BAD_REQUEST, format!("Invalid id: \"{value}\"")),
            None => {
                let rule = rule.strip_prefix("Member ").unwrap_or(rule);
                let message = format!("Value ({value}) for parameter {at} is invalid. It {rule}.");
                Self::new(VALIDATION, message)
            }
        }
    }

    /// A policy that is none, or none of its kind.
    pub(super) fn policy(error: &ParseError) -> Self {
        Self::own("MalformedPolicyDocument", BAD_REQUEST, sentence(&error.to_string()))
    }

    /// The error code that `api` answers with.
    pub(super) fn code(&self, api: Api) -> &'static str {
        if api == Api::Ec2 { self.kind.ec2_code } else { self.kind.code }
    }

    /// What failed inside, for the log.
    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The HTTP status that `api` answers with.
    pub(super) fn status(&self, api: Api) -> StatusCode {
        if api == Api::Ec2 { self.kind.ec2_status } else { self.kind.status }
    }

    /// The body, in the form of the service.
    pub(super) fn body(&self, api: Api, as_json: bool, request_id: &str) -> String {
        if api == Api::Ec2 {
            return self.ec2_body(request_id);
        }
        let kind = if self.kind.status.is_server_error() { "Receiver" } else { "Sender" };
        let code = self.kind.code;
        if as_json {
            let error = json!({ "Type": kind, "Code": code, "Message": self.message });
            return json!({ "Error": error, "RequestId": request_id }).to_string();
        }
        let mut body = String::with_capacity(512);
        let namespace = api.namespace();
        // Writing to a String cannot fail.
        let _ = write!(
            body,
            "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code><Message>"
        );
        escape(&self.message, &mut body);
        let _ =
            write!(body, "</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>");
        body
    }

    fn ec2_body(&self, request_id: &str) -> String {
        let mut message = match self.kind.ec2_code {
            "UnauthorizedOperation" => {
                format!("You are not authorized to perform this operation. {}", self.message)
            }
            "AuthFailure" => format!(
                "AWS was not able to validate the provided access credentials: {}",
                self.message
            ),
            "RequestLimitExceeded" => "Request limit exceeded.".to_owned(),
            _ => self.message.clone(),
        };
        if let Some(encoded) = &self.encoded {
            let _ = write!(message, " Encoded authorization failure message: {encoded}");
        }
        let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let code = self.kind.ec2_code;
        let _ = write!(body, "<Response><Errors><Error><Code>{code}</Code><Message>");
        escape(&message, &mut body);
        let _ = write!(
            body,
            "</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>"
        );
        body
    }
}

/// A mistake as IAM and STS tell it.
fn constraint(mistake: &Mistake) -> String {
    let Mistake { at, value, rule, .. } = mistake;
    let value = value.as_ref().map_or("null".to_owned(), |value| format!("'{value}'"));
    format!("Value {value} at '{at}' failed to satisfy constraint: {rule}")
}

/// A message with a capital and a full stop.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    let rest = chars.as_str();
    let stop = if message.ends_with('.') { "" } else { "." };
    format!("{}{rest}{stop}", first.map(String::from).unwrap_or_default())
}

impl From<AuthError> for Fault {
    fn from(error: AuthError) -> Self {
        Self::new(of_auth(&error), error.to_string())
    }
}

impl From<Throttled> for Fault {
    fn from(throttled: Throttled) -> Self {
        Self::throttled(throttled.retry_after)
    }
}

impl From<FormError> for Fault {
    fn from(error: FormError) -> Self {
        Self::new(MALFORMED_QUERY, sentence(&error.to_string()))
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        Self::validation(sentence(&invalid.to_string()))
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        let kind = of_rejection(&rejection);
        match rejection {
            Rejection::AccessDenied(denied) => {
                Self { encoded: denied.encoded, ..Self::new(kind, denied.message) }
            }
            Rejection::MalformedPolicy { error, .. } => Self::policy(&error),
            // In AWS's words already.
            told @ (Rejection::Constraints(_)
            | Rejection::Validation(_)
            | Rejection::InvalidParameter(_)
            | Rejection::InvalidPrincipal { .. }
            | Rejection::InvalidCombination(_)) => Self::new(kind, told.to_string()),
            other => Self::new(kind, sentence(&other.to_string())),
        }
    }
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Submit(SubmitError::Rejected(rejection)) => rejection.into(),
            ServiceError::Submit(SubmitError::Overloaded) => Self::throttled(OVERLOADED_RETRY),
            ServiceError::Throttled(throttled) => throttled.into(),
            ServiceError::DryRun => Self::dry_run(),
            ServiceError::NoAccount => {
                Self::new(ACCESS_DENIED, "The caller has no account.".to_owned())
            }
            ServiceError::Behind(_) | ServiceError::Reading(_) => {
                Self::new(UNAVAILABLE, sentence(&error.to_string()))
            }
            ServiceError::Submit(SubmitError::Stopped(_)) => {
                Self::new(UNAVAILABLE, sentence(&error.to_string()))
            }
            ServiceError::Invalid(invalid) => invalid.into(),
            ServiceError::Identity(error) => {
                let forbidden = matches!(error, IdentityError::Claim { .. });
                let status = if forbidden { FORBIDDEN } else { BAD_REQUEST };
                Self::own(error.code(), status, error.to_string())
            }
            ServiceError::Token(TokenError::TooLarge) => {
                let message = sentence(&error.to_string());
                Self::own("PackedPolicyTooLarge", BAD_REQUEST, message)
            }
            ServiceError::NoRandomness(_)
            | ServiceError::Keyring(_)
            | ServiceError::Erase(_)
            | ServiceError::Token(_)
            | ServiceError::Document(_)
            | ServiceError::AccountGone
            | ServiceError::Answer(_) => Self::internal(&error),
        }
    }
}
