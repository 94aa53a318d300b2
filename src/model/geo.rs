//! Positions on the WGS 84 sphere, boxes around them, and great-circle distance.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Mean radius of the Earth in metres, (2a + b) / 3 of WGS 84. Source: IUGG, Moritz 1980.
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;
/// Longest distance between two points of the Earth, in metres: half the mean circumference.
pub const DISTANCE_M_MAX: f64 = EARTH_RADIUS_M * std::f64::consts::PI;

/// A position in degrees, WGS 84: latitude in [-90, 90], longitude in [-180, 180], both finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(f64, f64)", into = "(f64, f64)")]
pub struct LatLng {
    lat: f64,
    lng: f64,
}

impl LatLng {
    /// 0°N 0°E.
    pub const ORIGIN: Self = Self { lat: 0.0, lng: 0.0 };

    /// A position; refuses NaN, infinities and values outside the ranges above.
    pub fn new(lat: f64, lng: f64) -> Result<Self, Invalid> {
        if !(-90.0..=90.0).contains(&lat) {
            return Err(Invalid::new("lat", format!("latitude is in [-90, 90] degrees, got {lat}")));
        }
        if !(-180.0..=180.0).contains(&lng) {
            return Err(Invalid::new("lng", format!("longitude is in [-180, 180] degrees, got {lng}")));
        }
        // Adding zero turns -0.0 into 0.0, so that equal positions have equal bits.
        Ok(Self { lat: lat + 0.0, lng: lng + 0.0 })
    }

    /// Latitude in degrees, north positive.
    #[must_use]
    pub fn lat(self) -> f64 {
        self.lat
    }

    /// Longitude in degrees, east positive.
    #[must_use]
    pub fn lng(self) -> f64 {
        self.lng
    }

    /// Whether this is 0°N 0°E: what a missing value looks like, and open sea.
    #[must_use]
    pub fn is_null_island(self) -> bool {
        self.lat == 0.0 && self.lng == 0.0
    }

    /// Great-circle distance in metres on the mean sphere (haversine; within 0.6 % of the ellipsoid).
    #[must_use]
    pub fn distance_m(self, other: Self) -> f64 {
        let (lat1, lat2) = (self.lat.to_radians(), other.lat.to_radians());
        let half_lat = ((lat2 - lat1) / 2.0).sin();
        let half_lng = ((other.lng - self.lng).to_radians() / 2.0).sin();
        let h = half_lat * half_lat + lat1.cos() * lat2.cos() * half_lng * half_lng;
        2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
    }
}

impl TryFrom<(f64, f64)> for LatLng {
    type Error = Invalid;

    fn try_from((lat, lng): (f64, f64)) -> Result<Self, Invalid> {
        Self::new(lat, lng)
    }
}

impl From<LatLng> for (f64, f64) {
    fn from(position: LatLng) -> Self {
        (position.lat, position.lng)
    }
}

/// A closed box between two corners. Where `west > east` it crosses the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    /// Southern and western edge.
    pub low: LatLng,
    /// Northern and eastern edge.
    pub high: LatLng,
}

impl BoundingBox {
    /// The whole world.
    pub const WORLD: Self = Self { low: LatLng { lat: -90.0, lng: -180.0 }, high: LatLng { lat: 90.0, lng: 180.0 } };

    /// A box from its south-west to its north-east corner; refuses one that is upside down or without area.
    pub fn new(low: LatLng, high: LatLng) -> Result<Self, Invalid> {
        if low.lat >= high.lat {
            return Err(Invalid::new(
                "low.lat",
                format!("the southern edge {} is not below the northern edge {}", low.lat, high.lat),
            ));
        }
        #[expect(clippy::float_cmp, reason = "only edges of equal bits leave no area between them")]
        let is_one_meridian = low.lng == high.lng || (low.lng >= 180.0 && high.lng <= -180.0);
        if is_one_meridian {
            return Err(Invalid::new(
                "low.lng",
                format!("the western and the eastern edge are one meridian, {}: the box has no area", low.lng),
            ));
        }
        Ok(Self { low, high })
    }

