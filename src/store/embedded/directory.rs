//! The data directory: made for its owner alone, held by one process, and marked once it holds a store.

use std::fs::{self, DirBuilder, File, TryLockError, remove_file};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tracing::warn;

use super::medium::Files;

/// The file that is locked by who holds the directory.
const LOCK: &str = "LOCK";
/// For so long a start waits for a directory that is held.
const LOCK_WAIT_MAX: Duration = Duration::from_millis(500);
/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// The file that tells the next start that a sync failed. Lost with the machine's memory, it was not needed any more.
const STOPPED: &str = "STOPPED";
/// The file that tells the next start that records were found to be lost: it looks at all of them before anybody is served.
const DAMAGED: &str = "DAMAGED";
/// What stands in the locked file once there is a store: from then on one that is empty or gone is a loss, and no beginning.
const MARK: &str = "This directory holds a waymark store. Remove this file only together with all others.\n";

/// A directory that this process holds.
#[derive(Debug)]
pub(super) struct Held {
    lock: File,
    /// Whether it held a store before.
    pub(super) is_known: bool,
}

/// Leaves word that the disk failed. If the disk does not even take that, nobody can be told.
pub(super) fn leave_word_of_failure(directory: &Path) {
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(directory.join(STOPPED));
    let _ =
        file.and_then(|mut file| file.write_all(b"The disk failed. The next start of waymark takes this file away.\n"));
}

/// Leaves word that records are lost, or are not found. If the disk does not take that, the next start finds out again, later.
pub(super) fn leave_word_of_damage(directory: &Path) {
    let file = File::options().create(true).truncate(true).write(true).mode(0o600).open(directory.join(DAMAGED));
    let words = b"Records of this store are lost. waymark looks at all of them before it serves, and then takes this file away.\n";
    let _ = file.and_then(|mut file| file.write_all(words));
}

/// Whether records were found to be lost.
pub(super) fn has_word_of_damage(directory: &Path) -> bool {
    directory.join(DAMAGED).exists()
}

/// Takes the word away, once all records were found to be there.
pub(super) fn forget_damage(directory: &Path) {
    // What stays costs the next start time.
    let _ = remove(&directory.join(DAMAGED));
}

/// What has to be done after the disk failed: what stands in the log is read as written, and may not be. It is written again.
pub(super) fn recover(directory: &Path, log: &Path, files: &dyn Files) -> io::Result<()> {
    let word = directory.join(STOPPED);
    if !word.exists() {
        return Ok(());
    }
    warn!(path = %log.display(), "the store had stopped after a failure of the disk: its log is written again");
    files.rewrite(log)?;
    remove_file(word)
}

/// Makes the directory where it is missing, and takes it for this process for as long as the lock lives.
pub(super) fn hold(directory: &Path) -> Result<Held, String> {
    make(directory).map_err(|cause| cause.to_string())?;
    let open =
        File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(directory.join(LOCK));
    let mut lock = open.map_err(|cause| cause.to_string())?;
    lock_patiently(&lock).map_err(|cause| match cause {
        TryLockError::WouldBlock => "another process holds it: stop that one, or choose another directory".to_owned(),
        TryLockError::Error(cause) => format!("{LOCK} cannot be locked: {cause}"),
    })?;
    let mut mark = String::new();
    lock.read_to_string(&mut mark).map_err(|cause| format!("{LOCK}: {cause}"))?;
    Ok(Held { lock, is_known: !mark.is_empty() })
}

/// Takes a lock. Who ended a moment ago may hold it still: a process that it was just starting had a copy of the open file until
/// its program began.
fn lock_patiently(lock: &File) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_WAIT_MAX => sleep(LOCK_PAUSE),
            taken => return taken,
        }
    }
}

/// A directory that no process holds, and that none can take meanwhile. Without a file to lock it is one too.
#[derive(Debug)]
pub(super) struct Idle {
    _lock: Option<File>,
}

/// Takes the directory as it is, to look at it; `None` where a process holds it.
pub(super) fn hold_idle(directory: &Path) -> io::Result<Option<Idle>> {
    let lock = match File::open(directory.join(LOCK)) {
        Ok(lock) => lock,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Some(Idle { _lock: None })),
        Err(cause) => return Err(cause),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(Idle { _lock: Some(lock) })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(cause)) => Err(cause),
    }
}

/// Makes a file for its owner alone, if there is none. SQLite makes its files for everybody to read, and its log with the
/// database's own mode: so a database is made here first.
pub(super) fn make_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// What SQLite has beside a database.
pub(super) fn companions(path: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", "-journal"].map(|ending| {
        let mut companion = path.as_os_str().to_owned();
        companion.push(ending);
        companion.into()
    })
}

/// Removes a file that may be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Makes the name of a file durable: it stands in its directory.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

impl Held {
    /// Marks the directory, now that a store is in it; gives the lock.
    pub(super) fn mark(mut self) -> io::Result<File> {
        if !self.is_known {
            self.lock.rewind()?;
            self.lock.write_all(MARK.as_bytes())?;
            self.lock.sync_all()?;
        }
        Ok(self.lock)
    }
}

/// Secrets and personal data lie here: for the owner alone, whatever the process's umask.
fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    // Of parents that were made too the file system takes care.
    sync_parent(directory)
}
