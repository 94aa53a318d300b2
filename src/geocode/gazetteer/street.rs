//! A street with its houses, and the spot on it that a query means: a door, a point between two doors, or the street.
//!
//! Knows nothing of the index and of scoring: it is told which house was asked for.

use serde::{Deserialize, Serialize};

use super::manifest::Origin;
use super::record::{Source, Spot};
use super::{fold, writing};
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// Entries of a register that lie closer together than this are one spot, in metres: the entrances of one house.
pub(super) const ONE_SPOT_M: f64 = 50.0;
/// Most spots that one designation is answered with; one that names more of them names none.
const SPOTS_MAX: usize = 4;
/// Most numbered houses beside an unnumbered entry for the bare name to mean that entry: a farm and what was built
/// on its land. Where there are more, the bare name means the street.
const FARM_HOUSES_MAX: usize = 4;
/// How far apart two neighbours may be for a number between theirs to lie between them, in metres: some blocks. Farther
/// apart, nothing is known of where on the way it is.
const NEIGHBOURS_M_MAX: f64 = 500.0;
/// Between a street's id and the number of a house that is not in the sources.
pub(super) const INTERPOLATED: char = '#';

/// A street or farm within one postcode or town.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Street {
    /// Whose record it is.
    pub(super) source: Source,
    /// Its name.
    pub(super) name: String,
    /// Its postcode; may be empty.
    pub(super) postcode: String,
    /// The town that it belongs to; may be empty.
    pub(super) town: String,
    /// The first-level region, as addresses of the country write it; empty where they do not.
    pub(super) region: String,
    /// The country, where the source is not of one country alone.
    pub(super) country: Option<Country>,
    /// Its houses, of one number neighbours in the list; may be none.
    pub(super) houses: Vec<House>,
}

/// A country as addresses are written in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Country {
    /// Its code.
    pub(super) code: CountryCode,
    /// Its name, to show.
    pub(super) name: String,
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
    pub(super) address: Option<String>,
}

/// The number and the position of a house beside one that is missing.
type Neighbour = (u32, LatLng);

