//! The root keys while the server runs: another keyring takes the place of the one in use between two
//! requests, and the keys of accounts move to its active version one by one, as events. A session that
//! lives notices nothing: an account's key stays the same under whatever wraps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};

use super::{RequestInfo, Service, ServiceError};
use crate::domain::account_key::WrappedAccountKey;
use crate::domain::command::{AccountAction, Action, InstallationAction};
use crate::identity::AccountId;
use crate::ledger::Receipt;
use crate::log::EraseError;
use crate::signing::{KeyState, KeyVersion, Keyring, KeyringError};

/// The keyring in use.
pub(super) struct RootKeys {
    current: ArcSwap<Keyring>,
    /// Counts the keyrings that were put in place.
    changed: watch::Sender<u64>,
    /// Held while a keyring is read, changed and put in place: a file has one writer.
    changing: Mutex<()>,
}

impl RootKeys {
    pub(super) fn new(keyring: Arc<Keyring>) -> Self {
        let current = ArcSwap::new(keyring);
        Self { current, changed: watch::Sender::new(0), changing: Mutex::new(()) }
    }

    pub(super) fn current(&self) -> Arc<Keyring> {
        self.current.load_full()
    }
}

/// A version of the root key and how many accounts' keys it wraps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionUse {
    /// The version.
    pub version: KeyVersion,
    /// Keys of accounts that it wraps.
    pub account_keys: usize,
}

/// What a pass of re-wrapping did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Keys that are under the active version now.
    pub done: usize,
    /// Keys that could not be moved; the next pass tries again.
    pub failed: usize,
}

impl Service {
    /// The versions of the root key in use, and what each wraps.
    #[must_use]
    pub fn keyring_versions(&self) -> Vec<VersionUse> {
        let counts = self.keys_by_version();
        let versions = self.root_keys.current().versions().into_iter();
        let with_use = versions.map(|version| {
            let account_keys = counts.get(&version.version).copied().unwrap_or_default();
            VersionUse { version, account_keys }
        });
        with_use.collect()
    }

    /// The keyring's public name.
    #[must_use]
    pub fn keyring_id(&self) -> String {
        self.root_keys.current().id().to_owned()
    }

    fn keys_by_version(&self) -> BTreeMap<u32, usize> {
        let mut counts = BTreeMap::new();
        for account in self.view().state.accounts() {
            *counts.entry(account.key.keyring_version).or_default() += 1;
        }
        counts
    }

    /// Resolves whenever another keyring was put in place.
    #[must_use]
    pub fn keyring_changes(&self) -> watch::Receiver<u64> {
        self.root_keys.changed.subscribe()
    }

