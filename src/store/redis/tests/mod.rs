//! The shared engine on real redis-servers: the contract, replicas that agree, and what goes wrong with Redis.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tests tell seeds, tallies, and what they skip")]

mod access;
mod anew;
mod cluster;
mod documents;
mod junk;
mod lease;
mod load;
mod losses;
mod memory;
mod outages;
mod replies;
mod safety;
mod sentinel;
pub(crate) mod server;
mod slow;
mod swizzle;
mod torture;
mod transfer;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use super::*;
use crate::store::{Kind, contract};
use memory::{KIND, Memory, claim, key, put, replica, until, value_of};
use pages::Row;
use server::{PARTITIONS, Proxy, Server, Way};
use walk::Walk;

#[test]
fn it_keeps_the_contract() {
    let server = Server::start();
    let mut number = 0;
    contract::check(&mut || {
        number += 1;
        let config = server.config(&format!("contract-{number}"));
        Box::pin(async move { Box::new(Redis::open(&config).await.unwrap()) as Box<dyn Store> })
    });
}

#[tokio::test]
async fn replicas_hear_the_same_in_the_same_order_while_both_write() {
    let server = Server::start();
    let config = server.config("both");
    let replicas = [replica(&config).await, replica(&config).await];
    let writing = (0..8).map(|writer: u128| {
        let store = Arc::clone(&replicas[usize::try_from(writer % 2).unwrap()].0);
        tokio::spawn(async move {
            for step in 0..50 {
                let account = format!("account{}", (writer + step) % 5);
                let id = format!("n{}", (writer * 7 + step) % 11);
                store.commit(vec![put(&account, &id, writer * 1_000 + step)]).await.unwrap();
            }
        })
    });
    for writer in writing.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let sum = |memory: &Memory| memory.revisions.lock().values().map(|revision| revision.0).sum::<u64>();
    until("a replica does not hear all", || replicas.iter().all(|(_, memory)| sum(memory) == 400)).await;
    assert_eq!(*replicas[0].1.records.lock(), *replicas[1].1.records.lock());
    let records = replicas[0].1.records.lock().clone();
    for ((account, id), value) in records {
        let there = replicas[1].0.get(key(&account, &id)).await.unwrap().unwrap();
        assert_eq!(value_of(&there.document), value);
    }
}

/// What was committed between the look at the records and the first word to the observer is told.
#[tokio::test]
async fn nothing_is_missed_between_a_load_and_what_follows() {
    let server = Server::start();
    let config = server.config("load");
    let (writer, _) = replica(&config).await;
    writer.commit(vec![put("acme", "before", 1)]).await.unwrap();
    let late = Redis::open(&config).await.unwrap();
    let loaded: Arc<Mutex<usize>> = Arc::default();
    let count = Arc::clone(&loaded);
    late.load(vec![Box::new(move |_| *count.lock() += 1)]).await.unwrap();
    let revision = writer.commit(vec![put("acme", "meanwhile", 2)]).await.unwrap();
    // Its follower has gone past that already, with nobody to tell.
    let lane = late.lane(Some(&"acme".parse().unwrap())).unwrap();
    lane.reach(2).await;
    let memory = Arc::new(Memory::default());
    late.observe(Arc::clone(&memory) as Arc<dyn Observer>).await.unwrap();
    assert_eq!(memory.revisions.lock().get("acme"), Some(&revision));
    assert!(memory.records.lock().contains_key(&("acme".to_owned(), "meanwhile".to_owned())));
}

