//! Whether records and the index by which they are found are what was written: a tree that a disk damaged loses rows without a word,
//! and no checksum of a record tells of one that is not there.
//!
//! Span by span of row ids, each as of one moment, so that commits go on meanwhile: all records are read and checked, counted, held
//! against the span's tally, and looked up in the index. A record that is itself damaged is told, and costs nothing else. The tables
//! of the past are not looked at: copies of the store are.

use std::path::Path;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OptionalExtension, Row};

use super::super::{Error, Kind, faults};
use super::tally::{self, Tally};
use super::{Revision, rows};

/// The records of rows between two ids, in the columns that [`is_whole`] looks at.
const RECORDS: &str = "SELECT partition, kind, id, revision, checksum, document, packed, rowid FROM records
    WHERE rowid BETWEEN ?1 AND ?2";

/// Shows the records of a span, each with whether it is what was written. Fails where one is lost, or is found under another name.
///
/// For all of it to be of one moment, the caller has a transaction open.
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    span: i64,
    show: &mut dyn FnMut(&Row<'_>, bool),
) -> Result<(), Error> {
    let explain = |cause| rows::explain(path, &cause);
    let (first, last) = tally::bounds(span);
    let mut statement = connection.prepare_cached(RECORDS).map_err(explain)?;
    let mut records = statement.query([first, last]).map_err(explain)?;
    let (mut found, mut are_whole) = (Tally::default(), true);
    while let Some(row) = records.next().map_err(explain)? {
        found.add_record(tally::name_of(row).map_err(explain)?);
        let is_whole = is_whole(row);
        if is_whole && !is_indexed(connection, row).map_err(explain)? {
            return Err(damaged(path, "a record is not in its index, or is there under another name"));
        }
        are_whole &= is_whole;
        show(row, is_whole);
    }
    let noted = tally::read(connection, span).map_err(explain)?;
    if found.records != noted.records {
        let (found, noted) = (found.records, noted.records);
        return Err(damaged(path, &format!("of {noted} records that stood together {found} are there")));
    }
    // The name of one that is damaged may be what is.
    if found.names != noted.names && are_whole {
        return Err(damaged(path, "records are not those that were written"));
    }
    Ok(())
}

