//! Builds the fixture's gazetteer and asks it, as a caller would.

mod imports;
mod openings;
mod postcodes;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::time::Instant;

use super::fixture::{HOUSES, built, house_position, sources};
use super::schema::FORMAT;
use super::{Gazetteer, MANIFEST_FILE, Origin, PROVIDER, Sources, build};
use crate::geocode::{ANSWER_TIME, Bias, Candidate, Error, Geocoder, Inquiry, PlaceId, Subject};
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// One gazetteer for all tests that only ask.
static FIXTURE: LazyLock<(TempDir, Gazetteer)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let gazetteer = Gazetteer::open(&built(directory.path())).unwrap();
    (directory, gazetteer)
});

fn ask(query: &AddressQuery, bias: &Bias, limit: usize) -> Vec<Candidate> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(FIXTURE.1.forward(query, bias, limit)).unwrap()
}

fn ask_line(line: &str) -> Vec<Candidate> {
    ask(&AddressQuery::Line(line.into()), &Bias::default(), 10)
}

fn text(candidate: &Candidate) -> String {
    format!("{:.2} {:?} {}", candidate.confidence, candidate.granularity, candidate.formatted_address)
}

/// The first answers to a line, as `confidence granularity address`.
#[track_caller]
fn check(line: &str, expect: &[&str]) {
    let answers: Vec<String> = ask_line(line).iter().take(expect.len()).map(text).collect();
    assert_eq!(answers, expect, "{line}");
}

/// That a line leads to a house, and to nothing else nearly as well.
#[track_caller]
fn check_door(line: &str, id: i64) {
    let answers = ask_line(line);
    let best = answers.first().unwrap_or_else(|| panic!("{line}: no answer"));
    assert_eq!(best.place_id, format!("is/stadfong/{id}"), "{line}: {}", text(best));
    assert_eq!(best.granularity, Granularity::Door, "{line}");
    let (lat, lng) = house_position(id);
    assert!(best.position.distance_m(LatLng::new(lat, lng).unwrap()) < 1.0, "{line}");
    let second = answers.get(1).map_or(0.0, |candidate| candidate.confidence);
    assert!(best.confidence - second >= 0.1, "{line}: {} and {second}", text(best));
}

#[test]
fn a_door_is_found_however_it_is_written() {
    for line in [
        "Laugavegur 1, 101 Reykjavík",
        "Laugavegur 1, Reykjavík",
        "laugavegur 1 101 reykjavik",
        "Reykjavik Laugavegi 1",
        "Laugavegr 1 Reykjavík",
        "LAUGAVEGUR 1, MIÐBORG, ÍSLAND",
        "Lauga vegur 1 Reykjavík",
        "Laugavegur1, 101Reykjavík",
        "IS 101 Reykjavík, 1 Laugavegur",
        "Laugavegur 1, rvk",
        "Laugavegur 1 Höfuðborgarsvæðið",
    ] {
        check_door(line, 1);
    }
    for line in ["Laugavegur 1b, Reykjavík", "laugavegur 1 B 101", "Laugavegur 1B Reykjavik Iceland"] {
        check_door(line, 2);
    }
    check_door("Thorsgata 3 Reykjavik", 8);
    check_door("Þórsgötu 3, Reykjavík", 8);
    check_door("Þverholt 5-7, Reykjavík", 9);
    check_door("Hafnarbraut 4, Höfn", 12);
    check_door("Efra Ás, 560 Varmahlíð", 13);
    check_door("Brekka lóð 3, Varmahlíð", 15);
}

#[test]
fn certainty_is_for_what_was_found_as_written() {
    check("Laugavegur 1, 101 Reykjavík", &["1.00 Door Laugavegur 1, 101 Reykjavík"]);
    check("Laugavegr 1, 101 Reykjavík", &["0.92 Door Laugavegur 1, 101 Reykjavík"]);
    check("Laugvegurr 1, 101 Reykjavk", &["0.78 Door Laugavegur 1, 101 Reykjavík"]);
    check("Laugavegur 1, 101 Reykjavík kjallari", &["0.60 Door Laugavegur 1, 101 Reykjavík"]);
    check("Þórsgötu 3, 101 Reykjavík", &["1.00 Door Þórsgata 3, 101 Reykjavík"]);
    check("Þórsgata 3", &["0.90 Door Þórsgata 3, 101 Reykjavík"]);
}

