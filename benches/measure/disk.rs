//! What the disk alone does: a file that is appended to and synced, in the directory of what it is held against.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::nanoseconds;

/// Bytes that the file grows by for each sync: about what a commit of one site adds to the log.
pub(crate) const APPEND_BYTES: usize = 4_096;

/// Appends and syncs for a slice; gives the time of each.
pub(crate) fn append(place: &Path, slice: Duration) -> io::Result<Vec<u32>> {
    let path = place.join("raw");
    let mut file = File::create(&path)?;
    let (mut times, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < slice {
        let start = Instant::now();
        file.write_all(&[7; APPEND_BYTES])?;
        file.sync_data()?;
        times.push(nanoseconds(start));
    }
    fs::remove_file(path)?;
    Ok(times)
}
