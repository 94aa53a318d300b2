//! The rule that keeps symbols apart, against a greedy pass over the whole world.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::symbols::tiles_that_matter;
use super::world::{
    any_entries, any_placed, any_position, at, crowd, entry, of_different_sites, placed, placed_in, with,
};
use crate::model::geo::BoundingBox;
use crate::model::id::SiteId;
use crate::spatial::AccountMap;
use crate::spatial::entry::{Entry, EntryRef};
use crate::spatial::mercator::{CELL_LEVELS_BELOW_TILE, Cell, POINT_BITS, Point, TileId, ZOOM_MAX};
use crate::spatial::spacing::spacing_squared;
use crate::spatial::symbols::{AreaKind, SymbolId, Symbols};

/// Deepest zoom at which one viewport may hold the world.
const WORLD_ZOOM_MAX: u8 = 4;
/// Cells along one side of a window of a deeper zoom, and the parts of each in which sites are put.
const WINDOW_CELLS: u32 = 12;
const CELL_PARTS: u32 = 64;

/// A cell of the brute force: its sites and their centroid.
struct Heap {
    cell: Cell,
    sites: BTreeSet<SiteId>,
    point: Point,
}

/// A site and where it is drawn.
type Drawn = (SiteId, Point);

fn centroid(sites: &[Drawn]) -> Point {
    let mean = |values: Vec<u64>| u32::try_from(values.iter().sum::<u64>() / values.len() as u64).unwrap();
    Point {
        x: mean(sites.iter().map(|(_, point)| u64::from(point.x)).collect()),
        y: mean(sites.iter().map(|(_, point)| u64::from(point.y)).collect()),
    }
}

/// What clusters, by cells.
fn clustering(entries: &[Entry], level: u8) -> Vec<Heap> {
    let mut cells: BTreeMap<Cell, Vec<Drawn>> = BTreeMap::new();
    for entry in entries {
        let (point, stop) = placed(entry);
        if stop.clusters_at(level) {
            cells.entry(Cell::holding(point, level)).or_default().push((entry.site, point));
        }
    }
    heaps(cells)
}

/// What is in areas, by the cells that hold their centroids.
fn doubtful(entries: &[Entry], level: u8) -> Vec<Heap> {
    let mut areas: BTreeMap<(Cell, bool), Vec<Drawn>> = BTreeMap::new();
    for entry in entries {
        let (point, stop) = placed(entry);
        if let Some(area_level) = stop.area_level(level) {
            let area = (Cell::holding(point, area_level), stop.is_country());
            areas.entry(area).or_default().push((entry.site, point));
        }
    }
    let mut cells: BTreeMap<Cell, Vec<Drawn>> = BTreeMap::new();
    for sites in areas.into_values() {
        cells.entry(Cell::holding(centroid(&sites), level)).or_default().extend(sites);
    }
    heaps(cells)
}

fn heaps(cells: BTreeMap<Cell, Vec<Drawn>>) -> Vec<Heap> {
    let heap = |(cell, sites): (Cell, Vec<Drawn>)| {
        let point = centroid(&sites);
        Heap { cell, point, sites: sites.into_iter().map(|(site, _)| site).collect() }
    };
    cells.into_iter().map(heap).collect()
}

/// The kept cells with all sites of each, by a pass over all cells from the greatest down.
fn greedy(mut heaps: Vec<Heap>, level: u8) -> BTreeMap<Cell, BTreeSet<SiteId>> {
    let order = |heap: &Heap| crate::spatial::spacing::order(u32::try_from(heap.sites.len()).unwrap(), heap.cell);
    heaps.sort_by_key(|heap| std::cmp::Reverse(order(heap)));
    let mut kept: Vec<(Cell, Point)> = Vec::new();
    let mut symbols: BTreeMap<Cell, BTreeSet<SiteId>> = BTreeMap::new();
    for heap in heaps {
        // Kept cells stand in their order, so the first that is near is the greatest.
        let near = |(_, point): &&(Cell, Point)| point.distance_squared(heap.point) <= spacing_squared(level);
        let symbol = kept.iter().find(near).map(|(cell, _)| *cell);
        if symbol.is_none() {
            kept.push((heap.cell, heap.point));
        }
        symbols.entry(symbol.unwrap_or(heap.cell)).or_default().extend(heap.sites);
    }
    symbols
}

fn ids(entries: Vec<EntryRef<'_>>) -> BTreeSet<SiteId> {
    entries.into_iter().map(|entry| entry.site).collect()
}

