//! A position that a site's own device measured.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::geo::LatLng;
use super::location::{Fix, Granularity};

/// Largest radius of a measured position, in metres: beyond it, it says less than an address.
pub const DEVICE_ACCURACY_M_MAX: f64 = 100_000.0;

/// A position with the radius that its measurement states.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DevicePosition {
    /// The position, WGS 84.
    pub position: LatLng,
    /// Radius in metres that holds the truth; every source of such positions states one.
    pub accuracy_m: f64,
}

impl DevicePosition {
    /// The measurement, checked.
    pub fn new(position: LatLng, accuracy_m: f64) -> Result<Self, Invalid> {
        if position.is_null_island() {
            return Err(Invalid::new("position", "0,0 is what a receiver without a fix says: leave the position out"));
        }
        if !(accuracy_m > 0.0 && accuracy_m <= DEVICE_ACCURACY_M_MAX) {
            let why = format!("a radius in metres, above 0 and at most {DEVICE_ACCURACY_M_MAX}, got {accuracy_m}");
            return Err(Invalid::new("accuracy_m", why));
        }
        Ok(Self { position, accuracy_m })
    }

    /// The measurement behind a device's fix; `None` for one without a radius, which no device makes.
    #[must_use]
    pub fn of_fix(fix: &Fix) -> Option<Self> {
        fix.accuracy_m.map(|accuracy_m| Self { position: fix.position, accuracy_m })
    }

    /// What a circle of this radius can tell apart.
    #[must_use]
    pub fn granularity(&self) -> Granularity {
        match self.accuracy_m {
            ..=50.0 => Granularity::Door,
            ..=500.0 => Granularity::Street,
            ..=3_000.0 => Granularity::Postcode,
            ..=25_000.0 => Granularity::City,
            _ => Granularity::Region,
        }
    }

    /// Whether it tells something new beside an earlier one: it lies outside of both circles, or it is twice as exact. So
    /// the noise of a receiver that stands still never moves a site.
    #[must_use]
    pub fn is_news_beside(&self, known: &Self) -> bool {
        let distance_m = self.position.distance_m(known.position);
        distance_m > self.accuracy_m.max(known.accuracy_m) || self.accuracy_m * 2.0 <= known.accuracy_m
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat: f64, accuracy_m: f64) -> DevicePosition {
        DevicePosition::new(LatLng::new(lat, 8.0).unwrap(), accuracy_m).unwrap()
    }

    #[test]
    fn noise_is_no_news() {
        let known = at(47.0, 20.0);
        assert!(!at(47.000_1, 15.0).is_news_beside(&known), "11 m off");
        assert!(!at(47.000_4, 60.0).is_news_beside(&known), "44 m off, within its own radius");
        assert!(at(47.000_4, 30.0).is_news_beside(&known), "44 m off, outside of both");
        assert!(at(47.0, 10.0).is_news_beside(&known), "twice as exact");
    }

    #[test]
    fn what_is_no_measurement_is_refused() {
        assert_eq!(DevicePosition::new(LatLng::ORIGIN, 5.0).unwrap_err().field, "position");
        for accuracy_m in [0.0, -5.0, f64::NAN, f64::INFINITY, 100_001.0] {
            assert_eq!(DevicePosition::new(at(1.0, 1.0).position, accuracy_m).unwrap_err().field, "accuracy_m");
        }
    }

    #[test]
    fn the_radius_says_how_fine_it_is() {
        let fine = |accuracy_m| at(1.0, accuracy_m).granularity();
        assert_eq!(
            [50.0, 51.0, 501.0, 3_001.0, 25_001.0].map(fine),
            [Granularity::Door, Granularity::Street, Granularity::Postcode, Granularity::City, Granularity::Region,]
        );
    }
}
