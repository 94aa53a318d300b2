//! Sites in a region, and behind a symbol: exact on the positions themselves, everywhere on the sphere.
//!
//! The tree only leads to candidates, through integer frames; the region decides. Read-only.

use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use crate::model::polygon::Relation;

use super::entry::EntryRef;
use super::frame::Rect;
use super::node::{Kind, Slot};
use super::region::Region;
use super::view::View;
use super::walk::{Group, WalkCursor, Walked, walk};

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
    let next = walk(view, region, from, |Group { place, sites, .. }| {
        // The page's last, and one more to go on from.
        let room = (limit - found.len()).saturating_add(1);
        if sites.len() > room {
            sites.select_nth_unstable(room);
            sites.truncate(room);
        }
        sites.sort_unstable();
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
/// edge; and where only some classes are in view, a look at the piles inside that are too coarse for their node.
pub(super) fn count_in(view: View<'_>, region: &impl Region) -> u64 {
    count(view, view.tree.root, Rect::WORLD, region, Relation::Mixed)
}

fn count(view: View<'_>, slot: Slot, cell: Rect, region: &impl Region, relation: Relation) -> u64 {
    match slot.kind() {
        Kind::Empty => 0,
        Kind::Node(at) => {
            let relation = if relation == Relation::Inside { relation } else { region.relation(&cell) };
            match (relation, view.count_all(at)) {
                (Relation::Outside, _) => 0,
                (Relation::Inside, Some(all)) => u64::from(all),
                _ => {
                    let children = view.node(at).children.into_iter().enumerate();
                    children.map(|(child, slot)| count(view, slot, cell.quarter(child), region, relation)).sum()
                }
            }
        }
        Kind::Chain(head) => {
            let is_inside = |number: &u32| region.contains(view.entries[*number].position());
            let piles = view.piles(head).map(|pile| {
                let relation =
                    if relation == Relation::Inside { relation } else { region.relation(&Rect::at(pile.point)) };
                match relation {
                    Relation::Outside => 0,
                    Relation::Inside => u64::from(view.count_of_pile(pile)),
                    Relation::Mixed => view.numbers(pile).filter(is_inside).count() as u64,
                }
            });
            piles.sum()
        }
    }
}
