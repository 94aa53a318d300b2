//! What is asked about the sites: views, circles, boxes and polygons around sites, so that full places come up often.

use waymark::model::geo::{BoundingBox, EARTH_RADIUS_M, LatLng};
use waymark::spatial::AccountMap;
use waymark::spatial::mercator::{LAT_MAX, Point, TileId};

use super::random::Random;
use super::{Plan, Site, typed};

/// Deepest zoom that is measured.
pub(crate) const ZOOM_DEEPEST: u8 = 14;
/// Zoom of a view of a city.
pub(crate) const CITY_ZOOM: u8 = 11;
/// Radius of a circle to list, in metres.
pub(crate) const RADIUS_M: f64 = 10_000.0;
/// Corners of a polygon.
pub(crate) const CORNERS: usize = 100;
/// Width and height of a screen in pixels.
const SCREEN: (f64, f64) = (1_280.0, 800.0);
/// Pixels of a tile's side.
const TILE_PIXELS: f64 = 512.0;
/// What a query of "about 100" may return: between half and twice as many.
const TOLERANCE: u64 = 2;
/// Sites tried for each query that has to return about so many.
const TRIES: usize = 10;

/// A place in an account.
pub(crate) type In<T> = (usize, T);

/// Pools of queries.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    /// Tiles where sites are, of zooms 0 to 14 alike.
    pub(crate) tiles: Vec<In<TileId>>,
    /// Positions of sites.
    pub(crate) spots: Vec<In<LatLng>>,
    /// Views of 1280 × 800 pixels around sites at zoom 11.
    pub(crate) cities: Vec<In<BoundingBox>>,
    /// Centres of circles of 10 km with about 100 sites.
    pub(crate) circles: Vec<In<LatLng>>,
    /// Boxes with about 100 and about 1,000 sites.
    pub(crate) boxes: [Vec<In<BoundingBox>>; 2],
    /// Polygons of 100 corners with about 100 sites, as rings.
    pub(crate) polygons: Vec<In<Vec<LatLng>>>,
    /// What is typed into a search, by kinds.
    pub(crate) searches: Vec<(&'static str, Vec<In<String>>)>,
}

impl Queries {
    /// Pools of `count` queries each that need no map to be found: tiles, spots and cities.
    pub(crate) fn of_places(plan: &Plan, count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut queries = Self::default();
        for number in 0..count {
            let zoom = u8::try_from(number % (usize::from(ZOOM_DEEPEST) + 1)).expect("below 256");
            let site = plan.any_site(&mut random);
            queries.tiles.push((site.account, tile_of(site.position, zoom)));
            queries.cities.push((site.account, view(site.position, CITY_ZOOM)));
            let site = plan.any_site(&mut random);
            queries.spots.push((site.account, site.position));
        }
        queries
    }

    /// All pools, of at most `count` queries each. Those that return about so many are fewer where accounts are small.
    pub(crate) fn new(plan: &Plan, maps: &[AccountMap], count: usize, seed: u64) -> Self {
        let mut queries = Self::of_places(plan, count, seed);
        let mut random = Random::new(!seed);
        let mut sized = |f: &dyn Fn(&AccountMap, &Site) -> bool| {
            let mut found = Vec::new();
            for _ in 0..count * TRIES {
                let site = plan.any_site(&mut random);
                if f(&maps[site.account], &site) {
                    found.push(site);
                }
                if found.len() == count {
                    break;
                }
            }
            found
        };
        let circles = sized(&|map, site| is_about(100, in_circle(map, site.position, RADIUS_M)));
        queries.circles = circles.into_iter().map(|site| (site.account, site.position)).collect();
        for (pool, wanted) in queries.boxes.iter_mut().zip([100, 1_000]) {
            let sites = sized(&|map, site| box_with(map, site.position, wanted).is_some());
            let boxed = sites
                .iter()
                .filter_map(|site| Some((site.account, box_with(&maps[site.account], site.position, wanted)?)));
            *pool = boxed.collect();
        }
        let sites = sized(&|map, site| radius_with(map, site.position, 100).is_some());
        let rings = sites.iter().filter_map(|site| {
            let radius_m = radius_with(&maps[site.account], site.position, 100)?;
            Some((site.account, ring(site.position, radius_m)))
        });
        queries.polygons = rings.collect();
        queries.searches = typed::searches(plan, count, seed);
        queries
    }
}

