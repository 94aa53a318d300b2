//! A quadtree over piles that is the index for distances and boxes and the cluster pyramid in one.
//!
//! A node stands for a cell of its depth's level and holds the sums that the map draws there; cells of few piles
//! have no node, and their sums are made when asked for. A change touches the nodes above one point: at most 32.

use super::arena::Arena;
use super::entries::Entries;
use super::entry::Facets;
use super::mass::ClassSums;
use super::mercator::{POINT_BITS, Point};
use super::node::{Extras, Kind, Node, Slot, quadrant};
use super::pile::{Load, NO_PILE, Pile, Piles};

/// Most piles of a chain above the last level: short enough to be walked, long enough to make nodes rare.
pub(super) const CHAIN_MAX: usize = 8;
/// A node with fewer piles becomes a chain again. Half of a full chain, so that a site that comes and goes does not
/// make and raze a node each time.
pub(super) const NODE_PILES_MIN: u32 = 4;
/// A node of so many sites keeps its mass by class. With fewer of them a filter of classes looks at the sites: of the 144
/// cells of a tile, that is some tens of microseconds at most.
pub(super) const SUMS_SITES_MIN: u32 = 128;
/// A node of fewer sites than this drops its mass by class. Half of what makes it, as above.
const SUMS_SITES_DROP: u32 = SUMS_SITES_MIN / 2;

/// Where a slot stands: a node's number and which child, or the root.
type Link = Option<(u32, usize)>;

/// The tree and all that hangs on it, but for the entries.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) piles: Piles,
    pub(super) root: Slot,
    pub(super) nodes: Arena<Node>,
    pub(super) extras: Extras,
}

impl Tree {
    /// Makes the tree follow a site from what it was in it to what it is now, `None` for not in it. `entries` are as they
    /// are now.
    ///
    /// Costs a walk of at most 32 nodes, two where the site moves.
    pub(super) fn apply(&mut self, entries: &Entries, old: Option<&Facets>, new: Option<&Facets>) {
        match (old, new) {
            (None, None) => {}
            (Some(old), Some(new)) if (old.point, old.stop) == (new.point, new.stop) => {
                if old != new {
                    self.restate(old, new);
                }
            }
            (old, new) => {
                if let Some(old) = old {
                    self.detach(entries, old);
                }
                if let Some(new) = new {
                    self.attach(entries, new);
                }
            }
        }
    }

    /// Gives back the room that was taken ahead of need: of small maps, of which there are many, it is a good part.
    pub(super) fn shrink(&mut self) {
        self.piles.shrink();
        self.nodes.shrink();
        self.extras.shrink();
    }

    /// Puts the site in.
    fn attach(&mut self, entries: &Entries, site: &Facets) {
        let is_same = |pile: &Pile| pile.point == site.point && pile.stop == site.stop;
        let found = self.piles.chain(self.chain_at(site.point)).find(|(_, pile)| is_same(pile)).map(|(pile, _)| pile);
        // The uppermost node that has just become large.
        let mut large = None;
        let (link, level) = self.each_node_above(site.point, |at, node, level, extras| {
            node.piles += u32::from(found.is_none());
            node.gain_site(level, site, extras);
            if node.sites == SUMS_SITES_MIN && node.sums(extras).is_none() {
                large = large.or(Some((at, level)));
            }
        });
        if let Some(pile) = found {
            self.piles.join(pile, site, entries);
        } else {
            let head = self.piles.found(site, self.slot(link).head());
            let slot = self.subdivided(entries, head, level);
            self.set_slot(link, slot);
        }
        if let Some((at, level)) = large {
            self.keep_sums(entries, at, level);
        }
    }

    /// Takes the site out.
    fn detach(&mut self, entries: &Entries, site: &Facets) {
        let pile_number = self.piles.standing(site.number).pile;
        let is_empty = self.piles.leave(site, entries);
        let (mut link, mut level) = (None, 0);
        // The uppermost node that has too few piles now.
        let mut thin = None;
        while let Kind::Node(at) = self.slot(link).kind() {
            let node = &mut self.nodes[at];
            node.lose_site(level, site, &mut self.extras);
            node.piles -= u32::from(is_empty);
            if node.sites < SUMS_SITES_DROP {
                node.drop_sums(&mut self.extras);
            }
            if is_empty && thin.is_none() && node.piles < NODE_PILES_MIN {
                thin = Some(link);
            }
            link = Some((at, quadrant(site.point, level)));
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

    /// Makes all sums follow the site's change; point and stop are as before.
    fn restate(&mut self, old: &Facets, new: &Facets) {
        self.piles.restate(old, new);
        self.each_node_above(old.point, |_, node, level, extras| {
            // In this order an area that holds this site alone is not dropped on the way.
            node.gain_site(level, new, extras);
            node.lose_site(level, old, extras);
        });
    }

    /// Keeps the mass by class of a node, and of those below it that are large enough.
    fn keep_sums(&mut self, entries: &Entries, at: u32, level: u8) {
        let node = &self.nodes[at];
        if node.sites < SUMS_SITES_MIN {
            return;
        }
        if node.sums(&self.extras).is_none() {
            let mut sums = ClassSums::default();
            self.sum_below(entries, Slot::node(at), level, &mut sums);
            self.nodes[at].keep_sums(sums, &mut self.extras);
        }
        for child in self.nodes[at].children {
            if let Kind::Node(child) = child.kind() {
                self.keep_sums(entries, child, level + 1);
            }
        }
    }

    /// Adds the sites at or below a slot by class: those that cluster at `level` to the sums, the others beside them.
    fn sum_below(&self, entries: &Entries, slot: Slot, level: u8, sums: &mut ClassSums) {
        match slot.kind() {
            Kind::Empty => {}
            Kind::Chain(head) => {
                for (_, pile) in self.piles.chain(head) {
                    if pile.stop.clusters_at(level) {
                        self.piles.sum(entries, pile, sums);
                    } else {
                        let mut beside = ClassSums::default();
                        self.piles.sum(entries, pile, &mut beside);
                        sums.merge_beside(&beside);
                    }
                }
            }
            Kind::Node(at) => {
                let children = self.nodes[at].children.into_iter();
                children.for_each(|child| self.sum_below(entries, child, level, sums));
            }
        }
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
    fn each_node_above(&mut self, point: Point, mut change: impl FnMut(u32, &mut Node, u8, &mut Extras)) -> (Link, u8) {
        let (mut link, mut level) = (None, 0);
        while let Kind::Node(at) = self.slot(link).kind() {
            change(at, &mut self.nodes[at], level, &mut self.extras);
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
    fn subdivided(&mut self, entries: &Entries, head: u32, level: u8) -> Slot {
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
            node.piles += 1;
            match self.piles.load(pile) {
                Load::Few(numbers) => numbers.iter().for_each(|number| {
                    let site = entries[*number].facets_at(*number, pile.point, pile.stop);
                    node.gain_site(level, &site, &mut self.extras);
                }),
                Load::Crowd(total) => node.gain_crowd(level, pile.stop, total, &mut self.extras),
            }
            let child = &mut node.children[quadrant(pile.point, level)];
            self.piles.set_next(number, child.head());
            *child = Slot::chain(number);
        }
        for child in &mut node.children {
            *child = self.subdivided(entries, child.head(), level + 1);
        }
        let number = self.nodes.insert(node);
        self.keep_sums(entries, number, level);
        Slot::node(number)
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
                node.drop_extras(&mut self.extras);
                node.children.into_iter().for_each(|child| self.gather(child, head));
            }
        }
    }
}
