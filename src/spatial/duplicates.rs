//! Sites that stand so near to others that they may be the same: a walk along the map, a page at a time. Read-only.

use std::ops::ControlFlow;

use crate::model::id::SiteId;

use super::entry::EntryRef;
use super::frame::Rect;
use super::mercator::Point;
use super::near::{Near, within_where};
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::view::View;

/// Most neighbours that are told of one site.
pub const OTHERS_MAX: usize = 100;
/// Looks at a site after which a page ends: some milliseconds, in which no write comes in. Great piles use them up fast.
pub(super) const LOOKS_MAX: usize = 200_000;

/// A site, and its neighbours of greater ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate<'map> {
    /// The site.
    pub site: EntryRef<'map>,
    /// Those within the distance, nearest first, at most [`OTHERS_MAX`].
    pub others: Vec<Near<'map>>,
    /// Whether there are more.
    pub has_more: bool,
}

/// A place on the walk along the map: behind this site of this point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WalkCursor {
    /// The point's place on the curve.
    pub place: u64,
    /// Sites of one place come by id.
    pub site: SiteId,
}

/// A page of the walk.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicates<'map> {
    /// Along the map.
    pub found: Vec<Duplicate<'map>>,
    /// Where to go on; `None` at the end of the walk. A page ends early when it has looked at many sites, even an
    /// empty one.
    pub next: Option<WalkCursor>,
}

pub(super) fn near_duplicates(
    view: View<'_>,
    distance_m: f64,
    after: Option<WalkCursor>,
    limit: usize,
) -> Duplicates<'_> {
    let mut walk = Walk { view, distance_m, after, limit, looks: 0, found: Vec::new(), last: None };
    let ended = walk.descend(view.tree.root, &Rect::WORLD);
    let next = if ended.is_break() { walk.last } else { None };
    Duplicates { found: walk.found, next }
}

struct Walk<'map> {
    view: View<'map>,
    distance_m: f64,
    after: Option<WalkCursor>,
    limit: usize,
    looks: usize,
    found: Vec<Duplicate<'map>>,
    /// The last site that was done.
    last: Option<WalkCursor>,
}

impl Walk<'_> {
    /// Children in their own order are in the order of the curve.
    fn descend(&mut self, slot: Slot, cell: &Rect) -> ControlFlow<()> {
        let end = Point { x: cell.east, y: cell.south }.interleaved();
        if self.after.is_some_and(|after| end < after.place) {
            return ControlFlow::Continue(());
        }
        match slot.kind() {
            Kind::Empty => ControlFlow::Continue(()),
            Kind::Chain(head) => self.visit(head),
            Kind::Node(at) if self.view.count_all(at) == Some(0) => ControlFlow::Continue(()),
            Kind::Node(at) => {
                let mut children = self.view.node(at).children.into_iter().enumerate();
                children.try_for_each(|(child, slot)| self.descend(slot, &cell.quarter(child)))
            }
        }
    }

    /// Visits the piles of a chain along the curve; those of one point together.
    fn visit(&mut self, head: u32) -> ControlFlow<()> {
        let mut piles: Vec<(u64, &Pile)> = self.view.piles(head).map(|pile| (pile.point.interleaved(), pile)).collect();
        piles.sort_unstable_by_key(|(place, _)| *place);
        for piles in piles.chunk_by(|one, other| one.0 == other.0) {
            let place = piles[0].0;
            if self.after.is_some_and(|after| place < after.place) {
                continue;
            }
            let numbers = piles.iter().flat_map(|(_, pile)| self.view.numbers(pile));
            let mut sites: Vec<(WalkCursor, u32)> = numbers
                .map(|number| (WalkCursor { place, site: self.view.entries[number].site }, number))
                .filter(|(cursor, _)| self.after.is_none_or(|after| *cursor > after))
                .collect();
            sites.sort_unstable();
            self.looks += sites.len();
            sites.into_iter().try_for_each(|(cursor, number)| self.compare(cursor, number))?;
        }
        ControlFlow::Continue(())
    }

    fn compare(&mut self, cursor: WalkCursor, number: u32) -> ControlFlow<()> {
        // Each page does one site at least: a walk that never began would seem to have ended.
        if self.last.is_some() && (self.found.len() >= self.limit || self.looks >= LOOKS_MAX) {
            return ControlFlow::Break(());
        }
        let entry = &self.view.entries[number];
        let mut looks = 0;
        let mut others = within_where(
            self.view,
            entry.position(),
            self.distance_m,
            |site| {
                looks += 1;
                site > cursor.site
            },
            OTHERS_MAX + 1,
        );
        self.looks += looks + 1;
        let has_more = others.len() > OTHERS_MAX;
        others.truncate(OTHERS_MAX);
        if !others.is_empty() {
            self.found.push(Duplicate { site: entry.as_ref(), others, has_more });
        }
        self.last = Some(cursor);
        ControlFlow::Continue(())
    }
}
