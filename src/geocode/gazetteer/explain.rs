//! How well a document answers a query: which words name which of its parts, and what is left over.
//!
//! The confidence is a product of factors, one for each thing that is not as it should be; nothing adds to it. So it
//! is 1 when every word was found as written and nothing else was needed, and equal for equal faults, whatever the
//! size of the place. Knows nothing of the index.

use super::fold;
use super::question::{Question, WordSet};
use super::retrieve::Match;
use super::schema::Part;
use crate::model::location::Granularity;

/// For each word that names nothing of the document. Two of them leave a third: too little to act on.
const UNEXPLAINED: f64 = 0.6;
/// For each word beside the street that looks like its house number and is none of its houses: worse than another
/// unexplained word, because the street without the house is not what was asked for.
const HOUSE_MISSING: f64 = 0.5;
/// For a street that is the one asked for when short words of either are written out: `St` may be `Street` and `Saint`.
/// Enough to act on, and so far below a street as written that this one wins.
const ALIKE: f64 = 0.89;
/// For another fine postcode within the same wider one: another address, to be offered and not acted on.
const OTHER_CODE: f64 = 0.8;
/// For a town near a street of which no town is known: to be offered and not acted on.
const TOWN_AROUND: f64 = 0.8;
/// For each edit of a misspelt name.
const EDIT: f64 = 0.92;
/// For a misspelt name that is a name as written, only not one that fits as well: a wrong house of the right street
/// must not turn into a house of a street that is called much the same.
const IS_ANOTHER_NAME: f64 = 0.7;
/// For a house that is missing where its neighbours are there, in place of [`HOUSE_MISSING`]: nearer to what was asked
/// for than the street, and too little to act on, as the street is.
const HOUSE_BETWEEN: f64 = 0.7;
/// For a misspelt name of which a short word was left out, and not misspelt: Main Street is not N Main Street. To be offered
/// and not acted on.
const WORD_UNASKED: f64 = 0.8;
/// For a postcode of which only the wider one is known that it lies in.
const WIDER: f64 = 0.8;
/// For a postcode beside words that have nothing to do with it: most numbers are a postcode of some country, and with
/// two such words it is no answer.
const LONE_CODE: f64 = 0.15;
/// For a house that is there with another letter only.
const HOUSE_LIKE: f64 = 0.8;
/// For a house that is there at more spots than are told apart: the street stands for them, to be offered and not acted on.
const HOUSE_OF_MANY: f64 = 0.8;
/// For a house number that does not stand beside its street: it may be a postcode or another street's.
const HOUSE_APART: f64 = 0.7;
/// For words of a structured address that name a part in whose field they do not stand.
const OUT_OF_PLACE: f64 = 0.9;
/// For a street without town, postcode, region or country: there may be one in a country that is not imported.
const NO_CONTEXT: f64 = 0.9;
/// For a document of no known country where one was stated: to be offered and not acted on.
const COUNTRY_UNKNOWN: f64 = 0.8;
/// For a document in another country than the one that was stated.
const OTHER_COUNTRY: f64 = 0.3;
/// Most matches of one part that are tried: the longest and nearest come first, and the others rarely fit better.
const TRIED_MAX: usize = 4;
/// The steps of a confidence: factors that are multiplied in another order must not make a difference.
const STEPS: f64 = 10_000.0;

/// How a document answers a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// The confidence, in [0, 1], in steps of 1/10,000.
    pub(super) confidence: f64,
    /// What it says of a house.
    pub(super) house: House,
    /// What names the document.
    pub(super) name: Match,
}

/// What a reading says of a house of the street.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum House {
    /// None was asked for.
    Unasked,
    /// These words name one that is there.
    There(WordSet),
    /// These words name one that is there with another letter only.
    Like(WordSet),
    /// This word beside the street looks like the number of a house, and is none.
    Missing(WordSet),
}

impl House {
    /// The words that name it.
    pub(super) fn words(self) -> Option<WordSet> {
        match self {
            Self::Unasked => None,
            Self::There(words) | Self::Like(words) | Self::Missing(words) => Some(words),
        }
    }
}

impl Reading {
    /// The same for a street that is called so: edits that make up a word of its name are none.
    ///
    /// Names are looked up whole, so that no other word of them can be left out.
    pub(super) fn of_street(self, question: &Question, name: &str) -> Self {
        let WordSet { from, to } = self.name.words;
        let asked = &question.words[from..to];
        let is_made_up = |word: &String| {
            word.chars().count() <= usize::from(self.name.edits) && !asked.iter().any(|asked| asked.text == *word)
        };
        let is_another = self.name.edits > 0 && fold::words(name).iter().any(is_made_up);
        Self { confidence: if is_another { stepped(self.confidence * WORD_UNASKED) } else { self.confidence }, ..self }
    }

    /// The confidence of a spot of this granularity: a missing house may still be placed between its neighbours, and one
    /// that is there so often that only the street is known.
    pub(super) fn confidence_of(&self, granularity: Granularity) -> f64 {
        match (self.house, granularity) {
            (House::Missing(_), Granularity::Interpolated) => stepped(self.confidence / HOUSE_MISSING * HOUSE_BETWEEN),
            (House::There(_), Granularity::Street) => stepped(self.confidence * HOUSE_OF_MANY),
            _ => self.confidence,
        }
    }
}

/// A confidence in whole steps.
fn stepped(confidence: f64) -> f64 {
    (confidence * STEPS).round() / STEPS
}

