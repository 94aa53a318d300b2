//! A quadtree over piles that is the index for distances and boxes and the cluster pyramid in one.
//!
//! A node stands for a cell of its depth's level and holds the sums that the map draws there; cells of few piles
//! have no node, and their sums are made when asked for. A change touches the nodes above one point: at most 32.

use super::arena::Arena;
use super::mass::Facets;
use super::mercator::{POINT_BITS, Point};
use super::node::{Kind, Node, NodeAreas, Slot, quadrant};
use super::pile::{NO_PILE, Pile, Piles};
use super::stop::Stop;

/// Most piles of a chain above the last level: short enough to be walked, long enough to make nodes rare.
const CHAIN_MAX: usize = 8;
/// A node with fewer piles becomes a chain again. Half of a full chain, so that a site that comes and goes does not
/// make and raze a node each time.
pub(super) const NODE_PILES_MIN: u32 = 4;

/// Where a slot stands: a node's number and which child, or the root.
type Link = Option<(u32, usize)>;

/// The tree and all that hangs on it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) piles: Piles,
    pub(super) root: Slot,
    pub(super) nodes: Arena<Node>,
    pub(super) areas: Arena<NodeAreas>,
}

impl Tree {
    /// Puts the entry on the map.
    pub(super) fn attach(&mut self, number: u32, point: Point, stop: Stop) {
        let is_same = |pile: &Pile| pile.point == point && pile.stop == stop;
        let found = self.piles.chain(self.chain_at(point)).find(|(_, pile)| is_same(pile)).map(|(pile, _)| pile);
        let site = self.piles.facets(number, point);
        let (link, level) = self.each_node_above(point, |node, level, areas| {
            node.piles += u32::from(found.is_none());
            node.gain_site(level, stop, &site, areas);
        });
        if let Some(pile) = found {
            self.piles.join(pile, number);
            return;
        }
        let head = self.piles.found(number, point, stop, self.slot(link).head());
        let slot = self.subdivided(head, level);
        self.set_slot(link, slot);
    }

    /// Takes the entry off the map.
    pub(super) fn detach(&mut self, number: u32) {
        let pile_number = self.piles.entries[number].pile;
        let pile = self.piles.get(pile_number);
        let (point, stop) = (pile.point, pile.stop);
        let site = self.piles.facets(number, point);
        let is_empty = self.piles.leave(number);
        let (mut link, mut level) = (None, 0);
        // The uppermost node that has too few piles now.
        let mut thin = None;
        while let Kind::Node(at) = self.slot(link).kind() {
            let node = &mut self.nodes[at];
            node.lose_site(level, stop, &site, &mut self.areas);
            node.piles -= u32::from(is_empty);
            if is_empty && thin.is_none() && node.piles < NODE_PILES_MIN {
                thin = Some(link);
            }
            link = Some((at, quadrant(point, level)));
            level += 1;
        }
        if is_empty {
            self.unchain(link, pile_number);
            self.piles.raze(pile_number);
        }
        if let Some(link) = thin {
            let mut head = NO_PILE;
            self.gather(self.slot(link), &mut head);
            self.set_slot(link, Slot::chain(head));
        }
    }

    /// Makes all sums follow the entry's change from `old` to what it is now; point and stop are as before.
    pub(super) fn restate(&mut self, number: u32, old: &Facets) {
        let pile_number = self.piles.entries[number].pile;
        let stop = self.piles.get(pile_number).stop;
        let new = self.piles.facets(number, old.point);
        self.piles.restate(pile_number, old, &new);
        self.each_node_above(old.point, |node, level, areas| {
            // In this order an area that holds this site alone is not dropped on the way.
            node.gain_site(level, stop, &new, areas);
            node.lose_site(level, stop, old, areas);
        });
    }

    /// The first pile of the chain below the nodes above `point`, or [`NO_PILE`].
    fn chain_at(&self, point: Point) -> u32 {
        let (mut slot, mut level) = (self.root, 0);
        while let Kind::Node(at) = slot.kind() {
            slot = self.nodes[at].children[quadrant(point, level)];
            level += 1;
        }
        slot.head()
    }

    /// Changes the nodes above `point`, from the root down. Answers what slot comes then, and its level.
    fn each_node_above(
        &mut self,
        point: Point,
        mut change: impl FnMut(&mut Node, u8, &mut Arena<NodeAreas>),
    ) -> (Link, u8) {
        let (mut link, mut level) = (None, 0);
        while let Kind::Node(at) = self.slot(link).kind() {
            change(&mut self.nodes[at], level, &mut self.areas);
            link = Some((at, quadrant(point, level)));
            level += 1;
        }
        (link, level)
    }

    fn slot(&self, link: Link) -> Slot {
        link.map_or(self.root, |(node, child)| self.nodes[node].children[child])
    }

    fn set_slot(&mut self, link: Link, slot: Slot) {
        match link {
            None => self.root = slot,
            Some((node, child)) => self.nodes[node].children[child] = slot,
        }
    }

    /// The chain as it is where it is short, else a node over it.
    fn subdivided(&mut self, head: u32, level: u8) -> Slot {
        // One point has one pile a stop, so at the last level a chain is bounded by the number of stops.
        if level == POINT_BITS || self.piles.chain(head).nth(CHAIN_MAX).is_none() {
            return Slot::chain(head);
        }
        let mut node = Node::default();
        let mut next = head;
        while next != NO_PILE {
            let number = next;
            let pile = self.piles.get(number);
            next = pile.next;
            node.gain_pile(level, pile.stop, &self.piles.load(pile), &mut self.areas);
            let child = &mut node.children[quadrant(pile.point, level)];
            self.piles.set_next(number, child.head());
            *child = Slot::chain(number);
        }
        for child in &mut node.children {
            *child = self.subdivided(child.head(), level + 1);
        }
        Slot::node(self.nodes.insert(node))
    }

    /// Takes a pile out of the chain at `link`.
    fn unchain(&mut self, link: Link, gone: u32) {
        let after = self.piles.get(gone).next;
        let head = self.slot(link).head();
        if head == gone {
            self.set_slot(link, Slot::chain(after));
            return;
        }
        let before = self.piles.chain(head).find(|(_, pile)| pile.next == gone).map(|(number, _)| number);
        self.piles.set_next(before.expect("a pile is in the chain that its point leads to"), after);
    }

    /// Razes the nodes from `slot` downward, and puts their piles in front of the chain that begins with `head`.
    fn gather(&mut self, slot: Slot, head: &mut u32) {
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(first) => {
                let mut next = first;
                while next != NO_PILE {
                    let number = next;
                    next = self.piles.get(number).next;
                    self.piles.set_next(number, *head);
                    *head = number;
                }
            }
            Kind::Node(at) => {
                let mut node = self.nodes.take(at);
                node.drop_areas(&mut self.areas);
                node.children.into_iter().for_each(|child| self.gather(child, head));
            }
        }
    }
}
