//! Makes requests for a while, and keeps what came of them second by second.

mod closed;
mod open;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio_util::sync::CancellationToken;

use super::book::{Book, Tally};
use super::driver::Server;
use super::process::cpu_seconds;
use super::report::{Slice, micros};
use super::scenario::Room;

/// How often the newest second is looked at.
const TICK: Duration = Duration::from_secs(1);
/// The shortest time that is kept as a second of its own at the end.
const SLICE_MIN: Duration = Duration::from_millis(500);

/// How requests come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loop {
    /// See `open`.
    Open { rate: f64, duration: Duration, room: Room },
    /// See `closed`.
    Closed {
        callers: usize,
        think_time: Duration,
        /// How long a request takes when all is well.
        expected: Duration,
        duration: Duration,
    },
}

/// What a run is told.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) seed: u64,
    /// Parts of the mix.
    pub(super) parts: usize,
    /// The server, if it is on this machine.
    pub(super) server_pid: Option<u32>,
    /// Ends the run early.
    pub(super) stop: CancellationToken,
}

/// What is under way and what waits.
#[derive(Debug, Default)]
struct Gauges {
    in_flight: AtomicUsize,
    backlog: AtomicUsize,
    backlog_peak: AtomicUsize,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// By part of the mix.
    pub(super) parts: Vec<Tally>,
    pub(super) slices: Vec<Slice>,
    /// How late the generator was.
    pub(super) lag: Histogram<u64>,
    /// Requests that were due; 0 in a closed loop, where none is.
    pub(super) due: u64,
    pub(super) dropped: u64,
    pub(super) backlog_peak: usize,
    /// Requests that waited at the end of the time.
    pub(super) backlog_at_end: usize,
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    pub(super) server_cpu: Option<f64>,
    pub(super) own_cpu: f64,
}

impl Measured {
    pub(super) fn total(&self) -> Tally {
        let mut total = Tally::default();
        for part in &self.parts {
            total.add(part);
        }
        total
    }
}

/// What the loops leave behind.
struct Ended {
    due: u64,
    backlog_at_end: usize,
}

/// Runs until the time is over and every request is answered or given up. `seen` is told of each second.
pub(super) async fn measure<S: Server>(
    server: &Arc<S>,
    how: Loop,
    terms: &Terms,
    seen: &mut (dyn FnMut(&Slice) + Send),
) -> std::io::Result<Measured> {
    let book = Arc::new(Book::new(terms.parts));
    let gauges = Arc::new(Gauges::default());
    let cpu = || (terms.server_pid.and_then(|pid| cpu_seconds(Some(pid))), cpu_seconds(None));
    let (began, cpu_before) = (Instant::now(), cpu());
    let mut running = match how {
        Loop::Open { rate, duration, room } => {
            let pacer = open::Pacer::new(server.clone(), book.clone(), gauges.clone(), terms);
            tokio::spawn(pacer.run(rate, duration, room))
        }
        Loop::Closed { .. } => {
            let callers = closed::Callers::new(server.clone(), book.clone(), gauges.clone());
            tokio::spawn(callers.run(how, terms.clone()))
        }
    };
    let mut observer = Observer {
        book,
        gauges,
        server_pid: terms.server_pid,
        began,
        looked: began,
        cpu: cpu_before.0,
        dropped: 0,
        parts: (0..terms.parts).map(|_| Tally::default()).collect(),
        slices: Vec::new(),
    };
    let mut ticks = tokio::time::interval_at((began + TICK).into(), TICK);
    let ended = loop {
        tokio::select! {
            ended = &mut running => break ended.map_err(std::io::Error::other)?,
            _ = ticks.tick() => seen(&observer.look()),
        }
    };
    let elapsed = began.elapsed();
    observer.look_last();
    let cpu_after = cpu();
    let spent = |after: Option<f64>, before: Option<f64>| Some(after? - before?);
    Ok(Measured {
        parts: observer.parts,
        slices: observer.slices,
        lag: observer.book.lag(),
        due: ended.due,
        dropped: observer.book.dropped(),
        backlog_peak: observer.gauges.backlog_peak.load(Ordering::Relaxed),
        backlog_at_end: ended.backlog_at_end,
        elapsed,
        server_cpu: spent(cpu_after.0, cpu_before.0),
        own_cpu: spent(cpu_after.1, cpu_before.1).unwrap_or_default(),
    })
}

/// Looks at the newest second.
struct Observer {
    book: Arc<Book>,
    gauges: Arc<Gauges>,
    server_pid: Option<u32>,
    began: Instant,
    looked: Instant,
    cpu: Option<f64>,
    dropped: u64,
    parts: Vec<Tally>,
    slices: Vec<Slice>,
}

impl Observer {
    fn look(&mut self) -> Slice {
        let now = Instant::now();
        let newest = self.book.take();
        let mut total = Tally::default();
        for (part, tally) in self.parts.iter_mut().zip(&newest) {
            part.add(tally);
            total.add(tally);
        }
        let cpu = self.server_pid.and_then(|pid| cpu_seconds(Some(pid)));
        let spent = cpu.zip(self.cpu).map(|(after, before)| after - before);
        let dropped = self.book.dropped();
        let finished = total.finished();
        let slice = Slice {
            at: (now - self.began).as_secs_f64(),
            seconds: (now - self.looked).as_secs_f64(),
            done: total.done,
            throttled: total.throttled(),
            failed: total.failed() + total.timed_out,
            dropped: dropped - self.dropped,
            p50_micros: micros(total.response.value_at_quantile(0.5)),
            p99_micros: micros(total.response.value_at_quantile(0.99)),
            in_flight: self.gauges.in_flight.load(Ordering::Relaxed),
            backlog: self.gauges.backlog.load(Ordering::Relaxed),
            server_cpu_micros: spent
                .filter(|_| finished > 0)
                .map(|seconds| seconds * 1e6 / finished as f64),
        };
        (self.looked, self.cpu, self.dropped) = (now, cpu, dropped);
        self.slices.push(slice.clone());
        slice
    }

    /// The rest, which is no whole second: counted, and kept as a second only if it is long enough.
    fn look_last(&mut self) {
        let is_long = self.looked.elapsed() >= SLICE_MIN;
        self.look();
        if !is_long && self.slices.len() > 1 {
            self.slices.pop();
        }
    }
}

#[cfg(test)]
mod tests;
