//! The map engine: all sites of one account in memory, as pins, clusters and areas, and by distance and region.
//!
//! `entry` what is known of a site, `entries` all of them with their `cards`; `class` what sites are counted by; `mercator`, `window`, `frame`, `region` the geometry
//! of the map; `stop` how far a site may be refined; `mass`, `pile`, `order` and `places` sums and sites of one point; `node` and
//! `tree` the quadtree that holds them; `roster`, `wants` and `selection` which sites a tree holds; `rough` the map without
//! exact positions; `view` and `map_view` which of them are seen; `attending` and `crowding` which of them need attention; `spacing`, `plane`, `board` and `mapping` from
//! cells to `symbols`; `expansion` where these fall apart; `walk`, `search`, `near`, `duplicates`, `fit` and `columns` regions and distances; `refusal` what is not answered; `mvt` and `layer` tiles as
//! bytes, `tile_fields` what is in them, `tile_limits` how large they become.
//!
//! Knows nothing of storage, revisions and tenants: one [`AccountMap`] an account, and a lock around it, is the
//! caller's. Nothing is cached, so nothing is ever stale.

mod arena;
mod attending;
mod board;
mod cards;
mod columns;
mod crowding;
mod directory;
mod entries;
mod expansion;
mod frame;
mod layer;
mod mapping;
mod mass;
mod node;
mod order;
mod pile;
mod places;
mod plane;
mod region;
mod roster;
mod rough;
mod selection;
mod spacing;
mod stop;
mod tree;
mod view;
mod wants;
mod window;

pub mod class;
pub mod duplicates;
pub mod entry;
pub mod fit;
pub mod map_view;
pub mod mercator;
pub mod mvt;
pub mod near;
pub mod refusal;
pub mod search;
pub mod symbols;
pub mod tile_fields;
pub mod tile_limits;
pub mod walk;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use crate::model::attention::{Attention, AttentionReason};
use crate::model::id::SiteId;
use crate::model::text;

pub use attending::{AttentionCounts, AttentionCursor};
pub use wants::Wants;
pub use window::VIEWPORT_CELLS_MAX;

use class::Classes;
use directory::Directory;
use entries::Entries;
use entry::{Entry, Stored};
use map_view::MapView;
use mercator::Point;
use roster::{Roster, Snapshot};
use rough::Rough;
use selection::Selections;

/// The sites of one account, on the map.
///
/// Costs 155 to 195 bytes a site when it was made at once, the most in many small accounts, its name of 20 included; a map
/// that grew has room ahead. What it answers is a
/// function of the entries that are in, whatever the order in which they came and went. Read it through a [`MapView`].
#[derive(Debug, Default)]
pub struct AccountMap {
    directory: Directory,
    entries: Entries,
    whole: Roster,
    selections: Selections,
    /// The same sites where their cells are, while somebody looks at the map so.
    rough: Option<Box<Rough>>,
}

impl AccountMap {
    /// A map without sites.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A map of many sites at once, each at most once.
    ///
    /// Faster than as many calls of [`Self::upsert`], and leaves neighbours on the map neighbours in memory.
    #[must_use]
    pub fn bulk(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut entries: Vec<Entry> = entries.into_iter().collect();
        entries.sort_by_cached_key(|entry| entry.place.map(|place| Point::project(place.position).interleaved()));
        let mut map = Self::new();
        map.directory.reserve(entries.len());
        map.entries.reserve(entries.len());
        map.whole.tree.piles.reserve(entries.len());
        for entry in entries {
            map.upsert(&entry);
        }
        map.entries.shrink();
        map.whole.tree.shrink();
        map
    }

    /// Puts a site in, or makes it what `entry` says: moved, renamed, of another status, without a position.
    ///
    /// Costs a walk of at most 32 nodes, two where the site moves, and little where only its card changes; and a look at
    /// the site for each selection.
    pub fn upsert(&mut self, entry: &Entry) {
        let number = self.put(entry);
        self.follow_roughly(number, entry);
    }

