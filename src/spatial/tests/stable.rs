//! Clusters keep their ids and what is told of them, whatever happens to sites that are not beside them; and their ids,
//! whatever is said of sites that stay where they are.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::{CUSTOMERS, any_entries, any_placed, at, card, entry, placed, with};
use crate::model::id::SiteId;
use crate::model::location::Granularity;
use crate::model::site::Status;
use crate::spatial::AccountMap;
use crate::spatial::entry::Entry;
use crate::spatial::mercator::{CELL_LEVELS_BELOW_TILE, Cell, POINT_BITS, Point, TileId, ZOOM_MAX};
use crate::spatial::symbols::{Cluster, SymbolId};

/// Most sites that nothing happens to, and most others.
const KEPT_MAX: usize = 24;
const OTHERS: u128 = 12;

/// The symbols of some sites by their ids: what is drawn of clusters, and the sites behind each.
type Told = BTreeMap<String, (Option<Cluster>, BTreeSet<SiteId>)>;

fn told(map: &AccountMap, kept: &[Entry], zoom: u8) -> Told {
    let mut told = Told::new();
    for entry in kept {
        let id = map.all().locate(entry.site, zoom).unwrap().unwrap();
        told.entry(id.to_string()).or_insert_with(|| {
            let leaves = map.all().leaves(id, zoom, None, usize::MAX).unwrap().unwrap().found;
            (drawn(map, id, zoom), leaves.into_iter().map(|leaf| leaf.site).collect())
        });
    }
    told
}

/// A cluster as its tile draws it.
fn drawn(map: &AccountMap, id: SymbolId, zoom: u8) -> Option<Cluster> {
    let SymbolId::Cluster(cell) = id else { return None };
    let (x, y) = (cell.x() >> CELL_LEVELS_BELOW_TILE, cell.y() >> CELL_LEVELS_BELOW_TILE);
    let clusters = map.all().tile(TileId::new(zoom, x, y).unwrap()).unwrap().clusters;
    Some(*clusters.iter().find(|cluster| cluster.cell == cell).expect("a cluster is drawn in its cell"))
}

fn cell_of(entry: &Entry, level: u8) -> Cell {
    Cell::holding(placed(entry).0, level)
}

/// Whether they are neither one cell nor neighbours, over the antimeridian either.
fn are_apart(one: Cell, other: Cell) -> bool {
    let columns = one.x().abs_diff(other.x());
    columns.min((1_u32 << one.level()) - columns) > 1 || one.y().abs_diff(other.y()) > 1
}

/// The point so many cells of a level east and south, over the antimeridian, and no further than the map goes.
fn moved(point: Point, level: u8, (east, south): (i32, i32)) -> Point {
    let cell = 1_i64 << (POINT_BITS - level);
    let x = (i64::from(point.x) + i64::from(east) * cell).rem_euclid(1_i64 << POINT_BITS);
    let y = (i64::from(point.y) + i64::from(south) * cell).clamp(0, i64::from(u32::MAX));
    let coordinate = |value: i64| u32::try_from(value).expect("it is on the map");
    Point { x: coordinate(x), y: coordinate(y) }
}

/// What happens to one of the others.
#[derive(Debug, Clone)]
enum Change {
    /// It is put so many cells from one of the kept sites.
    Put(u128, usize, (i32, i32), Entry),
    Remove(u128),
}

fn any_change() -> impl Strategy<Value = Change> {
    let steps = (-9..=9_i32, -9..=9_i32);
    let put = (0..OTHERS, 0..KEPT_MAX, steps, any_placed(1));
    prop_oneof![
        4 => put.prop_map(|(bits, beside, steps, entry)| Change::Put(bits, beside, steps, entry)),
        1 => (0..OTHERS).prop_map(Change::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_happens_elsewhere_changes_nothing_of_a_cluster(
        entries in any_entries(KEPT_MAX),
        changes in prop::collection::vec(any_change(), 1..24),
        zoom in 0..=ZOOM_MAX,
    ) {
        let level = zoom + CELL_LEVELS_BELOW_TILE;
        // Pins and clusters at every zoom. The others may be of any accuracy, and become areas.
        let at_a_door = |entry| with(entry, |place| (place.granularity, place.accuracy_m) = (Granularity::Door, None));
        let kept: Vec<Entry> = entries.into_iter().map(at_a_door).collect();
        let mut map = AccountMap::bulk(kept.clone());
        let before = told(&map, &kept, zoom);
        for change in changes {
            match change {
                Change::Remove(bits) => {
                    map.remove(SiteId::from_u128(bits));
                }
                Change::Put(bits, beside, steps, other) => {
                    let Some(beside) = kept.get(beside) else { continue };
                    let point = moved(placed(beside).0, level, steps);
                    let other = Entry { site: SiteId::from_u128(bits), ..other };
                    let other = with(other, |place| place.position = point.position());
                    if kept.iter().all(|entry| are_apart(cell_of(entry, level), cell_of(&other, level))) {
                        map.upsert(&other);
                    }
                }
            }
            prop_assert_eq!(&told(&map, &kept, zoom), &before, "zoom {}", zoom);
        }
    }

    #[test]
    fn what_is_said_of_sites_that_stay_changes_no_id(
        entries in any_entries(50),
        words in prop::collection::vec(
            (0..50_usize, prop::sample::select(Status::ALL.to_vec()), prop::sample::select(CUSTOMERS.to_vec())),
            1..30,
        ),
        zoom in 0..=ZOOM_MAX,
    ) {
        let mut map = AccountMap::bulk(entries.clone());
        let ids = |map: &AccountMap| -> Vec<String> {
            entries.iter().map(|entry| map.all().locate(entry.site, zoom).unwrap().unwrap().to_string()).collect()
        };
        let before = ids(&map);
        for (at, status, customer) in words {
            let Some(entry) = entries.get(at) else { continue };
            map.upsert(&Entry { status, card: card("renamed", customer), ..entry.clone() });
        }
        prop_assert_eq!(ids(&map), before);
    }
}

#[test]
fn a_cluster_is_as_it_was_until_something_happens_beside_it() {
    let milan = at(45.4642, 9.19);
    let kept: Vec<Entry> = (1..=5).map(|bits| entry(bits, milan)).collect();
    for zoom in 0..=ZOOM_MAX {
        let level = zoom + CELL_LEVELS_BELOW_TILE;
        let mut map = AccountMap::bulk(kept.clone());
        let before = told(&map, &kept, zoom);
        assert_eq!(before.len(), 1, "zoom {zoom}");
        let elsewhere = moved(placed(&kept[0]).0, level, (2, 0)).position();
        (100..120).for_each(|bits| map.upsert(&entry(bits, elsewhere)));
        assert_eq!(told(&map, &kept, zoom), before, "zoom {zoom}: a greater one two cells away");
        // Half a cell away, 32 pixels: they are one symbol, and the greater number decides.
        let beside = moved(placed(&kept[0]).0, level + 1, (1, 0)).position();
        (200..220).for_each(|bits| map.upsert(&entry(bits, beside)));
        let after = told(&map, &kept, zoom);
        assert_ne!(after, before, "zoom {zoom}: a greater one beside it");
        (200..220).for_each(|bits| assert!(map.remove(SiteId::from_u128(bits))));
        assert_eq!(told(&map, &kept, zoom), before, "zoom {zoom}: it is gone again");
    }
}
