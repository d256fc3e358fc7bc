//! When credentials and roles were used last, to find what nobody needs any more and what a leak was used
//! for. Uses are gathered beside the log and recorded a few minutes later, many in one event.

use std::sync::Arc;

use super::access::{Permission, Resource};
use super::decide::Decider;
use super::event::{AccessKeyEvent, EventKind};
use super::rejection::Rejection;
use super::state::Account;
use crate::clock::Timestamp;
use crate::identity::{AccessKeyId, RoleName, UniqueId};

/// Uses of one event.
pub const USES_PER_EVENT_MAX: usize = 500;

/// A use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub time: Timestamp,
    /// The service that was signed for.
    pub service: Arc<str>,
    /// The region that was signed for.
    pub region: Arc<str>,
}

/// What was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialUse {
    /// The key, long-term or of a session; none to tell of a role alone.
    pub key: Option<AccessKeyId>,
    /// The role whose session it was.
    pub role: Option<(RoleName, UniqueId)>,
    /// The use.
    pub last: Arc<LastUse>,
}

impl Decider<'_> {
    /// The service's own record of uses; what belongs to nothing that is still there is left out.
    pub(super) fn record_uses(&mut self, uses: &[CredentialUse]) -> Result<(), Rejection> {
        self.require(Permission::RecordUses, &Resource::everything())?;
        let of_account = |used: &&CredentialUse| {
            let known = |key: &AccessKeyId| {
                self.state.key(key).is_some_and(|held| held.account.id == self.account.id)
            };
            used.key.as_ref().is_some_and(|key| key.is_temporary() || known(key))
        };
        let uses: Vec<_> =
            uses.iter().filter(of_account).take(USES_PER_EVENT_MAX).cloned().collect();
        if !uses.is_empty() {
            self.emit(EventKind::AccessKey(AccessKeyEvent::Used { uses }));
        }
        Ok(())
    }
}

impl Account {
    /// Sessions are in no map: theirs stays in the log, and with the role.
    pub(super) fn apply_uses(&mut self, uses: &[CredentialUse]) {
        for used in uses {
            let key = used.key.as_ref().and_then(|key| self.access_keys.get_mut(key));
            if let Some(key) = key {
                later(&mut key.last_use, &used.last);
            }
            let Some((name, id)) = &used.role else { continue };
            let role = self.roles.get_mut(&*super::state::key_of(name.as_str()));
            if let Some(role) = role.filter(|role| role.id == *id) {
                later(&mut Arc::make_mut(role).last_use, &used.last);
            }
        }
    }

    /// Every use that the state holds, as an event's.
    pub(super) fn uses(&self) -> Vec<CredentialUse> {
        let keys = self.access_keys.iter().filter_map(|(id, key)| {
            let last = key.last_use.clone()?;
            Some(CredentialUse { key: Some(id.clone()), role: None, last })
        });
        let roles = self.roles.values().filter_map(|role| {
            let last = role.last_use.clone()?;
            let role = Some((role.name.clone(), role.id.clone()));
            Some(CredentialUse { key: None, role, last })
        });
        keys.chain(roles).collect()
    }
}

/// Keeps the later of two uses.
pub(super) fn later(known: &mut Option<Arc<LastUse>>, new: &Arc<LastUse>) {
    if known.as_ref().is_none_or(|known| known.time < new.time) {
        *known = Some(new.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Caller;
    use crate::domain::command::{AccessKeyAction, Action};
    use crate::domain::testing::*;

    fn used(key: &str, role: Option<(&str, &str)>, seconds: i64) -> CredentialUse {
        let time = Timestamp::from_unix_seconds(seconds);
        let last = LastUse { time, service: Arc::from("s3"), region: Arc::from("us-east-1") };
        CredentialUse {
            key: Some(key.parse().unwrap()),
            role: role.map(|(name, id)| (name.parse().unwrap(), id.parse().unwrap())),
            last: Arc::new(last),
        }
    }

    /// Protects who looks for unused keys and roles: the latest use counts, a successor of the same name
    /// inherits none, and nobody but the service records any.
    #[test]
    fn the_latest_use_of_what_is_there_is_kept() {
        let mut world = World::default();
        world.create_account(A);
        world.create_role(A, "app", &trust(r#"{"AWS":"*"}"#));
        let found = |world: &World| world.state.account(account(A)).unwrap().clone();
        let key = found(&world).access_keys.keys().next().unwrap().clone();
        let role = found(&world).roles.values().next().unwrap().id.clone();
        let session = "ASIAAAAAAAAAAAAAAAAA";
        let record = |uses| Action::AccessKey(AccessKeyAction::RecordUses { uses });
        let refused = world.by(root(B), A, record(vec![used(session, None, 5)]));
        assert_eq!(refused.unwrap_err().code(), "AccessDenied");
        for seconds in [20, 10] {
            let uses = vec![
                used(key.as_str(), None, seconds),
                used(session, Some(("app", role.as_str())), seconds),
                used("AKIAZZZZZZZZZZZZZZZZ", None, seconds),
            ];
            let kinds = world.by(Caller::service(), A, record(uses)).unwrap();
            let EventKind::AccessKey(AccessKeyEvent::Used { uses }) = &kinds[0] else { panic!() };
            assert_eq!(uses.len(), 2, "an unknown key is left out");
        }
        let last = |use_: &Option<Arc<LastUse>>| use_.as_ref().unwrap().time.as_unix_seconds();
        assert_eq!(last(&found(&world).access_keys[&key].last_use), 20);
        assert_eq!(last(&found(&world).roles["app"].last_use), 20);
        let other = used(session, Some(("app", "AROA2222222222222222")), 30);
        world.by(Caller::service(), A, record(vec![other])).unwrap();
        assert_eq!(last(&found(&world).roles["app"].last_use), 20);
    }
}
