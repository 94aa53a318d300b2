//! Polygons, the box around all sites, and near duplicates against brute force.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::search::{ids, pages};
use super::world::{any_entries, any_position, at, entry, place, with};
use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;
use crate::model::location::Granularity;
use crate::model::polygon::{GivenPolygon, Polygons};
use crate::spatial::AccountMap;
use crate::spatial::duplicates::{OTHERS_MAX, PAGE_OTHERS_MAX};
use crate::spatial::entry::Entry;
use crate::spatial::walk::{LOOKS_MAX, WalkCursor};

/// A position, its longitude brought back into the world.
fn wrapped(lat: f64, lng: f64) -> LatLng {
    at(lat.clamp(-90.0, 90.0), if lng.abs() <= 180.0 { lng } else { (lng + 180.0).rem_euclid(360.0) - 180.0 })
}

/// Corners on rays around a position, with a hole of half the size.
fn any_star() -> impl Strategy<Value = GivenPolygon> {
    let radii = prop::collection::vec(0.3..1.0_f64, 3..12);
    let size = prop::sample::select(vec![1e-6, 0.01, 1.0, 20.0, 70.0]);
    (any_position(), radii, size, any::<bool>()).prop_map(|(center, radii, size, is_hollow)| {
        let count = u32::try_from(radii.len()).unwrap();
        let ring = |scale: f64| -> Vec<LatLng> {
            let corner = |(at, radius): (u32, &f64)| {
                let (sin, cos) = (std::f64::consts::TAU * f64::from(at) / f64::from(count)).sin_cos();
                let reach = radius * size * scale;
                wrapped(center.lat() + sin * reach, center.lng() + cos * reach)
            };
            (0..).zip(&radii).map(corner).collect()
        };
        GivenPolygon { outer: ring(1.0), holes: if is_hollow { vec![ring(0.5)] } else { Vec::new() } }
    })
}

/// Width of the narrowest box around longitudes.
fn narrowest(entries: &[Entry]) -> f64 {
    let mut lngs: Vec<f64> = entries.iter().map(|entry| place(entry).position.lng().rem_euclid(360.0)).collect();
    lngs.sort_by(f64::total_cmp);
    let after_last = lngs[0] + 360.0;
    let gaps = lngs.windows(2).map(|pair| pair[1] - pair[0]).chain([after_last - lngs[lngs.len() - 1]]);
    let widest = gaps.fold(0.0, f64::max);
    360.0 - widest
}

/// Each site's neighbours of greater ids.
fn pairs(entries: &[Entry], distance_m: f64) -> BTreeMap<SiteId, Vec<(SiteId, f64)>> {
    let mut pairs: BTreeMap<SiteId, Vec<(SiteId, f64)>> = BTreeMap::new();
    for one in entries {
        for other in entries.iter().filter(|other| other.site > one.site) {
            let apart = place(one).position.distance_m(place(other).position);
            if apart <= distance_m {
                pairs.entry(one.site).or_default().push((other.site, apart));
            }
        }
    }
    for others in pairs.values_mut() {
        others.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(&other.0)));
    }
    pairs
}

