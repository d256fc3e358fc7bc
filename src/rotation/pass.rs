//! What is due on its way to the ledger: a queue by urgency, and commands under way.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::schedule::{Due, Schedule};
use crate::clock::Timestamp;
use crate::domain::command::Action;
use crate::domain::event::EventKind;
use crate::domain::rejection::Rejection;
use crate::domain::rotation::{RENEWALS_MAX, RotationAction, RotationEvent};
use crate::domain::state::State;
use crate::identity::{AccountId, PackedInstanceId};
use crate::ledger::{Receipt, SubmitError};
use crate::metrics::{self, Rotated};
use crate::sts::{Service, ServiceError};

/// Instances whose renewal is under way at once: enough to fill a batch of the ledger, few enough that whoever else
/// writes waits for some milliseconds.
const INSTANCES_UNDER_WAY: usize = 8 * RENEWALS_MAX;
/// Commands under way at once, where accounts have few instances.
const COMMANDS_UNDER_WAY: usize = 1024;

/// Renewals of one account that are handed over together.
struct Chunk {
    account: AccountId,
    dues: Vec<(i64, Due)>,
    /// The second in which the first of them was due.
    first: i64,
}

type Outcome = (Chunk, Result<Receipt, ServiceError>);

/// See the module.
pub(super) struct Pass {
    service: Arc<Service>,
    lifetime: Duration,
    /// What is due, not yet in order.
    waiting: Vec<(i64, Due)>,
    /// What is due, in the order in which it is handed over.
    chunks: VecDeque<Chunk>,
    under_way: FuturesUnordered<BoxFuture<'static, Outcome>>,
    instances_under_way: usize,
}

impl Pass {
    pub(super) fn new(service: Arc<Service>, lifetime: Duration) -> Self {
        Self {
            service,
            lifetime,
            waiting: Vec::new(),
            chunks: VecDeque::new(),
            under_way: FuturesUnordered::new(),
            instances_under_way: 0,
        }
    }

