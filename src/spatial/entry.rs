//! What the map knows of one site, and counts of sites by status and certainty.
//!
//! Knows nothing of where a site is drawn.

use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::model::site::Status;

/// A site as the map takes it in: only sites with an effective fix are on the map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The site.
    pub site: SiteId,
    /// Its effective position.
    pub position: LatLng,
    /// Radius in metres that holds the truth; `None` where unknown. Negative and non-finite ones count as unknown.
    pub accuracy_m: Option<f64>,
    /// How fine the position is.
    pub granularity: Granularity,
    /// Who or what made the effective fix.
    pub source: Source,
    /// Whether the site can be reached.
    pub status: Status,
    /// Its name.
    pub display_name: Box<str>,
}

/// A site as the map gives it out; borrows from the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntryRef<'map> {
    /// The site.
    pub site: SiteId,
    /// Its effective position.
    pub position: LatLng,
    /// Radius in metres that holds the truth; `None` where unknown.
    pub accuracy_m: Option<f64>,
    /// How fine the position is.
    pub granularity: Granularity,
    /// Who or what made the effective fix.
    pub source: Source,
    /// Whether the site can be reached.
    pub status: Status,
    /// Its name.
    pub display_name: &'map str,
}

impl EntryRef<'_> {
    /// Whether a person said where the site is.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.source.is_person()
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn to_entry(&self) -> Entry {
        Entry {
            site: self.site,
            position: self.position,
            accuracy_m: self.accuracy_m,
            granularity: self.granularity,
            source: self.source,
            status: self.status,
            display_name: self.display_name.into(),
        }
    }
}

/// Numbers of sites by status × approximate/confirmed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally([u32; Tally::CLASSES]);

impl Tally {
    const CLASSES: usize = Status::ALL.len() * 2;

    /// All sites.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Sites of this status.
    #[must_use]
    pub fn of_status(&self, status: Status) -> u32 {
        self.of(status, false) + self.of(status, true)
    }

    /// Sites of this status that a person located, or else that a machine did.
    #[must_use]
    pub fn of(&self, status: Status, confirmed: bool) -> u32 {
        self.0[Class::of(status, confirmed).index()]
    }

    /// Sites that a machine located.
    #[must_use]
    pub fn approximate(&self) -> u32 {
        self.0.iter().step_by(2).sum()
    }

    pub(super) fn add(&mut self, class: Class) {
        self.0[class.index()] += 1;
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

/// The place of a site in a [`Tally`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Class(u8);

impl Class {
    fn of(status: Status, confirmed: bool) -> Self {
        Self(status as u8 * 2 + u8::from(confirmed))
    }

    fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A site as it is kept: 72 bytes and its name.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) site: SiteId,
    pub(super) position: LatLng,
    /// NaN where unknown: half the room of an `Option`.
    accuracy_m: f64,
    pub(super) display_name: Box<str>,
    /// The pile that it lies on.
    pub(super) pile: u32,
    /// Its place in the pile, so that it can leave a great one at once.
    pub(super) rank: u32,
    pub(super) granularity: Granularity,
    pub(super) source: Source,
    pub(super) status: Status,
}

impl Stored {
    pub(super) fn new(entry: Entry) -> Self {
        Self {
            site: entry.site,
            position: entry.position,
            accuracy_m: known_accuracy(entry.accuracy_m).unwrap_or(f64::NAN),
            display_name: entry.display_name,
            pile: 0,
            rank: 0,
            granularity: entry.granularity,
            source: entry.source,
            status: entry.status,
        }
    }

    /// Takes on what `entry` says; pile and rank stay.
    pub(super) fn assign(&mut self, entry: Entry) {
        let (pile, rank) = (self.pile, self.rank);
        *self = Self { pile, rank, ..Self::new(entry) };
    }

    /// Whether position, accuracy and granularity are those of `entry`.
    pub(super) fn has_fix_of(&self, entry: &Entry) -> bool {
        self.position == entry.position
            && self.accuracy_m() == known_accuracy(entry.accuracy_m)
            && self.granularity == entry.granularity
    }

    pub(super) fn accuracy_m(&self) -> Option<f64> {
        (!self.accuracy_m.is_nan()).then_some(self.accuracy_m)
    }

    pub(super) fn class(&self) -> Class {
        Class::of(self.status, self.source.is_person())
    }

    pub(super) fn as_ref(&self) -> EntryRef<'_> {
        EntryRef {
            site: self.site,
            position: self.position,
            accuracy_m: self.accuracy_m(),
            granularity: self.granularity,
            source: self.source,
            status: self.status,
            display_name: &self.display_name,
        }
    }
}

impl Default for Stored {
    /// What stands in the place of a site that left.
    fn default() -> Self {
        Self::new(Entry {
            site: SiteId::from_u128(0),
            position: LatLng::new(0.0, 0.0).expect("zero is in both ranges"),
            accuracy_m: None,
            granularity: Granularity::Door,
            source: Source::GeoIp,
            status: Status::Unknown,
            display_name: Box::default(),
        })
    }
}

/// The accuracy, if it is a radius at all.
pub(super) fn known_accuracy(accuracy_m: Option<f64>) -> Option<f64> {
    // Adding zero turns -0.0 into 0.0, whose bits sort before those of all other radii.
    accuracy_m.filter(|radius| radius.is_finite() && *radius >= 0.0).map(|radius| radius + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_site_stays_small() {
        assert!(size_of::<Stored>() <= 72, "{} bytes", size_of::<Stored>());
    }

    #[test]
    fn tallies_count_by_status_and_certainty() {
        let mut stored = Stored::default();
        let mut tally = Tally::default();
        for (status, source) in [
            (Status::Online, Source::Pin),
            (Status::Online, Source::GeoIp),
            (Status::Offline, Source::Device),
            (Status::Maintenance, Source::Address),
        ] {
            (stored.status, stored.source) = (status, source);
            tally.add(stored.class());
        }
        assert_eq!((tally.total(), tally.approximate()), (4, 2));
        assert_eq!((tally.of_status(Status::Online), tally.of(Status::Online, true)), (2, 1));
        tally.subtract(stored.class());
        assert_eq!(tally.of_status(Status::Maintenance), 0);
    }

    #[test]
    fn nonsense_accuracies_are_unknown() {
        for accuracy in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(known_accuracy(Some(accuracy)), None);
        }
        assert_eq!(known_accuracy(Some(-0.0)).map(f64::to_bits), Some(0));
    }
}
