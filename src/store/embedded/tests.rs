//! The embedded engine: the contract, and what is its own: durability, one holder, checksums, formats.

use super::*;
use crate::model::id::SiteId;
use crate::model::site::Site;
use crate::store::document::{Document, NameClaim};
use crate::store::failing::Failing;
use crate::store::panicking::Panicking;
use crate::store::{Kind, Loaded, contract};

pub(super) fn claim(id: &str) -> Mutation {
    let site = SiteId::from_u128(7);
    Mutation::create(Key::operator(Kind::SiteName, id), Document::SiteName(NameClaim { site }))
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The engine, holding a lock on a directory that is taken away with it.
fn open_file(directory: &Path) -> Connection {
    Connection::open(directory.join("waymark.sqlite3")).unwrap()
}

#[test]
fn it_keeps_the_contract() {
    let directories = tempfile::tempdir().unwrap();
    let mut number = 0;
    contract::check(&mut || {
        number += 1;
        let store = Embedded::open(&directories.path().join(number.to_string())).unwrap();
        Box::pin(async move { Box::new(store) as Box<dyn Store> })
    });
}

/// The double of other tests says nothing while it is told nothing.
#[test]
fn a_store_that_may_fail_keeps_the_contract_until_it_is_told_to() {
    let directories = tempfile::tempdir().unwrap();
    let mut number = 0;
    contract::check(&mut || {
        number += 1;
        let inner = Embedded::open(&directories.path().join(number.to_string())).unwrap();
        Box::pin(async move { Box::new(Failing::new(Arc::new(inner))) as Box<dyn Store> })
    });
}

/// F16: what was written is there, nobody is told that it is not, and the process hears that it has to end.
#[test]
fn a_panic_of_the_writer_is_told_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    runtime().block_on(async {
        store.observe(Arc::new(Panicking::after(1))).await.unwrap();
        store.commit(vec![claim("one")]).await.unwrap();
        let told = store.commit(vec![claim("two")]).await;
        assert!(matches!(told, Err(Error::Unknown { .. })), "{told:?}");
        assert!(store.broken().await.contains("panicked"));
        let late = store.commit(vec![claim("three")]).await;
        // Its thread may be on its way out still, and take what it never answers.
        assert!(matches!(late, Err(Error::Unavailable { .. } | Error::Unknown { .. })), "{late:?}");
        assert!(store.get(Key::operator(Kind::SiteName, "two")).await.unwrap().is_some(), "reads go on until then");
        store.close().await;
    });
    drop(store);
    let again = Embedded::open(directory.path()).unwrap();
    assert_eq!(runtime().block_on(again.revision(None)).unwrap(), Revision(2));
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let revision = runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        store.commit(vec![claim("kept")]).await.unwrap()
    });
    // The engine was dropped, not closed. Its thread may hold the lock a moment longer.
    let store = Embedded::open(directory.path()).unwrap();
    assert_eq!(runtime().block_on(store.revision(None)).unwrap(), revision);
    let found = runtime().block_on(store.get(Key::operator(Kind::SiteName, "kept"))).unwrap();
    assert_eq!(found.unwrap().revision, revision);
}

#[test]
fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let store = Embedded::open(&directory).unwrap();
    runtime().block_on(store.commit(vec![claim("secret")])).unwrap();
    assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "database, log and lock: {files:?}");
    for file in files {
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{}", file.display());
    }
}

#[test]
fn a_directory_has_one_holder() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Embedded::open(directory.path()).unwrap();
    let second = Embedded::open(directory.path()).unwrap_err().to_string();
    assert!(second.contains("another process holds it"), "{second}");
}

