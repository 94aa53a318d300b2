//! Every site is drawn once, honestly, and tiles and viewports tell the same.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::world::{any_entries, any_position, at, crowd, entry, place, with};
use crate::model::geo::BoundingBox;
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::spatial::AccountMap;
use crate::spatial::entry::Entry;
use crate::spatial::map_view::MapView;
use crate::spatial::mercator::{Point, TileId};
use crate::spatial::spacing::spacing_squared;
use crate::spatial::symbols::{Expansion, SymbolId, Symbols};

/// Tiles in which anything can be drawn: those within two tiles of a site, and those of areas.
pub(super) fn tiles_that_matter(view: &MapView<'_>, entries: &[Entry], zoom: u8) -> BTreeSet<(u32, u32)> {
    let side = 1_u32 << zoom;
    let mut tiles = BTreeSet::new();
    for entry in entries {
        let tile = TileId::holding(Point::project(place(entry).position), zoom);
        for (east, south) in (-2..=2).flat_map(|east| (-2..=2).map(move |south| (east, south))) {
            let (x, y) = (tile.x().wrapping_add_signed(east) & (side - 1), tile.y().wrapping_add_signed(south));
            if y < side {
                tiles.insert((x, y));
            }
        }
        if let Some(SymbolId::Area(id)) = view.locate(entry.site, zoom) {
            let leaves = view.leaves(SymbolId::Area(id), zoom, None, usize::MAX).unwrap();
            let points: Vec<Point> = leaves.iter().map(|entry| Point::project(entry.position)).collect();
            let mean = |sum: u64| u32::try_from(sum / points.len() as u64).unwrap();
            let centroid = Point {
                x: mean(points.iter().map(|point| u64::from(point.x)).sum()),
                y: mean(points.iter().map(|point| u64::from(point.y)).sum()),
            };
            let tile = TileId::holding(centroid, zoom);
            tiles.insert((tile.x(), tile.y()));
        }
    }
    tiles
}

