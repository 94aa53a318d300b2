//! Web-mercator points, tiles and grid cells: integer geometry of the map.
//!
//! Knows nothing of sites. All arithmetic on points is exact; rounding happens once, in [`Point::project`].

use std::f64::consts::{PI, TAU};
use std::fmt;
use std::str::FromStr;

use crate::model::Invalid;
use crate::model::geo::{BoundingBox, EARTH_RADIUS_M, LatLng};
use crate::model::text::shown;

/// Northern and southern edge of the web-mercator square, in degrees: atan(sinh π).
pub const LAT_MAX: f64 = 85.051_128_779_806_59;
/// Deepest zoom at which the map is drawn: a tile is 9.5 m wide at the equator, finer than any fix.
pub const ZOOM_MAX: u8 = 22;
/// Levels by which cells are finer than the tile they lie in: 8 × 8 cells of 64 px on a tile of 512 px.
pub const CELL_LEVELS_BELOW_TILE: u8 = 3;
/// Finest level of cells, that of [`ZOOM_MAX`]: 1.2 m at the equator.
pub const LEVEL_MAX: u8 = ZOOM_MAX + CELL_LEVELS_BELOW_TILE;
/// Bits of one coordinate of a point, and so the level at which a cell is a single point.
pub const POINT_BITS: u8 = 32;

/// Points along one side of the world.
const WORLD: f64 = 4_294_967_296.0;

/// A place on the map in 2⁻³² of the world (9 mm at the equator): `x` grows eastward, `y` southward, as in tiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Point {
    /// Distance from the antimeridian.
    pub x: u32,
    /// Distance from the northern edge.
    pub y: u32,
}

impl Point {
    /// The point at which `position` is drawn. Latitudes beyond [`LAT_MAX`] are drawn at the edge, and the
    /// longitude 180 in the last column.
    #[must_use]
    pub fn project(position: LatLng) -> Self {
        let lat = position.lat().clamp(-LAT_MAX, LAT_MAX).to_radians();
        Self {
            x: saturate((position.lng() + 180.0) / 360.0 * WORLD),
            y: saturate((0.5 - lat.tan().asinh() / TAU) * WORLD),
        }
    }

    /// The middle of the point's square, in degrees.
    #[must_use]
    pub fn position(self) -> LatLng {
        at_edge(f64::from(self.x) + 0.5, f64::from(self.y) + 0.5)
    }

    /// The point's place on a curve that keeps neighbours together (Z-order).
    pub(super) fn interleaved(self) -> u64 {
        spread(self.x) | spread(self.y) << 1
    }

    /// Square of the distance on the map, in points; across the antimeridian where that is shorter.
    #[must_use]
    pub fn distance_squared(self, other: Self) -> u64 {
        let dx = u64::from(self.x.wrapping_sub(other.x).cast_signed().unsigned_abs());
        let dy = u64::from(self.y.abs_diff(other.y));
        (dx * dx).saturating_add(dy * dy)
    }
}

/// A tile of the map: zoom in [0, [`ZOOM_MAX`]], column and row in [0, 2^zoom).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileId {
    z: u8,
    x: u32,
    y: u32,
}

impl TileId {
    /// The tile; refuses a zoom, column or row outside the ranges above.
    pub fn new(z: u8, x: u32, y: u32) -> Result<Self, Invalid> {
        checked_zoom(z)?;
        if u64::from(x.max(y)) >> z != 0 {
            let last = (1_u64 << z) - 1;
            return Err(Invalid::new("tile", format!("at zoom {z} columns and rows are in [0, {last}], got {x}/{y}")));
        }
        Ok(Self { z, x, y })
    }

    /// Its zoom.
    #[must_use]
    pub fn z(self) -> u8 {
        self.z
    }

    /// Its column, from the antimeridian eastward.
    #[must_use]
    pub fn x(self) -> u32 {
        self.x
    }

    /// Its row, from the north southward.
    #[must_use]
    pub fn y(self) -> u32 {
        self.y
    }

    /// The tile of this zoom that a point lies in; `z` is at most [`ZOOM_MAX`].
    #[must_use]
    pub fn holding(point: Point, z: u8) -> Self {
        debug_assert!(z <= ZOOM_MAX, "zoom {z}");
        Self { z, x: shifted(point.x, z), y: shifted(point.y, z) }
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.z, self.x, self.y)
    }
}

/// The zoom, if it is in [0, [`ZOOM_MAX`]].
pub fn checked_zoom(zoom: u8) -> Result<u8, Invalid> {
    if zoom > ZOOM_MAX {
        return Err(Invalid::new("zoom", format!("a zoom is in [0, {ZOOM_MAX}], got {zoom}")));
    }
    Ok(zoom)
}

