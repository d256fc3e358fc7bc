//! The scheduler: renews every association's credentials ahead of their end, as events.
//!
//! Due times stand in one ordered set; it is filled from the state at the start and follows the facts after
//! that, so that a stop, a jump of the clock or a burst of launches leaves nothing out. Each association has
//! its own share of the interval as jitter, derived from its id: a start finds due times spread as they were.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::broadcast::error::RecvError;

use crate::clock::Timestamp;
use crate::domain::command::Action;
use crate::domain::event::EventKind;
use crate::domain::state::Association;
use crate::identity::{AccountId, AssociationId, InstanceId};
use crate::ledger::Recorded;
use crate::sts::Service;

/// Rotations under way at once: enough to fill the ledger's batches, and no stampede.
const CONCURRENT_MAX: usize = 1024;
/// How soon a refused or failed rotation is tried again, at most.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// How often due times are looked at, at least: bounds what a jump of the clock can delay.
const LOOK_MAX: Duration = Duration::from_secs(1);
/// The share of the interval that jitter takes, as its divisor.
const JITTER_SHARE: u32 = 10;

/// What is due when.
struct Schedule {
    interval: Duration,
    due: BTreeSet<(Timestamp, AccountId, InstanceId)>,
    times: HashMap<(AccountId, InstanceId), Timestamp>,
}

/// Rotates for as long as the ledger takes writes; `interval` is the age at which a set is renewed.
pub async fn run(service: Arc<Service>, interval: Duration) {
    // Followed before the state is read, so that nothing falls in between.
    let mut batches = service.ledger().follow();
    let mut stopped = service.ledger().stopped();
    let mut schedule = Schedule::new(interval);
    schedule.fill(&service);
    loop {
        let wait = schedule.wait(service.now());
        tokio::select! {
            batch = batches.recv() => match batch {
                Ok(batch) => schedule.follow(&service, &batch),
                Err(RecvError::Lagged(_)) => schedule.fill(&service),
                Err(RecvError::Closed) => return,
            },
            () = tokio::time::sleep(wait) => {
                let due = schedule.take_due(service.now());
                if !due.is_empty() {
                    rotate(&service, &mut schedule, due).await;
                }
            }
            () = async { drop(stopped.wait_for(Option::is_some).await) } => return,
        }
    }
}

/// Renews what is due; what fails is due again soon.
async fn rotate(
    service: &Arc<Service>,
    schedule: &mut Schedule,
    due: Vec<(AccountId, InstanceId)>,
) {
    let count = due.len();
    let done: Vec<_> = futures_util::stream::iter(due)
        .map(|(account, instance)| async move {
            let rotated = rotate_one(service, account, &instance).await;
            (account, instance, rotated)
        })
        .buffer_unordered(CONCURRENT_MAX)
        .collect()
        .await;
    let retry = service.now().plus(RETRY_MAX.min(schedule.interval));
    let mut failed = 0_usize;
    for (account, instance, rotated) in done {
        if let Err(error) = rotated {
            failed += 1;
            tracing::warn!(%account, %instance, %error, "a rotation failed; it is tried again");
            schedule.set(account, instance, Some(retry));
        }
    }
    tracing::info!(rotated = count - failed, failed, "credentials rotated");
}

async fn rotate_one(
    service: &Service,
    account: AccountId,
    instance: &InstanceId,
) -> Result<(), crate::sts::ServiceError> {
    let minting = service.draw_minting()?;
    let action = Action::RotateCredentials { instance: instance.clone(), minting };
    let info = service.own_request("rotation");
    service.perform(&info, "", account, action).await.map(drop)
}

impl Schedule {
    fn new(interval: Duration) -> Self {
        Self { interval, due: BTreeSet::new(), times: HashMap::new() }
    }

    /// Sets what is due from everything that is true now.
    fn fill(&mut self, service: &Service) {
        self.due.clear();
        self.times.clear();
        let view = service.view();
        for account in view.state.accounts() {
            for (id, instance) in &account.instances {
                let Some(association) = instance.association.as_ref() else { continue };
                if instance.running {
                    let time = self.time_of(association);
                    self.set(account.id, id.clone(), Some(time));
                }
            }
        }
    }

    fn time_of(&self, association: &Association) -> Timestamp {
        match (&association.credentials, &association.refused) {
            (_, Some((.., refused_at))) => self.retry_after(*refused_at),
            (Some(credentials), None) => self.renewal(&association.id, credentials.issued_at),
            (None, None) => association.since,
        }
    }

    fn retry_after(&self, refused_at: Timestamp) -> Timestamp {
        refused_at.plus(RETRY_MAX.min(self.interval))
    }

