//! Tests of what a start reads: packed copies where all of them are what was written, and documents where they are not.

use std::collections::BTreeMap;

use super::tally::{Changes, SPAN_ROWS};
use super::tests::{claim, open_file, runtime, site};
use super::transfer::Directory;
use super::*;
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::transfer::{self, Transfer as _};
use crate::store::{Expect, Kind, Loaded};

/// The names of the sites that a load of a directory finds, and how many it cannot read.
pub(super) fn load(directory: &Path) -> (Vec<String>, usize) {
    let store = Embedded::open(directory).unwrap();
    let told: Arc<Mutex<(Vec<String>, usize)>> = Arc::default();
    let visit = || {
        let told = Arc::clone(&told);
        Box::new(move |found: Result<Loaded<'_>, Error>| match found {
            Ok(Loaded::Site(site)) => told.lock().0.push(site.display_name.to_string()),
            Err(Error::Corrupt { kind: Kind::Site, .. }) => told.lock().1 += 1,
            other => panic!("{other:?}"),
        }) as Visit
    };
    runtime().block_on(store.load(vec![visit(), visit()])).unwrap();
    let (mut names, unreadable) = std::mem::take(&mut *told.lock());
    names.sort();
    (names, unreadable)
}

/// What a look at all records says.
pub(super) fn prove(directory: &Path) -> Result<(), Error> {
    let store = Embedded::open(directory).unwrap();
    runtime().block_on(store.prove())
}

/// A closed store of some sites, in the order of their row ids, which begin with 1.
fn written(directory: &Path, names: &[&str]) {
    runtime().block_on(async {
        let store = Embedded::open(directory).unwrap();
        for name in names {
            store.commit(vec![site(name)]).await.unwrap();
        }
        store.close().await;
    });
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn execute(directory: &Path, text: &str) {
    open_file(directory).execute_batch(text).unwrap();
}

/// Row, revision and bytes of each copy.
fn copies(directory: &Path) -> Vec<(i64, i64, Vec<u8>)> {
    let file = open_file(directory);
    let mut statement = file.prepare("SELECT record, revision, copy FROM packed ORDER BY record").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Gives a row another copy, as no honest writer does: it shows that copies are read. The tally may know of it.
fn write_copy(directory: &Path, (record, revision): (i64, i64), copy: Option<&[u8]>, is_counted: bool) {
    let (file, mut changes) = (open_file(directory), Changes::default());
    let revision = Revision(revision.cast_unsigned());
    packs::put(&file, record, Kind::Site, revision, copy, &mut changes).unwrap();
    if is_counted {
        changes.write(&file).unwrap();
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn a_site_is_read_from_its_copy_and_else_from_its_document() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), &["copied", "without", "newer"]);
    let rows = copies(directory.path());
    let key = |at: usize| (rows[at].0, rows[at].1);
    write_copy(directory.path(), key(0), Some(&replaced(&rows[0].2, b"copied", b"COPIED")), true);
    write_copy(directory.path(), key(1), None, true);
    write_copy(directory.path(), key(2), Some(&[&[u8::MAX], &rows[2].2[1..]].concat()), true);
    assert_eq!(load(directory.path()), (names(&["COPIED", "newer", "without"]), 0));
    prove(directory.path()).unwrap();
}

/// What a disk does to the store in this directory.
type Fault = fn(&Path);

/// Each is what a disk may do to copies, or to what is counted of them: a start takes none of it, and finds all that is there.
#[test]
fn copies_that_are_not_all_those_that_were_written_cost_time_alone() {
    let faults: [(&str, Fault); 8] = [
        ("a flipped bit", |path| {
            let copy = replaced(&copies(path)[0].2, b"one", b"ONE");
            assert_eq!(open_file(path).execute("UPDATE packed SET copy = ?1 WHERE record = 1", [copy]).unwrap(), 1);
        }),
        ("another revision", |path| execute(path, "UPDATE packed SET revision = revision + 1 WHERE record = 1")),
        ("another kind", |path| execute(path, "UPDATE packed SET kind = 2 WHERE record = 1")),
        ("one that is lost", |path| execute(path, "DELETE FROM packed WHERE record = 2")),
        ("all are lost", |path| execute(path, "DELETE FROM packed")),
        ("one of nobody", |path| write_copy(path, (7, 1), None, false)),
        ("an earlier one", |path| {
            let (record, revision, copy) = copies(path)[1].clone();
            write_copy(path, (record, revision - 1), Some(&replaced(&copy, b"two", b"TWO")), false);
        }),
        ("another sum", |path| execute(path, "UPDATE tallies SET sums = sums + 1")),
    ];
    for (what, fault) in faults {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path(), &["one", "two"]);
        fault(directory.path());
        assert_eq!(load(directory.path()), (names(&["one", "two"]), 0), "{what}");
        prove(directory.path()).unwrap();
    }
}

