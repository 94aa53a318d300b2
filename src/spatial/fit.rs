//! The smallest box around all sites in view, over the antimeridian where that makes it narrower. Read-only.

use crate::model::geo::{BoundingBox, LatLng};

use super::columns::meridians;
use super::frame::Rect;
use super::mercator::Point;
use super::node::{Kind, Slot};
use super::refusal::Refusal;
use super::view::View;

/// Most looks of one fit, at a site or at a position of a great pile: eight times the sites of an account of the size that
/// figures are held for, so that there the worst that can be asked is answered: a million on a parallel or beyond the edge
/// of the map, all of which are drawn in one row, or a million of which no two are on one meridian, in some 0.2 s.
pub(super) const FIT_LOOKS_MAX: usize = 8_000_000;

/// The box; `None` where no site is in view. Costs a walk along its edges, and a look at the nodes that tell which columns of
/// the map are empty, to find where it may be cut open; more where sites are on all meridians. Refuses where that would be too
/// many looks.
pub(super) fn fit(view: View<'_>) -> Result<Option<BoundingBox>, Refusal> {
    fit_within(view, FIT_LOOKS_MAX).map(|(bounds, _)| bounds)
}

/// The box, and how many looks it took, if there were no more than `looks_max`.
pub(super) fn fit_within(view: View<'_>, looks_max: usize) -> Result<(Option<BoundingBox>, usize), Refusal> {
    let mut looks = Looks { taken: 0, max: looks_max };
    let (south, north) = (Side::South.utmost(view, &mut looks)?, Side::North.utmost(view, &mut looks)?);
    let Some((south, north)) = south.zip(north) else { return Ok((None, looks.taken)) };
    let (west, east) = meridians(view, &mut looks)?;
    let corner = |lat: LatLng, lng: LatLng| LatLng::new(lat.lat(), lng.lng()).expect("both were in their ranges");
    Ok((Some(BoundingBox { low: corner(south, west), high: corner(north, east) }), looks.taken))
}

/// The looks of a fit.
#[derive(Debug)]
pub(super) struct Looks {
    taken: usize,
    max: usize,
}

impl Looks {
    /// Takes some more, if there may be so many.
    pub(super) fn take(&mut self, count: usize) -> Result<(), Refusal> {
        self.taken += count;
        if self.taken > self.max { Err(Refusal::TooManyToFit) } else { Ok(()) }
    }
}

/// A side of a box that does not go round the world.
#[derive(Debug, Clone, Copy)]
enum Side {
    North,
    South,
}

impl Side {
    /// The position in view farthest to this side; `None` where there is none.
    fn utmost(self, view: View<'_>, looks: &mut Looks) -> Result<Option<LatLng>, Refusal> {
        let mut search = Utmost { side: self, view, looks, best: None };
        search.descend(view.tree.root, &Rect::WORLD)?;
        Ok(search.best.map(|(_, position)| position))
    }

    /// How far a point is from this side of the map.
    fn distance(self, point: Point) -> u32 {
        match self {
            Self::North => point.y,
            Self::South => !point.y,
        }
    }

    /// The least of these distances in a rectangle.
    fn least_distance(self, rect: &Rect) -> u32 {
        match self {
            Self::North => rect.north,
            Self::South => !rect.south,
        }
    }

    fn is_farther(self, one: LatLng, other: LatLng) -> bool {
        match self {
            Self::North => one.lat() > other.lat(),
            Self::South => one.lat() < other.lat(),
        }
    }
}

/// Branch and bound towards one side.
struct Utmost<'a, 'map> {
    side: Side,
    view: View<'map>,
    looks: &'a mut Looks,
    /// The best so far, and how far from the side its point is drawn.
    best: Option<(u32, LatLng)>,
}

impl Utmost<'_, '_> {
    fn descend(&mut self, slot: Slot, cell: &Rect) -> Result<(), Refusal> {
        if self.is_behind(self.side.least_distance(cell)) {
            return Ok(());
        }
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => {
                for pile in self.view.piles(head) {
                    let distance = self.side.distance(pile.point);
                    if self.is_behind(distance) {
                        continue;
                    }
                    self.looks.take(self.view.tree.piles.looks(pile))?;
                    for (position, _) in self.view.positions(pile) {
                        if self.best.is_none_or(|(_, best)| self.side.is_farther(position, best)) {
                            self.best = Some((distance, position));
                        }
                    }
                }
            }
            Kind::Node(at) if self.view.count_all(at) == Some(0) => {}
            Kind::Node(at) => {
                let mut order = [0, 1, 2, 3].map(|child| (self.side.least_distance(&cell.quarter(child)), child));
                order.sort_unstable();
                let children = self.view.node(at).children;
                for (_, child) in order {
                    self.descend(children[child], &cell.quarter(child))?;
                }
            }
        }
        Ok(())
    }

    /// Whether what is drawn so far from the side is not the utmost. Positions of one row are told apart by their degrees:
    /// only what is drawn behind is left out.
    fn is_behind(&self, distance: u32) -> bool {
        self.best.is_some_and(|(best, _)| distance > best)
    }
}
