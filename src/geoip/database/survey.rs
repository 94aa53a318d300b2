//! A walk over the whole search tree of a file: every pointer in it leads somewhere, and how its records are written.
//!
//! Bounded whatever the file holds. Knows nothing of single addresses.

use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions};

use super::Schema;
use crate::geoip::record::Record;

/// Records that are decoded when a file is opened, spread evenly over it. Where one record in a thousand is damaged,
/// so many meet one in 98 of 100 cases, and cost some milliseconds.
const PROBES: u32 = 4_096;
/// Of so many probed records at most one may say nothing at all. Files have some; but zeros, which a disk leaves where it
/// lost a part of a file, read as empty records too.
const EMPTY_ONE_OF: u32 = 4;
/// Fewer records tell nothing of shares.
const SHARE_OF_MIN: u32 = 64;
/// Leaves that the search tree may have for each of its nodes. A tree without shared branches has one; a damaged one
/// that shares branches has up to 2¹²⁷, and walking it would never end.
const LEAVES_PER_NODE_MAX: usize = 4;
/// All IPv4 addresses, and all IPv6 addresses that can be public.
pub(super) const SPACES: [&str; 2] = ["0.0.0.0/0", "2000::/3"];

/// What a walk over a whole file found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Networks with a record, of each of the [`SPACES`].
    pub(super) networks: [u64; SPACES.len()],
    /// Probed records with a position in a map of its own, with a plain position, with a country alone, and with neither
    /// but something of the network.
    nested: u32,
    flat: u32,
    country_only: u32,
    network_only: u32,
    /// Probed records that say nothing of any of these, and all of them.
    empty: u32,
    probed: u32,
}

impl Survey {
    /// Walks the search tree, so that every pointer in it is known to lead somewhere, and decodes some records.
    pub(super) fn of(reader: &Reader<Vec<u8>>) -> Result<Self, MaxMindDbError> {
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
        self.probed += 1;
        match (record.position, record.country) {
            (Some(_), _) if record.is_nested => self.nested += 1,
            (Some(_), _) => self.flat += 1,
            (None, Some(_)) => self.country_only += 1,
            (None, None) if record.describes_network() => self.network_only += 1,
            (None, None) => self.empty += 1,
        }
    }

    /// Why the file must have lost a part of what it held; `None` where nothing says so.
    pub(super) fn loss(&self) -> Option<String> {
        let is_lost = self.probed >= SHARE_OF_MIN && self.empty > self.probed / EMPTY_ONE_OF;
        is_lost.then(|| format!("{} of {} of its records that were looked at are empty", self.empty, self.probed))
    }

    /// The way most records are written; `None` where they say nothing of use.
    pub(super) fn schema(&self) -> Option<Schema> {
        match (self.nested, self.flat, self.country_only) {
            (0, 0, 0) => (self.network_only > 0).then_some(Schema::NetworkOnly),
            (0, 0, _) => Some(Schema::CountryOnly),
            (nested, flat, _) => Some(if nested >= flat { Schema::Nested } else { Schema::Flat }),
        }
    }
}

/// A leaf of the search tree, with or without a record.
pub(super) type Leaf<'a> = Result<LookupResult<'a, Vec<u8>>, MaxMindDbError>;

/// The leaves below `space`; none where the file cannot hold that family, an error where the tree is damaged.
pub(super) fn leaves<'a>(
    reader: &'a Reader<Vec<u8>>,
    space: &str,
) -> Result<impl Iterator<Item = Leaf<'a>>, MaxMindDbError> {
    let covered = reader.metadata().ip_version != 4 || !space.contains(':');
    let all = WithinOptions::default().include_networks_without_data();
    let space = if covered { space } else { SPACES[0] };
    let within = reader.within(space.parse().expect("the spaces are constants in CIDR form"), all)?;
    let leaves_max = (reader.metadata().node_count as usize).saturating_mul(LEAVES_PER_NODE_MAX).saturating_add(2);
    let looping = || MaxMindDbError::InvalidDatabase { message: "its search tree loops".to_owned(), offset: None };
    let bounded = move |(at, leaf): (usize, Leaf<'a>)| if at < leaves_max { leaf } else { Err(looping()) };
    Ok(within.take(if covered { usize::MAX } else { 0 }).enumerate().map(bounded))
}
