//! kill -9 at random moments under eight writers: nothing acknowledged is lost, nothing is done twice or by half.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::load::{Load, agree, tally};
use super::memory::{replica, until};
use super::server::Server;
use super::swizzle::{Numbers, seed};
use crate::store::Store;

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
