//! Whatever sites do, the map is the one that is made anew of where they ended; and so are its selections.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::filtered::Want;
use super::world::{any_entries, any_entry, at, card, entry, known, place, placed, placed_in, with};
use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::location::Granularity;
use crate::model::site::Status;
use crate::spatial::AccountMap;
use crate::spatial::class::Classes;
use crate::spatial::entries::Entries;
use crate::spatial::entry::Entry;
use crate::spatial::frame::Rect;
use crate::spatial::map_view::Standing;
use crate::spatial::mass::{ClassSums, Mass};
use crate::spatial::mercator::{Cell, LEVEL_MAX, POINT_BITS, Point};
use crate::spatial::node::{Kind, Slot};
use crate::spatial::order::{ORDER_SITES_DROP, ORDER_SITES_MIN};
use crate::spatial::pile::Pile;
use crate::spatial::roster::Roster;
use crate::spatial::tree::{CHAIN_MAX, NODE_PILES_MIN, SUMS_SITES_MIN, Tree};

#[derive(Debug, Clone)]
enum Step {
    Put(Entry),
    Restatus(u128, Status),
    Relabel(u128, &'static str),
    Remove(u128),
    /// Looks at so many more sites for a selection.
    Select(Want, u32),
}

fn any_step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(Status::ALL.to_vec());
    let customer = prop::sample::select(super::world::CUSTOMERS.to_vec());
    prop_oneof![
        5 => any_entry(60).prop_map(Step::Put),
        2 => (0..60_u128, status).prop_map(|(bits, status)| Step::Restatus(bits, status)),
        2 => (0..60_u128, customer).prop_map(|(bits, customer)| Step::Relabel(bits, customer)),
        3 => (0..60_u128).prop_map(Step::Remove),
        2 => (Want::any(), 1..40_u32).prop_map(|(want, count)| Step::Select(want, count)),
    ]
}

/// Checks a roster against the entries that are to be in it, node by node.
fn check(entries: &Entries, roster: &Roster, expected: &BTreeMap<SiteId, Entry>) {
    let (mut unseen, unplaced): (BTreeMap<_, _>, BTreeMap<_, _>) =
        expected.clone().into_iter().partition(|(_, entry)| entry.place.is_some());
    let placed = unseen.len();
    let tree = &roster.tree;
    let below = check_slot(entries, tree, tree.root, 0, Rect::WORLD, &mut unseen);
    assert!(unseen.is_empty(), "not in the tree: {unseen:?}");
    assert_eq!((below.len(), roster.tally.total() as usize), (placed, placed));
    assert_eq!((roster.unplaced(Classes::ALL) as usize, roster.len()), (unplaced.len(), expected.len()));
    let mut nodes = 0;
    count_nodes(tree, tree.root, &mut nodes);
    assert_eq!(tree.nodes.len(), nodes, "no node is lost");
    for status in Status::ALL {
        let of_status = expected.values().filter(|entry| entry.status == status && entry.place.is_some());
        assert_eq!(roster.tally.of_status(status) as usize, of_status.count());
    }
}

fn count_nodes(tree: &Tree, slot: Slot, nodes: &mut usize) {
    if let Kind::Node(at) = slot.kind() {
        *nodes += 1;
        tree.nodes[at].children.into_iter().for_each(|child| count_nodes(tree, child, nodes));
    }
}

