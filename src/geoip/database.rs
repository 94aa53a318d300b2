//! One `GeoIP` database: an MMDB file, read into memory, checked, and then asked.
//!
//! Read and not mapped: a file that is truncated in place under a mapping kills the process. Knows nothing of other
//! databases and of fixes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use jiff::Timestamp;
use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions};

use super::attribution::Attribution;
use super::error::Error;
use super::record::Record;

/// Largest file that is read, in bytes: 1 GiB. The largest city databases on sale have 0.3 GB, and the bytes of
/// whatever is configured end up in memory.
pub const DATABASE_BYTES_MAX: u64 = 1 << 30;
/// Records that are decoded when a file is opened, spread evenly over it. Where one record in a thousand is damaged,
/// so many meet one in 98 of 100 cases, and cost some milliseconds. A block of zeros is not seen: it reads as empty
/// records, which are allowed.
const PROBES: u32 = 4_096;
/// Leaves that the search tree may have for each of its nodes. A tree without shared branches has one; a damaged one
/// that shares branches has up to 2¹²⁷, and walking it would never end.
const LEAVES_PER_NODE_MAX: usize = 4;
/// All IPv4 addresses, and all IPv6 addresses that can be public.
const SPACES: [&str; 2] = ["0.0.0.0/0", "2000::/3"];

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
}

/// An open database. Never changes; shared by all threads.
#[derive(Debug)]
pub struct Database {
    reader: Reader<Vec<u8>>,
    info: DatabaseInfo,
}

/// A record with the network that it is for.
pub(super) struct Answer<'a> {
    pub(super) record: Record<'a>,
    found: LookupResult<'a, Vec<u8>>,
}

impl Database {
    /// Reads a file into memory and checks it: metadata, the whole search tree, and some thousand records. Blocks;
    /// costs about 0.3 s for the 60 MB of a world of cities, and their bytes for as long as it is open.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::from_bytes(path, read(path)?)
    }

    /// The database of a file's bytes; `path` is only for messages and for the attribution.
    pub(super) fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, Error> {
        let damaged = |why: String| Error::Damaged { path: path.to_owned(), why };
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
        let info = DatabaseInfo {
            attribution: Attribution::of(&database_type, path),
            path: path.to_owned(),
            database_type,
            build_time,
            ip_version: metadata.ip_version,
            schema,
            ipv4_networks: survey.networks[0],
            ipv6_networks: survey.networks[1],
        };
        Ok(Self { reader, info })
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
        let found = self.reader.lookup(ip)?;
        Ok(found.decode()?.map(|record| Answer { record, found }))
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

/// The bytes of a regular file within the limit.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    // Asked before it is opened: opening a named pipe waits for somebody to write to it.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    let mut bytes = Vec::new();
    if metadata.len() <= DATABASE_BYTES_MAX {
        let size = usize::try_from(metadata.len()).expect("checked to be at most 1 GiB");
        bytes.try_reserve_exact(size + 1).map_err(|error| unreadable(io::Error::other(error)))?;
        let file = File::open(path).map_err(unreadable)?;
        file.take(DATABASE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if metadata.len().max(bytes.len() as u64) > DATABASE_BYTES_MAX {
        return Err(Error::TooLarge { path: path.to_owned(), bytes_max: DATABASE_BYTES_MAX });
    }
    Ok(bytes)
}

/// What a walk over a whole file found.
#[derive(Debug, Default)]
struct Survey {
    /// Networks with a record, of each of the [`SPACES`].
    networks: [u64; SPACES.len()],
    /// Probed records with a position in a map of its own, with a plain position, and with a country alone.
    nested: u32,
    flat: u32,
    country_only: u32,
}

impl Survey {
    /// Walks the search tree, so that every pointer in it is known to lead somewhere, and decodes some records.
    fn of(reader: &Reader<Vec<u8>>) -> Result<Self, MaxMindDbError> {
        let mut survey = Self::default();
        let stride = u64::from((reader.metadata().node_count / PROBES).max(1));
        for (family, space) in SPACES.iter().enumerate() {
            for found in leaves(reader, space)? {
                let found = found?;
                if !found.has_data() {
                    continue;
                }
                if survey.networks[family].is_multiple_of(stride) {
                    survey.probe(&found.decode()?.unwrap_or_default());
                }
                survey.networks[family] += 1;
            }
        }
        Ok(survey)
    }

    fn probe(&mut self, record: &Record<'_>) {
        match (record.position, record.country) {
            (Some(_), _) if record.is_nested => self.nested += 1,
            (Some(_), _) => self.flat += 1,
            (None, Some(_)) => self.country_only += 1,
            (None, None) => {}
        }
    }

    /// The way most records are written; `None` where they say nothing of use.
    fn schema(&self) -> Option<Schema> {
        match (self.nested, self.flat, self.country_only) {
            (0, 0, 0) => None,
            (0, 0, _) => Some(Schema::CountryOnly),
            (nested, flat, _) => Some(if nested >= flat { Schema::Nested } else { Schema::Flat }),
        }
    }
}

/// A leaf of the search tree, with or without a record.
type Leaf<'a> = Result<LookupResult<'a, Vec<u8>>, MaxMindDbError>;

/// The leaves below `space`; none where the file cannot hold that family, an error where the tree is damaged.
fn leaves<'a>(reader: &'a Reader<Vec<u8>>, space: &str) -> Result<impl Iterator<Item = Leaf<'a>>, MaxMindDbError> {
    let covered = reader.metadata().ip_version != 4 || !space.contains(':');
    let all = WithinOptions::default().include_networks_without_data();
    let space = if covered { space } else { SPACES[0] };
    let within = reader.within(space.parse().expect("the spaces are constants in CIDR form"), all)?;
    let leaves_max = (reader.metadata().node_count as usize).saturating_mul(LEAVES_PER_NODE_MAX).saturating_add(2);
    let looping = || MaxMindDbError::InvalidDatabase { message: "its search tree loops".to_owned(), offset: None };
    let bounded = move |(at, leaf): (usize, Leaf<'a>)| if at < leaves_max { leaf } else { Err(looping()) };
    Ok(within.take(if covered { usize::MAX } else { 0 }).enumerate().map(bounded))
}

#[cfg(test)]
mod tests;
