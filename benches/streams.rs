//! What many agents cost a node: `STREAMS` (10 000) instances that each watch themselves, on a connection of their own.
//! Printed are the memory of the node for each, how long it takes until all have connected at once as after a restart,
//! and until all have the new set when every set is renewed. The clients are a process of their own.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/instances.rs"]
mod instances;
#[path = "support/setup.rs"]
mod setup;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use figures::{resident, setting};
use locum::client::{Credentials, connect};
use locum::domain::command::Action;
use locum::domain::rotation::RotationAction;
use locum::identity::AccountId;
use locum::proto::v1;
use locum::proto::v1::metadata_service_client::MetadataServiceClient;
use locum::proto::v1::watch_instances_response::Change;
use locum::serve::{Listeners, open, run};
use locum::service::Service;
use locum::signing::Secret;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Says that this process is the clients': where the node is.
const CLIENTS: &str = "LOCUM_BENCH_CLIENTS";
/// Instances of one account.
const EACH: u64 = 1000;
/// How long nothing is done before memory is read.
const QUIET: Duration = Duration::from_secs(3);
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

/// Watches one instance for ever, again after each end; tells of the end of the beginning, and of each change.
async fn watch(node: &str, credentials: Credentials, told: UnboundedSender<bool>) {
    loop {
        let channel = connect(node, "us-east-1", credentials.clone()).expect("a channel");
        let request = v1::WatchInstancesRequest { after_sequence: 0, batched: true };
        let stream = MetadataServiceClient::new(channel).watch_instances(request).await;
        // Refused for now: agents wait as long as they are told to.
        let Ok(stream) = stream else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let (mut stream, mut is_synced) = (stream.into_inner(), false);
        while let Ok(Some(message)) = stream.message().await {
            if is_synced && !message.changes.is_empty() {
                let _ = told.send(true);
            }
            if let Some(Change::Synced(_)) = message.change {
                is_synced = true;
                let _ = told.send(false);
            }
        }
    }
}

/// The clients: reads keys from the input, and says when all are told of.
async fn clients(node: String) {
    let keys: Vec<String> = std::io::stdin().lines().map_while(Result::ok).collect();
    let (told, mut heard) = unbounded_channel();
    for key in &keys {
        let (id, secret) = key.split_once(' ').expect("a key and its secret");
        let credentials = Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: Secret::new(secret),
            session_token: None,
        };
        let (node, told) = (node.clone(), told.clone());
        tokio::spawn(async move { watch(&node, credentials, told).await });
    }
    let (mut synced, mut changed) = (0, 0);
    while let Some(is_change) = heard.recv().await {
        let count = if is_change { &mut changed } else { &mut synced };
        *count += 1;
        if *count == keys.len() {
            println!("{}", if is_change { "changed" } else { "synced" });
        }
    }
}

/// The process of the clients.
struct Clients {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Clients {
    fn start(node: SocketAddr, keys: &[String]) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("a program"))
            .env(CLIENTS, format!("http://{node}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut input = process.stdin.take().expect("its input");
        input.write_all(keys.join("\n").as_bytes()).expect("a pipe");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        Self { process, lines }
    }

    /// Waits until all clients were told that.
    fn wait_for(&mut self, what: &str) {
        let said = tokio::task::block_in_place(|| self.lines.next());
        assert_eq!(said.expect("a line").expect("a pipe"), what);
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes the instances, and gives their keys.
async fn launch(service: &Service, count: u64) -> Vec<String> {
    let mut keys = Vec::new();
    for number in 0..count.div_ceil(EACH) {
        let account = setup::account(number);
        setup::make_account(service, account).await;
        let own = (number * EACH..count.min((number + 1) * EACH)).map(|place| {
            instances::at(service, Ipv4Addr::from_bits(u32::try_from(place).unwrap_or(0)))
        });
        let launches: Vec<_> = own.collect();
        let ids: Vec<_> = launches.iter().map(|launch| launch.identity_key.clone()).collect();
        instances::launch(service, account, TRUST, launches).await;
        let view = service.view();
        let found = view.state.account(account).expect("an account");
        keys.extend(ids.iter().map(|id| {
            let secret = service.secret_of(found, id).expect("a secret");
            format!("{id} {}", secret.expose())
        }));
    }
    keys
}

async fn node(count: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = setup::config(setup::layer(folder.path()));
    let opened = open(&config).await.expect("a data folder");
    let service: Arc<Service> = opened.service.clone();
    let keys = launch(&service, count).await;
    let listeners = Listeners::bind(&config).await.expect("addresses");
    let grpc = listeners.addresses().expect("addresses").grpc;
    // Ends with the process.
    tokio::spawn(async move { run(&config, opened, listeners, std::future::pending()).await });
    tokio::time::sleep(QUIET).await;
    let before = resident();
    let began = Instant::now();
    let mut clients = Clients::start(grpc, &keys);
    clients.wait_for("synced");
    let synced = began.elapsed();
    tokio::time::sleep(QUIET).await;
    let each = resident().saturating_sub(before) as f64 / 1024.0 / count as f64;
    println!(
        "{count} streams: {each:.1} KiB of memory each; all in sync {synced:.2?} after they connected at once"
    );
    let (info, began) = (service.own_request("bench"), Instant::now());
    let demand = Action::Rotation(RotationAction::RenewAll);
    service.perform(&info, "", AccountId::OPERATOR, demand).await.expect("a demand");
    clients.wait_for("changed");
    println!(
        "{count} streams: all sets renewed, and told to all, {:.2?} after it was asked for",
        began.elapsed()
    );
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match std::env::var(CLIENTS) {
        Ok(address) => runtime.block_on(clients(address)),
        Err(_) => {
            runtime.block_on(node(setting("STREAMS", 10_000)));
        }
    }
}
