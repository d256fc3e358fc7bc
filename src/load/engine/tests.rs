//! Runs against servers that are slow in known ways.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use super::*;
use crate::load::book::Outcome;
use crate::load::driver::Job;
use crate::load::random::Random;

/// Answers after 1 ms, and answers nothing between two times, which count from its first request.
struct Stalling {
    began: OnceLock<Instant>,
    stall: std::ops::Range<Duration>,
    asked: AtomicU64,
}

impl Stalling {
    fn new(stall: std::ops::Range<Duration>) -> Arc<Self> {
        Arc::new(Self { began: OnceLock::new(), stall, asked: AtomicU64::new(0) })
    }
}

impl Server for Stalling {
    fn draw(&self, random: &mut Random) -> Job {
        Job { part: 0, tenant: (random.unit() * 3.0) as usize, number: 0 }
    }

    async fn perform(&self, _: Job) -> Outcome {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let now = self.began.get_or_init(Instant::now).elapsed();
        if self.stall.contains(&now) {
            tokio::time::sleep(self.stall.end - now).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        Outcome::Done
    }
}

fn terms() -> Terms {
    Terms { seed: 1, parts: 1, server_pid: None, stop: CancellationToken::new() }
}

fn open(rate: f64, millis: u64, room: Room) -> Loop {
    Loop::Open { rate, duration: Duration::from_millis(millis), room }
}

const ROOM: Room = Room { in_flight_max: 1000, backlog_max: 1000 };
const NEVER: std::ops::Range<Duration> = Duration::ZERO..Duration::ZERO;

fn millis(histogram: &Histogram<u64>, quantile: f64) -> u64 {
    histogram.value_at_quantile(quantile) / 1_000_000
}

/// Protects percentiles from coordinated omission: of 1.2 seconds a server stands still for 0.6. A client that has
/// room for one request sends one into the stall, and yet half of all who were due in that time waited long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_shows_in_the_percentiles_of_an_open_loop() {
    let server = Stalling::new(Duration::from_millis(300)..Duration::from_millis(900));
    let room = Room { in_flight_max: 1, ..ROOM };
    let measured = measure(&server, open(100.0, 1200, room), &terms(), &mut |_| {}).await.unwrap();
    let total = measured.total();
    assert_eq!(measured.due, 120);
    assert_eq!(total.done + measured.dropped, 120);
    // Those that were due during the stall: 60, waiting 0.3 seconds on average.
    assert!(millis(&total.response, 0.9) > 200, "{}", millis(&total.response, 0.9));
    // What a client that does not correct would tell.
    assert!(millis(&total.service, 0.9) < 200, "{}", millis(&total.service, 0.9));
    assert!(measured.backlog_peak > 20, "{}", measured.backlog_peak);
}

/// Protects the same in the closed loop, where nobody was due while the callers waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_shows_in_the_percentiles_of_a_closed_loop() {
    let server = Stalling::new(Duration::from_millis(300)..Duration::from_millis(900));
    let how = Loop::Closed {
        callers: 2,
        think_time: Duration::from_millis(8),
        expected: Duration::from_millis(2),
        duration: Duration::from_millis(1200),
    };
    let measured = measure(&server, how, &terms(), &mut |_| {}).await.unwrap();
    let total = measured.total();
    assert_eq!(total.done, server.asked.load(Ordering::Relaxed));
    assert!(total.response.len() > total.service.len() + 50, "{}", total.response.len());
    assert!(millis(&total.response, 0.9) > 200, "{}", millis(&total.response, 0.9));
    assert!(millis(&total.service, 0.9) < 200, "{}", millis(&total.service, 0.9));
}

/// Protects the books: every request that was due is either finished or dropped, and a full backlog is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_without_room_are_dropped_and_counted() {
    let server = Stalling::new(Duration::ZERO..Duration::from_millis(400));
    let room = Room { in_flight_max: 2, backlog_max: 3 };
    let measured = measure(&server, open(200.0, 500, room), &terms(), &mut |_| {}).await.unwrap();
    let total = measured.total();
    assert_eq!((measured.due, total.done + measured.dropped), (100, 100));
    assert!(measured.dropped >= 50, "{}", measured.dropped);
    assert_eq!(measured.backlog_peak, 3);
    assert_eq!(total.done, server.asked.load(Ordering::Relaxed));
}

/// Protects who waits for a run: it ends when it is stopped, with what there is; and the second that was begun is
/// kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_can_be_stopped() {
    let terms = terms();
    let stop = terms.stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    });
    let server = Stalling::new(NEVER);
    let measured = measure(&server, open(50.0, 60_000, ROOM), &terms, &mut |_| {}).await.unwrap();
    assert!(measured.elapsed < Duration::from_secs(10));
    assert!(measured.due < 100, "{}", measured.due);
    assert_eq!(measured.slices.len(), 1);
    assert_eq!(measured.slices[0].done, measured.total().done);
}
