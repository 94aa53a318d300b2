//! A roster: the sites that something counts, on a tree and in totals. Follows one site's change at a time.

use crate::model::site::Status;

use super::class::{Classes, Tally};
use super::entry::Facets;
use super::pile::Entries;
use super::tree::Tree;

/// What a site was, or is: enough to take it out of sums, or to put it in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    /// `None` for a site without a position.
    pub(super) facets: Option<Facets>,
}

/// Some of a map's sites.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) tree: Tree,
    /// The placed ones.
    pub(super) tally: Tally,
    /// Numbers of those without a position, by status.
    unplaced: [u32; Status::ALL.len()],
}

impl Roster {
    /// Follows a site from what it was in it to what it is now; `None` for not in it. `entries` are as they are now.
    pub(super) fn apply(&mut self, entries: &Entries, old: Option<&Snapshot>, new: Option<&Snapshot>) {
        if let Some(old) = old {
            match &old.facets {
                Some(facets) => self.tally.subtract(facets.class),
                None => self.unplaced[old.status as usize] -= 1,
            }
        }
        if let Some(new) = new {
            match &new.facets {
                Some(facets) => self.tally.add(facets.class, 1),
                None => self.unplaced[new.status as usize] += 1,
            }
        }
        let facets = |snapshot: Option<&Snapshot>| snapshot.and_then(|snapshot| snapshot.facets);
        self.tree.apply(entries, facets(old).as_ref(), facets(new).as_ref());
    }

    /// How many sites of some classes have no position.
    pub(super) fn unplaced(&self, classes: Classes) -> u32 {
        let wanted = Status::ALL.into_iter().filter(|status| classes.has_unplaced(*status));
        wanted.map(|status| self.unplaced[status as usize]).sum()
    }

    /// All of them, placed or not.
    pub(super) fn len(&self) -> usize {
        self.tally.total() as usize + self.unplaced.iter().sum::<u32>() as usize
    }
}
