//! Unmodified AWS clients against a real server: `tests/clients/main.py`, which plays every operation of the
//! AWS APIs by boto3 and by the AWS command line and compares `docs/compatibility.md` with what it found.

use std::path::Path;
use std::process::Command;

/// Protects users of AWS's own clients; the script names what did not work.
#[test]
fn every_operation_works_by_real_clients() {
    let locum = Path::new(env!("CARGO_BIN_EXE_locum"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = locum.parent().unwrap().parent().unwrap().join("python");
    let prepared = Command::new(root.join("deploy/python.sh")).arg(&python).status().unwrap();
    assert!(prepared.success(), "the Python clients cannot be set up");
    let played = Command::new(python.join("bin/python"))
        .arg(root.join("tests/clients/main.py"))
        .arg(locum)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&played.stdout);
    let errors = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{told}\n{errors}");
}