/// The entries at and below a slot.
fn check_slot(
    entries: &Entries,
    tree: &Tree,
    slot: Slot,
    level: u8,
    cell: Rect,
    unseen: &mut BTreeMap<SiteId, Entry>,
) -> Vec<(u32, Entry)> {
    let mut below = Vec::new();
    // Sites of one point may have a pile for each stop.
    let piles = tree.piles.chain(slot.head()).count();
    assert!(piles <= CHAIN_MAX || level == POINT_BITS, "a chain of {piles} piles at level {level}");
    for (number, pile) in tree.piles.chain(slot.head()) {
        assert!(cell.contains(pile.point));
        check_order(entries, tree, pile);
        for (rank, entry) in tree.piles.numbers(pile).iter().enumerate() {
            let (stored, standing) = (&entries[*entry], tree.piles.standing(*entry));
            assert_eq!((standing.pile, standing.rank as usize), (number, rank));
            let expected = unseen.remove(&stored.site).expect("a site is in the tree once");
            assert_eq!(placed(&expected), (pile.point, pile.stop));
            assert_eq!(stored.status(), expected.status);
            below.push((*entry, expected));
        }
    }
    let Kind::Node(at) = slot.kind() else { return below };
    let node = &tree.nodes[at];
    for (child, slot) in node.children.into_iter().enumerate() {
        below.extend(check_slot(entries, tree, slot, level + 1, cell.quarter(child), unseen));
    }
    let (mut clustered, mut sums) = (Mass::default(), ClassSums::default());
    let (mut stopped, mut country) = (Vec::new(), Vec::new());
    for (number, entry) in &below {
        let (_, stop) = placed(entry);
        let facets = entries[*number].facets(*number).expect("it is placed");
        if stop.clusters_at(level) {
            clustered.add(&facets);
            sums.add(&facets);
        } else {
            sums.add_beside(facets.class);
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
    let kept = node.sums(&tree.extras);
    assert!(kept.is_some() || node.sites < SUMS_SITES_MIN, "{} sites without sums", node.sites);
    let areas = node.areas(&tree.extras);
    for classes in sample_classes() {
        assert!(kept.is_none_or(|kept| kept.mass(classes) == sums.mass(classes)), "level {level}, {classes:?}");
        let beside = sums.count_beside(classes);
        assert!(kept.is_none_or(|kept| kept.count_beside(classes) == beside), "level {level}, {classes:?}, beside");
        for (expected, total) in
            [(&stopped, areas.map(|areas| &areas.stopped)), (&country, areas.map(|areas| &areas.country))]
        {
            let is_in = |entry: &&&Entry| classes.holds(entry.status, Some(place(entry).source));
            let expected: Vec<_> = expected.iter().filter(is_in).map(|entry| place(entry)).collect();
            assert_eq!(total.map_or(0, |total| total.sums.mass(classes).count()) as usize, expected.len());
            let Some(total) = total.filter(|_| !expected.is_empty()) else { continue };
            assert_eq!(total.radius_m(classes), expected.iter().filter_map(known).reduce(f64::max));
            assert_eq!(Some(total.granularity(classes)), expected.iter().map(|place| place.granularity).min());
        }
    }
    below
}

/// Checks what a great pile keeps of its sites: their order by id, and how many of each status stand at each position.
fn check_order(entries: &Entries, tree: &Tree, pile: &Pile) {
    let mut numbers = tree.piles.numbers(pile).to_vec();
    let Some(order) = tree.piles.order(pile) else {
        assert!(numbers.len() < ORDER_SITES_MIN, "{} sites without an order", numbers.len());
        return;
    };
    assert!(numbers.len() >= ORDER_SITES_DROP, "an order of {} sites", numbers.len());
    numbers.sort_unstable_by_key(|number| entries[*number].site);
    assert!(order.onward(SiteId::MIN, entries).eq(numbers.iter().copied()), "by id, each once");
    let spot = |position: LatLng| (position.lat().to_bits(), position.lng().to_bits());
    let mut spots = BTreeMap::<(u64, u64), Vec<Status>>::new();
    for number in numbers {
        spots.entry(spot(entries[number].position())).or_default().push(entries[number].status());
    }
    assert_eq!(order.spots_len(), spots.len());
    for (position, tally) in order.spots() {
        for status in Status::ALL {
            let standing = spots[&spot(position)].iter().filter(|other| **other == status);
            assert_eq!(tally.of_status(status) as usize, standing.count(), "{status:?} at {position:?}");
        }
    }
}

/// All classes, and some.
fn sample_classes() -> [Classes; 3] {
    [Classes::ALL, Classes::confirmed(), Classes::of_status(Status::Offline).complement()]
}

/// Checks the map, and all selections that are complete.
fn check_all(map: &AccountMap, entries: &BTreeMap<SiteId, Entry>) {
    check(&map.entries, &map.whole, entries);
    for want in Want::all() {
        let wanted = entries.iter().filter(|(_, entry)| want.has(entry));
        let wanted: BTreeMap<_, _> = wanted.map(|(site, entry)| (*site, entry.clone())).collect();
        if let Some(selection) = map.selections.get(want.key(), &map.entries) {
            check(&map.entries, &selection.roster, &wanted);
            let view = map.selected(want.key(), Classes::ALL).unwrap();
            let mut whole: Vec<SiteId> = view.among(view).whole().collect();
            whole.sort_unstable();
            assert_eq!(whole, wanted.keys().copied().collect::<Vec<_>>(), "each once, and none that left");
            let named = view.among(view).whole_named();
            named.for_each(|(site, name)| assert_eq!(name, wanted[&site].card.as_ref().display_name()));
            for (site, entry) in entries {
                let expected = want.has(entry).then_some(entry.place.is_some());
                let found = view.get(*site).map(|standing| matches!(standing, Standing::Placed(_)));
                assert_eq!(found, expected, "{site}");
            }
        }
    }
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
                    map.upsert(&entry);
                }
                Step::Restatus(bits, status) => {
                    if let Some(entry) = entries.get_mut(&SiteId::from_u128(bits)) {
                        entry.status = status;
                        map.upsert(entry);
                    }
                }
                Step::Relabel(bits, customer) => {
                    if let Some(entry) = entries.get_mut(&SiteId::from_u128(bits)) {
                        entry.card = card(&format!("site {bits}"), customer);
                        map.upsert(entry);
                    }
                }
                Step::Remove(bits) => {
                    let site = SiteId::from_u128(bits);
                    prop_assert_eq!(map.remove(site), entries.remove(&site).is_some());
                }
                Step::Select(want, count) => {
                    let is_complete = map.select(&want.wants(), count);
                    prop_assert_eq!(is_complete, map.selected(want.key(), Classes::ALL).is_some());
                }
            }
        }
        check_all(&map, &entries);
        let anew = AccountMap::bulk(entries.values().cloned());
        check(&anew.entries, &anew.whole, &entries);
        for zoom in [0, 2, 4] {
            let world = crate::model::geo::BoundingBox::WORLD;
            prop_assert_eq!(map.all().viewport(&world, zoom).unwrap(), anew.all().viewport(&world, zoom).unwrap());
        }
        entries.keys().for_each(|site| assert!(map.remove(*site)));
        check_all(&map, &BTreeMap::new());
        let tree = &map.whole.tree;
        prop_assert_eq!((tree.nodes.len(), tree.extras.len(), map.whole.len(), map.entries.len()), (0, 0, 0, 0));
    }

    /// So many sites that nodes keep their sums by class.
    #[test]
    fn sums_by_class_follow_a_crowd(
        mut crowd in any_entries(700),
        changes in prop::collection::vec((0..700_usize, any_entry(1)), 0..300),
    ) {
        crowd.iter_mut().enumerate().filter(|(spot, _)| spot % 3 > 0).for_each(|(spot, entry)| {
            // Two thirds on a few spots, so that there are great nodes at all levels.
            *entry = with(entry.clone(), |place| place.position = at(10.0, f64::from(u8::try_from(spot % 5).unwrap()) * 1e-7));
        });
        let mut entries: BTreeMap<SiteId, Entry> = crowd.iter().map(|entry| (entry.site, entry.clone())).collect();
        let mut map = AccountMap::bulk(crowd.clone());
        for (at, change) in changes {
            let Some(Entry { site, .. }) = crowd.get(at) else { continue };
            if change.place.is_none() {
                prop_assert_eq!(map.remove(*site), entries.remove(site).is_some());
            } else {
                // Mostly it stays where it is.
                let place = crowd[at].place.filter(|_| at % 4 > 0).or(change.place);
                let entry = Entry { site: *site, place, ..change };
                entries.insert(*site, entry.clone());
                map.upsert(&entry);
            }
        }
        check_all(&map, &entries);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// So many sites on one point that their order is kept: it comes and goes with them, and follows a hair's move.
    #[test]
    fn the_order_of_a_great_pile_follows_it(
        steps in prop::collection::vec((0..4_u8, 0..1_500_u128, 0..900_u128), 0..12),
    ) {
        let on_spot = |bits: u128, is_beside: bool| entry(bits, at(10.0, if is_beside { 20.0 + 1e-9 } else { 20.0 }));
        let (mut map, mut entries) = (AccountMap::new(), BTreeMap::<SiteId, Entry>::new());
        for (kind, from, count) in std::iter::once((0, 0, 1_100)).chain(steps) {
            for bits in from..from + count {
                let site = SiteId::from_u128(bits);
                let put = match kind {
                    0 | 1 => Some(on_spot(bits, (bits % 2 == 1) == (kind == 0))),
                    2 => entries.get(&site).cloned().map(|entry| Entry { status: Status::Offline, ..entry }),
                    _ => None,
                };
                if let Some(entry) = put {
                    map.upsert(&entry);
                    entries.insert(site, entry);
                } else if kind == 3 {
                    prop_assert_eq!(map.remove(site), entries.remove(&site).is_some());
                }
            }
            check(&map.entries, &map.whole, &entries);
        }
    }
}

