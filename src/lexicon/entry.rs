//! What the index takes of a site: its name, its words, and a mark that tells whether they are others than before.

use std::hash::{BuildHasher, Hash, Hasher};

use super::field::{Column, Field, PHONE_ENDS, each_text};
use super::words::each_word;
use crate::model::id::SiteId;
use crate::model::site::Site;
use crate::model::text::fold;

/// Of a note so many bytes at its beginning are searched,
pub const NOTE_BYTES_MAX: usize = 8 * 1024;
/// and of these so many different words: a diary in the note of each site must not outgrow all else that is kept.
pub const NOTE_WORDS_MAX: usize = 256;

/// A site as it is indexed.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) site: SiteId,
    /// The name, folded: what sites of one rank are ordered by.
    pub(super) name: Box<str>,
    pub(super) mark: u64,
    text: Box<str>,
    /// Where each word ends in `text`, and its column; ordered by word, then column, each pair once.
    words: Box<[(u32, Column)]>,
}

impl Entry {
    /// The entry of a site. Costs some microseconds, and more for a long note.
    pub(super) fn of(site: &Site, mark: u64) -> Self {
        let (mut text, mut words) = (String::new(), Vec::<(u32, u32, Column)>::new());
        let mut push = |word: &str, column| {
            let start = super::number(text.len());
            text.push_str(word);
            words.push((start, super::number(text.len()), column));
        };
        each_text(site, |found| match found.field {
            Field::Phone => each_word(found.value, |word| {
                push(word.text, found.field.column(word.is_first));
                push(&word.text.chars().rev().collect::<String>(), PHONE_ENDS);
            }),
            Field::Note => note_words(found.value, |word, is_first| push(word, found.field.column(is_first))),
            field => each_word(&found.shown(), |word| push(word.text, field.column(word.is_first))),
        });
        let word_of = |(start, end, _): &(u32, u32, Column)| &text[*start as usize..*end as usize];
        words.sort_unstable_by(|one, other| (word_of(one), one.2).cmp(&(word_of(other), other.2)));
        // Within a class the better column is enough.
        words.dedup_by(|later, earlier| later.2 / 2 == earlier.2 / 2 && word_of(later) == word_of(earlier));
        let (mut ordered, mut ends) = (String::with_capacity(text.len()), Vec::with_capacity(words.len()));
        for word in &words {
            ordered.push_str(word_of(word));
            ends.push((super::number(ordered.len()), word.2));
        }
        Self { site: site.id, name: fold(&site.display_name).into(), mark, text: ordered.into(), words: ends.into() }
    }

    /// The words with their columns, ordered by word, then column.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, Column)> {
        (0..self.words.len()).map(|at| self.word(at))
    }

    fn word(&self, at: usize) -> (&str, Column) {
        let start = at.checked_sub(1).map_or(0, |before| self.words[before].0 as usize);
        let (end, column) = self.words[at];
        (&self.text[start..end as usize], column)
    }

    /// The words that begin with `prefix`, and whether each is it, with its column.
    pub(super) fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (bool, Column)> {
        let (mut first, mut end) = (0, self.words.len());
        while first < end {
            let middle = usize::midpoint(first, end);
            if self.word(middle).0 < prefix { first = middle + 1 } else { end = middle }
        }
        let words = (first..self.words.len()).map(|at| self.word(at));
        words.take_while(move |(word, _)| word.starts_with(prefix)).map(move |(word, column)| (word == prefix, column))
    }
}

/// Visits the words of a note that are searched, and whether each begins it.
pub(super) fn note_words(note: &str, mut visit: impl FnMut(&str, bool)) {
    let mut seen = std::collections::HashSet::new();
    each_word(searched_note(note), |word| {
        if seen.len() < NOTE_WORDS_MAX && seen.insert(word.text.to_owned()) {
            visit(word.text, word.is_first);
        }
    });
}

/// The beginning of a note that is searched.
pub(super) fn searched_note(note: &str) -> &str {
    &note[..note.floor_char_boundary(NOTE_BYTES_MAX)]
}

/// A mark of all texts that are searched: the same for the same texts, and for others only by a chance of 2^-64.
pub(super) fn mark_of(site: &Site, hashes: &impl BuildHasher) -> u64 {
    let mut hash = hashes.build_hasher();
    each_text(site, |text| {
        (text.field, text.key).hash(&mut hash);
        if text.field == Field::Note { searched_note(text.value).hash(&mut hash) } else { text.value.hash(&mut hash) }
    });
    hash.finish()
}
