//! Lines between areas, found by longitude: those that a meridian crosses, and those near a position.
//!
//! The world is cut into columns of a tenth of a degree, and each knows its edges. An edge is straight in longitude and
//! latitude, and runs the shorter way round. Knows nothing of countries.

use crate::model::geo::{EARTH_RADIUS_M, LatLng};

/// Columns of the world: a tenth of a degree each, about as wide as the edges of the finest data are long.
const COLUMNS: usize = 3_600;
/// Columns in a degree.
const COLUMNS_PER_DEGREE: f64 = 10.0;

/// The number of an area that lines run round.
pub(super) type Area = u16;

/// A corner of a line, in degrees. To a metre: the data is coarser by far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Longitude in [-180, 180).
    lng: f32,
    /// Latitude in [-90, 90].
    lat: f32,
}

impl Point {
    /// The corner at a position.
    #[expect(clippy::cast_possible_truncation, reason = "to a metre is fine enough")]
    pub(super) fn new(position: LatLng) -> Self {
        let lng = position.lng() as f32;
        // The 180th meridian has one number.
        Self { lng: if lng >= 180.0 { -180.0 } else { lng }, lat: position.lat() as f32 }
    }

    fn lng(self) -> f64 {
        self.lng.into()
    }

    fn lat(self) -> f64 {
        self.lat.into()
    }
}

/// A line, and the areas that it is the end of: on land mostly two, at a coast one.
#[derive(Debug)]
pub(super) struct Line {
    /// At least two corners.
    pub(super) points: Vec<Point>,
    /// At least one area.
    pub(super) areas: Vec<Area>,
}

/// All lines. 8 bytes a corner, 4 for each column that an edge reaches.
#[derive(Debug)]
pub(super) struct Lines {
    points: Vec<Point>,
    /// Where in `points` each line begins.
    starts: Vec<u32>,
    /// The areas of each line.
    areas: Vec<Vec<Area>>,
    /// Where in `edges` each column begins, and behind the last one where it ends.
    columns: Vec<u32>,
    /// Each edge by the number of the corner that it begins at; in each column from the lesser to the greater.
    edges: Vec<u32>,
}

impl Lines {
    /// Puts lines together. Costs two walks along them.
    pub(super) fn new(lines: Vec<Line>) -> Self {
        let (mut points, mut starts, mut areas) = (Vec::new(), Vec::new(), Vec::new());
        for line in lines {
            starts.push(number(points.len()));
            points.extend(line.points);
            areas.push(line.areas);
        }
        points.shrink_to_fit();
        let made = Self { points, starts, areas, columns: Vec::new(), edges: Vec::new() };
        let mut columns = vec![0; COLUMNS + 1];
        for (_, edge) in made.all() {
            edge.columns().for_each(|column| columns[column % COLUMNS + 1] += 1);
        }
        for column in 0..COLUMNS {
            columns[column + 1] += columns[column];
        }
        let mut free = columns.clone();
        let mut edges = vec![0; columns[COLUMNS] as usize];
        for (number, edge) in made.all() {
            for column in edge.columns() {
                let place = &mut free[column % COLUMNS];
                edges[*place as usize] = number;
                *place += 1;
            }
        }
        Self { columns, edges, ..made }
    }

    /// All edges with the numbers of the corners that they begin at.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, Edge)> {
        let ends = self.starts.iter().skip(1).copied().chain([number(self.points.len())]);
        let edges = self.starts.iter().zip(ends).flat_map(|(start, end)| *start..end - 1);
        edges.map(|edge| (edge, self.edge(edge)))
    }

    /// Hands over the areas of each line that the meridian crosses north of a position.
    pub(super) fn for_each_above(&self, position: LatLng, mut each: impl FnMut(&[Area])) {
        let lng = if position.lng() >= 180.0 { -180.0 } else { position.lng() };
        for number in self.column(column_of(lng)) {
            let edge = self.edge(*number);
            if edge.is_crossed_at(lng) && edge.lat_at(lng) > position.lat() {
                each(self.areas_of(*number));
            }
        }
    }

    /// Hands over the distance in metres and the areas of each edge within `radius_m`; some more than once.
    pub(super) fn for_each_near(&self, position: LatLng, radius_m: f64, mut each: impl FnMut(f64, &[Area])) {
        let reach = (radius_m / EARTH_RADIUS_M).to_degrees();
        let (south, north) = (position.lat() - reach, position.lat() + reach);
        for column in columns_within(position, radius_m) {
            for number in self.column(column % COLUMNS) {
                let edge = self.edge(*number);
                let (from, to) = (edge.from.lat(), edge.to.lat());
                if from.max(to) < south || from.min(to) > north {
                    continue;
                }
                let distance_m = edge.distance_m(position);
                if distance_m <= radius_m {
                    each(distance_m, self.areas_of(*number));
                }
            }
        }
    }

    fn column(&self, column: usize) -> &[u32] {
        &self.edges[self.columns[column] as usize..self.columns[column + 1] as usize]
    }

    fn edge(&self, number: u32) -> Edge {
        let number = number as usize;
        Edge { from: self.points[number], to: self.points[number + 1] }
    }

    /// The areas of the line that an edge is part of.
    pub(super) fn areas_of(&self, edge: u32) -> &[Area] {
        &self.areas[self.starts.partition_point(|start| *start <= edge) - 1]
    }
}

