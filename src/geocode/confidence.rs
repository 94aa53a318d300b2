//! How sure an answer of another provider is, by what it says and not by what the provider thinks of it.
//!
//! Providers tell how important a place is, or how large its box, which are other things than whether it is what was
//! asked for. So the words of the question are looked for in the answer; each that is missing counts against it, in
//! the manner and with the factors of the gazetteer, so that confidences of all providers mean about the same.
//!
//! Words in the name of the street or house that nobody asked for count against it too, in `unasked`: it may be another one.
//!
//! A word of the answer explains one of the question and no second one. The number of a house is one word with its
//! letter: 12 is not 12B.

mod unasked;

use super::country_names;
use super::gazetteer::abbreviations::is_short_for as is_known_short;
use super::gazetteer::fold;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::location::Granularity;

/// For each word of the question that the answer does not hold.
const UNEXPLAINED: f64 = 0.6;
/// For a number of the question that the answer does not hold: most likely the house.
const NUMBER_MISSING: f64 = 0.5;
/// For each edit of a misspelt word: to be offered and not acted on. Burgstraße is one edit from Bergstraße, and a provider
/// that has only the other one does not say that there are two.
const EDIT: f64 = 0.8;
/// For a word that the answer spells out, or shortens, in a way that is known: `St` for `Street`.
const ABBREVIATED: f64 = 0.97;
/// For a word that may be short for one of the answer, or that one for it: to be offered and not acted on. `Oak` is the
/// beginning of `Oakwood`, and another street.
const BEGINNING: f64 = 0.8;
/// Most letters of a code: in what an address lies in they are short for a word, as `TN` for `Tennessee`.
const CODE_CHARS_MAX: usize = 2;
/// For the number of a house that is one of several of the answer's: 12 of 12-14.
const ONE_OF_SEVERAL: f64 = 0.95;
/// For a house number or name in the answer that nobody asked for: a street was, and this is one of its houses.
const UNASKED: f64 = 0.6;
/// For each word in the name of the answer that nobody asked for: to be offered and not acted on, since there may be another
/// street that the question means as well.
const NAME_UNASKED: f64 = 0.8;
/// For something at an address, such as a shop, of which only the address was asked for: as far behind the address itself as
/// `service` wants a winner to lead, and good enough to be applied where it alone has that address.
const BESIDE: f64 = 0.89;
/// For a street or house without town, postcode, region or country in the question: the world has many of them.
const NO_CONTEXT: f64 = 0.8;
/// For an answer in another country than the one that was stated.
const OTHER_COUNTRY: f64 = 0.3;
/// The steps of a confidence: factors that are multiplied in another order must not make a difference.
const STEPS: f64 = 10_000.0;
/// Most words of a question that are looked at; each further one counts as unexplained.
const WORDS_MAX: usize = 20;
/// Most texts of an answer that are looked at, and most words of one: several times what real ones have.
const TEXTS_MAX: usize = 64;
/// Most letters behind the number of a house that belong to it: `12B`, `12bis`.
const SUFFIX_CHARS_MAX: usize = 3;

/// The texts of an answer, by what they name. All may be empty.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The number of the house, or its name: what makes it another one than its neighbours.
    pub(super) house: Vec<String>,
    /// The street, or the place itself.
    pub(super) own: Vec<String>,
    /// Where the answer is not the address but something at it, such as a shop: its name, empty where it has none.
    pub(super) occupant: Option<String>,
    /// What it lies in: quarter, town, postcode, region, country, with their codes.
    pub(super) context: Vec<String>,
}

