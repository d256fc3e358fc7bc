//! Revocations: which sessions are void though their tokens are whole and their time is not over.
//!
//! A token is checked without a look-up of its session, so the state holds no sessions, only what is
//! revoked: single sessions by key, and for a role, a user or an instance the moment before which sessions
//! count no more. An entry is forgotten once everything that it could void has ended. Entries belong to an account
//! and void only what that account issued; a session further down the chain tells of its ancestors itself
//! and asks the account of each.

use std::fmt;
use std::time::Duration;

use imbl::{OrdMap, OrdSet};

use super::event::RoleCredentials;
use super::state::State;
use crate::clock::Timestamp;
use crate::identity::{AccessKeyId, AccountId, InstanceId, UniqueId};

/// The longest life of any session: GetSessionToken and GetFederationToken, 36 hours.
pub const SESSION_LIFE_MAX: Duration = Duration::from_secs(129_600);
/// Entries that an account holds at once.
pub const REVOCATIONS_MAX: usize = 10_000;

/// A session before another one in its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// The account of its role or user.
    pub account: AccountId,
    /// Its access key.
    pub key: AccessKeyId,
    /// Its role's or user's unique id; none for an account's root.
    pub principal_id: Option<UniqueId>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The instance that it was made for.
    pub instance: Option<InstanceId>,
}

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationScope {
    /// One session, by its access key.
    Session(AccessKeyId),
    /// All of an instance.
    Instance(InstanceId),
    /// All of a role, by its unique id.
    Role(UniqueId),
    /// All that a user asked for itself, by its unique id: of GetSessionToken and of GetFederationToken.
    User(UniqueId),
}

impl fmt::Display for RevocationScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(key) => write!(f, "session/{key}"),
            Self::Instance(id) => write!(f, "instance/{id}"),
            Self::Role(id) => write!(f, "role/{id}"),
            Self::User(id) => write!(f, "user/{id}"),
        }
    }
}

/// From when on sessions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoff {
    /// Sessions issued before this are void; of one session by its key, it is, whatever its time.
    pub before: Timestamp,
    /// Sessions that came, over whatever chain, from one that was issued before this are void; of one session by its key,
    /// from that one.
    pub chained_before: Option<Timestamp>,
    /// When everything that this voids has ended.
    pub until: Timestamp,
}

/// A session as a revocation sees it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its access key.
    pub key: &'a AccessKeyId,
    /// The unique id of its role or user, or of the user who asked for a federated user's; none for an
    /// account's root.
    pub principal_id: Option<&'a UniqueId>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The id of the instance that it was made for.
    pub instance: Option<&'a str>,
}

/// What an account has revoked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revocations {
    sessions: OrdMap<AccessKeyId, Cutoff>,
    instances: OrdMap<InstanceId, Cutoff>,
    /// Of roles and of users: their ids have prefixes of their own.
    principals: OrdMap<UniqueId, Cutoff>,
    by_end: OrdSet<(Timestamp, RevocationScope)>,
}

