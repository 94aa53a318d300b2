//! Where a site is: a stack of fixes, at most one a source, and the one that counts.
//!
//! The effective fix is a function of the set of fixes alone, whatever the order in which they came.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::address::CountryCode;
use super::evidence::{Agreement, GeocodedEvidence, NetworkKind, OtherRecord, PrefixEvidence};
use super::geo::LatLng;
use super::instant;

/// Who or what made a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Estimated from the public IP address.
    GeoIp,
    /// Measured by the agent's own GPS or Wi-Fi.
    Device,
    /// Geocoded from an address that a person stated.
    Address,
    /// Dropped on the map by a person.
    Pin,
}

impl Source {
    /// All sources, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::GeoIp, Self::Device, Self::Address, Self::Pin];

    /// Whether a person made it: such a fix makes its site confirmed, and no machine beats it.
    #[must_use]
    pub fn is_person(self) -> bool {
        matches!(self, Self::Address | Self::Pin)
    }
}

/// How fine a position is, from coarse to fine; known even where the accuracy in metres is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// A country.
    Country,
    /// A state, province or region.
    Region,
    /// A city, town or village.
    City,
    /// A postal code's area.
    Postcode,
    /// A street, without the house.
    Street,
    /// On the right street, between two known houses.
    Interpolated,
    /// The house or the very spot.
    Door,
}

/// What a fix rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// A record of a GeoIP database.
    Database(DatabaseEvidence),
    /// A candidate of a geocoder that a person's address led to.
    Geocoded(GeocodedEvidence),
    /// A person's hand on the map.
    Dropped,
    /// The agent's own measurement.
    Measured,
    /// A network that the account itself placed.
    Prefix(PrefixEvidence),
}

/// The database record behind a GeoIP fix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatabaseEvidence {
    /// The file's own type name, such as `DBIP-City-Lite (compat=City)`.
    pub database_type: String,
    /// When the file was built.
    pub build_time: Timestamp,
    /// The network that the record covers, in CIDR form.
    pub network: String,
    /// City, as the database names it; empty where it names none.
    pub city: String,
    /// First-level region, as the database names it; may be empty.
    pub region: String,
    /// Country, where the record has one.
    pub country: Option<CountryCode>,
    /// The region's code within its country, such as `ZH`; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region_code: String,
    /// Postcode, or the part of it that a database knows; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub postcode: String,
    /// Time zone as a database names it, such as `Europe/Zurich`; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub time_zone: String,
    /// What lowered the claim: the granularity is no finer than such a network bears.
    #[serde(default, skip_serializing_if = "NetworkKind::is_plain")]
    pub lowered_by: NetworkKind,
    /// Whether the file was older than its licence or its operator wants, when it was asked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_outdated: bool,
    /// The records of other databases that gave a part, or that have a position to compare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherRecord>,
    /// The attributions that the licences of all databases that gave a part ask for, as plain text.
    pub attribution: String,
}

impl DatabaseEvidence {
    /// Whether databases of different makers agree on the city; `None` where there is nothing to compare.
    #[must_use]
    pub fn agreement(&self) -> Option<Agreement> {
        Agreement::of(self.others.iter().filter(|other| other.is_witness).filter_map(|other| other.distance_m))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(truth: &bool) -> bool {
    !truth
}

/// One source's word on where a site is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    /// Who or what made it.
    pub source: Source,
    /// The position, WGS 84.
    pub position: LatLng,
    /// Radius in metres that holds the truth with the source's usual confidence; `None` where the source
    /// states none. Never invented.
    pub accuracy_m: Option<f64>,
    /// How fine the position is.
    pub granularity: Granularity,
    /// What it rests on.
    pub evidence: Evidence,
    /// When it was made.
    pub made_at: Timestamp,
    /// The actor that made it, such as `token:1f…` or `agent:fw-17`.
    pub made_by: String,
}

/// Where a fix puts a site, and everything of it that decides whether it counts: a fix without what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// Who or what made it.
    pub source: Source,
    /// The position, WGS 84.
    pub position: LatLng,
    /// Radius in metres that holds the truth; `None` where unknown.
    pub accuracy_m: Option<f64>,
    /// How fine the position is.
    pub granularity: Granularity,
    /// When it was made.
    #[serde(with = "instant")]
    pub made_at: Timestamp,
}

