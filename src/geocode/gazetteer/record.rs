//! What the index stores of a place, a postcode's area and a street: all that an answer is written from.
//!
//! Knows nothing of the index and of scoring.

use serde::{Deserialize, Serialize};

use super::manifest::Origin;
use super::schema::Kind;
use super::street::{Country, INTERPOLATED, Street, Wanted};
use super::{codes, fold, writing};
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// A stored record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Record {
    /// A city, town or village.
    Place(Place),
    /// The area of a postcode.
    Area(Area),
    /// A street or farm within one postcode or town.
    Street(Street),
}

/// Whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Source {
    /// Whose data.
    pub(super) origin: Origin,
    /// The file, by its number in the manifest.
    pub(super) file: u16,
}

/// A city, town or village.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Whose record it is.
    pub(super) source: Source,
    /// Its id in the source.
    pub(super) id: u64,
    /// Its name, as the place writes it.
    pub(super) name: String,
    /// Its first-level region; may be empty.
    pub(super) region: String,
    /// Its country; may be empty.
    pub(super) country: String,
}

/// The area of a postcode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Area {
    /// Whose record it is.
    pub(super) source: Source,
    /// The postcode, as its country writes it.
    pub(super) code: String,
    /// The towns that it goes with, the one to show first; may be none.
    pub(super) towns: Vec<String>,
    /// Its first-level region; may be empty.
    pub(super) region: String,
    /// The country, where the source is not of one country alone.
    pub(super) country: Option<Country>,
}

/// One spot that a record answers with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spot {
    /// The stable id.
    pub(super) place_id: String,
    /// The address on one line.
    pub(super) formatted_address: String,
    /// Where it is; the document's own position where `None`.
    pub(super) position: Option<LatLng>,
    /// How fine that is.
    pub(super) granularity: Granularity,
}

impl Record {
    /// The record as it is stored.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a record has lists of known lengths, and memory does not fail")
    }

    /// The record that was stored as `bytes`.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }

    /// What it is a record of.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Place(_) => Kind::Place,
            Self::Area(_) => Kind::Area,
            Self::Street(_) => Kind::Street,
        }
    }

    /// Whose record it is.
    pub(super) fn source(&self) -> Source {
        match self {
            Self::Place(place) => place.source,
            Self::Area(area) => area.source,
            Self::Street(street) => street.source,
        }
    }

    /// The spot of the record itself, or of one of a street's houses; `None` where there is no such house.
    pub(super) fn spot(&self, house: Option<u32>) -> Option<Spot> {
        match (self, house) {
            (Self::Street(street), Some(house)) => Some(street.door(street.houses.get(house as usize)?)),
            (_, Some(_)) => None,
            (Self::Street(street), None) => Some(street.whole(None)),
            (Self::Place(place), None) => Some(place.spot()),
            (Self::Area(area), None) => Some(area.spot()),
        }
    }

    /// The spot of a street's house that is not in the sources, where its neighbours are.
    pub(super) fn interpolated(&self, number: &str) -> Option<Spot> {
        match self {
            Self::Street(street) => street.interpolated(number),
            _ => None,
        }
    }

    /// The spots that the record answers with: one, or several doors that share an address.
    pub(super) fn spots(&self, wanted: Wanted<'_>) -> Vec<Spot> {
        match self {
            Self::Place(place) => vec![place.spot()],
            Self::Area(area) => vec![area.spot()],
            Self::Street(street) => street.spots(wanted),
        }
    }
}

/// Bits of the id of an element of OpenStreetMap, of which 35 are used up. Above them stands which of the element's
/// numbers a house is, from 0; ways are told from nodes by their sign.
const OSM_ID_BITS: u32 = 48;
const OSM_ID_MASK: u64 = (1 << OSM_ID_BITS) - 1;

/// The id of a house of an element of OpenStreetMap: its `number`-th.
pub(super) fn osm_house(id: i64, number: u8) -> i64 {
    let own = ((id.unsigned_abs() & OSM_ID_MASK) | u64::from(number) << OSM_ID_BITS).cast_signed();
    if id < 0 { -own } else { own }
}

impl Source {
    /// The beginning of the ids of its streets.
    pub(super) fn scheme(self, country: Option<CountryCode>) -> String {
        let country = || country.map(|code| code.as_str().to_ascii_lowercase()).unwrap_or_default();
        match self.origin {
            Origin::Geonames => "geonames".to_owned(),
            Origin::Iceland => "is".to_owned(),
            Origin::OpenAddresses => format!("openaddresses/{}", country()),
            Origin::Osm => "osm".to_owned(),
        }
    }