/// The tile of a zoom that holds a position.
pub(crate) fn tile_of(position: LatLng, zoom: u8) -> TileId {
    TileId::holding(Point::project(position), zoom)
}

/// What a screen shows around a position, as far as there is a world.
pub(crate) fn view(center: LatLng, zoom: u8) -> BoundingBox {
    let world = TILE_PIXELS * f64::from(1_u32 << zoom);
    let middle = center.lat().clamp(-LAT_MAX, LAT_MAX).to_radians().tan().asinh();
    let half = std::f64::consts::TAU * SCREEN.1 / 2.0 / world;
    let lat = |mercator: f64| mercator.sinh().atan().to_degrees().clamp(-LAT_MAX, LAT_MAX);
    let half_lng = (360.0 * SCREEN.0 / 2.0 / world).min(180.0);
    let corner = |mercator: f64, lng: f64| {
        LatLng::new(lat(mercator), lng.clamp(-180.0, 180.0)).expect("brought into the ranges")
    };
    // Cut at the antimeridian: what is measured is the size of the view, not its wrap.
    let low = corner(middle - half, center.lng() - half_lng);
    BoundingBox::new(low, corner(middle + half, center.lng() + half_lng)).expect("a screen has an area")
}

fn is_about(wanted: u64, count: u64) -> bool {
    (wanted / TOLERANCE..=wanted * TOLERANCE).contains(&count)
}

fn in_circle(map: &AccountMap, center: LatLng, radius_m: f64) -> u64 {
    // One more than is accepted is enough to know.
    map.all().within(center, radius_m, None, 201).unwrap().len() as u64
}

/// A square of degrees around a position.
pub(crate) fn square(center: LatLng, half: f64) -> BoundingBox {
    let corner = |sign: f64| {
        let lat = (center.lat() + sign * half).clamp(-90.0, 90.0);
        LatLng::new(lat, (center.lng() + sign * half).clamp(-180.0, 180.0)).expect("brought into the ranges")
    };
    BoundingBox::new(corner(-1.0), corner(1.0)).expect("a square has an area")
}

/// A square around a position with about `wanted` sites.
fn box_with(map: &AccountMap, center: LatLng, wanted: u64) -> Option<BoundingBox> {
    let half = bisect(0.000_1, 10.0, wanted, |half| map.all().count_in_box(&square(center, half)).unwrap())?;
    Some(square(center, half))
}

/// The radius in metres of a circle around a position with about `wanted` sites.
fn radius_with(map: &AccountMap, center: LatLng, wanted: u64) -> Option<f64> {
    bisect(50.0, 50_000.0, wanted, |radius_m| in_circle(map, center, radius_m))
}

/// A size between two that counts about `wanted`; `None` where the count jumps over it.
fn bisect(mut low: f64, mut high: f64, wanted: u64, count: impl Fn(f64) -> u64) -> Option<f64> {
    for _ in 0..16 {
        let middle = (low * high).sqrt();
        let found = count(middle);
        if found.abs_diff(wanted) * 10 <= wanted {
            return Some(middle);
        }
        if found < wanted { low = middle } else { high = middle }
    }
    Some(f64::midpoint(low, high)).filter(|size| is_about(wanted, count(*size)))
}

/// A ring of [`CORNERS`] corners, every other one drawn in a little, so that it is not convex.
fn ring(center: LatLng, radius_m: f64) -> Vec<LatLng> {
    let degrees = (radius_m / EARTH_RADIUS_M).to_degrees();
    let stretch = center.lat().to_radians().cos();
    (0..CORNERS)
        .map(|corner| {
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let angle = std::f64::consts::TAU * corner as f64 / CORNERS as f64;
            let degrees = if corner % 2 == 0 { degrees } else { degrees * 0.95 };
            let lng = center.lng() + degrees * angle.cos() / stretch;
            let lng = if lng.abs() > 180.0 { lng - 360.0 * lng.signum() } else { lng };
            let lat = (center.lat() + degrees * angle.sin()).clamp(-90.0, 90.0);
            LatLng::new(lat, lng.clamp(-180.0, 180.0)).expect("brought into the ranges")
        })
        .collect()
}
