//! Selections: filters that look at a site's texts, each with a tree of its own that follows every change.
//!
//! A filter of classes needs no selection: the sums of every tree are kept by class. Any other filter is asked about
//! each site of the map once, some at a time so that nobody waits long for the lock, and from then on about each site that
//! changes. So what it answers is as exact and as fast as the map itself, and nothing in it is ever stale.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::entry::Subject;
use super::pile::Entries;
use super::roster::{Roster, Snapshot};

/// Most selections of one account: as many people who look at it through different filters at once. A site's change
/// costs one look for each.
pub const SELECTIONS_MAX: usize = 8;
/// Sites that all selections of a map together may hold, in sites of the map: a selected site costs some 60 bytes.
const SELECTED_SHARE_MAX: usize = 2;
/// Changes beyond the number of sites after which a selection that nobody used is dropped: by then keeping it has cost
/// more than making it anew.
const UNUSED_CHANGES_MIN: usize = 10_000;

/// Whether a site is wanted.
pub type Wants = Arc<dyn Fn(&Subject<'_>) -> bool + Send + Sync>;

/// The sites that a filter wants.
pub(super) struct Selection {
    /// The filter's text form; equal keys want the same sites.
    key: Box<str>,
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
    pub(super) fn has_unplaced(&self, number: u32) -> bool {
        self.unplaced.contains(&number)
    }

    /// Looks at the next `count` entries. Answers whether all have been looked at.
    fn look_on(&mut self, entries: &Entries, count: u32) -> bool {
        let end = entries.end().min(self.looked_at.saturating_add(count));
        for number in std::mem::replace(&mut self.looked_at, end)..end {
            let entry = &entries[number];
            if entry.subject().is_some_and(|subject| (self.wants)(&subject)) {
                let snapshot = Snapshot { status: entry.status(), facets: entry.facets(number) };
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
        let new = new.filter(|_| entries[number].subject().is_some_and(|subject| (self.wants)(&subject)));
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

/// The selections of a map.
#[derive(Debug, Default)]
pub(super) struct Selections {
    all: Vec<Selection>,
    uses: AtomicU64,
}

impl Selections {
    /// The selection of this key, if it is complete.
    pub(super) fn get(&self, key: &str, entries: &Entries) -> Option<&Selection> {
        let found = self.all.iter().find(|selection| &*selection.key == key)?;
        found.last_used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        found.unused_changes.store(0, Ordering::Relaxed);
        (found.looked_at == entries.end()).then_some(found)
    }

    /// Goes on with the selection of this key, begun where it is missing: looks at the next `count` entries. Answers
    /// whether it is complete.
    pub(super) fn go_on(&mut self, key: &str, wants: &Wants, entries: &Entries, count: u32) -> bool {
        let at = self.all.iter().position(|selection| &*selection.key == key).unwrap_or_else(|| {
            self.make_room(entries);
            self.all.push(Selection {
                key: key.into(),
                wants: Arc::clone(wants),
                roster: Roster::default(),
                unplaced: HashSet::new(),
                looked_at: 0,
                last_used: AtomicU64::new(*self.uses.get_mut()),
                unused_changes: AtomicU32::default(),
            });
            self.all.len() - 1
        });
        *self.uses.get_mut() += 1;
        *self.all[at].last_used.get_mut() = *self.uses.get_mut();
        *self.all[at].unused_changes.get_mut() = 0;
        self.all[at].look_on(entries, count)
    }

    /// Makes all follow a site's change.
    pub(super) fn follow(&mut self, entries: &Entries, number: u32, old: Option<&Snapshot>, new: Option<&Snapshot>) {
        if self.all.is_empty() {
            return;
        }
        let unused_max = entries.len() + UNUSED_CHANGES_MIN;
        self.all.retain_mut(|selection| {
            selection.follow(entries, number, old, new);
            let unused = selection.unused_changes.get_mut();
            *unused = unused.saturating_add(1);
            *unused as usize <= unused_max
        });
    }

    /// Drops what was not used for longest, until there is room for one more.
    fn make_room(&mut self, entries: &Entries) {
        let is_full = |all: &[Selection]| {
            let selected: usize = all.iter().map(|selection| selection.roster.len()).sum();
            // The one to come may hold every site.
            let is_over = selected + entries.len() > entries.len() * SELECTED_SHARE_MAX;
            all.len() >= SELECTIONS_MAX || (is_over && !all.is_empty())
        };
        while is_full(&self.all) {
            let oldest = (0..self.all.len()).min_by_key(|at| self.all[*at].last_used.load(Ordering::Relaxed));
            self.all.swap_remove(oldest.expect("a full list has a member"));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}
