//! Polygons of a request.

#[cfg(test)]
mod fuzz;

use crate::api::proto::waymark::v1 as pb;
use crate::model::Invalid;
use crate::model::geo::LatLng;
use crate::model::polygon::{GivenPolygon, Polygons};

/// The polygons of a request's field `polygons`, checked. A fault names the ring and, where it is one point's, the point,
/// both counted from 0: `polygons[2].holes[1].points[17].lat`. Costs what [`Polygons::new`] does.
pub(in crate::api) fn parse_polygons(polygons: &[pb::Polygon]) -> Result<Polygons, Invalid> {
    let given = polygons
        .iter()
        .enumerate()
        .map(|(at, polygon)| given_polygon(polygon).map_err(|fault| fault.within(&format!("polygons[{at}]"))));
    Polygons::new(&given.collect::<Result<Vec<_>, _>>()?)
}

fn given_polygon(polygon: &pb::Polygon) -> Result<GivenPolygon, Invalid> {
    let outer = polygon.outer.as_ref().ok_or_else(|| Invalid::new("outer", "a ring is required"))?;
    let outer = positions(outer).map_err(|fault| fault.within("outer"))?;
    let holes = polygon.holes.iter().enumerate();
    let holes = holes.map(|(at, hole)| positions(hole).map_err(|fault| fault.within(&format!("holes[{at}]"))));
    Ok(GivenPolygon { outer, holes: holes.collect::<Result<_, _>>()? })
}

/// The points of a ring. Paths are put together only for a fault: a ring may have many thousand points.
fn positions(ring: &pb::Ring) -> Result<Vec<LatLng>, Invalid> {
    let position = |(at, point): (usize, &pb::LatLng)| {
        LatLng::new(point.lat, point.lng).map_err(|fault| fault.within(&format!("points[{at}]")))
    };
    ring.points.iter().enumerate().map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: [(f64, f64); 4] = [(0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0)];
    const HOLE: [(f64, f64); 3] = [(2.0, 2.0), (2.0, 4.0), (4.0, 2.0)];

    fn ring(points: &[(f64, f64)]) -> pb::Ring {
        pb::Ring { points: points.iter().map(|(lat, lng)| pb::LatLng { lat: *lat, lng: *lng }).collect() }
    }

    fn polygon(outer: &[(f64, f64)], holes: &[&[(f64, f64)]]) -> pb::Polygon {
        pb::Polygon { outer: Some(ring(outer)), holes: holes.iter().map(|hole| ring(hole)).collect() }
    }

    #[test]
    fn latitude_longitude_and_holes_keep_their_places() {
        let wide = [(0.0, 0.0), (0.0, 20.0), (9.0, 20.0), (9.0, 0.0)];
        let polygons = parse_polygons(&[polygon(&wide, &[&HOLE])]).unwrap();
        let contains = |lat, lng| polygons.contains(LatLng::new(lat, lng).unwrap());
        assert!(contains(8.0, 19.0));
        assert!(!contains(19.0, 8.0));
        assert!(!contains(2.5, 2.5));
    }

    #[test]
    fn a_fault_says_where_it_stands() {
        let check = |polygons: &[pb::Polygon], field: &str| {
            assert_eq!(parse_polygons(polygons).unwrap_err().field, field);
        };
        let good = polygon(&SQUARE, &[]);
        let far_point = polygon(&[(0.0, 0.0), (0.0, 9.0), (91.0, 9.0)], &[]);
        check(&[], "polygons");
        check(&[good.clone(), pb::Polygon::default()], "polygons[1].outer");
        check(&[pb::Polygon { outer: Some(pb::Ring::default()), holes: vec![] }], "polygons[0].outer");
        check(&[good.clone(), far_point], "polygons[1].outer.points[2].lat");
        check(&[polygon(&SQUARE, &[&HOLE, &[(1.0, 1.0), (1.0, f64::NAN)]])], "polygons[0].holes[1].points[1].lng");
        check(&[polygon(&SQUARE, &[&[]])], "polygons[0].holes[0]");
        check(&[good, polygon(&[(0.0, -90.0), (0.0, 90.0), (9.0, 0.0)], &[])], "polygons[1].outer.points[0]");
    }
}
