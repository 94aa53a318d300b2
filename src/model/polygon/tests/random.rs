//! Random polygons held against the oracle: stars that are good by their making, and tangles that mostly are not.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::{GivenPolygon, Polygons, Relation};
use super::oracle::{DEGREE, Line, ROUND, Spot, Where, eastward, fits, place, position};

/// An outer ring, and holes.
#[derive(Debug, Clone)]
struct Rings(Vec<Vec<Spot>>);

impl Rings {
    fn given(&self) -> GivenPolygon {
        let mut rings = self.0.iter().map(|ring| ring.iter().map(|spot| position(*spot)).collect());
        GivenPolygon { outer: rings.next().unwrap(), holes: rings.collect() }
    }

    fn polygons(&self) -> Polygons {
        Polygons::new(&[self.given()]).unwrap()
    }

    fn lines(&self) -> Vec<Line> {
        self.0.iter().map(|ring| Line::follow(ring).unwrap()).collect()
    }

    fn map(&self, change: impl Fn(Spot) -> Spot) -> Self {
        Self(self.0.iter().map(|ring| ring.iter().map(|spot| change(*spot)).collect()).collect())
    }

    fn reversed(&self) -> Self {
        Self(self.0.iter().map(|ring| ring.iter().rev().copied().collect()).collect())
    }

    /// Spots that say most: corners, middles of edges, spots a hair beside both, and those given.
    fn probes(&self, more: &[Spot]) -> Vec<Spot> {
        let pairs = self.0.iter().flat_map(|ring| ring.iter().zip(ring.iter().cycle().skip(1)));
        let middles = pairs.map(|(a, b)| {
            let by = (b.1 - a.1 + ROUND / 2).rem_euclid(ROUND) - ROUND / 2;
            eastward((i64::midpoint(a.0, b.0), a.1), by / 2)
        });
        let on: Vec<Spot> = self.0.iter().flatten().copied().chain(middles).collect();
        let beside = on.iter().flat_map(|spot| {
            let (lat, lng) = *spot;
            [(lat + 1, lng), (lat - 1, lng), (lat, lng + 1), (lat, lng - 1)]
        });
        let beside = beside.filter(|spot| spot.0.abs() <= 90 * DEGREE).map(|spot| eastward(spot, 0));
        on.iter().copied().chain(beside).chain(more.iter().copied()).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "degrees of the world in units are far below 2^63")]
fn units(degrees: f64) -> i64 {
    (degrees * 1_048_576.0).round() as i64
}

/// Angles of a full turn in order, none of them half a turn from the next, and a radius for each.
fn any_rays(least: usize) -> impl Strategy<Value = Vec<(f64, f64)>> {
    prop::collection::vec((0.0..0.45_f64, 0.2..1.0_f64), least..24).prop_map(|rays| {
        let turn = 360.0 / f64::from(u32::try_from(rays.len()).unwrap());
        (0..).zip(&rays).map(|(at, (jitter, radius))| ((f64::from(at) + jitter) * turn, *radius)).collect()
    })
}

/// Corners on rays round a spot anywhere, with a hole like it or none.
fn any_star() -> impl Strategy<Value = Rings> {
    let sizes = select(vec![0.01, 1.0, 30.0, 85.0]);
    (any_rays(3), sizes, -90.0..90.0_f64, -180.0..180.0_f64, any::<bool>()).prop_map(
        |(rays, size, lat, lng, is_hollow)| {
            let lat = units(lat.clamp(size - 90.0, 90.0 - size));
            let ring = |scale: f64| -> Vec<Spot> {
                let spot = |(angle, radius): &(f64, f64)| {
                    let (sin, cos) = angle.to_radians().sin_cos();
                    let reach = radius * size * scale;
                    eastward((lat + units(sin * reach), units(lng)), units(cos * reach))
                };
                rays.iter().map(spot).collect()
            };
            Rings(if is_hollow { vec![ring(1.0), ring(0.5)] } else { vec![ring(1.0)] })
        },
    )
}

