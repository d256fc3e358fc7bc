//! What it costs a request to be watched: its metrics, those of its command, its span and its line of the access log,
//! as they are without a collector. Beside each stands the least that a time and a count take: the clock read twice
//! and two atomic additions.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/compared.rs"]
mod compared;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use compared::compared;
use http::HeaderMap;
use locum::identity::{AccountId, InstanceId, Principal};
use locum::metrics::{self, Commanded, Lookup, Outcome};
use locum::telemetry::UnderWay;

const PATH: &str = "/locum.v1.MetadataService/GetRoleCredentials";

/// The clock twice and two additions.
fn least() {
    static COUNTS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    let began = Instant::now();
    let [count, time] = &COUNTS;
    let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or_default();
    time.fetch_add(took, Ordering::Relaxed);
    count.fetch_add(1, Ordering::Relaxed);
}

fn main() {
    let account: AccountId = "111111111111".parse().expect("an account");
    let id: InstanceId = "i-0123456789abcdef0".parse().expect("an instance");
    let caller = Principal::Instance { account, id };
    let request_id: Arc<str> = Arc::from("6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
    let (headers, took) = (HeaderMap::new(), Duration::from_micros(60));
    println!("CPU of one core; bare: the clock twice and two atomic additions");
    compared(
        "metrics of a request",
        || {
            let operation = metrics::grpc().find(black_box(PATH));
            metrics::authentication().looked_up(Lookup::Hit);
            let outcome = operation.answered(None, black_box(took));
            metrics::accounts().request(account, outcome);
            metrics::credentials().served(black_box(took));
        },
        least,
    );
    compared(
        "metrics of a command, alone in its batch",
        || {
            let ledger = metrics::ledger();
            ledger.waited(black_box(took));
            ledger.command(Commanded::Recorded);
            ledger.batch(1, black_box(500), took);
        },
        least,
    );
    compared(
        "a request from its span to its line, metrics included",
        || {
            let operation = metrics::grpc().find(black_box(PATH));
            let span = tracing::debug_span!("call", request_id = %request_id, code = tracing::field::Empty);
            let mut under_way =
                UnderWay::begin(operation, request_id.clone(), span, &headers, "CANCELLED");
            under_way.account = Some(account);
            under_way.recognized(&caller);
            assert_eq!(under_way.tell(None), Outcome::Ok);
        },
        least,
    );
}
