//! Selections stay within their bounds: the one not used for longest makes room, and no other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::world::{at, entry};
use crate::model::assignment::{ASSIGNMENTS_MAX, TERMS_MAX};
use crate::model::id::SiteId;
use crate::model::site::Status;
use crate::spatial::class::Classes;
use crate::spatial::entry::{Entry, Subject};
use crate::spatial::selection::{SELECTED_COST_MAX, SELECTED_SHARE_MAX};
use crate::spatial::{AccountMap, Wants};

fn sites(count: u128) -> AccountMap {
    AccountMap::bulk((0..count).map(|bits| entry(bits, at(1.0, 1.0))))
}

fn everybody(key: &str, terms: usize) -> Wants {
    Wants::new(key, terms, |_: &Subject<'_>| true)
}

fn nobody(key: &str, terms: usize) -> Wants {
    Wants::new(key, terms, |_: &Subject<'_>| false)
}

/// The complete ones of these keys; each counts as used now.
fn kept(map: &AccountMap, keys: &[&str]) -> Vec<bool> {
    keys.iter().map(|key| map.selected(key, Classes::ALL).is_some()).collect()
}

/// How many sites the selections of these keys hold together.
fn held<'k>(map: &AccountMap, keys: impl IntoIterator<Item = &'k str>) -> u32 {
    let views = keys.into_iter().filter_map(|key| map.selected(key, Classes::ALL));
    views.map(|view| view.tally().total() + view.unplaced()).sum()
}

#[test]
fn selections_of_few_sites_live_side_by_side() {
    // Nine in turn, of which eight were kept: each request looked at every site again.
    let mut map = sites(100);
    let looks = Arc::new(AtomicU32::new(0));
    for _ in 0..3 {
        for number in 0..50_u128 {
            let (looks, site) = (Arc::clone(&looks), format!("site {number}"));
            let wants = Wants::new(site.clone(), 1, move |subject: &Subject<'_>| {
                looks.fetch_add(1, Ordering::Relaxed);
                subject.card.display_name() == site
            });
            while map.selected(wants.key(), Classes::ALL).is_none() {
                map.select(&wants, 7);
            }
        }
    }
    assert_eq!(looks.load(Ordering::Relaxed), 50 * 100, "each looked at each site once");
}

#[test]
fn the_selection_that_was_not_used_for_longest_makes_room() {
    let mut map = sites(10);
    let third = usize::try_from(SELECTED_COST_MAX / 3 - u64::from(nobody("", 0).cost())).unwrap();
    for key in ["one", "two", "three"] {
        assert!(map.select(&nobody(key, third), 10));
    }
    assert_eq!(kept(&map, &["one"]), [true], "now the second is the oldest");
    assert!(map.select(&nobody("four", third), 10));
    assert_eq!(kept(&map, &["one", "two", "three", "four"]), [true, false, true, true]);
}

#[test]
fn one_selection_that_costs_more_than_all_may_is_kept_alone() {
    let mut map = sites(10);
    assert!(map.select(&nobody("small", 1), 10));
    let large = nobody("large", usize::try_from(SELECTED_COST_MAX).unwrap());
    assert!(!map.select(&large, 5));
    assert!(map.select(&large, 5));
    assert_eq!(kept(&map, &["small", "large"]), [false, true]);
}

#[test]
fn selections_of_everything_hold_each_site_twice_at_most() {
    // One was made beside two that held all there was: three times the sites.
    let mut map = sites(10);
    let keys = ["one", "two", "three", "four"];
    for key in keys {
        while !map.select(&everybody(key, 1), 3) {}
        let held = held(&map, keys);
        assert!(held <= 20, "{held} of 10 sites");
    }
    assert_eq!(kept(&map, &keys), [false, false, true, true], "two find room");
}

#[test]
fn a_selection_that_nobody_uses_is_dropped_and_one_in_use_is_kept() {
    let mut map = sites(10);
    assert!(map.select(&nobody("unused", 1), 10) && map.select(&nobody("used", 1), 10));
    for change in 0..10_100_u32 {
        let mut site = entry(3, at(1.0, 1.0));
        site.status = Status::ALL[change as usize % 4];
        map.upsert(&site);
        assert!(map.selected("used", Classes::ALL).is_some(), "after {change} changes");
    }
    assert!(map.selected("unused", Classes::ALL).is_none());
    assert_eq!(map.selections.len(), 1);
}

