//! Polygons on the map, with holes: checked once, then asked for points and rectangles.
//!
//! Edges are straight in longitude and latitude, as in `GeoJSON` (RFC 7946, 3.1.1), and go the shorter way round the world.
//! A ring that goes round the world once holds the pole on its left. Knows nothing of sites. The parts:
//!
//! - `plane`: coordinates as whole numbers, and exact signs;
//! - `ring`: one closed line, checked by itself;
//! - `sweep`: the rings of one polygon, checked against each other;
//! - `locate`: where a point lies;
//! - `boxes`: whether a line comes into a rectangle.

mod boxes;
mod locate;
mod plane;
mod ring;
mod sweep;
#[cfg(test)]
mod tests;

use std::fmt;

use super::Invalid;
use super::geo::{BoundingBox, LatLng};
use boxes::{Boxes, Rect};
use locate::{Locator, Place};
use plane::{Edge, EdgeName, HALF_TURN, POLE, Point, cut, cut_degrees, units};
use ring::Ring;
use sweep::{Contact, Meeting, sweep};

/// Most rings of one question, outer ones and holes together: a country's islands, generously simplified.
pub const RINGS_MAX: usize = 100;
/// Most points of all rings together: what keeps the check within tens of milliseconds and the index within megabytes.
pub const POINTS_MAX: usize = 10_000;

/// A polygon as it was given: nothing is checked but the positions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenPolygon {
    /// The outer ring's points, in either direction; the first one may be repeated at the end.
    pub outer: Vec<LatLng>,
    /// Rings around what is not inside.
    pub holes: Vec<Vec<LatLng>>,
}

/// How a rectangle lies to polygons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// No point of it, border included, is in any of them.
    Outside,
    /// All points of it, border included, are in one of them.
    Inside,
    /// Neither, or it was not found out.
    Mixed,
}

/// One polygon or several, with holes. What several hold is their union: they may overlap.
///
/// Lines belong to the inside, corners and the edges of holes included. The meridians -180 and 180 are one, and all
/// longitudes at a pole are one point. All answers are exact to the last bit of the positions.
#[derive(Debug, Clone)]
pub struct Polygons {
    polygons: Vec<Polygon>,
}

impl Polygons {
    /// Checks the polygons of a request's field `polygons`; the fault names the ring (`polygons[2].holes[1]`) and, where
    /// it is known, the point (`polygons[0].outer.points[17]`), counted from 0 as given.
    ///
    /// A point that repeats the one before it is dropped, the first one at the end of the ring too. Refused are: no ring
    /// or more than [`RINGS_MAX`]; more than [`POINTS_MAX`] points; a ring of less than 3 different points, with an edge
    /// that spans 180 degrees of longitude, that goes round the world more than once, or that crosses or touches itself;
    /// rings of one polygon that cross or share more than points; a hole that is not inside its outer ring, or is inside
    /// of another hole.
    ///
    /// Costs n log² n exact signs for n points, whatever the rings: some 20 ms for 10,000 points.
    pub fn new(given: &[GivenPolygon]) -> Result<Self, Invalid> {
        let rings: usize = given.iter().map(|polygon| 1 + polygon.holes.len()).sum();
        if !(1..=RINGS_MAX).contains(&rings) {
            return Err(Invalid::new("polygons", format!("between 1 and {RINGS_MAX} rings, got {rings}")));
        }
        let points = |polygon: &GivenPolygon| polygon.outer.len() + polygon.holes.iter().map(Vec::len).sum::<usize>();
        let points: usize = given.iter().map(points).sum();
        if points > POINTS_MAX {
            return Err(Invalid::new("polygons", format!("at most {POINTS_MAX} points in all rings, got {points}")));
        }
        let polygon = |(at, given)| Polygon::new(&format!("polygons[{at}]"), given);
        Ok(Self { polygons: given.iter().enumerate().map(polygon).collect::<Result<_, _>>()? })
    }

    /// Whether a position is inside, or on a line. Costs log² n signs, for n corners, for each polygon near the position:
    /// about a microsecond; and some comparisons for each of the others.
    #[must_use]
    pub fn contains(&self, position: LatLng) -> bool {
        self.ask(position).0
    }

    /// The same, and how many polygons had to be asked.
    #[must_use]
    pub fn ask(&self, position: LatLng) -> (bool, usize) {
        let (point, position, mut asked) = (Point::new(position), cut(position), 0);
        let is_inside = self.polygons.iter().filter(|polygon| polygon.is_near(position)).any(|polygon| {
            asked += 1;
            polygon.contains(point)
        });
        (is_inside, asked)
    }

