//! A fuzzer for MMDB files: mutants of files of each schema, kept as parents where their outcome was never seen before.
//!
//! Runs on any toolchain, without instrumentation: the feedback is what the checks and look-ups answered, not which branches
//! were taken. `WAYMARK_FUZZ_RUNS` says how many mutants (`make fuzz`), `WAYMARK_FUZZ_SEED` repeats a run. A mutant that panics or
//! does not end is printed, so that it can be put into `tests.rs`.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::geoip::fixture::{Fixture, Value, asn, flat, map, nested};

/// Mutants of a run of the tests.
const RUNS_DEFAULT: u64 = 200_000;
/// Seed of a run of the tests: the same each time, so that a change is to blame for a failure.
const SEED_DEFAULT: u64 = 1;
/// Most parents that are kept.
const PARENTS_MAX: usize = 2_000;
/// Longest mutant, in bytes.
const MUTANT_BYTES_MAX: usize = 16 * 1024;
/// A mutant that is not done with after so long never ends: the largest takes milliseconds.
const HANG: Duration = Duration::from_mins(1);

/// Numbers that look random and are the same for the same seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

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
const TELLING: [u8; 14] = [0x00, 0x01, 0x1d, 0x1e, 0x1f, 0x20, 0x27, 0x38, 0x3f, 0x7f, 0x80, 0xe0, 0xfe, 0xff];

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = numbers.below(bytes.len());
        match numbers.below(9) {
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = TELLING[numbers.below(TELLING.len())],
            2 => bytes[at] = bytes[at].wrapping_add(1),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..(at + 1 + numbers.below(16)).min(bytes.len()))),
            5 => {
                let from = numbers.below(bytes.len());
                let piece = bytes[from..(from + 1 + numbers.below(64)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            6 => {
                let other = &others[numbers.below(others.len())];
                let from = numbers.below(other.len());
                let piece = other[from..(from + 1 + numbers.below(64)).min(other.len())].to_vec();
                let end = (at + piece.len()).min(bytes.len());
                drop(bytes.splice(at..end, piece));
            }
            7 => {
                let byte = TELLING[numbers.below(TELLING.len())];
                let end = (at + 1 + numbers.below(8)).min(bytes.len());
                bytes[at..end].fill(byte);
            }
            _ => {
                let with = numbers.below(bytes.len());
                bytes.swap(at, with);
            }
        }
        bytes.truncate(MUTANT_BYTES_MAX);
    }
}

/// Everything that is ever asked of a file, and a sketch of what it answered, without the numbers in it.
fn outcome_of(bytes: Vec<u8>) -> String {
    let without_numbers = |text: String| text.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    let database = match Database::from_bytes(Path::new("fuzzed.mmdb"), bytes, AgePolicy::default()) {
        Ok(database) => database,
        Err(error) => return without_numbers(error.to_string()),
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
            Err(error) => without_numbers(error.to_string()),
        };
        outcome.push_str(&said);
    }
    for ipv4 in [true, false] {
        let _ = database.networks(ipv4).take(1_000).filter(|(_, network)| network.has_position()).count();
    }
    outcome
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn no_mutant_of_a_file_panics_or_hangs() {
    let with_its_stack = std::thread::Builder::new().stack_size(crate::geoip::STACK_BYTES);
    if let Err(panic) = with_its_stack.spawn(fuzz).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

#[expect(clippy::print_stdout, reason = "a summary for who runs it")]
fn fuzz() {
    let runs = setting("WAYMARK_FUZZ_RUNS", RUNS_DEFAULT);
    let seed = setting("WAYMARK_FUZZ_SEED", SEED_DEFAULT);
    let mut numbers = Numbers(seed);
    let seeds = seeds();
    let (mut parents, mut outcomes) = (seeds.clone(), HashSet::new());
    let (done, present) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    watch(seed, runs, &done, &present);
    for run in 0..runs {
        let mut mutant = parents[numbers.below(parents.len())].clone();
        mutate(&mut mutant, &seeds, &mut numbers);
        present.lock().unwrap().clone_from(&mutant);
        let outcome = catch_unwind(AssertUnwindSafe(|| outcome_of(mutant.clone())));
        let Ok(outcome) = outcome else {
            done.store(runs, Ordering::Relaxed);
            panic!("seed {seed}, mutant {run} panics: {mutant:02x?}")
        };
        if outcomes.insert(outcome) && parents.len() < PARENTS_MAX && !mutant.is_empty() {
            parents.push(mutant);
        }
        done.store(run + 1, Ordering::Relaxed);
    }
    let opened = outcomes.iter().filter(|outcome| outcome.starts_with(char::is_uppercase)).count();
    println!("seed {seed}: {runs} mutants, {} outcomes, {opened} of them of files that open", outcomes.len());
    assert!(opened > 10 && outcomes.len() > 30, "the mutants do not get far: {outcomes:?}");
}

/// Ends the process with the mutant in hand where one does not end: a thread that hangs cannot be stopped.
#[expect(clippy::print_stderr, reason = "the last word of a process that ends")]
fn watch(seed: u64, runs: u64, done: &Arc<AtomicU64>, present: &Arc<Mutex<Vec<u8>>>) {
    let (done, present) = (Arc::clone(done), Arc::clone(present));
    std::thread::spawn(move || {
        let mut before = u64::MAX;
        loop {
            std::thread::sleep(HANG);
            let now = done.load(Ordering::Relaxed);
            if now >= runs {
                return;
            }
            if now == before {
                eprintln!("seed {seed}, mutant {now} does not end: {:02x?}", present.lock().unwrap());
                std::process::abort();
            }
            before = now;
        }
    });
}