    /// The stable id of one of its houses.
    pub(super) fn house_id(self, country: Option<CountryCode>, id: i64) -> String {
        let scheme = self.scheme(country);
        match self.origin {
            Origin::Geonames => format!("{scheme}/{id}"),
            Origin::Iceland => format!("{scheme}/stadfong/{id}"),
            Origin::OpenAddresses => format!("{scheme}/{id:016x}"),
            Origin::Osm => {
                let kind = if id < 0 { "way" } else { "node" };
                let number = match id.unsigned_abs() >> OSM_ID_BITS {
                    0 => String::new(),
                    number => format!("/{number}"),
                };
                format!("{scheme}/{kind}/{}{number}", id.unsigned_abs() & OSM_ID_MASK)
            }
        }
    }
}

impl Place {
    fn spot(&self) -> Spot {
        let mut parts = vec![self.name.as_str()];
        for part in [self.region.as_str(), self.country.as_str()] {
            // San José lies in San José, Singapore in Singapore: said once.
            if !part.is_empty() && fold::key(part) != fold::key(&self.name) {
                parts.push(part);
            }
        }
        Spot {
            place_id: format!("geonames/{}", self.id),
            formatted_address: parts.join(", "),
            position: None,
            granularity: Granularity::City,
        }
    }
}

impl Area {
    fn spot(&self) -> Spot {
        let town = self.towns.first().map_or("", String::as_str);
        let own = format!("{} {town}", self.code);
        let mut lines = vec![own.trim()];
        if let Some(country) = &self.country {
            let is_new = |part: &&str| !part.is_empty() && fold::key(part) != fold::key(town);
            lines.extend([self.region.as_str()].iter().filter(|part| is_new(part)));
            lines.push(&country.name);
        }
        Spot {
            place_id: self.id(),
            formatted_address: writing::lines(&lines),
            position: None,
            granularity: Granularity::Postcode,
        }
    }

    /// The stable id: country and solid key.
    fn id(&self) -> String {
        let scheme = self.source.scheme(None);
        match &self.country {
            None => format!("{scheme}{POSTCODE}{}", self.code),
            Some(country) => area_id(&scheme, country.code, &self.code),
        }
    }
}

/// Between whose postcode it is and the key of its code, in the id of an area.
const POSTCODE: &str = "/postcode/";

/// The stable id of the area of a postcode of the world.
fn area_id(scheme: &str, country: CountryCode, code: &str) -> String {
    format!("{scheme}{POSTCODE}{}/{}", country.as_str().to_ascii_lowercase(), codes::solid(code))
}

/// The key of the postcode that the id of an area names; `None` for another id.
pub(super) fn area_of_id(place_id: &str) -> Option<&str> {
    let (scheme, code) = place_id.split_once(POSTCODE)?;
    (!scheme.contains('/')).then(|| code.rsplit_once('/').map_or(code, |(_, key)| key))
}

/// The id of the street, and the number of the house on it that is not in the sources; `None` for another id.
pub(super) fn interpolated_of_id(place_id: &str) -> Option<(&str, &str)> {
    place_id.rsplit_once(INTERPOLATED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &Record, expect: &str) {
        let spot = record.spot(None).unwrap();
        assert_eq!(format!("{} {:?}", spot.formatted_address, spot.granularity), expect);
        assert_eq!(record.spots(Wanted::Street), [spot]);
        assert_eq!(Record::from_bytes(&record.to_bytes()).unwrap(), *record);
    }

    #[test]
    fn a_region_of_the_same_name_is_said_once() {
        let source = Source { origin: Origin::Geonames, file: 0 };
        let place = |region: &str, country: &str| {
            let name = "San José".into();
            Record::Place(Place { source, id: 1, name, region: region.into(), country: country.into() })
        };
        check(&place("San Jose", "Costa Rica"), "San José, Costa Rica City");
        check(&place("California", "United States"), "San José, California, United States City");
        check(&place("", ""), "San José City");
    }

    #[test]
    fn an_area_of_the_world_says_its_country() {
        let source = Source { origin: Origin::Geonames, file: 0 };
        let area = |code: &str, towns: &[&str], region: &str, country: &str| {
            let towns = towns.iter().map(|town| (*town).to_owned()).collect();
            let country = CountryCode::parse(country).map(|code| Country { code, name: code.to_string() });
            Area { source, code: code.into(), towns, region: region.into(), country }
        };
        let zurich = area("8001", &["Zürich"], "Zürich", "CH");
        assert_eq!(zurich.id(), "geonames/postcode/ch/8001");
        assert_eq!(area_of_id(&zurich.id()), Some("8001"));
        check(&Record::Area(zurich), "8001 Zürich, CH Postcode");
        let stockholm = area("111 22", &[], "Stockholm", "SE");
        assert_eq!(stockholm.id(), "geonames/postcode/se/11122");
        check(&Record::Area(stockholm), "111 22, Stockholm, SE Postcode");
        let iceland = area("101", &["Reykjavík"], "", "");
        check(
            &Record::Area(Area { source: Source { origin: Origin::Iceland, file: 0 }, ..iceland }),
            "101 Reykjavík Postcode",
        );
    }
}
