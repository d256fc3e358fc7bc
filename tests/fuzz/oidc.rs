//! The pure part of `oidc`: what reads and verifies tokens. Without what fetches keys, so that the fuzzers need
//! neither TLS nor a runtime.

#[path = "../../src/oidc/claims.rs"]
mod claims;
#[path = "../../src/oidc/error.rs"]
mod error;
#[path = "../../src/oidc/exposed.rs"]
mod exposed;
#[path = "../../src/oidc/jwk.rs"]
mod jwk;
#[path = "../../src/oidc/jwt.rs"]
mod jwt;

pub use claims::{Identity, SessionTags};
pub use error::IdentityError;
pub use jwk::KeySet;
pub use jwt::Unverified;