/// How well an answer explains the words of an address, in [0, 1]. `is_typed`: the last word may be a beginning.
pub(super) fn likeness(
    query: &AddressQuery,
    is_typed: bool,
    names: &Names,
    granularity: Granularity,
    country: Option<CountryCode>,
) -> f64 {
    let mut question = Question::new(query, is_typed);
    let (numbers, named): (Vec<&String>, Vec<&String>) =
        names.house.iter().take(TEXTS_MAX).partition(|house| !house_numbers(house).is_empty());
    let mut has_house = names.house.iter().all(|house| fold::words(house).is_empty());
    let mut has_occupant = names.occupant.is_none();
    let mut texts = Vec::new();
    texts.extend(named.into_iter().map(|text| Text::new(Part::House, text)));
    let own = names.own.iter().flat_map(|text| unasked::names(text));
    texts.extend(own.take(TEXTS_MAX).map(|text| Text::new(Part::Own, text)));
    texts.extend(names.context.iter().take(TEXTS_MAX).map(|text| Text::new(Part::Context, text)));
    // Behind the town: a station may be called like it.
    texts.extend(names.occupant.iter().map(|text| Text::new(Part::Occupant, text)));
    question.take_numbered(&mut texts);
    has_house |= numbers.iter().any(|house| question.take_house(house));
    let mut has_context = query.country().is_some() && query.country() == country;
    // Whole texts first, so that `SW1A1AA` is `SW1A 1AA`; then words as written, then what they may mean.
    for part in question.take_texts(&mut texts).into_iter().chain(question.take_words(&mut texts, true)) {
        has_house |= part == Part::House;
        has_occupant |= part == Part::Occupant;
        has_context |= part == Part::Context;
    }
    for name in country.map(country_names::keys).unwrap_or_default() {
        has_context |= question.take_run(&name, 1.0);
    }
    for part in question.take_words(&mut texts, false) {
        has_house |= part == Part::House;
        has_occupant |= part == Part::Occupant;
        has_context |= part == Part::Context;
    }
    let mut confidence = question.confidence();
    if !has_house {
        confidence *= UNASKED;
    }
    if granularity >= Granularity::Street && !is_typed {
        confidence *= NAME_UNASKED.powi(unasked::words_of(&texts));
    }
    if !has_occupant {
        confidence *= BESIDE;
    }
    if !has_context && granularity >= Granularity::Street {
        confidence *= NO_CONTEXT;
    }
    if query.country().is_some() && country.is_some() && query.country() != country {
        confidence *= OTHER_COUNTRY;
    }
    (confidence * STEPS).round() / STEPS
}

/// How near a thing of this kind is to a position that was asked for, in (0, 1]: one half at the distance at which one
/// begins to doubt that it is there.
pub(super) fn nearness(distance_m: f64, granularity: Granularity) -> f64 {
    let doubted_m = match granularity {
        Granularity::Door | Granularity::Interpolated => 50.0,
        Granularity::Street => 100.0,
        Granularity::Postcode => 2_000.0,
        Granularity::City => 10_000.0,
        Granularity::Region => 150_000.0,
        Granularity::Country => 800_000.0,
    };
    (STEPS / (1.0 + distance_m / doubted_m)).round() / STEPS
}

/// What a text of an answer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    House,
    Own,
    Occupant,
    Context,
}

/// A text of an answer; a word that explained one of the question is gone.
#[derive(Debug)]
struct Text {
    part: Part,
    written: String,
    key: String,
    /// All its words.
    whole: Vec<String>,
    words: Vec<Option<String>>,
}

impl Text {
    fn new(part: Part, text: &str) -> Self {
        let whole: Vec<String> = words(text).into_iter().take(TEXTS_MAX).collect();
        let words = whole.iter().cloned().map(Some).collect();
        Self { part, written: text.to_owned(), key: fold::key(text), words, whole }
    }

    /// Whether a number is a part of its name.
    fn has_number(&self) -> bool {
        let is_number = |word: &String| word.starts_with(char::is_numeric);
        self.whole.iter().any(is_number) && !self.whole.iter().all(is_number)
    }

    /// Whether its word at `at` may be the one of the question between these: the number of a street stands beside its
    /// other words, or it is the number of something else.
    fn is_in_place(&self, at: usize, before: Option<&str>, behind: Option<&str>) -> bool {
        if self.part != Part::Own || !self.has_number() || !self.whole[at].starts_with(char::is_numeric) {
            return true;
        }
        let is_same = |asked: Option<&str>, own: Option<&String>| {
            asked.zip(own).is_some_and(|(asked, own)| factor(asked, own, self.part, false) > 0.0)
        };
        is_same(before, at.checked_sub(1).and_then(|before| self.whole.get(before)))
            || is_same(behind, self.whole.get(at + 1))
    }
}