#[tokio::test]
async fn acknowledged_writes_are_there_once_after_kill_9() {
    let mut server = Server::start();
    let config = server.config("kill");
    let (store, memory) = replica(&config).await;
    let acknowledged: Arc<Mutex<Vec<(u128, Revision)>>> = Arc::default();
    let mut unavailable = 0;
    for round in 0..5_u128 {
        let writing: Vec<_> = (0..8_u128)
            .map(|writer| {
                let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    for step in 0.. {
                        let value = round * 1_000_000 + writer * 10_000 + step;
                        let made = Mutation::create(key("acme", &value.to_string()), claim(value));
                        match store.commit(vec![made]).await {
                            Ok(revision) => acknowledged.lock().push((value, revision)),
                            Err(Error::Unknown { .. } | Error::Unavailable { .. }) => return,
                            Err(other) => panic!("{other}"),
                        }
                    }
                })
            })
            .collect();
        let enough = acknowledged.lock().len() + 100;
        until("nothing is written", || acknowledged.lock().len() >= enough).await;
        server.kill();
        for writer in writing {
            writer.await.unwrap();
            unavailable += 1;
        }
        server.restart();
        until("it does not follow again", || store.lag().trouble.is_none()).await;
    }
    assert_eq!(unavailable, 40, "each writer heard of each end");
    let acknowledged = acknowledged.lock().clone();
    let revisions: HashSet<Revision> = acknowledged.iter().map(|(_, revision)| *revision).collect();
    assert_eq!(revisions.len(), acknowledged.len(), "two writes have one revision");
    for (value, revision) in &acknowledged {
        let there = store.get(key("acme", &value.to_string())).await.unwrap().expect("acknowledged and gone");
        assert_eq!(there.revision, *revision);
    }
    let head = store.revision(Some(&"acme".parse().unwrap())).await.unwrap();
    until("memory is behind", || memory.revisions.lock().get("acme") == Some(&head)).await;
    assert_eq!(*memory.resyncs.lock(), 0, "a Redis that syncs each write was not followed without a gap");
    assert!(acknowledged.len() >= 500);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_settled_by_the_stream_or_said_to_be_unknown() {
    let server = Server::start();
    let (direct, _) = replica(&server.config("lost")).await;
    let proxy = Proxy::to(server.port).await;
    let (store, _) = replica(&server::config(proxy.port, "lost")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    proxy.set(Way::LoseAnswers);
    let (reader, proxied) = (Arc::clone(&store), proxy.cuts.load(Ordering::SeqCst));
    let writing =
        tokio::spawn(async move { reader.commit(vec![Mutation::create(key("acme", "two"), claim(2))]).await });
    until("no connection was cut", || proxy.cuts.load(Ordering::SeqCst) > proxied).await;
    proxy.set(Way::Open);
    let answer = writing.await.unwrap();
    let there = direct.get(key("acme", "two")).await.unwrap();
    match (answer, there) {
        (Ok(revision), Some(record)) => assert_eq!(record.revision, revision),
        (Err(Error::Unknown { .. } | Error::Unavailable { .. }), _) => {}
        (answer, there) => panic!("{answer:?} {there:?}"),
    }
    // Whatever became of it, the same once more has one effect.
    let again = store.commit(vec![Mutation::create(key("acme", "two"), claim(2))]).await;
    assert!(matches!(again, Ok(_) | Err(Error::Conflict { .. })), "{again:?}");
    assert_eq!(value_of(&direct.get(key("acme", "two")).await.unwrap().unwrap().document), 2);
}

#[tokio::test]
async fn a_replica_that_was_away_while_the_stream_was_cut_reads_everything_anew() {
    let server = Server::start();
    let (direct, _) = replica(&server.config("trim")).await;
    let proxy = Proxy::to(server.port).await;
    let (away, memory) = replica(&server::config(proxy.port, "trim")).await;
    direct.commit(vec![put("acme", "one", 1), put("acme", "two", 2)]).await.unwrap();
    until("it hears nothing", || memory.revisions.lock().len() == 1).await;
    proxy.set(Way::Cut);
    until("it does not notice", || away.lag().trouble.is_some()).await;
    direct.commit(vec![Mutation::delete(key("acme", "one"))]).await.unwrap();
    let streams: Vec<String> = server.run(&["KEYS", "trim:*:commits"]).unwrap();
    for stream in &streams {
        server.run::<u64>(&["XTRIM", stream, "MAXLEN", "0"]).unwrap();
    }
    proxy.set(Way::Open);
    until("it does not read anew", || *memory.resyncs.lock() == 1).await;
    let revision = direct.commit(vec![put("acme", "three", 3)]).await.unwrap();
    until("it does not go on", || memory.revisions.lock().get("acme") == Some(&revision)).await;
    assert_eq!(away.lag().resyncs, 1);
    assert_eq!(*memory.continued.lock(), Some(false), "nobody knows what it was that is not there any more");
    let left: Vec<u128> = memory.records.lock().values().copied().collect();
    assert_eq!(left, [3, 2], "what was deleted meanwhile is still there");
}

/// A gap before a follower's eyes is no reason to doubt what it told.
#[tokio::test]
async fn a_stream_that_is_cut_while_it_is_followed_goes_on() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("gap")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    let streams: Vec<String> = server.run(&["KEYS", "gap:*:commits"]).unwrap();
    // What no waymark wrote: the entries behind it cannot be told.
    server.run::<String>(&["XADD", &streams[0], "*", "a", "b"]).unwrap();
    until("it does not read anew", || *memory.resyncs.lock() > 0).await;
    assert_eq!(*memory.continued.lock(), Some(true));
    assert_eq!((memory.records.lock().len(), *memory.told_anew.lock()), (1, 0), "what is known is not read again");
}

