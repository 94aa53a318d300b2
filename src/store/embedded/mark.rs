//! How many commits were acknowledged, noted beside the database: one whose log was cut off or taken away is whole, and of an
//! earlier moment, and nothing in it tells.
//!
//! The number is that of all revisions together: each commit makes one. It is written when a group is on the disk and before its callers
//! hear of it, and synced when there is time for that. So what is noted is never more than what is there, unless something
//! took it away; a loss of power alone may leave an earlier number, which costs nothing but that.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::Path;

use super::medium::{Files, Note};
use super::schema::Revisions;

/// The file, beside the database. It is named to operators.
pub(super) const FILE: &str = "ACKNOWLEDGED";
/// A place for a number in it: what a disk writes whole or not at all.
const PLACE_BYTES: usize = 512;
/// The number is written to them in turn, so that one is whole whatever becomes of the other.
const PLACES: u8 = 2;
/// What stands behind them.
const WORDS: &str = "waymark notes here how many writes it has acknowledged, and refuses a store that holds fewer.";

/// The number of commits that partitions at these revisions have.
pub(super) fn commits(revisions: &Revisions) -> u64 {
    revisions.values().map(|revision| revision.0).sum()
}

/// What is noted; `None` where there is no note, as before the first start. Refuses a file of which nothing can be read.
pub(super) fn read(files: &dyn Files, path: &Path) -> io::Result<Option<u64>> {
    let Some(mut file) = files.open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let noted = bytes.chunks(PLACE_BYTES).take(PLACES.into()).filter_map(number).max();
    let unreadable = || io::Error::other("it is damaged; to go on with what is there, remove it");
    noted.map(Some).ok_or_else(unreadable)
}

/// A place's line, up to its end.
fn line(commits: u64) -> String {
    let digits = format!("{commits:020}");
    let sum = crc32fast::hash(digits.as_bytes());
    format!("{digits} {sum:08x}\n")
}

/// The number in a place, if it is what was written.
fn number(place: &[u8]) -> Option<u64> {
    let found = place.iter().position(|byte| *byte == b'\n').map(|end| &place[..=end])?;
    let commits = std::str::from_utf8(found.get(..20)?).ok()?.parse().ok()?;
    (line(commits).as_bytes() == found).then_some(commits)
}

/// The whole file of a number.
fn whole(commits: u64) -> String {
    let mut text = String::new();
    for _ in 0..PLACES {
        // Writing to a text never fails.
        let _ = write!(text, "{:<width$}", line(commits), width = PLACE_BYTES);
    }
    text + WORDS
}

/// The note of a store that is open.
#[derive(Debug)]
pub(super) struct Mark {
    note: Box<dyn Note>,
    commits: u64,
    /// Where the next number goes.
    place: u8,
    is_synced: bool,
}

impl Mark {
    /// Opens the note of a store with so many commits, making it where it is missing.
    pub(super) fn open(files: &dyn Files, path: &Path, commits: u64) -> io::Result<Self> {
        let mut mark = Self { note: files.note(path, &whole(commits))?, commits, place: 0, is_synced: false };
        // It may be of a moment before the last ones: after a loss of power, or behind another waymark.
        mark.write()?;
        mark.sync()?;
        Ok(mark)
    }

    /// Notes that so many more are on the disk.
    pub(super) fn add(&mut self, commits: u64) -> io::Result<()> {
        if commits == 0 {
            return Ok(());
        }
        self.commits += commits;
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        self.is_synced = false;
        self.note.write_at(usize::from(self.place) * PLACE_BYTES, line(self.commits).as_bytes())?;
        self.place = (self.place + 1) % PLACES;
        Ok(())
    }

    /// Makes what is noted durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !self.is_synced {
            self.note.sync()?;
            self.is_synced = true;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::medium::Medium;

    #[test]
    fn one_place_is_enough_and_none_is_refused() {
        let (directory, medium) = (tempfile::tempdir().unwrap(), Medium::default());
        let (path, files) = (directory.path().join(FILE), &*medium.files);
        assert_eq!(read(files, &path).unwrap(), None);
        let mut mark = Mark::open(files, &path, 7).unwrap();
        assert_eq!(read(files, &path).unwrap(), Some(7));
        for commits in [8, 9, 10] {
            mark.add(1).unwrap();
            assert_eq!(read(files, &path).unwrap(), Some(commits));
        }
        mark.add(0).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(WORDS), "what it is for stands in it");
        for (hit, left) in [(0, 10), (PLACE_BYTES, 9)] {
            let mut damaged = bytes.clone();
            damaged[hit + 19] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert_eq!(read(files, &path).unwrap(), Some(left));
        }
        for damaged in ["", "no number at all", &"0".repeat(2_000)] {
            std::fs::write(&path, damaged).unwrap();
            let refusal = read(files, &path).unwrap_err().to_string();
            assert!(refusal.contains("remove it"), "{refusal}");
        }
        // Opened again at a later number, as behind a waymark that noted nothing.
        std::fs::write(&path, bytes).unwrap();
        drop(Mark::open(files, &path, 40).unwrap());
        assert_eq!(read(files, &path).unwrap(), Some(40));
    }
}