/// A page of the table of copies whose structure is gone, as SQLite itself finds out.
#[test]
fn a_table_of_copies_that_is_no_tree_any_more_costs_time_alone() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), &["one", "two"]);
    let text = "SELECT (rootpage - 1) * 8192 FROM sqlite_schema WHERE name = 'packed'";
    let at: i64 = open_file(directory.path()).query_row(text, [], |row| row.get(0)).unwrap();
    let mut bytes = std::fs::read(directory.path().join(FILE)).unwrap();
    bytes[usize::try_from(at).unwrap()] = 0xff;
    std::fs::write(directory.path().join(FILE), bytes).unwrap();
    assert_eq!(load(directory.path()), (names(&["one", "two"]), 0));
}

#[test]
fn without_copies_and_what_was_counted_a_record_that_is_lost_ends_the_start() {
    for fault in ["DELETE FROM tallies", "UPDATE tallies SET records = records + 1, sums = 0"] {
        let directory = tempfile::tempdir().unwrap();
        written(directory.path(), &["one", "two"]);
        execute(directory.path(), fault);
        let store = Embedded::open(directory.path()).unwrap();
        let told = runtime().block_on(store.load(vec![Box::new(|_| {})])).unwrap_err();
        assert!(matches!(told, Error::Damaged { .. }), "{told:?}");
    }
}

/// A copy with the record of a deleted site, or of an earlier state, would show what is not there.
#[test]
fn copies_go_with_their_records() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (site("first"), site("second"));
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        store.commit(vec![first.clone(), second.clone()]).await.unwrap();
        store.commit(vec![claim("claim")]).await.unwrap();
        let (Mutation { key, .. }, Some(Document::Site(was))) = (&second, &second.document) else { panic!("no site") };
        let renamed = Site { display_name: "renamed".to_owned(), ..(**was).clone() };
        let document = Some(Document::Site(Box::new(renamed)));
        store.commit(vec![Mutation { key: key.clone(), expect: Expect::Any, document }]).await.unwrap();
        store.commit(vec![Mutation::keep(key.clone(), Document::Site(was.clone()))]).await.unwrap();
        store.commit(vec![Mutation::delete(first.key.clone())]).await.unwrap();
        store.commit(vec![Mutation::delete(first.key)]).await.unwrap();
        store.close().await;
    });
    assert_eq!(load(directory.path()), (names(&["renamed"]), 0));
    prove(directory.path()).unwrap();
    let text = "SELECT sum(records), sum(copies) FROM tallies";
    let counted: (i64, i64) =
        open_file(directory.path()).query_row(text, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(counted, (2, 1));
}

/// Copies are of row ids: SQLite promises to keep them for rows with a number of their own alone, and keeps them for tables with an
/// index. Of the version that is built in, this holds it to that.
#[test]
fn a_file_that_is_written_anew_keeps_its_row_ids() {
    let directory = tempfile::tempdir().unwrap();
    let sites: Vec<Mutation> = (0..20).map(|number| site(&format!("{number:02}"))).collect();
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        store.commit(sites.clone()).await.unwrap();
        for gone in sites.iter().step_by(3) {
            store.commit(vec![Mutation::delete(gone.key.clone())]).await.unwrap();
        }
        store.scrub().await.unwrap();
        store.close().await;
    });
    let text = "SELECT count(*) FROM packed JOIN records ON records.rowid = packed.record
                WHERE records.revision = packed.revision AND records.rowid % 3 <> 1";
    let kept: i64 = open_file(directory.path()).query_row(text, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 13);
    assert_eq!(load(directory.path()).0.len(), 13);
    prove(directory.path()).unwrap();
}

