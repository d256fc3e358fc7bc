//! Keys and quotas of accounts, revocations and uses of credentials, from domain to stored and back.

use std::sync::Arc;

use super::decode::{Decoded, account, entity, optional, part, read, required};
use super::encode;
use crate::clock::Timestamp;
use crate::domain::account_key::WrappedAccountKey;
use crate::domain::event::{
    AccessKeyEvent, AccountEvent, EventKind, InstallationEvent, SessionEvent,
};
use crate::domain::last_use::{CredentialUse, LastUse};
use crate::domain::quotas::Quota;
use crate::domain::revocation::{Ancestor, RevocationScope};
use crate::identity::Path;
use crate::proto::stored::{self, event::Kind};

pub(super) fn stored_account(event: &AccountEvent) -> Kind {
    match event {
        AccountEvent::Created { name, key } => Kind::AccountCreated(stored::AccountCreated {
            name: name.to_string(),
            keyring_version: key.keyring_version,
            key_digest: key.digest.to_vec(),
        }),
        AccountEvent::Deleted => Kind::AccountDeleted(stored::Nothing {}),
        AccountEvent::KeyRewrapped { key } => {
            let (keyring_version, digest) = (key.keyring_version, key.digest.to_vec());
            Kind::AccountKeyRewrapped(stored::AccountKey { keyring_version, digest })
        }
        AccountEvent::QuotaSet { quota, max } => {
            Kind::QuotaSet(stored::QuotaSet { quota: quota.name().to_owned(), max: *max })
        }
        AccountEvent::AddressRangesSet { ranges } => {
            let ranges = ranges.iter().map(ToString::to_string).collect();
            Kind::AddressRangesSet(stored::AddressRanges { ranges })
        }
        AccountEvent::Disabled => Kind::AccountDisabled(stored::Nothing {}),
        AccountEvent::Enabled => Kind::AccountEnabled(stored::Nothing {}),
        AccountEvent::AliasCreated { alias } => Kind::AccountAliasCreated(alias.to_string()),
        AccountEvent::AliasDeleted { alias } => Kind::AccountAliasDeleted(alias.to_string()),
    }
}

pub(super) fn stored_installation(event: &InstallationEvent) -> Kind {
    match event {
        InstallationEvent::KeyringRotated { version } => Kind::KeyringRotated(*version),
        InstallationEvent::KeyringVersionRetired { version } => {
            Kind::KeyringVersionRetired(*version)
        }
        InstallationEvent::DocumentKeyCreated { key } => {
            Kind::DocumentKeyCreated(stored::DocumentKey {
                sealed: key.sealed.to_vec(),
                serial: key.serial.to_vec(),
                certificate: key.certificate.to_vec(),
            })
        }
    }
}

pub(super) fn stored_session(event: &SessionEvent) -> Kind {
    match event {
        SessionEvent::Issued { session } => Kind::SessionIssued(super::session::stored(session)),
        SessionEvent::Revoked { scope, before, chained, until } => {
            use stored::sessions_revoked::Scope;
            let scope = match scope {
                RevocationScope::Session(key) => Scope::Session(key.to_string()),
                RevocationScope::Instance(id) => Scope::Instance(id.to_string()),
                RevocationScope::Role(id) => Scope::RoleId(id.to_string()),
                RevocationScope::User(id) => Scope::UserId(id.to_string()),
            };
            Kind::SessionsRevoked(stored::SessionsRevoked {
                scope: Some(scope),
                before: before.as_unix_seconds(),
                chained: *chained,
                until_ms: until.as_millis(),
            })
        }
    }
}

