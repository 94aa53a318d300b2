//! What is asked of the map, on one thread that nobody disturbs.

use std::hint::black_box;

use waymark::model::geo::{BoundingBox, LatLng};
use waymark::model::polygon::{GivenPolygon, Polygons};
use waymark::model::site::Status;
use waymark::spatial::class::Classes;
use waymark::spatial::mercator::TileId;
use waymark::spatial::{AccountMap, mvt};

use crate::data::Plan;
use crate::data::queries::{In, Queries, RADIUS_M, tile_of, view};
use crate::data::random::Random;
use crate::measure::{Figure, Sheet, time};

/// Calls of a round: half a second or less each.
const CALLS: usize = 4_000;
/// The last zoom there is.
const ZOOM_LAST: u8 = 22;
/// Most sites of one answer: the API's largest page.
const PAGE: usize = 1_000;

/// Measures every read.
pub(crate) fn measure(sheet: &mut Sheet, plan: &Plan, maps: &[AccountMap], queries: &Queries) {
    tiles(sheet, plan, maps, queries);
    views(sheet, plan, maps, queries);
    distances(sheet, maps, queries);
    boxes(sheet, maps, queries);
    walks(sheet, maps);
    filters(sheet, maps, queries);
}

fn walks(sheet: &mut Sheet, maps: &[AccountMap]) {
    sheet.add(time("fit", CALLS / 4, |_| {
        black_box(maps[0].all().fit().unwrap());
    }));
    sheet.add(time("near duplicates within 10 m, first 50", CALLS / 40, |_| {
        black_box(maps[0].all().near_duplicates(10.0, None, 50).unwrap());
    }));
}

fn tiles(sheet: &mut Sheet, plan: &Plan, maps: &[AccountMap], queries: &Queries) {
    let encode = |(account, tile): In<TileId>| mvt::encode(&maps[account].all().tile(tile).unwrap(), tile);
    sheet.add(time("tiles z0-z14", CALLS * 5, |call| {
        black_box(encode(queries.tiles[call % queries.tiles.len()]));
    }));
    let mut random = Random::new(5);
    for zoom in 0..=ZOOM_LAST {
        let pool: Vec<In<TileId>> = (0..CALLS)
            .map(|_| plan.any_site(&mut random))
            .map(|site| (site.account, tile_of(site.position, zoom)))
            .collect();
        let lengths: Vec<usize> = pool.iter().map(|query| encode(*query).len()).collect();
        let note = format!("{} bytes in the middle", lengths.iter().sum::<usize>() / lengths.len());
        let figure = time(format!("tile z{zoom}"), CALLS, |call| {
            black_box(encode(pool[call % pool.len()]));
        });
        sheet.add(figure.with_note(note));
    }
}

fn views(sheet: &mut Sheet, plan: &Plan, maps: &[AccountMap], queries: &Queries) {
    let mut random = Random::new(7);
    let spots: Vec<_> = (0..CALLS).map(|_| plan.any_site(&mut random)).collect();
    sheet.add(time("viewport world z2", CALLS / 4, |call| {
        black_box(maps[spots[call % CALLS].account].all().viewport(&BoundingBox::WORLD, 2).expect("a small view"));
    }));
    sheet.add(time("viewport city z11", CALLS, |call| {
        let (account, bounds) = queries.cities[call % queries.cities.len()];
        black_box(maps[account].all().viewport(&bounds, 11).expect("a screen is a small view"));
    }));
    for zoom in 0..=ZOOM_LAST {
        let pool: Vec<In<BoundingBox>> = spots.iter().map(|site| (site.account, view(site.position, zoom))).collect();
        sheet.add(time(format!("viewport z{zoom}"), CALLS / 2, |call| {
            let (account, bounds) = pool[call % pool.len()];
            black_box(maps[account].all().viewport(&bounds, zoom).expect("a screen is a small view"));
        }));
    }
}

fn distances(sheet: &mut Sheet, maps: &[AccountMap], queries: &Queries) {
    sheet.add(time("nearest 10", CALLS * 2, |call| {
        let (account, spot) = queries.spots[call % queries.spots.len()];
        black_box(maps[account].all().nearest(spot, 10).unwrap());
    }));
    sized(sheet, "radius 10 km, ~100 sites", &queries.circles, |(account, center)| {
        maps[*account].all().within(*center, RADIUS_M, None, PAGE).unwrap().len()
    });
    sheet.add(time("radius 10 km anywhere, first 100", CALLS / 4, |call| {
        let (account, spot) = queries.spots[call % queries.spots.len()];
        black_box(maps[account].all().within(spot, RADIUS_M, None, 100).unwrap());
    }));
}

fn boxes(sheet: &mut Sheet, maps: &[AccountMap], queries: &Queries) {
    for (what, pool) in ["box, ~100 sites", "box, ~1,000 sites"].into_iter().zip(&queries.boxes) {
        sized(sheet, what, pool, |(account, bounds)| maps[*account].all().in_box(bounds, None, 2 * PAGE).found.len());
    }
    let given = |ring: &Vec<LatLng>| [GivenPolygon { outer: ring.clone(), holes: Vec::new() }];
    sized(sheet, "polygon of 100 corners, ~100 sites", &queries.polygons, |(account, ring)| {
        // The check of the polygon is part of the question.
        let polygons = Polygons::new(&given(ring)).expect("a star");
        maps[*account].all().in_polygons(&polygons, None, 2 * PAGE).found.len()
    });
}

/// Tiles through filters of classes; `selections` has the others.
fn filters(sheet: &mut Sheet, maps: &[AccountMap], queries: &Queries) {
    for (what, classes) in [
        ("tiles z0-z14, status = OFFLINE", Classes::of_status(Status::Offline)),
        ("tiles z0-z14, location.confirmed = true", Classes::confirmed()),
    ] {
        sheet.add(time(what, CALLS, |call| {
            let (account, tile) = queries.tiles[call % queries.tiles.len()];
            black_box(mvt::encode(&maps[account].within(classes).tile(tile).unwrap(), tile));
        }));
    }
}

/// A query whose answer has about so many sites; says how many it had.
fn sized<Q>(sheet: &mut Sheet, what: &str, pool: &[Q], run: impl Fn(&Q) -> usize) {
    if pool.is_empty() {
        let note = "no place of these sites has so many";
        sheet.add(Figure::of(what, "/s", Vec::new()).with_note(note));
        return;
    }
    let returned: usize = pool.iter().map(&run).sum::<usize>() / pool.len();
    let figure = time(what, CALLS, |call| {
        black_box(run(&pool[call % pool.len()]));
    });
    sheet.add(figure.with_note(format!("{returned} sites returned in the middle")));
}
