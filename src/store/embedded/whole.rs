//! Whether records and the index by which they are found are of each other: a tree that a disk damaged loses rows without a word,
//! and no checksum of a record tells of one that is not there.
//!
//! At the start the records are read one by one anyway, in the order of the file. Beside that the index is read once, and both
//! are compared by number and by a sum over all keys. Where they differ each entry is looked at: a record that is itself
//! damaged is told when it is read, and costs nothing else.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::super::Error;
use super::{Revision, rows};

/// Partition, kind and id, as they lie in the file.
pub(super) type Columns<'row> = [ValueRef<'row>; 3];

/// How many rows a tree has, and a sum over their ids and keys that does not depend on their order.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    rows: u64,
    sum: u64,
}

impl Tally {
    /// Takes a row in.
    pub(super) fn add(&mut self, row: i64, key: Columns<'_>) {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&row.to_be_bytes());
        for value in key {
            match value {
                ValueRef::Null => hasher.update(&[0]),
                ValueRef::Integer(number) => hash(&mut hasher, 1, &number.to_be_bytes()),
                ValueRef::Real(number) => hash(&mut hasher, 2, &number.to_be_bytes()),
                ValueRef::Text(text) => hash(&mut hasher, 3, text),
                ValueRef::Blob(bytes) => hash(&mut hasher, 4, bytes),
            }
        }
        self.join(Self { rows: 1, sum: hasher.finalize().into() });
    }

