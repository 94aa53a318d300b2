//! Piles: sites that are drawn at one point and stop refining at one level are one thing to the tree.
//!
//! A city's centroid may carry 50,000 sites; joining and leaving such a pile costs the same as any other.

use super::arena::Arena;
use super::class::{Class, Classes};
use super::entries::Entries;
use super::entry::Facets;
use super::mass::{Aggregate, ClassSums, Mass};
use super::mercator::Point;
use super::order::{ORDER_SITES_DROP, ORDER_SITES_MIN, Order};
use super::places::{Places, Standing};
use super::stop::Stop;

/// No pile: the end of a chain.
pub(super) const NO_PILE: u32 = u32::MAX;

/// Sites of one point and one stop: 24 bytes where there is one site.
#[derive(Debug)]
pub(super) struct Pile {
    pub(super) point: Point,
    pub(super) stop: Stop,
    /// The next pile of the same chain, or [`NO_PILE`].
    pub(super) next: u32,
    /// The class of the only site, here so that sums need not look at the entry; of no meaning for a crowd.
    class: Class,
    members: Members,
}

#[derive(Debug, Clone, Copy)]
enum Members {
    /// The entry's number.
    One(u32),
    /// The crowd's number.
    Many(u32),
}

impl Default for Pile {
    fn default() -> Self {
        let members = Members::One(0);
        Self { point: Point::default(), stop: Stop::default(), next: NO_PILE, class: Class::default(), members }
    }
}

/// The sites of a pile of two or more.
#[derive(Debug, Default)]
struct Crowd {
    numbers: Vec<u32>,
    /// What is kept where there are too many sites to be looked at one by one: it takes ten times the room of a number.
    great: Option<Box<Great>>,
}

/// What is kept of the sites of a great pile.
#[derive(Debug, Default)]
struct Great {
    /// Their sums.
    total: Aggregate,
    /// Their order, where there are far too many.
    order: Option<Box<Order>>,
}

impl Great {
    fn add(&mut self, site: &Facets, entries: &Entries) {
        self.total.add(site);
        if let Some(order) = &mut self.order {
            order.add(site, entries);
        }
    }

    /// Takes out a site, of which `left` remain.
    fn subtract(&mut self, site: &Facets, left: usize, entries: &Entries) {
        self.total.subtract(site);
        if left < ORDER_SITES_DROP {
            self.order = None;
        } else if let Some(order) = &mut self.order {
            order.subtract(site, entries);
        }
    }

    fn restate(&mut self, old: &Facets, new: &Facets) {
        self.total.add(new);
        self.total.subtract(old);
        if let Some(order) = &mut self.order {
            order.restate(old, new);
        }
    }
}

/// A crowd of so many sites keeps its sums.
const TOTAL_SITES_MIN: usize = 32;
/// A crowd of fewer drops them. Half of what makes them, so that a site that comes and goes costs nothing each time.
const TOTAL_SITES_DROP: usize = TOTAL_SITES_MIN / 2;

