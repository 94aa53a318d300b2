//! How long answers take, one after the other and many at once, and what the open index costs.

use std::fs;
use std::path::Path;
use std::time::Instant;

use futures_util::StreamExt as _;
use waymark::geocode::gazetteer::Gazetteer;
use waymark::geocode::{Bias, Geocoder as _};
use waymark::model::address::AddressQuery;

use super::Asked;
use super::measure::{Figure, Sheet, nanoseconds, settings, time};
use super::random::Random;
use super::register::Register;
use super::towns::Towns;

/// Different texts that are asked for.
const TEXTS: usize = 2_000;
/// Questions a round.
const CALLS: usize = 500;
/// Candidates of an answer: what a list under a field shows.
const LIMIT: usize = 5;
/// Of the slowest questions so many are printed.
const SHOWN_MAX: usize = 10;
/// Bytes of a megabyte.
const MEGABYTE: f64 = 1e6;

/// Opens the index, over and over; its size is what all its files have.
#[expect(clippy::cast_precision_loss, reason = "bytes of files and memory")]
pub(crate) fn opening(directory: &Path, sheet: &mut Sheet) -> Gazetteer {
    let bytes: u64 = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    let before = resident("RssAnon");
    let mut opened = Vec::new();
    let mut last = None;
    for _ in 0..settings::rounds() {
        let start = Instant::now();
        last = Some(Gazetteer::open(directory).unwrap());
        opened.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let gazetteer = last.unwrap();
    let summary = &gazetteer.manifest().summary;
    let held = format!(
        "{} places, {} streets, {} addresses, {} postcodes",
        summary.places, summary.streets, summary.addresses, summary.postcodes
    );
    sheet.add(Figure::of("index opened", "ms", opened).with_note("files are mapped, and read as they are asked for"));
    sheet.add(Figure::of("index on disk", "MB", vec![bytes as f64 / MEGABYTE]).with_note(held));
    let grown = (resident("RssAnon") - before) / MEGABYTE;
    sheet.add(Figure::of("memory of the open index, before a question", "MB", vec![grown]));
    gazetteer
}

/// Asks while somebody types, and for whole texts.
#[expect(clippy::cast_precision_loss, reason = "counts of calls and candidates")]
pub(crate) fn questions(asked: &Asked, register: &Register, towns: &Towns, mut random: Random, sheet: &mut Sheet) {
    let texts = texts(register, towns, &mut random);
    let typed: Vec<String> = texts.iter().map(|text| beginning(text, &mut random)).collect();
    let queries: Vec<AddressQuery> = texts.iter().map(|text| AddressQuery::line(text).unwrap()).collect();
    let bias = Bias::default();
    sheet.add(time("suggest while typing", CALLS, |number| {
        let text = &typed[number % typed.len()];
        asked.runtime.block_on(asked.gazetteer.suggest(text, &bias, LIMIT)).unwrap();
    }));
    let mut slowest: Vec<(u32, &str)> = Vec::new();
    for text in &typed {
        let start = Instant::now();
        asked.runtime.block_on(asked.gazetteer.suggest(text, &bias, LIMIT)).unwrap();
        slowest.push((nanoseconds(start), text));
    }
    slowest.sort_unstable();
    println!("  the slowest:");
    slowest
        .iter()
        .rev()
        .take(SHOWN_MAX)
        .for_each(|(time, text)| println!("    {:.1} ms: {text:?}", f64::from(*time) / 1e6));
    sheet.add(time("geocode free text, one after the other", CALLS, |number| {
        let query = &queries[number % queries.len()];
        asked.runtime.block_on(asked.gazetteer.forward(query, &bias, LIMIT)).unwrap();
    }));
    let at_once = std::thread::available_parallelism().map_or(1, usize::from) * 2;
    let (mut rates, mut candidates) = (Vec::new(), Vec::new());
    for _ in 0..settings::rounds() {
        let start = Instant::now();
        let found: usize = asked.runtime.block_on(async {
            let answers = queries.iter().map(|query| asked.gazetteer.forward(query, &bias, LIMIT));
            let counts =
                futures_util::stream::iter(answers).buffer_unordered(at_once).map(|found| found.unwrap().len());
            counts.fold(0, async |sum, count| sum + count).await
        });
        let seconds = start.elapsed().as_secs_f64();
        rates.push(queries.len() as f64 / seconds);
        candidates.push(found as f64 / seconds);
    }
    sheet.add(Figure::of("geocode free text, all cores", "/s", rates).with_note(format!("{at_once} at once")));
    sheet.add(Figure::of("candidates of these answers", "/s", candidates));
    let note = "the whole process with the samples of this bench; mapped pages of the index apart";
    sheet.add(Figure::of("memory after all questions", "MB", vec![resident("RssAnon") / MEGABYTE]).with_note(note));
    sheet.add(Figure::of("mapped pages of the index in use", "MB", vec![resident("RssFile") / MEGABYTE]));
}

/// Addresses and towns in turn.
fn texts(register: &Register, towns: &Towns, random: &mut Random) -> Vec<String> {
    let rows = register.sample(TEXTS / 2, Random::new(random.next()));
    let places = towns.sample(TEXTS / 2, Random::new(random.next()));
    let pairs = rows.iter().zip(&places);
    pairs.flat_map(|(row, town)| [register.written(*row), towns.name(*town).to_owned()]).collect()
}

/// The first letters of a text: as many as somebody has typed so far.
fn beginning(text: &str, random: &mut Random) -> String {
    let length = 1 + random.below(text.chars().count());
    text.chars().take(length).collect()
}

/// Bytes of this process that are in memory, of one kind.
fn resident(kind: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(f64::NAN) * 1_024.0
}
