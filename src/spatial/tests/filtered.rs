//! A view of some sites is the map of those sites alone, in everything that it answers.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::symbols::tiles_that_matter;
use super::world::{CUSTOMERS, any_entry, any_position, crowd, entry, place};
use crate::model::card::CardField;
use crate::model::geo::BoundingBox;
use crate::model::id::SiteId;
use crate::model::location::Source;
use crate::model::site::Status;
use crate::spatial::class::Classes;
use crate::spatial::entry::{Entry, Subject};
use crate::spatial::map_view::MapView;
use crate::spatial::mercator::TileId;
use crate::spatial::{AccountMap, Wants};

/// A filter for sites of one customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Want(&'static str);

impl Want {
    pub(super) fn all() -> [Self; 3] {
        CUSTOMERS.map(Self)
    }

    pub(super) fn any() -> impl Strategy<Value = Self> {
        prop::sample::select(Self::all().to_vec())
    }

    pub(super) fn key(self) -> &'static str {
        self.0
    }

    pub(super) fn wants(self) -> Wants {
        Wants::new(self.0, 1, move |subject: &Subject<'_>| {
            subject.card.any(CardField::CustomerId, |customer| customer == self.0)
        })
    }

    pub(super) fn has(self, entry: &Entry) -> bool {
        entry.card.as_ref().any(CardField::CustomerId, |customer| customer == self.0)
    }
}

fn any_classes() -> impl Strategy<Value = Classes> {
    let status = prop::sample::select(Status::ALL.to_vec()).prop_map(Classes::of_status);
    let source = prop::sample::select(Source::ALL.to_vec()).prop_map(Classes::of_source);
    let one = prop_oneof![status, source, Just(Classes::confirmed()), Just(Classes::placed()), Just(Classes::ALL)];
    (one.clone(), one, any::<bool>(), any::<bool>()).prop_map(|(one, other, both, not)| {
        let classes = if both { one.and(other) } else { one.or(other) };
        if not { classes.complement() } else { classes }
    })
}

/// Makes the view complete, a few sites at a time.
fn view(map: &mut AccountMap, want: Option<Want>, classes: Classes) -> MapView<'_> {
    let Some(want) = want else { return map.within(classes) };
    while !map.select(&want.wants(), 7) {}
    map.selected(want.key(), classes).expect("it is complete")
}

fn matching(entries: &[Entry], want: Option<Want>, classes: Classes) -> Vec<Entry> {
    let is_wanted = |entry: &&Entry| {
        let source = entry.place.map(|place| place.source);
        classes.holds(entry.status, source) && want.is_none_or(|want| want.has(entry))
    };
    entries.iter().filter(is_wanted).cloned().collect()
}

fn by_site(entries: Vec<Entry>) -> Vec<Entry> {
    let by_site: BTreeMap<SiteId, Entry> = entries.into_iter().map(|entry| (entry.site, entry)).collect();
    by_site.into_values().collect()
}