#[test]
fn an_entry_comes_back_as_it_went_in() {
    let mut map = AccountMap::new();
    let mut site = with(entry(5, at(12.5, -180.0)), |place| {
        (place.accuracy_m, place.granularity) = (Some(1_234.567_89), Granularity::Postcode);
    });
    map.upsert(&site);
    assert_eq!(placed_in(&map, site.site).to_entry(), site);
    site.card = card("renamed", "acme");
    map.upsert(&site);
    assert_eq!(placed_in(&map, site.site).to_entry(), site);
    site.place = None;
    map.upsert(&site);
    assert_eq!(map.all().get(site.site), Some(Standing::Unplaced));
    assert_eq!((map.all().tally().total(), map.all().unplaced()), (0, 1));
    assert_eq!(map.all().get(SiteId::from_u128(6)), None);
    assert!(!map.remove(SiteId::from_u128(6)));
}

#[test]
fn two_heaps_a_hair_apart_make_no_endless_tree() {
    let point = |x| Cell::holding(Point { x, y: 77 }, LEVEL_MAX);
    let mut map = AccountMap::new();
    // Neighbouring points, nine sites on each, all of different stops.
    for bits in 0..18_u128 {
        let site = entry(bits, Point { x: 99 + u32::from(bits % 2 == 1), y: 77 }.position());
        let accuracy_m = 10.0_f64.powi(i32::try_from(bits / 2).unwrap());
        map.upsert(&with(site, |place| place.accuracy_m = Some(accuracy_m)));
    }
    assert_eq!(point(99), point(100));
    assert!(map.whole.tree.nodes.len() <= 32, "{} nodes", map.whole.tree.nodes.len());
    (0..18).for_each(|bits| assert!(map.remove(SiteId::from_u128(bits))));
    assert_eq!(map.whole.tree.nodes.len(), 0);
}
