//! The keyring: versions of the root key, in JSON, from a file of mode 0600 or from an environment
//! secret.
//!
//! ```text
//! {"format":1,"id":"hex 16","keys":[{"version":1,"state":"active","fingerprint":"hex 16","key":"base64"}]}
//! ```
//!
//! A version is `next` (every node can unwrap with it, none wraps yet), `active` (wraps) or
//! `retired` (only unwraps). Exactly one is active, at most one is next, versions ascend. `id` and
//! fingerprints are derived from the keys one way: they may be logged, and they show a wrong or
//! damaged keyring before it is used. A wrapped account key is nonce 12 | AES-256-GCM(key), tag
//! 16, with account and version authenticated; the nonce is random, which is safe for the few
//! million accounts that one root key ever wraps (2^32).

mod file;
mod source;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use source::KeyringSource;

use super::NoRandomness;
use super::crypto::{self, KEY_BYTES, Key, NONCE_BYTES, Purpose};
use super::derive::AccountKey;
use crate::identity::AccountId;

/// The largest keyring that is read, in bytes; some 400 versions.
const KEYRING_BYTES_MAX: usize = 64 * 1024;
const FORMAT: u32 = 1;
const FINGERPRINT_BYTES: usize = 8;

/// Why a keyring cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file cannot be read or written.
    #[error("keyring file `{path}`: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others than its owner may read or write the file.
    #[error(
        "keyring file `{path}` has mode {mode:04o}: it must be a file for its owner alone (0600)"
    )]
    Permissions {
        /// The file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// Others may put another file in its place.
    #[error("keyring file `{path}` is in a folder that others may change")]
    Folder {
        /// The file.
        path: String,
    },
    /// The file is someone else's.
    #[error("keyring file `{path}` belongs to user {owner}, and the server does not")]
    Owner {
        /// The file.
        path: String,
        /// Its owner.
        owner: u32,
    },
    /// The environment variable is not there or no text.
    #[error("the environment variable `{0}` holds no keyring")]
    Variable(String),
    /// The keyring comes from where the server cannot write.
    #[error(
        "the keyring came from {0}, which the server cannot write: `locum keyring advance` makes the \
         next one of it; start the server with that"
    )]
    Fixed(String),
    /// Another keyring is not this one's successor.
    #[error("the new keyring does not follow the one in use: {0}")]
    NoSuccessor(&'static str),
    /// Larger than any keyring.
    #[error("the keyring is larger than {KEYRING_BYTES_MAX} bytes")]
    TooLarge,
    /// Not the JSON of a keyring. The parser's own words are left out: they may repeat a key.
    #[error("the keyring is not valid JSON of a keyring at line {line}, column {column}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A format that this program does not know.
    #[error("keyring format {0} is not known")]
    UnknownFormat(u32),
    /// States or order of the versions make no keyring.
    #[error("a keyring has ascending versions, one of them active and at most one next")]
    States,
    /// A key does not match the fingerprint beside it: damaged, or put into another keyring.
    #[error("key version {0} of the keyring does not match its fingerprint")]
    Fingerprint(u32),
    /// An account key was wrapped by a version that this keyring does not have.
    #[error("the keyring has no key version {0}")]
    UnknownVersion(u32),
    /// An account key does not open: another keyring wrapped it, or it was changed.
    #[error("the key of account `{account}` does not open with version {version} of this keyring")]
    WrongKeyring {
        /// The account.
        account: AccountId,
        /// The version that it names.
        version: u32,
    },
    /// The keyring's state does not allow the step.
    #[error("{0}")]
    Rotation(&'static str),
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// What a version of the root key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Unwraps, and will be active.
    Next,
    /// Wraps and unwraps.
    Active,
    /// Unwraps what it once wrapped.
    Retired,
}

/// What may be told of a version: all but its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVersion {
    /// Counts from 1.
    pub version: u32,
    /// Its state.
    pub state: KeyState,
    /// Derived from the key, one way.
    pub fingerprint: String,
}

#[derive(Clone)]
struct RootKey {
    version: u32,
    state: KeyState,
    key: Key,
}

/// Every version of the root key.
#[derive(Clone)]
pub struct Keyring {
    id: String,
    keys: Vec<RootKey>,
}

impl Keyring {
    /// A new keyring of one active version, in memory.
    pub fn generate(rng: &dyn SecureRandom) -> Result<Self, NoRandomness> {
        let key = random_key(rng)?;
        let id = crypto::derive::<FINGERPRINT_BYTES>(&key, Purpose::KeyringId, b"");
        let first = RootKey { version: 1, state: KeyState::Active, key };
        Ok(Self { id: hex::encode(id.as_slice()), keys: vec![first] })
    }

