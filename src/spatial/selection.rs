//! Selections: filters that look at a site's texts, each with a tree of its own that follows every change.
//!
//! A filter of classes needs no selection: the sums of every tree are kept by class. Any other filter is asked about
//! each site of the map once, some at a time so that nobody waits long for the lock, and from then on about each site that
//! changes. So what it answers is as exact and as fast as the map itself, and nothing in it is ever stale.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::entries::Entries;
use super::roster::{Roster, Snapshot};
use super::wants::Wants;

/// What all selections of filters together may cost each change of a site, in terms asked of it, while others wait for the
/// lock: some 30 microseconds. Room for 8 of the longest filters, or for 60 of one term. One is kept whatever it costs.
pub(super) const SELECTED_COST_MAX: u64 = 1_024;
/// What all selections of assignments together may cost it: 140 microseconds at most, and some 60 where each is of a label or two. Room
/// for 128 of 20 labels, which is as many as an account's tokens have.
pub(super) const ASSIGNED_COST_MAX: u64 = 4_608;
/// Sites that all selections of filters together may hold, and those of assignments again, in sites of the map: a selected site costs some
/// 60 bytes.
pub(super) const SELECTED_SHARE_MAX: usize = 2;
/// Changes beyond the number of sites after which a selection that nobody used is dropped: by then keeping it has cost
/// more than making it anew.
pub(super) const UNUSED_CHANGES_MIN: usize = 10_000;

/// The sites that a filter wants.
pub(super) struct Selection {
    wants: Wants,
    pub(super) roster: Roster,
    /// Those without a position.
    unplaced: HashSet<u32>,
    /// All entries of smaller numbers are in, if they are wanted.
    looked_at: u32,
    /// When it was last used, in uses of the map's selections.
    last_used: AtomicU64,
    /// Changes of the map since then.
    unused_changes: AtomicU32,
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection").field("roster", &self.roster).finish_non_exhaustive()
    }
}

impl Selection {
    fn new(wants: Wants) -> Self {
        Self {
            wants,
            roster: Roster::default(),
            unplaced: HashSet::new(),
            looked_at: 0,
            last_used: AtomicU64::default(),
            unused_changes: AtomicU32::default(),
        }
    }

    /// The numbers of the sites that are in, placed or not, in no order. Costs nothing for others.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.roster.tree.piles.all_numbers().chain(self.unplaced.iter().copied())
    }

    pub(super) fn has_unplaced(&self, number: u32) -> bool {
        self.unplaced.contains(&number)
    }

    fn is_used(&self, at: u64) {
        self.last_used.store(at, Ordering::Relaxed);
        self.unused_changes.store(0, Ordering::Relaxed);
    }

    /// Looks at the next `count` entries. Answers whether all have been looked at.
    fn look_on(&mut self, entries: &Entries, count: u32) -> bool {
        let end = entries.end().min(self.looked_at.saturating_add(count));
        for number in std::mem::replace(&mut self.looked_at, end)..end {
            let entry = &entries[number];
            if entries.subject(number).is_some_and(|subject| self.wants.holds(&subject)) {
                let snapshot = Snapshot::of(entry, entry.facets(number));
                self.put(entries, number, None, Some(&snapshot));
            }
        }
        end == entries.end()
    }

    /// Follows a site's change; `entries` are as they are now.
    fn follow(&mut self, entries: &Entries, number: u32, old: Option<&Snapshot>, new: Option<&Snapshot>) {
        if number >= self.looked_at {
            // A selection that is complete stays so when the entry behind all others is new. One that leaves is still there.
            if new.is_some() && number == self.looked_at && number + 1 == entries.end() {
                self.look_on(entries, 1);
            }
            return;
        }
        let old = old.filter(|old| match old.facets {
            Some(_) => self.roster.tree.piles.of(number).is_some(),
            None => self.has_unplaced(number),
        });
        let new = new.filter(|_| entries.subject(number).is_some_and(|subject| self.wants.holds(&subject)));
        self.put(entries, number, old, new);
    }

    fn put(&mut self, entries: &Entries, number: u32, old: Option<&Snapshot>, new: Option<&Snapshot>) {
        self.unplaced.remove(&number);
        if new.is_some_and(|new| new.facets.is_none()) {
            self.unplaced.insert(number);
        }
        self.roster.apply(entries, old, new);
    }
}

/// The selections of a map. Those of assignments are kept beside those of filters, of which people type new ones all the time: or
/// one would push the other out, and each question of somebody on site look at all sites anew.
#[derive(Debug)]
pub(super) struct Selections {
    assigned: Group,
    filtered: Group,
}

