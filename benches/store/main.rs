//! A store alone, in process: durable commits by 1 to 512 writers, beside a file that is appended to and synced.
//!
//! `cargo bench --bench store`: the embedded engine, then the one over a real Redis that syncs before it answers. Each commit
//! puts one site over itself and waits until it is on the disk; writers that wait together share a sync. The file of the
//! comparison lies in the same directory, and takes turns with the writers.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports on standard output")]

#[path = "../measure/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod measure;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use waymark::model::id::{AccountId, SiteId};
use waymark::model::site::Site;
use waymark::store::document::Document;
use waymark::store::embedded::Embedded;
use waymark::store::redis::Redis as Shared;
use waymark::store::redis::config::Config;
use waymark::store::{Expect, Key, Kind, Mutation, Store};

use measure::{Figure, Sheet, disk, redis, settings};

/// The server's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Writers at once.
const WRITERS: [usize; 4] = [1, 8, 64, 512];
/// Sites that there are before: the tree has some levels, and commits touch pages far apart.
const SITES: usize = 100_000;
/// Partitions in Redis; the writers are all in one, as those of an account are.
const PARTITIONS: u16 = 4;
/// Sites of one batch while they are made.
const BATCH: usize = 1_000;
/// What stands in each.
const NOTE: &str = "a note as people write them, of two lines\nand some words about where the key lies";

/// What was done in the slices of one kind.
#[derive(Debug, Default)]
struct Measured {
    rates: Vec<f64>,
    nanoseconds: Vec<u32>,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    fn add(&mut self, times: Vec<u32>, took: Duration) {
        self.rates.push(times.len() as f64 / took.as_secs_f64());
        self.nanoseconds.extend(times);
    }

    fn figure(mut self, what: &str) -> Figure {
        Figure::of(what, "/s", self.rates).with_times(&mut self.nanoseconds)
    }
}

fn main() {
    let runtime = Runtime::new().unwrap();
    let place = directory("embedded");
    run(&runtime, &place, "embedded", &(Arc::new(Embedded::open(&place).unwrap()) as Arc<dyn Store>));
    let place = directory("redis");
    let server = redis::Redis::start(&place).unwrap();
    let config: Config = serde_json::from_value(serde_json::json!({
        "nodes": [format!("127.0.0.1:{}", server.port)],
        "partitions": PARTITIONS,
    }))
    .unwrap();
    let shared = runtime.block_on(Shared::open(&config)).unwrap();
    run(&runtime, &place, "redis", &(Arc::new(shared) as Arc<dyn Store>));
}

/// An empty directory for a store.
fn directory(name: &str) -> PathBuf {
    let place = measure::directory("stores").join(name);
    if place.exists() {
        std::fs::remove_dir_all(&place).unwrap();
    }
    std::fs::create_dir_all(&place).unwrap();
    place
}

/// Measures an engine, which lies in a directory.
fn run(runtime: &Runtime, place: &Path, name: &'static str, store: &Arc<dyn Store>) {
    runtime.block_on(fill(&**store));
    let mut raw = Measured::default();
    let mut commits: Vec<Measured> = WRITERS.iter().map(|_| Measured::default()).collect();
    for round in 0..settings::rounds() {
        // Each round begins with another one.
        for turn in 0..=WRITERS.len() {
            let kind = (round + turn) % (WRITERS.len() + 1);
            let begun = Instant::now();
            match kind.checked_sub(1) {
                None => raw.add(disk::append(place, settings::slice()).unwrap(), begun.elapsed()),
                Some(kind) => {
                    let times = runtime.block_on(write(store, WRITERS[kind], begun));
                    commits[kind].add(times, begun.elapsed());
                }
            }
        }
    }
    runtime.block_on(store.close());
    let mut sheet = Sheet::new("store", name, SITES, 1);
    let raw = raw.figure("append and fdatasync, one thread");
    for (writers, measured) in WRITERS.into_iter().zip(commits) {
        let what = format!("durable commits, {writers} writer{}", if writers == 1 { "" } else { "s" });
        sheet.add(measured.figure(&what).against(&raw));
    }
    sheet.add(raw.with_note(format!("{} bytes each, in the same directory", disk::APPEND_BYTES)));
    sheet.write().unwrap();
}

fn site(number: usize) -> Mutation {
    let account: AccountId = "bench".parse().unwrap();
    let id = SiteId::from_u128(number as u128);
    let made = Site::new(account.clone(), format!("Site {number}"), jiff::Timestamp::UNIX_EPOCH);
    let document = Document::Site(Box::new(Site { id, note: NOTE.to_owned(), ..made }));
    Mutation { key: Key::of(&account, Kind::Site, id), expect: Expect::Any, document: Some(document) }
}

async fn fill(store: &dyn Store) {
    for first in (0..SITES).step_by(BATCH) {
        store.commit((first..first + BATCH).map(site).collect()).await.unwrap();
    }
}

/// Writers in closed loops for a slice; gives the time of each commit.
async fn write(store: &Arc<dyn Store>, writers: usize, begun: Instant) -> Vec<u32> {
    let mut running = JoinSet::new();
    for writer in 0..writers {
        let store = Arc::clone(store);
        running.spawn(async move {
            let mut times = Vec::new();
            // Each step goes far, to other pages of the tree.
            let mut number = writer;
            while begun.elapsed() < settings::slice() {
                let start = Instant::now();
                store.commit(vec![site(number)]).await.unwrap();
                times.push(measure::nanoseconds(start));
                number = (number + 7_919 * writers) % SITES;
            }
            times
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}
