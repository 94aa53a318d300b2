//! Walks along the map: the sites of a region in the order of a curve through all points, a page at a time. Read-only.
//!
//! What lies before a page is passed over by whole cells, and cells wholly inside are not tested again: a page costs what
//! is on it and the region's edge that it goes along, however many sites the region holds.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::polygon::Relation;

use super::frame::Rect;
use super::mercator::Point;
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::region::Region;
use super::view::View;

/// Looks at a site after which a page ends: some milliseconds, in which no write comes in. Reached where few of many
/// sites are asked for, by near duplicates, and where many polygons lie over one another. Of a great pile no more are
/// looked at than the page may hold; the sites of a pile that keeps no order are looked at together.
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
    /// Ids and numbers of those in view and in the region that the page may hold, by id.
    pub(super) sites: &'a [(SiteId, u32)],
    /// Whether there may be more behind them. Who has no room for one of these breaks off there; else the walk goes on
    /// behind them, on another page.
    pub(super) has_more: bool,
    /// Looks at a site so far; whoever makes more adds them.
    pub(super) looks: &'a mut usize,
}

/// Walks through a region from `from` on, and shows each point's sites, at most `group_max` at once, to `visit` until that
/// breaks off.
///
/// Answers where to go on, which is behind `from` unless `visit` breaks off at its first site: all walks end.
pub(super) fn walk(
    view: View<'_>,
    region: &impl Region,
    from: Option<WalkCursor>,
    group_max: usize,
    visit: impl FnMut(Group<'_>) -> ControlFlow<WalkCursor>,
) -> Option<WalkCursor> {
    let (from, group_max) = (from.unwrap_or(WalkCursor::START), group_max.max(1));
    let mut walk = Walk { view, region, from, group_max, looks: 0, sites: Vec::new(), rest: None, visit };
    walk.descend(view.tree.root, &Rect::WORLD, Relation::Mixed).break_value()
}

struct Walk<'a, 'map, R, V> {
    view: View<'map>,
    region: &'a R,
    from: WalkCursor,
    group_max: usize,
    looks: usize,
    /// The present group's, here so that its room is used again.
    sites: Vec<(SiteId, u32)>,
    /// Of the present point nothing is known from this site on.
    rest: Option<SiteId>,
    visit: V,
}

impl<'map, R: Region, V: FnMut(Group<'_>) -> ControlFlow<WalkCursor>> Walk<'_, 'map, R, V> {
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
        let mut piles: SmallVec<[(u64, &'map Pile); 8]> = SmallVec::new();
        for pile in self.view.piles(head) {
            let place = pile.point.interleaved();
            if place >= self.from.place {
                piles.push((place, pile));
            }
        }
        piles.sort_unstable_by_key(|(place, _)| *place);
        piles.chunk_by(|one, other| one.0 == other.0).try_for_each(|piles| self.visit_point(piles, relation))
    }

    fn visit_point(&mut self, piles: &[(u64, &'map Pile)], relation: Relation) -> ControlFlow<WalkCursor> {
        let Self { view, region, from, .. } = *self;
        let (place, first) = piles[0];
        if self.is_spent() && place > from.place {
            return ControlFlow::Break(WalkCursor { place, site: SiteId::MIN });
        }
        self.looks += piles.len();
        let point = Rect::at(first.point);
        let relation = if relation == Relation::Inside { relation } else { region.relation(&point) };
        if relation == Relation::Outside {
            return ControlFlow::Continue(());
        }
        self.sites.clear();
        self.rest = None;
        let mut test = Test { region, is_inside: relation == Relation::Inside, last: None };
        let first_site = if place == from.place { from.site } else { SiteId::MIN };
        for (_, pile) in piles.iter().filter(|(_, pile)| region.takes(pile.point, pile.stop)) {
            match view.tree.piles.order(pile) {
                Some(_) if !view.has_any(pile) => {}
                Some(order) => self.gather_range(order.onward(first_site, view.entries), &mut test),
                None => self.gather_all(pile, first_site, &mut test),
            }
        }
        self.keep_first();
        if !self.sites.is_empty() {
            let (sites, has_more) = (self.sites.as_slice(), self.rest.is_some());
            (self.visit)(Group { place, sites, has_more, looks: &mut self.looks })?;
        }
        match self.rest {
            Some(site) => ControlFlow::Break(WalkCursor { place, site }),
            None => ControlFlow::Continue(()),
        }
    }

    fn is_spent(&self) -> bool {
        self.looks + self.region.dear_looks() >= LOOKS_MAX
    }

    /// Takes in the sites of a pile from one on.
    fn gather_all(&mut self, pile: &'map Pile, first_site: SiteId, test: &mut Test<'_, R>) {
        self.looks += self.view.tree.piles.numbers(pile).len();
        for number in self.view.numbers(pile) {
            let entry = &self.view.entries[number];
            if entry.site >= first_site && test.passes(entry.position()) {
                self.sites.push((entry.site, number));
            }
        }
    }

    /// Takes in the first of a great pile's sites that come by id, one look at least, so that the walk goes on.
    fn gather_range(&mut self, numbers: impl Iterator<Item = u32>, test: &mut Test<'_, R>) {
        let gathered = self.sites.len();
        for (looks, number) in numbers.enumerate() {
            let entry = &self.view.entries[number];
            if looks > 0 && (self.sites.len() - gathered > self.group_max || self.is_spent()) {
                self.rest = self.rest.into_iter().chain([entry.site]).min();
                return;
            }
            self.looks += 1;
            if self.view.has(number) && test.passes(entry.position()) {
                self.sites.push((entry.site, number));
            }
        }
    }

    /// Sorts what was gathered, and leaves for another page what is too much, and what lies behind sites that were not
    /// looked at.
    fn keep_first(&mut self) {
        let (rest, group_max) = (self.rest, self.group_max);
        self.sites.retain(|(site, _)| rest.is_none_or(|rest| *site < rest));
        if self.sites.len() > group_max {
            self.sites.select_nth_unstable(group_max);
            self.rest = Some(self.sites[group_max].0);
            self.sites.truncate(group_max);
        }
        self.sites.sort_unstable();
    }
}

/// Asks whether positions are in a region. Sites of a pile mostly share one, which is tested once.
struct Test<'a, R> {
    region: &'a R,
    /// Whether all are.
    is_inside: bool,
    last: Option<(LatLng, bool)>,
}

impl<R: Region> Test<'_, R> {
    fn passes(&mut self, position: LatLng) -> bool {
        if self.is_inside {
            return true;
        }
        match self.last {
            Some((tested, is_inside)) if tested == position => is_inside,
            _ => {
                let is_inside = self.region.contains(position);
                self.last = Some((position, is_inside));
                is_inside
            }
        }
    }
}
