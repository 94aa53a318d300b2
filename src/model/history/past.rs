//! Values as a site's history keeps them: whole, so that they can be put back, and without what makes no difference.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::evidence::{GeocodedEvidence, Storage};
use crate::model::geo::LatLng;
use crate::model::location::{Evidence, Fix, Granularity, NoEstimate, Source};
use crate::model::phone::Phone;
use crate::model::site::{Replacement, Status, TicketingLink};
use crate::model::site_address::SiteAddress;
use crate::model::site_devices::SiteDevice;

/// Texts longer than that, in bytes, are kept once, beside the entries that name them: a note has up to 64 KiB, and most
/// changes of a note are followed by others.
pub(super) const LONG_TEXT_BYTES: usize = 1_024;
/// So many bytes of the beginning of a long text stand in the entry itself: what a list shows of it.
pub(super) const BEGINNING_BYTES: usize = 256;

/// A value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A short text.
    Text(String),
    /// A long text, which is kept elsewhere.
    LongText(PastText),
    /// A status.
    Status(Status),
    /// Phone numbers.
    Phones(Vec<Phone>),
    /// Ticketing links of one identity: one, where nobody made it twice.
    Links(Vec<TicketingLink>),
    /// A fix.
    Fix(Box<PastFix>),
    /// The source of the effective fix.
    Source(Source),
    /// Why there is no estimate.
    NoEstimate(NoEstimate),
    /// A stated address, without when it is asked for again and without what is not to be kept.
    Address(Box<SiteAddress>),
    /// A consent.
    Replacement(Replacement),
    /// An address of the network.
    Ip(IpAddr),
    /// What is left of an address of the network after a while.
    Network(IpNet),
    /// A time.
    Time(Timestamp),
    /// A device as it was reported.
    Device(Box<SiteDevice>),
}

/// A long text by its digest. Two texts of one digest are the same text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastText {
    /// Its beginning, at most 256 bytes.
    pub beginning: String,
    /// Bytes of the whole.
    pub bytes: usize,
    /// The first half of its SHA-256, in lowercase hexadecimal.
    pub digest: String,
}

impl PastText {
    /// Of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let half = digest.first_chunk().map(|half| u128::from_be_bytes(*half)).unwrap_or_default();
        let beginning = text[..text.floor_char_boundary(BEGINNING_BYTES)].to_owned();
        Self { beginning, bytes: text.len(), digest: format!("{half:032x}") }
    }
}

impl Value {
    /// The value of a text; `None` for an empty one.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        match text.len() {
            0 => None,
            1..=LONG_TEXT_BYTES => Some(Self::Text(text.to_owned())),
            _ => Some(Self::LongText(PastText::of(text))),
        }
    }

    /// Whether it is kept as far as it takes to put it back: not what a provider's terms do not allow to keep, and that
    /// nobody can be asked for again.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        match self {
            Self::Fix(fix) => fix.position.is_some(),
            Self::Address(address) => address.storage == Storage::Unlimited || !address.typed.is_empty(),
            _ => true,
        }
    }

    /// How many bytes the value takes in a message, or somewhat more.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// Of a number, a time, a position, or what tells parts of a message apart.
        const SMALL: usize = 64;
        let answer = |answer: &GeocodedEvidence| {
            let texts = [&answer.provider, &answer.place_id, &answer.formatted_address, &answer.query];
            SMALL + texts.into_iter().chain([&answer.attribution]).map(|text| text.len() + 4).sum::<usize>()
        };
        match self {
            Self::Text(text) => 16 + text.len(),
            Self::LongText(text) => SMALL + text.beginning.len(),
            Self::Phones(phones) => SMALL + phones.iter().map(|phone| SMALL + phone.number.len()).sum::<usize>(),
            Self::Links(links) => {
                let ids =
                    |link: &TicketingLink| link.system.len() + link.organization_id.len() + link.external_site_id.len();
                let names = |link: &TicketingLink| link.organization_name.len() + link.external_site_name.len();
                let of = |link: &TicketingLink| SMALL + ids(link) + names(link) + link.uri.len();
                SMALL + links.iter().map(of).sum::<usize>()
            }
            Self::Fix(fix) => {
                let origin = match &fix.origin {
                    Origin::Database { database_type: text } | Origin::Prefix { network: text } => text.len(),
                    Origin::Geocoded(of) => answer(of),
                    Origin::Dropped | Origin::Measured => 0,
                };
                SMALL * 3 + fix.made_by.len() + origin
            }
            Self::Address(address) => {
                let texts = address.typed.len() + address.formatted.len() + address.stated_by.len();
                SMALL * 2 + texts + address.evidence.as_deref().map_or(0, answer)
            }
            Self::Device(device) => SMALL + device.id.len() + device.display_name.len() + device.kind.len(),
            // Of an agent's id, at most 128 bytes.
            Self::Replacement(_) => SMALL * 4,
            Self::Status(_)
            | Self::Source(_)
            | Self::NoEstimate(_)
            | Self::Ip(_)
            | Self::Network(_)
            | Self::Time(_) => SMALL,
        }
    }
}