/// The words of a question, and how well each is explained so far.
#[derive(Debug)]
struct Question {
    words: Vec<(String, Option<f64>)>,
    /// Words beyond the limit.
    unread: usize,
    is_typed: bool,
}

impl Question {
    /// A country that is stated by its code is not one of the words; what is said twice counts once, as in `Berlin, Berlin`.
    fn new(query: &AddressQuery, is_typed: bool) -> Self {
        let said: Vec<&str> = match query {
            AddressQuery::Line(line) => line.split(',').collect(),
            AddressQuery::Parts(parts) => vec![&parts.street, &parts.postal_code, &parts.locality, &parts.region],
        };
        let mut keys: Vec<String> = Vec::new();
        let mut all = Vec::new();
        for part in said {
            let key = fold::key(part);
            if !keys.contains(&key) {
                all.extend(words(part));
                keys.push(key);
            }
        }
        let unread = all.len().saturating_sub(WORDS_MAX);
        // Of a text that is longer the last word is not looked at.
        let is_typed = is_typed && unread == 0;
        Self { words: all.into_iter().take(WORDS_MAX).map(|word| (word, None)).collect(), unread, is_typed }
    }

    /// Whether some words that follow each other and are not explained yet make up the key; they are then.
    fn take_run(&mut self, key: &str, factor: f64) -> bool {
        for from in 0..self.words.len() {
            let mut joined: Vec<&str> = Vec::new();
            for to in from..self.words.len() {
                let (word, explained) = &self.words[to];
                joined.push(word);
                let run = fold::join(&joined);
                if explained.is_some() || !key.starts_with(&run) {
                    break;
                }
                let is_begun = self.is_typed && to + 1 == self.words.len();
                if run == key || is_begun {
                    self.words[from..=to].iter_mut().for_each(|(_, explained)| *explained = Some(factor));
                    return true;
                }
            }
        }
        false
    }

    /// Explains words by texts of the street that have a number of their own, `Calle 10`: it is none of a house.
    fn take_numbered(&mut self, texts: &mut [Text]) {
        for text in texts.iter_mut().filter(|text| text.part == Part::Own && text.has_number()) {
            if self.take_run(&text.key, 1.0) {
                text.words.clear();
            }
        }
    }

    /// Whether the number of a house is asked for: as a whole, or one of several.
    fn take_house(&mut self, house: &str) -> bool {
        let numbers = house_numbers(house);
        self.take_run(&fold::join(&numbers), 1.0)
            || (numbers.len() > 1 && numbers.iter().any(|number| self.take_run(number, ONE_OF_SEVERAL)))
    }

    /// Explains words by texts that they make up as a whole.
    fn take_texts(&mut self, texts: &mut [Text]) -> Vec<Part> {
        let mut taken = Vec::new();
        for text in texts.iter_mut().filter(|text| !text.key.is_empty()) {
            if self.take_run(&text.key, 1.0) {
                text.words.clear();
                taken.push(text.part);
            }
        }
        taken
    }

    /// Explains words by words: as written, or by the best that there is.
    fn take_words(&mut self, texts: &mut [Text], is_exact: bool) -> Vec<Part> {
        let mut taken = Vec::new();
        let last = self.words.len().saturating_sub(1);
        let all: Vec<String> = self.words.iter().map(|(word, _)| word.clone()).collect();
        for (index, (word, explained)) in self.words.iter_mut().enumerate().filter(|(_, word)| word.1.is_none()) {
            let is_begun = self.is_typed && index == last;
            let beside = |index: Option<usize>| index.and_then(|index| all.get(index)).map(String::as_str);
            let (before, behind) = (beside(index.checked_sub(1)), beside(Some(index + 1)));
            // The factor, the text, and its word.
            let mut best: Option<(f64, usize, usize)> = None;
            for (number, text) in texts.iter().enumerate() {
                for at in 0..text.words.len() {
                    let other = text.words[at].as_ref().filter(|_| text.is_in_place(at, before, behind));
                    let factor = other.map_or(0.0, |other| factor(word, other, text.part, is_begun));
                    let is_enough = factor > 0.0 && (factor >= 1.0 || !is_exact);
                    if is_enough && best.is_none_or(|(best, ..)| best < factor) {
                        best = Some((factor, number, at));
                    }
                }
            }
            if let Some((factor, number, at)) = best {
                texts[number].words[at] = None;
                *explained = Some(factor);
                taken.push(texts[number].part);
            }
        }
        taken
    }

