//! That a reading is as sure as its words are explained, and the best of all.

use proptest::prelude::*;

use super::*;
use crate::model::address::AddressQuery;

/// A match of the words `from..to`, as written.
fn names(part: Part, from: usize, to: usize) -> Match {
    Match { part, words: WordSet { from, to }, edits: 0, is_another_name: false }
}

fn read(line: &str, matches: &[Match]) -> Reading {
    explain(&Question::new(&AddressQuery::Line(line.into())), matches, InCountry::Unstated).unwrap()
}

#[track_caller]
fn check(line: &str, matches: &[Match], confidence: f64) {
    let found = read(line, matches).confidence;
    assert!((found - confidence).abs() < 1e-4, "{line}: {found}, expected {confidence}");
}

#[test]
fn only_what_is_explained_as_written_is_certain() {
    let whole = [names(Part::Street, 0, 1), names(Part::House, 1, 2), names(Part::Town, 2, 3)];
    check("laugavegur 1 reykjavik", &whole, 1.0);
    check("laugavegur 1 reykjavik", &whole[..2], UNEXPLAINED * NO_CONTEXT);
    check("laugavegur 1 reykjavik", &[whole[0], whole[2]], HOUSE_MISSING);
    check("laugavegur 1 reykjavik xyz", &whole, UNEXPLAINED);
    check("laugavegr 1 reykjavik", &[Match { edits: 1, ..whole[0] }, whole[1], whole[2]], EDIT);
    let another = Match { edits: 1, is_another_name: true, ..whole[0] };
    check("laugavegr 1 reykjavik", &[another, whole[1], whole[2]], EDIT * IS_ANOTHER_NAME);
    let question = Question::new(&AddressQuery::Line("reykjavik".into()));
    assert!(explain(&question, &[names(Part::Town, 0, 1)], InCountry::Unstated).is_none());
}

#[test]
fn no_word_is_used_twice() {
    check("new york", &[names(Part::Place, 0, 2), names(Part::Region, 0, 2)], 1.0);
    check("new york new york", &[names(Part::Place, 0, 2), names(Part::Region, 0, 2)], UNEXPLAINED.powi(2));
    let both = [names(Part::Place, 0, 2), names(Part::Place, 2, 4), names(Part::Region, 0, 2)];
    check("new york new york", &both, 1.0);
}

#[test]
fn a_number_away_from_its_street_is_doubted() {
    let street = names(Part::Street, 0, 1);
    let (near, apart) = (names(Part::House, 1, 2), names(Part::House, 2, 3));
    check("gata 1 105", &[street, near], UNEXPLAINED * NO_CONTEXT);
    check("gata 1 105", &[street, apart], HOUSE_APART * HOUSE_MISSING * NO_CONTEXT);
    check("gata 1 105", &[street, near, names(Part::Postcode, 2, 3)], 1.0);
}

#[test]
fn another_letter_is_another_house() {
    let street = names(Part::Street, 0, 1);
    let words = |to| WordSet { from: 1, to };
    assert_eq!(read("gata 12", &[street, names(Part::House, 1, 2)]).house, House::There(words(2)));
    let both = [street, names(Part::House, 1, 3), names(Part::House, 1, 2)];
    assert_eq!(read("gata 12b", &both).house, House::There(words(3)));
    assert_eq!(read("gata 12b", &[street, names(Part::House, 1, 2)]).house, House::Like(words(2)));
    assert_eq!(read("gata 12", &[street, names(Part::Number, 1, 2)]).house, House::Like(words(2)));
}

/// Whatever else is wrong: less sure than a door, surer than the street, and never as sure as `service` acts on.
#[test]
fn a_house_between_its_neighbours_is_less_than_a_door_and_more_than_the_street() {
    let street = [names(Part::Street, 0, 1), names(Part::Town, 2, 3)];
    let door = read("gata 12 bær", &[street[0], street[1], names(Part::House, 1, 2)]);
    let missing = read("gata 12 bær", &street);
    assert_eq!(missing.house, House::Missing(WordSet { from: 1, to: 2 }));
    let of = |granularity| missing.confidence_of(granularity);
    assert!((of(Granularity::Street) - HOUSE_MISSING).abs() < 1e-4);
    assert!((of(Granularity::Interpolated) - HOUSE_BETWEEN).abs() < 1e-4);
    assert!(of(Granularity::Interpolated) < door.confidence_of(Granularity::Door));
    assert!((door.confidence_of(Granularity::Interpolated) - door.confidence).abs() < 1e-9);
}

