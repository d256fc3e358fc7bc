//! What a running server tells of itself: traces and metrics that arrive at a collector, lines of the log, and
//! Prometheus's text, with the dashboard and the alert rules that are made of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod observed;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use locum::clock::Clock;
use locum::metrics::names::FAMILIES;
use locum::proto::v1::iam_service_client::IamServiceClient;
use locum::proto::v1::sts_service_client::StsServiceClient;
use locum::proto::v1::{AssumeRoleRequest, GetRoleRequest};
use locum::signing::Secret;
use locum::signing::sigv4::{PathStyle, Signable, Signer, body_sha256};
use observed::collector::Collector;
use observed::dashboard::{Exposed, dashboard_queries, rule_queries};
use observed::http_request;
use serde_json::{Value, json};
use support::{LOCUM, Server};
use tonic::Request;

const TRUST: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111","Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const ALL: &str = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const ROLE: &str = "arn:aws:iam::111111111111:role/app";
const TRACE: [&str; 3] = [
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "5bf92f3577b34da6a3ce929d0e0e4737",
    "6bf92f3577b34da6a3ce929d0e0e4738",
];

/// How long a rotation may take that was asked for.
const ROTATED_WITHIN: Duration = Duration::from_secs(30);

fn traceparent(trace: &str) -> String {
    format!("00-{trace}-00f067aa0ba902b7-01")
}

/// A server whose lines go to a file as JSON, and which tells `more` of its environment.
fn start(folder: &Path, more: &str, flags: &[&str]) -> (Server, std::path::PathBuf) {
    let lines = folder.join("lines.log");
    let command =
        format!("exec 2>>{}; {more} LOCUM_LOG_FORMAT=json exec {LOCUM} dev", lines.display());
    (Server::start_under(&command, &folder.join("data"), flags), lines)
}

/// A user who may do everything, and a role that they may assume: the user's key.
fn prepare(server: &Server) -> Value {
    let admin = |words: &[&str]| server.admin(words).unwrap();
    admin(&["iam", "create-user", "--user-name", "ana"]);
    let put = ["iam", "put-inline-policy", "--owner-user-name", "ana", "--policy-name", "p"];
    admin(&[&put[..], &["--policy", ALL]].concat());
    admin(&["iam", "create-role", "--role-name", "app", "--trust-policy", TRUST]);
    admin(&["iam", "create-access-key", "--user-name", "ana"])["accessKey"].clone()
}

fn channel(server: &Server, key: &Value) -> locum::client::SignedChannel {
    let credentials = locum::client::Credentials {
        access_key_id: key["accessKeyId"].as_str().unwrap().to_owned(),
        secret_access_key: Secret::new(key["secretAccessKey"].as_str().unwrap()),
        session_token: None,
    };
    let endpoint = server.dev["endpoint"].as_str().unwrap();
    locum::client::connect(endpoint, "us-east-1", credentials).unwrap()
}

fn assume_role(name: &str, trace: &str) -> Request<AssumeRoleRequest> {
    let mut request = Request::new(AssumeRoleRequest {
        role_arn: ROLE.to_owned(),
        role_session_name: name.to_owned(),
        ..AssumeRoleRequest::default()
    });
    request.metadata_mut().insert("traceparent", traceparent(trace).parse().unwrap());
    request
}

/// A signed request to the AWS edge: status, head and body.
fn query(server: &Server, key: &Value, service: &str, body: &str, trace: &str) -> (u16, String) {
    let host = server.dev["aws"].as_str().unwrap().trim_start_matches("http://");
    let content = "application/x-www-form-urlencoded";
    let digest = body_sha256(body.as_bytes());
    let signable = Signable {
        method: "POST",
        path: "/",
        query: "",
        headers: &[("host", host), ("content-type", content)],
        body_sha256: &digest,
        path_style: PathStyle::Normalized,
    };
    let secret = Secret::new(key["secretAccessKey"].as_str().unwrap());
    let signer = Signer {
        access_key: key["accessKeyId"].as_str().unwrap(),
        secret: &secret,
        session_token: None,
        region: "us-east-1",
        service,
    };
    let mut headers =
        vec![("content-type", content.to_owned()), ("traceparent", traceparent(trace))];
    headers.extend(signer.sign(&signable, Clock::System.now()));
    http_request(host, "POST", "/", &headers, body)
}

