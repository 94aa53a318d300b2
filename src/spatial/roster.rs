//! A roster: the sites that something counts, on a tree and in totals. Follows one site's change at a time.

use crate::model::attention::Attention;
use crate::model::id::SiteId;
use crate::model::site::Status;

use super::attending::Attending;
use super::class::{Classes, Tally};
use super::entries::Entries;
use super::entry::{Facets, Stored};
use super::tree::Tree;

/// What a site was, or is: enough to take it out of sums, or to put it in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Snapshot {
    pub(super) site: SiteId,
    pub(super) attention: Attention,
    pub(super) status: Status,
    /// `None` for a site without a position.
    pub(super) facets: Option<Facets>,
}

impl Snapshot {
    pub(super) fn of(entry: &Stored, facets: Option<Facets>) -> Self {
        Self { site: entry.site, attention: entry.attention(), status: entry.status(), facets }
    }
}

/// Some of a map's sites.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) tree: Tree,
    /// The placed ones.
    pub(super) tally: Tally,
    /// Numbers of those without a position, by status.
    unplaced: [u32; Status::ALL.len()],
    /// Those that need attention.
    pub(super) attending: Attending,
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
        self.attending.follow(old, new);
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
