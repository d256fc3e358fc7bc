//! The wrapped keys of accounts, and the end of an account, which is the end of its key.

use std::fmt;
use std::sync::Arc;

use ring::digest::SHA256;

use super::access::{Facts, Permission, Required, Resource};
use super::decide::{Decider, require, require_operator};
use super::event::{AccountEvent, EventKind, GuardrailKind, InstallationEvent};
use super::rejection::Rejection;
use super::state::State;
use crate::identity::AccountId;

/// An account's random key, wrapped by a root key of the keyring; opaque here. Records and snapshots hold
/// its digest alone; the wrapped bytes stand beside them, where they can be erased.
#[derive(Clone)]
pub struct WrappedAccountKey {
    /// The version of the root key that wraps it.
    pub keyring_version: u32,
    /// SHA-256 of the wrapped bytes.
    pub digest: [u8; 32],
    /// The wrapped bytes; none where only a record is known.
    pub bytes: Option<Arc<[u8]>>,
}

impl WrappedAccountKey {
    /// A key from its wrapped bytes.
    #[must_use]
    pub fn new(keyring_version: u32, bytes: &[u8]) -> Self {
        Self { keyring_version, digest: sha256(bytes), bytes: Some(Arc::from(bytes)) }
    }

    /// Whether these are the bytes that the digest was made of.
    #[must_use]
    pub fn commits_to(&self, bytes: &[u8]) -> bool {
        self.digest == sha256(bytes)
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(ring::digest::digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    digest
}

/// The digest commits to the bytes.
impl PartialEq for WrappedAccountKey {
    fn eq(&self, other: &Self) -> bool {
        (self.keyring_version, self.digest) == (other.keyring_version, other.digest)
    }
}

impl Eq for WrappedAccountKey {}

impl fmt::Debug for WrappedAccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedAccountKey(version {} ..)", self.keyring_version)
    }
}

impl State {
    /// Whether there was an account of this number, which is never used again.
    #[must_use]
    pub fn was_deleted(&self, account: AccountId) -> bool {
        self.deleted.contains(&account)
    }

    /// The numbers of deleted accounts.
    pub(super) fn deleted(&self) -> impl Iterator<Item = AccountId> {
        self.deleted.iter().copied()
    }

    /// Puts the bytes of its wrapped key to an account that was made true from records alone.
    pub(crate) fn attach_key(&mut self, account: AccountId, bytes: &[u8]) {
        if let Some(account) = self.accounts.get_mut(&account) {
            Arc::make_mut(account).key.bytes = Some(Arc::from(bytes));
        }
    }

    /// Drops everything of an account but the memory of its number. A snapshot tells of accounts that are
    /// no longer there.
    pub(super) fn delete_account(&mut self, id: AccountId) {
        if let Some(account) = self.accounts.remove(&id) {
            for key in account.access_keys.keys() {
                self.keys.remove(key);
            }
            self.directory.forget(&account);
            self.address_owners.take(&account.address_ranges);
        }
        for kind in [GuardrailKind::ServiceControl, GuardrailKind::ResourceControl] {
            self.guardrails.remove(&(kind, Some(id)));
        }
        self.deleted.insert(id);
    }
}

