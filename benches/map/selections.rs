//! Filters that look at a site's texts: what a selection costs to make, to read, and to keep up with changes.
//!
//! Measured last: a map keeps its selections for a while, and each of them would make every change a little slower.

use std::hint::black_box;
use std::time::Instant;

use waymark::live::BriefLock;
use waymark::model::card::CardField;
use waymark::spatial::class::Classes;
use waymark::spatial::entry::Subject;
use waymark::spatial::{AccountMap, Wants, mvt};

use crate::changes::{self, Changes};
use crate::data::queries::Queries;
use crate::measure::{Figure, Sheet, settings, time};

/// Calls of a round.
const CALLS: usize = 4_000;
/// Sites looked at before others get the lock: the server's own step.
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
}
