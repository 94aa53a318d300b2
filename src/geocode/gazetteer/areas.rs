//! What the words beside a postcode have to do with its area: the towns that it goes with, and the place that it is in.
//!
//! The world has a million areas, each with towns of its own; to list all their names would double the index, and would
//! find nothing that is not found here. The areas of a question are few, because their codes are known: so their
//! records are read, and compared with the words. A place that the words name, in any language, and that the area
//! lies in, is the area's town as well.

use super::fold;
use super::question::Question;
use super::retrieve::Match;
use super::schema::Part;
use crate::model::geo::LatLng;

/// Most areas of one question whose records are read: the commonest code of the world is one in 60 countries.
pub(super) const AREAS_READ_MAX: usize = 128;
/// Most places of one question in which areas are looked for, the first of the lists.
pub(super) const PLACES_MAX: usize = 2_048;
/// How far from the centre of a place of [`REACH_PEOPLE`] the areas of its postcodes are, in metres.
const REACH_M: f64 = 10_000.0;
/// People of a place that reaches [`REACH_M`] far; the area that a place covers grows with its people.
const REACH_PEOPLE: f64 = 100_000.0;
/// How far the largest cities reach, in metres.
const REACH_M_MAX: f64 = 50_000.0;

/// A place that words of the question name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    /// The country, as in the column of countries.
    pub(super) country: u64,
    /// Its centre.
    pub(super) position: LatLng,
    /// Its people.
    pub(super) population: u64,
    /// The words, and how well they name it.
    pub(super) what: Match,
}

impl Named {
    /// The words as a town of an area; `None` where the area lies elsewhere.
    pub(super) fn town_of(&self, country: u64, position: LatLng) -> Option<Match> {
        let is_there = self.country == country && self.position.distance_m(position) <= reach_m(self.population);
        is_there.then_some(Match { part: Part::Town, ..self.what })
    }
}

/// How far from the centre of a place its postcodes are, in metres.
#[expect(clippy::cast_precision_loss, reason = "people are counted in millions, and a metre more is none")]
pub(super) fn reach_m(population: u64) -> f64 {
    (REACH_M * (population as f64 / REACH_PEOPLE).sqrt()).clamp(REACH_M, REACH_M_MAX)
}

/// The runs of words that are one of these towns, whole or its first words (`Paris` of `Paris 01`), and perhaps
/// misspelt.
pub(super) fn towns(question: &Question, towns: &[String]) -> Vec<Match> {
    let mut found: Vec<Match> = Vec::new();
    for town in towns {
        let words = fold::words(town);
        let key = fold::join(&words);
        for run in &question.runs {
            let is_begun = question.is_typed && run.words.to == question.words.len() && key.starts_with(&run.key);
            let is_first = || (1..=words.len()).any(|count| fold::join(&words[..count]) == run.key);
            let edits = if is_begun || is_first() { 0 } else { misspelt(run.edits_max, &run.key, &key) };
            let is_kept = edits == 0 || (key.starts_with(&run.head) && key.ends_with(&run.tail));
            if edits <= run.edits_max && is_kept {
                found.push(Match { part: Part::Town, words: run.words, edits, is_another_name: false });
            }
        }
    }
    found.sort_by_key(|found| (found.edits, found.words.from));
    found
}

/// The edits between two keys, counted where so many may be meant.
fn misspelt(edits_max: u8, one: &str, other: &str) -> u8 {
    // Most towns are told from most words by their lengths, without counting.
    let edit_bytes = if one.is_ascii() && other.is_ascii() { 1 } else { char::MAX.len_utf8() };
    if edits_max == 0 || one.len().abs_diff(other.len()) > usize::from(edits_max) * edit_bytes {
        return u8::MAX;
    }
    u8::try_from(fold::edits(one, other)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::question::WordSet;
    use super::*;
    use crate::model::address::AddressQuery;

    #[test]
    fn words_are_compared_with_the_towns_of_an_area() {
        let check = |line: &str, town: &str, expect: Option<(usize, usize, u8)>| {
            let question = Question::new(&AddressQuery::Line(line.into()));
            let found = towns(&question, &[town.to_owned()]);
            let best = found.first().map(|found| (found.words.from, found.words.to, found.edits));
            assert_eq!(best, expect, "{line} and {town}");
        };
        check("8001 Zürich", "Zürich", Some((1, 2, 0)));
        check("8001 Zurch", "Zürich", Some((1, 2, 1)));
        check("75001 Paris", "Paris 01", Some((1, 2, 0)));
        check("75001 Paris 01", "Paris 01", Some((1, 3, 0)));
        check("90210 Beverly Hills", "Beverly Hills", Some((1, 3, 0)));
        check("8001 Bern", "Zürich", None);
        check("8001", "Zürich", None);
    }

    #[test]
    fn a_large_city_reaches_farther() {
        let at = |lng: f64| LatLng::new(0.0, lng).unwrap();
        let what = Match { part: Part::Alias, words: WordSet { from: 1, to: 2 }, edits: 1, is_another_name: false };
        let place = |population| Named { country: 7, position: at(0.0), population, what };
        let town = place(1_000).town_of(7, at(0.05)).unwrap();
        assert_eq!((town.part, town.edits), (Part::Town, 1));
        assert!(place(1_000).town_of(7, at(0.2)).is_none() && place(1_000_000).town_of(7, at(0.2)).is_some());
        assert!(place(u64::MAX).town_of(7, at(1.0)).is_none(), "no place reaches everywhere");
        assert!(place(1_000).town_of(8, at(0.0)).is_none(), "another country");
    }
}