/// All pages of the walk.
fn walked(map: &AccountMap, distance_m: f64, limit: usize) -> BTreeMap<SiteId, Vec<(SiteId, f64)>> {
    let (mut found, mut after) = (BTreeMap::new(), None);
    loop {
        let page = map.all().near_duplicates(distance_m, after, limit).unwrap();
        assert!(page.found.len() <= limit);
        for duplicate in page.found {
            let others: Vec<_> = duplicate.others.iter().map(|(entry, apart)| (entry.site, *apart)).collect();
            assert!(!duplicate.has_more);
            assert!(found.insert(duplicate.site.site, others).is_none(), "a site comes once");
        }
        assert!(page.next.is_none() || page.next > after, "the walk goes on");
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn polygons_are_as_brute_force_page_by_page(
        entries in any_entries(150),
        given in prop::collection::vec(any_star(), 1..3),
        limit in 1..20_usize,
    ) {
        let Ok(polygons) = Polygons::new(&given) else { return Ok(()) };
        let map = AccountMap::bulk(entries.clone());
        let inside = entries.iter().filter(|entry| polygons.contains(place(entry).position));
        let mut expected: Vec<SiteId> = inside.map(|entry| entry.site).collect();
        expected.sort();
        prop_assert_eq!(ids(&pages(limit, |from| map.all().in_polygons(&polygons, from, limit))), expected);
    }

    #[test]
    fn a_fit_is_the_narrowest_box_around_all(entries in any_entries(40), count in 0..40_usize) {
        let entries = &entries[..count.min(entries.len())];
        let fit = AccountMap::bulk(entries.to_vec()).all().fit().unwrap();
        prop_assert_eq!(fit.is_some(), !entries.is_empty());
        let Some(fit @ BoundingBox { low, high }) = fit else { return Ok(()) };
        let lats = entries.iter().map(|entry| place(entry).position.lat());
        let bits = |south: f64, north: f64| (south.to_bits(), north.to_bits());
        let (south, north) = (lats.clone().fold(90.0, f64::min), lats.fold(-90.0, f64::max));
        prop_assert_eq!(bits(low.lat(), high.lat()), bits(south, north));
        let width = (high.lng() - low.lng()).rem_euclid(360.0);
        prop_assert!(entries.iter().all(|entry| fit.contains(place(entry).position)), "{low:?} {high:?}");
        let narrowest = narrowest(entries);
        prop_assert!((width - narrowest).abs() < 1e-9, "{width} and {narrowest}");
    }

    /// So many sites on so many meridians that hardly a column is empty.
    #[test]
    fn a_fit_is_the_narrowest_box_on_a_full_globe(
        spots in prop::collection::vec((-90.0..90.0_f64, 0.0..1.0_f64), 1..1_500),
        spread in prop::sample::select(vec![0.0, 0.01, 1.0, 1.9, 30.0]),
    ) {
        let count = f64::from(u32::try_from(spots.len()).unwrap());
        let entries = (0_u32..).zip(&spots).map(|(bits, (lat, shift))| {
            entry(u128::from(bits), wrapped(*lat, (f64::from(bits) + shift * spread) * 360.0 / count - 180.0))
        });
        let entries: Vec<Entry> = entries.collect();
        let BoundingBox { low, high } = AccountMap::bulk(entries.clone()).all().fit().unwrap().unwrap();
        let (width, narrowest) = ((high.lng() - low.lng()).rem_euclid(360.0), narrowest(&entries));
        prop_assert!((width - narrowest).abs() < 1e-9, "{width} and {narrowest}");
        let fit = BoundingBox { low, high };
        prop_assert!(entries.iter().all(|entry| fit.contains(place(entry).position)), "{low:?} {high:?}");
    }

    #[test]
    fn near_duplicates_are_as_brute_force_page_by_page(
        entries in any_entries(120),
        distance_m in prop::sample::select(vec![0.0, 0.2, 15.0, 1_000.0]),
        limit in 1..20_usize,
    ) {
        prop_assert_eq!(walked(&AccountMap::bulk(entries.clone()), distance_m, limit), pairs(&entries, distance_m));
    }
}

#[test]
fn a_great_stack_of_duplicates_comes_in_bounded_pages() {
    let count = LOOKS_MAX as u128 + 1;
    let map = AccountMap::bulk((0..count).map(|bits| entry(bits, at(45.0, 9.0))));
    let (mut sites, mut pages, mut from) = (0, 0, None);
    // Of the stack no more is looked at than a page may come to.
    while pages < 5 {
        let page = map.all().near_duplicates(1.0, from, 1_000).unwrap();
        for (duplicate, site) in page.found.iter().zip(sites..) {
            assert_eq!((duplicate.site.site.as_u128(), duplicate.others.len()), (site, OTHERS_MAX));
            assert!(duplicate.has_more);
            assert!((1..).zip(&duplicate.others).all(|(behind, (other, _))| other.site.as_u128() == site + behind));
        }
        (sites, pages, from) = (sites + page.found.len() as u128, pages + 1, page.next);
    }
    let a_page = PAGE_OTHERS_MAX / OTHERS_MAX;
    assert_eq!(sites, 5 * a_page as u128, "a page ends when it tells enough, whatever the stack");
    // The last ones have fewer behind them than are told, so all is searched for them.
    let last = WalkCursor { site: SiteId::from_u128(count - 3), ..from.unwrap() };
    let (mut found, mut from) = (Vec::new(), Some(last));
    while from.is_some() {
        let page = map.all().near_duplicates(1.0, from, 1_000).unwrap();
        found.extend(page.found.iter().map(|duplicate| (duplicate.site.site.as_u128(), duplicate.others.len())));
        from = page.next;
    }
    assert_eq!(found, [(count - 3, 2), (count - 2, 1)]);
}

#[test]
fn duplicates_of_a_stack_that_is_only_drawn_as_one_come_by_distance() {
    // All at one point of the map; every second one a hair's breadth to the east.
    let position = |bits: u32| at(45.0, 9.0 + f64::from(bits % 2) * 1e-9);
    let count = 3 * u32::try_from(OTHERS_MAX).unwrap();
    let entries: Vec<Entry> = (0..count).map(|bits| entry(u128::from(bits), position(bits))).collect();
    let map = AccountMap::bulk(entries.clone());
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let page = map.all().near_duplicates(1.0, from, 1_000).unwrap();
        let told: usize = page.found.iter().map(|duplicate| duplicate.others.len()).sum();
        assert!(told < PAGE_OTHERS_MAX + OTHERS_MAX, "{told} on a page");
        found.extend(page.found);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), entries.len() - 1);
    let expected = pairs(&entries, 1.0);
    for duplicate in found {
        let others: Vec<_> = duplicate.others.iter().map(|(entry, apart)| (entry.site, *apart)).collect();
        let all = &expected[&duplicate.site.site];
        assert_eq!(others, all[..all.len().min(OTHERS_MAX)]);
        assert_eq!(duplicate.has_more, all.len() > OTHERS_MAX);
    }
}

