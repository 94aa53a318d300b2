//! A way to Redis on which answers take their time: a replica that is far behind asks for less at once, and comes to the end of it.

use std::sync::atomic::Ordering;

use super::load::agree;
use super::memory::{KIND, put, replica, until};
use super::server::{Proxy, Server, Way, config};
use crate::store::redis::pages::PAGE;
use crate::store::{Revision, Store as _};

/// Seconds for which a follower waits for an answer, and some more.
const ANSWER_S: usize = 3;

/// What stands in Redis' answer, without the marks between.
fn bytes_of(answer: &redis::Value) -> usize {
    match answer {
        redis::Value::BulkString(bytes) => bytes.len(),
        redis::Value::Array(parts) => parts.iter().map(bytes_of).sum(),
        _ => 0,
    }
}

/// R12. It asked for as many entries as would not come in time, again and again, and told none of them.
#[tokio::test]
async fn a_replica_that_is_behind_a_slow_way_catches_up_by_fewer_entries_at_once() {
    const BYTES_PER_S: u32 = 512 * 1024;
    const COMMITS: u128 = 300;
    const RECORDS: usize = 60;
    let (server, accounts) = (Server::start(), ["acme".to_owned()]);
    let (direct, _) = replica(&server.config("slow")).await;
    let proxy = Proxy::to(server.port).await;
    let (away, memory) = replica(&config(proxy.port, "slow")).await;
    direct.commit(vec![put("acme", "first", 0)]).await.unwrap();
    agree(&direct, &accounts, &[&memory]).await;
    proxy.set(Way::Cut);
    until("it does not notice", || away.lag().trouble.is_some()).await;
    let mut last = Revision::default();
    for commit in 0..COMMITS {
        let batch = (0..RECORDS).map(|record| put("acme", &format!("r{record}"), commit)).collect();
        last = direct.commit(batch).await.unwrap();
    }
    let stream = direct.names.stream(direct.names.partition("acme"));
    let all: redis::Value = server.run(&["XRANGE", &stream, "-", "+", "COUNT", "256"]).unwrap();
    let in_time = usize::try_from(BYTES_PER_S).unwrap() * ANSWER_S;
    assert!(bytes_of(&all) > in_time, "all of it comes in time: {} bytes", bytes_of(&all));
    proxy.set(Way::Slow(BYTES_PER_S));
    until("it does not catch up", || memory.revisions.lock().get("acme") == Some(&last)).await;
    assert!(proxy.held.load(Ordering::SeqCst) > 0, "the way was not slow");
    assert_eq!(*memory.resyncs.lock(), 0, "the stream has all of it");
    proxy.set(Way::Open);
    until("it is behind still", || away.lag().trouble.is_none()).await;
    agree(&direct, &accounts, &[&memory]).await;
}

/// The same of records, where the stream has no more what was missed.
#[tokio::test]
async fn a_partition_is_read_anew_over_a_slow_way_by_fewer_records_at_once() {
    const BYTES_PER_S: u32 = 40 * 1024;
    const BATCH: usize = 500;
    let (server, accounts) = (Server::start(), ["acme".to_owned()]);
    let (direct, _) = replica(&server.config("page")).await;
    let proxy = Proxy::to(server.port).await;
    let (away, memory) = replica(&config(proxy.port, "page")).await;
    direct.commit(vec![put("acme", "first", 0)]).await.unwrap();
    agree(&direct, &accounts, &[&memory]).await;
    proxy.set(Way::Cut);
    until("it does not notice", || away.lag().trouble.is_some()).await;
    let numbers: Vec<usize> = (0..2 * PAGE).collect();
    for batch in numbers.chunks(BATCH) {
        direct.commit(batch.iter().map(|number| put("acme", &format!("r{number}"), 1)).collect()).await.unwrap();
    }
    let (stream, records) = (direct.names.stream(direct.names.partition("acme")), direct.names.records("acme", KIND));
    server.run::<u64>(&["XTRIM", &stream, "MAXLEN", "0"]).unwrap();
    let page = bytes_of(&server.run(&["HVALS", &records]).unwrap()) / 2;
    let in_time = usize::try_from(BYTES_PER_S).unwrap() * ANSWER_S;
    assert!(page > in_time, "a page comes in time: {page} bytes");
    proxy.set(Way::Slow(BYTES_PER_S));
    until("it is not read anew", || *memory.resyncs.lock() == 1).await;
    assert!(proxy.held.load(Ordering::SeqCst) > 0, "the way was not slow");
    proxy.set(Way::Open);
    agree(&direct, &accounts, &[&memory]).await;
    assert_eq!((memory.records.lock().len(), away.lag().resyncs), (2 * PAGE + 1, 1));
}