#[test]
fn a_house_that_is_missing_leaves_its_street_once() {
    check(
        "Laugavegur 77, Reykjavík",
        &["0.50 Street Laugavegur, 101 Reykjavík", "0.50 Street Laugavegur, 105 Reykjavík"],
    );
    check("Laugavegur 1c, 101 Reykjavík", &["0.60 Street Laugavegur, 101 Reykjavík"]);
    check("Laugavegur 12, 101 Reykjavík", &["0.80 Street Laugavegur, 101 Reykjavík"]);
    check("Laugavegur, Varmahlíð", &["1.00 Street Laugavegur, 560 Varmahlíð"]);
    let near = &ask_line("Laugavegur 12, 101 Reykjavík")[0];
    assert!(near.position.distance_m(LatLng::new(house_position(3).0, house_position(3).1).unwrap()) < 1.0);
}

/// A wrong number in Hafnargata was answered with a house of Hrannargata, two edits away, at 0.85.
#[test]
fn a_wrong_house_does_not_turn_into_one_of_another_street() {
    let answers = ask_line("Hafnargata 5, 230 Keflavík");
    assert!(answers.iter().all(|candidate| candidate.confidence <= 0.6), "{}", text(&answers[0]));
    check("Hrnnargata 5, 230 Keflavík", &["0.92 Door Hrannargata 5, 230 Reykjanesbær"]);
}

#[test]
fn a_number_that_may_be_house_or_postcode_is_a_tie() {
    check(
        "Hringbraut 105 Reykjavík",
        &["1.00 Door Hringbraut 105, 101 Reykjavík", "1.00 Street Hringbraut, 105 Reykjavík"],
    );
    check_door("Hringbraut 105, 101 Reykjavík", 17);
}

#[test]
fn houses_with_a_name_and_postcodes_answer() {
    check_door("Ægisbúð, Höfn í Hornafirði", 12);
    check("aegisbud 780", &["1.00 Door Hafnarbraut 4, 780 Höfn í Hornafirði"]);
    check("101 Reykjavík", &["1.00 Postcode 101 Reykjavík"]);
    check("230 Keflavík", &["1.00 Postcode 230 Reykjanesbær"]);
}

#[test]
fn places_of_one_name_are_equal_and_the_larger_comes_first() {
    check(
        "Springfield",
        &[
            "1.00 City Springfield, Missouri, United States",
            "1.00 City Springfield, Massachusetts, United States",
            "1.00 City Springfield, Illinois, United States",
        ],
    );
    check("san jose", &["1.00 City San Jose, California, United States", "1.00 City San José, Costa Rica"]);
    check("Paris", &["1.00 City Paris, France", "1.00 City Paris, Texas, United States"]);
}

#[test]
fn regions_and_countries_qualify() {
    check(
        "Jackson TN",
        &["1.00 City Jackson, Tennessee, United States", "0.60 City Jackson, Mississippi, United States"],
    );
    check("Paris, France", &["1.00 City Paris, France", "0.60 City Paris, Texas, United States"]);
    check("Paris, TX, USA", &["1.00 City Paris, Texas, United States"]);
    check("San José, Costa Rica", &["1.00 City San José, Costa Rica"]);
    check("Springfeld Ilinois", &["0.85 City Springfield, Illinois, United States"]);
}

#[test]
fn places_answer_to_their_names_in_all_scripts() {
    check("東京", &["1.00 City Tokyo, Japan"]);
    check("Рейкьявик", &["1.00 City Reykjavík, Capital Region, Iceland"]);
    check("Рейкявик", &["0.92 City Reykjavík, Capital Region, Iceland"]);
    check("kobenhavn", &["1.00 City Copenhagen, Denmark"]);
    check("Kaupmannahofn Danmark", &["1.00 City Copenhagen, Denmark"]);
    check("1", &[]);
}