    /// Takes the rows of another part in.
    pub(super) fn join(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

fn hash(hasher: &mut crc32fast::Hasher, kind: u8, bytes: &[u8]) {
    hasher.update(&[kind]);
    hasher.update(bytes);
    hasher.update(&[0]);
}

/// Row id, partition, kind and id of each entry, in the index's order.
const ENTRIES: &str = "SELECT rowid, partition, kind, id FROM records ORDER BY partition, kind, id";

/// What the index has. Refuses one that is not in its order, in which nothing would be found.
pub(super) fn read_index(connection: &Connection, path: &Path) -> Result<Tally, Error> {
    let explain = |cause| rows::explain(path, &cause);
    let mut tally = Tally::default();
    let mut last: Option<(Vec<u8>, i64, Vec<u8>)> = None;
    let mut statement = connection.prepare(ENTRIES).map_err(explain)?;
    let mut entries = statement.query([]).map_err(explain)?;
    while let Some(entry) = entries.next().map_err(explain)? {
        let (row, key) = entry_of(entry).map_err(explain)?;
        tally.add(row, key);
        let [ValueRef::Text(partition), ValueRef::Integer(kind), ValueRef::Text(id)] = key else { continue };
        let (before, number, name) = last.get_or_insert_default();
        if (&**before, *number, &**name) > (partition, kind, id) {
            return Err(damaged(path, "the index of its records is not in order"));
        }
        // Their room is used again.
        if &**before != partition {
            partition.clone_into(before);
        }
        *number = kind;
        id.clone_into(name);
    }
    Ok(tally)
}

fn entry_of<'row>(entry: &'row Row<'_>) -> rusqlite::Result<(i64, Columns<'row>)> {
    Ok((entry.get(0)?, [entry.get_ref(1)?, entry.get_ref(2)?, entry.get_ref(3)?]))
}

fn damaged(path: &Path, cause: &str) -> Error {
    Error::Damaged { path: path.to_owned(), cause: cause.to_owned() }
}

/// Compares what the records were found to have with the index. Fails where a record is in one of them alone.
pub(super) fn compare(connection: &Connection, path: &Path, records: Tally, index: Tally) -> Result<(), Error> {
    if records == index {
        return Ok(());
    }
    if records.rows != index.rows {
        let cause = format!("{} records are there, and its index has {}", records.rows, index.rows);
        return Err(damaged(path, &cause));
    }
    look_at_each(connection, path)
}

/// Looks up the record of each entry, the slow way.
fn look_at_each(connection: &Connection, path: &Path) -> Result<(), Error> {
    let explain = |cause| rows::explain(path, &cause);
    let text = "SELECT partition, kind, id, revision, checksum, document, packed FROM records WHERE rowid = ?1";
    let mut record = connection.prepare(text).map_err(explain)?;
    let mut statement = connection.prepare(ENTRIES).map_err(explain)?;
    let mut entries = statement.query([]).map_err(explain)?;
    while let Some(entry) = entries.next().map_err(explain)? {
        let (row, key) = entry_of(entry).map_err(explain)?;
        let judge = |found: &Row<'_>| Ok(is_own(found, key)? || !is_whole(found));
        let is_good = record.query_row([row], judge).optional().map_err(explain)?;
        match is_good {
            Some(true) => {}
            Some(false) => return Err(damaged(path, "a record is in its index under another name")),
            None => return Err(damaged(path, "its index has a record that is not there")),
        }
    }
    Ok(())
}

/// Whether a record has this key.
fn is_own(found: &Row<'_>, key: Columns<'_>) -> rusqlite::Result<bool> {
    Ok([found.get_ref(0)?, found.get_ref(1)?, found.get_ref(2)?] == key)
}

/// Whether a record is what was written.
fn is_whole(found: &Row<'_>) -> bool {
    let sum_of = || {
        let (partition, id) = (found.get_ref(0).ok()?.as_bytes().ok()?, found.get_ref(2).ok()?.as_bytes().ok()?);
        let (kind, revision) = (found.get(1).ok()?, Revision(found.get::<_, i64>(3).ok()?.cast_unsigned()));
        let document = found.get_ref(5).ok()?.as_bytes().ok()?;
        let packed = found.get_ref(6).ok()?.as_bytes_or_null().ok()?;
        Some(rows::checksum_of(partition, kind, id, revision, document, packed))
    };
    sum_of().is_some_and(|sum| found.get(4) == Ok(i64::from(sum)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use rusqlite::Connection;

    use super::super::tests::{claim, runtime, site};
    use super::super::{Embedded, Error, FILE, Store as _, Visit};
    use crate::store::Loaded;

    /// Bytes of a page, as the schema makes it.
    const PAGE_BYTES: usize = 8_192;
    const TREES: [&str; 2] = ["records", "sqlite_autoindex_records_1"];

    /// A closed store of some records, each tree of which is one page.
    fn written(directory: &Path) {
        runtime().block_on(async {
            let store = Embedded::open(directory).unwrap();
            for mutation in [claim("one"), claim("two"), site("hit"), claim("three")] {
                store.commit(vec![mutation]).await.unwrap();
            }
            store.close().await;
        });
    }

    fn ask(directory: &Path, text: &str) -> i64 {
        Connection::open(directory.join(FILE)).unwrap().query_row(text, [], |row| row.get(0)).unwrap()
    }

    /// Changes the page of a tree, as a disk may.
    fn damage(directory: &Path, tree: &str, change: impl FnOnce(&mut [u8])) {
        let root = ask(directory, &format!("SELECT rootpage FROM sqlite_schema WHERE name = '{tree}'"));
        let mut bytes = std::fs::read(directory.join(FILE)).unwrap();
        let at = usize::try_from(root - 1).unwrap() * PAGE_BYTES;
        let page = &mut bytes[at..at + PAGE_BYTES];
        assert!([0x0d, 0x0a].contains(&page[0]), "{tree} has more than one page");
        change(page);
        std::fs::write(directory.join(FILE), bytes).unwrap();
    }

    /// Takes the last row of a page out of its count.
    fn lose_row(page: &mut [u8]) {
        page[4] -= 1;
    }

    /// How many sites a start finds, and how many it cannot read.
    fn load(directory: &Path) -> Result<(usize, usize), Error> {
        let told: Arc<Mutex<(usize, usize)>> = Arc::default();
        let visit = || {
            let told = Arc::clone(&told);
            Box::new(move |found: Result<Loaded<'_>, Error>| match found {
                Ok(_) => told.lock().0 += 1,
                Err(_) => told.lock().1 += 1,
            }) as Visit
        };
        let store = Embedded::open(directory).unwrap();
        runtime().block_on(store.load(vec![visit(), visit()]))?;
        let told = *told.lock();
        Ok(told)
    }

    #[test]
    fn a_row_that_a_tree_lost_without_a_word_ends_the_start() {
        for (tree, way) in TREES.into_iter().zip(["NOT INDEXED", "INDEXED BY sqlite_autoindex_records_1"]) {
            let directory = tempfile::tempdir().unwrap();
            written(directory.path());
            assert_eq!(load(directory.path()).unwrap(), (1, 0));
            damage(directory.path(), tree, lose_row);
            let left = ask(directory.path(), &format!("SELECT count(id) FROM records {way}"));
            assert_eq!(left, 3, "SQLite says something of it itself");
            let told = load(directory.path()).unwrap_err();
            assert!(matches!(told, Error::Damaged { .. }), "{told:?}");
            assert!(told.to_string().contains("restore it from a backup"), "{told}");
        }
    }

    /// A name is found by the index alone: where it stands there under another one it could be given away twice.
    #[test]
    fn an_index_that_has_another_name_ends_the_start_and_a_damaged_record_does_not() {
        let flip = |page: &mut [u8]| {
            let at = page.windows(5).rposition(|window| window == b"three").expect("the name is there");
            // `tiree`: in the same place of the order.
            page[at + 1] ^= 1;
        };
        for (tree, is_refused) in [(TREES[0], false), (TREES[1], true)] {
            let directory = tempfile::tempdir().unwrap();
            written(directory.path());
            damage(directory.path(), tree, flip);
            let found = load(directory.path());
            assert_eq!(matches!(found, Err(Error::Damaged { .. })), is_refused, "{tree}: {found:?}");
            assert_eq!(found.is_ok(), !is_refused, "{tree}: {found:?}");
        }
    }

    #[test]
    fn an_index_out_of_order_ends_the_start() {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path());
        damage(directory.path(), TREES[1], |page| {
            let at = page.windows(5).rposition(|window| window == b"three").expect("the name is there");
            page[at] = b'a';
        });
        let told = load(directory.path()).unwrap_err().to_string();
        assert!(told.contains("not in order") || told.contains("another name"), "{told}");
    }
}
