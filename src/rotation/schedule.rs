//! When each association's credentials are renewed. An entry of the calendar stands for one set at one pace; when
//! either has changed by the time it comes out, it is dropped, for the change has put in another.

use std::collections::BTreeSet;
use std::time::Duration;

use super::calendar::{Calendar, Window};
use super::lanes::Waiting;
use crate::clock::Timestamp;
use crate::domain::event::{
    AccountEvent, EventKind, InstanceEvent, ProfileEvent, RoleEvent, SessionEvent,
};
use crate::domain::fleet::Record;
use crate::domain::rotation::RotationEvent;
use crate::domain::state::{Account, Role, State};
use crate::identity::{
    AccountId, PackedAccountId, PackedAssociationId, PackedInstanceId, ProfileName, RoleName,
};
use crate::ledger::Recorded;
use crate::pace::{Pace, SERVED_LIFE_MIN};

/// How soon what was refused or failed is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(60);

/// The part of the interval before which nothing is renewed, and that after which it is liked to be, in tenths.
const EARLIEST_TENTHS: u32 = 1;
const LIKED_TENTHS: u32 = 9;
/// What is overdue and has long to live is caught up within this part of the interval, as a divisor.
const CATCH_UP_SHARE: u32 = 6;
/// By how much a second may exceed the mean, as a fraction: a twentieth less than what is promised.
const LOAD_OVER_MEAN: (u64, u64) = (115, 100);
/// How far the clock may go at once, back and ahead, before everything is planned anew. Clocks that are set by a network
/// step by less.
const BACK_SECONDS: i64 = 5;
const AHEAD_SECONDS: i64 = 60;
/// Changes of accounts that are looked at together; more are looked at as they come.
const CHANGES_MAX: usize = 4096;
/// Entries beyond twice what was true at the last planning, after which everything is planned anew: whoever changes
/// their settings again and again fills the calendar with entries that no longer hold.
const STALE_ENTRIES: usize = 4096;
/// A second's load is summed in this unit, for fractions of an entry.
const UNITS: u64 = 1_000_000_000;

/// One set of one instance, and the interval it was planned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub(super) account: PackedAccountId,
    pub(super) instance: PackedInstanceId,
    /// The lower half of the set's number.
    epoch: u32,
    interval: u32,
}

/// What changed for many instances of an account at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// When they are to be renewed.
    Times,
    /// Their newest sets may be void.
    Revoked,
    /// The profile has a role.
    Profile(ProfileName),
    /// The role trusts others than before.
    Trust(RoleName),
}

/// See the module.
pub struct Schedule {
    /// The installation's.
    pace: Pace,
    calendar: Calendar<Due>,
    /// How much was planned when everything was.
    filled: usize,
    /// What goes over all instances of an account: done once a look, however often it changed.
    changed: BTreeSet<(AccountId, Change)>,
    /// Entries a second that the planned intervals make, in units.
    load: u64,
}

impl Schedule {
    /// Nothing, from `now` on.
    pub fn new(pace: Pace, now: Timestamp) -> Self {
        let calendar = Calendar::new(now.as_unix_seconds());
        Self { pace, calendar, filled: 0, changed: BTreeSet::new(), load: 0 }
    }

    /// Plans everything that is true now, and nothing else; what changed is still to be looked at.
    pub fn fill(&mut self, state: &State, now: Timestamp) {
        let changed = std::mem::take(&mut self.changed);
        *self = Self { changed, ..Self::new(self.pace, now) };
        for account in state.accounts() {
            self.plan_account(state, account, now);
        }
        self.filled = self.planned();
        tracing::info!(planned = self.planned(), "rotations are planned");
    }

    /// How much is planned.
    pub fn planned(&self) -> usize {
        self.calendar.planned()
    }

    /// Takes out what is due, each entry with its second, after a look at what changed. If too much no longer holds, or
    /// the clock jumped, everything is planned anew: after a jump back, what is planned means something else; after one
    /// ahead, as after a stop, what is overdue is paced.
    pub fn look(&mut self, state: &State, now: Timestamp, take: impl FnMut(i64, Due)) {
        let ahead = now.as_unix_seconds().saturating_sub(self.calendar.next());
        let jumped = !(-BACK_SECONDS..=AHEAD_SECONDS).contains(&ahead);
        if jumped {
            tracing::warn!(seconds = ahead, "the clock jumped; rotations are planned anew");
        }
        if jumped || self.planned() > self.filled.saturating_mul(2).saturating_add(STALE_ENTRIES) {
            self.fill(state, now);
        }
        self.settle_changes(state, now);
        self.take(now, take);
    }

