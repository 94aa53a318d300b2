//! A lease is renewed where a replica of Redis has it: one side of a network that is cut does not renew what the other cannot see.

use super::sentinel::{Watched, guarded};
use super::server::Server;
use super::*;
use crate::store::document::{Document, Lease};

fn lease() -> Mutation {
    let document = Some(Document::Lease(Lease { holder: "one".to_owned() }));
    Mutation { key: Key::operator(Kind::Lease, "background-work"), expect: Expect::Any, document }
}

/// Cut off with the old master a leader renewed its lease for as long as that one took writes, and longer than the others waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_without_its_replicas_renews_no_lease() {
    let watched = Watched::start();
    let config = Config { wait_replicas: 0, wait_ms: 200, ..watched.config() };
    let store = Redis::open(&config).await.unwrap();
    let master = watched.master().unwrap();
    store.commit(vec![lease()]).await.unwrap();
    let away: Vec<&Server> = watched.servers.iter().filter(|server| server.port != master).collect();
    away.iter().for_each(|server| server.signal("-STOP"));
    let told = store.commit(vec![lease()]).await;
    assert!(matches!(told, Err(Error::Unknown { .. })), "{told:?}");
    // The master takes writes for as long as it takes its replicas for alive: nothing else waits for them.
    store.commit(vec![put("acme", "one", 1)]).await.unwrap();
    away.iter().for_each(|server| server.signal("-CONT"));
    let end = Instant::now() + server::PATIENCE;
    while store.commit(vec![lease()]).await.is_err() {
        assert!(Instant::now() < end, "it is not renewed when they are back");
    }
}

/// A master that never had a replica is followed by nobody: its lease is as good as its other writes.
#[tokio::test]
async fn a_master_that_never_had_a_replica_renews_leases() {
    let (_master, sentinel, config) = guarded();
    let store = Redis::open(&config).await.unwrap();
    store.commit(vec![lease()]).await.unwrap();
    drop(sentinel);
}