    /// Puts it in under a number.
    fn put(&mut self, entry: &Entry) -> u32 {
        let site = entry.site;
        let Some(number) = self.number(site) else {
            let number = self.entries.insert(entry);
            self.directory.insert(site, number);
            let new = self.snapshot(number);
            self.follow(number, None, Some(new));
            self.settle_crowd(number, &[]);
            return number;
        };
        let old = self.snapshot(number);
        let mut stored = Stored::new(entry);
        let has_moved = !self.entries[number].has_fix_of(&stored);
        let company = self.company_that_ends(number);
        // Until it is settled below: mostly it stays as it was.
        stored.set_crowded(old.attention.has(AttentionReason::Crowded));
        self.entries.replace(number, stored, entry.card.as_ref());
        let stored = &self.entries[number];
        let facets = if has_moved {
            stored.facets(number)
        } else {
            old.facets.map(|old| stored.facets_at(number, old.point, old.stop))
        };
        let new = Snapshot::of(stored, facets);
        self.follow(number, Some(old), Some(new));
        self.settle_crowd(number, &company);
        number
    }

    /// Takes a site out. Answers whether it was in.
    pub fn remove(&mut self, site: SiteId) -> bool {
        let entries = &self.entries;
        let Some(number) = self.directory.remove(site, |number| entries[number].site == site) else { return false };
        let old = self.snapshot(number);
        let company = self.company_that_ends(number);
        self.follow(number, Some(old), None);
        self.entries.take(number);
        company.iter().for_each(|other| self.settle_one(*other));
        self.selections.make_room(&self.entries);
        self.leave_roughly(site);
        true
    }

    /// How many sites are in, placed or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.directory.len()
    }

    /// Whether no site is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of all sites, in no order. Costs a look at each.
    #[must_use]
    pub fn ids(&self) -> Vec<SiteId> {
        self.entries.ids()
    }

    /// Sites that have one of these folded names, among those under `count` numbers from `from` on; and the number to go on at, `None` at
    /// the end. Costs a look at each number.
    #[must_use]
    pub fn named(&self, names: &HashSet<String>, from: u32, count: u32) -> (Vec<(String, SiteId)>, Option<u32>) {
        let end = self.entries.end().min(from.saturating_add(count));
        let named = (from..end).filter_map(|number| {
            let name = text::folded(self.entries.subject(number)?.card.display_name());
            names.contains(&*name).then(|| (name.into_owned(), self.entries[number].site))
        });
        (named.collect(), (end < self.entries.end()).then_some(end))
    }

    /// All sites.
    #[must_use]
    pub fn all(&self) -> MapView<'_> {
        self.within(Classes::ALL)
    }

    /// The sites of some classes.
    #[must_use]
    pub fn within(&self, classes: Classes) -> MapView<'_> {
        MapView::new(self, &self.whole, None, classes)
    }

    /// The sites of some classes that the selection of this key holds; `None` where it is not there or not complete:
    /// [`Self::select`] makes it so.
    #[must_use]
    pub fn selected(&self, key: &str, classes: Classes) -> Option<MapView<'_>> {
        let selection = self.selections.get(key, &self.entries)?;
        Some(MapView::new(self, &selection.roster, Some(selection), classes))
    }

    /// Goes on with the selection of the sites that `wants` wants; begins it where it is missing. Looks at `count` more
    /// sites, and answers whether all have been looked at.
    ///
    /// All selections together hold at most twice the sites, and are bounded by what a change costs them: the one that was
    /// not used for longest makes room.
    pub fn select(&mut self, wants: &Wants, count: u32) -> bool {
        self.selections.go_on(wants, &self.entries, count)
    }

    /// What of a site needs attention; nothing where it is not in.
    #[must_use]
    pub fn attention_of(&self, site: SiteId) -> Attention {
        self.number(site).map_or(Attention::NONE, |number| self.entries[number].attention())
    }

    fn number(&self, site: SiteId) -> Option<u32> {
        self.directory.find(site, |number| self.entries[number].site == site)
    }

    /// What a site is that is in.
    fn snapshot(&self, number: u32) -> Snapshot {
        let entry = &self.entries[number];
        let facets = match self.whole.tree.piles.of(number) {
            Some(pile) => Some(entry.facets_at(number, pile.point, pile.stop)),
            None => entry.facets(number),
        };
        Snapshot::of(entry, facets)
    }

    fn follow(&mut self, number: u32, old: Option<Snapshot>, new: Option<Snapshot>) {
        self.whole.apply(&self.entries, old.as_ref(), new.as_ref());
        self.selections.follow(&self.entries, number, old.as_ref(), new.as_ref());
    }
}
