//! The closed loop: callers who each wait for their answer, and a while, before they ask again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::task::JoinSet;

use super::{Ended, Gauges, Loop, Terms};
use crate::load::book::{Book, Response, Times};
use crate::load::driver::Server;
use crate::load::random::Random;

/// See the module.
pub(super) struct Callers<S> {
    server: Arc<S>,
    book: Arc<Book>,
    gauges: Arc<Gauges>,
}

impl<S: Server> Callers<S> {
    pub(super) fn new(server: Arc<S>, book: Arc<Book>, gauges: Arc<Gauges>) -> Self {
        Self { server, book, gauges }
    }

    /// Has callers ask until the time is over.
    pub(super) async fn run(self, how: Loop, terms: Terms) -> Ended {
        let none = Ended { due: 0, backlog_at_end: 0 };
        let Loop::Closed { callers, think_time, expected, duration } = how else { return none };
        let ends = Instant::now() + duration;
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let (server, book, gauges) =
                (self.server.clone(), self.book.clone(), self.gauges.clone());
            let mut random = Random::new(terms.seed, caller as u64);
            let stop = terms.stop.clone();
            tasks.spawn(async move {
                while Instant::now() < ends && !stop.is_cancelled() {
                    let job = server.draw(&mut random);
                    let sent = Instant::now();
                    gauges.in_flight.fetch_add(1, Ordering::Relaxed);
                    let outcome = server.perform(job).await;
                    gauges.in_flight.fetch_sub(1, Ordering::Relaxed);
                    let response = Response::Expected(expected + think_time);
                    book.note(job.part, outcome, &Times { service: sent.elapsed(), response });
                    if !think_time.is_zero() {
                        tokio::time::sleep(think_time).await;
                    }
                }
            });
        }
        tasks.join_all().await;
        none
    }
}