impl Revocations {
    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_end.len()
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_end.is_empty()
    }

    /// Every entry, those that are forgotten first in front.
    pub fn entries(&self) -> impl Iterator<Item = (&RevocationScope, &Cutoff)> {
        self.by_end.iter().filter_map(|(_, scope)| Some((scope, self.cutoff(scope)?)))
    }

    fn cutoff(&self, scope: &RevocationScope) -> Option<&Cutoff> {
        match scope {
            RevocationScope::Session(key) => self.sessions.get(key),
            RevocationScope::Instance(id) => self.instances.get(id),
            RevocationScope::Role(id) | RevocationScope::User(id) => self.principals.get(id),
        }
    }

    /// Whether this session is void: it is named by its key, whenever it says that it was issued, or it was issued before
    /// its role, user or instance was put off to. No allocation; nothing is looked up where nothing is revoked.
    #[must_use]
    pub fn void(&self, session: &Facts<'_>) -> bool {
        !self.is_empty()
            && (self.sessions.contains_key(session.key)
                || self.put_off(session, |cutoff| Some(cutoff.before)))
    }

    /// Whether this set of an instance's credentials is void.
    #[must_use]
    pub fn void_set(&self, instance: &InstanceId, credentials: &RoleCredentials) -> bool {
        self.void(&Facts {
            key: &credentials.key,
            principal_id: Some(&credentials.role_id),
            issued_at: credentials.issued_at,
            instance: Some(instance.as_str()),
        })
    }

    /// Whether what came from this session is void.
    #[must_use]
    fn void_chained(&self, session: &Facts<'_>) -> bool {
        let named = || self.sessions.get(session.key);
        !self.is_empty()
            && (named().is_some_and(|cutoff| cutoff.chained_before.is_some())
                || self.put_off(session, |cutoff| cutoff.chained_before))
    }

    /// Whether the session was issued before its principal or instance was put off to.
    fn put_off(&self, session: &Facts<'_>, before: impl Fn(&Cutoff) -> Option<Timestamp>) -> bool {
        let of_principal = session.principal_id.and_then(|id| self.principals.get(id));
        let of_instance = session.instance.and_then(|id| self.instances.get(id));
        let found = [of_principal, of_instance].into_iter().flatten();
        found.filter_map(before).any(|before| session.issued_at < before)
    }

    /// The first moment at which a session of the role or user, for the instance if it is for one, may be
    /// said to be issued so that no revocation voids it.
    #[must_use]
    pub fn issue_from(&self, principal: &UniqueId, instance: Option<&InstanceId>) -> Timestamp {
        let of_principal = self.principals.get(principal);
        let of_instance = instance.and_then(|id| self.instances.get(id));
        let cutoffs = [of_principal, of_instance].into_iter().flatten();
        cutoffs.map(|cutoff| cutoff.before).max().unwrap_or_default()
    }

    /// The latest moment to which sessions of any role or user were put off.
    pub(super) fn latest_of_principals(&self) -> Timestamp {
        self.principals.values().map(|cutoff| cutoff.before).max().unwrap_or_default()
    }

    /// The latest moment to which sets of any instance were put off.
    pub(super) fn latest_of_instances(&self) -> Timestamp {
        self.instances.values().map(|cutoff| cutoff.before).max().unwrap_or_default()
    }

    /// The moment to which sets of this instance were put off.
    pub(super) fn of_instance(&self, id: &InstanceId) -> Timestamp {
        self.instances.get(id).map(|cutoff| cutoff.before).unwrap_or_default()
    }

    pub(super) fn add(
        &mut self,
        scope: &RevocationScope,
        before: Timestamp,
        chained: bool,
        until: Timestamp,
    ) {
        let known = self.cutoff(scope).copied();
        if let Some(known) = known {
            self.by_end.remove(&(known.until, scope.clone()));
        }
        let chained_before = chained.then_some(before);
        let cutoff = Cutoff {
            before: known.map_or(before, |known| known.before.max(before)),
            chained_before: known.and_then(|known| known.chained_before).max(chained_before),
            until: known.map_or(until, |known| known.until.max(until)),
        };
        match scope.clone() {
            RevocationScope::Session(key) => self.sessions.insert(key, cutoff),
            RevocationScope::Instance(id) => self.instances.insert(id, cutoff),
            RevocationScope::Role(id) | RevocationScope::User(id) => {
                self.principals.insert(id, cutoff)
            }
        };
        self.by_end.insert((cutoff.until, scope.clone()));
    }

    /// Drops what can void nothing any more.
    pub(super) fn forget(&mut self, now: Timestamp) {
        while let Some((until, scope)) = self.by_end.get_min().cloned() {
            if until > now {
                return;
            }
            match &scope {
                RevocationScope::Session(key) => self.sessions.remove(key),
                RevocationScope::Instance(id) => self.instances.remove(id),
                RevocationScope::Role(id) | RevocationScope::User(id) => self.principals.remove(id),
            };
            self.by_end.remove(&(until, scope));
        }
    }
}

/// What is to be told of a session that no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// It or a session before it was revoked.
    Revoked,
    /// The account of a session before it is gone, or disabled for now.
    AncestorOff,
}

