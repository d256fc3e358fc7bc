//! Reports of what use is made of metadata: gathered from the counters, batched, and counted again where they
//! cannot be delivered.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use super::UsageBook;
use crate::domain::usage::REPORT_INSTANCES_MAX;
use crate::proto::v1::MetadataUsage;

/// Delivers what was counted, every `interval`, for ever. `deliver` is given an account and at most
/// `REPORT_INSTANCES_MAX` instances of it, and says whether they were taken.
pub async fn report<F>(
    book: &UsageBook,
    interval: Duration,
    deliver: impl Fn(String, Vec<MetadataUsage>) -> F,
) where
    F: Future<Output = bool>,
{
    loop {
        tokio::time::sleep(interval).await;
        let mut by_account = BTreeMap::<String, Vec<MetadataUsage>>::new();
        for (account, usage) in book.take() {
            by_account.entry(account).or_default().push(usage);
        }
        for (account, usage) in by_account {
            for batch in usage.chunks(REPORT_INSTANCES_MAX) {
                if !deliver(account.clone(), batch.to_vec()).await {
                    batch.iter().for_each(|usage| book.put_back(&account, usage));
                }
            }
        }
    }
}
