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
    if evidence.country.is_some_and(|country| !CLOCKS_DIFFER_IN.contains(&country.as_str())) {
        return time_zone::at(fix.position);
    }
    Some(evidence.time_zone.as_str()).filter(|name| !name.is_empty())
}
