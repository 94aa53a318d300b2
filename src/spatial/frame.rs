//! Rectangles of points, and frames of them that hold whatever lies in a box or a circle on the sphere.
//!
//! A frame may hold a little more than its box or circle, never less: what is near its edge is checked exactly by
//! whoever asks. Knows nothing of sites.

use smallvec::SmallVec;

use crate::model::geo::{BoundingBox, EARTH_RADIUS_M, LatLng};

use super::mercator::Point;

/// Points by which a frame is widened: far more than the rounding of a projection (10⁻⁶ of a point).
const MARGIN: u32 = 1;
/// Radians by which the frame of a circle is widened: 0.6 m. Where a circle all but touches a pole, rounding moves
/// its widest meridian by a tenth of that.
const SLACK: f64 = 1e-7;

/// Degrees that a point is wide at most, 360 / 2³², rounded up: half of it and the rounding of a projection lie within.
const POINT_DEGREES: f64 = 1e-7;

/// A closed rectangle of points that does not cross the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) west: u32,
    pub(super) east: u32,
    pub(super) north: u32,
    pub(super) south: u32,
}

impl Rect {
    pub(super) const WORLD: Self = Self { west: 0, east: u32::MAX, north: 0, south: u32::MAX };

    /// The point alone.
    pub(super) fn at(point: Point) -> Self {
        Self { west: point.x, east: point.x, north: point.y, south: point.y }
    }

    /// Whether it is a single point.
    pub(super) fn is_point(&self) -> bool {
        self.west == self.east && self.north == self.south
    }

    /// South-western and north-eastern corner of a box that holds every position that is drawn in the rectangle.
    pub(super) fn degrees(&self) -> (LatLng, LatLng) {
        let corner = |x: u32, y: u32, sign: f64| {
            let middle = Point { x, y }.position();
            // The rows at the edges of the map hold all that lies beyond them.
            let lat = match y {
                0 if sign > 0.0 => 90.0,
                u32::MAX if sign < 0.0 => -90.0,
                _ => middle.lat() + sign * POINT_DEGREES,
            };
            LatLng::new(lat, (middle.lng() + sign * POINT_DEGREES).clamp(-180.0, 180.0))
                .expect("clamped into the ranges")
        };
        (corner(self.west, self.south, -1.0), corner(self.east, self.north, 1.0))
    }

    pub(super) fn contains(&self, point: Point) -> bool {
        (self.west..=self.east).contains(&point.x) && (self.north..=self.south).contains(&point.y)
    }

    /// Whether all of the other lies in it.
    pub(super) fn holds(&self, other: &Self) -> bool {
        self.west <= other.west && other.east <= self.east && self.north <= other.north && other.south <= self.south
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.west <= other.east && other.west <= self.east && self.north <= other.south && other.north <= self.south
    }

    /// A quarter of a cell's rectangle, numbered like the children of a node.
    pub(super) fn quarter(&self, child: usize) -> Self {
        let half = (self.east - self.west) / 2;
        let (west, east) =
            if child & 1 == 0 { (self.west, self.west + half) } else { (self.west + half + 1, self.east) };
        let (north, south) =
            if child & 2 == 0 { (self.north, self.north + half) } else { (self.north + half + 1, self.south) };
        Self { west, east, north, south }
    }

    /// Square of the distance on the map from `point` to the nearest point of the rectangle, in units of two points;
    /// good for telling which of two rectangles to search first, and for nothing else.
    pub(super) fn distance_squared(&self, point: Point) -> u64 {
        let dx = if (self.west..=self.east).contains(&point.x) {
            0
        } else {
            self.west.wrapping_sub(point.x).min(point.x.wrapping_sub(self.east))
        };
        let dy = self.north.saturating_sub(point.y).max(point.y.saturating_sub(self.south));
        let (dx, dy) = (u64::from(dx / 2), u64::from(dy / 2));
        dx * dx + dy * dy
    }
}

/// A range of columns; all of those from `sure_west` to `sure_east` are inside whatever the frame stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Band {
    west: u32,
    east: u32,
    sure_west: u32,
    sure_east: u32,
}

impl Band {
    const WORLD: Self = Self { west: 0, east: u32::MAX, sure_west: 0, sure_east: u32::MAX };

