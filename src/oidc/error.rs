//! Why a token is not taken, by what its holder can do about it.

/// Why the holder of a token is not who it says. Nothing of the token is repeated but the issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The token is no token, is not signed by its issuer, or is for somebody else.
    #[error("{0}")]
    Invalid(String),
    /// The token has ended.
    #[error(
        "Token expired: current date/time {now} must be before the expiration date/time {expires}"
    )]
    Expired {
        /// Seconds since 1970.
        now: i64,
        /// Seconds since 1970.
        expires: i64,
    },
    /// A claim is not what it has to be.
    #[error("The claim `{claim}` of the token is not acceptable: {rule}")]
    Claim {
        /// The claim.
        claim: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// The keys of the issuer cannot be had now.
    #[error("Couldn't retrieve verification key from your identity provider: {0}")]
    Unreachable(String),
}

impl IdentityError {
    /// The AWS error code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "InvalidIdentityToken",
            Self::Expired { .. } => "ExpiredTokenException",
            Self::Claim { .. } => "IDPRejectedClaim",
            Self::Unreachable(_) => "IDPCommunicationError",
        }
    }

    pub(super) fn invalid(rule: impl Into<String>) -> Self {
        Self::Invalid(rule.into())
    }
}
