//! Metadata as instances, containers and bad clients see it: the server and the agent as processes, over sockets
//! from addresses of their own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use support::{LOCUM, Server, locum};

const TRUST_EC2: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/app";
const PATIENCE: Duration = Duration::from_secs(20);

/// An address of this machine that stands for an instance.
fn host(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What came back: status, header lines in lower case, body.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

/// Sends bytes and reads until the server closes.
fn send(from: IpAddr, to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(from, to);
    // A server that has seen enough closes before everything is sent.
    let _ = stream.write_all(bytes);
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn ask(from: IpAddr, to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let text = send(from, to, request.as_bytes());
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn token(from: IpAddr, to: SocketAddr) -> String {
    let ttl = [("X-aws-ec2-metadata-token-ttl-seconds", "60")];
    let reply = ask(from, to, "PUT", "/latest/api/token", &ttl);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body
}

fn get(from: IpAddr, to: SocketAddr, path: &str) -> Reply {
    let token = token(from, to);
    ask(from, to, "GET", path, &[("X-aws-ec2-metadata-token", &token)])
}

/// Asks until the status is the one that is waited for.
#[track_caller]
fn wait_for(from: IpAddr, to: SocketAddr, path: &str, status: u16) -> Reply {
    let began = Instant::now();
    loop {
        let ttl = [("X-aws-ec2-metadata-token-ttl-seconds", "60")];
        let token = ask(from, to, "PUT", "/latest/api/token", &ttl);
        let reply = match token.status {
            200 => ask(from, to, "GET", path, &[("X-aws-ec2-metadata-token", &token.body)]),
            _ => token,
        };
        if reply.status == status {
            return reply;
        }
        assert!(began.elapsed() < PATIENCE, "{} instead of {status}", reply.status);
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn address(server: &Server, of: &str) -> SocketAddr {
    server.dev[of].as_str().unwrap().trim_start_matches("http://").parse().unwrap()
}

/// A profile `app` with a role of the same name in it.
fn app(server: &Server) {
    let steps: [&[&str]; 3] = [
        &["create-role", "--role-name", "app", "--trust-policy", TRUST_EC2],
        &["create-instance-profile", "--instance-profile-name", "app"],
        &["add-role-to-instance-profile", "--instance-profile-name", "app", "--role-name", "app"],
    ];
    for step in steps {
        server.admin(&[&["iam"], step].concat()).unwrap();
    }
}

fn launch(server: &Server, from: IpAddr, more: &[&str]) -> String {
    let address = from.to_string();
    let words =
        ["instance", "launch-instance", "--private-ip", &address, "--instance-profile-name"];
    let launched = server.admin(&[&words[..], &["app"], more].concat()).unwrap();
    launched["instance"]["instanceId"].as_str().unwrap().to_owned()
}

fn modify(server: &Server, instance: &str, flag: &str, value: &str) {
    let call = "modify-instance-metadata-options";
    server.admin(&["instance", call, "--instance-id", instance, flag, value]).unwrap();
}

/// The credentials of a document as the command line takes them.
fn bearer(document: &str) -> Value {
    let document: Value = serde_json::from_str(document).unwrap();
    json!({
        "accessKeyId": document["AccessKeyId"],
        "secretAccessKey": document["SecretAccessKey"],
        "sessionToken": document["Token"],
    })
}

/// Protects operators: an option works with the next request, policies see the version by which credentials
/// were got, a document is signed, and the doctor knows who asked without a token.
#[test]
fn options_work_at_once_and_the_doctor_knows() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--metadata-report-interval", "1s"]);
    app(&server);
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*",
        "Condition":{"NumericGreaterThanEquals":{"ec2:RoleDelivery":"2.0"},
                     "IpAddress":{"aws:EC2InstanceSourcePrivateIPv4":"127.0.0.5/32"}}}}"#;
    let put = [
        "iam",
        "put-inline-policy",
        "--owner-role-name",
        "app",
        "--policy-name",
        "read",
        "--policy",
    ];
    server.admin(&[&put[..], &[policy]].concat()).unwrap();
    let (from, to) = (host(5), address(&server, "metadata"));
    let instance = launch(&server, from, &[]);
    let list = |document: &str| server.call(&bearer(document), &["iam", "list-roles"]);

    assert_eq!(ask(from, to, "GET", CREDENTIALS, &[]).status, 401);
    list(&get(from, to, CREDENTIALS).body).unwrap();
    modify(&server, &instance, "--http-tokens-optional", "true");
    let version_1 = ask(from, to, "GET", CREDENTIALS, &[("User-Agent", "old-sdk/1.0")]);
    assert_eq!(version_1.status, 200);
    assert!(list(&version_1.body).unwrap_err().contains("AccessDenied"));
    modify(&server, &instance, "--http-endpoint-disabled", "true");
    assert_eq!(ask(from, to, "GET", CREDENTIALS, &[]).status, 403);
    modify(&server, &instance, "--http-endpoint-disabled", "false");

    let signature = get(from, to, "/latest/dynamic/instance-identity/signature").body;
    let document = get(from, to, "/latest/dynamic/instance-identity/document").body;
    let shown = server.admin(&["metadata", "get-identity-certificate"]).unwrap();
    let certificate = shown["certificate"].as_str().unwrap();
    assert!(openssl_verifies(folder.path(), certificate, &signature, &document));
    assert!(!openssl_verifies(folder.path(), certificate, &signature, &format!("{document} ")));

    let began = Instant::now();
    let advice = loop {
        let endpoint = server.dev["endpoint"].as_str().unwrap();
        let key = folder.path().join("dev.json");
        let flags = ["--endpoint", endpoint, "--credentials", key.to_str().unwrap()];
        let told = locum(&[&["instance", "doctor", &instance][..], &flags].concat()).unwrap();
        if told.contains("old-sdk/1.0") {
            break told;
        }
        assert!(began.elapsed() < PATIENCE, "{told}");
        std::thread::sleep(Duration::from_millis(100));
    };
    println!("{advice}");
    assert!(advice.starts_with("NOT READY  tokens optional, hop limit 1\n"), "{advice}");
    let terminate = ["instance", "terminate-instance", "--instance-id", &instance];
    server.admin(&terminate).unwrap();
    assert_eq!(ask(from, to, "GET", CREDENTIALS, &[]).status, 404);
}

fn openssl_verifies(folder: &Path, certificate: &str, signature: &str, document: &str) -> bool {
    for (name, text) in
        [("certificate", certificate), ("base64", signature), ("document", document)]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let script = "openssl x509 -in certificate -pubkey -noout > key && base64 -d base64 > signature && \
                  openssl dgst -sha256 -verify key -signature signature document";
    let mut shell = Command::new("bash");
    shell.args(["-c", script]).current_dir(folder);
    shell.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// A running `locum agent`, killed when dropped.
struct Agent {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Agent {
    fn start(key: &Value, endpoints: &str, flags: &[&str]) -> Self {
        let mut process = Command::new(LOCUM)
            .args(["agent", "--listen", "127.0.0.1:0", "--endpoint", endpoints])
            // As its unit starts it, in `deploy/`.
            .env("MIMALLOC_PURGE_DELAY", "0")
            .args(flags)
            .env("AWS_ACCESS_KEY_ID", key["accessKeyId"].as_str().unwrap())
            .env("AWS_SECRET_ACCESS_KEY", key["secretAccessKey"].as_str().unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Where the agent serves, in the order in which it says so.
    fn address(&mut self) -> SocketAddr {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().rsplit("http://").next().unwrap().parse().unwrap()
    }

    /// The user ids of each of its threads: real, effective, saved, of the file system.
    fn users(&self) -> Vec<String> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let users = threads.map(|thread| {
            let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
            user.unwrap().to_owned()
        });
        users.collect()
    }

    /// Memory in KiB: the most that it has held (`VmHWM:`), or what of it is no file (`RssAnon:`).
    fn memory(&self, kind: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let line = status.unwrap();
        let line = line.lines().find_map(|line| line.strip_prefix(kind)).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Protects workloads on a host from each other and from outages: each address gets its own instance's role,
/// strangers get nothing, nothing is given before it is known, and what is known is served without the service.
#[test]
fn an_agent_serves_many_and_outlives_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    app(&server);
    let key = server.admin(&["iam", "create-agent", "--agent-name", "host-1"]).unwrap();
    let [one, two, stranger] = [11, 12, 13].map(host);
    let first = launch(&server, one, &["--agent-name", "host-1"]);
    launch(&server, stranger, &[]);
    // A node that is not there stands in the list: any other one is used.
    let endpoints = format!("http://127.0.0.1:1,{}", server.dev["endpoint"].as_str().unwrap());
    let tokens = folder.path().join("tokens");
    let flags = ["--by-source-address", "--health", "127.0.0.1:0", "--container-tokens"];
    let key = key["accessKey"].clone();
    let mut agent =
        Agent::start(&key, &endpoints, &[&flags[..], &[tokens.to_str().unwrap()]].concat());
    let (health, to) = (agent.address(), agent.address());
    wait_for(one, to, "/latest/meta-data/instance-id", 200);
    assert_eq!(get(one, to, "/latest/meta-data/instance-id").body, first);
    assert_eq!(ask(stranger, to, "GET", "/", &[]).status, 404);
    assert_eq!(ask(two, to, "GET", "/", &[]).status, 404);
    let second = launch(&server, two, &["--agent-name", "host-1"]);
    assert_eq!(wait_for(two, to, "/latest/meta-data/instance-id", 200).body, second);
    assert_eq!(get(one, to, "/latest/meta-data/instance-id").body, first);

    let file = tokens.join(&second).join("token");
    let began = Instant::now();
    while !file.exists() {
        assert!(began.elapsed() < PATIENCE, "no token for containers");
        std::thread::sleep(Duration::from_millis(50));
    }
    let token = std::fs::read_to_string(&file).unwrap();
    let container = || ask(stranger, to, "GET", "/v1/credentials", &[("Authorization", &token)]);
    let credentials = bearer(&container().body);
    let identity = server.call(&credentials, &["sts", "get-caller-identity"]).unwrap();
    assert!(identity["arn"].as_str().unwrap().ends_with(&format!("assumed-role/app/{second}")));

    let metrics = || ask(host(1), health, "GET", "/metrics", &[]).body;
    assert!(metrics().contains("locum_agent_in_touch 1"));
    server.stop();
    let began = Instant::now();
    let stale = loop {
        let reply = get(one, to, CREDENTIALS);
        assert_eq!(reply.status, 200);
        if reply.head.contains("x-locum-stale-seconds") {
            break reply;
        }
        assert!(began.elapsed() < PATIENCE, "{}", reply.head);
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(stale.body.contains("\"Success\""));
    assert!(metrics().contains("locum_agent_in_touch 0"));
    assert_eq!(container().status, 200);

    // An agent that starts without the service gives nothing, and says that it will.
    // Where it may, it becomes somebody else first, in every thread.
    let root = nix::unistd::geteuid().is_root();
    let user: &[&str] = if root { &["--user", "nobody"] } else { &[] };
    let mut early = Agent::start(&key, &endpoints, user);
    assert_eq!(ask(one, early.address(), "GET", "/", &[]).status, 503);
    for user in early.users().into_iter().filter(|_| root) {
        assert!(user.split_whitespace().all(|id| id != "0"), "{user}");
    }
}

/// Protects the server from bad clients, and good clients from them: bounded memory, right answers.
#[test]
fn bad_clients_hurt_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    app(&server);
    let (good, bad) = (host(21), host(22));
    let to = address(&server, "metadata");
    for from in [good, bad] {
        launch(&server, from, &[]);
    }
    let mut slow = connect(bad, to);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    let began = Instant::now();

    let line = |head: &str| send(bad, to, head.as_bytes()).lines().next().unwrap_or("").to_owned();
    let long = "x".repeat(64 << 10);
    assert!(line(&format!("GET / HTTP/1.1\r\nA: {long}\r\n\r\n")).contains(" 431 "));
    assert!(line(&format!("GET /{long} HTTP/1.1\r\n\r\n")).starts_with("HTTP/1.1 4"));
    assert!(line("BREW / HTTP/1.1\r\nConnection: close\r\n\r\n").contains(" 405 "));
    assert!(line("GET / HTTP/9\r\n\r\n").contains(" 400 "));
    let many: String = (0..200).map(|n| format!("H{n}: x\r\n")).collect();
    assert!(line(&format!("GET / HTTP/1.1\r\n{many}\r\n")).contains(" 431 "));
    // What comes behind a body is never taken for a request of its own.
    for smuggled in [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
    ] {
        let inner = "GET /latest/ HTTP/1.1\r\nHost: x\r\n\r\n";
        let answered = send(bad, to, format!("{smuggled}{inner}").as_bytes());
        assert_eq!(answered.matches("HTTP/1.1 ").count(), 1, "{smuggled}{answered}");
    }
    let body = format!("PUT /latest/api/token HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n{long}");
    assert!(line(&body).contains(" 400 "));
    let absolute = ask(bad, to, "GET", "http://169.254.169.254/latest/meta-data/", &[]);
    assert_eq!(absolute.status, 401);

    // More connections than one address may have: the others are served.
    let idle: Vec<_> = (0..1500).map(|_| connect(bad, to)).collect();
    let asked = Instant::now();
    assert_eq!(get(good, to, CREDENTIALS).status, 200);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    drop(idle);
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() && began.elapsed() < PATIENCE);
    assert_eq!(get(bad, to, CREDENTIALS).status, 200);
}

/// Protects hosts: a thousand instances on one, all of them asked for, in less than 50 MiB.
#[test]
fn a_thousand_instances_fit_in_50_mib() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    app(&server);
    let key = server.admin(&["iam", "create-agent", "--agent-name", "host-1"]).unwrap();
    launch_many(&server, 1000);
    let mut agent = Agent::start(
        &key["accessKey"],
        server.dev["endpoint"].as_str().unwrap(),
        &["--by-source-address"],
    );
    let to = agent.address();
    let address = |n: u32| IpAddr::from([127, 1, (n / 250) as u8, (n % 250 + 1) as u8]);
    wait_for(address(0), to, CREDENTIALS, 200);
    for n in 0..1000 {
        assert_eq!(get(address(n), to, CREDENTIALS).status, 200);
    }
    let (whole, data) = (agent.memory("VmHWM:"), agent.memory("RssAnon:"));
    println!("an agent with 1000 instances: {whole} KiB, of which {data} KiB data");
    assert!(data < 25 << 10, "{data} KiB of data");
    // The code of a debug build is several times that of a release.
    assert!(cfg!(debug_assertions) || whole < 50 << 10, "{whole} KiB");
}

/// Protects hosts from each other when an agent's key, or an instance's, is taken: it reads its own instances
/// alone, calls nothing else, and is nothing once the agent is deleted.
#[test]
fn a_key_of_a_host_reads_its_own_instances_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    app(&server);
    let agent = |name: &str| {
        let made = server.admin(&["iam", "create-agent", "--agent-name", name]).unwrap();
        made["accessKey"].clone()
    };
    let (taken, other) = (agent("host-1"), agent("host-2"));
    let own = launch(&server, host(11), &["--agent-name", "host-1"]);
    let foreign = launch(&server, host(12), &["--agent-name", "host-2"]);
    let read = |key: &Value, id: &str| {
        server.call(key, &["metadata", "get-instance-metadata", "--instance-id", id])
    };
    assert_eq!(read(&taken, &own).unwrap()["metadata"]["instance"]["instanceId"], own.as_str());
    let not_yours = read(&taken, &foreign).unwrap_err();
    let absent = read(&taken, "i-00000000000000000").unwrap_err();
    assert_eq!(not_yours.replace(&foreign, "ID"), absent.replace("i-00000000000000000", "ID"));
    assert!(read(&other, &foreign).is_ok());
    for words in [&["iam", "list-roles"], &["instance", "describe-instances"]] {
        let told = server.call(&taken, words).unwrap_err();
        assert!(told.contains("AccessDenied"), "{told}");
    }
    server.admin(&["iam", "delete-agent", "--agent-name", "host-1"]).unwrap();
    assert!(read(&taken, &own).unwrap_err().contains("InvalidClientTokenId"));
    server.stop();
}

/// Launches instances of the agent `host-1`, over one connection.
fn launch_many(server: &Server, count: u32) {
    use locum::client::{Credentials, connect};
    use locum::proto::v1::instance_service_client::InstanceServiceClient;
    use locum::proto::v1::{LaunchInstanceRequest, ProfileReference, profile_reference::Reference};
    let text = |name: &str| server.dev[name].as_str().unwrap();
    let credentials = Credentials {
        access_key_id: text("accessKeyId").to_owned(),
        secret_access_key: locum::signing::Secret::new(text("secretAccessKey")),
        session_token: None,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let channel = connect(text("endpoint"), text("region"), credentials).unwrap();
        let launches = (0..count).map(|n| {
            let mut client = InstanceServiceClient::new(channel.clone());
            let request = LaunchInstanceRequest {
                private_ip: format!("127.1.{}.{}", n / 250, n % 250 + 1),
                agent_name: "host-1".to_owned(),
                instance_profile: Some(ProfileReference {
                    reference: Some(Reference::Name("app".to_owned())),
                }),
                ..LaunchInstanceRequest::default()
            };
            async move { client.launch_instance(request).await.unwrap() }
        });
        futures_util::future::join_all(launches).await;
    });
}
