//! From the records of all databases to one answer: the position of the first that has one, every other part from the
//! first that states it and does not contradict, and whether databases of different makers agree.
//!
//! A function of the records and their order alone. Knows nothing of files and of addresses.

mod place;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use jiff::Timestamp;
use smallvec::SmallVec;

use self::place::Place;
pub(super) use self::place::granularity;
use super::age::Freshness;
use super::database::{Answer, Database};
use super::record::Flags;
use crate::model::evidence::{NetworkFacts, NetworkKind, Part};
use crate::model::geo::LatLng;
use crate::model::location::{DatabaseEvidence, Evidence, Fix, Granularity, NoEstimate, Source};

/// The actor of every fix that `GeoIP` makes.
const ACTOR: &str = "geoip";
/// Radius in metres from which on a stated accuracy outlives a lowered claim: as wide as a region, and of the size of
/// the errors measured on mobile networks. A smaller one would contradict what was lowered, and is left out.
const LOWERED_ACCURACY_M_MIN: f64 = 200_000.0;

/// Where an address seems to be, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The position, never 0°N 0°E.
    pub position: LatLng,
    /// Radius in metres, where the record states one and nothing lowered the claim; never invented.
    pub accuracy_m: Option<f64>,
    /// How fine the position is: what is the smallest thing that its record names, and no finer than addresses of such
    /// a network bear.
    pub granularity: Granularity,
    /// The record behind it, and what the others say.
    pub evidence: DatabaseEvidence,
    /// When the question was asked.
    pub made_at: Timestamp,
}

/// All that the databases say of an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The address that they were asked for: IPv4 where one was inside an IPv6 one.
    pub ip: IpAddr,
    /// Where it seems to be, or why there is no telling.
    pub estimate: Result<Estimate, NoEstimate>,
    /// Its network; also where there is no estimate.
    pub network: NetworkFacts,
}

impl Estimate {
    /// The estimate as a fix of a site.
    #[must_use]
    pub fn into_fix(self) -> Fix {
        Fix {
            source: Source::GeoIp,
            position: self.position,
            accuracy_m: self.accuracy_m,
            granularity: self.granularity,
            evidence: Evidence::Database(self.evidence),
            made_at: self.made_at,
            made_by: ACTOR.to_owned(),
        }
    }
}

/// What one database answered.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    /// It holds no addresses of the family.
    NotCovered,
    /// It is too old to be asked.
    Refused,
    /// It has no record.
    NotFound,
    /// Its record cannot be read.
    Damaged,
    /// Its record.
    Record(Answer<'a>),
}

/// A database, what it answered, and what was taken from that.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) database: &'a Database,
    pub(super) outcome: Outcome<'a>,
    pub(super) gave: Parts,
}

/// Readings in the order of the databases; most stacks have two files a family at most.
pub(super) type Readings<'a> = SmallVec<[Reading<'a>; 4]>;

impl<'a> Reading<'a> {
    /// Asks one database.
    pub(super) fn of(database: &'a Database, ip: IpAddr, now: Timestamp) -> Self {
        let outcome = if !database.covers(ip) {
            Outcome::NotCovered
        } else if database.freshness(now) == Freshness::Refused {
            Outcome::Refused
        } else {
            match database.look_up(ip) {
                Ok(Some(answer)) => Outcome::Record(answer),
                Ok(None) => Outcome::NotFound,
                Err(_) => Outcome::Damaged,
            }
        };
        Self { database, outcome, gave: Parts::default() }
    }

    pub(super) fn answer(&self) -> Option<&Answer<'a>> {
        match &self.outcome {
            Outcome::Record(answer) => Some(answer),
            _ => None,
        }
    }
}

/// Puts the readings of an address together, and marks in each what was taken from it.
pub(super) fn compose(readings: &mut Readings<'_>, now: Timestamp) -> (Result<Estimate, NoEstimate>, NetworkFacts) {
    let network = network(readings);
    let first = readings.iter().position(|reading| reading.answer().is_some_and(|it| it.record.position.is_some()));
    let estimate = match first {
        Some(first) => Ok(estimate(readings, first, network.kind, now)),
        None => Err(why_none(readings)),
    };
    (estimate, network)
}

