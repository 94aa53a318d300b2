//! How far a site may be refined: where its uncertainty is larger than a cell it is an area, not a pin.

use crate::model::geo::LatLng;
use crate::model::location::Granularity;

use super::entry::known_accuracy;
use super::mercator::{LEVEL_MAX, cell_width_m};

/// Finest level of the areas of country-level sites: 313 km at the equator, which keeps apart the middles of all
/// but the smallest neighbouring countries.
const COUNTRY_LEVEL_MAX: u8 = 7;
/// Coarsest level of a map, that of zoom 0.
pub(super) const LEVEL_MIN: u8 = 3;

/// The finest level at which a site counts among the pins and clusters; none at all for a country-level site.
///
/// Above it the site belongs to the area of its cell at that level. A country-level site is in an area at every
/// zoom; its areas refine with the map down to a fixed level, so that they do not heap up on a map of the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stop(
    /// One more than the level; 0 for a country.
    u8,
);

impl Stop {
    /// The stop that fits a fix.
    ///
    /// Known accuracy: the finest level whose cell is at least as wide as the circle of uncertainty. Unknown: a
    /// drawing rule by granularity, which claims nothing about the true error.
    pub(super) fn fitting(position: LatLng, accuracy_m: Option<f64>, granularity: Granularity) -> Self {
        if granularity == Granularity::Country {
            return Self(0);
        }
        let level = match known_accuracy(accuracy_m) {
            Some(radius) => finest_level_as_wide_as(2.0 * radius, position.lat()),
            None => usual_level(granularity),
        };
        Self(level + 1)
    }

    /// Whether the site counts among pins and clusters on a map of cells of `level`.
    pub(super) fn clusters_at(self, level: u8) -> bool {
        self.0 > level
    }

    /// Whether the site is only ever in areas.
    pub(super) fn is_country(self) -> bool {
        self.0 == 0
    }

    /// Whether `level` is the level of the site's area, on every map that shows it as one.
    pub(super) fn is_at(self, level: u8) -> bool {
        self.0 == level + 1
    }

    /// The level of the site's area on a map of cells of `level`; `None` where it clusters.
    pub(super) fn area_level(self, level: u8) -> Option<u8> {
        if self.clusters_at(level) {
            return None;
        }
        Some(self.0.checked_sub(1).unwrap_or(country_level(level)))
    }

    /// The level; `None` for a country.
    pub(super) fn level(self) -> Option<u8> {
        self.0.checked_sub(1)
    }
}

/// The level of the areas of countries on a map of cells of `level`.
pub(super) fn country_level(level: u8) -> u8 {
    level.min(COUNTRY_LEVEL_MAX)
}

/// Whether areas of countries are drawn from cells of `level` on some map.
pub(super) fn has_country_areas(level: u8) -> bool {
    (LEVEL_MIN..=COUNTRY_LEVEL_MAX).contains(&level)
}

fn usual_level(granularity: Granularity) -> u8 {
    match granularity {
        Granularity::Country => 0,
        Granularity::Region => 7,
        Granularity::City => 11,
        Granularity::Postcode => 13,
        Granularity::Street | Granularity::Interpolated | Granularity::Door => LEVEL_MAX,
    }
}

fn finest_level_as_wide_as(width_m: f64, lat: f64) -> u8 {
    let world_m = cell_width_m(0, lat);
    // 26 comparisons cost less than they read, and have no rounding of a logarithm at exact powers of two.
    (1..=LEVEL_MAX).rev().find(|level| world_m / f64::from(1_u32 << level) >= width_m).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(lat: f64, accuracy_m: Option<f64>, granularity: Granularity) -> Option<u8> {
        Stop::fitting(LatLng::new(lat, 10.0).unwrap(), accuracy_m, granularity).level()
    }

    #[test]
    fn known_accuracy_decides_and_granularity_where_there_is_none() {
        assert_eq!(level(0.0, None, Granularity::Door), Some(25));
        assert_eq!(level(0.0, None, Granularity::City), Some(11));
        assert_eq!(level(0.0, Some(0.0), Granularity::City), Some(25));
        // Half a world fits level 1 and no finer one; more than half of it none but the world.
        let half_world_m = cell_width_m(1, 0.0);
        assert_eq!(level(0.0, Some(half_world_m / 2.0), Granularity::City), Some(1));
        assert_eq!(level(0.0, Some(half_world_m * 0.51), Granularity::City), Some(0));
        assert_eq!(level(0.0, Some(1e9), Granularity::City), Some(0));
        // At 60 degrees cells are half as wide, so the same circle stops one level earlier.
        let at_equator = level(0.0, Some(5_000.0), Granularity::City).unwrap();
        assert_eq!(level(60.0, Some(5_000.0), Granularity::City), Some(at_equator - 1));
        assert_eq!(level(0.0, Some(1.0), Granularity::Country), None);
    }

    #[test]
    fn a_site_is_in_an_area_or_in_a_cluster_never_in_both() {
        let city = Stop(12);
        assert!(city.clusters_at(11) && !city.clusters_at(12));
        assert_eq!((city.area_level(11), city.area_level(12), city.area_level(25)), (None, Some(11), Some(11)));
        let country = Stop(0);
        assert!(!country.clusters_at(0));
        assert_eq!((country.area_level(3), country.area_level(25)), (Some(3), Some(7)));
    }
}
