//! Facts as they are stored: protobuf, `proto/locum/stored/v1/fact.proto`. Stored and domain types are
//! different things and are converted here and nowhere else.

mod credentials;
mod decode;
mod encode;
mod entities;
mod mfa;
mod oidc;
mod retold;
mod rotation;
mod session;

use prost::Message as _;

use crate::domain::event::Fact;
use crate::proto::stored;

/// Bytes that are no fact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Not the protobuf message.
    #[error("is no stored fact: {0}")]
    Protobuf(String),
    /// A part of it is missing or not what its type holds.
    #[error("{0}")]
    Part(String),
}

/// The stored form of a fact.
#[must_use]
pub fn encode(fact: &Fact) -> Vec<u8> {
    encode::fact(fact).encode_to_vec()
}

/// The fact of a stored form.
///
/// # Errors
/// The bytes are no fact that `encode` wrote.
pub fn decode(bytes: &[u8]) -> Result<Fact, CodecError> {
    let stored = stored::Fact::decode(bytes);
    decode::fact(stored.map_err(|error| CodecError::Protobuf(error.to_string()))?)
}
