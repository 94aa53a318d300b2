//! One `GeoIP` database: an MMDB file, read into memory, checked, and then asked.
//!
//! Read and not mapped: a file that is truncated in place under a mapping kills the process. Knows nothing of other
//! databases and of fixes.

mod file;
#[cfg(test)]
mod fuzz;
mod survey;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use jiff::Timestamp;
use maxminddb::{LookupResult, MaxMindDbError, Reader};
use sha2::{Digest, Sha256};

use self::file::{check_unchanged, read};
use self::survey::{SPACES, Survey, leaves};
use super::age::{AgeLimits, AgePolicy, Freshness};
use super::attribution::Attribution;
use super::error::Error;
use super::record::Record;

pub use self::file::DATABASE_BYTES_MAX;
pub(super) use self::file::Fingerprint;

/// Bytes that the text of a network rarely exceeds: an IPv4 one, or an IPv6 one of 48 bits.
const NETWORK_BYTES_USUAL: usize = 20;

/// How the records of a database are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// `location.latitude`, `city.names.en`, …: `GeoIP2`, `GeoLite2`, and DB-IP's own files.
    Nested,
    /// `latitude`, `city`, …: the `@ip-location-db` packages.
    Flat,
    /// Countries without positions: it makes no estimate, and only completes those of others.
    CountryOnly,
    /// Numbers, providers or kinds of networks, without any place.
    NetworkOnly,
}

impl Schema {
    /// What a file of this schema is for, in a word.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Nested | Self::Flat => "positions",
            Self::CountryOnly => "countries",
            Self::NetworkOnly => "networks",
        }
    }
}

/// What is known of a database, for operators and for the map's attribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseInfo {
    /// The file.
    pub path: PathBuf,
    /// The type that the file states, such as `city ipv4`.
    pub database_type: String,
    /// When the file was built.
    pub build_time: Timestamp,
    /// 4 for a file that can only hold IPv4 networks, 6 for one that can hold both.
    pub ip_version: u16,
    /// How its records are written.
    pub schema: Schema,
    /// To whom the data is owed.
    pub attribution: Attribution,
    /// IPv4 networks with a record.
    pub ipv4_networks: u64,
    /// IPv6 networks with a record.
    pub ipv6_networks: u64,
    /// Size of the file, which is what it holds in memory.
    pub bytes: u64,
    /// Checksum of the file, in hexadecimal.
    pub sha256: String,
}

/// An open database. Never changes; shared by all threads.
#[derive(Debug)]
pub struct Database {
    reader: Reader<Vec<u8>>,
    info: DatabaseInfo,
    age: AgeLimits,
    fingerprint: Option<Fingerprint>,
    counters: Arc<Counters>,
}

/// How often a file was asked, whichever version of it was in use.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Look-ups of addresses of a family that it holds.
    look_ups: AtomicU64,
    /// Those of them without a record.
    misses: AtomicU64,
    /// Those of them whose record is damaged.
    damaged: AtomicU64,
}

/// A record with the network that it is for.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) record: Record<'a>,
    found: LookupResult<'a, Vec<u8>>,
}

impl Counters {
    /// Look-ups, misses, and damaged records.
    pub(super) fn read(&self) -> [u64; 3] {
        [&self.look_ups, &self.misses, &self.damaged].map(|counter| counter.load(Ordering::Relaxed))
    }
}

impl Database {
    /// Reads a file into memory and checks it: metadata, the whole search tree, and some thousand records. Blocks;
    /// costs about 0.3 s for the 60 MB of a world of cities, and their bytes for as long as it is open.
    pub fn open(path: &Path, age: AgePolicy) -> Result<Self, Error> {
        let (bytes, fingerprint) = read(path)?;
        let database = Self::from_bytes(path, bytes, age)?;
        check_unchanged(path, &fingerprint)?;
        Ok(Self { fingerprint: Some(fingerprint), ..database })
    }

    /// The database of a file's bytes; `path` is only for messages and for the attribution.
    pub(super) fn from_bytes(path: &Path, bytes: Vec<u8>, age: AgePolicy) -> Result<Self, Error> {
        let damaged = |why: String| Error::Damaged { path: path.to_owned(), why };
        let (size, sha256) = (bytes.len() as u64, format!("{:x}", HexDigest(Sha256::digest(&bytes).as_slice())));
        let reader = Reader::from_source(bytes)
            .map_err(|error| Error::NotMmdb { path: path.to_owned(), why: error.to_string() })?;
        let metadata = reader.metadata();
        let database_type = metadata.database_type.clone();
        let build_time =
            i64::try_from(metadata.build_epoch).ok().and_then(|second| Timestamp::from_second(second).ok());
        let build_time =
            build_time.ok_or_else(|| damaged(format!("its build_epoch {} is no date", metadata.build_epoch)))?;
        let survey = Survey::of(&reader).map_err(|error| damaged(error.to_string()))?;
        let Some(schema) = survey.schema() else {
            return Err(Error::UnusableSchema { path: path.to_owned(), database_type });
        };
        if let Some(why) = survey.loss() {
            return Err(damaged(why));
        }
        let attribution = Attribution::of(&database_type, path);
        let age = AgeLimits::new(build_time, age.or(attribution.age_policy()));
        let info = DatabaseInfo {
            attribution,
            path: path.to_owned(),
            database_type,
            build_time,
            ip_version: metadata.ip_version,
            schema,
            ipv4_networks: survey.networks[0],
            ipv6_networks: survey.networks[1],
            bytes: size,
            sha256,
        };
        Ok(Self { reader, info, age, fingerprint: None, counters: Arc::default() })
    }

