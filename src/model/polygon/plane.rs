//! The plane of longitude and latitude as whole numbers, and on which side of an edge a point lies: exact.
//!
//! One unit is 2^-96 degrees. A coordinate of at least 2^-43 degrees (13 nanometres on the ground) is a whole number of
//! units whatever its bits, as is 0; a smaller one is cut to the unit below, less than 10^-23 metres away. So longitudes
//! are added, shifted by whole turns and compared without rounding, which no float can do. Knows nothing of rings.

use std::cmp::Ordering;

use crate::model::geo::LatLng;

/// Units in a degree; a power of two, so that multiplying by it changes no bit.
const UNITS_PER_DEGREE: i128 = 1 << 96;
/// Half a turn of longitude.
pub(super) const HALF_TURN: i128 = 180 * UNITS_PER_DEGREE;
/// A whole turn of longitude. Unwrapped longitudes of 10,000 edges stay below 2^119, far from overflow.
pub(super) const TURN: i128 = 2 * HALF_TURN;
/// Latitude of the north pole; the south pole is its negative.
pub(super) const POLE: i128 = 90 * UNITS_PER_DEGREE;

/// A point of the plane, ordered as a line sweeps that leans a hair to the left: by longitude, then by latitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point {
    /// Longitude in units, east positive; may go beyond half a turn where a line was unwrapped.
    pub(super) x: i128,
    /// Latitude in units, north positive.
    pub(super) y: i128,
}

impl Point {
    /// Where a position is, its longitude in [-half a turn, half a turn): the 180th meridian has one number.
    pub(super) fn new(position: LatLng) -> Self {
        let x = units(position.lng());
        Self { x: if x == HALF_TURN { -HALF_TURN } else { x }, y: units(position.lat()) }
    }

    /// Whether this is a pole, where longitude means nothing.
    pub(super) fn is_pole(self) -> bool {
        self.y.abs() == POLE
    }

    /// The same point, so many units further east.
    pub(super) fn shifted(self, x: i128) -> Self {
        Self { x: self.x + x, y: self.y }
    }
}

/// Degrees in units. Never changes the order of two values.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "2^96 is exact, 180 of it fit")]
pub(super) fn units(degrees: f64) -> i128 {
    (degrees * UNITS_PER_DEGREE as f64) as i128
}

/// A position as the plane has it: its smallest coordinates are cut to the unit below.
pub(super) fn cut(position: LatLng) -> LatLng {
    LatLng::new(cut_degrees(position.lat()), cut_degrees(position.lng()))
        .expect("it comes nearer to 0, not over an edge")
}

/// The same of one coordinate.
#[expect(clippy::cast_precision_loss, reason = "units that came from a float go back into one")]
pub(super) fn cut_degrees(degrees: f64) -> f64 {
    units(degrees) as f64 / UNITS_PER_DEGREE as f64
}

/// A straight edge of a ring, from its lesser to its greater end, whichever way the ring runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    /// The end that a sweep meets first, its longitude in [-half a turn, half a turn) unless this is a copy.
    pub(super) start: Point,
    /// The other end, less than half a turn further east.
    pub(super) end: Point,
    /// Number of its ring in the polygon: 0 for the outer one, then the holes.
    pub(super) ring: u32,
    /// Number of the edge in its ring.
    pub(super) number: u32,
}

/// Which edge of a polygon this is, copies and originals alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EdgeName {
    /// Number of its ring.
    pub(super) ring: u32,
    /// Number of the edge in its ring.
    pub(super) number: u32,
}

impl Edge {
    /// Which one it is.
    pub(super) fn name(&self) -> EdgeName {
        EdgeName { ring: self.ring, number: self.number }
    }

    /// Whether it runs along a meridian.
    pub(super) fn is_vertical(&self) -> bool {
        self.start.x == self.end.x
    }

    /// Whether it reaches or passes the 180th meridian, and so needs a copy on the other side of the plane.
    pub(super) fn reaches_antimeridian(&self) -> bool {
        self.end.x >= HALF_TURN
    }

    /// Its copy a turn further west.
    pub(super) fn copy(&self) -> Self {
        Self { start: self.start.shifted(-TURN), end: self.end.shifted(-TURN), ..*self }
    }

