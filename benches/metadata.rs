//! What a metadata request costs over HTTP: credentials with a token of version 2, driven by `wrk`, beside a bare
//! hyper server that answers the same bytes, in the same process and run. Rounds alternate; medians count. CPU time
//! is that of this process alone, and so of the server.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up may panic")]

#[path = "support/allocator.rs"]
mod allocator;
#[path = "support/figures.rs"]
mod figures;
#[path = "support/instances.rs"]
mod instances;
#[path = "support/setup.rs"]
mod setup;

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::Command;

use bytes::Bytes;
use figures::{cpu_seconds, median};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use locum::config::Layer;
use locum::serve::{Listeners, Opened, open, run};
use tokio::net::TcpListener;

const ROUNDS: usize = 9;
/// How `wrk` loads a server.
const WRK: [&str; 6] = ["-t1", "-c32", "-d2s", "--timeout", "2s", "--latency"];
const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/app";
const TRUST_EC2: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow",
    "Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

/// Makes an account with an instance at 127.0.0.1 that has a role.
async fn prepare(opened: &Opened) {
    let service = &opened.service;
    let account = "111111111111".parse().expect("an account");
    setup::make_account(service, account).await;
    let here = instances::at(service, [127, 0, 0, 1]);
    instances::launch(service, account, TRUST_EC2, vec![here]).await;
}

/// A bare hyper server that answers `body` to everything.
async fn bare(listener: TcpListener, body: Bytes) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let body = body.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |_: Request<hyper::body::Incoming>| {
                let mut response = Response::new(Full::new(body.clone()));
                let text = HeaderValue::from_static("text/plain");
                response.headers_mut().insert(CONTENT_TYPE, text);
                async move { Ok::<_, Infallible>(response) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

fn exchange(to: SocketAddr, request: &str) -> String {
    let mut stream = std::net::TcpStream::connect(to).expect("a connection");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text.split_once("\r\n\r\n").expect("an answer").1.to_owned()
}

/// Requests a second, and the CPU time of the server for each in microseconds.
fn load(to: SocketAddr, token: &str) -> (f64, f64) {
    let cpu = cpu_seconds();
    let output = Command::new("wrk")
        .args(WRK)
        .args(["-H", &format!("X-aws-ec2-metadata-token: {token}")])
        .arg(format!("http://{to}{CREDENTIALS}"))
        .output()
        .expect("`wrk` is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx"), "{text}");
    let cpu = cpu_seconds() - cpu;
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = rate.and_then(|rate| rate.trim().parse().ok()).expect("a rate");
    let count = text.lines().find_map(|line| line.trim().split_once(" requests in "));
    let count: f64 = count.and_then(|(count, _)| count.parse().ok()).expect("a count");
    (rate, cpu * 1e6 / count)
}

#[tokio::main]
async fn main() {
    if Command::new("wrk").arg("--version").output().is_err() {
        println!("nothing was measured: `wrk` is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = setup::config(Layer {
        // One client stands for many.
        metadata_requests_per_second: Some(1_000_000),
        ..setup::layer(folder.path())
    });
    let opened = open(&config).await.expect("a data folder");
    prepare(&opened).await;
    let listeners = Listeners::bind(&config).await.expect("addresses");
    let metadata = listeners.addresses().expect("addresses").metadata;
    let server = tokio::spawn({
        let config = config.clone();
        async move { run(&config, opened, listeners, std::future::pending()).await }
    });
    let measured = tokio::task::spawn_blocking(move || {
        let end = "Host: 169.254.169.254\r\nConnection: close\r\n\r\n";
        let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
        let token = exchange(metadata, &format!("PUT /latest/api/token HTTP/1.1\r\n{ttl}{end}"));
        let get =
            format!("GET {CREDENTIALS} HTTP/1.1\r\nX-aws-ec2-metadata-token: {token}\r\n{end}");
        (exchange(metadata, &get), token)
    });
    let (body, token) = measured.await.expect("an answer");
    assert!(body.contains("\"Success\""), "{body}");
    println!("{} bytes of credentials, wrk {}", body.len(), WRK.join(" "));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
    let plain = listener.local_addr().expect("an address");
    tokio::spawn(bare(listener, Bytes::from(body)));
    let rates = tokio::task::spawn_blocking(move || {
        let rounds = (0..ROUNDS).map(|round| {
            let (bare, ours) = (load(plain, &token), load(metadata, &token));
            println!(
                "round {round}: bare hyper {:.0}/s, {:.1} us CPU; metadata {:.0}/s, {:.1} us CPU; {:.2}",
                bare.0,
                bare.1,
                ours.0,
                ours.1,
                ours.0 / bare.0
            );
            [bare.0, bare.1, ours.0, ours.1, ours.0 / bare.0, bare.1 / ours.1]
        });
        rounds.collect::<Vec<_>>()
    });
    let rounds = rates.await.expect("rates");
    let of = |column: usize| median(rounds.iter().filter_map(|r| r.get(column).copied()).collect());
    println!("medians: bare hyper {:.0}/s, {:.1} us CPU a request", of(0), of(1));
    println!("         metadata   {:.0}/s, {:.1} us CPU a request", of(2), of(3));
    println!("         ratio of the rates {:.2}, of CPU time {:.2}", of(4), of(5));
    server.abort();
}