/// Protects whoever looks into a slow request: its trace goes from the edge to the log, through gRPC, the AWS
/// protocols and metadata; the batch that wrote it is linked; the event names the trace; metrics arrive beside;
/// and nothing of it is secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_from_the_edge_to_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start().await;
    let environment =
        format!("OTEL_BSP_SCHEDULE_DELAY=100 LOCUM_OTLP_ENDPOINT={}", collector.endpoint);
    let (server, _) = start(folder.path(), &environment, &["--otlp-interval", "1s"]);
    let key = tokio::task::block_in_place(|| prepare(&server));
    let mut sts = StsServiceClient::new(channel(&server, &key));
    let issued = sts.assume_role(assume_role("grpc", TRACE[0])).await.unwrap().into_inner();
    let body = format!("Action=AssumeRole&Version=2011-06-15&RoleArn={ROLE}&RoleSessionName=aws");
    let (status, answer) = query(&server, &key, "sts", &body, TRACE[1]);
    assert_eq!(status, 200, "{answer}");
    let metadata = server.dev["metadata"].as_str().unwrap().trim_start_matches("http://");
    let parent = [("traceparent", traceparent(TRACE[2]))];
    assert_eq!(http_request(metadata, "GET", "/latest/meta-data/", &parent, "").0, 404);

    let path = ["authenticate", "submit", "decide", "append"];
    for (trace, root) in [(TRACE[0], "/locum.v1.StsService/AssumeRole"), (TRACE[1], "AssumeRole")] {
        let spans = collector.spans_of(trace, path.len() + 1).await;
        let named = |name: &str| spans.iter().find(|span| span.name == name);
        let edge = named(root).unwrap_or_else(|| panic!("no {root} in {spans:?}"));
        assert_eq!(hex::encode(&edge.parent_span_id), "00f067aa0ba902b7");
        let submit = named("submit").unwrap();
        for (name, parent) in path.iter().zip([edge, edge, submit, submit]) {
            let span = named(name).unwrap_or_else(|| panic!("no {name} in {spans:?}"));
            assert_eq!(span.parent_span_id, parent.span_id, "{name}");
        }
        let batch = collector.linked_to(&submit.span_id).await;
        assert_eq!(batch.name, "batch");
        assert!(named("append").unwrap().links.iter().any(|l| l.span_id == batch.span_id));
    }
    assert_eq!(collector.spans_of(TRACE[2], 1).await[0].name, "other");

    let events = server.admin(&["event", "read-events", "--kinds", "SessionIssued"]).unwrap();
    let traces: Vec<_> =
        events["events"].as_array().unwrap().iter().map(|e| &e["traceId"]).collect();
    assert_eq!(traces, [&json!(TRACE[0]), &json!(TRACE[1])]);

    let labels =
        [("edge", "grpc"), ("service", "sts"), ("operation", "AssumeRole"), ("outcome", "ok")];
    collector.metric("locum_requests_total", &labels).await;
    collector.metric("locum_log_append_duration_seconds", &[]).await;
    let told = collector.everything();
    let credentials = issued.credentials.unwrap();
    let secrets = [&credentials.secret_access_key, &credentials.session_token];
    for secret in secrets.into_iter().map(String::as_str).chain(key["secretAccessKey"].as_str()) {
        assert!(!told.contains(secret), "a secret is in what the collector was sent");
    }
    server.stop();
}

/// The id of a refused call, which is in a header whatever else is.
fn id_of(status: &tonic::Status) -> String {
    status.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned()
}