    /// Where `point` lies, seen from the whole line: `Greater` is above (left of a vertical one), `Equal` on it.
    pub(super) fn side_of(&self, point: Point) -> Ordering {
        turn(self.start, self.end, point)
    }

    /// What [`side_of`](Self::side_of) says of a point between the ends, in the order of points or in longitude where the
    /// edge is not vertical. Mostly a comparison.
    pub(super) fn side_beside(&self, point: Point) -> Ordering {
        let (south, north) = (self.start.y.min(self.end.y), self.start.y.max(self.end.y));
        if point.y > north {
            Ordering::Greater
        } else if point.y < south {
            Ordering::Less
        } else {
            self.side_of(point)
        }
    }

    /// Which of two edges that do not cross is the lower one where both run side by side; neither is vertical.
    pub(super) fn stands_to(&self, other: &Self) -> Ordering {
        if self.start.x <= other.start.x {
            // Where the other one begins on this one, its further course decides.
            self.side_of(other.start).then(self.side_of(other.end)).reverse()
        } else {
            other.side_of(self.start).then(other.side_of(self.end))
        }
    }
}

/// Which way the path `a`, `b`, `c` turns: `Greater` for left, `Equal` for straight on or straight back. Exact.
pub(super) fn turn(a: Point, b: Point, c: Point) -> Ordering {
    compare_products((b.x - a.x, c.y - a.y), (c.x - a.x, b.y - a.y))
}

/// Compares `a.0 * a.1` with `b.0 * b.1`, in 256 bits.
fn compare_products(a: (i128, i128), b: (i128, i128)) -> Ordering {
    let sign = |(p, q): (i128, i128)| p.signum() * q.signum();
    let (sign_a, sign_b) = (sign(a), sign(b));
    if sign_a != sign_b || sign_a == 0 {
        return sign_a.cmp(&sign_b);
    }
    let size = |(p, q): (i128, i128)| multiply(p.unsigned_abs(), q.unsigned_abs());
    let order = size(a).cmp(&size(b));
    if sign_a > 0 { order } else { order.reverse() }
}

/// The product as its upper and lower 128 bits.
fn multiply(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a_low * b_low;
    // Neither sum overflows: a product of two 64-bit numbers leaves room for two more of them.
    let first = a_high * b_low + (low >> 64);
    let second = a_low * b_high + (first & LOW);
    (a_high * b_high + (first >> 64) + (second >> 64), (second << 64) | (low & LOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "that nothing is lost is what is tested")]
    fn positions_keep_every_bit() {
        for degrees in [180.0, 90.0, 0.1, 1e-12, f64::from_bits(1.0_f64.to_bits() + 1)] {
            let back = |units: i128| units as f64 / UNITS_PER_DEGREE as f64;
            assert_eq!(back(units(degrees)).to_bits(), degrees.to_bits());
            assert_eq!(units(-degrees), -units(degrees));
        }
        assert_eq!(units(f64::MIN_POSITIVE), 0);
        let at = |lng| Point::new(LatLng::new(1.0, lng).unwrap());
        assert_eq!(at(180.0), at(-180.0));
    }

    #[test]
    fn products_of_any_size_compare() {
        assert_eq!(multiply(u128::MAX, u128::MAX), (u128::MAX - 1, 1));
        assert_eq!(multiply(1 << 100, 1 << 30), (4, 0));
        let big = 1 << 118;
        assert_eq!(compare_products((big + 1, big - 1), (big, big)), Ordering::Less);
        assert_eq!(compare_products((-big - 1, big - 1), (-big, big)), Ordering::Greater);
        assert_eq!(compare_products((-big, 1), (0, big)), Ordering::Less);
        assert_eq!(compare_products((-big, -big), (big, big)), Ordering::Equal);
    }

    #[test]
    fn a_hair_beside_an_edge_is_not_on_it() {
        let at = |lat, lng| Point::new(LatLng::new(lat, lng).unwrap());
        let (a, b) = (at(0.0, 0.0), at(30.0, 90.0));
        let third = at(10.0, 30.0);
        assert_eq!(turn(a, b, third), Ordering::Equal);
        for (dx, dy, expect) in [(0, 1, Ordering::Greater), (0, -1, Ordering::Less), (1, 0, Ordering::Less)] {
            assert_eq!(turn(a, b, Point { x: third.x + dx, y: third.y + dy }), expect);
        }
    }
}
