//! Boxes, circles and neighbours against brute force, everywhere on the sphere.

use proptest::prelude::*;

use super::world::{any_entries, any_position, at, crowd, entry, place};
use crate::model::geo::{BoundingBox, DISTANCE_M_MAX, LatLng};
use crate::model::id::SiteId;
use crate::spatial::AccountMap;
use crate::spatial::entry::{Entry, EntryRef};
use crate::spatial::near::{DistanceCursor, Near};
use crate::spatial::walk::{WalkCursor, Walked};

/// All entries with their distances, nearest first.
fn by_distance(entries: &[Entry], center: LatLng) -> Vec<(SiteId, f64)> {
    let mut near: Vec<_> = entries.iter().map(|entry| (entry.site, center.distance_m(place(entry).position))).collect();
    near.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    near
}

fn plain(near: Vec<Near<'_>>) -> Vec<(SiteId, f64)> {
    near.into_iter().map(|(entry, distance_m)| (entry.site, distance_m)).collect()
}

/// All ids of a walk, sorted.
pub(super) fn ids(entries: &[EntryRef<'_>]) -> Vec<SiteId> {
    let mut ids: Vec<SiteId> = entries.iter().map(|entry| entry.site).collect();
    ids.sort();
    ids
}

/// All pages of a walk together. None but the last is short, for so few sites.
pub(super) fn pages<T>(limit: usize, mut page: impl FnMut(Option<WalkCursor>) -> Walked<T>) -> Vec<T> {
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let Walked { found: page, next } = page(from);
        assert!(page.len() == limit || (page.len() < limit && next.is_none()));
        assert!(next.is_none() || next > from, "the walk goes on");
        found.extend(page);
        from = next;
        if from.is_none() {
            return found;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nearest_is_as_brute_force(entries in any_entries(120), center in any_position(), limit in 0..30_usize) {
        let map = AccountMap::bulk(entries.clone());
        let mut expected = by_distance(&entries, center);
        expected.truncate(limit);
        prop_assert_eq!(plain(map.all().nearest(center, limit).unwrap()), expected);
    }

    #[test]
    fn within_is_as_brute_force_page_by_page(
        entries in any_entries(120),
        center in any_position(),
        radius_m in prop_oneof![0.0..DISTANCE_M_MAX, 0.0..100_000.0, Just(0.0), Just(1e12), Just(f64::INFINITY)],
        limit in 1..20_usize,
    ) {
        let map = AccountMap::bulk(entries.clone());
        let mut expected = by_distance(&entries, center);
        expected.retain(|(_, distance_m)| *distance_m <= radius_m);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = plain(map.all().within(center, radius_m, after, limit).unwrap());
            prop_assert!(page.len() <= limit);
            let Some((site, distance_m)) = page.last().copied() else { break };
            after = Some(DistanceCursor { distance_m, site });
            found.extend(page);
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn boxes_are_as_brute_force_page_by_page(
        entries in any_entries(120),
        low in any_position(),
        high in any_position(),
        limit in 1..20_usize,
    ) {
        let Ok(bounds) = BoundingBox::new(low, high) else { return Ok(()) };
        let map = AccountMap::bulk(entries.clone());
        let mut expected: Vec<SiteId> =
            entries.iter().filter(|entry| bounds.contains(place(entry).position)).map(|entry| entry.site).collect();
        expected.sort();
        prop_assert_eq!(map.all().count_in_box(&bounds).unwrap(), expected.len() as u64);
        prop_assert_eq!(ids(&pages(limit, |from| map.all().in_box(&bounds, from, limit))), expected);
    }
}

#[test]
fn great_crowds_are_searched_exactly() {
    let map = crowd(20_000);
    let entries: Vec<Entry> =
        map.all().in_box(&BoundingBox::WORLD, None, 20_000).found.into_iter().map(|entry| entry.to_entry()).collect();
    assert_eq!(entries.len(), 20_000);
    assert_eq!(map.all().count_in_box(&BoundingBox::WORLD), Ok(20_000));
    for (lat, lng) in [(-20.0, -170.0), (0.0, 0.0), (89.0, 12.0), (-90.0, 0.0), (36.9, 152.9), (10.0, -179.999)] {
        let center = at(lat, lng);
        let mut expected = by_distance(&entries, center);
        let radius_m = expected[700].1;
        assert_eq!(plain(map.all().within(center, radius_m, None, 700).unwrap()), expected[..700]);
        expected.truncate(50);
        assert_eq!(plain(map.all().nearest(center, 50).unwrap()), expected);
    }
}

#[test]
fn a_crowd_on_one_spot_and_one_along_a_polar_meridian_are_built_and_torn_down_at_once() {
    let count = 50_000_u32;
    let spot = (0..count).map(|bits| entry(u128::from(bits), at(45.0, 9.0)));
    // All of these are drawn in the map's uppermost row, at one point.
    let meridian = (0..count)
        .map(|bits| entry(u128::from(count + bits), at(85.1 + 4.9 * f64::from(bits) / f64::from(count), 9.0)));
    let mut map = AccountMap::new();
    spot.chain(meridian).for_each(|entry| map.upsert(&entry));
    assert_eq!(map.all().nearest(at(45.0, 9.0), 3).unwrap().len(), 3);
    assert_eq!(map.all().nearest(at(90.0, 0.0), 1).unwrap()[0].0.site, SiteId::from_u128(u128::from(2 * count - 1)));
    for bits in (0..2 * count).step_by(2).chain((1..2 * count).step_by(2)) {
        assert!(map.remove(SiteId::from_u128(u128::from(bits))));
    }
    assert!(map.all().tally().total() == 0);
}

#[test]
fn what_is_far_away_is_found_without_a_look_at_all_that_is_farther() {
    // From the other side of the world a circle around what is near holds a pole, and goes round.
    let count = 20_000_u32;
    let spot = |bits: u32| at(40.0 + f64::from(bits % 150) / 10.0, f64::from(bits / 150) / 10.0);
    let entries: Vec<Entry> = (0..count).map(|bits| entry(u128::from(bits), spot(bits))).collect();
    let map = AccountMap::bulk(entries.clone());
    let all = map.all();
    for center in [at(-33.9, 151.2), at(-45.0, -175.0), at(89.9, 0.0), at(-90.0, 0.0), at(47.0, 7.0)] {
        let near = by_distance(&entries, center);
        assert_eq!(plain(all.nearest(center, 10).unwrap()), near[..10], "{center:?}");
        let looks = all.looks_within(center, f64::INFINITY, None, 10, usize::MAX).unwrap();
        assert!(looks < 1_500, "nearest from {center:?} looks at {looks} of {count}");
        // A page from the middle of a circle that holds everything.
        let cursor = |at: usize| Some(DistanceCursor { distance_m: near[at].1, site: near[at].0 });
        let looks = all.looks_within(center, DISTANCE_M_MAX, cursor(10_000), 100, usize::MAX).unwrap();
        assert!(looks < 8_000, "a page from {center:?} looks at {looks} of {count}");
        assert_eq!(plain(all.within(center, DISTANCE_M_MAX, cursor(10_000), 100).unwrap()), near[10_001..10_101]);
    }
}
