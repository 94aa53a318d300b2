//! From a position to its time zone, with no network: the boundaries are in the program.
//!
//! Source: timezone-boundary-builder, made of `OpenStreetMap` (`ODbL` 1.0), simplified to within some 110 m of each border.

use std::sync::LazyLock;

use tzf_rs::EmbeddedFinder;

use crate::model::geo::LatLng;

/// Reads the boundaries where they lie in the program: costs no memory but for a small index.
static FINDER: LazyLock<EmbeddedFinder> = LazyLock::new(EmbeddedFinder::new);

/// The IANA name of the zone, such as `Europe/Zurich`; on the open sea one such as `Etc/GMT+3`. `None` where no zone is
/// drawn. Costs less than a microsecond away from borders, and some microseconds near them.
#[must_use]
pub fn at(position: LatLng) -> Option<&'static str> {
    Some(FINDER.get_tz_name(position.lng(), position.lat())).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_found_everywhere() {
        let at = |lat, lng| at(LatLng::new(lat, lng).unwrap());
        assert_eq!(at(47.38, 8.54), Some("Europe/Zurich"));
        assert_eq!(at(64.15, -21.94), Some("Atlantic/Reykjavik"));
        assert_eq!(at(40.71, -74.01), Some("America/New_York"));
        assert_eq!(at(-17.8, 179.99), at(-17.8, -179.99), "Fiji lies on both sides of the antimeridian");
        // Poles, seam and open sea answer something or nothing, and never panic.
        for (lat, lng) in [(90.0, 0.0), (-90.0, 0.0), (0.0, 180.0), (0.0, -180.0), (0.0, 0.0), (89.999, 179.999)] {
            let _ = at(lat, lng);
        }
    }

    /// Names are of the form that a clock is set by, all over the world.
    #[test]
    fn names_have_an_area_and_a_place() {
        for lat in (-90..=90).step_by(3) {
            for lng in (-180..=180).step_by(3) {
                if let Some(name) = at(LatLng::new(f64::from(lat), f64::from(lng)).unwrap()) {
                    assert!(name.contains('/'), "{name} at {lat}, {lng}");
                }
            }
        }
    }
}
