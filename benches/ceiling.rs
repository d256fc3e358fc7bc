//! GetRoleCredentials and AssumeRole over gRPC beside their ceiling: an empty tonic unary call whose answer has the same
//! size, over tonic's own connections and over Locum's, which gather small answers (`grpc::incoming`). All servers are
//! processes of their own, driven in alternating short turns by one client that signs every call to any; what is
//! compared is the rate, with client and server on the same cores, and the server's CPU time a call from /proc, which
//! says the same while other programs run. Then AssumeRole and reads of metadata in process, without a network.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "ceiling/in_process.rs"]
mod in_process;
#[path = "support/instances.rs"]
mod instances;
mod support;

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use locum::client::{Credentials, SignedChannel, connect};
use locum::grpc::incoming::{Connection, incoming};
use locum::proto::v1;
use locum::proto::v1::metadata_service_client::MetadataServiceClient;
use locum::proto::v1::sts_service_client::StsServiceClient;
use locum::signing::Secret;
use prost::Message as _;
use support::figures::{cpu_seconds_of, median, setting};
use support::setup;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic_prost::ProstCodec;
use tower::Service;

/// Calls under way at once, and the connections that they go over.
const CALLERS: usize = 64;
const CONNECTIONS: usize = 4;
const ROUNDS: u64 = 7;
const TURN: Duration = Duration::from_millis(1500);
/// Says that this process is the empty server: bytes of the answers of the two calls, and over which connections.
const EMPTY_SERVER: &str = "LOCUM_BENCH_EMPTY_SERVER";
const PLAIN: &str = "plain";
const GATHERED: &str = "gathered";

/// An answer of one field that no message has, filled up to a size.
#[derive(Clone, PartialEq, prost::Message)]
struct Filled {
    #[prost(bytes = "bytes", tag = "100")]
    filling: Bytes,
}

impl Filled {
    /// Of as many bytes as an answer, whose key and length take four.
    fn of(bytes: usize) -> Self {
        Self { filling: vec![b'a'; bytes.saturating_sub(4)].into() }
    }
}

/// Gives the same answer to everything.
#[derive(Clone)]
struct Same(Filled);

impl UnaryService<()> for Same {
    type Response = Filled;
    type Future = Ready<Result<tonic::Response<Filled>, tonic::Status>>;

    fn call(&mut self, _: tonic::Request<()>) -> Self::Future {
        ready(Ok(tonic::Response::new(self.0.clone())))
    }
}

macro_rules! empty_service {
    ($name:ident, $service:literal) => {
        #[derive(Clone)]
        struct $name(Same);

        impl NamedService for $name {
            const NAME: &'static str = $service;
        }

        impl Service<http::Request<Body>> for $name {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<Body>) -> Self::Future {
                let same = self.0.clone();
                let unanswered = request.extensions().get::<Connection>().map(Connection::call);
                Box::pin(async move {
                    let _unanswered = unanswered;
                    let codec = ProstCodec::<Filled, ()>::default();
                    Ok(Grpc::new(codec).unary(same, request).await)
                })
            }
        }
    };
}

empty_service!(EmptyMetadata, "locum.v1.MetadataService");
empty_service!(EmptySts, "locum.v1.StsService");

/// Serves the empty calls until the process is killed, and says where; over tonic's connections or Locum's.
async fn serve_empty(sizes: &str) {
    let mut fields = sizes.split(',');
    let mut same = || {
        let size = fields.next().and_then(|size| size.parse().ok());
        Same(Filled::of(size.expect("two sizes")))
    };
    let (metadata, sts) = (EmptyMetadata(same()), EmptySts(same()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("an address");
    println!("{}", listener.local_addr().expect("an address"));
    std::io::stdout().flush().expect("somebody who reads");
    let server = tonic::transport::Server::builder().add_service(metadata).add_service(sts);
    let served = if fields.next() == Some(GATHERED) {
        server.serve_with_incoming(incoming(listener, true)).await
    } else {
        server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))).await
    };
    served.expect("a server");
}