/// A ring round the world and the north pole, with a hole round the pole or none.
fn any_cap() -> impl Strategy<Value = Rings> {
    (any_rays(4), -180.0..180.0_f64, any::<bool>()).prop_map(|(rays, lng, is_hollow)| {
        let ring = |lift: f64| -> Vec<Spot> {
            rays.iter()
                .map(|(angle, radius)| eastward((units(lift - radius * 100.0), units(lng)), units(*angle)))
                .collect()
        };
        Rings(if is_hollow { vec![ring(80.0), ring(100.0)] } else { vec![ring(80.0)] })
    })
}

/// Spots on a coarse grid: `step` degrees wide, `lats` and `lngs` steps to each side.
fn any_tangle(step: i64, lats: i64, lngs: i64, corners: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Spot>> {
    let spot = (-lats..=lats, -lngs..=lngs).prop_map(move |(lat, lng)| (lat * step * DEGREE, lng * step * DEGREE));
    prop::collection::vec(spot, corners)
}

/// How far a world is turned: anywhere, in units, and often so that corners come onto the 180th meridian.
fn any_turn() -> impl Strategy<Value = i64> {
    prop_oneof![-ROUND / 2..ROUND / 2, (-6..=6_i64).prop_map(|by| ROUND / 2 + by * DEGREE)]
}

fn any_spots() -> impl Strategy<Value = Vec<Spot>> {
    prop::collection::vec((-90 * DEGREE..=90 * DEGREE, -ROUND / 2..ROUND / 2), 20)
}

/// Asserts what good rings hold, how they lie to rectangles and that their boxes hold all of it.
fn check(rings: &Rings, probes: &[Spot], corners: &[(Index, Index)]) -> Result<(), TestCaseError> {
    let (polygons, lines) = (rings.polygons(), rings.lines());
    let probes = rings.probes(probes);
    let is_inside = |spot: Spot| place(&lines[0], &lines[1..], spot) != Where::Outside;
    let bounds = polygons.bounds();
    for spot in &probes {
        let position = position(*spot);
        prop_assert_eq!(polygons.contains(position), is_inside(*spot), "{:?}", position);
        if is_inside(*spot) {
            prop_assert!(bounds.iter().any(|bounds| bounds.contains(position)), "{bounds:?} holds {position:?}");
        }
        check_point(&polygons, *spot, place(&lines[0], &lines[1..], *spot))?;
    }
    if let Some(width) = lines[0].width() {
        let (low, high) = (bounds[0].low.lng(), bounds[0].high.lng());
        prop_assert_eq!(units((high - low).rem_euclid(360.0)), width);
    }
    for (one, other) in corners {
        let (one, other) = (one.get(&probes), other.get(&probes));
        let (south, north) = (one.0.min(other.0), one.0.max(other.0));
        let (west, east) = (one.1.min(other.1), one.1.max(other.1));
        let (low, high) = (position((south, west)), position((north, east)));
        let relation = polygons.relation(low.lat(), low.lng(), high.lat(), high.lng());
        let steps = |from: i64, to: i64| (0..=4).map(move |step| from + (to - from) * step / 4);
        let grid = steps(south, north).flat_map(|lat| steps(west, east).map(move |lng| (lat, lng)));
        let here = |spot: &&Spot| (south..=north).contains(&spot.0) && (west..=east).contains(&spot.1);
        let samples: Vec<Spot> = grid.chain(probes.iter().filter(here).copied()).collect();
        let expect = match relation {
            Relation::Mixed => continue,
            Relation::Inside => true,
            Relation::Outside => false,
        };
        for spot in samples {
            prop_assert_eq!(is_inside(spot), expect, "{:?} of {:?} to {:?}: {:?}", spot, low, high, relation);
        }
    }
    Ok(())
}

/// Asserts that a rectangle of one point is told as sure as can be: only a line through it, or a pole, may make it mixed.
fn check_point(polygons: &Polygons, spot: Spot, place: Where) -> Result<(), TestCaseError> {
    let (lat, lng) = position(spot).into();
    let relation = polygons.relation(lat, lng, lat, lng);
    match place {
        Where::Line if lat.abs() >= 90.0 => prop_assert_ne!(relation, Relation::Outside),
        _ if lat.abs() >= 90.0 => {}
        Where::Line => prop_assert_eq!(relation, Relation::Mixed),
        Where::Inside => prop_assert_eq!(relation, Relation::Inside),
        Where::Outside => prop_assert_eq!(relation, Relation::Outside),
    }
    Ok(())
}

/// A tangle is a good ring where no two of its edges meet, and then holds what the oracle says.
fn check_tangle(tangle: &[Spot], turn: i64, spots: &[Spot], corners: &[(Index, Index)]) -> Result<(), TestCaseError> {
    let rings = Rings(vec![tangle.iter().map(|spot| eastward(*spot, turn)).collect()]);
    let is_good = Line::follow(tangle).is_some_and(|line| line.is_simple());
    let found = Polygons::new(&[rings.given()]);
    prop_assert_eq!(found.is_ok(), is_good, "{:?}", found.err());
    if is_good { check(&rings, spots, corners) } else { Ok(()) }
}

fn any_corners() -> impl Strategy<Value = Vec<(Index, Index)>> {
    prop::collection::vec(any::<(Index, Index)>(), 20)
}

proptest! {
    #[test]
    fn stars_hold_what_they_should(
        star in any_star(), turn in any_turn(), spots in any_spots(), corners in any_corners(),
    ) {
        check(&star, &spots, &corners)?;
        let turned = star.map(|spot| eastward(spot, turn));
        check(&turned, &spots, &corners)?;
        let (here, there, back) = (star.polygons(), turned.polygons(), star.reversed().polygons());
        for spot in star.probes(&spots) {
            let inside = here.contains(position(spot));
            prop_assert_eq!(there.contains(position(eastward(spot, turn))), inside, "{:?} by {}", spot, turn);
            prop_assert_eq!(back.contains(position(spot)), inside, "{:?} reversed", spot);
        }
    }

    #[test]
    fn caps_hold_what_they_should(cap in any_cap(), spots in any_spots(), corners in any_corners()) {
        check(&cap, &spots, &corners)?;
        check(&cap.map(|(lat, lng)| (-lat, lng)).reversed(), &spots, &corners)?;
        // Its other side is all that it does not hold; the line belongs to both.
        let ring = Rings(vec![cap.0[0].clone()]);
        let (north, south) = (ring.polygons(), ring.reversed().polygons());
        let line = &ring.lines()[0];
        for spot in ring.probes(&spots) {
            let both = line.place(spot) == Where::Line;
            prop_assert_eq!(north.contains(position(spot)) == south.contains(position(spot)), both, "{:?}", spot);
        }
    }

    #[test]
    fn tangles_are_good_where_no_two_edges_meet(
        tangle in any_tangle(2, 3, 3, 3..9), turn in any_turn(), spots in any_spots(), corners in any_corners(),
    ) {
        check_tangle(&tangle, turn, &spots, &corners)?;
    }

    #[test]
    fn tangles_round_the_world_are_good_where_no_two_edges_meet(
        tangle in any_tangle(30, 3, 6, 3..8), turn in any_turn(), spots in any_spots(), corners in any_corners(),
    ) {
        check_tangle(&tangle, turn, &spots, &corners)?;
    }

    #[test]
    fn holes_are_good_where_they_stay_inside(
        outer in prop_oneof![any_tangle(4, 3, 3, 3..6), Just(square(6)), Just(square(4))],
        holes in prop::collection::vec(any_tangle(2, 3, 3, 3..5), 1..3),
        turn in any_turn(), spots in any_spots(), corners in any_corners(),
    ) {
        let rings: Vec<Vec<Spot>> = std::iter::once(outer).chain(holes).collect();
        let lines: Option<Vec<Line>> = rings.iter().map(|ring| Line::follow(ring)).collect();
        let Some(lines) = lines.filter(|lines| lines.iter().all(Line::is_simple)) else { return Ok(()) };
        let rings = Rings(rings).map(|spot| eastward(spot, turn));
        let found = Polygons::new(&[rings.given()]);
        prop_assert_eq!(found.is_ok(), fits(&lines[0], &lines[1..]), "{:?}", found.err());
        if found.is_ok() {
            check(&rings, &spots, &corners)?;
        }
    }
}

/// A square round 0°N 0°E.
fn square(degrees: i64) -> Vec<Spot> {
    let side = degrees * DEGREE;
    vec![(-side, -side), (-side, side), (side, side), (side, -side)]
}
