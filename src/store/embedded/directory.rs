//! The data directory: made for its owner alone, held by one process, and marked once it holds a store.

use std::fs::{DirBuilder, File, remove_file};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use tracing::warn;

use super::medium::Files;

/// The file that is locked by who holds the directory.
const LOCK: &str = "LOCK";
/// The file that tells the next start that a sync failed. Lost with the machine's memory, it was not needed any more.
const STOPPED: &str = "STOPPED";
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
    lock.try_lock().map_err(|_| "another process holds it: stop that one, or choose another directory".to_owned())?;
    let mut mark = String::new();
    lock.read_to_string(&mut mark).map_err(|cause| format!("{LOCK}: {cause}"))?;
    Ok(Held { lock, is_known: !mark.is_empty() })
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
    // A name is durable with the directory that it stands in. Of parents that were made too the file system takes care.
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
