//! What of a site needs a person's attention, as a pure function of its record.
//!
//! All but one reason: that a spot is crowded depends on other sites, and is found by the map. A person may dismiss a
//! reason; it stays away for as long as the facts that it rests on are the same.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::location::{Granularity, Placement};
use super::site_address::AddressState;
use super::sketch::{LinkSketch, SiteSketch};
use super::stack::StackSketch;

/// A confirmed position is never called far within this distance of the estimate, in metres. Databases put half of all
/// addresses within 50 km and most within 300 km of the truth.
pub const FAR_M_MIN: f64 = 300_000.0;
/// And not within so many of the estimate's own accuracy radii, which hold the truth in some two cases of three.
const FAR_RADII: f64 = 3.0;
/// The same for an estimate of unknown accuracy that names a region: the width of a large one, in metres.
const FAR_OF_REGION_M: f64 = 1_000_000.0;
/// The same for one that names a country alone: half the width of the largest ones, in metres.
const FAR_OF_COUNTRY_M: f64 = 3_000_000.0;
/// Another country is told from this distance on, in metres: near a border networks cross it.
pub const OTHER_COUNTRY_M_MIN: f64 = 100_000.0;
/// So many sites that persons put on one spot are a crowd: more than share a house, and what a default address or a pin
/// dropped on a headquarters makes.
pub const CROWD_SITES_MIN: u32 = 10;

/// Why a site needs attention, from the worst to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum AttentionReason {
    /// It has no position at all.
    Unplaced,
    /// The answer that it stood at had to be dropped, because its terms ended.
    AddressExpired,
    /// Nothing answers to its address.
    AddressFailed,
    /// Several places answer to its address, or a coarse one: a person has to choose.
    AddressAmbiguous,
    /// A person's position is far from where its network seems to be.
    PinFarFromGeoip,
    /// The far end of a ticketing link is gone.
    TicketingLinkBroken,
    /// Its address waits for a geocoder.
    AddressPending,
    /// Many sites that persons located are on its very spot.
    Crowded,
}

impl AttentionReason {
    /// All, from the worst to the least, in the order of their discriminants.
    pub const ALL: [Self; 8] = [
        Self::Unplaced,
        Self::AddressExpired,
        Self::AddressFailed,
        Self::AddressAmbiguous,
        Self::PinFarFromGeoip,
        Self::TicketingLinkBroken,
        Self::AddressPending,
        Self::Crowded,
    ];

    /// Its name in the API, without the prefix of the enum.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unplaced => "UNPLACED",
            Self::AddressExpired => "ADDRESS_EXPIRED",
            Self::AddressFailed => "ADDRESS_FAILED",
            Self::AddressAmbiguous => "ADDRESS_AMBIGUOUS",
            Self::PinFarFromGeoip => "PIN_FAR_FROM_GEOIP",
            Self::TicketingLinkBroken => "TICKETING_LINK_BROKEN",
            Self::AddressPending => "ADDRESS_PENDING",
            Self::Crowded => "CROWDED",
        }
    }

    /// Whether it rests on a stated address or on where the site is, of which its fingerprint is a checksum.
    #[must_use]
    pub fn is_of_location(self) -> bool {
        !matches!(self, Self::Unplaced | Self::TicketingLinkBroken)
    }

    /// The reason of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// A set of reasons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Attention(u8);

impl Attention {
    /// No reason.
    pub const NONE: Self = Self(0);

    /// Whether there is no reason.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether the reason is in it.
    #[must_use]
    pub fn has(self, reason: AttentionReason) -> bool {
        self.0 >> reason as u8 & 1 == 1
    }

    /// Whether it and `other` have a reason in common.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set with the reason, or without it.
    #[must_use]
    pub fn with(self, reason: AttentionReason, is_in: bool) -> Self {
        let bit = 1 << reason as u8;
        Self(if is_in { self.0 | bit } else { self.0 & !bit })
    }

    /// The worst of them.
    #[must_use]
    pub fn worst(self) -> Option<AttentionReason> {
        self.iter().next()
    }

    /// All of them, from the worst to the least.
    pub fn iter(self) -> impl Iterator<Item = AttentionReason> {
        AttentionReason::ALL.into_iter().filter(move |reason| self.has(*reason))
    }

    /// What the record of a site says, without what persons dismissed. Never crowded: no record knows that.
    #[must_use]
    pub fn of(site: &SiteSketch<'_>) -> Self {
        if site.deleted_at.is_some() {
            return Self::NONE;
        }
        let raised = AttentionReason::ALL.into_iter().filter(|reason| is_raised(*reason, site));
        raised.filter(|reason| !is_dismissed(*reason, site)).collect()
    }
}

impl FromIterator<AttentionReason> for Attention {
    fn from_iter<I: IntoIterator<Item = AttentionReason>>(reasons: I) -> Self {
        reasons.into_iter().fold(Self::NONE, |set, reason| set.with(reason, true))
    }
}

