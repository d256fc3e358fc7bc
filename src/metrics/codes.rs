//! Every error code that is answered, with the outcome that it counts as. A code that is missing here is counted
//! as `other`.

use super::instrument::Counter;
use super::labels::{Edge, Outcome};
use super::{Sink, names};

use Outcome::{Denied, Failed, Invalid, Throttled};

/// Sorted by code. Codes of AWS, and of gRPC where a call is refused before anything of AWS's is concerned.
const CODES: [(&str, Outcome); 78] = [
    ("ABORTED", Invalid),
    ("ALREADY_EXISTS", Invalid),
    ("AccessDenied", Denied),
    ("AuthFailure", Denied),
    ("Blocked", Denied),
    ("CANCELLED", Invalid),
    ("DATA_LOSS", Failed),
    ("DEADLINE_EXCEEDED", Failed),
    ("DeleteConflict", Invalid),
    ("DryRunOperation", Invalid),
    ("EntityAlreadyExists", Invalid),
    ("ExpiredToken", Denied),
    ("ExpiredTokenException", Denied),
    ("FAILED_PRECONDITION", Invalid),
    ("IDPCommunicationError", Failed),
    ("IDPRejectedClaim", Denied),
    ("INTERNAL", Failed),
    ("INVALID_ARGUMENT", Invalid),
    ("IdempotentParameterMismatch", Invalid),
    ("IncompleteSignature", Denied),
    ("IncorrectState", Invalid),
    ("InstanceLimitExceeded", Invalid),
    ("InternalError", Failed),
    ("InternalFailure", Failed),
    ("InvalidAction", Invalid),
    ("InvalidAssociationID.Malformed", Invalid),
    ("InvalidAssociationID.NotFound", Invalid),
    ("InvalidAuthenticationCode", Denied),
    ("InvalidAuthorizationMessageException", Invalid),
    ("InvalidClientTokenId", Denied),
    ("InvalidIdentityToken", Denied),
    ("InvalidInput", Invalid),
    ("InvalidInstanceID.Malformed", Invalid),
    ("InvalidInstanceID.NotFound", Invalid),
    ("InvalidParameterCombination", Invalid),
    ("InvalidParameterValue", Invalid),
    ("KeyringRefused", Invalid),
    ("LimitExceeded", Invalid),
    ("MalformedPolicyDocument", Invalid),
    ("MalformedQueryString", Invalid),
    ("MethodNotAllowed", Invalid),
    ("MissingAction", Invalid),
    ("MissingAuthenticationToken", Denied),
    ("MissingContentLength", Invalid),
    ("MissingParameter", Invalid),
    ("NOT_FOUND", Invalid),
    ("NoSuchEntity", Invalid),
    ("NoSuchVersion", Invalid),
    ("NotFound", Invalid),
    ("OUT_OF_RANGE", Invalid),
    ("PERMISSION_DENIED", Denied),
    ("PackedPolicyTooLarge", Invalid),
    ("RESOURCE_EXHAUSTED", Throttled),
    ("RequestEntityTooLarge", Invalid),
    ("RequestExpired", Denied),
    ("RequestLimitExceeded", Throttled),
    ("RequestTimeout", Invalid),
    ("ResourceCountExceeded", Invalid),
    ("ServiceUnavailable", Failed),
    ("SignatureDoesNotMatch", Denied),
    ("SlowDown", Throttled),
    ("SlowReader", Throttled),
    ("TagLimitExceeded", Invalid),
    ("Throttled", Throttled),
    ("Throttling", Throttled),
    ("ThrottlingException", Throttled),
    ("TooManyWatchers", Throttled),
    ("TooMuchChanged", Invalid),
    ("UNAUTHENTICATED", Denied),
    ("UNAVAILABLE", Failed),
    ("UNIMPLEMENTED", Invalid),
    ("UNKNOWN", Failed),
    ("UnauthorizedOperation", Denied),
    ("Unavailable", Failed),
    ("UnknownParameter", Invalid),
    ("UnmodifiableEntity", Invalid),
    ("UnsupportedMediaType", Invalid),
    ("ValidationError", Invalid),
];

/// The last one is for codes that are not listed.
const EDGES: usize = Edge::ALL.len();
static COUNTS: [[Counter; CODES.len() + 1]; EDGES] =
    [const { [const { Counter::new() }; CODES.len() + 1] }; EDGES];

fn index_of(code: &str) -> Option<usize> {
    CODES.binary_search_by(|(listed, _)| (*listed).cmp(code)).ok()
}

/// What a request with this error code came to; one with a code that is not listed is invalid.
#[must_use]
pub fn outcome_of(code: &str) -> Outcome {
    index_of(code).and_then(|index| CODES.get(index)).map_or(Invalid, |(_, outcome)| *outcome)
}

/// Counts an answered error.
pub(super) fn count(edge: Edge, code: &str) {
    let index = index_of(code).unwrap_or(CODES.len());
    if let Some(counter) = COUNTS.get(edge as usize).and_then(|counts| counts.get(index)) {
        counter.increment();
    }
}

pub(super) fn gather(sink: &mut dyn Sink) {
    let codes = || CODES.iter().map(|(code, _)| *code).chain(["other"]);
    for (edge, counts) in Edge::ALL.iter().zip(&COUNTS) {
        for (code, count) in codes().zip(counts) {
            // `other` stands for the family where nothing was refused yet.
            if count.get() > 0 || code == "other" {
                let labels = [("edge", edge.text()), ("code", code)];
                sink.number(&names::ERRORS, &labels, count.get() as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the search: codes are in order, and those of refusals count as what they are.
    #[test]
    fn codes_are_sorted_and_judged() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(outcome_of("AccessDenied"), Denied);
        assert_eq!(outcome_of("Throttling"), Throttled);
        assert_eq!(outcome_of("InternalFailure"), Failed);
        assert_eq!(outcome_of("Whatever"), Invalid);
    }
}
