//! How countries write an address: what stands before what.
//!
//! Source: the address formats of the Universal Postal Union, for the countries that differ from most.

use crate::model::address::CountryCode;

/// Countries that write the house number before the street.
const NUMBER_FIRST: &[&str] = &[
    "AU", "CA", "CI", "DZ", "FR", "GB", "GG", "GP", "GF", "HK", "IE", "IL", "IM", "IN", "JE", "KE", "LK", "LU", "MA",
    "MC", "MQ", "MU", "MY", "NC", "NG", "NZ", "PF", "PH", "PK", "PR", "RE", "SA", "SG", "SN", "TH", "TN", "TT", "US",
    "VI", "YT", "ZA",
];
/// Countries that write the postcode behind the town.
const CODE_LAST: &[&str] = &[
    "AU", "BD", "CA", "GB", "GG", "HK", "ID", "IE", "IM", "IN", "JE", "LK", "LV", "NZ", "PR", "SA", "SG", "TH", "US",
    "VI", "ZA",
];

fn is_of(countries: &[&str], country: Option<CountryCode>) -> bool {
    country.is_some_and(|code| countries.contains(&code.as_str()))
}

/// Street and house: `Gata 1`, `1 Main Street`.
pub(super) fn street_line(country: Option<CountryCode>, street: &str, label: &str) -> String {
    let (first, second) = if is_of(NUMBER_FIRST, country) { (label, street) } else { (street, label) };
    format!("{first} {second}").trim().to_owned()
}

/// Town, postcode and region: `101 Reykjavík`, `Berkeley, CA 94704`.
pub(super) fn town_line(country: Option<CountryCode>, code: &str, town: &str, region: &str) -> String {
    if is_of(CODE_LAST, country) {
        let behind = format!("{region} {code}");
        return lines(&[town, behind.trim()]);
    }
    let own = format!("{code} {town}");
    lines(&[own.trim(), region])
}

/// The lines that are not empty, on one line.
pub(super) fn lines(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().copied().filter(|line| !line.is_empty()).collect();
    lines.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_at_home() {
        let check = |country: &str, region: &str, expect: &str| {
            let country = CountryCode::parse(country);
            let street = street_line(country, "Gata", "1");
            assert_eq!(lines(&[&street, &town_line(country, "101", "Bær", region)]), expect);
        };
        check("IS", "", "Gata 1, 101 Bær");
        check("", "", "Gata 1, 101 Bær");
        check("US", "CA", "1 Gata, Bær, CA 101");
        check("FR", "", "1 Gata, 101 Bær");
        check("GB", "", "1 Gata, Bær, 101");
        assert_eq!(town_line(None, "", "Bær", ""), "Bær");
        assert_eq!(street_line(None, "Gata", ""), "Gata");
    }
}
