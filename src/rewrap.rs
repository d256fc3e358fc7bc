//! Moves the keys of accounts to the active version of the root key, in the background and at a pace that
//! leaves the writer to others. What is left to do is told by the state, so that a crash loses nothing and
//! the next start goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;

use crate::service::{Rewrapped, Service};

/// Keys that are moved at once, and how long to wait before the next so many.
const BATCH: usize = 64;
const PAUSE: Duration = Duration::from_millis(50);
/// How soon what failed is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Re-wraps at the start and after each change of the keyring, for as long as the ledger takes writes.
pub async fn run(service: Arc<Service>) {
    let mut changes = service.keyring_changes();
    let mut stopped = service.ledger().stopped();
    loop {
        changes.mark_unchanged();
        let passed = tokio::select! {
            passed = pass(&service) => passed,
            () = async { drop(stopped.wait_for(Option::is_some).await) } => return,
        };
        let retry = async {
            match passed.failed {
                0 => std::future::pending().await,
                _ => tokio::time::sleep(RETRY).await,
            }
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = retry => {}
            () = async { drop(stopped.wait_for(Option::is_some).await) } => return,
        }
    }
}

/// One pass over all keys that are not under the active version; at its end what they were wrapped with
/// before is in no file any more.
async fn pass(service: &Arc<Service>) -> Rewrapped {
    let mut passed = Rewrapped::default();
    let accounts = match service.keys_to_rewrap() {
        Ok(accounts) => accounts,
        Err(error) => {
            tracing::error!(%error, "keys of accounts cannot be wrapped");
            return Rewrapped { failed: 1, ..passed };
        }
    };
    if accounts.is_empty() {
        return passed;
    }
    for batch in accounts.chunks(BATCH) {
        let moved: Vec<_> = futures_util::stream::iter(batch.to_vec())
            .map(|account| async move { service.rewrap(account).await })
            .buffer_unordered(BATCH)
            .collect()
            .await;
        for result in moved {
            match result {
                Ok(()) => passed.done += 1,
                Err(error) => {
                    tracing::warn!(%error, "the key of an account was not wrapped anew");
                    passed.failed += 1;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    if let Err(error) = service.erase().await {
        tracing::warn!(%error, "what keys were wrapped with before may still be on disk");
        passed.failed += 1;
    }
    tracing::info!(done = passed.done, failed = passed.failed, "keys of accounts wrapped anew");
    passed
}