/// Protects whoever is asked "why was this refused": the id that every refusal carries is in the log, with the
/// code, the caller and the operation; and nothing is said of requests that were done unless that is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_id_of_every_answered_error_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (server, lines) = start(folder.path(), "", &[]);
    let key = tokio::task::block_in_place(|| prepare(&server));
    let mut wanted = Vec::new();
    let stranger = json!({"accessKeyId": "AKIAABCDEFGHIJKLMNOP", "secretAccessKey": "none"});
    let mut unknown = StsServiceClient::new(channel(&server, &stranger));
    let refused = unknown.assume_role(assume_role("x", TRACE[0])).await.unwrap_err();
    wanted.push((id_of(&refused), "InvalidClientTokenId", "AssumeRole", ""));
    let mut sts = StsServiceClient::new(channel(&server, &key));
    let refused = sts.assume_role(assume_role("not a name", TRACE[0])).await.unwrap_err();
    let ana = "arn:aws:iam::111111111111:user/ana";
    wanted.push((id_of(&refused), "ValidationError", "AssumeRole", ana));
    let mut iam = IamServiceClient::new(channel(&server, &key));
    let role_name = "absent".to_owned();
    let absent = GetRoleRequest { role_name, ..GetRoleRequest::default() };
    let refused = iam.get_role(absent).await.unwrap_err();
    wanted.push((id_of(&refused), "NoSuchEntity", "GetRole", ana));
    for (service, body, code, operation) in [
        ("iam", "Action=GetRole&Version=2010-05-08&RoleName=absent", "NoSuchEntity", "GetRole"),
        (
            "ec2",
            "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=x",
            "InvalidInstanceID.Malformed",
            "TerminateInstances",
        ),
        ("sts", "Action=Invented&Version=2011-06-15", "InvalidAction", "other"),
    ] {
        let (status, answer) = query(&server, &key, service, body, TRACE[1]);
        assert!(status >= 400, "{answer}");
        let (_, id) = answer.split_once("x-amzn-requestid: ").unwrap();
        wanted.push((id[..36].to_owned(), code, operation, ana));
    }
    server.stop();
    let lines = fs::read_to_string(&lines).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let access = lines.iter().filter(|line| line["target"] == "locum::access");
    let access: Vec<&Value> = access.map(|line| &line["fields"]).collect();
    for (id, code, operation, principal) in &wanted {
        let line = access.iter().find(|line| line["request_id"] == **id);
        let line = line.unwrap_or_else(|| panic!("{id} ({code}) is not in {access:?}"));
        assert_eq!((&line["code"], &line["operation"]), (&json!(code), &json!(operation)));
        assert_eq!(line["principal"], *principal);
        assert!(line["duration_us"].as_u64().unwrap() > 0);
    }
    assert_eq!(access.len(), wanted.len(), "{access:?}");
}

/// Protects scrapers: each gets its format, with the content type of that format.
#[test]
fn the_scraper_chooses_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let health = server.dev["health"].as_str().unwrap().trim_start_matches("http://");
    let scrape = |accept: &str| {
        let accept = [("accept", accept.to_owned())];
        http_request(health, "GET", "/metrics", &accept, "").1
    };
    let open = scrape("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    assert!(open.contains("application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.ends_with("# EOF\n"));
    let plain = scrape("text/plain;version=0.0.4");
    assert!(plain.contains("text/plain; version=0.0.4") && !plain.contains("# EOF"));
}

/// An instance that has the role.
fn launch(server: &Server) {
    let named = ["--instance-profile-name", "app"];
    let admin = |words: &[&str]| server.admin(&[words, &named].concat()).unwrap();
    admin(&["iam", "create-instance-profile"]);
    admin(&["iam", "add-role-to-instance-profile", "--role-name", "app"]);
    admin(&["instance", "launch-instance"]);
}

/// The value of each series of the server.
fn series(server: &Server) -> BTreeMap<String, f64> {
    let health = server.dev["health"].as_str().unwrap().trim_start_matches("http://");
    let (_, answer) = http_request(health, "GET", "/metrics", &[], "");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let told = body.lines().filter(|line| !line.starts_with('#'));
    let read = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    };
    told.map(read).collect()
}

