//! One closed line: its corners without repetitions, how often it goes round the world, and its edges.
//!
//! Refuses what can be seen in a single walk along it. Whether it meets itself or others is `sweep.rs`'s to say.

use super::plane::{Edge, HALF_TURN, POLE, Point, TURN, cut};
use crate::model::Invalid;
use crate::model::geo::LatLng;

/// A corner of a ring.
#[derive(Debug, Clone, Copy)]
struct Corner {
    point: Point,
    /// The point in degrees.
    position: LatLng,
    /// Which point of the ring as it was given.
    given_as: usize,
}

/// A ring of at least three different positions that goes round the world once or not at all.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    corners: Vec<Corner>,
    /// Longitude from each corner to the next, the shorter way, in units.
    steps: Vec<i128>,
    /// Turns round the world: 1 eastward (the north pole is on its left), -1 westward (the south pole is), else 0.
    pub(super) winding: i128,
}

/// The reach of a ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Lowest and highest latitude in degrees.
    pub(super) lat: (f64, f64),
    /// Western and eastern end in degrees, in this order round the world; `None` where it reaches all round.
    pub(super) lng: Option<(f64, f64)>,
}

impl Ring {
    /// The ring through `points`; `field` is its path in the request. Costs one sort of the points.
    pub(super) fn new(field: &str, points: &[LatLng]) -> Result<Self, Invalid> {
        let corners = corners(points);
        need_three(field, &corners)?;
        let steps = steps(field, &corners)?;
        let winding = steps.iter().sum::<i128>() / TURN;
        if winding.abs() > 1 {
            let why = format!("a ring goes round the world once or not at all, this one {} times", winding.abs());
            return Err(Invalid::new(field, why));
        }
        for (pole, name) in [(POLE, "north"), (-POLE, "south")] {
            one_visit(field, &corners, pole, name)?;
        }
        Ok(Self { corners, steps, winding })
    }

    /// The corners, each in the plane.
    pub(super) fn points(&self) -> impl Iterator<Item = Point> {
        self.corners.iter().map(|corner| corner.point)
    }

    /// Which point, as they were given, the edge of this number begins at.
    pub(super) fn given_as(&self, edge: u32) -> usize {
        self.corners[edge as usize].given_as
    }

    /// The edges as parts of the polygon's ring number `ring`, in order.
    pub(super) fn edges(&self, ring: u32) -> impl Iterator<Item = Edge> {
        let pairs = self.corners.iter().zip(self.corners.iter().cycle().skip(1));
        pairs.zip(&self.steps).zip(0..).map(move |(((from, to), step), number)| {
            let (from, to) = (from.point, to.point);
            if (*step, to.y) > (0, from.y) {
                Edge { start: from, end: Point { x: from.x + step, y: to.y }, ring, number }
            } else {
                Edge { start: to, end: Point { x: to.x - step, y: from.y }, ring, number }
            }
        })
    }

    /// How far it reaches.
    pub(super) fn reach(&self) -> Reach {
        let lats = || self.corners.iter().map(|corner| corner.position.lat());
        let lat = (lats().fold(f64::INFINITY, f64::min), lats().fold(f64::NEG_INFINITY, f64::max));
        let (mut x, mut west, mut east) = (0, (0, self.corners[0]), (0, self.corners[0]));
        for (corner, step) in self.corners.iter().zip(&self.steps) {
            if x < west.0 {
                west = (x, *corner);
            }
            if x > east.0 {
                east = (x, *corner);
            }
            x += step;
        }
        let is_all_round = self.winding != 0 || east.0 - west.0 >= TURN;
        // A box ends at 180 in the east and begins at -180 in the west, never the other way round.
        let lng = |corner: Corner, edge: f64| if corner.point.x == -HALF_TURN { edge } else { corner.position.lng() };
        Reach { lat, lng: (!is_all_round).then(|| (lng(west.1, -180.0), lng(east.1, 180.0))) }
    }
}

/// The points without any that repeats the one before it, the first one at the end included. Two points of different
/// longitude at a pole both stay: they say where the edges to and from the pole run.
fn corners(points: &[LatLng]) -> Vec<Corner> {
    let all = points.iter().enumerate();
    let mut corners: Vec<Corner> = all
        .map(|(given_as, position)| Corner { point: Point::new(*position), position: cut(*position), given_as })
        .collect();
    corners.dedup_by_key(|corner| corner.point);
    while corners.len() > 1 && corners.first().map(|corner| corner.point) == corners.last().map(|corner| corner.point) {
        corners.pop();
    }
    corners
}

/// Refuses a ring of fewer than three different positions; a pole is one position.
fn need_three(field: &str, corners: &[Corner]) -> Result<(), Invalid> {
    let position = |corner: &Corner| if corner.point.is_pole() { (0, corner.point.y) } else { corner.point.into() };
    let mut different = Vec::with_capacity(3);
    for position in corners.iter().map(position) {
        if !different.contains(&position) {
            different.push(position);
        }
        if different.len() == 3 {
            return Ok(());
        }
    }
    let why = format!("a ring has at least 3 different points, this one {}", different.len());
    Err(Invalid::new(field, why))
}

impl From<Point> for (i128, i128) {
    fn from(point: Point) -> Self {
        (point.x, point.y)
    }
}

/// Longitude from each corner to the next, the shorter way; refuses an edge that has none.
fn steps(field: &str, corners: &[Corner]) -> Result<Vec<i128>, Invalid> {
    let pairs = corners.iter().zip(corners.iter().cycle().skip(1));
    let step = |(from, to): (&Corner, &Corner)| {
        let step = to.point.x - from.point.x;
        if step.abs() == HALF_TURN {
            let why = format!(
                "the edge from it to point {} spans 180 degrees of longitude, so neither way round is shorter; \
                 put a point between them",
                to.given_as
            );
            return Err(Invalid::new(format!("{field}.points[{}]", from.given_as), why));
        }
        Ok(if step.abs() < HALF_TURN { step } else { step - TURN * step.signum() })
    };
    pairs.map(step).collect()
}

/// Refuses a ring that comes to a pole, leaves it and comes back: there it touches itself, whatever the longitudes.
fn one_visit(field: &str, corners: &[Corner], pole: i128, name: &str) -> Result<(), Invalid> {
    let before = corners.iter().cycle().skip(corners.len() - 1);
    let arrivals = corners.iter().zip(before).filter(|(to, from)| to.point.y == pole && from.point.y != pole);
    let arrivals: Vec<usize> = arrivals.map(|(to, _)| to.given_as).collect();
    match arrivals[..] {
        [first, second, ..] => {
            let why = format!("the ring touches itself: points {first} and {second} are both the {name} pole");
            Err(Invalid::new(format!("{field}.points[{second}]"), why))
        }
        _ => Ok(()),
    }
}
