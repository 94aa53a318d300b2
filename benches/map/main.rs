//! The map engine alone, in process: loading, memory, tiles, views, queries, changes.
//!
//! `cargo bench --bench map` measures one account of each size of `BENCH_SITES` and the shape of many accounts, each in a
//! process of its own, so that no measurement finds the memory that another one left. Figures are for reading, not for
//! asserting: machines are shared and noisy.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench reports on standard output")]

mod changes;
#[path = "../data/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod data;
#[path = "../measure/mod.rs"]
#[allow(dead_code, reason = "each bench uses its part")]
mod measure;
mod reads;
mod selections;

use std::process::Command;

use waymark::live::BriefLock;

use changes::Changes;
use data::queries::Queries;
use data::{Plan, Shape};
use measure::{Figure, Sheet, settings};

/// The server's own: memory and speed depend on it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Queries of each kind; enough that caches do not hold what they touch.
const QUERIES: usize = 6_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--shape") {
        let shape = if arguments[at + 1] == "one" { Shape::One } else { Shape::Many };
        return measure_shape(shape, arguments[at + 2].parse().unwrap());
    }
    let sizes = settings::sites();
    for size in &sizes {
        in_own_process(Shape::One, *size);
    }
    in_own_process(Shape::Many, settings::sites_of_many(&sizes));
}

fn in_own_process(shape: Shape, sites: usize) {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--shape", shape.name(), &sites.to_string()];
    let ended = Command::new(program).args(arguments).status().unwrap();
    assert!(ended.success(), "the bench of {sites} sites failed: {ended}");
}

#[expect(clippy::cast_precision_loss, reason = "bytes and sites")]
fn measure_shape(shape: Shape, sites: usize) {
    let plan = Plan::new(shape, sites);
    let mut sheet = Sheet::new("map", shape.name(), plan.len(), plan.accounts());
    let a_site = |before: usize| resident_bytes().saturating_sub(before) as f64 / plan.len() as f64;
    let before = resident_bytes();
    let (named, _) = data::entry::maps(&plan, data::entry::of_name);
    let note = "growth of the process by the maps, with the names of the sites; freed memory given back first";
    sheet.add(Figure::of("resident bytes a site", "B", vec![a_site(before)]).with_note(note));
    drop(named);
    let before = resident_bytes();
    let (maps, load_s) = data::entry::maps(&plan, data::entry::of);
    let note = "the same with all that filters look at: ids, contact, address, labels";
    sheet.add(Figure::of("with all texts, bytes a site", "B", vec![a_site(before)]).with_note(note));
    let note = "one thread, all accounts one after the other";
    sheet.add(Figure::of("load", "s", vec![load_s]).with_note(note));
    let queries = Queries::new(&plan, &maps, QUERIES, 3);
    reads::measure(&mut sheet, &plan, &maps, &queries);
    let mut maps: Vec<_> = maps.into_iter().map(BriefLock::new).collect();
    let mut changes = Changes::new(&plan);
    changes::measure(&mut sheet, &mut changes, &mut maps, &queries);
    selections::measure(&mut sheet, &mut changes, &mut maps, &queries);
    sheet.write().unwrap();
}

#[expect(unsafe_code, reason = "the allocator's own call, without arguments that could be wrong")]
fn resident_bytes() -> usize {
    // What was freed meanwhile is given back first: memory that is free is not the map's.
    // SAFETY: it may be called at any time, from any thread.
    unsafe { libmimalloc_sys::mi_collect(true) };
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
