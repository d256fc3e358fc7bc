//! Has records expire that accounts retain beyond their quota of events, in the background and at a pace that leaves the
//! disk to others. What is left to do is told by the log, so that a crash loses nothing and the next pass goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::quotas::Quota;
use crate::identity::AccountId;
use crate::ledger::RetentionError;
use crate::sts::Service;

/// How often it is looked for what is to expire.
const INTERVAL: Duration = Duration::from_secs(3600);
/// How long to wait after a step, in times of what it took.
const REST: u32 = 4;

/// Passes over all accounts at the start and then at an interval, for ever.
pub async fn run(service: Arc<Service>) {
    loop {
        pass(&service).await;
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn pass(service: &Arc<Service>) {
    let view = service.view();
    let bounded = view
        .state
        .accounts()
        .filter_map(|account| Some((account.id, account.quota(Quota::EventsRetained)?)));
    for (account, keep) in bounded {
        match expire(service, account, keep).await {
            Ok(0) => {}
            Ok(records) => tracing::info!(%account, keep, records, "records have expired"),
            Err(error) => {
                tracing::warn!(%account, %error, "records did not expire; it is tried again");
            }
        }
    }
}

/// Has what an account retains beyond the newest `keep` records expire; how many.
async fn expire(
    service: &Arc<Service>,
    account: AccountId,
    keep: usize,
) -> Result<usize, RetentionError> {
    let now = service.now();
    let ledger = service.ledger().clone();
    let bound = blocking(move || ledger.retention_bound(account, keep, now)).await?;
    let mut records = 0;
    loop {
        let (ledger, began) = (service.ledger().clone(), Instant::now());
        match blocking(move || ledger.expire_some(account, bound)).await? {
            0 => return Ok(records),
            more => records += more,
        }
        tokio::time::sleep(began.elapsed() * REST).await;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}
