//! Borders of countries and coasts in memory: which country a position lies in, and how far others and the shore are.
//!
//! `topology` reads the file, `lines` holds what was read and answers, `territories` knows codes and who belongs to
//! whom. Knows nothing of addresses and sites, and decides nothing: what is near enough is for the caller to say.

mod lines;
mod territories;
#[cfg(test)]
mod tests;
mod topology;

use std::path::Path;

use smallvec::SmallVec;

use self::lines::{Area, Lines};
pub use self::territories::are_kin;
use super::Error;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// Farthest that [`Borders::near`] looks, in metres: beyond it a straight edge in degrees is no short way any more.
pub const REACH_M_MAX: f64 = 500_000.0;

/// What a position lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// No land. Lakes count as land, the Caspian as sea.
    Sea,
    /// Land that the data gives to no country with a code of its own, such as the Spratly Islands.
    Unassigned,
    /// A country, as it is run: the data tells who holds land, and not who claims it.
    Country(CountryCode),
}

/// Land near a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// Whose; `None` for unassigned land.
    pub country: Option<CountryCode>,
    /// Great-circle metres to its nearest point; 0 inside.
    pub distance_m: f64,
}

/// The borders of the world. Some 6 MB for Natural Earth's 1:10m, whose lines are within some kilometres of the truth
/// and whose corners are rounded to 200 m north and 400 m east.
#[derive(Debug)]
pub struct Borders {
    lines: Lines,
    /// Whose each area is.
    areas: Vec<Option<CountryCode>>,
}

impl Borders {
    /// Reads `countries-10m.json` of world-atlas, or another `TopoJSON` file with an object `countries` whose ids are ISO
    /// 3166-1 numbers.
    ///
    /// Blocking: parses the file, some 45 ms and 15 MB for the time for the 4 MB of the finest.
    ///
    /// # Errors
    /// `SourceFile` where the file cannot be read or is something else; the message says which.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let fault = |cause: String| Error::SourceFile { path: path.display().to_string(), cause };
        let bytes = std::fs::read(path).map_err(|cause| fault(cause.to_string()))?;
        let topology::Atlas { lines, areas } = topology::parse(&bytes).map_err(fault)?;
        Ok(Self { lines: Lines::new(lines), areas })
    }

    /// What a position lies on. Some 2 µs. A position on a border lies on one of its sides, always the same.
    #[must_use]
    pub fn at(&self, position: LatLng) -> Ground {
        match self.area_at(position) {
            None => Ground::Sea,
            Some(area) => self.areas[usize::from(area)].map_or(Ground::Unassigned, Ground::Country),
        }
    }

    /// All land within `within_m` metres, nearest first, each country once; none at sea farther out than that.
    ///
    /// More than [`REACH_M_MAX`] is taken for it. Some 10 µs for 20 km, half a millisecond for the whole reach.
    #[must_use]
    pub fn near(&self, position: LatLng, within_m: f64) -> Vec<Near> {
        let mut found: SmallVec<[(Area, f64); 4]> =
            self.area_at(position).map(|area| (area, 0.0)).into_iter().collect();
        self.lines.for_each_near(position, within_m.min(REACH_M_MAX), |distance_m, areas| {
            for area in areas {
                match found.iter_mut().find(|(known, _)| known == area) {
                    Some((_, nearest)) => *nearest = nearest.min(distance_m),
                    None => found.push((*area, distance_m)),
                }
            }
        });
        found.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
        let near = |(area, distance_m): (Area, f64)| Near { country: self.areas[usize::from(area)], distance_m };
        found.into_iter().map(near).collect()
    }

    /// Metres to the nearest land, 0 on it; `None` where there is none within `within_m`.
    #[must_use]
    pub fn distance_to_land_m(&self, position: LatLng, within_m: f64) -> Option<f64> {
        if self.area_at(position).is_some() {
            return Some(0.0);
        }
        self.near(position, within_m).first().map(|nearest| nearest.distance_m)
    }

    /// Whether a country, or one that it belongs to or that belongs to it, claims the land here beside whoever holds it.
    #[must_use]
    pub fn is_claimed_by(&self, position: LatLng, country: CountryCode) -> bool {
        territories::is_claimed_by(position, country)
    }

    /// The area whose lines the way to the north pole, which is at sea, crosses an odd number of times. Where the data has
    /// land of two countries over one another, the first one.
    fn area_at(&self, position: LatLng) -> Option<Area> {
        let mut odd: SmallVec<[Area; 8]> = SmallVec::new();
        self.lines.for_each_above(position, |areas| areas.iter().for_each(|area| toggle(&mut odd, *area)));
        odd.into_iter().min()
    }
}

/// Takes an area out that is in, and puts one in that is not.
fn toggle(odd: &mut SmallVec<[Area; 8]>, area: Area) {
    match odd.iter().position(|known| *known == area) {
        Some(place) => {
            odd.swap_remove(place);
        }
        None => odd.push(area),
    }
}
