//! Walks along the map: the sites of a region in the order of a curve through all points, a page at a time. Read-only.
//!
//! What lies before a page is passed over by whole cells, and cells wholly inside are not tested again: a page costs what
//! is on it and the region's edge that it goes along, however many sites the region holds.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::model::id::SiteId;
use crate::model::polygon::Relation;

use super::frame::Rect;
use super::mercator::Point;
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::region::Region;
use super::view::View;

/// Looks at a site after which a page ends: some milliseconds, in which no write comes in. Reached where few of many
/// sites are asked for, by near duplicates, and where many polygons lie over one another. The sites of one point are
/// looked at together, however many they are.
pub(super) const LOOKS_MAX: usize = 200_000;

/// A place on a walk: from this site of this point on, itself included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WalkCursor {
    /// The point's place on the curve.
    pub place: u64,
    /// Sites of one point come by id.
    pub site: SiteId,
}

impl WalkCursor {
    /// Where walks begin.
    const START: Self = Self { place: 0, site: SiteId::MIN };
}

/// A page of a walk.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked<T> {
    /// Along the map.
    pub found: Vec<T>,
    /// Where to go on; `None` at the end of the walk. A page may end early, even an empty one, when it has cost enough.
    pub next: Option<WalkCursor>,
}

impl<T> Walked<T> {
    /// The same page of what `f` makes of each.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Walked<U> {
        Walked { found: self.found.into_iter().map(f).collect(), next: self.next }
    }
}

/// The sites of one point that a walk comes to.
pub(super) struct Group<'a> {
    /// The point's place on the curve.
    pub(super) place: u64,
    /// Ids and numbers of those in view and in the region that the page may hold, in no order.
    pub(super) sites: &'a mut Vec<(SiteId, u32)>,
    /// Looks at a site so far; whoever makes more adds them.
    pub(super) looks: &'a mut usize,
}

/// Walks through a region from `from` on, and shows each point's sites to `visit` until that breaks off.
///
/// Answers where to go on, which is behind `from` unless `visit` breaks off at its first site: all walks end.
pub(super) fn walk(
    view: View<'_>,
    region: &impl Region,
    from: Option<WalkCursor>,
    visit: impl FnMut(Group<'_>) -> ControlFlow<WalkCursor>,
) -> Option<WalkCursor> {
    let from = from.unwrap_or(WalkCursor::START);
    let mut walk = Walk { view, region, from, looks: 0, sites: Vec::new(), visit };
    walk.descend(view.tree.root, &Rect::WORLD, Relation::Mixed).break_value()
}

struct Walk<'a, 'map, R, V> {
    view: View<'map>,
    region: &'a R,
    from: WalkCursor,
    looks: usize,
    /// The present group's, here so that its room is used again.
    sites: Vec<(SiteId, u32)>,
    visit: V,
}

impl<R: Region, V: FnMut(Group<'_>) -> ControlFlow<WalkCursor>> Walk<'_, '_, R, V> {
    /// Children in their own order are in the order of the curve.
    fn descend(&mut self, slot: Slot, cell: &Rect, relation: Relation) -> ControlFlow<WalkCursor> {
        let at = match slot.kind() {
            Kind::Empty => return ControlFlow::Continue(()),
            Kind::Chain(head) => return self.visit_chain(head, relation),
            Kind::Node(at) => at,
        };
        let end = Point { x: cell.east, y: cell.south }.interleaved();
        if end < self.from.place || self.view.count_all(at) == Some(0) {
            return ControlFlow::Continue(());
        }
        let relation = if relation == Relation::Inside { relation } else { self.region.relation(cell) };
        if relation == Relation::Outside {
            return ControlFlow::Continue(());
        }
        let mut children = self.view.node(at).children.into_iter().enumerate();
        children.try_for_each(|(child, slot)| self.descend(slot, &cell.quarter(child), relation))
    }

    /// Visits the piles of a chain along the curve; those of one point together.
    fn visit_chain(&mut self, head: u32, relation: Relation) -> ControlFlow<WalkCursor> {
        let mut piles: SmallVec<[(u64, &Pile); 8]> = SmallVec::new();
        for pile in self.view.piles(head) {
            let place = pile.point.interleaved();
            if place >= self.from.place {
                piles.push((place, pile));
            }
        }
        piles.sort_unstable_by_key(|(place, _)| *place);
        piles.chunk_by(|one, other| one.0 == other.0).try_for_each(|piles| self.visit_point(piles, relation))
    }

    fn visit_point(&mut self, piles: &[(u64, &Pile)], relation: Relation) -> ControlFlow<WalkCursor> {
        let Self { view, region, from, .. } = *self;
        let (place, first) = piles[0];
        if self.looks + region.dear_looks() >= LOOKS_MAX && place > from.place {
            return ControlFlow::Break(WalkCursor { place, site: SiteId::MIN });
        }
        self.looks += piles.len();
        let point = Rect::at(first.point);
        let relation = if relation == Relation::Inside { relation } else { region.relation(&point) };
        if relation == Relation::Outside {
            return ControlFlow::Continue(());
        }
        self.sites.clear();
        // Sites of a pile mostly share one position, which is tested once.
        let mut last = None;
        for (_, pile) in piles.iter().filter(|(_, pile)| region.takes(pile.point, pile.stop)) {
            self.looks += view.tree.piles.numbers(pile).len();
            for number in view.numbers(pile) {
                let entry = &view.entries[number];
                if place == from.place && entry.site < from.site {
                    continue;
                }
                let position = entry.position();
                let is_inside = match last {
                    _ if relation == Relation::Inside => true,
                    Some((tested, is_inside)) if tested == position => is_inside,
                    _ => region.contains(position),
                };
                last = Some((position, is_inside));
                if is_inside {
                    self.sites.push((entry.site, number));
                }
            }
        }
        if self.sites.is_empty() {
            return ControlFlow::Continue(());
        }
        (self.visit)(Group { place, sites: &mut self.sites, looks: &mut self.looks })
    }
}
