//! Tokens of OpenID Connect providers: read, checked against the provider's keys and times, and the keys
//! themselves, inline or fetched. Knows no account and no role; who may do what with a token is for others.
//!
//! Signatures are verified by ring, which the whole service rests on already. The crate that is at hand for
//! tokens, jsonwebtoken, has been without a ring backend since its version 10: it would bring a second
//! library of primitives (aws-lc, or the pure-Rust RSA with its open timing advisory) for what is one call of
//! ring and the reading of two JSON objects. Everything an unauthenticated caller sends is read here, so the
//! reader is small, has limits, and is fuzzed.
//! ES512, which AWS takes too, is refused for the same reason: ring has no P-521.
//! Sources: OpenID Connect Core 1.0 and Discovery 1.0; RFC 7515, 7517, 7519, 8037; RFC 8725 (best practices).

mod claims;
mod endpoint;
mod error;
mod exposed;
mod fetch;
mod jwk;
mod jwt;
mod keys;
#[cfg(test)]
mod tests;

pub use claims::{Identity, SessionTags};
pub use endpoint::{Endpoint, Reach};
pub use error::IdentityError;
pub use exposed::exposed_claims;
pub use jwk::KeySet;
pub use jwt::Unverified;
pub use keys::{KeyCache, Source};
