//! The open loop: requests come at their time, whatever became of those before. A thread of its own keeps the time,
//! as the runtime's clock is a millisecond coarse.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Ended, Gauges, Terms};
use crate::load::book::{Book, Response, Times};
use crate::load::driver::{Job, Server};
use crate::load::random::Random;
use crate::load::scenario::Room;
use crate::load::schedule::Schedule;

/// How long the pacer sleeps at most while requests wait for room.
const NAP: Duration = Duration::from_millis(1);
/// How long it sleeps at most otherwise, so that it can be stopped.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Pacer<S> {
    server: Arc<S>,
    book: Arc<Book>,
    gauges: Arc<Gauges>,
    random: Random,
    stop: CancellationToken,
}

/// A request that is due.
struct Due {
    at: Instant,
    /// How late the pacer noticed.
    late: Duration,
    job: Job,
}

impl<S: Server> Pacer<S> {
    pub(super) fn new(server: Arc<S>, book: Arc<Book>, gauges: Arc<Gauges>, terms: &Terms) -> Self {
        Self { server, book, gauges, random: Random::new(terms.seed, 0), stop: terms.stop.clone() }
    }

    /// Sends what is due for `duration`, and waits for the answers.
    pub(super) async fn run(self, rate: f64, duration: Duration, room: Room) -> Ended {
        let permits = Arc::new(Semaphore::new(room.in_flight_max));
        let (handle, sent_with) = (Handle::current(), permits.clone());
        let schedule = Schedule::new(rate, duration);
        let paced = tokio::task::spawn_blocking(move || {
            self.pace(schedule, duration, room.backlog_max, &sent_with, &handle)
        });
        let ended = paced.await.unwrap_or(Ended { due: 0, backlog_at_end: 0 });
        // All are back; each has its time-out.
        let all = u32::try_from(room.in_flight_max).unwrap_or(u32::MAX);
        let _ = permits.acquire_many(all).await;
        ended
    }

    fn pace(
        mut self,
        schedule: Schedule,
        duration: Duration,
        backlog_max: usize,
        permits: &Arc<Semaphore>,
        runtime: &Handle,
    ) -> Ended {
        let began = Instant::now();
        let (mut next, total) = (0, schedule.total());
        let mut waiting: VecDeque<Due> = VecDeque::new();
        while !self.stop.is_cancelled() {
            let now = began.elapsed();
            while next < total && schedule.due(next) <= now {
                let due = schedule.due(next);
                next += 1;
                let job = self.server.draw(&mut self.random);
                if waiting.len() >= backlog_max {
                    self.book.note_dropped();
                } else {
                    waiting.push_back(Due { at: began + due, late: now - due, job });
                }
            }
            self.send(&mut waiting, permits, runtime);
            self.gauges.backlog.store(waiting.len(), Ordering::Relaxed);
            self.gauges.backlog_peak.fetch_max(waiting.len(), Ordering::Relaxed);
            if next >= total && now >= duration {
                break;
            }
            let until_next = match next < total {
                true => schedule.due(next).saturating_sub(began.elapsed()),
                false => duration.saturating_sub(now),
            };
            let nap = if waiting.is_empty() { SLEEP_MAX } else { NAP };
            std::thread::sleep(until_next.min(nap));
        }
        // What still waits would have come too late to be sent within the time.
        let backlog_at_end = waiting.len();
        waiting.iter().for_each(|_| self.book.note_dropped());
        self.gauges.backlog.store(0, Ordering::Relaxed);
        Ended { due: next, backlog_at_end }
    }

    /// Sends what there is room for.
    fn send(&self, waiting: &mut VecDeque<Due>, permits: &Arc<Semaphore>, runtime: &Handle) {
        while let Some(due) = waiting.pop_front() {
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                return waiting.push_front(due);
            };
            let released = Instant::now();
            let (server, book, gauges) =
                (self.server.clone(), self.book.clone(), self.gauges.clone());
            runtime.spawn(async move {
                let sent = Instant::now();
                book.note_lag(due.late + (sent - released));
                gauges.in_flight.fetch_add(1, Ordering::Relaxed);
                let outcome = server.perform(due.job).await;
                let answered = Instant::now();
                gauges.in_flight.fetch_sub(1, Ordering::Relaxed);
                let response = Response::SinceDue(answered - due.at);
                book.note(due.job.part, outcome, &Times { service: answered - sent, response });
                drop(permit);
            });
        }
    }
}