impl Placement {
    /// The one that a site is shown at: the newest of a person, else the device's, else GeoIP's.
    #[must_use]
    pub fn effective(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().max_by_key(Self::standing)
    }

    /// What decides between two: who made them, time, then anything, as long as it is total.
    ///
    /// Of two persons' fixes of the same instant the pin stands higher, which is the more deliberate act.
    fn standing(&self) -> (u8, Timestamp, Source, Granularity, u64, u64, Option<u64>) {
        let maker = match self.source {
            Source::GeoIp => 0,
            Source::Device => 1,
            Source::Address | Source::Pin => 2,
        };
        let (lat, lng) = (self.position.lat().to_bits(), self.position.lng().to_bits());
        let accuracy = self.accuracy_m.map(f64::to_bits);
        (maker, self.made_at, self.source, self.granularity, lat, lng, accuracy)
    }
}

impl Fix {
    /// Where it puts the site.
    #[must_use]
    pub fn placement(&self) -> Placement {
        let Self { source, position, accuracy_m, granularity, made_at, .. } = *self;
        Placement { source, position, accuracy_m, granularity, made_at }
    }

    fn standing(&self) -> impl Ord + use<> {
        self.placement().standing()
    }
}

/// The fixes of one site: at most one a source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Fix>", into = "Vec<Fix>")]
pub struct Fixes {
    by_source: [Option<Box<Fix>>; Source::ALL.len()],
}

impl Fixes {
    /// Puts a fix in; one of the same source is replaced, unless it is newer.
    ///
    /// Of two fixes made at the same instant the one with the greater (granularity, position, accuracy) stays,
    /// so that the order of arrival never matters.
    pub fn put(&mut self, fix: Fix) {
        let slot = &mut self.by_source[fix.source as usize];
        if slot.as_ref().is_none_or(|present| present.standing() <= fix.standing()) {
            *slot = Some(Box::new(fix));
        }
    }

    /// Takes the fix of `source` out.
    pub fn remove(&mut self, source: Source) -> Option<Fix> {
        self.by_source[source as usize].take().map(|fix| *fix)
    }

    /// Takes out what persons made, so that the machines' word shows again.
    pub fn reset_to_automatic(&mut self) -> Vec<Fix> {
        Source::ALL.into_iter().filter(|source| source.is_person()).filter_map(|source| self.remove(source)).collect()
    }

    /// A time for a fix that shall count as the newest: `now`, or just behind the newest one where the clock went back.
    #[must_use]
    pub fn next_time(&self, now: Timestamp) -> Timestamp {
        let newest = self.iter().filter(|fix| fix.source.is_person()).map(|fix| fix.made_at).max();
        let behind = newest.and_then(|newest| newest.checked_add(SignedDuration::from_nanos(1)).ok());
        behind.map_or(now, |behind| behind.max(now))
    }

    /// The fix of `source`.
    #[must_use]
    pub fn get(&self, source: Source) -> Option<&Fix> {
        self.by_source[source as usize].as_deref()
    }

    /// All fixes, in the order of [`Source::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = &Fix> {
        self.by_source.iter().filter_map(Option::as_deref)
    }

    /// The fix that the site is shown at: the newest of a person, else the device's, else GeoIP's.
    #[must_use]
    pub fn effective(&self) -> Option<&Fix> {
        self.iter().max_by_key(|fix| fix.standing())
    }
}

impl From<Vec<Fix>> for Fixes {
    fn from(fixes: Vec<Fix>) -> Self {
        let mut stack = Self::default();
        fixes.into_iter().for_each(|fix| stack.put(fix));
        stack
    }
}

impl From<Fixes> for Vec<Fix> {
    fn from(fixes: Fixes) -> Self {
        fixes.by_source.into_iter().flatten().map(|fix| *fix).collect()
    }
}

