//! The search alone, in process: making the index, its memory, searches as one types, changes.
//!
//! `cargo bench --bench search` measures one account of each size of `BENCH_SITES`, each in a process of its own, so that no
//! measurement finds the memory that another one left. Figures are for reading, not for asserting: machines are shared
//! and noisy.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports on standard output")]

mod changes;
#[path = "../data/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod data;
#[path = "../measure/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod measure;
mod reads;

use std::process::Command;
use std::time::Instant;

use waymark::lexicon::Lexicon;
use waymark::model::phone::{Phone, PhoneKind};
use waymark::model::site::Site;

use data::random::Random;
use data::{Plan, Shape, account_id, record};
use measure::{Figure, Sheet, settings};

/// The server's own: memory and speed depend on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Decides phone numbers and notes.
const SEED: u64 = 41;
/// Of so many sites one has a note,
const NOTE_EVERY: usize = 10;
/// of so many words,
const NOTE_WORDS: usize = 20;
/// out of so many.
const VOCABULARY: usize = 5_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--sites") {
        return measure_size(arguments[at + 1].parse().unwrap());
    }
    for sites in settings::sites() {
        let program = std::env::current_exe().unwrap();
        let ended = Command::new(program).args(["--sites", &sites.to_string()]).status().unwrap();
        assert!(ended.success(), "the bench of {sites} sites failed: {ended}");
    }
}

fn measure_size(sites: usize) {
    let plan = Plan::new(Shape::One, sites);
    let mut sheet = Sheet::new("search", Shape::One.name(), plan.len(), plan.accounts());
    let (plain, bytes, _) = made(&plan, plain);
    let note = "growth of the process by the index of names, ids, contact, address and labels";
    sheet.add(Figure::of("index bytes a site", "B", vec![bytes]).with_note(note));
    drop(plain);
    let (mut lexicon, bytes, seconds) = made(&plan, full);
    let note = "the same with a phone number each, and a note of 20 words in every tenth site";
    sheet.add(Figure::of("with phones and notes, bytes a site", "B", vec![bytes]).with_note(note));
    let note = "one thread; the records are made beforehand";
    sheet.add(Figure::of("index made", "s", vec![seconds]).with_note(note));
    reads::measure(&mut sheet, &plan, &lexicon);
    changes::measure(&mut sheet, &plan, &mut lexicon);
    sheet.write().unwrap();
}

/// A site as the benches of the server have it.
fn plain(plan: &Plan, number: usize) -> Site {
    let site = plan.site(number);
    record::site_of(&account_id(site.account), &site)
}

/// The same with a phone number, and perhaps a note.
pub(crate) fn full(plan: &Plan, number: usize) -> Site {
    let mut site = plain(plan, number);
    let mut random = Random::of(SEED, number);
    let phone = format!("+1555{:07}", random.below(10_000_000));
    site.contact.phones = vec![Phone { number: phone, kind: PhoneKind::Work, ..Phone::default() }];
    if number.is_multiple_of(NOTE_EVERY) {
        // Squared, so that some words are in many notes.
        let mut word = || format!("word{}", random.below(VOCABULARY) * random.below(VOCABULARY) / VOCABULARY);
        site.note = (0..NOTE_WORDS).map(|_| word()).collect::<Vec<_>>().join(" ");
    }
    site
}

/// The index, the bytes of a site by which the process grew, and the seconds that it took without making the records.
#[expect(clippy::cast_precision_loss, reason = "bytes and sites")]
fn made(plan: &Plan, make: impl Fn(&Plan, usize) -> Site) -> (Lexicon, f64, f64) {
    let before = resident_bytes();
    let mut lexicon = Lexicon::default();
    lexicon.await_bulk();
    let mut bulk = lexicon.bulk();
    let mut seconds = 0.0;
    for number in 0..plan.len() {
        let site = make(plan, number);
        let start = Instant::now();
        bulk.push(&site);
        seconds += start.elapsed().as_secs_f64();
    }
    let start = Instant::now();
    lexicon.install_bulk(bulk.finish());
    seconds += start.elapsed().as_secs_f64();
    let bytes = resident_bytes().saturating_sub(before) as f64 / plan.len() as f64;
    (lexicon, bytes, seconds)
}

#[expect(unsafe_code, reason = "the allocator's own call, without arguments that could be wrong")]
fn resident_bytes() -> usize {
    // What was freed meanwhile is given back first: memory that is free is not the index's.
    // SAFETY: it may be called at any time, from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) };
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
