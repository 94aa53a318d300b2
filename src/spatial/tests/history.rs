//! Whatever sites do, the map is the one that is made anew of where they ended.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::{any_entry, at, entry};
use crate::model::id::SiteId;
use crate::model::location::Granularity;
use crate::model::site::Status;
use crate::spatial::AccountMap;
use crate::spatial::entry::Entry;
use crate::spatial::frame::Rect;
use crate::spatial::mass::Mass;
use crate::spatial::mercator::{Cell, LEVEL_MAX, Point};
use crate::spatial::node::{Kind, Slot};
use crate::spatial::placed;
use crate::spatial::tree::{NODE_PILES_MIN, Tree};

#[derive(Debug, Clone)]
enum Step {
    Put(Entry),
    Restatus(u128, Status),
    Remove(u128),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => any_entry(60).prop_map(Step::Put),
        2 => (0..60_u128, prop::sample::select(Status::ALL.to_vec()))
            .prop_map(|(bits, status)| Step::Restatus(bits, status)),
        3 => (0..60_u128).prop_map(Step::Remove),
    ]
}

/// Checks each node against the entries themselves: sums, counts, areas, and that no node is too thin.
fn check(map: &AccountMap, entries: &BTreeMap<SiteId, Entry>) {
    let mut unseen = entries.clone();
    let below = check_slot(&map.tree, map.tree.root, 0, Rect::WORLD, &mut unseen);
    assert!(unseen.is_empty(), "not in the tree: {unseen:?}");
    assert_eq!((below.len(), map.len()), (entries.len(), entries.len()));
    let mut nodes = 0;
    count_nodes(&map.tree, map.tree.root, &mut nodes);
    assert_eq!(map.tree.nodes.len(), nodes, "no node is lost");
    let online = entries.values().filter(|entry| entry.status == Status::Online).count();
    assert_eq!(map.tally().of_status(Status::Online) as usize, online);
}

fn count_nodes(tree: &Tree, slot: Slot, nodes: &mut usize) {
    if let Kind::Node(at) = slot.kind() {
        *nodes += 1;
        tree.nodes[at].children.into_iter().for_each(|child| count_nodes(tree, child, nodes));
    }
}

/// The entries at and below a slot.
fn check_slot(
    tree: &Tree,
    slot: Slot,
    level: u8,
    cell: Rect,
    unseen: &mut BTreeMap<SiteId, Entry>,
) -> Vec<(u32, Entry)> {
    let mut below = Vec::new();
    for (number, pile) in tree.piles.chain(slot.head()) {
        assert!(cell.contains(pile.point));
        for (rank, entry) in tree.piles.numbers(pile).iter().enumerate() {
            let stored = &tree.piles.entries[*entry];
            assert_eq!((stored.pile, stored.rank as usize), (number, rank));
            let expected = unseen.remove(&stored.site).expect("a site is in the tree once");
            assert_eq!(placed(&expected), (pile.point, pile.stop));
            assert_eq!(stored.status, expected.status);
            below.push((*entry, expected));
        }
    }
    let Kind::Node(at) = slot.kind() else { return below };
    let node = &tree.nodes[at];
    for (child, slot) in node.children.into_iter().enumerate() {
        below.extend(check_slot(tree, slot, level + 1, cell.quarter(child), unseen));
    }
    let (mut clustered, mut stopped, mut country) = (Mass::default(), Vec::new(), Vec::new());
    for (number, entry) in &below {
        let (point, stop) = placed(entry);
        if stop.clusters_at(level) {
            clustered.add(&tree.piles.facets(*number, point));
        }
        if stop.is_at(level) {
            stopped.push(entry);
        }
        if stop.is_country() && (3..=7).contains(&level) {
            country.push(entry);
        }
    }
    assert_eq!(node.mass, clustered, "level {level}");
    assert_eq!(node.sites as usize, below.len());
    assert!(node.piles >= NODE_PILES_MIN, "a node of {} piles", node.piles);
    let areas = node.areas(&tree.areas);
    for (expected, total) in
        [(stopped, areas.map(|areas| &areas.stopped)), (country, areas.map(|areas| &areas.country))]
    {
        assert_eq!(total.map_or(0, |total| total.mass.count()) as usize, expected.len());
        let Some(total) = total.filter(|total| !total.is_empty()) else { continue };
        let radius =
            expected.iter().filter_map(|entry| entry.accuracy_m.filter(|radius| !radius.is_nan())).reduce(f64::max);
        assert_eq!(total.radius_m(), radius);
        assert_eq!(Some(total.granularity()), expected.iter().map(|entry| entry.granularity).min());
    }
    below
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn after_any_history_the_tree_is_as_made_anew(steps in prop::collection::vec(any_step(), 0..250)) {
        let (mut map, mut entries) = (AccountMap::new(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Put(entry) => {
                    entries.insert(entry.site, entry.clone());
                    map.upsert(entry);
                }
                Step::Restatus(bits, status) => {
                    if let Some(entry) = entries.get_mut(&SiteId::from_u128(bits)) {
                        entry.status = status;
                        map.upsert(entry.clone());
                    }
                }
                Step::Remove(bits) => {
                    let site = SiteId::from_u128(bits);
                    prop_assert_eq!(map.remove(site), entries.remove(&site).is_some());
                }
            }
        }
        check(&map, &entries);
        let anew = AccountMap::bulk(entries.values().cloned());
        check(&anew, &entries);
        for zoom in [0, 2, 4] {
            let world = crate::model::geo::BoundingBox::WORLD;
            prop_assert_eq!(map.viewport(&world, zoom).unwrap(), anew.viewport(&world, zoom).unwrap());
        }
        entries.keys().for_each(|site| assert!(map.remove(*site)));
        prop_assert_eq!((map.tree.nodes.len(), map.tree.areas.len(), map.len()), (0, 0, 0));
    }
}

#[test]
fn an_entry_comes_back_as_it_went_in() {
    let mut map = AccountMap::new();
    let mut site = entry(5, at(12.5, -180.0));
    (site.accuracy_m, site.granularity) = (Some(1_234.567_89), Granularity::Postcode);
    map.upsert(site.clone());
    assert_eq!(map.get(site.site).unwrap().to_entry(), site);
    site.display_name = "renamed".into();
    map.upsert(site.clone());
    assert_eq!(map.get(site.site).unwrap().to_entry(), site);
    assert_eq!(map.get(SiteId::from_u128(6)), None);
    assert!(!map.remove(SiteId::from_u128(6)));
}

#[test]
fn two_heaps_a_hair_apart_make_no_endless_tree() {
    let point = |x| Cell::holding(Point { x, y: 77 }, LEVEL_MAX);
    let mut map = AccountMap::new();
    // Neighbouring points, nine sites on each, all of different stops.
    for bits in 0..18_u128 {
        let mut site = entry(bits, Point { x: 99 + u32::from(bits % 2 == 1), y: 77 }.position());
        site.accuracy_m = Some(10.0_f64.powi(i32::try_from(bits / 2).unwrap()));
        map.upsert(site);
    }
    assert_eq!(point(99), point(100));
    assert!(map.tree.nodes.len() <= 32, "{} nodes", map.tree.nodes.len());
    (0..18).for_each(|bits| assert!(map.remove(SiteId::from_u128(bits))));
    assert_eq!(map.tree.nodes.len(), 0);
}
