//! Measures what compressing tiles costs and saves. Run by hand, with optimisation, on a directory of `.mvt` files:
//!
//! `WAYMARK_TILES=DIR cargo test --release --lib -- --ignored --nocapture measure_codings`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::api::http::coding::Coding;

/// Rounds over all tiles of a size; the best is shown.
const ROUNDS: usize = 15;

#[test]
#[ignore = "measures, and needs tiles"]
#[expect(clippy::print_stdout, reason = "a table for who runs it")]
fn measure_codings() {
    let directory = std::env::var("WAYMARK_TILES").expect("WAYMARK_TILES names a directory of tiles");
    let mut by_size: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let tile = std::fs::read(file.unwrap().path()).unwrap();
        by_size.entry(tile.len().next_power_of_two()).or_default().push(tile);
    }
    println!("bytes up to | tiles | bytes each | coding: share of the bytes left, time each");
    for (size, tiles) in by_size {
        let plain: usize = tiles.iter().map(Vec::len).sum();
        print!("{size:>11} | {:>5} | {:>10} |", tiles.len(), plain / tiles.len());
        for coding in [Coding::Zstd, Coding::Gzip, Coding::Brotli] {
            let (mut best, mut encoded) = (Duration::MAX, 0);
            for _ in 0..ROUNDS {
                let copies = tiles.clone();
                let begun = Instant::now();
                encoded = copies.into_iter().map(|tile| coding.encode(tile).len()).sum();
                best = best.min(begun.elapsed() / u32::try_from(tiles.len()).unwrap());
            }
            print!(" {}: {} %, {best:?}", coding.name().unwrap(), encoded * 100 / plain.max(1));
        }
        println!();
    }
}
