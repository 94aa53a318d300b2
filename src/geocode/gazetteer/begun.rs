//! What the last words of a text may become while it is typed.

use super::openings;
use super::question::{Question, Run};
use super::retrieve::{Hit, List, Lists, Match};
use super::schema::Part;

/// Fewest bytes of a name that is still being typed: one Latin letter is the beginning of everything, one Chinese
/// character is half a name. What qualifies a name may begin with less, because there is less of it.
const BEGUN_BYTES_MIN: usize = 2;
/// Edits that another name counts for which is not typed to its end: of all spellings of the world, most begin with
/// any two letters, and people type the name that they would write.
const BEGUN_ALIAS_EDITS: u8 = 1;
/// Most keys of one part that a beginning may stand for.
const BEGUN_MAX: usize = 4_096;
/// Most keys that two letters may stand for where nobody says where: of more, the large ones stand for all.
const OPENED_MAX: usize = 128;
/// Letters of a beginning that most of the world's names share with others.
const SHORT_LETTERS: usize = 2;
/// Most postcodes that a beginning may stand for: each is a code of many countries, and of two digits nobody expects
/// the one that they mean.
const BEGUN_CODES_MAX: usize = 512;

/// What may be typed to its end. Houses are left out: of a number nobody expects the longer ones.
const NAMES: [Part; 9] = [
    Part::Place,
    Part::Street,
    Part::Alike,
    Part::Alias,
    Part::Area,
    Part::Postcode,
    Part::Town,
    Part::Region,
    Part::Country,
];

impl Lists {
    /// The keys that begin with a run of words that the query ends with, as while its last word is being typed.
    ///
    /// `is_local` says that it is known about where: then small names count, too. Costs a look at each key, at most some
    /// thousand: a few milliseconds.
    pub(super) fn begun(&self, question: &Question, is_local: bool) -> tantivy::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for run in question.runs.iter().filter(|run| run.words.to == question.words.len()) {
            // What qualifies needs other words that it qualifies.
            let is_enough = |part: &Part| {
                if part.is_anchor() { run.key.len() >= BEGUN_BYTES_MIN } else { run.words.from > 0 }
            };
            for part in NAMES.into_iter().filter(is_enough) {
                self.begun_of(part, run, is_local, &mut hits)?;
            }
        }
        Ok(hits)
    }

    /// The keys of one part that begin with a run.
    fn begun_of(&self, part: Part, run: &Run, is_local: bool, hits: &mut Vec<Hit>) -> tantivy::Result<()> {
        let edits = if part == Part::Alias { BEGUN_ALIAS_EDITS } else { 0 };
        let what = Match { part, words: run.words, edits, is_another_name: false };
        let opening = match openings::opening_of(part, &run.key) {
            Some(key) => self.opening(&key)?,
            None => None,
        };
        let is_short = run.key.chars().count() <= SHORT_LETTERS;
        let most = match part {
            _ if opening.is_some() && is_short && !is_local => OPENED_MAX,
            Part::Area | Part::Postcode => BEGUN_CODES_MAX,
            _ => BEGUN_MAX,
        };
        let list = List::Of(part);
        let keys = self.list(list).terms().range().gt(&run.key).lt(format!("{}{}", run.key, char::MAX));
        let mut stream = keys.into_stream()?;
        let before = hits.len();
        while stream.advance() {
            if hits.len() - before == most {
                // In front, so that no limit cuts them off.
                if let Some(term) = opening {
                    if most == OPENED_MAX {
                        hits.truncate(before);
                    }
                    hits.insert(before, Hit { what, list: List::Openings, term, is_begun: true });
                }
                break;
            }
            hits.push(Hit { what, list, term: stream.value().clone(), is_begun: true });
        }
        Ok(())
    }
}