#[test]
fn a_flipped_bit_is_noticed_when_the_record_is_read() {
    let directory = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        store.commit(vec![claim("hit"), claim("well"), claim("moved")]).await.unwrap();
        store.close().await;
    });
    let flipped = open_file(directory.path())
        .execute(
            "UPDATE records SET document = CAST(replace(CAST(document AS TEXT), '07', '08') AS BLOB) WHERE id = 'hit'",
            [],
        )
        .unwrap();
    assert_eq!(flipped, 1);
    let changed: String = open_file(directory.path())
        .query_row("SELECT CAST(document AS TEXT) FROM records WHERE id = 'hit'", [], |row| row.get(0))
        .unwrap();
    assert!(changed.contains("08"), "the fault was not injected: {changed}");
    let revision_moved = "UPDATE records SET revision = 7 WHERE id = 'moved'";
    assert_eq!(open_file(directory.path()).execute(revision_moved, []).unwrap(), 1);
    let store = Embedded::open(directory.path()).unwrap();
    let read = |id: &str| runtime().block_on(store.get(Key::operator(Kind::SiteName, id)));
    let counted = faults::corrupt_reads();
    assert!(matches!(read("hit"), Err(Error::Corrupt { id, .. }) if id == "hit"));
    assert!(matches!(read("moved"), Err(Error::Corrupt { .. })), "a changed revision is noticed too");
    assert!(read("well").unwrap().is_some());
    assert!(faults::corrupt_reads() >= counted + 2, "they are counted");
}

/// A site of the account `acme`.
pub(super) fn site(name: &str) -> Mutation {
    let site = Site::new("acme".parse().unwrap(), name.to_owned(), jiff::Timestamp::UNIX_EPOCH);
    Mutation::create(Key::of(&site.account, Kind::Site, site.id), Document::Site(Box::new(site)))
}

#[test]
fn a_load_finds_rows_wherever_they_are_and_tells_of_unreadable_ones() {
    let directory = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        let all =
            [site("first"), site("second"), site("third"), site("hit"), site("no json"), claim("claim"), site("last")];
        for mutation in all {
            store.commit(vec![mutation]).await.unwrap();
        }
        store.close().await;
    });
    // Row ids at both ends, on both sides of the end of a span, and far apart.
    let (least, span) = (i64::MIN, super::load::SPAN_ROWS);
    let faults = format!(
        r#"UPDATE records SET document = CAST(replace(CAST(document AS TEXT), '"hit"', '"HIT"') AS BLOB) WHERE rowid = 4;
        UPDATE records SET document = x'ff' WHERE rowid = 5;
        UPDATE records SET rowid = {least} WHERE rowid = 1;
        UPDATE records SET rowid = {least} + {span} - 1 WHERE rowid = 2;
        UPDATE records SET rowid = {least} + {span} WHERE rowid = 3;
        UPDATE records SET rowid = rowid * 1000000007 WHERE rowid BETWEEN 4 AND 6;
        UPDATE records SET rowid = {} WHERE rowid = 7;"#,
        i64::MAX
    );
    open_file(directory.path()).execute_batch(&faults).unwrap();
    assert_eq!(load(directory.path()), (["first", "last", "second", "third"].map(str::to_owned).to_vec(), 2));
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
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        store.commit(vec![site("well")]).await.unwrap();
        for (at, _) in faults.iter().enumerate() {
            store.commit(vec![site(&format!("damaged {at}"))]).await.unwrap();
        }
        store.close().await;
    });
    // The table is strict, so that only a disk makes such rows: it is not for as long as they are made.
    let schema = |from: &str, to: &str| {
        let text = format!(
            "PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}') WHERE name = 'records';"
        );
        open_file(directory.path()).execute_batch(&text).unwrap();
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
    assert_eq!(load(directory.path()), (vec!["well".to_owned()], faults.len()));
}

