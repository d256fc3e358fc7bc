//! Compiles `proto/` with protox, a protobuf compiler in Rust, so that no protoc has to be installed.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use prost::Message as _;
use tonic_prost_build::Builder;

/// The services' package.
const API: &str = "proto/locum/v1";
/// The records' package.
const STORED: &str = "proto/locum/stored/v1";
/// Maps kept in order, so that what is equal has the same bytes: those of records, and of what watchers are told.
const ORDERED: [&str; 2] = [".locum.stored", ".locum.v1.Instance.tags"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for folder in [API, STORED] {
        println!("cargo::rerun-if-changed={folder}");
        if !Path::new(folder).is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    let descriptors = protox::compile(&files, ["proto"])?;
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(Path::new(&out).join("descriptors.bin"), descriptors.encode_to_vec())?;
    let ordered = |builder: Builder, path| builder.btree_map(path);
    ORDERED.iter().fold(tonic_prost_build::configure(), ordered).compile_fds(descriptors)?;
    Ok(())
}
