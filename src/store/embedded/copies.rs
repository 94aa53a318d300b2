//! Tests of what looks at a store that no server holds: copies, and targets of a migration.

use std::collections::BTreeMap;
use std::fs;

use super::tests::{claim, runtime};
use super::transfer::Directory;
use super::*;
use crate::store::transfer::Transfer as _;

/// Bytes of a frame of the log, and of what stands before the first one.
const FRAME_BYTES: usize = 8_192 + 24;
const HEADER_BYTES: usize = 32;

/// A directory as a process leaves it that is killed after some writes: they stand in the log alone.
fn killed() -> tempfile::TempDir {
    let (running, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Embedded::open(running.path()).unwrap();
    for number in 0..10 {
        runtime().block_on(store.commit(vec![claim(&format!("claim {number}"))])).unwrap();
    }
    for name in [FILE, LOG, "LOCK", mark::FILE] {
        fs::copy(running.path().join(name), left.path().join(name)).unwrap();
    }
    left
}

#[test]
fn a_copy_of_a_store_that_nobody_holds_has_what_stands_in_its_log() {
    let directory = killed();
    let copied = backup::backup(directory.path(), &directory.path().join("copy")).unwrap();
    assert_eq!((copied.records, copied.revisions), (10, vec![(String::new(), Revision(10))]));
}

#[test]
fn a_store_that_nobody_holds_is_not_copied_where_its_log_lost_writes() {
    let directory = killed();
    let (log, copy) = (directory.path().join(LOG), directory.path().join("copy"));
    let mut bytes = fs::read(&log).unwrap();
    bytes[HEADER_BYTES + 3 * FRAME_BYTES + 100] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let refused = backup::backup(directory.path(), &copy).unwrap_err().to_string();
    assert!(refused.contains("is damaged before its end"), "{refused}");
    assert!(!copy.exists());
}

#[test]
fn a_store_whose_log_is_gone_is_not_copied() {
    let directory = killed();
    let copy = directory.path().join("copy");
    fs::remove_file(directory.path().join(LOG)).unwrap();
    let refused = backup::backup(directory.path(), &copy).unwrap_err().to_string();
    assert!(refused.contains("0 commits are in it, and 10 were acknowledged"), "{refused}");
    assert!(!copy.exists());
    fs::remove_file(directory.path().join(mark::FILE)).unwrap();
    assert_eq!(backup::backup(directory.path(), &copy).unwrap().records, 0, "by hand it is accepted");
}

#[test]
fn a_target_that_holds_something_is_left_as_it_is() {
    let ours = killed();
    let foreign = tempfile::tempdir().unwrap();
    let other = Connection::open(foreign.path().join(FILE)).unwrap();
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE theirs (one); INSERT INTO theirs VALUES (1)").unwrap();
    for directory in [ours.path(), foreign.path()] {
        let read = |name: &str| fs::read(directory.join(name)).unwrap();
        let before = (read(FILE), read(LOG));
        let target = Directory::target(directory).unwrap();
        let refused = runtime().block_on(target.begin(&BTreeMap::new())).unwrap_err().to_string();
        assert!(refused.contains("it holds data: choose an empty directory"), "{refused}");
        assert!((read(FILE), read(LOG)) == before, "{} was changed", directory.display());
    }
}
