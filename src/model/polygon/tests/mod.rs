//! Examples of good and bad polygons, each for one rule; `random` holds them against brute force.

mod oracle;
mod random;

use super::*;

fn at(lat: f64, lng: f64) -> LatLng {
    LatLng::new(lat, lng).unwrap()
}

fn ring(points: &[(f64, f64)]) -> Vec<LatLng> {
    points.iter().map(|(lat, lng)| at(*lat, *lng)).collect()
}

fn polygon(rings: &[&[(f64, f64)]]) -> GivenPolygon {
    let mut rings = rings.iter().map(|points| ring(points));
    GivenPolygon { outer: rings.next().unwrap(), holes: rings.collect() }
}

fn polygons(rings: &[&[(f64, f64)]]) -> Polygons {
    Polygons::new(&[polygon(rings)]).unwrap()
}

/// Asserts the fault's field, and that it says `why`.
fn refused(given: &[GivenPolygon], field: &str, why: &str) {
    let fault = Polygons::new(given).expect_err(why);
    assert_eq!(fault.field, field, "{fault}");
    assert!(fault.why.contains(why), "{fault}");
}

fn contains(polygons: &Polygons, inside: &[(f64, f64)], outside: &[(f64, f64)]) {
    for (lat, lng) in inside {
        assert!(polygons.contains(at(*lat, *lng)), "{lat},{lng} is inside");
    }
    for (lat, lng) in outside {
        assert!(!polygons.contains(at(*lat, *lng)), "{lat},{lng} is outside");
    }
}

const SQUARE: [(f64, f64); 4] = [(0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0)];
const INNER: [(f64, f64); 4] = [(3.0, 3.0), (3.0, 6.0), (6.0, 6.0), (6.0, 3.0)];
/// Rings round the world; the pole on the left is the north pole.
const CAP: [(f64, f64); 3] = [(60.0, -120.0), (60.0, 0.0), (60.0, 120.0)];
const SMALL_CAP: [(f64, f64); 3] = [(80.0, -120.0), (80.0, 0.0), (80.0, 120.0)];

fn reversed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    points.iter().rev().copied().collect()
}

/// Found by fuzzing: a corner 10^-300 degrees beside a meridian is taken for one on it, and the box around its ring began beside
/// it, so that a corner on the meridian was outside of the polygon that it is a corner of.
#[test]
fn a_corner_a_hair_beside_a_meridian_is_on_it() {
    let hair = f64::MIN_POSITIVE;
    for points in [[(80.0, hair), (0.0, 0.0), (80.0, 10.0)], [(80.0, 10.0), (80.0, hair), (0.0, 0.0)]] {
        let polygons = polygons(&[&points]);
        contains(&polygons, &points, &[(40.0, -1e-12)]);
        assert_ne!(polygons.relation(0.0, 0.0, 0.0, 0.0), Relation::Outside);
        assert_ne!(polygons.relation(80.0, hair, 80.0, hair), Relation::Outside);
    }
}