/// Why there is no estimate from an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoEstimate {
    /// RFC 1918 private use.
    Private,
    /// RFC 6598 shared address space, carrier-grade NAT.
    CarrierNat,
    /// Loopback.
    Loopback,
    /// Link-local.
    LinkLocal,
    /// RFC 4193 unique local.
    UniqueLocal,
    /// Documentation.
    Documentation,
    /// Benchmarking.
    Benchmark,
    /// Multicast.
    Multicast,
    /// Unspecified, reserved, discard-only and other special purposes of IANA's registries.
    Reserved,
    /// No database is loaded for this family of addresses.
    NoDatabase,
    /// The databases hold no record for the address.
    NotFound,
    /// There is a record without a usable position.
    NoPosition,
    /// The public address is not known: the forwarding headers of a trusted proxy were malformed.
    UnknownAddress,
    /// A person removed the estimate.
    Removed,
}

impl NoEstimate {
    /// Whether the address is a public one, of which the databases know nothing.
    #[must_use]
    pub fn is_of_public_address(self) -> bool {
        matches!(self, Self::NoDatabase | Self::NotFound | Self::NoPosition)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fix(source: Source, second: i64, lat: f64) -> Fix {
        Fix {
            source,
            position: LatLng::new(lat, 10.0).unwrap(),
            accuracy_m: None,
            granularity: Granularity::Door,
            evidence: Evidence::Dropped,
            made_at: Timestamp::from_second(second).unwrap(),
            made_by: "test".into(),
        }
    }

    /// Of few values each, so that many differ in one thing alone.
    fn any_fix() -> impl Strategy<Value = Fix> {
        let granularity = prop::sample::select(vec![Granularity::City, Granularity::Door]);
        let accuracy_m = prop::sample::select(vec![None, Some(5.0), Some(900.0)]);
        (0..4_usize, 0..2_i64, 0..2_i32, granularity, accuracy_m).prop_map(
            |(source, second, lat, granularity, accuracy_m)| {
                let fix = fix(Source::ALL[source], second, f64::from(lat));
                Fix { accuracy_m, granularity, ..fix }
            },
        )
    }

    proptest! {
        #[test]
        fn the_effective_fix_does_not_depend_on_the_order_of_arrival(
            (fixes, shuffled) in proptest::collection::vec(any_fix(), 0..12)
                .prop_flat_map(|fixes| (Just(fixes.clone()), Just(fixes).prop_shuffle())),
        ) {
            let (one, other) = (Fixes::from(fixes), Fixes::from(shuffled));
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(one.effective(), other.effective());
        }

        #[test]
        fn placements_alone_know_the_effective_one(fixes in proptest::collection::vec(any_fix(), 0..12)) {
            let placements = fixes.iter().map(Fix::placement).collect::<Vec<_>>();
            let effective = Fixes::from(fixes).effective().map(Fix::placement);
            prop_assert_eq!(Placement::effective(placements), effective);
        }

        #[test]
        fn no_machine_beats_a_person(fixes in proptest::collection::vec(any_fix(), 0..12)) {
            let has_person = fixes.iter().any(|fix| fix.source.is_person());
            let stack = Fixes::from(fixes);
            prop_assert_eq!(stack.effective().is_some_and(|fix| fix.source.is_person()), has_person);
        }
    }

    #[test]
    fn a_clock_that_goes_back_loses_no_fix() {
        let mut stack = Fixes::from(vec![fix(Source::Pin, 1_000, 1.0)]);
        let made_at = stack.next_time(Timestamp::from_second(5).unwrap());
        stack.put(Fix { made_at, ..fix(Source::Address, 0, 2.0) });
        assert_eq!(stack.effective().unwrap().source, Source::Address);
        assert_eq!(stack.next_time(Timestamp::from_second(2_000).unwrap()).as_second(), 2_000);
    }

    #[test]
    fn removing_a_fix_shows_the_one_below() {
        let mut stack =
            Fixes::from(vec![fix(Source::GeoIp, 9, 1.0), fix(Source::Address, 1, 2.0), fix(Source::Pin, 2, 3.0)]);
        assert_eq!(stack.effective().unwrap().source, Source::Pin);
        stack.remove(Source::Pin);
        assert_eq!(stack.effective().unwrap().source, Source::Address);
        assert_eq!(stack.reset_to_automatic().len(), 1);
        assert_eq!(stack.effective().unwrap().source, Source::GeoIp);
        stack.remove(Source::GeoIp);
        assert!(stack.effective().is_none());
    }
}
