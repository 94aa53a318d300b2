//! Mutants of tiles' addresses and of `accept-encoding`: what is taken has one form and lies in the world.

use axum::http::{HeaderMap, HeaderValue, header};

use super::query::TileQuery;
use super::{parse, tile_id};
use crate::api::http::accept::Accepted;
use crate::api::percent::encoded;
use crate::fuzzing::{Mutator, Target, sketch};
use crate::model::Invalid;

/// Mutants of a run of the tests.
const RUNS: u64 = 40_000;
/// Longest mutant, in bytes.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// Longest fault, in bytes: what a caller sent is not told back whole, though each letter of it may be written as eight.
const WHY_BYTES_MAX: usize = 1_024;
/// The finest tiles.
const ZOOM_MAX: u32 = 22;

/// Path, query and header, in lines.
const SEEDS: [&str; 9] = [
    "0/0/0.mvt?\n",
    "22/4194303/4194303.mvt?r=17\ngzip, br;q=0.9, zstd;q=0",
    "12/2048/1361.mvt?filter=status%20%3D+ONLINE&r=1\nidentity;q=0, *;q=0.001",
    "5/16/9.mvt?signature=eyJ0b2tlbiI6\nbr",
    "5/16/9.mvt?filter=a%26b&filter=c\n*",
    "05/16/9.mvt?x=1\nGZIP;Q=1.000",
    "5/+16/9.mvt?filter=%ff\ngzip;q=1.001",
    "5/16/9.pbf?filter=%C3%A9\ngzip;q=0.1234",
    "4294967296/-1/1e3.mvt?filter\n;q=",
];
const WORDS: [&[u8]; 22] = [
    b"/",
    b".mvt",
    b"?",
    b"&",
    b"=",
    b"%",
    b"+",
    b"%2",
    b"%25",
    b"%C3",
    b"filter=",
    b"signature=",
    b"r=",
    b"\n",
    b",",
    b";q=",
    b"gzip",
    b"br",
    b"zstd",
    b"identity",
    b"*",
    b"0.001",
];

#[test]
fn no_mutant_of_an_address_is_taken_in_another_form() {
    let mutate = Mutator { words: &WORDS, bytes_max: TEXT_BYTES_MAX }.changes();
    let seeds = SEEDS.map(|text| text.as_bytes().to_vec()).to_vec();
    let target = Target { name: "tile paths", seeds, mutate, runs: RUNS, cost: 1 };
    let outcomes = target.run(|mutant| {
        let text = String::from_utf8_lossy(mutant);
        let (address, accepted) = text.split_once('\n').unwrap_or((&text, ""));
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        format!("{} {} {}", outcome_of_path(path), outcome_of_query(query), outcome_of_header(accepted))
    });
    let taken = outcomes.iter().filter(|outcome| outcome.starts_with("taken")).count();
    assert!(taken > 20 && outcomes.len() > taken + 20, "the mutants do not get far: {taken} of {}", outcomes.len());
}

fn outcome_of_path(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').collect();
    let [z, x, y] = segments.as_slice() else { return "no tile".to_owned() };
    let Some(y) = y.strip_suffix(".mvt") else { return "no ending".to_owned() };
    let read = || -> Result<_, Invalid> {
        let (z, x, y) = (parse::<u8>("z", z)?, parse::<u32>("x", x)?, parse::<u32>("y", y)?);
        Ok((tile_id(z, x, y)?, u32::from(z), x, y))
    };
    match read() {
        Ok((_, z, x, y)) => {
            assert_eq!(format!("{z}/{x}/{y}.mvt"), path, "a tile has one address");
            assert!(z <= ZOOM_MAX && x < 1 << z && y < 1 << z, "outside of the world: {path}");
            "taken".to_owned()
        }
        Err(fault) => {
            assert!(fault.why.len() <= WHY_BYTES_MAX, "{}", fault.why);
            fault.field
        }
    }
}

fn outcome_of_query(query: &str) -> String {
    let read = TileQuery::parse(query);
    for value in [&read.filter, &read.signature].into_iter().flatten() {
        let again = TileQuery::parse(&format!("filter={}", encoded(value)));
        assert_eq!((again.filter.as_ref(), again.fault), (Some(value), None), "it does not come back");
        assert!(value.len() <= query.len(), "it grows");
    }
    let told = read.fault.map(|fault| {
        assert!(fault.why.len() <= WHY_BYTES_MAX, "{}", fault.why);
        sketch(&fault.why)
    });
    format!("{}{} {}", read.filter.is_some(), read.signature.is_some(), told.unwrap_or_default())
}

/// The coding that is chosen for a small tile, and for a large one.
fn outcome_of_header(accepted: &str) -> String {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(accepted) {
        headers.append(header::ACCEPT_ENCODING, value);
    }
    let accepted = Accepted::of(&headers);
    let named = |bytes: usize| accepted.choose(bytes).map(|coding| coding.name().unwrap_or("identity"));
    format!("{:?} {:?}", named(100), named(100_000))
}