#[test]
fn a_house_between_its_neighbours_is_interpolated() {
    // The houses 12A and 20 stand 200 m apart.
    check("Laugavegur 14, 101 Reykjavík", &["0.70 Interpolated Laugavegur 14, 101 Reykjavík"]);
    let found = &ask_line("Laugavegur 14, 101 Reykjavík")[0];
    let (lat, lng) = house_position(3);
    assert!((found.position.lat() - lat - 0.000_5).abs() < 1e-6 && (found.position.lng() - lng).abs() < 1e-9);
    // None on the same side of the number, and none behind it.
    check("Laugavegur 13, 101 Reykjavík", &["0.50 Street Laugavegur, 101 Reykjavík"]);
    check("Laugavegur 24, 101 Reykjavík", &["0.50 Street Laugavegur, 101 Reykjavík"]);
}

#[test]
fn bias_breaks_ties_and_nothing_else() {
    let first = |line: &str, bias: &Bias| ask(&AddressQuery::Line(line.into()), bias, 3)[0].place_id.clone();
    let near = Bias { near: LatLng::new(0.5, -90.0).ok(), country: None };
    assert_eq!(first("Springfield", &near), "geonames/5", "the nearest");
    let country = Bias { near: None, country: CountryCode::parse("US") };
    assert_eq!(first("Paris", &country), "geonames/7");
    assert_eq!(first("Paris France", &country), "geonames/6");
    let both = Bias { near: LatLng::new(0.7, -90.0).ok(), country: CountryCode::parse("FR") };
    assert_eq!(first("Paris", &both), "geonames/7", "a position says more than a country");
    assert_eq!(ask(&AddressQuery::Line("Springfield".into()), &near, 1).len(), 1);
}

#[test]
fn parts_are_looked_for_where_they_belong() {
    let parts = |street: &str, postal_code: &str, locality: &str, region: &str, country: &str| {
        let parts = PostalAddress {
            street: street.into(),
            postal_code: postal_code.into(),
            locality: locality.into(),
            region: region.into(),
            country: CountryCode::parse(country),
        };
        ask(&AddressQuery::Parts(parts), &Bias::default(), 5).first().map(text).unwrap_or_default()
    };
    assert_eq!(parts("Laugavegur 1", "101", "Reykjavík", "", "IS"), "1.00 Door Laugavegur 1, 101 Reykjavík");
    assert_eq!(parts("Þórsgata 3", "", "", "", "IS"), "1.00 Door Þórsgata 3, 101 Reykjavík");
    assert_eq!(parts("Þórsgata 3", "", "", "", "DK"), "0.27 Door Þórsgata 3, 101 Reykjavík");
    assert_eq!(parts("Hringbraut", "105", "Reykjavík", "", ""), "1.00 Street Hringbraut, 105 Reykjavík");
    assert_eq!(parts("", "", "Paris", "TX", "US"), "1.00 City Paris, Texas, United States");
    assert_eq!(parts("", "", "Laugavegur", "", ""), "0.81 Street Laugavegur, 101 Reykjavík");
}

#[test]
fn what_is_shown_with_an_answer_follows_its_source() {
    let of = |line: &str| ask_line(line).swap_remove(0);
    let (door, city) = (of("Þórsgata 3, Reykjavík"), of("Tokyo"));
    assert!(door.attribution.contains("Registers Iceland") && city.attribution.contains("GeoNames"));
    assert_eq!((&*door.provider, door.country), (PROVIDER, CountryCode::parse("IS")));
    let summary = FIXTURE.1.manifest().summary;
    assert_eq!((summary.places, summary.addresses, summary.skipped), (13, HOUSES.len() as u64, 2));
    let notes = &FIXTURE.1.manifest().sources;
    let register = notes.iter().find(|note| note.origin == Origin::Iceland).unwrap();
    assert_eq!(
        (&*register.file, register.data_date.unwrap().to_string()),
        ("register.db", "2026-03-01T10:00:00Z".into())
    );
}

