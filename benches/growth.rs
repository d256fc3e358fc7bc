//! What a session costs as accounts, roles and the log grow, which should be the same; what a log of millions of
//! records takes to open; and what writing a snapshot of a large state does to those who write meanwhile.
//!
//! `GROWTH_ACCOUNTS` (100 000) and `GROWTH_EVENTS` (10 000 000) set the last step of each.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/facts.rs"]
mod facts;
#[path = "support/figures.rs"]
mod figures;
#[path = "growth/history.rs"]
mod history;
#[path = "support/instances.rs"]
mod instances;
#[path = "support/setup.rs"]
mod setup;
#[path = "growth/snapshots.rs"]
mod snapshots;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use figures::{cpu_seconds, median, resident, scattered, setting};
use futures_util::StreamExt as _;
use locum::domain::command::{AccountAction, Action};
use locum::domain::quotas::Quota;
use locum::identity::AccountId;
use locum::serve::{Opened, open};
use locum::service::{AssumeRole, GetSessionToken, RequestInfo, Service};
use setup::{account, as_root, as_user, config, create_role, create_user, layer, make_account};

/// Callers at once: enough to fill the writer's batches.
const CALLERS: usize = 512;
/// A measurement of one size, and how many of them the medians are of.
const PHASE: Duration = Duration::from_secs(2);
const PHASES: usize = 3;
/// Commands under way while a size is set up.
const SETTING_UP: usize = 512;

/// Carries out the changes, many at once.
async fn all(service: &Service, changes: impl Iterator<Item = (AccountId, Action)>) {
    let info = service.own_request("bench");
    futures_util::stream::iter(changes)
        .for_each_concurrent(SETTING_UP, |(account, action)| {
            let info = &info;
            async move {
                service.perform(info, "", account, action).await.expect("a change");
            }
        })
        .await;
}

/// What a call costs.
struct Cost {
    rate: f64,
    cpu_micros: f64,
}

/// Asks from many tasks at once: `ask` of a number that counts the calls.
async fn measure<F>(ask: impl Fn(u64) -> F + Clone + Send + 'static) -> Cost
where
    F: Future<Output = ()> + Send,
{
    let (mut rates, mut cpus) = (Vec::new(), Vec::new());
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..PHASES {
        let (began, cpu, first) = (Instant::now(), cpu_seconds(), next.load(Ordering::Relaxed));
        let callers = (0..CALLERS).map(|_| {
            let (ask, next) = (ask.clone(), next.clone());
            tokio::spawn(async move {
                while began.elapsed() < PHASE {
                    ask(next.fetch_add(1, Ordering::Relaxed)).await;
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.expect("a caller");
        }
        let calls = (next.load(Ordering::Relaxed) - first) as f64;
        rates.push(calls / began.elapsed().as_secs_f64());
        cpus.push((cpu_seconds() - cpu) * 1e6 / calls);
    }
    Cost { rate: median(rates), cpu_micros: median(cpus) }
}

/// Sessions of accounts that are picked at random, by how many accounts there are.
async fn over_accounts(largest: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let opened = open(&config(layer(folder.path()))).await.expect("a data folder");
    let service = &opened.service;
    let (empty, mut made) = (resident(), 0);
    for size in (1..).map(|power| 10_u64.pow(power)).take_while(|size| *size <= largest) {
        let new = (made..size).map(|number| {
            let account = account(number);
            (account, service.draw_account(account, "bench").expect("an account"))
        });
        all(service, new).await;
        made = size;
        let memory = resident().saturating_sub(empty) as f64 / size as f64;
        let asking = service.clone();
        let cost = measure(move |call| {
            let service = asking.clone();
            async move {
                let info = as_root(&service, account(scattered(call) % size));
                let asked = GetSessionToken::default();
                service.get_session_token(&info, "", &asked).await.expect("a session");
            }
        })
        .await;
        println!(
            "accounts  {size:>9}  GetSessionToken {:>6.0}/s, {:>5.1} us CPU; {memory:>7.0} bytes an account",
            cost.rate, cost.cpu_micros
        );
    }
    opened.close().await;
}

/// Roles that the user `ana` may assume: those from `from` to `to`.
fn roles(service: &Service, from: u64, to: u64) -> impl Iterator<Item = Action> {
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
        "Principal":{"AWS":"arn:aws:iam::100000000000:user/ana"}}}"#;
    (from..to).map(move |number| create_role(service, &format!("role-{number}"), trust))
}

/// A request of the user `ana`, whom there was not yet, in an account that may have many roles.
async fn with_user(service: &Service) -> RequestInfo {
    let home = account(0);
    make_account(service, home).await;
    let many =
        Action::Account(AccountAction::SetQuota { quota: Quota::Roles, max: Some(1_000_000) });
    for action in [many, create_user(service, "ana")] {
        all(service, [(home, action)].into_iter()).await;
    }
    as_user(service, home, "ana")
}

/// AssumeRole of roles that are picked at random, by how many roles the account has.
async fn over_roles(opened: &Opened, sizes: &[u64]) {
    let service = &opened.service;
    let info = Arc::new(with_user(service).await);
    let mut made = 0;
    for &size in sizes {
        all(service, roles(service, made, size).map(|action| (account(0), action))).await;
        made = size;
        let (asking, info) = (service.clone(), info.clone());
        let cost = measure(move |call| {
            let (service, info) = (asking.clone(), info.clone());
            async move {
                let role = scattered(call) % size;
                let asked = AssumeRole {
                    role_arn: Some(format!("arn:aws:iam::100000000000:role/role-{role}")),
                    role_session_name: Some("bench".to_owned()),
                    ..AssumeRole::default()
                };
                service.assume_role(&info, "", &asked).await.expect("a session");
            }
        })
        .await;
        println!(
            "roles     {size:>9}  AssumeRole      {:>6.0}/s, {:>5.1} us CPU",
            cost.rate, cost.cpu_micros
        );
    }
}

#[tokio::main]
async fn main() {
    over_accounts(setting("GROWTH_ACCOUNTS", 100_000)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let opened = open(&config(layer(folder.path()))).await.expect("a data folder");
    over_roles(&opened, &[10, 100, 1000, 10_000]).await;
    opened.close().await;
    history::measure(setting("GROWTH_EVENTS", 10_000_000)).await;
    snapshots::measure().await;
}
