//! Sites by great-circle distance: nearest, and within a radius. Exact everywhere on the sphere. Read-only.

use std::cmp::Ordering;

use crate::model::geo::LatLng;
use crate::model::id::SiteId;

use super::entry::EntryRef;
use super::frame::{Frame, Rect};
use super::mercator::Point;
use super::node::{Kind, Slot};
use super::pile::Pile;
use super::search::{Smallest, each_pile};
use super::view::View;

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

/// The sites at most `radius_m` from `center` that come after `after`, at most `limit`, by distance and id.
pub(super) fn within(
    view: View<'_>,
    center: LatLng,
    radius_m: f64,
    after: Option<DistanceCursor>,
    limit: usize,
) -> Vec<Near<'_>> {
    circle(view, center, radius_m, |_| true, Smallest::new(after, limit))
}

/// The sites at most `radius_m` from `center` that `is_wanted`, at most `limit`, by distance and id.
pub(super) fn within_where(
    view: View<'_>,
    center: LatLng,
    radius_m: f64,
    is_wanted: impl FnMut(SiteId) -> bool,
    limit: usize,
) -> Vec<Near<'_>> {
    circle(view, center, radius_m, is_wanted, Smallest::new(None, limit))
}

fn circle(
    view: View<'_>,
    center: LatLng,
    radius_m: f64,
    mut is_wanted: impl FnMut(SiteId) -> bool,
    mut smallest: Smallest<DistanceCursor>,
) -> Vec<Near<'_>> {
    let is_circle = radius_m >= 0.0;
    if !is_circle {
        return Vec::new();
    }
    let mut measure = Measure::from(center);
    each_pile(view, view.tree.root, Rect::WORLD, &Frame::of_circle(center, radius_m), &mut |pile, _| {
        for number in view.numbers(pile) {
            let entry = &view.entries[number];
            if !is_wanted(entry.site) {
                continue;
            }
            let distance_m = measure.to(entry.position());
            if distance_m <= radius_m {
                smallest.offer(DistanceCursor { distance_m, site: entry.site }, number);
            }
        }
    });
    measured(view, smallest)
}

/// The `limit` sites nearest to `center`, by distance and id.
pub(super) fn nearest(view: View<'_>, center: LatLng, limit: usize) -> Vec<Near<'_>> {
    let mut search = Nearest {
        view,
        point: Point::project(center),
        measure: Measure::from(center),
        smallest: Smallest::new(None, limit),
        frame: Frame::world(),
        frame_m: f64::INFINITY,
    };
    if limit > 0 {
        search.descend(view.tree.root, Rect::WORLD);
    }
    measured(view, search.smallest)
}

fn measured(view: View<'_>, smallest: Smallest<DistanceCursor>) -> Vec<Near<'_>> {
    let near = smallest.into_sorted();
    near.map(|(key, number)| (view.entries[number].as_ref(), key.distance_m)).collect()
}

/// Branch and bound: near cells first; cells outside the circle of the worst kept site are left out.
struct Nearest<'map> {
    view: View<'map>,
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

impl<'map> Nearest<'map> {
    fn descend(&mut self, slot: Slot, cell: Rect) {
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => {
                for pile in self.view.piles(head) {
                    if self.frame.contains(pile.point) {
                        self.offer(pile);
                    }
                }
            }
            Kind::Node(at) => {
                let children = self.view.node(at).children;
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

    fn offer(&mut self, pile: &'map Pile) {
        for number in self.view.numbers(pile) {
            let entry = &self.view.entries[number];
            let distance_m = self.measure.to(entry.position());
            self.smallest.offer(DistanceCursor { distance_m, site: entry.site }, number);
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
