//! kill -9 at random moments under eight writers: nothing acknowledged is lost, nothing is done twice or by half.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::load::{Load, agree, tally};
use super::memory::{KIND, put, replica, until};
use super::server::{PATIENCE, Server};
use super::swizzle::{Numbers, seed};
use crate::store::redis::Redis;
use crate::store::{Error, Revision, Store};

/// Cycles where nobody says otherwise; `WAYMARK_TORTURE_REDIS` says how many.
const CYCLES: usize = 100;
const WRITERS: usize = 8;
/// It is killed before so long.
const ALIVE_MS_MAX: u64 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_random_moments_loses_duplicates_and_halves_nothing() {
    let cycles = std::env::var("WAYMARK_TORTURE_REDIS").map_or(CYCLES, |cycles| cycles.parse().unwrap());
    let (mut numbers, mut server) = (Numbers(seed()), Server::start());
    let (store, memory) = replica(&server.config("torture")).await;
    let accounts: Vec<String> = (0..5).map(|number| format!("account{number}")).collect();
    let load = Load::begin(&[Arc::clone(&store)], WRITERS, &accounts);
    let begun = Instant::now();
    for _ in 0..cycles {
        let before = load.told.count(|_| true);
        until("nothing is written after a restart", || load.told.count(|_| true) > before).await;
        assert!(!*store.broken.borrow(), "a writer or a follower panicked");
        tokio::time::sleep(Duration::from_millis(numbers.below(ALIVE_MS_MAX))).await;
        server.kill();
        server.restart();
    }
    load.goes_on("nothing is written at the end", 1, |_| true).await;
    let told = load.end().await;
    let tally = tally(&store, &accounts, &told).await;
    let (unknown, unavailable) = (told.unknown.lock().len(), told.unavailable.lock().len());
    println!("{cycles} kills in {:?}: {tally:?}, {unknown} unknown, {unavailable} unavailable", begun.elapsed());
    tally.is_clean();
    assert!(tally.acknowledged >= cycles && unknown + unavailable > 0, "the kills met no writes");
    agree(&store, &accounts, &[&memory]).await;
    assert_eq!(store.lag().resyncs, 0, "a Redis that syncs each write was not followed without a gap");
}

/// What a kill leaves of the write of an account's second batch: its revision is in it, and one record is torn.
fn tear(server: &Server, store: &Redis, account: &str) {
    let partition = store.names.partition(account);
    let (stream, revisions) = (store.names.stream(partition), store.names.revisions(partition));
    let records = store.names.records(account, KIND);
    let commands: [&[&str]; 4] = [
        &["MULTI"],
        &["XADD", &stream, "2-0", "p", "", "t", "torn", "a", account, "r", "2", "m", ""],
        &["HSET", &revisions, account, "2"],
        &["HSET", &records, "torn", "value"],
    ];
    let mut bytes = Vec::new();
    for words in commands {
        bytes.extend(format!("*{}\r\n", words.len()).bytes());
        for word in words {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
    }
    bytes.truncate(bytes.len() - "ue\r\n".len());
    let file = server.directory().join("appendonlydir").join("appendonly.aof.1.incr.aof");
    OpenOptions::new().append(true).open(file).unwrap().write_all(&bytes).unwrap();
}

/// Commits, again where a connection that broke just now cost one its answer: nothing was done then.
async fn commit(store: &Redis, account: &str, id: &str) -> Revision {
    let trying = async {
        loop {
            match store.commit(vec![put(account, id, 1)]).await {
                Ok(revision) => return revision,
                Err(cause) => assert!(matches!(cause, Error::Unknown { .. } | Error::Unavailable { .. }), "{cause}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, trying).await.expect("it takes nothing")
}

#[tokio::test]
async fn half_of_a_batch_that_a_kill_left_never_comes_to_life() {
    let mut server = Server::start();
    let (store, memory) = replica(&server.config("torn")).await;
    assert_eq!(commit(&store, "acme", "one").await, Revision(1));
    server.kill();
    tear(&server, &store, "acme");
    server.restart();
    // A batch of another account: with its end Redis would run what stands before it.
    commit(&store, "account0", "one").await;
    server.kill();
    server.restart();
    assert_eq!(commit(&store, "acme", "two").await, Revision(2), "half of what was never done is there");
    agree(&store, &["acme".to_owned(), "account0".to_owned()], &[&memory]).await;
    assert_eq!(store.lag().resyncs, 0);
}
