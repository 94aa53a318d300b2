//! The map engine alone, in process, on one thread: tiles, viewports, neighbours, changes, memory.
//!
//! `cargo bench --bench map [-- SITES]` builds SITES (1,000,000) sites in one account around 3,000 towns, a third of them
//! piled on their town as GeoIP does, and prints the median of five rounds of each call. Figures are for reading, not
//! for asserting: machines are shared and noisy.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports on standard output")]

use std::hint::black_box;
use std::time::Instant;

use waymark::model::geo::{BoundingBox, LatLng};
use waymark::model::id::SiteId;
use waymark::model::location::{Granularity, Source};
use waymark::model::site::Status;
use waymark::spatial::entry::Entry;
use waymark::spatial::mercator::{Point, TileId};
use waymark::spatial::{AccountMap, mvt};

const SITES_DEFAULT: usize = 1_000_000;
const TOWNS: usize = 3_000;
const ROUNDS: usize = 5;

/// splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// A number in [-1, 1).
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit")]
    fn signed(&mut self) -> f64 {
        (self.next() >> 32) as f64 / f64::from(1_u32 << 31) - 1.0
    }

    fn position(&mut self, around: LatLng, degrees: f64) -> LatLng {
        let lat = (around.lat() + self.signed() * degrees).clamp(-85.0, 85.0);
        LatLng::new(lat, (around.lng() + self.signed() * degrees).clamp(-180.0, 180.0)).unwrap()
    }
}

fn entries(count: usize, random: &mut Random) -> Vec<Entry> {
    let equator = LatLng::new(20.0, 0.0).unwrap();
    let towns: Vec<LatLng> = (0..TOWNS)
        .map(|_| LatLng::new(random.position(equator, 45.0).lat(), random.signed() * 180.0).unwrap())
        .collect();
    (0..count)
        .map(|number| {
            // The product of two draws: few large towns, many small ones.
            let town = towns[random.below(TOWNS) * random.below(TOWNS) / TOWNS];
            let is_estimate = random.below(3) == 0;
            Entry {
                site: SiteId::from_u128(number as u128),
                position: if is_estimate { town } else { random.position(town, 0.1) },
                accuracy_m: None,
                granularity: if is_estimate { Granularity::City } else { Granularity::Door },
                source: if is_estimate { Source::GeoIp } else { Source::Address },
                status: Status::ALL[random.below(Status::ALL.len())],
                display_name: format!("site number {number:08}").into(),
            }
        })
        .collect()
}

/// Prints the median time of a call over some rounds.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
fn report(what: &str, calls: usize, mut call: impl FnMut(usize)) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(&mut call);
            start.elapsed().as_secs_f64() / calls as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    let median = rounds[ROUNDS / 2];
    println!("{what:<44} {:>9.2} µs {:>12.0} /s", median * 1e6, 1.0 / median);
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(SITES_DEFAULT);
    let mut random = Random(1);
    let all = entries(count, &mut random);
    let before = resident_bytes();
    let start = Instant::now();
    let mut map = AccountMap::bulk(all.iter().cloned());
    println!("{count} sites in one account, medians of {ROUNDS} rounds, one thread");
    println!("load {:.2?}, about {} resident bytes a site", start.elapsed(), (resident_bytes() - before) / count);
    reads(&map, &all, &mut random);
    changes(&mut map, &all, &mut random);
}

fn reads(map: &AccountMap, all: &[Entry], random: &mut Random) {
    let picks: Vec<LatLng> = (0..10_000).map(|_| all[random.below(all.len())].position).collect();
    let pick = |call: usize| picks[call % picks.len()];
    let around = |at: LatLng, lat: f64, lng: f64| {
        let low = LatLng::new((at.lat() - lat).max(-90.0), (at.lng() - lng).max(-180.0)).unwrap();
        let high = LatLng::new((at.lat() + lat).min(90.0), (at.lng() + lng).min(180.0)).unwrap();
        BoundingBox::new(low, high).unwrap()
    };
    for zoom in (0..=14).step_by(2) {
        report(&format!("tile at zoom {zoom}, encoded, where sites are"), 5_000, |call| {
            let tile = TileId::holding(Point::project(pick(call)), zoom);
            black_box(mvt::encode(&map.tile(tile), tile));
        });
    }
    report("viewport: the world at zoom 2", 1_000, |_| {
        black_box(map.viewport(&BoundingBox::WORLD, 2).unwrap());
    });
    report("viewport: a city at zoom 11, 1280x800", 5_000, |call| {
        black_box(map.viewport(&around(pick(call), 0.14, 0.22), 11).unwrap());
    });
    report("the 10 nearest sites", 20_000, |call| {
        black_box(map.nearest(pick(call), 10));
    });
    report("the first 100 sites within 10 km", 2_000, |call| {
        black_box(map.within(pick(call), 10_000.0, None, 100));
    });
    report("the first 100 sites of a box of 2 km", 5_000, |call| {
        black_box(map.in_box(&around(pick(call), 0.01, 0.01), None, 100));
    });
}

fn changes(map: &mut AccountMap, all: &[Entry], random: &mut Random) {
    let picks: Vec<Entry> = (0..100_000).map(|_| all[random.below(all.len())].clone()).collect();
    let mut turn = 0;
    report("change of status", picks.len(), |call| {
        turn += 1;
        map.upsert(Entry { status: Status::ALL[(turn + call) % Status::ALL.len()], ..picks[call].clone() });
    });
    report("move by some hundred metres", picks.len(), |call| {
        let position = random.position(picks[call].position, 0.005);
        map.upsert(Entry { position, ..picks[call].clone() });
    });
}