/// A place in a list of corners: a file of four thousand million of them does not fit into memory.
fn number(place: usize) -> u32 {
    u32::try_from(place).expect("fewer than 2^32 corners")
}

/// The column of a longitude in [-180, 180].
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3,600")]
fn column_of(lng: f64) -> usize {
    (((lng + 180.0) * COLUMNS_PER_DEGREE).floor() as usize).min(COLUMNS - 1)
}

/// The columns that a circle reaches, counted on beyond the last one; each once.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 3,600")]
fn columns_within(position: LatLng, radius_m: f64) -> std::ops::Range<usize> {
    let angle = radius_m / EARTH_RADIUS_M;
    let lat = position.lat().to_radians();
    if lat.abs() + angle >= std::f64::consts::FRAC_PI_2 {
        return 0..COLUMNS;
    }
    let half = (angle.sin() / lat.cos()).asin().to_degrees();
    // One more on each side: the circle may begin in the midst of one.
    let beside = (half * COLUMNS_PER_DEGREE).ceil() as usize + 1;
    if 2 * beside + 1 >= COLUMNS {
        return 0..COLUMNS;
    }
    let first = column_of(position.lng()) + COLUMNS - beside;
    first..first + 2 * beside + 1
}

/// A straight piece of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    from: Point,
    to: Point,
}

impl Edge {
    /// Whether it passes the 180th meridian: the other way round would be longer.
    fn passes_antimeridian(self) -> bool {
        (self.from.lng() - self.to.lng()).abs() > 180.0
    }

    fn columns(self) -> std::ops::RangeInclusive<usize> {
        let (west, east) = (self.from.lng().min(self.to.lng()), self.from.lng().max(self.to.lng()));
        if self.passes_antimeridian() {
            column_of(east)..=column_of(west) + COLUMNS
        } else {
            column_of(west)..=column_of(east)
        }
    }

    /// Whether a meridian meets it: its western end included, its eastern one not, so that a corner counts once.
    pub(super) fn is_crossed_at(self, lng: f64) -> bool {
        let (west, east) = (self.from.lng().min(self.to.lng()), self.from.lng().max(self.to.lng()));
        if self.passes_antimeridian() { lng >= east || lng < west } else { lng >= west && lng < east }
    }

    /// Its latitude where a meridian crosses it.
    pub(super) fn lat_at(self, lng: f64) -> f64 {
        let share = turned(lng - self.from.lng()) / turned(self.to.lng() - self.from.lng());
        self.from.lat() + (self.to.lat() - self.from.lat()) * share
    }

    /// Great-circle metres to its nearest point. The point is looked for on a plane, twice: for an edge of half a degree
    /// within [`REACH_M_MAX`](super::REACH_M_MAX) the distance is at most 0.2 % too long.
    pub(super) fn distance_m(self, position: LatLng) -> f64 {
        let first = self.nearest(position, position.lat());
        let second = self.nearest(position, f64::midpoint(position.lat(), first.lat()));
        position.distance_m(first).min(position.distance_m(second))
    }

    /// Its nearest point on a plane that is true to scale at a latitude.
    fn nearest(self, position: LatLng, lat: f64) -> LatLng {
        let scale = lat.to_radians().cos();
        let (wide, high) = (turned(self.to.lng() - self.from.lng()), self.to.lat() - self.from.lat());
        let (dx, dy) = (wide * scale, high);
        let (x, y) = (turned(position.lng() - self.from.lng()) * scale, position.lat() - self.from.lat());
        let square = dx * dx + dy * dy;
        let share = if square > 0.0 { ((x * dx + y * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
        self.at(share)
    }

    /// The position at a share of its length, in [0, 1].
    pub(super) fn at(self, share: f64) -> LatLng {
        let wide = turned(self.to.lng() - self.from.lng());
        let lat = self.from.lat() + (self.to.lat() - self.from.lat()) * share;
        LatLng::new(lat.clamp(-90.0, 90.0), turned(self.from.lng() + wide * share)).expect("between two positions")
    }
}

/// A difference of longitudes the shorter way round, in [-180, 180].
fn turned(degrees: f64) -> f64 {
    if degrees > 180.0 {
        degrees - 360.0
    } else if degrees < -180.0 {
        degrees + 360.0
    } else {
        degrees
    }
}