/// Why no record has a position. Files of networks place nothing, so it does not matter what they answer.
fn why_none(readings: &Readings<'_>) -> NoEstimate {
    let mut why = NoEstimate::NoDatabase;
    for reading in readings.iter().filter(|reading| reading.database.info().schema.kind() != "networks") {
        why = match (&reading.outcome, why) {
            (Outcome::Record(_) | Outcome::Damaged, _) => NoEstimate::NoPosition,
            (Outcome::NotFound, NoEstimate::NoDatabase) => NoEstimate::NotFound,
            (Outcome::NotFound | Outcome::NotCovered | Outcome::Refused, why) => why,
        };
    }
    why
}

/// The estimate of the reading `first`, completed by the others.
fn estimate(readings: &mut Readings<'_>, first: usize, kind: NetworkKind, now: Timestamp) -> Estimate {
    let mut place = Place::of(&mut readings[first], now);
    for (_, reading) in readings.iter_mut().enumerate().filter(|(at, _)| *at != first) {
        place.hear(reading);
    }
    let Place { position, accuracy_m, granularity, mut evidence, .. } = place;
    let finest = kind.finest();
    let is_lowered = finest < granularity;
    if is_lowered {
        evidence.lowered_by = kind;
    }
    Estimate {
        position,
        accuracy_m: accuracy_m.filter(|radius| !is_lowered || *radius >= LOWERED_ACCURACY_M_MIN),
        granularity: granularity.min(finest),
        evidence,
        made_at: now,
    }
}

/// What the records say of the network: each part from the first that states it, in the order of the databases.
///
/// Number and name belong together: a name is only borrowed from a record that does not state another number.
fn network(readings: &mut Readings<'_>) -> NetworkFacts {
    let (mut facts, mut flags) = (NetworkFacts::default(), Flags::default());
    for reading in readings.iter_mut() {
        let Outcome::Record(answer) = &reading.outcome else { continue };
        let record = &answer.record;
        if !record.describes_network() {
            continue;
        }
        let mut gave = Parts::default();
        let gives_asn = facts.asn.is_none() && record.asn.is_some();
        if gives_asn {
            facts.asn = record.asn;
            gave.insert(Part::Asn);
        }
        if facts.isp.is_empty() && !record.isp.is_empty() && (record.asn.is_none() || record.asn == facts.asn) {
            record.isp.clone_into(&mut facts.isp);
            gave.insert(Part::Isp);
        }
        gave.insert_new_flags(flags, record.flags);
        flags = flags.or(record.flags);
        if gives_asn || (facts.network.is_empty() && !gave.is_empty()) {
            let info = reading.database.info();
            facts.network = answer.network();
            facts.database_type.clone_from(&info.database_type);
            facts.build_time = Some(info.build_time);
        }
        if !gave.is_empty() {
            credit(&mut facts.attribution, reading.database);
        }
        reading.gave.insert_all(gave);
    }
    let is = |flag: Option<bool>| flag.unwrap_or(false);
    facts.kind = NetworkKind {
        anycast: is(flags.anycast),
        hosting: is(flags.hosting),
        satellite: is(flags.satellite),
        mobile: is(flags.mobile),
    };
    facts
}

/// Owes the maker of a database a mention.
fn credit(attribution: &mut String, database: &Database) {
    let text = &database.info().attribution.text;
    if attribution.is_empty() {
        attribution.clone_from(text);
    } else if !attribution.contains(text) {
        attribution.push_str("; ");
        attribution.push_str(text);
    }
}

/// A set of parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parts(u16);

impl Parts {
    const ALL: [Part; 13] = [
        Part::Position,
        Part::Country,
        Part::Region,
        Part::RegionCode,
        Part::City,
        Part::Postcode,
        Part::TimeZone,
        Part::Asn,
        Part::Isp,
        Part::Anycast,
        Part::Hosting,
        Part::Satellite,
        Part::Mobile,
    ];

    pub(super) fn insert(&mut self, part: Part) {
        self.0 |= 1 << part as u16;
    }

    fn insert_all(&mut self, other: Self) {
        self.0 |= other.0;
    }

    fn insert_new_flags(&mut self, known: Flags, stated: Flags) {
        let flags = [
            (Part::Anycast, known.anycast, stated.anycast),
            (Part::Hosting, known.hosting, stated.hosting),
            (Part::Satellite, known.satellite, stated.satellite),
            (Part::Mobile, known.mobile, stated.mobile),
        ];
        flags.into_iter().filter(|(_, known, stated)| known.is_none() && stated.is_some()).for_each(|(part, ..)| {
            self.insert(part);
        });
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`Part`].
    pub(super) fn iter(self) -> impl Iterator<Item = Part> {
        Self::ALL.into_iter().filter(move |part| self.0 & 1 << *part as u16 != 0)
    }
}
