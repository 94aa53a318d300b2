//! Reads `TopoJSON`: quantised arcs that neighbours share, into lines with the areas on their sides.
//!
//! Takes of the format what world-atlas has: one collection named `countries`, of polygons. Source: the `TopoJSON`
//! specification 1.0.

use serde::Deserialize;

use super::lines::{Area, Line, Point};
use super::territories;
use crate::model::address::CountryCode;
use crate::model::geo::LatLng;

/// What the file holds.
#[derive(Debug)]
pub(super) struct Atlas {
    /// The lines that are the end of some area.
    pub(super) lines: Vec<Line>,
    /// Whose each area is.
    pub(super) areas: Vec<Option<CountryCode>>,
}

#[derive(Deserialize)]
struct Topology {
    transform: Transform,
    arcs: Vec<Vec<(i32, i32)>>,
    objects: Objects,
}

#[derive(Deserialize)]
struct Transform {
    scale: (f64, f64),
    translate: (f64, f64),
}

#[derive(Deserialize)]
struct Objects {
    countries: Collection,
}

#[derive(Deserialize)]
struct Collection {
    geometries: Vec<Geometry>,
}

#[derive(Deserialize)]
struct Geometry {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    properties: Properties,
    #[serde(flatten)]
    shape: Shape,
}

#[derive(Default, Deserialize)]
struct Properties {
    #[serde(default)]
    name: String,
}

/// Rings of numbers of arcs; a negative one is that arc backwards.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum Shape {
    Polygon { arcs: Vec<Vec<i64>> },
    MultiPolygon { arcs: Vec<Vec<Vec<i64>>> },
}

/// The lines and areas of a file, or what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Atlas, String> {
    let topology: Topology = serde_json::from_slice(bytes)
        .map_err(|cause| format!("{cause}; TopoJSON with an object `countries` of polygons is expected"))?;
    let mut ends: Vec<Vec<Area>> = vec![Vec::new(); topology.arcs.len()];
    let mut areas: Vec<Option<CountryCode>> = Vec::new();
    for geometry in &topology.objects.countries.geometries {
        let country = territories::country_of(geometry.id.as_deref(), &geometry.properties.name);
        let known = areas.iter().position(|known| *known == country);
        let place = known.unwrap_or(areas.len());
        let area = Area::try_from(place).map_err(|_| format!("more than {} areas", Area::MAX))?;
        if known.is_none() {
            areas.push(country);
        }
        for arc in geometry.shape.arcs() {
            let place = usize::try_from(if arc < 0 { !arc } else { arc }).ok();
            let end = place.and_then(|place| ends.get_mut(place)).ok_or_else(|| format!("arc {arc} is not there"))?;
            // What ends and begins again, as between parts of one country, is no border.
            match end.iter().position(|known| *known == area) {
                Some(twice) => {
                    end.swap_remove(twice);
                }
                None => end.push(area),
            }
        }
    }
    let mut lines = Vec::new();
    for (number, (arc, areas)) in topology.arcs.iter().zip(ends).enumerate() {
        if !areas.is_empty() {
            let points = topology.transform.points(arc).map_err(|why| format!("arc {number}: {why}"))?;
            lines.push(Line { points, areas });
        }
    }
    if lines.is_empty() {
        return Err("no country has a border".to_owned());
    }
    Ok(Atlas { lines, areas })
}

impl Shape {
    fn arcs(&self) -> impl Iterator<Item = i64> {
        let (one, many) = match self {
            Self::Polygon { arcs } => (Some(arcs), None),
            Self::MultiPolygon { arcs } => (None, Some(arcs)),
        };
        let rings = one.into_iter().chain(many.into_iter().flatten());
        rings.flatten().flatten().copied()
    }
}