/// Protects whoever is called at night: what was refused, throttled and rotated is counted once, in the series that
/// says so, and in no other of these families.
#[test]
fn what_happens_moves_its_series_and_no_other() {
    const LATENESS: &str = "locum_rotation_lateness_seconds_count";
    const WATCHED: [&str; 5] = [
        "locum_account_throttled_total",
        "locum_denials_total",
        "locum_errors_total",
        LATENESS,
        "locum_rotations_total",
    ];
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (key, admin) = (prepare(&server), |words: &[&str]| server.admin(words).unwrap());
    launch(&server);
    admin(&["iam", "create-user", "--user-name", "eve"]);
    let eve = admin(&["iam", "create-access-key", "--user-name", "eve"])["accessKey"].clone();
    let before = series(&server);

    let who = "Action=GetCallerIdentity&Version=2011-06-15";
    let id = &key["accessKeyId"];
    let forged = json!({"accessKeyId": id, "secretAccessKey": "none"});
    assert_eq!(query(&server, &forged, "sts", who, TRACE[0]).0, 403);
    let unknown = json!({"accessKeyId": "AKIAABCDEFGHIJKLMNOP", "secretAccessKey": "none"});
    for stranger in [unknown, eve] {
        server.call(&stranger, &["iam", "list-users"]).unwrap_err();
    }
    let operator = server.json("operator.json");
    let rate = ["--account-id", "111111111111", "--quota", "RequestsPerSecond"];
    let put = [&["quota", "put-quota", "--value", "1"][..], &rate].concat();
    server.call(&operator, &put).unwrap();
    let refused = (0..50).any(|_| query(&server, &key, "sts", who, TRACE[0]).0 == 400);
    assert!(refused, "50 requests in a second");
    server.call(&operator, &[&["quota", "delete-quota"][..], &rate].concat()).unwrap();
    admin(&["rotation", "rotate-credentials"]);
    let began = Instant::now();
    while series(&server)[LATENESS] == before[LATENESS] {
        assert!(began.elapsed() < ROTATED_WITHIN, "nothing was rotated");
        std::thread::sleep(Duration::from_millis(50));
    }

    let mut moved = series(&server);
    moved.retain(|name, value| {
        *value -= before.get(name).copied().unwrap_or_default();
        *value != 0.0
    });
    let throttled =
        "edge=\"aws\",service=\"sts\",operation=\"GetCallerIdentity\",outcome=\"throttled\"";
    assert_eq!(moved[&format!("locum_requests_total{{{throttled}}}")], 1.0);
    assert!(moved["locum_queue_wait_seconds_count"] >= 4.0, "two of quotas, two of rotation");
    moved.retain(|name, _| WATCHED.contains(&name.split('{').next().unwrap()));
    let wanted = [
        "locum_account_throttled_total{account=\"111111111111\"}",
        "locum_denials_total{reason=\"identity_policy\"}",
        "locum_denials_total{reason=\"signature\"}",
        "locum_denials_total{reason=\"unknown_key\"}",
        "locum_errors_total{edge=\"aws\",code=\"SignatureDoesNotMatch\"}",
        "locum_errors_total{edge=\"aws\",code=\"Throttling\"}",
        "locum_errors_total{edge=\"grpc\",code=\"AccessDenied\"}",
        "locum_errors_total{edge=\"grpc\",code=\"InvalidClientTokenId\"}",
        LATENESS,
        "locum_rotations_total{result=\"renewed\"}",
    ];
    assert_eq!(moved, wanted.map(|name| (name.to_owned(), 1.0)).into());
}

