//! What a Redis may lose or not take, and what must be lost: partitions, writes that are refused, what was erased.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::load::agree;
use super::memory::{claim, key, put, replica, until};
use super::server::{SAFE, Server};
use crate::store::redis::Redis;
use crate::store::{Error, Mutation, Revision, Store as _};

/// What stands in a record that is erased.
const CANARY: &str = "kanarienvogel";

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_followed_and_joined() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("full")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    server.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]).unwrap();
    let refused = store.commit(vec![put("acme", "two", 2)]).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    let since = Instant::now();
    until("nobody looks whether anything is behind", || store.lag().behind < since.elapsed()).await;
    assert_eq!(store.lag().trouble, None);
    // As in a Redis without room.
    let (other, its) = replica(&server.config("full")).await;
    assert_eq!((other.deployment(), its.records.lock().len()), (store.deployment(), 0));
    assert!(other.get(key("acme", "one")).await.unwrap().is_some());
    server.run::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]).unwrap();
    store.commit(vec![put("acme", "two", 2)]).await.unwrap();
    until("they do not go on", || (memory.records.lock().len(), its.records.lock().len()) == (2, 1)).await;
}

/// As where one node of a cluster came back without its disk.
#[tokio::test]
async fn a_partition_that_was_lost_is_not_begun_anew() {
    let server = Server::start();
    let config = server.config("lost");
    let (store, _) = replica(&config).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    let head = store.names.head(store.names.partition("acme"));
    assert_eq!(server.run::<u64>(&["DEL", &head]), Ok(1));
    let refused = Redis::open(&config).await.unwrap_err().to_string();
    assert!(refused.contains("is gone with all accounts of its partition"), "{refused}");
    assert_eq!(server.run::<u64>(&["EXISTS", &head]), Ok(0), "it was begun anew");
    // Whoever reads that may say so.
    assert_eq!(server.run::<u64>(&["HDEL", "lost:deployment", "begun"]), Ok(1));
    Redis::open(&config).await.unwrap();
    assert_eq!(server.run::<u64>(&["EXISTS", &head]), Ok(1));
}

#[tokio::test]
async fn a_redis_that_is_not_ours_is_left_as_it_is() {
    let server = Server::start();
    let refuse = |found: Option<&str>| match found {
        None => Err(Error::Configuration { cause: "not ours".into() }),
        Some(_) => Ok(()),
    };
    let refused = Redis::open_if(&server.config("theirs"), refuse).await.unwrap_err().to_string();
    assert!(refused.contains("not ours"), "{refused}");
    assert_eq!(server.run::<u64>(&["DBSIZE"]), Ok(0));
}

#[tokio::test]
async fn an_entry_of_another_program_is_told_and_can_be_taken_away() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("alien")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    let stream = store.names.stream(store.names.partition("acme"));
    let id: String = server.run(&["XADD", &stream, "*", "theirs", "one"]).unwrap();
    until("nothing is said", || store.lag().trouble.is_some_and(|why| why.contains("no waymark wrote"))).await;
    assert!(store.lag().resyncs <= 1, "it is read anew again and again");
    assert!(store.commit(vec![put("acme", "two", 2)]).await.is_err(), "Redis takes no number below the entry's");
    assert_eq!(server.run::<u64>(&["XDEL", &stream, &id]), Ok(1));
    server.run::<()>(&["XSETID", &stream, "1-0"]).unwrap();
    until("it does not go on", || store.lag().trouble.is_none()).await;
    store.commit(vec![put("acme", "two", 2)]).await.unwrap();
    until("it does not follow", || memory.records.lock().len() == 2).await;
}

/// As where Redis ran half of a batch that was lost.
#[tokio::test]
async fn revisions_that_do_not_follow_one_another_are_read_anew() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("skipped")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    let revisions = store.names.revisions(store.names.partition("acme"));
    server.run::<u64>(&["HSET", &revisions, "acme", "2"]).unwrap();
    let told = store.commit(vec![put("acme", "two", 2)]).await;
    // What Redis acknowledged is in doubt where it mixed commits.
    assert!(matches!(told, Ok(Revision(3)) | Err(Error::Unknown { .. })), "{told:?}");
    until("nobody reads anew", || *memory.resyncs.lock() == 1).await;
    assert_eq!(*memory.continued.lock(), Some(false));
    agree(&store, &["acme".to_owned()], &[&memory]).await;
    assert_eq!(store.commit(vec![put("acme", "three", 3)]).await.unwrap(), Revision(4));
    assert_eq!(store.lag().resyncs, 1);
}

/// As where Redis ran half of a batch whose number nobody had taken since: it was told, taken back and told again without end.
#[tokio::test]
async fn an_entry_behind_the_last_commit_is_told_and_can_be_taken_away() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("behind")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    let partition = store.names.partition("acme");
    let (stream, head) = (store.names.stream(partition), store.names.head(partition));
    let tag: String = server.run(&["HGET", &head, "tag"]).unwrap();
    let half = ["XADD", &stream, "2-0", "p", &tag, "t", "half", "a", "acme", "r", "2", "m", ""];
    server.run::<String>(&half).unwrap();
    until("nothing is said", || store.lag().trouble.is_some_and(|why| why.contains("behind the last commit"))).await;
    assert!(store.lag().resyncs <= 2, "it is read anew again and again");
    assert_eq!(memory.revisions.lock().get("acme"), Some(&Revision(1)), "what was never done is told");
    assert!(store.commit(vec![put("acme", "two", 2)]).await.is_err(), "Redis takes no number that is there");
    assert_eq!(server.run::<u64>(&["XDEL", &stream, "2-0"]), Ok(1));
    server.run::<()>(&["XSETID", &stream, "1-0"]).unwrap();
    until("it does not go on", || store.lag().trouble.is_none()).await;
    assert_eq!(store.commit(vec![put("acme", "two", 2)]).await.unwrap(), Revision(2));
    agree(&store, &["acme".to_owned()], &[&memory]).await;
}

