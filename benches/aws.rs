//! What AssumeRole costs over the Query protocol beside the same over gRPC, client and server in one process,
//! each call signed by the client, verified, judged and synced to disk. HTTP/1.1 takes a connection for each
//! call under way, gRPC shares a few.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
mod support;

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use locum::client::{Credentials, SignedChannel, sign_form};
use locum::clock::Clock;
use locum::proto::v1;
use locum::proto::v1::sts_service_client::StsServiceClient;
use support::figures::median;
use support::{Bench, CALLERS, ROLE_ARN, measure};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

/// How often the two take turns.
const ROUNDS: usize = 5;
const FORM: &str = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=bench\
    &RoleArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fbench";

/// A connection of one caller.
type Connection = Arc<Mutex<SendRequest<Full<Bytes>>>>;

async fn connect(address: std::net::SocketAddr) -> Connection {
    let stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    Arc::new(Mutex::new(sender))
}

/// Signs and sends one form, and reads the whole answer.
async fn post(connection: &Connection, host: &str, user: &Credentials, body: &'static str) {
    let mut request = Request::post("/").header("host", host);
    for (name, value) in sign_form(user, ("us-east-1", "sts"), host, body, Clock::System.now()) {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).expect("a request");
    let mut sender = connection.lock().await;
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), http::StatusCode::OK);
    answer.into_body().collect().await.expect("a body");
}

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    bench.empty_calls().await;
    let channels = bench.channels();
    let mut connections = Vec::new();
    for _ in 0..CALLERS {
        connections.push(connect(bench.addresses.aws).await);
    }
    let (host, user) = (Arc::new(bench.addresses.aws.to_string()), Arc::new(bench.user.clone()));
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let over_grpc = measure("AssumeRole over gRPC", None, &channels, assume_role).await;
        let (host, user) = (host.clone(), user.clone());
        let over_query = measure("AssumeRole over Query", None, &connections, move |connection| {
            let (host, user) = (host.clone(), user.clone());
            async move { post(&connection, &host, &user, FORM).await }
        })
        .await;
        ratios.push(over_query / over_grpc);
    }
    println!("Query to gRPC, median of {ROUNDS} rounds: {:.2}", median(ratios));
}

async fn assume_role(channel: SignedChannel) {
    let request = v1::AssumeRoleRequest {
        role_arn: ROLE_ARN.to_owned(),
        role_session_name: "bench".to_owned(),
        ..v1::AssumeRoleRequest::default()
    };
    StsServiceClient::new(channel).assume_role(request).await.expect("an answer");
}