    /// A little before the interval is over, by a share that is the association's own.
    fn renewal(&self, association: &AssociationId, issued_at: Timestamp) -> Timestamp {
        let share = crc32c::crc32c(association.as_str().as_bytes()) % 1000;
        let jitter = self.interval / JITTER_SHARE * share / 1000;
        issued_at.plus(self.interval.saturating_sub(jitter))
    }

    /// Takes over what a batch of facts changes.
    fn follow(&mut self, service: &Service, batch: &[Recorded]) {
        for recorded in batch {
            let time = recorded.fact.time;
            for event in &recorded.fact.events {
                let account = event.account;
                match &event.kind {
                    EventKind::CredentialsRotated { association, instance, credentials } => {
                        let due = self.renewal(association, credentials.issued_at);
                        self.set(account, instance.clone(), Some(due));
                    }
                    EventKind::CredentialsRefused { instance, .. } => {
                        self.set(account, instance.clone(), Some(self.retry_after(time)));
                    }
                    EventKind::ProfileDisassociated { instance, .. } => {
                        self.set(account, instance.clone(), None);
                    }
                    EventKind::InstanceTerminated { id } => self.set(account, id.clone(), None),
                    EventKind::AccountDeleted => self.forget(account),
                    EventKind::SessionsRevoked { .. } => {
                        self.renew_revoked(service, account, time);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Instances whose newest set was revoked are due at once.
    fn renew_revoked(&mut self, service: &Service, account: AccountId, now: Timestamp) {
        let view = service.view();
        let Some(found) = view.state.account(account) else { return };
        for instance in found.instances.values().filter(|instance| instance.running) {
            let association = instance.association.as_ref();
            let credentials = association.and_then(|found| found.credentials.as_ref());
            if credentials.is_some_and(|set| found.revocations.void_set(&instance.id, set)) {
                self.set(account, instance.id.clone(), Some(now));
            }
        }
    }

    fn forget(&mut self, account: AccountId) {
        self.due.retain(|(_, other, _)| *other != account);
        self.times.retain(|(other, _), _| *other != account);
    }

    fn set(&mut self, account: AccountId, instance: InstanceId, time: Option<Timestamp>) {
        let key = (account, instance);
        let before = match time {
            Some(time) => self.times.insert(key.clone(), time),
            None => self.times.remove(&key),
        };
        let (account, instance) = key;
        if let Some(before) = before {
            self.due.remove(&(before, account, instance.clone()));
        }
        if let Some(time) = time {
            self.due.insert((time, account, instance));
        }
    }

    fn wait(&self, now: Timestamp) -> Duration {
        let first = self.due.first().map(|(time, ..)| *time);
        let left = first.map_or(LOOK_MAX, |time| {
            let millis = time.as_millis().saturating_sub(now.as_millis());
            Duration::from_millis(u64::try_from(millis).unwrap_or_default())
        });
        left.min(LOOK_MAX)
    }

    fn take_due(&mut self, now: Timestamp) -> Vec<(AccountId, InstanceId)> {
        let mut taken = Vec::new();
        while let Some((time, ..)) = self.due.first()
            && *time <= now
            && let Some((_, account, instance)) = self.due.pop_first()
        {
            self.times.remove(&(account, instance.clone()));
            taken.push((account, instance));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn id(text: &str) -> InstanceId {
        text.parse().unwrap()
    }

    /// Protects instances from stale and from doubled rotations: one due time each, the newest.
    #[test]
    fn each_instance_is_due_once() {
        let mut schedule = Schedule::new(HOUR);
        let account: AccountId = "111111111111".parse().unwrap();
        let instance = id("i-0123456789abcdef0");
        let at = Timestamp::from_unix_seconds;
        schedule.set(account, instance.clone(), Some(at(100)));
        schedule.set(account, instance.clone(), Some(at(200)));
        assert_eq!(schedule.take_due(at(199)), []);
        assert_eq!(schedule.take_due(at(200)), [(account, instance.clone())]);
        assert_eq!(schedule.take_due(at(1000)), []);
        schedule.set(account, instance.clone(), Some(at(300)));
        schedule.set(account, instance, None);
        assert_eq!(schedule.take_due(at(1000)), []);
    }

    /// Protects the service from a stampede: renewals of one moment are spread, and never late.
    #[test]
    fn renewals_are_spread_before_the_interval_ends() {
        let schedule = Schedule::new(HOUR);
        let issued = Timestamp::from_unix_seconds(1_764_000_000);
        let mut times: Vec<_> = (0..100)
            .map(|n| format!("iip-assoc-{n:017x}").parse().unwrap())
            .map(|association| schedule.renewal(&association, issued))
            .collect();
        times.sort_unstable();
        times.dedup();
        assert!(times.len() > 50, "{} different times", times.len());
        assert!(
            times.iter().all(|time| *time > issued.plus(HOUR * 9 / 10 - Duration::from_secs(1)))
        );
        assert!(times.iter().all(|time| *time <= issued.plus(HOUR)));
    }
}
