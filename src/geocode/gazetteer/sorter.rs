//! Sorts more rows than memory should hold: runs of sorted rows go to files, which are merged in the end.
//!
//! Knows nothing of what a row is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Memory of the rows that are held, in bytes, about: 64 MiB are half a million addresses.
const HELD_BYTES_MAX: usize = 64 << 20;
/// Buffer of each run that is merged, in bytes: a hundred runs take a few megabytes.
const RUN_BUFFER_BYTES: usize = 64 << 10;
/// Longest stored row, in bytes: what is longer was not written by us.
const ROW_BYTES_MAX: usize = 1 << 20;

/// Takes rows in any order, and gives them back sorted.
pub(super) struct Sorter<T> {
    /// Where runs are written; made by the first of them, and removed with the sorter.
    directory: Scratch,
    held: Vec<T>,
    held_bytes: usize,
    held_bytes_max: usize,
    runs: Vec<PathBuf>,
}

/// A directory that goes when its owner does.
struct Scratch(PathBuf);

impl<T: Ord + Serialize + DeserializeOwned> Sorter<T> {
    /// An empty sorter, whose runs go into `directory`, which is its own.
    pub(super) fn new(directory: &Path) -> Self {
        let directory = Scratch(directory.to_owned());
        Self { directory, held: Vec::new(), held_bytes: 0, held_bytes_max: HELD_BYTES_MAX, runs: Vec::new() }
    }

    /// Takes a row, of about `bytes` bytes in memory.
    ///
    /// # Errors
    /// Where a run cannot be written.
    pub(super) fn push(&mut self, row: T, bytes: usize) -> io::Result<()> {
        self.held.push(row);
        self.held_bytes += bytes + size_of::<T>();
        if self.held_bytes >= self.held_bytes_max { self.spill() } else { Ok(()) }
    }

    /// Writes the rows that are held as a run.
    fn spill(&mut self) -> io::Result<()> {
        if self.runs.is_empty() {
            fs::create_dir_all(&self.directory.0)?;
        }
        let path = self.directory.0.join(self.runs.len().to_string());
        let mut run = BufWriter::with_capacity(RUN_BUFFER_BYTES, File::create(&path)?);
        self.held.sort();
        for row in self.held.drain(..) {
            let bytes = postcard::to_allocvec(&row).map_err(io::Error::other)?;
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            run.write_all(&length.to_le_bytes())?;
            run.write_all(&bytes)?;
        }
        run.flush()?;
        self.runs.push(path);
        self.held_bytes = 0;
        Ok(())
    }

    /// All rows, sorted; equal ones in any order.
    ///
    /// # Errors
    /// Where a run cannot be opened; later ones come with the rows.
    pub(super) fn sorted(mut self) -> io::Result<Sorted<T>> {
        self.held.sort();
        let mut runs = Vec::with_capacity(self.runs.len());
        for path in &self.runs {
            let file = BufReader::with_capacity(RUN_BUFFER_BYTES, File::open(path)?);
            runs.push(Run { file, row: PhantomData });
        }
        let held = std::mem::take(&mut self.held).into_iter();
        let mut sorted = Sorted { _directory: self.directory, held, runs, heads: BinaryHeap::new() };
        for run in 0..=sorted.runs.len() {
            sorted.advance(run)?;
        }
        Ok(sorted)
    }
}

/// Sorted rows, as they are merged.
pub(super) struct Sorted<T> {
    _directory: Scratch,
    held: std::vec::IntoIter<T>,
    runs: Vec<Run<T>>,
    /// The first row of each run that has one left; the last number is that of the held rows.
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

impl<T: Ord + DeserializeOwned> Sorted<T> {
    /// Takes the next row of a run to the others.
    fn advance(&mut self, run: usize) -> io::Result<()> {
        let row = match self.runs.get_mut(run) {
            Some(run) => run.next()?,
            None => self.held.next(),
        };
        self.heads.extend(row.map(|row| Reverse((row, run))));
        Ok(())
    }

    /// The next row; `None` behind the last.
    ///
    /// # Errors
    /// Where a run cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<T>> {
        let Some(Reverse((row, run))) = self.heads.pop() else { return Ok(None) };
        self.advance(run)?;
        Ok(Some(row))
    }
}

/// A file of sorted rows.
struct Run<T> {
    file: BufReader<File>,
    row: PhantomData<T>,
}

impl<T: DeserializeOwned> Run<T> {
    fn next(&mut self) -> io::Result<Option<T>> {
        let mut length = [0; 4];
        // A run ends between two rows.
        match self.file.read(&mut length[..1])? {
            0 => return Ok(None),
            _ => self.file.read_exact(&mut length[1..])?,
        }
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > ROW_BYTES_MAX {
            return Err(io::Error::other("a run of sorted rows was changed by others"));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        postcard::from_bytes(&bytes).map(Some).map_err(io::Error::other)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is cleared by the next build. Most sorters never made it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The oracle is the sort of the library, however many runs the rows fill.
        #[test]
        fn rows_come_sorted(rows in proptest::collection::vec(".{0,6}", 0..60), held_bytes_max in 1_usize..900) {
            let directory = tempfile::tempdir().unwrap();
            let scratch = directory.path().join("runs");
            let mut sorter = Sorter { held_bytes_max, ..Sorter::new(&scratch) };
            for row in &rows {
                sorter.push(row.clone(), row.len()).unwrap();
            }
            let mut sorted = sorter.sorted().unwrap();
            let mut found = Vec::new();
            while let Some(row) = sorted.next().unwrap() {
                found.push(row);
            }
            let mut expected = rows;
            expected.sort();
            prop_assert_eq!(found, expected);
            drop(sorted);
            prop_assert!(!scratch.exists(), "nothing is left");
        }
    }
}