    /// Puts `keyring` in place, if it can follow the one in use and opens what is wrapped.
    fn put_keyring(&self, keyring: Keyring) -> Result<(), KeyringError> {
        let current = self.root_keys.current();
        keyring.check_successor(&current, self.keys_by_version().into_keys())?;
        let mut tried = Vec::new();
        for account in self.view().state.accounts() {
            let version = account.key.keyring_version;
            if tried.contains(&version) {
                continue;
            }
            tried.push(version);
            let wrong = KeyringError::WrongKeyring { account: account.id, version };
            let bytes = account.key.bytes.as_deref().ok_or(wrong)?;
            keyring.unwrap_account_key(account.id, version, bytes)?;
        }
        self.root_keys.current.store(Arc::new(keyring));
        self.root_keys.changed.send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    /// Reads the keyring's file again.
    ///
    /// # Errors
    /// There is no file, or what it holds cannot take the place of the keyring in use, which stays then.
    pub async fn reload_keyring(&self) -> Result<(), ServiceError> {
        let _changing = self.root_keys.changing.lock().await;
        self.settings.keyring.file()?;
        self.put_keyring(self.settings.keyring.read()?)?;
        Ok(())
    }

    /// Makes a new version of the root key active, or only prepares it. The file is written first, so that
    /// no key is ever wrapped by a version that is in memory alone.
    ///
    /// # Errors
    /// The caller may not, or the keyring cannot be written.
    pub async fn rotate_keyring(
        &self,
        info: &RequestInfo,
        token: &str,
        prepare_only: bool,
    ) -> Result<(u32, Receipt), ServiceError> {
        let _changing = self.root_keys.changing.lock().await;
        let path = self.settings.keyring.file()?;
        let mut keyring = Keyring::load(path)?;
        keyring.check_successor(&self.root_keys.current(), self.keys_by_version().into_keys())?;
        let next = keyring.versions().into_iter().find(|key| key.state == KeyState::Next);
        let version = match next {
            Some(next) => next.version,
            None => keyring.prepare_next(&self.random)?,
        };
        let action = Action::Installation(InstallationAction::RotateKeyring { version });
        let receipt = self.perform(info, token, AccountId::OPERATOR, action).await?;
        // A retry finds done what the first request recorded.
        let recorded = rotated_to(&receipt).unwrap_or(version);
        if recorded == version {
            if !prepare_only {
                keyring.activate_next()?;
            }
            keyring.save(path)?;
            self.put_keyring(keyring)?;
        }
        Ok((recorded, receipt))
    }

    /// Forgets a retired version that wraps nothing any more, once what it wrapped is erased.
    ///
    /// # Errors
    /// The caller may not, or it still wraps something.
    pub async fn retire_keyring_version(
        &self,
        info: &RequestInfo,
        token: &str,
        version: u32,
    ) -> Result<Receipt, ServiceError> {
        let _changing = self.root_keys.changing.lock().await;
        let path = self.settings.keyring.file()?;
        let mut keyring = Keyring::load(path)?;
        // A retry finds it forgotten.
        if keyring.has(version) || token.is_empty() {
            keyring.remove_retired(version)?;
        }
        let action = Action::Installation(InstallationAction::RetireKeyringVersion { version });
        let receipt = self.perform(info, token, AccountId::OPERATOR, action).await?;
        self.erase().await?;
        keyring.check_successor(&self.root_keys.current(), self.keys_by_version().into_keys())?;
        keyring.save(path)?;
        self.put_keyring(keyring)?;
        Ok(receipt)
    }

    /// Deletes a disabled account; when it is answered, its wrapped key is in no file any more.
    ///
    /// # Errors
    /// The caller may not, or what was deleted could not be erased, which is tried again at the next start.
    pub async fn delete_account(
        &self,
        info: &RequestInfo,
        token: &str,
        account: AccountId,
    ) -> Result<Receipt, ServiceError> {
        let receipt =
            self.perform(info, token, account, Action::Account(AccountAction::Delete)).await?;
        self.forget_account(account);
        self.erase().await?;
        Ok(receipt)
    }

    /// Removes from disk what was deleted or replaced.
    ///
    /// # Errors
    /// A file cannot be written.
    pub async fn erase(&self) -> Result<(), EraseError> {
        let log = self.ledger.log().clone();
        let erased = tokio::task::spawn_blocking(move || log.erase()).await;
        erased.unwrap_or_else(|error| Err(EraseError::Store(error.to_string())))
    }

    /// The accounts whose keys another version than the active one wraps.
    ///
    /// # Errors
    /// The keyring has no active version.
    pub fn keys_to_rewrap(&self) -> Result<Vec<AccountId>, KeyringError> {
        let active = self.root_keys.current().active()?;
        let view = self.view();
        let others = view.state.accounts().filter(|a| a.key.keyring_version != active);
        Ok(others.map(|account| account.id).collect())
    }

    /// Moves an account's key to the active version.
    ///
    /// # Errors
    /// It does not open, or the event cannot be written.
    pub async fn rewrap(&self, id: AccountId) -> Result<(), ServiceError> {
        let view = self.view();
        let Some(account) = view.state.account(id) else { return Ok(()) };
        let keyring = self.root_keys.current();
        let from = account.key.keyring_version;
        let key = self.account_key(id, &account.key)?;
        let (version, bytes) = keyring.wrap_account_key(id, &key, &self.random)?;
        let action = Action::Account(AccountAction::RewrapKey {
            from,
            key: WrappedAccountKey::new(version, &bytes),
        });
        self.perform(&self.own_request("rewrap"), "", id, action).await.map(drop)
    }
}

fn rotated_to(receipt: &Receipt) -> Option<u32> {
    use crate::domain::event::{EventKind, InstallationEvent};
    receipt.events().find_map(|event| {
        let EventKind::Installation(InstallationEvent::KeyringRotated { version }) = &event.kind
        else {
            return None;
        };
        Some(*version)
    })
}
