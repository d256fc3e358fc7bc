//! What a request asks for, byte by byte.

use std::fmt;

use bytes::Bytes;
use ring::digest::{Context, SHA256};

use crate::identity::Principal;
use crate::metrics::{self, Operation};

/// An operation with its parameters, in the form in which the edge has them.
#[derive(Clone)]
pub struct Asked {
    /// The operation.
    pub operation: &'static Operation,
    /// Its parameters: the same ones have the same bytes.
    pub parameters: Bytes,
}

impl Asked {
    /// Nothing that anybody asked for.
    pub(super) fn nothing() -> Self {
        Self { operation: metrics::grpc().find(""), parameters: Bytes::new() }
    }

    /// What an idempotency token is bound to: the operation, the caller and every parameter.
    pub(super) fn fingerprint(&self, caller: &Principal) -> [u8; 16] {
        let Operation { edge, service, name, .. } = self.operation;
        let caller = caller.arn();
        let head = [edge.text(), service, name, &caller].map(str::as_bytes);
        let mut digest = Context::new(&SHA256);
        for part in head.into_iter().chain([&self.parameters[..]]) {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut fingerprint = [0; 16];
        for (to, from) in fingerprint.iter_mut().zip(digest.finish().as_ref()) {
            *to = *from;
        }
        fingerprint
    }
}

/// Parameters may be secrets.
impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operation { service, name, .. } = self.operation;
        write!(f, "{service}.{name}({} bytes)", self.parameters.len())
    }
}
