//! What one account can do to the others: tenants that each ask for sessions at a constant rate, open loop, and
//! then the same while one of them asks for a hundred times as much, more than the machine can do. In process, every
//! session synced to disk. Latencies count from when a request was due, so that a stall is not hidden by the
//! requests that it delays.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/setup.rs"]
mod setup;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use figures::{median, quantile};
use locum::ledger::SubmitError;
use locum::serve::{Opened, open};
use locum::service::{GetSessionToken, RequestInfo, Service, ServiceError};
use setup::{account, as_root, make_account};
use tokio::runtime::Handle;

/// Accounts, one of which is the aggressor.
const ACCOUNTS: u64 = 20;
/// How much of the capacity all accounts together ask for while nobody floods.
const LOAD: f64 = 0.2;
/// The aggressor's rate, in those of the others.
const FLOOD: f64 = 100.0;
/// Callers of the measurement of the capacity.
const CALLERS: u64 = 256;
/// Pairs of phases, without and with the flood in turns, and how long each phase is. What is compared are the medians
/// of the phases' percentiles: a single stall of the disk is in one phase alone.
const PAIRS: usize = 7;
const PHASE: Duration = Duration::from_secs(4);
/// How often the aggressor sends what is due.
const FLOOD_TICK: Duration = Duration::from_millis(1);

async fn ask(service: &Service, info: &RequestInfo) -> Result<(), ServiceError> {
    service.get_session_token(info, "", &GetSessionToken::default()).await.map(drop)
}

/// Sessions a second when all accounts ask as fast as they are answered.
async fn capacity(service: &Arc<Service>) -> f64 {
    let began = Instant::now();
    let tasks: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (service, info) = (service.clone(), as_root(service, account(number % ACCOUNTS)));
            tokio::spawn(async move {
                let mut count = 0_u64;
                while began.elapsed() < PHASE {
                    ask(&service, &info).await.expect("a session");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("a caller");
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// The others' latencies, how late their requests were sent, and what became of the aggressor's requests.
#[derive(Default)]
struct Seen {
    latencies: Mutex<Vec<Duration>>,
    lags: Mutex<Vec<Duration>>,
    done: AtomicU64,
    refused: AtomicU64,
}

/// Sends what is due for all accounts but the first, evenly, from a thread of its own.
fn send_steadily(handle: &Handle, service: &Arc<Service>, rate: f64, seen: &Arc<Seen>) {
    let infos: Vec<_> =
        (1..ACCOUNTS).map(|number| Arc::new(as_root(service, account(number)))).collect();
    let gap = Duration::from_secs_f64(1.0 / (rate * infos.len() as f64));
    let began = Instant::now();
    let mut due = began;
    for info in infos.iter().cycle() {
        if due - began > PHASE {
            return;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (service, info, seen) = (service.clone(), info.clone(), seen.clone());
        // A sender that the machine held up makes latencies that the service did not.
        seen.lags.lock().expect("no panic").push(due.elapsed());
        handle.spawn(async move {
            ask(&service, &info).await.expect("no account but the aggressor is refused");
            seen.latencies.lock().expect("no panic").push(due.elapsed());
        });
        due += gap;
    }
}

fn flood(handle: &Handle, service: &Arc<Service>, rate: f64, seen: &Arc<Seen>) {
    let info = Arc::new(as_root(service, account(0)));
    let (began, mut sent) = (Instant::now(), 0.0);
    while began.elapsed() < PHASE {
        while sent < began.elapsed().as_secs_f64() * rate {
            let (service, info, seen) = (service.clone(), info.clone(), seen.clone());
            handle.spawn(async move {
                let counter = match ask(&service, &info).await {
                    Ok(()) => &seen.done,
                    Err(ServiceError::Submit(SubmitError::Overloaded)) => &seen.refused,
                    Err(error) => panic!("{error}"),
                };
                counter.fetch_add(1, Ordering::Relaxed);
            });
            sent += 1.0;
        }
        std::thread::sleep(FLOOD_TICK);
    }
}

/// One phase; the aggressor asks at `flood_rate`.
async fn phase(service: &Arc<Service>, rate: f64, flood_rate: f64) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let started = |send: fn(&Handle, &Arc<Service>, f64, &Arc<Seen>), rate| {
        let (handle, service, seen) = (Handle::current(), service.clone(), seen.clone());
        std::thread::spawn(move || send(&handle, &service, rate, &seen))
    };
    let threads = [started(send_steadily, rate), started(flood, flood_rate)];
    tokio::task::spawn_blocking(|| threads.map(|thread| thread.join().expect("a sender")))
        .await
        .expect("senders");
    // What is under way ends before the next phase begins.
    while service.ledger().waiting() > 0 {
        tokio::time::sleep(FLOOD_TICK).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    seen
}

/// Prints the others' latencies in the phases of a kind, and gives their p99 in microseconds.
fn report(what: &str, phases: &[Arc<Seen>]) -> f64 {
    let (mut middles, mut tails, mut lags) = (Vec::new(), Vec::new(), Vec::new());
    let (mut requests, mut done, mut refused) = (0, 0, 0);
    for seen in phases {
        let mut latencies = seen.latencies.lock().expect("no panic");
        requests += latencies.len();
        middles.push(quantile(&mut latencies, 0.5));
        tails.push(quantile(&mut latencies, 0.99));
        lags.push(quantile(&mut seen.lags.lock().expect("no panic"), 0.99));
        done += seen.done.load(Ordering::Relaxed);
        refused += seen.refused.load(Ordering::Relaxed);
    }
    let each: Vec<_> = tails.iter().map(|tail| format!("{:.1}", tail / 1000.0)).collect();
    let (p50, p99, late) = (median(middles), median(tails), median(lags));
    let seconds = PHASE.as_secs_f64() * phases.len() as f64;
    println!(
        "{what:<16} others: {requests:>7} requests, p50 {p50:>6.0} us, p99 {p99:>6.0} us ({} ms), sender late by \
         {late:.0} us at p99; aggressor: {:>7.0}/s done, {:>7.0}/s refused",
        each.join(", "),
        done as f64 / seconds,
        refused as f64 / seconds,
    );
    p99
}

async fn opened(folder: &tempfile::TempDir) -> Opened {
    let config = setup::config(setup::layer(folder.path()));
    let opened = open(&config).await.expect("a data folder");
    let service = &opened.service;
    for number in 0..ACCOUNTS {
        make_account(service, account(number)).await;
    }
    opened
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = opened(&folder).await;
    let service = &opened.service;
    let capacity = capacity(service).await;
    let rate = capacity * LOAD / ACCOUNTS as f64;
    println!(
        "capacity {capacity:.0} sessions/s; {ACCOUNTS} accounts at {rate:.0}/s each; the aggressor at {:.0}/s",
        rate * FLOOD
    );
    let (mut calm, mut flooded) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        calm.push(phase(service, rate, rate).await);
        flooded.push(phase(service, rate, rate * FLOOD).await);
    }
    let calm = report("without a flood", &calm);
    let flooded = report("with a flood", &flooded);
    println!("p99 with / without: {:.2}", flooded / calm);
    opened.close().await;
}
