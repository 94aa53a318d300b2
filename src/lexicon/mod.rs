//! Words of an account's sites, and which sites have them: search as one types, ranked.
//!
//! A site is put in under the words of its fields, folded. The index is a few immutable *segments*, each with its sites
//! numbered in the order of their names, and the sites that changed last, of which there are so few that each is looked
//! at. Every put is in the next search: it makes the site's entry in a segment dead (a bit) and puts the new one to the
//! last ones; when these are many they become a segment, and small segments become larger ones, which readers and writers
//! need not wait for ([`Lexicon::merge`]).
//!
//! **Rank.** A hit has every word of the query, each exactly or as the beginning of one of its words. First come those with
//! fewer words that are only beginnings; then those whose words stand in better fields (name, ids, contact, surroundings,
//! note), a word that begins its text before one that does not, summed over the words; then the order of names, then of ids.
//! The order is a function of the sites that are in, whatever their history, up to a filter that is asked about too many.
//!
//! **Why not a search library?** Those for full text show writes at their next commit, which costs a file or milliseconds;
//! here a write is seen by whoever was told of it. And names in the order of numbers make "the ten best of half a million"
//! a walk that stops after ten.
//!
//! Is pure and synchronous: knows no store, no lock and no account.

mod asking;
mod bits;
mod bulk;
mod column;
mod entry;
mod field;
mod highlight;
mod merge;
mod names;
mod query;
mod ranks;
mod search;
mod segment;
mod words;

use std::collections::HashSet;
use std::hash::RandomState;
use std::sync::Arc;

use bits::Bits;
use segment::Segment;

use crate::model::id::SiteId;
use crate::model::site::Site;

pub use bulk::Bulk;
pub use entry::{Entry, NOTE_BYTES_MAX, NOTE_WORDS_MAX};
pub use field::{Class, Classes, Field};
pub use highlight::{Match, matches};
pub use merge::{Merge, Merged, Replaced};
pub use query::{QUERY_BYTES_MAX, QUERY_WORDS_MAX, Query};
pub use search::EXAMINED_MAX;

/// Sites that changed last, before they become a segment: to look at them all takes some ten microseconds.
const LAST_MAX: usize = 256;
/// Small segments are merged when there are so many,
const MERGED_MIN: usize = 4;
/// each at most so many times as large as all smaller ones.
const MERGED_RATIO: usize = 2;

/// The index of one account's sites.
#[derive(Debug)]
pub struct Lexicon {
    segments: Vec<Held>,
    last: Vec<Entry>,
    /// Of how many they become a segment.
    last_max: usize,
    /// How many sites a filter is asked about in a search.
    examined_max: usize,
    /// What the next segment is called.
    serial: u64,
    /// The segments that are being merged, and their sites that died meanwhile.
    merging: Option<(Vec<u64>, Vec<SiteId>)>,
    /// The sites that were put in or taken out since a bulk began that is not in yet.
    touched: Option<HashSet<SiteId>>,
    hashes: RandomState,
}

/// A segment, and which of its sites are still so.
#[derive(Debug)]
struct Held {
    serial: u64,
    segment: Arc<Segment>,
    alive: Bits,
    /// How many are.
    count: usize,
}

/// The answer to a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hits {
    /// The best hits, in their order.
    pub sites: Vec<SiteId>,
    /// How many hits there are: at least so many where `is_exact` is not set.
    pub total: usize,
    /// Whether `total` is exact.
    pub is_exact: bool,
}

/// Where a site that is in stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Among the last ones.
    Last(usize),
    /// In a segment, under a number.
    Segment(usize, u32),
}

impl Default for Lexicon {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            last: Vec::new(),
            last_max: LAST_MAX,
            examined_max: EXAMINED_MAX,
            serial: 0,
            merging: None,
            touched: None,
            hashes: RandomState::new(),
        }
    }
}

impl Lexicon {
    /// What [`Self::put`] takes of a site as it is now; `None` where nothing of it would change. Costs some microseconds, and
    /// more for a long note.
    #[must_use]
    pub fn entry_of(&self, site: &Site) -> Option<Entry> {
        let mark = entry::mark_of(site, &self.hashes);
        let is_news = self.awaits_bulk() || self.mark_of(site.id) != Some(mark);
        is_news.then(|| Entry::of(site, mark))
    }

    /// Puts a site in as its entry says, in the place of what it was. Costs a microsecond or two; the last of
    /// 256 makes a segment of them, which costs some hundred.
    pub fn put(&mut self, entry: Entry) {
        self.touch(entry.site);
        if self.mark_of(entry.site) == Some(entry.mark) {
            return;
        }
        self.kill(entry.site);
        self.last.push(entry);
        if self.last.len() >= self.last_max {
            self.freeze();
        }
    }

    /// Takes a site out, if it is in.
    pub fn remove(&mut self, site: SiteId) {
        self.touch(site);
        self.kill(site);
    }