#[test]
fn an_index_that_is_not_ours_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |path: &Path| Gazetteer::open(path).unwrap_err().to_string();
    assert!(refused(directory.path()).contains(MANIFEST_FILE));
    let out = built(directory.path());
    let manifest = fs::read_to_string(out.join(MANIFEST_FILE)).unwrap();
    let newer = manifest.replace(&format!("\"format\": {FORMAT}"), "\"format\": 999");
    fs::write(out.join(MANIFEST_FILE), newer).unwrap();
    assert!(refused(&out).contains("format is 999") && refused(&out).contains("gazetteer build"), "{}", refused(&out));
}

#[test]
fn a_build_replaces_a_whole_index_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let out = built(directory.path());
    let before = Gazetteer::open(&out).unwrap();

    let broken = Sources { countries: Some(directory.path().join("missing.json")), ..sources(directory.path()) };
    let failure = build(&broken, &out, &|_| ()).unwrap_err();
    assert!(matches!(&failure, Error::SourceFile { path, .. } if path.ends_with("missing.json")), "{failure}");
    assert_eq!(Gazetteer::open(&out).unwrap().manifest(), before.manifest());

    let fewer = Sources { iceland: None, ..sources(directory.path()) };
    assert_eq!(build(&fewer, &out, &|_| ()).unwrap().summary.addresses, 0);
    assert_eq!(Gazetteer::open(&out).unwrap().manifest().summary.streets, 0);
    let hidden = fs::read_dir(directory.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "nothing is left beside the index");

    let foreign = directory.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "dear").unwrap();
    assert!(build(&fewer, &foreign, &|_| ()).is_err() && foreign.join("letter.txt").exists());
    assert!(build(&Sources::default(), &out, &|_| ()).is_err());
}

/// A power cut between the two renames of a build left no index.
#[test]
fn an_index_that_was_put_away_is_read_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let out = built(directory.path());
    fs::rename(&out, directory.path().join(".gazetteer.old")).unwrap();
    assert_eq!(Gazetteer::open(&out).unwrap().manifest().summary.addresses, HOUSES.len() as u64);
    let broken = Sources { countries: Some(directory.path().join("missing.json")), ..sources(directory.path()) };
    assert!(build(&broken, &out, &|_| ()).is_err() && out.join(MANIFEST_FILE).is_file());
}

#[test]
fn hostile_queries_are_answered() {
    let emoji = "🏠".repeat(125);
    for line in [emoji.as_str(), "\u{202e}לונדון", "+title:(a AND \"b~2\") OR *", "[TO]^9 \\"] {
        assert!(ask_line(line).iter().all(|candidate| candidate.confidence < 0.9), "{line}");
    }
    assert_eq!(ask_line("Reykjavík ".repeat(45).trim()), [], "words beyond the limit are not explained");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_line_has_an_answer_in_order(line in "\\PC{1,60}|([a-z]{1,9}[ ,]?[0-9]{0,3}[ ,]?){1,8}") {
        let answers = ask_line(&line);
        prop_assert!(answers.len() <= 10);
        prop_assert!(answers.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
        prop_assert!(answers.iter().all(|candidate| (0.0..=1.0).contains(&candidate.confidence)));
        prop_assert_eq!(answers, ask_line(&line));
    }

    /// The oracle is the table: whatever the order of the parts and the case, the row is among the best.
    #[test]
    fn every_house_of_the_table_is_found(
        house in 0..HOUSES.len(), town_first in any::<bool>(), dative in any::<bool>(), upper in any::<bool>(),
    ) {
        let (id, postcode, nominative, dative_name, number, letter, _, addition) = HOUSES[house];
        let number = number.filter(|_| !addition.contains('-')).map(|number| number.to_string()).unwrap_or_default();
        let street = if dative { dative_name } else { nominative };
        let street = format!("{street} {number}{letter} {addition}");
        let line = if town_first { format!("{postcode} {street}") } else { format!("{street}, {postcode}") };
        let answers = ask_line(&if upper { line.to_uppercase() } else { line.clone() });
        let best = answers.first().map_or(0.0, |candidate| candidate.confidence);
        prop_assert!(best >= 0.7, "{}: {}", line, best);
        let wanted = format!("is/stadfong/{id}");
        prop_assert!(answers.iter().any(|found| found.place_id == wanted && found.confidence >= best), "{}", line);
    }
}

/// What a question of any kind is answered with.
fn answers(subject: Subject, bias: &Bias) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let inquiry = Inquiry::new(subject, bias, 3);
    let answered = runtime.block_on(FIXTURE.1.answer(&inquiry, Instant::now() + ANSWER_TIME)).unwrap();
    answered.iter().map(text).collect()
}