/// What a pile adds to sums.
pub(super) enum Load<'a> {
    /// The numbers of a few sites.
    Few(&'a [u32]),
    /// The sums of many.
    Crowd(&'a Aggregate),
}

/// All piles of a tree.
#[derive(Debug, Default)]
pub(super) struct Piles {
    places: Places,
    all: Arena<Pile>,
    crowds: Arena<Crowd>,
}

impl Piles {
    pub(super) fn reserve(&mut self, entries: usize) {
        self.places.reserve(entries);
    }

    pub(super) fn shrink(&mut self) {
        self.all.shrink();
        self.crowds.shrink();
    }

    pub(super) fn get(&self, pile: u32) -> &Pile {
        &self.all[pile]
    }

    /// The pile that the entry lies on; `None` where it is not in the tree.
    pub(super) fn of(&self, number: u32) -> Option<&Pile> {
        self.places.get(number).map(|standing| &self.all[standing.pile])
    }

    /// Where the entry stands, which is in the tree.
    pub(super) fn standing(&self, number: u32) -> Standing {
        self.places.get(number).expect("an entry that leaves or changes is in the tree")
    }

    pub(super) fn set_next(&mut self, pile: u32, next: u32) {
        self.all[pile].next = next;
    }

    /// The piles of the chain that begins with `head`.
    pub(super) fn chain(&self, head: u32) -> impl Iterator<Item = (u32, &Pile)> {
        let step = |pile: u32| (pile != NO_PILE).then(|| (pile, &self.all[pile]));
        std::iter::successors(step(head), move |(_, pile)| step(pile.next))
    }

    /// A pile of one site, in front of the chain that begins with `next`.
    pub(super) fn found(&mut self, site: &Facets, next: u32) -> u32 {
        let Facets { point, stop, class, .. } = *site;
        let pile = self.all.insert(Pile { point, stop, next, class, members: Members::One(site.number) });
        self.places.set(site.number, Standing { pile, rank: 0 });
        pile
    }

    pub(super) fn join(&mut self, pile: u32, site: &Facets, entries: &Entries) {
        let crowd = match self.all[pile].members {
            Members::Many(crowd) => crowd,
            Members::One(first) => {
                let crowd = self.crowds.insert(Crowd { numbers: vec![first], great: None });
                self.all[pile].members = Members::Many(crowd);
                crowd
            }
        };
        let crowd = &mut self.crowds[crowd];
        let rank = u32::try_from(crowd.numbers.len()).expect("there are fewer than 2^31 entries");
        crowd.numbers.push(site.number);
        match &mut crowd.great {
            Some(great) => great.add(site, entries),
            None if crowd.numbers.len() >= TOTAL_SITES_MIN => {
                let great = crowd.great.insert(Box::default());
                let facets = |number: &u32| entries[*number].facets_at(*number, site.point, site.stop);
                crowd.numbers.iter().map(facets).for_each(|site| great.total.add(&site));
            }
            None => {}
        }
        if let Some(great) = &mut crowd.great
            && great.order.is_none()
            && crowd.numbers.len() >= ORDER_SITES_MIN
        {
            great.order = Some(Box::new(Order::of(&crowd.numbers, entries)));
        }
        self.places.set(site.number, Standing { pile, rank });
    }

    /// Takes the site off its pile. Answers whether the pile is empty now; it is then to be unchained and razed.
    pub(super) fn leave(&mut self, site: &Facets, entries: &Entries) -> bool {
        let Standing { pile, rank } = self.standing(site.number);
        self.places.clear(site.number);
        let Members::Many(crowd_number) = self.all[pile].members else { return true };
        let crowd = &mut self.crowds[crowd_number];
        crowd.numbers.swap_remove(rank as usize);
        if crowd.numbers.len() < TOTAL_SITES_DROP {
            crowd.great = None;
        } else if let Some(great) = &mut crowd.great {
            great.subtract(site, crowd.numbers.len(), entries);
        }
        if let Some(moved) = crowd.numbers.get(rank as usize) {
            self.places.set(*moved, Standing { pile, rank });
        }
        if let [last] = crowd.numbers[..] {
            self.crowds.take(crowd_number);
            self.all[pile].members = Members::One(last);
            self.all[pile].class = entries[last].class();
        }
        false
    }

    /// Forgets a pile that its last site left.
    pub(super) fn raze(&mut self, pile: u32) {
        self.all.take(pile);
    }

    /// Makes the sums of the site's pile follow its change from `old` to `new`.
    pub(super) fn restate(&mut self, old: &Facets, new: &Facets) {
        let pile = self.standing(old.number).pile;
        match self.all[pile].members {
            Members::One(_) => self.all[pile].class = new.class,
            Members::Many(crowd) => {
                if let Some(great) = &mut self.crowds[crowd].great {
                    great.restate(old, new);
                }
            }
        }
    }

    pub(super) fn load<'a>(&'a self, pile: &'a Pile) -> Load<'a> {
        self.great(pile).map_or_else(|| Load::Few(self.numbers(pile)), |great| Load::Crowd(&great.total))
    }

    /// Adds the pile's sites of some classes to a mass.
    pub(super) fn weigh(&self, entries: &Entries, pile: &Pile, classes: Classes, mass: &mut Mass) {
        match self.load(pile) {
            Load::Few(numbers) => each_class(entries, pile, numbers, |number, class| {
                if classes.has(class) {
                    mass.add_one(number, pile.point, class);
                }
            }),
            Load::Crowd(total) => mass.merge(&total.sums.mass(classes)),
        }
    }

    /// Adds the pile's sites to sums by class.
    pub(super) fn sum(&self, entries: &Entries, pile: &Pile, sums: &mut ClassSums) {
        match self.load(pile) {
            Load::Few(numbers) => {
                each_class(entries, pile, numbers, |number, class| sums.add_one(number, pile.point, class));
            }
            Load::Crowd(total) => sums.merge(&total.sums),
        }
    }

    /// How many sites of some classes the pile has.
    pub(super) fn count(&self, entries: &Entries, pile: &Pile, classes: Classes) -> u32 {
        match self.load(pile) {
            Load::Few(numbers) => {
                let mut count = 0;
                each_class(entries, pile, numbers, |_, class| count += u32::from(classes.has(class)));
                count
            }
            Load::Crowd(total) => total.sums.count(classes),
        }
    }

    /// The order of the pile's sites, where they are so many that one is kept.
    pub(super) fn order(&self, pile: &Pile) -> Option<&Order> {
        self.great(pile)?.order.as_deref()
    }

    /// Looks that it takes to see where all sites of the pile are: one for each, or for each position of many.
    pub(super) fn looks(&self, pile: &Pile) -> usize {
        self.order(pile).map_or_else(|| self.numbers(pile).len(), Order::spots_len)
    }

    /// The numbers of the pile's entries.
    pub(super) fn numbers<'a>(&'a self, pile: &'a Pile) -> &'a [u32] {
        match &pile.members {
            Members::One(number) => std::slice::from_ref(number),
            Members::Many(crowd) => &self.crowds[*crowd].numbers,
        }
    }

    /// The numbers of the entries of all piles, in no order. Costs a look at each pile that there is, or was at the same time as others.
    pub(super) fn all_numbers(&self) -> impl Iterator<Item = u32> {
        let numbers = move |pile: u32| {
            let numbers = self.numbers(&self.all[pile]);
            // A razed pile names an entry that stands elsewhere, or nowhere.
            let standing = numbers.first().and_then(|number| self.places.get(*number));
            if standing.is_some_and(|standing| standing.pile == pile) { numbers } else { &[] }
        };
        (0..self.all.end()).flat_map(numbers).copied()
    }

    fn great(&self, pile: &Pile) -> Option<&Great> {
        match pile.members {
            Members::One(_) => None,
            Members::Many(crowd) => self.crowds[crowd].great.as_deref(),
        }
    }
}

/// Calls `f` with the number and the class of each of a pile's few sites. One that stands alone is not looked up.
fn each_class(entries: &Entries, pile: &Pile, numbers: &[u32], mut f: impl FnMut(u32, Class)) {
    match numbers {
        [lone] => f(*lone, pile.class),
        several => several.iter().for_each(|number| f(*number, entries[*number].class())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::SiteId;
    use crate::spatial::tests::world::{at, entry};

    #[test]
    fn sites_join_and_leave_in_any_order() {
        let (mut piles, mut entries) = (Piles::default(), Entries::default());
        let numbers: Vec<u32> = (0..5).map(|bits| entries.insert(&entry(bits, at(1.0, 2.0)))).collect();
        let facets: Vec<Facets> =
            numbers.iter().map(|number| entries[*number].facets(*number).expect("it is placed")).collect();
        let pile = piles.found(&facets[0], NO_PILE);
        facets[1..].iter().for_each(|site| piles.join(pile, site, &entries));
        for (left, number) in [(4, 0), (3, 3), (2, 1), (1, 4)] {
            assert!(!piles.leave(&facets[number], &entries));
            assert_eq!(piles.numbers(piles.get(pile)).len(), left);
            assert_eq!(piles.count(&entries, piles.get(pile), Classes::ALL) as usize, left);
            for (rank, number) in piles.numbers(piles.get(pile)).iter().enumerate() {
                assert_eq!(piles.standing(*number).rank as usize, rank);
            }
        }
        assert!(piles.order(piles.get(pile)).is_none(), "few sites keep no order");
        assert_eq!(piles.numbers(piles.get(pile)), [numbers[2]]);
        assert!(piles.leave(&facets[2], &entries));
        assert_eq!((piles.crowds.len(), piles.of(numbers[2]).is_some()), (0, false));
    }

    #[test]
    fn an_order_is_kept_of_many_sites_and_of_no_fewer_than_half() {
        let (mut piles, mut entries) = (Piles::default(), Entries::default());
        let count = ORDER_SITES_MIN as u128;
        let numbers: Vec<u32> = (0..count).map(|bits| entries.insert(&entry(bits, at(1.0, 2.0)))).collect();
        let facets: Vec<Facets> =
            numbers.iter().map(|number| entries[*number].facets(*number).expect("it is placed")).collect();
        let pile = piles.found(&facets[0], NO_PILE);
        for site in &facets[1..] {
            assert_eq!(piles.looks(piles.get(pile)), piles.numbers(piles.get(pile)).len());
            piles.join(pile, site, &entries);
        }
        assert_eq!(piles.looks(piles.get(pile)), 1, "all stand at one position");
        for site in &facets[ORDER_SITES_DROP..] {
            assert!(piles.order(piles.get(pile)).is_some());
            piles.leave(site, &entries);
        }
        let order = piles.order(piles.get(pile)).expect("it is kept");
        assert!(order.onward(SiteId::MIN, &entries).eq(numbers[..ORDER_SITES_DROP].iter().copied()));
        piles.leave(&facets[0], &entries);
        assert!(piles.order(piles.get(pile)).is_none());
    }

    #[test]
    fn a_pile_stays_small() {
        assert!(size_of::<Pile>() <= 24, "{} bytes", size_of::<Pile>());
    }
}