    /// The product over all words.
    fn confidence(&self) -> f64 {
        let of = |(word, explained): &(String, Option<f64>)| match explained {
            Some(factor) => *factor,
            None if word.starts_with(char::is_numeric) => NUMBER_MISSING,
            None => UNEXPLAINED,
        };
        self.words.iter().map(of).product::<f64>() * UNEXPLAINED.powi(i32::try_from(self.unread).unwrap_or(i32::MAX))
    }
}

/// The words of a text; letters that stand right behind a number belong to it, as in `12B` and `5th`.
fn words(text: &str) -> Vec<String> {
    let parts = |c: char| c.is_whitespace() || (c.is_ascii_punctuation() && !matches!(c, '\'' | '`'));
    let mut all: Vec<String> = Vec::new();
    for piece in text.split(parts) {
        let mut is_behind_number = false;
        for word in fold::words(piece) {
            let is_number = word.starts_with(char::is_numeric);
            match all.last_mut() {
                Some(number) if is_behind_number && is_suffix(&word) => number.push_str(&word),
                _ => all.push(word),
            }
            is_behind_number = is_number;
        }
    }
    all
}

fn is_suffix(word: &str) -> bool {
    !word.contains(char::is_numeric) && word.chars().count() <= SUFFIX_CHARS_MAX
}

/// The numbers of a house, each with its letter; none where it has a name instead.
fn house_numbers(house: &str) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    let mut is_behind_number = false;
    for word in words(house) {
        let is_number = word.starts_with(char::is_numeric);
        match numbers.last_mut() {
            _ if is_number => numbers.push(word.clone()),
            Some(number) if is_behind_number && is_suffix(&word) => number.push_str(&word),
            _ => {}
        }
        is_behind_number = is_number && word.ends_with(char::is_numeric);
    }
    numbers
}

/// How well two words are the same; 0 where they are not.
fn factor(asked: &str, other: &str, part: Part, is_begun: bool) -> f64 {
    if asked == other || (is_begun && other.starts_with(asked)) {
        return 1.0;
    }
    if asked.contains(char::is_numeric) || other.contains(char::is_numeric) {
        return 0.0;
    }
    if is_known_short(asked, other) || is_known_short(other, asked) {
        return ABBREVIATED;
    }
    if is_short_for(asked, other) || is_short_for(other, asked) {
        let is_code = part == Part::Context && asked.chars().count().min(other.chars().count()) <= CODE_CHARS_MAX;
        return if is_code { ABBREVIATED } else { BEGINNING };
    }
    let edits_max = usize::from(fold::edits_max(asked));
    if asked.chars().count().abs_diff(other.chars().count()) > edits_max {
        return 0.0;
    }
    let edits = fold::edits(asked, other);
    if edits <= edits_max { EDIT.powi(i32::try_from(edits).unwrap_or(i32::MAX)) } else { 0.0 }
}

/// Whether a word may be short for another: at least two letters, which are its beginning, or at most half of it, the first
/// one the same and the others in their order.
fn is_short_for(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    let length = short.chars().count();
    let mut is_outline = || {
        length * 2 <= long.chars().count()
            && short.chars().next() == long.chars().next()
            && short.chars().all(|letter| rest.any(|other| other == letter))
    };
    length >= 2 && (long.starts_with(short) || is_outline())
}

#[cfg(test)]
mod tests;
