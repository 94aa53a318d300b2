//! Answers that do not come because of their size: a replica that is far behind asks for less at once, and comes to the end of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

use super::load::agree;
use super::memory::{KIND, Replica, put, replica, until};
use super::server::{Proxy, Server, Way, config};
use crate::model::id::AccountId;
use crate::model::site::Site;
use crate::store::document::Document;
use crate::store::redis::Redis;
use crate::store::redis::pages::PAGE;
use crate::store::{Error, Key, Kind, Loaded, Mutation, Revision, Store as _, Visit};

/// Seconds for which a follower waits for an answer, and some more.
const ANSWER_S: usize = 3;
/// Commits that a replica missed, and records of each.
const COMMITS: u128 = 300;
const RECORDS: usize = 60;

/// What stands in Redis' answer, without the marks between.
fn bytes_of(answer: &redis::Value) -> usize {
    match answer {
        redis::Value::BulkString(bytes) => bytes.len(),
        redis::Value::Array(parts) => parts.iter().map(bytes_of).sum(),
        _ => 0,
    }
}

/// A store, and a replica that was cut off from Redis when it had the first commit.
async fn cut_off(server: &Server, prefix: &str) -> (Arc<Redis>, Proxy, Replica) {
    let (direct, _) = replica(&server.config(prefix)).await;
    let proxy = Proxy::to(server.port).await;
    let away = replica(&config(proxy.port, prefix)).await;
    direct.commit(vec![put("acme", "first", 0)]).await.unwrap();
    agree(&direct, &["acme".to_owned()], &[&away.1]).await;
    proxy.set(Way::Cut);
    until("it does not notice", || away.0.lag().trouble.is_some()).await;
    (direct, proxy, away)
}

/// Commits what the replica misses; the last revision, and how much the next answer to it would be.
async fn go_on(server: &Server, direct: &Redis) -> (Revision, usize) {
    let mut last = Revision::default();
    for commit in 0..COMMITS {
        let batch = (0..RECORDS).map(|record| put("acme", &format!("r{record}"), commit)).collect();
        last = direct.commit(batch).await.unwrap();
    }
    let next: redis::Value = server.run(&next(direct).each_ref().map(String::as_str)).unwrap();
    (last, bytes_of(&next))
}

/// What a replica asks that has the first commit.
fn next(direct: &Redis) -> [String; 6] {
    let stream = direct.names.stream(direct.names.partition("acme"));
    ["XRANGE", &stream, "2-0", "+", "COUNT", "256"].map(str::to_owned)
}

/// R12. It asked for as many entries as would not come in time, again and again, and told none of them.
#[tokio::test]
async fn a_replica_that_is_behind_a_slow_way_catches_up_by_fewer_entries_at_once() {
    const BYTES_PER_S: u32 = 512 * 1024;
    let server = Server::start();
    let (direct, proxy, (away, memory)) = cut_off(&server, "slow").await;
    let (last, bytes) = go_on(&server, &direct).await;
    assert!(bytes > usize::try_from(BYTES_PER_S).unwrap() * ANSWER_S, "all of it comes in time: {bytes} bytes");
    proxy.set(Way::Slow(BYTES_PER_S));
    until("it does not catch up", || memory.revisions.lock().get("acme") == Some(&last)).await;
    assert!(proxy.held.load(Ordering::SeqCst) > 0, "the way was not slow");
    assert_eq!(*memory.resyncs.lock(), 0, "the stream has all of it");
    proxy.set(Way::Open);
    until("it is behind still", || away.lag().trouble.is_none()).await;
    agree(&direct, &["acme".to_owned()], &[&memory]).await;
}

