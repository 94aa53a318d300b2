//! What a commit costs the index: nothing of a site's texts changed, its name did; and the merges that follow.

use std::time::Instant;

use waymark::lexicon::Lexicon;

use crate::data::Plan;
use crate::data::random::Random;
use crate::measure::{Figure, Sheet, nanoseconds, settings};

/// Changes of a round.
const CHANGES: usize = 4_000;

/// Measures all of it.
#[expect(clippy::cast_precision_loss, reason = "counts of changes")]
pub(crate) fn measure(sheet: &mut Sheet, plan: &Plan, lexicon: &mut Lexicon) {
    let mut random = Random::new(17);
    let rounds = settings::rounds();
    let (mut same, mut named) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let (mut merges, mut longest_s) = (Vec::new(), 0.0_f64);
    for round in 0..rounds {
        let sites: Vec<_> = (0..CHANGES).map(|_| crate::full(plan, random.below(plan.len()))).collect();
        for (rename, (rates, times)) in [(false, &mut same), (true, &mut named)] {
            let mut spent = 0_u64;
            for (number, site) in sites.iter().enumerate() {
                let mut site = site.clone();
                if rename {
                    site.display_name = format!("renamed {round} {number}");
                }
                let start = Instant::now();
                if let Some(entry) = lexicon.entry_of(&site) {
                    lexicon.put(entry);
                }
                times.push(nanoseconds(start));
                spent += u64::from(times[times.len() - 1]);
            }
            rates.push(CHANGES as f64 / (spent as f64 / 1e9));
        }
        let start = Instant::now();
        while let Some(merge) = lexicon.merge() {
            let begun = Instant::now();
            drop(lexicon.install(merge.run()));
            longest_s = longest_s.max(begun.elapsed().as_secs_f64());
        }
        merges.push(start.elapsed().as_secs_f64() * 1e6 / CHANGES as f64);
    }
    let note = "a commit that changes no text, such as a status";
    sheet.add(Figure::of("put, texts unchanged", "/s", same.0).with_times(&mut same.1).with_note(note));
    let note = "one in 256 makes a segment of them";
    sheet.add(Figure::of("put, another name", "/s", named.0).with_times(&mut named.1).with_note(note));
    let note = format!("on a thread of its own; the longest took {longest_s:.2} s");
    sheet.add(Figure::of("merges, µs of a core a changed name", "µs", merges).with_note(note));
}