/// What both answer to everything that is asked but for symbols; both have no others than placed ids in common.
fn compare(
    view: &MapView<'_>,
    alone: &MapView<'_>,
    (low, high): (crate::model::geo::LatLng, crate::model::geo::LatLng),
) {
    assert_eq!((view.tally(), view.unplaced()), (alone.tally(), alone.unplaced()));
    assert_eq!(view.fit(), alone.fit());
    assert_eq!(view.nearest(low, 5).unwrap(), alone.nearest(low, 5).unwrap());
    let radius_m = low.distance_m(high);
    assert_eq!(view.within(low, radius_m, None, 1_000).unwrap(), alone.within(low, radius_m, None, 1_000).unwrap());
    assert_eq!(view.near_duplicates(1_000.0, None, 9).unwrap(), alone.near_duplicates(1_000.0, None, 9).unwrap());
    if let Ok(bounds) = BoundingBox::new(low, high) {
        assert_eq!(view.in_box(&bounds, None, 1_000), alone.in_box(&bounds, None, 1_000));
        assert_eq!(view.count_in_box(&bounds), alone.count_in_box(&bounds));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_view_is_the_map_of_its_sites_alone(
        entries in prop::collection::vec(any_entry(300), 0..300),
        want in prop::option::of(Want::any()),
        classes in any_classes(),
        corners in (any_position(), any_position()),
        zoom in 0..=22_u8,
    ) {
        let entries = by_site(entries);
        let mut map = AccountMap::bulk(entries.clone());
        let matching = matching(&entries, want, classes);
        let alone = AccountMap::bulk(matching.clone());
        let (view, alone) = (view(&mut map, want, classes), alone.all());
        compare(&view, &alone, corners);
        for zoom in 0..=4 {
            let world = view.viewport(&BoundingBox::WORLD, zoom).unwrap();
            prop_assert_eq!(&world, &alone.viewport(&BoundingBox::WORLD, zoom).unwrap());
            prop_assert_eq!(world.sites(), u64::from(view.tally().total()));
        }
        let placed: Vec<Entry> = matching.into_iter().filter(|entry| entry.place.is_some()).collect();
        let mut sites = 0;
        for (x, y) in tiles_that_matter(&view, &placed, zoom) {
            let tile = TileId::new(zoom, x, y).unwrap();
            let symbols = view.tile(tile).unwrap();
            prop_assert_eq!(&symbols, &alone.tile(tile).unwrap());
            sites += symbols.sites();
        }
        prop_assert_eq!(sites, placed.len() as u64);
        for entry in &entries {
            prop_assert_eq!(view.get(entry.site), alone.get(entry.site));
            prop_assert_eq!(view.locate(entry.site, zoom).unwrap(), alone.locate(entry.site, zoom).unwrap());
            if let Some(symbol) = view.locate(entry.site, zoom).unwrap() {
                prop_assert_eq!(view.leaves(symbol, zoom, None, 50).unwrap(), alone.leaves(symbol, zoom, None, 50).unwrap());
            }
        }
    }
}

#[test]
fn views_of_a_crowd_are_those_of_its_sites_alone() {
    // So many that nodes keep their sums by class.
    let map = crowd(30_000);
    let entries: Vec<Entry> = map
        .all()
        .in_box(&BoundingBox::WORLD, None, usize::MAX)
        .found
        .into_iter()
        .map(|entry| entry.to_entry())
        .collect();
    for classes in [
        Classes::confirmed(),
        Classes::of_status(Status::Offline),
        Classes::of_source(Source::GeoIp).and(Classes::of_status(Status::Online)),
        Classes::of_status(Status::Unknown).complement(),
        Classes::NONE,
    ] {
        let alone = AccountMap::bulk(matching(&entries, None, classes));
        let (view, alone) = (map.within(classes), alone.all());
        compare(&view, &alone, (place(&entries[17]).position, place(&entries[9_000]).position));
        for zoom in 0..=4 {
            let both = [view, alone].map(|map| map.viewport(&BoundingBox::WORLD, zoom).unwrap());
            assert_eq!(both[0], both[1], "zoom {zoom}, {classes:?}");
        }
        for entry in entries.iter().step_by(701) {
            for zoom in 5..=22 {
                let point = crate::spatial::mercator::Point::project(place(entry).position);
                let tile = TileId::holding(point, zoom);
                assert_eq!(view.tile(tile).unwrap(), alone.tile(tile).unwrap(), "zoom {zoom}, {classes:?}");
            }
        }
    }
}

#[test]
fn selections_follow_from_the_middle_of_their_making() {
    let want = Want("acme");
    let site = |bits: u128, customer| Entry {
        card: super::world::card("site", customer),
        ..entry(bits, super::world::at(1.0, 1.0))
    };
    let mut map = AccountMap::bulk((0..10).map(|bits| site(bits, "acme")));
    assert!(!map.select(&want.wants(), 5));
    assert!(map.selected(want.key(), Classes::ALL).is_none(), "half a selection answers nothing");
    // Behind what was looked at, before it, and new.
    map.upsert(&site(9, "globex"));
    map.upsert(&site(0, "globex"));
    map.upsert(&site(10, "acme"));
    assert!(map.select(&want.wants(), 100));
    assert_eq!(map.selected(want.key(), Classes::ALL).unwrap().tally().total(), 9);
    map.upsert(&site(11, "acme"));
    map.remove(SiteId::from_u128(1));
    map.upsert(&site(0, "acme"));
    assert_eq!(map.selected(want.key(), Classes::ALL).unwrap().tally().total(), 10);
}

#[test]
fn a_selection_does_not_take_in_the_last_site_as_it_leaves() {
    let want = Want("acme");
    let site =
        |bits: u128| Entry { card: super::world::card("site", "acme"), ..entry(bits, super::world::at(1.0, 1.0)) };
    let mut map = AccountMap::bulk((0..3).map(site));
    assert!(!map.select(&want.wants(), 2), "the last one is not looked at yet");
    let last = map.all().in_box(&BoundingBox::WORLD, None, 9).found[2].site;
    map.remove(last);
    assert!(map.select(&want.wants(), 9));
    assert_eq!(map.selected(want.key(), Classes::ALL).unwrap().tally().total(), 2);
}
