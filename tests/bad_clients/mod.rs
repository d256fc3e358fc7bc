//! What clients that are slow, broken or hostile get from the AWS edge, and that nobody else pays for it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{LOCUM, Server};

/// How long the server may take to give up on a client: its own limit is 10 seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// Idle connections: more than the server keeps.
const IDLE: usize = 10_000;
/// Bytes of memory that idle connections may cost.
const MEMORY_MAX: u64 = 256 << 20;

/// Requests of a good client beside those: to wait for each connection to time out would take far longer than
/// `PATIENCE`.
const ASKED: usize = 20;

fn address(server: &Server, edge: &str) -> String {
    server.dev[edge].as_str().unwrap().trim_start_matches("http://").to_owned()
}

fn connect(server: &Server) -> TcpStream {
    connect_to(server, "aws")
}

fn connect_to(server: &Server, edge: &str) -> TcpStream {
    let stream = TcpStream::connect(address(server, edge)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `request` and gives everything that comes until the server ends the connection.
fn exchange(server: &Server, request: &[u8]) -> String {
    let mut stream = connect(server);
    // The server may answer and end before all of it is sent.
    let _ = stream.write_all(request);
    rest(stream)
}

fn rest(mut stream: TcpStream) -> String {
    let mut told = Vec::new();
    // A reset after the answer ends it as well.
    let _ = stream.read_to_end(&mut told);
    String::from_utf8_lossy(&told).into_owned()
}

/// A request that is answered whoever asks.
fn lives(server: &Server) {
    let began = Instant::now();
    let told = exchange(server, b"GET /?Action=X HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 403"), "{told}");
    assert!(told.contains("MissingAuthenticationToken"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

fn head(server: &Server) -> String {
    server.admin(&["iam", "list-roles"]).unwrap()["sequence"].as_str().unwrap().to_owned()
}

/// Protects the service: what is too large, ambiguous or of another kind is refused at once, the connection
/// ends, and nothing of what follows is taken for a request.
#[test]
fn bad_requests_are_refused_and_end_their_connection() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let before = head(&server);
    let form = "Host: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let next = "GET /?Action=Smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let long = "x".repeat(64 << 10);
    let many: String = (0..100).map(|n| format!("h{n}: 1\r\n")).collect();
    let cases = [
        ("huge", format!("POST / HTTP/1.1\r\n{form}Content-Length: 9999999\r\n\r\n"), "413"),
        (
            "type",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                .to_owned(),
            "415",
        ),
        (
            "both lengths",
            format!(
                "POST / HTTP/1.1\r\n{form}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}"
            ),
            "411",
        ),
        (
            "both lengths, turned",
            format!(
                "POST / HTTP/1.1\r\n{form}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{next}"
            ),
            "411",
        ),
        (
            "two lengths",
            format!(
                "POST / HTTP/1.1\r\n{form}Content-Length: 5\r\nContent-Length: 6\r\n\r\n0\r\n\r\n{next}"
            ),
            "400",
        ),
        ("a long head", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), "431"),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), "431"),
        ("no HTTP", "\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), "400"),
        ("another method", "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "405"),
    ];
    for (what, request, status) in cases {
        let told = exchange(&server, request.as_bytes());
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {told}");
        assert_eq!(told.matches("HTTP/1.1 ").count(), 1, "{what}: {told}");
        assert!(!told.contains("Smuggled"), "{what}: {told}");
    }
    let told = exchange(&server, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 405") && told.ends_with("\r\n\r\n"), "{told}");
    assert!(told.contains("allow: GET, POST"), "{told}");
    lives(&server);
    assert_eq!(head(&server), before, "nothing was recorded");
}

/// Protects everyone else from clients that send their request in drops.
#[test]
fn slow_clients_are_given_up_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (mut slow_head, mut slow_body) = (connect(&server), connect(&server));
    slow_head.write_all(b"POST / HTTP/1.1\r\nHost: a\r\n").unwrap();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\nAction=";
    slow_body.write_all(head.as_bytes()).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        slow_head.write_all(b"x: 1\r\n").unwrap();
        lives(&server);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(rest(slow_head), "", "no answer to half a head");
    let told = rest(slow_body);
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}

/// A process that holds idle connections to an edge until it is dropped, from several addresses, half of them
/// in the middle of a request's head.
struct Holder(std::process::Child);

impl Holder {
    fn of(server: &Server, edge: &str, connections: usize) -> Self {
        const SCRIPT: &str = r"
import contextlib, resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (12000, hard))
host, port = sys.argv[1].split(':')
held = []
for n in range(int(sys.argv[2])):
    own = (f'127.0.9.{1 + n // 700}', 0)
    held.append(socket.create_connection((host, int(port)), source_address=own))
    if n % 2:
        with contextlib.suppress(OSError):
            held[-1].send(b'GET / HTTP/1.1\r\nHost: ')
print('held', flush=True)
sys.stdin.read()
";
        let mut process = Command::new("python3")
            .args(["-c", SCRIPT, &address(server, edge), &connections.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut held = [0; 4];
        process.stdout.as_mut().unwrap().read_exact(&mut held).unwrap();
        assert_eq!(&held, b"held");
        Self(process)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Protects clients from those that only hold connections: new ones are taken, a request under way is
/// answered, and memory stays within bounds.
#[test]
fn ten_thousand_idle_connections_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("ulimit -n 12000; exec {LOCUM} dev");
    let server = Server::start_under(&command, folder.path(), &[]);
    let before = server.memory();
    let held = Holder::of(&server, "aws", IDLE);
    let began = Instant::now();
    (0..ASKED).for_each(|_| lives(&server));
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let grown = server.memory().saturating_sub(before);
    assert!(grown < MEMORY_MAX, "{grown} bytes");
    let mut under_way = connect(&server);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nConnection: close\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\nAction";
    under_way.write_all(head.as_bytes()).unwrap();
    lives(&server);
    let more = Holder::of(&server, "aws", 500);
    under_way.write_all(b"=X").unwrap();
    let told = rest(under_way);
    assert!(told.contains("MissingAuthenticationToken"), "{told}");
    drop((held, more));
    lives(&server);
}

/// Protects instances in the same way, and memory; also those at an address that holds too many connections
/// itself.
#[test]
fn ten_thousand_idle_connections_keep_no_metadata_away() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("ulimit -n 12000; exec {LOCUM} dev");
    let server = Server::start_under(&command, folder.path(), &[]);
    let before = server.memory();
    let held = Holder::of(&server, "metadata", IDLE);
    // Nobody is known at this address, and told so.
    let ask = |stream: &mut TcpStream| {
        stream.write_all(b"GET /latest/ HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut told = [0; 12];
        stream.read_exact(&mut told).unwrap();
        assert_eq!(&told, b"HTTP/1.1 404");
    };
    let began = Instant::now();
    (0..ASKED).for_each(|_| ask(&mut connect_to(&server, "metadata")));
    // More of our own than one address may have open: the last ones are served.
    let mut own: Vec<_> = (0..1500).map(|_| connect_to(&server, "metadata")).collect();
    own.iter_mut().rev().take(ASKED).for_each(ask);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let grown = server.memory().saturating_sub(before);
    assert!(grown < MEMORY_MAX, "{grown} bytes");
    drop(held);
}