#[tokio::test]
async fn of_records_that_are_known_nothing_is_read_but_their_revision() {
    let server = Server::start();
    let (store, _) = replica(&server.config("known")).await;
    for id in ["one", "two", "three"] {
        store.commit(vec![put("acme", id, 1)]).await.unwrap();
    }
    let acme = "acme".parse().unwrap();
    let generation = &store.lane(Some(&acme)).unwrap().generation;
    let walk = |known| Walk::new(&store.names, generation, "acme", KIND).beyond(Revision(known));
    let mut connection = server.client().get_connection().unwrap();
    let mut whole = |known| -> Vec<String> {
        let answer = walk(known).call().unwrap().query(&mut connection).unwrap();
        let rows = walk(known).take(answer).unwrap().told("acme", KIND, Path::new("here"));
        assert_eq!(rows.len(), 3, "what is known is still told to be there");
        let unknown = rows.into_iter().filter(|row| !row.is_known(Revision(known)));
        let id_of =
            |row: Row| if row.record(Some(&acme), KIND).is_some() { row.id } else { format!("{} is cut", row.id) };
        unknown.map(id_of).collect()
    };
    assert_eq!(whole(0), ["one", "three", "two"]);
    assert_eq!(whole(1), ["three", "two"]);
    assert_eq!(whole(2), ["three"]);
    assert!(whole(3).is_empty() && whole(u64::MAX).is_empty());
}

#[tokio::test]
async fn an_emptied_redis_is_noticed_and_nothing_is_said_to_be_gone() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("flush")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    server.run::<()>(&["FLUSHALL"]).unwrap();
    assert!(matches!(store.get(key("acme", "one")).await, Err(Error::Unavailable { .. })));
    let range = Range::all(Some("acme".parse().unwrap()), KIND);
    assert!(matches!(store.scan(range).await, Err(Error::Unavailable { .. })));
    assert!(matches!(store.commit(vec![put("acme", "two", 2)]).await, Err(Error::Unavailable { .. })));
    until("nothing is said", || store.lag().trouble.is_some_and(|why| why.contains("emptied"))).await;
    // Another one begins anew there; this one takes no part in it.
    let (other, _) = replica(&server.config("flush")).await;
    other.commit(vec![put("acme", "three", 3)]).await.unwrap();
    assert!(matches!(store.commit(vec![put("acme", "two", 2)]).await, Err(Error::Unavailable { .. })));
    assert_eq!(memory.records.lock().len(), 1, "the map was emptied");
    assert_ne!(store.deployment(), other.deployment());
}

