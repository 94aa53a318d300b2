//! Sites by great-circle distance: nearest, and within a radius. Exact everywhere on the sphere. Read-only.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::model::geo::{DISTANCE_M_MAX, EARTH_RADIUS_M, LatLng};
use crate::model::id::SiteId;

use super::entry::EntryRef;
use super::frame::{Frame, Rect};
use super::mercator::Point;
use super::node::{Kind, Slot};
use super::order::Order;
use super::pile::Pile;
use super::refusal::Refusal;
use super::search::Smallest;
use super::view::View;

/// Most looks at a site of one search: twice the sites of an account of the size that figures are held for, so that there
/// the worst that can be asked is answered: a million on a parallel, from the pole, in some 0.2 s. Met where sites stand on
/// a circle around who asks, and where a filter wants few of many piles. Of a stack of one position no more are looked at
/// than are asked for.
pub(super) const NEAR_LOOKS_MAX: usize = 2_000_000;

/// A site with its great-circle distance in metres.
pub type Near<'map> = (EntryRef<'map>, f64);

/// A distance and a site: the order of answers, and the cursor after which a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
) -> Result<Vec<Near<'_>>, Refusal> {
    Ok(Search::new(view, center, radius_m, Smallest::new(after, limit)).all()?.0)
}

/// The sites of greater ids at most `radius_m` from a site, at most `limit`, by distance and id; and how many sites were
/// looked at.
pub(super) fn within_behind(
    view: View<'_>,
    (center, site): (LatLng, SiteId),
    radius_m: f64,
    limit: usize,
) -> Result<(Vec<Near<'_>>, usize), Refusal> {
    let search = Search::new(view, center, radius_m, Smallest::new(None, limit));
    Search { behind: Some(site), ..search }.all()
}

/// The `limit` sites nearest to `center`, by distance and id.
pub(super) fn nearest(view: View<'_>, center: LatLng, limit: usize) -> Result<Vec<Near<'_>>, Refusal> {
    Ok(Search::new(view, center, f64::INFINITY, Smallest::new(None, limit)).all()?.0)
}

/// How many looks such a page takes, if there are no more than `looks_max`.
#[cfg(test)]
pub(super) fn looks(
    view: View<'_>,
    center: LatLng,
    radius_m: f64,
    after: Option<DistanceCursor>,
    limit: usize,
    looks_max: usize,
) -> Result<usize, Refusal> {
    let search = Search::new(view, center, radius_m, Smallest::new(after, limit));
    Ok(Search { looks_max, ..search }.all()?.1)
}

/// Branch and bound: near cells first; cells outside the circle of the worst kept site are left out, and cells all of
/// whose sites were on earlier pages. Where the circle holds a pole its frame goes round the world, and cells are held
/// against the distance itself.
struct Search<'map> {
    view: View<'map>,
    point: Point,
    measure: Measure,
    radius_m: f64,
    /// Only sites of greater ids are wanted.
    behind: Option<SiteId>,
    /// Sites nearer than this were on earlier pages.
    passed_m: f64,
    smallest: Smallest<DistanceCursor>,
    /// Holds all sites that can still come in.
    frame: Frame,
    /// The radius that the frame was made for.
    frame_m: f64,
    /// Sites that were looked at, and piles that were passed over: outside, or of which no site is in view.
    looks: usize,
    looks_max: usize,
    /// Whether more would have been needed.
    is_spent: bool,
}

/// By how much the bound has to shrink before a new frame is made for it: a frame costs as much as a few distances.
const FRAME_SHRINKAGE: f64 = 0.9;
/// Fewer sites of a cell are looked at as fast as it is found out whether all were on earlier pages.
const PASSED_SITES_MIN: u32 = 32;

impl<'map> Search<'map> {
    fn new(view: View<'map>, center: LatLng, radius_m: f64, smallest: Smallest<DistanceCursor>) -> Self {
        let is_circle = (0.0..DISTANCE_M_MAX).contains(&radius_m);
        Self {
            view,
            point: Point::project(center),
            measure: Measure::from(center),
            radius_m,
            behind: None,
            passed_m: smallest.after().map_or(0.0, |after| after.distance_m),
            smallest,
            frame: if is_circle { Frame::of_circle(center, radius_m) } else { Frame::world() },
            frame_m: radius_m,
            looks: 0,
            looks_max: NEAR_LOOKS_MAX,
            is_spent: false,
        }
    }

    /// All that are wanted, and the number of looks. A radius that is negative or NaN holds nothing.
    fn all(mut self) -> Result<(Vec<Near<'map>>, usize), Refusal> {
        if self.radius_m >= 0.0 && self.smallest.limit() > 0 {
            self.descend(self.view.tree.root, Rect::WORLD);
        }
        if self.is_spent {
            return Err(Refusal::TooManyNear);
        }
        let entry = |(key, number): (DistanceCursor, u32)| (self.view.entries.get(number), key.distance_m);
        Ok((self.smallest.into_sorted().map(entry).collect(), self.looks))
    }

