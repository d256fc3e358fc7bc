//! Signing keys of callers who come again: one derivation for a key, day, region and service.
//!
//! Bounded by two generations of half the capacity each: when the young one is full it becomes the
//! old one, and what was not used meanwhile is forgotten. A key is kept only after a signature was
//! right under it, so that strangers fill nothing. An entry outlives the deletion of its access
//! key, which therefore must be looked up first, as the order of `sigv4` has it; by an id that is
//! never given out again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::verify::{Expectations, SigningKey, check, compare};
use super::{Credential, Signable, SignatureError};
use crate::clock::Timestamp;
use crate::signing::Secret;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Scope {
    access_key: String,
    date: String,
    region: String,
    service: String,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Scope, SigningKey>,
    old: HashMap<Scope, SigningKey>,
}

/// Signing keys by access key and scope.
pub struct SigningKeyCache {
    // Held for a look-up or an insertion, never while hashing: revisit when profiles show it
    // contended.
    generations: Mutex<Generations>,
    generation_max: usize,
}

impl SigningKeyCache {
    /// A cache of at most this many keys, some 250 bytes each.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { generations: Mutex::default(), generation_max: (capacity / 2).max(1) }
    }

    /// As `sigv4::verify`, but asks for the secret only when the key is not there.
    pub fn verify(
        &self,
        secret: impl FnOnce() -> Secret,
        credential: &Credential,
        request: &Signable<'_>,
        now: Timestamp,
        expectations: &Expectations,
    ) -> Result<(), SignatureError> {
        check(credential, request, now, expectations)?;
        let scope = Scope {
            access_key: credential.access_key.clone(),
            date: credential.date.clone(),
            region: credential.region.clone(),
            service: credential.service.clone(),
        };
        let key = self.get(&scope).unwrap_or_else(|| {
            SigningKey::derive(&secret(), &scope.date, &scope.region, &scope.service)
        });
        compare(&key, credential, request)?;
        self.keep(scope, key);
        Ok(())
    }

    /// How many keys are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.len() + generations.old.len()
    }

    /// Whether no key is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn get(&self, scope: &Scope) -> Option<SigningKey> {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.get(scope).or_else(|| generations.old.get(scope)).cloned()
    }

    fn keep(&self, scope: Scope, key: SigningKey) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.young.contains_key(&scope) {
            return;
        }
        if generations.young.len() >= self.generation_max {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.old.remove(&scope);
        generations.young.insert(scope, key);
    }
}

impl std::fmt::Debug for SigningKeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeyCache").field("len", &self.len()).finish_non_exhaustive()
    }
}
