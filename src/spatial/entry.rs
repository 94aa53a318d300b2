//! What the map knows of one site.
//!
//! Knows nothing of where a site is drawn.

use crate::model::attention::{Attention, AttentionReason};
use crate::model::card::{Card, CardRef};
use crate::model::geo::LatLng;
use crate::model::id::SiteId;
use crate::model::location::{Granularity, Source};
use crate::model::site::Status;

use super::cards::CardAt;
use super::class::Class;
use super::mercator::Point;
use super::stop::Stop;

/// A site as the map takes it in.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The site.
    pub site: SiteId,
    /// Whether it can be reached.
    pub status: Status,
    /// Where it is; `None` for a site without a position, which is counted and never drawn.
    pub place: Option<Place>,
    /// What of it needs attention, by its record: never that its spot is crowded, which the map finds itself.
    pub attention: Attention,
    /// Whether it is to be told where its spot is crowded.
    pub may_crowd: bool,
    /// Its name, and what filters ask of it.
    pub card: Card,
}

/// The effective fix of a site.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The position.
    pub position: LatLng,
    /// Radius in metres that holds the truth; `None` where unknown. Negative and non-finite ones count as unknown.
    pub accuracy_m: Option<f64>,
    /// How fine the position is.
    pub granularity: Granularity,
    /// Who or what made it.
    pub source: Source,
}

/// A placed site as the map gives it out; borrows from the map.
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
    /// What of it needs attention.
    pub attention: Attention,
    /// Read by who asks for it: mostly it is far from all the rest in memory.
    pub(super) card: CardAt<'map>,
}

impl<'map> EntryRef<'map> {
    /// Its name, and what filters ask of it.
    #[must_use]
    pub fn card(&self) -> CardRef<'map> {
        self.card.get()
    }

    /// Whether a person said where the site is.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.source.is_person()
    }

    /// Its name.
    #[must_use]
    pub fn display_name(&self) -> &'map str {
        self.card().display_name()
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn to_entry(&self) -> Entry {
        let place = Place {
            position: self.position,
            accuracy_m: self.accuracy_m,
            granularity: self.granularity,
            source: self.source,
        };
        let attention = self.attention.with(AttentionReason::Crowded, false);
        let (site, status, card) = (self.site, self.status, self.card().to_card());
        Entry { site, status, place: Some(place), attention, may_crowd: true, card }
    }
}

/// What a filter is asked about: a site, placed or not.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'map> {
    /// Whether it can be reached.
    pub status: Status,
    /// Who or what made its effective fix; `None` where it has none.
    pub source: Option<Source>,
    /// What of it needs attention.
    pub attention: Attention,
    /// Its texts and times.
    pub card: CardRef<'map>,
}

/// What sums and the tree need of a placed site.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Facets {
    pub(super) number: u32,
    pub(super) position: LatLng,
    pub(super) point: Point,
    pub(super) stop: Stop,
    pub(super) class: Class,
    pub(super) granularity: Granularity,
    pub(super) accuracy_m: Option<f64>,
}

/// What stands under a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing: its site left.
    #[default]
    Free,
    /// A site without a position.
    Unplaced,
    /// A site on the map.
    Placed,
}

/// A site as it is kept, but for its card: 48 bytes.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) site: SiteId,
    /// Of no meaning where the site is not placed, as the three that belong to it.
    position: LatLng,
    /// NaN where unknown: half the room of an `Option`.
    accuracy_m: f64,
    granularity: Granularity,
    source: Source,
    status: Status,
    state: State,
    /// That its spot is crowded included.
    attention: Attention,
    may_crowd: bool,
}

impl Stored {
    pub(super) fn new(entry: &Entry) -> Self {
        let place = entry.place.unwrap_or(NOWHERE);
        Self {
            site: entry.site,
            position: place.position,
            accuracy_m: known_accuracy(place.accuracy_m).unwrap_or(f64::NAN),
            granularity: place.granularity,
            source: place.source,
            status: entry.status,
            state: if entry.place.is_some() { State::Placed } else { State::Unplaced },
            attention: entry.attention.with(AttentionReason::Crowded, false),
            may_crowd: entry.may_crowd,
        }
    }