    /// Whether the box runs over the 180th meridian.
    #[must_use]
    pub fn crosses_antimeridian(&self) -> bool {
        self.low.lng > self.high.lng
    }

    /// Whether a rectangle shares a position with it. Degrees; `south <= north`, `west <= east`. That the meridians -180 and
    /// 180 are one is for the caller to see to.
    #[must_use]
    pub fn meets(&self, south: f64, west: f64, north: f64, east: f64) -> bool {
        let (begins, ends) = (self.low.lng <= east, west <= self.high.lng);
        let beside = if self.crosses_antimeridian() { begins || ends } else { begins && ends };
        beside && self.low.lat <= north && south <= self.high.lat
    }

    /// Whether its western edge is the meridian -180, which is drawn at the other end of the map too, as 180.
    #[must_use]
    pub fn begins_at_antimeridian(&self) -> bool {
        self.low.lng <= -180.0
    }

    /// Whether its eastern edge is the meridian 180, which is drawn at the other end of the map too, as -180.
    #[must_use]
    pub fn ends_at_antimeridian(&self) -> bool {
        self.high.lng >= 180.0
    }

    /// Whether `position` lies inside or on an edge. The meridians -180 and 180 are one.
    #[must_use]
    pub fn contains(&self, position: LatLng) -> bool {
        if position.lat < self.low.lat || position.lat > self.high.lat {
            return false;
        }
        let within = |lng: f64| {
            if self.crosses_antimeridian() {
                lng >= self.low.lng || lng <= self.high.lng
            } else {
                lng >= self.low.lng && lng <= self.high.lng
            }
        };
        within(position.lng) || (position.lng.abs() >= 180.0 && within(-position.lng))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, lng: f64) -> LatLng {
        LatLng::new(lat, lng).unwrap()
    }

    #[test]
    fn positions_outside_the_ranges_are_refused() {
        for (lat, lng, field) in [
            (f64::NAN, 0.0, "lat"),
            (91.0, 0.0, "lat"),
            (0.0, 180.000_1, "lng"),
            (0.0, f64::INFINITY, "lng"),
            (0.0, f64::NAN, "lng"),
        ] {
            assert_eq!(LatLng::new(lat, lng).unwrap_err().field, field, "{lat}, {lng}");
        }
    }

    #[test]
    fn distances_agree_with_known_ones() {
        // A quarter of the great circle, and one degree of the equator.
        assert!((at(0.0, 0.0).distance_m(at(90.0, 0.0)) - DISTANCE_M_MAX / 2.0).abs() < 1e-6);
        assert!((at(0.0, 179.5).distance_m(at(0.0, -179.5)) - DISTANCE_M_MAX / 180.0).abs() < 1e-6);
        assert!((at(-90.0, 12.0).distance_m(at(90.0, -7.0)) - DISTANCE_M_MAX).abs() < 1e-6);
    }

    #[test]
    fn boxes_hold_their_edges_and_cross_the_antimeridian() {
        let pacific = BoundingBox::new(at(-10.0, 170.0), at(10.0, -170.0)).unwrap();
        assert!(pacific.contains(at(0.0, 180.0)) && pacific.contains(at(10.0, -170.0)));
        assert!(!pacific.contains(at(0.0, 0.0)) && !pacific.contains(at(10.1, 180.0)));
        let east = BoundingBox::new(at(-10.0, 170.0), at(10.0, 180.0)).unwrap();
        assert!(east.contains(at(0.0, -180.0)), "-180 and 180 are the same meridian");
        assert!(BoundingBox::new(at(1.0, 0.0), at(1.0, 5.0)).is_err());
        assert!(BoundingBox::new(at(0.0, 5.0), at(1.0, 5.0)).is_err());
    }
}
