//! What the index stores of a place, a postcode's area and a street: all that an answer is written from.
//!
//! Knows nothing of the index and of scoring: it is told which house was asked for.

use serde::{Deserialize, Serialize};

use super::fold;
use super::manifest::Origin;
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// Entries of a register that lie closer together than this are one spot, in metres: the entrances of one house.
const ONE_SPOT_M: f64 = 50.0;
/// Most spots that one designation is answered with; one that names more of them names none.
const SPOTS_MAX: usize = 4;
/// Most numbered houses beside an unnumbered entry for the bare name to mean that entry: a farm and what was built
/// on its land. Where there are more, the bare name means the street.
const FARM_HOUSES_MAX: usize = 4;

/// A stored record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Record {
    /// A city, town or village.
    Place(Place),
    /// The area of a postcode.
    Area(Area),
    /// A street or farm within one postcode.
    Street(Street),
}

/// A city, town or village.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
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
    /// The postcode.
    pub(super) code: String,
    /// The town that it belongs to.
    pub(super) town: String,
}

/// A street or farm within one postcode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Street {
    /// Its name.
    pub(super) name: String,
    /// Its postcode.
    pub(super) postcode: String,
    /// The town that the postcode belongs to.
    pub(super) town: String,
    /// Its houses, at least one.
    pub(super) houses: Vec<House>,
}

/// A house, or a plot of land.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct House {
    /// Its id in the source.
    pub(super) id: i64,
    /// What stands after the name of the street, such as `12B` or `lóð 5`; empty for the farm itself.
    pub(super) label: String,
    /// Where it is: latitude and longitude.
    pub(super) position: LatLng,
    /// Its address, where that is not street and label: a house that was found by its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
}

