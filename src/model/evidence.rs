//! What fixes rest on beside a position: which `GeoIP` database gave what, whether they agree, what kind of network an
//! address belongs to; a geocoder's answer; an account's own network.
//!
//! Knows nothing of files and of records; an absent field is one that no database states.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::address::CountryCode;
use super::location::Granularity;

/// Two positions at most so far apart agree, in metres. Measured: where two city databases agree within 25 km, 76 to
/// 80 % of the answers were within 50 km of the truth.
pub const AGREE_M_MAX: f64 = 25_000.0;
/// Two positions farther apart differ, in metres. Measured: where two city databases differ by more than 100 km, 33 %
/// of the answers were within 50 km of the truth.
pub const DIFFER_M_MIN: f64 = 100_000.0;

/// One part of what databases say of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Position, and with it accuracy and granularity.
    Position,
    /// Country.
    Country,
    /// First-level region.
    Region,
    /// Code of the first-level region.
    RegionCode,
    /// City.
    City,
    /// Postcode.
    Postcode,
    /// Time zone.
    TimeZone,
    /// Number of the autonomous system.
    Asn,
    /// Who runs the network.
    Isp,
    /// Whether the network is an anycast one.
    Anycast,
    /// Whether the network is a data centre's.
    Hosting,
    /// Whether the network is behind a satellite.
    Satellite,
    /// Whether the network is one of mobile phones.
    Mobile,
}

impl Part {
    /// Whether it is of the network of an address, and not of its place.
    #[must_use]
    pub fn is_of_network(self) -> bool {
        self >= Self::Asn
    }
}

/// A record of another database than the one whose position a fix took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherRecord {
    /// The file's own type name.
    pub database_type: String,
    /// When the file was built.
    pub build_time: Timestamp,
    /// The network that the record covers, in CIDR form.
    pub network: String,
    /// What was taken from it, in the order of [`Part`]; may be nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gave: Vec<Part>,
    /// Metres between its position and the fix's, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
    /// Whether the distance bears witness: both records name a city, and their files come from different makers.
    #[serde(default)]
    pub is_witness: bool,
}

/// Whether databases of different makers put an address at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// All within [`AGREE_M_MAX`]: better evidence than one alone.
    Agree,
    /// Neither the one nor the other.
    Near,
    /// One at least farther than [`DIFFER_M_MIN`]: doubtful.
    Differ,
}

impl Agreement {
    /// The verdict on the distances, in metres, of all that bear witness; `None` where none does.
    pub fn of(distances_m: impl IntoIterator<Item = f64>) -> Option<Self> {
        let farthest_m = distances_m.into_iter().reduce(f64::max)?;
        Some(if farthest_m <= AGREE_M_MAX {
            Self::Agree
        } else if farthest_m <= DIFFER_M_MIN {
            Self::Near
        } else {
            Self::Differ
        })
    }
}

/// Kinds of network whose addresses say little of where their users are; true where a database states it.
#[expect(clippy::struct_excessive_bools, reason = "each kind is stated on its own, and several may hold")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkKind {
    /// The same addresses are announced from many places at once.
    pub anycast: bool,
    /// A data centre's, a content network's or a tunnel's.
    pub hosting: bool,
    /// Behind a satellite.
    pub satellite: bool,
    /// Of mobile phones.
    pub mobile: bool,
}

impl NetworkKind {
    /// The finest claim that an address of such a network bears, whatever its record names.
    ///
    /// An anycast address is in many places, often in many countries, and a satellite's is where its ground station is
    /// or its operator is registered: a country. A mobile network's addresses roam over regions (median errors of 179
    /// to 207 km were measured), and whoever uses a data centre's address stands in one of its operator's halls or
    /// tunnels through it: a region.
    #[must_use]
    pub fn finest(self) -> Granularity {
        if self.anycast || self.satellite {
            Granularity::Country
        } else if self.hosting || self.mobile {
            Granularity::Region
        } else {
            Granularity::Door
        }
    }

