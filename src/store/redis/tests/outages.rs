//! A Redis that hangs, replicas of it that would lose what they have, and a replica of ours that stumbles over a commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::memory::{claim, key, put, replica, until};
use super::sentinel::guarded;
use super::server::{self, PATIENCE, Proxy, Server, Way};
use crate::store::redis::Redis;
use crate::store::redis::config::Config;
use crate::store::{Error, Mutation, Observer, Resync, Revision, Store};

/// Calls that come while Redis hangs: more than there are places for.
const CALLS: usize = 3_000;

/// R2: it takes connections and answers nothing.
#[tokio::test]
async fn a_redis_that_hangs_holds_no_call_for_long_and_none_of_those_behind() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("hang")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    server.signal("-STOP");
    // In the first moment nobody knows: some wait until somebody does.
    let first = tokio::time::timeout(PATIENCE, store.get(key("acme", "one"))).await.expect("it waits for ever");
    assert!(matches!(first, Err(Error::Unavailable { .. })), "{first:?}");
    let is_cut = || store.lane(Some(&"acme".parse().unwrap())).unwrap().is_cut().is_some();
    until("nobody notices that it hangs", is_cut).await;
    let calls = (0..CALLS).map(|number| {
        let store = Arc::clone(&store);
        async move {
            match number % 2 {
                0 => store.get(key("acme", "one")).await.map(drop),
                _ => store.commit(vec![put("acme", "late", 2)]).await.map(drop),
            }
        }
    });
    for told in tokio::time::timeout(PATIENCE, join_all(calls)).await.expect("calls pile up") {
        // None of them tried it.
        let is_said = matches!(&told, Err(Error::Unavailable { cause }) if cause.contains("does not answer"));
        assert!(is_said, "{told:?}");
    }
    server.signal("-CONT");
    until("it is not found again", || !is_cut()).await;
    let revision = store.commit(vec![put("acme", "two", 2)]).await.unwrap();
    assert_eq!(memory.revisions.lock().get("acme"), Some(&revision));
    assert!(store.get(key("acme", "late")).await.unwrap().is_none(), "a write that was refused was done");
}

/// R7, one way: what is asked comes there, and no answer comes back.
#[tokio::test]
async fn a_way_on_which_no_answer_comes_back_ends_calls_in_time_and_loses_nothing() {
    let server = Server::start();
    let (direct, _) = replica(&server.config("deaf")).await;
    let proxy = Proxy::to(server.port).await;
    let (store, memory) = replica(&server::config(proxy.port, "deaf")).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    proxy.set(Way::Deaf);
    let calls = async {
        let written = store.commit(vec![Mutation::create(key("acme", "two"), claim(2))]).await;
        assert!(matches!(written, Err(Error::Unknown { .. } | Error::Unavailable { .. })), "{written:?}");
        let read = store.get(key("acme", "one")).await;
        assert!(matches!(read, Err(Error::Unavailable { .. })), "{read:?}");
    };
    tokio::time::timeout(PATIENCE, calls).await.expect("calls wait for ever");
    assert!(proxy.held.load(Ordering::SeqCst) > 0, "no answer was held back");
    direct.commit(vec![put("acme", "three", 3)]).await.unwrap();
    proxy.set(Way::Open);
    // Whatever became of it, the same once more has one effect.
    let again = loop {
        match store.commit(vec![Mutation::create(key("acme", "two"), claim(2))]).await {
            Err(Error::Unknown { .. } | Error::Unavailable { .. }) => {}
            settled => break settled,
        }
    };
    assert!(matches!(again, Ok(_) | Err(Error::Conflict { .. })), "{again:?}");
    until("it does not catch up", || memory.records.lock().len() == 3 && store.lag().trouble.is_none()).await;
    assert_eq!(memory.records.lock().values().copied().collect::<Vec<_>>(), [1, 3, 2]);
}