/// A server as a process, killed when dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn empty([first, second]: [usize; 2], connections: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("a program"))
            .env(EMPTY_SERVER, format!("{first},{second},{connections}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut line = String::new();
        let told = process.stdout.take().expect("its output");
        BufReader::new(told).read_line(&mut line).expect("an address");
        Self { process, address: line.trim().parse().expect("an address") }
    }

    /// `locum dev`, and the key of its account.
    fn locum(folder: &Path) -> (Self, Credentials) {
        let process = Command::new(env!("CARGO_BIN_EXE_locum"))
            .args(["dev", "--grpc", "127.0.0.1:0", "--aws", "127.0.0.1:0"])
            .args(["--metadata", "127.0.0.1:0", "--health", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("a process");
        let began = Instant::now();
        let text = loop {
            match std::fs::read_to_string(folder.join("dev.json")) {
                Ok(text) => break text,
                Err(_) => assert!(began.elapsed() < Duration::from_secs(30), "no dev.json"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let dev: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let field =
            |name: &str| dev.get(name).and_then(serde_json::Value::as_str).expect("a field");
        let address = field("endpoint").trim_start_matches("http://").parse();
        let root = Credentials {
            access_key_id: field("accessKeyId").to_owned(),
            secret_access_key: Secret::new(field("secretAccessKey")),
            session_token: None,
        };
        (Self { process, address: address.expect("an address") }, root)
    }

    fn channels(&self, credentials: &Credentials) -> Vec<SignedChannel> {
        let endpoint = format!("http://{}", self.address);
        let channel = || connect(&endpoint, "us-east-1", credentials.clone()).expect("a channel");
        (0..CONNECTIONS).map(|_| channel()).collect()
    }

    /// CPU seconds so far, in user and kernel mode.
    fn cpu_seconds(&self) -> f64 {
        cpu_seconds_of(self.process.id())
    }
}

/// Calls a second, and microseconds of the server's CPU for each.
#[derive(Clone, Copy)]
struct Turn {
    rate: f64,
    micros: f64,
}

async fn turn<F, Fut>(server: &Server, channels: &[SignedChannel], call: &Arc<F>) -> Turn
where
    F: Fn(SignedChannel) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let count = Arc::new(AtomicU64::new(0));
    let (began, cpu) = (Instant::now(), server.cpu_seconds());
    let callers = channels.iter().cycle().take(CALLERS).map(|channel| {
        let (call, count, channel) = (call.clone(), count.clone(), channel.clone());
        tokio::spawn(async move {
            while began.elapsed() < TURN {
                call(channel.clone()).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("a caller");
    }
    let calls = count.load(Ordering::Relaxed) as f64;
    Turn {
        rate: calls / began.elapsed().as_secs_f64(),
        micros: (server.cpu_seconds() - cpu) * 1e6 / calls,
    }
}

/// Drives both empty servers and Locum in turns, and prints medians.
async fn beside<F, Fut>(what: &str, aim: f64, servers: [&Server; 3], as_whom: &Credentials, call: F)
where
    F: Fn(SignedChannel) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let call = Arc::new(call);
    let channels = servers.map(|server| server.channels(as_whom));
    let mut turns = [const { Vec::new() }; 3];
    for round in 0..=setting("CEILING_ROUNDS", ROUNDS) {
        for ((server, channels), turns) in servers.iter().zip(&channels).zip(&mut turns) {
            let turn = turn(server, channels, &call).await;
            // The first is for connections and caches.
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    let [empty, gathered, ours] = turns.each_ref().map(|turns| Turn {
        rate: median(turns.iter().map(|turn| turn.rate).collect()),
        micros: median(turns.iter().map(|turn| turn.micros).collect()),
    });
    println!("{what:<20} {:>6.0}/s, server CPU {:>6.2} us", ours.rate, ours.micros);
    for (name, empty) in [("tonic's", empty), ("Locum's", gathered)] {
        println!(
            "    of an empty call over {name} connections, {:>6.0}/s and {:>6.2} us: {:>4.0}% (aim {:.0}%), CPU {:.3}",
            empty.rate,
            empty.micros,
            100.0 * ours.rate / empty.rate,
            100.0 * aim,
            ours.micros / empty.micros
        );
    }
}

async fn role_credentials(channel: SignedChannel) -> v1::GetRoleCredentialsResponse {
    let request = v1::GetRoleCredentialsRequest::default();
    let mut metadata = MetadataServiceClient::new(channel);
    metadata.get_role_credentials(request).await.expect("an answer").into_inner()
}

async fn assume_role(channel: SignedChannel) -> v1::AssumeRoleResponse {
    let request = v1::AssumeRoleRequest {
        role_arn: support::ROLE_ARN.to_owned(),
        role_session_name: "bench".to_owned(),
        ..Default::default()
    };
    StsServiceClient::new(channel).assume_role(request).await.expect("an answer").into_inner()
}

async fn over_grpc() {
    let folder = tempfile::tempdir().expect("a folder");
    let (locum, root) = Server::locum(folder.path());
    let user = support::prepare(locum.address, &root).await;
    let instance = support::launch(locum.address, &root).await;
    let first = |credentials| locum.channels(credentials).remove(0);
    let sizes = [
        role_credentials(first(&instance)).await.encoded_len(),
        assume_role(first(&user)).await.encoded_len(),
    ];
    println!(
        "answers of {} and {} bytes, {CALLERS} callers, {CONNECTIONS} connections",
        sizes[0], sizes[1]
    );
    let (empty, gathered) = (Server::empty(sizes, PLAIN), Server::empty(sizes, GATHERED));
    let servers = [&empty, &gathered, &locum];
    beside("GetRoleCredentials", 0.8, servers, &instance, |channel| async move {
        role_credentials(channel).await;
    })
    .await;
    beside("AssumeRole, synced", 0.4, servers, &user, |channel| async move {
        assume_role(channel).await;
    })
    .await;
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match std::env::var(EMPTY_SERVER) {
        Ok(sizes) => runtime.block_on(serve_empty(&sizes)),
        Err(_) => runtime.block_on(async {
            over_grpc().await;
            in_process::measure().await;
        }),
    }
}
