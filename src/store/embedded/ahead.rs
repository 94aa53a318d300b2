//! Reading the pages of packed copies ahead of the start that wants them. A file that grew has them among all others, and a thread that
//! reads one at a time waits for most of its time.
//!
//! They are read and forgotten, so that the system has them in memory: nothing hangs on what is in them, or on whether they can be read.
//! Which pages they are stands in the inner pages of their tree, whose layout is that of SQLite's file format.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;

use super::load::Spans;

/// Pages that are read at once: what a disk of flash does at once costs little more than one.
const THREADS: usize = 8;
/// Levels of a tree: one of more is damaged.
const DEPTH_MAX: usize = 8;
/// Inner pages of a tree. Each has some hundred below it, so that one of more is damaged.
const INNER_PAGES_MAX: usize = 65_536;

/// What the first byte of an inner page of a table says, and of a page of rows.
const INNER: u8 = 0x05;
const LEAF: u8 = 0x0d;
/// Where an inner page has the number of its cells, the page behind the last of them, and the places of all.
const CELLS_AT: usize = 3;
const LAST_AT: usize = 8;
const PLACES_AT: usize = 12;

/// A database's pages, as they lie in its file.
struct Pages {
    file: File,
    page_bytes: usize,
}

impl Pages {
    fn read(&self, page: u32, room: &mut [u8]) -> io::Result<()> {
        let at = u64::from(page.saturating_sub(1)) * self.page_bytes as u64;
        self.file.read_exact_at(room, at)
    }

    fn room(&self) -> Vec<u8> {
        vec![0; self.page_bytes]
    }
}

/// The pages below an inner one; none below another.
fn below(page: &[u8]) -> Vec<u32> {
    if page.first() != Some(&INNER) {
        return Vec::new();
    }
    let short = |at: usize| page.get(at..)?.first_chunk().map(|bytes| usize::from(u16::from_be_bytes(*bytes)));
    let number = |at: usize| page.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let cells = short(CELLS_AT).unwrap_or_default();
    let mut found: Vec<u32> = (0..cells).filter_map(|cell| number(short(PLACES_AT + 2 * cell)?)).collect();
    found.extend(number(LAST_AT));
    found
}

/// The pages right above those of rows, in the order of the rows; none for a tree that is one page.
fn above_leaves(pages: &Pages, root: u32) -> io::Result<Vec<u32>> {
    let (mut level, mut room) = (vec![root], pages.room());
    for _ in 0..DEPTH_MAX {
        let Some(first) = level.first() else { break };
        pages.read(*first, &mut room)?;
        let Some(first) = below(&room).first().copied() else { break };
        pages.read(first, &mut room)?;
        // A tree is as deep everywhere.
        if room.first() == Some(&LEAF) {
            return Ok(level);
        }
        let mut next = Vec::new();
        for page in &level {
            pages.read(*page, &mut room)?;
            next.extend(below(&room));
            if next.len() > INNER_PAGES_MAX {
                return Ok(Vec::new());
            }
        }
        level = next;
    }
    Ok(Vec::new())
}

/// Where the pages of copies are found.
fn find(connection: &Connection, path: &Path) -> Option<(Pages, Vec<u32>)> {
    let text = "SELECT rootpage FROM sqlite_schema WHERE name = 'packed'";
    let root = connection.query_row(text, [], |row| row.get::<_, u32>(0)).ok()?;
    let page_bytes = connection.pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0)).ok()?;
    let pages = Pages { file: File::open(path).ok()?, page_bytes: usize::try_from(page_bytes).ok()? };
    let inner = above_leaves(&pages, root).ok()?;
    Some((pages, inner))
}

/// Reads the pages of all copies, several at once, until somebody has the last span.
pub(super) fn read(connection: &Connection, path: &Path, spans: &Spans) {
    let Some((pages, inner)) = find(connection, path) else { return };
    let taken = AtomicUsize::new(0);
    let work = || {
        let (mut above, mut leaf) = (pages.room(), pages.room());
        while let Some(page) = inner.get(taken.fetch_add(1, Ordering::Relaxed)) {
            if spans.are_given_out() || pages.read(*page, &mut above).is_err() {
                return;
            }
            for page in below(&above) {
                // One that cannot be read here, SQLite tells of.
                let _ = pages.read(page, &mut leaf);
            }
        }
    };
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(work))));
}

#[cfg(test)]
mod tests {
    use super::super::schema::{self, APPLICATION_ID};
    use super::*;

    /// A database with so many copies, two of which fill a page.
    fn filled(path: &Path, copies: u32) -> Connection {
        let mut connection = Connection::open(path).unwrap();
        schema::make_tables(&mut connection, APPLICATION_ID).unwrap();
        let text = "WITH RECURSIVE numbers (number) AS
                    (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?1)
                    INSERT INTO packed SELECT number, 3, 1, 0, zeroblob(3500) FROM numbers";
        connection.execute(text, [copies]).unwrap();
        connection
    }

    #[test]
    fn all_pages_of_copies_are_found_in_trees_of_any_depth() {
        for copies in [1, 30, 4_000] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("file");
            let connection = filled(&path, copies);
            let (pages, inner) = find(&connection, &path).unwrap();
            let (mut found, mut room) = (Vec::new(), pages.room());
            for page in &inner {
                pages.read(*page, &mut room).unwrap();
                found.extend(below(&room));
            }
            let text = "SELECT pageno FROM dbstat WHERE name = 'packed' AND pagetype = 'leaf' ORDER BY path";
            let mut statement = connection.prepare(text).unwrap();
            let leaves = statement.query_map([], |row| row.get::<_, u32>(0)).unwrap();
            let leaves: Vec<u32> = leaves.collect::<Result<_, _>>().unwrap();
            let expected = if copies == 1 { Vec::new() } else { leaves };
            assert_eq!(found, expected, "{copies} copies");
            // It ends, and changes nothing.
            read(&connection, &path, &Spans::default());
        }
    }

    #[test]
    fn a_tree_that_goes_round_in_circles_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut page = vec![0_u8; 512];
        (page[0], page[CELLS_AT + 1], page[LAST_AT + 3]) = (INNER, 200, 1);
        // Each cell is where it says that the page itself is below it.
        page[PLACES_AT..].chunks_exact_mut(2).for_each(|place| place[1] = 8);
        std::fs::write(&path, &page).unwrap();
        let pages = Pages { file: File::open(&path).unwrap(), page_bytes: 512 };
        assert_eq!(below(&page), vec![1; 201]);
        assert!(above_leaves(&pages, 1).unwrap().is_empty());
        assert!(below(&[INNER]).is_empty() && below(&[]).is_empty());
    }
}
