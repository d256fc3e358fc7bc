//! The keyring's file. Created with mode 0600 and only where no file is; refused when anyone but
//! its owner has a right to it, when it is another user's, or when others may put another file in its
//! place; replaced whole or not at all (temporary file, sync, rename, sync
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
/// Bits of a folder's mode.
const OTHERS_WRITE_BIT: u32 = 0o002;
const STICKY_BIT: u32 = 0o1000;
/// The user id of the system's administrator.
const ROOT: u32 = 0;

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
        check_owner(path, &metadata)?;
        check_folder(path)?;
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

/// The file is this process's user's, or the system's administrator's.
fn check_owner(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyringError> {
    // The kernel shows a process as a folder of its effective user.
    let own = fs::metadata("/proc/self").map_err(|source| io_error(path, source))?.uid();
    match metadata.uid() {
        ROOT => Ok(()),
        owner if owner == own => Ok(()),
        owner => Err(KeyringError::Owner { path: path.display().to_string(), owner }),
    }
}

/// Everyone may write into the folder only where everyone keeps their own, as in `/tmp`.
fn check_folder(path: &Path) -> Result<(), KeyringError> {
    let mode = fs::metadata(folder(path)).map_err(|source| io_error(path, source))?.mode();
    if mode & OTHERS_WRITE_BIT != 0 && mode & STICKY_BIT == 0 {
        return Err(KeyringError::Folder { path: path.display().to_string() });
    }
    Ok(())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
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
    File::open(folder(path))?.sync_all()
}
