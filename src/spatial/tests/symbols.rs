//! Every site is drawn once, honestly, and tiles and viewports tell the same.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::{any_entries, any_position, at, crowd, entry, place, placed, placed_in, with};
use crate::model::geo::BoundingBox;
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::spatial::AccountMap;
use crate::spatial::entry::Entry;
use crate::spatial::frame::Rect;
use crate::spatial::map_view::MapView;
use crate::spatial::mercator::{CELL_LEVELS_BELOW_TILE, Cell, LEVEL_MAX, Point, TileId, ZOOM_MAX};
use crate::spatial::spacing::spacing_squared;
use crate::spatial::symbols::{Area, AreaId, AreaKind, Cluster, Pin, SymbolId, Symbols};

/// A tile and those at most so many columns and rows away.
fn around(middle: TileId, steps: i32) -> impl Iterator<Item = (u32, u32)> {
    let side = 1_u32 << middle.z();
    let all = (-steps..=steps).flat_map(move |east| (-steps..=steps).map(move |south| (east, south)));
    let moved =
        move |(east, south)| (middle.x().wrapping_add_signed(east) & (side - 1), middle.y().wrapping_add_signed(south));
    all.map(moved).filter(move |(_, y)| *y < side)
}

/// Where pins and clusters are drawn, and where areas are.
fn drawn(symbols: &Symbols<'_>) -> [Vec<Point>; 2] {
    let pins = symbols.pins.iter().map(|pin| pin.point);
    let counted = pins.chain(symbols.clusters.iter().map(|cluster| cluster.point)).collect();
    [counted, symbols.areas.iter().map(|area| area.point).collect()]
}

/// The first two that are too near to one another.
fn too_near(points: &[Point], zoom: u8) -> Option<(Point, Point)> {
    let least = spacing_squared(zoom + CELL_LEVELS_BELOW_TILE);
    let mut pairs = points.iter().enumerate().flat_map(|(at, one)| points[..at].iter().map(|other| (*one, *other)));
    pairs.find(|(one, other)| one.distance_squared(*other) <= least)
}

/// Tiles in which anything can be drawn: those within two tiles of a site, and those of areas.
pub(super) fn tiles_that_matter(view: &MapView<'_>, entries: &[Entry], zoom: u8) -> BTreeSet<(u32, u32)> {
    let mut tiles = BTreeSet::new();
    for entry in entries {
        tiles.extend(around(TileId::holding(Point::project(place(entry).position), zoom), 2));
        if let Some(SymbolId::Area(id)) = view.locate(entry.site, zoom).unwrap() {
            let leaves = view.leaves(SymbolId::Area(id), zoom, None, usize::MAX).unwrap().unwrap().found;
            let points: Vec<Point> = leaves.iter().map(|entry| Point::project(entry.position)).collect();
            let mean = |sum: u64| u32::try_from(sum / points.len() as u64).unwrap();
            let centroid = Point {
                x: mean(points.iter().map(|point| u64::from(point.x)).sum()),
                y: mean(points.iter().map(|point| u64::from(point.y)).sum()),
            };
            // Where several areas are one symbol, it is drawn in the middle of the greatest.
            tiles.extend(around(TileId::holding(centroid, zoom), 1));
        }
    }
    tiles
}

/// A symbol with everything that is told of it.
#[derive(Debug, PartialEq)]
enum Told<'map> {
    Pin(Pin<'map>),
    Cluster(Cluster),
    Area(Area<'map>),
}

impl Told<'_> {
    fn point(&self) -> Point {
        match self {
            Self::Pin(pin) => pin.point,
            Self::Cluster(cluster) => cluster.point,
            Self::Area(area) => area.point,
        }
    }
}