/// A running agent, killed when dropped.
struct Agent {
    process: Child,
    health: String,
    // An agent whose output nobody reads ends.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Agent {
    fn start(server: &Server, key: &Value) -> Self {
        let field = |name: &str| key[name].as_str().unwrap();
        let mut process = Command::new(LOCUM)
            .args(["agent", "--listen", "127.0.0.1:0", "--health", "127.0.0.1:0", "--endpoint"])
            .arg(server.dev["endpoint"].as_str().unwrap())
            .env("AWS_ACCESS_KEY_ID", field("accessKeyId"))
            .env("AWS_SECRET_ACCESS_KEY", field("secretAccessKey"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut told = said.by_ref().map(Result::unwrap);
        let health = told.find_map(|line| Some(line.strip_prefix("health on http://")?.to_owned()));
        Self { process, health: health.unwrap(), _said: said }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Protects operators from panels that stay empty and alerts that never fire: every series, label
/// and label's value that the dashboard and the rules ask for is one that a server or an agent has, and every metric
/// is on the dashboard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_that_is_asked_for_exists() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let key = tokio::task::block_in_place(|| prepare(&server));
    let agent = server.admin(&["iam", "create-agent", "--agent-name", "host"]).unwrap();
    let agent = Agent::start(&server, &agent["accessKey"]);
    let mut sts = StsServiceClient::new(channel(&server, &key));
    sts.assume_role(assume_role("one", TRACE[0])).await.unwrap();
    let scrape = |host: &str| http_request(host, "GET", "/metrics", &[], "").1;
    let mut exposed = Exposed::default();
    exposed.add(&scrape(server.dev["health"].as_str().unwrap().trim_start_matches("http://")));
    exposed.add(&scrape(&agent.health));

    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/locum.json")).unwrap();
    let rules: Value = serde_saphyr::from_str(&file("deploy/prometheus/alerts.yml")).unwrap();
    let queries = dashboard_queries(&dashboard);
    let alerts = rule_queries(&rules);
    assert!(queries.len() > 40 && alerts.len() > 10);
    let asked = queries.iter().chain(&alerts);
    let missing: Vec<_> = asked
        .flat_map(|(place, query)| {
            exposed.missing(query).into_iter().map(move |what| format!("{place}: {what}"))
        })
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");

    let text: String = queries.iter().map(|(_, query)| query.as_str()).collect();
    let unseen = FAMILIES.iter().filter(|family| !text.contains(family.name));
    let unseen: Vec<_> = unseen.map(|family| family.name).collect();
    assert!(unseen.is_empty(), "not on the dashboard: {unseen:?}");
    let told = |family: &&&locum::metrics::Family| {
        let names = [family.name.to_owned(), format!("{}_bucket", family.name)];
        names.iter().any(|name| exposed.0.contains_key(name))
    };
    let untold: Vec<_> = FAMILIES.iter().filter(|f| !told(f)).map(|f| f.name).collect();
    assert!(untold.is_empty(), "told by no process: {untold:?}");
}

/// Protects the test above: it finds a series, a label, a value and a bound that are not there.
#[test]
fn what_is_missing_is_found() {
    let mut exposed = Exposed::default();
    exposed.add("# HELP x y\nlocum_a_total{code=\"x\"} 1\nlocum_b_bucket{le=\"1.0\"} 2\n");
    assert_eq!(exposed.missing("sum by (code, job) (rate(locum_a_total[5m])) > 0"), [""; 0]);
    assert_eq!(exposed.missing("topk(3, sum(rate(locum_c_total[5m])))"), ["locum_c_total"]);
    assert_eq!(exposed.missing("locum_a_total / locum_d"), ["locum_d"]);
    assert_eq!(exposed.missing("locum_a_total{edge=\"x\"}"), ["locum_a_total{edge}"]);
    let values = exposed.missing("locum_a_total{code=~\"x|y\",code!=\"z\"}");
    assert_eq!(values, ["locum_a_total{code=\"y\"}", "locum_a_total{code=\"z\"}"]);
    assert_eq!(exposed.missing("sum by (edge) (locum_a_total)").len(), 1);
    let bound = exposed.missing("rate(locum_b_bucket{le=\"2.0\"}[1m])");
    assert_eq!(bound, ["locum_b_bucket{le=\"2.0\"}"]);
}

/// Protects readers of the documentation: its table has every metric, as the program tells it.
#[test]
fn the_documented_metrics_are_those_there_are() {
    let document = file("docs/observability.md");
    let rows = FAMILIES.iter().map(|family| {
        let kind = format!("{:?}", family.kind).to_ascii_lowercase();
        format!("| `{}` | {kind} | {} |", family.name, family.help)
    });
    let rows: Vec<String> = rows.collect();
    let expected = rows.join("\n");
    assert!(document.contains(&expected), "docs/observability.md should hold:\n{expected}");
}