#[test]
fn what_a_migration_fills_has_copies() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(from.path(), &["one", "two"]);
    runtime().block_on(async {
        let source = Directory::source(from.path()).unwrap();
        let target = Directory::target(to.path()).unwrap();
        let account: AccountId = "acme".parse().unwrap();
        let rows = source.page(Some(&account), Kind::Site, None).await.unwrap();
        let partitions: transfer::Partitions = BTreeMap::from([(Some(account), Revision(2))]);
        target.begin(&partitions).await.unwrap();
        target.put(&rows).await.unwrap();
        target.seal().await.unwrap();
    });
    assert!(copies(to.path()).iter().all(|(_, _, copy)| !copy.is_empty()));
    assert_eq!(load(to.path()), (names(&["one", "two"]), 0));
    prove(to.path()).unwrap();
}

#[test]
fn a_load_finds_rows_wherever_they_are_and_tells_of_unreadable_ones() {
    let directory = tempfile::tempdir().unwrap();
    let all = ["first", "second", "third", "hit", "no json", "beside", "last"];
    written(directory.path(), &all);
    // Row ids at both ends, on both sides of the end of a span, and far apart.
    let least = i64::MIN;
    let faults = format!(
        r#"UPDATE records SET document = CAST(replace(CAST(document AS TEXT), '"hit"', '"HIT"') AS BLOB) WHERE rowid = 4;
        UPDATE records SET document = x'ff' WHERE rowid = 5;
        UPDATE records SET rowid = {least} WHERE rowid = 1;
        UPDATE records SET rowid = {least} + {SPAN_ROWS} - 1 WHERE rowid = 2;
        UPDATE records SET rowid = {least} + {SPAN_ROWS} WHERE rowid = 3;
        UPDATE records SET rowid = rowid * 1000000007 WHERE rowid BETWEEN 4 AND 6;
        UPDATE records SET rowid = {} WHERE rowid = 7;
        DELETE FROM tallies;"#,
        i64::MAX
    );
    execute(directory.path(), &faults);
    packs::fill(&open_file(directory.path()), false).unwrap();
    let found = (names(&["beside", "first", "last", "second", "third"]), 2);
    assert_eq!(load(directory.path()), found, "from copies");
    execute(directory.path(), "DELETE FROM packed");
    assert_eq!(load(directory.path()), found, "from documents");
    let counted = faults::corrupt_reads();
    prove(directory.path()).unwrap();
    assert!(faults::corrupt_reads() >= counted + 2, "nobody is told");
}

#[test]
fn a_column_of_another_type_costs_its_row_alone() {
    let directory = tempfile::tempdir().unwrap();
    let faults = [
        ("partition", "7"),
        ("id", "7"),
        ("revision", "'much'"),
        ("checksum", "0.5"),
        ("checksum", "NULL"),
        ("document", "7"),
        ("packed", "7.5"),
    ];
    let damaged: Vec<String> = (0..faults.len()).map(|at| format!("damaged {at}")).collect();
    let all: Vec<&str> = ["well"].into_iter().chain(damaged.iter().map(String::as_str)).collect();
    written(directory.path(), &all);
    // The table is strict, so that only a disk makes such rows: it is not for as long as they are made.
    let schema = |from: &str, to: &str| {
        let text = format!(
            "PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}') WHERE name = 'records';"
        );
        execute(directory.path(), &text);
    };
    let table: String = open_file(directory.path())
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'records'", [], |row| row.get(0))
        .unwrap();
    let loose = table.replace("STRICT", "").replace("NOT NULL", "").replace("TEXT", "").replace("BLOB", "");
    schema(&table, &loose);
    for ((column, value), row) in faults.iter().zip(2..) {
        let text = format!("UPDATE records SET {column} = {value} WHERE rowid = {row}");
        assert_eq!(open_file(directory.path()).execute(&text, []).unwrap(), 1);
    }
    schema(&loose, &table);
    assert_eq!(load(directory.path()).1, 0, "copies are read, and no documents");
    prove(directory.path()).unwrap();
    execute(directory.path(), "DELETE FROM packed");
    assert_eq!(load(directory.path()), (vec!["well".to_owned()], faults.len()));
}
