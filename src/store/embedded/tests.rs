//! The embedded engine: the contract, and what is its own: durability, one holder, checksums.

use super::*;
use crate::model::id::SiteId;
use crate::model::site::Site;
use crate::store::document::{Document, NameClaim};
use crate::store::failing::Failing;
use crate::store::panicking::Panicking;
use crate::store::{Kind, contract};

pub(super) fn claim(id: &str) -> Mutation {
    let site = SiteId::from_u128(7);
    Mutation::create(Key::operator(Kind::SiteName, id), Document::SiteName(NameClaim { site }))
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The file of a store, for whoever does something to it.
pub(super) fn open_file(directory: &Path) -> Connection {
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

/// More ask at once than threads read: each gets what it asked for, as of its own last write or later.
#[test]
fn reads_that_are_gathered_are_each_answered() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(directory.path()).unwrap());
    let several = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let callers = (0..300).map(|number| {
        let store = Arc::clone(&store);
        several.spawn(async move {
            let key = |number: usize| Key::operator(Kind::SiteName, number.to_string());
            let site = SiteId::from_u128(number as u128);
            let claim = Mutation::create(key(number), Document::SiteName(NameClaim { site }));
            assert!(store.get(key(number)).await.unwrap().is_none());
            // One that stops waiting takes nothing from the others.
            let gone = store.get(key(number));
            assert!(futures_util::FutureExt::now_or_never(gone).is_none_or(|found| found.unwrap().is_none()));
            store.commit(vec![claim]).await.unwrap();
            let found = store.get(key(number)).await.unwrap().map(|record| record.document);
            assert_eq!(found, Some(Document::SiteName(NameClaim { site })));
        })
    });
    let callers: Vec<_> = callers.collect();
    several.block_on(async {
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

#[test]
fn a_file_that_readers_cannot_open_is_told_to_who_reads() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    std::fs::rename(directory.path().join(FILE), directory.path().join("elsewhere")).unwrap();
    let told = runtime().block_on(store.get(Key::operator(Kind::SiteName, "one"))).unwrap_err();
    assert!(matches!(&told, Error::Unavailable { cause } if cause.contains("unable to open")), "{told:?}");
    std::fs::rename(directory.path().join("elsewhere"), directory.path().join(FILE)).unwrap();
    assert!(runtime().block_on(store.get(Key::operator(Kind::SiteName, "one"))).unwrap().is_none());
}

/// A get is answered before its thread has given the connection back. With a reader's as the last one the log would stay.
#[test]
fn a_store_that_is_closed_while_a_thread_reads_leaves_no_log() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    runtime().block_on(async {
        store.commit(vec![claim("one")]).await.unwrap();
        let (go, going) = std::sync::mpsc::channel();
        let reading = store.start(move |connection, path| {
            going.recv().unwrap();
            rows::get(connection, path, &Key::operator(Kind::SiteName, "one"))
        });
        let mut closing = store.close();
        assert!(futures_util::FutureExt::now_or_never(&mut closing).is_none());
        go.send(()).unwrap();
        closing.await;
        assert!(faults::joined(reading.await).unwrap().unwrap().unwrap().is_some());
    });
    // The writer closes its connection behind its answer.
    let begun = Instant::now();
    while directory.path().join(LOG).exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "a reader closed last");
        std::thread::yield_now();
    }
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
