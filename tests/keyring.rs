//! The keyring of a running server: rotated without breaking a session, picked up after a crash, refused
//! where others could read it; and what is left of a deleted account.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use locum::identity::AccountId;
use locum::log::EventLog;
use locum::signing::Keyring;
use ring::rand::SystemRandom;
use serde_json::Value;
use support::{LOCUM, Server, locum};

/// How long keys may take to move, and a server to listen.
const PATIENCE: Duration = Duration::from_secs(30);
const DOOMED: &str = "222222222222";

fn create(server: &Server, operator: &Value, id: &str) -> Result<Value, String> {
    let words = ["account", "create-account", "--account-id", id, "--name", "a"];
    Ok(server.call(operator, &words)?["rootKey"].clone())
}

fn session(server: &Server, by: &Value) -> Value {
    server.call(by, &["sts", "get-session-token"]).unwrap()["credentials"].clone()
}

fn works(server: &Server, credentials: &Value) -> bool {
    server.call(credentials, &["sts", "get-caller-identity"]).is_ok()
}

/// Runs `locum keyring ...` as the operator of a data folder.
fn keyring(server: &Server, folder: &Path, words: &[&str]) -> Result<String, String> {
    let endpoint = server.dev["endpoint"].as_str().unwrap();
    let file = folder.join("operator.json");
    let target = ["--endpoint", endpoint, "--credentials", file.to_str().unwrap()];
    locum(&[&["keyring"], words, &target].concat())
}

/// Protects live sessions: a rotation moves every key while they go on; a version is forgotten only when it
/// wraps nothing, and from then on its keyring opens nothing.
#[test]
fn a_rotation_breaks_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder, &[]);
    let operator = server.json("operator.json");
    let other = create(&server, &operator, DOOMED).unwrap();
    let sessions = [session(&server, &server.dev), session(&server, &other)];
    let all_work = |server: &Server| sessions.iter().all(|session| works(server, session));
    let refused = server.admin(&["keyring", "rotate-keyring"]).unwrap_err();
    assert!(refused.contains("AccessDenied"), "{refused}");
    let refused = keyring(&server, folder, &["retire", "1"]).unwrap_err();
    assert!(refused.contains("only a retired version"), "{refused}");
    fs::copy(folder.join("keyring.json"), folder.join("old.json")).unwrap();

    let told = keyring(&server, folder, &["rotate", "--wait"]).unwrap();
    assert!(told.contains("version 2 is active") && told.contains("every key has moved"), "{told}");
    assert!(all_work(&server));
    let listed = keyring(&server, folder, &["list"]).unwrap();
    assert!(listed.contains("retired") && listed.contains("wraps 0 keys"), "{listed}");
    assert!(listed.contains("active") && listed.contains("wraps 3 keys"), "{listed}");
    let told = keyring(&server, folder, &["retire", "1"]).unwrap();
    assert!(told.contains("version 1 is forgotten"), "{told}");
    assert!(all_work(&server));
    let refused = keyring(&server, folder, &["retire", "2"]).unwrap_err();
    assert!(refused.contains("only a retired version"), "{refused}");

    // A file that is no successor changes nothing; the right one is taken again.
    let right = fs::read(folder.join("keyring.json")).unwrap();
    fs::copy(folder.join("old.json"), folder.join("keyring.json")).unwrap();
    let refused = keyring(&server, folder, &["reload"]).unwrap_err();
    assert!(refused.contains("does not follow") || refused.contains("no key version"), "{refused}");
    assert!(all_work(&server));
    fs::write(folder.join("keyring.json"), right).unwrap();
    assert!(keyring(&server, folder, &["reload"]).unwrap().contains("version 2 is active"));
    server.stop();
    let server = Server::start(folder, &[]);
    assert!(all_work(&server) && works(&server, &other));
    server.stop();
    let old = folder.join("old.json");
    let words = ["serve", "--data-dir", folder.to_str().unwrap(), "--grpc", "127.0.0.1:0"];
    let more = ["--aws", "127.0.0.1:0", "--metadata", "127.0.0.1:0", "--health", "127.0.0.1:0"];
    let more = [&more[..], &["--keyring"]].concat();
    let words = [&words[..], &more[..], &[old.to_str().unwrap()]].concat();
    assert!(locum(&words).unwrap_err().contains("no key version 2"));
}

