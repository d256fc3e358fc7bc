//! What those who write see of a snapshot that is written beside them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use locum::serve::open;
use locum::service::{GetSessionToken, Service};

use super::figures::{quantile, setting};
use super::instances;
use super::setup::{account, as_root, config, layer, make_account};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
/// Instances of one account.
const EACH: u64 = 10_000;
/// Sessions a second: enough that a snapshot becomes due, and less than half of what the machine can do.
const RATE: f64 = 8000.0;
/// How long sessions are asked for: several snapshots long.
const PHASE: Duration = Duration::from_secs(75);
/// How often it is looked whether a snapshot is being written.
const LOOK: Duration = Duration::from_millis(5);

/// Whether a snapshot is being written, followed until told to stop.
fn follow(folder: &Path, writing: &AtomicBool, stop: &AtomicBool) {
    let partial = folder.join("snapshots").join("partial");
    while !stop.load(Ordering::Relaxed) {
        writing.store(partial.exists(), Ordering::Relaxed);
        std::thread::sleep(LOOK);
    }
}

/// How long a session took from when it was due, and whether a snapshot was being written at its begin or at its end;
/// none if it was refused since too many waited.
type Seen = Option<(Duration, bool)>;

/// Sessions at a constant rate.
async fn sessions(service: &Arc<Service>, writing: &Arc<AtomicBool>) -> Vec<Seen> {
    let info = Arc::new(as_root(service, account(0)));
    let (began, gap) = (Instant::now(), Duration::from_secs_f64(1.0 / RATE));
    let (mut due, mut asked) = (began, Vec::new());
    while due - began < PHASE {
        tokio::time::sleep_until(due.into()).await;
        while due <= Instant::now() {
            let (service, info, writing) = (service.clone(), info.clone(), writing.clone());
            asked.push(tokio::spawn(async move {
                let before = writing.load(Ordering::Relaxed);
                let asked = GetSessionToken::default();
                let session = service.get_session_token(&info, "", &asked).await;
                let meanwhile = before || writing.load(Ordering::Relaxed);
                session.is_ok().then(|| (due.elapsed(), meanwhile))
            }));
            due += gap;
        }
    }
    let mut seen = Vec::with_capacity(asked.len());
    for session in asked {
        seen.push(session.await.expect("a session"));
    }
    seen
}

/// Measures, and prints.
pub(super) async fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = open(&config(layer(folder.path()))).await.expect("a data folder");
    let (service, count) = (&opened.service, setting("GROWTH_INSTANCES", 1_000_000));
    for number in 0..count.div_ceil(EACH) {
        let id = account(number);
        make_account(service, id).await;
        let addresses = (0..EACH).map(|place| {
            let address = u32::try_from(number * EACH + place).unwrap_or(0);
            instances::at(service, std::net::Ipv4Addr::from_bits(address))
        });
        instances::launch(service, id, TRUST, addresses.collect()).await;
    }
    let (writing, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let following = std::thread::spawn({
        let (writing, stop, folder) = (writing.clone(), stop.clone(), folder.path().to_owned());
        move || follow(&folder, &writing, &stop)
    });
    let seen = sessions(service, &writing).await;
    stop.store(true, Ordering::Relaxed);
    following.join().expect("a follower");
    let refused = seen.iter().filter(|session| session.is_none()).count();
    let of = |kind| {
        let done = seen.iter().flatten();
        done.filter(move |(_, meanwhile)| *meanwhile == kind).map(|(time, _)| *time)
    };
    let (mut meanwhile, mut otherwise): (Vec<_>, Vec<_>) =
        (of(true).collect(), of(false).collect());
    println!(
        "snapshot  {count:>9} instances: of {} sessions {} while one was written, {refused} refused",
        seen.len(),
        meanwhile.len()
    );
    let p99 = |times: &mut [Duration]| quantile(times, 0.99) / 1000.0;
    let (meanwhile, otherwise) = (p99(&mut meanwhile), p99(&mut otherwise));
    println!(
        "snapshot  p99 of a session {otherwise:.2} ms otherwise, {meanwhile:.2} ms while a snapshot is written: {:.2} \
         of it",
        meanwhile / otherwise
    );
    opened.close().await;
}
