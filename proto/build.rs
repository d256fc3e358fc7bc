//! Compiles `proto/` with protox, a protobuf compiler in Rust, so that no protoc has to be installed.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use prost::Message as _;

/// The services' package.
const API: &str = "proto/locum/v1";
/// The records' package.
const STORED: &str = "proto/locum/stored/v1";

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
    tonic_prost_build::configure().btree_map(".locum.stored").compile_fds(descriptors)?;
    Ok(())
}
