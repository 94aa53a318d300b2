//! The nodes of the quadtree, and the slots that hold them together.
//!
//! A slot is empty, a chain of at most a few piles, or a node. Knows nothing of how a tree is kept.

use super::arena::Arena;
use super::mass::{Aggregate, Facets, Mass};
use super::mercator::{POINT_BITS, Point};
use super::pile::{Load, NO_PILE};
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
    /// Number of the sums of the areas of this cell, or [`NO_AREAS`].
    areas: AreasLink,
}

/// The areas that are drawn from a node's cell.
#[derive(Debug, Default)]
pub(super) struct NodeAreas {
    /// Of sites that stop at the node's level.
    pub(super) stopped: Aggregate,
    /// Of country-level sites; only at levels that draw them.
    pub(super) country: Aggregate,
}

/// A number in the arena of areas, where there are any.
#[derive(Debug, Clone, Copy)]
struct AreasLink(u32);

impl Default for AreasLink {
    fn default() -> Self {
        Self(NO_AREAS)
    }
}

const NO_AREAS: u32 = u32::MAX;

impl Node {
    /// The sums of its areas, if it has any.
    pub(super) fn areas<'a>(&self, areas: &'a Arena<NodeAreas>) -> Option<&'a NodeAreas> {
        (self.areas.0 != NO_AREAS).then(|| &areas[self.areas.0])
    }

    /// Counts a pile, with all its sites, into a node that is being made.
    pub(super) fn gain_pile(&mut self, level: u8, stop: Stop, load: &Load<'_>, areas: &mut Arena<NodeAreas>) {
        self.piles += 1;
        match load {
            Load::Site(site) => self.gain_site(level, stop, site, areas),
            Load::Crowd(total) => {
                self.sites += total.mass.count();
                if stop.clusters_at(level) {
                    self.mass.merge(&total.mass);
                }
                if let Some(area) = self.area_mut(level, stop, areas) {
                    area.merge(total);
                }
            }
        }
    }

    /// Counts a site of a pile that is counted.
    pub(super) fn gain_site(&mut self, level: u8, stop: Stop, site: &Facets, areas: &mut Arena<NodeAreas>) {
        self.sites += 1;
        if stop.clusters_at(level) {
            self.mass.add(site);
        }
        if let Some(area) = self.area_mut(level, stop, areas) {
            area.add(site);
        }
    }

    /// Undoes [`Self::gain_site`].
    pub(super) fn lose_site(&mut self, level: u8, stop: Stop, site: &Facets, areas: &mut Arena<NodeAreas>) {
        self.sites -= 1;
        if stop.clusters_at(level) {
            self.mass.subtract(site);
        }
        let Some(area) = self.area_mut(level, stop, areas) else { return };
        area.subtract(site);
        if areas[self.areas.0].stopped.is_empty() && areas[self.areas.0].country.is_empty() {
            self.drop_areas(areas);
        }
    }

    /// Forgets the sums of its areas.
    pub(super) fn drop_areas(&mut self, areas: &mut Arena<NodeAreas>) {
        if self.areas.0 != NO_AREAS {
            areas.take(self.areas.0);
            self.areas = AreasLink::default();
        }
    }

    /// The area of this cell that a site of `stop` counts in, if it does in one; made where it is missing.
    fn area_mut<'a>(&mut self, level: u8, stop: Stop, areas: &'a mut Arena<NodeAreas>) -> Option<&'a mut Aggregate> {
        let country = stop.is_country() && has_country_areas(level);
        if !country && !stop.is_at(level) {
            return None;
        }
        if self.areas.0 == NO_AREAS {
            self.areas = AreasLink(areas.insert(NodeAreas::default()));
        }
        let areas = &mut areas[self.areas.0];
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
        assert!(size_of::<Node>() <= 88, "{} bytes", size_of::<Node>());
        assert_eq!(Slot::default().kind(), Kind::Empty);
        assert_eq!(Slot::chain(NO_PILE).kind(), Kind::Empty);
        assert_eq!(Slot::chain(0).kind(), Kind::Chain(0));
        assert_eq!(Slot::node(5).kind(), Kind::Node(5));
        assert_eq!((Slot::chain(3).head(), Slot::node(3).head()), (3, NO_PILE));
    }
}
