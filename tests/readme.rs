//! The tour in README.md works as it is written: its shell blocks are run in order, in one shell.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Protects newcomers: what the README tells them to type does what it says.
#[test]
fn the_tour_can_be_walked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let tour = readme.split("## A tour in five minutes").nth(1).unwrap();
    let tour = tour.split("\n## ").next().unwrap();
    let blocks: Vec<&str> =
        tour.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 4, "the tour has {} blocks", blocks.len());
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{}", blocks.join("\n"));
    let folder = tempfile::tempdir().unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_locum")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let walked = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&walked.stdout);
    let errors = String::from_utf8_lossy(&walked.stderr);
    assert!(walked.status.success(), "{told}\n{errors}");
    assert!(told.contains("\"Code\": \"Success\""), "{told}\n{errors}");
}
