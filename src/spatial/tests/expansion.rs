//! Where clusters fall apart, against a look at the maps of all deeper zooms.

use std::collections::HashSet;

use proptest::prelude::*;

use super::world::{any_entries, at, crowd, entry, with};
use crate::model::geo::BoundingBox;
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::spatial::AccountMap;
use crate::spatial::class::Classes;
use crate::spatial::expansion::expansion_zoom;
use crate::spatial::map_view::MapView;
use crate::spatial::mercator::{CELL_LEVELS_BELOW_TILE, Cell, Point, ZOOM_MAX};
use crate::spatial::spacing::spacing_squared;
use crate::spatial::symbols::SymbolId;
use crate::spatial::view::View;

/// Whether the sites are in more than one symbol at a zoom.
fn are_apart(view: &MapView<'_>, sites: &[SiteId], zoom: u8) -> bool {
    let mut symbols = sites.iter().map(|site| view.locate(*site, zoom).unwrap().unwrap());
    let first = symbols.next();
    symbols.any(|symbol| Some(symbol) != first)
}

/// The first deeper zoom at which the sites of a symbol are in more than one, by a look at each site at each zoom.
fn looked_up(view: &MapView<'_>, id: SymbolId, zoom: u8) -> Option<u8> {
    let leaves = view.leaves(id, zoom, None, usize::MAX).unwrap().unwrap().found;
    let sites: Vec<SiteId> = leaves.iter().map(|leaf| leaf.site).collect();
    (zoom + 1..=ZOOM_MAX).find(|deeper| are_apart(view, &sites, *deeper))
}