impl Default for Selections {
    fn default() -> Self {
        Self { assigned: Group::new(ASSIGNED_COST_MAX), filtered: Group::new(SELECTED_COST_MAX) }
    }
}

impl Selections {
    /// The selection of this key, if it is complete.
    pub(super) fn get(&self, key: &str, entries: &Entries) -> Option<&Selection> {
        self.assigned.get(key, entries).or_else(|| self.filtered.get(key, entries))
    }

    /// Goes on with the selection of these, begun where it is missing: looks at the next `count` entries. Answers
    /// whether it is complete. Others make room for it as it grows.
    pub(super) fn go_on(&mut self, wants: &Wants, entries: &Entries, count: u32) -> bool {
        // A filter that asks for all that is assigned is answered by that.
        let is_assigned = wants.is_assignment() || self.assigned.all.contains_key(wants.key());
        let group = if is_assigned { &mut self.assigned } else { &mut self.filtered };
        group.go_on(wants, entries, count)
    }

    /// Makes all follow a site's change.
    pub(super) fn follow(&mut self, entries: &Entries, number: u32, old: Option<&Snapshot>, new: Option<&Snapshot>) {
        self.assigned.follow(entries, number, old, new);
        self.filtered.follow(entries, number, old, new);
    }

    /// Drops what was not used for longest, until the rest are within their bounds; one of each kind is always kept.
    pub(super) fn make_room(&mut self, entries: &Entries) {
        self.assigned.make_room(entries);
        self.filtered.make_room(entries);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.assigned.all.len() + self.filtered.all.len()
    }

    /// Cost and sites of all, as kept.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (u64, usize) {
        (self.assigned.cost + self.filtered.cost, self.assigned.sites + self.filtered.sites)
    }

    /// Cost and sites of all, as they are.
    #[cfg(test)]
    pub(super) fn recounted(&self) -> (u64, usize) {
        let all = || self.assigned.all.values().chain(self.filtered.all.values());
        let cost = all().map(|selection| u64::from(selection.wants.cost())).sum();
        (cost, all().map(|selection| selection.roster.len()).sum())
    }
}

/// Selections that make room for one another, by the key of what they want.
#[derive(Debug)]
struct Group {
    all: HashMap<Arc<str>, Selection>,
    uses: AtomicU64,
    /// What all cost a change, and may cost it.
    cost: u64,
    cost_max: u64,
    /// Sites of all.
    sites: usize,
}

impl Group {
    fn new(cost_max: u64) -> Self {
        Self { all: HashMap::new(), uses: AtomicU64::default(), cost: 0, cost_max, sites: 0 }
    }

    /// The selection of this key, if it is complete.
    fn get(&self, key: &str, entries: &Entries) -> Option<&Selection> {
        let found = self.all.get(key)?;
        found.is_used(self.uses.fetch_add(1, Ordering::Relaxed));
        (found.looked_at == entries.end()).then_some(found)
    }

    fn go_on(&mut self, wants: &Wants, entries: &Entries, count: u32) -> bool {
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        let selection = self.all.entry(Arc::clone(wants.key())).or_insert_with(|| {
            self.cost += u64::from(wants.cost());
            Selection::new(wants.clone())
        });
        selection.is_used(now);
        let before = selection.roster.len();
        let is_complete = selection.look_on(entries, count);
        self.sites += selection.roster.len() - before;
        self.make_room(entries);
        is_complete
    }

    fn follow(&mut self, entries: &Entries, number: u32, old: Option<&Snapshot>, new: Option<&Snapshot>) {
        if self.all.is_empty() {
            return;
        }
        let unused_max = entries.len() + UNUSED_CHANGES_MIN;
        (self.cost, self.sites) = (0, 0);
        self.all.retain(|_, selection| {
            selection.follow(entries, number, old, new);
            let unused = selection.unused_changes.get_mut();
            *unused = unused.saturating_add(1);
            let is_kept = *unused as usize <= unused_max;
            if is_kept {
                self.cost += u64::from(selection.wants.cost());
                self.sites += selection.roster.len();
            }
            is_kept
        });
        self.make_room(entries);
    }

    /// Drops what was not used for longest, until the rest are within their bounds; one is always kept.
    fn make_room(&mut self, entries: &Entries) {
        let sites_max = entries.len() * SELECTED_SHARE_MAX;
        while self.all.len() > 1 && (self.cost > self.cost_max || self.sites > sites_max) {
            let uses = self.all.iter().map(|(key, selection)| (selection.last_used.load(Ordering::Relaxed), key));
            let (_, oldest) = uses.min().expect("there are two at least");
            let dropped = self.all.remove(&Arc::clone(oldest)).expect("its key was found");
            self.cost -= u64::from(dropped.wants.cost());
            self.sites -= dropped.roster.len();
        }
    }
}
