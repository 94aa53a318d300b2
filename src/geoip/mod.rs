//! `GeoIP`: from a public IP address to an estimate of where it is, by a stack of MMDB databases.
//!
//! Parts: [`client_ip`] finds the public address behind proxies, [`special`] tells which addresses are nowhere,
//! [`database`] reads one file with its records and attribution, [`estimate`] makes one answer of what all of them say
//! and [`explain`] tells how, [`databases`] keeps the files in use and swaps them, `sample` draws addresses for demonstrations,
//! [`asn_build`] makes a file of lists of ranges. Knows nothing of sites, of the store and of
//! geocoding; an estimate is never turned into a street address.

pub mod age;
pub mod asn_build;
pub mod attribution;
pub mod client_ip;
pub mod config;
pub mod database;
pub mod databases;
pub mod error;
pub mod estimate;
pub mod explain;
pub mod special;

#[cfg(test)]
pub(crate) mod fixture;
mod opening;
mod record;
mod sample;
#[cfg(test)]
mod tests;
mod writer;

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use self::attribution::Attribution;
use self::config::Config;
use self::database::{Database, DatabaseInfo};
use self::error::Error;
use self::estimate::{Estimate, Findings, Reading, Readings, compose};
use self::explain::{Explanation, Step};
use self::opening::open_each;
use crate::model::evidence::NetworkFacts;
use crate::model::location::NoEstimate;

/// Stack of a thread that reads records, in bytes. The reader follows 512 pointers that lead to pointers before it calls a file
/// damaged, a call each, whose frame has 6 kB in a build without optimization: more than the 2 MiB that threads have by default.
pub const STACK_BYTES: usize = 8 * 1024 * 1024;
/// Most databases in the stack. Two families from three makers are six; each costs a look-up and its bytes in memory.
pub const DATABASES_MAX: usize = 16;

/// The open databases, in the order in which they are asked. Never changes: new files make a new one, which shares
/// with it the files that stayed.
#[derive(Debug, Default)]
pub struct GeoIp {
    databases: Vec<Arc<Database>>,
}

impl GeoIp {
    /// Opens and checks all configured files, at the same time. Blocks; see [`Database::open`] for what it costs. One
    /// bad file fails the whole.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let databases =
            open_each(config)?.into_iter().map(|opening| opening.opened.map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(Self { databases })
    }

    /// No databases: every question is answered with [`NoEstimate::NoDatabase`], or a reason in the address itself.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// What is known of each database, in the order in which they are asked.
    #[must_use]
    pub fn databases(&self) -> impl ExactSizeIterator<Item = &DatabaseInfo> {
        self.databases.iter().map(|database| database.info())
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

    /// Where `ip` seems to be, and whose network it is in. IPv4 addresses inside IPv6 ones are taken out first.
    ///
    /// The first database with a position for it answers. Every other part comes from that record, else from the first
    /// that states it: names only where the country is the same; the position stays, and so does its granularity, which
    /// is that of the record it comes from. What kind of network it is may lower the claim. Costs one look-up in each
    /// database of the address's family, and some short texts.
    ///
    /// There is no estimate because of what the address is for, else because no database holds its family, else because
    /// none has a record, else because no record has a usable position (a damaged record has none).
    #[must_use]
    pub fn ask(&self, ip: IpAddr, now: Timestamp) -> Findings {
        let ip = special::canonical(ip);
        if let Some(why) = special::why_no_estimate(ip) {
            return Findings { ip, estimate: Err(why), network: NetworkFacts::default() };
        }
        let (estimate, network) = compose(&mut self.read(ip, now), now);
        Findings { ip, estimate, network }
    }

    /// Where `ip` seems to be, as in [`GeoIp::ask`].
    ///
    /// # Errors
    ///
    /// Why there is no estimate.
    pub fn estimate(&self, ip: IpAddr, now: Timestamp) -> Result<Estimate, NoEstimate> {
        self.ask(ip, now).estimate
    }

    /// The same as [`GeoIp::ask`], with every step that led to it. For people who ask why.
    #[must_use]
    pub fn explain(&self, asked: IpAddr, now: Timestamp) -> Explanation {
        let (ip, wrapping) = special::unwrap(asked);
        let block = special::block(ip);
        if let Some(why) = special::why_no_estimate(ip) {
            let findings = Findings { ip, estimate: Err(why), network: NetworkFacts::default() };
            return Explanation { asked, wrapping, block, steps: Vec::new(), agreement: None, findings };
        }
        let mut readings = self.read(ip, now);
        let (estimate, network) = compose(&mut readings, now);
        let chosen = estimate.as_ref().ok().map(|estimate| estimate.position);
        let steps = readings.iter().map(|reading| Step::of(reading, chosen, now)).collect();
        let agreement = estimate.as_ref().ok().and_then(|estimate| estimate.evidence.agreement());
        Explanation { asked, wrapping, block, steps, agreement, findings: Findings { ip, estimate, network } }
    }

    /// `count` addresses of real networks, spread like the world's networks; the same `seed` gives the same list.
    /// For demonstrations. Takes about 2 s for a world of cities, and memory for the list alone; empty without
    /// databases.
    #[must_use]
    pub fn sample(&self, count: usize, seed: u64) -> Vec<(IpNet, IpAddr)> {
        sample::sample(&self.databases, count, seed)
    }

    fn read(&self, ip: IpAddr, now: Timestamp) -> Readings<'_> {
        self.databases.iter().map(|database| Reading::of(database, ip, now)).collect()
    }
}