/// The symbols at a zoom that are clusters.
fn clusters(view: &MapView<'_>, sites: impl Iterator<Item = SiteId>, zoom: u8) -> Vec<SymbolId> {
    let shown: HashSet<SymbolId> = sites.filter_map(|site| view.locate(site, zoom).unwrap()).collect();
    shown.into_iter().filter(|id| matches!(id, SymbolId::Cluster(_))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn clusters_come_apart_at_their_expansion_zoom(entries in any_entries(60), zoom in 0..=ZOOM_MAX) {
        let map = AccountMap::bulk(entries.clone());
        for view in [map.all(), map.within(Classes::confirmed())] {
            for id in clusters(&view, entries.iter().map(|entry| entry.site), zoom) {
                prop_assert_eq!(view.expansion(id, zoom).unwrap(), looked_up(&view, id, zoom), "{} at {}", id, zoom);
            }
        }
    }

    #[test]
    fn what_a_map_tells_of_it_never_comes_late(entries in any_entries(60), zoom in 0..=4_u8) {
        let map = AccountMap::bulk(entries);
        for cluster in map.all().viewport(&BoundingBox::WORLD, zoom).unwrap().clusters {
            let exact = map.all().expansion(SymbolId::Cluster(cluster.cell), zoom).unwrap();
            // And a stack is one for certain.
            prop_assert!(exact.is_none() || cluster.expansion_zoom.is_some_and(|zoom| Some(zoom) <= exact));
        }
    }
}

#[test]
fn clusters_of_a_crowd_come_apart_at_their_expansion_zoom() {
    let map = crowd(1_000);
    let all = map.all();
    for zoom in 0..=ZOOM_MAX {
        for id in clusters(&all, (1..=1_000).step_by(61).map(SiteId::from_u128), zoom) {
            assert_eq!(all.expansion(id, zoom).unwrap(), looked_up(&all, id, zoom), "{id} at {zoom}");
        }
    }
}

/// Two sites are one symbol where they are in one cell or at most 48 px apart.
#[test]
fn two_sites_across_a_border_of_cells_part_where_48_px_lie_between_them() {
    // The first is a border of cells at every zoom, the second from zoom 7 on, the third is none.
    for border in [1_u32 << 31, (1 << 31) + (1 << 22), (1 << 31) + 5] {
        for gap in (0..=28).map(|bits| 1_u32 << bits) {
            let west = Point { x: border - (gap / 2).max(1), y: (1 << 30) + 77 };
            let east = Point { x: west.x + gap, ..west };
            let map = AccountMap::bulk([entry(1, west.position()), entry(2, east.position())]);
            let is_one = |zoom: &u8| {
                let level = zoom + CELL_LEVELS_BELOW_TILE;
                let is_near = west.distance_squared(east) <= spacing_squared(level);
                is_near || Cell::holding(west, level) == Cell::holding(east, level)
            };
            let expected = (0..=ZOOM_MAX).find(|zoom| !is_one(zoom));
            for zoom in (0..=ZOOM_MAX).take_while(is_one) {
                let id = map.all().locate(SiteId::from_u128(1), zoom).unwrap().unwrap();
                assert!(matches!(id, SymbolId::Cluster(_)), "{id}: {gap} points at {border}, zoom {zoom}");
                let told = map.all().expansion(id, zoom).unwrap();
                assert_eq!(told, expected, "{gap} points at {border}, zoom {zoom}");
            }
        }
    }
}

#[test]
fn a_stack_never_comes_apart_and_one_with_an_estimate_does_where_that_is_an_area() {
    let milan = at(45.4642, 9.19);
    let estimate =
        |bits| with(entry(bits, milan), |place| (place.granularity, place.source) = (Granularity::City, Source::GeoIp));
    let mut map = AccountMap::bulk((0..200).map(|bits| entry(bits, milan)));
    let told = |map: &AccountMap, zoom: u8| {
        let id = map.all().locate(SiteId::from_u128(7), zoom).unwrap().unwrap();
        assert_eq!(map.all().expansion(id, zoom).unwrap(), looked_up(&map.all(), id, zoom), "zoom {zoom}");
        map.all().expansion(id, zoom).unwrap()
    };
    for zoom in 0..=ZOOM_MAX {
        assert_eq!(told(&map, zoom), None, "zoom {zoom}");
    }
    map.upsert(&estimate(999));
    assert!(told(&map, 0).is_some());
    // Estimates alone end in one area: nothing takes them apart.
    let estimates = AccountMap::bulk((0..200).map(estimate));
    for zoom in 0..=8 {
        assert_eq!(told(&estimates, zoom), None, "zoom {zoom}");
    }
}

#[test]
fn what_is_no_cluster_of_the_zoom_has_no_expansion() {
    let map = AccountMap::bulk([entry(1, at(10.0, 10.0)), entry(2, at(10.0, 10.1)), entry(3, at(-40.0, 100.0))]);
    let all = map.all();
    let cluster = all.locate(SiteId::from_u128(1), 2).unwrap().unwrap();
    assert!(all.expansion(cluster, 2).unwrap().is_some());
    assert_eq!(all.expansion(cluster, 3), Ok(None), "another zoom's");
    assert_eq!(all.expansion(SymbolId::Pin(SiteId::from_u128(3)), 2), Ok(None));
    let alone = Cell::holding(Point::project(at(-40.0, 100.0)), 2 + CELL_LEVELS_BELOW_TILE);
    assert_eq!(all.expansion(SymbolId::Cluster(alone), 2), Ok(None), "a pin is no cluster");
}

/// With no cell to spare the answer is what is certain.
#[test]
fn what_cannot_be_looked_at_is_told_as_the_least_that_it_can_be() {
    let map = crowd(3_000);
    let view = View::new(&map.entries, &map.whole.tree, Classes::ALL);
    for zoom in 0..ZOOM_MAX {
        for id in clusters(&map.all(), (1..=3_000).step_by(97).map(SiteId::from_u128), zoom) {
            let SymbolId::Cluster(cell) = id else { continue };
            let exact = map.all().expansion(id, zoom).unwrap();
            let least = expansion_zoom(view, cell, 0).unwrap();
            assert!(least.is_none_or(|least| least > zoom), "{id} at {zoom}");
            // `None` is never.
            assert!(least.unwrap_or(u8::MAX) <= exact.unwrap_or(u8::MAX), "{id} at {zoom}: {least:?}, {exact:?}");
        }
    }
}
