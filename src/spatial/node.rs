//! The nodes of the quadtree, and the slots that hold them together.
//!
//! A slot is empty, a chain of at most a few piles, or a node. Knows nothing of how a tree is kept.

use super::arena::Arena;
use super::entry::Facets;
use super::mass::{Aggregate, ClassSums, Mass};
use super::mercator::{POINT_BITS, Point};
use super::pile::NO_PILE;
use super::stop::{Stop, has_country_areas};

/// A cell with more piles than a chain holds.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The sites that cluster at the node's level, and no others.
    pub(super) mass: Mass,
    /// All sites below, whatever their stop.
    pub(super) sites: u32,
    /// All piles below.
    pub(super) piles: u32,
    pub(super) children: [Slot; 4],
    /// Number of the sums of the areas of this cell.
    areas: Link,
    /// Number of `mass` by class, where there are too many sites to be looked at one by one; sites that stop at the node's
    /// level or above are counted beside it.
    sums: Link,
}

/// The areas that are drawn from a node's cell.
#[derive(Debug, Default)]
pub(super) struct NodeAreas {
    /// Of sites that stop at the node's level.
    pub(super) stopped: Aggregate,
    /// Of country-level sites; only at levels that draw them.
    pub(super) country: Aggregate,
}

/// What few nodes have, apart from them.
#[derive(Debug, Default)]
pub(super) struct Extras {
    areas: Arena<NodeAreas>,
    sums: Arena<ClassSums>,
}

impl Extras {
    pub(super) fn shrink(&mut self) {
        self.areas.shrink();
        self.sums.shrink();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.areas.len() + self.sums.len()
    }
}

/// A number in an arena, or none.
#[derive(Debug, Clone, Copy)]
struct Link(u32);

impl Link {
    const NONE: u32 = u32::MAX;

    fn number(self) -> Option<u32> {
        (self.0 != Self::NONE).then_some(self.0)
    }
}

impl Default for Link {
    fn default() -> Self {
        Self(Self::NONE)
    }
}

impl Node {
    /// The sums of its areas, if it has any.
    pub(super) fn areas<'a>(&self, extras: &'a Extras) -> Option<&'a NodeAreas> {
        self.areas.number().map(|number| &extras.areas[number])
    }

    /// Its mass by class, if that is kept.
    pub(super) fn sums<'a>(&self, extras: &'a Extras) -> Option<&'a ClassSums> {
        self.sums.number().map(|number| &extras.sums[number])
    }

    /// Keeps its mass by class from now on.
    pub(super) fn keep_sums(&mut self, sums: ClassSums, extras: &mut Extras) {
        debug_assert!(self.sums.number().is_none(), "sums are kept once");
        self.sums = Link(extras.sums.insert(sums));
    }

    /// Forgets its mass by class.
    pub(super) fn drop_sums(&mut self, extras: &mut Extras) {
        if let Some(number) = std::mem::take(&mut self.sums).number() {
            extras.sums.take(number);
        }
    }

    /// Counts a pile of several sites into a node that is being made.
    pub(super) fn gain_crowd(&mut self, level: u8, stop: Stop, total: &Aggregate, extras: &mut Extras) {
        let mass = total.sums.mass(super::class::Classes::ALL);
        self.sites += mass.count();
        if stop.clusters_at(level) {
            self.mass.merge(&mass);
        }
        if let Some(area) = self.area_mut(level, stop, extras) {
            area.merge(total);
        }
    }

    /// Counts a site.
    pub(super) fn gain_site(&mut self, level: u8, site: &Facets, extras: &mut Extras) {
        self.sites += 1;
        if site.stop.clusters_at(level) {
            self.mass.add(site);
            if let Some(number) = self.sums.number() {
                extras.sums[number].add(site);
            }
        } else if let Some(number) = self.sums.number() {
            extras.sums[number].add_beside(site.class);
        }
        if let Some(area) = self.area_mut(level, site.stop, extras) {
            area.add(site);
        }
    }

    /// Undoes [`Self::gain_site`].
    pub(super) fn lose_site(&mut self, level: u8, site: &Facets, extras: &mut Extras) {
        self.sites -= 1;
        if site.stop.clusters_at(level) {
            self.mass.subtract(site);
            if let Some(number) = self.sums.number() {
                extras.sums[number].subtract(site);
            }
        } else if let Some(number) = self.sums.number() {
            extras.sums[number].subtract_beside(site.class);
        }
        let Some(area) = self.area_mut(level, site.stop, extras) else { return };
        area.subtract(site);
        let is_empty = |areas: &NodeAreas| areas.stopped.is_empty() && areas.country.is_empty();
        if self.areas(extras).is_some_and(is_empty) {
            self.drop_areas(extras);
        }
    }

    /// Forgets all that is kept apart from it.
    pub(super) fn drop_extras(&mut self, extras: &mut Extras) {
        self.drop_areas(extras);
        self.drop_sums(extras);
    }

    fn drop_areas(&mut self, extras: &mut Extras) {
        if let Some(number) = std::mem::take(&mut self.areas).number() {
            extras.areas.take(number);
        }
    }

    /// The area of this cell that a site of `stop` counts in, if it does in one; made where it is missing.
    fn area_mut<'a>(&mut self, level: u8, stop: Stop, extras: &'a mut Extras) -> Option<&'a mut Aggregate> {
        let country = stop.is_country() && has_country_areas(level);
        if !country && !stop.is_at(level) {
            return None;
        }
        let number = self.areas.number().unwrap_or_else(|| extras.areas.insert(NodeAreas::default()));
        self.areas = Link(number);
        let areas = &mut extras.areas[number];
        Some(if country { &mut areas.country } else { &mut areas.stopped })
    }
}

/// A child of a node, in 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Empty,
    /// The first pile of a chain.
    Chain(u32),
    /// The node's number.
    Node(u32),
}

impl Slot {
    const NODE: u32 = 1 << 31;
    const EMPTY: u32 = u32::MAX;

    pub(super) fn node(number: u32) -> Self {
        Self(number | Self::NODE)
    }

    /// A chain; empty where `head` is [`NO_PILE`].
    pub(super) fn chain(head: u32) -> Self {
        Self(head)
    }

    pub(super) fn kind(self) -> Kind {
        match self.0 {
            Self::EMPTY => Kind::Empty,
            tagged if tagged & Self::NODE != 0 => Kind::Node(tagged & !Self::NODE),
            head => Kind::Chain(head),
        }
    }

    /// The first pile of its chain, or [`NO_PILE`].
    pub(super) fn head(self) -> u32 {
        if let Kind::Chain(head) = self.kind() { head } else { NO_PILE }
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self(Self::EMPTY)
    }
}

/// Which child of a node of `level` holds `point`: 1 for the east, 2 for the south.
pub(super) fn quadrant(point: Point, level: u8) -> usize {
    let bit = POINT_BITS - 1 - level;
    ((point.x >> bit & 1) | (point.y >> bit & 1) << 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_stays_small_and_slots_tell_what_they_hold() {
        assert!(size_of::<Node>() <= 120, "{} bytes", size_of::<Node>());
        assert_eq!(Slot::default().kind(), Kind::Empty);
        assert_eq!(Slot::chain(NO_PILE).kind(), Kind::Empty);
        assert_eq!(Slot::chain(0).kind(), Kind::Chain(0));
        assert_eq!(Slot::node(5).kind(), Kind::Node(5));
        assert_eq!((Slot::chain(3).head(), Slot::node(3).head()), (3, NO_PILE));
    }
}
