//! The directory in which an index is built, and how it takes the place of the one before.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::manifest::MANIFEST_FILE;
use super::sources::unreadable;
use crate::geocode::Error;

/// The directory in which an index is built; removed on dropping, unless it was put into its place.
pub(super) struct Workshop {
    /// Where it is.
    pub(super) path: PathBuf,
}

impl Workshop {
    /// An empty one for the index at `out`. What a build that was cut off put away comes back first.
    pub(super) fn new(out: &Path) -> Result<Self, Error> {
        let standing = standing(out);
        if standing != out {
            fs::rename(&standing, out).map_err(|cause| unreadable(out, &cause))?;
        }
        let path = beside(out, "building");
        let fault = |cause: io::Error| unreadable(&path, &cause);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(fault)?;
        }
        fs::create_dir_all(&path).map_err(fault)?;
        Ok(Self { path })
    }

    /// Puts the directory in the place of `out`; what was there goes, and comes back if the last step fails.
    pub(super) fn replace(self, out: &Path) -> Result<(), Error> {
        let fault = |cause: io::Error| unreadable(out, &cause);
        let old = beside(out, OLD);
        if old.exists() {
            fs::remove_dir_all(&old).map_err(fault)?;
        }
        if out.exists() {
            fs::rename(out, &old).map_err(fault)?;
        }
        if let Err(cause) = fs::rename(&self.path, out) {
            // Nothing more can be done than to try: the first error is the one to tell.
            let _ = fs::rename(&old, out);
            return Err(fault(cause));
        }
        if let Some(parent) = out.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(fault)?;
        }
        if old.exists() {
            fs::remove_dir_all(&old).map_err(fault)?;
        }
        Ok(())
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // After `replace` nothing is left here. What cannot be removed now is cleared by the next build.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What the directory of the index before is called while the new one takes its place.
const OLD: &str = "old";

/// Where the index of `out` is: there, or where a build put it away that was cut off between two renames. It is read where
/// it is, because a build may be about to put the new one into its place.
pub(super) fn standing(out: &Path) -> PathBuf {
    let old = beside(out, OLD);
    if !out.exists() && old.join(MANIFEST_FILE).is_file() { old } else { out.to_owned() }
}

/// Whether a directory is a gazetteer of whatever version, or empty.
pub(super) fn is_ours(directory: &Path) -> bool {
    let is_empty = || fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none());
    directory.join(MANIFEST_FILE).is_file() || is_empty()
}

/// A hidden directory beside `out`, on the same file system.
pub(super) fn beside(out: &Path, purpose: &str) -> PathBuf {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    out.with_file_name(format!(".{name}.{purpose}"))
}