/// The names of the sites that a load of a directory finds, and how many it cannot read.
fn load(directory: &Path) -> (Vec<String>, usize) {
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

#[test]
fn a_site_is_read_from_its_copy_and_else_from_its_document() {
    let directory = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        for name in ["copied", "without", "newer", "hit"] {
            store.commit(vec![site(name)]).await.unwrap();
        }
        store.close().await;
    });
    let rows = {
        let file = open_file(directory.path());
        let mut statement = file.prepare("SELECT rowid, packed FROM records ORDER BY rowid").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap()
    };
    // A copy with another name shows that copies are read: no honest writer makes one.
    write_copy(directory.path(), rows[0].0, Some(&replaced(&rows[0].1, b"copied", b"COPIED")));
    write_copy(directory.path(), rows[1].0, None);
    let newer: Vec<u8> = [&[u8::MAX], &rows[2].1[1..]].concat();
    write_copy(directory.path(), rows[2].0, Some(&newer));
    let hit = replaced(&rows[3].1, b"hit", b"HIT");
    open_file(directory.path()).execute("UPDATE records SET packed = ?1 WHERE rowid = ?2", (hit, rows[3].0)).unwrap();
    let names = ["COPIED", "newer", "without"].map(str::to_owned).to_vec();
    assert_eq!(load(directory.path()), (names, 1));
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// Gives a row another copy, with the checksum that belongs to it.
fn write_copy(directory: &Path, row: i64, packed: Option<&[u8]>) {
    let file = open_file(directory);
    let text = "SELECT partition, id, revision, document FROM records WHERE rowid = ?1";
    let checksum = file
        .query_row(text, [row], |row| {
            let (partition, id) = (row.get_ref(0)?.as_bytes()?, row.get_ref(1)?.as_bytes()?);
            let revision = Revision(row.get::<_, i64>(2)?.cast_unsigned());
            Ok(rows::checksum(partition, Kind::Site, id, revision, row.get_ref(3)?.as_bytes()?, packed))
        })
        .unwrap();
    let text = "UPDATE records SET packed = ?1, checksum = ?2 WHERE rowid = ?3";
    assert_eq!(file.execute(text, (packed, checksum, row)).unwrap(), 1);
}

#[test]
fn a_file_of_format_1_is_read_and_becomes_one_of_the_present_format() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path()).unwrap();
    let row = site("old");
    let (Key { id, .. }, Some(document)) = (row.key, row.document) else { panic!("no document") };
    let document = document.encode().unwrap();
    let checksum = rows::checksum(b"acme", Kind::Site, id.as_bytes(), Revision(1), &document, None);
    let file = open_file(directory.path());
    let tables = "PRAGMA application_id = 0x776d726b; PRAGMA user_version = 1;
        CREATE TABLE records (partition TEXT NOT NULL, kind INTEGER NOT NULL, id TEXT NOT NULL,
          revision INTEGER NOT NULL, checksum INTEGER NOT NULL, document BLOB NOT NULL,
          UNIQUE (partition, kind, id)) STRICT;
        CREATE TABLE revisions (partition TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL) STRICT;
        INSERT INTO revisions VALUES ('acme', 1);";
    file.execute_batch(tables).unwrap();
    let text = "INSERT INTO records VALUES ('acme', 3, ?1, 1, ?2, ?3)";
    file.execute(text, (&id, checksum, &document)).unwrap();
    drop(file);
    assert_eq!(load(directory.path()), (vec!["old".to_owned()], 0));
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        assert_eq!(store.commit(vec![site("new")]).await.unwrap(), Revision(2));
        store.close().await;
    });
    assert_eq!(load(directory.path()), (vec!["new".to_owned(), "old".to_owned()], 0));
}

#[test]
fn a_file_of_format_2_gets_a_past() {
    let directory = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        store.commit(vec![site("old")]).await.unwrap();
        store.close().await;
    });
    open_file(directory.path()).execute_batch("DROP TABLE past; PRAGMA user_version = 2;").unwrap();
    let past = Key::of(&"acme".parse().unwrap(), Kind::PastText, "a");
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        let text = Document::PastText("a note".to_owned());
        assert_eq!(store.commit(vec![Mutation::create(past.clone(), text)]).await.unwrap(), Revision(2));
        store.close().await;
    });
    assert_eq!(load(directory.path()), (vec!["old".to_owned()], 0));
    let store = Embedded::open(directory.path()).unwrap();
    assert!(runtime().block_on(store.get(past)).unwrap().is_some());
}

#[test]
fn files_of_others_and_of_other_versions_are_refused_and_left_alone() {
    for (setup, expected) in [
        ("CREATE TABLE t (a)", "another program"),
        ("PRAGMA application_id = 0x776d726b; PRAGMA user_version = 99; CREATE TABLE t (a)", "format 99"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        open_file(directory.path()).execute_batch(setup).unwrap();
        let before = std::fs::read(directory.path().join("waymark.sqlite3")).unwrap();
        let refusal = Embedded::open(directory.path()).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
        assert_eq!(std::fs::read(directory.path().join("waymark.sqlite3")).unwrap(), before);
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("waymark.sqlite3"), "no database at all, but long enough to look like")
        .unwrap();
    assert!(Embedded::open(directory.path()).unwrap_err().to_string().contains("not a waymark store"));
}