    /// The same file, counting on where another version of it stopped.
    pub(super) fn counting_with(self, counters: Arc<Counters>) -> Self {
        Self { counters, ..self }
    }

    /// The state of the file that it was read from.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// Whether it may stand where `old` stands: a file of another kind, or without the addresses of a family that the
    /// old one has, is the wrong file, however whole it is.
    pub(super) fn check_replaces(&self, old: &Self) -> Result<(), Error> {
        let families = |info: &DatabaseInfo| [info.ipv4_networks > 0, info.ipv6_networks > 0];
        let told = |info: &DatabaseInfo| {
            let names: Vec<_> = ["IPv4", "IPv6"].into_iter().zip(families(info)).filter(|(_, has)| *has).collect();
            let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
            format!("{} of {}", info.schema.kind(), names.join(" and "))
        };
        let (is, was) = (&self.info, &old.info);
        let covers = families(is).into_iter().zip(families(was)).all(|(is, was)| is || !was);
        if covers && is.schema.kind() == was.schema.kind() {
            return Ok(());
        }
        Err(Error::WrongKind { path: is.path.clone(), is: told(is), was: told(was) })
    }

    /// How old its build is at `now`, by the limits that are set for it.
    pub(super) fn freshness(&self, now: Timestamp) -> Freshness {
        self.age.at(now)
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> &DatabaseInfo {
        &self.info
    }

    /// Whether it holds networks of the family of `ip`.
    pub(super) fn covers(&self, ip: IpAddr) -> bool {
        (if ip.is_ipv4() { self.info.ipv4_networks } else { self.info.ipv6_networks }) > 0
    }

    /// The record for an address; `None` where there is none. An error is damage that the checks at opening did not
    /// meet. Costs about 1 µs in a world of cities, most of it for memory that is not in a cache.
    pub(super) fn look_up(&self, ip: IpAddr) -> Result<Option<Answer<'_>>, MaxMindDbError> {
        if !self.covers(ip) {
            return Ok(None);
        }
        self.counters.look_ups.fetch_add(1, Ordering::Relaxed);
        let found = self.reader.lookup(ip).and_then(|found| {
            let record = found.decode()?;
            Ok(record.map(|record| Answer { record, found }))
        });
        match &found {
            Ok(Some(_)) => {}
            Ok(None) => _ = self.counters.misses.fetch_add(1, Ordering::Relaxed),
            Err(_) => _ = self.counters.damaged.fetch_add(1, Ordering::Relaxed),
        }
        found
    }

    /// All networks of a family that have a record, in the order of their addresses. Costs some 70 ns each.
    pub(super) fn networks(&self, ipv4: bool) -> impl Iterator<Item = (IpNet, Network<'_>)> {
        let leaves = leaves(&self.reader, SPACES[usize::from(!ipv4)]).into_iter().flatten();
        leaves.map_while(Result::ok).filter(LookupResult::has_data).filter_map(|found| {
            let network = found.network().ok()?;
            Some((IpNet::new(network.ip(), network.prefix()).ok()?, Network(found)))
        })
    }
}

impl Answer<'_> {
    /// The network that the record covers, in CIDR form; for an IPv4 address it is an IPv6 one where the record lies
    /// above the IPv4 part of the tree.
    pub(super) fn network(&self) -> String {
        let mut text = String::with_capacity(NETWORK_BYTES_USUAL);
        if let Ok(network) = self.found.network() {
            write!(text, "{network}").expect("writing to a string cannot fail");
        }
        text
    }
}

/// A network met on a walk, whose record is decoded when it is asked for.
#[derive(Debug)]
pub(super) struct Network<'a>(LookupResult<'a, Vec<u8>>);

impl Network<'_> {
    /// Whether its record has a position.
    pub(super) fn has_position(&self) -> bool {
        matches!(self.0.decode::<Record<'_>>(), Ok(Some(Record { position: Some(_), .. })))
    }
}

/// Bytes to be written in hexadecimal.
struct HexDigest<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexDigest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
