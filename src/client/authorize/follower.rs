//! Follows what voids grants, and knows whether it still hears of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::Status;

use super::SILENCE_MAX;
use super::grant::Grant;
use crate::client::SignedChannel;
use crate::clock::{Clock, Timestamp};
use crate::identity::AccountId;
use crate::proto::v1::authorization_service_client::AuthorizationServiceClient;
use crate::proto::v1::{FollowInvalidationsRequest, FollowInvalidationsResponse};
use crate::signing::Cache;

/// Grants that are kept.
const GRANTS_MAX: usize = 16_384;
/// Accounts of which it is known since when grants are good; beyond that all count as voided.
const FLOORS_MAX: usize = 4096;
/// The pause before the first and the longest before any attempt to follow again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The grants, and since when they are good.
pub(super) struct Grants {
    kept: Cache<Box<str>, Arc<Grant>>,
    floors: Mutex<Floors>,
    /// When Locum was last heard, in milliseconds since the epoch; 0 before the first time.
    heard: AtomicI64,
    clock: Clock,
}

/// The sequences below which grants are void.
#[derive(Default)]
struct Floors {
    all: u64,
    accounts: HashMap<AccountId, u64>,
}

impl Floors {
    fn of(&self, account: AccountId) -> u64 {
        self.accounts.get(&account).copied().unwrap_or_default().max(self.all)
    }

    fn raise(&mut self, accounts: &[AccountId], all: bool, sequence: u64) {
        for account in accounts {
            let floor = self.accounts.entry(*account).or_default();
            *floor = sequence.max(*floor);
        }
        if all || self.accounts.len() > FLOORS_MAX {
            self.all = sequence.max(self.all);
            self.accounts.clear();
        }
    }
}

impl Grants {
    pub(super) fn new(clock: Clock) -> Self {
        let floors = Mutex::default();
        Self { kept: Cache::new(GRANTS_MAX), floors, heard: AtomicI64::new(0), clock }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The grant for a key and scope; none while it is not known whether it still is one.
    pub(super) fn get(&self, scoped: &str) -> Option<Arc<Grant>> {
        if self.in_step() { self.kept.get(scoped) } else { None }
    }

    /// Whether Locum was heard a short while ago.
    pub(super) fn in_step(&self) -> bool {
        let heard = Timestamp::from_millis(self.heard.load(Ordering::Acquire));
        heard.plus(SILENCE_MAX) > self.clock.now()
    }

    /// Keeps a grant unless it was voided while it was on its way.
    pub(super) fn insert(&self, scoped: &str, grant: Arc<Grant>) {
        // Held while inserting: a message that voids it comes wholly before or wholly after.
        let floors = self.floors.lock().unwrap_or_else(PoisonError::into_inner);
        if grant.sequence >= floors.of(grant.account) {
            self.kept.insert(Box::from(scoped), grant);
        }
    }

    /// Takes in a message; the first of a stream voids all, since nothing is known of the time before.
    pub(super) fn hear(&self, told: &FollowInvalidationsResponse, first: bool) {
        let accounts: Result<Vec<AccountId>, _> =
            told.account_ids.iter().map(|id| id.parse()).collect();
        let all = told.all || first || accounts.is_err();
        let accounts = accounts.unwrap_or_default();
        let mut floors = self.floors.lock().unwrap_or_else(PoisonError::into_inner);
        if all || !accounts.is_empty() {
            floors.raise(&accounts, all, told.sequence);
            self.kept.retain(|_, grant| grant.sequence >= floors.of(grant.account));
        }
        drop(floors);
        self.heard.store(self.clock.now().as_millis(), Ordering::Release);
    }
}

/// Follows for as long as the authorizer lives.
pub(super) async fn follow(grants: Arc<Grants>, locum: SignedChannel, service: String) {
    let mut pause = PAUSE_MIN;
    loop {
        match listen(&grants, &locum, &service).await {
            Ok(()) => pause = PAUSE_MIN,
            Err(status) => {
                tracing::warn!(code = ?status.code(), error = status.message(), "grants cannot be followed");
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// One stream, from its opening to its end.
async fn listen(grants: &Grants, locum: &SignedChannel, service: &str) -> Result<(), Status> {
    let mut client = AuthorizationServiceClient::new(locum.clone());
    let told = client
        .follow_invalidations(FollowInvalidationsRequest { service: service.to_owned() })
        .await?;
    let mut told = told.into_inner();
    let mut first = true;
    loop {
        let next = tokio::time::timeout(SILENCE_MAX, told.next()).await;
        let next = next.map_err(|_| Status::deadline_exceeded("the stream is silent"))?;
        let Some(next) = next else { return Ok(()) };
        grants.hear(&next?, first);
        first = false;
    }
}