    pub(super) fn attention(&self) -> Attention {
        self.attention
    }

    /// Says whether its spot is crowded.
    pub(super) fn set_crowded(&mut self, is_crowded: bool) {
        self.attention = self.attention.with(AttentionReason::Crowded, is_crowded);
    }

    /// Whether it is one of those that make a crowd: a person located it.
    pub(super) fn is_confirmed(&self) -> bool {
        self.is_placed() && self.source.is_person()
    }

    /// Whether it is told that its spot is crowded.
    pub(super) fn may_crowd(&self) -> bool {
        self.may_crowd && self.is_confirmed()
    }

    /// Whether position, accuracy and granularity are the same.
    pub(super) fn has_fix_of(&self, other: &Self) -> bool {
        let fix = |stored: &Self| (stored.state, stored.position, stored.accuracy_m(), stored.granularity);
        fix(self) == fix(other)
    }

    pub(super) fn position(&self) -> LatLng {
        self.position
    }

    pub(super) fn accuracy_m(&self) -> Option<f64> {
        (!self.accuracy_m.is_nan()).then_some(self.accuracy_m)
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// The class of a placed site.
    pub(super) fn class(&self) -> Class {
        Class::of(self.status, self.source)
    }

    pub(super) fn is_placed(&self) -> bool {
        self.state == State::Placed
    }

    /// What a filter is asked about it and its card; `None` where no site stands.
    pub(super) fn subject<'map>(&self, card: CardRef<'map>) -> Option<Subject<'map>> {
        let source = match self.state {
            State::Free => return None,
            State::Unplaced => None,
            State::Placed => Some(self.source),
        };
        Some(Subject { status: self.status, source, attention: self.attention, card })
    }

    /// The site, which is placed, with its card.
    pub(super) fn with<'map>(&self, card: CardAt<'map>) -> EntryRef<'map> {
        debug_assert!(self.is_placed(), "only placed sites are given out");
        EntryRef {
            site: self.site,
            position: self.position,
            accuracy_m: self.accuracy_m(),
            granularity: self.granularity,
            source: self.source,
            status: self.status,
            attention: self.attention,
            card,
        }
    }

    /// What the tree needs of the site; `None` where it is not placed. Costs a projection.
    pub(super) fn facets(&self, number: u32) -> Option<Facets> {
        let stop = || Stop::fitting(self.position, self.accuracy_m(), self.granularity);
        self.is_placed().then(|| self.facets_at(number, Point::project(self.position), stop()))
    }

    /// What the tree needs of a placed site, of which is known where it is drawn.
    pub(super) fn facets_at(&self, number: u32, point: Point, stop: Stop) -> Facets {
        let (class, granularity, accuracy_m) = (self.class(), self.granularity, self.accuracy_m());
        Facets { number, position: self.position, point, stop, class, granularity, accuracy_m }
    }
}

/// The place of what has none.
const NOWHERE: Place =
    Place { position: LatLng::ORIGIN, accuracy_m: None, granularity: Granularity::Door, source: Source::GeoIp };

impl Default for Stored {
    /// What stands in the place of a site that left.
    fn default() -> Self {
        let (attention, card) = (Attention::NONE, Card::default());
        let site = SiteId::from_u128(0);
        let nobody = Entry { site, status: Status::Unknown, place: None, attention, may_crowd: true, card };
        Self { state: State::Free, ..Self::new(&nobody) }
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
        assert!(size_of::<Stored>() <= 48, "{} bytes", size_of::<Stored>());
    }

    #[test]
    fn nonsense_accuracies_are_unknown() {
        for accuracy in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(known_accuracy(Some(accuracy)), None);
        }
        assert_eq!(known_accuracy(Some(-0.0)).map(f64::to_bits), Some(0));
    }
}