#[tokio::test]
async fn a_redis_that_was_set_back_is_read_anew() {
    let mut server = Server::start();
    let (store, memory) = replica(&server.config("back")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    let (files, copy) = (server.directory().join("appendonlydir"), tempfile::tempdir().unwrap());
    let copied = copy.path().join("appendonlydir");
    copy_directory(&files, &copied);
    store.commit(vec![put("acme", "two", 2)]).await.unwrap();
    server.kill();
    std::fs::remove_dir_all(&files).unwrap();
    copy_directory(&copied, &files);
    server.restart();
    until("it does not read anew", || *memory.resyncs.lock() == 1).await;
    assert_eq!(memory.revisions.lock().get("acme"), Some(&Revision(1)));
    assert_eq!(*memory.continued.lock(), Some(false));
    // As many commits as were lost, other ones: the numbers are the same again.
    // A connection that broke just now may cost one its answer.
    let revision = loop {
        match store.commit(vec![put("acme", "three", 3)]).await {
            Ok(revision) => break revision,
            Err(cause) => assert!(matches!(cause, Error::Unknown { .. } | Error::Unavailable { .. }), "{cause}"),
        }
    };
    until("it does not go on", || memory.revisions.lock().get("acme") == Some(&revision)).await;
    assert_eq!(memory.records.lock().len(), 2, "a record that was lost is in memory");
}

fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn junk_of_others_is_noticed_and_spoils_nothing_else() {
    let server = Server::start();
    let (store, _) = replica(&server.config("junk")).await;
    store.commit(vec![put("acme", "good", 1), put("acme", "bad", 2)]).await.unwrap();
    let records: Vec<String> = server.run(&["KEYS", &format!("junk:*:records:acme:{}", KIND as u8)]).unwrap();
    server.run::<u64>(&["HSET", &records[0], "bad", "junk"]).unwrap();
    assert!(matches!(store.get(key("acme", "bad")).await, Err(Error::Corrupt { .. })));
    assert!(store.get(key("acme", "good")).await.unwrap().is_some());
    let range = Range::all(Some("acme".parse().unwrap()), KIND);
    let mut left_out = 0;
    let (found, is_end) = crate::store::scan_past(&*store, range, |_| left_out += 1).await.unwrap();
    assert_eq!((found.len(), left_out, is_end), (1, 1, true), "the others are read");
    // A key that another program made something else is refused before anything is written.
    server.run::<u64>(&["DEL", &records[0]]).unwrap();
    server.run::<()>(&["SET", &records[0], "junk"]).unwrap();
    let before = store.revision(Some(&"acme".parse().unwrap())).await.unwrap();
    assert!(store.commit(vec![put("acme", "new", 3)]).await.is_err());
    assert_eq!(store.revision(Some(&"acme".parse().unwrap())).await.unwrap(), before, "half of a batch was written");
}

#[tokio::test]
async fn a_redis_that_may_lose_writes_is_refused() {
    let refused = async |settings: &[&str], word: &str| {
        let server = Server::start_with(settings);
        let told = Redis::open(&server.config("unsafe")).await.unwrap_err().to_string();
        assert!(told.contains(word) && told.contains("allow_data_loss"), "{told}");
        let allowed = Config { allow_data_loss: true, ..server.config("unsafe") };
        assert!(Redis::open(&allowed).await.is_ok());
    };
    refused(&["--appendonly", "no"], "append-only").await;
    refused(&["--appendonly", "yes", "--appendfsync", "no"], "never syncs").await;
    let evicting = ["--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    refused(&evicting, "evicts").await;
}

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    let server = Server::start();
    drop(server.open("count").await);
    let other = Config { partitions: PARTITIONS + 1, ..server.config("count") };
    let told = Redis::open(&other).await.unwrap_err().to_string();
    assert!(told.contains("never changes"), "{told}");
    server.run::<u64>(&["HSET", "count:deployment", "format", "99"]).unwrap();
    let told = Redis::open(&server.config("count")).await.unwrap_err().to_string();
    assert!(told.contains("format"), "{told}");
}

#[tokio::test]
async fn a_redis_without_room_says_so_and_goes_on_afterwards() {
    let server = Server::start();
    let (store, _) = replica(&server.config("room")).await;
    let revision = store.commit(vec![put("acme", "kept", 1)]).await.unwrap();
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    assert!(matches!(store.commit(vec![put("acme", "one", 1)]).await, Err(Error::NoRoom { .. })));
    // A transaction is refused then, even one that only reads.
    assert!(store.get(key("acme", "kept")).await.unwrap().is_some());
    assert!(store.get(key("acme", "one")).await.unwrap().is_none());
    assert_eq!(store.revision(Some(&"acme".parse().unwrap())).await.unwrap(), revision);
    assert_eq!(store.scan(Range::all(Some("acme".parse().unwrap()), KIND)).await.unwrap().len(), 1);
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
}

/// A Redis that stands still costs each write its time and no more, and nothing twice.
#[tokio::test]
async fn a_redis_that_stands_still_is_not_waited_for() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("still")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    server.signal("-STOP");
    let answer = store.commit(vec![Mutation::create(key("acme", "two"), claim(2))]).await;
    assert!(matches!(answer, Err(Error::Unknown { .. })), "{answer:?}");
    assert!(store.lag().trouble.is_some() || store.lag().behind > Duration::from_secs(1));
    server.signal("-CONT");
    until("it does not follow again", || store.lag().trouble.is_none()).await;
    // The command was in the socket: it is done after all, once.
    until("it was not done", || memory.records.lock().len() == 2).await;
    let again = store.commit(vec![Mutation::create(key("acme", "two"), claim(2))]).await;
    assert!(matches!(again, Err(Error::Conflict { .. })), "{again:?}");
}