/// Writes that wait for a place hear of it as soon as anybody does, and are not done afterwards.
#[tokio::test]
async fn writes_that_wait_for_a_redis_that_hangs_are_refused_together() {
    let server = Server::start();
    let (store, _) = replica(&server.config("pile")).await;
    server.signal("-STOP");
    let writing = (0..CALLS).map(|number| {
        let store = Arc::clone(&store);
        async move {
            let id = number.to_string();
            (id.clone(), store.commit(vec![Mutation::create(key("acme", &id), claim(1))]).await)
        }
    });
    let told = tokio::time::timeout(PATIENCE, join_all(writing)).await.expect("writes pile up");
    server.signal("-CONT");
    until("it is not followed again", || store.lag().trouble.is_none()).await;
    let mut refused = 0;
    for (id, told) in told {
        match told {
            Err(Error::Unavailable { .. }) => {
                refused += 1;
                assert!(store.get(key("acme", &id)).await.unwrap().is_none(), "{id} was refused, and done");
            }
            Err(Error::Unknown { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > CALLS / 2, "{refused} of {CALLS}");
}

/// A replica that is made master is one as any other.
#[tokio::test]
async fn a_replica_that_would_lose_what_it_has_is_refused_where_it_may_take_over() {
    let (master, _sentinel, config) = guarded();
    let port = master.port.to_string();
    let follows = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
    let follower = Server::start_with(&[&["--appendonly", "no"][..], &follows].concat());
    let is_followed = || {
        let told: String = master.run(&["INFO", "replication"]).unwrap();
        told.contains("state=online")
    };
    until("it is not copied", is_followed).await;
    let told = Redis::open(&config).await.unwrap_err().to_string();
    let named = format!("the replica 127.0.0.1:{}", follower.port);
    assert!(told.contains(&named) && told.contains("set appendonly yes"), "{told}");
    let allowed = Config { allow_data_loss: true, ..config.clone() };
    assert!(Redis::open(&allowed).await.is_ok());
    // One that Sentinels never choose loses nothing by itself; nor does one of a master that nobody watches.
    follower.run::<()>(&["CONFIG", "SET", "replica-priority", "0"]).unwrap();
    assert!(Redis::open(&config).await.is_ok());
    follower.run::<()>(&["CONFIG", "SET", "replica-priority", "100"]).unwrap();
    assert!(Redis::open(&config).await.is_err());
    assert!(Redis::open(&master.config("single")).await.is_ok());
    for (setting, value) in [("appendonly", "yes"), ("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")] {
        follower.run::<()>(&["CONFIG", "SET", setting, value]).unwrap();
    }
    let told = Redis::open(&config).await.unwrap_err().to_string();
    assert!(told.contains(&named) && told.contains("evicts"), "{told}");
    follower.run::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).unwrap();
    let (store, _) = replica(&config).await;
    store.commit(vec![put("acme", "kept", 1)]).await.unwrap();
    // Where it lies is nobody's to know who writes.
    follower.run::<()>(&["CONFIG", "SET", "appendonly", "no"]).unwrap();
    store.nodes.safety.look_soon();
    until("nobody notices", || store.danger().is_some()).await;
    let told = store.commit(vec![put("acme", "late", 1)]).await.unwrap_err().to_string();
    assert!(told.contains("a replica of this Redis") && told.contains("set appendonly yes"), "{told}");
    assert!(!told.contains("127.0.0.1") && !told.contains(&follower.port.to_string()), "{told}");
}

/// Panics over each commit.
#[derive(Debug)]
struct Panicking;

impl Observer for Panicking {
    fn committed(&self, revision: Revision, _: &[Mutation]) {
        assert!(revision == Revision(0), "a commit");
    }

    fn resynced(&self, _: Resync<'_>) {}
}

/// F16: nobody else brings memory up to date.
#[tokio::test]
async fn a_panic_of_the_follower_is_told() {
    let server = Server::start();
    let (other, _) = replica(&server.config("panic")).await;
    let store = Arc::new(server.open("panic").await);
    store.observe(Arc::new(Panicking)).await.unwrap();
    other.commit(vec![put("acme", "one", 1)]).await.unwrap();
    let told = tokio::time::timeout(PATIENCE, store.broken()).await.expect("nobody is told");
    assert!(told.contains("panicked"), "{told}");
}
