//! Why a request is not taken as signed, in the codes and sentences of AWS.
//! Sentences repeat input, bounded, but never a signature or a session token.

use crate::clock::Timestamp;

use super::time::basic;

/// Why a signed request is refused. `code` is for programs, `Display` for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Nothing says who asks.
    #[error("Request is missing Authentication Token")]
    MissingAuthenticationToken,
    /// The parts of a signature are not all there, or not readable.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The signature is not one for this request, here and now.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

impl SignatureError {
    /// The error code of AWS.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::Incomplete(_) => "IncompleteSignature",
            Self::Mismatch(Mismatch::UrlExpired { .. }) => "AccessDenied",
            Self::Mismatch(_) => "SignatureDoesNotMatch",
        }
    }
}

/// What of a signature is missing or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// Parameters of the Authorization header that are not there, each with its own sentence.
    #[error("{}", header_sentences(.0))]
    Header(Vec<&'static str>),
    /// Parameters of a presigned query that are not there.
    #[error("{}", query_sentences(.0))]
    Query(Vec<&'static str>),
    /// A part of the Authorization header without `=`.
    #[error("'{0}' not a valid key=value pair (missing equal-sign) in Authorization header.")]
    NotAPair(String),
    /// Another algorithm, or another scheme.
    #[error("Unsupported AWS 'algorithm': '{0}'.")]
    Algorithm(String),
    /// A credential that is not five parts.
    #[error(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{0}'"
    )]
    Credential(String),
    /// A date in another form.
    #[error(
        "Date must be in ISO-8601 'basic format'. Got '{0}'. See http://en.wikipedia.org/wiki/ISO_8601"
    )]
    Date(String),
    /// A lifetime that is no number of seconds within a week.
    #[error("X-Amz-Expires must be a number of seconds from 0 to 604800, got '{0}'.")]
    Expires(String),
    /// Something that may stand only once stands twice: which of them was meant is not for us to
    /// guess.
    #[error("'{0}' must not be given more than once.")]
    Twice(String),
    /// `x-amz-content-sha256` is neither a hash nor a marker that is known.
    #[error(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value, got '{0}'."
    )]
    Payload(String),
    /// A chunked body is not framed as it was announced.
    #[error("The chunked body is not well-formed.")]
    Chunk,
    /// More or longer than any client sends.
    #[error("'{0}' is too long.")]
    TooLong(&'static str),
}

/// Why a complete signature is not one for this request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The signature itself.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )]
    Signature,
    /// The hash that names the body is not the body's.
    #[error("The hash in 'x-amz-content-sha256' is not that of the request that was received.")]
    Body,
    /// A chunk of the body is not the one that was signed at its place.
    #[error("The signature of a chunk of the body does not match.")]
    Chunk,
    /// Signed too long ago.
    #[error(
        "Signature expired: {} is now earlier than {} ({} - {minutes} min.)",
        basic(*signed_at), basic(*limit), basic(*now)
    )]
    Expired {
        /// When it was signed.
        signed_at: Timestamp,
        /// The earliest that would do.
        limit: Timestamp,
        /// The time here.
        now: Timestamp,
        /// The difference of the two.
        minutes: u64,
    },
    /// Signed in the future.
    #[error(
        "Signature not yet current: {} is still later than {} ({} + {minutes} min.)",
        basic(*signed_at), basic(*limit), basic(*now)
    )]
    NotYetCurrent {
        /// When it was signed.
        signed_at: Timestamp,
        /// The latest that would do.
        limit: Timestamp,
        /// The time here.
        now: Timestamp,
        /// The difference of the two.
        minutes: u64,
    },
    /// A presigned URL is older than it asked to become. S3's words.
    #[error("Request has expired")]
    UrlExpired {
        /// When it ended.
        end: Timestamp,
        /// The time here.
        now: Timestamp,
    },
    /// Signed for another host.
    #[error("The request was signed for the host '{0}', which is not one of this service.")]
    Host(String),
    /// The scope's day is not the day of the request's date.
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope}' != '{day}', from '{date}'."
    )]
    Day {
        /// The scope's day.
        scope: String,
        /// The request's day.
        day: String,
        /// The request's date.
        date: String,
    },
    /// A region that is not served here.
    #[error("Credential should be scoped to a valid region, not '{0}'.")]
    Region(String),
    /// Another service.
    #[error("Credential should be scoped to correct service: '{0}'.")]
    Service(String),
    /// A scope that does not end as it must.
    #[error("Credential should be scoped with a valid terminator: 'aws4_request', not '{0}'.")]
    Termination(String),
    /// `host` is not among the signed headers.
    #[error("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")]
    HostNotSigned,
    /// A header that changes what AWS does is not among the signed headers.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    NotSigned(String),
    /// A signed header is not in the request.
    #[error("'{0}' is named as a SignedHeader, but it does not exist in the HTTP request")]
    NotThere(String),
    /// The list of signed headers is not lower-case and ascending.
    #[error("'SignedHeaders' must be lower-case, sorted and without repetition.")]
    HeaderOrder,
}

fn header_sentences(missing: &[&'static str]) -> String {
    let sentence = |name: &&str| match *name {
        "Date" => {
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
                .to_owned()
        }
        name => format!("Authorization header requires '{name}' parameter."),
    };
    missing.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

fn query_sentences(missing: &[&'static str]) -> String {
    let sentence = |name: &&str| format!("AWS query-string parameters must include '{name}'. ");
    missing.iter().map(sentence).collect::<String>() + "Re-examine the query-string parameters."
}

/// The first characters of an input that an error repeats.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN_CHARS: usize = 128;
    text.chars().take(SHOWN_CHARS).collect()
}
