//! Checks of where a person says that a site is: what is refused, and what somebody had better look at.
//!
//! Refused is what cannot be meant: a position outside of the country that was stated with it. Everything that is merely
//! unlikely is a warning, derived from the fixes whenever a site is shown, so that it goes when its cause goes.

use serde::{Deserialize, Serialize};

use super::Waymark;
use crate::geocode::Candidate;
use crate::geocode::borders::{Borders, Ground, are_kin};
use crate::model::address::CountryCode;
use crate::model::attention::far_limit_m;
use crate::model::geo::LatLng;
use crate::model::location::{Fix, Source};
use crate::model::site::Site;

/// How far outside of a country's drawn borders a position may lie, in metres: borders and coasts of 1:10m are off by some
/// kilometres, harbours, piers and small islands are left out.
pub const BORDER_TOLERANCE_M: f64 = 20_000.0;
/// How far out at sea a position still is one of a country, in metres: 200 nautical miles, its exclusive economic zone
/// (UNCLOS, article 57). Platforms and wind farms stand there.
const ZONE_M: f64 = 370_400.0;
/// What a person had better look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// Farther than [`BORDER_TOLERANCE_M`] from any land.
    AtSea,
    /// Far outside of what the `GeoIP` fix says.
    FarFromGeoIp,
    /// A candidate outside of the stated country, which is never applied.
    OutsideCountry,
}

/// A position that is not in the country that was stated with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// The stated country.
    pub stated: CountryCode,
    /// The one that the position is in, where it is in one.
    pub found: Option<CountryCode>,
    /// Whether it is in the stated one with latitude and longitude exchanged.
    pub is_swapped: bool,
}

/// The same as a fault of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutsideCountry {
    /// The field that holds the position.
    pub field: &'static str,
    /// What is wrong with it.
    pub outside: Outside,
}

impl OutsideCountry {
    /// What is wrong, and what to do about it.
    #[must_use]
    pub fn why(&self) -> String {
        let Outside { stated, found, is_swapped } = self.outside;
        let found = found.map_or("in no country".to_owned(), |found| format!("in {found}"));
        let or_else = match (is_swapped, self.field) {
            (true, _) => "latitude and longitude look exchanged",
            (_, "candidate_token") => "choose another candidate, or state the address with another country",
            (_, "keep_pin") => "correct the country, or do not keep the pin",
            _ => "correct the position, or the country",
        };
        format!("the position is {found} and more than 20 km outside of {stated}, which was stated: {or_else}")
    }
}

/// Where a position is, seen from a country that was stated with it; `None` where it may be in it.
fn outside(borders: &Borders, position: LatLng, stated: CountryCode) -> Option<Outside> {
    if may_be_in(borders, position, stated) {
        return None;
    }
    let found = match borders.at(position) {
        Ground::Country(country) => Some(country),
        Ground::Sea | Ground::Unassigned => None,
    };
    let swapped = LatLng::new(position.lng(), position.lat()).ok();
    let is_swapped = swapped.is_some_and(|swapped| may_be_in(borders, swapped, stated));
    Some(Outside { stated, found, is_swapped })
}

/// Whether a position may be in a country: within the tolerance of its land, or out at sea in its zone. Land that is
/// nobody's may be anybody's, and land with a claim on it may be the claimant's.
fn may_be_in(borders: &Borders, position: LatLng, country: CountryCode) -> bool {
    let is_it = |found: Option<CountryCode>| found.is_none_or(|found| are_kin(found, country));
    let near = borders.near(position, BORDER_TOLERANCE_M);
    let near = if near.is_empty() { borders.near(position, ZONE_M) } else { near };
    near.iter().any(|near| is_it(near.country)) || borders.is_claimed_by(position, country)
}

/// Whether a position is far outside of what an estimate says.
fn is_far(position: LatLng, estimate: &Fix) -> bool {
    position.distance_m(estimate.position) > far_limit_m(estimate.accuracy_m, estimate.granularity)
}