/// R13, as far as there is something of it: nobody subscribes, and Redis drops any client for whom it would have to keep too much.
#[tokio::test]
async fn a_replica_that_redis_drops_for_the_size_of_an_answer_catches_up_by_fewer_entries_at_once() {
    const KEPT_BYTES: usize = 400_000;
    let server = Server::start();
    let (direct, proxy, (away, memory)) = cut_off(&server, "drop").await;
    let (last, bytes) = go_on(&server, &direct).await;
    assert!(bytes > KEPT_BYTES, "Redis keeps all of it: {bytes} bytes");
    let limit = format!("normal {KEPT_BYTES} 0 0");
    server.run::<()>(&["CONFIG", "SET", "client-output-buffer-limit", &limit]).unwrap();
    let asked = server.run::<redis::Value>(&next(&direct).each_ref().map(String::as_str));
    assert!(asked.is_err_and(|cause| cause.is_io_error()), "Redis does not drop who asks for all of it");
    proxy.set(Way::Open);
    until("it does not catch up", || memory.revisions.lock().get("acme") == Some(&last)).await;
    assert_eq!(*memory.resyncs.lock(), 0, "the stream has all of it");
    until("it is behind still", || away.lag().trouble.is_none()).await;
    server.run::<()>(&["CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0"]).unwrap();
    agree(&direct, &["acme".to_owned()], &[&memory]).await;
}

/// The same of records, where the stream has no more what was missed.
#[tokio::test]
async fn a_partition_is_read_anew_over_a_slow_way_by_fewer_records_at_once() {
    const BYTES_PER_S: u32 = 40 * 1024;
    const BATCH: usize = 500;
    let server = Server::start();
    let (direct, proxy, (away, memory)) = cut_off(&server, "page").await;
    let numbers: Vec<usize> = (0..2 * PAGE).collect();
    for batch in numbers.chunks(BATCH) {
        direct.commit(batch.iter().map(|number| put("acme", &format!("r{number}"), 1)).collect()).await.unwrap();
    }
    let (stream, records) = (direct.names.stream(direct.names.partition("acme")), direct.names.records("acme", KIND));
    server.run::<u64>(&["XTRIM", &stream, "MAXLEN", "0"]).unwrap();
    let page = bytes_of(&server.run(&["HVALS", &records]).unwrap()) / 2;
    assert!(page > usize::try_from(BYTES_PER_S).unwrap() * ANSWER_S, "a page comes in time: {page} bytes");
    proxy.set(Way::Slow(BYTES_PER_S));
    until("it is not read anew", || *memory.resyncs.lock() == 1).await;
    assert!(proxy.held.load(Ordering::SeqCst) > 0, "the way was not slow");
    proxy.set(Way::Open);
    agree(&direct, &["acme".to_owned()], &[&memory]).await;
    assert_eq!((memory.records.lock().len(), away.lag().resyncs), (2 * PAGE + 1, 1));
}

/// A start ended where a page of sites with long notes did not come in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_over_a_slow_way_reads_fewer_records_at_once() {
    const BYTES_PER_S: u32 = 1024 * 1024;
    const SITES: usize = 80;
    const NOTE_BYTES: usize = 60_000;
    let (server, account) = (Server::start(), "acme".parse::<AccountId>().unwrap());
    let direct = server.open("start").await;
    for number in 0..SITES {
        let mut site = Site::new(account.clone(), format!("site {number}"), Timestamp::UNIX_EPOCH);
        site.note = "n".repeat(NOTE_BYTES);
        let key = Key::of(&account, Kind::Site, site.id);
        direct.commit(vec![Mutation::create(key, Document::Site(Box::new(site)))]).await.unwrap();
    }
    assert!(SITES * NOTE_BYTES > usize::try_from(BYTES_PER_S).unwrap() * ANSWER_S, "all of it comes in time");
    let proxy = Proxy::to(server.port).await;
    let late = Redis::open(&config(proxy.port, "start")).await.unwrap();
    proxy.set(Way::Slow(BYTES_PER_S));
    let loaded = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&loaded);
    let visit = Box::new(move |found: Result<Loaded<'_>, Error>| {
        assert!(matches!(found, Ok(Loaded::Site(_))));
        count.fetch_add(1, Ordering::SeqCst);
    }) as Visit;
    late.load(vec![visit]).await.unwrap();
    assert_eq!(loaded.load(Ordering::SeqCst), SITES, "one is missing, or was given twice");
    assert!(proxy.held.load(Ordering::SeqCst) > 0, "the way was not slow");
}
