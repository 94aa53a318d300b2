//! Filters that look at a site's texts: what a selection costs to make, to read, and to keep up with changes.
//!
//! Measured last: a map keeps its selections for a while, and each of them would make every change a little slower.

use std::hint::black_box;
use std::time::Instant;

use waymark::live::{BriefLock, TERMS_A_STEP};
use waymark::model::access::Contacts;
use waymark::model::card::CardField;
use waymark::service::filter::{MapFilter, TERMS_MAX};
use waymark::spatial::class::Classes;
use waymark::spatial::entry::Subject;
use waymark::spatial::{AccountMap, Wants, mvt};

use crate::changes::{self, Changes};
use crate::data::queries::Queries;
use crate::measure::{Figure, Sheet, nanoseconds, settings, time};

/// Calls of a round.
const CALLS: usize = 4_000;
/// Sites looked at before others get the lock.
const STEP: u32 = 1_024;

/// Measures selections of the largest account.
pub(crate) fn measure(
    sheet: &mut Sheet,
    changes: &mut Changes<'_>,
    maps: &mut [BriefLock<AccountMap>],
    queries: &Queries,
) {
    let wants = |key: String| {
        Wants::new(key, 1, |subject: &Subject<'_>| subject.card.any(CardField::CustomerId, |id| id.ends_with('7')))
    };
    let largest = maps[0].get_mut();
    let mut runs = Vec::new();
    for round in 0..settings::rounds() {
        let start = Instant::now();
        let wants = wants(round.to_string());
        while !largest.select(&wants, STEP) {}
        runs.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    let kept = runs.len();
    let note = "a look at each site of the largest account, a tenth of them match; made once, then kept up";
    sheet.add(Figure::of("making a selection", "ms", runs).with_note(note));
    let tiles: Vec<_> = queries.tiles.iter().filter(|(account, _)| *account == 0).collect();
    let largest = &*largest;
    sheet.add(time("tiles z0-z14 of a selection", CALLS, |call| {
        let (_, tile) = tiles[call % tiles.len()];
        let view = largest.selected("0", Classes::ALL).expect("it was made");
        black_box(mvt::encode(&view.tile(*tile).unwrap(), *tile));
    }));
    let mut kept_up = changes::of_status(changes, maps);
    kept_up.what += " while selections are kept up";
    sheet.add(kept_up.with_note(format!("{kept} selections of the largest account; each looks at the site")));
    // After the changes, which would have to keep up with these too.
    let largest = maps[0].get_mut();
    let three = |round: usize| format!("springfield garcia OR berg{round}x");
    sheet.add(made(largest, "making a selection of three words", three));
    // Words are looked for in every text of a site; one that no site has is looked for to the end, and each after it too.
    let most = |round: usize| (0..TERMS_MAX).map(|word| format!("q{round}q{word}")).collect::<Vec<_>>().join(" OR ");
    sheet.add(made(largest, "making a selection of as many words as there may be", most));
}

/// Makes a selection as the server does, of another filter in each round.
fn made(largest: &mut AccountMap, what: &str, filter: impl Fn(usize) -> String) -> Figure {
    let (mut runs, mut steps) = (Vec::new(), Vec::new());
    for round in 0..settings::rounds() {
        let filter = MapFilter::parse(&filter(round), Contacts::Read).expect("within the limits");
        let wants = filter.texts().expect("words are no classes");
        let step = (TERMS_A_STEP / wants.cost()).max(1);
        let start = Instant::now();
        loop {
            let begun = Instant::now();
            let is_whole = largest.select(wants, step);
            steps.push(nanoseconds(begun));
            if is_whole {
                break;
            }
        }
        runs.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    let note =
        "a look at each site of the largest account; p50 and p99 are of the steps between which others get the lock";
    Figure::of(what, "ms", runs).with_times(&mut steps).with_note(note)
}
