//! The program itself as a process, for tests of its edges.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ring::hmac;
use serde_json::Value;

pub(crate) const LOCUM: &str = env!("CARGO_BIN_EXE_locum");
/// How long a server may take to be ready or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `locum dev`, killed when dropped.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
    pub(crate) dev: Value,
}

impl Server {
    /// Starts one on `folder` and waits until it is ready.
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Self {
        Self::start_under(&format!("exec {LOCUM} dev"), folder, flags)
    }

    /// Starts one by a shell command that takes the flags of `locum dev`.
    pub(crate) fn start_under(command: &str, folder: &Path, flags: &[&str]) -> Self {
        let _ = std::fs::remove_file(folder.join("dev.json"));
        let process = Command::new("bash")
            .args(["-c", &format!("{command} \"$@\""), "locum", "--data-dir"])
            .arg(folder)
            .args(["--grpc", "127.0.0.1:0", "--aws", "127.0.0.1:0"])
            .args(["--metadata", "127.0.0.1:0", "--health", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { process, folder: folder.to_owned(), dev: Value::Null };
        server.dev = server.json("dev.json");
        server
    }

    /// A JSON file of the data folder, as soon as it is there.
    pub(crate) fn json(&self, name: &str) -> Value {
        let began = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(self.folder.join(name)) {
                return serde_json::from_str(&text).unwrap();
            }
            assert!(began.elapsed() < PATIENCE, "no {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs `locum ARGS` as the bearer of `credentials`: its JSON, or what it complained of.
    pub(crate) fn call(&self, credentials: &Value, args: &[&str]) -> Result<Value, String> {
        let field = |name: &str| credentials[name].as_str().unwrap_or_default();
        let output = Command::new(LOCUM)
            .args(args)
            .args(["--output", "json", "--endpoint", self.dev["endpoint"].as_str().unwrap()])
            .env("AWS_ACCESS_KEY_ID", field("accessKeyId"))
            .env("AWS_SECRET_ACCESS_KEY", field("secretAccessKey"))
            .env("AWS_SESSION_TOKEN", field("sessionToken"))
            .output()
            .unwrap();
        answer(&output)
    }

    /// Calls as the administrator of the account.
    pub(crate) fn admin(&self, args: &[&str]) -> Result<Value, String> {
        self.call(&self.dev, args)
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Bytes of memory that the process holds.
    pub(crate) fn memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Has the process read again what it reads on SIGHUP.
    pub(crate) fn hang_up(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }

    /// Ends the process as an operator does, and waits.
    pub(crate) fn stop(mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the program: what it printed, or what it complained of.
pub(crate) fn locum(args: &[&str]) -> Result<String, String> {
    let output = Command::new(LOCUM).args(args).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// The code of an authenticator app with this seed, by RFC 6238 apart from the code that is tested.
pub(crate) fn totp(seed: &str, step: i64) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut bits, mut count, mut key) = (0_u32, 0, Vec::new());
    for digit in seed.chars() {
        bits = (bits << 5) | u32::try_from(ALPHABET.find(digit).unwrap()).unwrap();
        count += 5;
        if count >= 8 {
            count -= 8;
            key.push(u8::try_from(bits >> count).unwrap());
            bits &= (1 << count) - 1;
        }
    }
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[19] & 15);
    let word = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap());
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

fn answer(output: &Output) -> Result<Value, String> {
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