/// Protects operators who make a new root key apart from the server: it takes the file on SIGHUP and moves the
/// keys, while sessions go on; a file that does not follow changes nothing.
#[test]
fn a_keyring_that_was_advanced_elsewhere_is_taken_on_hangup() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder, &[]);
    let issued = session(&server, &server.dev);
    let file = folder.join("keyring.json");
    let shows = |text: &str| {
        let began = Instant::now();
        while !keyring(&server, folder, &["list"]).unwrap().contains(text) {
            assert!(began.elapsed() < PATIENCE, "{text} is not shown");
        }
    };
    let stranger = locum(&["keyring", "new"]).unwrap();
    let right = fs::read(&file).unwrap();
    fs::write(&file, stranger).unwrap();
    server.hang_up();
    fs::write(&file, right).unwrap();
    for version in [2, 3] {
        let mut keys = Keyring::load(&file).unwrap();
        assert_eq!(keys.prepare_next(&SystemRandom::new()).unwrap(), version);
        keys.activate_next().unwrap();
        keys.save(&file).unwrap();
        server.hang_up();
        shows(&format!("{version}  active"));
        shows("wraps 2 keys");
        assert!(works(&server, &issued));
    }
    server.stop();
    let server = Server::start(folder, &[]);
    assert!(works(&server, &issued));
    server.stop();
}

/// Protects accounts from a crash in the middle of a rotation: the next start goes on with it.
#[test]
fn a_rotation_goes_on_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Server::start(folder, &[]);
    let operator = server.json("operator.json");
    let mut roots = Vec::new();
    // More than are moved at once.
    for number in 0..70_u64 {
        let id = (300_000_000_000 + number).to_string();
        roots.push(create(&server, &operator, &id).unwrap());
    }
    keyring(&server, folder, &["rotate"]).unwrap();
    // Dropped without ceremony: killed.
    drop(server);
    let server = Server::start(folder, &[]);
    let began = Instant::now();
    while !keyring(&server, folder, &["list"]).unwrap().contains("wraps 72 keys") {
        assert!(began.elapsed() < PATIENCE, "keys do not move");
    }
    assert!(roots.iter().step_by(10).all(|root| works(&server, root)));
    server.stop();
}

