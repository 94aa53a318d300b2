//! That an answer is as sure as it explains what was asked, word by word.

use super::*;

#[track_caller]
fn check(line: &str, house: &[&str], own: &[&str], context: &[&str], expect: f64) {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let names = Names { house: texts(house), own: texts(own), context: texts(context), ..Names::default() };
    let granularity = if house.is_empty() { Granularity::Street } else { Granularity::Door };
    let found = likeness(&AddressQuery::Line(line.into()), false, &names, granularity, CountryCode::parse("IS"));
    assert!((found - expect).abs() < 1e-4, "{line}: {found}, expected {expect}");
}

const TOWN: &[&str] = &["Reykjavík", "101", "Ísland", "IS"];

#[test]
fn every_word_that_is_missing_counts() {
    let (house, street) = (&["1"], &["Laugavegur"]);
    check("Laugavegur 1, 101 Reykjavík", house, street, TOWN, 1.0);
    check("laugavegur 1 reykjavik iceberg", house, street, TOWN, UNEXPLAINED);
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

/// Asked for Roobertinkatu 5, Nominatim answers Pieni Roobertinkatu 5 alone, and it was applied; there is an Iso
/// Roobertinkatu too.
#[test]
fn a_longer_name_is_another_street() {
    let at = |line: &str, street: &str, expect| check(line, &["5"], &[street], &["Bonn"], expect);
    at("Roobertinkatu 5, Bonn", "Pieni Roobertinkatu", NAME_UNASKED);
    at("Pieni Roobertinkatu 5, Bonn", "Pieni Roobertinkatu", 1.0);
    at("Iso Roobertinkatu 5, Bonn", "Pieni Roobertinkatu", UNEXPLAINED * NAME_UNASKED);
    at("5 Oak, Bonn", "Oak Street", NAME_UNASKED);
    at("5 Main Street, Bonn", "North Main Street", NAME_UNASKED);
    at("5 Main St, Bonn", "N Main Street", ABBREVIATED * NAME_UNASKED);
    at("42nd Street 5, Bonn", "East 42nd Street", NAME_UNASKED);
    at("5, Bonn", "Pieni Roobertinkatu", NAME_UNASKED.powi(2));
    for (line, street) in [
        ("5 Rue Paix, Bonn", "Rue de la Paix"),
        ("5 Rue de Paix, Bonn", "Rue de la Paix"),
        ("5 Strand, Bonn", "The Strand"),
        ("Hauptstraße 5, Bonn", "Hauptstraße (Altstadt)"),
        ("Hauptstraße (Altstadt) 5, Bonn", "Hauptstraße (Altstadt)"),
        ("Rue Neuve 5, Bonn", "Rue Neuve - Nieuwstraat"),
        ("Nieuwstraat 5, Bonn", "Rue Neuve - Nieuwstraat"),
        ("Rue Neuve - Nieuwstraat 5, Bonn", "Rue Neuve - Nieuwstraat"),
    ] {
        at(line, street, 1.0);
    }
    // A building on the street has a name besides.
    check("Laugavegur 5, Bonn", &["5"], &["Laugavegur", "Gamla Hús"], &["Bonn"], 1.0);
    check("Gamla Hús, Laugavegur, Bonn", &["Gamla Hús"], &["Laugavegur", "Gamla Hús"], &["Bonn"], 1.0);
    check("Gamla Hús, Bonn", &["Gamla Hús"], &["Laugavegur", "Gamla Hús"], &["Bonn"], 1.0);
    check("Gamla, Bonn", &["Gamla Hús"], &["Laugavegur", "Gamla Hús"], &["Bonn"], NAME_UNASKED);
}

/// What is still typed lacks words that follow; and nobody writes the whole of a town's name.
#[test]
fn a_longer_name_is_no_other_town_nor_a_fault_of_what_is_typed() {
    let of = |line: &str, is_typed: bool, granularity: Granularity| {
        let names = Names { own: vec!["Frankfurt am Main".to_owned()], ..Names::default() };
        let country = CountryCode::parse("DE");
        likeness(&AddressQuery::Line(line.into()), is_typed, &names, granularity, country)
    };
    assert!((of("Frankfurt, Germany", false, Granularity::City) - 1.0).abs() < 1e-9);
    assert!((of("Frankfurt a", true, Granularity::Street) - NO_CONTEXT).abs() < 1e-9);
    assert!(of("Frankfurt, Germany", false, Granularity::Street) < 0.85, "what `service` acts on");
}

/// Every shop of a house was as sure as the house, and none of them far enough ahead to be applied.
#[test]
fn what_is_at_an_address_stands_behind_the_address() {
    let of = |line: &str, occupant: Option<&str>| {
        let (house, own) = (vec!["1".to_owned()], vec!["Laugavegur".to_owned()]);
        let context = TOWN.iter().map(|text| (*text).to_owned()).collect();
        let names = Names { house, own, context, occupant: occupant.map(str::to_owned) };
        likeness(&AddressQuery::Line(line.into()), false, &names, Granularity::Door, CountryCode::parse("IS"))
    };
    let line = "Laugavegur 1, Reykjavík";
    let (address, shop, nameless) = (of(line, None), of(line, Some("Bónus")), of(line, Some("")));
    assert!(shop.total_cmp(&BESIDE).is_eq() && nameless.total_cmp(&BESIDE).is_eq(), "{shop} {nameless}");
    assert!(address - shop >= 0.1 && shop >= 0.85, "what `service` asks of a winner");
    assert!(of("Bónus, Laugavegur 1, Reykjavík", Some("Bónus")).total_cmp(&1.0).is_eq(), "it was asked for");
}

#[test]
fn short_forms_are_understood() {
    check("5 Main St, Jackson TN", &["5"], &["Main Street"], &["Jackson", "Tennessee"], ABBREVIATED.powi(2));
    check("5 N Main St, Bonn", &["5"], &["North Main Street"], &["Bonn"], ABBREVIATED.powi(2));
    check("Hauptstr. 5 Bonn", &["5"], &["Hauptstraße"], &["Bonn"], ABBREVIATED);
    check("X 5 Bonn", &["5"], &["Xanten"], &["Bonn"], UNEXPLAINED * NAME_UNASKED);
}

/// Another street of a similar name is offered, and never as sure as `service` acts on.
#[test]
fn another_street_or_town_is_not_a_short_form() {
    for (line, street, town) in [
        ("5 Oak Street, Bonn", "Oakwood Street", "Bonn"),
        ("5 Main Street, Port", "Main Street", "Portland"),
        ("5 Bergstraße, Bonn", "Burgstraße", "Bonn"),
        ("5 Hauptstraße, Bonn", "Hauptstraße", "Born"),
    ] {
        check(line, &["5"], &[street], &[town], 0.8);
    }
}

/// The number of the street explained that of the house, and the house that of the street.
#[test]
fn the_number_of_a_street_is_none_of_a_house() {
    let at = |line: &str, house: &str, street: &str, expect| check(line, &[house], &[street], &["Bogotá"], expect);
    at("Calle 10 5, Bogotá", "10", "Calle 5", NUMBER_MISSING * NAME_UNASKED);
    at("Calle 10 5, Bogotá", "5", "Calle 10", 1.0);
    at("Calle 10 10, Bogotá", "10", "Calle 10", 1.0);
    at("5 Calle 5, Bogotá", "5", "Calle 5", 1.0);
    at("110 E 42nd St, Bogotá", "110", "East 42nd Street", ABBREVIATED.powi(2));
}

/// 12 was found in 12B, and the neighbour's house applied without a question.
#[test]
fn a_number_is_one_with_its_letter() {
    let (street, other) = (&["Laugavegur"], NUMBER_MISSING * UNASKED);
    let at = |line: &str, house: &str, expect| check(line, &[house], street, TOWN, expect);
    for (line, house) in [
        ("Laugavegur 12B, Reykjavík", "12B"),
        ("Laugavegur 12b, Reykjavík", "12 B"),
        ("Laugavegur 12 B, Reykjavík", "12b"),
        ("Laugavegur 12-B, Reykjavík", "12B"),
        ("12bis Laugavegur, Reykjavík", "12 bis"),
        ("Laugavegur 12-14, Reykjavík", "12–14"),
        ("Laugavegur 12, Reykjavík", "No. 12"),
    ] {
        at(line, house, 1.0);
    }
    at("Laugavegur 12, Reykjavík", "12B", other);
    at("Laugavegur 12B, Reykjavík", "12", other);
    at("Laugavegur 12B, Reykjavík", "12C", other);
    at("Laugavegur 12 B, Reykjavík", "12", UNEXPLAINED);
    at("Laugavegur 1, Reykjavík", "12", other);
    at("Laugavegur 12, Reykjavík", "1", other);
    at("Laugavegur 12, Reykjavík", "12-14", ONE_OF_SEVERAL);
    at("Laugavegur 13, Reykjavík", "12-14", other);
    at("5th Laugavegur 5, Reykjavík", "5", NUMBER_MISSING);
}

/// The postcode explained the number of the house, and the house the postcode.
#[test]
fn each_word_explains_one() {
    let (house, street) = (&["1"], &["Laugavegur"]);
    check("Laugavegur 101, 101 Reykjavík", house, street, TOWN, NUMBER_MISSING * UNASKED);
    check("Laugavegur 101, 101 Reykjavík", &["101"], street, TOWN, 1.0);
    check("Laugavegur 1, 1 Reykjavík", house, street, TOWN, NUMBER_MISSING);
    check("Laugavegur Laugavegur 1 Reykjavík", house, street, TOWN, UNEXPLAINED);
    check("Main Main 5 Jackson", &["5"], &["Main Street"], &["Jackson"], UNEXPLAINED * NAME_UNASKED);
    check("Maim Main 5 Jackson", &["5"], &["Main Street"], &["Jackson"], UNEXPLAINED * NAME_UNASKED);
    check("Reykjavík, Reykjavík", &[], &["Reykjavík"], &["Ísland"], NO_CONTEXT);
    check("SW1A1AA London", &[], &["London"], &["SW1A 1AA"], 1.0);
    check("1012AB Amsterdam", &[], &["Amsterdam"], &["1012 AB"], 1.0);
}

#[test]
fn a_country_is_known_by_its_english_name_and_its_codes() {
    for name in ["Iceland", "ICELAND", "ISL", "is", "Ísland", "Íslandi"] {
        check(&format!("Laugavegur 1, 101 Reykjavík, {name}"), &["1"], &["Laugavegur"], TOWN, 1.0);
        check(&format!("Laugavegur 1, {name}"), &["1"], &["Laugavegur"], &[], 1.0);
    }
    check("Laugavegur 1, Reykjavík, Ireland", &["1"], &["Laugavegur"], &["Reykjavík"], UNEXPLAINED);
    let of = |line: &str, code: &str| {
        let names = Names { own: vec!["Main Street".to_owned()], ..Names::default() };
        likeness(&AddressQuery::Line(line.into()), false, &names, Granularity::Street, CountryCode::parse(code))
    };
    for (line, code) in
        [("Main Street, United States of America", "US"), ("Main Street, UK", "GB"), ("Main Street New Zealand", "NZ")]
    {
        assert!((of(line, code) - 1.0).abs() < 1e-9, "{line}: {}", of(line, code));
    }
    assert!(of("Main Street, United Kingdom", "US") < 0.5);
}

#[test]
fn what_is_typed_may_be_a_beginning() {
    let of = |line: &str, house: &str| {
        let names = Names { house: vec![house.to_owned()], own: vec!["Laugavegur".to_owned()], ..Names::default() };
        likeness(&AddressQuery::Line(line.into()), true, &names, Granularity::Door, None)
    };
    for (line, house) in [("Laugavegur 1", "12B"), ("Laugavegur 12", "12B"), ("12 Laug", "12")] {
        assert!((of(line, house) - NO_CONTEXT).abs() < 1e-9, "{line}: {}", of(line, house));
    }
    assert!(of("12 Laug", "12B") < 0.5, "only the last word is");
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