#[test]
fn a_text_is_completed_while_it_is_typed() {
    let check = |typed: &str, expect: &[&str]| {
        let found = answers(Subject::Typed(typed.into()), &Bias::default());
        assert_eq!(found.iter().take(expect.len()).map(String::as_str).collect::<Vec<_>>(), expect, "{typed}");
    };
    check("Þórsg", &["1.00 Street Þórsgata, 101 Reykjavík"]);
    check("Þórsgata 3, R", &["1.00 Door Þórsgata 3, 101 Reykjavík"]);
    check("Þórsgata 3, Rey", &["1.00 Door Þórsgata 3, 101 Reykjavík"]);
    check("hafnargata 7 reykjanesb", &["1.00 Door Hafnargata 7, 230 Reykjanesbær"]);
    check("Springf", &["1.00 City Springfield, Missouri, United States"]);
    let near = Bias { near: LatLng::new(64.1, -21.9).ok(), country: None };
    let found = answers(Subject::Typed("Laug".into()), &near);
    assert!(found[0].contains("Laugavegur"), "what is near comes first: {found:?}");
    // A whole word, and one that is misspelt.
    check("Laugavegr 1 Reykjavík", &["0.92 Door Laugavegur 1, 101 Reykjavík"]);
    for nothing in ["", " ", "x", "?!", "qzx"] {
        check(nothing, &[]);
    }
}

#[test]
fn a_position_has_the_doors_around_it_and_its_place() {
    let at = |lat: f64, lng: f64| answers(Subject::Position(LatLng::new(lat, lng).unwrap()), &Bias::default());
    let (lat, lng) = house_position(8);
    let found = at(lat, lng);
    assert_eq!(found[0], "1.00 Door Þórsgata 3, 101 Reykjavík", "{found:?}");
    assert!(found.iter().any(|text| text.contains("City")), "{found:?}");
    assert!(at(lat + 0.1, lng + 0.1).iter().all(|text| !text.contains("Door")), "far from all doors");
    assert!(at(-60.0, 100.0).is_empty() && at(90.0, 0.0).is_empty() && at(0.0, 180.0).is_empty());
}

#[test]
fn every_id_of_an_answer_leads_back_to_its_place() {
    let place = |id: &str| Subject::Place(PlaceId { provider: PROVIDER.into(), id: id.into() });
    for line in [
        "Laugavegur 1, 101 Reykjavík",
        "Laugavegur, 101 Reykjavík",
        "Springfield",
        "560",
        "90210",
        "Laugavegur 14, 101 Reykjavík",
    ] {
        for candidate in ask_line(line) {
            let found = answers(place(&candidate.place_id), &Bias::default());
            assert_eq!(found.len(), 1, "{}", candidate.place_id);
            assert!(found[0].ends_with(&candidate.formatted_address), "{found:?}");
        }
    }
    assert!(answers(place("is/stadfong/12345"), &Bias::default()).is_empty());
    let other = PlaceId { provider: "photon".into(), id: "is/stadfong/1".into() };
    assert!(answers(Subject::Place(other), &Bias::default()).is_empty());
}