#[test]
fn what_is_assigned_makes_no_room_for_filters_nor_for_as_many_others_as_there_may_be() {
    // 61 crews pushed one another out, and each look was at every site again.
    let mut map = sites(100);
    let looks = Arc::new(AtomicU32::new(0));
    let crew = |number: usize, terms| {
        let looks = Arc::clone(&looks);
        let own = format!("site {}", number % 100);
        let wants = Wants::new(format!("crew {number}"), terms, move |subject: &Subject<'_>| {
            looks.fetch_add(1, Ordering::Relaxed);
            subject.card.display_name() == own
        });
        wants.of_assignment()
    };
    for _ in 0..3 {
        for number in 0..ASSIGNMENTS_MAX {
            let wants = crew(number, TERMS_MAX);
            while map.selected(wants.key(), Classes::ALL).is_none() {
                map.select(&wants, 7);
            }
            let filter = everybody(&format!("filter {number}"), 1_000);
            while !map.select(&filter, 50) {}
        }
    }
    assert_eq!(looks.load(Ordering::Relaxed) as usize, ASSIGNMENTS_MAX * 100, "each looked at each site once");
    assert_eq!(map.selections.len(), ASSIGNMENTS_MAX + 1);
    let again = Wants::new("crew 7", TERMS_MAX, |_: &Subject<'_>| panic!("it is there"));
    assert!(map.select(&again, 100));
    assert!(map.select(&crew(1_000, TERMS_MAX), 100));
    assert_eq!(map.selections.len(), ASSIGNMENTS_MAX + 1, "there is an end to them, too");
    assert_eq!(kept(&map, &["crew 0", "crew 1", "crew 7", "crew 1000"]), [false, true, true, true]);
}

/// What happens to a map of few sites and some filters: those of a status, of so many terms.
#[derive(Debug, Clone)]
enum Step {
    Put(u128, Status),
    Remove(u128),
    Select(usize, u32),
    Use(usize),
}

/// The filters: which status they do not want, and their terms.
const FILTERS: [(Status, usize); 6] = [
    (Status::Online, 1),
    (Status::Offline, 300),
    (Status::Unknown, 290),
    (Status::Maintenance, 260),
    (Status::Online, 160),
    (Status::Offline, 1_100),
];

fn any_step() -> impl Strategy<Value = Step> {
    let status = prop::sample::select(Status::ALL.to_vec());
    prop_oneof![
        4 => (0..8_u128, status).prop_map(|(site, status)| Step::Put(site, status)),
        1 => (0..8_u128).prop_map(Step::Remove),
        3 => (0..FILTERS.len(), 1..6_u32).prop_map(|(filter, count)| Step::Select(filter, count)),
        1 => (0..FILTERS.len()).prop_map(Step::Use),
    ]
}

fn of_filter(number: usize) -> Wants {
    let (unwanted, terms) = FILTERS[number];
    Wants::new(number.to_string(), terms, move |subject: &Subject<'_>| subject.status != unwanted)
}

proptest! {
    #[test]
    fn all_selections_are_within_their_bounds_after_any_step(steps in prop::collection::vec(any_step(), 0..120)) {
        let (mut map, mut entries) = (AccountMap::new(), HashMap::<SiteId, Entry>::new());
        for step in steps {
            match step {
                Step::Put(bits, status) => {
                    let site = Entry { status, ..entry(bits, at(1.0, 1.0)) };
                    entries.insert(site.site, site.clone());
                    map.upsert(&site);
                }
                Step::Remove(bits) => {
                    let site = SiteId::from_u128(bits);
                    prop_assert_eq!(map.remove(site), entries.remove(&site).is_some());
                }
                Step::Select(filter, count) => {
                    let is_complete = map.select(&of_filter(filter), count);
                    prop_assert_eq!(is_complete, map.selected(&filter.to_string(), Classes::ALL).is_some());
                }
                Step::Use(filter) => drop(map.selected(&filter.to_string(), Classes::ALL)),
            }
            let (cost, sites) = map.selections.recounted();
            prop_assert_eq!(map.selections.counted(), (cost, sites));
            prop_assert!(map.selections.len() <= 1 || cost <= SELECTED_COST_MAX, "cost {}", cost);
            prop_assert!(sites <= entries.len() * SELECTED_SHARE_MAX, "{} of {} sites", sites, entries.len());
        }
        for (filter, (unwanted, _)) in FILTERS.into_iter().enumerate() {
            let Some(view) = map.selected(&filter.to_string(), Classes::ALL) else { continue };
            let wanted = entries.values().filter(|entry| entry.status != unwanted).count();
            prop_assert_eq!(view.tally().total() as usize, wanted);
        }
    }
}
