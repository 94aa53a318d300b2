//! Sites in a region, and behind a symbol: exact on the positions themselves, everywhere on the sphere.
//!
//! The tree only leads to candidates, through integer frames; the region decides. Read-only.

use std::collections::BinaryHeap;

use crate::model::id::SiteId;

use super::entry::EntryRef;
use super::frame::{Frame, Rect};
use super::mapping::Leaves;
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::region::Region;
use super::view::View;
use super::window::Window;

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

    /// Whether something was kept or put out.
    pub(super) fn offer(&mut self, key: K, number: u32) -> bool {
        if self.after.is_some_and(|after| key <= after) {
            return false;
        }
        if self.heap.len() < self.limit {
            self.heap.push((key, number));
            return true;
        }
        let Some(mut greatest) = self.heap.peek_mut() else { return false };
        let is_smaller = key < greatest.0;
        if is_smaller {
            *greatest = (key, number);
        }
        is_smaller
    }

    /// The greatest of the kept, once there are as many as wanted.
    pub(super) fn bound(&self) -> Option<&K> {
        self.heap.peek().filter(|_| self.heap.len() >= self.limit).map(|(key, _)| key)
    }

    pub(super) fn into_sorted(self) -> impl Iterator<Item = (K, u32)> {
        self.heap.into_sorted_vec().into_iter()
    }
}

/// The sites in view in a region that come after `after`, at most `limit`, by id.
pub(super) fn in_region<'map>(
    view: View<'map>,
    region: &impl Region,
    after: Option<SiteId>,
    limit: usize,
) -> Vec<EntryRef<'map>> {
    let mut smallest = Smallest::new(after, limit);
    each_pile(view, view.tree.root, Rect::WORLD, region, &mut |pile, is_sure| {
        for number in view.numbers(pile) {
            let entry = &view.entries[number];
            if smallest.bound().is_none_or(|bound| entry.site < *bound)
                && (is_sure || region.contains(entry.position()))
            {
                smallest.offer(entry.site, number);
            }
        }
    });
    by_id(view, smallest)
}

/// The number of sites in view in a region. Nodes that lie wholly inside are counted at once, so it costs the region's
/// edge; and where only some classes are in view, a look at the piles inside that are too coarse for their node.
pub(super) fn count_in(view: View<'_>, region: &impl Region) -> u64 {
    count(view, view.tree.root, Rect::WORLD, region)
}

fn count(view: View<'_>, slot: Slot, cell: Rect, region: &impl Region) -> u64 {
    match slot.kind() {
        Kind::Empty => 0,
        Kind::Node(at) => {
            if let Some(all) = view.count_all(at).filter(|_| region.surely_holds(&cell)) {
                return u64::from(all);
            }
            let children = view.node(at).children.into_iter().enumerate();
            let met = children.map(|(child, slot)| (slot, cell.quarter(child))).filter(|(_, cell)| region.meets(cell));
            met.map(|(slot, cell)| count(view, slot, cell, region)).sum()
        }
        Kind::Chain(_) => {
            let mut total = 0;
            each_pile(view, slot, cell, region, &mut |pile, is_sure| {
                let inside = |number: &u32| region.contains(view.entries[*number].position());
                total += if is_sure {
                    u64::from(view.count_of_pile(pile))
                } else {
                    view.numbers(pile).filter(inside).count() as u64
                };
            });
            total
        }
    }
}

/// Calls `f` with each pile at or below `slot` that may lie in the region, and whether it surely does.
pub(super) fn each_pile<'map>(
    view: View<'map>,
    slot: Slot,
    cell: Rect,
    region: &impl Region,
    f: &mut impl FnMut(&'map Pile, bool),
) {
    match slot.kind() {
        Kind::Empty => {}
        Kind::Node(at) => {
            for (child, slot) in view.node(at).children.into_iter().enumerate() {
                let quarter = cell.quarter(child);
                if slot != Slot::default() && region.meets(&quarter) {
                    each_pile(view, slot, quarter, region, f);
                }
            }
        }
        Kind::Chain(head) => {
            for pile in view.piles(head) {
                let alone = Rect::at(pile.point);
                if region.meets(&alone) {
                    f(pile, region.surely_holds(&alone));
                }
            }
        }
    }
}

/// The sites of a symbol that come after `after`, at most `limit`, by id.
pub(super) fn leaves<'map>(
    view: View<'map>,
    leaves: &Leaves,
    after: Option<SiteId>,
    limit: usize,
) -> Vec<EntryRef<'map>> {
    let mut smallest = Smallest::new(after, limit);
    for rect in leaves.cells.iter().flat_map(|cell| Window::of(*cell).rects()) {
        each_pile(view, view.tree.root, Rect::WORLD, &Frame::of_rect(&rect), &mut |pile, _| {
            if leaves.has(pile.stop) {
                view.numbers(pile).for_each(|number| {
                    smallest.offer(view.entries[number].site, number);
                });
            }
        });
    }
    by_id(view, smallest)
}

fn by_id(view: View<'_>, smallest: Smallest<SiteId>) -> Vec<EntryRef<'_>> {
    smallest.into_sorted().map(|(_, number)| view.entries[number].as_ref()).collect()
}
