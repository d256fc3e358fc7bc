//! Revoking sessions: of a role, of a user, of an instance, or one by its key, in the caller's own account.
//!
//! Sessions are issued in whole seconds. A revocation reaches to the end of the second in which it is
//! decided, so that nothing issued before it is left out; what is issued after it, in the same second even,
//! is said to be issued in the next one (`Revocations::issue_from`). A second revocation in that second
//! reaches over those too.

use std::time::Duration;

use super::Decider;
use super::rotation::Placed;
use crate::clock::Timestamp;
use crate::domain::access::{Permission, Resource};
use crate::domain::command::{Minting, RevocationTarget};
use crate::domain::event::{EventKind, SessionEvent};
use crate::domain::rejection::Rejection;
use crate::domain::revocation::{REVOCATIONS_MAX, RevocationScope, SESSION_LIFE_MAX};
use crate::identity::{InstanceId, Invalid};

/// Sessions are issued at whole seconds: what is to be later than those of a second is of the next.
pub(super) const SECOND: Duration = Duration::from_secs(1);

impl Decider<'_> {
    pub(super) fn revoke(
        &mut self,
        target: &RevocationTarget,
        before: Option<Timestamp>,
        chained: bool,
        minting: &Minting,
    ) -> Result<(), Rejection> {
        let scope = self.revocable(target)?;
        if matches!(target, RevocationTarget::Session(key) if !key.is_temporary()) {
            let rule = "must be that of a session, `ASIA...`; a long-term key is switched off";
            return Err(Invalid::new("access_key_id", rule).into());
        }
        let now = self.command.time;
        if before.is_some_and(|before| before > now) {
            return Err(Invalid::new("before", "must not be in the future").into());
        }
        if self.account.revocations.len() >= REVOCATIONS_MAX {
            return Err(Rejection::LimitExceeded { quota: "Revocations", max: REVOCATIONS_MAX });
        }
        let before = match before {
            Some(before) if before == before.floor_to_second() => before,
            Some(before) => before.floor_to_second().plus(SECOND),
            None => self.after_all_issued(target),
        };
        // A session that is void issues none any more, so that the last of its chain is issued now.
        let until = now.max(before).plus(SESSION_LIFE_MAX);
        self.emit(EventKind::Session(SessionEvent::Revoked { scope, before, chained, until }));
        if let RevocationTarget::Instance(id) = target {
            self.renew_revoked(id, before, minting);
        }
        Ok(())
    }

    /// The first whole second after the time of issue of every session of the target that there is.
    fn after_all_issued(&self, target: &RevocationTarget) -> Timestamp {
        let revocations = &self.account.revocations;
        let principals = revocations.latest_of_principals();
        let instances = revocations.latest_of_instances();
        // Sessions are put off by a revocation of their role or user and, an instance's, by one of the
        // instance.
        let put_off = match target {
            // Named by its key, a session is void whenever it was issued.
            RevocationTarget::Session(_) => Timestamp::EPOCH,
            RevocationTarget::Instance(id) => principals.max(revocations.of_instance(id)),
            RevocationTarget::User(name) => {
                let user = self.account.user(name);
                user.map(|user| revocations.issue_from(&user.id, None)).unwrap_or_default()
            }
            RevocationTarget::Role(name) => {
                let role = self.account.role(name);
                let own = role.map(|role| revocations.issue_from(&role.id, None));
                instances.max(own.unwrap_or_default())
            }
        };
        self.command.time.floor_to_second().max(put_off).plus(SECOND)
    }

    /// What is revoked, if the caller has the permission on it.
    fn revocable(&self, target: &RevocationTarget) -> Result<RevocationScope, Rejection> {
        let permission = Permission::RevokeSessions;
        Ok(match target {
            RevocationTarget::Session(key) => {
                self.require(permission, &Resource::session(self.account.id, key))?;
                RevocationScope::Session(key.clone())
            }
            RevocationTarget::Instance(id) => {
                let instance = self.account.instances.get(id);
                let instance = instance.ok_or_else(|| Rejection::NoSuchInstance(id.to_string()))?;
                self.require(permission, &Resource::instance(self.account, &instance))?;
                RevocationScope::Instance(id.clone())
            }
            RevocationTarget::Role(name) => {
                self.require(permission, &Resource::role(self.account, name))?;
                let role = self.account.role(name);
                let role = role.ok_or_else(|| Rejection::missing("role", name))?;
                RevocationScope::Role(role.id.clone())
            }
            RevocationTarget::User(name) => {
                self.require(permission, &Resource::user(self.account, name))?;
                let user = self.account.user(name);
                let user = user.ok_or_else(|| Rejection::missing("user", name))?;
                RevocationScope::User(user.id.clone())
            }
        })
    }

    /// An instance that still has its role goes on at once, with a new set.
    fn renew_revoked(&mut self, id: &InstanceId, before: Timestamp, minting: &Minting) {
        let Some(instance) = self.account.instances.get(id) else { return };
        let association = instance.association.as_ref().filter(|_| instance.running);
        let Some((association, credentials)) =
            association.and_then(|found| Some((found, found.credentials.as_ref()?)))
        else {
            return;
        };
        if credentials.issued_at >= before {
            return;
        }
        let Some(role) = self.account.associated_role(association).cloned() else { return };
        let epoch = credentials.epoch.saturating_add(1);
        let placed = Placed { instance: id, region: &instance.facts.region };
        self.mint(placed, &association.id, &role, epoch, minting, before);
    }
}
