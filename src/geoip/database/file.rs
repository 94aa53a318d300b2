//! A file on disk: its bytes within the limit, and what tells one state of it from another.
//!
//! Read and not mapped: a file that is truncated in place under a mapping kills the process. Knows nothing of what the
//! bytes mean.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::geoip::error::Error;

/// Largest file that is read, in bytes: 1 GiB. The largest city databases on sale have 0.3 GB, and the bytes of
/// whatever is configured end up in memory.
pub const DATABASE_BYTES_MAX: u64 = 1 << 30;

/// What the system says of a file's content without reading it. Every write and every rename changes it: the time of
/// the last change of the inode cannot be set back, unlike that of the last modification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::geoip) struct Fingerprint {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// Of what `path` leads to now; follows links.
    pub(in crate::geoip) fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|metadata| Self::from(&metadata))
    }

    /// Seconds since 1970 of the last change.
    pub(in crate::geoip) fn changed_at_s(self) -> i64 {
        self.changed.0
    }

    fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

impl From<&Metadata> for Fingerprint {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The bytes of a regular file within the limit, and the state of the file that they are from.
///
/// A file that is touched in any way meanwhile is refused: being renamed is not told apart from being written, and
/// both are over soon.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, Fingerprint), Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let regular = |metadata: &Metadata| {
        let refusal = || unreadable(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        if metadata.is_file() { Ok(()) } else { Err(refusal()) }
    };
    // Asked before it is opened: opening a named pipe waits for somebody to write to it.
    regular(&std::fs::metadata(path).map_err(unreadable)?)?;
    let mut file = File::open(path).map_err(unreadable)?;
    let before = file.metadata().map_err(unreadable)?;
    regular(&before)?;
    let mut bytes = Vec::new();
    if before.len() <= DATABASE_BYTES_MAX {
        let size = usize::try_from(before.len()).expect("checked to be at most 1 GiB");
        bytes.try_reserve_exact(size + 1).map_err(|error| unreadable(io::Error::other(error)))?;
        (&mut file).take(DATABASE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if before.len().max(bytes.len() as u64) > DATABASE_BYTES_MAX {
        return Err(Error::TooLarge { path: path.to_owned(), bytes_max: DATABASE_BYTES_MAX });
    }
    let before = Fingerprint::from(&before);
    // The end of reading is not enough: what was read first may have been written over meanwhile.
    let after = Fingerprint::from(&file.metadata().map_err(unreadable)?);
    if before.bytes != bytes.len() as u64 || before != after {
        return Err(Error::Changing { path: path.to_owned() });
    }
    Ok((bytes, before))
}

/// Refuses bytes whose file was written to after they were read, as long as it can still be found.
pub(super) fn check_unchanged(path: &Path, read: &Fingerprint) -> Result<(), Error> {
    match Fingerprint::of(path) {
        Ok(now) if now.is_same_file(read) && now != *read => Err(Error::Changing { path: path.to_owned() }),
        _ => Ok(()),
    }
}
