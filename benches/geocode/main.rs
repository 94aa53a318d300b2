//! The gazetteer on its own data: whether it finds what it holds, as written and as people write, and how fast.
//!
//! `cargo bench --bench geocode` asks the built gazetteer (`scripts/build-gazetteer`), in process and with no bias: a
//! random sample of Iceland's register, of the towns of the world and of its postcodes. Each miss is put into a class,
//! and some of each are printed.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports on standard output")]

#[path = "../measure/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod measure;
#[path = "../data/random.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod random;

mod judge;
mod postcodes;
mod register;
mod speed;
mod towns;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Runtime;
use waymark::geocode::gazetteer::Gazetteer;

use judge::Shares;
use measure::Sheet;
use random::Random;
use register::{Register, Writing};
use towns::{Naming, Towns};

/// The server's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Addresses, towns and postcodes that are asked for, of each.
const SAMPLE: usize = 5_000;
/// Decides which, where `BENCH_SEED` does not.
const SEED: u64 = 14;
/// Where the gazetteer is built.
const GAZETTEER: &str = "data/built/gazetteer";
/// What it is built from.
const SOURCES: [&str; 4] = [
    "data/fetched/iceland/iceaddr.db",
    "data/fetched/iceland/postcodes.json",
    "data/fetched/geonames/cities500.json",
    "data/fetched/geonames/countries.json",
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let missing: Vec<&str> = [GAZETTEER].into_iter().chain(SOURCES).filter(|file| !root.join(file).exists()).collect();
    if !missing.is_empty() {
        println!("geocode: not measured, {} missing: make test fetches and builds them", missing.join(", "));
        return;
    }
    let seed = std::env::var("BENCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    println!("geocode: seed {seed}");
    let [iceland, codes, cities, countries] = SOURCES.map(|file| root.join(file));
    let (register, towns) = (Register::read(&iceland, &codes), Towns::read(&cities, &countries));
    let mut sheet = Sheet::new("geocode", "gazetteer", SAMPLE, 1);
    let opened = speed::opening(&root.join(GAZETTEER), &mut sheet);
    let asked = Asked { gazetteer: Arc::new(opened), runtime: Runtime::new().unwrap() };

    let rows = register.sample(SAMPLE, Random::of(seed, 0));
    for writing in Writing::ALL {
        let mut random = Random::of(seed, 1 + writing as usize);
        let cases: Vec<_> = rows.iter().map(|row| register.case(*row, writing, &mut random)).collect();
        asked.shares(&cases).of_doors(&format!("addresses of Iceland, {}", writing.told()), &mut sheet);
    }
    let sample = towns.sample(SAMPLE, Random::of(seed, 100));
    for naming in Naming::ALL {
        let mut random = Random::of(seed, 101 + naming as usize);
        let cases: Vec<_> = sample.iter().filter_map(|town| towns.case(*town, naming, &mut random)).collect();
        asked.shares(&cases).of_places(&format!("towns of the world, {}", naming.told()), &mut sheet);
    }
    match postcodes::file(asked.gazetteer.manifest(), &root.join("data/fetched")) {
        Some(path) => {
            for (what, cases) in postcodes::cases(&path, &towns, SAMPLE, Random::of(seed, 200)) {
                asked.shares(&cases).of_places(&format!("postcodes of the world, {what}"), &mut sheet);
            }
        }
        None => println!("postcodes of the world: not asked for, the gazetteer has none"),
    }
    speed::questions(&asked, &register, &towns, Random::of(seed, 300), &mut sheet);
    sheet.write().unwrap();
}

/// The gazetteer, and what its answers are waited for with.
struct Asked {
    gazetteer: Arc<Gazetteer>,
    runtime: Runtime,
}

impl Asked {
    /// Asks all questions, as many at once as there are processors, and judges the answers.
    fn shares(&self, cases: &[judge::Case]) -> Shares {
        judge::shares(self, cases)
    }
}

/// A file of the set-up, read whole.
fn read_json<T: serde::de::DeserializeOwned>(path: &PathBuf) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