    fn descend(&mut self, slot: Slot, cell: Rect) {
        match slot.kind() {
            Kind::Empty => {}
            _ if self.is_spent => {}
            Kind::Chain(_) if self.looks >= self.looks_max => self.is_spent = true,
            Kind::Chain(head) => {
                for pile in self.view.piles(head) {
                    if self.frame.contains(pile.point) && self.view.has_any(pile) {
                        self.offer(pile);
                    } else {
                        self.looks += 1;
                    }
                }
            }
            Kind::Node(at) if self.view.count_all(at) == Some(0) || self.is_passed(at, &cell) => {}
            Kind::Node(at) => {
                let children = self.view.node(at).children;
                if self.is_far() {
                    self.descend_far(children, cell);
                    return;
                }
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

    /// Whether the frame says little of what may still come in, though something bounds it. Until something does, the way
    /// to the first sites is found by the map's own distances, which cost nothing.
    fn is_far(&self) -> bool {
        self.frame.goes_round() && (self.smallest.bound().is_some() || self.radius_m < DISTANCE_M_MAX)
    }

    /// The children where the frame says nothing of the distance: the map's own distances lie then, too.
    fn descend_far(&mut self, children: [Slot; 4], cell: Rect) {
        let there = (0..4).filter(|child| children[*child] != Slot::default());
        let mut order: SmallVec<[(f64, usize); 4]> =
            there.map(|child| (nearest_m(self.measure.center, &cell.quarter(child)), child)).collect();
        order.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        for (least_m, child) in order {
            let bound_m = self.smallest.bound().map_or(self.radius_m, |bound| bound.distance_m.min(self.radius_m));
            if least_m <= bound_m {
                self.descend(children[child], cell.quarter(child));
            }
        }
    }

    /// Whether all that is drawn in the cell is nearer than the cursor.
    fn is_passed(&self, at: u32, cell: &Rect) -> bool {
        self.passed_m > 0.0
            && self.view.node(at).sites >= PASSED_SITES_MIN
            && farthest_m(self.measure.center, cell) < self.passed_m
    }

    fn offer(&mut self, pile: &'map Pile) {
        let order = self.view.tree.piles.order(pile);
        match order.and_then(|order| Some((order, order.lone_position()?))) {
            Some((order, position)) => self.offer_stack(order, position),
            None => self.offer_each(pile),
        }
        if let Some(bound) = self.smallest.bound()
            && bound.distance_m < self.frame_m * FRAME_SHRINKAGE
        {
            self.frame_m = bound.distance_m;
            self.frame = Frame::of_circle(self.measure.center, bound.distance_m);
        }
    }

    /// Offers the sites of a pile, in no order.
    fn offer_each(&mut self, pile: &'map Pile) {
        for &number in self.view.tree.piles.numbers(pile) {
            if self.looks >= self.looks_max {
                self.is_spent = true;
                return;
            }
            self.looks += 1;
            let entry = &self.view.entries[number];
            if !self.view.has(number) || self.behind.is_some_and(|behind| entry.site <= behind) {
                continue;
            }
            let distance_m = self.measure.to(entry.position());
            if distance_m <= self.radius_m {
                self.smallest.offer(DistanceCursor { distance_m, site: entry.site }, number);
            }
        }
    }

    /// Offers the sites of a great pile of one position, by id, until no further one can come in.
    fn offer_stack(&mut self, order: &'map Order, position: LatLng) {
        self.looks += 1;
        let distance_m = self.measure.to(position);
        let passed = match self.smallest.after().map(|after| (distance_m.total_cmp(&after.distance_m), after.site)) {
            Some((Ordering::Less, _)) => return,
            Some((Ordering::Equal, site)) => Some(site),
            _ => None,
        };
        if distance_m > self.radius_m {
            return;
        }
        let first = passed.max(self.behind).unwrap_or(SiteId::MIN);
        for number in order.onward(first, self.view.entries) {
            let key = DistanceCursor { distance_m, site: self.view.entries[number].site };
            if self.smallest.bound().is_some_and(|bound| *bound <= key) {
                return;
            }
            if self.looks >= self.looks_max {
                self.is_spent = true;
                return;
            }
            self.looks += 1;
            // The one that was passed comes first again.
            if Some(key.site) > passed.max(self.behind) && self.view.has(number) {
                self.smallest.offer(key, number);
            }
        }
    }
}

/// No position that is drawn in the rectangle is farther away, in metres.
fn farthest_m(center: LatLng, rect: &Rect) -> f64 {
    let (to_middle, around) = reach_m(center, rect);
    to_middle + around
}

/// No position that is drawn in the rectangle is nearer, in metres.
fn nearest_m(center: LatLng, rect: &Rect) -> f64 {
    let (to_middle, around) = reach_m(center, rect);
    to_middle - around
}

/// Metres to the rectangle's middle, and from there along the parallel and then along the meridian to its farthest
/// position, with a metre for rounding.
fn reach_m(center: LatLng, rect: &Rect) -> (f64, f64) {
    let (low, high) = rect.degrees();
    let (half_height, half_width) = ((high.lat() - low.lat()) / 2.0, (high.lng() - low.lng()) / 2.0);
    let middle = LatLng::new(low.lat() + half_height, low.lng() + half_width).expect("it lies between two positions");
    let along = half_width * middle.lat().to_radians().cos() + half_height;
    (center.distance_m(middle), along.to_radians() * EARTH_RADIUS_M + 1.0)
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