    /// Columns between two longitudes in degrees; an edge at the antimeridian is sure.
    fn between(low: f64, high: f64) -> Self {
        let (west, east) = (column(low), column(high));
        let (sure_west, sure_east) = inner(west, east, low <= -180.0, high >= 180.0);
        Self { west: west.saturating_sub(MARGIN), east: east.saturating_add(MARGIN), sure_west, sure_east }
    }

    /// One column at the antimeridian, of which nothing is sure.
    fn unsure(column: u32) -> Self {
        Self { west: column, east: column, sure_west: 1, sure_east: 0 }
    }

    fn sure_width(&self) -> u32 {
        self.sure_east.saturating_sub(self.sure_west)
    }
}

/// Bands of columns between two rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    north: u32,
    south: u32,
    sure_north: u32,
    sure_south: u32,
    /// Apart from one another, so that nothing is met twice.
    bands: SmallVec<[Band; 3]>,
}

impl Frame {
    /// Everything.
    pub(super) fn world() -> Self {
        Self::of_rows(-90.0, 90.0, [Band::WORLD])
    }

    /// A frame that holds the positions in `bounds`.
    pub(super) fn of_box(bounds: &BoundingBox) -> Self {
        let (low, high) = (bounds.low.lng(), bounds.high.lng());
        let mut bands: SmallVec<[Band; 3]> = if bounds.crosses_antimeridian() {
            [Band::between(low, 180.0), Band::between(-180.0, high)].into_iter().collect()
        } else {
            [Band::between(low, high)].into_iter().collect()
        };
        // The meridians -180 and 180 are one, and are drawn in the first and in the last column.
        if high >= 180.0 {
            bands.push(Band::unsure(0));
        }
        if low <= -180.0 {
            bands.push(Band::unsure(u32::MAX));
        }
        Self::of_rows(bounds.low.lat(), bounds.high.lat(), bands)
    }

    /// A frame that holds the positions at most `radius_m` metres from `center`; nothing of it is sure.
    pub(super) fn of_circle(center: LatLng, radius_m: f64) -> Self {
        let angle = radius_m / EARTH_RADIUS_M + SLACK;
        let (lat, degrees) = (center.lat(), angle.to_degrees());
        let (low, high) = ((lat - degrees).max(-90.0), (lat + degrees).min(90.0));
        let half_width = if low <= -90.0 || high >= 90.0 {
            180.0
        } else {
            // The circle is widest where a meridian touches it: sin Δλ = sin δ / cos φ.
            ((angle.sin() / lat.to_radians().cos()).min(1.0).asin() + SLACK).to_degrees()
        };
        let (west, east) = (center.lng() - half_width, center.lng() + half_width);
        let mut bands: SmallVec<[Band; 3]> = SmallVec::new();
        if half_width >= 180.0 {
            bands.push(Band::WORLD);
        } else if west < -180.0 {
            bands.extend([Band::between(-180.0, east), Band::between(west + 360.0, 180.0)]);
        } else if east > 180.0 {
            bands.extend([Band::between(west, 180.0), Band::between(-180.0, east - 360.0)]);
        } else {
            bands.push(Band::between(west, east));
        }
        let mut frame = Self::of_rows(low, high, bands);
        (frame.sure_north, frame.sure_south) = (1, 0);
        frame
    }

    fn of_rows(low: f64, high: f64, bands: impl IntoIterator<Item = Band>) -> Self {
        let (north, south) = (row(high), row(low));
        let (sure_north, sure_south) = inner(north, south, high >= 90.0, low <= -90.0);
        let mut frame = Self {
            north: north.saturating_sub(MARGIN),
            south: south.saturating_add(MARGIN),
            sure_north,
            sure_south,
            bands: SmallVec::new(),
        };
        bands.into_iter().for_each(|band| frame.add(band));
        frame
    }

    /// Adds a band, one with those that it overlaps.
    fn add(&mut self, mut band: Band) {
        while let Some(at) = self.bands.iter().position(|other| other.west <= band.east && band.west <= other.east) {
            let other = self.bands.swap_remove(at);
            let sure = if other.sure_width() > band.sure_width() { other } else { band };
            band = Band { west: band.west.min(other.west), east: band.east.max(other.east), ..sure };
        }
        self.bands.push(band);
    }

    /// Whether it holds all longitudes, and so may hold far more than what it was made for.
    pub(super) fn goes_round(&self) -> bool {
        self.bands.iter().any(|band| band.west == 0 && band.east == u32::MAX)
    }

