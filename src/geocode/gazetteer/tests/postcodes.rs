//! Asks the fixture's gazetteer for postcodes of the world.

use super::{ask, ask_line, check, text};
use crate::geocode::Bias;
use crate::model::address::{AddressQuery, CountryCode, PostalAddress};
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

#[test]
fn postcodes_of_the_world_are_found_however_they_are_written() {
    for line in ["8001 Zürich", "8001 Zurch", "CH-8001 Zürich", "Zürich 8001, Switzerland", "8001 ZURICH, CH"] {
        let best = ask_line(line).swap_remove(0);
        assert_eq!(best.place_id, "geonames/postcode/ch/8001", "{line}: {}", text(&best));
        assert!(best.attribution.contains("GeoNames") && best.granularity == Granularity::Postcode, "{line}");
    }
    check(
        "8001 Zürich",
        &["1.00 Postcode 8001 Zürich, Switzerland", "0.08 Postcode 8001 Aarhus, Midtjylland, Denmark"],
    );
    check("10115 Berlin", &["1.00 Postcode 10115 Berlin, DE"]);
    check("D-10115 Berlin", &["1.00 Postcode 10115 Berlin, DE"]);
    check("Beverly Hills, CA 90210", &["1.00 Postcode 90210 Beverly Hills, California, United States"]);
    for code in ["123-4567", "1234567", "123 4567", "〒123-4567"] {
        check(code, &["0.90 Postcode 123-4567 Tokyo Chuo, Tokyo To, Japan"]);
    }
    check("00950 Warszawa", &["1.00 Postcode 00-950 Warszawa, Mazowieckie, PL"]);
    // The town by another name, from the place that the area lies in.
    check("75001 Parigi", &["1.00 Postcode 75001 Ier Arrondissement, Île-de-France, France"]);
    check("IS-101 Reykjavík", &["1.00 Postcode 101 Reykjavík"]);
    check("J. 101 Reykjavík", &["0.60 Postcode 101 Reykjavík"]);
}

#[test]
fn a_postcode_of_several_countries_is_never_one_silently() {
    check(
        "90210",
        &["0.90 Postcode 90210 San José, Tlaxcala, MX", "0.90 Postcode 90210 Beverly Hills, California, United States"],
    );
    let first = |line: &str, bias: &Bias| ask(&AddressQuery::Line(line.into()), bias, 3)[0].place_id.clone();
    let country = Bias { near: None, country: CountryCode::parse("US") };
    assert_eq!(first("90210", &country), "geonames/postcode/us/90210");
    assert_eq!(first("75001", &country), "geonames/postcode/us/75001");
    let near = Bias { near: LatLng::new(19.0, -98.0).ok(), country: None };
    assert_eq!(first("90210", &near), "geonames/postcode/mx/90210");
    let stated = |code: &str, country: &str| {
        let parts = PostalAddress {
            postal_code: code.into(),
            country: CountryCode::parse(country),
            ..PostalAddress::default()
        };
        ask(&AddressQuery::Parts(parts), &Bias::default(), 5).iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(stated("8001", "CH")[0], "1.00 Postcode 8001 Zürich, Switzerland");
    assert_eq!(stated("8001", "DK")[0], "1.00 Postcode 8001 Aarhus, Midtjylland, Denmark");
    assert_eq!(stated("SW1A 1AA", "GB"), ["0.80 Postcode SW1A Westminster Abbey, England, GB"]);
}

#[test]
fn a_finer_postcode_than_is_known_is_answered_with_the_wider() {
    check("SW1A", &["0.90 Postcode SW1A Westminster Abbey, England, GB"]);
    for line in ["SW1A 1AA", "sw1a1aa"] {
        check(line, &["0.72 Postcode SW1A Westminster Abbey, England, GB"]);
    }
    check("Westminster Abbey SW1A 1AA", &["0.80 Postcode SW1A Westminster Abbey, England, GB"]);
    check("Ottawa K1A 0B1", &["0.80 Postcode K1A Ottawa, Ontario, CA"]);
    check("90210-1234 Beverly Hills", &["0.80 Postcode 90210 Beverly Hills, California, United States"]);
}