#[test]
fn a_wider_postcode_is_not_the_one_that_was_asked_for() {
    check("1012js amsterdam", &[names(Part::Wider, 0, 2), names(Part::Town, 2, 3)], WIDER);
    check("1012js", &[names(Part::Wider, 0, 2)], WIDER * NO_CONTEXT);
}

#[test]
fn a_number_beside_words_of_something_else_is_hardly_a_postcode() {
    let code = names(Part::Area, 2, 3);
    check("what is 99999", &[code], UNEXPLAINED.powi(2) * NO_CONTEXT * LONE_CODE);
    check("what is 99999 finland", &[code, names(Part::Country, 3, 4)], UNEXPLAINED.powi(2));
    check("99999", &[names(Part::Area, 0, 1)], NO_CONTEXT);
}

#[test]
fn a_stated_country_counts_as_context_and_contradicts() {
    let question = Question::new(&AddressQuery::Line("gata".into()));
    let check = |country, confidence: f64| {
        let reading = explain(&question, &[names(Part::Street, 0, 1)], country).unwrap();
        assert!((reading.confidence - confidence).abs() < 1e-4, "{country:?}: {}", reading.confidence);
    };
    check(InCountry::Unstated, NO_CONTEXT);
    check(InCountry::Inside, 1.0);
    check(InCountry::Outside, OTHER_COUNTRY * NO_CONTEXT);
    check(InCountry::Unknown, COUNTRY_UNKNOWN * NO_CONTEXT);
}

/// As sure as it may be, and never as sure as `service` acts on.
#[test]
fn what_is_only_near_is_offered() {
    let whole = [names(Part::Street, 0, 1), names(Part::House, 1, 2), names(Part::Town, 2, 3)];
    check("gata 1 bær", &[names(Part::Alike, 0, 1), whole[1], whole[2]], ALIKE);
    check("gata 1 bær", &[whole[0], whole[1], names(Part::TownAround, 2, 3)], TOWN_AROUND);
    check("gata 1 101ab", &[whole[0], whole[1], names(Part::CodeAround, 2, 4)], OTHER_CODE);
    let door = read("gata 1 bær", &whole);
    assert!((door.confidence_of(Granularity::Door) - 1.0).abs() < 1e-9);
    assert!((door.confidence_of(Granularity::Street) - HOUSE_OF_MANY).abs() < 1e-9);
}

fn any_match() -> impl Strategy<Value = Match> {
    (0..Part::ALL.len(), 0..5_usize, 1..3_usize, 0..2_u8)
        .prop_map(|(part, from, length, edits)| Match { edits, ..names(Part::ALL[part], from, (from + length).min(5)) })
}

proptest! {
    /// The oracle judges every set of matches that keeps the rules.
    #[test]
    fn the_best_of_all_choices_is_found(matches in proptest::collection::vec(any_match(), 0..9)) {
        let question = Question::new(&AddressQuery::Line("gata 1 b 101 reykjavik".into()));
        let slots = slots(&matches);
        prop_assume!(slots.iter().all(|slot| slot.len() < TRIED_MAX));
        let flat: Vec<(usize, Match)> = slots
            .iter()
            .enumerate()
            .flat_map(|(slot, matches)| matches.iter().map(move |found| (slot, *found)))
            .collect();
        let mut best: Option<f64> = None;
        for set in 0_u32..1 << flat.len() {
            let chosen: Vec<(usize, Match)> =
                (0..flat.len()).filter(|index| set & (1 << index) != 0).map(|index| flat[index]).collect();
            let is_apart = |(i, (slot, found)): (usize, &(usize, Match))| {
                chosen[..i].iter().all(|(other, earlier)| {
                    other != slot && earlier.words.bits() & found.words.bits() == 0
                })
            };
            if chosen.first().is_some_and(|(slot, _)| *slot == 0) && chosen.iter().enumerate().all(is_apart) {
                let plain: Vec<Match> = chosen.iter().map(|(_, found)| *found).collect();
                let confidence = judge(&question, &plain, InCountry::Unstated).confidence;
                best = Some(best.map_or(confidence, |best| best.max(confidence)));
            }
        }
        let found = explain(&question, &matches, InCountry::Unstated).map(|reading| reading.confidence);
        prop_assert_eq!(found.map(f64::to_bits), best.map(f64::to_bits));
    }
}
