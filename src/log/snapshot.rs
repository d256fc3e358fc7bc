//! Snapshots: `snapshots/<sequence>.snap`, written beside the log and renamed when whole.
//!
//! ```text
//! magic "LSNP" | version u8 | sequence u64 | hash of that record [32] | body | SHA-256 of all before [32]
//! ```

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use ring::digest::{Context, SHA256};

use super::{Head, Sequence};

const MAGIC: [u8; 4] = *b"LSNP";
const VERSION: u8 = 1;
/// Bytes before the body.
const HEAD: u64 = 45;
/// Bytes after the body.
const DIGEST: u64 = 32;
/// Snapshots that are kept; the older one is there should the newest be damaged.
pub(super) const KEPT: usize = 2;
/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// Bytes that are written before they are synced. A file system that syncs a whole snapshot at once makes the log's
/// small writes wait for all of it.
const SYNCED_BYTES: usize = 256 << 10;

/// How fast a snapshot is written; clones are one.
#[derive(Clone, Debug)]
pub struct SnapshotPace {
    rests: Arc<AtomicBool>,
}

impl SnapshotPace {
    /// With a rest after each part, as long as the part took: others write to the log meanwhile.
    #[must_use]
    pub fn gentle() -> Self {
        Self { rests: Arc::new(AtomicBool::new(true)) }
    }

    /// As fast as can be.
    #[must_use]
    pub fn full() -> Self {
        let pace = Self::gentle();
        pace.hurry();
        pace
    }

    /// From here on as fast as can be, also a snapshot that is under way.
    pub fn hurry(&self) {
        self.rests.store(false, Ordering::Relaxed);
    }
}

/// A file that is synced as it grows.
struct Synced {
    file: BufWriter<File>,
    unsynced: usize,
    pace: SnapshotPace,
    /// When the part that is being written was begun.
    began: Instant,
}

impl Synced {
    fn create(path: &Path, pace: &SnapshotPace) -> io::Result<Self> {
        let file = BufWriter::with_capacity(SYNCED_BYTES, File::create(path)?);
        Ok(Self { file, unsynced: 0, pace: pace.clone(), began: Instant::now() })
    }

    fn finish(self) -> io::Result<()> {
        self.file.into_inner()?.sync_all()
    }
}

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.unsynced = self.unsynced.saturating_add(written);
        if self.unsynced >= SYNCED_BYTES {
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
            self.unsynced = 0;
            if self.pace.rests.load(Ordering::Relaxed) {
                thread::sleep(self.began.elapsed());
            }
            self.began = Instant::now();
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Hashes what passes through.
struct Hashing<W> {
    inner: W,
    digest: Context,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes the snapshot at `head` and drops those that are no longer kept.
pub(super) fn write(
    folder: &Path,
    head: Head,
    pace: &SnapshotPace,
    body: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let partial = folder.join("partial");
    let mut out = Hashing { inner: Synced::create(&partial, pace)?, digest: Context::new(&SHA256) };
    out.write_all(&MAGIC)?;
    out.write_all(&[VERSION])?;
    out.write_all(&head.sequence.0.to_be_bytes())?;
    out.write_all(&head.hash)?;
    body(&mut out)?;
    let Hashing { mut inner, digest } = out;
    inner.write_all(digest.finish().as_ref())?;
    inner.finish()?;
    fs::rename(&partial, folder.join(format!("{:020}.snap", head.sequence.0)))?;
    File::open(folder)?.sync_all()?;
    for (_, old) in list(folder).into_iter().skip(KEPT) {
        fs::remove_file(old)?;
    }
    Ok(())
}

/// The snapshots there are, newest first.
pub(super) fn list(folder: &Path) -> Vec<(Sequence, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let number = path.file_name()?.to_str()?.strip_suffix(".snap")?.parse().ok()?;
            Some((Sequence(number), path))
        })
        .collect();
    found.sort_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
    found
}

/// Checks the whole file and opens its body.
pub(super) fn open(path: &Path) -> io::Result<(Head, impl Read + use<>)> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let body = length.checked_sub(HEAD + DIGEST).ok_or_else(|| damaged("it is too short"))?;
    let mut digest = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK];
    let mut covered = (&mut file).take(HEAD + body);
    loop {
        let count = covered.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        digest.update(chunk.get(..count).unwrap_or_default());
    }
    let mut stored = Vec::new();
    file.read_to_end(&mut stored)?;
    if digest.finish().as_ref() != stored {
        return Err(damaged("its checksum does not match"));
    }
    file.seek(SeekFrom::Start(0))?;
    let mut head = [0; HEAD as usize];
    file.read_exact(&mut head)?;
    let (magic, rest) = head.split_first_chunk::<5>().ok_or_else(|| damaged("too short"))?;
    let (number, hash) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("too short"))?;
    let hash = hash.first_chunk::<32>().ok_or_else(|| damaged("too short"))?;
    if *magic != [b'L', b'S', b'N', b'P', VERSION] {
        return Err(damaged("unknown magic or version"));
    }
    let head = Head { sequence: Sequence(u64::from_be_bytes(*number)), hash: *hash };
    Ok((head, BufReader::with_capacity(CHUNK, file.take(body))))
}
