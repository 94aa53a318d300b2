//! How long a reload waits for files that somebody writes, on a clock that jumps, and that it outlives its caller.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::time::Instant;

use super::*;
use crate::geoip::config::Config;
use crate::geoip::databases::tests::{city, version};
use crate::geoip::error::FailureReason;

/// Files of a stack: several, so that waiting for one after the other shows.
const FILES: usize = 4;

/// A stack of files that were written anew just now.
fn rewritten() -> (TempDir, Vec<PathBuf>, Arc<Databases>) {
    let directory = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..FILES).map(|at| version(1).write(directory.path(), &format!("{at}.mmdb"))).collect();
    let databases = Databases::open(&Config::of_files(paths.iter().cloned()), Timestamp::now).unwrap();
    paths.iter().for_each(|path| fs::write(path, version(22).bytes()).unwrap());
    (directory, paths, Arc::new(databases))
}

#[tokio::test(start_paused = true)]
async fn files_come_to_rest_at_the_same_time() {
    let (_directory, _, databases) = rewritten();
    let start = Instant::now();
    let (first, second) = tokio::join!(databases.reload(), databases.reload());
    assert!(first.iter().all(|outcome| outcome.is_taken), "{first:?}");
    assert!(
        second.iter().all(|outcome| !outcome.is_taken && outcome.failure.is_none()),
        "the second waits: {second:?}"
    );
    // Each waits once: for the files, and for what has just been taken.
    let waited = start.elapsed();
    assert!(waited < 3 * SETTLE, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn files_that_do_not_come_to_rest_are_waited_for_once() {
    let (_directory, paths, databases) = rewritten();
    let writing = tokio::spawn(async move {
        loop {
            for path in &paths {
                OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
            }
            sleep(SETTLE / 4).await;
        }
    });
    let start = Instant::now();
    let outcomes = databases.reload().await;
    let waited = start.elapsed();
    writing.abort();
    assert!(waited < SETTLE_TIME_MAX + SETTLE / 4, "{waited:?}");
    for outcome in outcomes {
        assert_eq!(outcome.failure.unwrap().reason, FailureReason::Changing);
    }
    assert_eq!(city(&databases), "V1");
}

#[tokio::test(start_paused = true)]
async fn a_reload_goes_on_without_its_caller() {
    let (_directory, _, databases) = rewritten();
    timeout(SETTLE / 4, databases.reload()).await.unwrap_err();
    assert_eq!(city(&databases), "V1");
    // The clock jumps only while nothing is under way: far more time than it needs.
    for _ in 0..20 {
        sleep(SETTLE).await;
    }
    assert_eq!(city(&databases), "V22");
    assert_eq!(databases.statuses().iter().map(|status| status.loads).collect::<Vec<_>>(), [2; FILES]);
}