    /// Boxes that together hold all positions inside: one a polygon, and one more for a pole that is only touched, a
    /// line's breadth from the pole, because all longitudes are inside there.
    #[must_use]
    pub fn bounds(&self) -> Vec<BoundingBox> {
        self.polygons.iter().flat_map(|polygon| polygon.bounds.iter().copied()).collect()
    }

    /// How the rectangle lies to the polygons. Degrees; `south <= north` in [-90, 90], `west <= east` in [-180, 180].
    ///
    /// `Outside` and `Inside` are sure. `Mixed` may also be said of a rectangle that only several polygons together
    /// cover, or one of them while another one's line comes in, that only touches a line, or to which more than 512 edges
    /// come near. Costs at most so many comparisons and the place of a point for each polygon near the rectangle, and
    /// some comparisons for each of the others.
    #[must_use]
    pub fn relation(&self, south: f64, west: f64, north: f64, east: f64) -> Relation {
        self.relate(south, west, north, east).0
    }

    /// The same, and how many polygons had to be asked.
    #[must_use]
    pub fn relate(&self, south: f64, west: f64, north: f64, east: f64) -> (Relation, usize) {
        let low = Point { x: units(west), y: units(south) };
        let rect = Rect { low, high: Point { x: units(east), y: units(north) } };
        let [south, west, north, east] = [south, west, north, east].map(cut_degrees);
        // At the 180th meridian a box of the one side is near a rectangle of the other.
        let is_at_end = west <= -180.0 || east >= 180.0;
        let mut asked = 0;
        for polygon in &self.polygons {
            if is_at_end || polygon.bounds.iter().any(|bounds| bounds.meets(south, west, north, east)) {
                asked += 1;
                match polygon.relation(&rect) {
                    Relation::Outside => {}
                    said => return (said, asked),
                }
            }
        }
        (Relation::Outside, asked)
    }
}

/// One polygon, checked.
#[derive(Clone)]
struct Polygon {
    locator: Locator,
    boxes: Boxes,
    bounds: Vec<BoundingBox>,
    /// Whether the poles are inside or on a line.
    has_north_pole: bool,
    has_south_pole: bool,
}

/// Shows the edges and the poles, which say all, and not the index over them, which is far longer: page tokens
/// hash this.
impl fmt::Debug for Polygon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edges = self.locator.edges().iter().map(|Edge { start, end, .. }| (start.x, start.y, end.x, end.y));
        write!(f, "Polygon {{ poles: {} {}, edges: ", self.has_north_pole, self.has_south_pole)?;
        f.debug_list().entries(edges).finish()?;
        write!(f, " }}")
    }
}

impl Polygon {
    fn new(field: &str, given: &GivenPolygon) -> Result<Self, Invalid> {
        let mut fields = vec![format!("{field}.outer")];
        fields.extend((0..given.holes.len()).map(|at| format!("{field}.holes[{at}]")));
        let points = std::iter::once(&given.outer).chain(&given.holes);
        let rings =
            fields.iter().zip(points).map(|(field, points)| Ring::new(field, points)).collect::<Result<Vec<_>, _>>()?;

        let mut edges: Vec<Edge> = (0..).zip(&rings).flat_map(|(at, ring)| ring.edges(at)).collect();
        let copies: Vec<Edge> = edges.iter().filter(|edge| edge.reaches_antimeridian()).map(Edge::copy).collect();
        // Copies begin in the west of the plane. What lies beyond it in the east is what they show in the west.
        let beyond = copies.iter().map(|copy| copy.start);
        let mut corners: Vec<Point> = rings.iter().flat_map(Ring::points).chain(beyond).collect();
        corners.sort_unstable();
        corners.dedup();
        edges.extend_from_slice(&copies);
        check_rings(&fields, &rings, &edges, &corners)?;

        let has_pole = |winding: i128| rings.iter().filter(|ring| ring.winding == winding).count() % 2 == 1;
        let locator = Locator::new(edges, corners, has_pole(1));
        let touches = |y: i128| rings.iter().any(|ring| ring.points().any(|point| point.y == y));
        Ok(Self {
            boxes: Boxes::new(locator.edges()),
            bounds: bounds(&rings[0]),
            has_north_pole: touches(POLE) || has_pole(1),
            has_south_pole: touches(-POLE) || has_pole(-1),
            locator,
        })
    }

    /// Whether the position is in one of the boxes that together hold all that is inside.
    fn is_near(&self, position: LatLng) -> bool {
        self.bounds.iter().any(|bounds| bounds.contains(position))
    }

