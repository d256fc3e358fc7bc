//! AssumeRole and reads of metadata without a network: what the service itself costs.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use http_body_util::BodyExt as _;
use locum::clock::Clock;
use locum::identity::AccountId;
use locum::imds::{Front, Limits, Serves, TokenKey, UsageBook};
use locum::serve::{ByAddress, Opened, open};
use locum::service::{AssumeRole, Service};

use super::instances;
use super::setup;
use super::support::figures::cpu_seconds;

/// Requests under way at once: as many as the writer takes in a batch, four times.
const CALLERS: usize = 4096;
const DURATION: Duration = Duration::from_secs(4);
const READS: u32 = 2_000_000;
const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/app";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},
    {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/ana"},"Action":"sts:AssumeRole"}]}"#;

/// Makes an account with a user, a role that they may assume, and an instance at 127.0.0.1 that has it.
async fn prepare(service: &Service, account: AccountId) {
    setup::make_account(service, account).await;
    let (info, user) = (service.own_request("bench"), setup::create_user(service, "ana"));
    service.perform(&info, "", account, user).await.expect("a user");
    let here = instances::at(service, [127, 0, 0, 1]);
    instances::launch(service, account, TRUST, vec![here]).await;
}

/// Measures both, and prints.
pub(super) async fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = setup::config(setup::layer(folder.path()));
    let opened = open(&config).await.expect("a data folder");
    let account = "111111111111".parse().expect("an account");
    prepare(&opened.service, account).await;
    sessions(&opened, account).await;
    tokio::task::block_in_place(|| reads(&opened.service));
    opened.close().await;
}

/// AssumeRole from many tasks: decided, encoded, synced in batches, answered with credentials.
async fn sessions(opened: &Opened, account: AccountId) {
    let info = Arc::new(setup::as_user(&opened.service, account, "ana"));
    let asked = Arc::new(AssumeRole {
        role_arn: Some("arn:aws:iam::111111111111:role/app".to_owned()),
        role_session_name: Some("bench".to_owned()),
        ..AssumeRole::default()
    });
    let count = Arc::new(AtomicU64::new(0));
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let callers = (0..CALLERS).map(|_| {
        let (service, info, asked, count) =
            (opened.service.clone(), info.clone(), asked.clone(), count.clone());
        tokio::spawn(async move {
            while began.elapsed() < DURATION {
                service.assume_role(&info, "", &asked).await.expect("a session");
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("a caller");
    }
    let done = count.load(Ordering::Relaxed) as f64;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "AssumeRole, in process, synced: {:.0}/s (aim 200000/s), {:.2} us CPU each; at 2 cores that CPU allows {:.0}/s",
        done / wall,
        cpu * 1e6 / done,
        2.0 * done / cpu
    );
}

/// Reads of credentials with a token of version 2, on one core.
fn reads(service: &Arc<Service>) {
    let book = Arc::new(UsageBook::default());
    let source = ByAddress::new(service.clone(), book.clone());
    let key = Arc::new(TokenKey::generate().expect("a key"));
    let limits = Limits { requests_per_second: 0, connections: 1024 };
    let front = Front::new(source, key, Clock::System, book, limits);
    let (serves, peer) = (Arc::new(Serves::BySourceAddress), IpAddr::from([127, 0, 0, 1]));
    let put = Request::put("/latest/api/token")
        .header("host", "169.254.169.254")
        .header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
    let issued = front.respond(serves.clone(), peer, &put.body(()).expect("a request"));
    let token = futures_util::FutureExt::now_or_never(issued.into_body().collect());
    let token = token.expect("a whole body").expect("a body").to_bytes();
    let get = Request::get(CREDENTIALS)
        .header("host", "169.254.169.254")
        .header("x-aws-ec2-metadata-token", token.as_ref());
    let get = get.body(()).expect("a request");
    let (began, cpu) = (Instant::now(), cpu_seconds());
    for _ in 0..READS {
        let answer = front.respond(serves.clone(), peer, &get);
        assert_eq!(answer.status(), http::StatusCode::OK);
    }
    let reads = f64::from(READS);
    println!(
        "metadata read, in process, one core: {:.0}/s (aim 1000000/s), {:.3} us CPU each",
        reads / began.elapsed().as_secs_f64(),
        (cpu_seconds() - cpu) * 1e6 / reads
    );
}
