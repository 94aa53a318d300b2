//! How sure an answer of another provider is, by what it says and not by what the provider thinks of it.
//!
//! Providers tell how important a place is, or how large its box, which are other things than whether it is what was
//! asked for. So the words of the question are looked for in the answer; each that is missing counts against it, in
//! the manner and with the factors of the gazetteer, so that confidences of all providers mean about the same.

use super::gazetteer::fold;
use crate::model::address::{AddressQuery, CountryCode};
use crate::model::location::Granularity;

/// For each word of the question that the answer does not hold.
const UNEXPLAINED: f64 = 0.6;
/// For a number of the question that the answer does not hold: most likely the house.
const NUMBER_MISSING: f64 = 0.5;
/// For each edit of a misspelt word.
const EDIT: f64 = 0.92;
/// For a word that the answer spells out, or shortens: `St` for `Street`.
const ABBREVIATED: f64 = 0.97;
/// For a house number or name in the answer that nobody asked for: a street was, and this is one of its houses.
const UNASKED: f64 = 0.6;
/// For a street or house without town, postcode, region or country in the question: the world has many of them.
const NO_CONTEXT: f64 = 0.8;
/// For an answer in another country than the one that was stated.
const OTHER_COUNTRY: f64 = 0.3;
/// The steps of a confidence: factors that are multiplied in another order must not make a difference.
const STEPS: f64 = 10_000.0;
/// Most words of a question that are looked at; each further one counts as unexplained.
const WORDS_MAX: usize = 20;

/// The texts of an answer, by what they name. All may be empty.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The number of the house, or its name: what makes it another one than its neighbours.
    pub(super) house: Vec<String>,
    /// The street, or the place itself.
    pub(super) own: Vec<String>,
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
    let asked = words_of(query);
    let fold_all = |texts: &[String]| texts.iter().flat_map(|text| fold::words(text)).collect::<Vec<String>>();
    let (house, own, context) = (fold_all(&names.house), fold_all(&names.own), fold_all(&names.context));
    let mut confidence = 1.0;
    let mut has_house = house.is_empty();
    let mut has_context = query.country().is_some() && query.country() == country;
    for (index, word) in asked.iter().take(WORDS_MAX).enumerate() {
        let is_begun = is_typed && index + 1 == asked.len();
        let of = |words: &[String]| words.iter().map(|other| factor(word, other, is_begun)).fold(0.0, f64::max);
        let (in_house, in_own, in_context) = (of(&house), of(&own), of(&context));
        has_house |= in_house > 0.0;
        has_context |= in_context > in_own.max(in_house);
        let best = in_house.max(in_own).max(in_context);
        confidence *= match best {
            0.0 if word.starts_with(char::is_numeric) => NUMBER_MISSING,
            0.0 => UNEXPLAINED,
            best => best,
        };
    }
    confidence *= UNEXPLAINED.powi(i32::try_from(asked.len().saturating_sub(WORDS_MAX)).unwrap_or(i32::MAX));
    if !has_house {
        confidence *= UNASKED;
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

/// The words of a question; a country that is stated by its code is not one of them.
fn words_of(query: &AddressQuery) -> Vec<String> {
    match query {
        AddressQuery::Line(line) => fold::words(line),
        AddressQuery::Parts(parts) => {
            let texts = [&parts.street, &parts.postal_code, &parts.locality, &parts.region];
            texts.into_iter().flat_map(|text| fold::words(text)).collect()
        }
    }
}

/// How well two words are the same; 0 where they are not.
fn factor(asked: &str, other: &str, is_begun: bool) -> f64 {
    if asked == other || (is_begun && other.starts_with(asked)) {
        return 1.0;
    }
    if asked.contains(char::is_numeric) || other.contains(char::is_numeric) {
        return 0.0;
    }
    if is_short_for(asked, other) || is_short_for(other, asked) {
        return ABBREVIATED;
    }
    let edits = fold::edits(asked, other);
    if edits <= usize::from(fold::edits_max(asked)) { EDIT.powi(i32::try_from(edits).unwrap_or(i32::MAX)) } else { 0.0 }
}

/// Whether a word is short for another: at least two letters, which are its beginning, or at most half of it, the first
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
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, house: &[&str], own: &[&str], context: &[&str], expect: f64) {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let names = Names { house: texts(house), own: texts(own), context: texts(context) };
        let granularity = if house.is_empty() { Granularity::Street } else { Granularity::Door };
        let found = likeness(&AddressQuery::Line(line.into()), false, &names, granularity, None);
        assert!((found - expect).abs() < 1e-4, "{line}: {found}, expected {expect}");
    }

    const TOWN: &[&str] = &["Reykjavík", "101", "Ísland", "IS"];

    #[test]
    fn every_word_that_is_missing_counts() {
        let (house, street) = (&["1"], &["Laugavegur"]);
        check("Laugavegur 1, 101 Reykjavík", house, street, TOWN, 1.0);
        check("laugavegur 1 reykjavik iceland", house, street, TOWN, UNEXPLAINED);
        check("Laugavegr 1, Reykjavík", house, street, TOWN, EDIT);
        check("Laugavegur 7, Reykjavík", &[], street, TOWN, NUMBER_MISSING);
        check("Laugavegur 7, Reykjavík", house, street, TOWN, NUMBER_MISSING * UNASKED);
        check("Laugavegur 1", house, street, TOWN, NO_CONTEXT);
    }

    #[test]
    fn what_nobody_asked_for_is_doubted() {
        check("Laugavegur, Reykjavík", &["1"], &["Laugavegur"], TOWN, UNASKED);
        check("Laugavegur, Reykjavík", &[], &["Laugavegur"], TOWN, 1.0);
    }

    #[test]
    fn short_forms_are_understood() {
        check("5 Main St, Jackson TN", &["5"], &["Main Street"], &["Jackson", "Tennessee"], ABBREVIATED.powi(2));
        check("Hauptstr. 5 Bonn", &["5"], &["Hauptstraße"], &["Bonn"], ABBREVIATED);
        check("X 5 Bonn", &["5"], &["Xanten"], &["Bonn"], UNEXPLAINED);
    }

    #[test]
    fn a_stated_country_contradicts() {
        let parts = crate::model::address::PostalAddress {
            locality: "Paris".into(),
            country: CountryCode::parse("FR"),
            ..Default::default()
        };
        let query = AddressQuery::Parts(parts);
        let names = Names { own: vec!["Paris".to_owned()], ..Names::default() };
        let found = |code| likeness(&query, false, &names, Granularity::City, CountryCode::parse(code));
        assert!((found("FR") - 1.0).abs() < 1e-9 && (found("US") - OTHER_COUNTRY).abs() < 1e-9);
    }

    #[test]
    fn nearer_is_surer() {
        assert!((nearness(0.0, Granularity::Door) - 1.0).abs() < 1e-9);
        assert!(nearness(50.0, Granularity::Door) < nearness(50.0, Granularity::City));
        assert!(nearness(2e7, Granularity::Door) >= 0.0 && nearness(1_000.0, Granularity::Street) < 0.1);
    }

    #[test]
    fn a_long_question_is_answered_in_bounds() {
        let query = AddressQuery::Line("gata ".repeat(3_000));
        let found = likeness(&query, false, &Names::default(), Granularity::City, None);
        assert!((0.0..=1.0).contains(&found));
    }
}