/// All symbols of a zoom: those of the world in one viewport, or of all tiles in which any can be drawn.
fn shown<'map>(map: &'map AccountMap, entries: &[Entry], zoom: u8) -> Symbols<'map> {
    if zoom <= WORLD_ZOOM_MAX {
        return map.all().viewport(&BoundingBox::WORLD, zoom).unwrap();
    }
    let mut all = Symbols::default();
    for (x, y) in tiles_that_matter(&map.all(), entries, zoom) {
        let Symbols { pins, clusters, areas } = map.all().tile(TileId::new(zoom, x, y).unwrap()).unwrap();
        all.pins.extend(pins);
        all.clusters.extend(clusters);
        all.areas.extend(areas);
    }
    all
}

/// A zoom at which no viewport holds the world, and sites in a window of its cells around any spot: several in a cell, some
/// known too coarsely for one.
fn any_window() -> impl Strategy<Value = (u8, Vec<Entry>)> {
    let parts = 0..WINDOW_CELLS * CELL_PARTS;
    let sites = prop::collection::vec((any_placed(1), parts.clone(), parts), 1..100);
    (any_position(), WORLD_ZOOM_MAX + 1..=ZOOM_MAX, sites).prop_map(|(spot, zoom, sites)| {
        let (middle, cell) = (Point::project(spot), 1_u32 << (POINT_BITS - zoom - CELL_LEVELS_BELOW_TILE));
        let (half, part) = (WINDOW_CELLS / 2 * cell, cell / CELL_PARTS);
        let put = |(entry, east, south): (Entry, u32, u32)| {
            // Round the world eastward; at the northern and the southern edge of the map they heap up.
            let x = middle.x.wrapping_sub(half).wrapping_add(east * part);
            let y = middle.y.saturating_sub(half).saturating_add(south * part);
            with(entry, |place| place.position = Point { x, y }.position())
        };
        (zoom, of_different_sites(sites.into_iter().map(put).collect()))
    })
}

