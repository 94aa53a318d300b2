//! A Redis that is set otherwise while it is used: nothing is written until it keeps what it acknowledges again.

use super::memory::{key, put, replica, until};
use super::server::Server;
use crate::store::redis::Redis;
use crate::store::redis::config::Config;
use crate::store::redis::deployment;
use crate::store::{Error, Store};

/// Settings of a Redis and the values that they are given, what is told then, and the values that mend it.
type Change = (&'static [(&'static str, &'static str)], &'static str, &'static [(&'static str, &'static str)]);

const CHANGES: [Change; 3] = [
    (&[("appendfsync", "no")], "never syncs", &[("appendfsync", "always")]),
    (&[("appendonly", "no")], "append-only", &[("appendonly", "yes")]),
    (&[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")], "evicts", &[("maxmemory-policy", "noeviction")]),
];

fn set(server: &Server, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        server.run::<()>(&["CONFIG", "SET", name, value]).unwrap();
    }
}

/// Commits, as often as the connection was lost; what it was answered at last.
async fn commit(store: &Redis, id: &str) -> Result<(), Error> {
    loop {
        match store.commit(vec![put("acme", id, 1)]).await {
            Err(Error::Unavailable { .. } | Error::Unknown { .. }) => {}
            told => return told.map(drop),
        }
    }
}

#[tokio::test]
async fn settings_that_lose_writes_stop_them_until_they_are_mended() {
    let server = Server::start();
    let (store, memory) = replica(&server.config("changed")).await;
    store.commit(vec![put("acme", "kept", 1)]).await.unwrap();
    for (danger, word, mended) in CHANGES {
        set(&server, danger);
        store.nodes.safety.look_soon();
        until("nobody notices", || store.danger().is_some()).await;
        let told = store.commit(vec![put("acme", word, 1)]).await;
        let is_told = matches!(&told, Err(Error::Configuration { cause }) if cause.contains(word));
        assert!(is_told, "{told:?}");
        assert!(store.get(key("acme", word)).await.unwrap().is_none(), "what was refused was done");
        assert!(store.get(key("acme", "kept")).await.unwrap().is_some(), "reads go on");
        set(&server, mended);
        until("it is not noticed that it is mended", || store.danger().is_none()).await;
        let revision = store.commit(vec![put("acme", word, 1)]).await.unwrap();
        assert_eq!(memory.revisions.lock().get("acme"), Some(&revision));
    }
}

#[tokio::test]
async fn who_starts_on_a_file_that_a_kill_tore_is_remarked() {
    let server = Server::start();
    let (store, _) = replica(&server.config("torn")).await;
    let remarks = async || deployment::look(&store.nodes).await.unwrap().remarks;
    assert!(matches!(&remarks().await[..], [remark] if remark.contains("aof-load-truncated")));
    set(&server, &[("aof-load-truncated", "no")]);
    assert_eq!(remarks().await, Vec::<String>::new());
}

/// Of the look that comes now and then nobody knows when it is: what goes to a new connection does not wait for it.
#[tokio::test]
async fn a_connection_is_looked_at_before_anything_is_written_to_it() {
    let server = Server::start();
    let (store, _) = replica(&server.config("anew")).await;
    for number in 0..5 {
        commit(&store, &number.to_string()).await.unwrap();
        set(&server, &[("appendfsync", "no")]);
        server.run::<u64>(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
        let late = format!("late {number}");
        let told = commit(&store, &late).await;
        assert!(matches!(&told, Err(Error::Configuration { cause }) if cause.contains("never syncs")), "{told:?}");
        assert!(store.get(key("acme", &late)).await.unwrap().is_none());
        set(&server, &[("appendfsync", "always")]);
        until("it is not noticed that it is mended", || store.danger().is_none()).await;
    }
}

#[tokio::test]
async fn who_allows_losses_is_told_of_them_and_goes_on() {
    let server = Server::start();
    let allowed = Config { allow_data_loss: true, ..server.config("allowed") };
    let (store, _) = replica(&allowed).await;
    assert_eq!(store.danger(), None);
    set(&server, &[("appendfsync", "no")]);
    store.nodes.safety.look_soon();
    until("nobody notices", || store.danger().is_some_and(|danger| danger.contains("never syncs"))).await;
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
}

/// What cannot be asked just now is no danger: it may be on its way back.
#[tokio::test]
async fn a_redis_that_is_away_is_not_taken_for_one_that_loses_writes() {
    let mut server = Server::start();
    let (store, _) = replica(&server.config("away")).await;
    commit(&store, "before").await.unwrap();
    server.kill();
    store.nodes.safety.look_soon();
    until("nobody notices", || store.lag().trouble.is_some()).await;
    assert_eq!(store.danger(), None);
    server.restart();
    until("it is not followed again", || store.lag().trouble.is_none()).await;
    commit(&store, "after").await.unwrap();
    assert_eq!(store.danger(), None);
}