/// The files below a directory that hold the canary.
fn found_in(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(found_in(&path));
        } else if fs::read(&path).unwrap_or_default().windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn what_was_erased_is_in_no_file_of_master_and_replica() {
    let master = Server::start();
    let second = Server::start_with(&[&SAFE[..], &["--replicaof", "127.0.0.1", &master.port.to_string()]].concat());
    let is_linked = || second.run::<String>(&["INFO", "replication"]).unwrap().contains("master_link_status:up");
    until("the replica does not follow", is_linked).await;
    let (store, _) = replica(&master.config("erased")).await;
    store.commit(vec![put("acme", CANARY, 1)]).await.unwrap();
    assert_eq!(master.run::<u64>(&["WAIT", "1", "10000"]), Ok(1));
    for server in [&master, &second] {
        server.run::<()>(&["CONFIG", "SET", "save", "3600 1"]).unwrap();
        until("it is not there", || server.run::<u64>(&["DBSIZE"]).unwrap() > 3).await;
        server.run::<()>(&["BGSAVE", "SCHEDULE"]).unwrap();
        let is_there = || found_in(server.directory()).iter().any(|file| file.ends_with("dump.rdb"));
        until("it is in no snapshot", is_there).await;
        assert!(found_in(server.directory()).len() > 1, "nor in an append-only file");
    }
    store.commit(vec![Mutation::delete(key("acme", CANARY))]).await.unwrap();
    store.scrub().await.unwrap();
    for server in [&master, &second] {
        assert_eq!(found_in(server.directory()), Vec::<String>::new());
    }
    // It goes on.
    store.commit(vec![Mutation::create(key("acme", "two"), claim(2))]).await.unwrap();
}

/// A replica began to copy by a snapshot, which its Redis never takes away: neither of them makes any by itself.
#[tokio::test]
async fn what_was_erased_is_not_in_the_snapshot_that_a_replica_began_with() {
    // Texts stand in it as they are, and the master writes one too.
    let plain = [&SAFE[..], &["--rdbcompression", "no", "--repl-diskless-sync", "no"]].concat();
    let master = Server::start_with(&plain);
    let (store, _) = replica(&master.config("began")).await;
    store.commit(vec![put("acme", CANARY, 1)]).await.unwrap();
    let second = Server::start_with(&[&plain[..], &["--replicaof", "127.0.0.1", &master.port.to_string()]].concat());
    let is_linked = || second.run::<String>(&["INFO", "replication"]).unwrap().contains("master_link_status:up");
    until("the replica does not follow", is_linked).await;
    for server in [&master, &second] {
        assert!(found_in(server.directory()).iter().any(|file| file.ends_with("dump.rdb")), "there is no snapshot");
    }
    store.commit(vec![Mutation::delete(key("acme", CANARY))]).await.unwrap();
    store.scrub().await.unwrap();
    for server in [&master, &second] {
        assert_eq!(found_in(server.directory()), Vec::<String>::new());
    }
}

async fn write_until_closed(store: Arc<Redis>) {
    for number in 0.. {
        if store.commit(vec![put("acme", &format!("n{}", number % 50), number)]).await.is_err() {
            break;
        }
    }
}

/// Redis keeps what is taken out of a stream for as long as what stands beside it.
#[tokio::test]
async fn what_was_erased_is_gone_although_others_write_meanwhile() {
    let server = Server::start_with(&[&SAFE[..], &["--rdbcompression", "no"]].concat());
    let (store, _) = replica(&server.config("beside")).await;
    store.commit(vec![put("acme", CANARY, 1)]).await.unwrap();
    store.commit(vec![Mutation::delete(key("acme", CANARY))]).await.unwrap();
    assert_ne!(found_in(server.directory()), Vec::<String>::new());
    let writing = tokio::spawn(write_until_closed(Arc::clone(&store)));
    store.scrub().await.unwrap();
    store.close().await;
    writing.await.unwrap();
    assert_eq!(found_in(server.directory()), Vec::<String>::new());
}

#[tokio::test]
async fn replicas_that_keep_up_notice_no_scrub() {
    let server = Server::start();
    let (here, memory) = replica(&server.config("cut")).await;
    let (there, its) = replica(&server.config("cut")).await;
    let writing = tokio::spawn(write_until_closed(Arc::clone(&there)));
    for _ in 0..2 {
        here.scrub().await.unwrap();
    }
    there.close().await;
    writing.await.unwrap();
    until("one hears less", || *memory.revisions.lock() == *its.revisions.lock()).await;
    assert_eq!((here.lag().resyncs, there.lag().resyncs), (0, 0), "a stream was cut before it was read");
}
