//! Which fields of a site a query was found in, and where: for whoever shows the hit.

use super::entry::{NOTE_WORDS_MAX, searched_note};
use super::field::{Class, Classes, Field, PHONE_ENDS, Text, each_text};
use super::query::{Query, QueryWord, Rank, rank};
use super::words::each_word;
use crate::model::site::Site;

/// Most bytes of a note that are shown around what was found in it.
const EXCERPT_BYTES_MAX: usize = 160;
/// Of these, so many before it.
const EXCERPT_BYTES_BEFORE: usize = 40;

/// A text of a site in which words of the query were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The field.
    pub field: Field,
    /// The text as the site has it; of a note an excerpt, of a label `key=value`.
    pub text: String,
    /// Where words of the query stand in `text`, in bytes of UTF-8: from, and to before. Ascending, apart.
    pub ranges: Vec<(usize, usize)>,
}

/// Where the query is found in a site, the best field of each word first; empty where the site is no hit.
#[must_use]
pub fn matches(query: &Query, classes: Classes, site: &Site) -> Vec<Match> {
    query.ways.iter().map(|way| matches_of(way, classes, site)).find(|found| !found.is_empty()).unwrap_or_default()
}

/// A text, and for each word of the query how well it fits the text.
struct Found {
    shown: Match,
    ranks: Vec<Option<Rank>>,
}

fn matches_of(way: &[QueryWord], classes: Classes, site: &Site) -> Vec<Match> {
    let mut found: Vec<Found> = Vec::new();
    each_text(site, |text| {
        if classes.has(text.field.class()) {
            found.extend(look(way, &text));
        }
    });
    let mut chosen: Vec<(Rank, usize)> = Vec::new();
    for word in 0..way.len() {
        let ranked = found.iter().enumerate().filter_map(|(at, found)| Some((found.ranks[word]?, at)));
        let Some(best) = ranked.min() else { return Vec::new() };
        chosen.push(best);
    }
    chosen.sort_unstable();
    let mut taken = Vec::new();
    for (_, at) in chosen {
        if !taken.contains(&at) {
            taken.push(at);
        }
    }
    taken.into_iter().map(|at| found[at].shown.clone()).collect()
}

fn look(way: &[QueryWord], text: &Text<'_>) -> Option<Found> {
    let is_note = text.field.class() == Class::Note;
    let shown = if is_note { searched_note(text.value).into() } else { text.shown() };
    let mut ranks = vec![None; way.len()];
    let mut ranges = Vec::new();
    let mut different = std::collections::HashSet::new();
    each_word(&shown, |word| {
        if is_note && different.len() >= NOTE_WORDS_MAX && !different.contains(word.text) {
            return;
        }
        if is_note {
            different.insert(word.text.to_owned());
        }
        for (best, wanted) in ranks.iter_mut().zip(way) {
            let fit = if word.text.starts_with(&wanted.text) {
                let is_exact = word.text.len() == wanted.text.len();
                Some((rank(text.field.column(word.is_first), is_exact), (word.start, word.end_of(wanted.text.len()))))
            } else if text.field == Field::Phone {
                let end = wanted.phone_end.as_ref().map(|end| end.chars().rev().collect::<String>());
                let end = end.filter(|end| word.text.ends_with(end.as_str()));
                end.map(|end| (rank(PHONE_ENDS, false), (shown.len() - end.len(), shown.len())))
            } else {
                None
            };
            if let Some((rank, range)) = fit {
                *best = Some(best.map_or(rank, |best: Rank| best.min(rank)));
                ranges.push(range);
            }
        }
    });
    if ranges.is_empty() {
        return None;
    }
    let (text_shown, ranges) = if is_note { excerpt(&shown, joined(ranges)) } else { (&*shown, joined(ranges)) };
    let shown = Match { field: text.field, text: text_shown.to_owned(), ranges };
    Some(Found { shown, ranks })
}

/// Ranges that overlap become one.
fn joined(mut ranges: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    ranges.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (start, end) in ranges {
        match joined.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined
}

/// The part of a note around the first range, with the ranges that are whole in it.
fn excerpt(note: &str, ranges: Vec<(usize, usize)>) -> (&str, Vec<(usize, usize)>) {
    let first = ranges.first().map_or(0, |(start, _)| *start);
    let from = note.ceil_char_boundary(first.saturating_sub(EXCERPT_BYTES_BEFORE));
    let to = note.floor_char_boundary(from + EXCERPT_BYTES_MAX);
    let inside = ranges.into_iter().filter(|(_, end)| *end <= to);
    (&note[from..to], inside.map(|(start, end)| (start - from, end - from)).collect())
}