    fn plan_account(&mut self, state: &State, account: &Account, now: Timestamp) {
        for record in account.instances.records() {
            self.plan(state, account, record, now);
        }
    }

    /// Plans the renewal of what a record carries, if it carries anything.
    fn plan(&mut self, state: &State, account: &Account, record: &Record, now: Timestamp) {
        let Some(due) = self.due(account, record) else { return };
        let window = self.window(state, account, record, now);
        let load = self.load.saturating_add(load_of(&due));
        let full = load.saturating_mul(LOAD_OVER_MEAN.0) / (LOAD_OVER_MEAN.1 * UNITS);
        // Few entries cannot be level.
        let full = u32::try_from(full).unwrap_or(u32::MAX).max(1);
        let second = self.calendar.room(window, full);
        self.enter(second, due);
    }

    fn enter(&mut self, second: i64, due: Due) {
        self.load = self.load.saturating_add(load_of(&due));
        self.calendar.insert(second, due);
    }

    /// What stands for the set that a record has now; none if there is nothing to renew.
    fn due(&self, account: &Account, record: &Record) -> Option<Due> {
        if !record.running || record.association == PackedAssociationId::NONE {
            return None;
        }
        let interval = self.interval(account, record).as_secs().max(1);
        Some(Due {
            account: account.id.into(),
            instance: record.id,
            epoch: low_half(record.epoch),
            interval: u32::try_from(interval).unwrap_or(u32::MAX),
        })
    }

    fn interval(&self, account: &Account, record: &Record) -> Duration {
        record.pace().or(account.pace).unwrap_or(self.pace).interval
    }

    /// A set that lives shorter than is usual now is renewed at half of its life.
    fn interval_of_set(
        &self,
        account: &Account,
        record: &Record,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Duration {
        self.interval(account, record).min(expires_at.since(issued_at) / 2)
    }

    /// An entry that was due in `second` with what is known of its set, if it still holds. What was planned for later
    /// than its interval asks for, after a stop or a try that failed, is due since then.
    pub(super) fn waiting(&self, state: &State, second: i64, due: Due) -> Option<Waiting> {
        let (account, record) = self.current(state, &due)?;
        let set = record.newest_set();
        let latest = set.map(|(issued_at, expires_at)| {
            let interval = self.interval_of_set(account, record, issued_at, expires_at);
            issued_at.plus(interval).as_unix_seconds()
        });
        let since = latest.map_or(second, |latest| latest.min(second));
        let ends = set.map_or(Timestamp::EPOCH, |(_, expires_at)| expires_at);
        Some(Waiting { account: account.id, due, ends, since })
    }

    /// When a record's set is to be renewed.
    fn window(&self, state: &State, account: &Account, record: &Record, now: Timestamp) -> Window {
        let second = now.as_unix_seconds();
        let at_once = Window { first: second, liked: second, last: second };
        if let Some(refused) = record.refused() {
            let retry = refused.since.plus(RETRY.min(self.pace.interval)).as_unix_seconds();
            return Window { first: retry, liked: retry, last: retry };
        }
        let Some((issued_at, expires_at)) = record.newest_set() else { return at_once };
        if is_demanded(state, account, issued_at, now) || is_void(account, record) {
            return at_once;
        }
        let interval = self.interval_of_set(account, record, issued_at, expires_at);
        let latest = issued_at.plus(interval);
        if latest > now {
            let tenths = |count| issued_at.plus(interval / 10 * count).as_unix_seconds();
            let first = tenths(EARLIEST_TENTHS).max(second.saturating_add(1));
            return Window { first, liked: tenths(LIKED_TENTHS), last: latest.as_unix_seconds() };
        }
        let promised = SERVED_LIFE_MIN.min(expires_at.since(issued_at) / 4);
        let last = now.plus(interval / CATCH_UP_SHARE).min(expires_at.minus(promised));
        Window { first: second, liked: second, last: last.as_unix_seconds().max(second) }
    }

    /// Plans another try of what did not succeed.
    pub fn retry(&mut self, due: Due, now: Timestamp) {
        let retry = now.plus(RETRY.min(self.pace.interval));
        let (first, last) = (now.as_unix_seconds().saturating_add(1), retry.as_unix_seconds());
        let second = self.calendar.room(Window { first, liked: first, last }, 1);
        self.enter(second, due);
    }

    fn take(&mut self, now: Timestamp, mut take: impl FnMut(i64, Due)) {
        let load = &mut self.load;
        self.calendar.take(now.as_unix_seconds(), |second, due: Due| {
            *load = load.saturating_sub(load_of(&due));
            take(second, due);
        });
    }

    /// The record of an entry, while that stands for what is true.
    pub fn current<'a>(&self, state: &'a State, due: &Due) -> Option<(&'a Account, &'a Record)> {
        let account = state.account(due.account.id()?)?;
        let record = account.instances.record(due.instance)?;
        let current = self.due(account, record).filter(|_| account.enabled)?;
        (current == *due).then_some((account, record))
    }

