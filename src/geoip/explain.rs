//! How an answer came about, step by step: what was unwrapped, which special block holds the address, what each
//! database said, and what was taken from where.
//!
//! Made of the very readings that the answer is made of, so the two cannot differ. Holds no path of a file: whoever may
//! ask about an address need not know how a server's disk is laid out.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::age::Freshness;
use super::database::Answer;
use super::estimate::{Findings, Outcome, Reading, granularity};
use super::special::{Block, Wrapping};
use crate::model::address::CountryCode;
use crate::model::evidence::{Agreement, Part};
use crate::model::geo::LatLng;
use crate::model::location::Granularity;

/// An answer with everything that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The address as it came.
    pub asked: IpAddr,
    /// In which way it held the IPv4 address that was taken out of it; `None` where it held none.
    pub wrapping: Option<Wrapping>,
    /// The most specific block of IANA's registries that holds the address; `None` for most public ones.
    pub block: Option<Block>,
    /// What each database said, in the order in which they are asked; empty where the block has no place.
    pub steps: Vec<Step>,
    /// Whether databases of different makers agree on the city; `None` where there is nothing to compare.
    pub agreement: Option<Agreement>,
    /// The answer.
    pub findings: Findings,
}

/// What one database said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The file's own type name.
    pub database_type: String,
    /// When the file was built.
    pub build_time: Timestamp,
    /// What that means at the time of the question.
    pub freshness: Freshness,
    /// What it said.
    pub said: Said,
    /// What was taken from it, in the order of [`Part`].
    pub gave: Vec<Part>,
}

/// A database's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It holds no addresses of this family.
    NotCovered,
    /// It is too old to be asked.
    Refused,
    /// It has no record for the address.
    NotFound,
    /// It has one that cannot be read.
    Damaged,
    /// A record.
    Record(Box<Stated>),
}

/// What a record states; texts are empty and the rest is `None` where it states nothing usable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stated {
    /// The network that it covers, in CIDR form.
    pub network: String,
    /// Its position.
    pub position: Option<LatLng>,
    /// Radius in metres.
    pub accuracy_m: Option<f64>,
    /// The smallest thing that it names.
    pub granularity: Granularity,
    /// City.
    pub city: String,
    /// First-level region.
    pub region: String,
    /// The region's code within its country.
    pub region_code: String,
    /// Country.
    pub country: Option<CountryCode>,
    /// Postcode.
    pub postcode: String,
    /// Time zone.
    pub time_zone: String,
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Who runs the network.
    pub isp: String,
    /// Whether the network is an anycast one.
    pub anycast: Option<bool>,
    /// Whether it is a data centre's.
    pub hosting: Option<bool>,
    /// Whether it is behind a satellite.
    pub satellite: Option<bool>,
    /// Whether it is one of mobile phones.
    pub mobile: Option<bool>,
    /// Metres between its position and the answer's; 0 for the one that the answer took.
    pub distance_m: Option<f64>,
}

impl Step {
    /// The step of a reading; `chosen` is the answer's position.
    pub(super) fn of(reading: &Reading<'_>, chosen: Option<LatLng>, now: Timestamp) -> Self {
        let info = reading.database.info();
        Self {
            database_type: info.database_type.clone(),
            build_time: info.build_time,
            freshness: reading.database.freshness(now),
            said: match &reading.outcome {
                Outcome::NotCovered => Said::NotCovered,
                Outcome::Refused => Said::Refused,
                Outcome::NotFound => Said::NotFound,
                Outcome::Damaged => Said::Damaged,
                Outcome::Record(answer) => Said::Record(Box::new(Stated::of(answer, chosen))),
            },
            gave: reading.gave.iter().collect(),
        }
    }
}

impl Stated {
    fn of(answer: &Answer<'_>, chosen: Option<LatLng>) -> Self {
        let record = &answer.record;
        Self {
            network: answer.network(),
            position: record.position,
            accuracy_m: record.accuracy_m,
            granularity: granularity(record),
            city: record.city.to_owned(),
            region: record.region.to_owned(),
            region_code: record.region_code.to_owned(),
            country: record.country,
            postcode: record.postcode.to_owned(),
            time_zone: record.time_zone.to_owned(),
            asn: record.asn,
            isp: record.isp.to_owned(),
            anycast: record.flags.anycast,
            hosting: record.flags.hosting,
            satellite: record.flags.satellite,
            mobile: record.flags.mobile,
            distance_m: record.position.zip(chosen).map(|(one, other)| one.distance_m(other)),
        }
    }
}
