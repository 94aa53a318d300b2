//! How the engine reaches its files, and how long its log may become. Tests have a disk of their own, which fails.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use rustix::process::{Resource, getrlimit};

use super::directory;
use crate::secret_file;

/// Pages of the write-ahead log beyond which it is folded into the database, 8 KiB each: a quarter of a GiB, so that
/// under load a page that is written again and again is folded once.
const LOG_PAGES_MAX: i64 = 32_000;

/// What is written to see whether there is room: more than SQLite writes at once, so that it does not fit where SQLite's did not.
pub(super) const PROBE_BYTES: usize = 64 * 1024;
/// The file that it is written to.
const PROBE: &str = "PROBE";

/// Bytes of a file that are read at once.
const READ_BYTES: usize = 256 * 1024;

/// What a store lies on.
#[derive(Debug, Clone)]
pub(super) struct Medium {
    /// The name of SQLite's way to files (a VFS); `None` for the system's.
    pub(super) vfs: Option<&'static str>,
    /// `FULL`: in WAL mode a commit is on the disk when it returns.
    pub(super) synchronous: &'static str,
    pub(super) log_pages_max: i64,
    pub(super) files: Arc<dyn Files>,
}

/// What is done to files beside SQLite: to the log before SQLite opens it, and to the note of what was acknowledged.
pub(super) trait Files: std::fmt::Debug + Send + Sync {
    /// A file, to be read from its beginning; `None` where it is not there.
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn io::Read>>>;

    /// Writes a file's own bytes over it, and syncs them; one that is not there is done.
    ///
    /// A sync that failed leaves pages that are read as written, and that no later sync writes. Once they are written again,
    /// a sync that succeeds means what it says.
    fn rewrite(&self, path: &Path) -> io::Result<()>;

    /// Opens a file to write over parts of it. One that is not there is made before, whole with this text and for good.
    fn note(&self, path: &Path, text: &str) -> io::Result<Box<dyn Note>>;

    /// Whether there is room for more beside a database, and in its own files: a file is written, synced once, and taken away.
    fn probe(&self, database: &Path) -> io::Result<()>;
}

/// Whether a write failed for want of room: a full disk, a quota that is used up, a file that may grow no more.
pub(super) fn is_lack_of_room(cause: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(cause.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// A file that is open to write over parts of it, and does not grow.
pub(super) trait Note: std::fmt::Debug + Send {
    fn write_at(&mut self, at: usize, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// One of the system's.
#[derive(Debug)]
struct SystemNote(File);

impl Note for SystemNote {
    fn write_at(&mut self, at: usize, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, at as u64)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The system's files.
#[derive(Debug)]
struct SystemFiles;

impl Files for SystemFiles {
    fn open(&self, path: &Path) -> io::Result<Option<Box<dyn io::Read>>> {
        match File::open(path) {
            Ok(file) => Ok(Some(Box::new(io::BufReader::with_capacity(READ_BYTES, file)))),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    fn rewrite(&self, path: &Path) -> io::Result<()> {
        let file = match File::options().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(cause),
        };
        // A log may be far larger than the memory.
        let (mut room, mut offset) = (vec![0; READ_BYTES], 0);
        loop {
            let read = match file.read_at(&mut room, offset) {
                Ok(0) => return file.sync_all(),
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause),
            };
            file.write_all_at(&room[..read], offset)?;
            offset += read as u64;
        }
    }

    fn note(&self, path: &Path, text: &str) -> io::Result<Box<dyn Note>> {
        if !path.exists() {
            secret_file::write(path, text)?;
            directory::sync_parent(path)?;
        }
        Ok(Box::new(SystemNote(File::options().write(true).open(path)?)))
    }

    fn probe(&self, database: &Path) -> io::Result<()> {
        let [log, ..] = directory::companions(database);
        let size_of = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
        let grown = size_of(database).max(size_of(&log)).saturating_add(PROBE_BYTES as u64);
        if getrlimit(Resource::Fsize).current.is_some_and(|most| grown > most) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let path = database.with_file_name(PROBE);
        let written = write_probe(&path);
        // What is left of it is written over by the next one.
        let _ = directory::remove(&path);
        written
    }
}

fn write_probe(path: &Path) -> io::Result<()> {
    // Of what is random no file system makes less.
    let mut bytes = vec![0; PROBE_BYTES];
    getrandom::fill(&mut bytes).map_err(|cause| io::Error::other(cause.to_string()))?;
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all_at(&bytes, 0)?;
    // Some tell only then that there is no room.
    file.sync_data()
}

impl Default for Medium {
    fn default() -> Self {
        Self { vfs: None, synchronous: "FULL", log_pages_max: LOG_PAGES_MAX, files: Arc::new(SystemFiles) }
    }
}

impl Medium {
    /// Opens the file, making it where `flags` say so.
    pub(super) fn connect(&self, path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
        match self.vfs {
            None => Connection::open_with_flags(path, flags),
            Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        }
    }
}