/// A square of the grid that sites are counted in: level in [0, [`LEVEL_MAX`]], column and row in [0, 2^level).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    level: u8,
    y: u32,
    x: u32,
}

impl Cell {
    /// The cell; refuses a level, column or row outside the ranges above.
    pub fn new(level: u8, x: u32, y: u32) -> Result<Self, Invalid> {
        if level > LEVEL_MAX || u64::from(x.max(y)) >> level != 0 {
            return Err(Invalid::new(
                "cell",
                format!(
                    "a cell is level-x-y with level in [0, {LEVEL_MAX}], x and y in [0, 2^level), got {level}-{x}-{y}"
                ),
            ));
        }
        Ok(Self { level, y, x })
    }

    /// The cell of `level` that a point lies in; `level` is at most [`LEVEL_MAX`].
    #[must_use]
    pub fn holding(point: Point, level: u8) -> Self {
        debug_assert!(level <= LEVEL_MAX, "level {level}");
        Self { level, y: shifted(point.y, level), x: shifted(point.x, level) }
    }

    /// Its level.
    #[must_use]
    pub fn level(self) -> u8 {
        self.level
    }

    /// Its column.
    #[must_use]
    pub fn x(self) -> u32 {
        self.x
    }

    /// Its row.
    #[must_use]
    pub fn y(self) -> u32 {
        self.y
    }

    /// The zoom whose tiles are drawn with cells of this level; `None` for cells coarser than those of zoom 0.
    #[must_use]
    pub fn zoom(self) -> Option<u8> {
        self.level.checked_sub(CELL_LEVELS_BELOW_TILE)
    }

    /// A number of its own among the cells of all levels, below 2⁵¹: coarser levels first, then row by row.
    #[must_use]
    pub fn key(self) -> u64 {
        ((1_u64 << (2 * self.level)) - 1) / 3 + (u64::from(self.y) << self.level) + u64::from(self.x)
    }

    /// Its north-western point.
    pub(super) fn corner(self) -> Point {
        let first = |cell: u32| cell.checked_shl(u32::from(POINT_BITS - self.level)).unwrap_or(0);
        Point { x: first(self.x), y: first(self.y) }
    }

    /// The cell so many columns west, over the antimeridian, and rows north, which stay on the map.
    pub(super) fn north_west(self, columns: u32, rows: u32) -> Self {
        Self { x: self.x.wrapping_sub(columns) & ((1 << self.level) - 1), y: self.y - rows, ..self }
    }

    /// East-west width in metres at the latitude `lat` in degrees, on the mean sphere.
    #[must_use]
    pub fn width_m(self, lat: f64) -> f64 {
        cell_width_m(self.level, lat)
    }

    /// The box of the `columns` × `rows` cells whose north-western one is this, in degrees; columns run over the
    /// antimeridian, rows end at the southern edge.
    #[must_use]
    pub fn bounds(self, columns: u32, rows: u32) -> BoundingBox {
        self.bounds_by(columns, rows, |row| row_edge_lat(self.level, row))
    }

    /// The same where the latitudes of northern edges of rows are known.
    pub(super) fn bounds_by(self, columns: u32, rows: u32, mut lat_of: impl FnMut(u32) -> f64) -> BoundingBox {
        let count = 1_u32 << self.level;
        let end_x = self.x + columns.min(count);
        let east = if end_x > count { end_x - count } else { end_x };
        let south = (self.y + rows).min(count);
        let lng_of = |column: u32| f64::from(column) / f64::from(count) * 360.0 - 180.0;
        let low = corner(lat_of(south), lng_of(self.x));
        let high = corner(lat_of(self.y), lng_of(east));
        BoundingBox::new(low, high).unwrap_or(BoundingBox::WORLD)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.level, self.x, self.y)
    }
}

impl FromStr for Cell {
    type Err = Invalid;

    /// Accepts the form of `Display` alone, so that a cell has one name.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let malformed = || Invalid::new("cell", format!("a cell has the form level-x-y, got {}", shown(text)));
        let mut parts = text.splitn(3, '-').map(|part| part.parse::<u32>().ok());
        let mut next = || parts.next().flatten().ok_or_else(malformed);
        let (level, x, y) = (next()?, next()?, next()?);
        let cell = Self::new(u8::try_from(level).map_err(|_| malformed())?, x, y)?;
        if cell.to_string() == text { Ok(cell) } else { Err(malformed()) }
    }
}

/// East-west width in metres of a cell of `level` at the latitude `lat` in degrees, on the mean sphere.
#[must_use]
pub fn cell_width_m(level: u8, lat: f64) -> f64 {
    let circle_m = TAU * EARTH_RADIUS_M * lat.clamp(-LAT_MAX, LAT_MAX).to_radians().cos();
    circle_m / f64::from(1_u32 << level)
}