pub(super) fn decoded(kind: Kind) -> Decoded<EventKind> {
    Ok(match kind {
        Kind::AccountCreated(created) => EventKind::Account(AccountEvent::Created {
            name: Arc::from(created.name),
            key: account_key(created.keyring_version, &created.key_digest)?,
        }),
        Kind::AccountDisabled(_) => EventKind::Account(AccountEvent::Disabled),
        Kind::AccountEnabled(_) => EventKind::Account(AccountEvent::Enabled),
        Kind::SessionIssued(issued) => {
            EventKind::Session(SessionEvent::Issued { session: super::session::read(issued)? })
        }
        Kind::AccountDeleted(_) => EventKind::Account(AccountEvent::Deleted),
        Kind::AccountKeyRewrapped(key) => EventKind::Account(AccountEvent::KeyRewrapped {
            key: account_key(key.keyring_version, &key.digest)?,
        }),
        Kind::KeyringRotated(version) => {
            EventKind::Installation(InstallationEvent::KeyringRotated { version })
        }
        Kind::KeyringVersionRetired(version) => {
            EventKind::Installation(InstallationEvent::KeyringVersionRetired { version })
        }
        Kind::QuotaSet(set) => {
            let quota = Quota::of_name(&set.quota);
            let quota = quota.ok_or_else(|| part("`quota` is no quota"))?;
            EventKind::Account(AccountEvent::QuotaSet { quota, max: set.max })
        }
        Kind::AddressRangesSet(set) => {
            let ranges = set.ranges.iter().map(|range| read(range)).collect::<Decoded<_>>()?;
            EventKind::Account(AccountEvent::AddressRangesSet { ranges })
        }
        Kind::CredentialsUsed(used) => {
            let uses = used.uses.into_iter().map(credential_use).collect::<Decoded<_>>()?;
            EventKind::AccessKey(AccessKeyEvent::Used { uses })
        }
        Kind::SessionsRevoked(revoked) => self::revoked(revoked)?,
        _ => return Err(part("is no kind of credentials")),
    })
}

/// The bytes stand beside the records; they are put to the account when the log is opened.
pub(super) fn account_key(keyring_version: u32, digest: &[u8]) -> Decoded<WrappedAccountKey> {
    let digest = digest.try_into().map_err(|_| part("`key_digest` must have 32 bytes"))?;
    Ok(WrappedAccountKey { keyring_version, digest, bytes: None })
}

pub(super) fn stored_use(used: &CredentialUse) -> stored::CredentialUse {
    let role = used.role.as_ref();
    stored::CredentialUse {
        key: used.key.as_ref().map(ToString::to_string).unwrap_or_default(),
        role: role.map(|(name, id)| encode::entity(name, &Path::default(), id)),
        time_ms: used.last.time.as_millis(),
        service: used.last.service.to_string(),
        region: used.last.region.to_string(),
    }
}

pub(super) fn stored_ancestor(ancestor: &Ancestor) -> stored::Ancestor {
    let text = |id: Option<String>| id.unwrap_or_default();
    stored::Ancestor {
        account: ancestor.account.get(),
        key: ancestor.key.to_string(),
        principal_id: text(ancestor.principal_id.as_ref().map(ToString::to_string)),
        issued_at: ancestor.issued_at.as_unix_seconds(),
        instance: text(ancestor.instance.as_ref().map(ToString::to_string)),
    }
}

fn revoked(revoked: stored::SessionsRevoked) -> Decoded<EventKind> {
    use stored::sessions_revoked::Scope;
    let scope = match required(revoked.scope, "scope")? {
        Scope::Session(key) => RevocationScope::Session(read(&key)?),
        Scope::Instance(id) => RevocationScope::Instance(read(&id)?),
        Scope::RoleId(id) => RevocationScope::Role(read(&id)?),
        Scope::UserId(id) => RevocationScope::User(read(&id)?),
    };
    Ok(EventKind::Session(SessionEvent::Revoked {
        scope,
        before: Timestamp::from_unix_seconds(revoked.before),
        chained: revoked.chained,
        until: Timestamp::from_millis(revoked.until_ms),
    }))
}

pub(super) fn credential_use(used: stored::CredentialUse) -> Decoded<CredentialUse> {
    let role = used.role.as_ref().map(entity).transpose()?;
    let last = LastUse {
        time: Timestamp::from_millis(used.time_ms),
        service: Arc::from(used.service),
        region: Arc::from(used.region),
    };
    Ok(CredentialUse {
        key: optional(&used.key)?,
        role: role.map(|(name, _, id)| (name, id)),
        last: Arc::new(last),
    })
}

pub(super) fn ancestor(ancestor: stored::Ancestor) -> Decoded<Ancestor> {
    Ok(Ancestor {
        account: account(ancestor.account)?,
        key: read(&ancestor.key)?,
        principal_id: optional(&ancestor.principal_id)?,
        issued_at: Timestamp::from_unix_seconds(ancestor.issued_at),
        instance: optional(&ancestor.instance)?,
    })
}