/// Waits until something listens.
fn await_port(port: u16) {
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < PATIENCE, "nothing listens");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Protects root keys: a keyring that others can read or replace is refused; one from the environment or
/// from standard input works, and rotating it says how.
#[test]
fn root_keys_come_from_where_others_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let root = locum(&["keyring", "new"]).unwrap();
    let init = Command::new(LOCUM)
        .args(["init", "--data-dir", data, "--keyring", "env:ROOT_KEYS"])
        .env("ROOT_KEYS", &root)
        .output()
        .unwrap();
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    assert!(!Path::new(data).join("keyring.json").exists());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let grpc = format!("127.0.0.1:{port}");
    let mut server = Command::new(LOCUM)
        .args(["serve", "--data-dir", data, "--keyring", "-", "--grpc", &grpc])
        .args(["--aws", "127.0.0.1:0", "--metadata", "127.0.0.1:0", "--health", "127.0.0.1:0"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut server.stdin.take().unwrap(), root.as_bytes()).unwrap();
    await_port(port);
    let credentials = format!("{data}/operator.json");
    let endpoint = format!("http://{grpc}");
    let target = ["--endpoint", &endpoint, "--credentials", &credentials];
    let call = |words: &[&str]| locum(&[&["keyring"], words, &target].concat());
    assert!(call(&["list"]).unwrap().contains("from standard input"));
    let refused = call(&["rotate"]).unwrap_err();
    assert!(refused.contains("locum keyring advance"), "{refused}");
    server.kill().unwrap();
    server.wait().unwrap();

    let file = folder.path().join("keys.json");
    fs::write(&file, &root).unwrap();
    let serve = |file: &Path| {
        let words = ["serve", "--data-dir", data, "--grpc", "127.0.0.1:0", "--aws", "127.0.0.1:0"];
        let more = [
            "--metadata",
            "127.0.0.1:0",
            "--health",
            "127.0.0.1:0",
            "--keyring",
            file.to_str().unwrap(),
        ];
        locum(&[&words[..], &more[..]].concat()).unwrap_err()
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(serve(&file).contains("has mode 0640"), "{}", serve(&file));
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    fs::copy(&file, open.join("keys.json")).unwrap();
    fs::set_permissions(open.join("keys.json"), fs::Permissions::from_mode(0o600)).unwrap();
    let told = serve(&open.join("keys.json"));
    assert!(told.contains("in a folder that others may change"), "{told}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
}

/// The files in which the bytes are.
fn holders(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let holds = |file: &PathBuf| {
        let read = fs::read(file).unwrap();
        read.windows(bytes.len()).any(|window| window == bytes)
    };
    files(folder).into_iter().filter(holds).collect()
}

/// How often anything in the folder's records and snapshots opens as the account's key.
fn opens(folder: &Path, keyring: &Keyring, account: AccountId, length: usize) -> usize {
    let versions = keyring.versions();
    let ends = |file: &PathBuf| {
        let ending = file.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("sst" | "log" | "snap"))
    };
    let tried = files(folder).into_iter().filter(ends).map(|file| {
        let read = fs::read(file).unwrap();
        let opened = |window: &&[u8]| {
            versions
                .iter()
                .any(|key| keyring.unwrap_account_key(account, key.version, window).is_ok())
        };
        read.windows(length).filter(opened).count()
    });
    tried.sum()
}

/// Protects a tenant that left: once its account is deleted, a copy of the data folder together with the
/// keyring holds no trace of its key; everything else goes on, and its number is nobody's again.
#[test]
fn a_deleted_account_leaves_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data, &[]);
    let operator = server.json("operator.json");
    let doomed = create(&server, &operator, DOOMED).unwrap();
    let issued = session(&server, &doomed);
    assert!(works(&server, &issued));
    server.stop();
    // Rotated in between, so that there is more than one wrapping to be rid of.
    let server = Server::start(&data, &[]);
    let before = folder.path().join("before");
    copy(&data, &before);
    keyring(&server, &data, &["rotate", "--wait"]).unwrap();
    let moved = folder.path().join("moved");
    copy(&data, &moved);
    let account: AccountId = DOOMED.parse().unwrap();
    let wrapped = [&before, &moved].map(|copy| {
        let bytes = EventLog::open_to_read(copy).unwrap().erasable(account).unwrap().unwrap();
        assert!(!holders(copy, &bytes).is_empty(), "the search finds what is there");
        bytes
    });
    assert_ne!(wrapped[0], wrapped[1]);
    let keys = Keyring::load(&data.join("keyring.json")).unwrap();
    assert!(opens(&moved, &keys, account, wrapped[1].len()) > 0, "what is there opens");

    let call = |words: &[&str]| server.call(&operator, words);
    let delete = ["account", "delete-account", "--account-id", DOOMED];
    assert!(call(&delete).unwrap_err().contains("disable it first"));
    call(&["account", "disable-account", "--account-id", DOOMED]).unwrap();
    assert!(server.admin(&delete).unwrap_err().contains("AccessDenied"));
    call(&delete).unwrap();
    for bytes in &wrapped {
        assert_eq!(holders(&data, bytes), Vec::<PathBuf>::new(), "while the server runs");
    }
    for credentials in [&issued, &doomed] {
        let told = server.call(credentials, &["sts", "get-caller-identity"]).unwrap_err();
        assert!(told.contains("InvalidClientTokenId"), "{told}");
    }
    assert!(create(&server, &operator, DOOMED).unwrap_err().contains("EntityAlreadyExists"));
    let events = ["event", "read-events", "--account-id", DOOMED];
    let history = call(&events).unwrap().to_string();
    assert!(history.contains("AccountDeleted") && history.contains("SessionIssued"));
    server.stop();

    for bytes in &wrapped {
        assert_eq!(holders(&data, bytes), Vec::<PathBuf>::new());
    }
    assert_eq!(opens(&data, &keys, account, wrapped[1].len()), 0);
    let path = data.to_str().unwrap();
    assert!(locum(&["log", "verify", path]).unwrap().contains("whole"));
    assert!(locum(&["log", "dump", path]).unwrap().contains("AccountDeleted"));
    // From the log alone too, without a snapshot.
    fs::remove_dir_all(data.join("snapshots")).unwrap();
    let server = Server::start(&data, &[]);
    assert!(works(&server, &server.dev));
    assert!(!works(&server, &doomed));
    assert!(create(&server, &operator, DOOMED).is_err());
    server.stop();
}