#[test]
fn a_fault_of_one_ring_says_where_it_stands() {
    let check = |points: &[(f64, f64)], field: &str, why: &str| {
        refused(&[polygon(&[points])], &format!("polygons[0].outer{field}"), why);
        refused(&[polygon(&[&SQUARE]), polygon(&[&SQUARE, points])], &format!("polygons[1].holes[0]{field}"), why);
    };
    check(&[], "", "at least 3 different points, this one 0");
    check(&[(1.0, 1.0), (2.0, 2.0)], "", "this one 2");
    check(&[(1.0, 1.0), (2.0, 2.0), (1.0, 1.0)], "", "this one 2");
    check(&[(1.0, 1.0), (1.0, 1.0), (2.0, 2.0), (2.0, 2.0)], "", "this one 2");
    check(&[(90.0, 1.0), (90.0, 2.0), (8.0, 2.0)], "", "this one 2");
    check(&[(1.0, 180.0), (1.0, -180.0), (2.0, 179.0)], "", "this one 2");
    // Collinear, a spike, a bow-tie, a corner on an edge, a corner that comes twice.
    check(&[(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)], "", "runs along");
    check(&[(1.0, 1.0), (1.0, 4.0), (1.0, 2.0), (4.0, 2.0)], "", "runs along");
    check(&[(1.0, 1.0), (4.0, 4.0), (4.0, 1.0), (1.0, 4.0)], "", "point 2 crosses the one that begins at point 0");
    check(&[(1.0, 1.0), (1.0, 5.0), (4.0, 5.0), (1.0, 3.0), (4.0, 1.0)], "", "touches");
    check(&[(1.0, 1.0), (1.0, 2.0), (2.0, 1.5), (3.0, 2.0), (3.0, 1.0), (2.0, 1.5)], "", "touches");
    check(&[(1.0, -90.0), (1.0, 90.0), (4.0, 5.0)], ".points[0]", "180 degrees of longitude");
    check(&[(1.0, 0.0), (1.0, 10.0), (4.0, 10.0), (4.0, -170.0)], ".points[2]", "to point 3 spans 180 degrees");
    let twice: Vec<_> = (0..8).map(|step| (10.0 + f64::from(step), f64::from(step * 90 % 360) - 180.0)).collect();
    check(&twice, "", "once or not at all, this one 2 times");
    check(&[(90.0, 0.0), (60.0, 0.0), (90.0, 20.0), (60.0, 20.0)], ".points[2]", "both the north pole");
}

#[test]
fn a_fault_counts_points_as_they_were_given() {
    let points = [(1.0, 1.0), (1.0, 1.0), (4.0, 4.0), (4.0, 4.0), (4.0, 1.0), (1.0, 4.0), (1.0, 1.0)];
    refused(&[polygon(&[&points])], "polygons[0].outer", "point 4 crosses the one that begins at point 0");
}

#[test]
fn a_fault_of_several_rings_names_the_later_one() {
    let check = |holes: &[&[(f64, f64)]], field: &str, why: &str| {
        let rings: Vec<&[(f64, f64)]> = std::iter::once(&SQUARE[..]).chain(holes.iter().copied()).collect();
        refused(&[polygon(&rings)], field, why);
    };
    let beside = [(3.0, 13.0), (3.0, 16.0), (6.0, 16.0)];
    let across = [(3.0, 3.0), (3.0, 16.0), (6.0, 16.0)];
    let around = [(-3.0, -3.0), (-3.0, 19.0), (19.0, 19.0), (19.0, -3.0)];
    let within = [(4.0, 4.0), (4.0, 5.0), (5.0, 5.0)];
    check(&[&beside], "polygons[0].holes[0]", "inside of its outer ring");
    check(&[&across], "polygons[0].holes[0]", "point 0 crosses the one that begins at point 1 of polygons[0].outer");
    let through_corners = [(3.0, 4.0), (0.0, 3.0), (-3.0, 4.0), (0.0, 5.0)];
    let through_corner = [(8.0, 8.0), (9.0, 9.0), (8.0, 10.0), (10.0, 8.0)];
    check(&[&through_corners], "polygons[0].holes[0]", "crosses");
    check(&[&through_corner], "polygons[0].holes[0]", "crosses");
    check(&[&around], "polygons[0].holes[0]", "inside of its outer ring");
    check(&[&SQUARE], "polygons[0].holes[0]", "runs along");
    check(&[&within, &INNER], "polygons[0].holes[0]", "inside of another one, polygons[0].holes[1]");
    check(&[&INNER, &[(4.0, 4.0), (4.0, 8.0), (5.0, 5.0)]], "polygons[0].holes[1]", "crosses");
    check(&[&CAP], "polygons[0].holes[0]", "holds the pole on its left");
    refused(&[polygon(&[&CAP, &reversed(&SMALL_CAP)])], "polygons[0].holes[0]", "holds the pole on its left");
    refused(&[polygon(&[&SMALL_CAP, &CAP])], "polygons[0].holes[0]", "inside of its outer ring");
}