impl Waymark {
    /// Refuses a position outside of the country that was stated with it, if one was and borders are known.
    pub(super) fn refuse_outside(
        &self,
        field: &'static str,
        position: LatLng,
        stated: Option<CountryCode>,
    ) -> Result<(), OutsideCountry> {
        match self.outside(position, stated) {
            Some(outside) => Err(OutsideCountry { field, outside }),
            None => Ok(()),
        }
    }

    fn outside(&self, position: LatLng, stated: Option<CountryCode>) -> Option<Outside> {
        outside(self.parts.borders.as_deref()?, position, stated?)
    }

    /// Whether a candidate is in another country than the stated one: by its provider's own word, or by its position.
    pub(super) fn candidate_outside(&self, candidate: &Candidate, stated: Option<CountryCode>) -> Option<Outside> {
        let country = stated?;
        let claims = |borders: &Borders| borders.is_claimed_by(candidate.position, country);
        let is_claimed = self.parts.borders.as_deref().is_some_and(claims);
        match candidate.country {
            Some(found) if !are_kin(found, country) && !is_claimed => {
                Some(Outside { stated: country, found: Some(found), is_swapped: false })
            }
            _ => self.outside(candidate.position, stated),
        }
    }

    /// What a person had better look at, of a site where it is shown. Some 2 µs on land, some 10 µs at sea.
    #[must_use]
    pub fn warnings(&self, site: &Site) -> Vec<Warning> {
        let stated = site.fixes.effective().filter(|fix| fix.source != Source::GeoIp);
        stated.map(|fix| self.warnings_at(fix.position, site.fixes.get(Source::GeoIp))).unwrap_or_default()
    }

    /// What a person had better look at, of a position beside an estimate.
    pub(super) fn warnings_at(&self, position: LatLng, estimate: Option<&Fix>) -> Vec<Warning> {
        let is_at_sea = |borders: &Borders| borders.distance_to_land_m(position, BORDER_TOLERANCE_M).is_none();
        let at_sea = self.parts.borders.as_deref().is_some_and(is_at_sea).then_some(Warning::AtSea);
        let far = estimate.is_some_and(|estimate| is_far(position, estimate)).then_some(Warning::FarFromGeoIp);
        at_sea.into_iter().chain(far).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn at(lat: f64, lng: f64) -> LatLng {
        LatLng::new(lat, lng).unwrap()
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "says what could not be tested")]
    fn a_country_ends_behind_its_border_and_at_sea_behind_its_zone() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/fetched/naturalearth/countries-10m.json");
        if !path.exists() {
            println!("not tested: {} is missing; scripts/fetch-data fetches it", path.display());
            return;
        }
        let borders = Borders::open(&path).unwrap();
        let check = |what: &str, lat, lng, stated: &str, expect: Option<(Option<&str>, bool)>| {
            let found = outside(&borders, at(lat, lng), CountryCode::parse(stated).unwrap());
            let found = found.map(|outside| (outside.found.map(String::from), outside.is_swapped));
            let expect = expect.map(|(found, is_swapped)| (found.map(str::to_owned), is_swapped));
            assert_eq!(found, expect, "{what}");
        };
        check("Berlin", 52.52, 13.405, "DE", None);
        check("Berlin as Poland, 70 km off", 52.52, 13.405, "PL", Some((Some("DE"), false)));
        check("Frankfurt an der Oder as Poland, at the river", 52.34, 14.55, "PL", None);
        check("Reykjavík with its coordinates exchanged", -21.94, 64.15, "IS", Some((None, true)));
        check("a platform in the Norwegian sector", 59.57, 2.23, "NO", None);
        check("the same for Britain, which is as near", 59.57, 2.23, "GB", None);
        check("the same for Spain", 59.57, 2.23, "ES", Some((None, false)));
        check("the middle of the Atlantic", 35.0, -45.0, "PT", Some((None, false)));
        check("San Juan as the United States", 18.4, -66.1, "US", None);
        check("Cayenne by its own code", 4.92, -52.31, "GF", None);
        check("Simferopol by either", 44.95, 34.1, "UA", None);
        check("Simferopol by either", 44.95, 34.1, "RU", None);
        let turkey = CountryCode::parse("TR").unwrap();
        assert!(outside(&borders, at(44.95, 34.1), turkey).is_some(), "who claims nothing there");
    }
}