/// Latitude of the northern edge of a row of cells, and of the southern edge of the last one.
pub(super) fn row_edge_lat(level: u8, row: u32) -> f64 {
    let side = WORLD / f64::from(1_u32 << level);
    at_edge(0.0, f64::from(row) * side).lat()
}

/// The leading `bits` of a coordinate.
pub(super) fn shifted(coordinate: u32, bits: u8) -> u32 {
    // Shifting a u32 by all its 32 bits would overflow.
    coordinate.checked_shr(u32::from(POINT_BITS - bits)).unwrap_or(0)
}

/// The bits of a coordinate with a zero before each.
fn spread(coordinate: u32) -> u64 {
    let steps = [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ];
    steps.into_iter().fold(u64::from(coordinate), |bits, (shift, mask)| (bits | bits << shift) & mask)
}

/// The position at `x` and `y`, in points that need not be whole.
fn at_edge(x: f64, y: f64) -> LatLng {
    let lat = (PI * (1.0 - 2.0 * y / WORLD)).sinh().atan().to_degrees();
    let lng = x / WORLD * 360.0 - 180.0;
    corner(lat, lng)
}

/// The position nearest to these degrees that the map shows.
fn corner(lat: f64, lng: f64) -> LatLng {
    LatLng::new(lat.clamp(-LAT_MAX, LAT_MAX), lng.clamp(-180.0, 180.0)).expect("clamped into the ranges")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates, as wanted here")]
fn saturate(coordinate: f64) -> u32 {
    coordinate as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(lat: f64, lng: f64) -> Point {
        Point::project(LatLng::new(lat, lng).unwrap())
    }

    #[test]
    fn known_points_and_the_edges_of_the_world() {
        assert_eq!(point(0.0, 0.0), Point { x: 1 << 31, y: 1 << 31 });
        assert_eq!(point(90.0, -180.0), Point { x: 0, y: 0 });
        assert_eq!(point(-90.0, 180.0), Point { x: u32::MAX, y: u32::MAX });
        // Tiles of Reykjavík and London, as every slippy map numbers them.
        assert_eq!(TileId::holding(point(64.1466, -21.9426), 10).to_string(), "10/449/272");
        assert_eq!(TileId::holding(point(51.5074, -0.1278), 10).to_string(), "10/511/340");
    }

    #[test]
    fn distances_on_the_map_go_over_the_antimeridian() {
        let (west, east) = (Point { x: 1, y: 9 }, Point { x: u32::MAX, y: 5 });
        assert_eq!((west.distance_squared(east), east.distance_squared(west)), (20, 20));
        assert_eq!(Point { x: 0, y: 0 }.distance_squared(Point { x: 1 << 31, y: u32::MAX }) >> 62, 3);
    }

    #[test]
    fn interleaving_keeps_all_bits() {
        assert_eq!(Point { x: 0b101, y: 0b010 }.interleaved(), 0b01_10_01);
        assert_eq!(Point { x: u32::MAX, y: 0 }.interleaved(), 0x5555_5555_5555_5555);
    }

    #[test]
    fn cells_and_tiles_outside_the_ranges_are_refused() {
        for (z, x, y) in [(23, 0, 0), (0, 1, 0), (3, 0, 8), (22, 1 << 22, 0)] {
            assert!(TileId::new(z, x, y).is_err(), "{z}/{x}/{y}");
        }
        assert!(TileId::new(22, (1 << 22) - 1, 0).is_ok());
        for text in ["26-0-0", "3-8-0", "3-0", "3-0-0-0", "03-1-1", "3-+1-1", "", "3--1-0", "300-0-0"] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }

    #[test]
    fn bounds_of_cells_cover_the_world_and_cross_the_antimeridian() {
        let last = Cell::new(3, 7, 3).unwrap().bounds(2, 1);
        assert!(last.crosses_antimeridian());
        assert!((last.low.lng() - 135.0).abs() < 1e-9 && (last.high.lng() + 135.0).abs() < 1e-9);
        let world = Cell::new(0, 0, 0).unwrap().bounds(1, 1);
        assert!((world.high.lat() - LAT_MAX).abs() < 1e-9 && (world.high.lng() - 180.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn points_go_to_degrees_and_back(x: u32, y: u32) {
            let there = Point { x, y };
            let back = Point::project(there.position());
            prop_assert_eq!(back, there);
        }

        #[test]
        fn cells_have_one_name_and_one_key(level in 0..=LEVEL_MAX, x: u32, y: u32) {
            let point = Point { x, y };
            let cell = Cell::holding(point, level);
            prop_assert_eq!(cell.to_string().parse::<Cell>().unwrap(), cell);
            prop_assert!(cell.key() < 1 << 51);
            prop_assert!(cell.bounds(1, 1).contains(point.position()));
        }
    }
}
