//! How sure an answer is where the words of a question do not tell.

use crate::model::location::Granularity;

/// The steps of a confidence: factors that are multiplied in another order must not make a difference.
const STEPS: f64 = 10_000.0;

/// How near a thing of this kind is to a position that was asked for, in (0, 1]: one half at the distance at which one
/// begins to doubt that it is there.
pub(super) fn nearness(distance_m: f64, granularity: Granularity) -> f64 {
    let doubted_m = match granularity {
        Granularity::Door | Granularity::Interpolated => 50.0,
        Granularity::Street => 100.0,
        Granularity::Postcode => 2_000.0,
        Granularity::City => 10_000.0,
        Granularity::Region => 150_000.0,
        Granularity::Country => 800_000.0,
    };
    (STEPS / (1.0 + distance_m / doubted_m)).round() / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearer_is_surer() {
        assert!((nearness(0.0, Granularity::Door) - 1.0).abs() < 1e-9);
        assert!(nearness(50.0, Granularity::Door) < nearness(50.0, Granularity::City));
        assert!(nearness(2e7, Granularity::Door) >= 0.0 && nearness(1_000.0, Granularity::Street) < 0.1);
    }
}