impl State {
    /// Why the session of `account` no longer counts, if so. A few look-ups for each session of its chain,
    /// no allocation.
    #[must_use]
    pub fn void(
        &self,
        account: AccountId,
        session: &Facts<'_>,
        ancestors: &[Ancestor],
    ) -> Option<Void> {
        if self.account(account).is_some_and(|account| account.revocations.void(session)) {
            return Some(Void::Revoked);
        }
        ancestors.iter().find_map(|ancestor| {
            let account = self.account(ancestor.account).filter(|account| account.enabled);
            let Some(account) = account else { return Some(Void::AncestorOff) };
            account.revocations.void_chained(&ancestor.facts()).then_some(Void::Revoked)
        })
    }
}

impl Ancestor {
    fn facts(&self) -> Facts<'_> {
        Facts {
            key: &self.key,
            principal_id: self.principal_id.as_ref(),
            issued_at: self.issued_at,
            instance: self.instance.as_ref().map(InstanceId::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn facts(key: &AccessKeyId, issued_at: i64) -> Facts<'_> {
        Facts { key, principal_id: None, issued_at: at(issued_at), instance: Some("i-00000001") }
    }

    /// Protects memory, and that nothing is forgotten too early: an entry goes when all it voids has ended.
    #[test]
    fn an_entry_is_forgotten_when_everything_it_voids_has_ended() {
        let key: AccessKeyId = "ASIAIOSFODNN7EXAMPLE".parse().unwrap();
        let other: AccessKeyId = "ASIAIOSFODNN7SAMPLES".parse().unwrap();
        let mut revocations = Revocations::default();
        revocations.add(&RevocationScope::Session(key.clone()), at(100), false, at(200));
        let instance = RevocationScope::Instance("i-00000001".parse().unwrap());
        revocations.add(&instance, at(50), true, at(150));
        assert!(revocations.void(&facts(&key, 99)));
        assert!(revocations.void_chained(&facts(&other, 49)));
        assert!(!revocations.void_chained(&facts(&other, 50)));
        revocations.forget(at(149));
        assert_eq!(revocations.len(), 2);
        revocations.forget(at(150));
        assert!(!revocations.void_chained(&facts(&other, 49)));
        assert!(revocations.void(&facts(&key, 99)));
        revocations.forget(at(200));
        assert_eq!(revocations, Revocations::default());
    }

    /// Protects accounts from a session that says it was issued later than it was, by a clock ahead or a stolen key of the
    /// account: named by its key, it is void whatever it says, and so is what came from it if that was asked.
    #[test]
    fn a_session_named_by_its_key_is_void_whenever_it_was_issued() {
        let key: AccessKeyId = "ASIAIOSFODNN7EXAMPLE".parse().unwrap();
        let other: AccessKeyId = "ASIAIOSFODNN7SAMPLES".parse().unwrap();
        let mut revocations = Revocations::default();
        revocations.add(&RevocationScope::Session(key.clone()), at(100), false, at(200));
        for issued_at in [99, 100, 1_000_000] {
            assert!(revocations.void(&facts(&key, issued_at)));
            assert!(!revocations.void(&facts(&other, issued_at)));
            assert!(!revocations.void_chained(&facts(&key, issued_at)));
        }
        revocations.add(&RevocationScope::Session(key.clone()), at(100), true, at(200));
        assert!(revocations.void_chained(&facts(&key, 1_000_000)));
        assert!(!revocations.void_chained(&facts(&other, 50)));
    }

    /// Protects an earlier revocation from a later, weaker one: neither the moment nor the chain goes back.
    #[test]
    fn a_later_entry_never_weakens_an_earlier_one() {
        let key: AccessKeyId = "ASIAIOSFODNN7EXAMPLE".parse().unwrap();
        let scope = RevocationScope::Instance("i-00000001".parse().unwrap());
        let mut revocations = Revocations::default();
        revocations.add(&scope, at(100), true, at(200));
        revocations.add(&scope, at(60), false, at(160));
        assert!(revocations.void(&facts(&key, 99)));
        assert!(revocations.void_chained(&facts(&key, 99)));
        revocations.forget(at(199));
        assert_eq!(revocations.len(), 1);
        let told: Vec<_> = revocations.entries().collect();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].1.before, told[0].1.until), (at(100), at(200)));
    }
}
