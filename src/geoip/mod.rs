//! `GeoIP`: from a public IP address to an estimate of where it is, by a stack of MMDB databases.
//!
//! Parts: [`client_ip`] finds the public address behind proxies, [`special`] tells which addresses are nowhere,
//! [`database`] reads one file with its records and attribution, `sample` draws addresses for demonstrations. Knows
//! nothing of sites, of the store and of geocoding; an estimate is never turned into a street address.

pub mod attribution;
pub mod client_ip;
pub mod database;
pub mod error;
pub mod special;

#[cfg(test)]
mod fixture;
mod record;
mod sample;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::Deserialize;

use self::attribution::Attribution;
use self::database::{Answer, Database, DatabaseInfo};
use self::error::Error;
use self::record::Record;
use crate::model::geo::LatLng;
use crate::model::location::{DatabaseEvidence, Evidence, Fix, Granularity, NoEstimate, Source};

/// The actor of every fix that `GeoIP` makes.
const ACTOR: &str = "geoip";
/// Most databases in the stack. Two families from three makers are six; each costs a look-up and its bytes in memory.
pub const DATABASES_MAX: usize = 16;

/// What an operator configures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// MMDB files, the most trusted first. Files of one family of addresses (an IPv4 and an IPv6 one) are both listed.
    /// Empty: every site starts unplaced.
    pub databases: Vec<PathBuf>,
}

/// The open databases, in the order in which they are asked. Never changes: new files make a new one.
#[derive(Debug, Default)]
pub struct GeoIp {
    databases: Vec<Database>,
}

/// Where an address seems to be, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The position, never 0°N 0°E.
    pub position: LatLng,
    /// Radius in metres, where the record states one; never invented.
    pub accuracy_m: Option<f64>,
    /// How fine the position is: what is the smallest thing that its record names.
    pub granularity: Granularity,
    /// The record behind it.
    pub evidence: DatabaseEvidence,
    /// When the question was asked.
    pub made_at: Timestamp,
}

impl GeoIp {
    /// Opens and checks all configured files, at the same time. Blocks; see [`Database::open`] for what it costs. One
    /// bad file fails the whole, so that a reload keeps what is in use.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let count = config.databases.len();
        if count > DATABASES_MAX {
            return Err(Error::TooManyDatabases { count, databases_max: DATABASES_MAX });
        }
        let databases = thread::scope(|scope| {
            // All are started before the first is waited for.
            let opening: Vec<_> =
                config.databases.iter().map(|path| scope.spawn(move || Database::open(path))).collect();
            let finish =
                |opened: thread::ScopedJoinHandle<'_, _>| opened.join().unwrap_or_else(|panic| resume_unwind(panic));
            opening.into_iter().map(finish).collect::<Result<_, _>>()
        })?;
        Ok(Self { databases })
    }

    /// No databases: every question is answered with [`NoEstimate::NoDatabase`], or a reason in the address itself.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// What is known of each database, in the order in which they are asked.
    pub fn databases(&self) -> impl ExactSizeIterator<Item = &DatabaseInfo> {
        self.databases.iter().map(Database::info)
    }

    /// To whom the data is owed, each once.
    #[must_use]
    pub fn attributions(&self) -> Vec<&Attribution> {
        let mut distinct = Vec::new();
        for info in self.databases() {
            if !distinct.contains(&&info.attribution) {
                distinct.push(&info.attribution);
            }
        }
        distinct
    }

    /// Where `ip` seems to be. IPv4 addresses inside IPv6 ones are taken out first.
    ///
    /// The first database with a position for it answers. Where its record names no city, region or country, the
    /// databases below may fill in the name, as long as they agree on the country; the position stays, and so does
    /// its granularity, which is that of the record it comes from.
    ///
    /// # Errors
    ///
    /// Why there is no estimate: what the address is for, else that no database holds its family, else that none has
    /// a record, else that no record has a usable position (a damaged record has none).
    pub fn estimate(&self, ip: IpAddr, now: Timestamp) -> Result<Estimate, NoEstimate> {
        let ip = special::canonical(ip);
        if let Some(why) = special::why_no_estimate(ip) {
            return Err(why);
        }
        let mut why = NoEstimate::NoDatabase;
        let mut asked = self.databases.iter().filter(|database| database.covers(ip));
        while let Some(database) = asked.next() {
            why = match (database.look_up(ip), why) {
                (Ok(Some(answer)), _) => match answer.record.position {
                    Some(position) => {
                        let mut estimate = estimate(database.info(), &answer, position, now);
                        complete(&mut estimate.evidence, asked, ip);
                        return Ok(estimate);
                    }
                    None => NoEstimate::NoPosition,
                },
                (Err(_), _) => NoEstimate::NoPosition,
                (Ok(None), NoEstimate::NoDatabase) => NoEstimate::NotFound,
                (Ok(None), why) => why,
            };
        }
        Err(why)
    }

    /// `count` addresses of real networks, spread like the world's networks; the same `seed` gives the same list.
    /// For demonstrations. Takes about 2 s for a world of cities, and memory for the list alone; empty without
    /// databases.
    #[must_use]
    pub fn sample(&self, count: usize, seed: u64) -> Vec<(IpNet, IpAddr)> {
        sample::sample(&self.databases, count, seed)
    }
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

fn estimate(database: &DatabaseInfo, answer: &Answer<'_>, position: LatLng, now: Timestamp) -> Estimate {
    let record = &answer.record;
    Estimate {
        position,
        accuracy_m: record.accuracy_m,
        granularity: granularity(record),
        evidence: DatabaseEvidence {
            database_type: database.database_type.clone(),
            build_time: database.build_time,
            network: answer.network(),
            city: record.city.to_owned(),
            region: record.region.to_owned(),
            country: record.country,
            attribution: database.attribution.text.clone(),
        },
        made_at: now,
    }
}

/// The smallest thing that a record names; a bare position is taken to be as coarse as can be.
fn granularity(record: &Record<'_>) -> Granularity {
    if !record.city.is_empty() {
        Granularity::City
    } else if record.region.is_empty() {
        Granularity::Country
    } else {
        Granularity::Region
    }
}

/// Fills in the names that are missing, from the databases that are left to ask, and owes their makers a mention.
fn complete<'a>(evidence: &mut DatabaseEvidence, rest: impl Iterator<Item = &'a Database>, ip: IpAddr) {
    for database in rest {
        if !evidence.city.is_empty() && !evidence.region.is_empty() && evidence.country.is_some() {
            return;
        }
        let Ok(Some(Answer { record, .. })) = database.look_up(ip) else { continue };
        let filled = match (evidence.country, record.country) {
            (Some(one), Some(same)) if one == same => {
                let city = fill(&mut evidence.city, record.city);
                fill(&mut evidence.region, record.region) || city
            }
            (None, Some(country)) => {
                evidence.country = Some(country);
                true
            }
            _ => false,
        };
        let attribution = &database.info().attribution.text;
        if filled && !evidence.attribution.contains(attribution) {
            evidence.attribution = format!("{}; {attribution}", evidence.attribution);
        }
    }
}

/// Fills an empty name; whether there was anything to fill and to fill it with.
fn fill(name: &mut String, other: &str) -> bool {
    let filled = name.is_empty() && !other.is_empty();
    if filled {
        other.clone_into(name);
    }
    filled
}
