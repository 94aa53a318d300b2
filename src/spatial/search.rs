//! Sites in a box, within a distance, and nearest: exact on the positions themselves, everywhere on the sphere.
//!
//! The tree only leads to candidates, through integer frames; boxes and great-circle distances decide. Read-only.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::model::geo::{BoundingBox, LatLng};
use crate::model::id::SiteId;

use super::entry::{EntryRef, Stored};
use super::frame::{Frame, Rect};
use super::mapping::Leaves;
use super::mercator::Point;
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::tree::Tree;
use super::window::Window;

/// A site with its great-circle distance in metres.
pub type Near<'map> = (EntryRef<'map>, f64);

/// A distance and a site: the order of answers, and the cursor after which a page begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DistanceCursor {
    /// Great-circle distance in metres.
    pub distance_m: f64,
    /// Decides between equal distances.
    pub site: SiteId,
}

impl Eq for DistanceCursor {}

impl PartialOrd for DistanceCursor {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DistanceCursor {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance_m.total_cmp(&other.distance_m).then_with(|| self.site.cmp(&other.site))
    }
}

/// A heap that keeps the smallest of what is offered to it, behind a cursor.
struct Smallest<K> {
    after: Option<K>,
    limit: usize,
    /// The greatest of the kept on top, with entry numbers.
    heap: BinaryHeap<(K, u32)>,
}

impl<K: Ord + Copy> Smallest<K> {
    fn new(after: Option<K>, limit: usize) -> Self {
        Self { after, limit, heap: BinaryHeap::new() }
    }

    /// Whether something was kept or put out.
    fn offer(&mut self, key: K, number: u32) -> bool {
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
    fn bound(&self) -> Option<&K> {
        self.heap.peek().filter(|_| self.heap.len() >= self.limit).map(|(key, _)| key)
    }

    fn into_sorted(self) -> impl Iterator<Item = (K, u32)> {
        self.heap.into_sorted_vec().into_iter()
    }
}

/// The sites in a box that come after `after`, at most `limit`, by id.
pub(super) fn in_box<'map>(
    tree: &'map Tree,
    bounds: &BoundingBox,
    after: Option<SiteId>,
    limit: usize,
    mut is_wanted: impl FnMut(EntryRef<'map>) -> bool,
) -> Vec<EntryRef<'map>> {
    let mut smallest = Smallest::new(after, limit);
    each_in_box(tree, bounds, |number, entry| {
        if smallest.bound().is_none_or(|bound| entry.site < *bound) && is_wanted(entry.as_ref()) {
            smallest.offer(entry.site, number);
        }
    });
    smallest.into_sorted().map(|(_, number)| tree.piles.entries[number].as_ref()).collect()
}

/// Calls `f` with the number and entry of each site in a box, in no order.
fn each_in_box<'map>(tree: &'map Tree, bounds: &BoundingBox, mut f: impl FnMut(u32, &'map Stored)) {
    let frame = Frame::of_box(bounds);
    each_pile(tree, tree.root, Rect::WORLD, &frame, &mut |pile, is_sure| {
        for number in tree.piles.numbers(pile) {
            let entry = &tree.piles.entries[*number];
            if is_sure || bounds.contains(entry.position) {
                f(*number, entry);
            }
        }
    });
}

/// The number of sites in a box. Nodes that lie wholly inside are counted at once, so it costs the box's edge.
pub(super) fn count_in_box(tree: &Tree, bounds: &BoundingBox) -> u64 {
    count(tree, tree.root, Rect::WORLD, &Frame::of_box(bounds), bounds)
}

fn count(tree: &Tree, slot: Slot, cell: Rect, frame: &Frame, bounds: &BoundingBox) -> u64 {
    match slot.kind() {
        Kind::Empty => 0,
        Kind::Node(at) if frame.surely_holds(&cell) => u64::from(tree.nodes[at].sites),
        Kind::Node(at) => {
            let children = tree.nodes[at].children.into_iter().enumerate();
            let met = children.map(|(child, slot)| (slot, cell.quarter(child))).filter(|(_, cell)| frame.meets(cell));
            met.map(|(slot, cell)| count(tree, slot, cell, frame, bounds)).sum()
        }
        Kind::Chain(_) => {
            let mut total = 0;
            each_pile(tree, slot, cell, frame, &mut |pile, is_sure| {
                let numbers = tree.piles.numbers(pile);
                let inside = |number: &&u32| bounds.contains(tree.piles.entries[**number].position);
                total += if is_sure { numbers.len() } else { numbers.iter().filter(inside).count() } as u64;
            });
            total
        }
    }
}

/// Calls `f` with each pile at or below `slot` that lies in the frame, and whether it surely lies inside of it.
fn each_pile<'map>(tree: &'map Tree, slot: Slot, cell: Rect, frame: &Frame, f: &mut impl FnMut(&'map Pile, bool)) {
    match slot.kind() {
        Kind::Empty => {}
        Kind::Node(at) => {
            for (child, slot) in tree.nodes[at].children.into_iter().enumerate() {
                let quarter = cell.quarter(child);
                if slot != Slot::default() && frame.meets(&quarter) {
                    each_pile(tree, slot, quarter, frame, f);
                }
            }
        }
        Kind::Chain(head) => {
            for (_, pile) in tree.piles.chain(head) {
                let alone = Rect::at(pile.point);
                if frame.meets(&alone) {
                    f(pile, frame.surely_holds(&alone));
                }
            }
        }
    }
}

