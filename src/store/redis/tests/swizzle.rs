//! Replicas whose ways to Redis clog one after the other and heal in another order, with a random history through all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::load::{agree, stored};
use super::memory::{Replica, key, put, replica, until};
use super::server::{Proxy, Server, Way, config};
use crate::store::{Error, Mutation, Store};

const REPLICAS: usize = 3;
const WRITERS: usize = 4;
const ROUNDS: usize = 2;
/// Writes that are acknowledged between two steps, as long as a way is open.
const STEP: usize = 60;

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    /// The next, below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// All numbers below `end`, in some order.
    fn order(&mut self, end: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..end).collect();
        for at in (1..end).rev() {
            let other = self.below(u64::try_from(at + 1).unwrap());
            order.swap(at, usize::try_from(other).unwrap());
        }
        order
    }
}

/// The seed that the environment names, or a new one; printed.
pub(super) fn seed() -> u64 {
    let named = std::env::var("WAYMARK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = named.unwrap_or_else(|| {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).unwrap();
        u64::from_be_bytes(bytes)
    });
    println!("WAYMARK_SEED={seed}");
    seed
}

/// Puts, overwrites and deletes until told to end.
async fn write(store: Arc<super::Redis>, seed: u64, done: Arc<AtomicUsize>, is_over: Arc<AtomicBool>) {
    let mut numbers = Numbers(seed);
    while !is_over.load(Ordering::Relaxed) {
        let account = format!("account{}", numbers.below(5));
        let count = 1 + numbers.below(3);
        let first = numbers.below(40);
        let mutation = |id: u64| {
            let id = id.to_string();
            match numbers.below(3) {
                0 => Mutation::delete(key(&account, &id)),
                value => put(&account, &id, (u128::from(numbers.0) << 2) + u128::from(value)),
            }
        };
        let batch = (first..first + count).map(mutation).collect();
        match store.commit(batch).await {
            Ok(_) => {
                done.fetch_add(1, Ordering::Relaxed);
            }
            Err(Error::Unavailable { .. } | Error::Unknown { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_clog_and_heal_in_turn_agree_with_the_store() {
    let mut numbers = Numbers(seed());
    let server = Server::start();
    let (mut proxies, mut replicas) = (Vec::new(), Vec::new());
    for _ in 0..REPLICAS {
        let proxy = Proxy::to(server.port).await;
        replicas.push(replica(&config(proxy.port, "swizzle")).await);
        proxies.push(proxy);
    }
    let (done, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&replicas[writer % REPLICAS].0);
            tokio::spawn(write(store, numbers.below(u64::MAX), Arc::clone(&done), Arc::clone(&is_over)))
        })
        .collect();
    for _ in 0..ROUNDS {
        swizzle(&mut numbers, &proxies, &replicas, &done, &server).await;
    }
    let enough = done.load(Ordering::Relaxed) + STEP;
    until("it does not go on", || done.load(Ordering::Relaxed) >= enough).await;
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let accounts: Vec<String> = (0..5).map(|number| format!("account{number}")).collect();
    let (direct, _) = replica(&server.config("swizzle")).await;
    let memories: Vec<_> = replicas.iter().map(|(_, memory)| &**memory).collect();
    agree(&direct, &accounts, &memories).await;
    assert!(!stored(&direct, &accounts).await.is_empty(), "nothing is left");
    let resyncs: usize = memories.iter().map(|memory| *memory.resyncs.lock()).sum();
    println!("{} writes acknowledged, {resyncs} times read anew", done.load(Ordering::Relaxed));
    assert!(resyncs >= ROUNDS, "the streams were cut, and nobody read anew");
}

/// Clogs all ways one by one and heals them in another order. While the first is clogged, streams are cut behind it.
async fn swizzle(numbers: &mut Numbers, proxies: &[Proxy], replicas: &[Replica], done: &AtomicUsize, server: &Server) {
    let resyncs = || replicas.iter().map(|(store, _)| store.lag().resyncs).sum::<u64>();
    let before = resyncs();
    for (number, at) in numbers.order(REPLICAS).into_iter().enumerate() {
        let (held, enough) = (proxies[at].held.load(Ordering::SeqCst), done.load(Ordering::Relaxed) + STEP);
        proxies[at].set(Way::Clog);
        until("nothing was held back", || proxies[at].held.load(Ordering::SeqCst) > held).await;
        if number + 1 < REPLICAS {
            until("the others stand still", || done.load(Ordering::Relaxed) >= enough).await;
        }
        if number == 0 {
            until("it does not notice", || replicas[at].0.lag().trouble.is_some()).await;
            let streams: Vec<String> = server.run(&["KEYS", "swizzle:*:commits"]).unwrap();
            for stream in &streams {
                server.run::<u64>(&["XTRIM", stream, "MAXLEN", "0"]).unwrap();
            }
        }
    }
    for at in numbers.order(REPLICAS) {
        proxies[at].set(Way::Open);
        let enough = done.load(Ordering::Relaxed) + STEP;
        until("it does not go on", || done.load(Ordering::Relaxed) >= enough).await;
    }
    until("nobody reads anew", || resyncs() > before).await;
}
