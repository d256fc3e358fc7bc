//! The scheduler: renews every association's credentials ahead of their end, as events.
//!
//! The schedule is filled from the state at the start and follows the facts after that, so that a stop, a jump of
//! the clock or a burst of launches leaves nothing out. What is due is handed to the ledger in commands of many
//! instances of one account each, what ends soonest first, with a bound on how much is under way, in all and of one
//! account.

pub mod calendar;
mod lanes;
mod pass;
pub mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;

use crate::metrics;
use crate::service::Service;
use pass::Pass;
use schedule::Schedule;

/// How often the calendar is looked at: a fraction of its seconds.
const LOOK: Duration = Duration::from_millis(250);

/// Rotates for as long as the ledger takes writes.
pub async fn run(service: Arc<Service>) {
    let pace = service.settings().pace;
    // Followed before the state is read, so that nothing falls in between.
    let mut batches = service.ledger().follow();
    let mut stopped = service.ledger().stopped();
    let mut schedule = Schedule::new(pace, service.now());
    schedule.fill(&service.view().state, service.now());
    let mut pass = Pass::new(service.clone(), pace.lifetime);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pass.submit(&schedule);
        tokio::select! {
            batch = batches.recv() => match batch {
                Ok(batch) => schedule.follow(&batch.view.state, &batch.facts, service.now()),
                Err(RecvError::Lagged(_)) => schedule.fill(&service.view().state, service.now()),
                Err(RecvError::Closed) => return,
            },
            () = pass.settle(&mut schedule), if pass.is_under_way() => {}
            _ = look.tick() => {
                let (view, now) = (service.view(), service.now());
                let mut due = Vec::new();
                schedule.look(&view.state, now, |second, entry| due.push((second, entry)));
                pass.add(&schedule, &view.state, due);
                metrics::rotation().scheduled(schedule.planned());
                metrics::rotation().lag(pass.lag());
            }
            () = async { drop(stopped.wait_for(Option::is_some).await) } => return,
        }
    }
}
