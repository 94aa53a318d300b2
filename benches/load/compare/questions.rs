//! What is asked of waymark and of the others, and what the answers have to hold for it to be the same question.

use std::collections::HashSet;

use anyhow::{Result, ensure};
use waymark::model::geo::{BoundingBox, LatLng};
use waymark::model::polygon::{GivenPolygon, Polygons};
use waymark::model::site::Status;
use waymark::spatial::AccountMap;
use waymark::spatial::class::Classes;
use waymark::spatial::mercator::TileId;

use super::{CHECKED, PAGE, ZOOM_FILTERED, ZOOMS, others, tiles_of};
use crate::calls::{Caller, FILTER};
use crate::data::Plan;
use crate::data::queries::{CITY_ZOOM, In, Queries, RADIUS_M};
use crate::wire::{Call, Target};

/// Answers may differ by one row of so many.
const ROWS_SHARE: usize = 20;
/// Sums of the sites in symbols may differ by one of so many: a site counts where its symbol is drawn, and the others draw other
/// ones.
const SITES_SHARE: usize = 5;
/// Tiles of a zoom whose sites are summed: few where each takes PostGIS seconds.
const TILES_CHECKED: usize = 64;
const TILES_CHECKED_WIDE: usize = 8;
/// Zooms up to this are such.
const ZOOM_WIDE: u8 = 6;

/// What is asked, in the words of each.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) what: String,
    pub(super) ours: Vec<Call>,
    pub(super) to_postgres: Vec<Call>,
    /// Absent where Redis has no such question.
    pub(super) to_redis: Option<Vec<Call>>,
    pub(super) alike: Alike,
}

/// By what another one's answers are known as those to the same question.
#[derive(Debug)]
pub(super) enum Alike {
    /// By so many rows in the answers to the first [`CHECKED`] calls.
    Rows(usize),
    /// By so many sites that the symbols in the answers to these calls stand for.
    Sites(Vec<Call>, usize),
}

impl Alike {
    /// Says how many there are here and there; fails where they are not about as many. About, because Redis keeps positions in 52
    /// bits, and globes differ in their radius.
    pub(super) async fn check(&self, target: &Target, calls: &[Call]) -> Result<String> {
        let (what, theirs, ours, share) = match self {
            Self::Rows(ours) => ("rows", target.rows(&calls[..calls.len().min(CHECKED)]).await?, *ours, ROWS_SHARE),
            Self::Sites(calls, ours) => ("sites", target.sum(calls).await?, *ours, SITES_SHARE),
        };
        let is_alike = theirs.abs_diff(ours) * share <= ours;
        ensure!(is_alike, "{theirs} {what}, where waymark has {ours}: it is not the same question");
        Ok(format!("{theirs} {what} where waymark has {ours}"))
    }
}

/// Sites that answers of waymark's own hold, summed: those to the questions that are checked.
#[derive(Debug)]
pub(super) struct Expected {
    circles: usize,
    boxes: [usize; 2],
    polygons: usize,
    views: usize,
    tiles: [usize; ZOOMS.len()],
    filtered: usize,
}

impl Expected {
    pub(super) fn of(plan: &Plan, maps: &[AccountMap], queries: &Queries) -> Self {
        let circle = |(account, at): &In<LatLng>| maps[*account].all().within(*at, RADIUS_M, None, PAGE).unwrap().len();
        let square = |(account, bounds): &In<BoundingBox>| maps[*account].all().in_box(bounds, None, PAGE).found.len();
        let star = |(account, ring): &In<Vec<LatLng>>| {
            let polygons = Polygons::new(&[GivenPolygon { outer: ring.clone(), holes: Vec::new() }]).expect("a star");
            maps[*account].all().in_polygons(&polygons, None, PAGE).found.len()
        };
        let view = |(account, bounds): &In<BoundingBox>| {
            count(maps[*account].all().viewport(bounds, CITY_ZOOM).expect("a screen is a small view").sites())
        };
        let tile = |classes: Classes, (account, tile): In<TileId>| {
            count(maps[account].within(classes).tile(tile).expect("a tile is a small view").sites())
        };
        let tiles = |classes, zoom| checked(plan, zoom).into_iter().map(|query| tile(classes, query)).sum::<usize>();
        Self {
            circles: queries.circles.iter().take(CHECKED).map(circle).sum(),
            boxes: queries.boxes.each_ref().map(|pool| pool.iter().take(CHECKED).map(square).sum()),
            polygons: plain(&queries.polygons).iter().take(CHECKED).map(star).sum(),
            views: queries.cities.iter().take(CHECKED).map(view).sum(),
            tiles: ZOOMS.map(|zoom| tiles(Classes::ALL, zoom)),
            filtered: tiles(Classes::of_status(Status::Online), ZOOM_FILTERED),
        }
    }
}

