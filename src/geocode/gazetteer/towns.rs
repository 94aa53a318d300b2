//! The towns around a position, for addresses that do not say theirs.

use std::collections::HashMap;

use super::areas::reach_m;
use super::record::Record;
use super::schema::Entry;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Edge of the cells that towns are kept in, in degrees: the largest reach of a town at the equator.
const CELL_DEGREES: f64 = 0.5;
/// Cells on each side that are looked at: one to the north and south, two to the east and west, which are half as wide
/// at 60 degrees.
const CELLS_BESIDE: [i32; 2] = [1, 2];
/// How many times its reach a town may be away to be the town of an address.
const REACHES_MAX: f64 = 1.5;

/// Cells on each side in which the country of a position is looked for: some hundred kilometres.
const COUNTRY_CELLS_BESIDE: i32 = 4;

/// A town that an address may lie in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Town {
    /// Its name.
    pub(super) name: String,
    /// Its country, where that is known.
    pub(super) country: Option<CountryCode>,
    /// Its centre.
    pub(super) position: LatLng,
    /// How far from the centre it reaches, in metres.
    pub(super) reach_m: f64,
}

/// Towns by where they are.
#[derive(Debug, Default)]
pub(super) struct Towns {
    cells: HashMap<(i32, i32), Vec<Town>>,
}

impl Town {
    /// The town of an entry, where it is one of a place.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let Record::Place(place) = &entry.record else { return None };
        let reach_m = reach_m(entry.size);
        Some(Self { name: place.name.clone(), country: entry.country, position: entry.position, reach_m })
    }
}

impl Towns {
    /// Adds a town.
    pub(super) fn add(&mut self, town: Town) {
        self.cells.entry(cell(town.position)).or_default().push(town);
    }

    /// The towns that a position most probably belongs to, at most `count`, the likeliest first: the nearer, measured
    /// by how far each reaches. In the country given, where one is.
    pub(super) fn around(&self, position: LatLng, country: Option<CountryCode>, count: usize) -> Vec<&Town> {
        let mut found: Vec<(f64, &Town)> = Vec::new();
        for town in self.beside(position, CELLS_BESIDE) {
            let reaches = town.position.distance_m(position) / town.reach_m;
            let is_there = country.is_none() || town.country.is_none() || town.country == country;
            if is_there && reaches <= REACHES_MAX {
                found.push((reaches, town));
            }
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name)));
        found.into_iter().take(count).map(|(_, town)| town).collect()
    }

    /// The country of the nearest town that has one; `None` where none is within some hundred kilometres.
    pub(super) fn country_at(&self, position: LatLng) -> Option<CountryCode> {
        let nearest = |beside| {
            let known = self.beside(position, beside).filter(|town| town.country.is_some());
            known.min_by(|a, b| a.position.distance_m(position).total_cmp(&b.position.distance_m(position)))
        };
        let nearest = nearest(CELLS_BESIDE).or_else(|| nearest([COUNTRY_CELLS_BESIDE, 2 * COUNTRY_CELLS_BESIDE]));
        nearest.and_then(|town| town.country)
    }

    /// The towns in the cell of a position and so many to each side of it, in latitude and longitude.
    fn beside(&self, position: LatLng, [beside_lat, beside_lng]: [i32; 2]) -> impl Iterator<Item = &Town> {
        let (lat, lng) = cell(position);
        (lat - beside_lat..=lat + beside_lat)
            .flat_map(move |lat| (lng - beside_lng..=lng + beside_lng).map(move |lng| (lat, lng)))
            .filter_map(|cell| self.cells.get(&cell))
            .flatten()
    }
}

/// The cell of a position.
#[expect(clippy::cast_possible_truncation, reason = "degrees are at most 180")]
fn cell(position: LatLng) -> (i32, i32) {
    ((position.lat() / CELL_DEGREES).floor() as i32, (position.lng() / CELL_DEGREES).floor() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_town_that_reaches_farthest_towards_a_position_is_its_own() {
        let at = |lat: f64, lng: f64| LatLng::new(lat, lng).unwrap();
        let mut towns = Towns::default();
        for (name, country, lng, reach_m) in
            [("City", "IS", 0.0, 30_000.0), ("Village", "IS", 0.2, 2_000.0), ("Abroad", "FO", 0.21, 9_000.0)]
        {
            let country = CountryCode::parse(country);
            towns.add(Town { name: name.into(), country, position: at(10.0, lng), reach_m });
        }
        let check = |lng: f64, country: &str, expect: &[&str]| {
            let found = towns.around(at(10.0, lng), CountryCode::parse(country), 2);
            assert_eq!(found.iter().map(|town| town.name.as_str()).collect::<Vec<_>>(), expect, "{lng}");
        };
        check(0.1, "IS", &["City"]);
        check(0.195, "IS", &["Village", "City"]);
        check(0.205, "", &["Abroad", "Village"]);
        check(3.0, "IS", &[]);
        towns.add(Town { name: "Unknown".into(), country: None, position: at(10.0, 0.3), reach_m: 9_000.0 });
        let country = |lng| towns.country_at(at(10.0, lng)).map(|code| code.to_string());
        assert_eq!((country(0.3), country(3.0), country(9.0)), (Some("FO".into()), Some("FO".into()), None));
    }
}
