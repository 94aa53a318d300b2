//! Sites in a region, and behind a symbol: exact on the positions themselves, everywhere on the sphere.
//!
//! The tree only leads to candidates, through integer frames; the region decides. Read-only.

use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use crate::model::polygon::Relation;

use super::entry::EntryRef;
use super::frame::Rect;
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::refusal::Refusal;
use super::region::Region;
use super::view::View;
use super::walk::{Group, WalkCursor, Walked, walk};

/// Most looks of one count, at a pile or at a position of one that lies at the region's edge: twice the sites of an account
/// of the size that figures are held for, so that there the worst that can be asked is answered: a million beyond the edge
/// of the map, all of which are drawn in one row, in some 0.1 s. A stack is one look, however many its sites.
pub(super) const COUNT_LOOKS_MAX: usize = 2_000_000;

/// A heap that keeps the smallest of what is offered to it, behind a cursor.
pub(super) struct Smallest<K> {
    after: Option<K>,
    limit: usize,
    /// The greatest of the kept on top, with entry numbers.
    heap: BinaryHeap<(K, u32)>,
}

impl<K: Ord + Copy> Smallest<K> {
    pub(super) fn new(after: Option<K>, limit: usize) -> Self {
        Self { after, limit, heap: BinaryHeap::new() }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn after(&self) -> Option<&K> {
        self.after.as_ref()
    }

    pub(super) fn offer(&mut self, key: K, number: u32) {
        if self.after.is_some_and(|after| key <= after) {
            return;
        }
        if self.heap.len() < self.limit {
            self.heap.push((key, number));
        } else if let Some(mut greatest) = self.heap.peek_mut()
            && key < greatest.0
        {
            *greatest = (key, number);
        }
    }

    /// The greatest of the kept, once there are as many as wanted.
    pub(super) fn bound(&self) -> Option<&K> {
        self.heap.peek().filter(|_| self.heap.len() >= self.limit).map(|(key, _)| key)
    }

    pub(super) fn into_sorted(self) -> impl Iterator<Item = (K, u32)> {
        self.heap.into_sorted_vec().into_iter()
    }
}

/// The sites in view in a region from `from` on, at most `limit`, along the map.
pub(super) fn in_region<'map>(
    view: View<'map>,
    region: &impl Region,
    from: Option<WalkCursor>,
    limit: usize,
) -> Walked<EntryRef<'map>> {
    let mut found = Vec::new();
    let next = walk(view, region, from, limit, |Group { place, sites, .. }| {
        for (site, number) in sites {
            if found.len() == limit {
                return ControlFlow::Break(WalkCursor { place, site: *site });
            }
            found.push(view.entries.get(*number));
        }
        ControlFlow::Continue(())
    });
    Walked { found, next }
}

/// The number of sites in view in a region. Nodes that lie wholly inside are counted at once, so it costs the region's
/// edge; and where only some classes are in view, a look at the piles inside that are too coarse for their node. Refuses
/// where that would be too many.
pub(super) fn count_in(view: View<'_>, region: &impl Region) -> Result<u64, Refusal> {
    count_within(view, region, COUNT_LOOKS_MAX).map(|(count, _)| count)
}

/// The number of sites, and how many looks it took, if there were no more than `looks_max`.
pub(super) fn count_within(view: View<'_>, region: &impl Region, looks_max: usize) -> Result<(u64, usize), Refusal> {
    let mut counting = Counting { view, region, looks: 0, looks_max };
    let count = counting.count(view.tree.root, Rect::WORLD, Relation::Mixed)?;
    Ok((count, counting.looks))
}

struct Counting<'a, 'map, R> {
    view: View<'map>,
    region: &'a R,
    /// Piles that were looked at, and positions of those that are not wholly in the region.
    looks: usize,
    looks_max: usize,
}

impl<'map, R: Region> Counting<'_, 'map, R> {
    fn count(&mut self, slot: Slot, cell: Rect, relation: Relation) -> Result<u64, Refusal> {
        match slot.kind() {
            Kind::Empty => Ok(0),
            Kind::Node(at) => {
                let relation = if relation == Relation::Inside { relation } else { self.region.relation(&cell) };
                match (relation, self.view.count_all(at)) {
                    (Relation::Outside, _) | (_, Some(0)) => Ok(0),
                    (Relation::Inside, Some(all)) => Ok(u64::from(all)),
                    _ => {
                        let children = self.view.node(at).children.into_iter().enumerate();
                        children.map(|(child, slot)| self.count(slot, cell.quarter(child), relation)).sum()
                    }
                }
            }
            Kind::Chain(head) => self.view.piles(head).map(|pile| self.count_pile(pile, relation)).sum(),
        }
    }

    fn count_pile(&mut self, pile: &'map Pile, relation: Relation) -> Result<u64, Refusal> {
        let point = Rect::at(pile.point);
        let relation = if relation == Relation::Inside { relation } else { self.region.relation(&point) };
        self.looks += if relation == Relation::Mixed { self.view.tree.piles.looks(pile) } else { 1 };
        if self.looks > self.looks_max {
            return Err(Refusal::TooManyToCount);
        }
        Ok(match relation {
            Relation::Outside => 0,
            Relation::Inside => u64::from(self.view.count_of_pile(pile)),
            Relation::Mixed => {
                let inside = self.view.positions(pile).filter(|(position, _)| self.region.contains(*position));
                inside.map(|(_, count)| u64::from(count)).sum()
            }
        })
    }
}