/// Which house of a street a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// None: the street.
    Street,
    /// The one with this key.
    House(&'a str),
    /// One that is not there, but there is one like it, with this key or with a letter behind it.
    Like(&'a str),
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
        serde_json::to_vec(self).expect("a record has string keys and finite numbers")
    }

    /// The record that was stored as `bytes`.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Where the record comes from.
    pub(super) fn origin(&self) -> Origin {
        match self {
            Self::Place(_) => Origin::Geonames,
            Self::Area(_) | Self::Street(_) => Origin::Iceland,
        }
    }

    /// The spot of the record itself, or of one of a street's houses; `None` where there is no such house.
    pub(super) fn spot(&self, house: Option<u32>) -> Option<Spot> {
        match (self, house) {
            (Self::Street(street), Some(house)) => Some(street.door(street.houses.get(house as usize)?)),
            (_, Some(_)) => None,
            (Self::Street(street), None) => Some(street.whole(None)),
            (Self::Place(_) | Self::Area(_), None) => self.spots(Wanted::Street).pop(),
        }
    }

    /// The spots that the record answers with: one, or several doors that share an address.
    pub(super) fn spots(&self, wanted: Wanted<'_>) -> Vec<Spot> {
        match self {
            Self::Place(place) => vec![place.spot()],
            Self::Area(area) => vec![Spot {
                place_id: format!("is/postcode/{}", area.code),
                formatted_address: format!("{} {}", area.code, area.town),
                position: None,
                granularity: Granularity::Postcode,
            }],
            Self::Street(street) => street.spots(wanted),
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

impl Street {
    /// A position on the street: its house that is nearest to the mean of all houses.
    pub(super) fn middle(&self) -> Option<LatLng> {
        let mean = mean(self.houses.iter().map(|house| house.position))?;
        let distance = |house: &&House| house.position.distance_m(mean);
        self.houses.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|house| house.position)
    }

    fn spots(&self, wanted: Wanted<'_>) -> Vec<Spot> {
        let doors = match wanted {
            Wanted::House(key) => self.doors(key),
            Wanted::Street if self.numbered() <= FARM_HOUSES_MAX => self.doors(""),
            Wanted::Street | Wanted::Like(_) => Vec::new(),
        };
        if !doors.is_empty() && doors.len() <= SPOTS_MAX {
            return doors.into_iter().map(|house| self.door(house)).collect();
        }
        let near = match wanted {
            Wanted::Street => None,
            Wanted::House(key) | Wanted::Like(key) => self.like(key),
        };
        vec![self.whole(near)]
    }

    /// The street itself, shown at one of its houses where that is known.
    fn whole(&self, near: Option<&House>) -> Spot {
        Spot {
            place_id: format!("is/street/{}/{}", self.postcode, fold::key(&self.name)),
            formatted_address: self.address(""),
            position: near.map(|house| house.position),
            granularity: Granularity::Street,
        }
    }

    /// The houses with this key, one for each spot.
    fn doors(&self, key: &str) -> Vec<&House> {
        let mut doors: Vec<&House> = Vec::new();
        for house in self.houses.iter().filter(|house| fold::key(&house.label) == key) {
            if !doors.iter().any(|door| door.position.distance_m(house.position) <= ONE_SPOT_M) {
                doors.push(house);
            }
        }
        doors
    }

    /// The first house with this key, or with it as its number.
    fn like(&self, key: &str) -> Option<&House> {
        let is_like = |house: &&House| {
            let own = fold::key(&house.label);
            own.strip_prefix(key).is_some_and(|rest| !rest.starts_with(char::is_numeric))
        };
        self.houses.iter().find(|house| fold::key(&house.label) == key).or_else(|| self.houses.iter().find(is_like))
    }

    /// How many houses have a label.
    fn numbered(&self) -> usize {
        self.houses.iter().filter(|house| !house.label.is_empty()).count()
    }

    fn door(&self, house: &House) -> Spot {
        Spot {
            place_id: format!("is/stadfong/{}", house.id),
            formatted_address: house.address.clone().unwrap_or_else(|| self.address(&house.label)),
            position: Some(house.position),
            granularity: Granularity::Door,
        }
    }

    /// The address as Iceland writes it: `Laugavegur 1, 101 Reykjavík`.
    pub(super) fn address(&self, label: &str) -> String {
        let space = if label.is_empty() { "" } else { " " };
        format!("{}{space}{label}, {} {}", self.name, self.postcode, self.town)
    }
}

/// The mean of positions that lie together; `None` for none. Not for positions on both sides of the antimeridian.
pub(super) fn mean(positions: impl Iterator<Item = LatLng>) -> Option<LatLng> {
    let (mut lat, mut lng, mut count) = (0.0, 0.0, 0.0);
    for position in positions {
        lat += position.lat();
        lng += position.lng();
        count += 1.0;
    }
    LatLng::new(lat / count, lng / count).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(id: i64, label: &str, lng: f64) -> House {
        House { id, label: label.into(), position: LatLng::new(64.0, lng).unwrap(), address: None }
    }

    fn street(houses: Vec<House>) -> Record {
        Record::Street(Street { name: "Gata".into(), postcode: "101".into(), town: "Reykjavík".into(), houses })
    }

    fn check(record: &Record, wanted: Wanted<'_>, expect: &str) {
        let spots = record.spots(wanted);
        let text: Vec<String> =
            spots.iter().map(|spot| format!("{} {:?}", spot.formatted_address, spot.granularity)).collect();
        assert_eq!(text.join("; "), expect);
    }

    #[test]
    fn a_house_is_found_by_number_and_letter() {
        let record = street(vec![house(1, "1", -21.0), house(2, "1B", -21.1), house(3, "12A", -21.2)]);
        assert_eq!(Record::from_bytes(&record.to_bytes()).unwrap(), record);
        check(&record, Wanted::House("1b"), "Gata 1B, 101 Reykjavík Door");
        check(&record, Wanted::Street, "Gata, 101 Reykjavík Street");
        check(&record, Wanted::Like("12"), "Gata, 101 Reykjavík Street");
        assert_eq!(record.spots(Wanted::Like("12"))[0].position, LatLng::new(64.0, -21.2).ok());
    }

    #[test]
    fn entries_of_one_spot_are_one_and_of_many_spots_none() {
        let spread = |count: i32, step: f64| {
            street((0..count).map(|i| house(i.into(), "5", -21.0 + f64::from(i) * step)).collect())
        };
        check(&spread(9, 0.000_01), Wanted::House("5"), "Gata 5, 101 Reykjavík Door");
        check(&spread(2, 0.1), Wanted::House("5"), "Gata 5, 101 Reykjavík Door; Gata 5, 101 Reykjavík Door");
        check(&spread(9, 0.1), Wanted::House("5"), "Gata, 101 Reykjavík Street");
    }

    #[test]
    fn a_farm_is_a_door_and_a_street_with_a_park_is_not() {
        let mut houses = vec![house(9, "", -21.0), house(1, "1", -21.1)];
        check(&street(houses.clone()), Wanted::Street, "Gata, 101 Reykjavík Door");
        houses.extend((2..20_i32).map(|number| house(number.into(), &number.to_string(), -21.2)));
        check(&street(houses), Wanted::Street, "Gata, 101 Reykjavík Street");
    }

    #[test]
    fn a_region_of_the_same_name_is_said_once() {
        let place = |region: &str, country: &str| {
            Record::Place(Place { id: 1, name: "San José".into(), region: region.into(), country: country.into() })
        };
        check(&place("San Jose", "Costa Rica"), Wanted::Street, "San José, Costa Rica City");
        check(&place("California", "United States"), Wanted::Street, "San José, California, United States City");
        check(&place("", ""), Wanted::Street, "San José City");
    }
}