    /// Takes over what a batch of facts changes.
    pub fn follow(&mut self, state: &State, batch: &[Recorded], now: Timestamp) {
        for event in batch.iter().flat_map(|recorded| &recorded.fact.events) {
            if let EventKind::Rotation(RotationEvent::Demanded { everywhere: true, .. }) =
                event.kind
            {
                return self.fill(state, now);
            }
            let Some(account) = state.account(event.account) else { continue };
            self.follow_event(state, account, &event.kind, now);
            if self.changed.len() >= CHANGES_MAX {
                self.settle_changes(state, now);
            }
        }
    }

    fn follow_event(&mut self, state: &State, account: &Account, kind: &EventKind, now: Timestamp) {
        match kind {
            EventKind::Account(event) => self.follow_account(account, event),
            EventKind::Role(event) => self.follow_role(account, event),
            EventKind::Profile(event) => self.follow_profile(account, event),
            EventKind::Instance(event) => self.follow_instance(state, account, event, now),
            EventKind::Rotation(event) => self.follow_rotation(state, account, event, now),
            EventKind::Session(event) => self.follow_session(account, event),
            // No set is renewed earlier or later for these.
            EventKind::Installation(_)
            | EventKind::Guardrail(_)
            | EventKind::User(_)
            | EventKind::Group(_)
            | EventKind::AccessKey(_)
            | EventKind::Policy(_)
            | EventKind::Tag(_)
            | EventKind::Agent(_)
            | EventKind::Mfa(_)
            | EventKind::Oidc(_) => {}
        }
    }

    fn follow_account(&mut self, account: &Account, event: &AccountEvent) {
        match event {
            AccountEvent::Enabled => self.note(account, Change::Times),
            // What is planned of an account that is disabled or gone no longer holds.
            AccountEvent::Disabled
            | AccountEvent::Deleted
            | AccountEvent::Created { .. }
            | AccountEvent::KeyRewrapped { .. }
            | AccountEvent::QuotaSet { .. }
            | AccountEvent::AddressRangesSet { .. }
            | AccountEvent::AliasCreated { .. }
            | AccountEvent::AliasDeleted { .. } => {}
        }
    }

    fn follow_role(&mut self, account: &Account, event: &RoleEvent) {
        match event {
            RoleEvent::TrustChanged { role, .. } => self.note(account, Change::Trust(role.clone())),
            RoleEvent::Created { .. }
            | RoleEvent::Updated { .. }
            | RoleEvent::Deleted { .. }
            | RoleEvent::DeletionCompleted { .. } => {}
        }
    }

    fn follow_profile(&mut self, account: &Account, event: &ProfileEvent) {
        match event {
            ProfileEvent::RoleAdded { profile, .. } => {
                self.note(account, Change::Profile(profile.clone()));
            }
            ProfileEvent::Created { .. }
            | ProfileEvent::Deleted { .. }
            | ProfileEvent::RoleRemoved { .. } => {}
        }
    }

    fn follow_instance(
        &mut self,
        state: &State,
        account: &Account,
        event: &InstanceEvent,
        now: Timestamp,
    ) {
        match event {
            InstanceEvent::CredentialsRotated { instance, .. }
            | InstanceEvent::CredentialsRefused { instance, .. } => {
                self.plan_one(state, account, instance.into(), now);
            }
            // The first set comes with the association; what is restored was planned when everything was.
            InstanceEvent::Launched { .. }
            | InstanceEvent::Terminated { .. }
            | InstanceEvent::MetadataOptionsChanged { .. }
            | InstanceEvent::MetadataUsed { .. }
            | InstanceEvent::ProfileAssociated { .. }
            | InstanceEvent::ProfileDisassociated { .. }
            | InstanceEvent::Restored { .. } => {}
        }
    }

    fn follow_rotation(
        &mut self,
        state: &State,
        account: &Account,
        event: &RotationEvent,
        now: Timestamp,
    ) {
        match event {
            RotationEvent::Renewed { sets, .. } => {
                sets.iter().for_each(|set| self.plan_one(state, account, set.instance, now));
            }
            RotationEvent::Configured { association: Some(id), .. } => {
                if let Some(instance) = account.instances.carrier(id) {
                    self.plan_one(state, account, (&instance.id).into(), now);
                }
            }
            RotationEvent::Configured { association: None, .. }
            | RotationEvent::Demanded { .. } => self.note(account, Change::Times),
            RotationEvent::Late { .. } => {}
        }
    }