/// What a past fix rested on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// A record of a GeoIP database.
    Database {
        /// The file's own type name.
        database_type: String,
    },
    /// A network that the account itself placed.
    Prefix {
        /// The network in CIDR form.
        network: String,
    },
    /// A geocoder's answer. Where it may not be kept for good: the provider and the question alone, with
    /// [`Storage::Never`].
    Geocoded(GeocodedEvidence),
    /// A person's hand on the map.
    Dropped,
    /// The agent's own measurement.
    Measured,
}

/// A fix as the history keeps it.
///
/// Of an estimate it does not say when it was made, nor of which build of a file: both change where nothing moved. Of an
/// answer whose terms end it has neither position nor address, because a history has no end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastFix {
    /// Who or what made it.
    pub source: Source,
    /// The position; `None` where the terms of its provider do not allow to keep it.
    pub position: Option<LatLng>,
    /// Radius in metres that holds the truth; `None` where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
    /// How fine it was.
    pub granularity: Granularity,
    /// What it rested on.
    pub origin: Origin,
    /// When it was made; `None` for an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<Timestamp>,
    /// The actor that made it; empty for an estimate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub made_by: String,
}

impl From<&Fix> for PastFix {
    fn from(fix: &Fix) -> Self {
        let origin = match &fix.evidence {
            Evidence::Database(found) => Origin::Database { database_type: found.database_type.clone() },
            Evidence::Prefix(prefix) => Origin::Prefix { network: prefix.network.clone() },
            Evidence::Geocoded(answer) => Origin::Geocoded(kept(answer)),
            Evidence::Dropped => Origin::Dropped,
            Evidence::Measured => Origin::Measured,
        };
        let is_kept = !matches!(&origin, Origin::Geocoded(answer) if answer.storage == Storage::Never);
        let is_estimate = fix.source == Source::GeoIp;
        Self {
            source: fix.source,
            position: is_kept.then_some(fix.position),
            accuracy_m: fix.accuracy_m,
            granularity: fix.granularity,
            origin,
            made_at: (!is_estimate).then_some(fix.made_at),
            made_by: if is_estimate { String::new() } else { fix.made_by.clone() },
        }
    }
}

/// What may be kept of a geocoder's answer for good.
fn kept(answer: &GeocodedEvidence) -> GeocodedEvidence {
    if answer.storage == Storage::Unlimited {
        return answer.clone();
    }
    GeocodedEvidence {
        provider: answer.provider.clone(),
        place_id: String::new(),
        formatted_address: String::new(),
        query: answer.query.clone(),
        attribution: answer.attribution.clone(),
        country: None,
        storage: Storage::Never,
    }
}

impl From<&SiteAddress> for Value {
    /// The address without when it is asked for again, which is a machine's business, and without an answer that may not
    /// be kept for good.
    fn from(address: &SiteAddress) -> Self {
        let is_kept = address.storage == Storage::Unlimited;
        Self::Address(Box::new(SiteAddress {
            formatted: if is_kept { address.formatted.clone() } else { String::new() },
            storage: if is_kept { Storage::Unlimited } else { Storage::Never },
            evidence: address.evidence.as_deref().map(|answer| Box::new(kept(answer))),
            retry: None,
            renewal: None,
            ..address.clone()
        }))
    }
}