#[test]
fn too_many_say_how_many_they_are() {
    refused(&[], "polygons", "between 1 and 100 rings, got 0");
    refused(&vec![polygon(&[&SQUARE]); 101], "polygons", "got 101");
    refused(
        &[polygon(&[&SQUARE]), GivenPolygon { holes: vec![vec![]; 99], ..polygon(&[&SQUARE]) }],
        "polygons",
        "got 101",
    );
    Polygons::new(&vec![polygon(&[&SQUARE]); 100]).unwrap();
    for (count, is_good) in [(10_000, true), (10_001, false), (100_000, false)] {
        let given = [GivenPolygon { outer: comb(count), holes: vec![] }];
        if is_good {
            Polygons::new(&given).unwrap();
        } else {
            refused(&given, "polygons", &format!("at most 10000 points in all rings, got {count}"));
        }
    }
}

/// A ring with so many points, an even number or one more: long thin teeth side by side.
fn comb(count: usize) -> Vec<LatLng> {
    let teeth = u32::try_from(count / 2).unwrap() - 1;
    let tooth = |at: u32| f64::from(at) * 160.0 / f64::from(teeth);
    let mut ring = ring(&[(-2.0, tooth(teeth) - 80.0), (-2.0, -80.0)]);
    ring.extend((0..teeth).flat_map(|n| [at(-1.0, tooth(n) - 80.0), at(80.0, tooth(n) - 79.999)]));
    ring.extend((count % 2 == 1).then(|| at(-1.0, tooth(teeth) - 80.0)));
    ring
}

#[test]
fn a_comb_of_ten_thousand_points_holds_its_teeth_alone() {
    let comb = Polygons::new(&[GivenPolygon { outer: comb(10_000), holes: vec![] }]).unwrap();
    let west = |tooth: i32| f64::from(tooth) * 160.0 / 4999.0 - 80.0;
    for tooth in [0, 1, 2500, 4998] {
        contains(&comb, &[(-1.0, west(tooth)), (79.9, west(tooth) + 0.001)], &[(79.9, west(tooth) + 0.02)]);
    }
    assert_eq!(comb.relation(85.0, -170.0, 89.0, 170.0), Relation::Outside);
    assert_eq!(comb.relation(-1.9, -79.0, -1.1, 79.0), Relation::Inside);
}

#[test]
fn lines_are_inside_those_of_holes_too() {
    let square = polygons(&[&SQUARE, &INNER]);
    let edges = [(0.0, 0.0), (0.0, 4.5), (9.0, 9.0), (3.0, 3.0), (3.0, 4.5), (6.0, 5.0)];
    contains(&square, &edges, &[(4.5, 4.5), (-0.1, 4.5), (9.0, 9.0_f64.next_up()), (3.0_f64.next_up(), 4.5)]);
    contains(&square, &[(0.0, 9.0), (4.5, 3.0)], &[(-1e-27, 4.5), (4.5, 3.0_f64.next_up())]);
}

#[test]
fn rings_may_touch_each_other_in_points() {
    let hole = [(0.0, 4.0), (3.0, 6.0), (3.0, 3.0)];
    let other = [(3.0, 3.0), (6.0, 6.0), (6.0, 3.0)];
    contains(&polygons(&[&SQUARE, &hole, &other]), &[(3.0, 3.0), (0.0, 4.0), (4.0, 5.0)], &[(2.0, 4.0), (5.0, 4.0)]);
}

#[test]
fn polygons_may_overlap_and_count_once() {
    let shifted: Vec<(f64, f64)> = SQUARE.iter().map(|(lat, lng)| (lat + 4.0, lng + 4.0)).collect();
    let both = Polygons::new(&[polygon(&[&SQUARE, &INNER]), polygon(&[&shifted])]).unwrap();
    contains(&both, &[(4.5, 4.5), (1.0, 1.0), (12.0, 12.0)], &[(3.5, 3.5), (12.0, 1.0)]);
    assert_eq!(both.bounds().len(), 2);
}