/// All ids of symbols with their counts.
fn ids(symbols: &Symbols<'_>) -> BTreeSet<(String, u32)> {
    let pins = symbols.pins.iter().map(|pin| (SymbolId::Pin(pin.entry.site), 1));
    let clusters = symbols.clusters.iter().map(|cluster| (SymbolId::Cluster(cluster.cell), cluster.count()));
    let areas = symbols.areas.iter().map(|area| (SymbolId::Area(area.id), area.count()));
    pins.chain(clusters).chain(areas).map(|(id, count)| (id.to_string(), count)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn all_tiles_of_a_zoom_hold_each_site_once_and_their_symbols_keep_apart(entries in any_entries(60), zoom in 0..=22_u8) {
        let map = AccountMap::bulk(entries.clone());
        let mut sites = 0;
        let mut seen = BTreeSet::new();
        let mut drawn: Vec<Point> = Vec::new();
        for (x, y) in tiles_that_matter(&map.all(), &entries, zoom) {
            let symbols = map.all().tile(TileId::new(zoom, x, y).unwrap());
            sites += symbols.sites();
            let points = symbols.pins.iter().map(|pin| pin.point);
            for point in points.chain(symbols.clusters.iter().map(|cluster| cluster.point)) {
                let is_apart = |other: &Point| point.distance_squared(*other) > spacing_squared(zoom + 3);
                prop_assert!(drawn.iter().all(is_apart), "{point:?} is too near to another");
                drawn.push(point);
            }
            for id in ids(&symbols) {
                prop_assert!(seen.insert(id.clone()), "{id:?} is in two tiles");
            }
        }
        prop_assert_eq!(sites, u64::from(map.all().tally().total()));
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
        let (low, high) = (Point::project(low), Point::project(high));
        let is_inside = |point: Point| {
            let column = if bounds.crosses_antimeridian() {
                point.x >= low.x || point.x <= high.x
            } else {
                point.x >= low.x && point.x <= high.x
            };
            column && point.y >= high.y && point.y <= low.y
        };
        let mut expected = map.all().viewport(&BoundingBox::WORLD, zoom).unwrap();
        prop_assert_eq!(expected.sites(), u64::from(map.all().tally().total()));
        expected.pins.retain(|pin| is_inside(pin.point));
        expected.clusters.retain(|cluster| is_inside(cluster.point));
        expected.areas.retain(|area| is_inside(area.point));
        prop_assert_eq!(ids(&map.all().viewport(&bounds, zoom).unwrap()), ids(&expected));
    }

    #[test]
    fn each_site_is_found_in_the_symbol_that_shows_it(entries in any_entries(60), zoom in 0..=22_u8) {
        let map = AccountMap::bulk(entries.clone());
        for entry in &entries {
            let id = map.all().locate(entry.site, zoom).unwrap();
            let leaves = map.all().leaves(id, zoom, None, usize::MAX).unwrap();
            prop_assert!(leaves.iter().any(|leaf| leaf.site == entry.site), "{id}");
            prop_assert!(leaves.is_sorted_by_key(|leaf| leaf.site));
            prop_assert_eq!(id.to_string().parse::<SymbolId>().unwrap(), id);
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
        let mut together = BTreeSet::new();
        let mut sites = 0;
        for tile in tiles {
            let symbols = map.all().tile(tile);
            sites += symbols.sites();
            together.extend(ids(&symbols));
            assert!(symbols.pins.iter().all(|pin| TileId::holding(pin.point, zoom) == tile));
        }
        assert_eq!(together, ids(&world), "zoom {zoom}");
        assert_eq!(sites, 30_000);
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
    map.upsert(entry(99, at(45.47, 9.2)));
    let far = map.all().tile(TileId::holding(Point::project(milan), 5));
    assert_eq!((far.clusters.len(), far.areas.len(), far.clusters[0].count()), (1, 0, 15));
    assert_eq!(far.clusters[0].expansion_zoom, Some(9), "the confirmed one leaves the others' area");
    let near = map.all().tile(TileId::holding(Point::project(milan), 9));
    assert_eq!((near.pins.len(), near.clusters.len(), near.areas.len()), (1, 0, 1));
    let area = &near.areas[0];
    assert_eq!((area.count(), area.radius_m, area.granularity), (14, None, Granularity::City));
    assert!((13_000.0..14_500.0).contains(&area.extent_m()), "{} m", area.extent_m());
    assert_eq!(map.all().leaves(SymbolId::Area(area.id), 22, None, 5).unwrap().len(), 5);
    assert_eq!(map.all().leaves(SymbolId::Area(area.id), 5, None, 5), None, "not shown from afar");
}

#[test]
fn deep_tiles_of_a_crowd_hold_each_site_once() {
    let map = crowd(1_500);
    let entries: Vec<Entry> =
        map.all().in_box(&BoundingBox::WORLD, None, usize::MAX).into_iter().map(|entry| entry.to_entry()).collect();
    // Before, at and after the level at which the crowd's city-level sites become areas.
    for zoom in [7, 8, 9, 12] {
        let tiles = tiles_that_matter(&map.all(), &entries, zoom);
        let sites: u64 = tiles.into_iter().map(|(x, y)| map.all().tile(TileId::new(zoom, x, y).unwrap()).sites()).sum();
        assert_eq!(sites, 1_500, "zoom {zoom}");
    }
}

#[test]
fn many_places_that_end_in_one_area_never_come_apart() {
    let near = |bits: u32| at(45.4642 + f64::from(bits % 5) * 1e-3, 9.19 + f64::from(bits / 5) * 1e-3);
    let map = AccountMap::bulk((0..40).map(|bits| estimated(entry(u128::from(bits), near(bits)), Granularity::City)));
    let cluster = map.all().tile(TileId::holding(Point::project(near(0)), 8)).clusters[0];
    assert_eq!((cluster.count(), cluster.expansion_zoom), (40, None));
    assert_eq!(map.all().expansion(cluster.cell), Some(Expansion::Never));
    assert_eq!(map.all().tile(TileId::holding(cluster.point, 9)).areas[0].count(), 40);
}

#[test]
fn a_country_is_never_a_pin() {
    let mut map = AccountMap::new();
    for (bits, (lat, lng)) in (0..).zip([(52.1, 5.3), (50.6, 4.6)]) {
        map.upsert(with(entry(bits, at(lat, lng)), |place| {
            (place.granularity, place.accuracy_m) = (Granularity::Country, Some(1.0));
        }));
    }
    for zoom in 0..=22 {
        let areas: BTreeSet<_> =
            (0..2).map(|bits| map.all().locate(SiteId::from_u128(bits), zoom).unwrap().to_string()).collect();
        assert!(areas.iter().all(|id| id.starts_with("n-")), "{areas:?}");
        // From afar the two neighbours are one area; near by they are two.
        assert_eq!(areas.len(), if zoom < 4 { 1 } else { 2 }, "zoom {zoom}");
    }
}