/// Whether the facts of the record raise a reason, dismissed or not.
#[must_use]
pub fn is_raised(reason: AttentionReason, site: &SiteSketch<'_>) -> bool {
    let is_in = |state| site.address.as_ref().is_some_and(|address| address.state == state);
    match reason {
        AttentionReason::Unplaced => site.stack.placement.is_none(),
        AttentionReason::AddressExpired => is_in(AddressState::Expired),
        AttentionReason::AddressFailed => is_in(AddressState::NotFound),
        AttentionReason::AddressAmbiguous => is_in(AddressState::Ambiguous),
        AttentionReason::AddressPending => is_in(AddressState::Pending),
        AttentionReason::PinFarFromGeoip => Distance::of(&site.stack).is_some_and(|distance| distance.is_far()),
        AttentionReason::TicketingLinkBroken => site.ticketing_links.iter().any(LinkSketch::is_broken),
        // Who else stands on the spot is not in the record.
        AttentionReason::Crowded => false,
    }
}

/// Whether a person dismissed the reason, and nothing that it rests on has changed since.
#[must_use]
pub fn is_dismissed(reason: AttentionReason, site: &SiteSketch<'_>) -> bool {
    let mut of_reason = site.dismissals.iter().filter(|dismissal| dismissal.reason == reason);
    of_reason.any(|dismissal| dismissal.fingerprint == fingerprint(reason, site))
}

/// Beyond so many metres from an estimate a position is far from it.
#[must_use]
pub fn far_limit_m(accuracy_m: Option<f64>, granularity: Granularity) -> f64 {
    match (accuracy_m, granularity) {
        (Some(radius_m), _) if radius_m.is_finite() => FAR_M_MIN.max(FAR_RADII * radius_m),
        (_, Granularity::Country) => FAR_OF_COUNTRY_M,
        (_, Granularity::Region) => FAR_OF_REGION_M,
        _ => FAR_M_MIN,
    }
}

/// How far a person's position is from the estimate below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// Great-circle metres.
    pub distance_m: f64,
    /// Beyond so many metres it is far.
    pub limit_m: f64,
    /// Whether both name a country, and not the same.
    pub is_other_country: bool,
}

impl Distance {
    /// The distance in a stack; `None` where no person located the site or where there is no estimate.
    #[must_use]
    pub fn of(stack: &StackSketch) -> Option<Self> {
        let (placement, estimate) = (stack.placement.filter(|fix| fix.source.is_person())?, stack.estimate?);
        let limit_m = far_limit_m(estimate.accuracy_m, estimate.granularity);
        let countries = stack.country.zip(estimate.country);
        Some(Self {
            distance_m: placement.position.distance_m(estimate.position),
            limit_m,
            is_other_country: countries.is_some_and(|(one, other)| one != other),
        })
    }

    /// Whether it is far: beyond the limit; or in another country, and not just across the border.
    #[must_use]
    pub fn is_far(&self) -> bool {
        let is_abroad = self.is_other_country && self.distance_m > OTHER_COUNTRY_M_MIN;
        is_abroad || self.distance_m > self.limit_m
    }
}

/// A person's word that a reason is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dismissal {
    /// The reason.
    pub reason: AttentionReason,
    /// The facts that it rested on.
    pub fingerprint: u32,
    /// The actor.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A dismissal in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DismissalSketch {
    /// The reason.
    pub reason: AttentionReason,
    /// The facts that it rested on.
    pub fingerprint: u32,
}

impl From<&Dismissal> for DismissalSketch {
    fn from(dismissal: &Dismissal) -> Self {
        Self { reason: dismissal.reason, fingerprint: dismissal.fingerprint }
    }
}

/// A checksum of the facts that a reason rests on: another one when they change. The same in all versions, because
/// records hold it.
#[must_use]
pub fn fingerprint(reason: AttentionReason, site: &SiteSketch<'_>) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(reason.as_str().as_bytes());
    let place = |hash: &mut crc32fast::Hasher, placement: Option<Placement>| {
        if let Some(placement) = placement {
            hash.update(&placement.position.lat().to_bits().to_le_bytes());
            hash.update(&placement.position.lng().to_bits().to_le_bytes());
        }
    };
    match reason {
        AttentionReason::AddressExpired
        | AttentionReason::AddressFailed
        | AttentionReason::AddressAmbiguous
        | AttentionReason::AddressPending => {
            hash.update(site.address.as_ref().map_or(&[][..], |address| address.typed.as_bytes()));
        }
        AttentionReason::PinFarFromGeoip => {
            place(&mut hash, site.stack.placement);
            if let Some(estimate) = site.stack.estimate {
                hash.update(&estimate.position.lat().to_bits().to_le_bytes());
                hash.update(&estimate.position.lng().to_bits().to_le_bytes());
                hash.update(&estimate.accuracy_m.unwrap_or(-1.0).to_bits().to_le_bytes());
            }
        }
        AttentionReason::Crowded => place(&mut hash, site.stack.placement),
        AttentionReason::TicketingLinkBroken => {
            for link in site.ticketing_links.iter().filter(|link| link.is_broken()) {
                for text in [&link.system, &link.organization_id] {
                    hash.update(&(text.len() as u64).to_le_bytes());
                    hash.update(text.as_bytes());
                }
            }
        }
        AttentionReason::Unplaced => {}
    }
    hash.finalize()
}

#[cfg(test)]
mod tests;