#[test]
fn the_antimeridian_is_a_line_like_any_other() {
    for (west, east) in [(170.0, -170.0), (180.0, -170.0), (-180.0, -170.0), (170.0, 180.0), (170.0, -180.0)] {
        let square = polygons(&[&[(0.0, west), (0.0, east), (9.0, east), (9.0, west)]]);
        contains(&square, &[(4.0, 180.0), (4.0, -180.0), (0.0, -180.0)], &[(4.0, 0.0), (4.0, 169.0), (4.0, -169.0)]);
        let [bounds] = square.bounds()[..] else { panic!("one box a polygon") };
        assert!(bounds.contains(at(4.0, 180.0)));
        assert_eq!(bounds.crosses_antimeridian(), (west, east) == (170.0, -170.0), "{bounds:?}");
        for lng in [-180.0, 180.0] {
            assert_ne!(square.relation(3.0, lng, 4.0, lng), Relation::Outside);
        }
        assert_eq!(square.relation(3.0, -160.0, 4.0, 160.0), Relation::Outside);
    }
}

#[test]
fn a_ring_round_the_world_holds_the_pole_on_its_left() {
    let north = polygons(&[&CAP]);
    contains(&north, &[(90.0, 17.0), (60.0, 50.0), (75.0, -180.0)], &[(59.0, 0.0), (-90.0, 0.0)]);
    assert_eq!(north.relation(61.0, -180.0, 90.0, 180.0), Relation::Inside);
    assert_eq!(north.relation(-90.0, -180.0, 59.0, 180.0), Relation::Outside);
    let south = polygons(&[&reversed(&CAP)]);
    contains(&south, &[(-90.0, 17.0), (60.0, 50.0), (59.0, 0.0)], &[(61.0, 0.0), (90.0, 0.0)]);
    let band = polygons(&[&CAP, &SMALL_CAP]);
    contains(&band, &[(60.0, 9.0), (70.0, 180.0), (80.0, 9.0)], &[(81.0, 9.0), (90.0, 0.0), (59.0, 9.0)]);
    assert_eq!(north.bounds(), [BoundingBox::new(at(60.0, -180.0), at(90.0, 180.0)).unwrap()]);
    assert_eq!(south.bounds(), [BoundingBox::new(at(-90.0, -180.0), at(60.0, 180.0)).unwrap()]);
}

#[test]
fn a_pole_is_one_point_at_all_longitudes() {
    let wedge = polygons(&[&[(90.0, 10.0), (60.0, 0.0), (60.0, 20.0)]]);
    contains(&wedge, &[(90.0, 10.0), (90.0, -100.0), (61.0, 10.0)], &[(89.0, -100.0), (-90.0, 10.0)]);
    assert!(wedge.bounds().iter().any(|bounds| bounds.contains(at(90.0, -100.0))));
    assert_eq!(wedge.relation(80.0, -110.0, 90.0, -100.0), Relation::Mixed);
    assert_eq!(wedge.relation(80.0, -110.0, 89.0, -100.0), Relation::Outside);
    // With an edge from the pole to itself, by way of another longitude.
    let quadrant = polygons(&[&[(90.0, 0.0), (0.0, 0.0), (0.0, 90.0), (90.0, 90.0)]]);
    contains(&quadrant, &[(89.0, 45.0), (90.0, -45.0), (89.0, 0.0)], &[(89.0, -45.0), (89.0, 91.0)]);
}

#[test]
fn the_text_tells_polygons_apart_and_is_short() {
    let texts: Vec<String> =
        [polygons(&[&CAP]), polygons(&[&reversed(&CAP)]), polygons(&[&SQUARE]), polygons(&[&SQUARE, &INNER])]
            .iter()
            .map(|polygons| format!("{polygons:?}"))
            .collect();
    assert!((0..texts.len()).all(|one| (0..one).all(|other| texts[one] != texts[other])), "{texts:?}");
    let comb = Polygons::new(&[GivenPolygon { outer: comb(10_000), holes: vec![] }]).unwrap();
    assert!(format!("{comb:?}").len() < 10_000 * 150);
}
