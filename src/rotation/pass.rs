//! What is due on its way to the ledger.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::lanes::{Chunk, Lanes, Waiting};
use super::schedule::{Due, Schedule};
use crate::clock::Timestamp;
use crate::domain::command::Action;
use crate::domain::event::{EventKind, InstanceEvent};
use crate::domain::rejection::Rejection;
use crate::domain::rotation::{RotationAction, RotationEvent};
use crate::domain::state::State;
use crate::identity::PackedInstanceId;
use crate::ledger::{Receipt, SubmitError};
use crate::metrics::{self, Rotated};
use crate::service::{Service, ServiceError};

type Outcome = (Chunk, Result<Receipt, ServiceError>);

/// See the module.
pub(super) struct Pass {
    service: Arc<Service>,
    lifetime: Duration,
    lanes: Lanes,
    under_way: FuturesUnordered<BoxFuture<'static, Outcome>>,
}

impl Pass {
    pub(super) fn new(service: Arc<Service>, lifetime: Duration) -> Self {
        let (lanes, under_way) = (Lanes::default(), FuturesUnordered::new());
        Self { service, lifetime, lanes, under_way }
    }

    /// Takes over what is due, with the seconds for which it was planned, as far as it still holds.
    pub(super) fn add(&mut self, schedule: &Schedule, state: &State, due: Vec<(i64, Due)>) {
        let due = due.into_iter();
        let waiting = due.filter_map(|(second, due)| schedule.waiting(state, second, due));
        self.lanes.add(waiting.collect());
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Hands over as much as may be under way.
    pub(super) fn submit(&mut self, schedule: &Schedule) {
        let view = self.service.view();
        // What changed while it waited was planned anew.
        let holds = |entry: &Waiting| schedule.current(&view.state, &entry.due).is_some();
        while let Some(chunk) = self.lanes.next(holds) {
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
        self.lanes.settle(&chunk);
        let (account, count) = (chunk.account, chunk.waiting.len());
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
                chunk.waiting.into_iter().for_each(|entry| schedule.retry(entry.due, now));
            }
        }
    }

    /// Tells what was measured of a command that was done.
    fn count(&self, chunk: &Chunk, receipt: &Receipt) {
        let now = self.service.now();
        let measured = metrics::rotation();
        for event in receipt.events() {
            if let EventKind::Instance(InstanceEvent::CredentialsRefused { .. }) = &event.kind {
                measured.done(Rotated::Refused, 1);
            }
            let EventKind::Rotation(event) = &event.kind else { continue };
            match event {
                RotationEvent::Renewed { sets, .. } => {
                    measured.done(Rotated::Renewed, sets.len() as u64);
                    let renewed: HashSet<_> = sets.iter().map(|set| set.instance).collect();
                    let of_it = chunk.waiting.iter().filter(|w| renewed.contains(&w.due.instance));
                    of_it.for_each(|entry| measured.late(since(now, entry.since)));
                }
                RotationEvent::Late { instances, least_left } => {
                    let (account, count) = (chunk.account, instances.len());
                    tracing::warn!(%account, count, ?least_left, "credentials were renewed too late");
                }
                RotationEvent::Configured { .. } | RotationEvent::Demanded { .. } => {}
            }
        }
    }

    /// For how long what waits or is under way longest has been due.
    pub(super) fn lag(&self) -> Duration {
        let first = self.lanes.since();
        first.map_or(Duration::ZERO, |first| since(self.service.now(), first))
    }

    /// A refusal that was known before leads to no event that would plan the next try.
    fn retry_refused(&self, schedule: &mut Schedule, chunk: &Chunk, receipt: &Receipt) {
        let (view, now) = (self.service.view(), self.service.now());
        let events = receipt.events();
        let told: HashSet<PackedInstanceId> = events
            .filter_map(|event| {
                let EventKind::Instance(InstanceEvent::CredentialsRefused { instance, .. }) =
                    &event.kind
                else {
                    return None;
                };
                Some(instance.into())
            })
            .collect();
        for Waiting { due, .. } in &chunk.waiting {
            let current = schedule.current(&view.state, due);
            let refused = current.is_some_and(|(_, record)| record.refused().is_some());
            if refused && !told.contains(&due.instance) {
                schedule.retry(*due, now);
            }
        }
    }
}

fn since(now: Timestamp, second: i64) -> Duration {
    now.since(Timestamp::from_unix_seconds(second))
}

async fn renew(
    service: &Service,
    lifetime: Duration,
    chunk: &Chunk,
) -> Result<Receipt, ServiceError> {
    let keys = service.draw_temporary_keys(chunk.waiting.len())?;
    let renewals = chunk.waiting.iter().map(|entry| entry.due.instance).zip(keys).collect();
    let action = Action::Rotation(RotationAction::Renew { renewals, lifetime });
    let info = service.own_request("rotation");
    service.perform(&info, "", chunk.account, action).await
}
