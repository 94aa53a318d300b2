//! Mutants of geocoders' answers, sent over HTTP: what comes of them is a whole candidate or an error, never half of one.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::build::provider;
use super::config::{Config, Kind, Plan};
use super::fake::{SOON, gata};
use super::http::answer::RESULTS_MAX;
use super::worlds::{KINDS, answer, number, provider_at};
use super::{Candidate, Error};
use crate::fuzzing::{Mutator, Numbers, Target, sketch};
use crate::http_client::stub::{Reply, Stub};

/// Mutants of a run of the tests, of each provider.
const RUNS: u64 = 500;
/// Longest mutant, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// What is put into an answer where it does not belong.
const STRANGE: [&[u8]; 22] = [
    b"NaN",
    b"1e999",
    b"-0",
    b"null",
    b"\"\"",
    b"[]",
    b"{}",
    b"true",
    b"\\u0000",
    b"\"lat\":",
    b"91",
    b"99999999999999999999",
    b"\\ud800",
    b"<b>",
    "\u{202e}".as_bytes(),
    b"[",
    b"{\"",
    b",",
    b"]}",
    b"\"0\"",
    b"\"osm_type\":\"way\",",
    b"\"features\":",
];

/// Changes bytes, or puts something strange in the place of a whole value.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    if bytes.is_empty() || numbers.one_in(2) {
        return Mutator { words: &STRANGE, bytes_max: ANSWER_BYTES_MAX }.mutate(bytes, other, numbers);
    }
    let at = numbers.below(bytes.len());
    let from = bytes[at..].iter().position(|byte| *byte == b':').map_or(at, |colon| at + colon + 1);
    let to = bytes[from..].iter().position(|byte| b",}]".contains(byte)).map_or(from, |end| from + end);
    drop(bytes.splice(from..to, numbers.one_of(&STRANGE).iter().copied()));
}

#[test]
fn no_mutant_of_an_answer_is_half_a_candidate() {
    for kind in KINDS {
        fuzz(kind);
    }
}

fn fuzz(kind: Kind) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let present = Arc::new(Mutex::new(Vec::new()));
    let answered = Arc::clone(&present);
    let stub = runtime.block_on(Stub::start(move |_| {
        let headers = vec![("content-type", "application/json".to_owned())];
        Reply::Whole(200, headers, answered.lock().clone())
    }));
    let config = Config { providers: vec![provider_at(kind, &stub.url)], ..Config::default() };
    let Plan::Remote(remote) = config.plans().unwrap().remove(0) else { panic!("it is asked over HTTP") };
    let geocoder = runtime.block_on(async { provider(*remote, Timestamp::now) }).unwrap();
    let seeds = [(64.102, -21.9), (-90.0, 180.0)]
        .map(|(lat, lng)| answer(kind, &number(kind, lat), &number(kind, lng)).into_bytes())
        .to_vec();
    let name = match kind {
        Kind::Photon => "photon's answers",
        Kind::OpenCage => "opencage's answers",
        Kind::Nominatim | Kind::Gazetteer => "nominatim's answers",
    };
    let (mut executed, mut taken) = (0, 0);
    let outcomes = Target { name, seeds, mutate, runs: RUNS, cost: 200 }.run(|mutant| {
        present.lock().clone_from(&mutant.to_vec());
        let found = runtime.block_on(geocoder.answer(&gata(), Instant::now() + SOON));
        executed += 1;
        taken += usize::from(found.is_ok());
        outcome_of(found)
    });
    assert_eq!(stub.count(), executed, "each was asked for once");
    assert!((executed / 20..executed).contains(&taken), "{kind:?}: {taken} of {executed} taken");
    assert!(outcomes.len() > 5, "{kind:?}: the mutants do not get far: {outcomes:?}");
}

fn outcome_of(found: Result<Vec<Candidate>, Error>) -> String {
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let is_of_the_way =
                matches!(error, Error::Unreachable { .. } | Error::TimedOut { .. } | Error::OutOfTime { .. });
            assert!(!is_of_the_way, "{error:?}");
            return sketch(&error.to_string());
        }
    };
    assert!(found.len() <= RESULTS_MAX.min(gata().limit), "{} candidates", found.len());
    for candidate in &found {
        let is_text = !candidate.formatted_address.is_empty()
            && !candidate.formatted_address.contains(|c: char| c.is_control() || c == '\u{202e}');
        let is_whole = is_text
            && !candidate.position.is_null_island()
            && candidate.position.lat().abs() <= 90.0
            && candidate.position.lng().abs() <= 180.0
            && (0.0..=1.0).contains(&candidate.confidence)
            && candidate.place_id.len() <= 21;
        assert!(is_whole, "{candidate:?}");
    }
    let fine: Vec<String> = found.iter().take(3).map(|candidate| format!("{:?}", candidate.granularity)).collect();
    format!("{} {}", found.len().min(4), fine.join(" "))
}