/// All tiles that are asked for.
pub(super) fn of_tiles(plan: &Plan, caller: Caller<'_>, expected: &Expected) -> Vec<Question> {
    let question = |zoom, filter: &str, statement: &str, sites| {
        let tiles = tiles_of(plan, zoom);
        let counts = others::postgres_tiles(&format!("{statement}_sites"), &checked(plan, zoom));
        let suffix = if filter.is_empty() { String::new() } else { format!(", {filter}") };
        Question {
            what: format!("tile z{zoom}{suffix}"),
            ours: caller.tiles_http1(&tiles, filter),
            to_postgres: others::postgres_tiles(statement, &tiles),
            to_redis: None,
            alike: Alike::Sites(counts, sites),
        }
    };
    let plain = ZOOMS.into_iter().zip(expected.tiles).map(|(zoom, sites)| question(zoom, "", "tile", sites));
    plain.chain([question(ZOOM_FILTERED, FILTER, "online_tile", expected.filtered)]).collect()
}

/// All that is asked over gRPC.
pub(super) fn of_queries(caller: Caller<'_>, queries: &Queries, expected: &Expected) -> Result<Vec<Question>> {
    let rings = plain(&queries.polygons);
    let cities = &queries.cities;
    let counted = others::postgres_views("view_sites", &cities[..cities.len().min(CHECKED)], CITY_ZOOM);
    let boxed = |at: usize, what: &str| {
        let pool = &queries.boxes[at];
        Ok::<_, anyhow::Error>(Question {
            what: what.to_owned(),
            ours: caller.boxes(pool)?,
            to_postgres: others::postgres_boxes(pool),
            to_redis: Some(others::redis_boxes(pool)),
            alike: Alike::Rows(expected.boxes[at]),
        })
    };
    Ok(vec![
        Question {
            what: "nearest 10".to_owned(),
            ours: caller.nearest(&queries.spots)?,
            to_postgres: others::postgres_nearest(&queries.spots),
            to_redis: Some(others::redis_nearest(&queries.spots)),
            alike: Alike::Rows(queries.spots.iter().take(CHECKED).count() * 10),
        },
        Question {
            what: "radius 10 km, ~100 sites".to_owned(),
            ours: caller.circles(&queries.circles, 1_000)?,
            to_postgres: others::postgres_circles(&queries.circles),
            to_redis: Some(others::redis_circles(&queries.circles)),
            alike: Alike::Rows(expected.circles),
        },
        boxed(0, "box, ~100 sites")?,
        boxed(1, "box, ~1,000 sites")?,
        Question {
            what: "polygon of 100 corners, ~100 sites".to_owned(),
            ours: caller.polygons(&rings)?,
            to_postgres: others::postgres_polygons(&rings),
            to_redis: None,
            alike: Alike::Rows(expected.polygons),
        },
        Question {
            what: "clusters of a city, z11".to_owned(),
            ours: caller.cities(cities)?,
            to_postgres: others::postgres_views("view", cities, CITY_ZOOM),
            to_redis: None,
            alike: Alike::Sites(counted, expected.views),
        },
    ])
}

/// Rings that do not go over the antimeridian, where a plane has an end.
fn plain(rings: &[In<Vec<LatLng>>]) -> Vec<In<Vec<LatLng>>> {
    let is_plain = |(_, ring): &&In<Vec<LatLng>>| {
        let west = ring.iter().map(|corner| corner.lng()).fold(f64::INFINITY, f64::min);
        let east = ring.iter().map(|corner| corner.lng()).fold(f64::NEG_INFINITY, f64::max);
        east - west < 180.0
    };
    rings.iter().filter(is_plain).cloned().collect()
}

/// The tiles of a zoom whose sites are summed, each once.
fn checked(plan: &Plan, zoom: u8) -> Vec<In<TileId>> {
    let most = if zoom <= ZOOM_WIDE { TILES_CHECKED_WIDE } else { TILES_CHECKED };
    let mut seen = HashSet::new();
    let is_new = |(_, tile): &In<TileId>| seen.insert((tile.x(), tile.y()));
    tiles_of(plan, zoom).into_iter().filter(is_new).take(most).collect()
}

fn count(sites: u64) -> usize {
    usize::try_from(sites).expect("they are in memory")
}
