//! Whatever sites do, what needs attention is what a look at all of them says, in every view.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::world::{at, card, placed};
use crate::model::attention::{Attention, AttentionReason, CROWD_SITES_MIN};
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::model::site::Status;
use crate::spatial::attending::LOOKS_MAX;
use crate::spatial::class::Classes;
use crate::spatial::entry::{Entry, Place, Subject};
use crate::spatial::map_view::MapView;
use crate::spatial::{AccountMap, AttentionCounts, Wants};

/// Few spots, so that crowds begin and end.
const SPOTS: u8 = 3;
/// Enough for a crowd on two of them.
const SITES: u128 = 26;

#[derive(Debug, Clone)]
enum Step {
    Put(Entry),
    Remove(u128),
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let source = prop_oneof![4 => Just(Source::Pin), 1 => Just(Source::Address), 1 => Just(Source::Device)];
    let granularity = prop_oneof![5 => Just(Granularity::Door), 1 => Just(Granularity::Street)];
    let place = (0..SPOTS, source, granularity).prop_map(|(spot, source, granularity)| {
        let position = at(f64::from(spot), 10.0);
        Place { position, accuracy_m: None, granularity, source }
    });
    // Mostly on the first spot, so that it is often just about crowded.
    let place = prop_oneof![
        3 => place.clone().prop_map(|place| Some(Place { position: at(0.0, 10.0), ..place })),
        2 => place.prop_map(Some),
        1 => Just(None),
    ];
    let reasons = prop::collection::vec(prop::sample::select(AttentionReason::ALL[..7].to_vec()), 0..2);
    let status = prop::sample::select(Status::ALL.to_vec());
    (0..SITES, place, reasons, status, prop::bool::weighted(0.9)).prop_map(
        |(bits, place, reasons, status, may_crowd)| {
            let attention = reasons.into_iter().collect();
            Entry { site: SiteId::from_u128(bits), status, place, attention, may_crowd, card: card("x", "") }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![6 => any_entry().prop_map(Step::Put), 1 => (0..SITES).prop_map(Step::Remove)]
}

/// What a site needs, by a look at all of them.
fn expected(all: &BTreeMap<SiteId, Entry>, entry: &Entry) -> Attention {
    let is_confirmed = |entry: &Entry| entry.place.is_some_and(|place| place.source.is_person());
    let beside = |other: &&Entry| is_confirmed(other) && placed(other) == placed(entry);
    let is_crowd =
        is_confirmed(entry) && all.values().filter(beside).count() >= usize::try_from(CROWD_SITES_MIN).unwrap();
    entry.attention.with(AttentionReason::Crowded, is_crowd && entry.may_crowd)
}

/// Checks a view against the sites that are in it.
fn check(view: &MapView<'_>, sites: &[(SiteId, Attention)]) {
    let mut in_need: Vec<_> = sites.iter().filter_map(|(site, it)| Some((it.worst()?, *site, *it))).collect();
    in_need.sort_by_key(|(worst, site, _)| (*worst, *site));
    let mut counts = AttentionCounts { sites: u32::try_from(in_need.len()).unwrap(), ..AttentionCounts::default() };
    let reasons = in_need.iter().flat_map(|(_, _, attention)| attention.iter());
    reasons.for_each(|reason| counts.by_reason[reason as usize] += 1);
    assert_eq!(view.attention_counts(), counts);
    for reason in AttentionReason::ALL.into_iter().map(Some).chain([None]) {
        let wanted: Attention =
            AttentionReason::ALL.into_iter().filter(|it| reason.is_none_or(|only| only == *it)).collect();
        let wanted_sites = in_need.iter().filter(|(_, _, attention)| attention.meets(wanted));
        let wanted_sites: Vec<_> = wanted_sites.map(|(_, site, attention)| (*site, *attention)).collect();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = view.attending(wanted, after, 3);
            assert!(page.len() <= 3);
            found.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, wanted_sites, "{reason:?}");
    }
}

proptest! {
    #[test]
    fn what_needs_attention_is_what_a_look_at_all_says(steps in prop::collection::vec(any_step(), 1..160)) {
        let crowded = Wants::new("crowded", 1, |subject: &Subject<'_>| subject.attention.has(AttentionReason::Crowded));
        let (mut map, mut all) = (AccountMap::new(), BTreeMap::new());
        map.select(&crowded, 1);
        for step in steps {
            match step {
                Step::Put(entry) => {
                    map.upsert(&entry);
                    all.insert(entry.site, entry);
                }
                Step::Remove(bits) => {
                    map.remove(SiteId::from_u128(bits));
                    all.remove(&SiteId::from_u128(bits));
                }
            }
            let sites: Vec<_> = all.values().map(|entry| (entry.site, expected(&all, entry))).collect();
            for (site, attention) in &sites {
                prop_assert_eq!(map.attention_of(*site), *attention);
            }
            check(&map.all(), &sites);
            let offline = |(site, _): &(SiteId, Attention)| all[site].status == Status::Offline;
            let some: Vec<_> = sites.iter().copied().filter(offline).collect();
            check(&map.within(Classes::of_status(Status::Offline)), &some);
            while !map.select(&crowded, 4) {}
            let selected = map.selected("crowded", Classes::ALL).expect("it is complete");
            let some = sites.into_iter().filter(|(_, attention)| attention.has(AttentionReason::Crowded));
            check(&selected, &some.collect::<Vec<_>>());
        }
        let anew = AccountMap::bulk(all.values().cloned());
        prop_assert_eq!(anew.all().attention_counts(), map.all().attention_counts());
    }
}

/// A filter that few of very many sites in need match made one page look at all of them.
#[test]
fn a_page_looks_at_so_many_sites_and_then_goes_on() {
    let passed_over = u128::try_from(LOOKS_MAX).unwrap() + 5;
    let entry = |bits: u128, status| {
        let (site, attention) = (SiteId::from_u128(bits), [AttentionReason::Unplaced].into_iter().collect());
        Entry { site, status, place: None, attention, may_crowd: true, card: card("x", "") }
    };
    let mut map = AccountMap::bulk((0..passed_over).map(|bits| entry(bits, Status::Online)));
    map.upsert(&entry(passed_over, Status::Offline));
    let view = map.within(Classes::of_status(Status::Offline));
    assert_eq!(view.attention_counts().sites, 1, "counted without a look");
    let wanted = AttentionReason::ALL.into_iter().collect();
    let (found, next) = view.attending(wanted, None, 10);
    assert!(found.is_empty() && next.is_some(), "{found:?} {next:?}");
    let (found, next) = view.attending(wanted, next, 10);
    assert_eq!((found.len(), found[0].0, next), (1, SiteId::from_u128(passed_over), None));
}
