//! A query as the index can be asked: its words, where each was written, and the runs of them that may be a name.
//!
//! Knows nothing of the index.

use super::schema::Part;
use super::{abbreviations, fold};
use crate::model::address::{AddressQuery, CountryCode};

/// Most words of one query that are looked up; those behind count as words that nothing explains. The longest
/// addresses have about a dozen.
pub(super) const WORDS_MAX: usize = 20;
/// Most words that are tried together as one name: `Saint Vincent and the Grenadines` has five.
const RUN_WORDS_MAX: usize = 6;

/// Where in a structured address a word was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// On the one line of an unstructured one, or in the field for the street, which people fill with anything.
    Anywhere,
    /// In the field of the postcode.
    Postcode,
    /// In the field of the town.
    Locality,
    /// In the field of the region.
    Region,
}

/// A word of the query, folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// The word.
    pub(super) text: String,
    /// Where it was written.
    pub(super) written: Written,
}

/// Words of the query next to each other, as one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The key.
    pub(super) key: String,
    /// The words.
    pub(super) words: WordSet,
    /// The keys of a street whose short words are written out, where those are others.
    pub(super) alike_keys: Vec<String>,
    /// How many edits the key may be away from what was meant, in [0, 2].
    pub(super) edits_max: u8,
    /// What that must begin with: a first word of several that is so short that the edits could remove it.
    pub(super) head: String,
    /// What it must end with, likewise.
    pub(super) tail: String,
}

/// Words next to each other, by their numbers: from `from` to before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WordSet {
    /// The first.
    pub(super) from: usize,
    /// One behind the last.
    pub(super) to: usize,
}

/// A query, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The words that are looked up, at most [`WORDS_MAX`].
    pub(super) words: Vec<Word>,
    /// How many words stand behind those.
    pub(super) words_beyond: usize,
    /// All runs of words, longest first.
    pub(super) runs: Vec<Run>,
    /// The country that was stated in so many words.
    pub(super) country: Option<CountryCode>,
    /// Whether it is still being typed: what is not there may follow.
    pub(super) is_typed: bool,
}

impl Question {
    /// The question of a query. Without words where the query holds neither letters nor digits.
    pub(super) fn new(query: &AddressQuery) -> Self {
        let texts = match query {
            AddressQuery::Line(line) => vec![(line.as_str(), Written::Anywhere)],
            AddressQuery::Parts(parts) => vec![
                (parts.street.as_str(), Written::Anywhere),
                (parts.postal_code.as_str(), Written::Postcode),
                (parts.locality.as_str(), Written::Locality),
                (parts.region.as_str(), Written::Region),
            ],
        };
        let all = texts
            .into_iter()
            .flat_map(|(text, written)| fold::words(text).into_iter().map(move |text| Word { text, written }));
        let mut words: Vec<Word> = all.collect();
        let words_beyond = words.len().saturating_sub(WORDS_MAX);
        words.truncate(WORDS_MAX);
        Self { runs: runs(&words), words, words_beyond, country: query.country(), is_typed: false }
    }

    /// The question of a line that is being typed.
    pub(super) fn typed(line: &str) -> Self {
        Self { is_typed: true, ..Self::new(&AddressQuery::Line(line.to_owned())) }
    }

    /// The key of a run of words.
    pub(super) fn key(&self, words: WordSet) -> String {
        let texts: Vec<&str> = self.words[words.from..words.to].iter().map(|word| word.text.as_str()).collect();
        fold::join(&texts)
    }

    /// Whether words that name `part` were written where such a part belongs.
    pub(super) fn is_in_place(&self, part: Part, words: WordSet) -> bool {
        match self.words[words.from].written {
            Written::Anywhere => true,
            Written::Postcode => matches!(part, Part::Postcode | Part::CodeAround) || part.is_area(),
            Written::Locality => matches!(part, Part::Town | Part::TownAround | Part::Place | Part::Alias),
            Written::Region => matches!(part, Part::Region | Part::Country),
        }
    }
}

impl WordSet {
    /// The words as a set of bits.
    pub(super) fn bits(self) -> u32 {
        (1_u32 << self.to) - (1_u32 << self.from)
    }
}

/// A word, where so many edits could remove it.
///
/// Without this the `c` of `12 c Reykjavík` would be a misspelt beginning of the town.
fn kept(word: &str, edits_max: u8) -> String {
    if word.chars().count() <= usize::from(edits_max) { word.to_owned() } else { String::new() }
}

/// All runs of words that were written in the same field, longest first.
fn runs(words: &[Word]) -> Vec<Run> {
    let mut runs = Vec::new();
    for length in (1..=RUN_WORDS_MAX).rev() {
        for (from, window) in words.windows(length).enumerate() {
            if window.iter().all(|word| word.written == window[0].written) {
                let texts: Vec<&str> = window.iter().map(|word| word.text.as_str()).collect();
                let key = fold::join(&texts);
                let edits_max = fold::edits_max(&key);
                let head = if length > 1 { kept(texts[0], edits_max) } else { String::new() };
                let tail = if length > 1 { kept(texts[length - 1], edits_max) } else { String::new() };
                let alike_keys = abbreviations::alike_keys(&texts);
                runs.push(Run { key, words: WordSet { from, to: from + length }, alike_keys, edits_max, head, tail });
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::PostalAddress;

    #[test]
    fn neighbouring_words_of_one_field_make_a_run() {
        let parts =
            PostalAddress { street: "San José 1".into(), locality: "Höfn".into(), ..PostalAddress::default() };
        let question = Question::new(&AddressQuery::Parts(parts));
        let keys: Vec<&str> = question.runs.iter().map(|run| run.key.as_str()).collect();
        assert_eq!(keys, ["sanjose1", "sanjose", "jose1", "san", "jose", "1", "hofn"]);
        assert_eq!(question.runs[1].words.bits(), 0b011);
        assert_eq!((question.runs[0].edits_max, question.runs[1].edits_max), (0, 1));
        assert_eq!(question.key(question.runs[2].words), "jose1");
        assert!(question.is_in_place(Part::Town, question.runs[6].words));
        assert!(!question.is_in_place(Part::Street, question.runs[6].words));
    }

    #[test]
    fn a_short_word_is_not_edited_away() {
        let check = |line: &str, head: &str, tail: &str| {
            let run = Question::new(&AddressQuery::Line(line.into())).runs.swap_remove(0);
            assert_eq!((run.head.as_str(), run.tail.as_str()), (head, tail), "{line}");
        };
        check("reykjavik", "", "");
        check("c reykjavik", "c", "");
        check("kerhraun 3 c", "", "");
        check("kerhraun c", "", "c");
        check("laugar vegur", "", "");
    }

    #[test]
    fn words_beyond_the_limit_are_counted() {
        let question = Question::new(&AddressQuery::Line("gata ".repeat(WORDS_MAX + 3)));
        assert_eq!((question.words.len(), question.words_beyond), (WORDS_MAX, 3));
        assert!(Question::new(&AddressQuery::Line("🏠 ?!".into())).words.is_empty());
    }
}
