//! What a record of a database says, whichever way it is written: nested (`GeoIP2`, `GeoLite2`, DB-IP) or flat (the
//! `@ip-location-db` packages), of a place or of a network.
//!
//! Lenient: a field of the wrong type is a missing field, and numbers come in any width. Knows nothing of files and
//! of the networks that they divide the world into.

mod lenient;
mod network;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess};

use self::lenient::{Lenient, Wrapped, lenient, next, skip};
pub(super) use self::network::Flags;
use self::network::NetworkFields;
use crate::model::address::CountryCode;
use crate::model::geo::{DISTANCE_M_MAX, LatLng};
use crate::model::text::{LINE_BYTES_MAX, is_forbidden};

/// The fields of one record that waymark uses, borrowed from the database. Decoded in one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Record<'a> {
    /// Where the record puts its addresses; `None` where it does not say, says nonsense, or says 0°N 0°E, which is
    /// open sea and how a missing position is often written.
    pub(super) position: Option<LatLng>,
    /// The radius that the record states, in metres, in (0, half the circumference of the Earth].
    pub(super) accuracy_m: Option<f64>,
    /// City; empty where none is named.
    pub(super) city: &'a str,
    /// First-level region; empty where none is named.
    pub(super) region: &'a str,
    /// The region's code within its country, such as `ZH`; empty where none is stated.
    pub(super) region_code: &'a str,
    /// Country.
    pub(super) country: Option<CountryCode>,
    /// Postcode, or the part of it that the database knows; empty where none is stated.
    pub(super) postcode: &'a str,
    /// Time zone, such as `Europe/Zurich`; empty where none is stated.
    pub(super) time_zone: &'a str,
    /// Number of the autonomous system, never 0.
    pub(super) asn: Option<u32>,
    /// Who runs the network; empty where nobody is named.
    pub(super) isp: &'a str,
    /// What kind of network it is.
    pub(super) flags: Flags,
    /// Whether the position stands in a map of its own, as `MaxMind` and DB-IP write it.
    pub(super) is_nested: bool,
}

impl Record<'_> {
    /// Whether it says anything of the network, and not of the place.
    pub(super) fn describes_network(&self) -> bool {
        self.asn.is_some() || !self.isp.is_empty() || self.flags != Flags::default()
    }
}

impl<'de> Deserialize<'de> for Record<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer)
    }
}

impl<'de> Lenient<'de> for Record<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut record = Self::default();
        let (mut latitude, mut longitude) = (None, None);
        let mut network = NetworkFields::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "city" => record.city = next::<Named<'_>, _>(&mut map)?.name,
                "subdivisions" => {
                    let region = next::<First<'_>, _>(&mut map)?.0;
                    (record.region, record.region_code) = (region.name, region.code);
                }
                "state1" => record.region = name(next(&mut map)?),
                "country_code" => record.country = CountryCode::parse(next(&mut map)?),
                "latitude" => latitude = next(&mut map)?,
                "longitude" => longitude = next(&mut map)?,
                "country" => record.country = record.country.or(next::<Country, _>(&mut map)?.0),
                "postcode" => record.postcode = name(next(&mut map)?),
                "postal" => record.postcode = next::<Named<'_>, _>(&mut map)?.code,
                "timezone" | "time_zone" => record.time_zone = name(next(&mut map)?),
                "location" => {
                    let location: Location<'_> = next(&mut map)?;
                    (latitude, longitude) = (location.latitude, location.longitude);
                    record.accuracy_m = location.accuracy_radius_km.and_then(accuracy_m);
                    record.time_zone = name(location.time_zone);
                    record.is_nested = true;
                }
                // The same fields stand in a map of their own in city files, and bare in files about networks.
                "traits" => network.take_all(next(&mut map)?),
                _ => network.take(key, &mut map)?,
            }
        }
        record.position = position(latitude, longitude);
        (record.asn, record.isp, record.flags) = (network.asn, network.isp(), network.flags());
        Ok(record)
    }
}

/// A position that can be meant: both numbers there, finite, in range, and not 0, 0.
fn position(latitude: Option<f64>, longitude: Option<f64>) -> Option<LatLng> {
    LatLng::new(latitude?, longitude?).ok().filter(|position| !position.is_null_island())
}

/// Metres of a radius in kilometres that can be meant.
fn accuracy_m(radius_km: f64) -> Option<f64> {
    let metres = radius_km * 1_000.0;
    (metres > 0.0 && metres <= DISTANCE_M_MAX).then_some(metres)
}

/// A name that can be shown on one line; anything else is no name.
fn name(text: &str) -> &str {
    let text = text.trim();
    if text.len() > LINE_BYTES_MAX || text.chars().any(is_forbidden) { "" } else { text }
}

/// `{"latitude": …, "longitude": …, "accuracy_radius": …, "time_zone": …}`.
#[derive(Default)]
struct Location<'a> {
    latitude: Option<f64>,
    longitude: Option<f64>,
    accuracy_radius_km: Option<f64>,
    time_zone: &'a str,
}

impl<'de> Lenient<'de> for Location<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut location = Self::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "latitude" => location.latitude = next(&mut map)?,
                "longitude" => location.longitude = next(&mut map)?,
                "accuracy_radius" => location.accuracy_radius_km = next(&mut map)?,
                "time_zone" => location.time_zone = next(&mut map)?,
                _ => skip(&mut map)?,
            }
        }
        Ok(location)
    }
}

/// `{"iso_code": "IS", …}`; a plain text is a code too.
#[derive(Default)]
struct Country(Option<CountryCode>);

impl<'de> Lenient<'de> for Country {
    fn of_text(text: &'de str) -> Self {
        Self(CountryCode::parse(text))
    }

    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut country = Self::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "iso_code" => country = Self(CountryCode::parse(next(&mut map)?)),
                _ => skip(&mut map)?,
            }
        }
        Ok(country)
    }
}

/// `{"names": {"en": "Milan", …}, "iso_code": …, "code": …, …}`, or the plain name.
#[derive(Default)]
struct Named<'a> {
    name: &'a str,
    /// A region's `iso_code`, or the `code` of a postal area.
    code: &'a str,
}

impl<'de> Lenient<'de> for Named<'de> {
    fn of_text(text: &'de str) -> Self {
        Self { name: name(text), code: "" }
    }

    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut named = Self::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "names" => named.name = next::<Names<'_>, _>(&mut map)?.0,
                "iso_code" | "code" => named.code = name(next(&mut map)?),
                _ => skip(&mut map)?,
            }
        }
        Ok(named)
    }
}

/// Names by language: the English one, else the first.
#[derive(Default)]
struct Names<'a>(&'a str);

impl<'de> Lenient<'de> for Names<'de> {
    fn of_map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut names = Self::default();
        while let Some(language) = map.next_key::<&str>()? {
            if language == "en" || names.0.is_empty() {
                let chosen = name(next(&mut map)?);
                if !chosen.is_empty() {
                    names = Self(chosen);
                }
            } else {
                skip(&mut map)?;
            }
        }
        Ok(names)
    }
}

/// The first of a list of [`Named`]: subdivisions are listed from the largest to the smallest.
#[derive(Default)]
struct First<'a>(Named<'a>);

impl<'de> Lenient<'de> for First<'de> {
    fn of_list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let first = list.next_element::<Wrapped<Named<'de>>>()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self(first.map_or_else(Named::default, |named| named.0)))
    }
}