/// Shows the records of the first span from one on that has any, or had; gives the span to go on with, or nothing at the end.
pub(super) fn check_on(
    connection: &Connection,
    path: &Path,
    from: i64,
    show: &mut dyn FnMut(&Row<'_>, bool),
) -> Result<Option<i64>, Error> {
    let explain = |cause| rows::explain(path, &cause);
    // One moment for records, index and tally. Another one may begin for the next span.
    let moment = connection.unchecked_transaction().map_err(explain)?;
    let filled = tally::next_filled(&moment, "SELECT min(rowid) FROM records WHERE rowid >= ?1", from);
    let counted = tally::next_counted(&moment, from).map_err(explain)?;
    let Some(span) = filled.map_err(explain)?.into_iter().chain(counted).min() else { return Ok(None) };
    check(&moment, path, span, show)?;
    Ok(tally::behind(span))
}

/// The same, where the log tells of each record that is damaged.
pub(super) fn prove_on(connection: &Connection, path: &Path, from: i64) -> Result<Option<i64>, Error> {
    check_on(connection, path, from, &mut |row, is_whole| {
        let kind = row.get(1).ok().and_then(Kind::of);
        if let Some(kind) = kind.filter(|_| !is_whole) {
            tell(row, kind, path);
        }
    })
}

/// Tells of a row that is not what was written; gives what is known of it.
pub(super) fn tell(row: &Row<'_>, kind: Kind, path: &Path) -> Error {
    let text = |column: usize| {
        let bytes = row.get_ref(column).ok().and_then(|value| value.as_bytes().ok());
        bytes.map(String::from_utf8_lossy).unwrap_or_default().into_owned()
    };
    faults::unreadable(&text(0), kind, &text(2), path).into()
}

/// Whether the index finds this row under its name.
fn is_indexed(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<bool> {
    let text = "SELECT rowid FROM records WHERE partition = ?1 AND kind = ?2 AND id = ?3";
    let name = tally::name_of(row)?.map(ToSqlOutput::Borrowed);
    let found = connection.prepare_cached(text)?.query_row(name, |entry| entry.get::<_, i64>(0)).optional()?;
    Ok(found == Some(row.get(7)?))
}

/// A file that is damaged where records are found.
pub(super) fn damaged(path: &Path, cause: &str) -> Error {
    Error::Damaged { path: path.to_owned(), cause: cause.to_owned() }
}

/// Whether a record is what was written, by its partition, kind, id, revision, checksum, document, and the copy beside that.
pub(super) fn is_whole(found: &Row<'_>) -> bool {
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

    use super::super::starts::prove;
    use super::super::tests::{claim, runtime, site};
    use super::super::{Embedded, Error, FILE, Store as _, Visit, directory};
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

    /// Noticed beside calls, as it was at starts that read everything; from then on no start goes on until it is mended.
    #[test]
    fn a_row_that_a_tree_lost_without_a_word_is_noticed_and_ends_the_next_start() {
        for (tree, way) in TREES.into_iter().zip(["NOT INDEXED", "INDEXED BY sqlite_autoindex_records_1"]) {
            let directory = tempfile::tempdir().unwrap();
            written(directory.path());
            prove(directory.path()).unwrap();
            let good = std::fs::read(directory.path().join(FILE)).unwrap();
            damage(directory.path(), tree, lose_row);
            let left = ask(directory.path(), &format!("SELECT count(id) FROM records {way}"));
            assert_eq!(left, 3, "SQLite says something of it itself");
            assert_eq!(load(directory.path()).unwrap(), (1, 0), "copies are whole");
            let told = prove(directory.path()).unwrap_err();
            assert!(matches!(told, Error::Damaged { .. }), "{told:?}");
            assert!(told.to_string().contains("restore it from a backup"), "{told}");
            for _ in 0..2 {
                let refused = load(directory.path()).unwrap_err();
                assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
            }
            std::fs::write(directory.path().join(FILE), good).unwrap();
            assert_eq!(load(directory.path()).unwrap(), (1, 0));
            assert!(!directory::has_word_of_damage(directory.path()), "each start looks at everything");
        }
    }

    /// Counted as they are then, the records that are lost would never be missed.
    #[test]
    fn a_file_of_an_older_format_that_lost_a_row_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path());
        let undo = "DROP TABLE packed; DROP TABLE tallies; DROP TABLE layout; PRAGMA user_version = 3;
                    PRAGMA wal_checkpoint(TRUNCATE);";
        Connection::open(directory.path().join(FILE)).unwrap().execute_batch(undo).unwrap();
        damage(directory.path(), TREES[0], lose_row);
        for _ in 0..2 {
            let refused = Embedded::open(directory.path()).unwrap_err().to_string();
            assert!(refused.contains("is damaged: restore it from a backup"), "{refused}");
        }
    }

    /// A name is found by the index alone: where it stands there under another one it could be given away twice.
    #[test]
    fn an_index_that_has_another_name_is_noticed_and_a_damaged_record_costs_itself_alone() {
        let flip = |page: &mut [u8]| {
            let at = page.windows(5).rposition(|window| window == b"three").expect("the name is there");
            // `tiree`: in the same place of the order.
            page[at + 1] ^= 1;
        };
        for (tree, is_told) in [(TREES[0], false), (TREES[1], true)] {
            let directory = tempfile::tempdir().unwrap();
            written(directory.path());
            damage(directory.path(), tree, flip);
            let proven = prove(directory.path());
            assert_eq!(matches!(proven, Err(Error::Damaged { .. })), is_told, "{tree}: {proven:?}");
            assert_eq!(proven.is_ok(), !is_told, "{tree}: {proven:?}");
        }
    }

    #[test]
    fn an_index_out_of_order_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path());
        damage(directory.path(), TREES[1], |page| {
            let at = page.windows(5).rposition(|window| window == b"three").expect("the name is there");
            page[at] = b'a';
        });
        let told = prove(directory.path()).unwrap_err().to_string();
        assert!(told.contains("another name"), "{told}");
    }

    /// Commits go on while all records are looked at, and what they write is of another moment.
    #[test]
    fn a_look_at_all_records_goes_on_beside_commits() {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path()).unwrap();
        runtime().block_on(async {
            let writing = async {
                for number in 0..100 {
                    store.commit(vec![site(&number.to_string())]).await.unwrap();
                }
            };
            let looking = async {
                for _ in 0..100 {
                    store.prove().await.unwrap();
                }
            };
            tokio::join!(writing, looking);
        });
    }
}