impl Transform {
    /// The corners of an arc, which the file has as steps on a grid.
    #[expect(clippy::cast_precision_loss, reason = "places on a grid are far below 2^53")]
    fn points(&self, arc: &[(i32, i32)]) -> Result<Vec<Point>, String> {
        if arc.len() < 2 {
            return Err("it has no two corners".to_owned());
        }
        let mut points = Vec::with_capacity(arc.len());
        let (mut x, mut y) = (0_i64, 0_i64);
        for (dx, dy) in arc {
            (x, y) = (x + i64::from(*dx), y + i64::from(*dy));
            let lng = x as f64 * self.scale.0 + self.translate.0;
            let lat = y as f64 * self.scale.1 + self.translate.1;
            // The last column of the grid is a rounding error beyond the edge of the world.
            let position = LatLng::new(rounded(lat, 90.0), rounded(lng, 180.0)).map_err(|fault| fault.to_string())?;
            points.push(Point::new(position));
        }
        Ok(points)
    }
}

/// A coordinate, set back onto the edge of the world where it is a hair beyond.
fn rounded(degrees: f64, edge: f64) -> f64 {
    const HAIR: f64 = 1e-6;
    if degrees.abs() > edge && degrees.abs() < edge + HAIR { edge.copysign(degrees) } else { degrees }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two squares of ten degrees that share an edge, the eastern one in two parts, and a hole.
    const SQUARES: &str = r#"{"type":"Topology","transform":{"scale":[10,10],"translate":[0,0]},
        "arcs":[[[1,0],[0,1]],[[1,1],[-1,0],[0,-1],[1,0]],[[1,0],[1,0],[0,1],[-1,0]]],
        "objects":{"countries":{"type":"GeometryCollection","geometries":[
            {"type":"Polygon","id":"352","properties":{"name":"Iceland"},"arcs":[[0,1]]},
            {"type":"MultiPolygon","properties":{"name":"Nowhere"},"arcs":[[[2,-1]]]}]}}}"#;

    #[test]
    fn arcs_that_two_share_are_lines_of_both() {
        let atlas = parse(SQUARES.as_bytes()).unwrap();
        assert_eq!(atlas.areas, [CountryCode::parse("IS"), None]);
        let areas: Vec<&[Area]> = atlas.lines.iter().map(|line| &*line.areas).collect();
        assert_eq!(areas, [&[0, 1][..], &[0], &[1]]);
        let corners: Vec<Point> =
            [(0.0, 10.0), (10.0, 10.0)].map(|(lat, lng)| Point::new(LatLng::new(lat, lng).unwrap())).into();
        assert_eq!(atlas.lines[0].points, corners);
        let one_country = SQUARES.replace(r#""properties":{"name":"Nowhere"}"#, r#""id":"352""#);
        let atlas = parse(one_country.as_bytes()).unwrap();
        assert_eq!(atlas.lines.len(), 2, "the border between two parts of one country is none");
    }

    #[test]
    fn what_is_no_such_file_is_told() {
        let check = |text: &str, expect: &str| {
            let why = parse(text.as_bytes()).unwrap_err();
            assert!(why.contains(expect), "{why}");
        };
        check("", "EOF");
        check(r#"{"type":"FeatureCollection","features":[]}"#, "`countries`");
        check(&SQUARES.replace("[[0,1]]", "[[0,7]]"), "arc 7 is not there");
        check(&SQUARES.replace("[[0,1]]", "[[0,-9]]"), "arc -9 is not there");
        check(&SQUARES.replace("[[1,0],[0,1]]", "[[1,0]]"), "arc 0: it has no two corners");
        check(&SQUARES.replace("[[1,0],[0,1]]", "[[1,0],[0,10]]"), "arc 0: lat: latitude is in");
        check(&SQUARES.replace("[[1,0],[0,1]]", "[[1,0],[0,1e99]]"), "expected");
        check(
            r#"{"transform":{"scale":[1,1],"translate":[0,0]},"arcs":[],"objects":{"countries":{"geometries":[]}}}"#,
            "no country",
        );
    }
}
