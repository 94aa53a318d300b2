//! In which time zone a site is: derived from its position each time that somebody looks, so it is never stale.

use crate::geocode::time_zone;
use crate::model::location::{Evidence, Fix, Granularity};
use crate::model::site::Site;

/// Countries in which clocks differ from place to place. Source: `zone.tab` of the IANA time zone database, without those
/// whose zones have shown the same time for years.
const CLOCKS_DIFFER_IN: [&str; 24] = [
    "AQ", "AU", "BR", "CA", "CD", "CL", "CN", "EC", "ES", "FM", "GL", "ID", "KI", "KZ", "MN", "MX", "NZ", "PF", "PG",
    "PT", "RU", "UA", "UM", "US",
];

/// The IANA name of the site's time zone, such as `Europe/Zurich`; `None` for a site without a position, and for one of
/// which only the country is known, where clocks differ within it.
#[must_use]
pub fn of(site: &Site) -> Option<&str> {
    let fix = site.fixes.effective()?;
    if fix.granularity > Granularity::Country {
        return time_zone::at(fix.position);
    }
    of_country(fix)
}

/// The one of a whole country: the middle of a country is no place, but where all clocks agree it does not have to be.
fn of_country(fix: &Fix) -> Option<&str> {
    let Evidence::Database(evidence) = &fix.evidence else { return None };
    evidence.country.filter(|country| !CLOCKS_DIFFER_IN.contains(&country.as_str()))?;
    let stated = Some(evidence.time_zone.as_str()).filter(|name| !name.is_empty());
    // The middle of an archipelago is open sea.
    stated.or_else(|| time_zone::at(fix.position).filter(|name| !name.starts_with("Etc/")))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::address::CountryCode;
    use crate::model::evidence::NetworkKind;
    use crate::model::geo::LatLng;
    use crate::model::location::{DatabaseEvidence, Source};

    fn site(granularity: Granularity, country: &str, lat: f64, lng: f64, stated: &str) -> Site {
        let evidence = DatabaseEvidence {
            database_type: "test".to_owned(),
            build_time: Timestamp::UNIX_EPOCH,
            network: "192.0.2.0/24".to_owned(),
            city: String::new(),
            region: String::new(),
            country: CountryCode::parse(country),
            region_code: String::new(),
            postcode: String::new(),
            time_zone: stated.to_owned(),
            lowered_by: NetworkKind::default(),
            is_outdated: false,
            others: Vec::new(),
            attribution: String::new(),
        };
        let mut site = Site::new("acme".parse().unwrap(), "one".to_owned(), Timestamp::UNIX_EPOCH);
        site.fixes.put(Fix {
            source: Source::GeoIp,
            position: LatLng::new(lat, lng).unwrap(),
            accuracy_m: None,
            granularity,
            evidence: Evidence::Database(evidence),
            made_at: Timestamp::UNIX_EPOCH,
            made_by: "geoip".to_owned(),
        });
        site
    }

    #[test]
    fn a_place_has_the_zone_of_its_position_and_a_country_one_if_its_clocks_agree() {
        let zone = |site: &Site| of(site).map(str::to_owned);
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(zone(&site(Granularity::City, "US", 40.7, -74.0, "")), some("America/New_York"));
        assert_eq!(zone(&site(Granularity::Country, "US", 39.8, -98.6, "America/Chicago")), None, "one of many");
        assert_eq!(zone(&site(Granularity::Country, "CH", 46.8, 8.2, "")), some("Europe/Zurich"));
        assert_eq!(zone(&site(Granularity::Country, "BS", 24.2, -76.0, "America/Nassau")), some("America/Nassau"));
        assert_eq!(zone(&site(Granularity::Country, "SC", -7.0, 52.5, "")), None, "the middle is open sea");
        assert_eq!(zone(&Site::new("acme".parse().unwrap(), "two".to_owned(), Timestamp::UNIX_EPOCH)), None);
    }
}