    fn follow_session(&mut self, account: &Account, event: &SessionEvent) {
        match event {
            SessionEvent::Revoked { .. } => self.note(account, Change::Revoked),
            SessionEvent::Issued { .. } => {}
        }
    }

    fn note(&mut self, account: &Account, change: Change) {
        self.changed.insert((account.id, change));
    }

    /// Plans the instances of accounts for which something changed.
    fn settle_changes(&mut self, state: &State, now: Timestamp) {
        for (account, change) in std::mem::take(&mut self.changed) {
            let Some(account) = state.account(account) else { continue };
            match change {
                Change::Times => self.plan_account(state, account, now),
                Change::Revoked => self.renew_revoked(account, now),
                Change::Profile(profile) => {
                    let concerns = |name: &ProfileName, record: &Record| {
                        *name == profile && !is_served(account, record)
                    };
                    self.renew_changed(account, concerns, now);
                }
                Change::Trust(role) => {
                    let concerns = |_: &ProfileName, record: &Record| {
                        record.refused().is_some() && gives(account, record, &role)
                    };
                    self.renew_changed(account, concerns, now);
                }
            }
        }
    }

    fn plan_one(&mut self, state: &State, account: &Account, id: PackedInstanceId, now: Timestamp) {
        if let Some(record) = account.instances.record(id) {
            self.plan(state, account, record, now);
        }
    }

    fn renew_now(&mut self, account: &Account, record: &Record, now: Timestamp) {
        if let Some(due) = self.due(account, record) {
            self.enter(now.as_unix_seconds(), due);
        }
    }

    /// Instances whose newest set was revoked are due at once.
    fn renew_revoked(&mut self, account: &Account, now: Timestamp) {
        for record in account.instances.records().filter(|record| is_void(account, record)) {
            self.renew_now(account, record, now);
        }
    }

    /// Instances for which a change of their profile or role makes a difference are due at once.
    fn renew_changed(
        &mut self,
        account: &Account,
        concerns: impl Fn(&ProfileName, &Record) -> bool,
        now: Timestamp,
    ) {
        for record in account.instances.records() {
            if record.profile.as_ref().is_some_and(|profile| concerns(&profile.name, record)) {
                self.renew_now(account, record, now);
            }
        }
    }
}

/// Whether the newest set of a record was revoked.
fn is_void(account: &Account, record: &Record) -> bool {
    if account.revocations.is_empty() || !record.running {
        return false;
    }
    let set = record
        .instance()
        .and_then(|instance| Some((instance.association?.credentials?, instance.id)));
    set.is_some_and(|(set, id)| account.revocations.void_set(&id, &set))
}

/// The role that the profile of a record gives now.
fn role_given<'a>(account: &'a Account, record: &Record) -> Option<&'a Role> {
    let profile = record.profile.as_ref()?;
    account.role_of_profile(&profile.name, &profile.id).map(AsRef::as_ref)
}

fn gives(account: &Account, record: &Record, role: &RoleName) -> bool {
    role_given(account, record).is_some_and(|given| given.name == *role)
}

/// Whether the newest set is of the role that the profile gives now, as that of an instance is which was launched after
/// the role was put into its profile and before this was looked at.
fn is_served(account: &Account, record: &Record) -> bool {
    let held = record.role.as_ref().filter(|_| record.refused().is_none());
    let given = role_given(account, record);
    held.zip(given).is_some_and(|(held, given)| held.id == given.id)
}

/// Whether a set was issued before a demand to renew. A demand from a time that is yet to come, by a clock that
/// was set back, is one until now.
fn is_demanded(state: &State, account: &Account, issued_at: Timestamp, now: Timestamp) -> bool {
    let before = state.renew_before(account);
    issued_at < before.min(now.floor_to_second().plus(Duration::from_secs(1)))
}

/// Entries a second that one of these makes, in units.
fn load_of(due: &Due) -> u64 {
    UNITS / u64::from(due.interval)
}

fn low_half(epoch: u64) -> u32 {
    u32::try_from(epoch & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
impl Due {
    /// An entry of an instance's first set.
    pub(super) fn of(account: AccountId, instance: PackedInstanceId) -> Self {
        Self { account: account.into(), instance, epoch: 1, interval: 3600 }
    }
}