    fn contains(&self, point: Point) -> bool {
        match point.y {
            POLE => self.has_north_pole,
            y if y == -POLE => self.has_south_pole,
            _ => self.locator.place(point) != Place::Outside,
        }
    }

    fn relation(&self, rect: &Rect) -> Relation {
        // The plane ends at the 180th meridian in the east, and begins there again in the west.
        let far_west =
            Rect { low: Point { x: -HALF_TURN, y: rect.low.y }, high: Point { x: -HALF_TURN, y: rect.high.y } };
        let is_met = |rect: &Rect| self.boxes.is_met(self.locator.edges(), rect) != Some(false);
        if is_met(rect) || (rect.high.x == HALF_TURN && is_met(&far_west)) {
            return Relation::Mixed;
        }
        // No line comes in, so one point speaks for all but the poles.
        let corner = if rect.low.x == HALF_TURN { far_west.low } else { rect.low };
        let is_inside = self.locator.place(corner) == Place::Inside;
        let is_north_other = rect.high.y == POLE && self.has_north_pole != is_inside;
        let is_south_other = rect.low.y == -POLE && self.has_south_pole != is_inside;
        match is_inside {
            _ if is_north_other || is_south_other => Relation::Mixed,
            true => Relation::Inside,
            false => Relation::Outside,
        }
    }
}

/// Refuses rings of one polygon that meet or lie as they may not.
fn check_rings(fields: &[String], rings: &[Ring], edges: &[Edge], corners: &[Point]) -> Result<(), Invalid> {
    let windings: Vec<i128> = rings.iter().map(|ring| ring.winding).collect();
    let nesting = sweep(edges, corners, &windings).map_err(|meeting| fault_of(&meeting, fields, rings))?;
    for hole in 1..rings.len() {
        let goes_round = windings[hole] != 0;
        if !nesting.is_within(hole, 0) || (goes_round && windings[hole] != windings[0]) {
            let why = if goes_round {
                "a hole lies inside of its outer ring; a ring that goes round a pole holds the pole on its left"
            } else {
                "a hole lies inside of its outer ring"
            };
            return Err(Invalid::new(&fields[hole], why));
        }
        if let Some(other) = (1..rings.len()).find(|other| *other != hole && nesting.is_within(hole, *other)) {
            return Err(Invalid::new(&fields[hole], format!("the hole lies inside of another one, {}", fields[other])));
        }
    }
    Ok(())
}

/// Two edges that meet, as a fault of the later ring.
fn fault_of(meeting: &Meeting, fields: &[String], rings: &[Ring]) -> Invalid {
    let (b, a) = (meeting.edges.0.min(meeting.edges.1), meeting.edges.0.max(meeting.edges.1));
    let begins_at = |edge: EdgeName| rings[edge.ring as usize].given_as(edge.number);
    let (ring, edge, other) = (a.ring as usize, begins_at(a), begins_at(b));
    let how = match meeting.contact {
        Contact::Cross => "crosses",
        Contact::Overlap => "runs along",
        Contact::Touch => "touches",
    };
    let whose = if a.ring == b.ring { String::new() } else { format!(" of {}", fields[b.ring as usize]) };
    let why = format!("the edge that begins at point {edge} {how} the one that begins at point {other}{whose}");
    Invalid::new(&fields[ring], why)
}

/// All longitudes.
const ALL_ROUND: (f64, f64) = (-180.0, 180.0);

/// Boxes around all that an outer ring holds.
fn bounds(outer: &Ring) -> Vec<BoundingBox> {
    let reach = outer.reach();
    let south = if outer.winding == -1 { -90.0 } else { reach.lat.0 };
    let north = if outer.winding == 1 { 90.0 } else { reach.lat.1 };
    let of = |(south, north): (f64, f64), (west, east): (f64, f64)| {
        let corner = |lat, lng| LatLng::new(lat, lng).expect("both come from checked positions");
        BoundingBox::new(corner(south, west), corner(north, east)).expect("a ring that holds anything has an extent")
    };
    let mut boxes = vec![of((south, north), reach.lng.unwrap_or(ALL_ROUND))];
    if reach.lng.is_some() {
        // A pole that is touched is inside at all longitudes.
        let touched = [(north >= 90.0, (90_f64.next_down(), 90.0)), (south <= -90.0, (-90.0, -90_f64.next_down()))];
        boxes.extend(touched.into_iter().filter(|(is, _)| *is).map(|(_, lat)| of(lat, ALL_ROUND)));
    }
    boxes
}