    /// Whether it is of no such kind, as far as is known.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// What databases say of the network of an address, wherever it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkFacts {
    /// The network in CIDR form, of the record with the number or else with the name; empty where no record says
    /// anything of it.
    pub network: String,
    /// Number of the autonomous system, never 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Who runs the network; empty where no record says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub isp: String,
    /// What kind of network it is.
    #[serde(skip_serializing_if = "NetworkKind::is_plain")]
    pub kind: NetworkKind,
    /// The own type name of the file that `network` is from.
    pub database_type: String,
    /// When that file was built.
    pub build_time: Option<Timestamp>,
    /// The attributions that the licences of the files ask for, as plain text.
    pub attribution: String,
}

/// Who runs a network, as far as databases say: what of its facts tells a site's line from another one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Carrier {
    /// Number of the autonomous system, never 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Its name; empty where no record says.
    pub isp: String,
}

impl NetworkFacts {
    /// Who runs the network.
    #[must_use]
    pub fn carrier(&self) -> Carrier {
        Carrier { asn: self.asn, isp: self.isp.clone() }
    }
}

/// Whether the terms of a provider allow its answer to be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// It may be shown, and not be kept.
    Never,
    /// It may be kept until then.
    Until(Timestamp),
    /// It may be kept for good.
    #[default]
    Unlimited,
}

impl Storage {
    /// Whether the answer may still be held at `now`.
    #[must_use]
    pub fn allows(self, now: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Until(end) => now < end,
            Self::Unlimited => true,
        }
    }

    /// From when on the answer must not be held; `None` for never.
    #[must_use]
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Never => Some(Timestamp::MIN),
            Self::Until(end) => Some(end),
            Self::Unlimited => None,
        }
    }
}

/// The geocoder's answer behind an address fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeocodedEvidence {
    /// The provider's name, such as `gazetteer`.
    pub provider: String,
    /// The provider's id of the place or address.
    pub place_id: String,
    /// The address that matched, as the provider writes it.
    pub formatted_address: String,
    /// What the person had typed.
    pub query: String,
    /// The attribution that the provider's licence asks for, as plain text.
    pub attribution: String,
    /// The country that the place is in, where the provider says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// Whether the answer may be kept, and until when.
    #[serde(default)]
    pub storage: Storage,
}

/// The account's own network behind an estimate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixEvidence {
    /// The network in CIDR form.
    pub network: String,
    /// What its account calls it; may be empty.
    pub display_name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farthest_witness_decides() {
        let check = |distances: &[f64], expect| assert_eq!(Agreement::of(distances.iter().copied()), expect);
        check(&[], None);
        check(&[0.0, 25_000.0], Some(Agreement::Agree));
        check(&[0.0, 25_001.0], Some(Agreement::Near));
        check(&[100_000.0], Some(Agreement::Near));
        check(&[3.0, 100_001.0, 5.0], Some(Agreement::Differ));
    }

    #[test]
    fn terms_end_at_their_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!Storage::Never.allows(at(0)));
        assert!(Storage::Until(at(10)).allows(at(9)) && !Storage::Until(at(10)).allows(at(10)));
        assert!(Storage::Unlimited.allows(at(i64::from(u32::MAX))));
    }

    #[test]
    fn the_kind_of_network_bounds_the_claim() {
        let kind = NetworkKind::default();
        assert_eq!(kind.finest(), Granularity::Door);
        assert_eq!(NetworkKind { mobile: true, ..kind }.finest(), Granularity::Region);
        assert_eq!(NetworkKind { hosting: true, ..kind }.finest(), Granularity::Region);
        assert_eq!(NetworkKind { anycast: true, ..kind }.finest(), Granularity::Country);
        assert_eq!(NetworkKind { satellite: true, mobile: true, ..kind }.finest(), Granularity::Country);
    }
}
