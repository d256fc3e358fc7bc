//! The keyring's file. Created with mode 0600 and only where no file is; refused when anyone but
//! its owner has a right to it; replaced whole or not at all (temporary file, sync, rename, sync
//! of the directory). The mode is asked of the open file, not of its name, so that the file looked
//! at is the file read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::{KEYRING_BYTES_MAX, Keyring, KeyringError};

/// Bits of a mode that tell its kind and who else has a right to it.
const PERMISSION_BITS: u32 = 0o7777;
const OTHERS_BITS: u32 = 0o077;

impl Keyring {
    /// Makes a new keyring in a new file.
    pub fn create(path: &Path) -> Result<Self, KeyringError> {
        let keyring = Self::generate(&SystemRandom::new())?;
        write_new(path, keyring.to_json().as_bytes())
            .and_then(|()| sync_directory(path))
            .map_err(|source| io_error(path, source))?;
        Ok(keyring)
    }

    /// Reads the keyring of a file.
    pub fn load(path: &Path) -> Result<Self, KeyringError> {
        let io = |source| io_error(path, source);
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() || metadata.mode() & OTHERS_BITS != 0 {
            return Err(KeyringError::Permissions {
                path: path.display().to_string(),
                mode: metadata.mode() & PERMISSION_BITS,
            });
        }
        let limit = KEYRING_BYTES_MAX + 1;
        let mut json = Zeroizing::new(String::with_capacity(limit));
        file.take(limit as u64).read_to_string(&mut json).map_err(io)?;
        Self::from_json(&json)
    }

    /// Replaces the file by this keyring: a crash leaves the old one or the new one.
    pub fn save(&self, path: &Path) -> Result<(), KeyringError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let temporary = Path::new(&name);
        let replace = || {
            // A file of an earlier try that did not come to its end.
            match fs::remove_file(temporary) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            write_new(temporary, self.to_json().as_bytes())?;
            fs::rename(temporary, path)?;
            sync_directory(path)
        };
        replace().map_err(|source| io_error(path, source))
    }
}

fn io_error(path: &Path, source: io::Error) -> KeyringError {
    KeyringError::Io { path: path.display().to_string(), source }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // `create_new` is O_EXCL: neither overwrites a keyring nor follows a link laid in its place.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a keyring would stand in the way of the next try; the first error is the one to
        // tell.
        let _ = fs::remove_file(path);
    }
    written
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}