/// Compares the symbols of the whole world, their leaves, and where each site is located, with the brute force.
fn check(map: &AccountMap, entries: &[Entry], zoom: u8) {
    let expected = greedy(clustering(entries, zoom + 3), zoom + 3);
    let symbols = shown(map, entries, zoom);
    let mut found = BTreeMap::new();
    for pin in &symbols.pins {
        let cell = Cell::holding(pin.point, zoom + 3);
        found.insert(cell, BTreeSet::from([pin.entry.site]));
        assert_eq!(map.all().locate(pin.entry.site, zoom).unwrap(), Some(SymbolId::Pin(pin.entry.site)));
    }
    for cluster in &symbols.clusters {
        let id = SymbolId::Cluster(cluster.cell);
        let leaves = ids(map.all().leaves(id, zoom, None, usize::MAX).unwrap().unwrap().found);
        assert_eq!((cluster.count() as usize, leaves.len() > 1), (leaves.len(), true));
        for site in &leaves {
            assert_eq!(map.all().locate(*site, zoom).unwrap(), Some(id));
            let point = Point::project(placed_in(map, *site).position);
            assert!(cluster.bounds().contains(point.position()), "{:?} {:?}", cluster.bounds(), point.position());
        }
        found.insert(cluster.cell, leaves);
    }
    assert_eq!(found, expected, "zoom {zoom}");
    let mut found = BTreeMap::new();
    for area in &symbols.areas {
        let id = SymbolId::Area(area.id);
        let leaves = ids(map.all().leaves(id, zoom, None, usize::MAX).unwrap().unwrap().found);
        assert_eq!(area.count() as usize, leaves.len());
        for site in &leaves {
            assert_eq!(map.all().locate(*site, zoom).unwrap(), Some(id));
        }
        let is_joined = area.id.kind == AreaKind::Joined;
        found.insert(if is_joined { area.id.cell } else { Cell::holding(area.point, zoom + 3) }, leaves);
    }
    assert_eq!(found, greedy(doubtful(entries, zoom + 3), zoom + 3), "areas, zoom {zoom}");
    let pins = symbols.pins.iter().map(|pin| pin.point);
    let counted: Vec<Point> = pins.chain(symbols.clusters.iter().map(|cluster| cluster.point)).collect();
    for points in [counted, symbols.areas.iter().map(|area| area.point).collect()] {
        for (at, point) in points.iter().enumerate() {
            for other in &points[..at] {
                assert!(point.distance_squared(*other) > spacing_squared(zoom + 3), "{point:?} and {other:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn symbols_are_those_of_a_greedy_pass(entries in any_entries(150), zoom in 0..=WORLD_ZOOM_MAX) {
        check(&AccountMap::bulk(entries.clone()), &entries, zoom);
    }

    #[test]
    fn symbols_of_a_window_of_a_deep_zoom_are_those_of_a_greedy_pass((zoom, entries) in any_window()) {
        check(&AccountMap::bulk(entries.clone()), &entries, zoom);
    }
}

#[test]
fn crowds_are_merged_as_in_a_greedy_pass() {
    let map = crowd(5_000);
    let entries: Vec<Entry> = map
        .all()
        .in_box(&BoundingBox::WORLD, None, usize::MAX)
        .found
        .into_iter()
        .map(|entry| entry.to_entry())
        .collect();
    (0..=4).for_each(|zoom| check(&map, &entries, zoom));
}

#[test]
fn neighbours_over_the_antimeridian_are_one_symbol() {
    let map = AccountMap::bulk([entry(1, at(10.0, 179.9)), entry(2, at(10.0, -179.9)), entry(3, at(10.0, 180.0))]);
    let symbols = map.all().viewport(&BoundingBox::WORLD, 2).unwrap();
    assert_eq!((symbols.pins.len(), symbols.clusters.len(), symbols.sites()), (0, 1, 3));
    assert!(symbols.clusters[0].bounds().crosses_antimeridian());
}

#[test]
fn tiles_climb_as_far_as_the_answer_lies() {
    // Stairs of single sites, each in a cell of its own and near enough to the next to decide over it: what is kept
    // depends on cells far outside of a tile.
    let half_cell = 1_u32 << 24;
    let steps = (0..32_u32).flat_map(|stair| (0..250_u32).map(move |step| (stair, step)));
    let map = AccountMap::bulk(steps.map(|(stair, step)| {
        let x = (stair * 8 + step).wrapping_mul(half_cell).wrapping_add(half_cell / 2);
        let point = Point { x, y: step * half_cell + half_cell + half_cell / 2 };
        entry(u128::from(stair * 250 + step), point.position())
    }));
    let world = map.all().viewport(&BoundingBox::WORLD, 4).unwrap();
    let mut cells: BTreeSet<Cell> = world.clusters.iter().map(|cluster| cluster.cell).collect();
    let mut sites = 0;
    for (x, y) in (0..16).flat_map(|x| (0..16).map(move |y| (x, y))) {
        let symbols = map.all().tile(TileId::new(4, x, y).unwrap()).unwrap();
        sites += symbols.sites();
        assert!(symbols.clusters.iter().all(|cluster| cells.remove(&cluster.cell)), "tile {x}/{y}");
    }
    assert_eq!((cells.len(), sites), (0, u64::from(map.all().tally().total())));
}

#[test]
fn a_long_row_of_sites_is_no_deep_recursion() {
    // Two thousand sites, each near enough to the next to be its only way out of being a pin.
    let sites = (0..2_000_u32).map(|bits| entry(u128::from(bits), at(1.0, -170.0 + f64::from(bits) * 0.16)));
    let entries: Vec<Entry> = sites.collect();
    check(&AccountMap::bulk(entries.clone()), &entries, 4);
}

#[test]
fn a_stack_is_one_symbol_for_ever_and_pages() {
    let mut map = AccountMap::bulk((0..10_000).map(|bits| entry(bits, at(-33.9, 151.2))));
    for zoom in 0..=22 {
        let tile = map.all().tile(TileId::holding(Point::project(at(-33.9, 151.2)), zoom)).unwrap();
        assert_eq!((tile.pins.len(), tile.clusters.len(), tile.sites()), (0, 1, 10_000), "one symbol, zoom {zoom}");
        let SymbolId::Cluster(cell) = map.all().locate(SiteId::from_u128(77), zoom).unwrap().unwrap() else {
            panic!("a cluster")
        };
        let first = map.all().leaves(SymbolId::Cluster(cell), zoom, None, 9_997).unwrap().unwrap();
        let last = map.all().leaves(SymbolId::Cluster(cell), zoom, first.next, 3).unwrap().unwrap();
        let all: Vec<u128> = first.found.iter().chain(&last.found).map(|entry| entry.site.as_u128()).collect();
        assert!(all.iter().copied().eq(0..10_000) && last.next.is_none());
        assert_eq!(
            map.all().leaves(SymbolId::Cluster(cell), (zoom + 1) % 23, None, 3).unwrap(),
            None,
            "another zoom's cluster"
        );
    }
    let symbols = map.all().viewport(&BoundingBox::WORLD, 4).unwrap();
    assert!(symbols.clusters[0].is_stack() && symbols.clusters[0].count() == 10_000);
    map.upsert(&entry(10_000, at(-33.9, 151.3)));
    let symbols = map.all().viewport(&BoundingBox::WORLD, 0).unwrap();
    assert_eq!(symbols.clusters.len(), 1);
    assert!(symbols.clusters[0].expansion_zoom.is_some());
}
