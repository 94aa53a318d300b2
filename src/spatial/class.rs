//! The classes that sites are counted in: status × source of the position, and sets of them.
//!
//! Sums are kept by class, so that a filter of status, source or certainty is answered without a look at the sites.

use crate::model::location::Source;
use crate::model::site::Status;

/// The class of a placed site: its status and its source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class(u8);

impl Class {
    pub(super) const COUNT: usize = Status::ALL.len() * Source::ALL.len();

    pub(super) fn of(status: Status, source: Source) -> Self {
        Self(status as u8 * 4 + source as u8)
    }

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The class of an index below [`Self::COUNT`].
    pub(super) fn at(index: usize) -> Self {
        Self(u8::try_from(index).expect("there are sixteen classes"))
    }
}

/// A set of classes, of unplaced sites too: what a filter of status, source, certainty and placement comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Classes {
    /// A bit a class.
    placed: u16,
    /// A bit a status, for sites without a position.
    unplaced: u8,
}

impl Classes {
    /// All sites.
    pub const ALL: Self = Self { placed: u16::MAX, unplaced: (1 << Status::ALL.len()) - 1 };
    /// No sites.
    pub const NONE: Self = Self { placed: 0, unplaced: 0 };

    /// Sites of a status, placed or not.
    #[must_use]
    pub fn of_status(status: Status) -> Self {
        Self { placed: 0xf << (status as u8 * 4), unplaced: 1 << status as u8 }
    }

    /// Sites whose position is of a source.
    #[must_use]
    pub fn of_source(source: Source) -> Self {
        Self { placed: 0x1111 << source as u8, unplaced: 0 }
    }

    /// Sites that have a position.
    #[must_use]
    pub fn placed() -> Self {
        Self { unplaced: 0, ..Self::ALL }
    }

    /// Sites that a person located.
    #[must_use]
    pub fn confirmed() -> Self {
        Source::ALL.into_iter().filter(|source| source.is_person()).map(Self::of_source).fold(Self::NONE, Self::or)
    }

    /// What is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { placed: self.placed & other.placed, unplaced: self.unplaced & other.unplaced }
    }

    /// What is in one of them.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { placed: self.placed | other.placed, unplaced: self.unplaced | other.unplaced }
    }

    /// What is not in it.
    #[must_use]
    pub fn complement(self) -> Self {
        Self { placed: !self.placed, unplaced: !self.unplaced & Self::ALL.unplaced }
    }

    /// Whether sites of this status and source are in it; `None` for no position.
    #[must_use]
    pub fn holds(self, status: Status, source: Option<Source>) -> bool {
        source.map_or_else(|| self.has_unplaced(status), |source| self.has(Class::of(status, source)))
    }

    /// Whether sites of this class, placed ones, are in it.
    pub(super) fn has(self, class: Class) -> bool {
        self.placed >> class.0 & 1 == 1
    }

    /// Whether unplaced sites of this status are in it.
    pub(super) fn has_unplaced(self, status: Status) -> bool {
        self.unplaced >> status as u8 & 1 == 1
    }

    /// Whether all placed sites are in it.
    pub(super) fn has_all_placed(self) -> bool {
        self.placed == u16::MAX
    }
}

/// Numbers of placed sites by status × source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tally([u32; Class::COUNT]);

/// Statuses from the worst to the best: a site that is known to be down, one of which nothing is known, one that
/// somebody works on, one that is well.
const WORST_FIRST: [Status; 4] = [Status::Offline, Status::Unknown, Status::Maintenance, Status::Online];

impl Tally {
    /// All sites.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Sites of this status and source.
    #[must_use]
    pub fn of(&self, status: Status, source: Source) -> u32 {
        self.0[Class::of(status, source).index()]
    }

    /// Sites of this status.
    #[must_use]
    pub fn of_status(&self, status: Status) -> u32 {
        Source::ALL.into_iter().map(|source| self.of(status, source)).sum()
    }

    /// Sites of this source.
    #[must_use]
    pub fn of_source(&self, source: Source) -> u32 {
        Status::ALL.into_iter().map(|status| self.of(status, source)).sum()
    }

    /// Sites that a machine located.
    #[must_use]
    pub fn approximate(&self) -> u32 {
        Status::ALL.into_iter().map(|status| self.approximate_of_status(status)).sum()
    }

    /// Sites of this status that a machine located.
    #[must_use]
    pub fn approximate_of_status(&self, status: Status) -> u32 {
        let machines = Source::ALL.into_iter().filter(|source| !source.is_person());
        machines.map(|source| self.of(status, source)).sum()
    }

    /// The share of sites that a machine located, in [0, 1]; 0 for no sites.
    #[must_use]
    pub fn approximate_share(&self) -> f64 {
        f64::from(self.approximate()) / f64::from(self.total().max(1))
    }

    /// The worst status among them; `None` where there are none.
    #[must_use]
    pub fn worst_status(&self) -> Option<Status> {
        WORST_FIRST.into_iter().find(|status| self.of_status(*status) > 0)
    }

    /// Those of the classes alone.
    #[must_use]
    pub fn within(&self, classes: Classes) -> Self {
        let mut tally = *self;
        for (class, count) in (0..).map(Class).zip(&mut tally.0) {
            *count *= u32::from(classes.has(class));
        }
        tally
    }

    /// How many are of the classes.
    pub(super) fn count_within(&self, classes: Classes) -> u32 {
        (0..).map(Class).zip(self.0).map(|(class, count)| if classes.has(class) { count } else { 0 }).sum()
    }

    pub(super) fn add(&mut self, class: Class, count: u32) {
        self.0[class.index()] += count;
    }

    pub(super) fn subtract(&mut self, class: Class) {
        self.0[class.index()] -= 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_count_by_status_source_and_certainty() {
        let mut tally = Tally::default();
        assert_eq!(tally.worst_status(), None);
        for (status, source) in [
            (Status::Online, Source::Pin),
            (Status::Online, Source::GeoIp),
            (Status::Maintenance, Source::Device),
            (Status::Maintenance, Source::Address),
        ] {
            tally.add(Class::of(status, source), 1);
        }
        assert_eq!((tally.total(), tally.approximate(), tally.of_source(Source::GeoIp)), (4, 2, 1));
        assert_eq!((tally.of_status(Status::Online), tally.of(Status::Online, Source::Pin)), (2, 1));
        assert_eq!(tally.worst_status(), Some(Status::Maintenance));
        let confirmed = tally.within(Classes::confirmed());
        assert_eq!((confirmed.total(), confirmed.approximate()), (2, 0));
        assert_eq!(tally.count_within(Classes::confirmed().and(Classes::of_status(Status::Online))), 1);
        tally.subtract(Class::of(Status::Online, Source::Pin));
        assert_eq!(tally.of_status(Status::Online), 1);
    }

    #[test]
    fn sets_are_those_of_their_members() {
        for status in Status::ALL {
            for source in Source::ALL {
                let class = Class::of(status, source);
                assert!(Classes::of_status(status).has(class) && Classes::of_source(source).has(class));
                assert_eq!(Classes::confirmed().has(class), source.is_person());
                let neither = Classes::of_status(status).or(Classes::of_source(source)).complement();
                assert!(!neither.has(class) && !neither.has_unplaced(status));
            }
            assert!(Classes::of_status(status).has_unplaced(status));
            assert!(!Classes::of_source(Source::Pin).has_unplaced(status) && !Classes::placed().has_unplaced(status));
        }
        assert_eq!(Classes::ALL.complement(), Classes::NONE);
        assert!(Classes::placed().has_all_placed() && !Classes::confirmed().has_all_placed());
    }
}