impl Decider<'_> {
    pub(super) fn rewrap_key(
        &mut self,
        from: u32,
        key: &WrappedAccountKey,
    ) -> Result<(), Rejection> {
        let resource = Resource::operated_account(Some(self.command.account));
        self.require(Permission::RewrapAccountKey, &resource)?;
        // Whoever came first has done it.
        if self.account.key.keyring_version == from && key.keyring_version != from {
            self.emit(EventKind::Account(AccountEvent::KeyRewrapped { key: key.clone() }));
        }
        Ok(())
    }

    pub(super) fn rotate_keyring(&mut self, version: u32) -> Result<(), Rejection> {
        self.require_keyring(Permission::RotateKeyring, version)?;
        self.emit(EventKind::Installation(InstallationEvent::KeyringRotated { version }));
        Ok(())
    }

    pub(super) fn retire_keyring_version(&mut self, version: u32) -> Result<(), Rejection> {
        self.require_keyring(Permission::RetireKeyringVersion, version)?;
        let wrapped = |key: &WrappedAccountKey| key.keyring_version == version;
        let count = self.state.accounts().filter(|account| wrapped(&account.key)).count();
        if count > 0 {
            return Err(Rejection::IncorrectState(format!(
                "key version {version} still wraps the keys of {count} accounts"
            )));
        }
        self.emit(EventKind::Installation(InstallationEvent::KeyringVersionRetired { version }));
        Ok(())
    }

    fn require_keyring(&self, permission: Permission, version: u32) -> Result<(), Rejection> {
        let resource = Resource::keyring(Some(version));
        let required = Required { permission, resource: &resource, facts: &Facts::default() };
        require(self.state, self.command, AccountId::OPERATOR, &required)
    }

    pub(super) fn delete_account(&mut self) -> Result<(), Rejection> {
        let account = self.command.account;
        require_operator(self.state, self.command, Permission::DeleteAccount)?;
        if account == AccountId::OPERATOR {
            let message = "the operator account cannot be deleted".to_owned();
            return Err(Rejection::IncorrectState(message));
        }
        if self.account.enabled {
            let message = format!("account {account} is enabled: disable it first");
            return Err(Rejection::IncorrectState(message));
        }
        self.emit(EventKind::Account(AccountEvent::Deleted));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Caller;
    use crate::domain::command::{AccountAction, Action, InstallationAction};
    use crate::domain::testing::*;
    use crate::domain::tests::busy_world;

    const OPERATOR: &str = "000000000000";

    fn wrapped(version: u32) -> WrappedAccountKey {
        WrappedAccountKey::new(version, &[u8::try_from(version).unwrap(); 60])
    }

    /// Protects accounts from being deleted by mistake or by strangers, and their numbers from new owners;
    /// everything of a deleted account is gone.
    #[test]
    fn an_account_is_deleted_whole_and_its_number_with_it() {
        let mut world = busy_world();
        let service = Caller::service;
        let refused = world.by(root(A), A, Action::Account(AccountAction::Delete)).unwrap_err();
        assert_eq!(refused.code(), "AccessDenied");
        let refused = world.by(service(), A, Action::Account(AccountAction::Delete)).unwrap_err();
        assert_eq!(refused.code(), "IncorrectState");
        let refused =
            world.by(service(), OPERATOR, Action::Account(AccountAction::Delete)).unwrap_err();
        assert_eq!(refused.code(), "IncorrectState");
        for id in [A, B] {
            world.by(service(), id, Action::Account(AccountAction::Disable)).unwrap();
            let kinds = world.by(service(), id, Action::Account(AccountAction::Delete)).unwrap();
            assert_eq!(kinds, [EventKind::Account(AccountEvent::Deleted)]);
        }
        let left: Vec<_> = world.state.accounts().map(|account| account.id.to_string()).collect();
        assert_eq!(left, [OPERATOR]);
        let owned = |(owner, _): &(AccountId, _)| *owner == account(A) || *owner == account(B);
        assert!(!world.state.keys.values().any(owned));
        let scopes: Vec<_> = world.state.guardrail_scopes().map(|((_, on), _)| *on).collect();
        assert_eq!(scopes, [None]);
        let again = Action::Account(AccountAction::Create {
            name: Arc::from("again"),
            key: wrapped(1),
            root_key: "AKIAZZZZZZZZZZZZZZZZ".parse().unwrap(),
        });
        let refused = world.by(service(), A, again).unwrap_err();
        assert_eq!(refused.code(), "EntityAlreadyExists");
        let refused = world.by(service(), A, Action::Account(AccountAction::Delete)).unwrap_err();
        assert_eq!(refused.code(), "NoSuchEntity");
    }

    /// Protects accounts from losing their key: a version goes only when it wraps nothing any more, and a
    /// key is wrapped anew only from where it stands, also while its account is disabled.
    #[test]
    fn a_version_is_retired_only_when_it_wraps_nothing() {
        let mut world = World::default();
        for id in [OPERATOR, A] {
            world.create_account(id);
        }
        let service = Caller::service;
        world.by(service(), A, Action::Account(AccountAction::Disable)).unwrap();
        let retire = Action::Installation(InstallationAction::RetireKeyringVersion { version: 1 });
        let refused = world.by(root(A), OPERATOR, retire.clone()).unwrap_err();
        assert_eq!(refused.code(), "AccessDenied");
        let refused = world.by(root(OPERATOR), OPERATOR, retire.clone()).unwrap_err();
        assert!(refused.to_string().contains("still wraps the keys of 2 accounts"), "{refused}");
        for id in [OPERATOR, A] {
            let rewrap = || Action::Account(AccountAction::RewrapKey { from: 1, key: wrapped(2) });
            assert_eq!(world.by(service(), id, rewrap()).unwrap().len(), 1);
            assert!(world.by(service(), id, rewrap()).unwrap().is_empty(), "it is done already");
        }
        assert_eq!(world.by(root(OPERATOR), OPERATOR, retire).unwrap().len(), 1);
        let key = &world.state.account(account(A)).unwrap().key;
        assert_eq!((key.keyring_version, key.bytes.as_deref()), (2, Some(&[2; 60][..])));
    }
}
