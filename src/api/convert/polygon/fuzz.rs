//! Mutants of polygons as requests hold them: refused with the ring at fault, or asked for points and rectangles that must
//! agree with each other.

use prost::Message as _;

use super::*;
use crate::fuzzing::{Target, mutate_message, sketch};
use crate::model::polygon::{POINTS_MAX, RINGS_MAX, Relation};

/// Mutants of a run of the tests.
const RUNS: u64 = 15_000;
/// Most points of a mutant that are asked about.
const PROBES_MAX: usize = 40;
/// What the plane tells apart whatever the bits, in degrees: 2^-43. A corner nearer to a meridian or the equator may be cut to it.
const TELLING_DEGREES: f64 = 1.136_868_377_216_160_3e-13;

fn ring(points: &[(f64, f64)]) -> pb::Ring {
    pb::Ring { points: points.iter().map(|(lat, lng)| pb::LatLng { lat: *lat, lng: *lng }).collect() }
}

fn polygon(outer: &[(f64, f64)], holes: &[&[(f64, f64)]]) -> pb::Polygon {
    pb::Polygon { outer: Some(ring(outer)), holes: holes.iter().map(|hole| ring(hole)).collect() }
}

/// A square with a hole, one over the 180th meridian, one round a pole, one that touches itself, and a star of many corners.
fn seeds() -> Vec<Vec<u8>> {
    let square = [(0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0), (0.0, 0.0)];
    let hole = [(2.0, 2.0), (4.0, 2.0), (2.0, 4.0)];
    let pacific = [(-20.0, 170.0), (-20.0, -170.0), (20.0, -170.0), (20.0, 170.0)];
    let polar = [(60.0, -120.0), (60.0, 0.0), (60.0, 120.0)];
    let bow = [(0.0, 0.0), (9.0, 9.0), (0.0, 9.0), (9.0, 0.0)];
    let pole = [(90.0, 0.0), (80.0, 10.0), (80.0, -10.0)];
    let star: Vec<(f64, f64)> = (0..40_u32)
        .map(|at| {
            let (sin, cos) = (f64::from(at) * 9.0).to_radians().sin_cos();
            let reach = if at % 2 == 0 { 20.0 } else { 7.5 };
            (47.0 + sin * reach, 8.5 + cos * reach)
        })
        .collect();
    let all = [
        vec![polygon(&square, &[&hole])],
        vec![polygon(&pacific, &[])],
        vec![polygon(&polar, &[]), polygon(&square, &[])],
        vec![polygon(&bow, &[])],
        vec![polygon(&pole, &[])],
        vec![polygon(&star, &[&hole])],
        vec![polygon(&star, &[])],
    ];
    let request =
        |polygons| pb::ListPolygonSitesRequest { parent: "accounts/acme".into(), polygons, ..Default::default() };
    all.map(|polygons| request(polygons).encode_to_vec()).to_vec()
}

#[test]
fn no_mutant_of_a_polygon_panics_or_contradicts_itself() {
    let target = Target { name: "polygons", seeds: seeds(), mutate: mutate_message, runs: RUNS, cost: 20 };
    let outcomes = target.run(outcome_of);
    let taken = outcomes.iter().filter(|outcome| outcome.starts_with("taken")).count();
    assert!(taken > 5 && outcomes.len() > taken + 10, "the mutants do not get far: {outcomes:?}");
}

fn outcome_of(mutant: &[u8]) -> String {
    let Ok(request) = pb::ListPolygonSitesRequest::decode(mutant) else { return "no message".to_owned() };
    let polygons = match parse_polygons(&request.polygons) {
        Ok(polygons) => polygons,
        Err(fault) => {
            assert!(fault.field.starts_with("polygons"), "{fault}");
            return sketch(&fault.to_string());
        }
    };
    let rings = || request.polygons.iter().flat_map(|polygon| polygon.outer.iter().chain(&polygon.holes));
    let points: usize = rings().map(|ring| ring.points.len()).sum();
    assert!((1..=RINGS_MAX).contains(&rings().count()) && points <= POINTS_MAX);
    let is_told =
        |at: &LatLng| [at.lat(), at.lng()].iter().all(|degrees| *degrees == 0.0 || degrees.abs() >= TELLING_DEGREES);
    let corners: Vec<LatLng> = rings()
        .flat_map(|ring| &ring.points)
        .map(|point| LatLng::new(point.lat, point.lng).unwrap())
        .filter(is_told)
        .take(PROBES_MAX)
        .collect();
    let middles = corners.windows(2).filter_map(|pair| {
        LatLng::new(f64::midpoint(pair[0].lat(), pair[1].lat()), f64::midpoint(pair[0].lng(), pair[1].lng()))
            .ok()
            .filter(is_told)
    });
    let probes: Vec<LatLng> = corners.iter().copied().chain(middles).collect();
    let turned = parse_polygons(&turned(request.polygons.clone())).expect("it is the same, begun at another corner");
    let (bounds, mut inside) = (polygons.bounds(), 0);
    for (at, probe) in probes.iter().enumerate() {
        let (is_inside, asked) = polygons.ask(*probe);
        assert!(asked <= request.polygons.len(), "{asked} polygons were asked");
        assert!(is_inside || at >= corners.len(), "the corner {probe:?} is outside");
        assert!(!is_inside || bounds.iter().any(|bounds| bounds.contains(*probe)), "{bounds:?} do not hold {probe:?}");
        assert_eq!(turned.contains(*probe), is_inside, "{probe:?}, where the rings begin at another corner");
        inside += usize::from(is_inside);
    }
    for pair in probes.windows(2) {
        check_rectangle(&polygons, pair[0], pair[1], &probes);
    }
    format!("taken {} {} {}", rings().count().min(4), bounds.len().min(4), inside == probes.len())
}

/// The same rings, begun at their second points.
fn turned(mut polygons: Vec<pb::Polygon>) -> Vec<pb::Polygon> {
    for ring in polygons.iter_mut().flat_map(|polygon| polygon.outer.iter_mut().chain(&mut polygon.holes)) {
        if !ring.points.is_empty() {
            ring.points.rotate_left(1);
        }
    }
    polygons
}

/// What is said of a rectangle is so for each probe in it.
fn check_rectangle(polygons: &Polygons, one: LatLng, other: LatLng, probes: &[LatLng]) {
    let (south, north) = (one.lat().min(other.lat()), one.lat().max(other.lat()));
    let (west, east) = (one.lng().min(other.lng()), one.lng().max(other.lng()));
    let relation = polygons.relation(south, west, north, east);
    let is_in = |probe: &&LatLng| (south..=north).contains(&probe.lat()) && (west..=east).contains(&probe.lng());
    for probe in probes.iter().filter(is_in) {
        let expect = match relation {
            Relation::Mixed => continue,
            Relation::Inside => true,
            Relation::Outside => false,
        };
        assert_eq!(polygons.contains(*probe), expect, "{probe:?} of {south} {west} to {north} {east}: {relation:?}");
    }
}