    /// Takes over an entry that was due in `second`.
    pub(super) fn add(&mut self, second: i64, due: Due) {
        self.waiting.push((second, due));
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Hands over as much as may be under way.
    pub(super) fn submit(&mut self, schedule: &mut Schedule) {
        if self.chunks.is_empty() && !self.waiting.is_empty() {
            let state = &self.service.view().state;
            self.chunks = in_order(schedule, state, std::mem::take(&mut self.waiting));
        }
        while self.under_way.len() < COMMANDS_UNDER_WAY
            && self.instances_under_way < INSTANCES_UNDER_WAY
            && let Some(chunk) = self.chunks.pop_front()
        {
            self.instances_under_way = self.instances_under_way.saturating_add(chunk.dues.len());
            let (service, lifetime) = (self.service.clone(), self.lifetime);
            self.under_way.push(Box::pin(async move {
                let renewed = renew(&service, lifetime, &chunk).await;
                (chunk, renewed)
            }));
        }
    }

    /// Waits for a command to be done, and plans again what it left undone.
    pub(super) async fn settle(&mut self, schedule: &mut Schedule) {
        let Some((chunk, outcome)) = self.under_way.next().await else { return };
        self.instances_under_way = self.instances_under_way.saturating_sub(chunk.dues.len());
        let (account, count) = (chunk.account, chunk.dues.len());
        match outcome {
            Ok(receipt) => {
                self.count(&chunk, &receipt);
                self.retry_refused(schedule, &chunk, &receipt);
            }
            // Its instances are planned again when it is enabled.
            Err(ServiceError::Submit(SubmitError::Rejected(
                Rejection::AccountDisabled(_) | Rejection::NoSuchEntity { .. },
            ))) => {}
            Err(error) => {
                tracing::warn!(%account, count, %error, "rotations failed; they are tried again");
                metrics::rotation().done(Rotated::Failed, count as u64);
                let now = self.service.now();
                chunk.dues.into_iter().for_each(|(_, due)| schedule.retry(due, now));
            }
        }
    }

    /// Tells what was measured of a command that was done.
    fn count(&self, chunk: &Chunk, receipt: &Receipt) {
        let now = self.service.now();
        let measured = metrics::rotation();
        for (second, _) in &chunk.dues {
            measured.late(now.since(Timestamp::from_unix_seconds(*second)));
        }
        for event in receipt.fact.iter().flat_map(|fact| &fact.events) {
            match &event.kind {
                EventKind::Rotation(RotationEvent::Renewed { sets, .. }) => {
                    measured.done(Rotated::Renewed, sets.len() as u64);
                }
                EventKind::CredentialsRefused { .. } => measured.done(Rotated::Refused, 1),
                EventKind::Rotation(RotationEvent::Late { instances, least_left }) => {
                    let (account, count) = (chunk.account, instances.len());
                    tracing::warn!(%account, count, ?least_left, "credentials were renewed too late");
                }
                _ => {}
            }
        }
    }

    /// For how long what waits longest has been due.
    pub(super) fn lag(&self) -> Duration {
        let waiting = self.waiting.iter().map(|(second, _)| *second);
        let in_order = self.chunks.iter().map(|chunk| chunk.first);
        let first = waiting.chain(in_order).min().map(Timestamp::from_unix_seconds);
        first.map_or(Duration::ZERO, |first| self.service.now().since(first))
    }

    /// A refusal that was known before leads to no event that would plan the next try.
    fn retry_refused(&self, schedule: &mut Schedule, chunk: &Chunk, receipt: &Receipt) {
        let (view, now) = (self.service.view(), self.service.now());
        let events = receipt.fact.iter().flat_map(|fact| &fact.events);
        let told: HashSet<PackedInstanceId> = events
            .filter_map(|event| match &event.kind {
                EventKind::CredentialsRefused { instance, .. } => Some(instance.into()),
                _ => None,
            })
            .collect();
        for (_, due) in &chunk.dues {
            let current = schedule.current(&view.state, due);
            let refused = current.is_some_and(|(_, record)| record.refused().is_some());
            if refused && !told.contains(&due.instance) {
                schedule.retry(*due, now);
            }
        }
    }
}

async fn renew(
    service: &Service,
    lifetime: Duration,
    chunk: &Chunk,
) -> Result<Receipt, ServiceError> {
    let keys = service.draw_temporary_keys(chunk.dues.len())?;
    let renewals = chunk.dues.iter().map(|(_, due)| due.instance).zip(keys).collect();
    let action = Action::Rotation(RotationAction::Renew { renewals, lifetime });
    let info = service.own_request("rotation");
    service.perform(&info, "", chunk.account, action).await
}

/// What of the entries still holds, in chunks: what ends soonest first, by accounts where that makes no difference.
fn in_order(schedule: &Schedule, state: &State, waiting: Vec<(i64, Due)>) -> VecDeque<Chunk> {
    let ends = |due: &Due| {
        let (_, record) = schedule.current(state, due)?;
        Some(record.newest_set().map_or(Timestamp::EPOCH, |(_, expires_at)| expires_at))
    };
    let mut waiting: Vec<_> =
        waiting.into_iter().filter_map(|(second, due)| Some((ends(&due)?, second, due))).collect();
    waiting.sort_unstable_by_key(|(ends, ..)| *ends);
    let mut chunks = VecDeque::new();
    // What is under way at once is as good as done at once.
    for together in waiting.chunks_mut(INSTANCES_UNDER_WAY) {
        together.sort_unstable_by_key(|(_, _, due)| (due.account, due.instance));
        let mut rest = &*together;
        while let Some((_, _, leader)) = rest.first() {
            let same = rest.iter().take(RENEWALS_MAX).take_while(|e| e.2.account == leader.account);
            let (own, others) = rest.split_at(same.count());
            rest = others;
            let Some(account) = leader.account() else { continue };
            let mut dues: Vec<_> = own.iter().map(|(_, second, due)| (*second, *due)).collect();
            dues.dedup_by_key(|(_, due)| due.instance);
            let first = dues.iter().map(|(second, _)| *second).min().unwrap_or(i64::MAX);
            chunks.push_back(Chunk { account, dues, first });
        }
    }
    chunks
}
