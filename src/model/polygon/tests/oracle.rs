//! What polygons must answer, the slow way: every edge against every edge, and winding numbers.
//!
//! Shares no code with what it judges. Positions are whole numbers of 2^-20 degrees, so that all of it is exact.

use std::cmp::Ordering;

use crate::model::geo::LatLng;

/// Units in a degree.
pub(super) const DEGREE: i64 = 1 << 20;
/// Units once round the world.
pub(super) const ROUND: i64 = 360 * DEGREE;
const POLE: i64 = 90 * DEGREE;

/// Latitude and longitude in units.
pub(super) type Spot = (i64, i64);

/// The position of a spot.
#[expect(clippy::cast_precision_loss, reason = "360 * 2^20 is far below 2^53")]
pub(super) fn position((lat, lng): Spot) -> LatLng {
    LatLng::new(lat as f64 / DEGREE as f64, lng as f64 / DEGREE as f64).unwrap()
}

/// The spot so many units further east, its longitude in [-180, 180) degrees.
pub(super) fn eastward((lat, lng): Spot, by: i64) -> Spot {
    (lat, (lng + by + ROUND / 2).rem_euclid(ROUND) - ROUND / 2)
}

/// Where a spot lies to a line or a polygon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Outside,
    Line,
    Inside,
}

/// A ring as a line that is followed round the world: longitudes do not jump at the 180th meridian.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The corners, and at the end the first one again, as many turns away as the ring goes round.
    spots: Vec<Spot>,
    turns: i64,
}

impl Line {
    /// Follows a ring. `None` for fewer than three different spots, an edge of half a turn, or more turns than one.
    pub(super) fn follow(ring: &[Spot]) -> Option<Self> {
        let mut corners: Vec<Spot> = ring.iter().map(|spot| eastward(*spot, 0)).collect();
        corners.dedup();
        while corners.len() > 1 && corners.first() == corners.last() {
            corners.pop();
        }
        let mut different: Vec<Spot> =
            corners.iter().map(|(lat, lng)| (*lat, if lat.abs() == POLE { 0 } else { *lng })).collect();
        different.sort_unstable();
        different.dedup();
        if different.len() < 3 {
            return None;
        }
        corners.push(corners[0]);
        let mut spots = vec![corners[0]];
        for pair in corners.windows(2) {
            let by = (pair[1].1 - pair[0].1).rem_euclid(ROUND);
            let by = match by.cmp(&(ROUND / 2)) {
                Ordering::Less => by,
                Ordering::Equal => return None,
                Ordering::Greater => by - ROUND,
            };
            spots.push((pair[1].0, spots[spots.len() - 1].1 + by));
        }
        let turns = (spots[spots.len() - 1].1 - spots[0].1) / ROUND;
        (turns.abs() <= 1).then_some(Self { spots, turns })
    }

    /// Width and height of what the line holds; `None` where it goes round the world.
    pub(super) fn width(&self) -> Option<i64> {
        let lngs = || self.spots.iter().map(|spot| spot.1);
        let width = lngs().max().unwrap() - lngs().min().unwrap();
        (self.turns == 0 && width < ROUND).then_some(width)
    }

    /// Whether it neither crosses nor touches itself.
    pub(super) fn is_simple(&self) -> bool {
        let edges = self.edges();
        let last = edges.len() - 1;
        let pairs = (0..=last).flat_map(|at| (0..at).map(move |other| (other, at)));
        pairs.into_iter().all(|(at, other)| {
            let (one, two) = (edges[at], edges[other]);
            if other == at + 1 {
                return !folds_back(one.0, one.1, two.1);
            }
            if at == 0 && other == last {
                return !folds_back(two.0, two.1, shift(one.1, two.1.1 - one.0.1));
            }
            (-3..=3).all(|turn| !shares_a_spot(one, (shift(two.0, turn * ROUND), shift(two.1, turn * ROUND))))
        }) && self.visits(POLE) <= 1
            && self.visits(-POLE) <= 1
    }

