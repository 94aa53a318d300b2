//! The map as it is told to who sees no exact positions: a map of its own, in which each site stands in the middle of its cell.
//!
//! Rounded answers of the exact map would not do: boxes, distances, counts, and where two sites part, asked often enough, tell
//! a position that no answer names. Here there is none to tell. Begun when somebody looks, some sites at a time; it follows every
//! change from then on, and is dropped when nobody looks for long. Costs as much memory again as the map that it is of.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::model::attention::Attention;
use crate::model::id::SiteId;
use crate::model::rough::{blurred, rounded};

use super::AccountMap;
use super::entries::Entries;
use super::entry::{Entry, Place};
use super::selection::UNUSED_CHANGES_MIN;

/// A map in the making, or made.
#[derive(Debug, Default)]
pub(super) struct Rough {
    map: AccountMap,
    /// All entries of smaller numbers are in.
    looked_at: u32,
    /// Changes of the exact map since it was last looked at.
    unused_changes: AtomicU32,
}

impl AccountMap {
    /// The map of the same sites in which each stands in the middle of its cell; `None` where it is not there or not complete:
    /// [`Self::roughen`] makes it so.
    #[must_use]
    pub fn rough(&self) -> Option<&Self> {
        let rough = self.rough.as_deref().filter(|rough| rough.looked_at == self.entries.end())?;
        rough.unused_changes.store(0, Ordering::Relaxed);
        Some(&rough.map)
    }

    /// Goes on with that map, or begins it: looks at `count` more sites, and gives it where all have been looked at.
    pub fn roughen(&mut self, count: u32) -> Option<&mut Self> {
        let Self { entries, rough, .. } = self;
        let rough = rough.get_or_insert_with(Box::default);
        *rough.unused_changes.get_mut() = 0;
        let end = entries.end().min(rough.looked_at.saturating_add(count));
        for number in std::mem::replace(&mut rough.looked_at, end)..end {
            if let Some(entry) = entry_of(entries, number) {
                rough.map.upsert(&roughened(&entry));
            }
        }
        (end == entries.end()).then_some(&mut rough.map)
    }

    /// Makes that map follow a site that came or changed.
    pub(super) fn follow_roughly(&mut self, number: u32, entry: &Entry) {
        let Some(rough) = &mut self.rough else { return };
        rough.map.upsert(&roughened(entry));
        // One that is complete stays so when the entry behind all others is new.
        if number == rough.looked_at {
            rough.looked_at += 1;
        }
        self.count_unused();
    }

    /// Makes that map follow a site that left.
    pub(super) fn leave_roughly(&mut self, site: SiteId) {
        let Some(rough) = &mut self.rough else { return };
        rough.map.remove(site);
        self.count_unused();
    }

    /// Drops it when keeping it has cost more than making it anew.
    fn count_unused(&mut self) {
        let unused_max = self.entries.len() + UNUSED_CHANGES_MIN;
        let is_unused = self.rough.as_mut().is_some_and(|rough| {
            let unused = rough.unused_changes.get_mut();
            *unused = unused.saturating_add(1);
            *unused as usize > unused_max
        });
        if is_unused {
            self.rough = None;
        }
    }
}

/// The site of a number as it came in; `None` where none stands.
fn entry_of(entries: &Entries, number: u32) -> Option<Entry> {
    let subject = entries.subject(number)?;
    let stored = &entries[number];
    if stored.is_placed() {
        return Some(entries.get(number).to_entry());
    }
    let (site, card) = (stored.site, subject.card.to_card());
    Some(Entry { site, status: subject.status, place: None, attention: subject.attention, may_crowd: false, card })
}

