//! Has records expire that accounts retain beyond their quota of events, in the background and at a pace that leaves the
//! disk to others. What is left to do is told by the log, so that a crash loses nothing and the next pass goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::quotas::Quota;
use crate::identity::AccountId;
use crate::ledger::RetentionError;
use crate::service::Service;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, Timestamp};
    use crate::domain::command::{AccountAction, Action, GroupAction};
    use crate::identity::{Path, base32_id};
    use crate::ledger::{RETAINED_AT_LEAST, snapshot};
    use crate::log::{Sequence, SnapshotPace};
    use crate::service::testing;

    /// Protects operators and tenants: a pass leaves an account what its quota allows, young records whatever it
    /// says, and other accounts all they have.
    #[tokio::test]
    async fn a_pass_leaves_what_the_quota_allows() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_unix_seconds(1_764_000_000));
        let (service, _writer) = testing::service(folder.path(), clock.clone());
        let [bounded, free] = ["111111111111", "222222222222"].map(|id| id.parse().unwrap());
        let perform = async |account: AccountId, action: Action| {
            let info = service.own_request("test");
            service.perform(&info, "", account, action).await.unwrap();
        };
        for account in [bounded, free] {
            perform(account, service.draw_account(account, "test").unwrap()).await;
            for number in 0..10 {
                let name = format!("group-{number}").parse().unwrap();
                let id = base32_id("AGPA", [number; 10]).parse().unwrap();
                perform(
                    account,
                    Action::Group(GroupAction::Create { name, path: Path::default(), id }),
                )
                .await;
            }
        }
        perform(
            bounded,
            Action::Account(AccountAction::SetQuota { quota: Quota::EventsRetained, max: Some(4) }),
        )
        .await;
        let (view, log) = (service.view(), service.ledger().log());
        for sequence in [view.sequence - 1, view.sequence].map(Sequence) {
            let mut state = |out: &mut dyn std::io::Write| snapshot::write(&view.state, out);
            log.write_snapshot(sequence, &SnapshotPace::full(), &mut state).unwrap();
        }
        let retained =
            || [bounded, free].map(|id| log.of_account(id, Sequence(1), 99).unwrap().len());
        pass(&service).await;
        assert_eq!(retained(), [12, 11], "all are young");
        clock.set(clock.now().plus(RETAINED_AT_LEAST + Duration::from_secs(1)));
        pass(&service).await;
        assert_eq!(retained(), [4, 11]);
    }
}
