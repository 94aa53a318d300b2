//! Piles: sites that are drawn at one point and stop refining at one level are one thing to the tree.
//!
//! A city's centroid may carry 50,000 sites; joining and leaving such a pile costs the same as any other.

use super::arena::Arena;
use super::entry::{Class, Stored};
use super::mass::{Aggregate, Facets, Mass};
use super::mercator::Point;
use super::stop::Stop;

/// No pile: the end of a chain.
pub(super) const NO_PILE: u32 = u32::MAX;

/// Sites of one point and one stop: 20 bytes where there is one site.
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
    total: Aggregate,
}

/// What a pile adds to sums.
pub(super) enum Load<'a> {
    Site(Facets),
    Crowd(&'a Aggregate),
}

/// All piles of a map, with the entries that lie on them.
#[derive(Debug, Default)]
pub(super) struct Piles {
    pub(super) entries: Arena<Stored>,
    all: Arena<Pile>,
    crowds: Arena<Crowd>,
}

impl Piles {
    pub(super) fn get(&self, pile: u32) -> &Pile {
        &self.all[pile]
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
    pub(super) fn found(&mut self, number: u32, point: Point, stop: Stop, next: u32) -> u32 {
        let class = self.entries[number].class();
        let pile = self.all.insert(Pile { point, stop, next, class, members: Members::One(number) });
        (self.entries[number].pile, self.entries[number].rank) = (pile, 0);
        pile
    }

    pub(super) fn join(&mut self, pile: u32, number: u32) {
        let point = self.all[pile].point;
        let newcomer = self.facets(number, point);
        let crowd = match self.all[pile].members {
            Members::Many(crowd) => crowd,
            Members::One(first) => {
                let mut alone = Crowd { numbers: vec![first], total: Aggregate::default() };
                alone.total.add(&self.facets(first, point));
                let crowd = self.crowds.insert(alone);
                self.all[pile].members = Members::Many(crowd);
                crowd
            }
        };
        let crowd = &mut self.crowds[crowd];
        let rank = u32::try_from(crowd.numbers.len()).expect("there are fewer than 2^31 entries");
        crowd.numbers.push(number);
        crowd.total.add(&newcomer);
        (self.entries[number].pile, self.entries[number].rank) = (pile, rank);
    }

    /// Takes the site off its pile. Answers whether the pile is empty now; it is then to be unchained and razed.
    pub(super) fn leave(&mut self, number: u32) -> bool {
        let (pile, rank) = (self.entries[number].pile, self.entries[number].rank);
        let Members::Many(crowd_number) = self.all[pile].members else { return true };
        let leaver = self.facets(number, self.all[pile].point);
        let crowd = &mut self.crowds[crowd_number];
        crowd.total.subtract(&leaver);
        crowd.numbers.swap_remove(rank as usize);
        if let Some(moved) = crowd.numbers.get(rank as usize) {
            self.entries[*moved].rank = rank;
        }
        if let [last] = crowd.numbers[..] {
            self.crowds.take(crowd_number);
            self.all[pile].members = Members::One(last);
            self.all[pile].class = self.entries[last].class();
        }
        false
    }

    /// Forgets a pile that its last site left.
    pub(super) fn raze(&mut self, pile: u32) {
        self.all.take(pile);
    }

    /// Makes the sums of the site's pile follow its change from `old` to `new`.
    pub(super) fn restate(&mut self, pile: u32, old: &Facets, new: &Facets) {
        match self.all[pile].members {
            Members::One(_) => self.all[pile].class = new.class,
            Members::Many(crowd) => {
                let total = &mut self.crowds[crowd].total;
                total.subtract(old);
                total.add(new);
            }
        }
    }

    /// What the site adds to sums, drawn at `point`.
    pub(super) fn facets(&self, number: u32, point: Point) -> Facets {
        let entry = &self.entries[number];
        Facets { number, point, class: entry.class(), granularity: entry.granularity, accuracy_m: entry.accuracy_m() }
    }

    pub(super) fn load(&self, pile: &Pile) -> Load<'_> {
        match pile.members {
            Members::One(number) => Load::Site(self.facets(number, pile.point)),
            Members::Many(crowd) => Load::Crowd(&self.crowds[crowd].total),
        }
    }

    /// Adds the pile's sites to a mass.
    pub(super) fn weigh(&self, pile: &Pile, mass: &mut Mass) {
        match pile.members {
            Members::One(number) => mass.add_one(number, pile.point, pile.class),
            Members::Many(crowd) => mass.merge(&self.crowds[crowd].total.mass),
        }
    }

    /// The numbers of the pile's entries.
    pub(super) fn numbers<'a>(&'a self, pile: &'a Pile) -> &'a [u32] {
        match &pile.members {
            Members::One(number) => std::slice::from_ref(number),
            Members::Many(crowd) => &self.crowds[*crowd].numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_join_and_leave_in_any_order() {
        let mut piles = Piles::default();
        let numbers: Vec<u32> = (0..5).map(|_| piles.entries.insert(Stored::default())).collect();
        let pile = piles.found(numbers[0], Point { x: 3, y: 4 }, Stop::default(), NO_PILE);
        numbers[1..].iter().for_each(|number| piles.join(pile, *number));
        for (left, number) in [(4, 0), (3, 3), (2, 1), (1, 4)] {
            assert!(!piles.leave(numbers[number]));
            assert_eq!(piles.numbers(piles.get(pile)).len(), left);
            for (rank, number) in piles.numbers(piles.get(pile)).iter().enumerate() {
                assert_eq!(piles.entries[*number].rank as usize, rank);
            }
        }
        assert_eq!(piles.numbers(piles.get(pile)), [numbers[2]]);
        assert!(piles.leave(numbers[2]));
        assert_eq!(piles.crowds.len(), 0);
    }

    #[test]
    fn a_pile_stays_small() {
        assert!(size_of::<Pile>() <= 24, "{} bytes", size_of::<Pile>());
    }
}