/// The site in the middle of its cell. What needs attention rests on where it is exactly, and is none here.
fn roughened(entry: &Entry) -> Entry {
    let place = entry.place.map(|place| {
        let (accuracy_m, granularity) = blurred(place.accuracy_m, place.granularity);
        Place { position: rounded(place.position), accuracy_m, granularity, ..place }
    });
    let (site, status, card) = (entry.site, entry.status, entry.card.clone());
    Entry { site, status, place, attention: Attention::NONE, may_crowd: false, card }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::model::card::CardPacker;
    use crate::model::geo::{BoundingBox, LatLng};
    use crate::model::location::{Granularity, Source};
    use crate::model::site::Status;
    use crate::spatial::wants::Wants;

    fn entry(number: u128, place: Option<(f64, f64)>) -> Entry {
        let now = Timestamp::UNIX_EPOCH;
        let place = place.map(|(lat, lng)| Place {
            position: LatLng::new(lat, lng).unwrap(),
            accuracy_m: None,
            granularity: Granularity::Door,
            source: Source::Pin,
        });
        Entry {
            site: SiteId::from_u128(number),
            status: Status::Online,
            place,
            attention: Attention::NONE,
            may_crowd: true,
            card: CardPacker::new(&format!("site {number}"), now, now).pack(),
        }
    }

    /// What a map shows of all its sites, by id: everything that a caller could be told of each.
    fn shown(map: &AccountMap) -> Vec<String> {
        let placed = map.all().in_box(&BoundingBox::WORLD, None, 1_000).found;
        let mut shown: Vec<String> = placed.iter().map(|site| format!("{:?}", site.to_entry())).collect();
        shown.push(format!("{} unplaced, {:?}, {:?}", map.all().unplaced(), map.all().tally(), map.all().fit()));
        shown.sort();
        shown
    }

    /// That map, made of steps of a size.
    fn made(map: &mut AccountMap, count: u32) -> &AccountMap {
        while map.roughen(count).is_none() {}
        map.rough().unwrap()
    }

    #[test]
    fn it_is_there_when_all_were_looked_at_and_stays_whole() {
        let mut map = AccountMap::bulk((0..10).map(|number| entry(number, Some((10.0, 10.0)))));
        assert!(map.rough().is_none() && map.roughen(4).is_none() && map.rough().is_none());
        map.upsert(&entry(10, Some((20.0, 20.0))));
        assert_eq!(made(&mut map, 4).len(), 11);
        map.upsert(&entry(11, None));
        assert!(map.remove(SiteId::from_u128(3)));
        map.upsert(&entry(12, Some((30.0, 30.0))));
        assert_eq!(map.rough().unwrap().len(), 12, "it follows without being made anew");
        let wants = Wants::new("all", 1, |_| true);
        assert!(map.roughen(0).unwrap().select(&wants, 100));
        let all = map.rough().unwrap().selected("all", crate::spatial::class::Classes::ALL).unwrap();
        assert_eq!((all.tally().total(), all.unplaced()), (11, 1), "it has selections of its own");
    }

    #[test]
    fn it_goes_when_nobody_looks_for_long() {
        let mut map = AccountMap::bulk([entry(0, Some((10.0, 10.0)))]);
        made(&mut map, 1);
        for change in 0..=UNUSED_CHANGES_MIN {
            assert!(map.rough.is_some(), "{change}");
            map.upsert(&entry(0, Some((10.0, 11.0))));
        }
        assert!(map.rough.is_some());
        map.upsert(&entry(0, Some((10.0, 10.0))));
        assert!(map.rough.is_none());
    }

    #[test]
    fn many_of_one_cell_are_no_crowd() {
        let place = |number: u8| Some((10.001, 10.001 + f64::from(number) / 1e5));
        let mut map = AccountMap::bulk((0..50).map(|number| entry(number.into(), place(number))));
        let rough = made(&mut map, 7);
        assert!((0..50).all(|number| rough.attention_of(SiteId::from_u128(number)) == Attention::NONE));
    }

    /// A site, whether it leaves, where it goes else, and how many sites are looked at before.
    type Step = (u128, bool, Option<(f64, f64)>, u32);

    fn any_steps() -> impl Strategy<Value = Vec<Step>> {
        let place = prop::option::weighted(0.9, (9.98..10.02_f64, 9.98..10.02_f64));
        prop::collection::vec((0..20_u128, prop::bool::weighted(0.2), place, 0..6_u32), 1..60)
    }

    proptest! {
        /// Where sites stand in their cells makes no difference to anything that is told.
        #[test]
        fn it_is_the_map_of_rounded_sites_whatever_came_before(steps in any_steps()) {
            let (mut map, mut oracle) = (AccountMap::new(), AccountMap::new());
            for (number, leaves, place, count) in steps {
                map.roughen(count);
                let entry = entry(number, place);
                if leaves {
                    prop_assert_eq!(map.remove(entry.site), oracle.remove(entry.site));
                } else {
                    map.upsert(&entry);
                    oracle.upsert(&roughened(&entry));
                }
            }
            prop_assert_eq!(shown(made(&mut map, 3)), shown(&oracle));
        }
    }
}
