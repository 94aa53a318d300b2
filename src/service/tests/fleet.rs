//! Several replicas on one Redis: what two of them do at once, and what is promised when a replica of Redis is away.

use std::sync::Arc;

use super::*;
use crate::model::access::Token;
use crate::service::patch::SitePatch;
use crate::service::tokens::NewToken;
use crate::service::{Error, Versioned};
use crate::store::Error as StoreError;
use crate::store::redis::Redis;
use crate::store::redis::config::Config as RedisConfig;
use crate::store::redis::tests::server::{PATIENCE, SAFE, Server};

const NAME: &str = "Berlin";
const REQUEST: &str = "6f1f5b6e-5a2f-4b0e-9d0c-0a4c1d2e3f40";

async fn on(config: &RedisConfig) -> World {
    let store = Arc::new(Redis::open(config).await.unwrap());
    let directory = tempfile::tempdir().unwrap();
    World::over((store, directory), Databases::empty(), None, setup(ConnectionConfig::default())).await
}

async fn operator_token(world: &World) -> Token {
    let new = NewToken::of(None, Scope::Admin, "operator");
    world.waymark.create_token(&world.operator, new).await.unwrap().0
}

/// Each saw in its own memory that the other's token is good, and both went through: nobody was left who may make tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_end_the_operators_last_tokens_at_once_leave_one() {
    let server = Server::start();
    let config = server.config("operators");
    let (one, other) = (on(&config).await, on(&config).await);
    let mut left = operator_token(&one).await;
    for _ in 0..5 {
        let made = operator_token(&other).await;
        reach(&one, &other).await;
        let revoke = async |world: &World, id| world.waymark.revoke_token(&world.operator, None, id).await;
        left = match tokio::join!(revoke(&one, left.id), revoke(&other, made.id)) {
            (Ok(_), Err(Error::LastOperatorToken)) => made,
            (Err(Error::LastOperatorToken), Ok(_)) => left,
            outcomes => panic!("{outcomes:?}"),
        };
    }
}

/// Waits until two replicas know the same tokens.
async fn reach(one: &World, other: &World) {
    let good = |world: &World| {
        let tokens = world.waymark.parts.live.tokens_of(None, None, usize::MAX);
        tokens.iter().filter(|token| token.revoked_at.is_none()).count()
    };
    tokio::time::timeout(PATIENCE, async {
        while good(one) != 2 || good(other) != 2 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("a replica does not hear of a token");
}

async fn create(world: &World, name: &str) -> Result<Versioned<Site>, Error> {
    let patch = SitePatch { display_name: Some(name.to_owned()), ..SitePatch::default() };
    world.waymark.create_site(&world.operator, &world.account, patch, REQUEST).await
}

/// The first call heard that too few replicas of Redis had its write. Its repeat found the record on the master and was told that
/// all was well, and a failover to the replica that never had it undid an acknowledged write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_acknowledged_as_safely_as_a_first_call() {
    let master = Server::start();
    let port = master.port.to_string();
    let follows = [&SAFE[..], &["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]].concat();
    let replica = Server::start_with(&follows);
    until_followed(&master).await;
    let world = on(&RedisConfig { wait_replicas: 1, wait_ms: 1_000, ..master.config("repeat") }).await;
    replica.signal("-STOP");
    for call in ["first call", "repeat", "second repeat"] {
        let told = create(&world, NAME).await;
        assert!(matches!(told, Err(Error::Store(StoreError::Unknown { .. }))), "{call}: {told:?}");
    }
    replica.signal("-CONT");
    let made = tokio::time::timeout(PATIENCE, async {
        loop {
            match create(&world, NAME).await {
                Ok(made) => return made,
                Err(cause) => assert!(matches!(cause, Error::Store(StoreError::Unknown { .. })), "{cause:?}"),
            }
        }
    });
    let made = made.await.expect("its replica is there and has it");
    let sites = world.sites().await;
    assert_eq!(sites.iter().map(|site| site.id).collect::<Vec<_>>(), [made.value.id], "a repeat made another one");
    assert_eq!(create(&world, NAME).await.unwrap(), made);
    let other = create(&world, "Hamburg").await;
    assert!(matches!(other, Err(Error::RequestIdReused)), "{other:?}");
}

async fn until_followed(master: &Server) {
    tokio::time::timeout(PATIENCE, async {
        while !master.run::<String>(&["INFO", "replication"]).unwrap().contains("state=online") {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("its replica does not follow");
}
