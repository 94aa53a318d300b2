//! Mutants of `GeoIP` files of each schema: checked, looked up in and walked through without a panic or an endless walk.

use super::*;
use crate::fuzzing::{Mutator, Target, sketch};
use crate::geoip::fixture::{Fixture, Value, asn, flat, map, nested};

/// Mutants of a run of the tests.
const RUNS: u64 = 200_000;
/// Longest mutant, in bytes.
const FILE_BYTES_MAX: usize = 16 * 1024;
/// Most networks of a mutant that are walked through.
const NETWORKS_MAX: usize = 1_000;

/// Files of every schema, width of the tree, and kind of value.
fn seeds() -> Vec<Vec<u8>> {
    let location = map([("latitude", 47.4.into()), ("longitude", 8.5.into()), ("accuracy_radius", Value::Uint16(20))]);
    let city = nested("CH", "Zurich", "Zurich", location);
    let shared = map([("country", Value::Pointer(0)), ("location", Value::Pointer(0))]);
    let mut seeds = Vec::new();
    for bits in [24, 28, 32] {
        for version in [4, 6] {
            let file = |kind: &str| Fixture::new(version, kind).record_size(bits);
            let with = |kind: &str, record: &Value| {
                file(kind).with("8.8.8.0/24", record.clone()).with("130.0.0.0/8", record.clone()).bytes()
            };
            seeds.push(with("GeoLite2-City", &city));
            seeds.push(with("DBIP-City-Lite", &flat("CH", "Zurich", "Zurich", 47.4_f32, 8.5_f32)));
            seeds.push(with("GeoLite2-ASN", &asn(64_500, "Example Networks")));
            seeds.push(with("GeoLite2-Country", &map([("country", map([("iso_code", "SE".into())]))])));
            seeds.push(with("Pointers-City", &shared));
        }
    }
    seeds
}

/// Bytes that mean something in the format: sizes, types, pointers, the ends of ranges.
const TELLING: [&[u8]; 14] = [
    b"\x00", b"\x01", b"\x1d", b"\x1e", b"\x1f", b"\x20", b"\x27", b"\x38", b"\x3f", b"\x7f", b"\x80", b"\xe0",
    b"\xfe", b"\xff",
];

/// Everything that is ever asked of a file, and a sketch of what it answered, without the numbers in it.
fn outcome_of(bytes: Vec<u8>) -> String {
    let database = match Database::from_bytes(Path::new("fuzzed.mmdb"), bytes, AgePolicy::default()) {
        Ok(database) => database,
        Err(error) => return sketch(&error.to_string()),
    };
    let mut outcome = format!("{:?} {}", database.info.schema, database.info.ip_version);
    for ip in ["8.8.8.8", "130.1.2.3", "223.255.255.255", "2a00::1", "::8.8.8.8"] {
        let said = match database.look_up(ip.parse().unwrap()) {
            Ok(None) => "none".to_owned(),
            Ok(Some(answer)) => {
                let position = answer.record.position;
                assert!(position.is_none_or(|at| at.lat().abs() <= 90.0 && at.lng().abs() <= 180.0), "{position:?}");
                assert!(answer.record.accuracy_m.is_none_or(|radius| radius.is_finite() && radius > 0.0));
                let _ = answer.network();
                let record = &answer.record;
                format!("{}{}{}", position.is_some(), record.city.is_empty(), record.asn.is_some())
            }
            Err(error) => sketch(&error.to_string()),
        };
        outcome.push_str(&said);
    }
    for ipv4 in [true, false] {
        let _ = database.networks(ipv4).take(NETWORKS_MAX).filter(|(_, network)| network.has_position()).count();
    }
    outcome
}

#[test]
fn no_mutant_of_a_file_panics_or_hangs() {
    let with_its_stack = std::thread::Builder::new().stack_size(crate::geoip::STACK_BYTES);
    if let Err(panic) = with_its_stack.spawn(fuzz).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

fn fuzz() {
    let mutate = Mutator { words: &TELLING, bytes_max: FILE_BYTES_MAX }.changes();
    let target = Target { name: "mmdb", seeds: seeds(), mutate, runs: RUNS, cost: 1 };
    let outcomes = target.run(|mutant| outcome_of(mutant.to_vec()));
    let opened = outcomes.iter().filter(|outcome| outcome.starts_with(char::is_uppercase)).count();
    assert!(opened > 10 && outcomes.len() > 30, "the mutants do not get far: {opened} open, {outcomes:?}");
}
