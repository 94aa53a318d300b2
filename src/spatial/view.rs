//! A view: a tree and the classes of its sites that count. Everything that is read is read through one.
//!
//! What a view answers is what a map would answer that holds no other sites. Read-only.

use crate::model::geo::LatLng;

use super::class::Classes;
use super::entries::Entries;
use super::mass::{Aggregate, Mass};
use super::node::{Kind, Node, NodeAreas, Slot};
use super::order::Order;
use super::pile::Pile;
use super::tree::Tree;

/// The sites of a tree that are of some classes.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'map> {
    pub(super) entries: &'map Entries,
    pub(super) tree: &'map Tree,
    pub(super) classes: Classes,
    /// Whether all sites of the tree are in: mostly so, and then nothing needs to be sorted out.
    is_whole: bool,
}

impl<'map> View<'map> {
    pub(super) fn new(entries: &'map Entries, tree: &'map Tree, classes: Classes) -> Self {
        Self { entries, tree, classes, is_whole: classes.has_all_placed() }
    }

    pub(super) fn node(&self, at: u32) -> &'map Node {
        &self.tree.nodes[at]
    }

    pub(super) fn areas(&self, at: u32) -> Option<&'map NodeAreas> {
        self.node(at).areas(&self.tree.extras)
    }

    /// The piles of a chain; some may have no site in view.
    pub(super) fn piles(&self, head: u32) -> impl Iterator<Item = &'map Pile> + use<'map> {
        self.tree.piles.chain(head).map(|(_, pile)| pile)
    }

    /// The numbers of the pile's sites in view.
    pub(super) fn numbers(&self, pile: &'map Pile) -> impl Iterator<Item = u32> + use<'map> {
        let view = *self;
        let all = self.tree.piles.numbers(pile).iter().copied();
        all.filter(move |number| view.has(*number))
    }

    /// Whether a site of the tree is in view.
    pub(super) fn has(&self, number: u32) -> bool {
        self.is_whole || self.classes.has(self.entries[number].class())
    }

    /// The exact positions of the pile's sites in view, each with how many of them are counted by it: one site, or all that
    /// stand there. Costs what [`super::pile::Piles::looks`] says.
    pub(super) fn positions(&self, pile: &'map Pile) -> impl Iterator<Item = (LatLng, u32)> + use<'map> {
        let view = *self;
        let order: Option<&'map Order> = self.tree.piles.order(pile);
        let spots = order.into_iter().flat_map(Order::spots).filter_map(move |(position, tally)| {
            let count = if view.is_whole { tally.total() } else { tally.count_within(view.classes) };
            (count > 0).then_some((position, count))
        });
        let sites = order.is_none().then(|| view.numbers(pile)).into_iter().flatten();
        spots.chain(sites.map(move |number| (view.entries[number].position(), 1)))
    }

    /// How many sites in view cluster at a node's level.
    pub(super) fn count(&self, at: u32) -> u32 {
        let tally = &self.node(at).mass.tally;
        if self.is_whole { tally.total() } else { tally.count_within(self.classes) }
    }

    /// How many sites in view are at or below a node, if that is known without a look at them.
    pub(super) fn count_all(&self, at: u32) -> Option<u32> {
        let node = self.node(at);
        if self.is_whole {
            return Some(node.sites);
        }
        if node.sites == node.mass.count() {
            return Some(self.count(at));
        }
        // Those that stopped here or above are counted by class where there are many sites.
        let sums = node.sums(&self.tree.extras)?;
        Some(self.count(at) + sums.count_beside(self.classes))
    }

    /// Whether any site of the pile is in view.
    pub(super) fn has_any(&self, pile: &Pile) -> bool {
        self.is_whole || self.count_of_pile(pile) > 0
    }

    pub(super) fn count_of_pile(&self, pile: &Pile) -> u32 {
        self.tree.piles.count(self.entries, pile, self.classes)
    }

    /// The mass of the sites in view that cluster at a node's level.
    pub(super) fn mass(&self, at: u32, level: u8) -> Mass {
        let node = self.node(at);
        let count = self.count(at);
        if count == node.mass.count() {
            return node.mass;
        }
        let mut mass = Mass::default();
        if count == 0 {
            return mass;
        }
        if let Some(sums) = node.sums(&self.tree.extras) {
            return sums.mass(self.classes);
        }
        self.weigh_below(Slot::node(at), level, &mut mass);
        mass
    }

    /// Adds the pile's sites in view to a mass.
    pub(super) fn weigh(&self, pile: &Pile, mass: &mut Mass) {
        self.tree.piles.weigh(self.entries, pile, self.classes, mass);
    }

    /// The mass of an area's sites in view.
    pub(super) fn area_mass(&self, area: &Aggregate) -> Mass {
        area.sums.mass(self.classes)
    }

    /// Adds the sites in view at or below a slot that cluster at `level`.
    fn weigh_below(&self, slot: Slot, level: u8, mass: &mut Mass) {
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => {
                let piles = self.piles(head).filter(|pile| pile.stop.clusters_at(level));
                piles.for_each(|pile| self.weigh(pile, mass));
            }
            Kind::Node(at) => {
                self.node(at).children.into_iter().for_each(|child| self.weigh_below(child, level, mass));
            }
        }
    }
}