/// Whether the document lies in the country that was stated beside the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InCountry {
    /// None was stated.
    Unstated,
    /// It does.
    Inside,
    /// Its country is not known.
    Unknown,
    /// It does not.
    Outside,
}

/// The best reading of a document, given all matches in it; `None` where none of them makes it an answer.
///
/// Tries every choice of at most one match a part, no word twice. Cost: some dozen choices; some thousand for a
/// query that is made for it.
pub(super) fn explain(question: &Question, matches: &[Match], country: InCountry) -> Option<Reading> {
    let mut search = Search { question, country, slots: slots(matches), best: None };
    search.choose(0, &mut Vec::with_capacity(SLOTS), 0);
    search.best
}

/// How many parts can be chosen independently: a document has one name, and a house or a number.
const SLOTS: usize = 6;

/// The matches by what they compete for; the first slot is the name, which cannot stay empty.
fn slots(matches: &[Match]) -> [Vec<Match>; SLOTS] {
    let mut slots: [Vec<Match>; SLOTS] = Default::default();
    for found in matches {
        let slot = match found.part {
            Part::Street | Part::Alike | Part::Place | Part::Alias | Part::Area | Part::Wider => 0,
            Part::House | Part::Number => 1,
            Part::Postcode | Part::CodeAround => 2,
            Part::Town | Part::TownAround => 3,
            Part::Region => 4,
            Part::Country => 5,
        };
        let is_new = !slots[slot].iter().any(|other| other.part == found.part && other.words == found.words);
        if is_new && slots[slot].len() < TRIED_MAX {
            slots[slot].push(*found);
        }
    }
    slots
}

/// The search through the choices.
struct Search<'a> {
    question: &'a Question,
    country: InCountry,
    slots: [Vec<Match>; SLOTS],
    best: Option<Reading>,
}

impl Search<'_> {
    /// Chooses for `slot` and those behind it; `chosen` are the matches so far, `taken` their words.
    fn choose(&mut self, slot: usize, chosen: &mut Vec<Match>, taken: u32) {
        if slot == SLOTS {
            let reading = judge(self.question, chosen, self.country);
            if self.best.is_none_or(|best| best.confidence < reading.confidence) {
                self.best = Some(reading);
            }
            return;
        }
        for index in 0..self.slots[slot].len() {
            let found = self.slots[slot][index];
            if taken & found.words.bits() == 0 {
                chosen.push(found);
                self.choose(slot + 1, chosen, taken | found.words.bits());
                chosen.pop();
            }
        }
        if slot > 0 {
            self.choose(slot + 1, chosen, taken);
        }
    }
}

/// The reading that a choice of matches gives; the first of them is the name.
fn judge(question: &Question, chosen: &[Match], country: InCountry) -> Reading {
    let name = chosen[0];
    let taken = chosen.iter().fold(0, |taken, found| taken | found.words.bits());
    let is_left = |word: usize| word < question.words.len() && taken & (1 << word) == 0;
    let is_number = |word: usize| question.words[word].text.starts_with(char::is_numeric);

    let mut confidence = 1.0;
    for found in chosen {
        confidence *= EDIT.powi(found.edits.into());
        confidence *= match found.part {
            Part::Alike => ALIKE,
            Part::CodeAround => OTHER_CODE,
            Part::TownAround => TOWN_AROUND,
            _ => 1.0,
        };
        if found.is_another_name {
            confidence *= IS_ANOTHER_NAME;
        }
        if !question.is_in_place(found.part, found.words) {
            confidence *= OUT_OF_PLACE;
        }
    }
    let mut missing = House::Unasked;
    for word in (0..question.words.len()).filter(|word| is_left(*word)) {
        let is_beside = word == name.words.to || word + 1 == name.words.from;
        let is_house = name.part.is_street() && is_beside && is_number(word);
        confidence *= if is_house { HOUSE_MISSING } else { UNEXPLAINED };
        if is_house {
            // Of two, the one behind the street.
            missing = House::Missing(WordSet { from: word, to: word + 1 });
        }
    }
    confidence *= UNEXPLAINED.powi(i32::try_from(question.words_beyond).unwrap_or(i32::MAX));

    let has_context = chosen.iter().any(|found| found.part >= Part::Postcode) || country == InCountry::Inside;
    if (name.part.is_street() || name.part.is_area()) && !has_context && !question.is_typed {
        confidence *= NO_CONTEXT;
    }
    if name.part.is_area() && !has_context && (0..question.words.len()).any(is_left) {
        confidence *= LONE_CODE;
    }
    confidence *= match country {
        InCountry::Unstated | InCountry::Inside => 1.0,
        InCountry::Unknown => COUNTRY_UNKNOWN,
        InCountry::Outside => OTHER_COUNTRY,
    };
    if name.part == Part::Wider {
        confidence *= WIDER;
    }

    let house = chosen.iter().find(|found| matches!(found.part, Part::House | Part::Number));
    let mut reading = missing;
    if let Some(house) = house {
        if house.words.from != name.words.to && house.words.to != name.words.from {
            confidence *= HOUSE_APART;
        }
        // `12 b` where there is a 12 and no 12b: the b was left over, and the 12 is another house.
        let after = house.words.to;
        let has_other_letter = is_left(after) && !is_number(after) && question.words[after].text.chars().count() == 1;
        let is_there = house.part == Part::House && !has_other_letter;
        reading = if is_there { House::There(house.words) } else { House::Like(house.words) };
        if house.part == Part::Number {
            confidence *= HOUSE_LIKE;
        }
    }
    Reading { confidence: stepped(confidence), house: reading, name }
}

#[cfg(test)]
mod tests;