#[test]
fn few_of_many_sites_come_in_bounded_pages() {
    // The sites of a country's area are among as many of a city's as use a page up.
    let crowd = 2 * LOOKS_MAX - 1_000;
    let position = |bits: u32| at(46.0 + f64::from(bits) * 1e-6, 9.0 + f64::from(bits % 7) * 1e-4);
    let sites = (0..u32::try_from(crowd).unwrap()).map(|bits| {
        with(entry(u128::from(bits), position(bits)), |place| {
            place.granularity = if bits % 100_000 == 7 { Granularity::Country } else { Granularity::City };
        })
    });
    let map = AccountMap::bulk(sites);
    let area = map.all().locate(SiteId::from_u128(7), 3).unwrap().unwrap();
    let (mut found, mut pages, mut from) = (Vec::new(), 0, None);
    loop {
        let page = map.all().leaves(area, 3, from, 1_000).unwrap().unwrap();
        (pages, from) = (pages + 1, page.next);
        found.extend(page.found);
        if from.is_none() {
            break;
        }
    }
    assert_eq!(ids(&found).iter().map(|site| site.as_u128()).collect::<Vec<_>>(), [7, 100_007, 200_007, 300_007]);
    assert_eq!(pages, 2);
}

#[test]
fn a_radius_that_is_none_holds_nothing() {
    let map = AccountMap::bulk([entry(1, at(90.0, 0.0)), entry(2, at(0.0, 180.0))]);
    for (center, radius_m) in [(at(90.0, 0.0), -1_000.0), (at(-90.0, 0.0), f64::NAN), (at(0.0, 180.0), -0.1)] {
        assert!(map.all().within(center, radius_m, None, 10).unwrap().is_empty());
    }
}

#[test]
fn a_fit_crosses_the_antimeridian_where_that_is_narrower() {
    let map = AccountMap::bulk([entry(1, at(-17.0, 178.0)), entry(2, at(-14.0, -171.5)), entry(3, at(-19.0, 177.0))]);
    let fit = map.all().fit().unwrap().unwrap();
    assert_eq!((fit.low, fit.high), (at(-19.0, 177.0), at(-14.0, -171.5)));
    let lone = AccountMap::bulk([entry(1, at(-17.0, 178.0))]).all().fit().unwrap().unwrap();
    assert_eq!((lone.low, lone.high), (at(-17.0, 178.0), at(-17.0, 178.0)));
}

#[test]
fn polygons_over_one_another_cost_a_page_what_they_cost_and_miss_nothing() {
    // Combs of fine teeth over a crowd: no cell is inside or outside, and who is in none has to be asked of all.
    let teeth = 48;
    let tooth = |at: i32| wrapped(if at % 2 == 0 { 45.01 } else { 44.99 }, 9.0 + f64::from(at) * 0.0002);
    let mut outer: Vec<LatLng> = (0..=2 * teeth).map(tooth).collect();
    outer.extend([wrapped(44.98, 9.0 + f64::from(2 * teeth) * 0.0002), wrapped(44.98, 9.0)]);
    let comb = GivenPolygon { outer, holes: Vec::new() };
    let polygons = Polygons::new(&vec![comb; 100]).unwrap();
    let spot = |bits: u32| at(44.991 + f64::from(bits % 83) * 0.0002, 9.0002 + f64::from(bits / 83) * 0.0001);
    let entries: Vec<Entry> = (0..6_000).map(|bits| entry(u128::from(bits), spot(bits))).collect();
    let map = AccountMap::bulk(entries.clone());
    let (mut found, mut from, mut count) = (Vec::new(), None, 0);
    loop {
        let page = map.all().in_polygons(&polygons, from, 10_000);
        found.extend(page.found.iter().map(|entry| entry.site));
        (from, count) = (page.next, count + 1);
        if from.is_none() {
            break;
        }
    }
    found.sort();
    let inside = entries.iter().filter(|entry| polygons.contains(place(entry).position));
    assert_eq!(found, inside.map(|entry| entry.site).collect::<Vec<_>>());
    assert!(found.len() > 1_000 && found.len() < 5_000, "{} are inside", found.len());
    assert!(count > 1, "all of it was one page");
}