/// The sites at most `radius_m` from `center` that come after `after`, at most `limit`, by distance and id.
pub(super) fn within(
    tree: &Tree,
    center: LatLng,
    radius_m: f64,
    after: Option<DistanceCursor>,
    limit: usize,
) -> Vec<Near<'_>> {
    let mut smallest = Smallest::new(after, limit);
    let mut measure = Measure::from(center);
    each_pile(tree, tree.root, Rect::WORLD, &Frame::of_circle(center, radius_m), &mut |pile, _| {
        for number in tree.piles.numbers(pile) {
            let entry = &tree.piles.entries[*number];
            let distance_m = measure.to(entry.position);
            if distance_m <= radius_m {
                smallest.offer(DistanceCursor { distance_m, site: entry.site }, *number);
            }
        }
    });
    measured(tree, smallest)
}

/// The `limit` sites nearest to `center`, by distance and id.
pub(super) fn nearest(tree: &Tree, center: LatLng, limit: usize) -> Vec<Near<'_>> {
    let mut search = Nearest {
        tree,
        point: Point::project(center),
        measure: Measure::from(center),
        smallest: Smallest::new(None, limit),
        frame: Frame::world(),
        frame_m: f64::INFINITY,
    };
    if limit > 0 {
        search.descend(tree.root, Rect::WORLD);
    }
    measured(tree, search.smallest)
}

fn measured(tree: &Tree, smallest: Smallest<DistanceCursor>) -> Vec<Near<'_>> {
    let near = smallest.into_sorted();
    near.map(|(key, number)| (tree.piles.entries[number].as_ref(), key.distance_m)).collect()
}

/// Branch and bound: near cells first; cells outside the circle of the worst kept site are left out.
struct Nearest<'map> {
    tree: &'map Tree,
    point: Point,
    measure: Measure,
    smallest: Smallest<DistanceCursor>,
    /// Holds all sites that can still come in.
    frame: Frame,
    /// The radius that the frame was made for.
    frame_m: f64,
}

/// By how much the bound has to shrink before a new frame is made for it: a frame costs as much as a few distances.
const FRAME_SHRINKAGE: f64 = 0.9;

impl Nearest<'_> {
    fn descend(&mut self, slot: Slot, cell: Rect) {
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => {
                for (_, pile) in self.tree.piles.chain(head) {
                    if self.frame.contains(pile.point) {
                        self.offer(pile);
                    }
                }
            }
            Kind::Node(at) => {
                let children = self.tree.nodes[at].children;
                let mut order = [0, 1, 2, 3].map(|child| (cell.quarter(child).distance_squared(self.point), child));
                order.sort_unstable();
                for (_, child) in order {
                    let quarter = cell.quarter(child);
                    if children[child] != Slot::default() && self.frame.meets(&quarter) {
                        self.descend(children[child], quarter);
                    }
                }
            }
        }
    }

    fn offer(&mut self, pile: &Pile) {
        for number in self.tree.piles.numbers(pile) {
            let entry = &self.tree.piles.entries[*number];
            let distance_m = self.measure.to(entry.position);
            self.smallest.offer(DistanceCursor { distance_m, site: entry.site }, *number);
        }
        if let Some(bound) = self.smallest.bound()
            && bound.distance_m < self.frame_m * FRAME_SHRINKAGE
        {
            self.frame_m = bound.distance_m;
            self.frame = Frame::of_circle(self.measure.center, bound.distance_m);
        }
    }
}

/// Distances from one point. Sites of a pile mostly share one position, which is measured once.
struct Measure {
    center: LatLng,
    last: Option<(LatLng, f64)>,
}

impl Measure {
    fn from(center: LatLng) -> Self {
        Self { center, last: None }
    }

    fn to(&mut self, position: LatLng) -> f64 {
        if let Some((last, distance_m)) = self.last
            && last == position
        {
            return distance_m;
        }
        let distance_m = self.center.distance_m(position);
        self.last = Some((position, distance_m));
        distance_m
    }
}

/// The sites of a symbol that come after `after`, at most `limit`, by id.
pub(super) fn leaves<'map>(
    tree: &'map Tree,
    leaves: &Leaves,
    after: Option<SiteId>,
    limit: usize,
) -> Vec<EntryRef<'map>> {
    let mut smallest = Smallest::new(after, limit);
    for rect in leaves.cells.iter().flat_map(|cell| Window::of(*cell).rects()) {
        each_pile(tree, tree.root, Rect::WORLD, &Frame::of_rect(&rect), &mut |pile, _| {
            if leaves.has(pile.stop) {
                for number in tree.piles.numbers(pile) {
                    smallest.offer(tree.piles.entries[*number].site, *number);
                }
            }
        });
    }
    smallest.into_sorted().map(|(_, number)| tree.piles.entries[number].as_ref()).collect()
}