    pub(super) fn meets(&self, rect: &Rect) -> bool {
        let rows = self.north <= rect.south && rect.north <= self.south;
        rows && self.bands.iter().any(|band| band.west <= rect.east && rect.west <= band.east)
    }

    pub(super) fn contains(&self, point: Point) -> bool {
        self.meets(&Rect::at(point))
    }

    /// Whether every position that is drawn in `rect` lies inside, with no need of an exact check.
    pub(super) fn surely_holds(&self, rect: &Rect) -> bool {
        let rows = self.sure_north <= rect.north && rect.south <= self.sure_south;
        rows && self.bands.iter().any(|band| band.sure_west <= rect.west && rect.east <= band.sure_east)
    }
}

/// The part of the range from `first` to `last` that is away from its ends; up to an end of the world where the box
/// goes that far. `(1, 0)`, which holds nothing, where no part is.
fn inner(first: u32, last: u32, from_start: bool, to_end: bool) -> (u32, u32) {
    let first = if from_start { Some(0) } else { first.checked_add(MARGIN + 1) };
    let last = if to_end { Some(u32::MAX) } else { last.checked_sub(MARGIN + 1) };
    first.zip(last).unwrap_or((1, 0))
}

fn column(lng: f64) -> u32 {
    Point::project(LatLng::new(0.0, lng.clamp(-180.0, 180.0)).expect("clamped into the range")).x
}

fn row(lat: f64) -> u32 {
    Point::project(LatLng::new(lat, 0.0).expect("an edge of a checked box or a clamped one")).y
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spatial::tests::world::{any_position, at};

    proptest! {
        #[test]
        fn what_is_drawn_at_a_point_is_in_its_degrees(at in any_position()) {
            let (low, high) = Rect::at(Point::project(at)).degrees();
            prop_assert!((low.lat()..=high.lat()).contains(&at.lat()) && (low.lng()..=high.lng()).contains(&at.lng()));
        }

        #[test]
        fn a_box_is_in_its_frame_and_what_is_sure_is_in_the_box(
            low in any_position(),
            high in any_position(),
            at in any_position(),
        ) {
            let Ok(bounds) = BoundingBox::new(low, high) else { return Ok(()) };
            let frame = Frame::of_box(&bounds);
            let point = Point::project(at);
            let rect = Rect::at(point);
            prop_assert!(!bounds.contains(at) || frame.contains(point));
            prop_assert!(!frame.surely_holds(&rect) || bounds.contains(at));
        }

        #[test]
        fn a_circle_is_in_its_frame(center in any_position(), at in any_position()) {
            let frame = Frame::of_circle(center, center.distance_m(at));
            prop_assert!(frame.contains(Point::project(at)), "{:?}", frame);
        }
    }

    #[test]
    fn circles_that_all_but_touch_a_pole_are_wide_enough() {
        // Where such a circle is widest, a rounding of its radius moves the meridian by far more than a point.
        for step in 1..2_000 {
            let lat = 20.0 + f64::from(step) * 0.03;
            let radius = (90.0 - lat - f64::from(step % 40) * 1e-10).to_radians();
            let half_width = (radius.sin() / lat.to_radians().cos()).min(1.0).asin().to_degrees();
            let widest = at((lat.to_radians().sin() / radius.cos()).min(1.0).asin().to_degrees(), half_width);
            let center = at(lat, 0.0);
            let frame = Frame::of_circle(center, center.distance_m(widest));
            assert!(frame.contains(Point::project(widest)), "{center:?}, {widest:?}");
        }
    }

    #[test]
    fn both_names_of_the_antimeridian_are_in_a_box_that_ends_at_one() {
        let (west, east) = (Point::project(at(0.0, -180.0)), Point::project(at(0.0, 180.0)));
        for (low, high) in [(170.0, 180.0), (-180.0, -170.0), (170.0, -170.0)] {
            let frame = Frame::of_box(&BoundingBox::new(at(-1.0, low), at(1.0, high)).unwrap());
            assert!(frame.contains(west) && frame.contains(east), "{low} to {high}");
        }
    }

    #[test]
    fn quarters_fill_a_rectangle() {
        let west = Rect::WORLD.quarter(2);
        assert_eq!(west, Rect { west: 0, east: u32::MAX / 2, north: 1 << 31, south: u32::MAX });
        assert_eq!(west.quarter(1).west, 1 << 30);
        assert_eq!(Rect::WORLD.quarter(3).distance_squared(Point { x: 0, y: u32::MAX }), 0);
    }
}