/// All symbols, whole, by their ids.
fn told(symbols: Symbols<'_>) -> BTreeMap<String, Told<'_>> {
    let pins = symbols.pins.into_iter().map(|pin| (SymbolId::Pin(pin.entry.site), Told::Pin(pin)));
    let clusters =
        symbols.clusters.into_iter().map(|cluster| (SymbolId::Cluster(cluster.cell), Told::Cluster(cluster)));
    let areas = symbols.areas.into_iter().map(|area| (SymbolId::Area(area.id), Told::Area(area)));
    pins.chain(clusters).chain(areas).map(|(id, told)| (id.to_string(), told)).collect()
}

/// All ids of symbols with their counts.
fn ids(symbols: &Symbols<'_>) -> BTreeSet<(String, u32)> {
    let pins = symbols.pins.iter().map(|pin| (SymbolId::Pin(pin.entry.site), 1));
    let clusters = symbols.clusters.iter().map(|cluster| (SymbolId::Cluster(cluster.cell), cluster.count()));
    let areas = symbols.areas.iter().map(|area| (SymbolId::Area(area.id), area.count()));
    pins.chain(clusters).chain(areas).map(|(id, count)| (id.to_string(), count)).collect()
}

/// The same, with the points at which they are drawn.
fn ids_at_points(symbols: &Symbols<'_>) -> BTreeMap<(String, u32), Point> {
    let pins = symbols.pins.iter().map(|pin| (SymbolId::Pin(pin.entry.site), 1, pin.point));
    let clusters =
        symbols.clusters.iter().map(|cluster| (SymbolId::Cluster(cluster.cell), cluster.count(), cluster.point));
    let areas = symbols.areas.iter().map(|area| (SymbolId::Area(area.id), area.count(), area.point));
    pins.chain(clusters).chain(areas).map(|(id, count, point)| ((id.to_string(), count), point)).collect()
}

/// Whether the point's square, and what is drawn there beyond the end of the map, may reach into the box.
fn is_at_edge(bounds: &BoundingBox, point: Point) -> bool {
    let (low, high) = Rect::at(point).degrees();
    let is_row = low.lat() <= bounds.high.lat() && bounds.low.lat() <= high.lat();
    is_row && [low.lng(), high.lng()].into_iter().any(|lng| bounds.contains(at(bounds.low.lat(), lng)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn all_tiles_of_a_zoom_hold_each_site_once_and_their_symbols_keep_apart(entries in any_entries(60), zoom in 0..=22_u8) {
        let map = AccountMap::bulk(entries.clone());
        let mut sites = 0;
        let mut seen = BTreeSet::new();
        let mut all: [Vec<Point>; 2] = Default::default();
        for (x, y) in tiles_that_matter(&map.all(), &entries, zoom) {
            let symbols = map.all().tile(TileId::new(zoom, x, y).unwrap()).unwrap();
            sites += symbols.sites();
            all.iter_mut().zip(drawn(&symbols)).for_each(|(all, points)| all.extend(points));
            for id in ids(&symbols) {
                prop_assert!(seen.insert(id.clone()), "{id:?} is in two tiles");
            }
        }
        prop_assert_eq!(sites, u64::from(map.all().tally().total()));
        for points in all {
            prop_assert_eq!(too_near(&points, zoom), None);
        }
    }

    #[test]
    fn a_viewport_holds_what_is_drawn_in_its_box(
        entries in any_entries(80),
        low in any_position(),
        high in any_position(),
        zoom in 0..=4_u8,
    ) {
        let Ok(bounds) = BoundingBox::new(low, high) else { return Ok(()) };
        let map = AccountMap::bulk(entries);
        let all = map.all().viewport(&BoundingBox::WORLD, zoom).unwrap();
        prop_assert_eq!(all.sites(), u64::from(map.all().tally().total()));
        let seen = ids(&map.all().viewport(&bounds, zoom).unwrap());
        for pin in &all.pins {
            let is_seen = seen.contains(&(SymbolId::Pin(pin.entry.site).to_string(), 1));
            prop_assert!(is_seen || !bounds.contains(pin.entry.position), "{:?} in {bounds:?}", pin.entry);
        }
        let points = ids_at_points(&all);
        prop_assert!(seen.is_subset(&points.keys().cloned().collect()));
        for (id, point) in points {
            if bounds.contains(point.position()) {
                prop_assert!(seen.contains(&id), "{id:?} at {point:?} in {bounds:?}");
            } else if seen.contains(&id) {
                prop_assert!(is_at_edge(&bounds, point), "{id:?} at {point:?} in {bounds:?}");
            }
        }
    }

    #[test]
    fn a_tile_is_what_a_viewport_shows_there(
        entries in any_entries(60),
        spot in any_position(),
        zoom in 0..=ZOOM_MAX,
    ) {
        let points: Vec<Point> = entries.iter().map(|entry| Point::project(place(entry).position)).collect();
        let map = AccountMap::bulk(entries);
        for point in points.into_iter().step_by(7).chain([Point::project(spot)]) {
            check_around(&map, point, zoom);
        }
    }

    #[test]
    fn each_site_is_found_in_the_symbol_that_shows_it(entries in any_entries(60), zoom in 0..=22_u8) {
        let map = AccountMap::bulk(entries.clone());
        for entry in &entries {
            let id = map.all().locate(entry.site, zoom).unwrap().unwrap();
            let leaves = map.all().leaves(id, zoom, None, usize::MAX).unwrap().unwrap().found;
            prop_assert!(leaves.iter().any(|leaf| leaf.site == entry.site), "{id}");
            prop_assert_eq!(id.to_string().parse::<SymbolId>().unwrap(), id);
            if let SymbolId::Pin(site) = id {
                let cell = Cell::holding(Point::project(place(entry).position), zoom + 3);
                prop_assert!(leaves.len() == 1 && leaves[0].site == site);
                prop_assert_eq!(map.all().leaves(SymbolId::Cluster(cell), zoom, None, 1).unwrap(), None, "a pin is no cluster");
            }
        }
    }
}

#[test]
fn a_box_that_ends_at_the_antimeridian_shows_what_stands_on_it_by_either_name() {
    for lng in [-180.0, 180.0] {
        let map = AccountMap::bulk([entry(1, at(1.0, lng))]);
        for (west, east) in [(170.0, 180.0), (-180.0, -170.0), (170.0, -170.0), (-180.0, 180.0), (10.0, -180.0)] {
            let bounds = BoundingBox::new(at(-2.0, west), at(3.0, east)).unwrap();
            for zoom in 0..=6 {
                let pins = map.all().viewport(&bounds, zoom).unwrap().pins.len();
                assert_eq!(pins, 1, "{lng} in {west} to {east} at zoom {zoom}");
            }
        }
    }
}

#[test]
fn tiles_of_a_crowd_tell_what_the_viewport_tells() {
    let map = crowd(30_000);
    for zoom in 0..=4_u8 {
        let world = map.all().viewport(&BoundingBox::WORLD, zoom).unwrap();
        let side = 1_u32 << zoom;
        let tiles = (0..side).flat_map(|y| (0..side).map(move |x| TileId::new(zoom, x, y).unwrap()));
        let mut together = BTreeMap::new();
        let mut sites = 0;
        for tile in tiles {
            let symbols = map.all().tile(tile).unwrap();
            sites += symbols.sites();
            assert!(symbols.pins.iter().all(|pin| TileId::holding(pin.point, zoom) == tile));
            for (id, symbol) in told(symbols) {
                assert!(together.insert(id, symbol).is_none(), "a symbol is in one tile, zoom {zoom}");
            }
        }
        assert_eq!(together, told(world), "zoom {zoom}");
        assert_eq!(sites, 30_000);
    }
}

/// The box of a tile and of those around it, as far as the map goes.
fn surroundings(middle: TileId) -> BoundingBox {
    let (zoom, last) = (middle.z(), (1_u32 << middle.z()) - 1);
    let (west, north) = (middle.x().saturating_sub(1), middle.y().saturating_sub(1));
    let (east, south) = ((middle.x() + 1).min(last), (middle.y() + 1).min(last));
    Cell::new(zoom, west, north).unwrap().bounds(east - west + 1, south - north + 1)
}

/// Compares the tile of a point with a viewport around it, symbol by symbol, each whole; and no two symbols of that, of one plane,
/// are too near to one another.
fn check_around(map: &AccountMap, point: Point, zoom: u8) {
    let middle = TileId::holding(point, zoom);
    let seen = map.all().viewport(&surroundings(middle), zoom).unwrap();
    for points in drawn(&seen) {
        assert_eq!(too_near(&points, zoom), None, "zoom {zoom}");
    }
    let mut in_middle = told(seen);
    in_middle.retain(|_, symbol| TileId::holding(symbol.point(), zoom) == middle);
    assert_eq!(told(map.all().tile(middle).unwrap()), in_middle, "tile {middle}");
}

#[test]
fn at_every_zoom_a_tile_of_a_crowd_is_what_a_viewport_shows_there_and_symbols_keep_apart() {
    let map = crowd(20_000);
    for zoom in 0..=ZOOM_MAX {
        for bits in (1..=20_000).step_by(997) {
            let site = placed_in(&map, SiteId::from_u128(bits));
            check_around(&map, Point::project(site.position), zoom);
        }
    }
}

#[test]
fn at_every_zoom_a_great_stack_is_one_symbol_that_keeps_apart_from_its_neighbours() {
    let spot = at(-33.9, 151.2);
    let mut map = AccountMap::bulk((0..10_000).map(|bits| entry(bits, spot)));
    // A cross of single sites around it, from metres to a thousand kilometres away.
    for (bits, step) in (10_000..).zip(0..24_u8) {
        let degrees = 1e-5 * 2.0_f64.powi(i32::from(step));
        let far = degrees.min(20.0);
        map.upsert(&entry(4 * bits, at(spot.lat() + far, spot.lng())));
        map.upsert(&entry(4 * bits + 1, at(spot.lat() - far, spot.lng())));
        map.upsert(&entry(4 * bits + 2, at(spot.lat(), spot.lng() + far)));
        map.upsert(&entry(4 * bits + 3, at(spot.lat(), spot.lng() - far)));
    }
    for zoom in 0..=ZOOM_MAX {
        check_around(&map, Point::project(spot), zoom);
        let ids: BTreeSet<String> = (0..10_000_u128)
            .step_by(499)
            .map(|bits| map.all().locate(SiteId::from_u128(bits), zoom).unwrap().unwrap().to_string())
            .collect();
        assert_eq!(ids.len(), 1, "zoom {zoom}");
    }
}

/// A database places its sites on the middle of a city with many different radii, and each of them is an area of its own:
/// they lay on one another, and one count could be read.
#[test]
fn at_every_zoom_areas_of_one_spot_are_one_symbol_that_keeps_apart_from_others() {
    let spot = at(-33.9, 151.2);
    let radii = [1_000.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0, 200_000.0, 500_000.0];
    let doubtful = |bits: u128, position| {
        let radius = radii[usize::try_from(bits).unwrap() % radii.len()];
        with(estimated(entry(bits, position), Granularity::City), |place| place.accuracy_m = Some(radius))
    };
    let mut map = AccountMap::bulk((0..10_000).map(|bits| doubtful(bits, spot)));
    for zoom in 0..=ZOOM_MAX {
        check_around(&map, Point::project(spot), zoom);
        let located =
            (0..10_000).step_by(7).map(|bits| map.all().locate(SiteId::from_u128(bits), zoom).unwrap().unwrap());
        let areas = located.filter(|id| matches!(id, SymbolId::Area(_))).map(|id| id.to_string());
        let areas: BTreeSet<String> = areas.collect();
        assert!(areas.len() <= 1, "zoom {zoom}: {areas:?}");
    }
    let tile = map.all().tile(TileId::holding(Point::project(spot), ZOOM_MAX)).unwrap();
    let [area] = &tile.areas[..] else { panic!("{:?}", tile.areas) };
    assert_eq!((area.id.kind, area.count(), area.radius_m), (AreaKind::Joined, 10_000, Some(500_000.0)));
    assert!((1e6..2e6).contains(&area.extent_m()), "{} m", area.extent_m());
    let leaves = |zoom| map.all().leaves(SymbolId::Area(area.id), zoom, None, usize::MAX).unwrap();
    assert_eq!(leaves(ZOOM_MAX).map(|leaves| leaves.found.len()), Some(10_000));
    assert!(leaves(ZOOM_MAX - 1).is_none(), "its id is of one zoom");
    // What is in it is no symbol of its own.
    let level = placed(&doubtful(1, spot)).1.area_level(LEVEL_MAX).unwrap();
    let one = AreaId { cell: Cell::holding(Point::project(spot), level), kind: AreaKind::Stopped };
    assert_eq!(map.all().leaves(SymbolId::Area(one), ZOOM_MAX, None, 1).unwrap(), None);
    for (bits, step) in (10_000..).zip(0..24_u8) {
        let far = (1e-5 * 2.0_f64.powi(i32::from(step))).min(20.0);
        map.upsert(&doubtful(8 * bits + 1, at(spot.lat() + far, spot.lng())));
        map.upsert(&doubtful(8 * bits + 4, at(spot.lat() - far, spot.lng())));
        map.upsert(&entry(8 * bits + 2, at(spot.lat(), spot.lng() + far)));
        map.upsert(&entry(8 * bits + 3, at(spot.lat(), spot.lng() - far)));
    }
    for zoom in 0..=ZOOM_MAX {
        check_around(&map, Point::project(spot), zoom);
    }
}

/// The site as GeoIP knows it.
fn estimated(entry: Entry, granularity: Granularity) -> Entry {
    with(entry, |place| (place.granularity, place.source) = (granularity, Source::GeoIp))
}

#[test]
fn a_city_level_site_is_a_pin_from_afar_and_an_area_near_by() {
    let milan = at(45.4642, 9.19);
    let estimate = |bits| estimated(entry(bits, milan), Granularity::City);
    let mut map = AccountMap::bulk((0..14).map(estimate));
    map.upsert(&entry(99, at(45.47, 9.2)));
    let far = map.all().tile(TileId::holding(Point::project(milan), 5)).unwrap();
    assert_eq!((far.clusters.len(), far.areas.len(), far.clusters[0].count()), (1, 0, 15));
    assert_eq!(far.clusters[0].expansion_zoom, Some(9), "the confirmed one leaves the others' area");
    let near = map.all().tile(TileId::holding(Point::project(milan), 9)).unwrap();
    assert_eq!((near.pins.len(), near.clusters.len(), near.areas.len()), (1, 0, 1));
    let area = &near.areas[0];
    assert_eq!((area.count(), area.radius_m, area.granularity), (14, None, Granularity::City));
    assert!((13_000.0..14_500.0).contains(&area.extent_m()), "{} m", area.extent_m());
    assert_eq!(map.all().leaves(SymbolId::Area(area.id), 22, None, 5).unwrap().unwrap().found.len(), 5);
    assert_eq!(map.all().leaves(SymbolId::Area(area.id), 5, None, 5).unwrap(), None, "not shown from afar");
}

#[test]
fn deep_tiles_of_a_crowd_hold_each_site_once() {
    let map = crowd(1_500);
    let entries: Vec<Entry> = map
        .all()
        .in_box(&BoundingBox::WORLD, None, usize::MAX)
        .found
        .into_iter()
        .map(|entry| entry.to_entry())
        .collect();
    // Before, at and after the level at which the crowd's city-level sites become areas.
    for zoom in [7, 8, 9, 12] {
        let tiles = tiles_that_matter(&map.all(), &entries, zoom);
        let sites: u64 =
            tiles.into_iter().map(|(x, y)| map.all().tile(TileId::new(zoom, x, y).unwrap()).unwrap().sites()).sum();
        assert_eq!(sites, 1_500, "zoom {zoom}");
    }
}

#[test]
fn many_places_that_end_in_one_area_never_come_apart() {
    let near = |bits: u32| at(45.4642 + f64::from(bits % 5) * 1e-3, 9.19 + f64::from(bits / 5) * 1e-3);
    let map = AccountMap::bulk((0..40).map(|bits| estimated(entry(u128::from(bits), near(bits)), Granularity::City)));
    let cluster = map.all().tile(TileId::holding(Point::project(near(0)), 8)).unwrap().clusters[0];
    assert_eq!((cluster.count(), cluster.expansion_zoom, cluster.is_stack()), (40, None, true));
    assert_eq!(map.all().expansion(SymbolId::Cluster(cluster.cell), 8), Ok(None));
    let spots: BTreeSet<u64> = (0..40).map(|bits| Point::project(near(bits)).interleaved()).collect();
    assert_eq!(spots.len(), 40, "such a stack is on many spots");
    assert_eq!(map.all().tile(TileId::holding(cluster.point, 9)).unwrap().areas[0].count(), 40);
}

#[test]
fn a_country_is_never_a_pin() {
    let mut map = AccountMap::new();
    for (bits, (lat, lng)) in (0..).zip([(52.1, 5.3), (50.6, 4.6)]) {
        map.upsert(&with(entry(bits, at(lat, lng)), |place| {
            (place.granularity, place.accuracy_m) = (Granularity::Country, Some(1.0));
        }));
    }
    for zoom in 0..=22 {
        let areas: BTreeSet<_> =
            (0..2).map(|bits| map.all().locate(SiteId::from_u128(bits), zoom).unwrap().unwrap().to_string()).collect();
        assert!(areas.iter().all(|id| id.starts_with("n-")), "{areas:?}");
        // From afar the two neighbours are one area; near by they are two.
        assert_eq!(areas.len(), if zoom < 4 { 1 } else { 2 }, "zoom {zoom}");
    }
}
