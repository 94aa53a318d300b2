//! The map as a screen shows it that anybody may see: no names, and no more of where sites are than such a screen tells.
//!
//! An exact position is an address, and many small questions would find one out. So positions are rounded, boxes are widened
//! to whole degrees before anything is looked for in them, and the cells are wide by whose ids symbols are known. Who knows where one
//! site of a cluster is would learn of the others from how far in they part: of that no more is told than can be looked at.

use super::{Fit, Viewport};
use crate::model::Invalid;
use crate::model::geo::{BoundingBox, LatLng};
use crate::service::symbols::{Area, Cluster, SiteSummary, Symbols};

/// Farthest in that may be looked: the cells of this zoom are 0.7 degrees wide.
const COARSE_ZOOM_MAX: u8 = 6;
/// Positions are rounded to this part of a degree: 1.1 km or less, about a pixel at that zoom.
const PARTS_OF_DEGREE: f64 = 100.0;

/// The zoom, where it may be looked at.
pub(super) fn zoom(zoom: u8) -> Result<u8, Invalid> {
    if zoom <= COARSE_ZOOM_MAX {
        return Ok(zoom);
    }
    Err(Invalid::new("zoom", format!("a wallboard's token looks at zooms in [0, {COARSE_ZOOM_MAX}], got {zoom}")))
}

/// The box in whole degrees around a box.
pub(super) fn widened(bounds: &BoundingBox) -> BoundingBox {
    grown(bounds, 1.0)
}

/// What is in view, told coarsely.
pub(super) fn viewport(seen: Viewport) -> Viewport {
    Viewport { symbols: symbols(seen.symbols), ..seen }
}

/// What sites fit into, told coarsely.
pub(super) fn fit(fit: &Fit) -> Fit {
    Fit { bounds: fit.bounds.as_ref().map(outward), ..*fit }
}

fn symbols(symbols: Symbols) -> Symbols {
    let Symbols { pins, clusters, areas } = symbols.nameless();
    let site = |site: SiteSummary| SiteSummary { position: rounded(site.position), ..site };
    let cluster = |cluster: Cluster| Cluster {
        position: rounded(cluster.position),
        bounds: outward(&cluster.bounds),
        expansion_zoom: cluster.expansion_zoom.filter(|zoom| *zoom <= COARSE_ZOOM_MAX),
        is_stack: false,
        ..cluster
    };
    let area = |area: Area| Area {
        position: rounded(area.position),
        extent_m: two_digits(area.extent_m),
        site: area.site.map(site),
        ..area
    };
    Symbols {
        pins: pins.into_iter().map(site).collect(),
        clusters: clusters.into_iter().map(cluster).collect(),
        areas: areas.into_iter().map(area).collect(),
    }
}

fn rounded(position: LatLng) -> LatLng {
    let round = |degrees: f64| (degrees * PARTS_OF_DEGREE).round() / PARTS_OF_DEGREE;
    at(round(position.lat()), round(position.lng()))
}

/// The least box of rounded corners around a box.
fn outward(bounds: &BoundingBox) -> BoundingBox {
    grown(bounds, PARTS_OF_DEGREE)
}

/// The least box around a box whose edges are at such parts of a degree.
fn grown(bounds: &BoundingBox, parts: f64) -> BoundingBox {
    let down = |degrees: f64| (degrees * parts).floor() / parts;
    let up = |degrees: f64| (degrees * parts).ceil() / parts;
    let (west, east) = (down(bounds.low.lng()), up(bounds.high.lng()));
    // One that goes nearly round the world would overlap itself.
    let is_round = bounds.crosses_antimeridian() && west <= east;
    let (west, east) = if is_round { (-180.0, 180.0) } else { (west, east) };
    BoundingBox { low: at(down(bounds.low.lat()), west), high: at(up(bounds.high.lat()), east) }
}

/// A length to its first two digits: how wide a cell is says how far north it is, and more exactly than its position.
fn two_digits(metres: f64) -> f64 {
    let unit = 10.0_f64.powf(metres.max(1.0).log10().floor() - 1.0);
    (metres / unit).round() * unit
}

fn at(lat: f64, lng: f64) -> LatLng {
    LatLng::new(lat, lng).expect("the ends of both ranges are whole degrees, so rounding leaves none")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::location::Granularity;
    use crate::service::symbols::Tally;

    fn bounds(south: f64, west: f64, north: f64, east: f64) -> BoundingBox {
        BoundingBox::new(at(south, west), at(north, east)).unwrap()
    }

    #[test]
    fn boxes_grow_to_whole_degrees_and_never_over_themselves() {
        assert_eq!(widened(&bounds(10.2, 20.9, 10.3, 21.0)), bounds(10.0, 20.0, 11.0, 21.0));
        assert_eq!(widened(&bounds(-0.5, 179.5, 0.5, -179.5)), bounds(-1.0, 179.0, 1.0, -179.0));
        assert_eq!(widened(&bounds(-89.5, 10.6, 89.5, 10.4)), BoundingBox::WORLD);
        assert_eq!(widened(&BoundingBox::WORLD), BoundingBox::WORLD);
        assert_eq!(outward(&bounds(-90.0, 10.004, 90.0, 10.001)), BoundingBox::WORLD);
    }

    #[test]
    fn of_clusters_and_areas_nothing_finer_is_told_than_can_be_looked_at() {
        let (exact, coarse) = (at(64.146_512, -21.942_387), at(64.15, -21.94));
        let cluster = |expansion_zoom: Option<u8>| Cluster {
            id: "c-9-224-135".into(),
            tally: Tally::default(),
            position: exact,
            bounds: bounds(64.0, -22.5, 64.5, -21.5),
            expansion_zoom,
            is_stack: expansion_zoom.is_none(),
        };
        let area = Area {
            id: "a-9-224-135".into(),
            tally: Tally::default(),
            position: exact,
            radius_m: None,
            extent_m: 34_129.7,
            granularity: Granularity::City,
            site: None,
        };
        let clusters = [None, Some(4), Some(6), Some(7), Some(18)].map(cluster).to_vec();
        let told = symbols(Symbols { pins: Vec::new(), clusters, areas: vec![area] });
        let parts = |cluster: &Cluster| (cluster.position, cluster.expansion_zoom, cluster.is_stack);
        let expected = [None, Some(4), Some(6), None, None].map(|zoom: Option<u8>| (coarse, zoom, false));
        assert_eq!(told.clusters.iter().map(parts).collect::<Vec<_>>(), expected);
        assert_eq!((told.areas[0].position, told.areas[0].extent_m), (coarse, 34_000.0));
    }

    #[test]
    fn a_zoom_that_tells_streets_apart_is_refused() {
        assert_eq!(zoom(6).unwrap(), 6);
        assert_eq!(zoom(7).unwrap_err().field, "zoom");
    }

    proptest! {
        #[test]
        fn what_is_told_is_near_and_nothing_of_it_is_fine(lat in -90.0..=90.0_f64, lng in -180.0..=180.0_f64) {
            let (exact, told) = (at(lat, lng), rounded(at(lat, lng)));
            prop_assert!((exact.lat() - told.lat()).abs() < 0.005_1 && (exact.lng() - told.lng()).abs() < 0.005_1);
            for degrees in [told.lat(), told.lng()] {
                prop_assert!((degrees * 100.0 - (degrees * 100.0).round()).abs() < 1e-6, "{degrees}");
            }
            let around = outward(&BoundingBox { low: exact, high: exact });
            prop_assert!(around.contains(exact), "{around:?} {exact:?}");
        }
    }
}