    /// Reads a keyring from its JSON, as the environment holds it.
    pub fn from_json(json: &str) -> Result<Self, KeyringError> {
        if json.len() > KEYRING_BYTES_MAX {
            return Err(KeyringError::TooLarge);
        }
        let stored: Stored = serde_json::from_str(json)
            .map_err(|e| KeyringError::Malformed { line: e.line(), column: e.column() })?;
        if stored.format != FORMAT {
            return Err(KeyringError::UnknownFormat(stored.format));
        }
        let mut keyring = Self { id: stored.id, keys: Vec::with_capacity(stored.keys.len()) };
        for stored in &stored.keys {
            let mut key = Key::default();
            let length = STANDARD.decode_slice(&stored.key, key.as_mut_slice());
            let root = RootKey { version: stored.version, state: stored.state, key };
            if length != Ok(KEY_BYTES) || keyring.fingerprint(&root) != stored.fingerprint {
                return Err(KeyringError::Fingerprint(stored.version));
            }
            keyring.keys.push(root);
        }
        keyring.check()?;
        Ok(keyring)
    }

    /// The keyring's JSON, which is as secret as the keys in it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a struct of strings and numbers has a JSON")]
    pub fn to_json(&self) -> Zeroizing<String> {
        let keys = self.keys.iter().map(|root| StoredKey {
            version: root.version,
            state: root.state,
            fingerprint: self.fingerprint(root),
            key: STANDARD.encode(root.key.as_slice()),
        });
        let stored = Stored { format: FORMAT, id: self.id.clone(), keys: keys.collect() };
        Zeroizing::new(serde_json::to_string_pretty(&stored).expect("JSON of plain fields"))
    }

    /// The keyring's public name: the same for all its life, told apart from any other keyring's.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The versions in order, without their keys.
    #[must_use]
    pub fn versions(&self) -> Vec<KeyVersion> {
        let public = |root: &RootKey| KeyVersion {
            version: root.version,
            state: root.state,
            fingerprint: self.fingerprint(root),
        };
        self.keys.iter().map(public).collect()
    }

    /// The version that wraps.
    ///
    /// # Errors
    /// The keyring has none.
    pub fn active(&self) -> Result<u32, KeyringError> {
        self.in_state(KeyState::Active).map(|key| key.version).ok_or(KeyringError::States)
    }

    /// Whether the keyring has this version.
    #[must_use]
    pub fn has(&self, version: u32) -> bool {
        self.keys.iter().any(|key| key.version == version)
    }

    /// Checks that this keyring can take the place of `current`: the same keyring, every version that it
    /// shares with `current` the same key, the active one no older, and all of `needed` there.
    ///
    /// # Errors
    /// It cannot; nothing has changed.
    pub fn check_successor(
        &self,
        current: &Self,
        needed: impl IntoIterator<Item = u32>,
    ) -> Result<(), KeyringError> {
        if self.id != current.id {
            return Err(KeyringError::NoSuccessor("it is another installation's"));
        }
        for ours in &self.keys {
            let theirs = current.keys.iter().find(|key| key.version == ours.version);
            if theirs.is_some_and(|theirs| self.fingerprint(ours) != self.fingerprint(theirs)) {
                return Err(KeyringError::Fingerprint(ours.version));
            }
        }
        if self.active()? < current.active()? {
            return Err(KeyringError::NoSuccessor("its active version is older"));
        }
        // Keys that are being wrapped right now are by the active one.
        let needed = needed.into_iter().chain([current.active()?]);
        match needed.into_iter().find(|version| !self.has(*version)) {
            Some(version) => Err(KeyringError::UnknownVersion(version)),
            None => Ok(()),
        }
    }

    /// Wraps an account's key with the active version; gives the version and the bytes to store.
    pub fn wrap_account_key(
        &self,
        account: AccountId,
        key: &AccountKey,
        rng: &dyn SecureRandom,
    ) -> Result<(u32, Vec<u8>), KeyringError> {
        let active = self.in_state(KeyState::Active).ok_or(KeyringError::States)?;
        let mut nonce = [0; NONCE_BYTES];
        rng.fill(&mut nonce).map_err(NoRandomness::from)?;
        let wrapping = crypto::derive(&active.key, Purpose::WrapAccountKey, b"");
        // Room for the tag from the start: growing would leave a copy of the key behind.
        let mut sealed = Vec::with_capacity(KEY_BYTES + crypto::TAG_BYTES);
        sealed.extend_from_slice(key.bytes());
        crypto::seal(&wrapping, nonce, &binding(account, active.version), &mut sealed);
        Ok((active.version, [nonce.as_slice(), &sealed].concat()))
    }

