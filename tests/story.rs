//! The whole story of "IAM roles for Amazon EC2", played by real clients against a real server, a kill -9
//! among it: `deploy/demo.py`, which is also what `make demo` runs.

use std::path::Path;
use std::process::Command;

/// Protects every promise of the story; the script names the expectation that did not hold.
#[test]
fn every_expectation_of_the_story_holds() {
    let locum = Path::new(env!("CARGO_BIN_EXE_locum"));
    let target = locum.parent().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = target.parent().unwrap().join("python");
    let prepared = Command::new(root.join("deploy/python.sh")).arg(&python).status().unwrap();
    assert!(prepared.success(), "the Python clients cannot be set up");
    let played = Command::new(python.join("bin/python"))
        .arg(root.join("deploy/demo.py"))
        .arg(locum)
        .arg(target.join("examples/photos"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&played.stdout);
    let errors = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{told}\n{errors}");
    assert!(told.contains("Every expectation held."), "{told}");
}