    /// How many sites are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.last.len() + self.segments.iter().map(|held| held.count).sum::<usize>()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether [`Self::merge`] has something to do. Costs a look at each segment.
    #[must_use]
    pub fn is_merge_due(&self) -> bool {
        !self.due().is_empty()
    }

    /// The segments to merge: small ones of about one size where they are many, else those that are mostly dead, to be made
    /// anew without their dead. None while a merge is under way.
    fn due(&self) -> Vec<&Held> {
        if self.merging.is_some() {
            return Vec::new();
        }
        if self.segments.len() >= MERGED_MIN {
            let mut held: Vec<&Held> = self.segments.iter().collect();
            held.sort_by_key(|held| (held.count, held.serial));
            let mut sum = 0;
            let small = held.iter().take_while(|held| {
                let is_small = sum == 0 || held.count <= MERGED_RATIO * sum;
                sum += held.count;
                is_small
            });
            let small = small.count();
            if small >= MERGED_MIN {
                held.truncate(small);
                return held;
            }
        }
        self.segments.iter().filter(|held| held.count * 2 < held.segment.len()).collect()
    }

    /// A merge that is due, if none is under way: to be run elsewhere, and installed. Costs a copy of some bits.
    pub fn merge(&mut self) -> Option<Merge> {
        let due = self.due();
        if due.is_empty() {
            return None;
        }
        let sources = due.iter().map(|held| (Arc::clone(&held.segment), held.alive.clone())).collect();
        let serials: Vec<u64> = due.iter().map(|held| held.serial).collect();
        self.merging = Some((serials.clone(), Vec::new()));
        Some(Merge { serials, sources })
    }

    /// Puts a merge in the place of its segments, which it gives back: to free them takes longer than to replace them.
    pub fn install(&mut self, merged: Merged) -> Replaced {
        let Some((_, dead)) = self.merging.take() else { return Replaced::default() };
        let replaced = self.segments.extract_if(.., |held| merged.serials.contains(&held.serial)).collect();
        self.hold(merged.segment, &dead);
        Replaced { _segments: replaced }
    }

    /// Forgets the merge that is under way, if one is.
    pub fn abandon_merge(&mut self) {
        self.merging = None;
    }

    /// Tells that a bulk will be made of sites as they are now or will be: what is put and removed meanwhile is newer.
    pub fn await_bulk(&mut self) {
        self.touched = Some(HashSet::new());
    }

    /// A bulk to put sites into.
    #[must_use]
    pub fn bulk(&self) -> Bulk {
        Bulk::new(self.hashes.clone())
    }

    /// Whether a bulk is awaited.
    #[must_use]
    pub fn awaits_bulk(&self) -> bool {
        self.touched.is_some()
    }

    /// Puts a bulk in, without the sites that were put in or taken out since it was awaited.
    pub fn install_bulk(&mut self, merged: Merged) {
        let touched: Vec<SiteId> = self.touched.take().into_iter().flatten().collect();
        self.hold(merged.segment, &touched);
    }

    fn hold(&mut self, segment: Segment, dead: &[SiteId]) {
        let mut alive = segment.all();
        dead.iter().filter_map(|site| segment.find(*site)).for_each(|number| {
            alive.clear(number);
        });
        let count = alive.count();
        if count > 0 {
            self.serial += 1;
            self.segments.push(Held { serial: self.serial, segment: Arc::new(segment), alive, count });
        }
    }

    fn freeze(&mut self) {
        let entries = std::mem::take(&mut self.last);
        self.hold(Segment::of(entries), &[]);
    }

    fn touch(&mut self, site: SiteId) {
        if let Some(touched) = &mut self.touched {
            touched.insert(site);
        }
    }

    fn place_of(&self, site: SiteId) -> Option<Place> {
        if let Some(at) = self.last.iter().position(|entry| entry.site == site) {
            return Some(Place::Last(at));
        }
        let alive = |held: &Held| held.segment.find(site).filter(|number| held.alive.get(*number));
        self.segments.iter().enumerate().find_map(|(at, held)| Some(Place::Segment(at, alive(held)?)))
    }

    /// The mark of a site that is in.
    fn mark_of(&self, site: SiteId) -> Option<u64> {
        Some(match self.place_of(site)? {
            Place::Last(at) => self.last[at].mark,
            Place::Segment(at, number) => self.segments[at].segment.mark(number),
        })
    }

    fn kill(&mut self, site: SiteId) {
        match self.place_of(site) {
            None => {}
            Some(Place::Last(at)) => drop(self.last.swap_remove(at)),
            Some(Place::Segment(at, number)) => {
                let held = &mut self.segments[at];
                held.alive.clear(number);
                held.count -= 1;
                if let Some((serials, dead)) = &mut self.merging
                    && serials.contains(&held.serial)
                {
                    dead.push(site);
                }
            }
        }
    }
}

/// A count of a segment: of sites, words or bytes of one column.
fn number(count: usize) -> u32 {
    u32::try_from(count).expect("an account has fewer than four milliards of sites, and of bytes in a column")
}

#[cfg(test)]
mod tests;