    fn edges(&self) -> Vec<(Spot, Spot)> {
        self.spots.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// How often it comes to a latitude.
    fn visits(&self, lat: i64) -> usize {
        self.edges().iter().filter(|edge| edge.0.0 != lat && edge.1.0 == lat).count()
    }

    /// Where a spot lies. A line round the world is closed beyond the pole on its left.
    pub(super) fn place(&self, spot: Spot) -> Where {
        if spot.0.abs() == POLE {
            if self.visits(spot.0) > 0 {
                return Where::Line;
            }
            return if spot.0.signum() == self.turns { Where::Inside } else { Where::Outside };
        }
        let mut closed = Vec::new();
        let turns = if self.turns == 0 { 0..=0 } else { -4..=4 };
        for turn in turns {
            closed.extend(self.spots.iter().map(|spot| shift(*spot, turn * self.turns * ROUND)));
        }
        let line = closed.len();
        if self.turns != 0 {
            let beyond = self.turns * (POLE + DEGREE);
            closed.push((beyond, closed[line - 1].1));
            closed.push((beyond, closed[0].1));
        }
        // Near the middle of the line that goes on and on, or at all its places for one that comes back.
        let near = spot.1 + (self.spots[0].1 - spot.1).div_euclid(ROUND) * ROUND;
        let mut inside = false;
        for turn in if self.turns == 0 { -3..=3 } else { 0..=0 } {
            let spot = (spot.0, near + turn * ROUND);
            if closed[..line].windows(2).any(|pair| is_on(spot, pair[0], pair[1])) {
                return Where::Line;
            }
            inside |= winding(spot, &closed) != 0;
        }
        if inside { Where::Inside } else { Where::Outside }
    }
}

/// Where a spot lies in an outer line with holes.
pub(super) fn place(outer: &Line, holes: &[Line], spot: Spot) -> Where {
    let in_holes: Vec<Where> = holes.iter().map(|hole| hole.place(spot)).collect();
    match outer.place(spot) {
        Where::Inside if in_holes.contains(&Where::Inside) => Where::Outside,
        Where::Inside if in_holes.contains(&Where::Line) => Where::Line,
        place => place,
    }
}

/// Whether simple lines, none round the world, make an outer ring and holes. Where they share single spots and do not
/// cross, those are corners, so the middles between them tell how each piece lies.
pub(super) fn fits(outer: &Line, holes: &[Line]) -> bool {
    let stays = |line: &Line, other: &Line, no: Where| {
        line.edges().iter().all(|edge| middles(*edge, other).into_iter().all(|spot| other.place(spot) != no))
    };
    let meets_badly = |one: &Line, other: &Line| {
        one.edges().iter().any(|edge| {
            let others = other.edges();
            let mut copies = others.iter().flat_map(|other| (-3..=3).map(|turn| (*other, turn * ROUND)));
            copies.any(|((a, b), by)| crosses_or_overlaps(*edge, (shift(a, by), shift(b, by))))
        })
    };
    let pairs = || (0..holes.len()).flat_map(|at| (0..at).map(move |other| (&holes[at], &holes[other])));
    holes.iter().all(|hole| !meets_badly(hole, outer) && stays(hole, outer, Where::Outside))
        && pairs().all(|(one, other)| {
            !meets_badly(one, other) && stays(one, other, Where::Inside) && stays(other, one, Where::Inside)
        })
}

/// The middle of each piece into which the corners of `other` cut an edge.
fn middles((a, b): (Spot, Spot), other: &Line) -> Vec<Spot> {
    let corners = other.spots.iter().flat_map(|spot| (-3..=3).map(|turn| shift(*spot, turn * ROUND)));
    let mut cuts: Vec<Spot> = corners.filter(|spot| is_on(*spot, a, b)).chain([a, b]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2)
        .map(|pair| {
            let sum = (pair[0].0 + pair[1].0, pair[0].1 + pair[1].1);
            assert_eq!((sum.0 % 2, sum.1 % 2), (0, 0), "corners stand on even units");
            (sum.0 / 2, sum.1 / 2)
        })
        .collect()
}

fn shift((lat, lng): Spot, by: i64) -> Spot {
    (lat, lng + by)
}

/// Twice the signed area of a triangle, positive for a turn to the left.
fn area(a: Spot, b: Spot, c: Spot) -> i128 {
    let of = |from: i64, to: i64| i128::from(to) - i128::from(from);
    of(a.1, b.1) * of(a.0, c.0) - of(a.1, c.1) * of(a.0, b.0)
}

fn is_on(spot: Spot, a: Spot, b: Spot) -> bool {
    let between = |x: i64, a: i64, b: i64| a.min(b) <= x && x <= a.max(b);
    area(a, b, spot) == 0 && between(spot.0, a.0, b.0) && between(spot.1, a.1, b.1)
}

/// Whether the way from `a` over `b` to `c` runs back along itself.
fn folds_back(a: Spot, b: Spot, c: Spot) -> bool {
    area(a, b, c) == 0 && (a.0 - b.0) * (c.0 - b.0) + (a.1 - b.1) * (c.1 - b.1) > 0
}

fn crosses(one: (Spot, Spot), two: (Spot, Spot)) -> bool {
    let parts = |(a, b): (Spot, Spot), (c, d): (Spot, Spot)| area(a, b, c).signum() * area(a, b, d).signum() < 0;
    parts(one, two) && parts(two, one)
}

fn shares_a_spot(one: (Spot, Spot), two: (Spot, Spot)) -> bool {
    crosses(one, two)
        || [two.0, two.1].into_iter().any(|spot| is_on(spot, one.0, one.1))
        || [one.0, one.1].into_iter().any(|spot| is_on(spot, two.0, two.1))
}

/// Whether two edges go through each other or share more than a spot.
fn crosses_or_overlaps(one: (Spot, Spot), two: (Spot, Spot)) -> bool {
    let mut shared: Vec<Spot> = [two.0, two.1].into_iter().filter(|spot| is_on(*spot, one.0, one.1)).collect();
    shared.extend([one.0, one.1].into_iter().filter(|spot| is_on(*spot, two.0, two.1)));
    shared.sort_unstable();
    shared.dedup();
    crosses(one, two) || shared.len() > 1
}

/// How often a closed line that does not pass through the spot winds round it.
fn winding(spot: Spot, closed: &[Spot]) -> i32 {
    let edges = closed.iter().zip(closed.iter().cycle().skip(1));
    edges
        .map(|(a, b)| match (a.0 <= spot.0, b.0 <= spot.0) {
            (true, false) if area(*a, *b, spot) > 0 => 1,
            (false, true) if area(*a, *b, spot) < 0 => -1,
            _ => 0,
        })
        .sum()
}
