//! Tests of files of older formats, which become one of the present.

use super::starts::{load, prove};
use super::tests::{open_file, runtime, site};
use super::*;
use crate::store::Kind;
use crate::store::document::Document;

/// What a file of format 3 had not.
const TO_FORMAT_3: &str = "DROP TABLE packed; DROP TABLE tallies; DROP TABLE layout; PRAGMA user_version = 3;";

/// A closed store of one site.
fn written(directory: &Path, name: &str) {
    runtime().block_on(async {
        let store = Embedded::open(directory).unwrap();
        store.commit(vec![site(name)]).await.unwrap();
        store.close().await;
    });
}

fn only(name: &str) -> (Vec<String>, usize) {
    (vec![name.to_owned()], 0)
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
    assert_eq!(load(directory.path()), only("old"));
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        assert_eq!(store.commit(vec![site("new")]).await.unwrap(), Revision(2));
        store.close().await;
    });
    assert_eq!(load(directory.path()), (vec!["new".to_owned(), "old".to_owned()], 0));
    prove(directory.path()).unwrap();
}

#[test]
fn a_file_of_format_2_gets_a_past() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), "old");
    let undo = format!("{TO_FORMAT_3} DROP TABLE past; PRAGMA user_version = 2;");
    open_file(directory.path()).execute_batch(&undo).unwrap();
    let past = Key::of(&"acme".parse().unwrap(), Kind::PastText, "a");
    runtime().block_on(async {
        let store = Embedded::open(directory.path()).unwrap();
        let text = Document::PastText("a note".to_owned());
        assert_eq!(store.commit(vec![Mutation::create(past.clone(), text)]).await.unwrap(), Revision(2));
        store.close().await;
    });
    assert_eq!(load(directory.path()), only("old"));
    let store = Embedded::open(directory.path()).unwrap();
    assert!(runtime().block_on(store.get(past)).unwrap().is_some());
}

/// The copy of the file's one record, as a file of format 4 has it.
fn copy(directory: &Path) -> Vec<u8> {
    open_file(directory).query_row("SELECT copy FROM packed", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_file_of_format_3_keeps_the_copies_that_it_had() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), "copied");
    let bytes = copy(directory.path());
    let at = bytes.windows(6).position(|window| window == b"copied").unwrap();
    // A copy with another name shows that it is taken: no honest writer makes one.
    let beside = [&bytes[..at], b"COPIED", &bytes[at + 6..]].concat();
    let file = open_file(directory.path());
    file.execute_batch(TO_FORMAT_3).unwrap();
    let text = "SELECT id, document FROM records";
    let checksum = file
        .query_row(text, [], |row| {
            let (id, document) = (row.get_ref(0)?.as_bytes()?, row.get_ref(1)?.as_bytes()?);
            Ok(rows::checksum(b"acme", Kind::Site, id, Revision(1), document, Some(&beside)))
        })
        .unwrap();
    let put = |packed: Option<&[u8]>| {
        let text = "UPDATE records SET packed = ?1, checksum = ?2";
        assert_eq!(file.execute(text, (packed, checksum)).unwrap(), 1);
    };
    put(Some(&beside));
    assert_eq!(load(directory.path()), only("COPIED"));
    prove(directory.path()).unwrap();
    // Of a record that is damaged the document is read, and told.
    put(None);
    file.execute_batch(TO_FORMAT_3).unwrap();
    assert_eq!(load(directory.path()), (Vec::new(), 1));
    prove(directory.path()).unwrap();
}

#[test]
fn copies_of_another_layout_are_made_anew_once() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), "kept");
    let before = copy(directory.path());
    let faults =
        ["UPDATE layout SET layout = 1; UPDATE packed SET copy = x'01'", "DELETE FROM layout; DELETE FROM packed"];
    for undo in faults {
        open_file(directory.path()).execute_batch(undo).unwrap();
        drop(Embedded::open(directory.path()).unwrap());
        assert_eq!(copy(directory.path()), before);
        assert_eq!(load(directory.path()), only("kept"));
        prove(directory.path()).unwrap();
    }
}