    /// Unwraps an account's key that `version` of this keyring wrapped.
    pub fn unwrap_account_key(
        &self,
        account: AccountId,
        version: u32,
        wrapped: &[u8],
    ) -> Result<AccountKey, KeyringError> {
        let root = self
            .keys
            .iter()
            .find(|key| key.version == version)
            .ok_or(KeyringError::UnknownVersion(version))?;
        let wrong = || KeyringError::WrongKeyring { account, version };
        let (nonce, sealed) = wrapped.split_first_chunk().ok_or_else(wrong)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let wrapping = crypto::derive(&root.key, Purpose::WrapAccountKey, b"");
        let plain = crypto::open(&wrapping, *nonce, &binding(account, version), &mut sealed);
        let bytes = plain.and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)?;
        Ok(AccountKey::from_bytes(bytes))
    }

    /// First step of a rotation: a new version that every node must hold before it becomes active.
    pub fn prepare_next(&mut self, rng: &dyn SecureRandom) -> Result<u32, KeyringError> {
        if self.in_state(KeyState::Next).is_some() {
            return Err(KeyringError::Rotation("the keyring has a next version already"));
        }
        let last = self.keys.last().map_or(0, |key| key.version);
        let version = last.checked_add(1).ok_or(KeyringError::States)?;
        self.keys.push(RootKey { version, state: KeyState::Next, key: random_key(rng)? });
        Ok(version)
    }

    /// Second step: the next version wraps from now on, the active one only unwraps.
    pub fn activate_next(&mut self) -> Result<u32, KeyringError> {
        let next = self
            .in_state(KeyState::Next)
            .map(|key| key.version)
            .ok_or(KeyringError::Rotation("the keyring has no next version"))?;
        for key in &mut self.keys {
            key.state = match key.state {
                KeyState::Next => KeyState::Active,
                KeyState::Active | KeyState::Retired => KeyState::Retired,
            };
        }
        Ok(next)
    }

    /// Last step: forgets a retired version. What is still wrapped by it is lost for good.
    pub fn remove_retired(&mut self, version: u32) -> Result<(), KeyringError> {
        let retired = |key: &RootKey| key.version == version && key.state == KeyState::Retired;
        if !self.keys.iter().any(retired) {
            return Err(KeyringError::Rotation("only a retired version can be removed"));
        }
        self.keys.retain(|key| !retired(key));
        Ok(())
    }

    fn in_state(&self, state: KeyState) -> Option<&RootKey> {
        self.keys.iter().find(|key| key.state == state)
    }

    /// Binds a key to its version and to this keyring's id, so that neither can be edited.
    fn fingerprint(&self, root: &RootKey) -> String {
        let context = [&root.version.to_be_bytes(), self.id.as_bytes()].concat();
        let bytes =
            crypto::derive::<FINGERPRINT_BYTES>(&root.key, Purpose::RootFingerprint, &context);
        hex::encode(bytes.as_slice())
    }

    fn check(&self) -> Result<(), KeyringError> {
        let count = |state| self.keys.iter().filter(|key| key.state == state).count();
        let ascending = self.keys.is_sorted_by(|a, b| a.version < b.version);
        let from_one = self.keys.first().is_some_and(|key| key.version > 0);
        if ascending && from_one && count(KeyState::Active) == 1 && count(KeyState::Next) <= 1 {
            Ok(())
        } else {
            Err(KeyringError::States)
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("id", &self.id).field("keys", &self.versions()).finish()
    }
}

fn random_key(rng: &dyn SecureRandom) -> Result<Key, NoRandomness> {
    let mut key = Key::default();
    rng.fill(key.as_mut_slice())?;
    Ok(key)
}

/// What a wrapped key is bound to.
fn binding(account: AccountId, version: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    let parts = account.get().to_be_bytes().into_iter().chain(version.to_be_bytes());
    for (to, from) in bytes.iter_mut().zip(parts) {
        *to = from;
    }
    bytes
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    id: String,
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    #[zeroize(skip)]
    version: u32,
    #[zeroize(skip)]
    state: KeyState,
    #[zeroize(skip)]
    fingerprint: String,
    key: String,
}

#[cfg(test)]
mod tests;