/// Which house of a street a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// None: the street.
    Street,
    /// The one with this key.
    House(&'a str),
    /// One that is not there, but there is one like it, with this key or with a letter behind it.
    Like(&'a str),
    /// One with a number that is not there at all.
    Missing(&'a str),
}

impl Street {
    /// A position on the street: its house that is nearest to the mean of all houses.
    pub(super) fn middle(&self) -> Option<LatLng> {
        let mean = mean(self.houses.iter().map(|house| house.position))?;
        let distance = |house: &&House| house.position.distance_m(mean);
        self.houses.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|house| house.position)
    }

    /// The spots that the street answers with: one, or several doors that share an address.
    pub(super) fn spots(&self, wanted: Wanted<'_>) -> Vec<Spot> {
        let doors = match wanted {
            Wanted::House(key) => self.doors(key),
            Wanted::Street if self.numbered() <= FARM_HOUSES_MAX => self.doors(""),
            Wanted::Street | Wanted::Like(_) | Wanted::Missing(_) => Vec::new(),
        };
        if !doors.is_empty() && doors.len() <= SPOTS_MAX {
            return doors.into_iter().map(|house| self.door(house)).collect();
        }
        let near = match wanted {
            Wanted::Street => None,
            Wanted::Missing(number) => return vec![self.interpolated(number).unwrap_or_else(|| self.whole(None))],
            Wanted::House(key) | Wanted::Like(key) => self.like(key),
        };
        vec![self.whole(near)]
    }

    /// The street itself, shown at one of its houses where that is known.
    pub(super) fn whole(&self, near: Option<&House>) -> Spot {
        Spot {
            place_id: self.id(),
            formatted_address: self.address(""),
            position: near.map(|house| house.position),
            granularity: Granularity::Street,
        }
    }

    /// The spot of a house that is there.
    pub(super) fn door(&self, house: &House) -> Spot {
        Spot {
            place_id: self.source.house_id(self.country.as_ref().map(|country| country.code), house.id),
            formatted_address: house.address.clone().unwrap_or_else(|| self.address(&house.label)),
            position: Some(house.position),
            granularity: Granularity::Door,
        }
    }

    /// The spot of a number that is not there, between its neighbours on the same side of the street; `None` where it
    /// has none on both sides of it, or they are too far apart to say anything.
    ///
    /// The sides are told apart by odd and even, and the way between the neighbours is taken as straight and evenly
    /// numbered.
    pub(super) fn interpolated(&self, number: &str) -> Option<Spot> {
        let wanted: u32 = number.parse().ok()?;
        let (mut below, mut above): (Option<Neighbour>, Option<Neighbour>) = (None, None);
        for house in &self.houses {
            let Some(other) = house.number().filter(|other| other % 2 == wanted % 2) else { continue };
            if other == wanted {
                return None;
            }
            let neighbour = if other < wanted { &mut below } else { &mut above };
            if neighbour.is_none_or(|(nearest, _)| other.abs_diff(wanted) < nearest.abs_diff(wanted)) {
                *neighbour = Some((other, house.position));
            }
        }
        let ((low, from), (high, to)) = (below?, above?);
        if from.distance_m(to) > NEIGHBOURS_M_MAX {
            return None;
        }
        let share = f64::from(wanted - low) / f64::from(high - low);
        let between = |from: f64, to: f64| from + (to - from) * share;
        // The neighbours are near each other: degrees that say otherwise lie on both sides of the antimeridian.
        let east = |from: f64, to: f64| to + 360.0 * ((from - to) / 360.0).round();
        let lng = between(from.lng(), east(from.lng(), to.lng()));
        let lng = if lng.abs() > 180.0 { lng - 360.0_f64.copysign(lng) } else { lng };
        Some(Spot {
            place_id: format!("{}{INTERPOLATED}{wanted}", self.id()),
            formatted_address: self.address(&wanted.to_string()),
            position: Some(LatLng::new(between(from.lat(), to.lat()), lng).ok()?),
            granularity: Granularity::Interpolated,
        })
    }

    /// The stable id of the street: what it lies in, and its key.
    fn id(&self) -> String {
        let scheme = self.source.scheme(self.country.as_ref().map(|country| country.code));
        // Iceland's register has one town for each postcode; elsewhere a postcode has many, and often is not known.
        let context = match self.source.origin {
            Origin::Iceland => self.postcode.clone(),
            _ => [&self.region, &self.town, &self.postcode].map(|part| fold::key(part)).join("/"),
        };
        format!("{scheme}/street/{context}/{}", fold::key(&self.name))
    }

    /// The address as its country writes it: `Laugavegur 1, 101 Reykjavík`.
    pub(super) fn address(&self, label: &str) -> String {
        let code = self.country.as_ref().map(|country| country.code);
        let street = writing::street_line(code, &self.name, label);
        let town = writing::town_line(code, &self.postcode, &self.town, &self.region);
        let country = self.country.as_ref().map_or("", |country| country.name.as_str());
        writing::lines(&[&street, &town, country])
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
}

impl House {
    /// Its number without a letter; of a range the first. `None` for what is named, and for plots (`lóð 5`).
    fn number(&self) -> Option<u32> {
        let end = self.label.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.label.len());
        self.label[..end].parse().ok()
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
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::record::Record;
    use super::*;

    pub(in super::super) fn house(id: i64, label: &str, lng: f64) -> House {
        House { id, label: label.into(), position: LatLng::new(64.0, lng).unwrap(), address: None }
    }

    pub(in super::super) fn street(houses: Vec<House>) -> Street {
        Street {
            source: Source { origin: Origin::Iceland, file: 0 },
            name: "Gata".into(),
            postcode: "101".into(),
            town: "Reykjavík".into(),
            region: String::new(),
            country: None,
            houses,
        }
    }

    #[track_caller]
    fn check(street: &Street, wanted: Wanted<'_>, expect: &str) {
        let spots = street.spots(wanted);
        let text: Vec<String> =
            spots.iter().map(|spot| format!("{} {:?}", spot.formatted_address, spot.granularity)).collect();
        assert_eq!(text.join("; "), expect);
    }

    #[test]
    fn a_house_is_found_by_number_and_letter() {
        let street = street(vec![house(1, "1", -21.0), house(2, "1B", -21.1), house(3, "12A", -21.2)]);
        let record = Record::Street(street.clone());
        assert_eq!(Record::from_bytes(&record.to_bytes()).unwrap(), record);
        check(&street, Wanted::House("1b"), "Gata 1B, 101 Reykjavík Door");
        check(&street, Wanted::Street, "Gata, 101 Reykjavík Street");
        check(&street, Wanted::Like("12"), "Gata, 101 Reykjavík Street");
        assert_eq!(street.spots(Wanted::Like("12"))[0].position, LatLng::new(64.0, -21.2).ok());
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
    fn a_missing_number_lies_between_its_neighbours_of_the_same_side() {
        let houses = ["2", "3", "10B", "9-11", "lóð 6", "300"];
        let step = [0.0, 0.001, 0.004, 0.003, 0.5, 0.9];
        let houses = houses.iter().zip(step).zip(1..).map(|((label, step), id)| house(id, label, -21.0 + step));
        let street = street(houses.collect());
        let between = street.spots(Wanted::Missing("4")).swap_remove(0);
        assert_eq!(between.place_id, "is/street/101/gata#4");
        assert!((between.position.unwrap().lng() + 20.999).abs() < 1e-9, "a quarter of the way: {between:?}");
        check(&street, Wanted::Missing("4"), "Gata 4, 101 Reykjavík Interpolated");
        check(&street, Wanted::Missing("5"), "Gata 5, 101 Reykjavík Interpolated");
        for outside in ["1", "13", "302", "200", "x", "99999999999"] {
            check(&street, Wanted::Missing(outside), "Gata, 101 Reykjavík Street");
        }
    }

    #[test]
    fn a_missing_number_beside_the_antimeridian_lies_there() {
        for (first, last, expect) in [(179.999, -179.998, 179.999_75), (-179.999, 179.998, -179.999_75)] {
            let street = street(vec![house(1, "2", first), house(2, "10", last)]);
            let found = street.interpolated("4").unwrap().position.unwrap().lng();
            assert!((found - expect).abs() < 1e-9, "{found}");
            let found = street.interpolated("8").unwrap().position.unwrap();
            assert!(found.distance_m(LatLng::new(64.0, last).unwrap()) < 50.0, "{found:?}");
        }
    }

    proptest! {
        /// The oracle is a street that is numbered evenly along a line: each missing house stands where it would.
        #[test]
        fn even_numbering_is_continued(
            kept in proptest::collection::btree_set(1_u32..60, 2..30), wanted in 1_u32..60,
        ) {
            let at = |number: u32| -21.0 + f64::from(number) * 0.000_1;
            let houses = kept.iter().map(|number| house(i64::from(*number), &number.to_string(), at(*number)));
            let found = street(houses.collect()).interpolated(&wanted.to_string());
            let is_same_side = |other: &&u32| *other % 2 == wanted % 2;
            let has_below = kept.iter().filter(is_same_side).any(|other| *other < wanted);
            let has_above = kept.iter().filter(is_same_side).any(|other| *other > wanted);
            prop_assert_eq!(found.is_some(), has_below && has_above && !kept.contains(&wanted));
            if let Some(spot) = found {
                prop_assert!((spot.position.unwrap().lng() - at(wanted)).abs() < 1e-9);
            }
        }
    }
}
